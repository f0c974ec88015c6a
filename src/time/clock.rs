//! Clocks: where executors get the time from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of time.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the process (or the simulation) began; never goes back.
    fn nanos(&self) -> u64;

    /// Microseconds since 1970 UTC.
    fn wall_micros(&self) -> i64;
}

/// The machine's clock: the time stamp counter where it is usable (9 ns a read), else the operating system's.
#[derive(Clone, Debug)]
pub struct SystemClock {
    clock: quanta::Clock,
    start: u64,
}

impl SystemClock {
    /// A clock that starts now. Calibrates once per process, which takes some milliseconds.
    pub fn new() -> SystemClock {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        SystemClock { clock, start }
    }

    /// What it reads, for reports: `tsc` (the counter of the processor) or `system`.
    pub fn source(&self) -> &'static str {
        // Ticks of a counter have to be scaled, those of the operating system are nanoseconds already.
        let ticks = 1 << 40;
        match self.clock.delta_as_nanos(0, ticks) {
            nanos if nanos == ticks => "system",
            _ if cfg!(target_arch = "x86_64") => "tsc",
            _ => "counter",
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn nanos(&self) -> u64 {
        self.clock.delta_as_nanos(self.start, self.clock.raw())
    }

    fn wall_micros(&self) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |d| d.as_micros() as i64)
    }
}

/// Times of arrival: the wall's time at moments of a [`Clock`], microseconds since 1970 UTC. Asks for the wall's time
/// once a millisecond and counts on from there, since asking costs more than twice a look at the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    /// When the wall's time was asked for, and what it was.
    asked: Option<(u64, i64)>,
}

impl Arrivals {
    /// For how long it counts on, nanoseconds: no leap of the wall's time is noticed later.
    const COUNTED: u64 = 1_000_000;

    /// The wall's time at `now`, which `clock` has just said.
    #[inline]
    pub fn micros(&mut self, clock: &dyn Clock, now: u64) -> i64 {
        if let Some((at, wall)) = self.asked
            && let Some(since) = now.checked_sub(at)
            && since < Self::COUNTED
        {
            return wall.saturating_add((since / 1000) as i64);
        }
        let wall = clock.wall_micros();
        self.asked = Some((now, wall));
        wall
    }
}

/// A clock that stands still until it is set: for tests and the simulator.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    micros: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock at this time, microseconds since 1970 UTC.
    pub fn at(micros: i64) -> ManualClock {
        ManualClock { micros: Arc::new(AtomicU64::new(micros as u64)) }
    }

    /// Sets the time.
    pub fn set(&self, micros: i64) {
        // Relaxed: the clock is read by the thread that sets it; nothing else is published through it.
        self.micros.store(micros as u64, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn nanos(&self) -> u64 {
        (self.wall_micros() as u64).wrapping_mul(1000)
    }

    fn wall_micros(&self) -> i64 {
        // Relaxed: see `set`.
        self.micros.load(Ordering::Relaxed) as i64
    }
}
