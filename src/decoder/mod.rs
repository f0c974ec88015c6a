//! Records to tuples: shared by everything that reads bytes, and by the bolt `parse`.
//!
//! 1. A [`DecoderPlan`] is what the options of a spout say, checked: format, columns, where each is found.
//! 2. A [`Decoder`] is one split of it being read: it takes a window of bytes, splits record after record and writes
//!    the values straight into frames of the run. Only a spout with `add` or `where` goes through a frame of the
//!    decoder's own (`computed`), because raw columns have no slots in the pipeline.
//! 3. A [`Feed`] joins a decoder, the bytes of a split ([`Input`]) and a [`Pace`] to a spout.
//!
//! A record that becomes no tuple is a reject with its position, or is counted as filtered: none is lost, none stops the
//! split, whatever its bytes are. A window holds one record at least up to `max_record`; a longer one is left out in
//! bounded memory.

mod columns;
mod computed;
mod feed;
pub mod fields;
#[cfg(test)]
pub(crate) mod fixture;
mod input;
mod numbered;
mod options;
mod pace;
mod plan;
mod sources;
#[cfg(test)]
mod tests;

pub use feed::Feed;
pub use input::{Input, Read, Source};
pub use numbered::{Numbered, Taken, bits, number_of};
pub use options::RECORD_OPTIONS;
pub use pace::Pace;
pub use plan::{DecoderCheck, DecoderPlan};
pub use sources::record_size;

use crate::component::{ComponentError, Intake, Raw, Reject};
use crate::tuple::RUN_TUPLES;
use crate::tuple::codec::{
    Cell, CellKind, CsvSplitter, JsonSplitter, Marks, RecordFault, RegexSplitter, Split, find_line, line_of,
};
use columns::{Columns, Failure};
use plan::Header;

/// Most records that one call looks at, so that a spout whose `where` refuses nearly all still lets others work.
const RECORDS_MAX: usize = 1024;
/// How much of a record a reject shows.
const SHOWN_BYTES: usize = 1024;

/// Bytes to be decoded.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Bytes from the start of a record on.
    pub bytes: &'a [u8],
    /// Position of the first.
    pub position: u64,
    /// Whether nothing follows them.
    pub last: bool,
}

/// What [`Decoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes that are done with; the next call begins behind them.
    pub consumed: usize,
    /// Whether nothing more can be decoded before there are more bytes.
    pub starved: bool,
}

/// One split of a [`DecoderPlan`] being read.
pub struct Decoder {
    splitter: Splitter,
    cells: Vec<Cell>,
    /// The record whose cells these are is known to be ASCII.
    ascii: bool,
    columns: Columns,
    split_id: u32,
    max_record: usize,
    start: Start,
    scanned: usize,
    skipping: Option<Skipping>,
    element: Option<Elements>,
    resume_at: u64,
    /// Of a record with elements only the one that starts here.
    only: Option<u64>,
    filtered: u64,
}

enum Splitter {
    Csv(CsvSplitter),
    Json(JsonSplitter),
    Regex(RegexSplitter),
    Text,
}

/// What is still to be done before the first record.
struct Start {
    done: bool,
    header: Header,
    delimiter: u8,
    /// With [`Header::Use`]: the header's names of the targets.
    names: Vec<(String, bool)>,
}

/// A record that is too long: left out up to its line end.
struct Skipping {
    position: u64,
    shown: String,
}

/// A document whose elements are being made to tuples.
#[derive(Clone, Copy)]
struct Elements {
    /// Byte of the document at which the next element may start.
    at: usize,
    /// Bytes of the record.
    end: usize,
}

/// How long the run and the list of rejects may become in one call.
#[derive(Clone, Copy)]
struct Room {
    tuples: usize,
    rejects: usize,
}

impl Room {
    #[inline(always)]
    fn is_left(self, intake: &Intake<'_>) -> bool {
        intake.run.len() < self.tuples && intake.rejects.len() < self.rejects
    }
}

