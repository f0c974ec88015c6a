//! How a report gets at what an executor owns.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A copy on request: someone asks, the owner looks once per step (one relaxed load) and, only when asked, puts a copy
/// of what it owns here. Share it in an `Arc`.
#[derive(Debug)]
pub struct Snapshot<T> {
    wanted: AtomicBool,
    copy: Mutex<Option<T>>,
}

impl<T> Snapshot<T> {
    /// Nobody has asked yet.
    pub fn new() -> Snapshot<T> {
        Snapshot { wanted: AtomicBool::new(false), copy: Mutex::new(None) }
    }

    /// Asks for a copy; what has been given before and was not taken is forgotten.
    pub fn ask(&self) {
        *self.lock() = None;
        // Relaxed: the flag carries no data, the copy goes through the mutex.
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asks: for the owner, once per step.
    #[inline(always)]
    pub fn asked(&self) -> bool {
        // Relaxed: see `ask`.
        self.wanted.load(Ordering::Relaxed)
    }

    /// Gives the copy: for the owner, when asked. Takes a lock, which the other side holds for moments only.
    pub fn give(&self, copy: T) {
        self.wanted.store(false, Ordering::Relaxed);
        *self.lock() = Some(copy);
    }

    /// The copy, if it has been given since the last call of [`Snapshot::ask`].
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<T>> {
        // A panic elsewhere leaves an option that is whole: it is written in one move.
        self.copy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T> Default for Snapshot<T> {
    fn default() -> Snapshot<T> {
        Snapshot::new()
    }
}
