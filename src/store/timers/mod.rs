//! Timers: deadlines of keys, in the order in which they come, in memory or, with a [`Life`], wholly in the store.
//!
//! A timer is a pair of deadline and key. In the store it stands as a pair without content under
//! `[deadline, sign turned, big-endian | canonical key]` behind the head of its shard and handle, so that the timers of
//! a shard lie in the order in which they fire. What is in memory is a sorted list over all shards:
//! 1. Each shard has a horizon: its living timers before that are in memory. At the start each shard reads its first
//!    few; behind its horizon it reads on when time gets there, so that millions far ahead cost nothing.
//! 2. A timer that is set is in memory and on the list of the epoch; one that goes within the same epoch leaves no
//!    trace, any other writes its removal.
//! 3. At the barrier the list is put aside, and its timers are written a few at a time, one that goes before its turn
//!    just before that: what is written is the state at the barrier.
//! 4. Where memory is over its budget, durable timers far ahead leave it, and the horizon of their shard comes nearer.
//!
//! Never reads a clock for anything but its own measurements. Invariants: a living timer is in memory, or at or behind
//! the horizon of its shard and durable; a pair of the store that is no living timer is before the horizon, or among the
//! cancelled, until its removal is durable.

mod kept;
mod sorted;
#[cfg(test)]
mod tests;

use super::life::{Life, LifeMeter};
use super::{KeyRef, State};
use kept::Kept;
pub(super) use kept::Line;
use sorted::Sorted;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes that a timer takes in memory, its share of pieces that are three quarters full included.
const TIMER_BYTES: usize = 56;
/// Longest key that is kept in place.
const SHORT: usize = 22;

/// Canonical bytes of a key.
#[derive(Clone, Debug)]
enum Bytes {
    Short(u8, [u8; SHORT]),
    Long(Arc<[u8]>),
}

impl Bytes {
    #[inline]
    fn new(bytes: &[u8]) -> Bytes {
        let mut short = [0; SHORT];
        match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Bytes::Short(bytes.len() as u8, short)
            }
            None => Bytes::Long(bytes.into()),
        }
    }

    #[inline]
    fn get(&self) -> &[u8] {
        match self {
            Bytes::Short(length, short) => &short[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Bytes::Short(..) => 0,
            Bytes::Long(bytes) => bytes.len() + 16,
        }
    }
}

/// A deadline of a key.
#[derive(Clone, Debug)]
struct Timer {
    deadline: i64,
    key: Bytes,
}

impl Timer {
    /// What every timer comes after.
    const FIRST: Timer = Timer { deadline: i64::MIN, key: Bytes::Short(0, [0; SHORT]) };

    fn shard(&self) -> u8 {
        KeyRef::new(self.key.get()).shard()
    }

    /// Appends what stands behind the head of its key in the store.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.deadline as u64 ^ 1 << 63).to_be_bytes());
        out.extend_from_slice(self.key.get());
    }

    fn read(bytes: &[u8]) -> Option<Timer> {
        let (deadline, key) = timer_parts(bytes)?;
        Some(Timer { deadline, key: Bytes::new(key) })
    }
}

/// Deadline and canonical key of a timer, from what stands in the store in the place of its key.
pub fn timer_parts(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (deadline, key) = bytes.split_first_chunk()?;
    Some(((u64::from_be_bytes(*deadline) ^ 1 << 63) as i64, key))
}

impl Ord for Timer {
    #[inline]
    fn cmp(&self, other: &Timer) -> Ordering {
        self.deadline.cmp(&other.deadline).then_with(|| self.key.get().cmp(other.key.get()))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timer {}

impl Hash for Timer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.deadline.hash(state);
        self.key.get().hash(state);
    }
}

/// What the store knows of a timer in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The epoch that it was set in; zero: it was read from the store.
    epoch: u32,
    /// Whether it is still to be written.
    pending: bool,
    /// Whether the store may have had it already when it was set.
    known: bool,
}

/// Deadlines of keys.
pub struct Timers {
    live: Sorted,
    /// What long keys take.
    heap_bytes: usize,
    kept: Option<Box<Kept>>,
}

