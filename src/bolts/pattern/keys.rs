//! The keys of a task and what is known of each.
//!
//! A key is looked up once for a tuple: the keys of a run before its first tuple, when what is known of them is asked
//! for, too, so that the tuples wait for memory together. With a life, keys that are not in memory are read from the
//! store. Invariant: what is resolved for a tuple of the run is an entry of its key, or none: one that is freed is taken
//! out, one that is new is found when its next tuple asks.

use super::cells::Cells;
use crate::store::{Content, Index, KeyReader, KeyRef, Life, LifeMeter, State, prefetch_value};
use crate::tuple::{Frame, RUN_TUPLES, Run};

/// Expired keys are looked for at one place in so many tuples, and at so many places for each new key: most keys go by
/// themselves, when their partial matches have.
const SWEEP_EVERY: u32 = 8;
const SWEEP_NEW: usize = 2;

/// No entry.
const NONE: u32 = u32::MAX;

/// Where a key is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    hash: u64,
    /// Its entry; [`NONE`] if it is not in memory.
    entry: u32,
}

/// A key that was touched.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    /// Its entry.
    pub entry: u32,
    /// Whether nothing was known of it.
    pub fresh: bool,
    /// Whether what is known of it is to be forgotten.
    pub lapsed: bool,
}

/// The keys of a task.
pub struct Keys {
    /// For each input.
    readers: Vec<KeyReader>,
    /// Whether keys are words.
    by_word: bool,
    index: Index,
    /// What is known of them.
    pub cells: Cells,
    ttl: i64,
    life: Option<Box<Life>>,
    /// The keys of the run: words, where they are, hashes, and entries, none that was freed since.
    words: [u64; RUN_TUPLES],
    hashes: [u64; RUN_TUPLES],
    entries: [u32; RUN_TUPLES],
    run: usize,
    until_sweep: u32,
}

impl Keys {
    /// No keys in memory; they are read by `readers`, one for each input, and as if they had never been when they were
    /// not touched for longer than `ttl` microseconds of event time.
    pub fn new(readers: Vec<KeyReader>, ttl: i64, life: Option<Box<Life>>) -> Keys {
        let by_word = readers.iter().all(KeyReader::is_word);
        Keys {
            readers,
            by_word,
            index: Index::new(by_word),
            cells: Cells::default(),
            ttl,
            life,
            words: [0; RUN_TUPLES],
            hashes: [0; RUN_TUPLES],
            entries: [NONE; RUN_TUPLES],
            run: 0,
            until_sweep: SWEEP_EVERY,
        }
    }

    /// Looks up the keys of a run, and asks for what is known of them.
    pub fn resolve(&mut self, input: usize, run: &Run) {
        self.run = run.len();
        for at in 0..self.run {
            let frame = run.frame(at);
            let (word, hash) = if self.by_word {
                // What a NULL key finds is not looked at.
                let word = self.readers[input].word(frame).unwrap_or(0);
                (word, KeyRef::new(&word.to_le_bytes()).hash)
            } else {
                (0, self.readers[input].read(frame).map_or(0, |key| key.hash))
            };
            (self.words[at], self.hashes[at]) = (word, hash);
            self.index.prefetch(hash);
        }
        let (mut known, mut count) = ([NONE; RUN_TUPLES], 0);
        for at in 0..self.run {
            let Some(entry) = self.index.guess(self.hashes[at]) else {
                self.entries[at] = NONE;
                continue;
            };
            (self.entries[at], known[count]) = (entry, entry);
            count += 1;
            self.cells.prefetch(entry);
            self.index.prefetch_key(entry);
            if let Some(life) = &mut self.life {
                life.prefetch(entry);
            }
        }
        if self.life.is_some() {
            self.fetch(input, run);
        }
        // Each pass needs what the one before has asked for.
        for entry in &known[..count] {
            let step = self.cells.first_step(*entry).and_then(|step| self.cells.buffer().step_at(step));
            step.into_iter().for_each(prefetch_value);
        }
        for entry in &known[..count] {
            let row = self.cells.first_step(*entry).and_then(|step| self.cells.buffer().row_at(step));
            row.into_iter().for_each(prefetch_value);
        }
    }

