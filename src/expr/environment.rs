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

/// A reference table (`[tables.NAME]`): whole in memory, replaced or changed between two tuples.
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    by_key: HashMap<Arc<[u8]>, Arc<[Value]>, foldhash::fast::FixedState>,
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
            if self.key_of(&mut key, |column| row.get(column), &arena) {
                by_key.insert(key.as_slice().into(), row.into());
            }
        }
        self.put(Rows { by_key });
    }

    /// Changes single rows: those of these keys get a row, or lose theirs. A key is the values of the key's columns, in
    /// their order. Costs a copy of the index of all rows. Running expressions see either all changes or none.
    pub fn change(&self, changes: impl IntoIterator<Item = (Vec<Value>, Option<Vec<Value>>)>) {
        let arena = Arena::new();
        let mut rows = Rows::clone(&self.rows());
        let mut bytes = Vec::new();
        for (key, row) in changes {
            let value = |column: usize| key.get(self.key.iter().position(|c| *c == column)?);
            if !self.key_of(&mut bytes, value, &arena) {
                continue;
            }
            match row {
                Some(row) => drop(rows.by_key.insert(bytes.as_slice().into(), row.into())),
                None => drop(rows.by_key.remove(bytes.as_slice())),
            }
        }
        self.put(rows);
    }

    /// The canonical bytes of a key; false if a value of it is missing.
    fn key_of<'a>(&self, key: &mut Vec<u8>, value: impl Fn(usize) -> Option<&'a Value>, arena: &Arena) -> bool {
        key.clear();
        self.key.iter().all(|&column| {
            let Some(word) = value(column).and_then(|value| value.to_word(arena)) else { return false };
            self.append(key, column, word);
            true
        })
    }

    fn put(&self, rows: Rows) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_rows_change_and_the_others_stay() {
        let columns = [("a", DataType::Bigint), ("b", DataType::Text), ("c", DataType::Double)];
        let columns = columns.map(|(name, ty)| Column::new(name, ty)).to_vec();
        let table = ReferenceTable::new("t", columns, vec![1, 0]);
        let text = |t: &str| Value::Text(t.to_owned());
        let row = |a: i64, b: &str, c: f64| vec![Value::Bigint(a), text(b), Value::Double(c)];
        let found = |a: i64, b: &str| {
            let (mut bytes, arena) = (Vec::new(), Arena::new());
            let key = [Value::Bigint(a), text(b)];
            assert!(table.key_of(&mut bytes, |column| key.get(column), &arena));
            table.rows().get(&bytes).map(|row| row[2].clone())
        };
        table.replace(vec![row(1, "x", 0.5), row(2, "x", 1.5), row(1, "y", 2.5)]);
        let before = table.generation();
        let key = |a: i64, b: &str| vec![text(b), Value::Bigint(a)];
        table.change([
            (key(1, "x"), Some(row(1, "x", 9.0))),
            (key(2, "x"), None),
            (key(3, "z"), Some(row(3, "z", 3.0))),
            (vec![Value::Null, Value::Bigint(1)], Some(row(1, "y", 7.0))),
        ]);
        assert_eq!(table.generation(), before + 1, "one change for readers");
        assert_eq!([found(1, "x"), found(2, "x")], [Some(Value::Double(9.0)), None]);
        assert_eq!([found(1, "y"), found(3, "z")], [Some(Value::Double(2.5)), Some(Value::Double(3.0))]);
    }
}
