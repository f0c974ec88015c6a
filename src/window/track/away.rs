//! Rows of a track that are on disk only.
//!
//! In the list of a key a **block** stands for the rows of one chunk, so that a list may be much longer than what of it
//! is in memory. Blocks have numbers as rows have, from [`BLOCK`] on. Whoever walks along a list and comes to a block
//! that it needs has its rows read back ([`Track::fetch`]), which takes one look at the disk for all of them; nobody ever
//! sees a block from outside of the track. Which rows become blocks is decided by [`crate::window::Rolling`].
//!
//! A chunk that can no longer be read is lost with all rows before it: its segment was dropped, since no tuple of the
//! watermark's time needs it, or the disk has failed and the topology ends. Then windows are made anew from what is left.
//!
//! Invariant: the newest row of a key, the first row of a window and the row that the current one comes after are no
//! blocks.

use super::{CHAIN, FLAGS, NIL, TIME, Track, high, low, pair};
use crate::store::{Chunked, Codec, Space, StoreError, lists};
use std::sync::Arc;

/// The first number of a block; rows have smaller ones.
pub const BLOCK: u32 = 1 << 31;

/// A chunk of rows in the list of a key.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Of a free one: the next free one.
    chain: u64,
    chunk: Chunked,
}

/// Rows that were read back.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Their chunk.
    pub chunk: Chunked,
    /// The first of them.
    pub first: u32,
}

/// The blocks of all keys.
#[derive(Default)]
pub struct Away {
    space: Option<Arc<Space>>,
    blocks: Vec<Block>,
    free: u32,
    used: usize,
    /// What was read back since anybody asked.
    opened: Vec<Opened>,
    /// Whether rows were lost since anybody asked.
    lost: bool,
    bytes: Vec<u8>,
}

impl Away {
    fn get(&self, block: u32) -> &Block {
        &self.blocks[(block - BLOCK) as usize]
    }

    /// Frees the number of a block.
    pub fn release(&mut self, block: u32) {
        self.blocks[(block - BLOCK) as usize].chain = u64::from(self.free);
        self.free = block;
        self.used -= 1;
    }

    fn allocate(&mut self, block: Block) -> u32 {
        self.used += 1;
        if self.free == NIL {
            self.blocks.push(block);
            return BLOCK + (self.blocks.len() - 1) as u32;
        }
        let number = self.free;
        let place = &mut self.blocks[(number - BLOCK) as usize];
        self.free = low(place.chain);
        *place = block;
        number
    }
}

impl Track {
    /// Rows may lie in this store from now on.
    pub fn lie_in(&mut self, space: Arc<Space>) {
        self.away.space = Some(space);
    }

    /// Memory of blocks, bytes.
    pub(super) fn block_bytes(&self) -> usize {
        self.away.used * size_of::<Block>()
    }

    /// Whether rows were read back since [`Track::opened`].
    #[inline(always)]
    pub fn has_opened(&self) -> bool {
        !self.away.opened.is_empty()
    }

