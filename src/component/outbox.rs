//! Rows on their way to the outside, exactly once.
//!
//! 1. What a sink makes in an epoch gathers in memory; at the barrier it goes into the epoch's batch.
//! 2. When the epoch is durable it is delivered. How far the outside then is, a **mark** (the length of a file, ...),
//!    goes into the batch of the next epoch, which also drops the rows.
//! 3. After a crash the sink puts the outside back to the last mark, and everything that was in a batch after that is
//!    delivered again.
//!
//! What the outside refuses for now stays, and is tried again at idle moments. Until it has been taken the sink owes the
//! epoch that is over, so that none becomes durable, and input stops when enough waits.
//!
//! So an outside that can be put back, such as a file that can be cut, has every row exactly once. Invariant: a row is
//! in memory, in the store, or behind a mark that is in the store.

use super::{BoltBuild, ComponentError};
use crate::store::{Batch, Outlet, Prepare, Space};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How far the outside is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The last epoch that was delivered.
    pub epoch: u64,
    /// What the outside says of itself.
    pub mark: u64,
}

/// The outbox of a sink.
pub struct Outbox {
    outlet: Outlet,
    component: String,
    /// Rows of the epoch that is not over yet.
    filling: Vec<u8>,
    /// Rows of epochs that are over, and not delivered.
    waiting: VecDeque<(u64, Vec<u8>)>,
    /// What was delivered, and is not in the store yet.
    delivered: Option<Mark>,
    /// Epochs whose rows are in the store and were delivered.
    stored: Vec<u64>,
    /// The outside refuses; so many bytes were gathered when that was last looked at.
    refused: Option<usize>,
    /// The epoch that is over and was not handed over meanwhile: its rows, and what it waits for.
    owed: Option<(u64, Vec<u8>, Option<Prepare>)>,
}

impl Outbox {
    /// The outbox of a sink, with what was left undelivered, and the mark that the outside is to be put back to; none
    /// if state lives in memory only.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(build: &BoltBuild<'_>) -> Result<Option<(Outbox, Option<Mark>)>, ComponentError> {
        let Some(space) = build.space else { return Ok(None) };
        let component = format!("{}/{}", build.name, build.task);
        let failed = |error: crate::store::StoreError| ComponentError::new(error.to_string());
        let mark: Option<Mark> = space.note(&note(&component)).map_err(failed)?;
        let waiting = space.outbox(&component).map_err(failed)?;
        let outbox = Outbox {
            outlet: Outlet::new(space.clone()),
            component,
            filling: Vec::new(),
            waiting: waiting.into(),
            delivered: None,
            stored: Vec::new(),
            refused: None,
            owed: None,
        };
        Ok(Some((outbox, mark)))
    }

    /// Where the outside is before the first row: noted with the first epoch.
    pub fn starts_at(&mut self, mark: Mark) {
        self.delivered = Some(mark);
    }

    /// Where rows are put.
    #[inline]
    pub fn filling(&mut self) -> &mut Vec<u8> {
        if self.refused.is_some() {
            self.count();
        }
        &mut self.filling
    }

    /// Counts what has gathered while the outside refuses.
    #[cold]
    fn count(&mut self) {
        let known = self.refused.replace(self.filling.len()).unwrap_or(0);
        self.outlet.changed(self.filling.len().saturating_sub(known));
    }

    /// The outside refuses what was to be delivered, and it is to be tried again: [`Outbox::is_refused`].
    pub fn refuse(&mut self, error: &str) {
        self.outlet.space().refused(&format!("bolts.{}", self.component), error);
        self.refused.get_or_insert(self.filling.len());
    }

    /// Whether the outside has refused something since the last [`Outbox::accept`].
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The outside has taken what it had refused: what is owed is handed over.
    pub fn accept(&mut self) {
        self.refused = None;
        if let Some((epoch, rows, synced)) = self.owed.take() {
            self.hand_over(epoch, rows, synced);
        }
        self.outlet.space().accepted(&format!("bolts.{}", self.component));
    }

    /// Epoch `epoch` is over. `synced` makes durable what the last mark says.
    pub fn barrier(&mut self, epoch: u64, synced: Option<Prepare>) {
        let rows = std::mem::take(&mut self.filling);
        match &mut self.refused {
            Some(known) => {
                *known = 0;
                self.owed = Some((epoch, rows, synced));
            }
            None => self.hand_over(epoch, rows, synced),
        }
    }

    fn hand_over(&mut self, epoch: u64, rows: Vec<u8>, synced: Option<Prepare>) {
        let mut batch = Batch::default();
        if !rows.is_empty() {
            Space::put_outbox(&mut batch, &self.component, epoch, &rows);
            self.waiting.push_back((epoch, rows));
        }
        let delivered = self.delivered.take();
        if let Some(mark) = delivered {
            Space::put_note(&mut batch, &note(&self.component), &mark);
        }
        for epoch in self.stored.drain(..) {
            Space::drop_outbox(&mut batch, &self.component, epoch);
        }
        self.outlet.hand_over(epoch, batch, synced.filter(|_| delivered.is_some()));
    }

    /// The rows of the next epoch that is durable and not delivered, with its number; `durable` is the last durable one.
    pub fn next(&self, durable: u64) -> Option<(u64, &[u8])> {
        let (epoch, rows) = self.waiting.front()?;
        (*epoch <= durable).then_some((*epoch, rows))
    }

    /// The rows of [`Outbox::next`] were delivered; the outside is now at `mark`.
    pub fn delivered(&mut self, mark: u64) {
        if let Some((epoch, _)) = self.waiting.pop_front() {
            self.delivered = Some(Mark { epoch, mark });
            self.stored.push(epoch);
        }
    }

    /// Whether something was delivered that the store does not know of.
    pub fn has_news(&self) -> bool {
        self.delivered.is_some()
    }

    /// The last durable epoch.
    pub fn durable(&self) -> u64 {
        self.outlet.space().durable()
    }
}

fn note(component: &str) -> String {
    format!("delivered/{component}")
}
