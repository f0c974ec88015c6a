//! Time as data: intervals and timestamps as people and machines write them, and the clock an executor is given.
//!
//! Owns parsing and printing; all times are microseconds since 1970-01-01 UTC, all lengths microseconds. What is finer
//! than a microsecond is rounded to the nearest. The common layouts are read by hand (10-20 ns), everything that needs
//! a calendar of zones or a pattern goes to `jiff`. Never sleeps.

pub mod civil;
mod clock;
mod format;
mod interval;
mod timestamp;

pub use clock::{Arrivals, Clock, ManualClock, SystemClock};
pub use format::TimestampFormat;
pub use interval::{format_interval, parse_interval};
pub use timestamp::{MAX_TIMESTAMP, MIN_TIMESTAMP, format_timestamp, parse_timestamp};

#[cfg(test)]
mod tests;
