//! Arithmetic with PostgreSQL's rules: whole numbers never wrap, doubles never become infinite or vanish by accident,
//! NaN equals NaN and is greater than everything else.

use super::fault::{Cx, Fault};
use crate::tuple::decimal;
use std::cmp::Ordering;

/// Compares two doubles: NaN equals NaN and is the greatest, the zeros are equal.
#[inline(always)]
pub(crate) fn order(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) => order,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

/// `a = b` for doubles.
#[inline(always)]
pub(crate) fn equal(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// `a < b` for doubles.
#[inline(always)]
pub(crate) fn less(a: f64, b: f64) -> bool {
    a < b || (b.is_nan() && !a.is_nan())
}

/// The bits of a double with one zero and one NaN, so that equal doubles have equal bits.
#[inline]
pub(crate) fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// A whole number whose order is that of [`order`]: equal values have equal ones, and nothing lies between neighbours.
#[inline]
pub(crate) fn order_key(value: f64) -> i64 {
    let bits = canonical_bits(value) as i64;
    // Negative numbers have the sign bit and grow downwards; NaN is above all others.
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

macro_rules! checked {
    ($name:ident, $method:ident, $doc:literal) => {
        #[doc = $doc]
        #[inline(always)]
        pub(crate) fn $name(cx: &Cx<'_>, a: i64, b: i64) -> i64 {
            match a.$method(b) {
                Some(value) => value,
                None => {
                    cx.fail(Fault::Overflow);
                    0
                }
            }
        }
    };
}

checked!(add_i64, checked_add, "`a + b`, of whole numbers, times and intervals.");
checked!(sub_i64, checked_sub, "`a - b`, of whole numbers, times and intervals.");
checked!(mul_i64, checked_mul, "`a * b` of whole numbers.");

/// `a / b` of whole numbers, towards zero.
#[inline(always)]
pub(crate) fn div_i64(cx: &Cx<'_>, a: i64, b: i64) -> i64 {
    match a.checked_div(b) {
        Some(value) => value,
        None => {
            cx.fail(if b == 0 { Fault::DivisionByZero } else { Fault::Overflow });
            0
        }
    }
}

/// `a % b` of whole numbers, with the sign of `a`.
#[inline(always)]
pub(crate) fn mod_i64(cx: &Cx<'_>, a: i64, b: i64) -> i64 {
    if b == 0 {
        cx.fail(Fault::DivisionByZero);
        return 0;
    }
    a.wrapping_rem(b)
}

/// `-a` of whole numbers and intervals.
#[inline(always)]
pub(crate) fn neg_i64(cx: &Cx<'_>, a: i64) -> i64 {
    sub_i64(cx, 0, a)
}

/// `a + b` of doubles.
#[inline(always)]
pub(crate) fn add_f64(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    let value = a + b;
    if value.is_infinite() && a.is_finite() && b.is_finite() {
        cx.fail(Fault::Overflow);
    }
    value
}

/// `a - b` of doubles.
#[inline(always)]
pub(crate) fn sub_f64(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    add_f64(cx, a, -b)
}

/// `a * b` of doubles.
#[inline(always)]
pub(crate) fn mul_f64(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    let value = a * b;
    if value.is_infinite() && a.is_finite() && b.is_finite() || value == 0.0 && a != 0.0 && b != 0.0 {
        cx.fail(Fault::Overflow);
    }
    value
}

/// `a / b` of doubles.
#[inline(always)]
pub(crate) fn div_f64(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    let value = a / b;
    if b == 0.0 && !a.is_nan() {
        cx.fail(Fault::DivisionByZero);
    } else if value.is_infinite() && !a.is_infinite() || value == 0.0 && a != 0.0 && !b.is_infinite() {
        cx.fail(Fault::Overflow);
    }
    value
}

/// `a % b` of doubles, with the sign of `a`.
#[inline]
pub(crate) fn mod_f64(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    if b == 0.0 && !a.is_nan() {
        cx.fail(Fault::DivisionByZero);
    }
    a % b
}

/// `a ^ b`.
pub(crate) fn power(cx: &Cx<'_>, a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return if b == 0.0 || a == 1.0 { 1.0 } else { f64::NAN };
    }
    if a == 0.0 && b < 0.0 {
        cx.fail_with(Fault::InvalidArgument, "zero raised to a negative power is undefined");
        return 0.0;
    }
    if a < 0.0 && b.floor() != b {
        cx.fail_with(Fault::InvalidArgument, "a negative number raised to a non-integer power has no real result");
        return 0.0;
    }
    let value = a.powf(b);
    if a.is_finite() && b.is_finite() && (value.is_infinite() || value == 0.0 && a != 0.0) {
        cx.fail(Fault::Overflow);
    }
    value
}

/// Interval times factor, to the nearest microsecond.
pub(crate) fn scale_interval(cx: &Cx<'_>, micros: i64, factor: f64) -> i64 {
    // A whole factor is exact, also where the product has more than 53 bits.
    if factor.fract() == 0.0 && factor.abs() < 9e18 {
        return mul_i64(cx, micros, factor as i64);
    }
    to_i64(cx, (micros as f64 * factor).round_ties_even())
}

/// Interval by divisor, to the nearest microsecond.
pub(crate) fn divide_interval(cx: &Cx<'_>, micros: i64, divisor: f64) -> i64 {
    if divisor == 0.0 {
        cx.fail(Fault::DivisionByZero);
        return 0;
    }
    to_i64(cx, (micros as f64 / divisor).round_ties_even())
}

/// A double as a whole number; halves go to the even one.
#[inline]
pub(crate) fn to_i64(cx: &Cx<'_>, value: f64) -> i64 {
    let rounded = value.round_ties_even();
    // 2^63 is a double, 2^63 - 1 is none.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        return rounded as i64;
    }
    cx.fail(Fault::Overflow);
    0
}

