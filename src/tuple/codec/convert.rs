//! From a cell to the word of a slot.

use super::json::unescape;
use super::number::{parse_f64, parse_i64};
use super::{Cell, CellKind};
use crate::time::{self, TimestampFormat};
use crate::tuple::{Arena, DataType, TextWord};

/// Why a value has no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// It is not a value of the type.
    Value,
    /// It is not UTF-8.
    Utf8,
}

impl ValueFault {
    /// The word that such records are counted by.
    pub fn reason(self) -> &'static str {
        match self {
            ValueFault::Value => "bad_value",
            ValueFault::Utf8 => "utf8",
        }
    }
}

/// Converts the cells of one source.
#[derive(Clone, Debug)]
pub struct Converter {
    timestamps: TimestampFormat,
    /// Microseconds of one unit, or units of one microsecond below zero, where timestamps are whole numbers.
    epoch: Option<Epoch>,
    empty_is_null: bool,
    nulls: Vec<Box<[u8]>>,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Epoch {
    Times(i64),
    Nanoseconds,
}

impl Epoch {
    #[inline(always)]
    fn micros(self, number: i64) -> Option<i64> {
        match self {
            Epoch::Times(factor) => number.checked_mul(factor),
            Epoch::Nanoseconds => Some(number.div_euclid(1000)),
        }
    }
}

impl Converter {
    /// A converter. `timestamps` is the format whose name or pattern is `pattern`; `nulls` are the texts that mean NULL.
    pub fn new(timestamps: TimestampFormat, pattern: &str, nulls: &[String]) -> Converter {
        let epoch = match pattern {
            "epoch_s" => Some(Epoch::Times(1_000_000)),
            "epoch_ms" => Some(Epoch::Times(1_000)),
            "epoch_us" => Some(Epoch::Times(1)),
            "epoch_ns" => Some(Epoch::Nanoseconds),
            _ => None,
        };
        Converter {
            timestamps,
            epoch,
            empty_is_null: nulls.iter().any(String::is_empty),
            nulls: nulls.iter().filter(|n| !n.is_empty()).map(|n| n.as_bytes().into()).collect(),
            text: String::new(),
        }
    }

    /// The word of a cell for a slot of type `ty`, none for NULL. `ascii` says that the record is known to be ASCII;
    /// `now` is the wall clock, microseconds since 1970 UTC.
    ///
    /// # Errors
    /// The value does not convert; [`Converter::explain`] says why.
    ///
    /// # Safety
    /// `record` must live and stand still until the run that the word is used in is over, and be ASCII where `ascii`
    /// says so.
    #[inline(always)]
    pub unsafe fn word(
        &mut self,
        ty: DataType,
        cell: Cell,
        (record, ascii): (&[u8], bool),
        arena: &Arena,
        now: i64,
    ) -> Result<Option<u64>, ValueFault> {
        let raw = cell.of(record);
        match cell.kind() {
            CellKind::Text if self.is_null(raw) => Ok(None),
            // SAFETY: the caller's promise: ASCII is UTF-8, and the bytes stand still.
            CellKind::Text if ascii && ty == DataType::Text => unsafe {
                Ok(Some(TextWord::borrow(std::str::from_utf8_unchecked(raw), arena).0))
            },
            // SAFETY: passed on to the caller.
            CellKind::Text => unsafe { self.text_word(ty, raw, arena, now) }.map(Some),
            CellKind::Absent => Ok(None),
            CellKind::Number if ty == DataType::Double => {
                parse_f64(raw).map(|n| Some(n.to_bits())).ok_or(ValueFault::Value)
            }
            CellKind::Number if ty == DataType::Bigint => whole(raw).map(|n| Some(n as u64)).ok_or(ValueFault::Value),
            // SAFETY: passed on to the caller.
            _ => unsafe { self.rare_word(ty, cell.kind(), raw, arena, now) },
        }
    }

    #[inline(always)]
    fn is_null(&self, raw: &[u8]) -> bool {
        if raw.is_empty() {
            return self.empty_is_null;
        }
        !self.nulls.is_empty() && self.nulls.iter().any(|n| **n == *raw)
    }

    #[inline(always)]
    unsafe fn text_word(&self, ty: DataType, raw: &[u8], arena: &Arena, now: i64) -> Result<u64, ValueFault> {
        let word = match ty {
            // SAFETY: passed on to the caller.
            DataType::Text => return Ok(unsafe { TextWord::borrow(utf8(raw)?, arena) }.0),
            DataType::Bigint => parse_i64(raw).map(|n| n as u64),
            DataType::Double => parse_f64(raw).map(f64::to_bits),
            DataType::Boolean => boolean(raw).map(u64::from),
            DataType::Timestamp => self.timestamp(raw, now).map(|n| n as u64),
            DataType::Interval => {
                std::str::from_utf8(raw).ok().and_then(|t| time::parse_interval(t).ok()).map(|n| n as u64)
            }
        };
        word.ok_or(ValueFault::Value)
    }

    #[inline(always)]
    fn timestamp(&self, raw: &[u8], now: i64) -> Option<i64> {
        if let Some(epoch) = self.epoch
            && let Some(number) = parse_i64(raw)
        {
            return epoch.micros(number);
        }
        self.timestamps.parse(std::str::from_utf8(raw).ok()?, now).ok()
    }

