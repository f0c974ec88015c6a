//! The program of a pipeline: tasks, the edges between them, and the loop that takes a tuple through them.
//!
//! A task's output stream is a list of [`Target`]s. A tuple follows the targets of its stream one after the other, each
//! with everything behind it, before the next; slots written behind one target are not read behind another. The loop
//! keeps its place on a stack of its own, so that a step that makes many rows can stop between two of them while a
//! channel is full, and go on later.
//!
//! Never reads an input, never flushes a channel, never waits.

mod holds;
mod leave;
mod reach;
mod timers;

use super::at::At;
use super::channel::Sender;
use super::dispatch::Dispatch;
use super::letters::Letters;
use super::meter::TaskMeter;
use super::route::{Choice, Destination, Router};
use crate::component::{Bolt, ComponentError, Step};
use crate::expr::{Compiled, EvalError};
use crate::tuple::{Arena, Frame, Slot};
use holds::Holds;
pub use reach::Reach;
use std::ops::Range;
pub use timers::Fired;

/// Where a tuple of a stream goes.
pub enum Target {
    /// Into a node.
    Node(u16),
    /// Into a node whose input has slots of its own (several streams united): first these are copied, none being NULL.
    Copy(Box<[(Option<Slot>, Slot)]>, u16),
    /// To one or more of several tasks.
    Route(u16),
    /// Into those of many nodes whose conditions are true.
    Dispatch(u16),
}

/// A range of [`Program::targets`].
pub type Targets = Range<u32>;

/// An input of a task.
pub struct Node {
    /// The task.
    pub task: u16,
    /// Which of its inputs.
    pub input: u16,
    /// `where`.
    pub filter: Option<Compiled>,
    /// The output stream that tuples refused by `where` leave on, if any.
    pub rejected: Option<u8>,
}

/// A task of a bolt.
pub struct Task {
    /// The bolt.
    pub bolt: Box<dyn Bolt>,
    /// Index of its component, for reports.
    pub component: usize,
    /// The component's name.
    pub name: Box<str>,
    /// Its number, and of how many.
    pub number: (usize, usize),
    /// Whether it keeps state.
    pub stateful: bool,
    /// How far time was for it when the last run ended: what is further back is late.
    pub floor: i64,
    /// The output stream of late rows, if nobody reads it and there are dead letters.
    pub late: Option<u8>,
    /// `having`, applied to the main stream.
    pub having: Option<Compiled>,
    /// Targets of its output streams; the last is `errors`.
    pub outputs: Vec<Targets>,
    /// Slots of the columns of `errors`, if anyone reads it.
    pub errors: Option<ErrorSlots>,
    /// Whether it is a sink: its tuples' ages are recorded.
    pub sink: Option<u16>,
    /// The earliest deadline of its timers.
    pub deadline: i64,
    /// Counts.
    pub meter: TaskMeter,
}

/// Slots of the columns of an `errors` stream.
#[derive(Clone, Debug)]
pub struct ErrorSlots {
    /// `component`.
    pub component: Slot,
    /// `reason`.
    pub reason: Slot,
    /// `split`.
    pub split: Slot,
    /// `position`.
    pub position: Slot,
    /// `text`.
    pub text: Slot,
}

/// A place on the way of a tuple.
enum Level {
    /// Targets that are still to be followed.
    Targets(Targets),
    /// Nodes that a dispatch has found and that are still to be entered.
    Hits(u16),
    /// A task that has rows waiting, and the tuple's header words that its rows may change.
    Rows { at: At, time: i64, path: u64 },
}

/// What following a tuple came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The tuple and all that it made have been processed.
    Done,
    /// Rows wait in a task because a channel is full; call [`Program::resume`] when it has room.
    Suspended,
}

/// What is around a tuple while it is followed.
pub struct Around<'a> {
    /// Memory for texts made on the way.
    pub arena: &'a Arena,
    /// Index of the tuple in its run, or an index behind all runs where nothing was resolved.
    pub index: usize,
    /// The pipeline's watermark.
    pub watermark: i64,
    /// What bolts and channels are told of time: the watermark, or, while a timer's row is followed, its deadline, since
    /// other timers that the watermark has passed are still to fire.
    pub promise: i64,
    /// Reads the clock where service times are sampled.
    pub clock: &'a dyn crate::time::Clock,
}

