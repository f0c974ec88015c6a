//! Running results of the functions that can take back what they were given: words that live in a key's state.

use super::exact::Sum;
use super::{CallSpec, Overflow};
use crate::expr::AggregateFunction as F;
use crate::tuple::DataType;

/// How a call's running result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Number of rows: `[n]`.
    Count,
    /// Truths and falsehoods: `[true, false]`.
    Truth,
    /// Whole numbers: `[n, low, high]`.
    Whole,
    /// Doubles: `[n, hi, lo, infinities, NaNs]`.
    Double,
    /// Sum and sum of squares: `[n, hi, lo, hi, lo, not finite]`.
    Squares,
    /// The least or greatest value, the oldest or newest row: no words (kept beside, or in the list of rows).
    Choice,
}

impl Method {
    /// The method for a call.
    pub fn of(call: &CallSpec) -> Method {
        match call.function {
            F::Count => Method::Count,
            F::BoolAnd | F::BoolOr | F::Share => Method::Truth,
            F::Sum | F::Avg if call.ty == DataType::Double => Method::Double,
            F::Sum | F::Avg => Method::Whole,
            F::StddevSamp | F::StddevPop | F::VarSamp | F::VarPop => Method::Squares,
            F::Min | F::Max | F::First | F::Last | F::Lag => Method::Choice,
        }
    }

    /// Words it needs.
    pub fn words(self) -> usize {
        match self {
            Method::Count => 1,
            Method::Truth => 2,
            Method::Whole => 3,
            Method::Double => 5,
            Method::Squares => 6,
            Method::Choice => 0,
        }
    }

    /// Takes a value in (`sign` 1) or back (-1).
    #[inline(always)]
    pub fn change(self, words: &mut [u64], value: u64, ty: DataType, sign: i64) {
        match self {
            Method::Count => step(&mut words[0], sign),
            Method::Truth => step(&mut words[usize::from(value == 0)], sign),
            Method::Whole => {
                step(&mut words[0], sign);
                let sum = whole(words) + i128::from(value as i64) * i128::from(sign);
                (words[1], words[2]) = (sum as u64, (sum >> 64) as u64);
            }
            Method::Double => double(words, f64::from_bits(value), sign),
            Method::Squares => squares(words, value, ty, sign),
            Method::Choice => {}
        }
    }

    /// Number of values taken in.
    #[inline(always)]
    pub fn count(self, words: &[u64]) -> u64 {
        match self {
            Method::Truth => words[0] + words[1],
            Method::Choice => 0,
            _ => words[0],
        }
    }

    /// Whether what is left after taking back must be made anew from the rows, so that it is exact: one double, or
    /// sums that have left the range of their type.
    #[inline(always)]
    pub fn is_worn(self, words: &[u64]) -> bool {
        match self {
            Method::Double | Method::Squares => words[0] == 1 || !f64::from_bits(words[1]).is_finite(),
            _ => false,
        }
    }
}

#[inline(always)]
fn step(word: &mut u64, sign: i64) {
    *word = word.wrapping_add(sign as u64);
}

#[inline(always)]
fn whole(words: &[u64]) -> i128 {
    i128::from(words[2] as i64) << 64 | i128::from(words[1])
}

#[inline(always)]
fn sum(words: &[u64], at: usize) -> Sum {
    Sum { hi: f64::from_bits(words[at]), lo: f64::from_bits(words[at + 1]) }
}

#[inline(always)]
fn put(words: &mut [u64], at: usize, sum: Sum) {
    (words[at], words[at + 1]) = (sum.hi.to_bits(), sum.lo.to_bits());
}

#[inline(always)]
fn double(words: &mut [u64], x: f64, sign: i64) {
    step(&mut words[0], sign);
    if words[0] == 0 {
        return words[..5].fill(0);
    }
    if x.is_finite() {
        if words[0] == 1 && sign == 1 {
            // The first one gives itself, -0 included.
            return put(words, 1, Sum { hi: x, lo: 0.0 });
        }
        let changed = sum(words, 1).add(x * sign as f64);
        put(words, 1, changed);
    } else if x.is_nan() {
        step(&mut words[4], sign);
    } else {
        // Positive ones below, negative ones above: windows hold fewer than 2^32 rows.
        step(&mut words[3], if x > 0.0 { sign } else { sign << 32 });
    }
}

