//! How an epoch becomes durable.
//!
//! A write that the disk refuses is kept and tried again after a pause, longer each time: no epoch is durable meanwhile,
//! so none is asked for, and input stops when enough waits. A sync that fails, or a batch of which nobody knows whether it
//! was written, is never tried again: it ends the topology, and the next start goes on from the last epoch.

use crate::latency::Histogram;
use crate::store::SegmentFacts;
use crate::store::{Batch, Closed, ClosedSplit, EpochFacts, HandOver, Message, Space, StoreError, TaskTime, Written};
use crate::time::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

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
    times: Vec<TaskTime>,
    /// How far time is in each pipeline where it is least far.
    least: Vec<i64>,
    closed: usize,
    states: usize,
    changed_bytes: u64,
}

impl Gathered {
    /// The event time before which nothing comes any more, now or after the next start. A finite source that has ended
    /// may have grown by then, so it counts where it was read to; beside sources without an end it does not: their time
    /// goes on, and what they leave behind would be kept for ever. Nor is it further than any task is.
    fn frontier(&self) -> Option<i64> {
        let endless = self.splits.iter().any(|split| !split.finite);
        let counts = |split: &&ClosedSplit| match split.silent {
            true => !endless && split.promise > i64::MIN,
            false => true,
        };
        let reached = self.splits.iter().filter(counts).map(|split| split.promise).min()?;
        Some(self.least.iter().copied().fold(reached, i64::min))
    }
}

/// The first pause before a write that was refused is tried again, and the longest, nanoseconds.
const PAUSE_NS: u64 = 10_000_000;
const PAUSE_MAX_NS: u64 = 2_000_000_000;
/// How often it is looked for messages while an epoch is on its way.
const LISTEN: Duration = Duration::from_micros(200);
/// Who tries, as [`Space::refused`] knows it.
const WHO: &str = "the committer";

/// An epoch of which everything has been heard, on its way to the disk.
struct Writing {
    gathered: Gathered,
    started: u64,
    /// How many of its chunks were written.
    chunks: usize,
    /// Whether all that its batch refers to is durable, and the batch is whole.
    prepared: bool,
    chunk_bytes: u64,
    retired: Vec<u32>,
    /// How often it was refused, and when it is tried again.
    refused: u32,
    again: u64,
}

/// Why an epoch was not written.
enum Stopped {
    /// The same may be tried again.
    ForNow(StoreError),
    ForGood(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        match error {
            StoreError::Unwritten { .. } => Stopped::ForNow(error),
            _ => Stopped::ForGood(error),
        }
    }
}

