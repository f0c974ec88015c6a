//! What both forms share: equality and order of words, reference tables, sets.

use super::Slots;
use crate::expr::ReferenceTable;
use crate::expr::environment::Rows;
use crate::expr::fault::Cx;
use crate::expr::node::{CompareOp, ConstantSet, Node};
use crate::expr::number;
use crate::expr::text::str_of;
use crate::tuple::{DataType, Value};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

/// The order of two words of one type.
#[inline]
pub(crate) fn order(ty: DataType, a: u64, b: u64) -> Ordering {
    match ty {
        DataType::Double => number::order(f64::from_bits(a), f64::from_bits(b)),
        DataType::Text => str_of(a).as_bytes().cmp(str_of(b).as_bytes()),
        _ => (a as i64).cmp(&(b as i64)),
    }
}

/// Whether two words of one type satisfy a comparison.
#[inline]
pub(crate) fn holds(ty: DataType, op: CompareOp, a: u64, b: u64) -> bool {
    match (ty, op) {
        (DataType::Text, CompareOp::Eq) => str_of(a) == str_of(b),
        (DataType::Text, CompareOp::Ne) => str_of(a) != str_of(b),
        _ => op.holds(order(ty, a, b)),
    }
}

/// Whether a word is in a constant list.
#[inline]
pub(crate) fn contains(set: &ConstantSet, ty: DataType, word: u64) -> bool {
    match set {
        ConstantSet::Texts(texts) => texts.contains(str_of(word)),
        ConstantSet::Words(words) if ty == DataType::Double => {
            words.contains(&number::canonical_bits(f64::from_bits(word)))
        }
        ConstantSet::Words(words) => words.contains(&word),
    }
}

/// A reader of a reference table, with the newest rows it has seen.
pub(crate) struct Reader {
    table: Arc<ReferenceTable>,
    key: Vec<super::General>,
    state: RefCell<ReaderState>,
}

struct ReaderState {
    generation: u64,
    rows: Arc<Rows>,
    bytes: Vec<u8>,
}

impl Reader {
    /// A reader by these key expressions.
    pub(crate) fn new(table: &Arc<ReferenceTable>, key: &[Node], slots: Slots<'_>) -> Reader {
        let key = key.iter().map(|node| super::general::compile(node, slots)).collect();
        // The count first: rows that are replaced in between are then read again.
        let generation = table.generation();
        let state = RefCell::new(ReaderState { generation, rows: table.rows(), bytes: Vec::new() });
        Reader { table: table.clone(), key, state }
    }

    /// Gives the row to `see`, if there is one.
    #[inline]
    pub(crate) fn with<R>(&self, cx: &Cx<'_>, see: impl FnOnce(&[Value]) -> R) -> Option<R> {
        // Keys may read other tables, and this one: they are evaluated before the state is taken.
        let mut words = [0u64; 8];
        let mut many = Vec::new();
        let words = if self.key.len() <= words.len() {
            &mut words[..self.key.len()]
        } else {
            many.resize(self.key.len(), 0);
            &mut many[..]
        };
        let mut complete = true;
        for (word, key) in words.iter_mut().zip(&self.key) {
            match key(cx) {
                Some(value) => *word = value,
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        let state = &mut *self.state.borrow_mut();
        let generation = self.table.generation();
        if generation != state.generation {
            state.generation = generation;
            state.rows = self.table.rows();
        }
        state.bytes.clear();
        for (word, column) in words.iter().zip(&self.table.key) {
            self.table.append(&mut state.bytes, *column, *word);
        }
        state.rows.get(&state.bytes).map(see)
    }

    /// A column of the row, NULL where there is none. Text is copied: the table may be replaced before the run ends.
    #[inline]
    pub(crate) fn column(&self, cx: &Cx<'_>, column: usize) -> Option<u64> {
        self.with(cx, |row| row.get(column).and_then(|value| value.to_word(cx.arena)))?
    }
}
