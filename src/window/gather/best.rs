//! The value of the row with the least or greatest other value; of several, the oldest row.

use super::{Asked, Held, Item, Way};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::DataType;
use crate::window::ordered::sortable;
use crate::window::{CallSpec, Overflow};
use std::collections::VecDeque;

/// Rows that are or may become the answer, the best first.
#[derive(Debug)]
pub struct Best {
    greatest: bool,
    slides: bool,
    /// Type of the other value.
    ty: DataType,
    rows: VecDeque<Candidate>,
    /// Number of the next row, and of the oldest that is still there.
    next: u64,
    oldest: u64,
}

#[derive(Clone, Debug)]
struct Candidate {
    number: u64,
    time: i64,
    /// The less the better.
    rank: u64,
    value: Held,
}

impl Best {
    pub fn new(call: &CallSpec, way: Way) -> Best {
        Best {
            greatest: call.function == F::MaxBy,
            slides: way == Way::Slides,
            ty: call.second.map_or(DataType::Bigint, |second| second.ty),
            rows: VecDeque::new(),
            next: 0,
            oldest: 0,
        }
    }

    fn rank(&self, second: u64) -> u64 {
        let key = sortable(second, self.ty);
        if self.greatest { !key } else { key }
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.slides {
            while self.rows.back().is_some_and(|known| candidate.rank < known.rank) {
                self.rows.pop_back();
            }
            return self.rows.push_back(candidate);
        }
        let better = |known: &Candidate| (candidate.rank, candidate.time) < (known.rank, known.time);
        if self.rows.front().is_none_or(better) {
            self.rows.clear();
            self.rows.push_back(candidate);
        }
    }

    pub fn add(&mut self, item: Item<'_>) {
        let candidate =
            Candidate { number: self.next, time: item.time, rank: self.rank(item.second), value: item.held() };
        self.next += 1;
        self.offer(candidate);
    }

    pub fn remove_first(&mut self, _: Item<'_>) {
        if self.rows.front().is_some_and(|first| first.number == self.oldest) {
            self.rows.pop_front();
        }
        self.oldest += 1;
    }

    pub fn merge(&mut self, other: &Best) {
        other.rows.iter().for_each(|candidate| self.offer(candidate.clone()));
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let first = self.rows.front();
        let current = with.filter(|item| {
            let rank = self.rank(item.second);
            let earlier = |known: &Candidate| !self.slides && rank == known.rank && item.time < known.time;
            first.is_none_or(|known| rank < known.rank || earlier(known))
        });
        Ok(match (current, first) {
            (Some(item), _) => Some(item.word),
            (None, Some(known)) => Some(known.value.word(asked.arena)),
            (None, None) => None,
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.rows.len() as u32).write(out);
        for row in &self.rows {
            (row.time, row.rank).write(out);
            row.value.write(out);
        }
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::read(from)? {
            let (time, rank) = Codec::read(from)?;
            self.rows.push_back(Candidate { number: self.next, time, rank, value: Held::read(from)? });
            self.next += 1;
        }
        Some(())
    }
}
