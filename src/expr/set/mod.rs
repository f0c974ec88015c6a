//! Calls that give several rows: what `each` of a bolt of kind `expand` says.
//!
//! A set is checked like an expression ([`super::check_set`]), compiled once ([`SetExpr::compile`]), started on a tuple and
//! asked for one value after the other ([`CompiledSet`]). All or nothing: a tuple whose set would have more rows than the
//! limit fails before its first. Pieces of texts point into the text itself; nothing is allocated for a row.
//!
//! Invariant: a started set is read before the run of its tuple is over, while the texts it points into still live.

mod pieces;
#[cfg(test)]
mod tests;

use super::node::Node;
use super::pattern::{self, Flags, RegexPattern};
use super::text::{piece, str_of};
use super::{Compiled, EvalError, FunctionDoc};
use crate::expr::fault::{Cx, Fault};
use crate::tuple::{Arena, DataType, Frame, Slot, TextWord};
use pieces::{Matches, Parts};
use regex::Regex;
use std::sync::Arc;

const fn doc(name: &'static str, signature: &'static str, doc: &'static str) -> FunctionDoc {
    FunctionDoc { name, signature, doc }
}

/// The functions that give several rows, for the reference.
pub static SETS: &[FunctionDoc] = &[
    doc(
        "generate_series",
        "generate_series(from bigint, to bigint [, step bigint]) → bigint, each",
        "The numbers from one to the other, both included; none where the step leads away.",
    ),
    doc(
        "generate_series",
        "generate_series(from timestamp, to timestamp, step interval) → timestamp, each",
        "The times from one to the other, both included.",
    ),
    doc(
        "regexp_split_to_table",
        "regexp_split_to_table(x text, pattern text [, flags text]) → text, each",
        "What lies between the matches of the regular expression.",
    ),
    doc(
        "string_to_table",
        "string_to_table(x text, delimiter text [, null text]) → text, each",
        "The parts between delimiters, single characters where the delimiter is NULL; a part equal to the third argument is NULL.",
    ),
    doc(
        "unnest",
        "unnest(string_to_array(x text, delimiter text [, null text])) → text, each",
        "The same as string_to_table.",
    ),
    doc("unnest", "unnest(array[a, b, ...]) → same, each", "Each of the values, NULLs too: columns become rows."),
];

/// What a set is.
#[derive(Clone, Debug)]
pub(crate) enum SetKind {
    /// From, to, step: all bigint, or timestamps and an interval.
    Series([Node; 3]),
    /// The text between matches.
    Regex { text: Node, pattern: RegexPattern },
    /// The text between delimiters; which part is NULL.
    Split { text: Node, delimiter: Node, null: Option<Node> },
    /// Each of these.
    List(Vec<Node>),
}

/// A checked set. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SetExpr {
    kind: Arc<SetKind>,
    ty: DataType,
    nullable: bool,
    columns: Vec<usize>,
}

impl SetExpr {
    pub(crate) fn new(kind: SetKind, ty: DataType) -> SetExpr {
        let nullable = match &kind {
            SetKind::List(nodes) => nodes.iter().any(|node| node.nullable),
            SetKind::Split { null, .. } => null.is_some(),
            _ => false,
        };
        let mut columns = Vec::new();
        kind.each(&mut |node| node.each_column(&mut |column| columns.push(column)));
        columns.sort_unstable();
        columns.dedup();
        SetExpr { kind: Arc::new(kind), ty, nullable, columns }
    }

    /// The type of its values.
    pub fn data_type(&self) -> DataType {
        self.ty
    }

    /// Whether a value can be NULL.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Compiles it for frames where column `n` stands in `slots(n)`. A tuple may give at most `rows_max` rows.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot, rows_max: u64) -> CompiledSet {
        let c = |node: &Node| Compiled::new(node, slots);
        let code = match &*self.kind {
            SetKind::Series(nodes) => Code::Series(nodes.each_ref().map(c)),
            SetKind::Regex { text, pattern: RegexPattern::Constant(regex, _) } => {
                Code::Regex { text: c(text), regex: Some(regex.clone()), pattern: None }
            }
            SetKind::Regex { text, pattern: RegexPattern::Dynamic(node, flags) } => {
                Code::Regex { text: c(text), regex: None, pattern: Some((c(node), *flags, String::new())) }
            }
            SetKind::Split { text, delimiter, null } => {
                Code::Split { text: c(text), delimiter: c(delimiter), null: null.as_ref().map(c) }
            }
            SetKind::List(nodes) => {
                Code::List { values: nodes.iter().map(c).collect(), words: Vec::with_capacity(nodes.len()) }
            }
        };
        CompiledSet { code, state: State::Over, rows_max }
    }
}

impl SetKind {
    fn each<'a>(&'a self, see: &mut dyn FnMut(&'a Node)) {
        match self {
            SetKind::Series(nodes) => nodes.iter().for_each(see),
            SetKind::Regex { text, pattern } => {
                see(text);
                if let RegexPattern::Dynamic(node, _) = pattern {
                    see(node);
                }
            }
            SetKind::Split { text, delimiter, null } => [text, delimiter].into_iter().chain(null).for_each(see),
            SetKind::List(nodes) => nodes.iter().for_each(see),
        }
    }
}

enum Code {
    Series([Compiled; 3]),
    Regex {
        text: Compiled,
        /// The constant pattern, or the one of the last tuple.
        regex: Option<Regex>,
        /// A pattern of the tuple, its flags, and the text that `regex` was made of.
        pattern: Option<(Compiled, Flags, String)>,
    },
    Split {
        text: Compiled,
        delimiter: Compiled,
        null: Option<Compiled>,
    },
    List {
        values: Vec<Compiled>,
        words: Vec<Option<u64>>,
    },
}

