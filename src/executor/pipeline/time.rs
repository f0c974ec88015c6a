//! Event time: the watermark of the inputs together, and the timers that it passes.
//!
//! Invariant: the watermark never goes back, and a timer fires before any tuple that stands behind its deadline.

use super::{Pipeline, Suspended};
use crate::executor::input::{ENDED, Input, Source};
use crate::executor::program::{Around, Fired, Followed};
use crate::tuple::RUN_TUPLES;

impl Pipeline {
    /// The watermark of its inputs together.
    pub fn watermark(&self) -> i64 {
        self.watermark
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

    /// The watermark is the least promise of all inputs that hold time back, and the furthest of those that are idle
    /// where none does; timers that it has passed fire.
    pub(super) fn move_time(&mut self, by: Option<usize>) {
        // Who was told to end where it stood goes on from there at the next start: it holds time back as before. And who
        // has just ended until that is known to those whom nothing else reaches.
        let goes_on = |i: &&Input| !i.let_go && !i.idle || i.has_tuples();
        let promises = self.inputs.iter().filter(goes_on).map(|i| i.watermark);
        let silent = || self.inputs.iter().filter(|i| !i.ended).map(|i| i.watermark).max();
        let Some(watermark) = promises.min().or_else(silent) else { return };
        if watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        if watermark > self.program.deadline {
            let due = by.map(|n| self.inputs[n].run.frame(self.inputs[n].next).due());
            self.fire(due.unwrap_or_else(|| self.clock.nanos()));
        }
    }

    pub(super) fn fire(&mut self, due: u64) {
        loop {
            self.program.lift();
            let last = if self.watermark == ENDED { self.behind_last } else { self.watermark };
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
            let fired = self.program.fire(frame, &around, last);
            if let Fired::Row(_) = fired {
                let now = self.clock.nanos();
                self.timers.record(now, now.saturating_sub(due));
            }
            self.worked |= !matches!(fired, Fired::None);
            match fired {
                Fired::None => break,
                Fired::NoRow => {}
                Fired::Row(Followed::Done) => self.decide(due),
                Fired::Row(Followed::Suspended) => {
                    // The rest of the timers fires when time next moves or the pipeline is resumed.
                    self.suspended = Some(Suspended::Timer);
                    break;
                }
            }
        }
    }
}
