//! Windows of panes: tumbling, hopping, calendar.
//!
//! A window is named by the number of its first pane, a multiple of `hop`. A row is taken into its pane alone; a window
//! that closes merges its panes, with what the window before left ([`Sweep`]) where it has several.

use super::cells::{Cells, NIL};
use super::sweep::Sweep;
use super::{Answer, ClosingSpec, Pane, Window};
use crate::store::Slab;
use crate::window::call::Row;
use crate::window::grid::{Grid, PaneTime};
use std::collections::VecDeque;

/// Windows of panes, by key.
pub struct Panes {
    grid: Grid,
    count: i64,
    hop: i64,
    lateness: i64,
    empty: Option<i64>,
    early: Option<i64>,
    pub(super) keys: Slab<Key>,
    /// The panes that were asked for last: of rows, of the watermark, of the watermark less the lateness.
    known: [PaneTime; 3],
}

/// What is known of a key.
#[derive(Debug)]
pub struct Key {
    /// Panes with rows, by number.
    pub(super) panes: VecDeque<Pane>,
    /// The first window that has not closed; before the first `i64::MIN`.
    pub(super) open: i64,
    /// Closed windows that have left and are not final, and how often they have.
    pub(super) left: VecDeque<(i64, u32)>,
    /// When open windows leave early; `i64::MAX`: not before another row.
    pub(super) early: i64,
    /// Event time of the newest row.
    pub(super) newest: i64,
    sweep: Sweep,
}

impl Default for Key {
    fn default() -> Key {
        Key {
            panes: VecDeque::new(),
            open: i64::MIN,
            left: VecDeque::new(),
            early: i64::MAX,
            newest: i64::MIN,
            sweep: Sweep::default(),
        }
    }
}

/// What is to be done for a key, in the order in which it is done at one deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Close(i64),
    Early,
    Forget,
}

impl Panes {
    pub fn new(spec: &ClosingSpec, grid: Grid, count: i64, hop: i64) -> Panes {
        let nowhere = PaneTime { number: 0, start: i64::MAX, end: i64::MIN };
        Panes {
            grid,
            count,
            hop,
            lateness: spec.lateness,
            empty: spec.empty,
            early: spec.early,
            keys: Slab::new(),
            known: [nowhere; 3],
        }
    }

    /// The pane that holds a time; asked for by `who`, whose times are mostly near each other.
    #[inline]
    fn pane(&mut self, who: usize, time: i64) -> PaneTime {
        let known = self.known[who];
        if known.start <= time && time < known.end {
            return known;
        }
        self.known[who] = self.grid.pane(time);
        self.known[who]
    }

    /// The first window whose deadline is not below a watermark.
    fn first_open(&mut self, who: usize, watermark: i64) -> i64 {
        if watermark == i64::MIN {
            return i64::MIN;
        }
        let pane = self.pane(who, watermark).number;
        self.up(pane.saturating_sub(self.count - 1))
    }

    /// The first window that begins not before a pane.
    fn up(&self, pane: i64) -> i64 {
        pane.div_euclid(self.hop).saturating_add(i64::from(pane.rem_euclid(self.hop) != 0)).saturating_mul(self.hop)
    }

    /// The last window that begins not after a pane.
    fn down(&self, pane: i64) -> i64 {
        pane.div_euclid(self.hop).saturating_mul(self.hop)
    }

    fn end(&self, window: i64) -> i64 {
        self.grid.start(window.saturating_add(self.count))
    }

    fn deadline(&self, window: i64) -> i64 {
        self.end(window).saturating_sub(1)
    }

