//! Rolling aggregates over the rows of keys.
//!
//! Owns the rows inside windows, their running results and the order of rows; pure: knows neither frames nor clocks.
//! Each kind of window has a store of its own: by duration (rows in order of time), by number of rows (in order of
//! arrival), the newest row of each value, and results without rows (all rows; those since a value changed).
//!
//! A row is taken in three steps: [`Rolling::begin`] moves the windows to its time, [`Rolling::read`] answers a call
//! as if the row were there, [`Rolling::commit`] makes it so (or [`Rolling::abort`] leaves no trace of it). Invariant:
//! between `begin` and `commit` the running results are exactly those of the rows that arrived before, in the windows
//! that end at the row's time. `begin` and `commit` cost as many rows as enter and leave windows (amortized one each),
//! and for a row out of order those that lie between it and the newest.

mod accumulate;
mod call;
pub mod closing;
mod exact;
mod fold;
mod gather;
mod grid;
mod kept;
mod latest;
mod ordered;
mod recent;
mod rolling;
mod run;
#[cfg(test)]
mod tests;
mod track;
mod whole;

pub use fold::{Fold, Mark};
pub use grid::{Grid, PaneTime, Unit};
pub use rolling::Rolling;

use crate::expr::AggregateFunction;
use crate::tuple::{DataType, Value};

/// Place in the state of a key: event time of its newest row.
const NEWEST: usize = 0;

/// Which rows a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Those with event time in [t - length, t], in microseconds.
    Time(i64),
    /// The latest ones in order of arrival.
    Rows(u64),
    /// All.
    All,
    /// Those since the values of window `.0` last changed, in order of arrival.
    Run(usize),
    /// The newest one of each value of window `.0`.
    Latest(usize),
}

/// A value that a row has beside the arguments of calls: what a `run` or `latest` window looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueSpec {
    /// Index of the argument.
    pub argument: usize,
    /// Its type.
    pub ty: DataType,
    /// Flag that is set where it is NULL.
    pub null: Option<u8>,
}

impl ValueSpec {
    fn is_null(&self, flags: u64) -> bool {
        self.null.is_some_and(|flag| flags >> flag & 1 == 1)
    }
}

/// A window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    /// Which rows.
    pub length: Length,
    /// Without the row that asks.
    pub exclude_current: bool,
}

/// One aggregate call. A row gives a word for each argument, and a set of flags that say what does not count.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// The function; `lag` is the first row of a window of n rows without the current one.
    pub function: AggregateFunction,
    /// Each value once.
    pub distinct: bool,
    /// Index of the window.
    pub window: usize,
    /// Index of the argument.
    pub argument: Option<usize>,
    /// Type of the argument.
    pub ty: DataType,
    /// Flag that is set where the argument is NULL.
    pub null: Option<u8>,
    /// Flag that is set where the filter is not true.
    pub filtered: Option<u8>,
    /// Flag that is set where the row is of another input than those that the call looks at.
    pub foreign: Option<u8>,
    /// The second argument, of functions of two: never a text.
    pub second: Option<ValueSpec>,
    /// The constant that some functions take: a share, a number, a half-life, what stands between texts.
    pub parameter: Value,
    /// Most values of a list, if it says so.
    pub bound: Value,
}

impl CallSpec {
    /// A call of a function over values of a type, which looks at nothing yet.
    pub fn new(function: AggregateFunction, ty: DataType) -> CallSpec {
        CallSpec {
            function,
            distinct: false,
            window: 0,
            argument: None,
            ty,
            null: None,
            filtered: None,
            foreign: None,
            second: None,
            parameter: Value::Null,
            bound: Value::Null,
        }
    }
}

/// Why a call has no result: it is outside of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;
