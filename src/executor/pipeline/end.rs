//! The end of time for what is reached by no input any more.
//!
//! First its time moves behind the last event, whatever input that came from, then there is none any more. So a bolt can
//! tell what was over before the end from what only the end has cut off. What other inputs still reach goes on.
//!
//! Invariant: time ends once for each reach, after all tuples of its inputs, for those of few inputs first; and not where
//! sources were told to stop, which go on at the next start.

use super::Pipeline;
use crate::executor::input::ENDED;

impl Pipeline {
    /// Ends the time of all that no input reaches any more; false while that is still going on, since a channel is full.
    pub(super) fn end_reaches(&mut self) -> bool {
        let news = self.inputs.iter().any(|input| input.is_over() && !input.let_go);
        if !news || self.draining && self.ending_reach.is_none() {
            return true;
        }
        while let Some(reach) = self.ending_reach.or_else(|| self.begin_end()) {
            if !self.end_reach(reach) {
                return false;
            }
        }
        self.inputs.iter_mut().for_each(|input| input.let_go = input.is_over());
        true
    }

    /// The time of the next reach whose inputs are all over begins to end.
    fn begin_end(&mut self) -> Option<usize> {
        let reaches = &self.program.reaches;
        let over = |at: &usize| reaches[*at].inputs.iter().all(|input| self.inputs[*input].is_over());
        let at = (0..reaches.len()).find(|at| self.ends[*at].is_none() && over(at))?;
        let last = reaches[at].inputs.iter().filter_map(|input| self.inputs[*input].behind_the_last()).max();
        self.ends[at] = Some(self.times[at]);
        self.behind_last = self.times[at].max(last.unwrap_or(i64::MIN));
        self.times[at] = ENDED;
        self.program.limit(&self.times);
        self.watermark = self.behind_last;
        self.ending_reach = Some(at);
        Some(at)
    }

    /// Goes on with the end of a reach; false if a channel is full.
    fn end_reach(&mut self, at: usize) -> bool {
        if self.watermark != ENDED {
            self.fire_passed();
            if self.suspended.is_some() {
                return false;
            }
            self.tell(at);
            self.watermark = ENDED;
        }
        self.fire_passed();
        if self.suspended.is_some() {
            return false;
        }
        // What was held back until now.
        self.tell(at);
        for sender in &self.program.reaches[at].senders {
            self.program.senders[*sender as usize].end(true);
        }
        self.ending_reach = None;
        self.find_extremes();
        true
    }

    /// The channels of a reach are told where its last event was.
    fn tell(&mut self, at: usize) {
        if self.behind_last != i64::MIN {
            for sender in &self.program.reaches[at].senders {
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
}
