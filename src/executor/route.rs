//! Routers: which of several tasks gets a tuple.
//!
//! The eight groupings of a topology file are five mechanisms: by hash (fields), by hash with two choices (partial
//! key), in turn (shuffle, and none or local-or-shuffle where no task is at hand), to all, to the task that an
//! expression names (direct; global is a router with one destination).

use crate::expr::Compiled;
use crate::store::KeyReader;
use crate::tuple::{Arena, Frame};

/// Where a router can send a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Along this target of the same program.
    Target(u32),
    /// Into this channel.
    Sender(u16),
}

/// How a router chooses.
pub enum Mechanism {
    /// By the shard of the key: task n of N owns the shards s with s * N / 256 = n.
    Hash(KeyReader),
    /// By the key, to the one of its two candidates that got fewer tuples so far.
    TwoChoice(KeyReader, Vec<u64>),
    /// In turn.
    Rotate(usize),
    /// To all.
    All,
    /// To the task whose number the expression gives.
    Direct(Compiled),
}

/// A router.
pub struct Router {
    /// How it chooses.
    pub mechanism: Mechanism,
    /// One destination for each task, in the order of tasks.
    pub destinations: Vec<Destination>,
    /// Component it routes to, for reports.
    pub component: usize,
    /// Tuples that could not be routed, by reason.
    pub failed: Vec<(&'static str, u64)>,
}

/// What a router chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    One(Destination),
    /// Every one.
    All,
    /// None: counted in [`Router::failed`].
    Failed,
}

/// Number of shards that keys are divided into.
pub const SHARDS: usize = 256;

impl Router {
    /// Chooses for a tuple. A NULL key goes to the first task, which says what is wrong with it.
    #[inline]
    pub fn choose(&mut self, frame: &Frame, arena: &Arena) -> Choice {
        let count = self.destinations.len();
        let index = match &mut self.mechanism {
            Mechanism::Hash(key) => match key.read(frame) {
                Some(key) => (key.hash >> 56) as usize * count / SHARDS,
                None => 0,
            },
            Mechanism::TwoChoice(key, sent) => {
                let hash = key.read(frame).map_or(0, |k| k.hash);
                let first = (hash >> 56) as usize * count / SHARDS;
                let second = (first + 1 + (hash as u32 as usize) % count.saturating_sub(1).max(1)) % count;
                let index = if sent[second] < sent[first] { second } else { first };
                sent[index] += 1;
                index
            }
            Mechanism::Rotate(next) => {
                let index = *next;
                *next = if index + 1 == count { 0 } else { index + 1 };
                index
            }
            Mechanism::All => return Choice::All,
            Mechanism::Direct(task) => match task.eval(frame, arena) {
                Ok(Some(task)) if (task as i64) >= 0 && (task as usize) < count => task as usize,
                Ok(Some(_)) => return self.fail("no_such_task"),
                Ok(None) => return self.fail("null_task"),
                Err(error) => return self.fail(error.reason),
            },
        };
        Choice::One(self.destinations[index])
    }

    #[cold]
    fn fail(&mut self, reason: &'static str) -> Choice {
        match self.failed.iter_mut().find(|f| f.0 == reason) {
            Some(entry) => entry.1 += 1,
            None => self.failed.push((reason, 1)),
        }
        Choice::Failed
    }
}
