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

/// What the coordinator sees when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// Now, nanoseconds.
    pub now: u64,
    /// A number that changes whenever an executor has done something.
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
    /// Whether splits are held back.
    pub hold: bool,
    /// Whether everything that has happened is durable and nothing more will.
    pub finished: bool,
}

impl Coordinator {
    /// A coordinator that goes on after epoch `durable`.
    pub fn new(pace: Pace, durable: u64, now: u64) -> Coordinator {
        Coordinator { pace, asked: durable, asked_at: now, moved: 0, hold: false, finished: false }
    }

    /// The epoch that is to end now, if one is.
    pub fn step(&mut self, orders: &Orders) -> Option<u64> {
        let flowing = orders.durable < self.asked;
        let limit = self.pace.changed_bytes_max;
        self.hold = flowing && orders.undurable_bytes > limit.saturating_mul(HOLD_AT);
        if flowing {
            return None;
        }
        // What the last barrier itself moved may look like something new: one empty epoch, not an endless row of them.
        let something = orders.moved != self.moved;
        if orders.ended && !something {
            self.finished = true;
            return None;
        }
        let due = orders.now.saturating_sub(self.asked_at) >= self.pace.interval_ns;
        let full = orders.undurable_bytes > limit;
        if !(something && (due || full || orders.ended)) {
            return None;
        }
        self.asked += 1;
        (self.asked_at, self.moved) = (orders.now, orders.moved);
        Some(self.asked)
    }
}
