//! A pipeline: inputs, a program, output channels; single-threaded.
//!
//! One [`Pipeline::step`] does a bounded amount of work, in this order:
//! 1. publish what waits for the output channels; while something still waits, nothing is read;
//! 2. go on with a tuple that was suspended between two rows;
//! 3. else ask the inputs that are used up, choose one, and follow the tuples of its run: before each, the watermark
//!    moves and the timers that it has passed fire, then the tuple goes through the program, then its age is recorded;
//! 4. hand watermark, barrier or end to the outputs.
//!
//! Invariants: an input that has delivered barrier N is not read until all inputs have (an input at its end counts as
//! having); texts of a run live until all its tuples are done; a full channel never waits inside a call.

use super::input::{Asked, ENDED, Input, Source};
use super::program::{Around, Followed, Program};
use super::sides;
use crate::component::ComponentError;
use crate::executor::channel::Item;
use crate::latency::Recorder;
use crate::time::Clock;
use crate::tuple::{Arena, Frame, Layout, RUN_TUPLES, Run};
use std::sync::Arc;

/// The order in which inputs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A run of each in turn.
    Turn,
    /// The tuple with the earliest event time of all, ties by the order of inputs: finite splits, read in step.
    Time,
    /// One after the other: finite splits without event time.
    Sequence,
}

/// What a step achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something was done.
    Some,
    /// Nothing could be done; the next tuple is due at this time (nanoseconds), if that is known.
    None(Option<u64>),
    /// All inputs have come to their end and all is handed on.
    Ended,
}

/// How far a pipeline has come with ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Running,
    Announced,
}

/// What was left half done because a channel is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspended {
    /// The last followed tuple of this input.
    Tuple(usize),
    /// A timer's row, in the scratch frame.
    Timer,
    /// Timers that the watermark has passed; the scratch frame has their due time.
    Timers,
}

/// A pipeline.
pub struct Pipeline {
    /// Its number in the plan.
    pub id: usize,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// Its program.
    pub program: Program,
    /// How inputs are read.
    pub order: Order,
    /// Ages of tuples when their processing ended here.
    pub decided: Recorder,
    /// The same of each sink: component, ages.
    pub sinks: Vec<(usize, Recorder)>,
    /// Of how many tuples one has its service times measured; zero: none.
    pub sample: u32,
    clock: Arc<dyn Clock>,
    arena: Arena,
    /// A frame for timers and rejects.
    scratch: Run,
    watermark: i64,
    turn: usize,
    suspended: Option<Suspended>,
    /// Deadline of the timer that fired last.
    fired: i64,
    until_sample: u32,
    barrier: u64,
    /// The barrier that is to be put behind the tuples of the splits.
    injected: u64,
    /// The barrier that some inputs have delivered and some have not.
    aligning: Option<u64>,
    ending: Ending,
    /// Whether sources were told to stop.
    draining: bool,
}

impl Pipeline {
    /// A pipeline whose frames have this layout.
    pub fn new(
        id: usize,
        layout: Layout,
        inputs: Vec<Input>,
        program: Program,
        order: Order,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Pipeline {
            id,
            inputs,
            program,
            order,
            decided: Recorder::default(),
            sinks: Vec::new(),
            sample: 0,
            clock,
            arena: Arena::new(),
            scratch: Run::new(layout),
            watermark: i64::MIN,
            turn: 0,
            suspended: None,
            fired: i64::MIN,
            until_sample: 0,
            barrier: 0,
            injected: 0,
            aligning: None,
            ending: Ending::Running,
            draining: false,
        }
    }

    /// The watermark of its inputs together.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// The last barrier that has passed through it.
    pub fn barrier(&self) -> u64 {
        self.barrier
    }

    /// Sources stop: splits are at their end, what was read is still followed.
    pub fn drain(&mut self) {
        self.draining = true;
        for input in &mut self.inputs {
            if matches!(input.source, Source::Split(_)) {
                input.ended = true;
            }
        }
    }

    /// The clock of all splits moves to this event time (a test's clock): what they promise, timers included.
    pub fn advance(&mut self, time: i64) {
        for input in &mut self.inputs {
            if matches!(input.source, Source::Split(_)) {
                input.saw(time);
            }
        }
        self.move_time(None);
        self.hand_on();
    }

    /// A barrier is put behind the tuples of the splits that have been followed so far; those that were read but not
    /// followed come after it, and so does nothing that a tuple before it has still to make: it waits for a tuple that
    /// is suspended.
    pub fn inject_barrier(&mut self, epoch: u64) {
        self.injected = epoch;
    }

