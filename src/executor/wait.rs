//! Waiting: what the thread around an executor's steps does when a step found nothing to do.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// How an executor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Spins: the fastest, and burns its core.
    Spin,
    /// Yields to the scheduler after each empty step.
    Yield,
    /// Parks at once.
    Park,
    /// Spins for some microseconds, then yields, then parks.
    Adaptive,
}

/// Empty steps after which `Adaptive` yields, and after which it parks.
const SPINS: u32 = 2_000;
const YIELDS: u32 = 2_200;

/// Where an executor sleeps, and how others wake it.
#[derive(Debug, Default)]
pub struct Parker {
    sleeping: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Parker {
    /// The calling thread is the one that will sleep here.
    pub fn register(&self) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current());
    }

    /// Wakes the executor if it sleeps; to be called after something was published for it.
    #[inline]
    pub fn wake(&self) {
        // The fence partners with the one in `park`: either the sleeper's last look sees what was published before
        // this fence, or this load sees that it is about to sleep.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    #[cold]
    fn unpark(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }

    /// Sleeps until woken or for `limit`, unless `ready` says that something has come meanwhile.
    pub fn park(&self, limit: Duration, ready: impl FnOnce() -> bool) {
        self.sleeping.store(true, Ordering::Relaxed);
        // See `wake`.
        fence(Ordering::SeqCst);
        if !ready() {
            std::thread::park_timeout(limit);
        }
        // Relaxed: a stale true costs the waker one needless call.
        self.sleeping.store(false, Ordering::Relaxed);
    }
}

/// What to do after so many empty steps in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// `spin_loop`.
    Spin,
    /// `yield_now`.
    Yield,
    /// Park.
    Park,
}

impl Wait {
    /// What to do after `empty` empty steps in a row (at least one).
    pub fn pause(self, empty: u32) -> Pause {
        match self {
            Wait::Spin => Pause::Spin,
            Wait::Yield => Pause::Yield,
            Wait::Park => Pause::Park,
            Wait::Adaptive if empty < SPINS => Pause::Spin,
            Wait::Adaptive if empty < YIELDS => Pause::Yield,
            Wait::Adaptive => Pause::Park,
        }
    }
}