    /// What was read back since the last call.
    pub fn opened(&mut self) -> impl Iterator<Item = Opened> + '_ {
        self.away.opened.drain(..)
    }

    /// What a row or block says of its neighbours.
    #[inline(always)]
    pub(super) fn chain(&self, cell: u32) -> u64 {
        if cell < BLOCK { self.cells.get(cell)[CHAIN] } else { self.away.get(cell).chain }
    }

    #[inline(always)]
    pub(super) fn chain_mut(&mut self, cell: u32) -> &mut u64 {
        if cell < BLOCK {
            &mut self.cells.get_mut(cell)[CHAIN]
        } else {
            &mut self.away.blocks[(cell - BLOCK) as usize].chain
        }
    }

    /// The time of a row, or one that no row of a block is newer than.
    #[inline(always)]
    pub(super) fn time(&self, cell: u32) -> i64 {
        if cell < BLOCK { self.cells.get(cell)[TIME] as i64 } else { self.away.get(cell).chunk.newest }
    }

    /// The rows from `first` on, so many, of a list that reaches from `head` to `tail`, are replaced by those from
    /// `from` to `upto`.
    fn replace(&mut self, state: &mut [u64], (first, last): (u32, u32), (from, upto): (u32, u32)) {
        let (head, tail) = self.ends(state);
        let (before, next) = (high(self.chain(first)), low(self.chain(last)));
        if first != head {
            let chain = self.chain_mut(before);
            *chain = pair(from, high(*chain));
        }
        if last != tail {
            let chain = self.chain_mut(next);
            *chain = pair(low(*chain), upto);
        }
        let chain = self.chain_mut(from);
        *chain = pair(low(*chain), if first == head { NIL } else { before });
        let chain = self.chain_mut(upto);
        *chain = pair(if last == tail { NIL } else { next }, high(*chain));
        state[self.links] = pair(if first == head { from } else { head }, if last == tail { upto } else { tail });
    }

    /// The rows of a block are read back and take its place: the oldest and the newest; none if they are lost.
    #[cold]
    #[inline(never)]
    pub(super) fn fetch(&mut self, state: &mut [u64], block: u32) -> Option<(u32, u32)> {
        let chunk = self.away.get(block).chunk;
        let space = self.away.space.clone()?;
        let mut bytes = std::mem::take(&mut self.away.bytes);
        let rows = match lists::read_items(&space, chunk.pointer, &mut bytes) {
            Ok(true) => {
                let rows = self.take_rows(chunk.items, &mut &bytes[..]);
                if rows.is_none() {
                    let what = "rows of a window".to_owned();
                    space.fail(StoreError::Damaged { what, why: "they are not what was written".to_owned() });
                }
                rows
            }
            Ok(false) => None,
            Err(error) => {
                space.fail(error);
                None
            }
        };
        self.away.bytes = bytes;
        let (first, last) = rows?;
        self.replace(state, (block, block), (first, last));
        self.away.release(block);
        self.away.opened.push(Opened { chunk: Chunked { place: last, ..chunk }, first });
        Some((first, last))
    }

    /// Rows that were written become a list of their own, its oldest and newest; none if they are not there.
    pub(super) fn take_rows(&mut self, count: u32, from: &mut &[u8]) -> Option<(u32, u32)> {
        let (mut first, mut last, mut before) = (NIL, NIL, 0);
        for _ in 0..count {
            let Some(cell) = self.take_row(before, from) else {
                while first != NIL {
                    let next = low(self.cells.get(first)[CHAIN]);
                    self.release(first);
                    first = next;
                }
                return None;
            };
            before = self.cells.get(cell)[TIME] as i64;
            self.cells.get_mut(cell)[CHAIN] = pair(NIL, last);
            if last == NIL {
                first = cell;
            } else {
                let chain = &mut self.cells.get_mut(last)[CHAIN];
                *chain = pair(cell, high(*chain));
            }
            last = cell;
        }
        (first != NIL).then_some((first, last))
    }

    fn take_row(&mut self, before: i64, from: &mut &[u8]) -> Option<u32> {
        let time = super::kept::read_difference(before, from)?;
        let flags = if self.arguments > FLAGS { u64::read(from)? } else { 0 };
        let cell = self.number();
        let words = self.cells.get_mut(cell);
        words[TIME] = time as u64;
        if self.arguments > FLAGS {
            words[FLAGS] = flags;
        }
        for at in 0..self.kept.len() {
            let value = match self.kept[at].1 {
                true => super::kept::read_text(from).map(|text| self.texts.own(text)),
                false => u64::read(from),
            };
            let Some(value) = value else {
                // What was not read holds no text.
                let texts = (0..at).filter(|at| self.kept[*at].1);
                let words = self.cells.get(cell);
                texts.for_each(|at| self.texts.free(words[self.arguments + at]));
                self.give_back(cell);
                return None;
            };
            self.cells.get_mut(cell)[self.arguments + at] = value;
        }
        Some(cell)
    }

    /// The rows of a chunk from `first` on leave memory and become a block; what comes after them.
    pub fn put_away(&mut self, state: &mut [u64], first: u32, chunk: Chunked) -> u32 {
        let last = if chunk.place == NIL { self.row_after(first, u64::from(chunk.items) - 1) } else { chunk.place };
        let next = low(self.chain(last));
        let block = self.away.allocate(Block { chain: 0, chunk });
        self.replace(state, (first, last), (block, block));
        if self.has_texts {
            let mut cell = first;
            for _ in 0..chunk.items {
                let next = low(self.cells.get(cell)[CHAIN]);
                self.release(cell);
                cell = next;
            }
        } else {
            // They are a chain already: nobody has to look at each of them, which nothing has for long.
            self.cells.get_mut(last)[CHAIN] = u64::from(self.free);
            self.free = first;
            self.live -= chunk.items as usize;
        }
        next
    }

    /// The row that comes so many after another one, all in memory.
    fn row_after(&self, mut cell: u32, rows: u64) -> u32 {
        for _ in 0..rows {
            cell = low(self.chain(cell));
        }
        cell
    }

    /// The row behind those of a chunk, of which the last so many begin with `first`, all in memory.
    pub fn row_behind(&self, chunk: Chunked, first: u32, rows: u64) -> u32 {
        if chunk.place == NIL { self.row_after(first, rows) } else { low(self.chain(chunk.place)) }
    }

    /// Number of rows in each window of a key.
    pub fn counts(&self, state: &[u64]) -> impl Iterator<Item = u32> {
        let windows = state[self.first_window..self.results.start].to_vec();
        windows.into_iter().map(high).filter(|rows| *rows > 0)
    }

    /// Number of rows in the window of a key that has most.
    #[inline]
    pub fn most(&self, state: &[u64]) -> u32 {
        state[self.first_window..self.results.start].iter().map(|word| high(*word)).max().unwrap_or(0)
    }

    /// The oldest row of the window of a key that has most.
    pub fn oldest(&self, state: &[u64]) -> u32 {
        let most = state[self.first_window..self.results.start].iter().max_by_key(|word| high(**word));
        most.map_or(NIL, |word| low(*word))
    }

    /// Puts blocks of chunks into the list of a key, which is empty; their numbers.
    pub(super) fn begin_with_blocks(&mut self, state: &mut [u64], chunks: &[Chunked]) -> Vec<u32> {
        let block = |chunk: &Chunked| {
            let block = self.away.allocate(Block { chain: pair(NIL, NIL), chunk: *chunk });
            self.append(state, block, block);
            block
        };
        chunks.iter().map(block).collect()
    }

    /// A list of its own comes behind that of a key.
    pub(super) fn append(&mut self, state: &mut [u64], first: u32, last: u32) {
        let (head, tail) = self.ends(state);
        if tail != NIL {
            let chain = self.chain_mut(tail);
            *chain = pair(first, high(*chain));
        }
        let chain = self.chain_mut(first);
        *chain = pair(low(*chain), tail);
        state[self.links] = pair(if head == NIL { first } else { head }, last);
    }

    /// The rows up to a block are lost: they are no more in the list.
    #[cold]
    pub(super) fn lose(&mut self, state: &mut [u64], block: u32) {
        let (mut cell, tail) = self.ends(state);
        loop {
            let next = low(self.chain(cell));
            self.free_cell(cell);
            if cell == block {
                state[self.links] = pair(next, tail);
                break;
            }
            cell = next;
        }
        self.away.lost = true;
    }

    /// Whether rows were lost since the last call.
    pub(super) fn has_lost(&mut self) -> bool {
        std::mem::take(&mut self.away.lost)
    }

    /// Frees a row or a block.
    #[inline(always)]
    pub(super) fn free_cell(&mut self, cell: u32) {
        if cell < BLOCK { self.release(cell) } else { self.away.release(cell) }
    }

    /// Makes all windows of a key anew, as they stand at `time`, from the rows up to the one that the current one comes
    /// after.
    #[cold]
    pub(super) fn remake(&mut self, state: &mut [u64], entry: u32, time: i64) {
        (0..self.windows.len()).for_each(|index| self.empty(state, entry, index));
        (0..self.windows.len()).for_each(|index| self.reach_back(state, entry, index, time));
        // What is lost now is older than all windows.
        self.has_lost();
    }
}
