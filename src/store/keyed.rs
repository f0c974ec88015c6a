//! A value for each key, with a time to live, in memory or, with a [`Life`], wholly in the store.

use super::backend::StoreError;
use super::life::{Content, Life, LifeMeter, ListsOf};
use super::space::Space;
use super::{Approach, Codec, Index, KeyRef, Slab, State, prefetch_value};

/// A value for each key.
pub struct Keyed<T> {
    index: Index,
    cells: Cells<T>,
    ttl: i64,
    life: Option<Box<Life>>,
}

/// Values by entry.
struct Cells<T> {
    cells: Slab<Cell<T>>,
    /// What values take beside their own size, as far as it was noted.
    heap_bytes: usize,
}

#[derive(Debug, Default)]
struct Cell<T> {
    /// The latest event time that its key was touched at.
    touched: i64,
    heap_bytes: u32,
    value: T,
}

impl<T: Codec> Cells<T> {
    /// Notes what a value takes now.
    fn weigh(&mut self, entry: u32) {
        let cell = self.cells.get_mut(entry);
        let bytes = u32::try_from(cell.value.heap_bytes()).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut cell.heap_bytes, bytes);
        self.heap_bytes = self.heap_bytes + bytes as usize - before as usize;
    }
}

fn cut() -> StoreError {
    StoreError::Damaged { what: "the value of a key".to_owned(), why: "it is cut".to_owned() }
}

impl<T: Codec> Content for Cells<T> {
    fn encode(&mut self, entry: u32, _: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        let cell = self.cells.get(entry);
        cell.touched.write(out);
        cell.value.write(out);
        self.weigh(entry);
    }

    fn decode(&mut self, entry: u32, mut bytes: &[u8], _: &Space) -> Result<(), StoreError> {
        let cell = self.cells.get_mut(entry);
        cell.touched = i64::read(&mut bytes).ok_or_else(cut)?;
        cell.value = T::read(&mut bytes).ok_or_else(cut)?;
        self.weigh(entry);
        Ok(())
    }

    fn reset(&mut self, entry: u32) {
        self.cells.reach(entry);
        self.cells.get_mut(entry).value = T::default();
        self.weigh(entry);
    }

    fn touched(&self, entry: u32) -> i64 {
        self.cells.get(entry).touched
    }

    fn approach(&self, entry: u32, at: Approach) -> Approach {
        if at != Approach::Far {
            return Approach::Near;
        }
        prefetch_value(self.cells.get(entry));
        Approach::Words
    }

    fn used_bytes(&self, entries: usize) -> usize {
        Index::bytes_of(entries) + entries * (size_of::<Cell<T>>() + 8) + self.heap_bytes
    }
}

impl<T: Codec> Keyed<T> {
    /// No keys in memory. A key that was not touched for longer than `ttl` microseconds of event time is as if it had
    /// never been there; `i64::MAX` keeps all for ever. With a life, what it knows is there.
    pub fn new(ttl: i64, life: Option<Box<Life>>) -> Keyed<T> {
        Keyed { index: Index::new(false), cells: Cells { cells: Slab::new(), heap_bytes: 0 }, ttl, life }
    }

    /// The value of a key at event time `time`, which it is touched with, to be changed; the default for a new or
    /// expired one.
    #[inline]
    pub fn at(&mut self, key: KeyRef<'_>, time: i64) -> &mut T {
        self.at_now(key, time, time)
    }

    /// The same where other keys have already been touched later: whether the value has expired is judged at `now`.
    #[inline]
    pub fn at_now(&mut self, key: KeyRef<'_>, now: i64, time: i64) -> &mut T {
        self.touch(key, now, (now, time), |_| {})
    }

    /// The same as [`Keyed::at`]; a value that has expired is shown before it is gone, since something in it may have
    /// been over before that.
    #[inline]
    pub fn at_showing(&mut self, key: KeyRef<'_>, time: i64, expired: impl FnOnce(&mut T)) -> &mut T {
        // Asked for at the beginning of time, so that what has expired is read.
        self.touch(key, i64::MIN, (time, time), expired)
    }

