//! Sessions: rows of a key less than a gap apart. A row between two sessions makes them one.

use super::cells::Cells;
use super::{Answer, ClosingSpec, Window};
use crate::store::Slab;
use crate::window::call::Row;
use std::collections::VecDeque;

/// Sessions by key.
pub struct Sessions {
    gap: i64,
    lateness: i64,
    early: Option<i64>,
    pub(super) keys: Slab<Key>,
}

/// What is known of a key.
#[derive(Debug)]
pub struct Key {
    /// By time; between two of them lies at least the gap.
    pub(super) sessions: VecDeque<Session>,
    /// When open sessions leave early; `i64::MAX`: not before another row.
    pub(super) early: i64,
    /// Event time of the newest row.
    pub(super) newest: i64,
}

impl Default for Key {
    fn default() -> Key {
        Key { sessions: VecDeque::new(), early: i64::MAX, newest: i64::MIN }
    }
}

/// A session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Session {
    /// Time of its oldest row.
    pub first: i64,
    /// Time of its newest row.
    pub last: i64,
    /// Its results.
    pub cell: u32,
    /// How often it, or one that it has taken in, has left closed.
    pub left: u32,
    /// Whether it has left since its last row.
    pub closed: bool,
    /// Whether rows came since it last left early.
    pub changed: bool,
}

impl Sessions {
    pub fn new(spec: &ClosingSpec, gap: i64) -> Sessions {
        Sessions { gap, lateness: spec.lateness, early: spec.early, keys: Slab::new() }
    }

    fn deadline(&self, session: &Session) -> i64 {
        session.last.saturating_add(self.gap).saturating_sub(1)
    }

    fn forgets(&self, session: &Session) -> i64 {
        self.deadline(session).saturating_add(self.lateness)
    }

    /// Takes a row; whether deadlines may have come nearer, none if it is late.
    pub fn take(
        &mut self,
        cells: &mut Cells,
        entry: u32,
        row: Row<'_>,
        watermark: i64,
        ready: &mut VecDeque<i64>,
    ) -> Option<bool> {
        let (time, gap) = (row.time, self.gap);
        let alone = Session { first: time, last: time, changed: true, ..Session::default() };
        let (of_row, lateness, early) = (self.forgets(&alone), self.lateness, self.early);
        let key = self.keys.get_mut(entry);
        let touches = |s: &Session| {
            let is_final = s.last.saturating_add(gap).saturating_sub(1).saturating_add(lateness) < watermark;
            !is_final && time < s.last.saturating_add(gap) && s.first < time.saturating_add(gap)
        };
        // The first session that does not lie wholly before the row.
        let mut at = key.sessions.partition_point(|s| s.last.saturating_add(gap) <= time);
        while key.sessions.get(at).is_some_and(|s| s.first < time.saturating_add(gap) && !touches(s)) {
            at += 1;
        }
        let mut nearer = false;
        if key.sessions.get(at).is_some_and(touches) {
            if key.sessions.get(at + 1).is_some_and(touches)
                && let Some(next) = key.sessions.remove(at + 1)
            {
                let session = &mut key.sessions[at];
                cells.merge(next.cell, session.cell);
                cells.release(next.cell);
                session.first = session.first.min(next.first);
                session.last = session.last.max(next.last);
                session.left = session.left.max(next.left);
            }
        } else if of_row < watermark {
            return None;
        } else {
            key.sessions.insert(at, Session { cell: cells.allocate(), ..alone });
            nearer = true;
        }
        let session = &mut key.sessions[at];
        cells.take(session.cell, row);
        session.first = session.first.min(time);
        session.last = session.last.max(time);
        session.changed = true;
        if session.last.saturating_add(gap).saturating_sub(1) < watermark {
            ready.push_back(session.first);
        } else {
            nearer |= session.closed;
            session.closed = false;
        }
        key.newest = key.newest.max(time);
        if let (Some(every), i64::MAX) = (early, key.early) {
            key.early = time.max(watermark).div_euclid(every).saturating_add(1).saturating_mul(every);
            nearer = true;
        }
        Some(nearer)
    }

