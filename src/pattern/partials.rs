//! The partial matches of a key.
//!
//! They stand in the order of the rows that they began with, those of one row in the order of preference. A match that
//! has been found stands among them as long as one before it could still be preferred to it.

use super::buffer::{Buffer, NONE, Path};

/// What a partial match is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for what comes after its position.
    Waiting,
    /// It is a match, at this event time.
    Accepted(i64),
    /// Its time was over, at this event time, before it was a match.
    TimedOut(i64),
}

/// A partial match.
#[derive(Clone, Copy, Debug)]
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

/// What is known of a key.
#[derive(Clone, Debug)]
pub struct Partials<R> {
    pub(crate) threads: Vec<Thread>,
    pub(crate) buffer: Buffer<R>,
    /// Number of the next row.
    pub(crate) rows: u64,
    /// Matches so far.
    pub(crate) matches: u64,
}

impl<R> Default for Partials<R> {
    fn default() -> Partials<R> {
        Partials { threads: Vec::new(), buffer: Buffer::default(), rows: 0, matches: 0 }
    }
}

/// What has become of a partial match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmissionKind {
    /// It is a match, the n-th of its key.
    Match(u64),
    /// Its time was over.
    TimedOut,
}

/// A match or a partial one that timed out. Its rows are kept until [`Partials::release`].
#[derive(Clone, Copy, Debug)]
pub struct Emission {
    /// Which of both.
    pub kind: EmissionKind,
    /// When: the time of its last row, or when it was certain that something would not come.
    pub time: i64,
    pub(crate) path: u32,
}

impl<R> Partials<R> {
    /// Whether nothing is waiting and nothing is stored.
    pub fn is_idle(&self) -> bool {
        self.threads.is_empty() && self.buffer.live_steps == 0
    }

    /// Number of partial matches.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// The rows of a match.
    pub fn path(&self, emission: &Emission) -> Path<'_, R> {
        Path::new(&self.buffer, emission.path)
    }

    /// The stored rows.
    pub fn buffer(&self) -> &Buffer<R> {
        &self.buffer
    }

    /// Memory beside its own size, without what rows hold, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.threads.capacity() * size_of::<Thread>()
            + self.buffer.rows.capacity() * size_of::<super::Row<R>>()
            + self.buffer.steps.capacity() * size_of::<super::buffer::Step>()
    }
}

impl<R: Default> Partials<R> {
    /// A match has been dealt with; its rows may go.
    pub fn release(&mut self, emission: &Emission) {
        self.buffer.release(emission.path);
    }

    pub(crate) fn last_time(&self, thread: &Thread) -> i64 {
        if thread.path == NONE { i64::MIN } else { self.buffer.row_of(thread.path).time }
    }

    /// Others take the place of all partial matches.
    pub(crate) fn replace(&mut self, threads: impl Iterator<Item = Thread>) {
        self.threads.iter().for_each(|thread| self.buffer.release(thread.path));
        self.threads.clear();
        self.threads.extend(threads);
    }

    /// Removes some partial matches.
    pub(crate) fn drop_threads(&mut self, gone: impl Fn(&Thread) -> bool) {
        let buffer = &mut self.buffer;
        self.threads.retain(|thread| {
            let gone = gone(thread);
            if gone {
                buffer.release(thread.path);
            }
            !gone
        });
    }
}