/// The tasks of a pipeline and what joins them.
pub struct Program {
    /// All targets; streams own ranges.
    pub targets: Vec<Target>,
    /// Inputs of tasks.
    pub nodes: Vec<Node>,
    /// Tasks, in program order.
    pub tasks: Vec<Task>,
    /// Routers.
    pub routers: Vec<Router>,
    /// Nodes that are found together.
    pub dispatches: Vec<Dispatch>,
    /// Channels that leave the pipeline.
    pub senders: Vec<Sender>,
    /// Words that may wait in one sender before a task with many rows is suspended.
    pub pending_words_max: usize,
    /// The earliest deadline of all tasks, but of those that must wait for others.
    pub deadline: i64,
    /// Sinks that the current tuple reached.
    pub reached: Vec<u16>,
    /// Whether the current tuple went into a channel.
    pub forwarded: bool,
    /// Whether a task has said that the outside refuses it for good; the executor asks which, and why.
    pub broken: bool,
    /// Where dead letters go, if they are kept.
    pub letters: Option<Box<Letters>>,
    /// Where it is, or was last: one store for each task that a tuple enters.
    pub at: At,
    /// Split and position of the tuple that is followed, or was last.
    pub origin: (u32, u64),
    /// What the same inputs reach, those of few inputs first.
    pub reaches: Vec<Reach>,
    stack: Vec<Level>,
    holds: Holds,
    failure: Option<(&'static str, String)>,
}

impl Program {
    /// A program of these parts.
    pub fn new(
        targets: Vec<Target>,
        nodes: Vec<Node>,
        tasks: Vec<Task>,
        routers: Vec<Router>,
        senders: Vec<Sender>,
        pending_words_max: usize,
    ) -> Program {
        let deadline = tasks.iter().map(|task| task.deadline).min().unwrap_or(i64::MAX);
        let holds = Holds::new(tasks.len(), senders.len());
        Program {
            targets,
            nodes,
            tasks,
            routers,
            dispatches: Vec::new(),
            senders,
            pending_words_max,
            deadline,
            reached: Vec::new(),
            forwarded: false,
            broken: false,
            letters: None,
            at: At::NONE,
            origin: (u32::MAX, 0),
            stack: Vec::new(),
            holds,
            reaches: Vec::new(),
            failure: None,
        }
    }

    /// Takes a tuple along `targets`. With `TIMED`, the service time of each task is measured.
    #[inline]
    pub fn follow<const TIMED: bool>(&mut self, frame: &mut Frame, targets: Targets, around: &Around<'_>) -> Followed {
        self.origin = (frame.split(), frame.position());
        self.run::<TIMED>(frame, targets, around)
    }

    /// Goes on with a tuple that was suspended.
    pub fn resume(&mut self, frame: &mut Frame, around: &Around<'_>) -> Followed {
        self.origin = (frame.split(), frame.position());
        self.run::<false>(frame, 0..0, around)
    }

    /// What the tasks have counted, each with its component, tuples included that were refused without being looked at.
    pub fn meters(&self) -> Vec<(usize, TaskMeter)> {
        let mut meters: Vec<_> = self.tasks.iter().map(|task| (task.component, task.meter.clone())).collect();
        for (node, missed) in self.dispatches.iter().flat_map(Dispatch::missed) {
            let node = &self.nodes[node as usize];
            let meter = &mut meters[node.task as usize].1;
            meter.tuples_in += missed;
            match node.rejected {
                Some(port) => meter.tuples_out[port as usize] += missed,
                None => meter.refused += missed,
            }
        }
        meters
    }

    /// Whether a channel has so much waiting that no more rows should be made.
    pub fn congested(&self) -> bool {
        self.senders.iter().any(|s| s.pending_words() > self.pending_words_max)
    }

