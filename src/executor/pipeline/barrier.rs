//! Barriers: put behind the tuples of the splits, aligned over all inputs, passed to bolts and channels.
//!
//! Invariant: an input that has delivered barrier N is not read until all inputs have; one at its end counts as having.

use super::Pipeline;
use crate::executor::channel::Item;
use crate::executor::input::Source;

impl Pipeline {
    /// The last barrier that has passed through it.
    pub fn barrier(&self) -> u64 {
        self.barrier
    }

    /// A barrier is put behind the tuples of the splits that have been followed so far; those that were read but not
    /// followed come after it, and so does nothing that a tuple before it has still to make: it waits for a tuple that
    /// is suspended.
    pub fn inject_barrier(&mut self, epoch: u64) {
        self.injected = epoch;
    }

    pub(super) fn inject(&mut self) {
        let epoch = std::mem::take(&mut self.injected);
        let mut any = false;
        for input in &mut self.inputs {
            if matches!(input.source, Source::Split(_)) && (!input.ended || input.has_tuples()) {
                input.aligned = true;
                any = true;
            }
        }
        if any {
            self.align(epoch);
        }
    }

    /// Closes the epoch when every input has delivered its barrier or has ended.
    pub(super) fn align(&mut self, epoch: u64) {
        self.aligning = Some(epoch);
        if !self.inputs.iter().all(|i| i.aligned || i.ended && !i.has_tuples()) {
            return;
        }
        self.aligning = None;
        for task in &mut self.program.tasks {
            task.bolt.barrier(epoch);
        }
        for sender in &mut self.program.senders {
            sender.barrier(epoch);
        }
        self.barrier = epoch;
        for input in &mut self.inputs {
            input.aligned = false;
            if let Source::Channel(channel) = &mut input.source
                && matches!(channel.item, Some(Item::Barrier(_)))
            {
                channel.item = None;
            }
        }
    }
}
