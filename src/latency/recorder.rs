//! The latency of every tuple of one executor.
//!
//! A tuple's age is counted in a small array of the current window (16 KiB, one increment). When the window of 50 ms is
//! over, its percentiles go into histograms of their own and its counts into the histogram of the whole run: the large
//! histograms are touched twenty times a second and memory stays the same however long the run is. Counting straight
//! into a histogram costs twice as much (3.2 against 1.5 ns here).

use super::histogram::{Histogram, LONGEST_NS, Summary};
use serde::Serialize;

/// Length of a window, nanoseconds. Windows lie on a fixed grid of the process's clock.
pub const WINDOW_NS: u64 = 50_000_000;

/// Windows with fewer tuples are left out of [`Windows`]: their upper percentiles would be those of chance.
pub const MIN_WINDOW_TUPLES: u64 = 100;

/// Places of the array: 3,808 are used for 1 ns to 60 s, rounded up so that a mask spares the check of bounds.
const PLACES: usize = 4096;

const STRETCH: usize = 64;

/// Counts by the leading 8 bits of a duration: below 1 % apart, the same grid as the histograms.
#[inline(always)]
fn place(nanos: u64) -> usize {
    let shift = (nanos | 128).ilog2() - 7;
    ((u64::from(shift) << 7) + (nanos >> shift)) as usize
}

/// The longest duration that is counted at a place.
fn longest_at(place: usize) -> u64 {
    if place < 256 {
        return place as u64;
    }
    let shift = (place >> 7) - 1;
    let leading = (place - (shift << 7)) as u64;
    ((leading + 1) << shift) - 1
}

/// Records ages of tuples: of the whole run, and the percentiles of its windows of 50 ms. Owned by one executor.
#[derive(Clone, Debug)]
pub struct Recorder {
    open: Box<[u32; PLACES]>,
    open_max: u64,
    open_end: u64,
    whole: Histogram,
    p50: Histogram,
    p99: Histogram,
    p999: Histogram,
    max: Histogram,
    left_out: u64,
}

impl Recorder {
    /// An empty recorder; all its memory (170 KiB) is allocated here.
    pub fn new() -> Recorder {
        Recorder {
            open: Box::new([0; PLACES]),
            open_max: 0,
            open_end: 0,
            whole: Histogram::new(),
            p50: Histogram::new(),
            p99: Histogram::new(),
            p999: Histogram::new(),
            max: Histogram::new(),
            left_out: 0,
        }
    }

    /// Adds the age of a tuple that ended at `now_ns` of the process's clock. About 2 ns; no lock, no allocation, no
    /// clock. `now_ns` must not go back by more than a window, or a window is ended late.
    #[inline(always)]
    pub fn record(&mut self, now_ns: u64, age_ns: u64) {
        if now_ns >= self.open_end {
            self.next_window(now_ns);
        }
        // Cannot overflow in 50 ms; on a clock that stands still it sticks at the highest count.
        let count = &mut self.open[place(age_ns.min(LONGEST_NS)) & (PLACES - 1)];
        *count = count.saturating_add(1);
        self.open_max = self.open_max.max(age_ns);
    }

    #[cold]
    #[inline(never)]
    fn next_window(&mut self, now_ns: u64) {
        self.end_window();
        self.open_end = (now_ns / WINDOW_NS + 1).saturating_mul(WINDOW_NS);
    }

    /// Takes the open window into account: 1 to 5 us, twenty times a second.
    fn end_window(&mut self) {
        let count: u64 = self.open.iter().map(|n| u64::from(*n)).sum();
        if count == 0 {
            return;
        }
        let ranks = [0.5, 0.99, 0.999].map(|share| ((count as f64 * share).ceil() as u64).clamp(1, count));
        let mut values = [0u64; 3];
        let mut found = 0;
        let mut seen = 0;
        // Most of the array is empty: it is skipped by stretches.
        for (stretch, counts) in self.open.chunks_mut(STRETCH).enumerate() {
            if counts.iter().fold(0, |any, n| any | n) == 0 {
                continue;
            }
            for (i, n) in counts.iter_mut().enumerate().filter(|(_, n)| **n > 0) {
                let longest = longest_at(stretch * STRETCH + i);
                self.whole.record_many(longest, u64::from(*n));
                seen += u64::from(*n);
                *n = 0;
                while found < ranks.len() && seen >= ranks[found] {
                    values[found] = longest.min(self.open_max);
                    found += 1;
                }
            }
        }
        self.whole.raise_max(self.open_max);
        if count >= MIN_WINDOW_TUPLES {
            self.p50.record(values[0]);
            self.p99.record(values[1]);
            self.p999.record(values[2]);
            self.max.record(self.open_max);
        } else {
            self.left_out += 1;
        }
        self.open_max = 0;
    }

    /// All ages so far, the open window included.
    pub fn ages(&self) -> Histogram {
        let mut all = self.whole.clone();
        for (place, n) in self.open.iter().enumerate().filter(|(_, n)| **n > 0) {
            all.record_many(longest_at(place), u64::from(*n));
        }
        all.raise_max(self.open_max);
        all
    }

    /// The figures of all ages so far.
    pub fn summary(&self) -> Summary {
        self.ages().summary()
    }

    /// The windows that are over.
    pub fn windows(&self) -> Windows {
        let of = |h: &Histogram| WindowPercentile { p10: h.percentile(10.0), median: h.percentile(50.0) };
        Windows {
            counted: self.p50.count(),
            left_out: self.left_out,
            p50: of(&self.p50),
            p99: of(&self.p99),
            p999: of(&self.p999),
            max: of(&self.max),
        }
    }

    /// Adds all that another recorder, such as that of another executor, has seen. Windows stay windows of one
    /// executor; the other's open one counts among the ages only.
    pub fn merge(&mut self, other: &Recorder) {
        self.whole.merge(&other.ages());
        self.p50.merge(&other.p50);
        self.p99.merge(&other.p99);
        self.p999.merge(&other.p999);
        self.max.merge(&other.max);
        self.left_out += other.left_out;
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

/// What the windows of 50 ms say: a stall of the machine spoils one window and leaves the others alone, so these
/// figures repeat from run to run where the percentiles of the whole run do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Windows {
    /// Windows with at least [`MIN_WINDOW_TUPLES`] tuples.
    pub counted: u64,
    /// Windows with fewer, which count nowhere below. Windows without any tuple are not counted at all.
    pub left_out: u64,
    /// Of the windows' medians.
    pub p50: WindowPercentile,
    /// Of the windows' 99th percentiles.
    pub p99: WindowPercentile,
    /// Of the windows' 99.9th percentiles.
    pub p999: WindowPercentile,
    /// Of the windows' maxima.
    pub max: WindowPercentile,
}

/// How a figure is spread over the windows, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WindowPercentile {
    /// A tenth of the windows is not above it: the undisturbed ones.
    pub p10: u64,
    /// Half of the windows are not above it.
    pub median: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_without_gap_and_stay_within_a_percent() {
        let mut next = 0;
        for place_ in 0..=place(LONGEST_NS) {
            let longest = longest_at(place_);
            assert_eq!((place(next), place(longest)), (place_, place_));
            assert!((longest - next) as f64 <= next as f64 / 100.0, "{next}..{longest}");
            next = longest + 1;
        }
        assert!(place(LONGEST_NS) < PLACES);
    }
}
