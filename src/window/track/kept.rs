//! The rows of a track as the store keeps them, and back.
//!
//! Rows are written with the difference to the time before; running results as they are, so that what is read back is
//! the same to the last bit. Windows, queues and counts of values follow from the rows, which are taken in again.

use super::{CHAIN, FLAGS, NIL, Order, TIME, Track, high, low};
use crate::store::{Codec, StoreError, prefetch};
use crate::tuple::Arena;
use crate::window::NEWEST;
use crate::window::call::Row;

/// A row as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRow {
    time: i64,
    flags: u64,
    values: Vec<KeptValue>,
}

#[derive(Clone, Debug, PartialEq)]
enum KeptValue {
    Word(u64),
    Text(Vec<u8>),
}

impl Track {
    /// How long rows are kept after the newest of their key, microseconds; none by arrival.
    pub fn keep(&self) -> Option<i64> {
        match self.order {
            Order::Time(keep) => Some(keep),
            Order::Arrival => None,
        }
    }

    /// Memory that the rows of all keys take, bytes.
    pub fn used_bytes(&self) -> usize {
        self.live * self.row_bytes()
    }

    /// The newest row of a key, as the first of `wanted` that will be looked at; none if none will be.
    #[inline]
    pub fn rows_from(&self, state: &[u64], wanted: u32) -> Option<(u32, u32)> {
        let tail = high(state[self.links]);
        if tail == NIL || wanted == 0 {
            return None;
        }
        prefetch(self.cells.get(tail));
        Some((tail, wanted))
    }

    /// Asks for the row before `cell`, which is near and the first of `left`; none if it was the last. `cell` may be
    /// free by now: then what is asked for is of no use.
    #[inline]
    pub fn row_before(&self, state: &[u64], cell: u32, left: u32) -> Option<(u32, u32)> {
        let before = high(self.cells.get(cell)[CHAIN]);
        if left <= 1 || cell == low(state[self.links]) || before == NIL || before > self.used {
            return None;
        }
        prefetch(self.cells.get(before));
        Some((before, left - 1))
    }

    /// Writes up to `count` of the newest rows of a key; how many, and the time of the newest.
    pub fn write_rows(&self, state: &[u64], count: u32, out: &mut Vec<u8>) -> (u32, i64) {
        let (head, tail) = self.ends(state);
        if tail == NIL || count == 0 {
            return (0, i64::MIN);
        }
        let (mut cell, mut rows) = (tail, 1);
        while rows < count && cell != head {
            cell = high(self.cells.get(cell)[CHAIN]);
            rows += 1;
        }
        let mut before = 0i64;
        out.reserve(rows as usize * (DIFFERENCE_BYTES + 8 * (self.kept.len() + 1)));
        for _ in 0..rows {
            let words = self.cells.get(cell);
            self.write_row(words, before, out);
            before = words[TIME] as i64;
            cell = low(words[CHAIN]);
        }
        (rows, before)
    }

    /// Writes the newest row of a key, which comes after one of time `before`.
    #[inline]
    pub fn write_newest(&self, state: &[u64], before: i64, out: &mut Vec<u8>) {
        self.write_row(self.cells.get(high(state[self.links])), before, out);
    }

    #[inline(always)]
    fn write_row(&self, words: &[u64], before: i64, out: &mut Vec<u8>) {
        write_difference(words[TIME] as i64, before, out);
        if self.arguments > FLAGS {
            words[FLAGS].write(out);
        }
        for ((_, text), word) in self.kept.iter().zip(&words[self.arguments..]) {
            match *text {
                true => {
                    let text = self.texts.get(*word).as_bytes();
                    (text.len() as u32).write(out);
                    out.extend_from_slice(text);
                }
                false => word.write(out),
            }
        }
    }

    /// Number of rows that are kept by arrival.
    pub fn arrived(&self, state: &[u64]) -> u32 {
        state[self.links + 1] as u32
    }

    /// The rows that were written, taken from the front; none if that is not what is there.
    pub fn read_rows(&self, count: u32, from: &mut &[u8]) -> Option<Vec<KeptRow>> {
        let mut before = 0;
        let mut row = || {
            let time = read_difference(before, from)?;
            before = time;
            let flags = if self.arguments > FLAGS { u64::read(from)? } else { 0 };
            let value = |(_, text): &(usize, bool)| {
                Some(match text {
                    true => KeptValue::Text(Vec::read(from)?),
                    false => KeptValue::Word(u64::read(from)?),
                })
            };
            Some(KeptRow { time, flags, values: self.kept.iter().map(value).collect::<Option<_>>()? })
        };
        (0..count).map(|_| row()).collect()
    }

    /// Appends the running results of a key.
    pub fn write_results(&self, state: &[u64], out: &mut Vec<u8>) {
        state[self.results.clone()].iter().for_each(|word| word.write(out));
    }

    /// Fills a key, which is empty, with rows that were written, and with the running results that follow them.
    ///
    /// # Errors
    /// The bytes are not what was written.
    pub fn restore(
        &mut self,
        state: &mut [u64],
        entry: u32,
        rows: &[KeptRow],
        from: &mut &[u8],
    ) -> Result<(), StoreError> {
        let mut arguments = vec![0; self.kept.iter().map(|(argument, _)| argument + 1).max().unwrap_or(0)];
        let mut arena = Arena::new();
        for row in rows {
            arena.clear();
            for ((argument, _), value) in self.kept.iter().zip(&row.values) {
                arguments[*argument] = match value {
                    KeptValue::Word(word) => *word,
                    KeptValue::Text(bytes) => arena.store(&String::from_utf8_lossy(bytes)).0,
                };
            }
            self.begin(state, entry, row.time);
            self.commit(state, entry, Row { time: row.time, arguments: &arguments, flags: row.flags });
            state[NEWEST] = row.time.max(state[NEWEST] as i64) as u64;
        }
        let damaged =
            || StoreError::Damaged { what: "the windows of a key".to_owned(), why: "they are cut".to_owned() };
        let mut written = Vec::with_capacity(self.results.len());
        for _ in self.results.clone() {
            written.push(u64::read(from).ok_or_else(damaged)?);
        }
        for call in &self.calls {
            let place = call.at..call.at + call.method.words();
            let words = &written[place.start - self.results.start..place.end - self.results.start];
            // Rows that nothing will ask for any more may have gone with their segment, and would never leave a result
            // that they are in: then the rows that are left say what it is.
            if call.method.count(words) == call.method.count(&state[place.clone()]) {
                state[place].copy_from_slice(words);
            }
        }
        Ok(())
    }
}

/// Most bytes of a difference.
const DIFFERENCE_BYTES: usize = 10;

/// Appends the difference of two times, seven bits a byte, small ones first.
#[inline]
fn write_difference(time: i64, before: i64, out: &mut Vec<u8>) {
    let difference = time.wrapping_sub(before);
    let mut rest = (difference << 1 ^ difference >> 63) as u64;
    let (mut bytes, mut length) = ([0u8; DIFFERENCE_BYTES], 1);
    while rest >= 0x80 {
        bytes[length - 1] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length - 1] = rest as u8;
    out.extend_from_slice(&bytes[..length]);
}

fn read_difference(before: i64, from: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = u8::read(from)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(before.wrapping_add((value >> 1) as i64 ^ -((value & 1) as i64)));
        }
    }
}
