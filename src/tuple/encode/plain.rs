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
