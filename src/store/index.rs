//! The index of keys: which key has which entry.
//!
//! Keys are spread over so many tables that growing one moves some thousand pairs of (hash, entry number) and reads no
//! key. A table holds the whole hash: for keys of one word that is the key itself, since xxh3 of eight bytes maps no
//! two words to one hash (each of its steps can be undone; a test undoes them), and a look-up reads one pair.

use super::slab::prefetch_value;
use super::table::Table;
use super::unhash::unhash;
use super::{KeyRef, Slab};

/// Tables, a power of two and a multiple of the 256 shards: with 20 million keys each holds five thousand.
const TABLES: usize = 4096;
const TABLE_BITS: u32 = TABLES.ilog2();

/// Longest key that is kept in place.
const SHORT: usize = 22;

/// A key as it is stored.
#[derive(Debug, Default)]
enum Stored {
    /// The entry is free.
    #[default]
    Free,
    /// One word, told by its hash.
    Word,
    /// A short one.
    Short(u8, [u8; SHORT]),
    /// Any other.
    Long(Box<[u8]>),
}

impl Stored {
    fn new(bytes: &[u8]) -> Stored {
        let mut short = [0; SHORT];
        match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Stored::Short(bytes.len() as u8, short)
            }
            None => Stored::Long(bytes.into()),
        }
    }

    #[inline(always)]
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Stored::Short(len, short) => usize::from(*len) == bytes.len() && starts(short, bytes),
            Stored::Long(stored) => **stored == *bytes,
            Stored::Free | Stored::Word => false,
        }
    }
}

/// Whether a short key starts with `bytes`, which fit; without a call for the usual lengths.
#[inline(always)]
fn starts(short: &[u8; SHORT], bytes: &[u8]) -> bool {
    match <&[u8; 16]>::try_from(bytes) {
        Ok(bytes) => short[..16] == *bytes,
        Err(_) => short[..bytes.len()] == *bytes,
    }
}

/// Half a cache line, so that looking at a key costs one.
#[derive(Debug, Default)]
#[repr(align(32))]
struct Meta {
    hash: u64,
    key: Stored,
}

/// Which key has which entry. Entry numbers are dense, stable while the key lives, and used again after it was freed.
pub struct Index {
    tables: Box<[Table]>,
    metas: Slab<Meta>,
    /// Whether all keys are words, told by their hashes.
    words: bool,
    /// Entries ever used.
    used: u32,
    free: Vec<u32>,
    hand: u32,
}

#[inline(always)]
fn table(hash: u64) -> usize {
    (hash >> (64 - TABLE_BITS)) as usize
}

impl Index {
    /// No keys; `words` if every key will be one word ([`super::KeyReader::is_word`]).
    pub fn new(words: bool) -> Index {
        let tables = (0..TABLES).map(|_| Table::default()).collect();
        Index { tables, metas: Slab::new(), words, used: 0, free: Vec::new(), hand: 0 }
    }

    /// The entry of a key, if it has one.
    #[inline]
    pub fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        let is = |entry| self.words || self.metas.get(entry).key.is(key.bytes);
        self.tables[table(key.hash)].find(key.hash, is)
    }

    /// Asks for the place in which [`Index::guess`] will look first; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        self.tables[table(hash)].prefetch(hash);
    }

    /// The entry of a key by its hash alone: where keys are words the one of the key, else nearly always
    /// ([`Index::holds`] tells, and what it looks at is asked for).
    #[inline(always)]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        let entry = self.tables[table(hash)].find(hash, |_| true)?;
        if !self.words {
            prefetch_value(self.metas.get(entry));
        }
        Some(entry)
    }

    /// Whether `entry` is that of a key of these bytes.
    #[inline(always)]
    pub fn holds(&self, entry: u32, bytes: &[u8]) -> bool {
        entry < self.used && {
            let meta = self.metas.get(entry);
            match meta.key {
                Stored::Word => meta.hash == KeyRef::new(bytes).hash,
                _ => meta.key.is(bytes),
            }
        }
    }

    /// Asks for the key of an entry; purely a hint.
    #[inline(always)]
    pub fn prefetch_key(&self, entry: u32) {
        prefetch_value(self.metas.get(entry));
    }

    /// Appends the canonical bytes of the key of an entry; the hash of the key. Nothing for an entry without one.
    pub fn key(&self, entry: u32, out: &mut Vec<u8>) -> u64 {
        let meta = self.metas.get(entry);
        match &meta.key {
            Stored::Free => {}
            Stored::Word => {
                let of_zero = KeyRef::new(&[0; 8]).hash;
                out.extend_from_slice(&unhash(meta.hash, of_zero).to_le_bytes());
            }
            Stored::Short(len, short) => out.extend_from_slice(&short[..usize::from(*len)]),
            Stored::Long(bytes) => out.extend_from_slice(bytes),
        }
        meta.hash
    }

    /// Bytes of memory that so many keys take, but for keys that are longer than the place for them.
    pub fn bytes_of(keys: usize) -> usize {
        // A table is at most half full after it has grown; a pair has twelve bytes.
        keys * (size_of::<Meta>() + 24)
    }

    /// Gives a key that has none an entry.
    #[inline(never)]
    pub fn insert(&mut self, key: KeyRef<'_>) -> u32 {
        let entry = self.free.pop().unwrap_or_else(|| {
            assert!(self.used < u32::MAX, "a task has at most 2^32 - 1 keys");
            self.used += 1;
            self.used - 1
        });
        debug_assert!(!self.words || key.bytes.len() == 8, "keys of one word have eight bytes");
        self.metas.reach(entry);
        let stored = if self.words { Stored::Word } else { Stored::new(key.bytes) };
        *self.metas.get_mut(entry) = Meta { hash: key.hash, key: stored };
        self.tables[table(key.hash)].insert(key.hash, entry);
        entry
    }

    /// Frees the entry of a key.
    pub fn remove(&mut self, entry: u32) {
        let hash = std::mem::take(self.metas.get_mut(entry)).hash;
        self.tables[table(hash)].remove(hash, entry);
        self.free.push(entry);
    }

    /// Moves a hand to the next entry that was ever used, round and round: it, if a key has it.
    #[inline]
    pub fn turn(&mut self) -> Option<u32> {
        let entry = if self.hand < self.used { self.hand } else { 0 };
        self.hand = entry + 1;
        (self.used > 0 && !matches!(self.metas.get(entry).key, Stored::Free)).then_some(entry)
    }

    /// Whether a key has this entry.
    pub fn is_live(&self, entry: u32) -> bool {
        entry < self.used && !matches!(self.metas.get(entry).key, Stored::Free)
    }

    /// Number of entries that were ever used at one time.
    pub fn used(&self) -> usize {
        self.used as usize
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
