//! What a component is: the traits of spouts and bolts, their factories, what they see while they are checked and built.
//!
//! Three steps, each a type of its own: a **factory** ([`SpoutFactory`], [`BoltFactory`]) knows a kind and checks what
//! the user wrote; a **plan** ([`SpoutPlan`], [`BoltPlan`]) is a checked component, immutable, with the columns of its
//! streams; an **instance** ([`Spout`], [`Bolt`]) is one task of it, owned by one executor. Never knows the config
//! file's layout, the graph or threads.

mod bolt;
mod options;
mod outbox;
mod registry;
mod spout;
mod table;

pub use bolt::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ERRORS, Flow, InputStream, Inputs, Keyed,
    OutputColumn, OutputStream, Sections, Step, Teller,
};
pub use options::{Key, NestedOptions, Node, NodeValue, OptionSpec, Options, Table, TextNode, parse_size};
pub use outbox::{Mark, Outbox};
pub use registry::Registry;
pub use spout::{
    Again, Intake, Polled, Raw, Reject, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan,
};

pub use table::{TableChange, TableChanges, TableFactory, TableFollower, TablePlan};

use crate::expr::Environment;
use thiserror::Error;

/// Why a component cannot start or go on: something outside, said in words for the user.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct ComponentError {
    /// What happened, where, and what to do.
    pub message: String,
    /// The operating system's error, if there is one.
    #[source]
    pub source: Option<std::io::Error>,
}

impl ComponentError {
    /// An error in words.
    pub fn new(message: impl Into<String>) -> ComponentError {
        ComponentError { message: message.into(), source: None }
    }

    /// An error of the operating system, with what was being done.
    pub fn io(doing: impl Into<String>, source: std::io::Error) -> ComponentError {
        ComponentError { message: doing.into(), source: Some(source) }
    }
}

/// What checks of all components share: parameters and reference tables, seen by every expression.
pub type SharedEnvironment = std::sync::Arc<Environment>;
