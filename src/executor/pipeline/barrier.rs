//! Epochs: barriers are put behind the tuples of the splits, aligned over all inputs, passed to bolts and channels;
//! then what has changed is handed over, a little with every run.
//!
//! Invariants: an input that has delivered barrier N is not read until all inputs have, and one at its end counts as
//! having; a pipeline closes every epoch that is asked for exactly once, even after its end, and says so with the
//! positions of its splits; an epoch is asked for only when all state of the one before was handed over.

use super::{Ending, Pipeline};
use crate::executor::channel::Item;
use crate::executor::input::Source;
use crate::store::Closed;
use crate::tuple::RUN_TUPLES;

/// Changed entries that are handed over after a run of tuples: so many for each when it was full, for what has changed
/// cannot leave memory before; less and less the emptier it was, since who is behind after a moment's pause should first
/// catch up; and so few when nothing else is to be done, since a tuple that arrives meanwhile waits for them.
const WHEN_FULL: usize = 4;
const WHEN_IDLE: usize = 6;

impl Pipeline {
    /// The last barrier that has passed through it.
    pub fn barrier(&self) -> u64 {
        self.barrier
    }

    /// Epoch `epoch` is to end: a barrier is put behind the tuples of the splits that have been followed so far; those
    /// that were read but not followed come after it, and so does nothing that a tuple before it has still to make: it
    /// waits for a tuple that is suspended.
    pub fn close_epoch(&mut self, epoch: u64) {
        self.wanted = epoch;
    }

    /// Whether an epoch that was asked for is still open here.
    #[inline(always)]
    pub(super) fn is_closing(&self) -> bool {
        self.wanted > self.barrier
    }

    /// Goes on with the end of the epoch that was asked for, if it has not ended here yet.
    pub(super) fn close(&mut self) {
        if self.aligning.is_none() {
            let mut over = true;
            for input in &mut self.inputs {
                let done = input.ended && !input.has_tuples();
                if matches!(input.source, Source::Split(_)) && !done {
                    input.aligned = true;
                }
                over &= input.aligned || done;
            }
            // A pipeline that only has channels hears of the epoch from them, unless they have all come to their end.
            if !over && !self.inputs.iter().any(|i| i.aligned) {
                return;
            }
        }
        self.align(self.wanted);
    }

    /// Closes the epoch when every input has delivered its barrier or has ended.
    pub(super) fn align(&mut self, epoch: u64) {
        self.aligning = Some(epoch);
        if !self.inputs.iter().all(|i| i.aligned || i.ended && !i.has_tuples()) {
            return;
        }
        self.aligning = None;
        let start = self.clock.nanos();
        self.program.barrier(epoch);
        if let Some(letters) = &mut self.program.letters {
            letters.tray.barrier(epoch, self.clock.wall_micros());
        }
        for input in &mut self.inputs {
            if let Source::Split(split) = &mut input.source {
                split.spout.barrier(epoch);
            }
        }
        if self.ending == Ending::Running {
            for sender in &mut self.program.senders {
                sender.barrier(epoch);
            }
        }
        self.barrier = epoch;
        self.wanted = self.wanted.max(epoch);
        self.handing = true;
        self.report_closed(epoch);
        for input in &mut self.inputs {
            input.aligned = false;
            if let Source::Channel(channel) = &mut input.source
                && matches!(channel.item, Some(Item::Barrier(_)))
            {
                channel.item = None;
            }
        }
        self.barrier_ns.record(start, self.clock.nanos().saturating_sub(start));
    }

    fn report_closed(&mut self, epoch: u64) {
        let Some(space) = &self.space else { return };
        for input in &mut self.inputs {
            if let Source::Split(split) = &mut input.source {
                split.closed_at = split.spout.position();
            }
        }
        let splits = self.inputs.iter().filter_map(|input| match &input.source {
            Source::Split(split) => Some(split.closed(input)),
            Source::Channel(_) => None,
        });
        let (splits, (times, least)) = (splits.collect(), self.times());
        space.close(Closed { epoch, pipeline: self.id, splits, times, least });
    }

    /// Hands over some of what changed in the epoch that has ended here, after so many tuples; whether more is left.
    #[inline]
    pub(super) fn hand_over(&mut self, tuples: usize) -> bool {
        if !self.handing {
            return false;
        }
        let budget = (WHEN_FULL * tuples.pow(3) / RUN_TUPLES.pow(2)).max(WHEN_IDLE);
        let mut more = false;
        for task in &mut self.program.tasks {
            task.bolt.states(&mut |state| more |= state.hand_over(budget));
        }
        self.handing = more;
        more
    }
}
