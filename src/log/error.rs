//! What can go wrong with a log, in words for whoever runs it.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a log cannot do what it was asked.
#[derive(Debug, Error)]
pub enum LogError {
    /// The operating system refuses.
    #[error("{doing}{hint}", hint = hint(source))]
    Io {
        /// What could not be done, and with which file.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
    /// Another writer has the partition, or another process is changing the topic.
    #[error("{} is in use by {}; stop it first, or use another topic", path.display(), holder(*process))]
    Locked {
        /// What is locked.
        path: PathBuf,
        /// The process that holds it, if it is known.
        process: Option<u32>,
    },
    /// The partition is written by somebody else.
    #[error("{} is written by {owner}, and a partition has one writer; use another topic", folder.display())]
    Owned {
        /// The partition.
        folder: PathBuf,
        /// Who writes it.
        owner: String,
    },
    /// There is no such topic.
    #[error("there is no topic `{name}` in {}; `sferic log append {name}` or a bolt of kind `log` makes it", folder.display())]
    NoTopic {
        /// The topic.
        name: String,
        /// The log's folder.
        folder: PathBuf,
    },
    /// There is no such partition.
    #[error("topic `{name}` has no partition {partition}; it has {partitions}, counted from 0")]
    NoPartition {
        /// The topic.
        name: String,
        /// What was asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// A topic cannot have this name, or these options.
    #[error("{0}")]
    Refused(String),
    /// A newer version wrote it.
    #[error("{} has format {found}, this version reads up to {known}; use the newer sferic", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is understood.
        known: u32,
    },
    /// What is on the disk is not what was written.
    #[error("{} is damaged at byte {byte} (offset {offset}): {what}; {advice}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        byte: u64,
        /// The record that should begin there.
        offset: u64,
        /// What is wrong.
        what: String,
        /// What is safe to do.
        advice: String,
    },
    /// The records were dropped by retention or a trim.
    #[error("{} no longer has offset {wanted}: retention or a trim has dropped it; the first there is {first}", folder.display())]
    Gone {
        /// The partition.
        folder: PathBuf,
        /// What was asked for.
        wanted: u64,
        /// The first offset there is.
        first: u64,
    },
    /// The offset lies behind the end.
    #[error("{} has no offset {wanted} yet: it ends at {end}{}", folder.display(), hint_of_loss(*committed))]
    Beyond {
        /// The partition.
        folder: PathBuf,
        /// What was asked for.
        wanted: u64,
        /// The end.
        end: u64,
        /// Whether a commit says that it must be there.
        committed: bool,
    },
    /// A record is too large.
    #[error("a record of {bytes} bytes is longer than the log takes ({max} bytes); split it, or store it elsewhere")]
    TooLong {
        /// Its key and value.
        bytes: usize,
        /// The most there may be.
        max: usize,
    },
    /// A sync failed before: nobody knows what is on the disk.
    #[error(
        "{} cannot be written any more: the disk refused to make it durable before, so what is on it is not known; check the disk and start again",
        folder.display()
    )]
    Poisoned {
        /// The partition.
        folder: PathBuf,
    },
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room and try again",
        _ => "",
    }
}

fn hint_of_loss(committed: bool) -> &'static str {
    match committed {
        true => ", but a commit refers to it: segment files were removed or belong to another store; restore them",
        false => "",
    }
}

impl LogError {
    /// An error of the operating system about a file: `doing` such as `cannot read`.
    pub(super) fn io(doing: &str, path: &Path, source: io::Error) -> LogError {
        LogError::Io { doing: format!("{doing} {}", path.display()), source }
    }

    /// Whether the same call may succeed later without anything having been lost.
    pub fn may_be_retried(&self) -> bool {
        matches!(self, LogError::Io { .. } | LogError::Locked { .. })
    }
}
