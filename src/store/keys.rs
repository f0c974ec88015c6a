//! The index of keys.
//!
//! Each of the 256 shards has its own table of hash bits and entry numbers, so that growing one moves a 256th of the
//! keys and reads no key; keys themselves stand in a slab.

use super::index::Index;
use super::slab::prefetch_value;
use super::{KeyRef, Slab};

const SHARDS: usize = 256;

/// Longest key that is stored beside its time; a longer one stands in memory of its own.
const INLINE: usize = 22;

/// A key as it is stored.
#[derive(Debug, Default)]
enum Stored {
    /// None: the entry is free.
    #[default]
    Free,
    /// One of eight bytes.
    Word([u8; 8]),
    /// A short one: length, bytes.
    Short(u8, [u8; INLINE]),
    /// Any other.
    Long(Box<[u8]>),
}

impl Stored {
    fn new(bytes: &[u8]) -> Stored {
        match bytes.try_into() {
            Ok(word) => Stored::Word(word),
            Err(_) if bytes.len() <= INLINE => {
                let mut short = [0; INLINE];
                short[..bytes.len()].copy_from_slice(bytes);
                Stored::Short(bytes.len() as u8, short)
            }
            Err(_) => Stored::Long(bytes.into()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Stored::Free => &[],
            Stored::Word(word) => word,
            Stored::Short(len, short) => &short[..usize::from(*len)],
            Stored::Long(long) => long,
        }
    }

    #[inline(always)]
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Stored::Word(word) => bytes == word,
            Stored::Short(len, short) => usize::from(*len) == bytes.len() && same(short, bytes),
            Stored::Long(long) => **long == *bytes,
            Stored::Free => false,
        }
    }
}

/// Whether a short key starts with `bytes`, which fit; without a call for the usual lengths.
#[inline(always)]
fn same(short: &[u8; INLINE], bytes: &[u8]) -> bool {
    match <&[u8; 16]>::try_from(bytes) {
        Ok(bytes) => short[..16] == *bytes,
        Err(_) => short[..bytes.len()] == *bytes,
    }
}

/// Half a cache line, so that looking at a key costs one.
#[derive(Debug)]
#[repr(align(32))]
struct Meta {
    key: Stored,
    touched: i64,
}

impl Default for Meta {
    fn default() -> Meta {
        Meta { key: Stored::Free, touched: i64::MIN }
    }
}

/// Which key has which entry. Entry numbers are dense, stable while the key lives, and used again after it was freed.
pub struct Keys {
    shards: Box<[Index]>,
    metas: Slab<Meta>,
    /// Entries ever used.
    used: u32,
    free: Vec<u32>,
    ttl: i64,
    hand: u32,
}

/// The shard of a hash, and the bits that tell its keys apart.
#[inline(always)]
fn split(hash: u64) -> (usize, u32) {
    ((hash >> 56) as usize, hash as u32)
}

impl Keys {
    /// No keys. A key that was not touched for longer than `ttl` microseconds of event time is as if it had never been
    /// there; `i64::MAX` keeps all for ever.
    pub fn new(ttl: i64) -> Keys {
        let shards = (0..SHARDS).map(|_| Index::new()).collect();
        Keys { shards, metas: Slab::new(), used: 0, free: Vec::new(), ttl, hand: 0 }
    }

    /// Asks for the place of a hash in the index; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        let (shard, bits) = split(hash);
        self.shards[shard].prefetch(bits);
    }

    /// The entry that a key of this hash very likely has, without a look at the key, which is asked for: make sure of
    /// it with [`Keys::holds`].
    #[inline(always)]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        let (shard, bits) = split(hash);
        let entry = self.shards[shard].find(bits, |_| true)?;
        prefetch_value(self.metas.get(entry));
        Some(entry)
    }

    /// The entry of a key, if it has one, whether expired or not; touches nothing.
    #[inline]
    pub fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        let (shard, bits) = split(key.hash);
        self.shards[shard].find(bits, |entry| self.metas.get(entry).key.is(key.bytes))
    }

    /// Whether `entry` is that of a key of these bytes.
    #[inline(always)]
    pub fn holds(&self, entry: u32, bytes: &[u8]) -> bool {
        entry < self.used && self.metas.get(entry).key.is(bytes)
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
        let (shard, bits) = split(key.hash);
        self.metas.reach(entry);
        *self.metas.get_mut(entry) = Meta { key: Stored::new(key.bytes), touched: time };
        self.shards[shard].insert(bits, entry);
        entry
    }

    /// Looks at the next `budget` entries in turn and frees those that have expired at `now`, before which no tuple
    /// comes any more; tells the caller, who resets their content.
    #[inline]
    pub fn sweep(&mut self, now: i64, budget: usize, mut freed: impl FnMut(u32)) {
        if self.ttl == i64::MAX {
            return;
        }
        for _ in 0..budget.min(self.used as usize) {
            let entry = self.hand;
            self.hand = if entry + 1 < self.used { entry + 1 } else { 0 };
            let meta = self.metas.get(entry);
            if now.saturating_sub(meta.touched) > self.ttl && !matches!(meta.key, Stored::Free) {
                self.remove(entry);
                freed(entry);
            }
        }
    }

    #[inline(never)]
    fn remove(&mut self, entry: u32) {
        let meta = std::mem::take(self.metas.get_mut(entry));
        let (shard, bits) = split(KeyRef::new(meta.key.bytes()).hash);
        self.shards[shard].remove(bits, entry);
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