/// Where a started set is.
#[derive(Clone, Copy)]
enum State {
    Over,
    Series { next: i64, step: i64, left: u64 },
    Matches(TextWord, Matches),
    Parts { text: TextWord, delimiter: Option<TextWord>, null: Option<TextWord>, parts: Parts },
    List(usize),
}

/// A set ready to run. Owned by one executor.
pub struct CompiledSet {
    code: Code,
    state: State,
    rows_max: u64,
}

impl CompiledSet {
    /// Starts over on a tuple. A NULL among the arguments is an empty set.
    ///
    /// # Errors
    /// An argument fails on this tuple, or there would be too many rows.
    pub fn start(&mut self, frame: &Frame, arena: &Arena) -> Result<(), EvalError> {
        self.state = State::Over;
        let state = self.begin(frame, arena)?;
        if self.exceeds(state) {
            return Err(too_many(self.rows_max));
        }
        self.state = state.unwrap_or(State::Over);
        Ok(())
    }

    fn begin(&mut self, frame: &Frame, arena: &Arena) -> Result<Option<State>, EvalError> {
        Ok(match &mut self.code {
            Code::Series([from, to, step]) => {
                let (from, to, step) = (from.eval(frame, arena)?, to.eval(frame, arena)?, step.eval(frame, arena)?);
                let (Some(from), Some(to), Some(step)) = (from, to, step) else { return Ok(None) };
                series(from as i64, to as i64, step as i64)?
            }
            Code::Regex { text, regex, pattern } => {
                let text = text.eval(frame, arena)?;
                if let Some((pattern, flags, made_of)) = pattern {
                    let Some(pattern) = pattern.eval(frame, arena)? else { return Ok(None) };
                    let pattern = str_of(pattern);
                    if regex.is_none() || made_of != pattern {
                        *regex = Some(pattern::compile(pattern, *flags).map_err(|message| EvalError {
                            reason: Fault::InvalidArgument.reason(),
                            detail: message.into(),
                        })?);
                        pattern.clone_into(made_of);
                    }
                }
                text.map(|text| State::Matches(TextWord(text), Matches::default()))
            }
            Code::Split { text, delimiter, null } => {
                let text = text.eval(frame, arena)?;
                let delimiter = delimiter.eval(frame, arena)?.map(TextWord);
                let null = match null {
                    Some(null) => null.eval(frame, arena)?.map(TextWord),
                    None => None,
                };
                text.map(|text| State::Parts { text: TextWord(text), delimiter, null, parts: Parts::default() })
            }
            Code::List { values, words } => {
                words.clear();
                for value in values {
                    words.push(value.eval(frame, arena)?);
                }
                Some(State::List(0))
            }
        })
    }

    /// Whether a set has more rows than it may.
    fn exceeds(&self, state: Option<State>) -> bool {
        let may = |text: TextWord| text.as_bytes().len() as u64 >= self.rows_max;
        match state {
            None | Some(State::Over) => false,
            Some(State::Series { left, .. }) => left > self.rows_max,
            Some(State::List(_)) => {
                matches!(&self.code, Code::List { words, .. } if words.len() as u64 > self.rows_max)
            }
            // A text has at most one piece more than it has bytes: only long ones are counted.
            Some(State::Matches(text, mut matches)) if may(text) => match &self.code {
                Code::Regex { regex: Some(regex), .. } => {
                    (0..=self.rows_max).all(|_| matches.next(regex, text.as_str()).is_some())
                }
                _ => false,
            },
            Some(State::Parts { text, delimiter, mut parts, .. }) if may(text) => {
                let delimiter = delimiter.map(TextWord::as_str);
                (0..=self.rows_max).all(|_| parts.next(delimiter, text.as_str()).is_some())
            }
            Some(_) => false,
        }
    }

    /// The next value: a word of a slot, or none for NULL; no value when there are no more.
    #[inline]
    pub fn next_value(&mut self, frame: &Frame, arena: &Arena) -> Option<Option<u64>> {
        let cx = Cx::new(frame, arena);
        match &mut self.state {
            State::Over | State::Series { left: 0, .. } => None,
            State::Series { next, step, left } => {
                let value = *next;
                // The last value may lie at the end of the range.
                (*next, *left) = (value.wrapping_add(*step), *left - 1);
                Some(Some(value as u64))
            }
            State::Matches(text, matches) => {
                let Code::Regex { regex: Some(regex), .. } = &self.code else { return None };
                matches.next(regex, text.as_str()).map(|found| Some(piece(&cx, found)))
            }
            State::Parts { text, delimiter, null, parts } => {
                let found = parts.next(delimiter.map(TextWord::as_str), text.as_str())?;
                Some((null.map(TextWord::as_str) != Some(found)).then(|| piece(&cx, found)))
            }
            State::List(next) => {
                let Code::List { words, .. } = &self.code else { return None };
                let value = words.get(*next).copied();
                *next += 1;
                value
            }
        }
    }
}

/// The numbers from one to another, if there are any.
fn series(from: i64, to: i64, step: i64) -> Result<Option<State>, EvalError> {
    if step == 0 {
        let detail = "the step of a series must not be zero".into();
        return Err(EvalError { reason: Fault::InvalidArgument.reason(), detail });
    }
    let distance = (i128::from(to) - i128::from(from)) / i128::from(step);
    if (to < from && step > 0) || (to > from && step < 0) {
        return Ok(None);
    }
    // A distance of two i64 and one fits.
    Ok(Some(State::Series { next: from, step, left: u64::try_from(distance + 1).unwrap_or(u64::MAX) }))
}

#[cold]
fn too_many(rows_max: u64) -> EvalError {
    EvalError { reason: "too_many_rows", detail: format!("the set has more than {rows_max} rows").into() }
}
