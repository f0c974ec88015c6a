//! A histogram of durations with two significant digits.

use serde::Serialize;

/// The longest duration that is told apart, 60 s; longer ones count as this long. Their maximum stays exact.
pub const LONGEST_NS: u64 = 60_000_000_000;

/// Durations in nanoseconds, from 1 ns to 60 s with two significant digits, in about 30 KiB; the maximum is exact.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    max: u64,
}

impl Histogram {
    /// An empty histogram; all its memory is allocated here.
    pub fn new() -> Histogram {
        // The bounds are constants that the crate accepts: low >= 1, high >= 2 * low, at most 5 digits.
        let counts = hdrhistogram::Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("the bounds are valid");
        Histogram { counts, max: 0 }
    }

    /// Adds a duration. About 3 ns; [`super::Recorder`] is made for every tuple, this for samples.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.record_many(nanos, 1);
        self.max = self.max.max(nanos);
    }

    /// Adds a duration `count` times, without regard to the maximum.
    #[inline]
    pub(super) fn record_many(&mut self, nanos: u64, count: u64) {
        self.counts.saturating_record_n(nanos.min(LONGEST_NS), count);
    }

    /// Raises the maximum to what has really been seen.
    pub(super) fn raise_max(&mut self, nanos: u64) {
        self.max = self.max.max(nanos);
    }

    /// Adds all of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        // Both have the same fixed bounds, so that every value of one fits the other.
        self.counts.add(&other.counts).expect("all histograms have the same bounds");
        self.max = self.max.max(other.max);
    }

    /// What has been added since `earlier`, a copy of this histogram at an earlier moment. Its maximum is known to two
    /// digits only, unless it is the highest of all.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut counts = self.counts.clone();
        if counts.subtract(&earlier.counts).is_err() {
            // Not an earlier copy: all of it is new.
            return self.clone();
        }
        let max = if self.max > earlier.max { self.max } else { counts.max().min(self.max) };
        Histogram { counts, max }
    }

    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The longest, exact; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The duration that `percentile` (0 to 100) of all do not exceed; 0 if there is none. 100 is the maximum.
    pub fn percentile(&self, percentile: f64) -> u64 {
        if self.counts.is_empty() || percentile >= 100.0 {
            return self.max;
        }
        self.counts.value_at_percentile(percentile).min(self.max)
    }

    /// How much of all, 0 to 1, is not longer than `nanos`; 1 if there is none.
    pub fn share_within(&self, nanos: u64) -> f64 {
        if nanos >= self.max { 1.0 } else { self.counts.quantile_below(nanos) }
    }

    /// The figures that people look at.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count(),
            mean: if self.is_empty() { 0.0 } else { self.counts.mean() },
            p50: self.percentile(50.0),
            p90: self.percentile(90.0),
            p99: self.percentile(99.0),
            p999: self.percentile(99.9),
            p9999: self.percentile(99.99),
            max: self.max,
        }
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

/// Count, mean and percentiles of durations in nanoseconds, to two significant digits; the maximum is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many there were.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// 99.99th percentile.
    pub p9999: u64,
    /// The longest.
    pub max: u64,
}

impl Summary {
    /// The lowest of its percentiles that is not below `percentile`: what an objective about `p95` looks at is p99.
    pub fn at_least(&self, percentile: f64) -> u64 {
        match percentile {
            p if p <= 50.0 => self.p50,
            p if p <= 90.0 => self.p90,
            p if p <= 99.0 => self.p99,
            p if p <= 99.9 => self.p999,
            p if p <= 99.99 => self.p9999,
            _ => self.max,
        }
    }
}
