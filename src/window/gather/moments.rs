//! Sums of two columns and of their products; averages whose weights decay.

use super::{Asked, Item};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::Value;
use crate::window::exact::Sum;
use crate::window::{CallSpec, Overflow};

/// Number of rows, and the sums of x, y, x y, x x, y y of those that are finite.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    rows: u64,
    /// Rows with a value that is not finite.
    infinite: u64,
    sums: [Sum; 5],
}

impl Moments {
    fn change(&mut self, item: Item<'_>, sign: i64) {
        let (x, y) = (f64::from_bits(item.word), f64::from_bits(item.second));
        self.rows = self.rows.wrapping_add_signed(sign);
        if self.rows == 0 {
            *self = Moments::default();
            return;
        }
        if !x.is_finite() || !y.is_finite() {
            self.infinite = self.infinite.wrapping_add_signed(sign);
            return;
        }
        let single = |x: f64| Sum { hi: x, lo: 0.0 };
        let parts = [single(x), single(y), Sum::product(x, y), Sum::square(x), Sum::square(y)];
        for (sum, part) in self.sums.iter_mut().zip(parts) {
            *sum = sum.plus(if sign < 0 { part.minus() } else { part });
        }
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.change(item, 1);
    }

    pub fn remove_first(&mut self, item: Item<'_>) {
        self.change(item, -1);
    }

    pub fn merge(&mut self, other: &Moments) {
        self.rows += other.rows;
        self.infinite += other.infinite;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum = sum.plus(*other));
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let mut all = *self;
        with.into_iter().for_each(|item| all.add(item));
        Ok(all.answer(asked.call.function)?.map(f64::to_bits))
    }

    fn answer(&self, function: F) -> Result<Option<f64>, Overflow> {
        let n = self.rows as f64;
        if self.rows == 0 || (function != F::CovarPop && self.rows == 1) {
            return Ok(None);
        }
        if self.infinite > 0 {
            return Ok(Some(f64::NAN));
        }
        let [x, y, xy, xx, yy] = self.sums;
        if self.sums.iter().any(|sum| !sum.hi.is_finite()) {
            return Err(Overflow);
        }
        // Deviations from the mean: sums of (x - mean) (y - mean), ...
        let about = |of: Sum, a: Sum, b: Sum| of.plus(a.times(b).over(n).minus()).hi;
        let (sxy, sxx, syy) = (about(xy, x, y), about(xx, x, x).max(0.0), about(yy, y, y).max(0.0));
        Ok(match function {
            F::CovarPop if self.rows == 1 => Some(0.0),
            F::CovarPop => Some(sxy / n),
            F::CovarSamp => Some(sxy / (n - 1.0)),
            F::Corr if sxx == 0.0 || syy == 0.0 => None,
            F::Corr => Some((sxy / (sxx.sqrt() * syy.sqrt())).clamp(-1.0, 1.0)),
            // As in SQL the dependent column comes first.
            _ if syy == 0.0 => None,
            F::RegrSlope => Some(sxy / syy),
            _ => Some(x.hi / n - sxy / syy * (y.hi / n)),
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.rows, self.infinite).write(out);
        self.sums.iter().for_each(|sum| (sum.hi.to_bits(), sum.lo.to_bits()).write(out));
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        (self.rows, self.infinite) = Codec::read(from)?;
        for sum in &mut self.sums {
            let (hi, lo) = <(u64, u64)>::read(from)?;
            *sum = Sum { hi: f64::from_bits(hi), lo: f64::from_bits(lo) };
        }
        Some(())
    }
}

/// An average in which the weight of a row halves with each half-life that it is older than the newest.
#[derive(Clone, Copy, Debug)]
pub struct Decayed {
    half_life: f64,
    rows: u64,
    /// The time at which a row has weight 1.
    time: i64,
    weights: f64,
    sum: f64,
}

impl Decayed {
    pub fn new(call: &CallSpec) -> Decayed {
        let half_life = match call.parameter {
            Value::Interval(micros) => micros.max(1) as f64,
            _ => 1.0,
        };
        Decayed { half_life, rows: 0, time: i64::MIN, weights: 0.0, sum: 0.0 }
    }

    fn weight(&self, time: i64) -> f64 {
        (time.saturating_sub(self.time) as f64 / self.half_life).exp2()
    }

    /// Gives rows of a later time the weight 1.
    fn advance(&mut self, time: i64) {
        if self.rows > 0 && time > self.time {
            let fall = 1.0 / self.weight(time);
            (self.weights, self.sum) = (self.weights * fall, self.sum * fall);
        }
        self.time = if self.rows == 0 { time } else { self.time.max(time) };
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.advance(item.time);
        let weight = self.weight(item.time);
        self.rows += 1;
        self.weights += weight;
        self.sum += weight * f64::from_bits(item.word);
    }

    pub fn remove_first(&mut self, item: Item<'_>) {
        self.rows -= 1;
        if self.rows == 0 {
            (self.weights, self.sum, self.time) = (0.0, 0.0, i64::MIN);
            return;
        }
        let weight = self.weight(item.time);
        self.weights -= weight;
        self.sum -= weight * f64::from_bits(item.word);
    }

    pub fn merge(&mut self, other: &Decayed) {
        if other.rows == 0 {
            return;
        }
        self.advance(other.time);
        let weight = self.weight(other.time);
        self.rows += other.rows;
        self.weights += weight * other.weights;
        self.sum += weight * other.sum;
    }

    pub fn result(&self, _: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let mut all = *self;
        with.into_iter().for_each(|item| all.add(item));
        Ok((all.rows > 0).then(|| (all.sum / all.weights).to_bits()))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.rows, self.time).write(out);
        (self.weights.to_bits(), self.sum.to_bits()).write(out);
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        (self.rows, self.time) = Codec::read(from)?;
        let (weights, sum) = <(u64, u64)>::read(from)?;
        (self.weights, self.sum) = (f64::from_bits(weights), f64::from_bits(sum));
        Some(())
    }
}
