//! Numbers from bytes, eight digits at a time, without going through text where the number is short.
//!
//! 1. The last sixteen bytes of a number stand in one word, its last byte uppermost, zeros in front of it.
//! 2. A point is found by its bits and taken out: what stands before it moves up by a byte.
//! 3. All bytes are checked to be digits at once, and each half is read in three multiplications (D. Lemire, "Quickly
//!    parsing eight digits", 2022).
//!
//! What is longer or has an exponent is read digit by digit or by the standard library.

/// Eight times `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// Most bytes that are read as one word.
const WORD: usize = 16;

/// A whole number with an optional sign; none if it is something else or out of range.
#[inline(always)]
pub(super) fn parse_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let n = match digits.len() {
        0 => return None,
        1..=8 => eight_digits(load_8(digits))?,
        9..=WORD => sixteen_digits(load_16(digits))?,
        _ => return long_i64(negative, digits),
    };
    Some(if negative { -(n as i64) } else { n as i64 })
}

#[inline(never)]
fn long_i64(negative: bool, digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |n, &b| {
        let digit = i64::from(digit_of(b)?);
        let n = n.checked_mul(10)?;
        if negative { n.checked_sub(digit) } else { n.checked_add(digit) }
    })
}

#[inline(always)]
fn digit_of(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// One to eight bytes, the last uppermost, with zeros (of text) below.
#[inline(always)]
fn load_8(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    debug_assert!((1..=8).contains(&len));
    // Two loads that overlap: nothing outside the number is touched.
    let word = if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*last)) << 32 | u64::from(u32::from_le_bytes(*first)) << (8 * (8 - len))
    } else {
        let (first, middle, last) = (u64::from(bytes[0]), u64::from(bytes[len / 2]), u64::from(bytes[len - 1]));
        first << (8 * (8 - len)) | middle << (8 * (8 - len + len / 2)) | last << 56
    };
    word | below(ZEROS, len)
}

/// Nine to sixteen bytes, the last uppermost, with zeros (of text) below.
#[inline(always)]
fn load_16(bytes: &[u8]) -> (u64, u64) {
    let len = bytes.len();
    debug_assert!((9..=WORD).contains(&len));
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let high = u64::from_le_bytes(*last);
            let low = u64::from_le_bytes(*first) << (8 * (WORD - len)) | below(ZEROS, len - 8);
            (low, high)
        }
        _ => (0, 0),
    }
}

/// The lowest `8 - len` bytes of a word.
#[inline(always)]
fn below(word: u64, len: usize) -> u64 {
    // Shifted twice: for no bytes at all a single shift would be one by the whole width.
    word >> 4 >> (8 * len - 4)
}

/// The number that eight digits are, the first lowest; none if one is no digit.
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    if is_digits(word) { Some(digits_value(word)) } else { None }
}

#[inline(always)]
fn sixteen_digits((low, high): (u64, u64)) -> Option<u64> {
    if !(is_digits(low) & is_digits(high)) {
        return None;
    }
    Some(digits_value(low) * 100_000_000 + digits_value(high))
}

/// How many of eight bytes are digits before one is not, the first lowest.
#[inline(always)]
pub(super) fn leading_digits(word: u64) -> usize {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let digits = word ^ ZEROS;
    // The top bit of each byte that is above 9; exact, since no sum leaves its byte.
    let others = (((digits & LOW) + 0x7676_7676_7676_7676) | digits) & !LOW;
    others.trailing_zeros() as usize / 8
}

#[inline(always)]
fn is_digits(word: u64) -> bool {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    // The upper halves are 3, also after adding 6 to the lower ones, and so these are below 10.
    ((word & HIGH) | ((word.wrapping_add(0x0606_0606_0606_0606) & HIGH) >> 4)) == 0x3333_3333_3333_3333
}

