//! Rolling aggregates over the rows of keys.
//!
//! Owns the rows inside windows, their running results and the order of rows; pure: knows neither frames nor clocks.
//! Three stores of rows serve the three kinds of windows: by duration (rows in order of time), by number of rows (in
//! order of arrival) and all rows (results only, no rows).
//!
//! A row is taken in three steps: [`Rolling::begin`] moves the windows to its time, [`Rolling::read`] answers a call
//! as if the row were there, [`Rolling::commit`] makes it so (or [`Rolling::abort`] leaves no trace of it). Invariant:
//! between `begin` and `commit` the running results are exactly those of the rows that arrived before, in the windows
//! that end at the row's time. `begin` and `commit` cost as many rows as enter and leave windows (amortized one each),
//! and for a row out of order those that lie between it and the newest.

mod accumulate;
mod call;
mod exact;
mod fold;
mod kept;
mod ordered;
mod rolling;
#[cfg(test)]
mod tests;
mod track;
mod whole;

pub use fold::Fold;
pub use rolling::Rolling;

use crate::expr::AggregateFunction;
use crate::tuple::DataType;

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
}

/// Why a call has no result: it is outside of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;
