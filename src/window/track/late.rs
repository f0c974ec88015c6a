//! Rows out of order: windows are moved back to their time, and forward again.

use super::away::BLOCK;
use super::{CHAIN, NIL, Order, Track, high, low, pair};
use crate::window::NEWEST;

impl Track {
    /// Moves windows that stand at the newest row back to an older time.
    #[cold]
    #[inline(never)]
    pub(super) fn go_back(&mut self, state: &mut [u64], entry: u32, time: i64) {
        let mut end = high(state[self.links]);
        let rewinds = self.rewinds && !self.emptied;
        while end != NIL {
            if end >= BLOCK {
                // Lost rows are as if there were none.
                end = match self.fetch(state, end) {
                    Some((_, last)) => last,
                    None => {
                        self.lose(state, end);
                        NIL
                    }
                };
                continue;
            }
            if self.time(end) <= time {
                break;
            }
            if rewinds {
                self.leave_newest(state, entry, end);
            }
            end = if end == low(state[self.links]) { NIL } else { high(self.chain(end)) };
        }
        (self.end, self.moved) = (end, true);
        if rewinds && !self.has_lost() {
            (0..self.windows.len()).for_each(|index| self.reach_back(state, entry, index, time));
        } else {
            self.remake(state, entry, time);
        }
        if self.has_lost() {
            self.remake(state, entry, time);
        }
    }

    /// Takes the newest row out of the windows that hold it.
    fn leave_newest(&mut self, state: &mut [u64], entry: u32, cell: u32) {
        for index in 0..self.windows.len() {
            let place = self.first_window + index;
            let (first, rows) = (low(state[place]), high(state[place]));
            if rows > 0 {
                self.take_newest(state, entry, index, (cell, rows - 1));
                state[place] = pair(if rows == 1 { NIL } else { first }, rows - 1);
            }
        }
    }

    /// Takes rows into a window that stands at `time` as far back as it reaches.
    pub(super) fn reach_back(&mut self, state: &mut [u64], entry: u32, index: usize, time: i64) {
        let bound = time.saturating_sub(self.windows[index].length);
        let place = self.first_window + index;
        let (mut first, known) = (low(state[place]), high(state[place]));
        let mut rows = known;
        let before = |track: &Track, state: &[u64], cell: u32| match cell == low(state[track.links]) {
            true => NIL,
            false => high(track.chain(cell)),
        };
        // Rows come in their order where there is none yet.
        let in_order = known == 0;
        let mut cell = if in_order { self.end } else { before(self, state, first) };
        while cell != NIL && self.time(cell) >= bound {
            if cell >= BLOCK {
                cell = match self.fetch(state, cell) {
                    Some((_, last)) => last,
                    None => {
                        self.lose(state, cell);
                        NIL
                    }
                };
                continue;
            }
            (first, rows) = (cell, rows + 1);
            if !in_order {
                self.take_in_first(state, entry, index, cell);
            }
            cell = before(self, state, cell);
        }
        state[place] = pair(first, rows);
        if in_order {
            let mut cell = first;
            for before in 0..rows {
                self.take_in(state, entry, index, (cell, before));
                cell = low(self.chain(cell));
            }
        }
        self.renew(state, entry, index, time);
    }

    /// Moves windows that stand at an older time forward to the newest row, by the rows from `cell` on.
    #[cold]
    #[inline(never)]
    pub(super) fn go_forward(&mut self, state: &mut [u64], entry: u32, mut cell: u32) {
        let tail = high(state[self.links]);
        while cell != NIL {
            self.follow(state, entry, cell);
            cell = if cell == tail { NIL } else { low(self.chain(cell)) };
        }
        self.end = tail;
        self.advance(state, entry, state[NEWEST] as i64);
    }

    /// Forgets that the windows were moved for a row that does not come.
    pub fn abort(&mut self, state: &mut [u64], entry: u32) {
        let (head, tail) = self.ends(state);
        if self.order == Order::Arrival || tail == NIL || !self.moved {
            return;
        }
        if self.end != tail {
            let next = if self.end == NIL { head } else { low(self.chain(self.end)) };
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
