//! The conditions of variables on a tuple, as the engine asks for them.

use super::live::{LiveSet, Rows};
use super::stored::Stored;
use crate::expr::EvalError;
use crate::pattern::{Conditions, Path};
use crate::tuple::{Arena, DataType, Frame, Slot};
use xxhash_rust::xxh3::xxh3_64;

/// A variable, ready to run.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The input that its rows come from.
    pub input: usize,
    /// Its condition; none: every row of the input.
    pub condition: Option<LiveSet>,
    /// Its stop condition.
    pub until: Option<LiveSet>,
}

/// The row that is looked at.
pub struct Cx<'a> {
    /// The variables.
    pub variables: &'a mut [Variable],
    /// The input that it came from.
    pub input: usize,
    /// The tuple.
    pub frame: &'a mut Frame,
    /// Memory for texts.
    pub arena: &'a Arena,
    /// The last rows of the key in the input, the newest last.
    pub previous: &'a [Stored],
    /// The columns that are kept of it.
    pub fields: &'a [(Slot, DataType)],
    /// Room to write in.
    pub buffer: &'a mut Vec<u8>,
}

impl Conditions for Cx<'_> {
    type Row = Stored;
    type Error = (usize, EvalError);

    #[inline]
    fn test(&mut self, at: usize, path: Path<'_, Stored>) -> Result<bool, (usize, EvalError)> {
        let variable = &mut self.variables[at];
        if variable.input != self.input {
            return Ok(false);
        }
        let Some(condition) = &mut variable.condition else { return Ok(true) };
        let rows = Rows { path, tested: Some(at), previous: self.previous };
        condition.test(rows, self.frame, self.arena).map_err(|error| (at, error))
    }

    fn until(&mut self, at: usize, path: Path<'_, Stored>) -> Result<bool, (usize, EvalError)> {
        let variable = &mut self.variables[at];
        let Some(until) = variable.until.as_mut().filter(|_| variable.input == self.input) else { return Ok(false) };
        let rows = Rows { path, tested: Some(at), previous: self.previous };
        until.test(rows, self.frame, self.arena).map_err(|error| (at, error))
    }

    fn id(&self) -> u64 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&self.frame.split().to_le_bytes());
        bytes[4..12].copy_from_slice(&self.frame.position().to_le_bytes());
        bytes[12..].copy_from_slice(&self.frame.path().to_le_bytes());
        xxh3_64(&bytes)
    }

    fn store(&mut self, row: &mut Stored) {
        row.replace(self.frame, self.fields, self.buffer);
    }
}
