//! How fast recorded data is replayed: as fast as it can be read, at a rate, or at a multiple of event time.

use crate::component::Options;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The pace of a spout, shared by its splits: together they keep the rate.
#[derive(Clone, Debug)]
pub enum Pace {
    /// As fast as possible.
    Max,
    /// So many tuples a second, at even distances from the first poll on.
    Rate {
        /// Tuples a second.
        per_second: f64,
        /// When the first poll was, and how many tuples have left.
        schedule: Arc<Schedule>,
    },
    /// Event time passes `factor` times as fast as it did.
    Speed {
        /// 60 makes a minute a second.
        factor: f64,
        /// The clock and the event time at the first tuple.
        origin: Arc<OnceLock<(u64, i64)>>,
    },
}

/// What splits with one rate share.
#[derive(Debug, Default)]
pub struct Schedule {
    start: OnceLock<u64>,
    taken: AtomicU64,
}

impl Pace {
    /// The option `pace`; [`Pace::Max`] without it.
    pub fn of(options: &Options<'_>) -> Pace {
        let Some(text) = options.text("pace") else { return Pace::Max };
        if text == "max" {
            return Pace::Max;
        }
        let number =
            |t: Option<&str>| t.and_then(|t| t.trim().parse::<f64>().ok()).filter(|n| *n > 0.0 && n.is_finite());
        if let Some(per_second) = number(text.strip_suffix("/s")) {
            return Pace::Rate { per_second, schedule: Arc::default() };
        }
        if let Some(factor) = number(text.strip_suffix('x')) {
            return Pace::Speed { factor, origin: Arc::default() };
        }
        if let Some(node) = options.node("pace") {
            options.wrong("pace", node, "\"max\", a rate such as \"10000/s\" or a speed such as \"60x\"");
        }
        Pace::Max
    }

    /// How many tuples may leave now, at least one.
    ///
    /// # Errors
    /// None yet; one is due at this time, in nanoseconds of the process's clock.
    pub fn allowed(&self, now: u64) -> Result<usize, u64> {
        let Pace::Rate { per_second, schedule } = self else { return Ok(usize::MAX) };
        let start = *schedule.start.get_or_init(|| now);
        // Relaxed: the counter publishes nothing; two executors that read it at once are a few tuples early.
        let taken = schedule.taken.load(Ordering::Relaxed);
        let due = due_at(start, taken, *per_second);
        if now < due {
            return Err(due);
        }
        let passed = (now - start) as f64 * per_second / 1e9;
        Ok((passed as u64 + 1).saturating_sub(taken).max(1) as usize)
    }

    /// `tuples` leave: with a rate, gives the time at which the n-th of them was due.
    pub fn take(&self, tuples: usize) -> Option<impl Fn(usize) -> u64 + use<>> {
        let Pace::Rate { per_second, schedule } = self else { return None };
        let (start, per_second) = (*schedule.start.get()?, *per_second);
        // Relaxed: see `allowed`.
        let first = schedule.taken.fetch_add(tuples as u64, Ordering::Relaxed);
        Some(move |n: usize| due_at(start, first + n as u64, per_second))
    }

    /// With a speed: when a tuple of this event time is due.
    pub fn due_of(&self, time: i64, now: u64) -> Option<u64> {
        let Pace::Speed { factor, origin } = self else { return None };
        let (start, first) = *origin.get_or_init(|| (now, time));
        let passed = time.saturating_sub(first).max(0) as f64 * 1000.0 / factor;
        Some(start.saturating_add(passed as u64))
    }
}

fn due_at(start: u64, tuple: u64, per_second: f64) -> u64 {
    start.saturating_add((tuple as f64 / per_second * 1e9) as u64)
}
