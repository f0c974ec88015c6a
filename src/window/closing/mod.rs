//! Windows that close: each gives one row when no row can come for it any more.
//!
//! Owns the running results of open windows by key, and of closed ones while `lateness` lets late rows revise them. The
//! caller brings rows with the watermark that they come behind ([`Closing::take`]), and comes again when the watermark
//! has passed the time that [`Closing::next`] names ([`Closing::fire`]); each window that leaves is read with
//! [`Closing::read`]. Never looks at whether a timer has already fired: it compares times.
//!
//! Three shapes: windows that are runs of panes (`panes`: tumbling, hopping, calendar), sessions (`sessions`), and
//! numbers of rows (`counted`). Invariant: a window has closed exactly if its deadline, the last microsecond in it, lies
//! below the watermark; it is final, and forgotten, if its deadline lies more than `lateness` below.

mod cells;
mod counted;
mod kept;
mod panes;
mod sessions;
mod sweep;
#[cfg(test)]
mod tests;

use super::call::Row;
use super::grid::Grid;
use super::{CallSpec, Overflow};
use crate::store::prefetch_value;
use crate::tuple::Arena;
use cells::{Cells, NIL};
use counted::Counted;
use panes::Panes;
use sessions::Sessions;
use std::collections::VecDeque;

/// A deadline that is passed only by the end of the input.
pub const AT_END: i64 = i64::MAX - 1;

/// Which rows a closing window holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `count` panes of a grid, beginning at every `hop`th; 0 < hop <= count.
    Panes {
        /// Where panes begin.
        grid: Grid,
        /// Panes of a window.
        count: i64,
        /// Panes from one window to the next.
        hop: i64,
    },
    /// Rows less than so many microseconds apart.
    Session(i64),
    /// So many rows in order of arrival, and how many until the next window begins; 0 < every <= length.
    Rows {
        /// Rows of a window.
        length: u64,
        /// Rows from one window to the next.
        every: u64,
    },
}

/// Windows that close.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosingSpec {
    /// Which rows they hold.
    pub shape: Shape,
    /// How long after a window has closed rows may revise it, microseconds.
    pub lateness: i64,
    /// For how long after the newest row of its key a window without rows leaves too; none: such windows do not leave.
    pub empty: Option<i64>,
    /// Results of open windows leave at the multiples of this, microseconds, as far as they have changed.
    pub early: Option<i64>,
}

/// A window that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first microsecond in it; of a window of rows the time of its oldest.
    pub start: i64,
    /// The first microsecond after it; of a window of rows the time of its newest.
    pub end: i64,
    /// Event time of the row that leaves.
    pub time: i64,
    /// How often it had left closed before.
    pub revision: u32,
    /// Whether it has closed.
    pub closed: bool,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All windows that it could be in are final.
    Late,
    /// It is in its windows. If `changed`, [`Closing::next`] may have changed; if `ready`, windows leave at once
    /// ([`Closing::next_ready`]).
    In {
        /// Whether the key's next deadline may have changed.
        changed: bool,
        /// Whether windows leave.
        ready: bool,
    },
}

/// Rows of a time of their own: panes, and parts of windows of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pane {
    number: i64,
    cell: u32,
    /// Whether rows came since its window last left early.
    changed: bool,
}

/// Where the result that is read next stands.
#[derive(Debug, Default)]
struct Answer {
    cell: u32,
    /// Whether the cell is nobody else's.
    own: bool,
}

impl Answer {
    /// Another result is read from now on.
    fn set(&mut self, cells: &mut Cells, cell: u32, own: bool) {
        if self.own {
            cells.release(self.cell);
        }
        *self = Answer { cell, own };
    }

    /// The result of several cells together, [`NIL`] being none.
    fn join(&mut self, cells: &mut Cells, parts: impl IntoIterator<Item = u32>) {
        let cell = cells.allocate();
        parts.into_iter().filter(|part| *part != NIL).for_each(|part| cells.merge(part, cell));
        self.set(cells, cell, true);
    }

    /// A cell is nobody's any more: it is given back, but not before it was read.
    fn keep_or_release(&mut self, cells: &mut Cells, cell: u32) {
        if cell == self.cell && !self.own {
            self.own = true;
        } else {
            cells.release(cell);
        }
    }
}

enum Windows {
    Panes(Panes),
    Sessions(Sessions),
    Counted(Counted),
}

/// The closing windows of one task: by entry number of the key.
pub struct Closing {
    cells: Cells,
    windows: Windows,
    answer: Answer,
    /// Windows of the last row's key that leave at once, by what the shape calls them.
    ready: VecDeque<i64>,
}

impl Closing {
    /// Windows and calls over them; the window of a call is not looked at.
    pub fn new(spec: &ClosingSpec, calls: &[CallSpec]) -> Closing {
        let windows = match &spec.shape {
            Shape::Panes { grid, count, hop } => Windows::Panes(Panes::new(spec, grid.clone(), *count, *hop)),
            Shape::Session(gap) => Windows::Sessions(Sessions::new(spec, *gap)),
            Shape::Rows { length, every } => Windows::Counted(Counted::new(*length, *every)),
        };
        Closing { cells: Cells::new(calls), windows, answer: Answer::default(), ready: VecDeque::new() }
    }

