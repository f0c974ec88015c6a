//! One task: the steps of a row, and the state of keys.

use super::Plan;
use crate::bolts::failure_text;
use crate::component::{Bolt, BoltBuild, Flow, Step};
use crate::expr::{AggregateFunction, Compiled, EntryStep, EvalError, Expr};
use crate::store::{KeyReader, KeyRef, Keys};
use crate::tuple::{DataType, Frame, RUN_TUPLES, Run, Slot, TextWord};
use crate::window::{CallSpec, Rolling};

/// Expired keys are looked for at so many places a tuple.
const SWEEP: usize = 2;

/// No entry is known.
const NONE: u32 = u32::MAX;

/// One step of a row, as it is planned.
enum Part {
    /// Compute an added column.
    Entry(usize),
    /// Test filter `.0`: the flag says that it is not true.
    Filter(usize),
    /// Take argument `.0`.
    Argument(usize),
    /// Answer a call.
    Call(usize),
}

struct Argument {
    expr: Expr,
    /// Index of the filter without which it is not evaluated.
    filter: Option<usize>,
    identity: String,
    entry: usize,
}

struct FilterPart {
    expr: Expr,
    identity: String,
    entry: usize,
}

/// What a row goes through. Arguments' NULL flags come first, those of filters after them.
pub struct Program {
    parts: Vec<Part>,
    arguments: Vec<Argument>,
    filters: Vec<FilterPart>,
    /// Argument and filter of each call.
    of_call: Vec<(Option<usize>, Option<usize>)>,
}

impl Program {
    fn new(plan: &Plan) -> Program {
        let mut program =
            Program { parts: Vec::new(), arguments: Vec::new(), filters: Vec::new(), of_call: Vec::new() };
        program.of_call = vec![(None, None); plan.entries.calls.len()];
        let mut afterwards = Vec::new();
        for step in &plan.entries.order {
            let index = match *step {
                EntryStep::Expression(entry) => {
                    program.parts.push(Part::Entry(entry));
                    continue;
                }
                EntryStep::Call(index) => index,
            };
            let call = &plan.entries.calls[index];
            let filter = call.filter.as_ref().map(|expr| program.filter(expr, call.entry));
            let lag = call.function == AggregateFunction::Lag;
            let argument = call.argument.as_ref().map(|expr| {
                // The value of a lag is that at the end of the step: another one than now, for an added column.
                let (at, new) = program.argument(expr, filter, lag, call.entry);
                match (new, lag) {
                    (true, true) => afterwards.push(Part::Argument(at)),
                    (true, false) => program.parts.push(Part::Argument(at)),
                    (false, _) => {}
                }
                at
            });
            program.of_call[index] = (argument, filter);
            program.parts.push(Part::Call(index));
        }
        program.parts.append(&mut afterwards);
        program
    }

    /// How many flags a row of this plan has.
    pub fn size(plan: &Plan) -> usize {
        let program = Program::new(plan);
        program.arguments.len() + program.filters.len()
    }

    fn filter(&mut self, expr: &Expr, entry: usize) -> usize {
        let identity = format!("{expr:?}");
        self.filters.iter().position(|known| known.identity == identity).unwrap_or_else(|| {
            self.filters.push(FilterPart { expr: expr.clone(), identity, entry });
            self.parts.push(Part::Filter(self.filters.len() - 1));
            self.filters.len() - 1
        })
    }

    fn argument(&mut self, expr: &Expr, filter: Option<usize>, lag: bool, entry: usize) -> (usize, bool) {
        // Reading a column cannot fail, so it is shared by all filters.
        let filter = filter.filter(|_| expr.as_column().is_none());
        let identity = format!("{lag} {filter:?} {expr:?}");
        match self.arguments.iter().position(|known| known.identity == identity) {
            Some(at) => (at, false),
            None => {
                self.arguments.push(Argument { expr: expr.clone(), filter, identity, entry });
                (self.arguments.len() - 1, true)
            }
        }
    }
}

enum Source {
    Slot(Slot),
    Expr(Compiled),
}

impl Source {
    fn new(expr: &Expr, slots: &dyn Fn(usize) -> Slot) -> Source {
        expr.as_column().map_or_else(|| Source::Expr(expr.compile(slots)), |column| Source::Slot(slots(column)))
    }
}

/// One step of a row.
enum Work {
    Entry { slot: Slot, source: Source },
    Filter { flag: u64, expr: Compiled },
    Argument { at: usize, flag: u64, unless: u64, source: Source, empty: u64 },
    Call { at: usize, slot: Slot },
    Lag { at: usize, slot: Slot, offset: u64, default: Option<Compiled> },
}

/// One task of the bolt.
pub struct Task {
    key: KeyReader,
    keys: Keys,
    rolling: Rolling,
    work: Vec<Work>,
    /// For each step the added column that it belongs to, for messages.
    names: Vec<String>,
    arguments: Vec<u64>,
    /// Hashes of the keys of the run's tuples.
    hashes: [Option<u64>; RUN_TUPLES],
    /// Their entries, very likely.
    resolved: [u32; RUN_TUPLES],
    run: usize,
}

