//! What the writer of a partition shares with the readers of its process: the visible end, without a system call.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The visible end of a partition, as its writer in this process says.
#[derive(Debug, Default)]
pub(super) struct Shared {
    live: AtomicBool,
    visible: AtomicU64,
}

impl Shared {
    /// The visible end, if the writer is in this process.
    #[inline]
    pub(super) fn visible(&self) -> Option<u64> {
        // Acquire, both: with the release in `open` and `publish`, what was written before is seen by who sees the end.
        self.live.load(Ordering::Acquire).then(|| self.visible.load(Ordering::Acquire))
    }

    /// The writer is here.
    pub(super) fn open(&self, visible: u64) {
        // Release, both: partners are the loads in `visible`.
        self.visible.store(visible, Ordering::Release);
        self.live.store(true, Ordering::Release);
    }

    /// Readers may go up to `visible`.
    pub(super) fn publish(&self, visible: u64) {
        // Release: partner is the load in `visible`; the records are in the file before it.
        self.visible.store(visible, Ordering::Release);
    }

    /// The writer goes; readers look at the file from now on.
    pub(super) fn close(&self) {
        // Release: the file `end` says the same before it.
        self.live.store(false, Ordering::Release);
    }
}

type Registry = HashMap<(usize, PathBuf), Weak<Shared>>;

static OPEN: Mutex<Option<Registry>> = Mutex::new(None);

/// What is shared for a partition of a tree of files.
pub(super) fn shared(tree: usize, folder: &Path) -> Arc<Shared> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // A panic elsewhere leaves the map whole: each change is one call.
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    if let Some(known) = open.get(&(tree, folder.clone())).and_then(Weak::upgrade) {
        return known;
    }
    open.retain(|_, known| known.strong_count() > 0);
    let made = Arc::<Shared>::default();
    open.insert((tree, folder), Arc::downgrade(&made));
    made
}
