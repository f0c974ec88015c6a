//! Orders from outside, which all executors of a topology hear, and what is seen of each.

use super::thread::{Executor, Snapshot};
use super::wait::Parker;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What all executors of a topology share: orders from outside. All orderings are relaxed but where said: each word is
/// an order of its own, and results come back through `join` or a mutex.
#[derive(Default)]
pub struct Control {
    /// Sources stop; what is in flight is finished.
    pub drain: AtomicBool,
    /// Everything stops at once.
    pub abort: AtomicBool,
    /// The epoch whose barrier is to be put into the streams.
    pub barrier: AtomicU64,
    /// Splits are not read on: too much has changed that is not durable.
    pub hold: AtomicBool,
    /// Whether executors that have come to their end wait for [`Control::finish`]: their state is still to be committed.
    pub commits: AtomicBool,
    /// All is durable that can be: executors that have come to their end may go.
    pub finish: AtomicBool,
    /// How many executors have come to their end.
    pub ended: AtomicUsize,
    /// What changes whenever an executor has done something that an epoch must end for, and where it sleeps.
    pub executors: Mutex<Vec<(Arc<Seen>, Arc<Parker>)>>,
    /// Number of the snapshot that is asked for.
    pub snapshot: AtomicU64,
    /// Snapshots by executor.
    pub snapshots: Mutex<Vec<Option<Snapshot>>>,
}

/// What the coordinator sees of an executor.
#[derive(Debug, Default)]
pub struct Seen {
    /// Another number whenever it has done something that an epoch must end for.
    pub moved: AtomicU64,
    /// The last durable epoch that its bolts have heard of.
    pub durable: AtomicU64,
}

impl Control {
    /// Executors that are told of orders.
    pub fn join(&self, executors: &[Executor]) {
        let known = executors.iter().map(|executor| (executor.seen.clone(), executor.parker.clone()));
        *self.executors.lock().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }

    /// A number that changes whenever an executor has done something that an epoch must end for.
    pub fn moved_sum(&self) -> u64 {
        let executors = self.executors.lock().unwrap_or_else(PoisonError::into_inner);
        executors.iter().map(|(seen, _)| seen.moved.load(Ordering::Relaxed)).sum()
    }

    /// Whether all executors have come to their end, and their bolts have heard that epoch `durable` is durable.
    pub fn have_ended(&self, durable: u64) -> bool {
        let executors = self.executors.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = |(seen, _): &(Arc<Seen>, Arc<Parker>)| seen.durable.load(Ordering::Acquire) >= durable;
        self.ended.load(Ordering::Relaxed) >= executors.len() && executors.iter().all(heard)
    }

    /// Wakes all executors, so that they hear an order at once.
    pub fn wake_all(&self) {
        let executors = self.executors.lock().unwrap_or_else(PoisonError::into_inner);
        executors.iter().for_each(|(_, parker)| parker.wake());
    }
}
