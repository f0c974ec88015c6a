//! Following tuples: a run, a tuple that was suspended, rejects of a split; and the age of each at its end.
//!
//! Invariant: before a tuple the watermark moves and the timers that it has passed fire; texts of a run live until all
//! its tuples are done; a tuple that a full channel stops is the last one followed, until it is resumed.

use super::{Order, Pipeline, Suspended};
use crate::component::Reject;
use crate::executor::input::Source;
use crate::executor::program::{Around, Followed};
use crate::executor::sides;
use crate::tuple::{Frame, RUN_TUPLES};

impl Pipeline {
    /// Follows the tuples of an input's run: all of them, or, with inputs in step, while it has the earliest.
    pub(super) fn follow_run(&mut self, n: usize) {
        let in_step = self.order == Order::Time;
        let limit = if in_step { self.next_time_of_others(n) } else { i64::MAX };
        let resolved = !in_step && self.inputs[n].run.len() > 1;
        let careful = self.is_careful(n);
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
            if input.has_rejects() {
                let position = input.next_position();
                self.rejects_before(n, position);
            }
            let input = &mut self.inputs[n];
            input.reached(index, time);
            let watermark = input.watermark;
            if watermark > self.slowest {
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
            self.let_go(due);
            if self.suspended.is_some() {
                if careful {
                    self.begin_pause(n);
                }
                return;
            }
            self.rejects_behind(n);
            if in_step {
                self.foretell(n);
            }
            if careful && self.begin_pause(n) {
                break;
            }
        }
        if !self.inputs[n].has_tuples() {
            self.rejects_before(n, u64::MAX);
            self.arena.clear();
        }
    }

    /// Rejects follow the tuple that they stand behind at once, wherever the run ends: with inputs in step, their place
    /// among the tuples of others is then a matter of the data alone.
    #[inline(always)]
    fn rejects_behind(&mut self, n: usize) {
        if self.inputs[n].has_rejects() {
            let position = self.inputs[n].next_position();
            self.rejects_before(n, position);
        }
    }

    /// With inputs in step the next tuple of each is known before any is followed, and is a promise wherever its run
    /// begins: so the watermark that a tuple comes behind is a matter of the data alone, too.
    fn foretell(&mut self, n: usize) {
        let input = &mut self.inputs[n];
        if input.has_tuples() {
            let time = input.run.frame(input.next).time();
            input.saw(time);
        }
    }

    /// A tuple is done: its age, once for the pipeline and once for each sink that it reached.
    #[inline(always)]
    pub(super) fn decide(&mut self, due: u64) {
        let forwarded = std::mem::take(&mut self.program.forwarded);
        if forwarded && self.program.reached.is_empty() {
            // It ends elsewhere, and is published the sooner.
            return;
        }
        let now = self.clock.nanos();
        let age = now.saturating_sub(due);
        if !forwarded {
            self.decided.record(now, age);
        }
        if !self.program.reached.is_empty() {
            for sink in self.program.reached.drain(..) {
                self.sinks[sink as usize].1.record(now, age);
            }
        }
    }

    /// Timers fire that were kept waiting by rows that have left.
    #[inline(always)]
    fn let_go(&mut self, due: u64) {
        if self.program.lift() && self.watermark > self.program.deadline {
            self.fire(due);
        }
    }

    pub(super) fn resume(&mut self, at: Suspended) {
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
        if let Suspended::Tuple(n) = at {
            self.let_go(due);
            if self.suspended.is_none() {
                self.rejects_behind(n);
                if self.order == Order::Time {
                    self.foretell(n);
                }
            }
            if self.is_careful(n) {
                self.begin_pause(n);
            }
        }
        if at == Suspended::Timer {
            self.program.lift();
            if self.watermark > self.program.deadline {
                self.fire(due);
            }
        }
    }

    /// Rows of a split's side streams whose records come before this position: in the order of the source, so that the
    /// end of an epoch between two tuples lies between the same two records.
    pub(super) fn rejects_before(&mut self, n: usize, position: u64) {
        let Source::Split(split) = &mut self.inputs[n].source else { return };
        let count = split.rejects.iter().take_while(|reject| reject.position < position).count();
        if count == 0 {
            return;
        }
        let first: Vec<Reject> = split.rejects.drain(..count).collect();
        self.worked = true;
        let time = self.inputs[n].time_of_reject(self.clock.wall_micros());
        for reject in first {
            let Source::Split(split) = &mut self.inputs[n].source else { return };
            split.meter.error(reject.reason, &reject.text);
            let Some(side) = split.sides.iter().position(|s| s.stream == reject.stream) else { continue };
            split.meter.tuples_out[side + 1] += 1;
            let targets = split.sides[side].targets.clone();
            if targets.is_empty() {
                if let (Some(letters), "errors") = (&mut self.program.letters, reject.stream) {
                    letters.rejected(split, &reject, time);
                }
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
        if !self.inputs[n].has_tuples() {
            // Nothing is suspended where rejects are followed, and no tuple of the run still needs its texts.
            self.arena.clear();
        }
    }
}
