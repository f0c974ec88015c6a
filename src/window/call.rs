//! A call as its windows see it: how its result is kept, where, and which rows count.

use super::accumulate::Method;
use super::gather::{Gather, Item, Way};
use super::ordered::{Given, Side, Texts, sortable};
use super::{CallSpec, Length};
use crate::expr::AggregateFunction as F;
use crate::tuple::{DataType, TextWord};
use std::cmp::Ordering;

/// A row: what a tuple gives to the calls.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Event time.
    pub time: i64,
    /// A word for each argument.
    pub arguments: &'a [u64],
    /// What does not count.
    pub flags: u64,
}

/// A call, planned.
#[derive(Clone)]
pub struct Call {
    pub spec: CallSpec,
    pub method: Method,
    /// Index of its window.
    pub window: usize,
    /// Place of its words in the state of a key.
    pub at: usize,
    /// Place of its value in the words of a row.
    pub value: usize,
    /// Index of what it keeps beside words.
    pub side: Option<usize>,
    /// Flags of rows that do not count.
    pub mask: u64,
    /// The flag of rows whose argument is NULL.
    pub null: u64,
    /// Place of its second argument in the words of a row.
    pub second: usize,
}

fn flag(flag: Option<u8>) -> u64 {
    flag.map_or(0, |flag| 1 << flag)
}

impl Call {
    /// A call without places.
    pub fn new(spec: &CallSpec, length: Length) -> Call {
        let (filtered, null) = (flag(spec.filtered) | flag(spec.foreign), flag(spec.null));
        let of_rows = matches!(spec.function, F::First | F::Last | F::Lag);
        let second = flag(spec.second.and_then(|second| second.null));
        let mask = if of_rows { filtered } else { filtered | null | second };
        let mut method = Method::of(spec);
        let distinct = spec.distinct && !matches!(method, Method::Choice | Method::Truth | Method::Gather);
        if method == Method::Count && mask == 0 && !distinct && length != Length::All {
            method = Method::Rows;
        }
        let spec = CallSpec { distinct, ..spec.clone() };
        Call { spec, method, window: 0, at: 0, value: 0, side: None, mask, null, second: 0 }
    }

    /// Whether its result is more than the window's first row, last row or number of rows.
    pub fn runs(&self) -> bool {
        self.side.is_some() || self.method.words() > 0
    }

    /// Whether it looks at the value of its argument.
    pub fn has_value(&self) -> bool {
        self.spec.argument.is_some() && (self.spec.distinct || !matches!(self.method, Method::Count | Method::Rows))
    }

    /// What it keeps of a key beside words, empty.
    pub fn new_side(&self, way: Way) -> Side {
        match self.method {
            Method::Gather => Side::Gather(Box::new(Gather::new(&self.spec, way))),
            _ => Side::new(self.spec.distinct, self.spec.ty),
        }
    }

    /// What a kept row gives.
    #[inline(always)]
    pub fn item<'a>(&self, time: i64, words: &[u64], texts: &'a Texts) -> Item<'a> {
        let (word, second) = (words[self.value], if self.spec.second.is_some() { words[self.second] } else { 0 });
        Item { time, word, text: self.given(word, texts).text, second }
    }

    /// What the current row gives.
    #[inline(always)]
    pub fn item_of<'a>(&self, row: Row<'a>) -> Item<'a> {
        let word = self.word(row);
        let second = self.spec.second.map_or(0, |second| row.arguments[second.argument]);
        Item { time: row.time, word, text: self.current(word).text, second }
    }

    /// Its argument in the current row.
    #[inline(always)]
    pub fn word(&self, row: Row<'_>) -> u64 {
        self.spec.argument.map_or(0, |argument| row.arguments[argument])
    }

    /// A value of a kept row.
    #[inline(always)]
    pub fn given<'a>(&self, word: u64, texts: &'a Texts) -> Given<'a> {
        let text = (self.spec.ty == DataType::Text && self.has_value()).then(|| texts.get(word));
        Given { word, text, ty: self.spec.ty }
    }

    /// A value of the current row.
    #[inline(always)]
    pub fn current<'a>(&self, word: u64) -> Given<'a> {
        let text = (self.spec.ty == DataType::Text && self.has_value()).then(|| TextWord(word).as_str());
        Given { word, text, ty: self.spec.ty }
    }
}

/// How two values of one type compare.
#[inline(always)]
pub fn compare(a: Given<'_>, b: Given<'_>) -> Ordering {
    match (a.text, b.text) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => sortable(a.word, a.ty).cmp(&sortable(b.word, b.ty)),
    }
}
