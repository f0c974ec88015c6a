//! A store that fails in all the ways that a disk and a process can, decided by a seed: for the simulator.
//!
//! - Batches are atomic and durable when they return. A process that dies in one leaves all of it or nothing.
//! - Bytes of segments are durable when they were synced. When the power goes, each write since then is kept, lost, or
//!   torn (a part of it, then anything); when only the process dies, the system keeps them.
//! - A sync that failed is never made good by a later one.
//! - Changes and reads may fail. The disk may be full, which leaves a write to a segment half done, and may have room
//!   again. A write that failed may be tried again; what failed of a batch may have happened all the same.
//! - Expired state is forgotten at any time, as by a compaction.
//!
//! Owns the disk, which outlives the process. Invariant: after its death a process changes and reads nothing any more.

use super::backend::{Backend, Batch, Operation, StoreError};
use super::layout::{Expiry, expiry};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the calls of a process are to meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// The process dies in the change after so many more; none: it does not.
    pub dies_after: Option<u64>,
    /// One write in so many fails; zero: none.
    pub fails_one_in: u32,
    /// One sync in so many fails; zero: none.
    pub unsynced_one_in: u32,
    /// One read in so many fails; zero: none.
    pub unreadable_one_in: u32,
    /// The disk is full after so many more writes; none: never.
    pub full_after: Option<u64>,
    /// It has room again after so many writes that it refused; none: never.
    pub room_after: Option<u64>,
}

/// A disk and what it does to a process.
pub struct FaultyStore {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    segments: BTreeMap<u32, Segment>,
    /// Segments whose removal the power may undo.
    removed: BTreeMap<u32, Segment>,
    weather: Weather,
    dead: bool,
    troubles: u64,
    refused: u64,
    changes: u64,
    forget: i64,
    random: u64,
}

#[derive(Clone, Default)]
struct Segment {
    /// As the process sees it.
    seen: Vec<u8>,
    /// As it is on the disk for sure.
    synced: Vec<u8>,
    /// Writes that are not: place and length.
    unsynced: Vec<(usize, usize)>,
    /// The same, after a sync that failed.
    doomed: Vec<(usize, usize)>,
}

impl Segment {
    fn write(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
        bytes.resize(bytes.len().max(at + new.len()), 0);
        bytes[at..at + new.len()].copy_from_slice(new);
    }

    fn sync(&mut self) {
        for (at, len) in self.unsynced.drain(..) {
            Segment::write(&mut self.synced, at, &self.seen[at..at + len]);
        }
    }
}

/// What a change does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Write,
    Sync,
    Remove,
}

/// How a change comes out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Nothing of it has happened, and the caller is told so.
    Refused,
    /// It has happened, and the caller is told that it has not.
    Misreported,
}

const CURE: &str = "start again";

fn outside(what: &str, why: &str) -> StoreError {
    StoreError::Outside { what: what.to_owned(), why: why.to_owned(), cure: CURE }
}

/// Counts down; whether nothing was left.
fn is_over(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => true,
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}

impl Inner {
    /// splitmix64.
    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn one_in(&mut self, n: u32) -> bool {
        n > 0 && self.below(u64::from(n)) == 0
    }

    /// A change begins: how it is to come out.
    fn fate(&mut self, change: Change) -> Outcome {
        if self.dead {
            return Outcome::Refused;
        }
        self.changes += 1;
        if self.below(4) == 0 {
            self.compact();
        }
        let either = if self.below(2) == 0 { Outcome::Refused } else { Outcome::Misreported };
        if is_over(&mut self.weather.dies_after) {
            self.dead = true;
            self.troubles += 1;
            return either;
        }
        let full = change == Change::Write && self.is_full();
        let one_in = match change {
            Change::Write => self.weather.fails_one_in,
            Change::Sync => self.weather.unsynced_one_in,
            Change::Remove => self.weather.fails_one_in.max(self.weather.unsynced_one_in),
        };
        if full || self.one_in(one_in) {
            self.troubles += 1;
            self.refused += u64::from(change == Change::Write);
            return either;
        }
        Outcome::Done
    }

    /// Whether there is no room for a write.
    fn is_full(&mut self) -> bool {
        if !is_over(&mut self.weather.full_after) {
            return false;
        }
        if is_over(&mut self.weather.room_after) {
            (self.weather.full_after, self.weather.room_after) = (None, None);
            return false;
        }
        true
    }

    fn refusal(&self, what: &str, change: Change) -> StoreError {
        let why = match (self.dead, self.weather.full_after) {
            (true, _) => return outside(what, "the process is dead"),
            (false, Some(0)) if change == Change::Write => "no space left on device",
            (false, _) => "input/output error",
        };
        match change {
            Change::Write => StoreError::Unwritten { what: what.to_owned(), why: why.to_owned() },
            Change::Sync | Change::Remove => outside(what, why),
        }
    }

