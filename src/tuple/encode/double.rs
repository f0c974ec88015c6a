//! Doubles as text and as decimal digits.

use std::fmt::Write;

/// Appends a double as PostgreSQL (12 and later) prints it: the shortest digits that give the same double (`1`, `0.1`,
/// `1e+20`, `1e-05`, `NaN`, `-Infinity`).
pub fn format_double(value: f64, out: &mut String) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        return out.push_str("Infinity");
    }
    let mut buffer = [b'0'; 20];
    let (mut len, exponent) = decimal(value, &mut buffer);
    if value.abs() >= 9_007_199_254_740_992.0 && on_border(value.abs(), &buffer[..len], exponent) {
        len = more_digits(value.abs(), len, exponent, &mut buffer);
    }
    let digits = std::str::from_utf8(&buffer[..len]).unwrap_or_default();
    match (len, exponent) {
        (0, _) => out.push('0'),
        // 0.0001 to 999999999999999: plain, as %g with 15 digits does.
        (_, -3..=0) => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize));
            out.push_str(digits);
        }
        (_, 1..=15) if len > exponent as usize => {
            let (whole, fraction) = digits.split_at(exponent as usize);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        }
        (_, 1..=15) => {
            out.push_str(digits);
            out.extend(std::iter::repeat_n('0', exponent as usize - len));
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            out.push_str(first);
            if !rest.is_empty() {
                out.push('.');
                out.push_str(rest);
            }
            let sign = if exponent > 0 { '+' } else { '-' };
            // Writing to a String does not fail.
            let _ = write!(out, "e{sign}{:02}", (exponent - 1).unsigned_abs());
        }
    }
}

/// Whether the shortest digits lie exactly between two doubles: they read back right only by the rule that ties go to
/// the even one, on which PostgreSQL does not rely. Happens to whole numbers above 2^53 only.
fn on_border(value: f64, digits: &[u8], exponent: i32) -> bool {
    let zeros = exponent - digits.len() as i32;
    if value >= 1e38 || !(0..=38).contains(&zeros) {
        return false;
    }
    let printed =
        digits.iter().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0')) * 10u128.pow(zeros as u32);
    let exact = value as u128;
    let neighbour = if printed > exact { value.next_up() } else { value.next_down() } as u128;
    exact.abs_diff(printed) * 2 == exact.abs_diff(neighbour)
}

/// The shortest digits with more than `len` that are not on a border; 17 never are.
fn more_digits(value: f64, len: usize, exponent: i32, buffer: &mut [u8; 20]) -> usize {
    let mut used = len;
    for places in len..=16 {
        let text = format!("{value:.places$e}");
        let mantissa = text.split('e').next().unwrap_or_default();
        used = 0;
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            buffer[used] = digit;
            used += 1;
        }
        if text.parse() == Ok(value) && !on_border(value, &buffer[..used], exponent) {
            break;
        }
    }
    while used > 1 && buffer[used - 1] == b'0' {
        used -= 1;
    }
    used
}

/// A finite double as its shortest decimal digits `d` and exponent `e`: `0.d * 10^e`. Zero has no digits.
pub fn decimal(value: f64, digits: &mut [u8; 20]) -> (usize, i32) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value.abs()).as_bytes();
    let (mut len, mut exponent, mut seen_point, mut at) = (0usize, 0i32, false, 0);
    while at < text.len() {
        match text[at] {
            b'.' => seen_point = true,
            b'e' => {
                let tail = std::str::from_utf8(&text[at + 1..]).unwrap_or("0");
                exponent += tail.parse::<i32>().unwrap_or(0);
                break;
            }
            b'0' if len == 0 => exponent -= i32::from(seen_point),
            digit => {
                if len < digits.len() {
                    digits[len] = digit;
                    len += 1;
                }
                exponent += i32::from(!seen_point);
            }
        }
        at += 1;
    }
    while len > 0 && digits[len - 1] == b'0' {
        len -= 1;
    }
    (len, exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn format_double(value: f64) -> String {
        let mut out = String::new();
        super::format_double(value, &mut out);
        out
    }

    #[test]
    fn doubles_print_like_postgresql() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (900.0, "900"),
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e14, "100000000000000"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000012, "1.2e-05"),
            (123.456, "123.456"),
            (5e-324, "5e-324"),
            (77_394_639_934_096_192.0, "7.739463993409619e+16"),
            (-46_537_802_150_578_384.0, "-4.6537802150578384e+16"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(format_double(value), text);
        }
    }

    proptest! {
        #[test]
        fn printed_doubles_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back: f64 = format_double(value).parse().unwrap();
            prop_assert!(back.to_bits() == bits || value.is_nan() && back.is_nan());
        }
    }
}
