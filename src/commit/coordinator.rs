//! When an epoch ends.

/// How often epochs end.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time from one epoch's request to the next, nanoseconds.
    pub interval_ns: u64,
    /// An epoch ends before its time when so many bytes have changed.
    pub changed_bytes_max: u64,
}

/// So many times the bytes that end an epoch may have changed and not be durable before splits are held.
const HOLD_AT: u64 = 2;

/// An epoch on whose way so many bytes of changes were is large: where such a one took longer than the interval, the next
/// ones last so many times as long as it took, but no longer than this. A key that changes often is written once an
/// epoch, so that they cost the less.
const LARGE_BYTES: u64 = 4 << 20;
const STRETCH: u64 = 4;
const STRETCHED_NS: u64 = 900_000_000;

/// What the coordinator sees when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// Now, nanoseconds.
    pub now: u64,
    /// A number that changes whenever an executor has done something that an epoch must end for.
    pub moved: u64,
    /// The last durable epoch.
    pub durable: u64,
    /// Bytes of changes that are not durable.
    pub undurable_bytes: u64,
    /// Whether all executors have come to their end.
    pub ended: bool,
}

/// Decides when epochs end. Pure: [`Coordinator::step`] is told all that it knows.
#[derive(Debug)]
pub struct Coordinator {
    pace: Pace,
    /// The last epoch that was asked for.
    asked: u64,
    asked_at: u64,
    /// What `moved` was when it was asked for.
    moved: u64,
    /// Whether that epoch is large, and how long a large one has taken; zero: it was not large.
    large: bool,
    flows: bool,
    took_ns: u64,
    /// Whether splits are held back.
    pub hold: bool,
    /// Whether everything that has happened is durable and nothing more will.
    pub finished: bool,
}

impl Coordinator {
    /// A coordinator that goes on after epoch `durable`.
    pub fn new(pace: Pace, durable: u64, now: u64) -> Coordinator {
        Coordinator {
            pace,
            asked: durable,
            asked_at: now,
            moved: 0,
            large: false,
            flows: false,
            took_ns: 0,
            hold: false,
            finished: false,
        }
    }

    /// The epoch that is to end now, if one is.
    pub fn step(&mut self, orders: &Orders) -> Option<u64> {
        let flowing = orders.durable < self.asked;
        let limit = self.pace.changed_bytes_max;
        self.hold = flowing && orders.undurable_bytes > limit.saturating_mul(HOLD_AT);
        if flowing {
            self.large |= orders.undurable_bytes > LARGE_BYTES;
            return None;
        }
        let since = orders.now.saturating_sub(self.asked_at);
        if std::mem::take(&mut self.flows) {
            self.took_ns = if std::mem::take(&mut self.large) { since } else { 0 };
        }
        let something = orders.moved != self.moved;
        if orders.ended && !something {
            self.finished = true;
            return None;
        }
        let due = since >= self.interval_ns();
        let full = orders.undurable_bytes > limit;
        if !(something && (due || full || orders.ended)) {
            return None;
        }
        self.asked += 1;
        (self.asked_at, self.moved, self.flows) = (orders.now, orders.moved, true);
        Some(self.asked)
    }

    /// Time from the last request to the next.
    fn interval_ns(&self) -> u64 {
        let interval = self.pace.interval_ns;
        if self.took_ns <= interval {
            return interval;
        }
        self.took_ns.saturating_mul(STRETCH).min(STRETCHED_NS).max(interval)
    }
}
