//! Keyed state: which key has which entry.
//!
//! Owns the canonical form of keys ([`KeyReader`]) and their index ([`Keys`]). Entries themselves are slabs of whoever
//! uses them, by entry number.

use crate::tuple::{DataType, Frame, Slot, TextWord};
use std::collections::HashMap;

/// Reads the key of a tuple: its canonical bytes and their stable hash.
#[derive(Clone, Debug)]
pub struct KeyReader {
    columns: Vec<(Slot, DataType)>,
    bytes: Vec<u8>,
}

/// A key: canonical bytes (the same key has the same bytes in every process) and their stable hash, whose upper eight
/// bits are the shard.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    /// xxh3 of the bytes.
    pub hash: u64,
    /// Canonical bytes.
    pub bytes: &'a [u8],
}

impl KeyReader {
    /// A reader of these columns; with none, every tuple has the empty key.
    pub fn new(columns: &[(Slot, DataType)]) -> KeyReader {
        KeyReader { columns: columns.to_vec(), bytes: Vec::new() }
    }

    /// The key of a tuple; none if a column of it is NULL.
    #[inline]
    pub fn read(&mut self, frame: &Frame) -> Option<KeyRef<'_>> {
        self.bytes.clear();
        for (slot, ty) in &self.columns {
            let word = frame.get(*slot)?;
            match ty {
                DataType::Text => {
                    let text = TextWord(word).as_bytes();
                    if self.columns.len() > 1 {
                        self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    }
                    self.bytes.extend_from_slice(text);
                }
                _ => self.bytes.extend_from_slice(&word.to_le_bytes()),
            }
        }
        Some(KeyRef { hash: xxhash_rust::xxh3::xxh3_64(&self.bytes), bytes: &self.bytes })
    }
}

/// Which key has which entry. Entry numbers are dense, stable while the key lives, and used again after it was freed.
pub struct Keys {
    entries: HashMap<Vec<u8>, (u32, i64)>,
    ttl: i64,
}

impl Keys {
    /// No keys. A key that was not touched for longer than `ttl` microseconds of event time is as if it had never been
    /// there; `i64::MAX` keeps all for ever.
    pub fn new(ttl: i64) -> Keys {
        Keys { entries: HashMap::new(), ttl }
    }

    /// The entry of a key, if it has one, whether expired or not; touches nothing.
    pub fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        self.entries.get(key.bytes).map(|e| e.0)
    }

    /// The entry of a key at event time `time`, which it is touched with; `true` if it is a new one (or one whose ttl
    /// has passed), whose content must be reset by the caller.
    pub fn entry(&mut self, key: KeyRef<'_>, time: i64) -> (u32, bool) {
        let next = self.entries.len() as u32;
        let ttl = self.ttl;
        let entry = self.entries.entry(key.bytes.to_vec()).or_insert((next, i64::MIN));
        let fresh = entry.1 == i64::MIN || time.saturating_sub(entry.1) > ttl;
        entry.1 = entry.1.max(time);
        (entry.0, fresh)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
