//! An executor: its pipelines, one bounded step of all of them, and the thread around it.

use super::meter::{ExecutorMeter, TaskMeter};
use super::pipeline::{Pipeline, Progress};
use super::wait::{Parker, Pause, Wait};
use super::{Input, Source};
use crate::component::{ComponentError, Sections};
use crate::latency::Recorder;
use crate::time::Clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A step longer than this is a stall, nanoseconds.
const STALL_NS: u64 = 1_000_000;
/// Longest sleep of an executor that has splits to look at, and of one that only has channels.
const POLL: Duration = Duration::from_micros(500);
const SLEEP: Duration = Duration::from_millis(100);

/// What all executors of a topology share: orders from outside. All orderings are relaxed but where said: each word is
/// an order of its own, and results come back through `join` or a mutex.
#[derive(Default)]
pub struct Control {
    /// Sources stop; what is in flight is finished.
    pub drain: AtomicBool,
    /// Everything stops at once.
    pub abort: AtomicBool,
    /// The epoch whose barrier is to be put into the streams.
    pub barrier: AtomicU64,
    /// Number of the snapshot that is asked for.
    pub snapshot: AtomicU64,
    /// Snapshots by executor.
    pub snapshots: Mutex<Vec<Option<Snapshot>>>,
}

/// The numbers of an executor at one moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The executor's own.
    pub executor: ExecutorMeter,
    /// Ages where processing ended.
    pub decided: Recorder,
    /// Ages at sinks, by component.
    pub sinks: Vec<(usize, Recorder)>,
    /// Counts of bolts' tasks, by component.
    pub tasks: Vec<(usize, TaskMeter)>,
    /// Counts of splits, by component.
    pub splits: Vec<(usize, TaskMeter)>,
    /// Channels read by this executor: number, tuples, sampled wait.
    pub channels: Vec<(usize, u64, Recorder)>,
    /// Channels written by this executor, in the order of the plan's senders: number, tuples, times full.
    pub sent: Vec<(usize, u64, u64)>,
    /// Tuples that could not be routed: component, reason, count.
    pub unrouted: Vec<(usize, &'static str, u64)>,
}

/// An executor.
pub struct Executor {
    /// Its number.
    pub index: usize,
    /// Its pipelines, the deepest first.
    pub pipelines: Vec<Pipeline>,
    /// Numbers of the channels of each pipeline's senders.
    pub sender_ids: Vec<Vec<usize>>,
    /// How it waits.
    pub wait: Wait,
    /// Where it sleeps.
    pub parker: Arc<Parker>,
    /// Who is to be woken when something moved: the other executors.
    pub others: Vec<Arc<Parker>>,
    /// Orders from outside.
    pub control: Arc<Control>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its counts.
    pub meter: ExecutorMeter,
    barrier: u64,
    snapshot: u64,
    draining: bool,
    flushed: bool,
    /// The task (by pipeline) whose bolt was the first to be refused by the outside.
    refused: Option<(usize, usize)>,
}

impl Executor {
    /// An executor of these pipelines, the deepest first.
    pub fn new(
        index: usize,
        pipelines: Vec<Pipeline>,
        wait: Wait,
        control: Arc<Control>,
        clock: Arc<dyn Clock>,
    ) -> Executor {
        Executor {
            index,
            pipelines,
            sender_ids: Vec::new(),
            wait,
            parker: Arc::default(),
            others: Vec::new(),
            control,
            clock,
            meter: ExecutorMeter::default(),
            barrier: 0,
            snapshot: 0,
            draining: false,
            flushed: true,
            refused: None,
        }
    }

