//! Which input is read next: asking those that are used up, and choosing among those that have tuples.
//!
//! Invariant: an input that has delivered the barrier which the others still owe is neither asked nor chosen, and with
//! inputs in step none is chosen while another may still deliver an earlier tuple.

use super::{Order, Pipeline};
use crate::component::ComponentError;
use crate::executor::at::At;
use crate::executor::input::{Asked, Input, SILENT_STEP, Source};
use std::os::fd::RawFd;
use std::time::Duration;

impl Pipeline {
    /// Asks the inputs that have nothing left and may be read; whether any gave something, and when the next is due.
    pub(super) fn ask(&mut self, now: u64) -> Result<(bool, Option<u64>), ComponentError> {
        let (mut moved, mut due) = (false, None::<u64>);
        for n in 0..self.inputs.len() {
            let input = &mut self.inputs[n];
            if input.ended
                || input.aligned
                || input.has_tuples()
                || (self.hold || self.pause.is_some()) && input.is_split()
            {
                if self.order == Order::Sequence && !input.ended {
                    break;
                }
                continue;
            }
            self.polling = input.is_split().then_some(n);
            let asked = input.ask(now, || self.arrivals.micros(&*self.clock, now));
            self.polling = None;
            match asked? {
                Asked::Something => {
                    moved = true;
                    let input = &self.inputs[n];
                    if let Source::Split(split) = &input.source
                        && !input.has_tuples()
                    {
                        self.worked |= split.has_moved();
                    }
                    // In step, those before the first tuple have their place just before it.
                    let in_step = self.order == Order::Time && input.has_tuples() && input.is_untold();
                    if !input.withholds() && !in_step {
                        self.rejects_before(n, self.inputs[n].next_position());
                    }
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

    /// What the thread may wait for until its splits are to be asked again, and for how long at most; none: they are asked
    /// now and then.
    pub fn wait_on(&mut self, sockets: &mut Vec<RawFd>) -> Option<Duration> {
        // What is not asked now would end every sleep with what it has to say.
        let held = self.hold || self.pause.is_some() || self.suspended.is_some() || self.aligning.is_some();
        let full = self.program.senders.iter().any(|sender| sender.pending());
        let mut limit = Duration::MAX;
        for input in self.inputs.iter_mut().filter(|input| input.is_split() && !input.ended) {
            if held || full || input.aligned || input.has_tuples() {
                return None;
            }
            sockets.push(input.wait_on()?);
            if input.moves_silently() {
                limit = SILENT_STEP;
            }
        }
        Some(limit)
    }

    /// A run has arrived: keys are looked up where there are look-ups to overlap, and with inputs in step the first
    /// tuple's time is a promise.
    fn arrived(&mut self, n: usize) {
        let input = &mut self.inputs[n];
        if input.run.is_empty() {
            return;
        }
        if self.order == Order::Time {
            let time = input.run.frame(0).time();
            input.saw(time);
        } else if input.run.len() > 1 {
            for (task, at) in &input.resolve {
                self.program.at = At { task: *task, node: At::NONE.node };
                self.program.tasks[*task as usize].bolt.resolve(*at as usize, &input.run);
            }
        }
    }

    /// The input whose tuples are followed next.
    pub(super) fn choose(&mut self) -> Option<usize> {
        let count = self.inputs.len();
        let paused = self.pause.is_some();
        let ready = |n: usize| self.inputs[n].ready() && !(paused && self.inputs[n].is_split());
        match self.order {
            _ if paused && self.order != Order::Turn => None,
            Order::Sequence => (0..count).find(|n| ready(*n)),
            Order::Turn => {
                let found = (self.turn..count).chain(0..self.turn).find(|n| ready(*n))?;
                self.turn = if found + 1 == count { 0 } else { found + 1 };
                Some(found)
            }
            Order::Time => {
                // As long as an input may still deliver an earlier tuple, none is chosen.
                let may_come = |i: &Input| (!i.ended || i.cut) && !i.aligned && matches!(i.source, Source::Split(_));
                if self.inputs.iter().any(|i| !i.has_tuples() && may_come(i)) {
                    if self.draining {
                        self.inputs.iter_mut().for_each(Input::give_back);
                    }
                    return None;
                }
                let time = |n: &usize| self.inputs[*n].run.frame(self.inputs[*n].next).time();
                (0..count).filter(|n| self.inputs[*n].ready()).min_by_key(time)
            }
        }
    }

    pub(super) fn next_time_of_others(&self, n: usize) -> i64 {
        let others = self.inputs.iter().enumerate().filter(|(m, i)| *m != n && i.has_tuples());
        // An input that stands before this one wins ties.
        others.map(|(m, i)| i.run.frame(i.next).time().saturating_sub(i64::from(m < n))).min().unwrap_or(i64::MAX)
    }
}
