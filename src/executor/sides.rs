//! Rows of the side streams of spouts: records that became no tuple.

use super::input::{RejectColumn, Split};
use crate::component::Reject;
use crate::tuple::{Arena, Frame};

/// Writes a reject into a frame, as the side stream's columns say.
pub fn fill(frame: &mut Frame, arena: &Arena, split: &Split, side: usize, reject: &Reject, time: i64, now: u64) {
    frame.set_due(now);
    frame.set_time(time);
    frame.set_origin(split.id, reject.position);
    for (column, slot) in &split.sides[side].columns {
        let word = match column {
            RejectColumn::Component => arena.store(&split.component_name).0,
            RejectColumn::Reason => arena.store(reject.reason).0,
            RejectColumn::Split => split.id as u64,
            RejectColumn::Position => reject.position,
            RejectColumn::Text => arena.store(&reject.text).0,
            RejectColumn::Record => arena.store(&reject.record).0,
        };
        frame.set(*slot, word);
    }
}
