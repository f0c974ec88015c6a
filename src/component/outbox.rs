//! Rows on their way to the outside, exactly once.
//!
//! 1. What a sink makes in an epoch gathers in memory; at the barrier it goes into the epoch's batch.
//! 2. When the epoch is durable it is delivered. How far the outside then is, a **mark** (the length of a file, ...),
//!    goes into the batch of the next epoch, which also drops the rows.
//! 3. After a crash the sink puts the outside back to the last mark, and everything that was in a batch after that is
//!    delivered again.
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
        };
        Ok(Some((outbox, mark)))
    }

    /// Where the outside is before the first row: noted with the first epoch.
    pub fn starts_at(&mut self, mark: Mark) {
        self.delivered = Some(mark);
    }

    /// Where rows are put.
    pub fn filling(&mut self) -> &mut Vec<u8> {
        &mut self.filling
    }

    /// Epoch `epoch` is over. `synced` makes durable what the last mark says.
    pub fn barrier(&mut self, epoch: u64, synced: Option<Prepare>) {
        let mut batch = Batch::default();
        let rows = std::mem::take(&mut self.filling);
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
