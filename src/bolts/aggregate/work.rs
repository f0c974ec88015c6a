//! What a row goes through, ready to run on frames.

use super::Added;
use super::program::{Part, Program};
use crate::expr::{AggregateFunction, Compiled, EvalError, Expr};
use crate::tuple::{Arena, DataType, Frame, Slot, TextWord};
use crate::window::Overflow;

/// Where a value comes from.
pub enum Source {
    Slot(Slot),
    Expr(Compiled),
}

impl Source {
    fn new(expr: &Expr, slots: &dyn Fn(usize) -> Slot) -> Source {
        expr.as_column().map_or_else(|| Source::Expr(expr.compile(slots)), |column| Source::Slot(slots(column)))
    }
}

/// One step of a row.
pub enum Work {
    Entry { slot: Slot, source: Source },
    Filter { flag: u64, expr: Compiled },
    Argument { at: usize, flag: u64, unless: u64, source: Source, empty: u64 },
    Call { at: usize, slot: Slot },
    Lag { at: usize, slot: Slot, offset: u64, default: Option<Compiled> },
}

/// Windows, as they answer calls.
pub trait Answers {
    /// The result of a call.
    ///
    /// # Errors
    /// It is outside of its type.
    fn answer(&self, call: usize, arguments: &[u64], flags: u64, arena: &Arena) -> Result<Option<u64>, Overflow>;

    /// Number of rows in a call's window of rows or time, without the current one.
    fn rows(&self, call: usize) -> u32;
}

/// Steps, and for each the added column that it belongs to, for messages.
#[derive(Default)]
pub struct Steps {
    /// The steps.
    pub work: Vec<Work>,
    /// Their names.
    pub names: Vec<String>,
}

/// The steps of a program, for rows of each input.
pub fn compile(program: &Program, added: &Added, slots: &dyn Fn(usize) -> Slot) -> Vec<Steps> {
    let entries = added.entries.expressions.len();
    let mut all: Vec<Steps> = added.inputs.iter().map(|_| Steps::default()).collect();
    for part in &program.parts {
        let (work, entry) = match *part {
            Part::Entry(entry) => {
                let source = Source::new(&added.entries.expressions[entry], slots);
                (Work::Entry { slot: slots(added.columns + entry), source }, entry)
            }
            Part::Filter(at) => {
                let filter = &program.filters[at];
                (Work::Filter { flag: 1 << program.filter_flag(at), expr: filter.expr.compile(slots) }, filter.entry)
            }
            Part::Argument(at) => {
                let argument = &program.arguments[at];
                let unless = argument.filter.map_or(0, |filter| 1 << program.filter_flag(filter));
                let empty = if argument.expr.data_type() == DataType::Text { TextWord::EMPTY.0 } else { 0 };
                let source = Source::new(&argument.expr, slots);
                (Work::Argument { at, flag: 1 << at, unless, source, empty }, argument.entry)
            }
            Part::Call(at) => {
                let (call, slot) = (&added.entries.calls[at], slots(added.columns + entries + at));
                let default = call.default.as_ref().map(|expr| expr.compile(slots));
                let lag = call.function == AggregateFunction::Lag;
                let work =
                    if lag { Work::Lag { at, slot, offset: call.offset, default } } else { Work::Call { at, slot } };
                (work, call.entry)
            }
        };
        let steps = &mut all[program.input_of(added, part)];
        steps.work.push(work);
        steps.names.push(added.names.get(entry).map_or_else(|| "window".to_owned(), |name| format!("add.{name}")));
    }
    all
}

/// Takes a row that has the flags `given` through steps: all its flags, or the step that failed and why.
#[inline(always)]
pub fn run(
    work: &[Work],
    given: u64,
    frame: &mut Frame,
    arena: &Arena,
    arguments: &mut [u64],
    answers: &impl Answers,
) -> Result<u64, (usize, EvalError)> {
    let mut flags = given;
    for (number, work) in work.iter().enumerate() {
        let failed = |error| (number, error);
        let value = |source: &Source, frame: &Frame| match source {
            Source::Slot(slot) => Ok(frame.get(*slot)),
            Source::Expr(expr) => expr.eval(frame, arena).map_err(failed),
        };
        match work {
            Work::Entry { slot, source } => {
                let word = value(source, frame)?;
                frame.put(*slot, word);
            }
            Work::Filter { flag, expr } => {
                if !expr.test(frame, arena).map_err(failed)? {
                    flags |= flag;
                }
            }
            Work::Argument { at, flag, unless, source, empty } => {
                let word = if flags & unless != 0 { None } else { value(source, frame)? };
                if word.is_none() {
                    flags |= flag;
                }
                arguments[*at] = word.unwrap_or(*empty);
            }
            Work::Call { at, slot } => {
                let answer = answers.answer(*at, arguments, flags, arena);
                let overflow = |_| {
                    (
                        number,
                        EvalError { reason: "overflow", detail: "the result is out of the range of its type".into() },
                    )
                };
                frame.put(*slot, answer.map_err(overflow)?);
            }
            Work::Lag { at, slot, offset, default } => {
                let word = if u64::from(answers.rows(*at)) == *offset {
                    answers.answer(*at, arguments, flags, arena).unwrap_or(None)
                } else {
                    match default {
                        Some(default) => default.eval(frame, arena).map_err(failed)?,
                        None => None,
                    }
                };
                frame.put(*slot, word);
            }
        }
    }
    Ok(flags)
}
