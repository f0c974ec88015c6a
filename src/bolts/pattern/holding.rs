//! How far a pattern holds time back: to the earliest row that still waits here.
//!
//! A match that was found and has to wait leaves with the time of its last row, which others must not have passed by
//! then. The times of such matches stand with their keys as timers that never fire, so that they are known after a
//! restart, whether or not the keys are in memory.

use super::measures::Waiting;
use crate::store::{KeyRef, State, Timers};

/// The times of rows that wait.
pub struct Holding {
    matches: Timers,
    earliest: i64,
}

impl Holding {
    /// The matches that these timers know of.
    pub fn new(matches: Timers) -> Holding {
        let mut holding = Holding { earliest: i64::MAX, matches };
        holding.with(&[], &mut Vec::new());
        holding
    }

    /// The earliest time; `i64::MAX`: nothing waits.
    #[inline]
    pub fn earliest(&self) -> i64 {
        self.earliest
    }

    /// The earliest match of a key that waits had one time and has another; `i64::MAX`: there is none.
    pub fn change(&mut self, key: KeyRef<'_>, before: i64, after: i64) {
        if before != i64::MAX {
            self.matches.cancel(key, before);
        }
        if after != i64::MAX {
            self.matches.set(key, after);
        }
    }

    /// These rows wait to leave, and all matches that were noted. `bytes` is room for a key.
    #[inline]
    pub fn with(&mut self, rows: &[Waiting], bytes: &mut Vec<u8>) {
        if !self.matches.knows_earliest() {
            self.read_on(bytes);
        }
        let times = rows.iter().filter_map(|waiting| match waiting {
            Waiting::Row { time, .. } => Some(*time),
            Waiting::Failed(..) | Waiting::ByTime(_) => None,
        });
        self.earliest = times.min().unwrap_or(i64::MAX).min(self.matches.earliest());
    }

    /// What stands first in the store, and was not read yet, may have been taken back.
    #[cold]
    fn read_on(&mut self, bytes: &mut Vec<u8>) {
        while !self.matches.knows_earliest() {
            let earliest = self.matches.earliest();
            if let Some(time) = self.matches.due(earliest.saturating_add(1), bytes) {
                self.matches.set(KeyRef::new(bytes), time);
            }
            if self.matches.earliest() == earliest {
                // The store could not be read, which ends the topology.
                return;
            }
        }
    }

    /// Its part of epochs.
    pub fn state(&mut self) -> &mut dyn State {
        &mut self.matches
    }
}