    /// A read begins.
    fn readable(&mut self) -> Result<(), StoreError> {
        if !self.dead && self.one_in(self.weather.unreadable_one_in) {
            self.troubles += 1;
            return Err(outside("the store cannot be read", "input/output error"));
        }
        if self.dead { Err(outside("the store cannot be read", "the process is dead")) } else { Ok(()) }
    }

    /// Forgets some of what has expired.
    fn compact(&mut self) {
        let before = self.forget;
        let expired = |(key, value): &(&Vec<u8>, &Vec<u8>)| match expiry(key, value) {
            Expiry::At(time) => time < before,
            Expiry::Never => false,
        };
        let keys: Vec<Vec<u8>> = self.map.iter().filter(expired).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if self.below(2) == 0 {
                self.map.remove(&key);
            }
        }
    }

    /// What is on the disk after the power has gone.
    fn power_off(&mut self) {
        for (id, segment) in std::mem::take(&mut self.removed) {
            if self.below(2) == 0 {
                self.segments.entry(id).or_insert(segment);
            }
        }
        for (id, mut segment) in std::mem::take(&mut self.segments) {
            let lost = segment.unsynced.drain(..).chain(segment.doomed.drain(..)).collect::<Vec<_>>();
            for (at, len) in lost {
                let mut bytes = segment.seen[at..at + len].to_vec();
                match self.below(3) {
                    0 => continue,
                    1 => {
                        let torn = self.below(len as u64 + 1) as usize;
                        bytes[torn..].iter_mut().for_each(|byte| *byte = !*byte);
                        bytes.truncate(torn + self.below((len - torn) as u64 + 1) as usize);
                    }
                    _ => {}
                }
                Segment::write(&mut segment.synced, at, &bytes);
            }
            segment.seen = segment.synced.clone();
            self.segments.insert(id, segment);
        }
    }
}