    /// Epoch `epoch` ends: tasks close it in program order.
    pub fn barrier(&mut self, epoch: u64) {
        for (n, task) in self.tasks.iter_mut().enumerate() {
            self.at = At { task: n as u16, node: u16::MAX };
            task.bolt.barrier(epoch);
            task.bolt.states(&mut |state| state.barrier(epoch));
        }
    }

    /// Epoch `durable` is durable; whether something came of it that belongs into the next one.
    ///
    /// # Errors
    /// The outside refuses what a task held back until now, or the topic of dead letters.
    pub fn committed(&mut self, durable: u64) -> Result<bool, ComponentError> {
        let mut news = false;
        for (n, task) in self.tasks.iter_mut().enumerate() {
            self.at = At { task: n as u16, node: u16::MAX };
            news |= task.bolt.committed(durable)?;
        }
        if let Some(letters) = &mut self.letters {
            letters.tray.committed(durable).map_err(|error| ComponentError::new(error.to_string()))?;
        }
        Ok(news)
    }

    fn run<const TIMED: bool>(&mut self, frame: &mut Frame, targets: Targets, around: &Around<'_>) -> Followed {
        let mut cursor = targets;
        loop {
            if cursor.start < cursor.end {
                let mut target = cursor.start;
                cursor.start += 1;
                match self.targets[target as usize] {
                    Target::Route(router) => match self.route::<TIMED>(router, frame, around) {
                        Some(local) => target = local,
                        None => continue,
                    },
                    Target::Dispatch(dispatch) => {
                        if self.dispatches[dispatch as usize].find(frame, around.arena) {
                            if cursor.start < cursor.end {
                                self.stack.push(Level::Targets(cursor));
                            }
                            self.stack.push(Level::Hits(dispatch));
                            cursor = 0..0;
                        }
                        continue;
                    }
                    Target::Node(_) | Target::Copy(..) => {}
                }
                let depth = self.stack.len();
                let next = self.take::<TIMED>(target, frame, around);
                if self.stack.len() > depth {
                    // Rows wait in the task: all of them are followed before what comes after it.
                    if cursor.start < cursor.end {
                        self.stack.insert(depth, Level::Targets(cursor));
                    }
                    cursor = next;
                    continue;
                }
                if next.start < next.end {
                    if cursor.start < cursor.end {
                        self.stack.push(Level::Targets(cursor));
                    }
                    cursor = next;
                }
                continue;
            }
            match self.stack.pop() {
                None => return Followed::Done,
                Some(Level::Targets(rest)) => cursor = rest,
                Some(Level::Hits(dispatch)) => {
                    if let Some((node, failure)) = self.dispatches[dispatch as usize].next_hit() {
                        self.stack.push(Level::Hits(dispatch));
                        cursor = self.enter_found::<TIMED>(node, failure, frame, around);
                    }
                }
                Some(rows @ Level::Rows { .. }) if self.congested() => {
                    self.stack.push(rows);
                    return Followed::Suspended;
                }
                Some(Level::Rows { at, time, path }) => {
                    frame.set_time(time);
                    frame.set_path(path);
                    cursor = self.next_row(at, frame, around);
                }
            }
        }
    }

    /// A tuple goes along one target that is not a router.
    #[inline(always)]
    fn take<const TIMED: bool>(&mut self, target: u32, frame: &mut Frame, around: &Around<'_>) -> Targets {
        match &self.targets[target as usize] {
            Target::Node(node) => self.enter::<TIMED>(*node, frame, around),
            Target::Copy(moves, node) => {
                for (from, to) in moves {
                    match from {
                        Some(from) => frame.copy(*from, *to),
                        None => frame.set_null(*to),
                    }
                }
                self.enter::<TIMED>(*node, frame, around)
            }
            Target::Route(_) | Target::Dispatch(_) => 0..0,
        }
    }

