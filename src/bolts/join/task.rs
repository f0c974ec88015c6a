//! One task of an interval join.
//!
//! 1. A row looks for its partners among the rows of the other side that have come, by binary search, and stays for those
//!    that are still to come. All partners are put aside at once; each joined row is computed when it leaves.
//! 2. A key has one timer, at the deadline of its first row without a partner (no partner of it can come any more) or,
//!    without such a row, when its rows can go. A row that had no partner leaves then, at that time.
//! 3. What is behind time has missed partners that are gone: it leaves on `.late`.
//!
//! Nothing depends on whether a timer has fired: a row whose deadline has passed is out of reach of what is in time.

use super::output::{LATE, Output};
use super::sides::{Bounds, Row, Side, Sides};
use crate::component::{Bolt, ERRORS, Flow, Step};
use crate::store::{KeyReader, KeyRef, Keyed, State, Timers};
use crate::tuple::Frame;
use xxhash_rust::xxh3::xxh3_64;

/// What waits to leave.
enum Waiting {
    /// The current row with this partner.
    Joined(Row),
    /// A row without a partner, on the main stream.
    Alone(Side, Row),
    /// The same on the stream of such rows.
    Unmatched(Side, Row),
}

/// One task of an interval join.
pub struct Task {
    pub(super) output: Output,
    pub(super) bounds: Bounds,
    /// For which sides rows without a partner leave on the main stream.
    pub(super) outer: [bool; 2],
    pub(super) keys: [KeyReader; 2],
    pub(super) state: Keyed<Sides>,
    pub(super) timers: Timers,
    /// What waits, the last first.
    waiting: Vec<Waiting>,
    joined: Vec<Row>,
    alone: Vec<(Side, Row)>,
    key: Vec<u8>,
    /// The current row: side, time, origin.
    current: (Side, i64, Origin),
}

impl Task {
    /// A task without waiting rows.
    pub fn new(
        output: Output,
        bounds: Bounds,
        outer: [bool; 2],
        keys: [KeyReader; 2],
        (state, timers): (Keyed<Sides>, Timers),
    ) -> Task {
        let (waiting, joined, alone, key) = Default::default();
        let current = (Side::Left, 0, (0, 0, 0));
        Task { output, bounds, outer, keys, state, timers, waiting, joined, alone, key, current }
    }
}

/// What tells a row from all others: split, position and path.
type Origin = (u32, u64, u64);

/// What tells the row in a frame from all others.
pub fn origin(frame: &Frame) -> Origin {
    (frame.split(), frame.position(), frame.path())
}

/// The path of a row that is made of these.
fn path(rows: &[Origin]) -> u64 {
    let mut bytes = [0; 40];
    for ((split, position, path), bytes) in rows.iter().zip(bytes.chunks_exact_mut(20)) {
        bytes[..4].copy_from_slice(&split.to_le_bytes());
        bytes[4..12].copy_from_slice(&position.to_le_bytes());
        bytes[12..].copy_from_slice(&path.to_le_bytes());
    }
    xxh3_64(&bytes)
}

impl Bolt for Task {
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let (side, time) = (Side::BOTH[input], frame.time());
        if time < step.watermark {
            self.output.late(side, step.watermark, frame, step.arena);
            return Flow::Port(LATE);
        }
        let Some(key) = self.keys[input].read(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        self.output.take(side, frame);
        let row = Row { time, origin: origin(frame), taken: false, body: self.output.pack(side, frame) };
        self.current = (side, time, row.origin);
        let sides = self.state.at(key, time);
        sides.prune(step.watermark, &self.bounds);
        sides.arrive(side, row, &self.bounds, &mut self.joined);
        let deadline = self.bounds.deadline(side, time);
        if deadline < sides.timer {
            if sides.timer < i64::MAX {
                self.timers.cancel(key, sides.timer);
            }
            sides.timer = deadline;
            self.timers.set(key, deadline);
            step.wake_after(deadline);
        }
        if self.joined.is_empty() {
            return Flow::Skip;
        }
        self.waiting.extend(self.joined.drain(..).rev().map(Waiting::Joined));
        Flow::Many
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let Some(waiting) = self.waiting.pop() else {
            // What follows on other branches sees the tuple as it was.
            let (_, _, (split, position, _)) = self.current;
            frame.set_origin(split, position);
            return None;
        };
        let made = match waiting {
            Waiting::Joined(partner) => {
                let (side, time, own) = self.current;
                self.output.give(side.other(), &partner.body, frame, step.arena);
                let (left, right) = match side {
                    Side::Left => ((time, own), (partner.time, partner.origin)),
                    Side::Right => ((partner.time, partner.origin), (time, own)),
                };
                // The same row, whichever of both came last: it stems from the later one.
                let (time, (split, position, _)) = if left.0 > right.0 { left } else { right };
                frame.set_time(time);
                frame.set_origin(split, position);
                frame.set_path(path(&[left.1, right.1]));
                self.output.compute(frame, step.arena)
            }
            Waiting::Alone(side, row) => {
                self.output.give(side, &row.body, frame, step.arena);
                self.output.nothing(side.other(), frame);
                frame.set_path(path(&[row.origin]));
                self.output.compute(frame, step.arena)
            }
            Waiting::Unmatched(side, row) => {
                self.output.give(side, &row.body, frame, step.arena);
                frame.set_path(path(&[row.origin]));
                return Some(Output::unmatched(side));
            }
        };
        Some(match made {
            Ok(()) => 0,
            Err((reason, text)) => {
                step.error(reason, text);
                ERRORS
            }
        })
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let due = self.timers.due(step.watermark, &mut self.key);
        if let Some(deadline) = due {
            let key = KeyRef::new(&self.key);
            if let Some(sides) = self.state.known(key, deadline) {
                sides.due(deadline, &self.bounds, &mut self.alone);
                match sides.next_deadline(&self.bounds) {
                    Some(next) => {
                        sides.timer = next;
                        self.timers.set(key, next);
                    }
                    None => self.state.remove(key),
                }
            }
        }
        step.wake_after(self.timers.earliest());
        let deadline = due?;
        for (side, row) in self.alone.drain(..).rev() {
            if self.outer[side as usize] {
                self.waiting.push(Waiting::Unmatched(side, row.clone()));
                self.waiting.push(Waiting::Alone(side, row));
            } else {
                self.waiting.push(Waiting::Unmatched(side, row));
            }
        }
        frame.set_time(deadline);
        frame.set_origin(u32::MAX, deadline as u64);
        Some(if self.waiting.is_empty() { Flow::Skip } else { Flow::Many })
    }

    fn deadline(&self) -> i64 {
        self.timers.earliest()
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.state);
        each(&mut self.timers);
    }
}
