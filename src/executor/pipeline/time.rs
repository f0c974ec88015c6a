//! Event time: how far the inputs let it be in each reach, and the timers that it passes.
//!
//! Invariant: the watermark never goes back, and a timer fires before any tuple that stands behind its deadline.

use super::{Pipeline, Suspended};
use crate::executor::input::{ENDED, Input, Source};
use crate::executor::program::{Around, Fired, Followed};
use crate::store::TaskTime;
use crate::tuple::RUN_TUPLES;

impl Pipeline {
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

    /// Time moves as far as the inputs promise; timers that it has passed fire.
    pub(super) fn move_time(&mut self, by: Option<usize>) {
        if !self.time_moves() || self.watermark <= self.program.deadline {
            return;
        }
        let due = by.map(|n| self.inputs[n].run.frame(self.inputs[n].next).due());
        self.fire(due.unwrap_or_else(|| self.clock.nanos()));
    }

    /// Whether time moves in any reach.
    fn time_moves(&mut self) -> bool {
        let mut moved = false;
        for at in 0..self.times.len() {
            if self.ends[at].is_none()
                && let Some(time) = self.promised(at)
                && time > self.times[at]
            {
                self.times[at] = time;
                moved = true;
            }
        }
        match self.times[..] {
            [all] => (self.watermark, self.slowest) = (all, all),
            _ if moved => {
                self.program.limit(&self.times);
                self.find_extremes();
            }
            _ => {}
        }
        moved
    }

    /// The least promise of all inputs of a reach that hold time back, and the furthest of those that are idle where none
    /// does.
    fn promised(&self, at: usize) -> Option<i64> {
        // Who was told to end where it stood goes on from there at the next start: it holds time back as before. And who
        // has just ended until that is known to those whom nothing else reaches.
        let goes_on = |i: &&Input| !i.let_go && !i.idle || i.has_tuples();
        let inputs = || self.program.reaches[at].inputs.iter().map(|input| &self.inputs[*input]);
        let promises = inputs().filter(goes_on).map(|i| i.watermark);
        promises.min().or_else(|| inputs().filter(|i| !i.ended).map(|i| i.watermark).max())
    }

    /// How far time is where it is furthest, and where it is least far.
    pub(super) fn find_extremes(&mut self) {
        let going_on = || self.times.iter().zip(&self.ends).filter(|(_, end)| end.is_none()).map(|(time, _)| *time);
        let (furthest, slowest) = (going_on().max(), going_on().min());
        (self.watermark, self.slowest) = (furthest.unwrap_or(ENDED), slowest.unwrap_or(ENDED));
    }

    /// How far time is in the tasks with state by what their inputs have said: their end, which is the end of time only
    /// until the next start finds more, does not count. And the least of those whose inputs go on, and of what waits in
    /// tasks: state of that time may still be needed.
    pub(super) fn times(&self) -> (Vec<TaskTime>, i64) {
        let reach = |task| self.program.reaches.iter().position(|reach| reach.tasks.contains(&task)).unwrap_or(0);
        let reached = |task| self.ends[reach(task)].unwrap_or(self.times[reach(task)]);
        let times: Vec<(u16, TaskTime)> = self.program.times(reached).collect();
        let going_on = times.iter().filter(|(task, _)| self.ends[reach(*task)].is_none());
        let known = going_on.map(|(_, time)| time.watermark).filter(|time| *time > i64::MIN);
        let least = known.chain([self.program.holds_back()]).min().unwrap_or(i64::MAX);
        (times.into_iter().map(|(_, time)| time).collect(), least)
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
