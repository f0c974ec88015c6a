//! Numbers from bytes, without going through text where the number is short.

/// A whole number with an optional sign; none if it is something else or out of range.
#[inline]
pub(super) fn parse_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return None;
    }
    if digits.len() > 18 {
        return digits.iter().try_fold(0i64, |n, &b| {
            let digit = i64::from(digit_of(b)?);
            let n = n.checked_mul(10)?;
            if negative { n.checked_sub(digit) } else { n.checked_add(digit) }
        });
    }
    let mut n = 0i64;
    for &b in digits {
        n = n * 10 + i64::from(digit_of(b)?);
    }
    Some(if negative { -n } else { n })
}

#[inline(always)]
fn digit_of(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A double, correctly rounded, with PostgreSQL's `NaN` and `Infinity`; none if it is something else or out of range.
#[inline]
pub(super) fn parse_f64(bytes: &[u8]) -> Option<f64> {
    short_decimal(bytes).or_else(|| any_decimal(bytes))
}

/// A decimal whose digits and power of ten are both exact doubles: one division rounds once, so the result is the
/// nearest double (W. D. Clinger, How to read floating point numbers accurately, 1990).
#[inline(always)]
fn short_decimal(bytes: &[u8]) -> Option<f64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut mantissa = 0u64;
    let mut point = None;
    for (i, &b) in digits.iter().enumerate() {
        match digit_of(b) {
            Some(digit) => mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit)),
            None if b == b'.' && point.is_none() => point = Some(i),
            None => return None,
        }
    }
    let decimals = point.map_or(0, |p| digits.len() - p - 1);
    if mantissa >= 1 << 53 || (point.is_some() && digits.len() == 1) {
        return None;
    }
    let value = mantissa as f64 / EXACT_POWERS[decimals];
    Some(if negative { -value } else { value })
}

#[cold]
fn any_decimal(bytes: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let out_of_range = value.is_infinite() && bytes.iter().any(u8::is_ascii_digit);
    (!out_of_range).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_numbers_are_what_the_standard_library_reads(text in "[-+]?[0-9]{0,21}[ .a]?") {
            prop_assert_eq!(parse_i64(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn every_whole_number_is_read(n in any::<i64>()) {
            prop_assert_eq!(parse_i64(n.to_string().as_bytes()), Some(n));
        }

        #[test]
        fn doubles_are_what_the_standard_library_reads(text in "[-+]?[0-9]{0,20}[.]?[0-9]{0,20}([eE][-+]?[0-9]{1,3})?x?") {
            let naive = text.parse::<f64>().ok().filter(|d| d.is_finite());
            prop_assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), naive.map(f64::to_bits));
        }

        #[test]
        fn every_double_is_read(n in any::<f64>()) {
            let read = parse_f64(n.to_string().as_bytes()).unwrap();
            prop_assert!(read == n || (read.is_nan() && n.is_nan()));
        }
    }

    #[test]
    fn what_is_out_of_range_is_no_number() {
        assert_eq!(parse_f64(b"1e400"), None);
        assert_eq!(parse_f64(b"Infinity"), Some(f64::INFINITY));
        assert_eq!(parse_f64(b"."), None);
        assert_eq!(parse_f64(b"-"), None);
        assert_eq!(parse_f64(b""), None);
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
    }
}
