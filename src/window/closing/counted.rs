//! Windows of so many rows in order of arrival. One that is not full leaves when the input ends.

use super::cells::{Cells, NIL};
use super::sweep::Sweep;
use super::{AT_END, Answer, Pane, Window};
use crate::store::Slab;
use crate::window::call::Row;
use std::collections::VecDeque;

/// Windows of rows, by key.
pub struct Counted {
    /// Rows of a part: windows are whole numbers of parts, and begin at every `hop`th.
    part: u64,
    count: i64,
    hop: i64,
    pub(super) keys: Slab<Key>,
}

/// What is known of a key.
#[derive(Debug, Default)]
pub struct Key {
    /// Parts of windows that have not closed.
    pub(super) parts: VecDeque<Part>,
    /// Number of the first part of the window that closes next.
    pub(super) open: i64,
    /// Event time of the newest row.
    pub(super) newest: i64,
    sweep: Sweep,
    /// The results of the parts, for the sweep.
    panes: VecDeque<Pane>,
}

/// A part of windows: rows that are in the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// Its number.
    pub number: i64,
    /// Its results.
    pub cell: u32,
    /// Its rows.
    pub rows: u64,
    /// Time of its oldest row.
    pub first: i64,
    /// Time of its newest row.
    pub last: i64,
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

impl Counted {
    pub fn new(length: u64, every: u64) -> Counted {
        let part = divisor(length, every).max(1);
        Counted { part, count: (length / part) as i64, hop: (every / part) as i64, keys: Slab::new() }
    }

    /// Takes a row; whether it is the first that waits for the end of the input.
    pub fn take(&mut self, cells: &mut Cells, entry: u32, row: Row<'_>, ready: &mut VecDeque<i64>) -> bool {
        let (part, after) = (self.part, self.keys.get(entry).open + self.count);
        let key = self.keys.get_mut(entry);
        key.newest = key.newest.max(row.time);
        let first = key.parts.is_empty();
        if key.parts.back().is_none_or(|last| last.rows == part) {
            let number = key.parts.back().map_or(key.open, |last| last.number + 1);
            let cell = cells.allocate();
            key.parts.push_back(Part { number, cell, rows: 0, first: row.time, last: row.time });
            key.panes.push_back(Pane { number, cell, changed: false });
        }
        let last = key.parts.len() - 1;
        let newest = &mut key.parts[last];
        cells.take(newest.cell, row);
        newest.rows += 1;
        newest.first = newest.first.min(row.time);
        newest.last = newest.last.max(row.time);
        if newest.rows == part && newest.number + 1 == after {
            ready.push_back(key.open);
        }
        first
    }

    /// The window that closes next leaves, full, or what there is of it at the end of the input.
    pub fn leave(&mut self, cells: &mut Cells, answer: &mut Answer, entry: u32, ended: bool) -> Option<Window> {
        let (count, hop) = (self.count, self.hop);
        let key = self.keys.get_mut(entry);
        let (open, end) = (key.open, key.open + count);
        let inside = || key.parts.iter().filter(|part| part.number >= open && part.number < end);
        let start = inside().map(|part| part.first).min()?;
        let last = inside().map(|part| part.last).max()?;
        if count == 1 {
            answer.set(cells, key.parts.front()?.cell, false);
        } else {
            let parts = key.sweep.advance(cells, &key.panes, open, end);
            answer.join(cells, parts);
        }
        key.open = if ended { i64::MAX } else { open + hop };
        while let Some(part) = key.parts.pop_front_if(|part| part.number < key.open) {
            answer.keep_or_release(cells, part.cell);
        }
        while key.panes.pop_front_if(|pane| pane.number < key.open).is_some() {}
        if ended {
            key.open = 0;
        }
        if key.parts.is_empty() {
            key.sweep.clear(cells);
        }
        Some(Window { start, end: last, time: last, revision: 0, closed: true })
    }

    pub fn next(&self, entry: u32) -> Option<i64> {
        (!self.is_empty(entry)).then_some(AT_END)
    }

    pub fn is_empty(&self, entry: u32) -> bool {
        self.keys.get(entry).parts.is_empty()
    }

    pub fn newest(&self, entry: u32) -> i64 {
        self.keys.get(entry).newest
    }

    pub fn reset(&mut self, cells: &mut Cells, entry: u32) {
        self.keys.reach(entry);
        let key = self.keys.get_mut(entry);
        key.parts.drain(..).for_each(|part| cells.release(part.cell));
        key.panes.clear();
        key.sweep.clear(cells);
        (key.open, key.newest) = (0, i64::MIN);
    }

    /// The results of the parts anew, after they were read back.
    pub(super) fn list(key: &mut Key) {
        key.panes = key.parts.iter().map(|p| Pane { number: p.number, cell: p.cell, changed: false }).collect();
        debug_assert!(key.parts.iter().all(|part| part.cell != NIL));
    }
}
