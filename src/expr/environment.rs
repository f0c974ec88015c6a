//! What all expressions of a topology share: parameters and reference tables.

use super::number::canonical_bits;
use super::text::str_of;
use crate::tuple::{Arena, Column, DataType, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A parameter of `[params]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A single value; one that was a TOML string behaves like an SQL literal (it becomes an interval or a timestamp
    /// where one is needed).
    Value(Value),
    /// A list, for `in ($list)`.
    List(Vec<Value>),
}

/// Parameters and reference tables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Parameters, in the order of the file.
    pub params: Vec<(String, Param)>,
    /// Reference tables, in the order of the file.
    pub tables: Vec<Arc<ReferenceTable>>,
}

/// A reference table (`[tables.NAME]`): whole in memory, replaced as a whole between two tuples.
#[derive(Debug)]
pub struct ReferenceTable {
    /// The user's name of it.
    pub name: String,
    /// All columns.
    pub columns: Vec<Column>,
    /// Which columns are the key, in the order of `key`.
    pub key: Vec<usize>,
    rows: Mutex<Arc<Rows>>,
    /// Counts replacements, so that a reader sees without a lock that its rows are still the newest.
    generation: AtomicU64,
}

/// The rows of a table at one time.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    by_key: HashMap<Box<[u8]>, Box<[Value]>, foldhash::fast::FixedState>,
}

impl ReferenceTable {
    /// An empty table.
    pub fn new(name: impl Into<String>, columns: Vec<Column>, key: Vec<usize>) -> ReferenceTable {
        let rows = Mutex::new(Arc::new(Rows::default()));
        ReferenceTable { name: name.into(), columns, key, rows, generation: AtomicU64::new(0) }
    }

    /// Puts new rows in the place of all old ones; of two rows with one key the later counts, rows with a NULL in the
    /// key are never found. Running expressions see either all old or all new rows.
    pub fn replace(&self, rows: Vec<Vec<Value>>) {
        let arena = Arena::new();
        let mut by_key = HashMap::with_capacity_and_hasher(rows.len(), foldhash::fast::FixedState::default());
        let mut key = Vec::new();
        for row in rows {
            key.clear();
            let complete = self.key.iter().all(|&column| {
                let value = row.get(column).unwrap_or(&Value::Null);
                let Some(word) = value.to_word(&arena) else { return false };
                self.append(&mut key, column, word);
                true
            });
            if complete {
                by_key.insert(key.as_slice().into(), row.into_boxed_slice());
            }
        }
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Rows { by_key });
        // Release: a reader that sees the new count may rely on the lock alone; the order only keeps the count from
        // being seen before the rows.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The newest rows.
    pub(crate) fn rows(&self) -> Arc<Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often rows have been replaced.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        // Relaxed: the rows themselves are read under the lock; a count seen late only delays the change by a tuple.
        self.generation.load(Ordering::Relaxed)
    }

    /// Appends the canonical bytes of one column of the key.
    #[inline]
    pub(crate) fn append(&self, key: &mut Vec<u8>, column: usize, word: u64) {
        match self.columns[column].ty {
            DataType::Text => {
                let text = str_of(word);
                if self.key.len() > 1 {
                    key.extend_from_slice(&(text.len() as u64).to_le_bytes());
                }
                key.extend_from_slice(text.as_bytes());
            }
            DataType::Double => key.extend_from_slice(&canonical_bits(f64::from_bits(word)).to_le_bytes()),
            _ => key.extend_from_slice(&word.to_le_bytes()),
        }
    }
}

impl Rows {
    /// The row of these canonical bytes.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[Value]> {
        self.by_key.get(key).map(|row| &**row)
    }
}