    /// A session that the watermark has passed leaves.
    pub fn revise(&mut self, answer: &mut Answer, cells: &mut Cells, entry: u32, first: i64) -> Option<Window> {
        let key = self.keys.get(entry);
        let at = key.sessions.partition_point(|session| session.first < first);
        self.leave(answer, cells, entry, at)
    }

    fn leave(&mut self, answer: &mut Answer, cells: &mut Cells, entry: u32, at: usize) -> Option<Window> {
        let session = self.keys.get_mut(entry).sessions.get_mut(at)?;
        answer.set(cells, session.cell, false);
        let revision = session.left;
        session.left += 1;
        (session.closed, session.changed) = (true, false);
        let end = session.last.saturating_add(self.gap);
        Some(Window { start: session.first, end, time: end.saturating_sub(1), revision, closed: true })
    }

    pub fn next(&self, entry: u32) -> Option<i64> {
        let key = self.keys.get(entry);
        let of = |session: &Session| if session.closed { self.forgets(session) } else { self.deadline(session) };
        let early = (key.early != i64::MAX).then_some(key.early - 1);
        Some(key.sessions.iter().map(of).chain(early).min()?.min(super::AT_END))
    }

    pub fn fire(&mut self, cells: &mut Cells, answer: &mut Answer, entry: u32, deadline: i64) -> Option<Window> {
        let due = self.next(entry).filter(|due| *due <= deadline)?;
        let key = self.keys.get(entry);
        let at_end = |deadline: i64| deadline.min(super::AT_END) == due;
        if let Some(at) = key.sessions.iter().position(|s| !s.closed && at_end(self.deadline(s))) {
            let window = self.leave(answer, cells, entry, at);
            if self.lateness == 0 {
                let gone = self.keys.get_mut(entry).sessions.remove(at);
                gone.into_iter().for_each(|session| answer.keep_or_release(cells, session.cell));
            }
            return window;
        }
        if key.early != i64::MAX && key.early - 1 == due {
            return self.leave_early(cells, answer, entry);
        }
        if let Some(at) = key.sessions.iter().position(|s| s.closed && at_end(self.forgets(s))) {
            let gone = self.keys.get_mut(entry).sessions.remove(at);
            gone.into_iter().for_each(|session| answer.keep_or_release(cells, session.cell));
        }
        None
    }

    /// The oldest open session that has changed leaves.
    fn leave_early(&mut self, cells: &mut Cells, answer: &mut Answer, entry: u32) -> Option<Window> {
        let (gap, every) = (self.gap, self.early.unwrap_or(1));
        let key = self.keys.get_mut(entry);
        let time = key.early - 1;
        // One that has begun since then leaves at a later place.
        let later = key.sessions.iter().filter(|s| !s.closed && s.changed && s.first > time).map(|s| s.first).min();
        let mut changed = key.sessions.iter_mut().filter(|s| !s.closed && s.changed && s.first <= time);
        let first = changed.next();
        if changed.next().is_none() {
            let place = |first: i64| first.div_euclid(every).saturating_add(1).saturating_mul(every);
            key.early = later.map_or(i64::MAX, place);
        }
        let session = first?;
        session.changed = false;
        answer.set(cells, session.cell, false);
        let end = session.last.saturating_add(gap);
        Some(Window {
            start: session.first,
            end,
            time: time.min(end.saturating_sub(1)),
            revision: session.left,
            closed: false,
        })
    }

    pub fn is_empty(&self, entry: u32) -> bool {
        self.keys.get(entry).sessions.is_empty()
    }

    pub fn newest(&self, entry: u32) -> i64 {
        self.keys.get(entry).newest
    }

    pub fn reset(&mut self, cells: &mut Cells, entry: u32) {
        self.keys.reach(entry);
        let key = self.keys.get_mut(entry);
        key.sessions.drain(..).for_each(|session| cells.release(session.cell));
        (key.early, key.newest) = (i64::MAX, i64::MIN);
    }
}
