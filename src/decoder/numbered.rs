//! Records that come one by one, each with a number: those of a topic, lines of a connection, texts of a column.
//!
//! Owns how a number becomes a position: as it is, or, where a record makes several tuples (`each`), times 2^24 plus the
//! byte of the element in its record, so that a restart in the middle of one finds the place.

use super::{Decoder, DecoderPlan, Window};
use crate::component::{Again, ComponentError, Intake, Raw, Reject};
use crate::tuple::{RUN_TUPLES, Slot};

/// Bits of a position for the byte in a record, where a record makes several tuples.
const ELEMENT_BITS: u32 = 24;
const SHOWN_BYTES: usize = 1024;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it was decoded.
    Whole,
    /// There was no room for all its elements: it is the next again.
    Part,
}

/// A decoder of numbered records.
pub struct Numbered {
    decoder: Decoder,
    /// Numbers are shifted by so many bits to be positions.
    bits: u32,
    /// A record is one line.
    lines: bool,
}

impl Numbered {
    /// Decodes into these slots. `source` and `split_id` are what tuples say of their origin.
    ///
    /// # Errors
    /// The format wants a start that numbered records do not have.
    pub fn new(plan: &DecoderPlan, columns: &[Slot], source: &str, split_id: u32) -> Result<Numbered, ComponentError> {
        let mut decoder = plan.decoder(columns, source, split_id);
        decoder.begin(Window { bytes: &[], position: 0, last: true })?;
        Ok(Numbered::over(plan, decoder))
    }

    /// Over a decoder that has its start behind it.
    pub fn over(plan: &DecoderPlan, decoder: Decoder) -> Numbered {
        Numbered { decoder, bits: bits(plan), lines: !plan.is_csv() }
    }

    /// Before the first record: rows before `position` have been read.
    pub fn resume_at(&mut self, position: u64) {
        self.decoder.resume_at(position);
    }

    /// The position of a record.
    pub fn position_of(&self, number: u64) -> u64 {
        number << self.bits
    }

    /// The position of the next unread row, where the next record has this number.
    pub fn position(&self, next: u64) -> u64 {
        self.decoder.position(next << self.bits)
    }

    /// Rows that `where` refused.
    pub fn filtered(&self) -> u64 {
        self.decoder.filtered()
    }

    /// Decodes a record into a run that has room.
    ///
    /// # Safety
    /// The bytes must live and stand still until the run is over: texts of its tuples point into them.
    pub unsafe fn take(&mut self, value: &[u8], number: u64, intake: &mut Intake<'_>) -> Taken {
        let value = if value.is_empty() { b"\n" } else { value };
        let position = number << self.bits;
        let line = value.strip_suffix(b"\n").unwrap_or(value);
        if self.lines && memchr::memchr(b'\n', line).is_some() {
            reject(value, position, intake);
            return Taken::Whole;
        }
        let window = Window { bytes: value, position, last: true };
        let most = if self.bits > 0 { RUN_TUPLES } else { 1 };
        // SAFETY: passed on to the caller.
        let decoded = unsafe { self.decoder.decode(window, most, intake) };
        if decoded.consumed >= value.len() {
            return Taken::Whole;
        }
        if self.bits > 0 && decoded.consumed == 0 && !decoded.starved {
            return Taken::Part;
        }
        if !value[decoded.consumed..].iter().all(u8::is_ascii_whitespace) {
            reject(&value[decoded.consumed..], position, intake);
        }
        Taken::Whole
    }
}

impl Again for Numbered {
    unsafe fn take(&mut self, record: &[u8], element: Option<u64>, number: u64, intake: &mut Intake<'_>) -> bool {
        self.decoder.only(element);
        // SAFETY: passed on to the caller.
        unsafe { Numbered::take(self, record, number, intake) == Taken::Whole }
    }

    fn position(&self, next: u64) -> u64 {
        Numbered::position(self, next)
    }

    fn resume_at(&mut self, position: u64) {
        Numbered::resume_at(self, position);
    }
}

/// By how many bits numbers are shifted to be positions.
pub fn bits(plan: &DecoderPlan) -> u32 {
    if plan.has_elements() { ELEMENT_BITS } else { 0 }
}

/// The number of the record that a position lies in.
pub fn number_of(plan: &DecoderPlan, position: u64) -> u64 {
    position >> bits(plan)
}

#[cold]
fn reject(rest: &[u8], position: u64, intake: &mut Intake<'_>) {
    let raw = Raw::Bytes { bytes: rest.to_vec(), element: None };
    intake.rejects.push(Reject {
        raw,
        stream: "errors",
        reason: "lines",
        position,
        text: "this must be one record of the format, and more follows it".to_owned(),
        record: String::from_utf8_lossy(&rest[..rest.len().min(SHOWN_BYTES)]).into_owned(),
    });
}
