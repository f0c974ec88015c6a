//! What panicked, for whoever catches it; and going on carefully behind what is known to panic.
//!
//! A split that has such a tuple before it is followed tuple by tuple, and behind that tuple nothing is read until an
//! epoch with it is durable: so each panic is overcome for good before the next one can happen.

use super::Pipeline;
use crate::component::Teller;
use crate::executor::at::At;
use crate::executor::input::Source;

/// What panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The component; none if no component was entered yet.
    pub component: Option<Teller>,
    /// Split and position: of the tuple that was followed, or of the next record of a split that was read; none where a
    /// timer fired or an epoch ended.
    pub origin: Option<(u32, u64)>,
    /// Whether it was a tuple in a bolt, which the bolt can leave out.
    pub tuple: bool,
}

impl Pipeline {
    /// What was running when a panic left it.
    pub fn culprit(&self) -> Culprit {
        if let Some(Source::Split(split)) = self.polling.map(|n| &self.inputs[n].source) {
            let origin = Some((split.id, split.spout.position()));
            return Culprit { component: Some(Teller::Spout(split.component)), origin, tuple: false };
        }
        let At { task, node } = self.program.at;
        let component = self.program.tasks.get(usize::from(task)).map(|task| Teller::Bolt(task.component));
        let tuple = component.is_some() && node != At::NONE.node && self.program.origin.0 != u32::MAX;
        Culprit { component, origin: tuple.then_some(self.program.origin), tuple }
    }

    /// Whether an input has tuples before it that are known to make something panic.
    #[inline(always)]
    pub(super) fn is_careful(&self, n: usize) -> bool {
        matches!(&self.inputs[n].source, Source::Split(split) if !split.panics.is_empty())
    }

    /// The last tuple that was followed may be one of those: then splits wait. Whether they do.
    #[cold]
    pub(super) fn begin_pause(&mut self, n: usize) -> bool {
        let input = &mut self.inputs[n];
        let position = input.run.frame(input.next - 1).position();
        let Source::Split(split) = &mut input.source else { return false };
        let before = split.panics.len();
        split.panics.retain(|known| *known > position);
        if let (true, Some(space)) = (split.panics.len() < before, &self.space) {
            // The epoch that is open here is the one with that tuple: the first of this life follows the last durable one.
            self.pause = Some(self.barrier.max(space.opened().epoch) + 1);
        }
        self.pause.is_some()
    }

    /// Ends the wait when the epoch is durable.
    #[inline(always)]
    pub(super) fn end_pause(&mut self) {
        if let (Some(epoch), Some(space)) = (self.pause, &self.space)
            && space.durable() >= epoch
        {
            self.pause = None;
        }
    }
}
