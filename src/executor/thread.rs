//! An executor: its pipelines, one bounded step of all of them, and the thread around it.

use super::control::{Control, Seen};
use super::meter::{ExecutorMeter, TaskMeter};
use super::pipeline::{Pipeline, Progress};
use super::wait::{Parker, Pause, Wait};
use super::{At, Culprit, Input, Source};
use crate::component::{ComponentError, Sections, Teller};
use crate::latency::Recorder;
use crate::store::{LifeMeter, Space, StoreError};
use crate::time::Clock;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A step longer than this is a stall, nanoseconds.
const STALL_NS: u64 = 1_000_000;
/// Longest sleep of an executor that has splits to look at, and of one whose splits say what to wait for, or that only
/// has channels.
const POLL: Duration = Duration::from_micros(500);
/// The first of them where nothing has been done for so long, nanoseconds.
const QUIET_POLL: Duration = Duration::from_millis(2);
const QUIET_NS: u64 = 1_000_000_000;
const SLEEP: Duration = Duration::from_millis(100);

/// The first pause before a write that the outside has refused is tried again, and the longest, nanoseconds.
const PAUSE_NS: u64 = 10_000_000;
const PAUSE_MAX_NS: u64 = 1_000_000_000;

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
    /// Counts of keyed state, by component.
    pub states: Vec<(usize, LifeMeter)>,
    /// How long timers have waited, from the instant at which time could pass their deadlines.
    pub timers: Recorder,
    /// How long barriers have held up pipelines.
    pub barriers: Recorder,
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
    /// Who is to be woken when something moved: the other executors, where they may sleep.
    pub others: Vec<Arc<Parker>>,
    /// Orders from outside.
    pub control: Arc<Control>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its counts.
    pub meter: ExecutorMeter,
    /// The topology's store; none if state lives in memory only.
    pub space: Option<Arc<Space>>,
    states: Vec<(usize, LifeMeter)>,
    /// What the coordinator sees of it.
    pub seen: Arc<Seen>,
    barrier: u64,
    durable: u64,
    snapshot: u64,
    draining: bool,
    ended: bool,
    flushed: bool,
    /// When the last step began, and whether it did something and is still to be accounted for.
    began: u64,
    busy: bool,
    /// Whether it did something that an epoch must end for.
    worked: bool,
    /// When it last did.
    worked_ns: u64,
    /// What it waits for.
    sockets: Vec<RawFd>,
    /// The task (by pipeline) whose bolt was the first to be refused by the outside.
    refused: Option<(usize, usize)>,
    /// The pipeline that was stepped last.
    at: usize,
    /// When what the outside refuses is tried again, and the pause after that; zero: nothing is refused.
    again: u64,
    again_pause: u64,
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
            space: None,
            states: Vec::new(),
            seen: Arc::default(),
            barrier: 0,
            durable: 0,
            snapshot: 0,
            draining: false,
            ended: false,
            flushed: true,
            began: 0,
            busy: false,
            worked: false,
            worked_ns: 0,
            sockets: Vec::new(),
            refused: None,
            at: 0,
            again: 0,
            again_pause: 0,
        }
    }

    /// What was running when a panic left it.
    pub fn culprit(&self) -> Culprit {
        self.pipelines[self.at].culprit()
    }

    /// One bounded step of each pipeline; also counts how long the last one took, which it was the end of. Never waits.
    ///
    /// # Errors
    /// A split could not be read on, or a sink could not write.
    pub fn step(&mut self) -> Result<Progress, ComponentError> {
        let mut now = self.clock.nanos();
        self.account(now);
        self.obey()?;
        let (mut some, mut ended, mut due) = (false, true, None::<u64>);
        self.worked = false;
        let (mut failed, mut broken, mut stale) = (None, false, false);
        for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
            self.at = p;
            if std::mem::take(&mut stale) {
                now = self.clock.nanos();
            }
            let stepped = pipeline.step(now);
            broken |= std::mem::take(&mut pipeline.program.broken);
            self.worked |= pipeline.take_worked();
            match stepped {
                Ok(Progress::Some) => (some, ended, stale) = (true, false, true),
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
        if self.space.as_ref().is_some_and(|space| space.is_refused()) {
            let again = self.try_again(now)?;
            due = Some(due.map_or(again, |due| due.min(again)));
        } else {
            self.again_pause = 0;
        }
        if some {
            self.worked_ns = if self.worked { now } else { self.worked_ns };
            self.flushed = false;
            self.busy = true;
            if self.worked && self.space.is_some() {
                // Relaxed: the coordinator only asks whether it is another number than before.
                let moved = self.seen.moved.load(Ordering::Relaxed);
                self.seen.moved.store(moved + 1, Ordering::Relaxed);
            }
            return Ok(Progress::Some);
        }
        if !self.flushed {
            self.flushed = true;
            self.idle()?;
        }
        Ok(if ended { Progress::Ended } else { Progress::None(due) })
    }

    /// A step begins: the one before, if it did something, is over.
    #[inline]
    fn account(&mut self, now: u64) {
        let took = now.saturating_sub(self.began);
        self.began = now;
        if std::mem::take(&mut self.busy) {
            self.meter.steps += 1;
            self.meter.busy_ns += took;
            self.meter.longest_step_ns = self.meter.longest_step_ns.max(took);
            self.meter.stalls += u64::from(took > STALL_NS);
        }
    }

    /// Lets all bolts flush, also those behind one that fails.
    fn idle(&mut self) -> Result<(), ComponentError> {
        let mut first = Ok(());
        for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
            self.at = p;
            for (t, task) in pipeline.program.tasks.iter_mut().enumerate() {
                pipeline.program.at = At { task: t as u16, node: u16::MAX };
                let flushed = task.bolt.idle();
                if flushed.is_err() {
                    self.refused.get_or_insert((p, t));
                    first = first.and(flushed);
                }
            }
            if let Some(letters) = &mut pipeline.program.letters {
                first = first.and(letters.tray.idle().map_err(|error| ComponentError::new(error.to_string())));
            }
        }
        first.inspect_err(|error| self.stop_commits(error))
    }

    /// What a sink has refused must not become durable as delivered: the next start brings it again.
    #[cold]
    fn stop_commits(&self, error: &ComponentError) {
        if let Some(space) = &self.space {
            space.fail(StoreError::Refused(error.to_string()));
        }
    }

    /// The outside refuses something: bolts try again at an idle moment, after a pause that grows. When the next comes.
    #[cold]
    fn try_again(&mut self, now: u64) -> Result<u64, ComponentError> {
        if self.again_pause == 0 {
            (self.again_pause, self.again) = (PAUSE_NS, now.saturating_add(PAUSE_NS));
        } else if now >= self.again {
            self.again_pause = (self.again_pause * 2).min(PAUSE_MAX_NS);
            self.again = now.saturating_add(self.again_pause);
            // Before it: who sees that nothing is refused any more sees that something has happened.
            self.seen.moved.fetch_add(1, Ordering::Relaxed);
            self.idle()?;
        }
        Ok(self.again)
    }

    #[inline]
    fn obey(&mut self) -> Result<(), ComponentError> {
        if !self.draining && self.control.drain.load(Ordering::Relaxed) {
            self.draining = true;
            self.pipelines.iter_mut().for_each(Pipeline::drain);
        }
        let barrier = self.control.barrier.load(Ordering::Relaxed);
        if barrier > self.barrier {
            self.barrier = barrier;
            self.pipelines.iter_mut().for_each(|p| p.close_epoch(barrier));
        }
        let snapshot = self.control.snapshot.load(Ordering::Relaxed);
        if snapshot > self.snapshot {
            self.snapshot = snapshot;
            self.publish();
        }
        self.obey_commits()
    }

    /// What the committer has to say.
    fn obey_commits(&mut self) -> Result<(), ComponentError> {
        let Some(space) = &self.space else { return Ok(()) };
        if let Some(error) = space.failure() {
            // Nothing that happens from now on will be durable.
            self.control.abort.store(true, Ordering::Relaxed);
            return Err(ComponentError::new(error.to_string()));
        }
        let hold = self.control.hold.load(Ordering::Relaxed);
        self.pipelines.iter_mut().for_each(|p| p.hold = hold);
        let durable = space.durable();
        if durable > self.durable {
            self.durable = durable;
            let mut news = false;
            for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
                self.at = p;
                let told = pipeline.program.committed(durable);
                news |= told.inspect_err(|error| space.fail(StoreError::Refused(error.to_string())))?;
            }
            if news {
                self.seen.moved.fetch_add(1, Ordering::Relaxed);
            }
            // Release: partner of the acquire in `Control::have_ended`; who sees the epoch sees that there is news.
            self.seen.durable.store(durable, Ordering::Release);
        }
        Ok(())
    }

    #[cold]
    fn publish(&mut self) {
        self.count_states();
        let snapshot = self.snapshot();
        let mut all = self.control.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = all.get_mut(self.index) {
            *slot = Some(snapshot);
        }
    }

    /// Asks the tasks for the counts of their state.
    fn count_states(&mut self) {
        self.states.clear();
        for task in self.pipelines.iter_mut().flat_map(|p| &mut p.program.tasks) {
            let component = task.component;
            task.bolt.states(&mut |state| self.states.extend(state.meter().map(|meter| (component, meter))));
        }
    }

    /// Its numbers now; those of keyed state as they were when they were last asked for.
    pub fn snapshot(&self) -> Snapshot {
        let (executor, states) = (self.meter.clone(), self.states.clone());
        let mut snapshot = Snapshot { executor, states, ..Snapshot::default() };
        for (n, pipeline) in self.pipelines.iter().enumerate() {
            snapshot.barriers.merge(&pipeline.barrier_ns);
            snapshot.timers.merge(&pipeline.timers);
            snapshot.decided.merge(&pipeline.decided);
            snapshot.sinks.extend(pipeline.sinks.iter().cloned());
            snapshot.tasks.extend(pipeline.program.meters());
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
            match progress {
                Progress::Ended if !self.waits_for_commit() => break,
                Progress::Ended => {
                    empty = empty.saturating_add(1);
                    self.pause(empty, None);
                }
                Progress::Some => {
                    // Who has only heard how far time is, or passed a barrier on, is soon asleep again.
                    empty = if self.worked { 0 } else { empty };
                    self.wake_others();
                }
                Progress::None(due) => {
                    empty = empty.saturating_add(1);
                    self.meter.idle_steps += 1;
                    self.pause(empty, due);
                }
            }
        }
        self.wake_others();
        self.count_states();
        for (p, pipeline) in self.pipelines.iter_mut().enumerate() {
            self.at = p;
            for input in &mut pipeline.inputs {
                let Source::Split(split) = &mut input.source else { continue };
                split.spout.finish(sections);
                sections.tellers.resize(sections.sections.len(), Teller::Spout(split.component));
            }
            for (t, task) in pipeline.program.tasks.iter_mut().enumerate() {
                pipeline.program.at = At { task: t as u16, node: u16::MAX };
                let finished = task.bolt.finish(sections);
                sections.tellers.resize(sections.sections.len(), Teller::Bolt(task.component));
                match finished {
                    // The bolt that stopped the run knows by now what it has lost.
                    Err(error) if first_error.is_none() || first_of == Some((p, t)) => first_error = Some(error),
                    Err(_) | Ok(()) => {}
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Whether it has to stay, at its end, until all its state is durable.
    fn waits_for_commit(&mut self) -> bool {
        if !self.control.commits.load(Ordering::Relaxed) {
            return false;
        }
        if !std::mem::replace(&mut self.ended, true) {
            self.control.ended.fetch_add(1, Ordering::Relaxed);
        }
        !self.control.finish.load(Ordering::Relaxed)
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
                self.sockets.clear();
                let poll = if self.began.saturating_sub(self.worked_ns) < QUIET_NS { POLL } else { QUIET_POLL };
                let mut limit = SLEEP;
                for pipeline in &mut self.pipelines {
                    limit = limit.min(pipeline.wait_on(&mut self.sockets).unwrap_or(poll));
                }
                if let Some(due) = due {
                    limit = limit.min(Duration::from_nanos(due.saturating_sub(self.clock.nanos())));
                }
                let arrived = |i: &Input| matches!(&i.source, Source::Channel(c) if !c.receiver.is_empty());
                let pipelines = &self.pipelines;
                self.parker.park(limit, &self.sockets, || pipelines.iter().any(|p| p.inputs.iter().any(arrived)));
            }
        }
    }
}
