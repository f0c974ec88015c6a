//! Latencies: recorded for every tuple, summed up for people, held against objectives.
//!
//! Owns histograms ([`Histogram`]), the recorder of one executor ([`Recorder`]), what is read out of them ([`Summary`],
//! [`Windows`]), objectives ([`Objective`]), the stalls of the machine itself ([`jitter()`]) and the report of a run
//! ([`Report`], [`Interim`]), as text and as JSON. Never knows a topology, a thread or a file: the runtime fills the
//! report. A recorder belongs to one executor; nothing on the way of a tuple locks, allocates or reads a clock.

mod histogram;
mod interim;
mod jitter;
mod layout;
mod objective;
mod recorder;
mod render;
mod report;

pub use histogram::{Histogram, LONGEST_NS, Summary};
pub use interim::{Interim, InterimSink};
pub use jitter::{Jitter, jitter};
pub use layout::{count_text, duration_text, nanos_text};
pub use objective::{Objective, Spent, Verdict};
pub use recorder::{MIN_WINDOW_TUPLES, Recorder, WINDOW_NS, WindowPercentile, Windows};
pub use report::{
    ChannelReport, ComponentReport, ExecutorReport, LatencyReport, Machine, Report, SectionReport, SinkReport,
    SpoutReport,
};

#[cfg(test)]
mod tests;
