//! The kinds of bolts, sinks among them: one file each, one explicit list ([`register`]).
//!
//! A factory checks what the user wrote and reports every problem; its plan says what the streams look like; a bolt is
//! one task. `where` and `having` are the runtime's business and appear in none of them. Never knows the runtime, the
//! graph or other components.

mod aggregate;
pub mod columns;
mod console;
mod file;
mod filter;
mod gather;
mod in_order;
mod log;
mod null;
mod quality;
#[cfg(test)]
mod rig;
mod row_file;
mod rules;
mod select;
pub mod table;
mod text_table;
mod throttle;
mod ttl;

pub use aggregate::Aggregate;
pub use console::Console;
pub use file::File;
pub use filter::Filter;
pub use gather::{Gather, Share};
pub use log::Log;
pub use null::Null;
pub use quality::Quality;
pub use rules::Rules;
pub use select::Select;
pub use table::Table;
pub use text_table::{Align, TextTable};
pub use throttle::{Dedupe, Throttle};
pub use ttl::{FOREVER, ttl};

use crate::component::Registry;
use crate::expr::EvalError;

/// Adds the bolts of this folder to a registry.
pub fn register(registry: Registry) -> Registry {
    registry
        .bolt(Filter)
        .bolt(Select)
        .bolt(Rules)
        .bolt(Quality)
        .bolt(Table)
        .bolt(Console)
        .bolt(File)
        .bolt(Log)
        .bolt(Null)
        .bolt(Aggregate)
        .bolt(Throttle)
        .bolt(Dedupe)
}

/// Words for an expression that failed on a tuple: what it is (`add.share`), and why.
#[cold]
pub fn failure_text(what: &str, error: &EvalError) -> String {
    error.text(what)
}
