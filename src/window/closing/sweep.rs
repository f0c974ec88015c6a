//! Results of windows that slide over panes, by two stacks: each pane is merged at most three times, whatever the
//! number of windows that share it.
//!
//! The older panes of the window have been merged from the newest to the oldest, one result for each (`front`): when the
//! oldest leaves, the next result is there. The newer ones are merged into one (`back`). When the front is used up, the
//! back becomes the front.
//! Source: Tangwongsan, Hirzel, Schneider, Wu, "General incremental sliding-window aggregation" (two-stacks).

use super::Pane;
use super::cells::{Cells, NIL};
use std::collections::VecDeque;

/// The merged panes of the window that closed last.
#[derive(Debug)]
pub struct Sweep {
    /// For each pane of the older part a result of it and all after it in that part, the oldest pane last.
    front: Vec<(i64, u32)>,
    /// The newer part in one; [`NIL`] where it is empty.
    back: u32,
    /// The first pane of the newer part.
    middle: i64,
    /// The pane after the newer part.
    end: i64,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep { front: Vec::new(), back: NIL, middle: i64::MIN, end: i64::MIN }
    }
}

impl Sweep {
    /// The pane after those that have been merged: what comes for an earlier one makes it void.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Gives its cells back.
    pub fn clear(&mut self, cells: &mut Cells) {
        self.front.drain(..).for_each(|(_, cell)| cells.release(cell));
        cells.release(std::mem::replace(&mut self.back, NIL));
        (self.middle, self.end) = (i64::MIN, i64::MIN);
    }

    /// Moves to the panes from `first` to before `end`, both not before where it was; the results of the two parts.
    pub fn advance(&mut self, cells: &mut Cells, panes: &VecDeque<Pane>, first: i64, end: i64) -> [u32; 2] {
        while self.front.last().is_some_and(|(number, _)| *number < first) {
            cells.release(self.front.pop().map_or(NIL, |(_, cell)| cell));
        }
        if self.end <= first {
            self.clear(cells);
            (self.middle, self.end) = (first, first);
        }
        if self.front.is_empty() && self.middle < first {
            self.flip(cells, panes, first);
        }
        let from = panes.partition_point(|pane| pane.number < self.end);
        for pane in panes.iter().skip(from).take_while(|pane| pane.number < end) {
            if self.back == NIL {
                self.back = cells.allocate();
            }
            cells.merge(pane.cell, self.back);
        }
        self.end = self.end.max(end);
        [self.front.last().map_or(NIL, |(_, cell)| *cell), self.back]
    }

    /// Makes the newer part the older one.
    fn flip(&mut self, cells: &mut Cells, panes: &VecDeque<Pane>, first: i64) {
        cells.release(std::mem::replace(&mut self.back, NIL));
        let until = panes.partition_point(|pane| pane.number < self.end);
        let mut last = NIL;
        for pane in panes.iter().take(until).rev().take_while(|pane| pane.number >= first) {
            let cell = cells.allocate();
            cells.merge(pane.cell, cell);
            if last != NIL {
                cells.merge(last, cell);
            }
            last = cell;
            self.front.push((pane.number, cell));
        }
        self.middle = self.end;
    }
}
