//! Row patterns: which rows of a key, in order, are a match.
//!
//! Owns the text of patterns ([`parse`]), their automaton ([`Automaton`]) and the partial matches of a key
//! ([`Partials`]), which a [`Matcher`] takes from row to row; the rows of all keys are in one [`Buffer`]. Pure: what a
//! row is and whether it may be a variable is said by [`Conditions`]; it never reads a clock, an expression or a store.
//! Invariant: what is reported is what a search through the whole sequence of the key's rows would find.
//!
//! # What a match is
//!
//! 1. From a row that may be the first one, the ways through the pattern are tried in order of preference: earlier
//!    alternatives of `|` first, one more repetition first (greedy) or last (reluctant, `??`, `*?`, ...). The first way
//!    that reaches the end is the match of that row.
//! 2. `A B`: the next row of the key must be a B. `A -> B`: rows that are none of what may come next are passed over;
//!    the first row that is, must be taken. `A ->> B`: such a row is taken first, and passed over as the second choice.
//!    A row is looked at before it is passed over: what can be taken now is preferred to what may come later.
//! 3. An arrow at the end of a group joins its repetitions to each other and the last one to what follows.
//! 4. `!B` between two arrows (or two blanks) forbids B on the way and on the row that ends it; at the end of the
//!    pattern, until the time is over.
//! 5. All rows of a match lie within `within` of its first one, and a variable's row within its `gap` of the row before.
//! 6. After a match the search goes on at the row that [`Skip`] says, without one at the row after its start.
//!
//! # Where this differs
//!
//! - From SQL: a skip to a variable without a row, or to the first row of the match, goes to the row behind that, since a
//!   stream cannot stop for one match; no rows are no match, and a repetition that takes no row is none.
//! - From SQL: where all rows of a match are shown, they leave together, when the match is known.
//! - From Flink's CEP: what is found is the preferred match of a row, not whatever is complete first; a match waits while
//!   one that began before it could still come, since that would skip it. A repetition is contiguous unless an arrow says
//!   otherwise. A row that one of several alternatives behind an arrow can take is not passed over by the others: so a
//!   loop ends as soon as what follows it comes, and the decision need not wait for the end of the time.
//! - From both: a match that had to wait keeps the time of its last row.
//!
//! Source: SQL:2016 row pattern recognition for 1 and 6, Cugola and Margara's and Flink's relaxed contiguity for 2.

mod ast;
mod automaton;
mod buffer;
mod check;
mod codec;
pub mod examples;
mod lexer;
mod matcher;
#[cfg(test)]
mod naive;
mod parse;
mod partials;
mod passing;
mod print;
mod report;
mod settings;
#[cfg(test)]
mod tests;
mod threads;

pub use ast::{Link, LinkKind, Node, Pattern, Tail, Variable};
pub use automaton::Automaton;
pub use buffer::{Buffer, Path, Row};
pub use codec::{Numbers, RowCodec};
pub use matcher::Matcher;
pub use parse::parse;
pub use partials::{Emission, EmissionKind, Partials};
pub use settings::{Conditions, Overflow, RowError, Settings, Skip};

use std::ops::Range;

/// Most variables of a pattern: their sets are words.
pub const VARIABLES_MAX: usize = 64;

/// Something wrong in the text of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// Words beside the underlined text; may be empty.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
    /// A warning only.
    pub warning: bool,
}

impl PatternError {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> PatternError {
        PatternError { range, message: message.into(), label: String::new(), hint: None, warning: false }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> PatternError {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> PatternError {
        self.label = label.into();
        self
    }
}