impl Task {
    pub(super) fn new(plan: &Plan, build: &BoltBuild<'_>) -> Task {
        let program = Program::new(plan);
        let entries = plan.entries.expressions.len();
        let slots = |number: usize| match number.checked_sub(plan.columns) {
            None => build.inputs[0][number],
            Some(entry) if entry < entries => build.outputs[0][plan.first_added + entry],
            Some(call) => build.scratch[call - entries],
        };
        let filter_flag = |at: usize| (program.arguments.len() + at) as u8;
        let calls = plan.entries.calls.iter().enumerate().map(|(at, call)| {
            let (argument, filter) = program.of_call[at];
            CallSpec {
                function: call.function,
                distinct: call.distinct,
                window: plan.of_call[at],
                argument,
                ty: call.argument.as_ref().map_or(DataType::Bigint, Expr::data_type),
                null: argument.map(|at| at as u8),
                filtered: filter.map(filter_flag),
            }
        });
        let calls: Vec<CallSpec> = calls.collect();
        let mut names = Vec::new();
        let work = program.parts.iter().map(|part| {
            let (work, entry) = match *part {
                Part::Entry(entry) => {
                    let source = Source::new(&plan.entries.expressions[entry], &slots);
                    (Work::Entry { slot: slots(plan.columns + entry), source }, entry)
                }
                Part::Filter(at) => {
                    let filter = &program.filters[at];
                    (Work::Filter { flag: 1 << filter_flag(at), expr: filter.expr.compile(&slots) }, filter.entry)
                }
                Part::Argument(at) => {
                    let argument = &program.arguments[at];
                    let unless = argument.filter.map_or(0, |filter| 1 << filter_flag(filter));
                    let empty = if argument.expr.data_type() == DataType::Text { TextWord::EMPTY.0 } else { 0 };
                    let source = Source::new(&argument.expr, &slots);
                    (Work::Argument { at, flag: 1 << at, unless, source, empty }, argument.entry)
                }
                Part::Call(at) => {
                    let (call, slot) = (&plan.entries.calls[at], build.scratch[at]);
                    let default = call.default.as_ref().map(|expr| expr.compile(&slots));
                    let lag = call.function == AggregateFunction::Lag;
                    let work = if lag {
                        Work::Lag { at, slot, offset: call.offset, default }
                    } else {
                        Work::Call { at, slot }
                    };
                    (work, call.entry)
                }
            };
            names.push(format!("add.{}", plan.names[entry]));
            work
        });
        let work = work.collect();
        Task {
            key: KeyReader::new(build.key.first().map_or(&[], |key| key)),
            keys: Keys::new(plan.ttl),
            rolling: Rolling::new(&plan.windows, &calls, plan.lateness),
            work,
            names,
            arguments: vec![0; program.arguments.len()],
            hashes: [None; RUN_TUPLES],
            resolved: [NONE; RUN_TUPLES],
            run: 0,
        }
    }

    /// Takes a row through all steps: its flags, or the step that failed and why.
    #[inline]
    fn compute(&mut self, entry: u32, frame: &mut Frame, step: &Step<'_>) -> Result<u64, (usize, EvalError)> {
        let (arena, time) = (step.arena, frame.time());
        let mut flags = 0u64;
        for (number, work) in self.work.iter().enumerate() {
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
                    self.arguments[*at] = word.unwrap_or(*empty);
                }
                Work::Call { at, slot } => {
                    let answer = self.rolling.read(*at, entry, time, &self.arguments, flags, arena);
                    let overflow = |_| {
                        (
                            number,
                            EvalError {
                                reason: "overflow",
                                detail: "the result is out of the range of its type".into(),
                            },
                        )
                    };
                    frame.put(*slot, answer.map_err(overflow)?);
                }
                Work::Lag { at, slot, offset, default } => {
                    let word = if u64::from(self.rolling.rows(*at, entry)) == *offset {
                        self.rolling.read(*at, entry, time, &self.arguments, flags, arena).unwrap_or(None)
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
}

impl Bolt for Task {
    fn resolve(&mut self, _input: usize, run: &Run) {
        // Three passes, each of which asks for what the next one reads: of a chain of misses only one is waited for, and
        // those of many tuples at once.
        self.run = run.len();
        for index in 0..run.len() {
            self.hashes[index] = self.key.read(run.frame(index)).map(|key| key.hash);
            if let Some(hash) = self.hashes[index] {
                self.keys.prefetch(hash);
            }
        }
        for index in 0..run.len() {
            let found = self.hashes[index].and_then(|hash| self.keys.guess(hash));
            self.resolved[index] = found.unwrap_or(NONE);
            if let Some(entry) = found {
                self.rolling.prefetch_state(entry);
            }
        }
        for entry in &self.resolved[..run.len()] {
            if *entry != NONE {
                self.rolling.prefetch_rows(*entry);
            }
        }
    }

    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        let rolling = &mut self.rolling;
        self.keys.sweep(step.watermark, SWEEP, |entry| rolling.reset(entry));
        let Some(key) = self.key.bytes(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        let resolved = if step.index < self.run { self.resolved[step.index] } else { NONE };
        let (entry, fresh) = if resolved != NONE && self.keys.holds(resolved, key) {
            (resolved, self.keys.touch(resolved, time))
        } else {
            self.keys.entry(KeyRef::new(key), time)
        };
        if fresh {
            rolling.reset(entry);
        } else if rolling.is_late(entry, time) {
            return Flow::Port(1);
        }
        rolling.begin(entry, time);
        match self.compute(entry, frame, step) {
            Ok(flags) => {
                self.rolling.commit(entry, time, &self.arguments, flags);
                Flow::Next
            }
            Err((number, error)) => {
                self.rolling.abort(entry);
                step.error(error.reason, failure_text(&self.names[number], &error))
            }
        }
    }
}
