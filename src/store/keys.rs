//! The index of keys.
//!
//! Each of the 256 shards has its own table of hash bits and entry numbers, so that growing one moves a 256th of the
//! keys and reads no key; keys themselves stand in a slab.

use super::{KeyRef, Slab};
use hashbrown::HashTable;

const SHARDS: usize = 256;

/// A key as it is stored.
#[derive(Debug)]
enum Stored {
    /// One of eight bytes.
    Word([u8; 8]),
    /// Any other.
    Bytes(Box<[u8]>),
}

impl Stored {
    fn new(bytes: &[u8]) -> Stored {
        match bytes.try_into() {
            Ok(word) => Stored::Word(word),
            Err(_) => Stored::Bytes(bytes.into()),
        }
    }

    #[inline(always)]
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Stored::Word(word) => bytes == word,
            Stored::Bytes(stored) => **stored == *bytes,
        }
    }
}

#[derive(Debug)]
struct Meta {
    key: Stored,
    touched: i64,
    bits: u32,
    shard: u8,
    live: bool,
}

impl Default for Meta {
    fn default() -> Meta {
        Meta { key: Stored::Word([0; 8]), touched: i64::MIN, bits: 0, shard: 0, live: false }
    }
}

/// Which key has which entry. Entry numbers are dense, stable while the key lives, and used again after it was freed.
pub struct Keys {
    shards: Box<[HashTable<(u32, u32)>]>,
    metas: Slab<Meta>,
    /// Entries ever used.
    used: u32,
    free: Vec<u32>,
    ttl: i64,
    hand: u32,
}

/// The hash that a table sees: made of the bits that it stores, so that it can be made again without the key.
#[inline(always)]
fn spread(bits: u32) -> u64 {
    u64::from(bits) << 32 | u64::from(bits)
}

impl Keys {
    /// No keys. A key that was not touched for longer than `ttl` microseconds of event time is as if it had never been
    /// there; `i64::MAX` keeps all for ever.
    pub fn new(ttl: i64) -> Keys {
        let shards = (0..SHARDS).map(|_| HashTable::new()).collect();
        Keys { shards, metas: Slab::new(), used: 0, free: Vec::new(), ttl, hand: 0 }
    }

    /// The entry of a key, if it has one, whether expired or not; touches nothing.
    #[inline]
    pub fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        let bits = key.hash as u32;
        let same = |&(b, entry): &(u32, u32)| b == bits && self.metas.get(entry).key.is(key.bytes);
        self.shards[(key.hash >> 56) as usize].find(spread(bits), same).map(|found| found.1)
    }

    /// Whether `entry` is that of a key.
    #[inline]
    pub fn holds(&self, entry: u32, key: KeyRef<'_>) -> bool {
        entry < self.used && {
            let meta = self.metas.get(entry);
            meta.live && meta.key.is(key.bytes)
        }
    }

    /// The entry of a key at event time `time`, which it is touched with; `true` if it is a new one (or one whose ttl
    /// has passed), whose content must be reset by the caller.
    #[inline]
    pub fn entry(&mut self, key: KeyRef<'_>, time: i64) -> (u32, bool) {
        match self.find(key) {
            Some(entry) => (entry, self.touch(entry, time)),
            None => (self.insert(key, time), true),
        }
    }

    /// Touches a live entry; `true` if its ttl had passed.
    #[inline]
    pub fn touch(&mut self, entry: u32, time: i64) -> bool {
        let meta = self.metas.get_mut(entry);
        let expired = time.saturating_sub(meta.touched) > self.ttl;
        meta.touched = meta.touched.max(time);
        expired
    }

    #[inline(never)]
    fn insert(&mut self, key: KeyRef<'_>, time: i64) -> u32 {
        let entry = self.free.pop().unwrap_or_else(|| {
            assert!(self.used < u32::MAX, "a task has at most 2^32 - 1 keys");
            self.used += 1;
            self.used - 1
        });
        let (bits, shard) = (key.hash as u32, (key.hash >> 56) as u8);
        self.metas.reach(entry);
        *self.metas.get_mut(entry) = Meta { key: Stored::new(key.bytes), touched: time, bits, shard, live: true };
        self.shards[usize::from(shard)].insert_unique(spread(bits), (bits, entry), |&(bits, _)| spread(bits));
        entry
    }

    /// Looks at the next `budget` entries in turn and frees those that have expired at `now`, before which no tuple
    /// comes any more; tells the caller, who resets their content.
    pub fn sweep(&mut self, now: i64, budget: usize, mut freed: impl FnMut(u32)) {
        if self.ttl == i64::MAX {
            return;
        }
        for _ in 0..budget.min(self.used as usize) {
            let entry = self.hand;
            self.hand = if entry + 1 < self.used { entry + 1 } else { 0 };
            let meta = self.metas.get(entry);
            if meta.live && now.saturating_sub(meta.touched) > self.ttl {
                self.remove(entry);
                freed(entry);
            }
        }
    }

    fn remove(&mut self, entry: u32) {
        let meta = std::mem::take(self.metas.get_mut(entry));
        let table = &mut self.shards[usize::from(meta.shard)];
        if let Ok(found) = table.find_entry(spread(meta.bits), |known| known.1 == entry) {
            found.remove();
        }
        self.free.push(entry);
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

/// A value for each key.
pub struct Keyed<T> {
    keys: Keys,
    values: Slab<T>,
}

impl<T: Default> Keyed<T> {
    /// No keys; for `ttl` see [`Keys::new`].
    pub fn new(ttl: i64) -> Keyed<T> {
        Keyed { keys: Keys::new(ttl), values: Slab::new() }
    }

    /// The value of a key at event time `time`, which it is touched with; the default for a new or expired one.
    #[inline]
    pub fn at(&mut self, key: KeyRef<'_>, time: i64) -> &mut T {
        let (entry, fresh) = self.keys.entry(key, time);
        self.values.reach(entry);
        let value = self.values.get_mut(entry);
        if fresh {
            *value = T::default();
        }
        value
    }

    /// Frees values that have expired at `now`; see [`Keys::sweep`].
    pub fn sweep(&mut self, now: i64, budget: usize) {
        let values = &mut self.values;
        self.keys.sweep(now, budget, |entry| *values.get_mut(entry) = T::default());
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