/// Gathers what belongs to an epoch and writes it.
pub struct Committer {
    space: Arc<Space>,
    receiver: mpsc::Receiver<Message>,
    clock: Arc<dyn Clock>,
    pipelines: usize,
    gathered: Gathered,
    /// The epoch that the disk has refused.
    writing: Option<Box<Writing>>,
    meter: Arc<Mutex<CommitMeter>>,
    /// The last epoch.
    last: EpochFacts,
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
            last: space.opened().clone(),
            space,
            receiver,
            clock,
            pipelines,
            gathered: Gathered::default(),
            writing: None,
            meter: Arc::default(),
            failed: false,
        }
    }

    /// Its counts, shared.
    pub fn meter(&self) -> Arc<Mutex<CommitMeter>> {
        self.meter.clone()
    }

    /// Hears one message, if one is there, and commits when it was the last of its epoch; tries again what the disk has
    /// refused, when it is time. Blocks for nothing but the disk.
    pub fn step(&mut self) -> Heard {
        if self.again_in() == Some(0) {
            return self.try_again();
        }
        match self.receiver.try_recv() {
            Ok(message) => self.hear(message),
            Err(mpsc::TryRecvError::Empty) => Heard::Nothing,
            Err(mpsc::TryRecvError::Disconnected) => Heard::Stop,
        }
    }

    /// How long nothing will be there, as far as it is known; `flows` says whether an epoch is on its way.
    ///
    /// Who waits for a message itself would have to be woken by the executor that sends it, which costs that one a
    /// system call and some microseconds each time.
    pub fn pause(&self, flows: bool) -> Option<Duration> {
        match self.again_in() {
            Some(pause) => Some(Duration::from_nanos(pause)),
            None => flows.then_some(LISTEN),
        }
    }

    /// How long it is, nanoseconds, until what was refused is tried again; none: nothing was.
    fn again_in(&self) -> Option<u64> {
        self.writing.as_ref().map(|writing| writing.again.saturating_sub(self.clock.nanos()))
    }

    fn try_again(&mut self) -> Heard {
        match self.writing.take() {
            Some(writing) => self.write(writing),
            None => Heard::Nothing,
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
        let started = self.clock.nanos();
        self.write(Box::new(Writing {
            gathered,
            started,
            chunks: 0,
            prepared: false,
            chunk_bytes: 0,
            retired: Vec::new(),
            refused: 0,
            again: 0,
        }))
    }

    fn write(&mut self, mut writing: Box<Writing>) -> Heard {
        // What an executor could not read it has taken for absent: nothing that follows from it may become durable.
        self.failed |= self.space.failure().is_some();
        if self.failed {
            return Heard::Something;
        }
        match self.commit(&mut writing) {
            Ok(()) => {
                if writing.refused > 0 {
                    self.space.accepted(WHO);
                }
                Heard::Durable(writing.gathered.epoch)
            }
            Err(Stopped::ForNow(error)) => {
                self.space.refused(WHO, &error.to_string());
                let pause = PAUSE_NS.saturating_mul(1 << writing.refused.min(30)).min(PAUSE_MAX_NS);
                writing.again = self.clock.nanos().saturating_add(pause);
                writing.refused += 1;
                self.writing = Some(writing);
                Heard::Something
            }
            Err(Stopped::ForGood(error)) => {
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
        self.gathered.times.extend(closed.times);
        self.gathered.least.push(closed.least);
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

    /// Goes on with an epoch where it was refused.
    fn commit(&mut self, writing: &mut Writing) -> Result<(), Stopped> {
        let backend = self.space.backend();
        while let Some(Written { segment, at, bytes, .. }) = writing.gathered.chunks.get(writing.chunks) {
            backend.segment_write(*segment, *at, bytes)?;
            writing.chunks += 1;
            writing.chunk_bytes += bytes.len() as u64;
        }
        if !writing.prepared {
            self.prepare(writing).map_err(Stopped::ForGood)?;
            writing.prepared = true;
        }
        let backend = self.space.backend();
        backend.write(&writing.gathered.batches)?;
        backend.forget_before(self.last.frontier);
        self.space.settled(writing.gathered.epoch, writing.gathered.changed_bytes);
        for segment in &writing.retired {
            // No epoch knows it any more: the next start removes what is left of it.
            let _ = backend.segment_remove(*segment);
        }
        self.count(writing);
        let batches = writing.gathered.batches.drain(..).map(Batch::into_memory);
        let chunks = writing.gathered.chunks.drain(..).map(|chunk| chunk.bytes);
        batches.chain(chunks).for_each(|memory| self.space.spares().give(memory));
        Ok(())
    }

    /// Makes durable what the batch will refer to, and completes the batch.
    fn prepare(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        let gathered = &mut writing.gathered;
        let mut last = Batch::default();
        let mut segments = BTreeMap::new();
        let mut complete = Vec::new();
        for Written { segment, at, bytes, newest, keep, component, complete: last } in &gathered.chunks {
            // The last part of a segment knows the latest time of all of it.
            let end = at + bytes.len() as u64;
            complete.extend(last.then_some(*segment));
            segments.insert(*segment, SegmentFacts { component: *component, bytes: end, newest: *newest, keep: *keep });
        }
        for (segment, facts) in segments {
            self.space.backend().segment_sync(segment)?;
            self.space.put_segment(&mut last, segment, facts);
        }
        complete.into_iter().for_each(|segment| self.space.complete_segment(segment));
        for prepare in gathered.prepares.drain(..) {
            prepare()?;
        }
        // The frontier never goes back, though a restarted pipeline may not know the time yet.
        self.last.frontier = gathered.frontier().unwrap_or(i64::MIN).max(self.last.frontier);
        gathered.times.drain(..).for_each(|time| self.last.note(time));
        (self.last.epoch, self.last.wall) = (gathered.epoch, self.clock.wall_micros());
        for split in &gathered.splits {
            self.space.put_split(&mut last, &split.name, &split.facts);
        }
        writing.retired = self.space.retire_segments(&mut last, self.last.frontier);
        self.space.put_epoch(&mut last, &self.last);
        gathered.batches.push(last);
        Ok(())
    }

    fn count(&self, writing: &Writing) {
        let (gathered, end) = (&writing.gathered, self.clock.nanos());
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.epochs += 1;
        meter.flow.record(end.saturating_sub(gathered.since));
        meter.write.record(end.saturating_sub(writing.started));
        meter.operations += gathered.batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        meter.batch_bytes += gathered.batches.iter().map(|batch| batch.size_bytes() as u64).sum::<u64>();
        meter.chunk_bytes += writing.chunk_bytes;
    }
}
