//! Dead letters: what failed and nobody reads, kept in a topic of the embedded log until somebody does.
//!
//! 1. A task or a split whose `errors` or `late` nobody reads hands what failed to the [`Tray`] of its pipeline, with
//!    the record as it was read, or the row as a JSON object ([`Draft`]).
//! 2. At the barrier the tray's letters go to the topic, all of the epoch that ends and none of the next; the topic's end
//!    goes into the epoch's batch, which waits for its sync ([`Desk`]).
//! 3. When the epoch is durable readers see them. After a crash what lies behind the last epoch is cut off.
//!    Letters that the disk refuses wait in their tray and are tried again: their epoch does not become durable until the
//!    topic has them.
//! 4. What is replayed and fails again is a letter again, which says how often it has been tried ([`Replayed`]).
//!
//! Never follows a tuple, and is never asked about one that does not fail. Invariant: the letters below the end that the
//! last epoch knows are those of the tuples that it knows, each once.

mod desk;
mod letter;
mod row;

pub use desk::{Desk, DeskSpec, Replayed, Tray};
pub use letter::{Content, Draft, Letter};
pub use row::{Row, Scalar, fits};

#[cfg(test)]
mod tests;

/// How long letters are kept where nothing else is said, microseconds: thirty days.
pub const AGE: i64 = 30 * 24 * 3600 * 1_000_000;
/// How much of them is kept where nothing else is said, bytes.
pub const BYTES: u64 = 1 << 30;
/// Reason of a late row.
pub const LATE: &str = "late";
/// Reason of a tuple on which a component panicked.
pub const PANIC: &str = "panic";

/// The topic of a topology's dead letters, where it is not named: what cannot stand in a topic's name becomes `_`.
pub fn topic_name(topology: &str) -> String {
    const LONGEST: usize = 60;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut name: String = topology.chars().map(|c| if allowed(c) { c } else { '_' }).take(LONGEST).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name.insert(0, 't');
    }
    name + ".dead"
}
