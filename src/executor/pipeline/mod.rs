//! A pipeline: inputs, a program, output channels; single-threaded.
//!
//! One [`Pipeline::step`] does a bounded amount of work, in this order:
//! 1. publish what waits for the output channels; while something still waits, nothing is read;
//! 2. go on with a tuple that was suspended between two rows;
//! 3. else ask the inputs that are used up, choose one, and follow the tuples of its run: before each, the watermark
//!    moves and the timers that it has passed fire, then the tuple goes through the program, then its age is recorded;
//! 4. hand watermark, barrier or end to the outputs.
//!
//! What a step does stands in one file for each idea: `order` asks and chooses, `follow` takes tuples along, `time`
//! moves the watermark, `end` ends time where inputs have ended, `items` takes and hands on control items, `barrier`
//! aligns, `panics` knows what panicked.
//!
//! Invariants: an input that has delivered barrier N is not read until all inputs have (an input at its end counts as
//! having); texts of a run live until all its tuples are done; a full channel never waits inside a call.

mod barrier;
mod end;
mod follow;
mod items;
mod order;
mod panics;
mod time;

pub use panics::Culprit;

use super::input::Input;
use super::program::{Program, Targets};
use crate::component::ComponentError;
use crate::latency::Recorder;
use crate::store::Space;
use crate::time::{Arrivals, Clock};
use crate::tuple::{Arena, Layout, Run};
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
    arrivals: Arrivals,
    arena: Arena,
    /// A frame for timers and rejects.
    scratch: Run,
    /// How far time is where it is furthest, and where it is least far.
    watermark: i64,
    slowest: i64,
    /// How far it is in each reach of the program, and how far it was when its inputs had come to their end.
    times: Vec<i64>,
    ends: Vec<Option<i64>>,
    /// The reach whose time is ending.
    ending_reach: Option<usize>,
    /// Where time was behind the last event, before the end of time.
    behind_last: i64,
    turn: usize,
    suspended: Option<Suspended>,
    /// Whether something was done since this was asked that an epoch must end for: a tuple, a reject or a timer.
    worked: bool,
    /// Deadline of the timer that fired last.
    fired: i64,
    until_sample: u32,
    /// The last epoch that has ended here, and the one that is to.
    barrier: u64,
    wanted: u64,
    /// Whether changes of an epoch that has ended are still to be handed over.
    handing: bool,
    /// How long barriers have held it up.
    pub barrier_ns: Recorder,
    /// How long after the instant at which time could pass their deadlines timers have fired.
    pub timers: Recorder,
    /// The topology's store; none if state lives in memory only.
    pub space: Option<Arc<Space>>,
    /// The barrier that some inputs have delivered and some have not.
    aligning: Option<u64>,
    ending: Ending,
    /// Whether sources were told to stop.
    draining: bool,
    /// Whether splits are to wait.
    pub hold: bool,
    /// The split that is being asked for records.
    polling: Option<usize>,
    /// Splits wait until this epoch is durable: a tuple that was known to make something panic is behind.
    pause: Option<u64>,
}

impl Pipeline {
    /// A pipeline whose frames have this layout.
    pub fn new(
        id: usize,
        layout: Layout,
        inputs: Vec<Input>,
        mut program: Program,
        order: Order,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let targets: Vec<Vec<Targets>> = inputs.iter().map(|input| input.all_targets().collect()).collect();
        program.find_reaches(&targets);
        let reaches = program.reaches.len();
        Pipeline {
            id,
            inputs,
            program,
            order,
            decided: Recorder::default(),
            sinks: Vec::new(),
            sample: 0,
            clock,
            arrivals: Arrivals::default(),
            arena: Arena::new(),
            scratch: Run::new(layout),
            watermark: i64::MIN,
            times: vec![i64::MIN; reaches],
            ends: vec![None; reaches],
            ending_reach: None,
            slowest: i64::MIN,
            behind_last: i64::MIN,
            turn: 0,
            suspended: None,
            worked: false,
            fired: i64::MIN,
            until_sample: 0,
            barrier: 0,
            wanted: 0,
            handing: false,
            barrier_ns: Recorder::default(),
            timers: Recorder::default(),
            space: None,
            aligning: None,
            ending: Ending::Running,
            draining: false,
            hold: false,
            polling: None,
            pause: None,
        }
    }

