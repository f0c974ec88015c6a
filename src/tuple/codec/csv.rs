//! CSV after RFC 4180: values in quotes may hold delimiters, line ends and doubled quotes.
//!
//! Beyond the standard: blanks around a value are trimmed (not those inside quotes), a line may end with `\n` or
//! `\r\n`, one delimiter more at the end of a line is allowed, empty lines do not count. A quote that does not begin a
//! value is an ordinary character.

use super::scan::Marks;
use super::{Cell, CellKind, RecordFault, Split};

/// Splits CSV records.
#[derive(Clone, Debug)]
pub struct CsvSplitter {
    delimiter: u8,
    expected: usize,
}

impl CsvSplitter {
    /// A splitter for records of `expected` columns. The delimiter is an ASCII character other than a quote, a line
    /// end or zero.
    pub fn new(delimiter: u8, expected: usize) -> CsvSplitter {
        CsvSplitter { delimiter, expected }
    }

    /// How many columns a record has.
    pub fn expected(&self) -> usize {
        self.expected
    }

    /// Splits the record at the start of `bytes` into the first cells. `last` says that nothing follows the buffer.
    /// `cells` must have a place for each expected column.
    #[inline]
    pub fn split(&self, bytes: &[u8], last: bool, cells: &mut [Cell]) -> Split {
        let mut scan = Scan { marks: Marks::new(bytes, [self.delimiter, b'\n', b'"']), bytes, last };
        let mut count = 0;
        let mut start = 0;
        let mut cell;
        loop {
            let (at, end) = match scan.marks.next() {
                Some(at) if bytes[at] == b'"' => {
                    if !is_blank(&bytes[start..at]) {
                        continue;
                    }
                    match scan.quoted(at, count + 1) {
                        Ok((found, at, end)) => {
                            cell = found;
                            (at, end)
                        }
                        Err(split) => return split,
                    }
                }
                Some(at) => {
                    cell = trimmed(bytes, start, at);
                    (at, if bytes[at] == b'\n' { Some(at + 1) } else { None })
                }
                None if !last => return Split::Partial,
                None => {
                    cell = trimmed(bytes, start, bytes.len());
                    (bytes.len(), Some(bytes.len()))
                }
            };
            if let Some(place) = cells.get_mut(count).filter(|_| count < self.expected) {
                *place = cell;
            }
            count += 1;
            start = at + 1;
            if let Some(end) = end {
                return self.ended(count, cell, end);
            }
        }
    }

    #[inline(always)]
    fn ended(&self, count: usize, cell: Cell, end: usize) -> Split {
        let empty = cell.start == cell.end;
        if count == self.expected && !(count == 1 && empty && cell.kind == CellKind::Text) {
            return Split::Record { end };
        }
        if count == 1 && empty {
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
        // A record has at most one column more than delimiters, and a header is read once.
        let most = memchr::memchr_iter(delimiter, bytes).count() + 1;
        let mut cells = vec![Cell::default(); most];
        let splitter = CsvSplitter::new(delimiter, most);
        let (end, count) = match splitter.split(bytes, last, &mut cells) {
            Split::Partial => return None,
            Split::Record { end } => (end, most),
            Split::Broken { end, fault: RecordFault::Columns { found, .. } } => (end, found),
            Split::Broken { end, .. } | Split::Blank { end } => (end, 1),
        };
        let mut names: Vec<String> =
            cells[..count].iter().map(|c| String::from_utf8_lossy(c.of(bytes)).replace("\"\"", "\"")).collect();
        if names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        Some((names, end))
    }
}

struct Scan<'a> {
    marks: Marks<'a>,
    bytes: &'a [u8],
    last: bool,
}

impl Scan<'_> {
    /// A value whose quote opens at `open`: its cell, the delimiter or line end behind it, and the start of the next
    /// record if this one ends here.
    fn quoted(&mut self, open: usize, column: usize) -> Result<(Cell, usize, Option<usize>), Split> {
        let mut kind = CellKind::Text;
        let close = loop {
            match self.marks.next() {
                None if self.last => return Err(self.open_quote(column)),
                None => return Err(Split::Partial),
                Some(at) if self.bytes[at] != b'"' => {}
                Some(at) if self.bytes.get(at + 1) == Some(&b'"') => {
                    self.marks.next();
                    kind = CellKind::Doubled;
                }
                Some(at) => break at,
            }
        };
        let cell = Cell::new(open + 1, close, kind);
        match self.marks.next() {
            None if !self.last => Err(Split::Partial),
            next => {
                let at = next.unwrap_or(self.bytes.len());
                if !is_blank(&self.bytes[close + 1..at]) || self.bytes.get(at) == Some(&b'"') {
                    return Err(self.behind_quote(next, column));
                }
                let end = match self.bytes.get(at) {
                    None => Some(at),
                    Some(b'\n') => Some(at + 1),
                    Some(_) => None,
                };
                Ok((cell, at, end))
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
            next = self.marks.next();
        }
        if !self.last {
            return Split::Partial;
        }
        Split::Broken { end: self.bytes.len(), fault: RecordFault::Quote { column } }
    }

    /// One stray quote must not swallow the rest of the file: the record is its first line.
    #[cold]
    fn open_quote(&self, column: usize) -> Split {
        let end = memchr::memchr(b'\n', self.bytes).map_or(self.bytes.len(), |at| at + 1);
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
fn trimmed(bytes: &[u8], mut start: usize, mut end: usize) -> Cell {
    while start < end && is_blank_byte(bytes[start]) {
        start += 1;
    }
    while end > start && is_blank_byte(bytes[end - 1]) {
        end -= 1;
    }
    Cell::new(start, end, CellKind::Text)
}
