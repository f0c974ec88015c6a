//! `add` and `where` of a spout: expressions over raw columns, in a frame of the decoder's own.
//!
//! 1. The columns that `where` reads are converted and it is tested: a record that it refuses need not be sound
//!    elsewhere. Where it reads added columns it comes last.
//! 2. The other columns are converted, the added ones are evaluated, each after what it uses.
//! 3. Columns of the stream are copied into the frame of the run as words; texts stay where they are.

#[cfg(test)]
mod tests;

use super::columns::{Failure, Reading, Target, null_failure, read};
use crate::expr::{Compiled, EvalError};
use crate::tuple::codec::Converter;
use crate::tuple::{Arena, DataType, Frame, Layout, Slot, TextWord, Value};

/// The frame, and what is done in it.
pub(super) struct Computed {
    pub(super) words: Vec<u64>,
    pub(super) layout: Layout,
    /// So many of the targets come before an early `where`.
    pub(super) early: usize,
    pub(super) filter: Option<Compiled>,
    pub(super) filter_is_late: bool,
    /// Added columns in the order in which they can be computed.
    pub(super) adds: Vec<Add>,
    pub(super) outputs: Vec<Output>,
    pub(super) source: (String, Option<Slot>),
    pub(super) offset: Option<Slot>,
    pub(super) received: Option<Slot>,
}

/// An added column.
pub(super) struct Add {
    pub(super) name: String,
    pub(super) expression: Compiled,
    pub(super) slot: Slot,
}

/// A column of the stream.
pub(super) struct Output {
    pub(super) name: String,
    pub(super) from: Slot,
    pub(super) to: Slot,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
    /// A bigint that becomes a double.
    pub(super) widen: bool,
}

impl Computed {
    /// Fills the frame from a record; false if `where` refuses it.
    ///
    /// # Safety
    /// The record must live and stand still until the run is over.
    pub(super) unsafe fn compute(
        &mut self,
        targets: &[Target],
        converter: &mut Converter,
        reading: &Reading<'_>,
        position: u64,
    ) -> Result<bool, Failure> {
        let frame = Frame::from_words_mut(&mut self.words);
        frame.clear_nulls(self.layout);
        if let Some(slot) = self.source.1 {
            // SAFETY: the name belongs to the decoder, which outlives the run.
            frame.set(slot, unsafe { TextWord::borrow(&self.source.0, reading.arena) }.0);
        }
        if let Some(slot) = self.offset {
            frame.set(slot, position);
        }
        if let Some(slot) = self.received {
            frame.set(slot, reading.now as u64);
        }
        let (early, late) = targets.split_at(self.early);
        // SAFETY: passed on to the caller.
        unsafe { read(early, converter, reading, frame) }?;
        if !self.filter_is_late && !passes(self.filter.as_ref(), frame, reading.arena)? {
            return Ok(false);
        }
        // SAFETY: passed on to the caller.
        unsafe { read(late, converter, reading, frame) }?;
        for add in &self.adds {
            let word = add.expression.eval(frame, reading.arena).map_err(|e| failed(&add.name, &e))?;
            frame.put(add.slot, word);
        }
        if self.filter_is_late {
            return passes(self.filter.as_ref(), frame, reading.arena);
        }
        Ok(true)
    }

    /// Copies the columns of the stream into a frame of the run.
    pub(super) fn write(&self, frame: &mut Frame, arena: &Arena) -> Result<(), Failure> {
        let own = Frame::from_words(&self.words);
        for output in &self.outputs {
            match (own.get(output.from), &output.default) {
                (Some(word), _) if output.widen => frame.set(output.to, (word as i64 as f64).to_bits()),
                (Some(word), _) => frame.set(output.to, word),
                (None, Some(default)) => default.put(frame, output.to, arena),
                (None, None) if output.nullable => frame.set_null(output.to),
                (None, None) => return Err(null_failure(&output.name)),
            }
        }
        Ok(())
    }
}

/// Whether the word of a type has to change for a column of another type.
pub(super) fn widens(from: DataType, to: DataType) -> bool {
    from == DataType::Bigint && to == DataType::Double
}

fn passes(filter: Option<&Compiled>, frame: &Frame, arena: &Arena) -> Result<bool, Failure> {
    filter.map_or(Ok(true), |filter| filter.test(frame, arena).map_err(|e| failed("where", &e)))
}

#[cold]
fn failed(name: &str, error: &EvalError) -> Failure {
    Failure { reason: error.reason, text: error.text(&format!("`{name}`")) }
}
