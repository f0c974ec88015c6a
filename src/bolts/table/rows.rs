//! The rows of a table: by key, in the order of insertion, with a time to live.
//!
//! 1. An index from the key's hash to a place in a slab; a row's columns are packed into bytes that are used again
//!    when the row is replaced, so that an update allocates nothing.
//! 2. A row is expired when its last change lies more than the time to live before the newest event time seen. An
//!    expired row is as if it were not there, whether it has been freed or not.
//! 3. Every change looks at two places of the slab in turn and frees what is expired there, so memory follows the
//!    living rows without a pause that grows with them.

use crate::store::KeyRef;
use crate::tuple::{DataType, Frame, Slot, TextWord, Value};
use hashbrown::HashTable;

/// Places looked at for expired rows at each change.
const SWEEP: usize = 2;

/// A row of the table.
struct Row {
    hash: u64,
    /// Number of the insertion; [`FREE`] for a place without a row.
    order: u64,
    time: i64,
    key: Box<[u8]>,
    cells: Vec<u8>,
}

const FREE: u64 = u64::MAX;

/// The rows of one task of a table.
pub struct Rows {
    index: HashTable<u32>,
    slab: Vec<Row>,
    free: Vec<u32>,
    inserted: u64,
    hand: usize,
    newest: i64,
    ttl: i64,
}

impl Rows {
    /// No rows; they live for `ttl` microseconds of event time after their last change.
    pub fn new(ttl: i64) -> Rows {
        Rows {
            index: HashTable::new(),
            slab: Vec::new(),
            free: Vec::new(),
            inserted: 0,
            hand: 0,
            newest: i64::MIN,
            ttl,
        }
    }

    /// Puts the row of a frame in the place of the one with the same key, or after all others.
    pub fn upsert(&mut self, key: KeyRef<'_>, frame: &Frame, columns: &[(Slot, DataType)]) {
        self.newest = self.newest.max(frame.time());
        let place = match self.find(key) {
            Some(place) => {
                let expired = self.is_expired(&self.slab[place as usize]);
                if expired {
                    self.slab[place as usize].order = self.next_order();
                    self.slab[place as usize].time = i64::MIN;
                }
                place
            }
            None => self.insert(key),
        };
        let row = &mut self.slab[place as usize];
        row.time = row.time.max(frame.time());
        pack(frame, columns, &mut row.cells);
        self.sweep();
    }

    /// Removes the row with this key, if there is one.
    pub fn delete(&mut self, key: KeyRef<'_>, time: i64) {
        self.newest = self.newest.max(time);
        if let Some(place) = self.find(key) {
            self.remove(place);
        }
        self.sweep();
    }

    /// The living rows in the order of insertion.
    pub fn into_values(mut self, types: &[DataType]) -> Vec<Vec<Value>> {
        let (newest, ttl) = (self.newest, self.ttl);
        self.slab.retain(|row| row.order != FREE && newest.saturating_sub(row.time) <= ttl);
        self.slab.sort_unstable_by_key(|row| row.order);
        self.slab.iter().map(|row| unpack(&row.cells, types)).collect()
    }

    fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        let slab = &self.slab;
        self.index.find(key.hash, |place| *slab[*place as usize].key == *key.bytes).copied()
    }

    fn insert(&mut self, key: KeyRef<'_>) -> u32 {
        let order = self.next_order();
        let mut row = Row { hash: key.hash, order, time: i64::MIN, key: key.bytes.into(), cells: Vec::new() };
        let place = match self.free.pop() {
            Some(place) => {
                row.cells = std::mem::take(&mut self.slab[place as usize].cells);
                self.slab[place as usize] = row;
                place
            }
            None => {
                self.slab.push(row);
                self.slab.len() as u32 - 1
            }
        };
        let slab = &self.slab;
        self.index.insert_unique(key.hash, place, |place| slab[*place as usize].hash);
        place
    }

    fn remove(&mut self, place: u32) {
        let row = &mut self.slab[place as usize];
        if let Ok(entry) = self.index.find_entry(row.hash, |other| *other == place) {
            entry.remove();
        }
        row.order = FREE;
        row.key = Box::default();
        self.free.push(place);
    }

    fn is_expired(&self, row: &Row) -> bool {
        self.newest.saturating_sub(row.time) > self.ttl
    }

    fn sweep(&mut self) {
        if self.ttl == i64::MAX || self.slab.is_empty() {
            return;
        }
        for _ in 0..SWEEP {
            self.hand = (self.hand + 1) % self.slab.len();
            let row = &self.slab[self.hand];
            if row.order != FREE && self.is_expired(row) {
                self.remove(self.hand as u32);
            }
        }
    }

    fn next_order(&mut self) -> u64 {
        self.inserted += 1;
        self.inserted - 1
    }

    /// Places of the slab, with and without a row.
    #[cfg(test)]
    pub fn places(&self) -> usize {
        self.slab.len()
    }
}

/// Packs the columns: a byte that says whether there is a value, then its word, or the length and bytes of a text.
fn pack(frame: &Frame, columns: &[(Slot, DataType)], cells: &mut Vec<u8>) {
    cells.clear();
    for (slot, ty) in columns {
        let Some(word) = frame.get(*slot) else {
            cells.push(0);
            continue;
        };
        cells.push(1);
        match ty {
            DataType::Text => {
                let text = TextWord(word).as_bytes();
                cells.extend_from_slice(&(text.len() as u64).to_le_bytes());
                cells.extend_from_slice(text);
            }
            _ => cells.extend_from_slice(&word.to_le_bytes()),
        }
    }
}

/// The values that [`pack`] wrote.
fn unpack(mut cells: &[u8], types: &[DataType]) -> Vec<Value> {
    let mut next = |ty: DataType| {
        let (&[there], rest) = cells.split_first_chunk::<1>()?;
        cells = rest;
        if there == 0 {
            return Some(Value::Null);
        }
        let (word, rest) = cells.split_first_chunk::<8>()?;
        let word = u64::from_le_bytes(*word);
        cells = rest;
        if ty != DataType::Text {
            return Some(Value::from_word(word, ty));
        }
        let (text, rest) = cells.split_at_checked(word as usize)?;
        cells = rest;
        Some(Value::Text(String::from_utf8_lossy(text).into_owned()))
    };
    // What `pack` wrote is never cut short; if it were, the rest would be NULL.
    types.iter().map(|ty| next(*ty).unwrap_or(Value::Null)).collect()
}
