//! Running results of panes, sessions and windows: cells, by number, that are taken, merged and given back.

use crate::store::Words;
use crate::tuple::Arena;
use crate::window::call::Row;
use crate::window::gather::Way;
use crate::window::whole::Whole;
use crate::window::{CallSpec, Overflow};

/// No cell.
pub const NIL: u32 = 0;

/// Running results by number of the cell.
pub struct Cells {
    whole: Whole,
    words: Words,
    free: Vec<u32>,
    used: u32,
    /// Arguments of a row that is not there.
    nothing: Vec<u64>,
}

impl Cells {
    /// Cells of these calls.
    pub fn new(calls: &[CallSpec]) -> Cells {
        // No row is looked at when a result is read: all of them are in it.
        let whole = Whole::new(0, calls, &vec![true; calls.len()], Way::Grows);
        let arguments = calls
            .iter()
            .flat_map(|call| call.argument.into_iter().chain(call.second.map(|s| s.argument)))
            .max()
            .map_or(0, |last| last + 1);
        Cells { words: Words::new(whole.end()), whole, free: Vec::new(), used: 0, nothing: vec![0; arguments] }
    }

    /// Bytes of a cell.
    pub fn bytes(&self) -> usize {
        self.words.stride() * 8
    }

    /// Cells in use.
    pub fn live(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// An empty cell.
    pub fn allocate(&mut self) -> u32 {
        let cell = self.free.pop().unwrap_or_else(|| {
            assert!(self.used < u32::MAX, "a task has at most 2^32 - 2 results of windows");
            self.used += 1;
            self.words.reach(self.used);
            self.used
        });
        self.whole.reset(self.words.get_mut(cell), cell);
        cell
    }

    /// Gives a cell back; none is fine.
    pub fn release(&mut self, cell: u32) {
        if cell != NIL {
            self.whole.reset(self.words.get_mut(cell), cell);
            self.free.push(cell);
        }
    }

    /// Takes a row into a cell.
    #[inline]
    pub fn take(&mut self, cell: u32, row: Row<'_>) {
        self.whole.commit(self.words.get_mut(cell), cell, row);
    }

    /// Takes all of one cell into another.
    pub fn merge(&mut self, from: u32, into: u32) {
        self.whole.merge(&mut self.words, from, into);
    }

    /// The result of a call; text lives in `arena`.
    ///
    /// # Errors
    /// It is outside of its type.
    pub fn read(&self, cell: u32, call: usize, arena: &Arena) -> Result<Option<u64>, Overflow> {
        let row = Row { time: 0, arguments: &self.nothing, flags: 0 };
        self.whole.read(call, self.words.get(cell), cell, row, arena)
    }

    /// Appends what the store keeps of a cell.
    pub fn write(&self, cell: u32, out: &mut Vec<u8>) {
        self.whole.write(self.words.get(cell), cell, out);
    }

    /// A cell with what was written; none if that is not what is there.
    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<u32> {
        let cell = self.allocate();
        match self.whole.read_back(self.words.get_mut(cell), cell, from) {
            Some(()) => Some(cell),
            None => {
                // What was read of it may name texts that are not there: the cell is not used again.
                self.words.get_mut(cell).fill(0);
                None
            }
        }
    }
}
