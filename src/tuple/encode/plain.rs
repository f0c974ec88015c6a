//! Numbers, times and the cells of text for people.

use super::Cell;
use crate::time::civil;
use std::fmt::Write;

/// Appends a cell of `name=value`: text that could be taken for something else is quoted like a JSON string.
pub(super) fn cell(cell: Cell<'_>, out: &mut String) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Text(text) if quoted(text) => super::json_string(text, out),
        other => other.write(out),
    }
}

fn quoted(text: &str) -> bool {
    text.is_empty()
        || text == "null"
        || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '"' || c == '=')
}

/// Appends a whole number.
pub(super) fn format_bigint(value: i64, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

/// Appends a double as PostgreSQL prints it: the fewest digits that read back as the same value, plain from 0.0001 up
/// to below 1e15, with an exponent of at least two digits outside; `NaN`, `Infinity`, `-Infinity`, `-0`.
pub fn format_double(value: f64, out: &mut String) {
    if !value.is_finite() {
        return out.push_str(match (value.is_nan(), value > 0.0) {
            (true, _) => "NaN",
            (_, true) => "Infinity",
            (_, false) => "-Infinity",
        });
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value == 0.0 {
        return out.push('0');
    }
    let mut buffer = ryu::Buffer::new();
    let (digits, count, exponent) = decimal(buffer.format_finite(value.abs()));
    // The proof: `decimal` copies ASCII digits only.
    let digits = std::str::from_utf8(&digits[..count]).unwrap_or("0");
    match exponent {
        -4..=-1 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', (-1 - exponent) as usize));
            out.push_str(digits);
        }
        0..=14 => {
            let whole = exponent as usize + 1;
            out.push_str(&digits[..whole.min(count)]);
            if count > whole {
                out.push('.');
                out.push_str(&digits[whole..]);
            } else {
                out.extend(std::iter::repeat_n('0', whole - count));
            }
        }
        _ => {
            out.push_str(&digits[..1]);
            if count > 1 {
                out.push('.');
                out.push_str(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        }
    }
}

/// Takes the shortest digits apart: the significant ones without zeros at either end, how many they are, and the
/// decimal exponent of the first. `text` is ryu's, of a positive finite number: `900.0`, `0.00025`, `1.5e-7`, `1e20`.
fn decimal(text: &str) -> ([u8; 24], usize, i32) {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let (mut digits, mut count) = ([0u8; 24], 0);
    let (mut point, mut first) = (None, None);
    let mut seen = 0;
    for byte in mantissa.bytes() {
        if byte == b'.' {
            point = Some(seen);
            continue;
        }
        if first.is_none() && byte != b'0' {
            first = Some(seen);
        }
        if first.is_some() && count < digits.len() {
            digits[count] = byte;
            count += 1;
        }
        seen += 1;
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    (digits, count, exponent + point.unwrap_or(seen) - 1 - first.unwrap_or(0))
}

/// Appends a timestamp (microseconds since 1970 UTC) as RFC 3339 in UTC with as many digits of the second as it has:
/// `2024-01-02T03:04:05Z`, `2024-01-02T03:04:05.678Z`. Years outside 0 to 9999, which the standard does not know, get
/// a sign and at least six digits.
pub fn format_rfc3339(micros: i64, out: &mut String) {
    let (days, rest) = civil::split(micros);
    let (year, month, day) = civil::date(days);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let _ = match year {
        0..=9999 => write!(out, "{year:04}"),
        _ => write!(out, "{year:+07}"),
    };
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        let _ = write!(out, ".{fraction:06}");
        while out.ends_with('0') {
            out.pop();
        }
    }
    out.push('Z');
}
