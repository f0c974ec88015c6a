//! The partial matches of a key.
//!
//! They stand in the order of the rows that they began with, those of one row in the order of preference. A match that
//! has been found stands among them as long as one before it could still be preferred to it.

use super::buffer::{Buffer, NONE, Path};
use super::threads::Threads;

/// What a partial match is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for what comes after its position.
    #[default]
    Waiting,
    /// It is a match, at this event time.
    Accepted(i64),
    /// Its time was over, at this event time, before it was a match.
    TimedOut(i64),
}

/// A partial match.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thread {
    /// Number of its first row.
    pub(crate) start: u64,
    /// The latest event time of a row that it can take.
    pub(crate) deadline: i64,
    pub(crate) phase: Phase,
    /// The last step.
    pub(crate) path: u32,
    /// The position that it has reached.
    pub(crate) at: u16,
    /// How many entries of the list behind it still count.
    pub(crate) limit: u32,
    /// The links of the list that are still open.
    pub(crate) alive: u32,
    /// The variables that no row can be any more, their stop condition having been true.
    pub(crate) closed: u64,
    /// The variables that it has rows of.
    pub(crate) bound: u64,
    /// The links whose absence has already been reported; only where all matches are wanted.
    pub(crate) spent: u32,
}

/// What is known of a key. Its rows are in a [`Buffer`]: who drops it must have called [`Partials::clear`].
///
/// In the order of use: what a key with one partial match needs lies together.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Partials {
    /// Number of the next row.
    pub(crate) rows: u64,
    /// Matches so far.
    pub(crate) matches: u64,
    pub(crate) threads: Threads,
}

/// What has become of a partial match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmissionKind {
    /// It is a match, the n-th of its key.
    Match(u64),
    /// Its time was over.
    TimedOut,
}

/// A match or a partial one that timed out. Its rows are kept until [`Emission::release`].
#[derive(Clone, Copy, Debug)]
pub struct Emission {
    /// Which of both.
    pub kind: EmissionKind,
    /// When: the time of its last row, or when it was certain that something would not come.
    pub time: i64,
    pub(crate) path: u32,
}

impl Emission {
    /// The rows of the match.
    pub fn path<'a, R>(&self, buffer: &'a Buffer<R>) -> Path<'a, R> {
        Path::new(buffer, self.path)
    }

    /// It has been dealt with; its rows may go.
    pub fn release<R: Default>(&self, buffer: &mut Buffer<R>) {
        buffer.release(self.path);
    }
}

impl Partials {
    /// Whether nothing is waiting.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.threads.is_empty()
    }

    /// Number of partial matches.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// The earliest time of a match, or of a partial one that timed out, that is found and has to wait; `i64::MAX`: none.
    #[inline]
    pub fn held(&self) -> i64 {
        let times = self.threads.iter().filter_map(|thread| match thread.phase {
            Phase::Waiting => None,
            Phase::Accepted(time) | Phase::TimedOut(time) => Some(time),
        });
        times.min().unwrap_or(i64::MAX)
    }

    /// Memory beside its own size, without what is stored, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.threads.heap_bytes()
    }

    /// Number of the last step of the first partial match, to be asked for.
    #[inline(always)]
    pub fn first_step(&self) -> Option<u32> {
        Some(self.threads.first()?.path)
    }

    /// As if no row had ever come.
    #[inline]
    pub fn clear<R: Default>(&mut self, buffer: &mut Buffer<R>) {
        self.threads.iter().for_each(|thread| buffer.release(thread.path));
        self.threads.clear();
        (self.rows, self.matches) = (0, 0);
    }

    #[inline]
    pub(crate) fn last_time<R>(buffer: &Buffer<R>, thread: &Thread) -> i64 {
        if thread.path == NONE { i64::MIN } else { buffer.row_of(thread.path).time }
    }

    /// Others take the place of all partial matches.
    pub(crate) fn replace<R: Default>(
        &mut self,
        buffer: &mut Buffer<R>,
        threads: impl ExactSizeIterator<Item = Thread>,
    ) {
        self.threads.iter().for_each(|thread| buffer.release(thread.path));
        self.threads.fill(threads);
    }

    /// Removes some partial matches.
    pub(crate) fn drop_threads<R: Default>(&mut self, buffer: &mut Buffer<R>, gone: impl Fn(&Thread) -> bool) {
        self.threads.retain(|thread| {
            let gone = gone(thread);
            if gone {
                buffer.release(thread.path);
            }
            !gone
        });
    }
}
