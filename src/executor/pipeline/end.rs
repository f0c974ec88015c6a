//! The end of time for what is reached by no input any more.
//!
//! First its time moves behind the last event, whatever input that came from, then there is none any more. So a bolt can
//! tell what was over before the end from what only the end has cut off. What other inputs still reach goes on.
//!
//! Invariant: time ends once for each reach, after all tuples of its inputs, for those of few inputs first; and not where
//! sources were told to stop, which go on at the next start.

use super::Pipeline;
use crate::executor::input::ENDED;

/// The end of a reach that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Its number.
    reach: usize,
    /// How far time is for all others.
    others: i64,
}

impl Pipeline {
    /// Ends the time of all that no input reaches any more; false while that is still going on, since a channel is full.
    pub(super) fn end_reaches(&mut self) -> bool {
        if !self.inputs.iter().any(|input| input.is_over() && !input.let_go)
            || self.draining && self.ending_reach.is_none()
        {
            return true;
        }
        while let Some(ending) = self.ending_reach.or_else(|| self.next_end()) {
            if !self.end_reach(ending) {
                return false;
            }
        }
        self.inputs.iter_mut().for_each(|input| input.let_go = input.is_over());
        true
    }

    /// The next reach whose inputs are all over.
    fn next_end(&mut self) -> Option<Ending> {
        let over = |at: &usize| self.reaches[*at].inputs.iter().all(|input| self.inputs[*input].is_over());
        let reach = (0..self.reaches.len()).find(|at| self.times_of_end[*at].is_none() && over(at))?;
        let ending = Ending { reach, others: self.watermark };
        self.ending_reach = Some(ending);
        self.times_of_end[reach] = Some(self.watermark);
        let inputs = self.reaches[reach].inputs.iter().filter_map(|input| self.inputs[*input].behind_the_last());
        self.behind_last = self.watermark.max(inputs.max().unwrap_or(i64::MIN));
        self.program.begin_end(self.reaches[reach].clone(), self.watermark);
        self.watermark = self.behind_last;
        Some(ending)
    }

    /// Goes on with the end of a reach; false if a channel is full.
    fn end_reach(&mut self, ending: Ending) -> bool {
        if self.watermark != ENDED {
            self.fire_passed();
            if self.suspended.is_some() {
                return false;
            }
            self.tell(ending.reach);
            self.watermark = ENDED;
        }
        self.fire_passed();
        if self.suspended.is_some() {
            return false;
        }
        // What was held back until now.
        self.tell(ending.reach);
        for sender in &self.reaches[ending.reach].senders {
            self.program.senders[*sender as usize].end(true);
        }
        self.ending_reach = None;
        self.program.finish_end();
        if self.times_of_end.contains(&None) {
            self.watermark = ending.others;
        }
        true
    }

    /// The channels of a reach are told where its last event was.
    fn tell(&mut self, reach: usize) {
        if self.behind_last != i64::MIN {
            for sender in &self.reaches[reach].senders {
                self.program.senders[*sender as usize].watermark(self.behind_last);
            }
        }
    }

    /// Fires the timers that the watermark has passed.
    fn fire_passed(&mut self) {
        if self.program.deadline < self.watermark {
            self.fire(self.clock.nanos());
        }
    }

    /// How far time has come for a task by what its inputs have said: their end, which is the end of time only until the
    /// next start finds more, does not count.
    pub(super) fn reached(&self, task: u16) -> i64 {
        let reach = self.reaches.iter().position(|reach| reach.tasks.contains(&task));
        let ended = reach.and_then(|reach| self.times_of_end[reach]);
        ended.or(self.ending_reach.map(|ending| ending.others)).unwrap_or(self.watermark)
    }
}
