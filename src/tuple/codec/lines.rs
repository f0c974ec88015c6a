//! Records that are lines: their ends, and regular expressions over them.

use super::{Cell, CellKind, RecordFault};
use regex::{CaptureLocations, Regex};

/// Bytes of the line at the start of `bytes` with its line end; none if it goes on behind the buffer. The first
/// `scanned` bytes are known to hold no line end.
#[inline]
pub fn find_line(bytes: &[u8], scanned: usize, last: bool) -> Option<usize> {
    match memchr::memchr(b'\n', bytes.get(scanned..).unwrap_or(&[])) {
        Some(at) => Some(scanned + at + 1),
        None if last && !bytes.is_empty() => Some(bytes.len()),
        None => None,
    }
}

/// A line without its line end, `\n` or `\r\n`.
#[inline]
pub fn line_of(record: &[u8]) -> &[u8] {
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Splits lines by the first regular expression of a list that matches; its named groups are the cells.
#[derive(Clone, Debug)]
pub struct RegexSplitter {
    expressions: Vec<Attempt>,
    cells: usize,
}

#[derive(Clone, Debug)]
struct Attempt {
    expression: Regex,
    /// Group number and cell number of each named group.
    groups: Vec<(usize, usize)>,
    locations: CaptureLocations,
}

impl RegexSplitter {
    /// A splitter; cell n is the group called `names[n]`, in whichever expression has one.
    pub fn new(expressions: Vec<Regex>, names: &[&str]) -> RegexSplitter {
        let attempt = |expression: Regex| {
            let named = |n: &str| names.iter().position(|name| *name == n);
            let groups = expression.capture_names().enumerate().filter_map(|(g, n)| Some((g, named(n?)?))).collect();
            let locations = expression.capture_locations();
            Attempt { expression, groups, locations }
        };
        RegexSplitter { expressions: expressions.into_iter().map(attempt).collect(), cells: names.len() }
    }

    /// Splits a line without its line end. A group that took no part in the match is absent.
    ///
    /// # Errors
    /// The line is not UTF-8, or no expression matches.
    pub fn split(&mut self, line: &[u8], cells: &mut [Cell]) -> Result<(), RecordFault> {
        let text = std::str::from_utf8(line).map_err(|e| RecordFault::Utf8 { at: e.valid_up_to() })?;
        for attempt in &mut self.expressions {
            if attempt.expression.captures_read(&mut attempt.locations, text).is_none() {
                continue;
            }
            cells[..self.cells].fill(Cell::default());
            for &(group, cell) in &attempt.groups {
                if let Some((start, end)) = attempt.locations.get(group) {
                    cells[cell] = Cell::new(start, end, CellKind::Text);
                }
            }
            return Ok(());
        }
        Err(RecordFault::Unmatched)
    }
}
