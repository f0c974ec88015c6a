//! How the cells of a record become the slots of a tuple.
//!
//! Owns conversion, defaults, NULLs that may not be, and event time; never looks for the end of a record.

use super::computed::Computed;
use crate::component::Intake;
use crate::tuple::codec::{Cell, Converter};
use crate::tuple::{Arena, DataType, Frame, Slot, Value};

/// How cells become slots.
pub(super) struct Columns {
    pub(super) converter: Converter,
    pub(super) targets: Vec<Target>,
    pub(super) computed: Option<Computed>,
    /// Slot of event time; none: the time of arrival.
    pub(super) time: Option<Slot>,
    pub(super) time_name: String,
}

/// A column that is read from a cell.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) cell: usize,
    pub(super) slot: Slot,
    pub(super) ty: DataType,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
}

/// Why a record became no tuple.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Columns {
    /// Adds the tuple of a record (or one element of it); false if `where` refuses it.
    #[inline(always)]
    pub(super) unsafe fn row(
        &mut self,
        cells: &[Cell],
        record: (&[u8], bool),
        origin: (u32, u64),
        intake: &mut Intake<'_>,
    ) -> Result<bool, Failure> {
        let now = intake.wall;
        if let Some(computed) = &mut self.computed {
            let arena = intake.run.arena();
            let reading = Reading { cells, record, arena, now };
            // SAFETY: passed on to the caller.
            if !unsafe { computed.compute(&self.targets, &mut self.converter, &reading, origin.1) }? {
                return Ok(false);
            }
        }
        let (frame, arena) = intake.run.push();
        let written = match &self.computed {
            Some(computed) => computed.write(frame, arena),
            None => {
                let reading = Reading { cells, record, arena, now };
                // SAFETY: passed on to the caller.
                unsafe { read(&self.targets, &mut self.converter, &reading, frame) }
            }
        };
        let time = written.and_then(|()| match self.time.map(|slot| frame.get(slot)) {
            None => Ok(now),
            Some(Some(time)) => Ok(time as i64),
            Some(None) => Err(null_failure(&self.time_name)),
        });
        match time {
            Ok(time) => {
                frame.set_time(time);
                frame.set_due(intake.now);
                frame.set_origin(origin.0, origin.1);
                Ok(true)
            }
            Err(failure) => {
                intake.run.pop();
                Err(failure)
            }
        }
    }
}

/// A record and what its conversion needs.
pub(super) struct Reading<'a> {
    pub(super) cells: &'a [Cell],
    /// Its bytes, and whether they are known to be ASCII.
    pub(super) record: (&'a [u8], bool),
    pub(super) arena: &'a Arena,
    pub(super) now: i64,
}

/// Converts the cells of `targets` into slots of `frame`, which has no NULLs yet.
///
/// # Safety
/// The record must live and stand still until the run is over.
#[inline(always)]
pub(super) unsafe fn read(
    targets: &[Target],
    converter: &mut Converter,
    reading: &Reading<'_>,
    frame: &mut Frame,
) -> Result<(), Failure> {
    for target in targets {
        let cell = reading.cells[target.cell];
        // SAFETY: passed on to the caller.
        match unsafe { converter.word(target.ty, cell, reading.record, reading.arena, reading.now) } {
            Ok(Some(word)) => frame.fill(target.slot, word),
            Ok(None) => match &target.default {
                Some(default) => default.put(frame, target.slot, reading.arena),
                None if target.nullable => frame.set_null(target.slot),
                None => return Err(null_failure(&target.name)),
            },
            Err(fault) => {
                let why = converter.explain(target.ty, cell, reading.record.0, reading.now, fault);
                return Err(Failure { reason: fault.reason(), text: format!("column `{}`: {why}", target.name) });
            }
        }
    }
    Ok(())
}

#[cold]
pub(super) fn null_failure(name: &str) -> Failure {
    Failure { reason: "not_null", text: format!("column `{name}` has no value, but must have one") }
}