    /// Bytes of a key without windows, and of the results of a pane, session or part of a window of rows.
    pub fn bytes(&self) -> (usize, usize) {
        let key = match &self.windows {
            Windows::Panes(_) => size_of::<panes::Key>(),
            Windows::Sessions(_) => size_of::<sessions::Key>(),
            Windows::Counted(_) => size_of::<counted::Key>(),
        };
        (key, self.cells.bytes())
    }

    /// Takes a row of a key, behind this watermark.
    pub fn take(&mut self, entry: u32, time: i64, arguments: &[u64], flags: u64, watermark: i64) -> Taken {
        let row = Row { time, arguments, flags };
        let (cells, ready) = (&mut self.cells, &mut self.ready);
        ready.clear();
        let changed = match &mut self.windows {
            Windows::Panes(panes) => panes.take(cells, entry, row, watermark, ready),
            Windows::Sessions(sessions) => sessions.take(cells, entry, row, watermark, ready),
            Windows::Counted(counted) => Some(counted.take(cells, entry, row, ready)),
        };
        match changed {
            None => Taken::Late,
            Some(changed) => Taken::In { changed, ready: !self.ready.is_empty() },
        }
    }

    /// The next window that leaves because of the row that was taken last.
    pub fn next_ready(&mut self, entry: u32) -> Option<Window> {
        let what = self.ready.pop_front()?;
        let (cells, answer) = (&mut self.cells, &mut self.answer);
        Some(match &mut self.windows {
            Windows::Panes(panes) => panes.revise(cells, answer, entry, what),
            Windows::Sessions(sessions) => sessions.revise(answer, cells, entry, what)?,
            Windows::Counted(counted) => counted.leave(cells, answer, entry, false)?,
        })
    }

    /// What the watermark must have passed before [`Closing::fire`] has something to do for a key: at the latest then;
    /// none where there is nothing to wait for.
    pub fn next(&self, entry: u32) -> Option<i64> {
        match &self.windows {
            Windows::Panes(panes) => panes.next(entry),
            Windows::Sessions(sessions) => sessions.next(entry),
            Windows::Counted(counted) => counted.next(entry),
        }
    }

    /// Does the first thing that is due by `deadline` for a key; the window that leaves, if one does. `ended` says that no
    /// row comes any more. Once more is needed while [`Closing::next`] is not above `deadline`.
    pub fn fire(&mut self, entry: u32, deadline: i64, ended: bool) -> Option<Window> {
        let (cells, answer) = (&mut self.cells, &mut self.answer);
        match &mut self.windows {
            Windows::Panes(panes) => panes.fire(cells, answer, entry, deadline, ended),
            Windows::Sessions(sessions) => sessions.fire(cells, answer, entry, deadline),
            Windows::Counted(_) if deadline < AT_END => None,
            Windows::Counted(counted) => counted.leave(cells, answer, entry, true),
        }
    }

    /// The result of a call over the window that left last. Text lives in `arena`.
    ///
    /// # Errors
    /// The result is outside of its type.
    pub fn read(&self, call: usize, arena: &Arena) -> Result<Option<u64>, Overflow> {
        self.cells.read(self.answer.cell, call, arena)
    }

    /// Whether nothing is known of a key.
    pub fn is_empty(&self, entry: u32) -> bool {
        match &self.windows {
            Windows::Panes(panes) => panes.is_empty(entry),
            Windows::Sessions(sessions) => sessions.is_empty(entry),
            Windows::Counted(counted) => counted.is_empty(entry),
        }
    }

    /// Event time of the newest row of a key, `i64::MIN` before the first.
    pub fn newest(&self, entry: u32) -> i64 {
        match &self.windows {
            Windows::Panes(panes) => panes.newest(entry),
            Windows::Sessions(sessions) => sessions.newest(entry),
            Windows::Counted(counted) => counted.newest(entry),
        }
    }

    /// Asks for what is known of a key; purely a hint.
    #[inline(always)]
    pub fn prefetch_key(&self, entry: u32) {
        match &self.windows {
            Windows::Panes(panes) if panes.keys.has(entry) => prefetch_value(panes.keys.get(entry)),
            Windows::Sessions(sessions) if sessions.keys.has(entry) => prefetch_value(sessions.keys.get(entry)),
            Windows::Counted(counted) if counted.keys.has(entry) => prefetch_value(counted.keys.get(entry)),
            _ => {}
        }
    }

    /// Makes the state of a key empty: for a new entry, an expired one, and one that was freed.
    pub fn reset(&mut self, entry: u32) {
        match &mut self.windows {
            Windows::Panes(panes) => panes.reset(&mut self.cells, entry),
            Windows::Sessions(sessions) => sessions.reset(&mut self.cells, entry),
            Windows::Counted(counted) => counted.reset(&mut self.cells, entry),
        }
    }
}