    /// Reads the keys of a run that are not in memory, all with one call.
    fn fetch(&mut self, input: usize, run: &Run) {
        let Some(life) = &mut self.life else { return };
        life.begin_run();
        for at in (0..self.run).filter(|at| self.entries[*at] == NONE) {
            if let Some(key) = self.readers[input].read(run.frame(at)) {
                life.want(key);
            }
        }
        life.fetch();
    }

    /// Where the key of a tuple is, which is number `at` of the run; none if the key is NULL.
    #[inline(always)]
    pub fn locate(&mut self, input: usize, at: usize, frame: &Frame) -> Option<Place> {
        let resolved = at < self.run;
        if self.by_word {
            let word = self.readers[input].word(frame)?;
            let bytes = word.to_le_bytes();
            let hash = if resolved && self.words[at] == word {
                if self.entries[at] != NONE {
                    return Some(Place { hash: self.hashes[at], entry: self.entries[at] });
                }
                self.hashes[at]
            } else {
                KeyRef::new(&bytes).hash
            };
            let entry = self.index.find(KeyRef { hash, bytes: &bytes }).unwrap_or(NONE);
            return Some(Place { hash, entry });
        }
        let bytes = self.readers[input].bytes(frame)?;
        if resolved && self.entries[at] != NONE && self.index.holds(self.entries[at], bytes) {
            return Some(Place { hash: self.hashes[at], entry: self.entries[at] });
        }
        let key = KeyRef::new(bytes);
        Some(Place { hash: key.hash, entry: self.index.find(key).unwrap_or(NONE) })
    }

    /// Whether anything is known at event time `now` of the key of a tuple. Changes nothing.
    #[inline(always)]
    pub fn knows(&mut self, place: Place, input: usize, frame: &Frame, now: i64) -> bool {
        if place.entry == NONE {
            return self.life.is_some() && self.stored(place, input, frame, now);
        }
        now.saturating_sub(self.cells.touched(place.entry)) <= self.ttl
    }

    /// The same of a key that is not in memory.
    #[inline(never)]
    fn stored(&mut self, place: Place, input: usize, frame: &Frame, now: i64) -> bool {
        let Some(bytes) = self.readers[input].bytes(frame) else { return false };
        let key = KeyRef { hash: place.hash, bytes };
        loaded(key, now, &mut self.life, &mut self.index, &mut self.cells)
            .is_some_and(|entry| now.saturating_sub(self.cells.touched(entry)) <= self.ttl)
    }

    /// The entry of the key of a tuple, to be changed: it is touched with `now`, which is no earlier than any other key was
    /// touched with. Its state is the default if nothing was known of it, and that of the last row, however long ago that
    /// was, if something was.
    #[inline]
    pub fn touch(&mut self, place: Place, input: usize, frame: &Frame, now: i64) -> Touched {
        let (entry, fresh) = match place.entry {
            NONE => self.admit(place, input, frame),
            entry => (entry, false),
        };
        self.change(entry);
        let lapsed = self.cells.touch(entry, now, fresh, self.ttl);
        Touched { entry, fresh, lapsed }
    }

    /// Gives the key of a tuple that was not in memory an entry; whether nothing was known of it.
    fn admit(&mut self, place: Place, input: usize, frame: &Frame) -> (u32, bool) {
        // It was read when the key was located: none of it is NULL.
        let key = KeyRef { hash: place.hash, bytes: self.readers[input].bytes(frame).unwrap_or(&[]) };
        if let Some(entry) = self.index.find(key) {
            // It has been read from the store since.
            return (entry, false);
        }
        let Some(life) = &mut self.life else {
            let entry = self.index.insert(key);
            self.cells.reset(entry);
            return (entry, true);
        };
        let entries = &mut self.entries[..self.run];
        life.make_room(&mut self.index, &mut self.cells, |gone| forget(entries, gone));
        // At the beginning of time, so that what has expired is read: something in it may have been over before that.
        life.admit(key, i64::MIN, &mut self.index, &mut self.cells)
    }

