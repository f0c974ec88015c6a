//! The embedded log: topics of records that are only ever appended, in segment files of their own.
//!
//! Owns the files below `<data_dir>/log`: `<topic>/topic` (what a topic is), and for each partition
//! `<topic>/<partition>/` with segments named by their first offset (20 digits, `.seg`), an index beside each full
//! segment (`.idx`, can be made again), `end` (how far readers may read), `owner` and `lock`. Never knows topologies,
//! formats of values, or clocks: the time of a record is the caller's.
//!
//! 1. A partition has one [`Writer`]: it gathers records in a group, writes the group with one write
//!    ([`Writer::flush`]) and makes it durable when its [`SyncPolicy`] or the caller ([`Writer::sync`]) says so.
//! 2. What is *written* is not yet *visible*. A journal shows all that is flushed; a writer whose end belongs to a
//!    commit shows it by [`Writer::publish`], and cuts back to the commit's end by [`Writer::truncate_to`].
//! 3. A [`Reader`] reads blocks up to the visible end and hands out records where they lie. In the writer's process it
//!    learns the end from an atomic, elsewhere from the file `end`.
//! 4. A record carries a checksum over all of it. What a crash tore at the end is cut off when the next writer opens; a
//!    record that is broken where everything had been durable is an error, never skipped.
//!
//! Invariant: the offsets of a partition have no gap, and a record that was durable when the machine stopped is there
//! with the same offset, until retention or a trim drops the whole segment it is in.

mod end;
mod error;
mod prepared;
mod reader;
mod record;
mod recovery;
mod retention;
mod segment;
mod shared;
mod topic;
mod verify;
mod writer;

pub use error::LogError;
pub use prepared::Prepared;
pub use reader::{Reader, Start};
pub use record::{MAX_RECORD_BYTES, Record};
pub use retention::{Retention, Trim, Trimmed};
pub use topic::{FOLDER, Log, PartitionStats, Topic, TopicOptions};
pub use verify::{Damage, Verified};
pub use writer::{Owner, SyncPolicy, Writer, WriterOptions};

#[cfg(test)]
mod tests;
