//! Records of the outside: from bytes to the cells of one record, and from cells to the words of slots.
//!
//! A *splitter* ([`CsvSplitter`], [`JsonSplitter`], [`RegexSplitter`]) finds the end of a record in a buffer and where
//! its values lie ([`Cell`]): it copies nothing and allocates nothing. A [`Converter`] turns one cell into the word of a
//! slot; a text that needs no unescaping stays where it is in the buffer. Never knows columns by name, streams, files or
//! where a broken record goes. Invariant: a cell lies inside the bytes it was split from, and no input makes it panic.

mod convert;
mod csv;
mod json;
mod json_path;
mod lines;
mod number;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use convert::shorten;
pub use convert::{Converter, ValueFault};
pub use csv::CsvSplitter;
pub use json::JsonSplitter;
pub use json_path::{JsonPath, Root, Step};
pub use lines::{RegexSplitter, find_line, line_of};
pub use scan::Marks;

use std::fmt;

/// What the bytes of a [`Cell`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// The record has no such value, or says null.
    Absent,
    /// Text as it stands.
    Text,
    /// Text in which a quote is written twice.
    Doubled,
    /// A JSON string with escapes.
    Escaped,
    /// A JSON number.
    Number,
    /// `true` or `false` of JSON.
    Boolean,
    /// A JSON object or array.
    Nested,
}

/// Where a value of a record lies, in bytes from the record's start, and what it is. One word (start 32 bits, length 28,
/// kind 4): as a struct of three it would be written in pieces and read back whole, which stalls at every column.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell(u64);

/// Longest record that cells can address.
pub const RECORD_BYTES_MAX: usize = (1 << 28) - 1;

impl Cell {
    /// A cell over `start..end` of a record of at most [`RECORD_BYTES_MAX`] bytes.
    #[inline(always)]
    pub fn new(start: usize, end: usize, kind: CellKind) -> Cell {
        Cell(((start as u64) << 32) | (((end - start) as u64 & RECORD_BYTES_MAX as u64) << 4) | kind as u64)
    }

    /// First byte.
    #[inline(always)]
    pub fn start(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Number of bytes.
    #[inline(always)]
    pub fn len(self) -> usize {
        (self.0 as usize >> 4) & RECORD_BYTES_MAX
    }

    /// Whether it has no bytes.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What the bytes are.
    #[inline(always)]
    pub fn kind(self) -> CellKind {
        match self.0 & 15 {
            0 => CellKind::Absent,
            1 => CellKind::Text,
            2 => CellKind::Doubled,
            3 => CellKind::Escaped,
            4 => CellKind::Number,
            5 => CellKind::Boolean,
            _ => CellKind::Nested,
        }
    }

    /// Its bytes; empty if it is absent.
    #[inline(always)]
    pub fn of(self, record: &[u8]) -> &[u8] {
        record.get(self.start()..self.start() + self.len()).unwrap_or(&[])
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({}, {})", self.kind(), self.start(), self.len())
    }
}

/// What a splitter found at the start of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// A record; its cells are filled in. The next one starts at `end`.
    Record {
        /// Bytes of the record with its line end.
        end: usize,
    },
    /// Nothing but a line end.
    Blank {
        /// Bytes of it.
        end: usize,
    },
    /// The record goes on behind the buffer.
    Partial,
    /// Bytes that are no record; the next one starts at `end`.
    Broken {
        /// Bytes to be left out.
        end: usize,
        /// What is wrong with them.
        fault: RecordFault,
    },
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Another number of columns than expected.
    Columns {
        /// Columns of the record.
        found: usize,
        /// Columns that it should have.
        expected: usize,
    },
    /// Something follows a closing quote.
    Quote {
        /// Number of the column, from 1.
        column: usize,
    },
    /// A quote that is never closed.
    OpenQuote {
        /// Number of the column, from 1.
        column: usize,
    },
    /// Not JSON.
    Json {
        /// Byte of the record, from 0.
        at: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// Bytes that are not UTF-8.
    Utf8 {
        /// The first of them, from 0.
        at: usize,
    },
    /// No expression of the list matches.
    Unmatched,
}

impl RecordFault {
    /// The word that such records are counted by.
    pub fn reason(&self) -> &'static str {
        match self {
            RecordFault::Columns { .. } => "columns",
            RecordFault::Quote { .. } | RecordFault::OpenQuote { .. } => "quote",
            RecordFault::Json { .. } => "json",
            RecordFault::Utf8 { .. } => "utf8",
            RecordFault::Unmatched => "unmatched",
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordFault::Columns { found, expected } => write!(f, "{found} columns where {expected} are expected"),
            RecordFault::Quote { column } => write!(f, "column {column}: text behind the closing quote"),
            RecordFault::OpenQuote { column } => write!(f, "column {column}: the quote is never closed"),
            RecordFault::Json { at, expected } => write!(f, "not JSON at byte {at}: {expected} expected"),
            RecordFault::Utf8 { at } => write!(f, "not UTF-8 at byte {at}"),
            RecordFault::Unmatched => f.write_str("no expression matches"),
        }
    }
}
