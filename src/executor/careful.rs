//! A task that leaves out tuples on which it is known to panic: they leave on its `errors` stream instead.
//!
//! Only put around a bolt that has panicked, so that others do not pay for it. A tuple is known by its origin: all that
//! stems from one record in this component is left out.

use crate::component::{Bolt, ComponentError, Flow, Sections, Step};
use crate::dead::PANIC;
use crate::store::State;
use crate::tuple::{Frame, Run};

/// A bolt and the tuples that make it panic.
pub struct Careful {
    bolt: Box<dyn Bolt>,
    /// Split and position, and what the panic said.
    tuples: Vec<((u32, u64), String)>,
}

impl Careful {
    /// A bolt that is not given these tuples: split, position, and what the panic said.
    pub fn new(bolt: Box<dyn Bolt>, tuples: Vec<((u32, u64), String)>) -> Careful {
        Careful { bolt, tuples }
    }
}

impl Bolt for Careful {
    // Keys are not looked up ahead: that, too, could have been what panicked.
    fn resolve(&mut self, _input: usize, _run: &Run) {}

    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let origin = (frame.split(), frame.position());
        match self.tuples.iter().find(|(tuple, _)| *tuple == origin) {
            Some((_, text)) => step.error(PANIC, text.as_str()),
            // What was looked up for a run was not: the tuple is in none.
            None => self.bolt.step(input, frame, &mut Step { index: crate::tuple::RUN_TUPLES, ..reborrow(step) }),
        }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        self.bolt.next_row(frame, step)
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        self.bolt.fire(frame, step)
    }

    fn deadline(&self) -> i64 {
        self.bolt.deadline()
    }

    fn holds_back(&self) -> Option<i64> {
        self.bolt.holds_back()
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        self.bolt.states(each);
    }

    fn barrier(&mut self, epoch: u64) {
        self.bolt.barrier(epoch);
    }

    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        self.bolt.committed(epoch)
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        self.bolt.idle()
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.bolt.finish(sections)
    }
}

fn reborrow<'a>(step: &'a mut Step<'_>) -> Step<'a> {
    Step {
        index: step.index,
        watermark: step.watermark,
        arena: step.arena,
        failure: &mut *step.failure,
        deadline: &mut *step.deadline,
    }
}
