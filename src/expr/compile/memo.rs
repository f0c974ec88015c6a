//! A value that several conditions need is computed once for a tuple.

use super::super::fault::Cx;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The value of a part for the current tuple. All that share it are owned by one executor and run on one tuple at a time:
/// relaxed order is enough, since no other thread ever looks.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// The number of the current tuple.
    now: Arc<AtomicU64>,
    /// The tuple that the value is of.
    of: AtomicU64,
    word: AtomicU64,
    null: AtomicBool,
}

impl Memo {
    /// Without a value; `now` is counted up, from 1, before each tuple.
    pub(crate) fn new(now: &Arc<AtomicU64>) -> Memo {
        Memo { now: now.clone(), ..Memo::default() }
    }

    /// The value for the current tuple: computed, unless it is known. What fails is not kept: it fails everywhere.
    #[inline]
    pub(crate) fn get(&self, cx: &Cx<'_>, compute: impl FnOnce(&Cx<'_>) -> Option<u64>) -> Option<u64> {
        let now = self.now.load(Relaxed);
        if self.of.load(Relaxed) == now {
            return (!self.null.load(Relaxed)).then(|| self.word.load(Relaxed));
        }
        let value = compute(cx);
        if !cx.failed() {
            self.word.store(value.unwrap_or(0), Relaxed);
            self.null.store(value.is_none(), Relaxed);
            self.of.store(now, Relaxed);
        }
        value
    }
}
