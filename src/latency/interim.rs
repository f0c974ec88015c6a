//! The short report while a topology runs.

use super::histogram::Summary;
use super::layout::{count_text, nanos_text, rate_text};
use serde::Serialize;

/// Figures of the time since the last short report, in one line. Differences of histograms are made with
/// [`super::Histogram::since`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Interim {
    /// Time since the start, nanoseconds.
    pub elapsed_ns: u64,
    /// Time since the last short report, nanoseconds.
    pub since_ns: u64,
    /// Records read since the start.
    pub records: u64,
    /// Records read since the last short report.
    pub records_since: u64,
    /// Records and tuples that failed since the start.
    pub errors: u64,
    /// Latency of every tuple since the last short report.
    pub decided: Summary,
    /// Sinks in the order of the file.
    pub sinks: Vec<InterimSink>,
    /// Writes that the outside refuses now, each in words: no commit succeeds before they do.
    pub refusals: Vec<String>,
}

/// A sink in a short report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InterimSink {
    /// The user's id.
    pub id: String,
    /// Rows since the start.
    pub rows: u64,
    /// Latency since the last short report.
    pub latency: Summary,
}

impl Interim {
    /// One line of at most `width` characters; what does not fit is left out from the end.
    pub fn render(&self, width: usize) -> String {
        let seconds = self.elapsed_ns / 1_000_000_000;
        let mut line = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let mut parts = vec![
            if self.refusals.is_empty() { String::new() } else { "COMMITS WAIT".to_owned() },
            format!("{} records", count_text(self.records)),
            rate_text(self.records_since, self.since_ns),
            match self.errors {
                0 => String::new(),
                n => format!("{} errors", count_text(n)),
            },
            with_latency("decided", &self.decided, &[99.0, 99.9]),
        ];
        for sink in &self.sinks {
            let name = format!("{} {}", sink.id, count_text(sink.rows));
            parts.push(with_latency(&name, &sink.latency, &[99.0]));
        }
        for part in parts.into_iter().filter(|p| !p.is_empty()) {
            if line.chars().count() + 2 + part.chars().count() > width {
                break;
            }
            line.push_str("  ");
            line.push_str(&part);
        }
        line
    }
}

fn with_latency(name: &str, latency: &Summary, percentiles: &[f64]) -> String {
    let mut text = name.to_owned();
    if latency.count > 0 {
        for p in percentiles {
            text.push_str(&format!(" p{p} {}", nanos_text(latency.at_least(*p))));
        }
    }
    text
}