impl Timers {
    /// No timers; with a life, those that it knows of. The time to live of the life is of no matter: a timer lives until
    /// it fires or is cancelled.
    pub fn new(life: Option<Box<Life>>) -> Timers {
        let kept = life.map(|life| Box::new(Kept::new(life.into_line())));
        let mut timers = Timers { live: Sorted::default(), heap_bytes: 0, kept };
        if let Some(kept) = &mut timers.kept {
            for shard in kept.line.shards.clone() {
                kept.horizons[usize::from(shard)] = Some(Timer::FIRST);
                kept.read(shard as u8, &mut timers.live, &mut timers.heap_bytes);
            }
            kept.find_nearest();
        }
        timers
    }

    /// The key is to be told when time has passed `deadline`. A timer is the pair of both: setting it twice is one.
    #[inline]
    pub fn set(&mut self, key: KeyRef<'_>, deadline: i64) {
        let timer = Timer { deadline, key: Bytes::new(key.bytes) };
        let Some((timer, mark)) = self.live.insert(timer) else { return };
        self.heap_bytes += timer.key.heap_bytes();
        if let Some(kept) = &mut self.kept {
            *mark = kept.set(timer, key.shard());
            if self.live.len() * TIMER_BYTES + self.heap_bytes > kept.line.space.budget_bytes() {
                kept.make_room(&mut self.live, &mut self.heap_bytes);
            }
        }
    }

    /// Takes a timer back, if there is such a one.
    #[inline]
    pub fn cancel(&mut self, key: KeyRef<'_>, deadline: i64) {
        let timer = Timer { deadline, key: Bytes::new(key.bytes) };
        let mark = self.live.remove(&timer);
        if mark.is_some() {
            self.heap_bytes -= timer.key.heap_bytes();
        }
        if let Some(kept) = &mut self.kept {
            let unread = || kept.horizons[usize::from(key.shard())].as_ref().is_some_and(|horizon| *horizon <= timer);
            let stored = match mark {
                Some(mark) => kept.remove(&timer, mark),
                None if unread() => {
                    kept.delete(&timer);
                    true
                }
                None => false,
            };
            if stored {
                kept.cancelled.insert(timer);
            }
        }
    }

    /// No timer has an earlier deadline, and one usually has this; `i64::MAX` if there is none. Who asks to be woken
    /// then and calls [`Timers::due`] misses none.
    #[inline]
    pub fn earliest(&self) -> i64 {
        let in_memory = self.live.first().map_or(i64::MAX, |timer| timer.deadline);
        let unread = self.kept.as_ref().and_then(|kept| Some(kept.horizon()?.deadline));
        in_memory.min(unread.unwrap_or(i64::MAX))
    }

    /// Whether a timer has the deadline that [`Timers::earliest`] gives: if not, it is where the store has not been read
    /// yet.
    #[inline]
    pub fn knows_earliest(&self) -> bool {
        self.earliest() == self.live.first().map_or(i64::MAX, |timer| timer.deadline)
    }

    /// Takes the first timer, by deadline and key, if `watermark` has passed it: its key's canonical bytes go into `key`.
    /// Only one that [`Timers::earliest`] has told of: where that was taken back, those of others come before the next,
    /// of which it tells now.
    #[inline]
    pub fn due(&mut self, watermark: i64, key: &mut Vec<u8>) -> Option<i64> {
        let told = self.earliest();
        if let Some(kept) = &mut self.kept {
            kept.read_due(watermark, &mut self.live, &mut self.heap_bytes);
        }
        let first = self.live.first()?.deadline;
        if first >= watermark || first > told {
            return None;
        }
        let (timer, mark) = self.live.pop_first()?;
        self.heap_bytes -= timer.key.heap_bytes();
        if let Some(kept) = &mut self.kept {
            // What has fired is before every horizon that can be: it need not be remembered as cancelled.
            kept.remove(&timer, mark);
        }
        key.clear();
        key.extend_from_slice(timer.key.get());
        Some(timer.deadline)
    }

    /// Number of timers in memory.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there are none in memory.
    pub fn is_empty(&self) -> bool {
        self.live.len() == 0
    }
}

impl State for Timers {
    fn barrier(&mut self, epoch: u64) {
        if let Some(kept) = &mut self.kept {
            kept.barrier(epoch);
        }
    }

    fn hand_over(&mut self, budget: usize) -> bool {
        self.kept.as_mut().is_some_and(|kept| kept.hand_over(budget, &mut self.live))
    }

    fn meter(&self) -> Option<LifeMeter> {
        let used_bytes = (self.live.len() * TIMER_BYTES + self.heap_bytes) as u64;
        Some(LifeMeter { used_bytes, entries: self.live.len() as u64, ..self.kept.as_ref()?.meter })
    }
}
