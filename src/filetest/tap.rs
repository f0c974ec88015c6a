//! Taps: sinks that keep every row; and sinks that keep none.

use crate::component::{Bolt, BoltBuild, BoltPlan, ComponentError, Flow, OutputStream, Step};
use crate::tuple::{DataType, Frame, Slot, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// Event time and values of a row.
pub type Row = (i64, Vec<Value>);

/// Rows that a tap has seen.
#[derive(Clone, Default)]
pub struct Rows(Arc<Mutex<Vec<Row>>>);

impl Rows {
    /// All rows so far.
    pub fn all(&self) -> Vec<Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A sink that keeps every row.
pub struct Tap {
    types: Vec<DataType>,
    rows: Rows,
}

impl Tap {
    /// A tap for columns of these types.
    pub fn new(types: Vec<DataType>, rows: Rows) -> Tap {
        Tap { types, rows }
    }
}

impl BoltPlan for Tap {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let columns = build.inputs[0].iter().copied().zip(self.types.iter().copied()).collect();
        Ok(Box::new(TapTask { columns, rows: self.rows.clone() }))
    }
}

struct TapTask {
    columns: Vec<(Slot, DataType)>,
    rows: Rows,
}

impl Bolt for TapTask {
    fn step(&mut self, _input: usize, frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        let row = self.columns.iter().map(|(slot, ty)| Value::from_slot(frame, *slot, *ty)).collect();
        self.rows.0.lock().unwrap_or_else(PoisonError::into_inner).push((frame.time(), row));
        Flow::Skip
    }
}

/// A sink that takes all and does nothing.
pub struct Silent;

impl BoltPlan for Silent {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(Vec::new())
    }

    fn build(&self, _build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(Silent))
    }
}

impl Bolt for Silent {
    fn step(&mut self, _input: usize, _frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        Flow::Skip
    }
}