    /// The entry of a key, to be changed without touching it; none if nothing is known of it at event time `now`.
    pub fn entry(&mut self, key: KeyRef<'_>, now: i64) -> Option<u32> {
        let found = self.index.find(key);
        let entry = found.or_else(|| loaded(key, now, &mut self.life, &mut self.index, &mut self.cells))?;
        if now.saturating_sub(self.cells.touched(entry)) > self.ttl {
            return None;
        }
        self.change(entry);
        Some(entry)
    }

    #[inline(always)]
    fn change(&mut self, entry: u32) {
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.cells);
        }
    }

    /// The key of an entry: its canonical bytes are written to `bytes`.
    pub fn key<'a>(&self, entry: u32, bytes: &'a mut Vec<u8>) -> KeyRef<'a> {
        bytes.clear();
        let hash = self.index.key(entry, bytes);
        KeyRef { hash, bytes }
    }

    /// Nothing is known of the key of an entry any more.
    #[inline]
    pub fn remove(&mut self, entry: u32) {
        match &mut self.life {
            None => self.free(entry),
            Some(life) => {
                life.remove(entry, &mut self.index, &mut self.cells);
                forget(&mut self.entries[..self.run], entry);
            }
        }
    }

    #[inline]
    fn free(&mut self, entry: u32) {
        self.index.remove(entry);
        self.cells.reset(entry);
        forget(&mut self.entries[..self.run], entry);
    }

    /// Frees keys that have expired: one place is looked at now and then, several for each new key, so that there are
    /// never many more places than keys and rows that do not bring new keys pay next to nothing.
    #[inline(always)]
    pub fn sweep(&mut self, watermark: i64, fresh: bool) {
        self.until_sweep = self.until_sweep.wrapping_sub(1);
        if self.until_sweep == 0 || fresh {
            self.sweep_places(watermark, if fresh { SWEEP_NEW } else { 1 });
        }
    }

    #[inline(never)]
    fn sweep_places(&mut self, watermark: i64, places: usize) {
        self.until_sweep = SWEEP_EVERY;
        // With a life nothing is freed before room is needed: the next row of such a key would have to ask the store.
        if self.ttl == i64::MAX || self.life.is_some() {
            return;
        }
        let mut last = 0;
        for _ in 0..places.min(self.index.used()) {
            let Some(entry) = self.index.turn() else { continue };
            if watermark.saturating_sub(self.cells.touched(entry)) > self.ttl {
                self.free(entry);
            }
            last = entry;
        }
        // The hand comes to them some rows later.
        (1..=SWEEP_NEW as u32).for_each(|ahead| self.cells.prefetch_touched(last.wrapping_add(ahead)));
    }

    /// Number of keys in memory.
    pub fn len(&self) -> usize {
        self.index.len()
    }
}

/// An entry was freed: what was resolved no longer has it.
fn forget(entries: &mut [u32], gone: u32) {
    entries.iter_mut().filter(|entry| **entry == gone).for_each(|entry| *entry = NONE);
}

/// Reads a key that is not in memory; none if the store has it not.
fn loaded(
    key: KeyRef<'_>,
    now: i64,
    life: &mut Option<Box<Life>>,
    index: &mut Index,
    cells: &mut Cells,
) -> Option<u32> {
    let life = life.as_mut()?;
    let (entry, fresh) = life.admit(key, now, index, cells);
    if fresh {
        life.leave(entry, index, cells);
        return None;
    }
    Some(entry)
}

impl State for Keys {
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