fn squares(words: &mut [u64], value: u64, ty: DataType, sign: i64) {
    step(&mut words[0], sign);
    if words[0] == 0 {
        return words[..6].fill(0);
    }
    let x = match ty {
        DataType::Double => Sum { hi: f64::from_bits(value), lo: 0.0 },
        _ => {
            let hi = value as i64 as f64;
            Sum { hi, lo: (i128::from(value as i64) - hi as i128) as f64 }
        }
    };
    if !x.hi.is_finite() {
        return step(&mut words[5], sign);
    }
    let square = x.squared();
    let (x, square) = if sign < 0 { (x.minus(), square.minus()) } else { (x, square) };
    let (of, of_squares) = (sum(words, 1).plus(x), sum(words, 3).plus(square));
    put(words, 1, of);
    put(words, 3, of_squares);
    // What is left is so small beside what left that its last digits are gone: marked as worn.
    if sign < 0 && of_squares.hi.abs() < square.hi.abs() * 2f64.powi(-40) {
        words[1] = f64::NAN.to_bits();
    }
}

/// The result of a call whose method is not [`Method::Choice`].
#[inline]
pub fn result(call: &CallSpec, method: Method, words: &[u64]) -> Result<Option<u64>, Overflow> {
    let n = method.count(words);
    if call.function == F::Count {
        return Ok(Some(n));
    }
    if n == 0 {
        return Ok(None);
    }
    Ok(Some(match (call.function, method) {
        (F::BoolAnd, _) => u64::from(words[1] == 0),
        (F::BoolOr, _) => u64::from(words[0] != 0),
        (F::Share, _) => (words[0] as f64 / n as f64).to_bits(),
        (F::Sum, Method::Whole) => i64::try_from(whole(words)).map_err(|_| Overflow)? as u64,
        (F::Avg, Method::Whole) if call.ty == DataType::Interval => rounded(whole(words), n as i128) as u64,
        (F::Avg, Method::Whole) => (whole(words) as f64 / n as f64).to_bits(),
        (F::Sum | F::Avg, _) => total(words, call.function == F::Avg)?.to_bits(),
        (function, _) => return spread(function, words),
    }))
}

/// Division to the nearest, halves away from zero; the mean of values of a type is in the type.
fn rounded(sum: i128, n: i128) -> i64 {
    let half = if sum < 0 { -n / 2 } else { n / 2 };
    ((sum + half) / n) as i64
}

fn total(words: &[u64], mean: bool) -> Result<f64, Overflow> {
    let (positive, negative) = (words[3] as u32, (words[3] >> 32) as u32);
    if words[4] != 0 || (positive != 0 && negative != 0) {
        return Ok(f64::NAN);
    }
    match (positive, negative) {
        (0, 0) => {}
        (_, 0) => return Ok(f64::INFINITY),
        _ => return Ok(f64::NEG_INFINITY),
    }
    let total = sum(words, 1);
    if !total.hi.is_finite() {
        return Err(Overflow);
    }
    Ok(match mean {
        true if words[0] > 1 => total.over(words[0] as f64).hi,
        _ => total.hi,
    })
}

fn spread(function: F, words: &[u64]) -> Result<Option<u64>, Overflow> {
    let sample = matches!(function, F::StddevSamp | F::VarSamp);
    let n = words[0] as f64;
    if sample && words[0] < 2 {
        return Ok(None);
    }
    if words[5] != 0 {
        return Ok(Some(f64::NAN.to_bits()));
    }
    if words[0] == 1 {
        return Ok(Some(0f64.to_bits()));
    }
    let (of, of_squares) = (sum(words, 1), sum(words, 3));
    let deviation = of_squares.plus(of.squared().over(n).minus()).hi;
    if !deviation.is_finite() {
        return Err(Overflow);
    }
    let variance = deviation.max(0.0) / if sample { n - 1.0 } else { n };
    let root = matches!(function, F::StddevSamp | F::StddevPop);
    Ok(Some(if root { variance.sqrt() } else { variance }.to_bits()))
}