#[inline(always)]
fn digits_value(word: u64) -> u64 {
    let digits = word ^ ZEROS;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A double, correctly rounded, with PostgreSQL's `NaN` and `Infinity`; none if it is something else or out of range.
#[inline(always)]
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
    let (mantissa, decimals) = match digits.len() {
        // A point alone is no number.
        1 => (u64::from(digit_of(digits[0])?), 0),
        2..=8 => {
            let word = load_8(digits);
            match find_point(word) {
                Some(above) => (eight_digits(without(word, above, u64::from(b'0')))?, above),
                None => (eight_digits(word)?, 0),
            }
        }
        9..=WORD => {
            let (low, high) = load_16(digits);
            if let Some(above) = find_point(high) {
                let words = (low << 8 | u64::from(b'0'), without(high, above, low >> 56));
                (sixteen_digits(words)?, above)
            } else if let Some(above) = find_point(low) {
                (sixteen_digits((without(low, above, u64::from(b'0')), high))?, above + 8)
            } else {
                (sixteen_digits((low, high))?, 0)
            }
        }
        17..=19 => long_decimal(digits)?,
        _ => return None,
    };
    if mantissa >= 1 << 53 {
        return None;
    }
    let value = mantissa as f64 / EXACT_POWERS[decimals];
    Some(if negative { -value } else { value })
}

/// How many bytes stand above the last point in a word.
#[inline(always)]
fn find_point(word: u64) -> Option<usize> {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let other = word ^ 0x2E2E_2E2E_2E2E_2E2E;
    // The top bit of each byte that is a point; exact, since no sum leaves its byte.
    let points = !((((other & LOW) + LOW) | other) | LOW);
    (points != 0).then(|| points.leading_zeros() as usize / 8)
}

/// A word without the byte that `above` others stand above: those below it move up, and `fill` becomes the lowest.
#[inline(always)]
fn without(word: u64, above: usize, fill: u64) -> u64 {
    let below = (1u64 << (56 - 8 * above)) - 1;
    (word & !(below << 8 | 0xFF)) | (word & below) << 8 | fill
}

/// Digits with a point at most, and how many stand behind it.
#[inline(never)]
fn long_decimal(digits: &[u8]) -> Option<(u64, usize)> {
    let mut mantissa = 0u64;
    let mut point = None;
    for (i, &b) in digits.iter().enumerate() {
        match digit_of(b) {
            // Nineteen digits stay below 2^64.
            Some(digit) => mantissa = mantissa * 10 + u64::from(digit),
            None if b == b'.' && point.is_none() => point = Some(i),
            None => return None,
        }
    }
    Some((mantissa, point.map_or(0, |p| digits.len() - p - 1)))
}

#[inline(never)]
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
        fn short_texts_are_what_the_standard_library_reads(text in "[-+]?[0-9.]{0,20}", broken in any::<prop::sample::Index>(), byte in any::<u8>(), breaks in any::<bool>()) {
            let mut bytes = text.into_bytes();
            if breaks && !bytes.is_empty() {
                let at = broken.index(bytes.len());
                bytes[at] = byte;
            }
            let text = std::str::from_utf8(&bytes).ok();
            let naive = text.and_then(|t| t.parse::<f64>().ok()).filter(|d| d.is_finite());
            prop_assert_eq!(parse_f64(&bytes).map(f64::to_bits), naive.map(f64::to_bits));
            prop_assert_eq!(parse_i64(&bytes), text.and_then(|t| t.parse::<i64>().ok()));
        }

        #[test]
        fn decimals_of_every_length_are_read(n in 0u64..1_000_000_000_000_000_000, digits in 1usize..19, point in 0usize..20, negative in any::<bool>()) {
            let mut text = format!("{n:018}")[18 - digits.min(18)..].to_owned();
            text.insert(point.min(text.len()), '.');
            if negative {
                text.insert(0, '-');
            }
            prop_assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
        }

        #[test]
        fn digits_are_counted_up_to_the_first_other_byte(bytes in prop::collection::vec(prop::sample::select(b"0059/:aJ\xb0\xff".to_vec()), 8)) {
            let word = u64::from_le_bytes(bytes[..].try_into().unwrap());
            let naive = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(8);
            prop_assert_eq!(leading_digits(word), naive);
        }

        #[test]
        fn every_double_is_read(n in any::<f64>()) {
            let read = parse_f64(n.to_string().as_bytes()).unwrap();
            prop_assert!(read == n || (read.is_nan() && n.is_nan()));
        }
    }

    #[test]
    fn one_byte_that_is_no_digit_spoils_a_number_wherever_it_stands() {
        for len in 1..=20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'7'; len];
                    bytes[at] = byte;
                    let text = std::str::from_utf8(&bytes).ok();
                    assert_eq!(parse_i64(&bytes), text.and_then(|t| t.parse().ok()), "{bytes:?}");
                    let naive = text.and_then(|t| t.parse().ok()).filter(|d: &f64| d.is_finite());
                    assert_eq!(parse_f64(&bytes), naive, "{bytes:?}");
                }
            }
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