impl Decoder {
    /// Whether the start of the split is behind (byte order mark, header).
    pub fn started(&self) -> bool {
        self.start.done
    }

    /// Another content follows, with a start of its own.
    pub fn restart(&mut self) {
        self.start.done = false;
        self.scanned = 0;
        self.element = None;
    }

    /// Reads byte order mark and header at the start of the split, and finds its columns. Gives the bytes that they
    /// take, none if the window is too short for it.
    ///
    /// # Errors
    /// The header lacks a column that is needed.
    pub fn begin(&mut self, window: Window<'_>) -> Result<Option<usize>, ComponentError> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if window.bytes.len() < MARK.len() && !window.last {
            return Ok(None);
        }
        let mark = if window.bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let bytes = &window.bytes[mark..];
        if self.start.header == Header::None || (bytes.is_empty() && window.last) {
            self.start.done = true;
            return Ok(Some(mark));
        }
        let Some((names, end)) = CsvSplitter::header(self.start.delimiter, bytes, window.last) else {
            if bytes.len() > self.max_record {
                return Err(ComponentError::new(format!("the header is longer than {} bytes", self.max_record)));
            }
            return Ok(None);
        };
        if self.start.header == Header::Use {
            self.find_columns(&names)?;
        }
        self.start.done = true;
        Ok(Some(mark + end))
    }

    fn find_columns(&mut self, header: &[String]) -> Result<(), ComponentError> {
        for (target, (name, required)) in self.columns.targets.iter_mut().zip(&self.start.names) {
            target.cell = match sources::position(header, name) {
                Some(position) => position,
                // The cell behind the last column is always absent.
                None if !required => header.len(),
                None => {
                    let mut message = format!("the header has no column \"{name}\"; it has ");
                    message.push_str(&sources::quoted(header));
                    return Err(ComponentError::new(message));
                }
            };
        }
        self.cells = vec![Cell::default(); header.len() + 1];
        self.splitter = Splitter::Csv(CsvSplitter::new(self.start.delimiter, header.len()));
        Ok(())
    }

    /// Before the first window, for a restart: rows before `position` have been read. Where a record makes several rows
    /// it may lie inside a record; the first window must then begin with that record.
    pub fn resume_at(&mut self, position: u64) {
        self.element = None;
        self.resume_at = position;
    }

    /// Whether a record can make several rows, so that a position may lie inside a record.
    pub fn has_elements(&self) -> bool {
        matches!(&self.splitter, Splitter::Json(json) if json.has_elements())
    }

    /// Position of the next unread row, where the next window begins at `window`.
    pub fn position(&self, window: u64) -> u64 {
        match (&self.skipping, self.element) {
            (Some(skipping), _) => skipping.position,
            (None, Some(element)) => window + element.at as u64,
            (None, None) => window.max(self.resume_at),
        }
    }

    /// Of records with several elements only the one that starts at this byte becomes a row, until it is said otherwise.
    pub fn only(&mut self, element: Option<u64>) {
        self.only = element;
    }

    /// Rows that `where` refused.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Decodes records until the run has `most` more tuples or is full, the rejects of one run are full, or the window
    /// has no further whole record. The start of the split must be behind.
    ///
    /// # Safety
    /// The bytes of the window must live and stand still until the run is over: texts of its tuples point into them.
    pub unsafe fn decode(&mut self, window: Window<'_>, most: usize, intake: &mut Intake<'_>) -> Decoded {
        let tuples = intake.run.len().saturating_add(most).min(RUN_TUPLES);
        let room = Room { tuples, rejects: intake.rejects.len() + RUN_TUPLES };
        let mut consumed = 0;
        // One scan of the window for all records of the call.
        let mut marks = match &self.splitter {
            Splitter::Csv(csv) => Some(csv.marks(window.bytes)),
            _ => None,
        };
        for _ in 0..RECORDS_MAX {
            if !room.is_left(intake) {
                break;
            }
            let bytes = &window.bytes[consumed..];
            let rest = Window { bytes, position: window.position + consumed as u64, last: window.last };
            if self.skipping.is_some() {
                consumed += self.skip_long(rest, intake);
                if self.skipping.is_some() {
                    return Decoded { consumed, starved: true };
                }
                marks.iter_mut().for_each(|marks| marks.seek(consumed));
                continue;
            }
            let record = match (&mut marks, self.element) {
                (_, Some(element)) => Split::Record { end: element.end },
                (Some(marks), None) => self.split_csv(marks, consumed, window.last),
                (None, None) => self.split_line(bytes, window.last),
            };
            match record {
                // SAFETY: passed on to the caller.
                Split::Record { end } => consumed += unsafe { self.record(&bytes[..end], rest.position, room, intake) },
                Split::Blank { end } => consumed += end,
                Split::Broken { end, fault } => {
                    self.reject(&bytes[..end], rest.position, fault, intake);
                    consumed += end;
                }
                Split::Partial if bytes.len() > self.max_record => {
                    consumed += self.too_long(rest, intake);
                    marks.iter_mut().for_each(|marks| marks.seek(consumed));
                }
                Split::Partial => return Decoded { consumed, starved: true },
            }
        }
        Decoded { consumed, starved: false }
    }

    #[inline(always)]
    fn split_csv(&mut self, marks: &mut Marks<'_>, from: usize, last: bool) -> Split {
        let Splitter::Csv(csv) = &self.splitter else { return Split::Partial };
        if from == marks.bytes().len() {
            return Split::Partial;
        }
        let split = csv.split_at(marks, from, last, &mut self.cells);
        self.ascii = marks.is_ascii();
        split
    }

    #[inline(always)]
    fn split_line(&mut self, bytes: &[u8], last: bool) -> Split {
        if bytes.is_empty() {
            return Split::Partial;
        }
        let Some(end) = find_line(bytes, self.scanned, last) else {
            self.scanned = bytes.len();
            return Split::Partial;
        };
        self.scanned = 0;
        if end > self.max_record {
            return Split::Record { end };
        }
        let line = line_of(&bytes[..end]);
        let split = match &mut self.splitter {
            Splitter::Json(_) if line.iter().all(u8::is_ascii_whitespace) => return Split::Blank { end },
            Splitter::Json(json) => json.split(line, &mut self.cells),
            Splitter::Regex(regex) => regex.split(line, &mut self.cells),
            Splitter::Text | Splitter::Csv(_) => {
                self.cells[0] = Cell::new(0, line.len(), CellKind::Text);
                Ok(())
            }
        };
        match split {
            Ok(()) => Split::Record { end },
            Err(fault) => Split::Broken { end, fault },
        }
    }

    /// Makes the rows of a record that was split; the bytes that are done with.
    #[inline(always)]
    unsafe fn record(&mut self, record: &[u8], position: u64, room: Room, intake: &mut Intake<'_>) -> usize {
        if record.len() > self.max_record {
            self.reject_long(position, shown(record), intake);
            return record.len();
        }
        if self.has_elements() {
            // SAFETY: passed on to the caller.
            return unsafe { self.elements(record, position, room, intake) };
        }
        // SAFETY: passed on to the caller.
        match unsafe { self.columns.row(&self.cells, (record, self.ascii), (self.split_id, position), intake) } {
            Ok(true) => {}
            Ok(false) => self.filtered += 1,
            Err(failure) => self.fail(record, position, failure, intake),
        }
        record.len()
    }

    /// Makes rows of the elements of a document until there is no room; zero while there are more.
    #[inline(never)]
    unsafe fn elements(&mut self, record: &[u8], position: u64, room: Room, intake: &mut Intake<'_>) -> usize {
        let Splitter::Json(json) = &self.splitter else { return record.len() };
        let line = line_of(record);
        let mut at = match self.element.map(|e| Ok(Some(e.at))).unwrap_or_else(|| json.elements(line, &self.cells)) {
            Ok(Some(at)) => at,
            // A document without the array has no rows.
            Ok(None) => return record.len(),
            Err(fault) => {
                self.reject(record, position, fault, intake);
                return record.len();
            }
        };
        loop {
            if !room.is_left(intake) {
                self.element = Some(Elements { at, end: record.len() });
                return 0;
            }
            match json.element(line, &mut at, &mut self.cells) {
                Ok(Some(start)) if self.is_wanted(position, start as u64) => {
                    let row = position + start as u64;
                    // SAFETY: passed on to the caller.
                    let made = unsafe { self.columns.row(&self.cells, (record, false), (self.split_id, row), intake) };
                    match made {
                        Ok(true) => {}
                        Ok(false) => self.filtered += 1,
                        Err(failure) => {
                            push(failure.reason, failure.text, record, row, Some(start as u64), intake);
                        }
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        self.element = None;
        record.len()
    }

    #[inline(always)]
    fn is_wanted(&self, position: u64, start: u64) -> bool {
        position + start >= self.resume_at && self.only.is_none_or(|only| only == start)
    }

    #[cold]
    fn fail(&self, record: &[u8], position: u64, failure: Failure, intake: &mut Intake<'_>) {
        push(failure.reason, failure.text, record, position, None, intake);
    }

    #[cold]
    fn reject(&self, record: &[u8], position: u64, fault: RecordFault, intake: &mut Intake<'_>) {
        push(fault.reason(), fault.to_string(), record, position, None, intake);
    }

    /// A record without an end in more than `max_record` bytes. A quote that opened swallows no more than its line.
    #[cold]
    fn too_long(&mut self, rest: Window<'_>, intake: &mut Intake<'_>) -> usize {
        self.scanned = 0;
        if let Some(at) = memchr::memchr(b'\n', rest.bytes) {
            let text = format!("a quote is not closed within {} bytes", self.max_record);
            push("quote", text, &rest.bytes[..at], rest.position, None, intake);
            return at + 1;
        }
        self.skipping = Some(Skipping { position: rest.position, shown: shown(rest.bytes) });
        rest.bytes.len()
    }

    #[cold]
    fn skip_long(&mut self, rest: Window<'_>, intake: &mut Intake<'_>) -> usize {
        let end = find_line(rest.bytes, 0, false);
        if end.is_none() && !rest.last {
            return rest.bytes.len();
        }
        if let Some(skipping) = self.skipping.take() {
            self.reject_long(skipping.position, skipping.shown, intake);
        }
        end.unwrap_or(rest.bytes.len())
    }

    #[cold]
    fn reject_long(&self, position: u64, record: String, intake: &mut Intake<'_>) {
        let text = format!("the record is longer than {} bytes (`max_record`)", self.max_record);
        let raw = Raw::Lost;
        intake.rejects.push(Reject { stream: "errors", reason: "too_long", position, text, record, raw });
    }
}

fn shown(record: &[u8]) -> String {
    crate::tuple::codec::shorten(line_of(record), SHOWN_BYTES)
}

#[cold]
fn push(
    reason: &'static str,
    text: String,
    record: &[u8],
    position: u64,
    element: Option<u64>,
    intake: &mut Intake<'_>,
) {
    let bytes = line_of(record);
    let (stream, record) = match reason {
        // A stream of lines that others read: each is whole.
        "unmatched" => ("unmatched", String::from_utf8_lossy(bytes).into_owned()),
        _ => ("errors", shown(record)),
    };
    let raw = raw_of(bytes, element, &record);
    intake.rejects.push(Reject { stream, reason, position, text, record, raw });
}

/// What `shown` leaves out of a record.
fn raw_of(bytes: &[u8], element: Option<u64>, shown: &str) -> Raw {
    match element.is_none() && shown.as_bytes() == bytes {
        true => Raw::Shown,
        false => Raw::Bytes { bytes: bytes.to_vec(), element },
    }
}
