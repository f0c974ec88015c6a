//! Epochs: when one ends, and how it becomes durable.
//!
//! The [`Coordinator`] decides that an epoch is to end and tells the executors; barriers then flow through the
//! pipelines, each of which reports its positions and has its tasks hand over what changed; the [`Committer`] gathers
//! all that and writes it: **prepare** (chunks of event lists, and what components want synced), **batch** (state,
//! positions, notes and the epoch's number: the commit point), **notify** (executors hear that the epoch is durable).
//!
//! At most one epoch flows, and it begins to end only when the one before is durable: under load epochs stretch rather
//! than queue, up to a second on purpose, since a key that changes often is written once an epoch. Neither of the two
//! ever touches a tuple, and both have a `step()` that a thread, a test or a simulation drives.
//!
//! Source of the barriers: P. Carbone et al., "Lightweight Asynchronous Snapshots for Distributed Dataflows", 2015.

mod committer;
mod coordinator;
#[cfg(test)]
mod tests;

pub use committer::{CommitMeter, Committer, Heard};
pub use coordinator::{Coordinator, Orders, Pace};
