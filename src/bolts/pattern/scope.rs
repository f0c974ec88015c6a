//! What expressions of a pattern may name, and which slots that needs.
//!
//! Columns are numbered: those of the row itself, then the words that are called like functions, then the columns of
//! each variable in order. Entries and calls follow, as everywhere.

use crate::component::InputStream;
use crate::expr::ScopeColumn;
use crate::tuple::{Column, DataType};

/// A variable and the input that its rows come from.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: usize,
}

/// Words about a match, in the order of their columns.
pub const WORDS: [(&str, DataType); 3] =
    [("classifier()", DataType::Text), ("match_number()", DataType::Bigint), ("match_id()", DataType::Text)];

/// What the number of a column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A column of the row itself.
    Bare(usize),
    /// One of [`WORDS`].
    Word(usize),
    /// A column of the last row of a variable.
    Last(usize, usize),
    /// An entry.
    Entry(usize),
    /// A call.
    Call(usize),
}

/// The columns of one kind of expressions.
#[derive(Clone, Debug)]
pub struct RowScope {
    columns: Vec<(String, Column)>,
    /// The input of the row itself, if it is known.
    pub input: Option<usize>,
    bare: usize,
    words: usize,
    /// Where the columns of each variable start.
    starts: Vec<usize>,
}

impl RowScope {
    /// The scope of conditions on rows of `input`, or, with `words`, of the columns of matches.
    pub fn new(inputs: &[InputStream], variables: &[Named], input: Option<usize>, words: bool) -> RowScope {
        let mut columns: Vec<(String, Column)> = Vec::new();
        if let Some(input) = input {
            let own = inputs[input].columns.iter().map(|column| (inputs[input].name.clone(), column.clone()));
            columns.extend(own);
        }
        let bare = columns.len();
        if words {
            columns.extend(WORDS.iter().map(|(name, ty)| (String::new(), Column::new(*name, *ty))));
        }
        let words = columns.len() - bare;
        let mut starts = Vec::new();
        for variable in variables {
            starts.push(columns.len());
            // It may have no row yet.
            let own = inputs[variable.input].columns.iter().map(|column| Column { nullable: true, ..column.clone() });
            columns.extend(own.map(|column| (variable.name.clone(), column)));
        }
        RowScope { columns, input, bare, words, starts }
    }

    /// The columns as expressions see them.
    pub fn columns(&self) -> Vec<ScopeColumn<'_>> {
        self.columns.iter().map(|(stream, column)| ScopeColumn { stream, column }).collect()
    }

    /// How many of them may be named without a stream.
    pub fn bare(&self) -> usize {
        self.bare + self.words
    }

    /// What a number stands for, where there are so many entries.
    pub fn meaning(&self, number: usize, entries: usize) -> Meaning {
        if number < self.bare {
            return Meaning::Bare(number);
        }
        if number < self.bare() {
            return Meaning::Word(number - self.bare);
        }
        if let Some(behind) = number.checked_sub(self.columns.len()) {
            return if behind < entries { Meaning::Entry(behind) } else { Meaning::Call(behind - entries) };
        }
        let variable = self.starts.partition_point(|start| *start <= number) - 1;
        Meaning::Last(variable, number - self.starts[variable])
    }
}

/// A slot of its own that some expression needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A column of the last row of a variable.
    Last(usize, usize),
    /// A column of the newest row of a match.
    Newest(usize),
    /// One of [`WORDS`].
    Word(usize),
    /// A column of one of the rows that an aggregate or `prev` goes through: input and column.
    Row(usize, usize),
    /// The result of a call: which set of expressions, and which call.
    Call(usize, usize),
}

/// The slots that all expressions of a bolt need.
#[derive(Clone, Debug, Default)]
pub struct Needs(Vec<Need>);

impl Needs {
    /// Asks for a slot.
    pub fn add(&mut self, need: Need) {
        if !self.0.contains(&need) {
            self.0.push(need);
        }
    }

    /// The number of a slot that was asked for.
    pub fn at(&self, need: Need) -> usize {
        self.0.iter().position(|known| *known == need).expect("every slot was asked for when it was planned")
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn all(&self) -> &[Need] {
        &self.0
    }
}