    /// One bounded step; `now` is what the clock has just said, nanoseconds.
    ///
    /// # Errors
    /// A split could not be read on; what was read before it is still processed by the next steps.
    pub fn step(&mut self, now: u64) -> Result<Progress, ComponentError> {
        let mut moved = self.flush();
        if self.program.senders.iter().any(|s| s.pending()) {
            moved |= self.hand_over(0);
            return Ok(if moved { Progress::Some } else { Progress::None(None) });
        }
        if self.ending == Ending::Announced {
            if self.is_closing() {
                self.close();
            }
            moved |= self.hand_over(0);
            // What has just left is something: whoever waits for it may not be taken for at rest.
            return Ok(if moved { Progress::Some } else { Progress::Ended });
        }
        if let Some(at) = self.suspended.take() {
            self.worked = true;
            self.resume(at);
            self.flush();
            return Ok(Progress::Some);
        }
        if self.is_closing() {
            self.close();
        }
        self.end_pause();
        if self.ending_reach.is_some() && !self.end_reaches() {
            self.flush();
            return Ok(Progress::Some);
        }
        let (asked, due) = self.ask(now)?;
        moved |= asked;
        // Before the next tuple: an input that always has tuples must not keep items of the others waiting.
        moved |= self.take_items();
        if let Some(epoch) = self.aligning {
            // What ends after the others have delivered the barrier counts as having delivered it.
            self.align(epoch);
        }
        // Before the next tuple: who has ended holds none of them back, wherever their run ends.
        if self.suspended.is_none() && !self.end_reaches() {
            self.flush();
            return Ok(Progress::Some);
        }
        if self.suspended.is_none() && self.program.deadline < self.watermark {
            // A timer that was set in the past: time need not move once more.
            self.fire(self.clock.nanos());
            moved = true;
        }
        let mut tuples = 0;
        if self.suspended.is_none()
            && let Some(input) = self.choose()
        {
            let start = self.inputs[input].next;
            self.follow_run(input);
            tuples = self.inputs[input].next - start;
            self.worked = true;
        }
        self.hand_on();
        moved |= self.flush();
        moved |= self.hand_over(tuples);
        moved |= self.worked;
        if !moved && self.ending == Ending::Announced && !self.program.senders.iter().any(|s| s.pending()) {
            return Ok(Progress::Ended);
        }
        Ok(if moved { Progress::Some } else { Progress::None(due) })
    }

    /// Whether something was done since this was last asked that an epoch must end for: not that time, barriers or the
    /// end of the input were handed on, or that changes were.
    pub fn take_worked(&mut self) -> bool {
        std::mem::take(&mut self.worked)
    }

    /// What it waits for, in words for messages.
    pub fn picture(&self) -> String {
        let inputs = self.inputs.iter().map(|input| {
            let marks = [
                (input.ended, "ended"),
                (input.aligned, "aligned"),
                (input.has_tuples(), "tuples"),
                (input.idle, "idle"),
            ];
            let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            format!("[{}]", marks.join(" "))
        });
        let full = self.program.senders.iter().filter(|sender| sender.pending()).count();
        format!(
            "epoch {}, inputs {}, {full} channels full, {:?}, aligning {:?}, handing {}, hold {}, pause {:?}, {:?}",
            self.barrier,
            inputs.collect::<String>(),
            self.suspended,
            self.aligning,
            self.handing,
            self.hold,
            self.pause,
            self.ending
        )
    }

    /// Memory that texts made on the way take.
    pub fn arena_bytes(&self) -> usize {
        self.arena.capacity_bytes()
    }

    fn flush(&mut self) -> bool {
        let mut moved = false;
        for sender in &mut self.program.senders {
            moved |= sender.flush();
        }
        moved
    }
}
