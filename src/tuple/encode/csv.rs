//! Cells of CSV (RFC 4180).

use super::Cell;

/// Appends a cell; text is quoted where a reader would otherwise see something else.
pub(super) fn cell(cell: Cell<'_>, out: &mut String) {
    match cell {
        Cell::Text(text) if quoted(text) => {
            out.push('"');
            let mut rest = text;
            while let Some(at) = memchr::memchr(b'"', rest.as_bytes()) {
                out.push_str(&rest[..=at]);
                out.push('"');
                rest = &rest[at + 1..];
            }
            out.push_str(rest);
            out.push('"');
        }
        other => other.write(out),
    }
}

/// Whether a text must be quoted. Blanks at an end are, because readers may trim what is not; a byte order mark is,
/// because readers drop the one that a file starts with.
fn quoted(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return true };
    first.is_ascii_whitespace()
        || last.is_ascii_whitespace()
        || text.starts_with('\u{feff}')
        || bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r'))
}
