//! Sums over neighbours in time: integrals by trapezoids, increases of counters.

use super::{Asked, Item, Way};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::DataType;
use crate::window::accumulate::{self, Method};
use crate::window::{CallSpec, Overflow};
use std::collections::VecDeque;

/// Rows by time, and the sum over each two that follow each other.
#[derive(Debug)]
pub struct Pairs {
    integral: bool,
    ty: DataType,
    way: Way,
    method: Method,
    /// Time and value, by time; only the newest where rows come as they arrive, for ever.
    rows: VecDeque<(i64, u64)>,
    sum: [u64; 5],
}

impl Pairs {
    pub fn new(call: &CallSpec, way: Way) -> Pairs {
        let method = if call.ty == DataType::Double { Method::Double } else { Method::Whole };
        let integral = call.function == F::Integral;
        Pairs { integral, ty: call.ty, way, method, rows: VecDeque::new(), sum: [0; 5] }
    }

    /// What two neighbours give.
    fn between(&self, (from, a): (i64, u64), (to, b): (i64, u64)) -> u64 {
        if self.ty != DataType::Double {
            // A counter that is lower than before has begun at zero again.
            let (a, b) = (a as i64, b as i64);
            return if b >= a { b.saturating_sub(a) } else { b } as u64;
        }
        let (a, b) = (f64::from_bits(a), f64::from_bits(b));
        let part = if self.integral {
            (a + b) / 2.0 * (to.saturating_sub(from) as f64 / 1e6)
        } else if b >= a {
            b - a
        } else {
            b
        };
        part.to_bits()
    }

    fn change(&mut self, a: Option<(i64, u64)>, b: Option<(i64, u64)>, sign: i64) {
        if let (Some(a), Some(b)) = (a, b) {
            let part = self.between(a, b);
            self.method.change(&mut self.sum, part, self.ty, sign);
            if sign < 0 && self.method.is_worn(&self.sum) {
                self.renew();
            }
        }
    }

    #[cold]
    fn renew(&mut self) {
        self.sum = [0; 5];
        for at in 1..self.rows.len() {
            let part = self.between(self.rows[at - 1], self.rows[at]);
            self.method.change(&mut self.sum, part, self.ty, 1);
        }
        self.method.renewed(&mut self.sum);
    }

    fn insert(&mut self, row: (i64, u64)) {
        let at = self.rows.partition_point(|known| known.0 <= row.0);
        let before = at.checked_sub(1).map(|at| self.rows[at]);
        let after = self.rows.get(at).copied();
        self.rows.insert(at, row);
        self.change(before, Some(row), 1);
        self.change(Some(row), after, 1);
        self.change(before, after, -1);
    }

    pub fn add(&mut self, item: Item<'_>) {
        if self.way != Way::Arrives {
            return self.insert((item.time, item.word));
        }
        let before = self.rows.pop_front();
        let row = (before.map_or(item.time, |before| before.0.max(item.time)), item.word);
        self.change(before, Some(row), 1);
        self.rows.push_front(row);
    }

    pub fn remove_first(&mut self, _: Item<'_>) {
        let first = self.rows.pop_front();
        self.change(first, self.rows.front().copied(), -1);
    }

    pub fn merge(&mut self, other: &Pairs) {
        other.rows.iter().for_each(|row| self.insert(*row));
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let row = with.map(|item| (item.time, item.word));
        if self.rows.is_empty() && row.is_none() {
            return Ok(None);
        }
        let part = row.and_then(|row| {
            let last = *self.rows.back()?;
            Some(self.between(last, (row.0.max(last.0), row.1)))
        });
        let sum = CallSpec { function: F::Sum, ..asked.call.clone() };
        let total = accumulate::result(&sum, self.method, &self.sum, part)?;
        // One row has no neighbour, and zero is written alike in both types.
        Ok(Some(total.unwrap_or(0)))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        self.rows.write(out);
        self.sum.iter().for_each(|word| word.write(out));
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        self.rows = Codec::read(from)?;
        for word in &mut self.sum {
            *word = u64::read(from)?;
        }
        Some(())
    }
}
