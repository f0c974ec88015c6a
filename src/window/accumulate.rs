//! Running results of the functions that can take back what they were given: words that live in a key's state.

use super::exact::Sum;
use super::{CallSpec, Overflow};
use crate::expr::AggregateFunction as F;
use crate::tuple::DataType;

/// How a call's running result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Number of rows of the window, where all count: no words.
    Rows,
    /// Number of rows: `[n]`.
    Count,
    /// Truths and falsehoods: `[true, false]`.
    Truth,
    /// Whole numbers: `[n, low, high]`.
    Whole,
    /// Doubles: `[n, hi, lo, NaNs and infinities, bound of what rounding has lost]`.
    Double,
    /// Sum and sum of squares: `[n, hi, lo, hi, lo, not finite]`.
    Squares,
    /// The least or greatest value, the oldest or newest row: no words (kept beside, or in the list of rows).
    Choice,
    /// Something larger: no words (kept beside).
    Gather,
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
            _ => Method::Gather,
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
            Method::Choice | Method::Rows | Method::Gather => 0,
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
            Method::Choice | Method::Rows | Method::Gather => {}
        }
    }

    /// Takes in all that other words have taken in.
    pub fn merge(self, words: &mut [u64], from: &[u64]) {
        match self {
            Method::Choice | Method::Rows | Method::Gather => {}
            Method::Count => words[0] += from[0],
            Method::Truth => {
                words[0] += from[0];
                words[1] += from[1];
            }
            _ if from[0] == 0 => {}
            _ if words[0] == 0 => words[..self.words()].copy_from_slice(&from[..self.words()]),
            Method::Whole => {
                words[0] += from[0];
                let sum = whole(words).wrapping_add(whole(from));
                (words[1], words[2]) = (sum as u64, (sum >> 64) as u64);
            }
            Method::Double => {
                words[0] += from[0];
                put(words, 1, sum(words, 1).plus(sum(from, 1)));
                words[3] = merge_special(words[3], from[3]);
                words[4] = (f64::from_bits(words[4]) + f64::from_bits(from[4])).to_bits();
            }
            Method::Squares => {
                words[0] += from[0];
                put(words, 1, sum(words, 1).plus(sum(from, 1)));
                put(words, 3, sum(words, 3).plus(sum(from, 3)));
                words[5] += from[5];
            }
        }
    }

    /// Number of values taken in.
    #[inline(always)]
    pub fn count(self, words: &[u64]) -> u64 {
        match self {
            Method::Truth => words[0] + words[1],
            Method::Choice | Method::Rows | Method::Gather => 0,
            _ => words[0],
        }
    }

    /// Whether what is left after taking back must be made anew from the rows: one double, which gives itself; sums
    /// that have left the range of their type; sums so small beside what has left that lost digits would be seen.
    #[inline(always)]
    pub fn is_worn(self, words: &[u64]) -> bool {
        let hi = || f64::from_bits(words[1]);
        match self {
            Method::Double => words[0] == 1 || !hi().is_finite() || f64::from_bits(words[4]) > hi().abs() * SEEN,
            Method::Squares => words[0] == 1 || !hi().is_finite(),
            _ => false,
        }
    }

    /// Says of sums just made anew that nothing better can be had.
    pub fn renewed(self, words: &mut [u64]) {
        if self == Method::Double {
            words[4] = 0;
        }
    }
}

/// The part of a sum below which an error does not change its double, nearly always.
const SEEN: f64 = 1.0 / (1u64 << 56) as f64;

/// Bits of each of the three counts of doubles that are not finite: NaN, positive, negative.
const SPECIAL_BITS: u32 = 21;
const SPECIAL_MAX: u64 = (1 << SPECIAL_BITS) - 1;

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
    if !x.is_finite() {
        return special(words, x, sign);
    }
    if words[0] == 1 && sign == 1 {
        // The first one gives itself, -0 included.
        return put(words, 1, Sum { hi: x, lo: 0.0 });
    }
    let (changed, lost) = sum(words, 1).add_noting(x * sign as f64);
    put(words, 1, changed);
    words[4] = (f64::from_bits(words[4]) + lost.abs()).to_bits();
}

