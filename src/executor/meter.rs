//! What an executor counts and times: plain numbers that it alone writes, merged for reports by whoever asks.

use crate::latency::Recorder;

/// Counts of one task of a bolt (or of a spout's split).
#[derive(Clone, Debug, Default)]
pub struct TaskMeter {
    /// Tuples that came in.
    pub tuples_in: u64,
    /// Tuples that left, by output stream (the last is `errors`).
    pub tuples_out: Vec<u64>,
    /// Tuples that `where` refused.
    pub refused: u64,
    /// Tuples that ended in the bolt, as its work demands.
    pub skipped: u64,
    /// Tuples that were answered with rows of their own.
    pub expanded: u64,
    /// Rows made by the bolt itself: answers of many rows, timers.
    pub rows: u64,
    /// Rows that `having` refused.
    pub refused_rows: u64,
    /// Errors by reason, with the first text.
    pub errors: Vec<(&'static str, u64, String)>,
    /// Sampled service time.
    pub service: Option<Box<Recorder>>,
}

impl TaskMeter {
    /// Counts an error.
    #[cold]
    pub fn error(&mut self, reason: &'static str, text: &str) {
        match self.errors.iter_mut().find(|e| e.0 == reason) {
            Some(entry) => entry.1 += 1,
            None => self.errors.push((reason, 1, text.to_owned())),
        }
    }

    /// Adds another task's counts.
    pub fn merge(&mut self, other: &TaskMeter) {
        self.tuples_in += other.tuples_in;
        self.refused += other.refused;
        self.skipped += other.skipped;
        self.expanded += other.expanded;
        self.rows += other.rows;
        self.refused_rows += other.refused_rows;
        self.tuples_out.resize(self.tuples_out.len().max(other.tuples_out.len()), 0);
        for (mine, more) in self.tuples_out.iter_mut().zip(&other.tuples_out) {
            *mine += more;
        }
        for (reason, count, text) in &other.errors {
            match self.errors.iter_mut().find(|e| e.0 == *reason) {
                Some(entry) => entry.1 += count,
                None => self.errors.push((reason, *count, text.clone())),
            }
        }
        match (&mut self.service, &other.service) {
            (Some(mine), Some(more)) => mine.merge(more),
            (mine @ None, Some(more)) => *mine = Some(more.clone()),
            _ => {}
        }
    }
}

/// Counts of one executor.
#[derive(Clone, Debug, Default)]
pub struct ExecutorMeter {
    /// Steps that did something.
    pub steps: u64,
    /// Steps that found nothing to do.
    pub idle_steps: u64,
    /// Longest step, nanoseconds.
    pub longest_step_ns: u64,
    /// Steps longer than a millisecond.
    pub stalls: u64,
    /// Nanoseconds spent in steps that did something.
    pub busy_ns: u64,
}
