//! What is known of the keys of a task, by their entries, and the rows of all their partial matches.
//!
//! Invariant: a row is in the buffer as long as a partial match of an entry, or a match that has not left, has taken it.

use super::state::KeyState;
use super::stored::Stored;
use crate::pattern::{Buffer, Numbers};
use crate::store::{Approach, Content, Index, ListsOf, Slab, Space, StoreError, prefetch_value};
use std::mem::MaybeUninit;

/// A key with its state, from the start of a cache line: what one partial match needs lies in two of them.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Cell {
    /// The latest event time that the key was touched at.
    touched: i64,
    heap_bytes: u32,
    state: KeyState,
}

/// States by entry, and the rows of all of them.
#[derive(Default)]
pub struct Cells {
    cells: Slab<Cell>,
    buffer: Buffer<Stored>,
    numbers: Numbers,
    /// What states take beside their own size, as far as it was noted.
    heap_bytes: usize,
}

impl Cells {
    /// The state of an entry, and the buffer of all rows.
    #[inline(always)]
    pub fn parts(&mut self, entry: u32) -> (&mut KeyState, &mut Buffer<Stored>) {
        (&mut self.cells.get_mut(entry).state, &mut self.buffer)
    }

    /// The rows.
    #[inline(always)]
    pub fn buffer(&self) -> &Buffer<Stored> {
        &self.buffer
    }

    /// The rows, one of which is to go.
    #[inline(always)]
    pub fn buffer_mut(&mut self) -> &mut Buffer<Stored> {
        &mut self.buffer
    }

    /// An entry, which is new if it is `fresh`, is touched at event time `now`; whether what is known of it is older than
    /// `ttl`, and is to be forgotten when it has been seen what was over before.
    #[inline]
    pub fn touch(&mut self, entry: u32, now: i64, fresh: bool, ttl: i64) -> bool {
        let cell = self.cells.get_mut(entry);
        let before = if fresh { now } else { cell.touched };
        cell.touched = before.max(now);
        now.saturating_sub(before) > ttl
    }

    /// Notes what a state takes now.
    fn weigh(&mut self, entry: u32, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.cells.get_mut(entry).heap_bytes, bytes);
        self.heap_bytes = self.heap_bytes + bytes as usize - before as usize;
    }

    /// Asks for when an entry was touched; purely a hint.
    #[inline(always)]
    pub fn prefetch_touched(&self, entry: u32) {
        if self.cells.has(entry) {
            prefetch_value(self.cells.get(entry));
        }
    }

    /// Asks for the state of an entry; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, entry: u32) {
        let cell = self.cells.get(entry);
        prefetch_value(cell);
        // One partial match reaches into the second line.
        let second = (&raw const *cell).cast::<MaybeUninit<[u64; 8]>>().wrapping_add(1);
        // SAFETY: a cell has more than two lines, and what may be uninitialised may be padding.
        prefetch_value(unsafe { &*second });
    }
}

const _: () = assert!(size_of::<Cell>() >= 128);

impl Content for Cells {
    fn encode(&mut self, entry: u32, _: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        let cell = self.cells.get(entry);
        out.extend_from_slice(&cell.touched.to_le_bytes());
        let bytes = cell.state.write(&self.buffer, &mut self.numbers, out);
        self.weigh(entry, bytes);
    }

    fn decode(&mut self, entry: u32, bytes: &[u8], _: &Space) -> Result<(), StoreError> {
        let cut = || StoreError::Damaged { what: "what is known of a key".to_owned(), why: "it is cut".to_owned() };
        let (touched, mut rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let cell = self.cells.get_mut(entry);
        cell.state.clear(&mut self.buffer);
        cell.touched = i64::from_le_bytes(*touched);
        cell.state = KeyState::read(&mut rest, &mut self.buffer).ok_or_else(cut)?;
        // About what it will be, when it is written.
        self.weigh(entry, bytes.len());
        Ok(())
    }

    fn reset(&mut self, entry: u32) {
        self.cells.reach(entry);
        self.cells.get_mut(entry).state.clear(&mut self.buffer);
        self.weigh(entry, 0);
    }

    fn touched(&self, entry: u32) -> i64 {
        self.cells.get(entry).touched
    }

    fn approach(&self, entry: u32, at: Approach) -> Approach {
        match at {
            Approach::Far => {
                self.prefetch(entry);
                Approach::Words
            }
            Approach::Words => match self.first_step(entry) {
                None => Approach::Near,
                Some(step) => {
                    self.buffer.step_at(step).into_iter().for_each(prefetch_value);
                    Approach::Heads
                }
            },
            Approach::Heads => {
                let row = self.first_step(entry).and_then(|step| self.buffer.row_at(step));
                row.into_iter().for_each(prefetch_value);
                Approach::Item { list: 0, item: 0, left: 0 }
            }
            Approach::Item { .. } | Approach::Near => Approach::Near,
        }
    }

    fn used_bytes(&self, entries: usize) -> usize {
        Index::bytes_of(entries) + entries * (size_of::<Cell>() + 8) + self.heap_bytes
    }
}

impl Cells {
    /// The last step of the first partial match of an entry, to be asked for.
    #[inline(always)]
    pub fn first_step(&self, entry: u32) -> Option<u32> {
        self.cells.get(entry).state.partials.first_step()
    }
}