    /// Values with quotes or escapes in them, and those of JSON that are not strings.
    #[inline(never)]
    unsafe fn rare_word(
        &mut self,
        ty: DataType,
        kind: CellKind,
        raw: &[u8],
        arena: &Arena,
        now: i64,
    ) -> Result<Option<u64>, ValueFault> {
        match (kind, ty) {
            (CellKind::Doubled | CellKind::Escaped, _) => {
                let mut text = std::mem::take(&mut self.text);
                text.clear();
                let read = plain_text(kind, raw, &mut text).ok_or(ValueFault::Utf8);
                let word = match read {
                    Err(fault) => Err(fault),
                    Ok(()) if self.is_null(text.as_bytes()) => Ok(None),
                    Ok(()) if ty == DataType::Text => Ok(Some(arena.store(&text).0)),
                    // SAFETY: a word of another type than text does not point at `text`.
                    Ok(()) => unsafe { self.text_word(ty, text.as_bytes(), arena, now) }.map(Some),
                };
                self.text = text;
                word
            }
            // SAFETY: passed on to the caller.
            (_, DataType::Text) => Ok(Some(unsafe { TextWord::borrow(utf8(raw)?, arena) }.0)),
            (CellKind::Number, DataType::Timestamp) => {
                self.number_timestamp(raw).map(|n| Some(n as u64)).ok_or(ValueFault::Value)
            }
            (CellKind::Number, DataType::Boolean) if matches!(raw, b"0" | b"1") => Ok(Some(u64::from(raw == b"1"))),
            (CellKind::Boolean, DataType::Boolean) => Ok(Some(u64::from(raw == b"true"))),
            _ => Err(ValueFault::Value),
        }
    }

    fn number_timestamp(&self, raw: &[u8]) -> Option<i64> {
        match (self.epoch, parse_i64(raw)) {
            (Some(epoch), Some(number)) => epoch.micros(number),
            _ => self.timestamps.parse_number(parse_f64(raw)?).ok(),
        }
    }

    /// What is wrong with a value, for people.
    #[cold]
    pub fn explain(&self, ty: DataType, cell: Cell, record: &[u8], now: i64, fault: ValueFault) -> String {
        let raw = cell.of(record);
        let shown = shorten(raw, 80);
        if fault == ValueFault::Utf8 {
            return format!("`{shown}` is not UTF-8");
        }
        let text = std::str::from_utf8(raw).unwrap_or("");
        let why = match (ty, cell.kind()) {
            (DataType::Timestamp, CellKind::Text) => self.timestamps.parse(text, now).err(),
            (DataType::Timestamp, CellKind::Number) => {
                parse_f64(raw).and_then(|number| self.timestamps.parse_number(number).err())
            }
            (DataType::Interval, CellKind::Text) => time::parse_interval(text).err(),
            _ => None,
        };
        match why {
            Some(why) if why.len() <= 200 => why,
            _ => format!("`{shown}` is not a {ty}"),
        }
    }
}

/// The start of some bytes as text, at most `most` bytes of it.
pub(crate) fn shorten(bytes: &[u8], most: usize) -> String {
    if bytes.len() <= most {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    // A letter that is cut in two at the end is left out.
    let cut = &bytes[..most];
    let end = match std::str::from_utf8(cut) {
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        _ => most,
    };
    format!("{}...", String::from_utf8_lossy(&cut[..end]))
}

fn plain_text(kind: CellKind, raw: &[u8], out: &mut String) -> Option<()> {
    if kind == CellKind::Escaped {
        return unescape(raw, out);
    }
    let text = std::str::from_utf8(raw).ok()?;
    for (i, part) in text.split("\"\"").enumerate() {
        if i > 0 {
            out.push('"');
        }
        out.push_str(part);
    }
    Some(())
}

#[inline(always)]
fn utf8(raw: &[u8]) -> Result<&str, ValueFault> {
    if raw.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Ok(unsafe { std::str::from_utf8_unchecked(raw) });
    }
    std::str::from_utf8(raw).map_err(|_| ValueFault::Utf8)
}

/// PostgreSQL's spellings: `true`, `yes`, `on`, `1` and their beginnings, and the opposites.
fn boolean(raw: &[u8]) -> Option<bool> {
    match raw {
        b"1" => return Some(true),
        b"0" => return Some(false),
        _ => {}
    }
    let is = |word: &str, least: usize| {
        raw.len() >= least && raw.len() <= word.len() && word.as_bytes()[..raw.len()].eq_ignore_ascii_case(raw)
    };
    if is("true", 1) || is("yes", 1) || is("on", 2) {
        return Some(true);
    }
    (is("false", 1) || is("no", 1) || is("off", 2)).then_some(false)
}

/// A JSON number that is whole, however it is written (`12`, `12.0`, `1.2e1`).
#[inline(always)]
fn whole(raw: &[u8]) -> Option<i64> {
    parse_i64(raw).or_else(|| whole_double(raw))
}

#[inline(never)]
fn whole_double(raw: &[u8]) -> Option<i64> {
    let number = parse_f64(raw)?;
    // Above 2^53 a double no longer says which whole number was meant.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}
