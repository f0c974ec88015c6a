//! CSV after RFC 4180: values in quotes may hold delimiters, line ends and doubled quotes.
//!
//! Beyond the standard: blanks around a value are trimmed (not those inside quotes), a line may end with `\n` or
//! `\r\n`, one delimiter more at the end of a line is allowed, an empty line does not count where there is one column
//! (where there are more it is a record that lacks them). A quote that does not begin a value is an ordinary character.

use super::scan::{Marks, Needles};
use super::{Cell, CellKind, RecordFault, Split};

/// Splits CSV records.
#[derive(Clone, Debug)]
pub struct CsvSplitter {
    needles: Needles,
    expected: usize,
}

impl CsvSplitter {
    /// A splitter for records of `expected` columns. The delimiter is an ASCII character other than a quote, a line
    /// end or zero.
    pub fn new(delimiter: u8, expected: usize) -> CsvSplitter {
        CsvSplitter { needles: Needles::new([delimiter, b'\n', b'"']), expected }
    }

    /// How many columns a record has.
    pub fn expected(&self) -> usize {
        self.expected
    }

    /// The places that matter in a buffer, for [`CsvSplitter::split_at`].
    #[inline(always)]
    pub fn marks<'a>(&self, bytes: &'a [u8]) -> Marks<'a> {
        Marks::new(bytes, &self.needles)
    }

    /// Splits the record at the start of `bytes`; see [`CsvSplitter::split_at`].
    pub fn split(&self, bytes: &[u8], last: bool, cells: &mut [Cell]) -> Split {
        self.split_at(&mut self.marks(bytes), 0, last, cells)
    }

    /// Splits the record that starts at `from` into the first cells; what is found is counted from there. `last` says
    /// that nothing follows the buffer. `cells` must have a place for each expected column. `marks` must have come to
    /// `from`, as they are after the record before it; bytes are looked at once.
    #[inline]
    pub fn split_at(&self, marks: &mut Marks<'_>, from: usize, last: bool, cells: &mut [Cell]) -> Split {
        let cells = &mut cells[..self.expected];
        let bytes = &marks.bytes()[from..];
        marks.begin();
        let mut scan = Scan { marks, bytes, from, last };
        let mut count = 0;
        let mut start = 0;
        loop {
            let Some(mut at) = scan.next() else {
                if !last {
                    return Split::Partial;
                }
                let cell = trimmed(bytes, start, bytes.len());
                put(cells, count, cell);
                return self.ended(count + 1, cell, bytes.len());
            };
            let mut mark = bytes[at];
            let cell;
            if mark == b'"' {
                if !is_blank(&bytes[start..at]) {
                    continue;
                }
                match scan.quoted(at, count + 1) {
                    Ok((found, behind)) => (cell, at) = (found, behind),
                    Err(split) => return split,
                }
                mark = bytes.get(at).copied().unwrap_or(b'\n');
            } else {
                cell = trimmed(bytes, start, at);
            }
            put(cells, count, cell);
            count += 1;
            start = at + 1;
            if mark == b'\n' {
                return self.ended(count, cell, start.min(bytes.len()));
            }
        }
    }

    #[inline(always)]
    fn ended(&self, count: usize, cell: Cell, end: usize) -> Split {
        let empty = cell.is_empty();
        if count == self.expected && !(count == 1 && empty && cell.kind() == CellKind::Text) {
            return Split::Record { end };
        }
        if count == 1 && empty && self.expected <= 1 {
            return Split::Blank { end };
        }
        if count == self.expected + 1 && empty {
            return Split::Record { end };
        }
        Split::Broken { end, fault: RecordFault::Columns { found: count, expected: self.expected } }
    }

    /// Splits a header: the names in the first record, without an empty one at its end, and where the next record
    /// starts. None if the record goes on behind the buffer.
    pub fn header(delimiter: u8, bytes: &[u8], last: bool) -> Option<(Vec<String>, usize)> {
        // Once to learn how many columns there are, once to find them.
        let (end, count) = match CsvSplitter::new(delimiter, 0).split(bytes, last, &mut []) {
            Split::Partial => return None,
            Split::Broken { end, fault: RecordFault::Columns { found, .. } } => (end, found),
            Split::Broken { end, .. } | Split::Blank { end } | Split::Record { end } => (end, 1),
        };
        let mut cells = vec![Cell::default(); count];
        CsvSplitter::new(delimiter, count).split(bytes, last, &mut cells);
        let mut names: Vec<String> =
            cells.iter().map(|c| String::from_utf8_lossy(c.of(bytes)).replace("\"\"", "\"")).collect();
        if names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        Some((names, end))
    }
}