    fn inject(&mut self) {
        let epoch = std::mem::take(&mut self.injected);
        let mut any = false;
        for input in &mut self.inputs {
            if matches!(input.source, Source::Split(_)) && (!input.ended || input.has_tuples()) {
                input.aligned = true;
                any = true;
            }
        }
        if any {
            self.align(epoch);
        }
    }

    /// One bounded step.
    ///
    /// # Errors
    /// A split could not be read on; what was read before it is still processed by the next steps.
    pub fn step(&mut self) -> Result<Progress, ComponentError> {
        let mut moved = self.flush();
        if self.program.senders.iter().any(|s| s.pending()) {
            return Ok(if moved { Progress::Some } else { Progress::None(None) });
        }
        if self.ending == Ending::Announced {
            return Ok(Progress::Ended);
        }
        if let Some(at) = self.suspended.take() {
            self.resume(at);
            self.flush();
            return Ok(Progress::Some);
        }
        if self.injected > 0 {
            self.inject();
            moved = true;
        }
        let (asked, due) = self.ask()?;
        moved |= asked;
        // Before the next tuple: an input that always has tuples must not keep items of the others waiting.
        moved |= self.take_items();
        if let Some(epoch) = self.aligning {
            // What ends after the others have delivered the barrier counts as having delivered it.
            self.align(epoch);
        }
        if self.suspended.is_none() && self.program.deadline < self.watermark {
            // A timer that was set in the past: time need not move once more.
            self.fire(self.clock.nanos());
            moved = true;
        }
        if self.suspended.is_none()
            && let Some(input) = self.choose()
        {
            self.follow_run(input);
            moved = true;
        }
        self.hand_on();
        moved |= self.flush();
        if self.ending == Ending::Announced && !self.program.senders.iter().any(|s| s.pending()) {
            return Ok(Progress::Ended);
        }
        Ok(if moved { Progress::Some } else { Progress::None(due) })
    }

    fn flush(&mut self) -> bool {
        let mut moved = false;
        for sender in &mut self.program.senders {
            moved |= sender.flush();
        }
        moved
    }

    /// Asks the inputs that have nothing left and may be read; whether any gave something, and when the next is due.
    fn ask(&mut self) -> Result<(bool, Option<u64>), ComponentError> {
        let (mut moved, mut due) = (false, None::<u64>);
        let mut now = None;
        for n in 0..self.inputs.len() {
            let input = &mut self.inputs[n];
            if input.ended || input.aligned || input.has_tuples() {
                if self.order == Order::Sequence && !input.ended {
                    break;
                }
                continue;
            }
            let (now, wall) = *now.get_or_insert_with(|| (self.clock.nanos(), self.clock.wall_micros()));
            match input.ask(now, wall)? {
                Asked::Something => {
                    moved = true;
                    self.rejects(n);
                    self.arrived(n);
                }
                Asked::Nothing(at) => due = [due, at].into_iter().flatten().min(),
            }
            if self.order == Order::Sequence && !self.inputs[n].ended {
                break;
            }
        }
        Ok((moved, due))
    }

    /// A run has arrived: keys are looked up, and with inputs in step the first tuple's time is a promise.
    fn arrived(&mut self, n: usize) {
        let input = &mut self.inputs[n];
        if input.run.is_empty() {
            return;
        }
        if self.order == Order::Time {
            let time = input.run.frame(0).time();
            input.saw(time);
        } else {
            for (task, at) in &input.resolve {
                self.program.tasks[*task as usize].bolt.resolve(*at as usize, &input.run);
            }
        }
    }

    /// The input whose tuples are followed next.
    fn choose(&mut self) -> Option<usize> {
        let count = self.inputs.len();
        match self.order {
            Order::Sequence => (0..count).find(|n| self.inputs[*n].ready()),
            Order::Turn => {
                let found = (0..count).map(|n| (self.turn + n) % count).find(|n| self.inputs[*n].ready())?;
                self.turn = (found + 1) % count;
                Some(found)
            }
            Order::Time => {
                // As long as an input may still deliver an earlier tuple, none is chosen.
                let waits =
                    |i: &Input| !i.has_tuples() && !i.ended && !i.aligned && matches!(i.source, Source::Split(_));
                if self.inputs.iter().any(waits) {
                    return None;
                }
                let time = |n: &usize| self.inputs[*n].run.frame(self.inputs[*n].next).time();
                (0..count).filter(|n| self.inputs[*n].ready()).min_by_key(time)
            }
        }
    }

