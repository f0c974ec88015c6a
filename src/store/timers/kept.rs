//! What timers owe a store: changes by epoch, reading on at a horizon, room.

use super::sorted::Sorted;
use super::{Mark, Timer};
use crate::store::backend::{Batch, StoreError};
use crate::store::facts::{Message, Place};
use crate::store::layout::{self, KEY_HEAD};
use crate::store::life::{HandOver, LifeMeter};
use crate::store::space::Space;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, mpsc};

/// Timers of a shard that are read at once.
const READ_AT_ONCE: usize = 64;
/// Timers looked at when room is to be made.
const LOOKED_AT: usize = 16;
/// Changes are sent in parts of so many bytes, roughly.
const PART_BYTES: usize = 256 << 10;
/// Bytes that a changed timer takes on its way.
const CHANGE_BYTES: u64 = 64;
/// Changes are told to the coordinator after so many.
const TELL_EVERY: u64 = 64;

/// The way of a handle's changes to the committer.
pub(in crate::store) struct Line {
    /// The store.
    pub space: Arc<Space>,
    /// Component and handle.
    pub place: Place,
    /// Number of the handle among all of the topology.
    pub task: u32,
    /// Where hand-overs go.
    pub sender: mpsc::Sender<Message>,
    /// The shards whose keys come to this task.
    pub shards: Range<u16>,
}

/// What there is to do for a store.
pub(super) struct Kept {
    pub(super) line: Line,
    /// The epoch that changes belong to.
    epoch: u64,
    /// Timers set in it.
    fresh: Vec<Timer>,
    /// Those of the epoch that is being handed over, and how far that is.
    handing: Vec<Timer>,
    handed: usize,
    open: bool,
    batch: Batch,
    removals: Batch,
    /// Cancelled timers that the store may still have.
    pub(super) cancelled: HashSet<Timer>,
    cancelled_before: HashSet<Timer>,
    /// The horizon of each shard; none: all its timers are in memory.
    pub(super) horizons: Box<[Option<Timer>]>,
    /// The shard with the least horizon.
    nearest: Option<u8>,
    /// Where room was last made.
    hand: Option<Timer>,
    changed: u64,
    changed_before: u64,
    told: u64,
    pub(super) meter: LifeMeter,
    clock: quanta::Clock,
}

impl Kept {
    pub(super) fn new(line: Line) -> Kept {
        Kept {
            epoch: line.space.durable() + 1,
            line,
            fresh: Vec::new(),
            handing: Vec::new(),
            handed: 0,
            open: false,
            batch: Batch::default(),
            removals: Batch::default(),
            cancelled: HashSet::new(),
            cancelled_before: HashSet::new(),
            horizons: vec![None; 256].into_boxed_slice(),
            nearest: None,
            hand: None,
            changed: 0,
            changed_before: 0,
            told: 0,
            meter: LifeMeter::default(),
            clock: quanta::Clock::new(),
        }
    }

    /// The least horizon.
    #[inline]
    pub(super) fn horizon(&self) -> Option<&Timer> {
        self.horizons[usize::from(self.nearest?)].as_ref()
    }

    pub(super) fn find_nearest(&mut self) {
        let unread = self.horizons.iter().enumerate().filter_map(|(shard, horizon)| Some((horizon.as_ref()?, shard)));
        self.nearest = unread.min().map(|(_, shard)| shard as u8);
    }

    /// A timer was set that is not in memory.
    pub(super) fn set(&mut self, timer: &Timer, shard: u8) -> Mark {
        self.meter.uses += 1;
        self.fresh.push(timer.clone());
        self.change();
        if !self.cancelled.is_empty() {
            self.cancelled.remove(timer);
        }
        let known = self.horizons[usize::from(shard)].as_ref().is_some_and(|horizon| *horizon <= *timer);
        Mark { epoch: self.epoch as u32, pending: true, known }
    }

    /// A timer has left memory for good; whether the store may have it.
    pub(super) fn remove(&mut self, timer: &Timer, mark: Mark) -> bool {
        if mark.pending && mark.epoch == self.epoch as u32 {
            if mark.known {
                self.delete(timer);
            }
            return mark.known;
        }
        if mark.pending {
            // It belongs to the state at the barrier, which is still being written.
            self.put(timer);
        }
        self.delete(timer);
        true
    }

    fn change(&mut self) {
        self.changed += CHANGE_BYTES;
        if self.changed - self.told >= TELL_EVERY * CHANGE_BYTES {
            self.tell();
        }
    }

    /// Tells how much has changed since the last time.
    fn tell(&mut self) {
        self.line.space.changed(self.changed - self.told);
        self.told = self.changed;
    }

    fn store_key(&self, timer: &Timer, shard: u8) -> Vec<u8> {
        let mut key = Vec::with_capacity(KEY_HEAD + 8 + timer.key.get().len());
        layout::state_key(shard, self.line.place, &mut key);
        timer.write(&mut key);
        key
    }

    pub(super) fn delete(&mut self, timer: &Timer) {
        let key = self.store_key(timer, timer.shard());
        self.removals.delete(&key);
        self.change();
    }

