//! The rows of a track as the store keeps them, and back.
//!
//! Rows are written with the difference to the time before; running results as they are, so that what is read back is
//! the same to the last bit. Windows, queues and counts of values follow from the rows, which are taken in again.

use super::{BLOCK, CHAIN, FLAGS, NIL, Order, TIME, Track, high, low, pair};
use crate::store::{Chunked, Codec, StoreError, prefetch};
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
        self.live * self.row_bytes() + self.block_bytes()
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
        let before = high(self.chain(cell));
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
            let before = high(self.cells.get(cell)[CHAIN]);
            debug_assert!(before < BLOCK, "what is written again is in memory");
            if before >= BLOCK {
                break;
            }
            (cell, rows) = (before, rows + 1);
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

    /// Whether nothing is kept beside the running results and the rows.
    pub fn is_plain(&self) -> bool {
        self.side_count == 0
    }

    /// Appends the running results of a key.
    pub fn write_results(&self, state: &[u64], out: &mut Vec<u8>) {
        state[self.results.clone()].iter().for_each(|word| word.write(out));
    }

    /// Fills a key, which is empty, with rows that were written, and with the running results that follow them if
    /// these are all the rows that they are of; else they are made anew.
    ///
    /// # Errors
    /// The bytes are not what was written.
    pub fn restore(
        &mut self,
        state: &mut [u64],
        entry: u32,
        (rows, all): (&[KeptRow], bool),
        from: &mut &[u8],
    ) -> Result<(), StoreError> {
        let mut again = Again::new(self);
        for row in rows {
            self.begin(state, entry, row.time);
            self.commit(state, entry, again.row(self, row));
            state[NEWEST] = row.time.max(state[NEWEST] as i64) as u64;
        }
        self.read_results(state, all, from)
    }

    /// Fills a key, which is empty and keeps nothing beside, with chunks and the rows after them, and with the running
    /// results of all of them; the first of the rows.
    ///
    /// # Errors
    /// The bytes are not what was written.
    pub fn restore_long(
        &mut self,
        state: &mut [u64],
        newest: i64,
        (chunks, rows): (&[Chunked], &[KeptRow]),
        from: &mut &[u8],
    ) -> Result<u32, StoreError> {
        let mut places = self.begin_with_blocks(state, chunks);
        let (mut again, mut first) = (Again::new(self), NIL);
        for row in rows {
            let cell = self.allocate(again.row(self, row));
            first = if first == NIL { cell } else { first };
            self.append(state, cell, cell);
        }
        let total = chunks.last().map_or(0, |chunk| chunk.upto) + rows.len() as u64;
        for index in 0..self.windows.len() {
            let bound = newest.saturating_sub(self.windows[index].length);
            let mut at = chunks.partition_point(|chunk| chunk.newest < bound);
            let mut number = chunks.get(at).map_or(total - rows.len() as u64, Chunked::from);
            let mut cell = places.get(at).copied().unwrap_or(first);
            loop {
                if cell >= BLOCK {
                    (cell, _) = self.fetch(state, cell).ok_or_else(damaged)?;
                    at = at.max(chunks.partition_point(|chunk| chunk.upto <= number));
                    places[at] = cell;
                }
                if self.time(cell) >= bound || cell == high(state[self.links]) {
                    break;
                }
                (cell, number) = (low(self.chain(cell)), number + 1);
            }
            state[self.first_window + index] = pair(cell, (total - number) as u32);
        }
        self.read_results(state, true, from)?;
        Ok(first)
    }

    fn read_results(&self, state: &mut [u64], all: bool, from: &mut &[u8]) -> Result<(), StoreError> {
        for word in &mut state[self.results.clone()] {
            let read = u64::read(from).ok_or_else(damaged)?;
            *word = if all { read } else { *word };
        }
        Ok(())
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged { what: "the windows of a key".to_owned(), why: "they are cut".to_owned() }
}

/// Rows that were written, as they once came.
struct Again {
    arguments: Vec<u64>,
    arena: Arena,
}

impl Again {
    fn new(track: &Track) -> Again {
        let arguments = track.kept.iter().map(|(argument, _)| argument + 1).max().unwrap_or(0);
        Again { arguments: vec![0; arguments], arena: Arena::new() }
    }

    fn row(&mut self, track: &Track, row: &KeptRow) -> Row<'_> {
        self.arena.clear();
        for ((argument, _), value) in track.kept.iter().zip(&row.values) {
            self.arguments[*argument] = match value {
                KeptValue::Word(word) => *word,
                KeptValue::Text(bytes) => self.arena.store(&String::from_utf8_lossy(bytes)).0,
            };
        }
        Row { time: row.time, arguments: &self.arguments, flags: row.flags }
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

/// A text that was written, taken from the front.
pub(super) fn read_text(from: &mut &[u8]) -> Option<Box<str>> {
    Some(String::from_utf8_lossy(&Vec::read(from)?).into())
}

/// A time that was written as a difference, taken from the front.
pub(super) fn read_difference(before: i64, from: &mut &[u8]) -> Option<i64> {
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