    /// Takes a row; whether deadlines may have changed, none if it is late.
    pub fn take(
        &mut self,
        cells: &mut Cells,
        entry: u32,
        row: Row<'_>,
        watermark: i64,
        ready: &mut VecDeque<i64>,
    ) -> Option<bool> {
        let number = self.pane(0, row.time).number;
        let open = self.first_open(1, watermark);
        let newest_window = self.down(number);
        let oldest = self.up(number.saturating_sub(self.count - 1));
        let alive = if newest_window >= open && oldest >= open {
            oldest
        } else {
            let bound = if watermark == i64::MIN { watermark } else { watermark.saturating_sub(self.lateness) };
            self.first_open(2, bound).max(oldest)
        };
        if newest_window < alive {
            return None;
        }
        let known = self.keys.get(entry);
        let closes = self.closes_next(known);
        let idle = known.newest == i64::MIN || self.empty.is_some() && closes.is_none();
        let fires_first = closes.is_some_and(|window| window < open);
        let key = self.keys.get_mut(entry);
        key.newest = key.newest.max(row.time);
        let first = oldest.max(open);
        if idle {
            key.open = first;
        } else if !fires_first {
            key.open = key.open.max(open);
        }
        let at = match key.panes.back() {
            Some(last) if last.number == number => key.panes.len() - 1,
            _ => key.panes.partition_point(|pane| pane.number < number),
        };
        let new = key.panes.get(at).is_none_or(|pane| pane.number != number);
        if new {
            key.panes.insert(at, Pane { number, cell: cells.allocate(), changed: false });
        }
        let pane = &mut key.panes[at];
        pane.changed = true;
        cells.take(pane.cell, row);
        if number < key.sweep.end() {
            key.sweep.clear(cells);
        }
        let mut window = alive;
        while window <= newest_window && window < key.open.min(open) {
            ready.push_back(window);
            window += self.hop;
        }
        if !fires_first && newest_window >= open {
            // A window that the watermark has not passed, before that of the key's first row.
            key.open = key.open.min(first);
        }
        let mut changed = new;
        if let (Some(every), i64::MAX) = (self.early, key.early) {
            let from = row.time.max(watermark);
            key.early = from.div_euclid(every).saturating_add(1).saturating_mul(every);
            changed = true;
        }
        Some(changed)
    }

    /// The window of a key that closes next.
    fn closes_next(&self, key: &Key) -> Option<i64> {
        if key.newest == i64::MIN {
            return None;
        }
        if let Some(for_long) = self.empty {
            let has_rows = key.panes.back().is_some_and(|pane| pane.number >= key.open);
            let passes = has_rows || self.deadline(key.open) <= key.newest.saturating_add(for_long);
            return passes.then_some(key.open);
        }
        let at = key.panes.partition_point(|pane| pane.number < key.open);
        let first = key.panes.get(at)?.number;
        Some(key.open.max(self.up(first.saturating_sub(self.count - 1))))
    }

    /// When the oldest of what is kept of closed windows is final.
    fn forgets(&self, key: &Key) -> Option<i64> {
        let pane = key.panes.front().map(|pane| self.down(pane.number)).filter(|window| *window < key.open);
        let window = pane.into_iter().chain(key.left.front().map(|(window, _)| *window)).min()?;
        Some(self.deadline(window).saturating_add(self.lateness))
    }

    fn due(&self, key: &Key) -> Option<(i64, Due)> {
        let close = self.closes_next(key).map(|window| (self.deadline(window), Due::Close(window)));
        let early = (key.early != i64::MAX).then_some((key.early - 1, Due::Early));
        let forget = self.forgets(key).map(|deadline| (deadline, Due::Forget));
        close.into_iter().chain(early).chain(forget).min()
    }

    pub fn next(&self, entry: u32) -> Option<i64> {
        self.due(self.keys.get(entry)).map(|(deadline, _)| deadline.min(super::AT_END))
    }

    pub fn fire(
        &mut self,
        cells: &mut Cells,
        answer: &mut Answer,
        entry: u32,
        deadline: i64,
        ended: bool,
    ) -> Option<Window> {
        let (due, what) = self.due(self.keys.get(entry))?;
        if due > deadline {
            return None;
        }
        match what {
            Due::Close(window) => self.close(cells, answer, entry, window, ended),
            Due::Early => self.leave_early(cells, answer, entry),
            Due::Forget => {
                self.forget(cells, entry, deadline);
                None
            }
        }
    }

