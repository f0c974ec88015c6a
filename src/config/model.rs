//! A topology file as the user wrote it: includes merged, parameters and environment substituted.

use crate::component::{Key, Node, Table};
use crate::problem::Span;
use std::path::PathBuf;

/// A topology as written.
#[derive(Debug, Default)]
pub struct Model {
    /// `name`, else the stem of the root file.
    pub name: String,
    /// `[params]`, in the order of the file; what `--set` says has replaced values.
    pub params: Vec<(Key, Node)>,
    /// `[schemas.*]`.
    pub schemas: Vec<Item>,
    /// `[tables.*]`.
    pub tables: Vec<Item>,
    /// `[spouts.*]`.
    pub spouts: Vec<Item>,
    /// `[bolts.*]`.
    pub bolts: Vec<Item>,
    /// `[runtime]`.
    pub runtime: Option<(Span, Table)>,
    /// What `--data-dir` says, which wins over `data_dir` in `[runtime]`.
    pub data_dir: Option<PathBuf>,
    /// `[latency]`.
    pub latency: Vec<(Key, Node)>,
    /// `[[tests]]`, each a table.
    pub tests: Vec<Node>,
    /// A file could not be read or is no TOML: what is here is not all, and to check it would only tell follow-ups.
    pub incomplete: bool,
}

/// A named table of a section: a spout, a bolt, ...
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub key: Key,
    /// What is written about it.
    pub table: Table,
    /// Folder of the file that it stands in.
    pub folder: PathBuf,
}

/// One `[[tests]]`.
#[derive(Clone, Debug)]
pub struct TestModel {
    /// `name`.
    pub name: String,
    /// Place of the test.
    pub span: Span,
    /// Event time at which `at = "0s"` is, microseconds since 1970 (`start`, 2024-01-01 00:00 UTC by default).
    pub start: i64,
    /// `defaults.STREAM`: values that fill rows.
    pub defaults: Vec<(String, Table)>,
    /// `tables.NAME`: rows of reference tables (others are empty).
    pub tables: Vec<(String, Vec<Table>)>,
    /// `given`, repetitions (`every`, `times`) unrolled, in order of time.
    pub given: Vec<GivenRow>,
    /// `expect`.
    pub expect: Vec<ExpectRow>,
    /// `expect_none`, with places.
    pub expect_none: Vec<(String, Span)>,
}

/// A row of `given`: a tuple for a stream, or just a movement of the clock.
#[derive(Clone, Debug)]
pub struct GivenRow {
    /// Microseconds after `start`.
    pub at: i64,
    /// Stream and row; none moves the clock only.
    pub row: Option<(String, Table)>,
    /// Place of the row.
    pub span: Span,
}

/// A row of `expect`.
#[derive(Clone, Debug)]
pub struct ExpectRow {
    /// Event time of the row, microseconds after `start`, if it matters.
    pub at: Option<i64>,
    /// The stream.
    pub stream: String,
    /// A table of columns that must be equal, or a string with an SQL condition.
    pub row: Node,
    /// Place of the row.
    pub span: Span,
}
