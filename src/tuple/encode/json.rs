//! Cells of JSON (RFC 8259).

use super::Cell;
use std::fmt::Write;

/// Appends a cell as a JSON value.
pub(super) fn cell(cell: Cell<'_>, out: &mut String) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Text(text) => json_string(text, out),
        Cell::Double(d) if d.is_finite() => super::format_double(d, out),
        Cell::Boolean(_) | Cell::Bigint(_) => cell.write(out),
        Cell::Double(_) | Cell::Timestamp(_) | Cell::Interval(_) => {
            out.push('"');
            cell.write(out);
            out.push('"');
        }
    }
}

/// Appends `text` as a JSON string.
pub fn json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}

/// A cell as a JSON value in memory, for reports; the same meaning as what the encoder writes.
pub fn json_value(cell: Cell<'_>) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Boolean(b) => b.into(),
        Cell::Bigint(i) => i.into(),
        Cell::Double(d) if d.is_finite() => d.into(),
        other => {
            let mut text = String::new();
            other.write(&mut text);
            text.into()
        }
    }
}
