//! How an epoch becomes durable.

use crate::latency::Histogram;
use crate::store::SegmentFacts;
use crate::store::{Batch, Closed, ClosedSplit, EpochFacts, HandOver, Message, Space, StoreError, Written};
use crate::time::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// What hearing a message came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing is there.
    Nothing,
    /// Something, and more is to come.
    Something,
    /// An epoch has become durable.
    Durable(u64),
    /// Nothing more will come.
    Stop,
}

/// Counts of commits.
#[derive(Clone, Default)]
pub struct CommitMeter {
    /// Epochs committed.
    pub epochs: u64,
    /// Time from the first word of an epoch to its being durable, nanoseconds.
    pub flow: Histogram,
    /// Time that writing took, nanoseconds.
    pub write: Histogram,
    /// Operations on the map.
    pub operations: u64,
    /// Bytes of batches and of chunks.
    pub batch_bytes: u64,
    /// The same of chunks.
    pub chunk_bytes: u64,
}

/// What has been heard of the epoch that is on its way.
#[derive(Default)]
struct Gathered {
    epoch: u64,
    since: u64,
    batches: Vec<Batch>,
    chunks: Vec<Written>,
    prepares: Vec<crate::store::Prepare>,
    splits: Vec<ClosedSplit>,
    closed: usize,
    states: usize,
    changed_bytes: u64,
}

impl Gathered {
    /// The event time before which nothing comes any more, now or after the next start. A finite source that has ended
    /// may have grown by then, so it counts where it was read to; beside sources without an end it does not: their time
    /// goes on, and what they leave behind would be kept for ever.
    fn frontier(&self) -> Option<i64> {
        let endless = self.splits.iter().any(|split| !split.finite);
        let counts = |split: &&ClosedSplit| match split.silent {
            true => !endless && split.promise > i64::MIN,
            false => true,
        };
        self.splits.iter().filter(counts).map(|split| split.promise).min()
    }
}

/// Gathers what belongs to an epoch and writes it.
pub struct Committer {
    space: Arc<Space>,
    receiver: mpsc::Receiver<Message>,
    clock: Arc<dyn Clock>,
    pipelines: usize,
    gathered: Gathered,
    meter: Arc<Mutex<CommitMeter>>,
    /// The event time before which nothing comes any more, as the last epoch knows it.
    frontier: i64,
    failed: bool,
}

impl Committer {
    /// A committer of the messages that so many pipelines send through `space`.
    pub fn new(
        space: Arc<Space>,
        receiver: mpsc::Receiver<Message>,
        pipelines: usize,
        clock: Arc<dyn Clock>,
    ) -> Committer {
        Committer {
            frontier: space.opened().frontier,
            space,
            receiver,
            clock,
            pipelines,
            gathered: Gathered::default(),
            meter: Arc::default(),
            failed: false,
        }
    }

    /// Its counts, shared.
    pub fn meter(&self) -> Arc<Mutex<CommitMeter>> {
        self.meter.clone()
    }

    /// Hears one message, if one is there, and commits when it was the last of its epoch. Blocks for nothing but the
    /// disk.
    pub fn step(&mut self) -> Heard {
        match self.receiver.try_recv() {
            Ok(message) => self.hear(message),
            Err(mpsc::TryRecvError::Empty) => Heard::Nothing,
            Err(mpsc::TryRecvError::Disconnected) => Heard::Stop,
        }
    }

    /// The same, waiting for a message.
    pub fn wait(&mut self) -> Heard {
        match self.receiver.recv() {
            Ok(message) => self.hear(message),
            Err(mpsc::RecvError) => Heard::Stop,
        }
    }

