//! Rows out of order: windows are moved back to their time, and forward again.

use super::{CHAIN, NIL, Order, TIME, Track, high, low, pair, take_back};
use crate::store::Words;
use crate::window::NEWEST;
use crate::window::call::Call;
use crate::window::gather::Way;

impl Track {
    /// Moves windows that stand at the newest row back to an older time.
    #[cold]
    #[inline(never)]
    pub(super) fn go_back(&mut self, state: &mut [u64], entry: u32, time: i64) {
        let (head, tail) = self.ends(state);
        let mut end = tail;
        while end != NIL && self.cells.get(end)[TIME] as i64 > time {
            if self.rewinds {
                self.leave_newest(state, entry, end);
            }
            end = if end == head { NIL } else { high(self.cells.get(end)[CHAIN]) };
        }
        self.end = end;
        if !self.rewinds {
            state[self.results.clone()].fill(0);
            state[self.first_window..self.results.start].fill(0);
            let fresh = |call: &Call| Some((call.side?, call.new_side(Way::Slides)));
            let sides = self.sides.get_mut(entry);
            self.calls.iter().filter_map(fresh).for_each(|(at, side)| sides[at] = side);
        }
        for index in 0..self.windows.len() {
            self.reach_back(state, entry, index, time);
        }
    }

    /// Takes the newest row out of the windows that hold it.
    pub(super) fn leave_newest(&mut self, state: &mut [u64], entry: u32, cell: u32) {
        for (index, window) in self.windows.iter().enumerate() {
            let place = self.first_window + index;
            let (first, rows) = (low(state[place]), high(state[place]));
            if rows == 0 {
                continue;
            }
            let words = self.cells.get(cell);
            for call in &self.calls[window.calls.clone()] {
                if self.flags(words) & call.mask == 0 {
                    let side = call.side.map(|side| &mut self.sides.get_mut(entry)[side]);
                    take_back(call, state, side, cell, words, &self.texts);
                }
            }
            state[place] = pair(if rows == 1 { NIL } else { first }, rows - 1);
        }
    }

    /// Takes rows into a window that stands at `time` as far back as it reaches.
    pub(super) fn reach_back(&mut self, state: &mut [u64], entry: u32, index: usize, time: i64) {
        let head = low(state[self.links]);
        let bound = time.saturating_sub(self.windows[index].length);
        let place = self.first_window + index;
        let (mut first, mut rows) = (low(state[place]), high(state[place]));
        let before = |cells: &Words, cell: u32| if cell == head { NIL } else { high(cells.get(cell)[CHAIN]) };
        let mut cell = if rows == 0 { self.end } else { before(&self.cells, first) };
        let known = rows;
        while cell != NIL && self.cells.get(cell)[TIME] as i64 >= bound {
            (first, rows) = (cell, rows + 1);
            if self.rewinds {
                self.take_in(state, entry, index, cell);
            }
            cell = before(&self.cells, cell);
        }
        state[place] = pair(first, rows);
        if !self.rewinds {
            // Queues take rows in their order.
            let mut cell = first;
            for _ in known..rows {
                self.take_in(state, entry, index, cell);
                cell = low(self.cells.get(cell)[CHAIN]);
            }
        }
        self.renew(state, entry, index);
    }

    /// Moves windows that stand at an older time forward to the newest row, by the rows from `cell` on.
    #[cold]
    #[inline(never)]
    pub(super) fn go_forward(&mut self, state: &mut [u64], entry: u32, mut cell: u32) {
        let tail = high(state[self.links]);
        while cell != NIL {
            self.follow(state, entry, cell);
            cell = if cell == tail { NIL } else { low(self.cells.get(cell)[CHAIN]) };
        }
        self.advance(state, entry, state[NEWEST] as i64);
    }

    /// Forgets that the windows were moved for a row that does not come.
    pub fn abort(&mut self, state: &mut [u64], entry: u32) {
        let (head, tail) = self.ends(state);
        if self.order == Order::Arrival || tail == NIL {
            return;
        }
        if self.end != tail {
            let next = if self.end == NIL { head } else { low(self.cells.get(self.end)[CHAIN]) };
            return self.go_forward(state, entry, next);
        }
        self.go_back(state, entry, state[NEWEST] as i64);
    }

    #[cold]
    pub(super) fn count_after(&self, mut cell: u32, tail: u32) -> u32 {
        let mut after = 0;
        while cell != tail {
            cell = low(self.cells.get(cell)[CHAIN]);
            after += 1;
        }
        after
    }
}