    /// Follows the tuples of an input's run: all of them, or, with inputs in step, while it has the earliest.
    fn follow_run(&mut self, n: usize) {
        let resolved = self.order != Order::Time;
        let limit = if resolved { i64::MAX } else { self.next_time_of_others(n) };
        let mut targets = self.inputs[n].targets.clone();
        loop {
            let input = &mut self.inputs[n];
            if !input.has_tuples() {
                break;
            }
            let index = input.next;
            let time = input.run.frame(index).time();
            if time > limit {
                break;
            }
            input.reached(index, time);
            let watermark = input.watermark;
            if watermark > self.watermark {
                self.move_time(Some(n));
                if self.suspended.is_some() {
                    return;
                }
            }
            let input = &mut self.inputs[n];
            input.next += 1;
            let around = Around {
                arena: &self.arena,
                index: if resolved { index } else { RUN_TUPLES },
                watermark: self.watermark,
                promise: self.watermark,
                clock: &*self.clock,
            };
            let frame = input.run.frame_mut(index);
            let timed = self.sample > 0 && {
                self.until_sample = if self.until_sample == 0 { self.sample } else { self.until_sample } - 1;
                self.until_sample == 0
            };
            let followed = if timed {
                self.program.follow::<true>(frame, targets, &around)
            } else {
                self.program.follow::<false>(frame, targets, &around)
            };
            let due = frame.due();
            if followed == Followed::Suspended {
                self.suspended = Some(Suspended::Tuple(n));
                return;
            }
            targets = input.targets.clone();
            self.decide(due);
        }
        if !self.inputs[n].has_tuples() {
            self.arena.clear();
        }
    }

    /// A tuple is done: its age, once for the pipeline and once for each sink that it reached.
    #[inline(always)]
    fn decide(&mut self, due: u64) {
        let now = self.clock.nanos();
        let age = now.saturating_sub(due);
        if !std::mem::take(&mut self.program.forwarded) {
            self.decided.record(now, age);
        }
        if !self.program.reached.is_empty() {
            for sink in self.program.reached.drain(..) {
                self.sinks[sink as usize].1.record(now, age);
            }
        }
    }

    fn next_time_of_others(&self, n: usize) -> i64 {
        let others = self.inputs.iter().enumerate().filter(|(m, i)| *m != n && i.has_tuples());
        // An input that stands before this one wins ties.
        others.map(|(m, i)| i.run.frame(i.next).time().saturating_sub(i64::from(m < n))).min().unwrap_or(i64::MAX)
    }

    /// The watermark is the least promise of all inputs that hold time back; timers that it has passed fire.
    fn move_time(&mut self, by: Option<usize>) {
        let promises = self.inputs.iter().filter(|i| !i.ended && !i.idle || i.has_tuples()).map(|i| i.watermark);
        let Some(watermark) = promises.min() else { return };
        if watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        if watermark > self.program.deadline {
            let due = by.map(|n| self.inputs[n].run.frame(self.inputs[n].next).due());
            self.fire(due.unwrap_or_else(|| self.clock.nanos()));
        }
    }

    fn fire(&mut self, due: u64) {
        loop {
            self.scratch.clear();
            let (frame, _) = self.scratch.push();
            frame.set_due(due);
            frame.set_origin(u32::MAX, self.program.deadline as u64);
            if self.program.deadline < self.watermark && self.program.congested() {
                self.suspended = Some(Suspended::Timers);
                break;
            }
            self.fired = self.program.deadline.min(self.watermark);
            let around = Around {
                arena: &self.arena,
                index: RUN_TUPLES,
                watermark: self.watermark,
                promise: self.fired,
                clock: &*self.clock,
            };
            match self.program.fire(frame, &around) {
                None => break,
                Some(Followed::Done) => self.decide(due),
                Some(Followed::Suspended) => {
                    // The rest of the timers fires when time next moves or the pipeline is resumed.
                    self.suspended = Some(Suspended::Timer);
                    break;
                }
            }
        }
    }

    fn resume(&mut self, at: Suspended) {
        let mut around = Around {
            arena: &self.arena,
            index: RUN_TUPLES,
            watermark: self.watermark,
            promise: self.watermark,
            clock: &*self.clock,
        };
        let frame: &mut Frame = match at {
            Suspended::Tuple(n) => {
                let index = self.inputs[n].next - 1;
                self.inputs[n].run.frame_mut(index)
            }
            Suspended::Timer => {
                around.promise = self.fired;
                self.scratch.frame_mut(0)
            }
            Suspended::Timers => {
                let due = self.scratch.frame(0).due();
                return self.fire(due);
            }
        };
        let due = frame.due();
        if self.program.resume(frame, &around) == Followed::Suspended {
            self.suspended = Some(at);
            return;
        }
        self.decide(due);
        if at == Suspended::Timer && self.watermark > self.program.deadline {
            self.fire(due);
        }
    }

