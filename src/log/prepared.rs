//! Making durable what a writer has written, on whatever thread.
//!
//! Invariant: a sync that failed is known to the writer before it next promises anything.

use super::LogError;
use crate::files::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a [`Writer::prepare`](super::Writer::prepare) has left to do: may be done by another thread.
#[derive(Debug)]
pub struct Prepared {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    pub(super) end: u64,
    pub(super) later: Arc<Later>,
}

impl Prepared {
    /// The end of what this makes durable.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// The disk refuses; the writer ends.
    pub fn sync(self) -> Result<(), LogError> {
        match self.file.sync() {
            Ok(()) => {
                // Relaxed: a lower bound that publishes nothing else.
                self.later.synced.fetch_max(self.end, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // Relaxed: the writer hears of it in time; the epoch that asked does so by the error.
                self.later.failed.store(true, Ordering::Relaxed);
                Err(LogError::io("cannot sync", &self.path, error))
            }
        }
    }
}

/// What other threads have made durable.
#[derive(Debug, Default)]
pub(super) struct Later {
    pub(super) synced: AtomicU64,
    pub(super) failed: AtomicBool,
}
