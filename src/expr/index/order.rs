//! Conditions found by the place of a column among the ends of their ranges.
//!
//! The ends divide the order into segments; within one the same ranges hold. For each segment the conditions whose range
//! covers it are known as bits: a search among the ends leads to them.

use super::guard::{Guard, Test, key};
use super::set;
use crate::tuple::{DataType, Frame, Slot};

/// Conditions of one index: bounds its memory, which grows with the square, at 64 KiB.
pub(super) const BLOCK: usize = 512;

/// The conditions of each segment of a column's order.
pub(super) struct OrderIndex {
    slot: Slot,
    ty: DataType,
    /// Where segments begin, ascending; the first one is the least key.
    starts: Box<[i64]>,
    /// For each segment its bits, over `numbers`.
    rows: Box<[u64]>,
    /// Words of the bits of one segment.
    words: usize,
    /// The numbers of the conditions.
    numbers: Box<[u32]>,
    /// Those that are candidates where the column is NULL.
    nulls: Box<[u32]>,
}

impl OrderIndex {
    /// An index of these conditions, all of whose guards are ranges of one column; at most [`BLOCK`].
    pub(super) fn new(slot: Slot, guards: &[(u32, &Guard)]) -> OrderIndex {
        let range = |guard: &Guard| match guard.test {
            Test::Range(low, high) => (low, high),
            Test::Equal(_) => (i64::MAX, i64::MIN),
        };
        let ranges: Vec<(i64, i64)> = guards.iter().map(|(_, guard)| range(guard)).collect();
        let mut starts = vec![i64::MIN];
        for (low, high) in &ranges {
            starts.push(*low);
            starts.extend(high.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let words = ranges.len().div_ceil(64);
        let mut rows = vec![0; starts.len() * words];
        for (start, row) in starts.iter().zip(rows.chunks_mut(words.max(1))) {
            for (at, (low, high)) in ranges.iter().enumerate() {
                if low <= start && start <= high {
                    set(row, at as u32);
                }
            }
        }
        let numbers = guards.iter().map(|(number, _)| *number).collect();
        let nulls = guards.iter().filter(|(_, guard)| guard.fallible).map(|(number, _)| *number).collect();
        let ty = guards.first().map_or(DataType::Bigint, |(_, guard)| guard.ty);
        OrderIndex { slot, ty, starts: starts.into(), rows: rows.into(), words, numbers, nulls }
    }

    /// Sets the bits of the conditions that the tuple's value leads to.
    #[inline]
    pub(super) fn find(&self, frame: &Frame, bits: &mut [u64]) {
        let Some(word) = frame.get(self.slot) else {
            self.nulls.iter().for_each(|number| set(bits, *number));
            return;
        };
        let key = key(self.ty, word);
        // The first segment begins at the least key.
        let segment = self.starts.partition_point(|start| *start <= key) - 1;
        let row = &self.rows[segment * self.words..(segment + 1) * self.words];
        for (at, word) in row.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                set(bits, self.numbers[at * 64 + word.trailing_zeros() as usize]);
                word &= word - 1;
            }
        }
    }
}