/// One record being split.
struct Scan<'a, 'm> {
    marks: &'m mut Marks<'a>,
    /// From the record's start on.
    bytes: &'a [u8],
    from: usize,
    last: bool,
}

impl Scan<'_, '_> {
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        self.marks.next().map(|at| at - self.from)
    }

    /// A value whose quote opens at `open`: its cell, and the delimiter or line end behind it, or the end of all bytes.
    fn quoted(&mut self, open: usize, column: usize) -> Result<(Cell, usize), Split> {
        let mut kind = CellKind::Text;
        let close = loop {
            match self.next() {
                None if self.last => return Err(self.open_quote(column)),
                None => return Err(Split::Partial),
                Some(at) if self.bytes[at] != b'"' => {}
                Some(at) if self.bytes.get(at + 1) == Some(&b'"') => {
                    self.next();
                    kind = CellKind::Doubled;
                }
                Some(at) => break at,
            }
        };
        let cell = Cell::new(open + 1, close, kind);
        match self.next() {
            None if !self.last => Err(Split::Partial),
            next => {
                let at = next.unwrap_or(self.bytes.len());
                if !is_blank(&self.bytes[close + 1..at]) || self.bytes.get(at) == Some(&b'"') {
                    return Err(self.behind_quote(next, column));
                }
                Ok((cell, at))
            }
        }
    }

    /// The record is broken from here to the end of its line.
    #[cold]
    fn behind_quote(&mut self, mut next: Option<usize>, column: usize) -> Split {
        while let Some(at) = next {
            if self.bytes[at] == b'\n' {
                return Split::Broken { end: at + 1, fault: RecordFault::Quote { column } };
            }
            next = self.next();
        }
        if !self.last {
            return Split::Partial;
        }
        Split::Broken { end: self.bytes.len(), fault: RecordFault::Quote { column } }
    }

    /// One stray quote must not swallow the rest of the file: the record is its first line.
    #[cold]
    fn open_quote(&mut self, column: usize) -> Split {
        let end = memchr::memchr(b'\n', self.bytes).map_or(self.bytes.len(), |at| at + 1);
        self.marks.seek(self.from + end);
        Split::Broken { end, fault: RecordFault::OpenQuote { column } }
    }
}

#[inline(always)]
fn is_blank_byte(byte: u8) -> bool {
    byte == b' ' || byte == b'\t' || byte == b'\r'
}

#[inline(always)]
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is_blank_byte(b))
}

#[inline(always)]
fn put(cells: &mut [Cell], count: usize, cell: Cell) {
    if let Some(place) = cells.get_mut(count) {
        *place = cell;
    }
}

#[inline(always)]
fn trimmed(bytes: &[u8], start: usize, end: usize) -> Cell {
    let value = &bytes[start..end];
    match (value.first(), value.last()) {
        (Some(first), Some(last)) if *first <= b' ' || *last <= b' ' => trim(bytes, start, end),
        _ => Cell::new(start, end, CellKind::Text),
    }
}

#[inline(never)]
fn trim(bytes: &[u8], mut start: usize, mut end: usize) -> Cell {
    while start < end && is_blank_byte(bytes[start]) {
        start += 1;
    }
    while end > start && is_blank_byte(bytes[end - 1]) {
        end -= 1;
    }
    Cell::new(start, end, CellKind::Text)
}
