//! A record in a segment.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0-3 | CRC-32 of everything behind it |
//! | 4-7 | length of key and value |
//! | 8-15 | append time, microseconds since 1970 UTC |
//! | 16-19 | 0 without a key, else its length and one |
//! | 20- | key, then value |
//!
//! Numbers are little-endian. A record does not hold its offset: that is its place in the partition.

use super::LogError;

/// Longest key and value together.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Bytes before the key.
pub(super) const HEADER_BYTES: usize = 20;

/// A record, where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number in the partition, from 0.
    pub offset: u64,
    /// When it was appended, microseconds since 1970 UTC; never less than that of the record before.
    pub time: i64,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its content.
    pub value: &'a [u8],
}

/// What begins at a byte of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A record of so many bytes.
    Whole(usize),
    /// A record (or nothing) whose bytes are not all there; so many are needed to see more.
    Short(usize),
    /// No record.
    Bad(&'static str),
}

/// Appends the bytes of a record.
///
/// # Errors
/// It is too long.
pub(super) fn encode(key: Option<&[u8]>, value: &[u8], time: i64, into: &mut Vec<u8>) -> Result<(), LogError> {
    let key_bytes = key.map_or(0, <[u8]>::len);
    let length = key_bytes.saturating_add(value.len());
    if length > MAX_RECORD_BYTES {
        return Err(LogError::TooLong { bytes: length, max: MAX_RECORD_BYTES });
    }
    let start = into.len();
    into.reserve(HEADER_BYTES + length);
    let mut header = [0; HEADER_BYTES];
    header[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    header[8..16].copy_from_slice(&time.to_le_bytes());
    header[16..20].copy_from_slice(&key.map_or(0, |_| key_bytes as u32 + 1).to_le_bytes());
    into.extend_from_slice(&header);
    into.extend_from_slice(key.unwrap_or_default());
    into.extend_from_slice(value);
    let sum = crc32fast::hash(&into[start + 4..]);
    into[start..start + 4].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// Bytes of the record that begins there, as its header says; none if the header is not all there.
#[inline]
pub(super) fn length_of(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    Some(HEADER_BYTES.saturating_add(word(header, 4) as usize))
}

/// What stands at the start of `bytes`, all of it checked.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Parsed::Short(HEADER_BYTES) };
    let length = word(header, 4) as usize;
    if length > MAX_RECORD_BYTES || word(header, 16) as usize > length + 1 {
        return Parsed::Bad("no record begins there");
    }
    let size = HEADER_BYTES + length;
    let Some(rest) = bytes.get(4..size) else { return Parsed::Short(size) };
    if crc32fast::hash(rest) != word(header, 0) {
        return Parsed::Bad("the checksum of the record is wrong");
    }
    Parsed::Whole(size)
}

/// The record in the bytes of a [`Parsed::Whole`].
#[inline]
pub(super) fn view(bytes: &[u8], offset: u64) -> Record<'_> {
    let (header, body) = bytes.split_at(HEADER_BYTES);
    let (key, value) = match word(header, 16) as usize {
        0 => (None, body),
        length => {
            let (key, value) = body.split_at(length - 1);
            (Some(key), value)
        }
    };
    Record { offset, time: time_of(bytes), key, value }
}

/// The append time of the record that begins with these bytes.
#[inline]
pub(super) fn time_of(bytes: &[u8]) -> i64 {
    let time = bytes[8..16].try_into().expect("eight bytes are eight bytes");
    i64::from_le_bytes(time)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
}
