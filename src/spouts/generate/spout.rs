//! One split of a generator.

use super::schedule::{Multiples, Rate};
use crate::component::{ComponentError, Intake, Polled, Spout};
use crate::time::MAX_TIMESTAMP;
use crate::tuple::{Arena, Frame, Slot};

/// Makes the columns of tuple `i`: a pure function of `i`, its event time and what the source was made with. It may
/// keep what it has computed for neighbours.
pub(super) trait Source: Send {
    fn fill(&mut self, i: u64, time: i64, slots: &[Slot], frame: &mut Frame, arena: &Arena);
}

/// Which tuples a split has, and when they are due.
pub(super) struct Slice {
    /// Number of the split in the topology.
    pub split_id: u32,
    /// The split's number, below `of`.
    pub number: u64,
    /// Number of splits: tuple i belongs to split i modulo this.
    pub of: u64,
    /// Position to start at.
    pub position: u64,
    /// One past the last position.
    pub end: u64,
    /// None: as fast as possible.
    pub rate: Option<Rate>,
    /// Advance of the event time.
    pub step: Rate,
    /// Event time of tuple 0.
    pub start: i64,
}

pub(super) struct Generator<S> {
    source: S,
    slots: Vec<Slot>,
    slice: Slice,
    /// Due times after `zero`, none without a rate.
    due: Option<Multiples>,
    /// Clock reading at which the first tuple after the (re)start is due: that of the first poll.
    zero: Option<u64>,
    event: Multiples,
}

impl<S: Source> Generator<S> {
    pub fn new(source: S, slots: &[Slot], slice: Slice) -> Generator<S> {
        // The schedule starts anew with each start: due times are those after the first poll, whatever the position.
        let due = slice.rate.map(|rate| Multiples::new(rate, slice.number, slice.of));
        let first = slice.position * slice.of + slice.number;
        let event = Multiples::new(slice.step, first, slice.of);
        Generator { source, slots: slots.to_vec(), slice, due, zero: None, event }
    }
}

impl<S: Source> Spout for Generator<S> {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        let now = intake.now;
        let zero = *self.zero.get_or_insert(now);
        let before = intake.run.len();
        while self.slice.position < self.slice.end && !intake.run.is_full() {
            let due = match &mut self.due {
                None => now,
                Some(multiples) => {
                    let due = zero.saturating_add(multiples.at());
                    if due > now {
                        return Ok(if intake.run.len() > before { Polled::Some } else { Polled::Nothing(Some(due)) });
                    }
                    multiples.advance();
                    due
                }
            };
            let i = self.slice.position * self.slice.of + self.slice.number;
            let time = self.slice.start.saturating_add((self.event.at() / 1000) as i64).min(MAX_TIMESTAMP);
            self.event.advance();
            let (frame, arena) = intake.run.push();
            frame.set_due(due);
            frame.set_time(time);
            frame.set_origin(self.slice.split_id, self.slice.position);
            self.source.fill(i, time, &self.slots, frame, arena);
            self.slice.position += 1;
        }
        if intake.run.len() > before || self.slice.position < self.slice.end {
            return Ok(Polled::Some);
        }
        Ok(Polled::End)
    }

    fn position(&self) -> u64 {
        self.slice.position
    }
}