    /// A tuple enters an input of a task; the targets of the stream it leaves on.
    #[inline(always)]
    fn enter<const TIMED: bool>(&mut self, node: u16, frame: &mut Frame, around: &Around<'_>) -> Targets {
        let start = if TIMED { around.clock.nanos() } else { 0 };
        let Node { task, input, filter, rejected } = &self.nodes[node as usize];
        let (task, input) = (*task, *input);
        self.at = At { task, node };
        let owner = &mut self.tasks[task as usize];
        owner.meter.tuples_in += 1;
        if let Some(filter) = filter {
            match filter.test(frame, around.arena) {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(port) = rejected {
                        return self.out(task, *port);
                    }
                    owner.meter.refused += 1;
                    return 0..0;
                }
                Err(error) => return self.fail(task, error.reason, &error.text("where"), frame, around),
            }
        }
        self.pass::<TIMED>((task, input), start, frame, around)
    }

    /// A tuple enters an input whose `where` has been tested: it is true, or has failed.
    #[inline(never)]
    fn enter_found<const TIMED: bool>(
        &mut self,
        node: u16,
        failure: Option<EvalError>,
        frame: &mut Frame,
        around: &Around<'_>,
    ) -> Targets {
        let start = if TIMED { around.clock.nanos() } else { 0 };
        let Node { task, input, .. } = self.nodes[node as usize];
        self.at = At { task, node };
        self.tasks[task as usize].meter.tuples_in += 1;
        match failure {
            None => self.pass::<TIMED>((task, input), start, frame, around),
            Some(error) => self.fail(task, error.reason, &error.text("where"), frame, around),
        }
    }

    /// A tuple that `where` has let pass is processed by a task.
    #[inline(always)]
    fn pass<const TIMED: bool>(
        &mut self,
        (task, input): (u16, u16),
        start: u64,
        frame: &mut Frame,
        around: &Around<'_>,
    ) -> Targets {
        let owner = &mut self.tasks[task as usize];
        let held = self.holds.of(task);
        let mut step = step(around, (owner.floor, held), &mut self.failure, &mut owner.deadline);
        let flow = owner.bolt.step(input as usize, frame, &mut step);
        if owner.deadline < self.deadline && owner.deadline < held {
            self.deadline = owner.deadline;
        }
        if let Some(sink) = owner.sink {
            self.reached.push(sink);
        }
        if self.holds.by(task) {
            self.hold(task);
        }
        if TIMED {
            let took = around.clock.nanos().saturating_sub(start);
            let recorder = self.tasks[task as usize].meter.service.get_or_insert_with(Default::default);
            recorder.record(start + took, took);
        }
        self.leave(task, flow, frame, around)
    }

    /// Sends a tuple where its router says; the target along which it goes on here, if any.
    #[inline(always)]
    fn route<const TIMED: bool>(&mut self, router: u16, frame: &mut Frame, around: &Around<'_>) -> Option<u32> {
        let router = &mut self.routers[router as usize];
        let sampled = || TIMED.then(|| around.clock.nanos());
        match router.choose(frame, around.arena) {
            Choice::One(Destination::Target(target)) => Some(target),
            Choice::One(Destination::Sender(sender)) => {
                self.forwarded = true;
                self.senders[sender as usize].tuple(frame, around.promise, sampled());
                None
            }
            Choice::All => {
                let mut first = None;
                for destination in &router.destinations {
                    match *destination {
                        Destination::Sender(sender) => {
                            self.forwarded = true;
                            self.senders[sender as usize].tuple(frame, around.promise, sampled());
                        }
                        Destination::Target(target) if first.is_none() => first = Some(target),
                        Destination::Target(target) => self.stack.push(Level::Targets(target..target + 1)),
                    }
                }
                first
            }
            Choice::Failed => None,
        }
    }
}

#[inline(always)]
fn step<'a>(
    around: &Around<'a>,
    (floor, held): (i64, i64),
    failure: &'a mut Option<(&'static str, String)>,
    deadline: &'a mut i64,
) -> Step<'a> {
    let watermark = around.promise.min(held).max(floor);
    Step { index: around.index, watermark, arena: around.arena, failure, deadline }
}
