//! The stalls of the machine itself: what no program on this core could have avoided.

use super::histogram::{Histogram, Summary};
use crate::time::Clock;
use serde::Serialize;

/// A pause between two readings of the clock that is longer is a gap. A reading takes about 10 ns.
const GAP_NS: u64 = 1000;

/// Readings without any progress after which the clock is taken to stand still.
const STANDSTILL: u32 = 1_000_000;

/// The gaps that a loop which does nothing but read the clock has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Jitter {
    /// How long it was watched, nanoseconds.
    pub watched_ns: u64,
    /// Gaps of more than a microsecond: how many, how long.
    pub gaps: Summary,
    /// Their share of the time watched, 0 to 1.
    pub stolen_share: f64,
}

impl Jitter {
    /// Gaps in a second.
    pub fn gaps_per_second(&self) -> f64 {
        if self.watched_ns == 0 { 0.0 } else { self.gaps.count as f64 * 1e9 / self.watched_ns as f64 }
    }
}

/// Reads the clock without pause for `length_ns` on the core of the calling thread and records the gaps: interrupts,
/// the hypervisor, other threads. Pin the thread first. Ends early if the clock stands still.
pub fn jitter(clock: &(impl Clock + ?Sized), length_ns: u64) -> Jitter {
    let mut gaps = Histogram::new();
    let mut stolen = 0;
    let mut still = 0;
    let start = clock.nanos();
    let end = start.saturating_add(length_ns);
    let mut last = start;
    while last < end && still < STANDSTILL {
        let now = clock.nanos();
        let gap = now.saturating_sub(last);
        still = if gap == 0 { still + 1 } else { 0 };
        if gap > GAP_NS {
            gaps.record(gap);
            stolen += gap;
        }
        last = last.max(now);
    }
    let watched_ns = last - start;
    let stolen_share = if watched_ns == 0 { 0.0 } else { stolen as f64 / watched_ns as f64 };
    Jitter { watched_ns, gaps: gaps.summary(), stolen_share }
}