    fn hear(&mut self, message: Message) -> Heard {
        if self.gathered.closed + self.gathered.states == 0 {
            self.gathered.since = self.clock.nanos();
        }
        match message {
            Message::Stop => return Heard::Stop,
            Message::Closed(closed) => self.closed(closed),
            Message::State(state) => self.state(state),
        }
        if self.failed || self.gathered.closed < self.pipelines || self.gathered.states < self.space.tasks() {
            return Heard::Something;
        }
        let gathered = std::mem::take(&mut self.gathered);
        let epoch = gathered.epoch;
        // What an executor could not read it has taken for absent: nothing that follows from it may become durable.
        self.failed |= self.space.failure().is_some();
        if self.failed {
            return Heard::Something;
        }
        match self.commit(gathered) {
            Ok(()) => Heard::Durable(epoch),
            Err(error) => {
                // Executors end the topology; what comes until then is heard and dropped.
                self.failed = true;
                self.space.fail(error);
                Heard::Something
            }
        }
    }

    fn closed(&mut self, closed: Closed) {
        debug_assert!(self.gathered.epoch == 0 || self.gathered.epoch == closed.epoch, "one epoch flows at a time");
        self.gathered.epoch = closed.epoch;
        self.gathered.closed += 1;
        self.gathered.splits.extend(closed.splits);
    }

    fn state(&mut self, state: HandOver) {
        debug_assert!(self.gathered.epoch == 0 || self.gathered.epoch == state.epoch, "one epoch flows at a time");
        self.gathered.epoch = state.epoch;
        self.gathered.states += usize::from(state.last);
        self.gathered.changed_bytes += state.changed_bytes;
        if !state.batch.is_empty() {
            self.gathered.batches.push(state.batch);
        }
        self.gathered.chunks.extend(state.chunks);
        self.gathered.prepares.extend(state.prepare);
    }

    fn commit(&mut self, mut gathered: Gathered) -> Result<(), StoreError> {
        let start = self.clock.nanos();
        let mut last = Batch::default();
        let chunk_bytes = self.prepare(&mut gathered, &mut last)?;
        // The frontier never goes back, though a restarted pipeline may not know the time yet.
        let frontier = gathered.frontier().unwrap_or(i64::MIN).max(self.frontier);
        self.frontier = frontier;
        let facts = EpochFacts { epoch: gathered.epoch, wall: self.clock.wall_micros(), frontier };
        for split in &gathered.splits {
            self.space.put_split(&mut last, &split.name, &split.facts);
        }
        let retired = self.space.retire_segments(&mut last, frontier);
        self.space.put_epoch(&mut last, &facts);
        gathered.batches.push(last);
        self.space.backend().write(&gathered.batches)?;
        self.space.backend().forget_before(frontier);
        self.space.settled(gathered.epoch, gathered.changed_bytes);
        for segment in retired {
            self.space.backend().segment_remove(segment)?;
        }
        let end = self.clock.nanos();
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.epochs += 1;
        meter.flow.record(end.saturating_sub(gathered.since));
        meter.write.record(end.saturating_sub(start));
        meter.operations += gathered.batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        meter.batch_bytes += gathered.batches.iter().map(|batch| batch.size_bytes() as u64).sum::<u64>();
        meter.chunk_bytes += chunk_bytes;
        Ok(())
    }

    /// Makes durable what the batch will refer to; bytes of chunks.
    fn prepare(&self, gathered: &mut Gathered, last: &mut Batch) -> Result<u64, StoreError> {
        let mut bytes = 0;
        let mut segments = BTreeMap::new();
        let mut complete = Vec::new();
        for Written { segment, at, bytes: written, newest, keep, component, complete: last } in &gathered.chunks {
            bytes += written.len() as u64;
            self.space.backend().segment_write(*segment, *at, written)?;
            // The last part of a segment knows the latest time of all of it.
            let end = at + written.len() as u64;
            complete.extend(last.then_some(*segment));
            segments.insert(*segment, SegmentFacts { component: *component, bytes: end, newest: *newest, keep: *keep });
        }
        for (segment, facts) in segments {
            self.space.backend().segment_sync(segment)?;
            self.space.put_segment(last, segment, facts);
        }
        complete.into_iter().for_each(|segment| self.space.complete_segment(segment));
        for prepare in gathered.prepares.drain(..) {
            prepare()?;
        }
        Ok(bytes)
    }
}
