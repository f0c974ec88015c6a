//! Where tuples come from: one file for each kind of spout; [`crate::decoder`] makes tuples of their records.
//!
//! Owns the kinds `file`, `stdin`, `generate`, `timer`, `log` and `tcp` and the reader of reference tables. Never knows
//! the graph, executors or the config file's layout. Invariant: a spout never waits: what is not there yet is asked for
//! again at the next poll.

mod blocks;
mod file;
pub mod generate;
mod log;
mod records;
mod stdin;
mod table;
mod tcp;
mod timer;

pub use file::FileFactory;
pub use log::LogFactory;
pub use stdin::StdinFactory;
pub use table::ReferenceTables;
pub use tcp::TcpFactory;
pub use timer::Timer;

use crate::component::{OptionSpec, Registry};
use crate::files::DiskFiles;
use std::sync::Arc;

/// Adds all kinds of spouts, and what reads reference tables.
pub fn register(registry: Registry) -> Registry {
    registry
        .spout(FileFactory)
        .spout(StdinFactory)
        .spout(LogFactory { files: Arc::new(DiskFiles) })
        .spout(TcpFactory)
        .spout(generate::Generate)
        .spout(Timer)
        .table(ReferenceTables)
}

/// One list of options out of two; `N` is the sum of their lengths.
const fn joined<const N: usize>(first: &[OptionSpec], second: &[OptionSpec]) -> [OptionSpec; N] {
    assert!(first.len() + second.len() == N, "the length is the sum of both");
    let mut all = [first[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}