    /// Rows of a split's side streams.
    fn rejects(&mut self, n: usize) {
        let Source::Split(split) = &mut self.inputs[n].source else { return };
        if split.rejects.is_empty() {
            return;
        }
        let rejects = std::mem::take(&mut split.rejects);
        let time = self.inputs[n].time_of_reject(self.clock.wall_micros());
        for reject in rejects {
            let Source::Split(split) = &mut self.inputs[n].source else { return };
            split.meter.error(reject.reason, &reject.text);
            let Some(side) = split.sides.iter().position(|s| s.stream == reject.stream) else { continue };
            split.meter.tuples_out[side + 1] += 1;
            let targets = split.sides[side].targets.clone();
            if targets.is_empty() {
                continue;
            }
            self.scratch.clear();
            let (frame, _) = self.scratch.push();
            sides::fill(frame, &self.arena, split, side, &reject, time, self.clock.nanos());
            let due = frame.due();
            let around = Around {
                arena: &self.arena,
                index: RUN_TUPLES,
                watermark: self.watermark,
                promise: self.watermark,
                clock: &*self.clock,
            };
            let mut followed = self.program.follow::<false>(frame, targets, &around);
            while followed == Followed::Suspended {
                // A reject makes few rows; they may wait in the channel's buffer.
                followed = self.program.resume(frame, &around);
                if self.program.senders.iter_mut().all(|s| !s.flush()) {
                    self.program.pending_words_max *= 2;
                }
            }
            self.decide(due);
        }
        // Nothing is suspended where inputs are asked, so no text is still in use.
        self.arena.clear();
    }

    /// Memory that texts made on the way take.
    pub fn arena_bytes(&self) -> usize {
        self.arena.capacity_bytes()
    }

    /// Takes the control items that stand behind the tuples of channels; whether there were any.
    fn take_items(&mut self) -> bool {
        let mut taken = false;
        for n in 0..self.inputs.len() {
            let input = &mut self.inputs[n];
            if self.suspended.is_some() {
                break;
            }
            if input.has_tuples() {
                continue;
            }
            let Source::Channel(channel) = &mut input.source else { continue };
            match channel.item {
                None => continue,
                Some(Item::Watermark(watermark)) => {
                    input.watermark = input.watermark.max(watermark);
                    input.idle = false;
                    channel.item = None;
                    self.move_time(None);
                }
                Some(Item::Idle) => {
                    input.idle = true;
                    channel.item = None;
                }
                Some(Item::End(complete)) => {
                    channel.item = None;
                    input.ended = true;
                    self.draining |= !complete;
                }
                Some(Item::Barrier(epoch)) => {
                    if input.aligned {
                        continue;
                    }
                    input.aligned = true;
                    self.align(epoch);
                }
            }
            taken = true;
        }
        taken
    }

    /// Closes the epoch when every input has delivered its barrier or has ended.
    fn align(&mut self, epoch: u64) {
        self.aligning = Some(epoch);
        if !self.inputs.iter().all(|i| i.aligned || i.ended && !i.has_tuples()) {
            return;
        }
        self.aligning = None;
        for task in &mut self.program.tasks {
            task.bolt.barrier(epoch);
        }
        for sender in &mut self.program.senders {
            sender.barrier(epoch);
        }
        self.barrier = epoch;
        for input in &mut self.inputs {
            input.aligned = false;
            if let Source::Channel(channel) = &mut input.source
                && matches!(channel.item, Some(Item::Barrier(_)))
            {
                channel.item = None;
            }
        }
    }

    /// Watermark and end go to the outputs.
    fn hand_on(&mut self) {
        if self.suspended.is_some() {
            return;
        }
        let ended = self.inputs.iter().all(|i| i.ended && !i.has_tuples());
        if !ended && self.inputs.iter().any(|i| i.ended || i.idle) {
            self.move_time(None);
            if self.suspended.is_some() {
                return;
            }
        }
        if ended && self.ending == Ending::Running {
            if !self.draining {
                self.watermark = ENDED;
                if self.program.deadline < ENDED {
                    self.fire(self.clock.nanos());
                    if self.suspended.is_some() {
                        return;
                    }
                }
            }
            for sender in &mut self.program.senders {
                sender.end(!self.draining);
            }
            self.ending = Ending::Announced;
        } else if !ended {
            let idle = self.inputs.iter().all(|i| (i.ended || i.idle) && !i.has_tuples());
            for sender in &mut self.program.senders {
                if idle {
                    sender.idle();
                } else {
                    sender.watermark(self.watermark);
                }
            }
        }
    }
}
