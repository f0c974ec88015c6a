//! The rows of one key: two lists in order of time, what finds its partner in which, and when a row has none for good.
//!
//! Pure: knows neither keys nor frames nor the store. Invariants: both lists are in order of time, rows of one time in
//! that of their origin, so that it does not matter which came first; a row is kept as long as a partner of it can
//! still come, and as long as it must still leave alone.

use crate::store::Codec;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Taken rows that are looked at to find one that is not.
const LOOKED_AT: usize = 32;

/// A side of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first stream of `from`.
    Left,
    /// The second.
    Right,
}

impl Side {
    /// Both.
    pub const BOTH: [Side; 2] = [Side::Left, Side::Right];

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// Which rows belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How much the right row may come before the left one, microseconds.
    pub before: i64,
    /// How much it may come after it.
    pub after: i64,
    /// Whether a left row is joined with its first partner only.
    pub first: bool,
}

impl Bounds {
    /// The times of the partners of a row at `time`, both ends included.
    fn partners(&self, side: Side, time: i64) -> (i64, i64) {
        let (back, ahead) = match side {
            Side::Left => (self.before, self.after),
            Side::Right => (self.after, self.before),
        };
        (time.saturating_sub(back), time.saturating_add(ahead))
    }

    /// The last time at which a partner of a row at `time` can come.
    pub fn deadline(&self, side: Side, time: i64) -> i64 {
        self.partners(side, time).1
    }
}

/// A row that is kept.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its event time.
    pub time: i64,
    /// Split, position and path of its tuple: what tells it from all others.
    pub origin: (u32, u64, u64),
    /// Whether it has had a partner.
    pub taken: bool,
    /// Its columns.
    pub body: Arc<[u8]>,
}

impl Codec for Row {
    fn write(&self, out: &mut Vec<u8>) {
        self.time.write(out);
        self.origin.0.write(out);
        self.origin.1.write(out);
        self.origin.2.write(out);
        self.taken.write(out);
        (self.body.len() as u32).write(out);
        out.extend_from_slice(&self.body);
    }

    fn read(from: &mut &[u8]) -> Option<Row> {
        let time = i64::read(from)?;
        let origin = (u32::read(from)?, u64::read(from)?, u64::read(from)?);
        let taken = bool::read(from)?;
        let length = u32::read(from)? as usize;
        let (body, rest) = from.split_at_checked(length)?;
        *from = rest;
        Some(Row { time, origin, taken, body: body.into() })
    }

    fn heap_bytes(&self) -> usize {
        self.body.len() + 16
    }
}

/// Rows in order of time.
#[derive(Clone, Debug, Default)]
pub struct List(pub VecDeque<Row>);

impl List {
    /// Puts a row in its place.
    pub fn insert(&mut self, row: Row) {
        let place = |row: &Row| (row.time, row.origin);
        if self.0.back().is_none_or(|last| place(last) <= place(&row)) {
            self.0.push_back(row);
        } else {
            let at = self.0.partition_point(|known| place(known) <= place(&row));
            self.0.insert(at, row);
        }
    }

    /// The rows between two times, both included.
    fn between(&self, (from, to): (i64, i64)) -> Range<usize> {
        self.0.partition_point(|row| row.time < from)..self.0.partition_point(|row| row.time <= to)
    }
}

impl Codec for List {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<List> {
        VecDeque::read(from).map(List)
    }

    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// The rows of one key.
#[derive(Clone, Debug)]
pub struct Sides {
    left: List,
    right: List,
    /// The deadline of its timer; `i64::MAX` if it has none.
    pub timer: i64,
}

impl Default for Sides {
    fn default() -> Sides {
        Sides { left: List::default(), right: List::default(), timer: i64::MAX }
    }
}

impl Codec for Sides {
    fn write(&self, out: &mut Vec<u8>) {
        self.timer.write(out);
        self.left.write(out);
        self.right.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Sides> {
        let timer = i64::read(from)?;
        Some(Sides { left: List::read(from)?, right: List::read(from)?, timer })
    }

    fn heap_bytes(&self) -> usize {
        self.left.heap_bytes() + self.right.heap_bytes()
    }
}

impl Sides {
    fn list(&mut self, side: Side) -> &mut List {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// A row comes on a side: `joined` gets the partners that it is joined with, in order of time.
    pub fn arrive(&mut self, side: Side, mut row: Row, bounds: &Bounds, joined: &mut Vec<Row>) {
        let others = self.list(side.other());
        let range = others.between(bounds.partners(side, row.time));
        row.taken = !range.is_empty();
        for (n, partner) in others.0.range_mut(range).enumerate() {
            // With `first`, a left row has the first of its partners alone, though all of them have had one.
            let joins = !bounds.first
                || match side {
                    Side::Left => n == 0,
                    Side::Right => !partner.taken,
                };
            partner.taken = true;
            if !joins {
                continue;
            }
            joined.push(partner.clone());
            if bounds.first && side == Side::Right {
                // Nobody asks for its columns any more.
                partner.body = Arc::default();
            }
        }
        if bounds.first && side == Side::Left && row.taken {
            row.body = Arc::default();
        }
        self.list(side).insert(row);
    }

    /// Frees rows that have had a partner and can have no other, when no row before `watermark` comes any more.
    pub fn prune(&mut self, watermark: i64, bounds: &Bounds) {
        for side in Side::BOTH {
            let list = self.list(side);
            while list.0.front().is_some_and(|row| row.taken && bounds.deadline(side, row.time) < watermark) {
                list.0.pop_front();
            }
        }
    }

    /// No partner of rows with this deadline comes any more: they go, and `alone` gets those that have had none.
    pub fn due(&mut self, deadline: i64, bounds: &Bounds, alone: &mut Vec<(Side, Row)>) {
        for side in Side::BOTH {
            let list = self.list(side);
            while let Some(row) = list.0.front()
                && bounds.deadline(side, row.time) <= deadline
            {
                alone.extend(list.0.pop_front().filter(|row| !row.taken).map(|row| (side, row)));
            }
        }
    }

    /// When to look at it again: no row without a partner has an earlier deadline, and all rows go in the end; none
    /// without rows.
    pub fn next_deadline(&mut self, bounds: &Bounds) -> Option<i64> {
        let of_side = |side: Side| {
            let rows = &self.list(side).0;
            let alone = rows.iter().take(LOOKED_AT).find(|row| !row.taken);
            let row = alone.or_else(|| rows.get(LOOKED_AT)).or_else(|| rows.back())?;
            Some(bounds.deadline(side, row.time))
        };
        Side::BOTH.into_iter().filter_map(of_side).min()
    }

    /// Number of rows of a side.
    #[cfg(test)]
    pub fn rows(&mut self, side: Side) -> usize {
        self.list(side).0.len()
    }
}