impl FaultyStore {
    /// An empty disk, in fair weather.
    pub fn new(seed: u64) -> FaultyStore {
        FaultyStore { inner: Mutex::new(Inner { random: seed, forget: i64::MIN, ..Inner::default() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the maps whole: each change is one call.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process is gone and another one begins, which meets this weather. With `power_off` the whole machine was
    /// gone: what was not synced is lost or torn.
    pub fn restart(&self, power_off: bool, weather: Weather) {
        let mut inner = self.inner();
        if power_off {
            inner.power_off();
        }
        (inner.dead, inner.weather) = (false, weather);
        (inner.troubles, inner.refused, inner.changes) = (0, 0, 0);
    }

    /// Whether the process has died in a call.
    pub fn is_dead(&self) -> bool {
        self.inner().dead
    }

    /// How many calls have failed since the process began.
    pub fn troubles(&self) -> u64 {
        self.inner().troubles
    }

    /// How many writes have failed since the process began, each of which may be tried again.
    pub fn refused(&self) -> u64 {
        self.inner().refused
    }

    /// How many changes were asked for since the process began.
    pub fn changes(&self) -> u64 {
        self.inner().changes
    }
}

impl Backend for FaultyStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut inner = self.inner();
        inner.readable()?;
        Ok(inner.map.get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let pairs: Vec<_> = {
            let mut inner = self.inner();
            inner.readable()?;
            let range = inner.map.range(from.to_vec()..to.to_vec());
            range.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        // Not under the lock: `each` may read the store.
        let _ = pairs.iter().all(|(key, value)| each(key, value));
        Ok(())
    }

    fn write(&self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let fate = inner.fate(Change::Write);
        if fate != Outcome::Refused {
            for operation in batches.iter().flat_map(Batch::operations) {
                match operation {
                    Operation::Put(key, value) => inner.map.insert(key.to_vec(), value.to_vec()),
                    Operation::Delete(key) => inner.map.remove(key),
                };
            }
        }
        if fate == Outcome::Done { Ok(()) } else { Err(inner.refusal("a batch cannot be written", Change::Write)) }
    }

    fn segment_write(&self, segment: u32, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let dead = inner.dead;
        let fate = inner.fate(Change::Write);
        let length = match fate {
            Outcome::Refused if dead => 0,
            Outcome::Refused => inner.below(bytes.len() as u64 + 1) as usize,
            Outcome::Done | Outcome::Misreported => bytes.len(),
        };
        if !dead {
            let held = inner.segments.entry(segment).or_default();
            Segment::write(&mut held.seen, at as usize, &bytes[..length]);
            held.unsynced.push((at as usize, length));
        }
        if fate == Outcome::Done { Ok(()) } else { Err(inner.refusal("a segment cannot be written", Change::Write)) }
    }

    fn segment_sync(&self, segment: u32) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let dead = inner.dead;
        let fate = inner.fate(Change::Sync);
        if let Some(held) = inner.segments.get_mut(&segment).filter(|_| !dead) {
            match fate {
                Outcome::Done | Outcome::Misreported => held.sync(),
                Outcome::Refused => held.doomed.append(&mut held.unsynced),
            }
        }
        if fate == Outcome::Done { Ok(()) } else { Err(inner.refusal("a segment cannot be synced", Change::Sync)) }
    }

    fn segment_read(&self, segment: u32, at: u64, into: &mut [u8]) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        inner.readable()?;
        let start = at as usize;
        let held = inner.segments.get(&segment).and_then(|held| held.seen.get(start..start + into.len()));
        let Some(bytes) = held else { return Ok(false) };
        into.copy_from_slice(bytes);
        Ok(true)
    }

    fn segment_remove(&self, segment: u32) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let fate = inner.fate(Change::Remove);
        if fate != Outcome::Refused
            && let Some(held) = inner.segments.remove(&segment)
        {
            inner.removed.insert(segment, held);
        }
        if fate == Outcome::Done { Ok(()) } else { Err(inner.refusal("a segment cannot be removed", Change::Remove)) }
    }

    fn segments(&self) -> Result<Vec<u32>, StoreError> {
        let mut inner = self.inner();
        inner.readable()?;
        Ok(inner.segments.keys().copied().collect())
    }

    fn forget_before(&self, time: i64) {
        let mut inner = self.inner();
        if !inner.dead {
            inner.forget = time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stormy(weather: Weather, seed: u64) -> FaultyStore {
        let store = FaultyStore::new(seed);
        store.restart(false, weather);
        store
    }

    #[test]
    fn a_batch_in_which_the_process_dies_is_there_as_a_whole_or_not_at_all() {
        let mut found = [false; 2];
        for seed in 0..50 {
            let store = stormy(Weather { dies_after: Some(0), ..Weather::default() }, seed);
            let mut batch = Batch::default();
            batch.put(b"a", b"1");
            batch.put(b"b", b"2");
            assert!(store.write(&[batch]).is_err() && store.is_dead());
            assert!(store.get(b"a").is_err(), "the dead read nothing");
            store.restart(true, Weather::default());
            let there = store.get(b"a").unwrap().is_some();
            assert_eq!(there, store.get(b"b").unwrap().is_some());
            found[usize::from(there)] = true;
        }
        assert_eq!(found, [true; 2]);
    }

    #[test]
    fn what_was_synced_outlives_the_power_and_what_was_not_may_be_lost_or_torn() {
        let (mut lost, mut torn, mut kept) = (false, false, false);
        for seed in 0..100 {
            let store = FaultyStore::new(seed);
            store.segment_write(1, 0, b"first").unwrap();
            store.segment_sync(1).unwrap();
            store.segment_write(1, 5, b"second").unwrap();
            store.restart(true, Weather::default());
            let mut bytes = [0; 5];
            assert!(store.segment_read(1, 0, &mut bytes).unwrap());
            assert_eq!(&bytes, b"first");
            let mut rest = [0; 6];
            match store.segment_read(1, 5, &mut rest).unwrap() {
                false => lost = true,
                true if &rest == b"second" => kept = true,
                true => torn = true,
            }
        }
        assert!(lost && torn && kept);
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_a_later_one() {
        let mut lost = 0;
        for seed in 0..100 {
            let store = stormy(Weather { unsynced_one_in: 1, ..Weather::default() }, seed);
            store.segment_write(1, 0, b"bytes").unwrap();
            assert!(store.segment_sync(1).is_err());
            store.restart(false, Weather::default());
            store.segment_sync(1).unwrap();
            store.restart(true, Weather::default());
            let mut bytes = [0; 5];
            lost += usize::from(!store.segment_read(1, 0, &mut bytes).unwrap() || &bytes != b"bytes");
        }
        assert!(lost > 20, "{lost}");
    }

    #[test]
    fn a_full_disk_refuses_writes_until_it_has_room_and_nothing_else() {
        let store = stormy(Weather { full_after: Some(1), room_after: Some(2), ..Weather::default() }, 1);
        let mut batch = Batch::default();
        batch.put(b"a", b"1");
        store.segment_write(1, 0, b"fits").unwrap();
        for _ in 0..2 {
            assert!(matches!(store.write(&[batch.clone()]), Err(StoreError::Unwritten { .. })));
            store.segment_sync(1).unwrap();
        }
        store.write(&[batch]).unwrap();
        assert_eq!((store.refused(), store.get(b"a").unwrap()), (2, Some(b"1".to_vec())));
    }
}