    fn close(
        &mut self,
        cells: &mut Cells,
        answer: &mut Answer,
        entry: u32,
        window: i64,
        ended: bool,
    ) -> Option<Window> {
        let (start, end) = (self.grid.start(window), self.end(window));
        let after = window.saturating_add(self.count);
        let key = self.keys.get_mut(entry);
        key.open = window.saturating_add(self.hop);
        let from = key.panes.partition_point(|pane| pane.number < window);
        let has_rows = key.panes.get(from).is_some_and(|pane| pane.number < after);
        let more = key.panes.back().is_some_and(|pane| pane.number >= window);
        // A day that the zone has skipped is no window.
        let leaves = has_rows || (self.empty.is_some() && start < end && (more || !ended));
        if has_rows && self.count == 1 {
            key.panes[from].changed = false;
            answer.set(cells, key.panes[from].cell, false);
        } else {
            let parts = if has_rows { key.sweep.advance(cells, &key.panes, window, after) } else { [NIL; 2] };
            answer.join(cells, parts);
        }
        if ended && !more {
            // Nothing follows: windows without rows end with the input.
            key.newest = i64::MIN;
        }
        if self.lateness == 0 {
            while let Some(pane) = key.panes.pop_front_if(|pane| pane.number < key.open) {
                answer.keep_or_release(cells, pane.cell);
            }
        } else if leaves {
            key.left.push_back((window, 1));
        }
        if key.panes.is_empty() {
            key.sweep.clear(cells);
        }
        leaves.then_some(Window { start, end, time: end.saturating_sub(1), revision: 0, closed: true })
    }

    /// The oldest open window that has changed leaves.
    fn leave_early(&mut self, cells: &mut Cells, answer: &mut Answer, entry: u32) -> Option<Window> {
        let key = self.keys.get_mut(entry);
        let time = key.early - 1;
        let open = key.open;
        let mut changed = key.panes.iter_mut().filter(|pane| pane.number >= open && pane.changed);
        let first = changed.next();
        let more = changed.next().is_some();
        let found = first.map(|pane| {
            pane.changed = false;
            (pane.number, pane.cell)
        });
        if !more {
            key.early = i64::MAX;
        }
        let (window, cell) = found?;
        answer.set(cells, cell, false);
        let (start, end) = (self.grid.start(window), self.end(window));
        Some(Window { start, end, time: time.min(end.saturating_sub(1)), revision: 0, closed: false })
    }

    /// Forgets what is final.
    fn forget(&mut self, cells: &mut Cells, entry: u32, deadline: i64) {
        let mut key = std::mem::take(self.keys.get_mut(entry));
        let is_final = |window: i64| self.deadline(window).saturating_add(self.lateness) <= deadline;
        while let Some(pane) = key.panes.pop_front_if(|pane| {
            let last = self.down(pane.number);
            last < key.open && is_final(last)
        }) {
            cells.release(pane.cell);
        }
        while key.left.pop_front_if(|(window, _)| is_final(*window)).is_some() {}
        if key.panes.is_empty() {
            key.sweep.clear(cells);
        }
        *self.keys.get_mut(entry) = key;
    }

    /// A closed window leaves once more, or for the first time if it had no rows.
    pub fn revise(&mut self, cells: &mut Cells, answer: &mut Answer, entry: u32, window: i64) -> Window {
        let (start, end) = (self.grid.start(window), self.end(window));
        let after = window.saturating_add(self.count);
        let key = self.keys.get_mut(entry);
        let from = key.panes.partition_point(|pane| pane.number < window);
        let inside = key.panes.iter().skip(from).take_while(|pane| pane.number < after);
        answer.join(cells, inside.map(|pane| pane.cell));
        let at = key.left.partition_point(|(left, _)| *left < window);
        if key.left.get(at).is_none_or(|(left, _)| *left != window) {
            key.left.insert(at, (window, 0));
        }
        let revision = key.left[at].1;
        key.left[at].1 += 1;
        Window { start, end, time: end.saturating_sub(1), revision, closed: true }
    }

    pub fn is_empty(&self, entry: u32) -> bool {
        let key = self.keys.get(entry);
        key.panes.is_empty() && key.left.is_empty() && self.closes_next(key).is_none()
    }

    pub fn newest(&self, entry: u32) -> i64 {
        self.keys.get(entry).newest
    }

    pub fn reset(&mut self, cells: &mut Cells, entry: u32) {
        self.keys.reach(entry);
        let mut key = std::mem::take(self.keys.get_mut(entry));
        key.panes.drain(..).for_each(|pane| cells.release(pane.cell));
        key.sweep.clear(cells);
        key.left.clear();
        // The memory of the lists serves the next key.
        let (panes, left, sweep) = (key.panes, key.left, key.sweep);
        *self.keys.get_mut(entry) = Key { panes, left, sweep, ..Key::default() };
    }
}