/// `round(x, places)` (halves away from zero) and `trunc(x, places)`, of the number as it prints in decimal.
pub(crate) fn round_decimal(value: f64, places: i64, truncate: bool) -> f64 {
    if !value.is_finite() || value == 0.0 || places > 330 {
        return value;
    }
    if (0..=15).contains(&places) {
        let power = 10f64.powi(places as i32);
        let scaled = value * power;
        let distance = (scaled - scaled.floor() - if truncate { 0.0 } else { 0.5 }).abs();
        // Far enough from the border (a half, a whole number) that the product's error cannot cross it.
        if scaled.abs() < 1e9 && distance > 1e-6 && distance < 1.0 - 1e-6 {
            return if truncate { scaled.trunc() } else { scaled.round() } / power + 0.0;
        }
    }
    let mut digits = [b'0'; 20];
    let (len, exponent) = decimal(value, &mut digits);
    let kept = i64::from(exponent) + places;
    if kept >= len as i64 {
        return value;
    }
    let up = !truncate && kept >= 0 && digits[kept as usize] >= b'5';
    let kept = usize::try_from(kept).unwrap_or(0);
    let mut whole = digits[..kept].iter().fold(0u64, |sum, d| sum * 10 + u64::from(d - b'0'));
    whole += u64::from(up);
    let text = format!("{}{whole}e{}", if value < 0.0 { "-" } else { "" }, exponent - kept as i32);
    text.parse::<f64>().map_or(value, |value| value + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_as_they_print() {
        for (value, places, rounded, truncated) in [
            (1.005, 2, 1.01, 1.0),
            (2.675, 2, 2.68, 2.67),
            (-2.5, 0, -3.0, -2.0),
            (0.29, 2, 0.29, 0.29),
            (1234.5678, -2, 1200.0, 1200.0),
            (1e300, 2, 1e300, 1e300),
            (5e-324, 3, 0.0, 0.0),
            (0.5, 0, 1.0, 0.0),
            (0.05, 0, 0.0, 0.0),
            (99.995, 2, 100.0, 99.99),
            (55.0, -2, 100.0, 0.0),
            (5.0, -2, 0.0, 0.0),
        ] {
            assert_eq!(round_decimal(value, places, false), rounded, "round({value}, {places})");
            assert_eq!(round_decimal(value, places, true), truncated, "trunc({value}, {places})");
        }
    }
}