    /// One bounded step of each pipeline. Never waits.
    ///
    /// # Errors
    /// A split could not be read on, or a sink could not write.
    pub fn step(&mut self) -> Result<Progress, ComponentError> {
        self.obey();
        let (mut some, mut ended, mut due) = (false, true, None::<u64>);
        let (mut failed, mut broken) = (None, false);
        for pipeline in &mut self.pipelines {
            let stepped = pipeline.step();
            broken |= std::mem::take(&mut pipeline.program.broken);
            match stepped {
                Ok(Progress::Some) => (some, ended) = (true, false),
                Ok(Progress::None(at)) => {
                    ended = false;
                    due = [due, at].into_iter().flatten().min();
                }
                Ok(Progress::Ended) => {}
                Err(error) => {
                    failed = Some(error);
                    ended = false;
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if broken {
            self.idle()?;
        }
        if some {
            self.flushed = false;
            return Ok(Progress::Some);
        }
        if !self.flushed {
            self.flushed = true;
            self.idle()?;
        }
        Ok(if ended { Progress::Ended } else { Progress::None(due) })
    }

    /// Lets all bolts flush, also those behind one that fails.
    fn idle(&mut self) -> Result<(), ComponentError> {
        let mut first = Ok(());
        for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
            for (t, task) in pipeline.program.tasks.iter_mut().enumerate() {
                let flushed = task.bolt.idle();
                if flushed.is_err() {
                    self.refused.get_or_insert((p, t));
                    first = first.and(flushed);
                }
            }
        }
        first
    }

    fn obey(&mut self) {
        if !self.draining && self.control.drain.load(Ordering::Relaxed) {
            self.draining = true;
            self.pipelines.iter_mut().for_each(Pipeline::drain);
        }
        let barrier = self.control.barrier.load(Ordering::Relaxed);
        if barrier > self.barrier {
            self.barrier = barrier;
            self.pipelines.iter_mut().for_each(|p| p.inject_barrier(barrier));
        }
        let snapshot = self.control.snapshot.load(Ordering::Relaxed);
        if snapshot > self.snapshot {
            self.snapshot = snapshot;
            self.publish();
        }
    }

    #[cold]
    fn publish(&mut self) {
        let snapshot = self.snapshot();
        let mut all = self.control.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = all.get_mut(self.index) {
            *slot = Some(snapshot);
        }
    }

    /// Its numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { executor: self.meter.clone(), ..Snapshot::default() };
        for (n, pipeline) in self.pipelines.iter().enumerate() {
            snapshot.decided.merge(&pipeline.decided);
            snapshot.sinks.extend(pipeline.sinks.iter().cloned());
            snapshot.tasks.extend(pipeline.program.tasks.iter().map(|t| (t.component, t.meter.clone())));
            for Input { source, .. } in &pipeline.inputs {
                match source {
                    Source::Split(split) => {
                        let meter = TaskMeter { refused: split.spout.filtered(), ..split.meter.clone() };
                        snapshot.splits.push((split.component, meter));
                    }
                    Source::Channel(c) => snapshot.channels.push((c.id, c.tuples, c.wait.clone())),
                }
            }
            let ids = self.sender_ids.get(n).map_or(&[][..], Vec::as_slice);
            let senders = pipeline.program.senders.iter().zip(ids);
            snapshot.sent.extend(senders.map(|(s, id)| (*id, s.sent(), s.times_full())));
            for router in &pipeline.program.routers {
                snapshot.unrouted.extend(router.failed.iter().map(|(r, n)| (router.component, *r, *n)));
            }
        }
        snapshot
    }

    /// Steps until all has ended, waiting as its strategy says; then lets all bolts finish. The first error, if any,
    /// after everything that could still be processed has been.
    pub fn run(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.parker.register();
        let mut empty = 0u32;
        let (mut first_error, mut first_of) = (None, None);
        let mut before = self.clock.nanos();
        while !self.control.abort.load(Ordering::Relaxed) {
            let progress = match self.step() {
                Ok(progress) => progress,
                Err(error) => {
                    // What has been read is finished: a failed source counts as ended, a failed sink stops the rest.
                    if first_error.is_none() {
                        (first_error, first_of) = (Some(error), self.refused);
                    }
                    self.control.drain.store(true, Ordering::Relaxed);
                    Progress::Some
                }
            };
            let now = self.clock.nanos();
            let took = now.saturating_sub(before);
            before = now;
            match progress {
                Progress::Ended => break,
                Progress::Some => {
                    empty = 0;
                    self.meter.steps += 1;
                    self.meter.busy_ns += took;
                    self.meter.longest_step_ns = self.meter.longest_step_ns.max(took);
                    self.meter.stalls += u64::from(took > STALL_NS);
                    self.wake_others();
                }
                Progress::None(due) => {
                    empty = empty.saturating_add(1);
                    self.meter.idle_steps += 1;
                    self.pause(empty, due);
                    before = self.clock.nanos();
                }
            }
        }
        self.wake_others();
        for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
            for (t, task) in pipeline.program.tasks.iter_mut().enumerate() {
                let finished = task.bolt.finish(sections);
                sections.components.resize(sections.sections.len(), task.component);
                match finished {
                    // The bolt that stopped the run knows by now what it has lost.
                    Err(error) if first_error.is_none() || first_of == Some((p, t)) => first_error = Some(error),
                    Err(_) | Ok(()) => {}
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    #[inline]
    fn wake_others(&self) {
        for other in &self.others {
            other.wake();
        }
    }

    fn pause(&mut self, empty: u32, due: Option<u64>) {
        match self.wait.pause(empty) {
            Pause::Spin => std::hint::spin_loop(),
            Pause::Yield => std::thread::yield_now(),
            Pause::Park => {
                let splits = |p: &Pipeline| p.inputs.iter().any(|i| matches!(i.source, Source::Split(_)) && !i.ended);
                let mut limit = if self.pipelines.iter().any(splits) { POLL } else { SLEEP };
                if let Some(due) = due {
                    limit = limit.min(Duration::from_nanos(due.saturating_sub(self.clock.nanos())));
                }
                let arrived = |i: &Input| matches!(&i.source, Source::Channel(c) if !c.receiver.is_empty());
                let pipelines = &self.pipelines;
                self.parker.park(limit, || pipelines.iter().any(|p| p.inputs.iter().any(arrived)));
            }
        }
    }
}
