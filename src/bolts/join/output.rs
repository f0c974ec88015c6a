//! Where the columns of a join stand while a row is made: the rows of both sides in slots of their own, from which the
//! columns of all streams come.

use super::sides::Side;
use crate::bolts::failure_text;
use crate::bolts::kept_row::KeptRow;
use crate::expr::Compiled;
use crate::tuple::{Arena, Frame, Slot};
use std::sync::Arc;

/// The stream of late rows.
pub const LATE: u8 = 1;

/// Why a row could not be computed: the reason for counting, the text for people.
pub type Failure = (&'static str, String);

/// The columns of one side.
pub struct SideSlots {
    /// The name of its stream.
    pub name: String,
    /// Where a row of it comes in.
    pub input: Vec<Slot>,
    /// Where it stands while a row is made.
    pub own: Vec<Slot>,
    /// Packs what comes in.
    pub packed: KeptRow,
    /// Writes what was packed to where it stands.
    pub unpacked: KeptRow,
    /// Its columns among those of late rows.
    pub late: Vec<Slot>,
}

/// A column that is computed.
pub struct Computation {
    /// Its slot.
    pub slot: Slot,
    /// Its value.
    pub expr: Compiled,
    /// What it is called when it fails.
    pub name: String,
}

/// The columns of the streams of a join.
pub struct Output {
    /// Left and right.
    pub sides: [SideSlots; 2],
    /// Kept columns, from where to where.
    pub kept: Vec<(Slot, Slot)>,
    /// Added ones, in an order in which they can be computed.
    pub added: Vec<Computation>,
    /// `stream` and `lateness` of late rows.
    pub late: [Slot; 2],
    /// All other columns of late rows.
    pub late_columns: Vec<Slot>,
    /// Bytes of the row that is being packed.
    pub bytes: Vec<u8>,
}

impl Output {
    /// The stream of rows of a side that found no partner.
    pub fn unmatched(side: Side) -> u8 {
        LATE + 1 + side as u8
    }

    /// The columns of the row that has come on a side, to be kept.
    pub fn pack(&mut self, side: Side, frame: &Frame) -> Arc<[u8]> {
        self.bytes.clear();
        self.sides[side as usize].packed.pack(frame, &mut self.bytes);
        Arc::from(&self.bytes[..])
    }

    /// The row that has come on a side is that side of the rows that are made.
    pub fn take(&self, side: Side, frame: &mut Frame) {
        let SideSlots { input, own, .. } = &self.sides[side as usize];
        input.iter().zip(own).for_each(|(from, to)| frame.copy(*from, *to));
    }

    /// A kept row is that side of the rows that are made.
    pub fn give(&self, side: Side, body: &[u8], frame: &mut Frame, arena: &Arena) {
        self.sides[side as usize].unpacked.unpack(body, frame, arena);
    }

    /// That side of the rows that are made is NULL.
    pub fn nothing(&self, side: Side, frame: &mut Frame) {
        self.sides[side as usize].unpacked.clear(frame);
    }

    /// Makes the columns of the main stream out of both sides.
    ///
    /// # Errors
    /// An added column cannot be computed.
    pub fn compute(&self, frame: &mut Frame, arena: &Arena) -> Result<(), Failure> {
        for (from, to) in &self.kept {
            frame.copy(*from, *to);
        }
        for Computation { slot, expr, name } in &self.added {
            match expr.eval(frame, arena) {
                Ok(word) => frame.put(*slot, word),
                Err(error) => return Err((error.reason, failure_text(name, &error))),
            }
        }
        Ok(())
    }

    /// The row that has come on a side is behind `watermark`: makes the columns of the stream of late rows.
    #[cold]
    pub fn late(&self, side: Side, watermark: i64, frame: &mut Frame, arena: &Arena) {
        self.late_columns.iter().for_each(|slot| frame.set_null(*slot));
        let SideSlots { name, input, late, .. } = &self.sides[side as usize];
        input.iter().zip(late).for_each(|(from, to)| frame.copy(*from, *to));
        frame.set(self.late[0], arena.store(name).0);
        frame.set(self.late[1], watermark.saturating_sub(frame.time()) as u64);
    }
}
