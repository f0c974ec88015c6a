//! Expressions over the rows of a match, planned: what they read, and which slots that needs.

use super::scope::{Meaning, Need, Needs, RowScope};
use crate::expr::{AggregateFunction, Entries};

/// A planned set of expressions.
#[derive(Clone, Debug)]
pub struct ExprSet {
    /// Its number, which its calls' slots are known by.
    pub number: usize,
    /// The expressions and calls.
    pub entries: Entries,
    /// For each call the variable whose rows it looks at; none: all rows.
    pub of_call: Vec<Option<usize>>,
    /// What may be named.
    pub scope: RowScope,
}

/// What is kept of the rows of each input, and where it is found.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// For each input the kept columns, ascending.
    pub columns: Vec<Vec<usize>>,
    /// For each input how many previous rows are kept.
    pub previous: Vec<usize>,
}

impl ExprSet {
    /// What the number of a column stands for.
    pub fn meaning(&self, number: usize) -> Meaning {
        self.scope.meaning(number, self.entries.expressions.len())
    }

    /// Everything that its expressions read directly.
    pub fn direct(&self) -> impl Iterator<Item = Meaning> {
        let defaults = self.entries.calls.iter().filter_map(|call| call.default.as_ref());
        let all = self.entries.expressions.iter().chain(defaults);
        all.flat_map(|expr| expr.columns().iter().map(|column| self.meaning(*column)))
    }

    /// The columns that a call reads of each row: input and column, `inputs` being those of the variables.
    pub fn row_columns(&self, call: usize, inputs: &[usize]) -> Vec<(usize, usize)> {
        let call = &self.entries.calls[call];
        let read = call.argument.iter().chain(&call.filter).flat_map(|expr| expr.columns());
        let place = |number: &usize| match self.meaning(*number) {
            Meaning::Bare(column) => self.scope.input.map(|input| (input, column)),
            Meaning::Last(variable, column) => Some((inputs[variable], column)),
            _ => None,
        };
        let mut columns: Vec<_> = read.filter_map(place).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Asks for all slots; `of_matches`: the row itself is the newest of a match, not a tuple.
    pub fn ask(&self, of_matches: bool, inputs: &[usize], needs: &mut Needs) {
        for meaning in self.direct() {
            match meaning {
                Meaning::Last(variable, column) => needs.add(Need::Last(variable, column)),
                Meaning::Bare(column) if of_matches => needs.add(Need::Newest(column)),
                Meaning::Word(word) => needs.add(Need::Word(word)),
                Meaning::Bare(_) | Meaning::Entry(_) | Meaning::Call(_) => {}
            }
        }
        for call in 0..self.entries.calls.len() {
            needs.add(Need::Call(self.number, call));
            for (input, column) in self.row_columns(call, inputs) {
                needs.add(Need::Row(input, column));
            }
        }
    }

    /// Whether it looks at nothing but the row itself and those before it in the input.
    pub fn is_own(&self) -> bool {
        let last = self.direct().any(|meaning| matches!(meaning, Meaning::Last(..)));
        !last && self.entries.calls.iter().all(|call| call.function == AggregateFunction::Lag)
    }

    /// The columns of tuples that it reads.
    pub fn reads(&self) -> impl Iterator<Item = usize> {
        self.direct().filter_map(|meaning| if let Meaning::Bare(column) = meaning { Some(column) } else { None })
    }
}