    /// The value of a key that the store is asked for at event time `asked`; whether it has expired is judged at `now`.
    #[inline(always)]
    fn touch(&mut self, key: KeyRef<'_>, asked: i64, (now, time): (i64, i64), expired: impl FnOnce(&mut T)) -> &mut T {
        let (entry, fresh) = self.entry(key, asked);
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.cells);
        }
        let cell = self.cells.cells.get_mut(entry);
        if fresh {
            cell.touched = time;
        } else {
            if now.saturating_sub(cell.touched) > self.ttl {
                expired(&mut cell.value);
                cell.value = T::default();
            }
            cell.touched = cell.touched.max(time);
        }
        &mut cell.value
    }

    /// A run of tuples begins.
    #[inline]
    pub fn begin_run(&mut self) {
        if let Some(life) = &mut self.life {
            life.begin_run();
        }
    }

    /// A tuple of the run will ask for this key.
    #[inline]
    pub fn want(&mut self, key: KeyRef<'_>) {
        if let Some(life) = &mut self.life
            && self.index.find(key).is_none()
        {
            life.want(key);
        }
    }

    /// Reads what is wanted and not in memory with one call to the store.
    #[inline]
    pub fn fetch(&mut self) {
        if let Some(life) = &mut self.life {
            life.fetch();
        }
    }

    /// The value of a key at event time `time`, which does not touch it; none for a key without one, or an expired one.
    pub fn get(&mut self, key: KeyRef<'_>, time: i64) -> Option<&T> {
        let entry = match self.index.find(key) {
            Some(entry) => entry,
            None => {
                let life = self.life.as_mut()?;
                let (entry, fresh) = life.admit(key, time, &mut self.index, &mut self.cells);
                if fresh {
                    life.leave(entry, &mut self.index, &mut self.cells);
                    return None;
                }
                entry
            }
        };
        let cell = self.cells.cells.get(entry);
        (time.saturating_sub(cell.touched) <= self.ttl).then_some(&cell.value)
    }

    /// The value of a key at event time `time`, to be changed without touching the key; none for a key without one, or an
    /// expired one.
    pub fn known(&mut self, key: KeyRef<'_>, time: i64) -> Option<&mut T> {
        self.get(key, time)?;
        let entry = self.index.find(key)?;
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.cells);
        }
        Some(&mut self.cells.cells.get_mut(entry).value)
    }

    /// The entry of a key, and whether it is a new one.
    #[inline]
    fn entry(&mut self, key: KeyRef<'_>, time: i64) -> (u32, bool) {
        if let Some(entry) = self.index.find(key) {
            return (entry, false);
        }
        if let Some(life) = &mut self.life {
            life.make_room(&mut self.index, &mut self.cells, |_| {});
            return life.admit(key, time, &mut self.index, &mut self.cells);
        }
        let entry = self.index.insert(key);
        self.cells.reset(entry);
        (entry, true)
    }

    /// Removes a key and its value.
    pub fn remove(&mut self, key: KeyRef<'_>) {
        match &mut self.life {
            None => {
                if let Some(entry) = self.index.find(key) {
                    self.free(entry);
                }
            }
            Some(life) => {
                let entry = match self.index.find(key) {
                    Some(entry) => entry,
                    None => life.admit(key, i64::MIN, &mut self.index, &mut self.cells).0,
                };
                life.remove(entry, &mut self.index, &mut self.cells);
            }
        }
    }

    fn free(&mut self, entry: u32) {
        self.index.remove(entry);
        self.cells.reset(entry);
    }

    /// Looks at the next `budget` entries in turn and frees those that have expired at `now`, before which no tuple
    /// comes any more. With a life nothing is freed before room is needed: the next row of such a key would have to ask
    /// the store for it.
    pub fn sweep(&mut self, now: i64, budget: usize) {
        if self.ttl == i64::MAX || self.life.is_some() {
            return;
        }
        for _ in 0..budget.min(self.index.used()) {
            let Some(entry) = self.index.turn() else { continue };
            if now.saturating_sub(self.cells.touched(entry)) > self.ttl {
                self.free(entry);
            }
        }
    }

    /// Gives the living values in memory with their entries, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        let entries = (0..self.index.used() as u32).filter(|entry| self.index.is_live(*entry));
        entries.map(|entry| &self.cells.cells.get(entry).value)
    }

    /// The living values in memory with the event times that they were last touched at, in no order.
    pub fn touched_values(&self) -> impl Iterator<Item = (i64, &T)> {
        let entries = (0..self.index.used() as u32).filter(|entry| self.index.is_live(*entry));
        entries.map(|entry| self.cells.cells.get(entry)).map(|cell| (cell.touched, &cell.value))
    }

    /// What stands in the store as the content of a key: the event time it was last touched at, and its value.
    ///
    /// # Errors
    /// It is not what was written.
    pub fn read(mut content: &[u8]) -> Result<(i64, T), StoreError> {
        let mut read = || Some((i64::read(&mut content)?, T::read(&mut content)?));
        read().ok_or_else(cut)
    }

    /// The life, if there is one.
    pub fn life(&self) -> Option<&Life> {
        self.life.as_deref()
    }

    /// Number of keys in memory.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

impl<T: Codec> State for Keyed<T> {
    fn barrier(&mut self, epoch: u64) {
        if let Some(life) = &mut self.life {
            life.barrier(epoch);
        }
    }

    fn hand_over(&mut self, budget: usize) -> bool {
        self.life.as_mut().is_some_and(|life| life.hand_over(budget, &self.index, &mut self.cells))
    }

    fn meter(&self) -> Option<LifeMeter> {
        Some(self.life.as_ref()?.meter(&self.index, &self.cells))
    }
}
