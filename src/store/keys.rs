//! Keys that are forgotten when they have not been seen for a time.

use super::{Index, KeyRef, Slab};

/// Which key has which entry. Entry numbers are dense, stable while the key lives, and used again after it was freed.
pub struct Keys {
    index: Index,
    /// By entry: the latest event time that its key was touched at.
    touched: Slab<i64>,
    ttl: i64,
}

impl Keys {
    /// No keys. A key that was not touched for longer than `ttl` microseconds of event time is as if it had never been
    /// there; `i64::MAX` keeps all for ever.
    pub fn new(ttl: i64) -> Keys {
        Keys { index: Index::new(false), touched: Slab::new(), ttl }
    }

    /// The entry of a key, if it has one, whether expired or not; touches nothing.
    #[inline]
    pub fn find(&self, key: KeyRef<'_>) -> Option<u32> {
        self.index.find(key)
    }

    /// Whether `entry` is that of a key of these bytes.
    #[inline]
    pub fn holds(&self, entry: u32, bytes: &[u8]) -> bool {
        self.index.holds(entry, bytes)
    }

    /// The entry of a key at event time `time`, which it is touched with; `true` if it is a new one (or one whose ttl
    /// has passed), whose content must be reset by the caller.
    #[inline]
    pub fn entry(&mut self, key: KeyRef<'_>, time: i64) -> (u32, bool) {
        match self.index.find(key) {
            Some(entry) => (entry, self.touch(entry, time)),
            None => {
                let entry = self.index.insert(key);
                self.touched.reach(entry);
                *self.touched.get_mut(entry) = time;
                (entry, true)
            }
        }
    }

    /// Touches a live entry; `true` if its ttl had passed.
    #[inline]
    pub fn touch(&mut self, entry: u32, time: i64) -> bool {
        let touched = self.touched.get_mut(entry);
        let expired = time.saturating_sub(*touched) > self.ttl;
        *touched = time.max(*touched);
        expired
    }

    /// Looks at the next `budget` entries in turn and frees those that have expired at `now`, before which no tuple
    /// comes any more; tells the caller, who resets their content.
    pub fn sweep(&mut self, now: i64, budget: usize, mut freed: impl FnMut(u32)) {
        if self.ttl == i64::MAX {
            return;
        }
        for _ in 0..budget.min(self.index.used()) {
            let Some(entry) = self.index.turn() else { continue };
            if now.saturating_sub(*self.touched.get(entry)) > self.ttl {
                self.index.remove(entry);
                freed(entry);
            }
        }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
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
