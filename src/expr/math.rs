//! Mathematical functions with PostgreSQL's errors.

use super::fault::{Cx, Fault};
use super::number;

/// Mean radius of the earth, kilometres.
const EARTH_KM: f64 = 6371.0;

fn checked(cx: &Cx<'_>, value: f64, argument: f64) -> f64 {
    if value.is_infinite() && argument.is_finite() {
        cx.fail(Fault::Overflow);
    }
    value
}

fn domain(cx: &Cx<'_>, ok: bool, value: f64) -> f64 {
    if !ok {
        cx.fail_with(Fault::Overflow, "the argument is out of range");
        return 0.0;
    }
    value
}

/// `sqrt(x)`.
pub(crate) fn sqrt(cx: &Cx<'_>, x: f64) -> f64 {
    if x < 0.0 {
        cx.fail_with(Fault::InvalidArgument, "a negative number has no square root");
        return 0.0;
    }
    x.sqrt()
}

/// `exp(x)`.
pub(crate) fn exp(cx: &Cx<'_>, x: f64) -> f64 {
    let value = x.exp();
    if value == 0.0 && x.is_finite() {
        cx.fail(Fault::Overflow);
    }
    checked(cx, value, x)
}

fn logarithm(cx: &Cx<'_>, x: f64, log: fn(f64) -> f64) -> f64 {
    if x <= 0.0 {
        cx.fail_with(Fault::InvalidArgument, "only a number greater than zero has a logarithm");
        return 0.0;
    }
    log(x)
}

/// `ln(x)`.
pub(crate) fn ln(cx: &Cx<'_>, x: f64) -> f64 {
    logarithm(cx, x, f64::ln)
}

/// `log(x)`, `log10(x)`.
pub(crate) fn log10(cx: &Cx<'_>, x: f64) -> f64 {
    logarithm(cx, x, f64::log10)
}

/// `log(base, x)`.
pub(crate) fn log(cx: &Cx<'_>, base: f64, x: f64) -> f64 {
    let (base, x) = (ln(cx, base), ln(cx, x));
    if cx.failed() { 0.0 } else { number::div_f64(cx, x, base) }
}

/// `sin`, `cos`, `tan`, `cot` are not defined for infinity.
pub(crate) fn trigonometric(cx: &Cx<'_>, x: f64, function: fn(f64) -> f64) -> f64 {
    domain(cx, !x.is_infinite(), function(x))
}

/// `asin`, `acos`, `atanh`: of -1 to 1.
pub(crate) fn inverse(cx: &Cx<'_>, x: f64, function: fn(f64) -> f64) -> f64 {
    domain(cx, x.is_nan() || (-1.0..=1.0).contains(&x), function(x))
}

/// `acosh`: of 1 and more.
pub(crate) fn acosh(cx: &Cx<'_>, x: f64) -> f64 {
    domain(cx, x.is_nan() || x >= 1.0, x.acosh())
}

/// `sign(x)`; of NaN 0.
pub(crate) fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// `width_bucket(x, low, high, count)`.
pub(crate) fn width_bucket(cx: &Cx<'_>, x: f64, low: f64, high: f64, count: i64) -> i64 {
    if count <= 0 || x.is_nan() || !low.is_finite() || !high.is_finite() || low == high {
        cx.fail_with(Fault::InvalidArgument, "width_bucket wants a count above zero and two different finite bounds");
        return 0;
    }
    let (position, before, after) = if low < high {
        ((x - low) / (high - low), x < low, x >= high)
    } else {
        ((low - x) / (low - high), x > low, x <= high)
    };
    match (before, after) {
        (true, _) => 0,
        (_, true) => number::add_i64(cx, count, 1),
        _ => ((position * count as f64) as i64 + 1).min(count),
    }
}

/// Great-circle distance in kilometres between two points in degrees, on a sphere of 6371 km (haversine formula).
pub(crate) fn haversine_km(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let half_lat = ((lat2 - lat1).to_radians() / 2.0).sin();
    let half_lon = ((lon2 - lon1).to_radians() / 2.0).sin();
    let a = half_lat * half_lat + lat1.to_radians().cos() * lat2.to_radians().cos() * half_lon * half_lon;
    2.0 * EARTH_KM * a.sqrt().min(1.0).asin()
}
