//! The kinds of bolts, sinks among them: one file each, one explicit list ([`register`]).
//!
//! A factory checks what the user wrote and reports every problem; its plan says what the streams look like; a bolt is
//! one task. `where` and `having` are the runtime's business and appear in none of them. Never knows the runtime, the
//! graph or other components.

mod adds;
mod aggregate;
mod cells;
pub mod columns;
mod console;
mod expand;
mod file;
mod filter;
mod gather;
mod in_order;
mod join;
mod kept_row;
mod log;
mod null;
mod parse;
mod pattern;
mod quality;
#[cfg(test)]
mod rig;
mod route;
mod row_file;
mod rules;
mod select;
pub mod table;
mod text_table;
mod throttle;
mod top;
mod ttl;

pub use aggregate::Aggregate;
pub use console::Console;
pub use expand::Expand;
pub use file::File;
pub use filter::Filter;
pub use gather::{Gather, Share};
pub use join::Join;
pub use log::Log;
pub use null::Null;
pub use parse::Parse;
pub use pattern::{Pattern, partial_matches};
pub use quality::Quality;
pub use route::Route;
pub use rules::Rules;
pub use select::Select;
pub use table::Table;
pub use text_table::{Align, TextTable};
pub use throttle::{Dedupe, Throttle};
pub use top::Top;
pub use ttl::{FOREVER, ttl};

use crate::component::Registry;
use crate::expr::EvalError;
use crate::files::DiskFiles;
use std::sync::Arc;

/// Adds the bolts of this folder to a registry.
pub fn register(registry: Registry) -> Registry {
    registry
        .bolt(Filter)
        .bolt(Select)
        .bolt(Expand)
        .bolt(Parse)
        .bolt(Route)
        .bolt(Rules)
        .bolt(Quality)
        .bolt(Table)
        .bolt(Console)
        .bolt(File)
        .bolt(Log { files: Arc::new(DiskFiles) })
        .bolt(Null)
        .bolt(Aggregate)
        .bolt(Top)
        .bolt(Pattern)
        .bolt(Throttle)
        .bolt(Dedupe)
        .bolt(Join)
}

/// Words for an expression that failed on a tuple: what it is (`add.share`), and why.
#[cold]
pub fn failure_text(what: &str, error: &EvalError) -> String {
    error.text(what)
}

/// The path of one of several rows of a tuple, told apart by a number; the same at every replay.
pub fn path_of_row(path: u64, ordinal: u64) -> u64 {
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&path.to_le_bytes());
    bytes[8..].copy_from_slice(&ordinal.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