    fn put(&mut self, timer: &Timer) {
        debug_assert!(self.open, "a timer of an older epoch waits only while that is handed over");
        let place = self.line.place;
        let key = |out: &mut Vec<u8>| {
            layout::state_key(timer.shard(), place, out);
            timer.write(out);
        };
        self.batch.put_with(key, |out| layout::value_head(i64::MAX, out));
        if self.batch.size_bytes() >= PART_BYTES {
            self.send(false);
            self.batch.reserve(PART_BYTES + PART_BYTES / 4);
        }
    }

    fn send(&mut self, last: bool) {
        self.meter.written += self.batch.len() as u64;
        let hand_over = HandOver {
            task: self.line.task,
            epoch: self.epoch - 1,
            batch: std::mem::take(&mut self.batch),
            last,
            chunks: None,
            changed_bytes: if last { self.changed_before } else { 0 },
            prepare: None,
        };
        // A committer that is gone has failed, and said so.
        let _ = self.line.sender.send(Message::State(hand_over));
    }

    /// Reads on in shards whose next timer may come before the first in memory and is due.
    #[inline]
    pub(super) fn read_due(&mut self, watermark: i64, live: &mut Sorted, heap_bytes: &mut usize) {
        while let Some(shard) = self.nearest {
            let Some(horizon) = self.horizon() else { return };
            if horizon.deadline >= watermark || live.first().is_some_and(|first| first < horizon) {
                return;
            }
            self.read(shard, live, heap_bytes);
            self.find_nearest();
        }
    }

    /// Reads the next timers of a shard from its horizon on.
    #[cold]
    pub(super) fn read(&mut self, shard: u8, live: &mut Sorted, heap_bytes: &mut usize) {
        let Some(horizon) = self.horizons[usize::from(shard)].take() else { return };
        if !self.cancelled_before.is_empty() && !self.open && self.line.space.durable() + 1 >= self.epoch {
            self.cancelled_before.clear();
        }
        let start = self.clock.raw();
        let from = self.store_key(&horizon, shard);
        let (_, to) = layout::state_range(shard, self.line.place);
        let (mut found, mut next, mut damaged) = (0, None, false);
        let result = self.line.space.backend().scan(&from, &to, &mut |key, _| {
            let Some(timer) = key.get(KEY_HEAD..).and_then(Timer::read) else {
                damaged = true;
                return false;
            };
            if found == READ_AT_ONCE {
                next = Some(timer);
                return false;
            }
            found += 1;
            if self.cancelled.contains(&timer) || self.cancelled_before.contains(&timer) {
                return true;
            }
            if let Some((timer, _)) = live.insert(timer) {
                *heap_bytes += timer.key.heap_bytes();
                self.meter.loads += 1;
            }
            true
        });
        if damaged {
            let (what, why) = (format!("a timer of shard {shard}"), "it is cut".to_owned());
            self.line.space.fail(StoreError::Damaged { what, why });
        }
        if let Err(error) = result {
            self.line.space.fail(error);
        }
        self.horizons[usize::from(shard)] = next;
        self.meter.load_ns += self.clock.delta_as_nanos(start, self.clock.raw());
    }

    /// Looks at some timers in turn, the farthest ahead first, and takes those that are durable out of memory.
    #[cold]
    pub(super) fn make_room(&mut self, live: &mut Sorted, heap_bytes: &mut usize) {
        let durable = self.line.space.durable();
        for _ in 0..LOOKED_AT {
            let Some((timer, mark)) = live.last_before(self.hand.as_ref()) else {
                self.hand = None;
                return;
            };
            let (timer, mark) = (timer.clone(), *mark);
            if !mark.pending && u64::from(mark.epoch) <= durable {
                live.remove(&timer);
                *heap_bytes -= timer.key.heap_bytes();
                self.meter.evictions += 1;
                let horizon = &mut self.horizons[usize::from(timer.shard())];
                if horizon.as_ref().is_none_or(|known| timer < *known) {
                    *horizon = Some(timer.clone());
                    self.find_nearest();
                }
            }
            self.hand = Some(timer);
        }
    }

    pub(super) fn barrier(&mut self, epoch: u64) {
        debug_assert!(!self.open, "an epoch ends only after the one before is durable");
        self.tell();
        std::mem::swap(&mut self.fresh, &mut self.handing);
        self.batch = std::mem::take(&mut self.removals);
        self.cancelled_before = std::mem::take(&mut self.cancelled);
        self.changed_before = std::mem::take(&mut self.changed);
        (self.handed, self.told) = (0, 0);
        self.open = true;
        self.epoch = epoch + 1;
    }

    pub(super) fn hand_over(&mut self, budget: usize, live: &mut Sorted) -> bool {
        if !self.open {
            return false;
        }
        let handing = std::mem::take(&mut self.handing);
        let end = handing.len().min(self.handed + budget);
        for timer in &handing[self.handed..end] {
            if let Some(mark) = live.get_mut(timer)
                && mark.pending
                && mark.epoch != self.epoch as u32
            {
                mark.pending = false;
                self.put(timer);
            }
        }
        self.handed = end;
        self.handing = handing;
        if self.handed < self.handing.len() {
            return true;
        }
        self.handing.clear();
        self.open = false;
        self.send(true);
        false
    }
}
