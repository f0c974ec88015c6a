//! Rows of a window that are or may become the answer of a call: least, greatest, oldest, newest.
//!
//! A row that comes takes the place of those before it that it is preferred to. Since a late row makes the newest ones
//! go and come again, what they took the place of is remembered as long as a row may be late.
//!
//! Owns values, never rows: rows are told by their place in the window, counted from some number on, so that they need
//! not be in memory. Source of the queue: Lemire, "Streaming maximum-minimum filter", 2006.

use crate::expr::AggregateFunction as F;
use crate::tuple::DataType;
use crate::window::call::{Call, compare};
use crate::window::ordered::{Texts, preferred};
use std::collections::VecDeque;

/// The place of the oldest row of a window that was empty: others may come before it.
const START: u64 = 1 << 48;

/// A row as it is kept.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Twice its place, one more if the value is NULL.
    mark: u64,
    value: u64,
}

impl Candidate {
    fn place(&self) -> u64 {
        self.mark >> 1
    }
}

/// A row whose place a newer one took.
#[derive(Clone, Copy, Debug)]
struct Replaced {
    row: Candidate,
    /// Place and time of the newer one.
    by: u64,
    time: i64,
}

/// Candidates, oldest first.
#[derive(Debug)]
pub struct Queue {
    /// Place of the oldest row of the window.
    left: u64,
    rows: VecDeque<Candidate>,
    /// In the order in which they were replaced, the oldest of several that one row replaced last.
    replaced: VecDeque<Replaced>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { left: START, rows: VecDeque::new(), replaced: VecDeque::new() }
    }
}

fn is_text(call: &Call) -> bool {
    call.spec.ty == DataType::Text && call.has_value()
}

fn own(call: &Call, value: u64, texts: &mut Texts) -> u64 {
    if is_text(call) { texts.copy(value) } else { value }
}

fn free(call: &Call, value: u64, texts: &mut Texts) {
    if is_text(call) {
        texts.free(value);
    }
}

/// Whether a row stays a candidate when a newer one is there.
fn stays(call: &Call, old: u64, new: u64, texts: &Texts) -> bool {
    match call.spec.function {
        F::Min | F::Max => preferred(call.spec.function, compare(call.given(old, texts), call.given(new, texts))),
        F::Last => false,
        _ => true,
    }
}

/// A row that comes, as the newest of its window.
#[derive(Clone, Copy)]
pub struct Newest {
    /// Rows of the window before it.
    pub before: u32,
    /// Its value.
    pub value: u64,
    /// Whether that is NULL.
    pub null: bool,
    /// Its time.
    pub time: i64,
}

impl Queue {
    /// A row comes; what was replaced before `forget` is not needed any more.
    #[inline]
    pub fn come(&mut self, call: &Call, row: Newest, forget: i64, texts: &mut Texts) {
        let place = self.left + u64::from(row.before);
        while self.replaced.front().is_some_and(|replaced| replaced.time < forget) {
            self.forget(call, true, texts);
        }
        // Rows that have left the window, or have gone with it, do not come back as they were.
        while self.replaced.front().is_some_and(|replaced| replaced.by < self.left) {
            self.forget(call, true, texts);
        }
        while self.replaced.back().is_some_and(|replaced| replaced.by >= place) {
            self.forget(call, false, texts);
        }
        while let Some(old) = self.rows.back().copied() {
            if stays(call, old.value, row.value, texts) {
                break;
            }
            self.rows.pop_back();
            if row.time >= forget {
                self.replaced.push_back(Replaced { row: old, by: place, time: row.time });
            } else {
                free(call, old.value, texts);
            }
        }
        let value = own(call, row.value, texts);
        self.rows.push_back(Candidate { mark: place << 1 | u64::from(row.null), value });
    }

    fn forget(&mut self, call: &Call, oldest: bool, texts: &mut Texts) {
        let replaced = if oldest { self.replaced.pop_front() } else { self.replaced.pop_back() };
        if let Some(replaced) = replaced {
            free(call, replaced.row.value, texts);
        }
    }

    /// The newest row goes, `before` which there are so many: it is as if it had not come.
    pub fn go(&mut self, call: &Call, before: u32, texts: &mut Texts) {
        let place = self.left + u64::from(before);
        if self.rows.back().is_some_and(|row| row.place() == place)
            && let Some(row) = self.rows.pop_back()
        {
            free(call, row.value, texts);
        }
        while self.replaced.back().is_some_and(|replaced| replaced.by == place) {
            let Some(Replaced { row, .. }) = self.replaced.pop_back() else { break };
            if row.place() >= self.left {
                self.rows.push_back(row);
            } else {
                free(call, row.value, texts);
            }
        }
    }

    /// The oldest row of the window leaves it.
    #[inline]
    pub fn leave(&mut self, call: &Call, texts: &mut Texts) {
        if self.rows.front().is_some_and(|row| row.place() == self.left)
            && let Some(row) = self.rows.pop_front()
        {
            free(call, row.value, texts);
        }
        self.left += 1;
    }

    /// A row comes before the oldest one of the window; none: one that does not count.
    pub fn precede(&mut self, call: &Call, row: Option<(u64, bool)>, texts: &mut Texts) {
        self.left -= 1;
        let Some((value, null)) = row else { return };
        if self.rows.front().is_none_or(|first| stays(call, value, first.value, texts)) {
            let value = own(call, value, texts);
            self.rows.push_front(Candidate { mark: self.left << 1 | u64::from(null), value });
        }
    }

    /// The answer: the value, and whether it is NULL.
    #[inline]
    pub fn answer(&self, call: &Call) -> Option<(u64, bool)> {
        let row = if call.spec.function == F::Last { self.rows.back() } else { self.rows.front() };
        row.map(|row| (row.value, row.mark & 1 == 1))
    }

    /// No rows.
    pub fn clear(&mut self, call: &Call, texts: &mut Texts) {
        self.rows.drain(..).for_each(|row| free(call, row.value, texts));
        self.replaced.drain(..).for_each(|replaced| free(call, replaced.row.value, texts));
        self.left = START;
    }
}