/// Counts a double that is not finite. A count that has reached its end stays there: it is made anew from the rows.
#[cold]
fn special(words: &mut [u64], x: f64, sign: i64) {
    let shift = SPECIAL_BITS * if x.is_nan() { 0 } else { 1 + u32::from(x < 0.0) };
    let full = words[3] >> shift & SPECIAL_MAX == SPECIAL_MAX;
    match (full, sign) {
        (true, 1) => {}
        (true, _) => words[1] = f64::NAN.to_bits(),
        (false, 1) => words[3] += 1 << shift,
        (false, _) => words[3] -= 1 << shift,
    }
}

/// The counts of doubles that are not finite together, each at most its end.
fn merge_special(a: u64, b: u64) -> u64 {
    let count = |word: u64, at: u32| word >> (at * SPECIAL_BITS) & SPECIAL_MAX;
    (0..3).map(|at| (count(a, at) + count(b, at)).min(SPECIAL_MAX) << (at * SPECIAL_BITS)).sum()
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

/// The result of a call whose method has words, with one more value if there is one.
///
/// # Errors
/// It is outside of its type.
#[inline]
pub fn result(call: &CallSpec, method: Method, words: &[u64], value: Option<u64>) -> Result<Option<u64>, Overflow> {
    if method == Method::Count {
        return Ok(Some(words[0] + u64::from(value.is_some())));
    }
    if method == Method::Whole {
        let n = words[0] + u64::from(value.is_some());
        let sum = whole(words) + value.map_or(0, |value| i128::from(value as i64));
        return of_whole(call, n, sum);
    }
    let mut with = [0; 6];
    match method {
        Method::Double => with[..5].copy_from_slice(&words[..5]),
        Method::Truth => with[..2].copy_from_slice(&words[..2]),
        _ => with.copy_from_slice(&words[..6]),
    }
    if let Some(value) = value {
        method.change(&mut with, value, call.ty, 1);
    }
    let n = method.count(&with);
    if n == 0 {
        return Ok(None);
    }
    Ok(Some(match call.function {
        F::BoolAnd => u64::from(with[1] == 0),
        F::BoolOr => u64::from(with[0] != 0),
        F::Share => (with[0] as f64 / n as f64).to_bits(),
        F::Sum | F::Avg => total(&with, call.function == F::Avg)?.to_bits(),
        function => return spread(function, &with),
    }))
}

#[inline(always)]
fn of_whole(call: &CallSpec, n: u64, sum: i128) -> Result<Option<u64>, Overflow> {
    if n == 0 {
        return Ok(None);
    }
    Ok(Some(match call.function {
        F::Sum => i64::try_from(sum).map_err(|_| Overflow)? as u64,
        _ if call.ty == DataType::Interval => rounded(sum, i128::from(n)) as u64,
        _ => (sum as f64 / n as f64).to_bits(),
    }))
}

/// Division to the nearest, halves away from zero; the mean of values of a type is in the type.
fn rounded(sum: i128, n: i128) -> i64 {
    let half = if sum < 0 { -n / 2 } else { n / 2 };
    ((sum + half) / n) as i64
}

fn total(words: &[u64], mean: bool) -> Result<f64, Overflow> {
    if words[3] != 0 {
        let [nan, positive, negative] = [0, 1, 2].map(|at| words[3] >> (at * SPECIAL_BITS) & SPECIAL_MAX != 0);
        return Ok(match (positive, negative) {
            (true, false) if !nan => f64::INFINITY,
            (false, true) if !nan => f64::NEG_INFINITY,
            _ => f64::NAN,
        });
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
