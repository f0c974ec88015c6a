//! Reference tables (`[tables.NAME]`): who reads them.

use super::{ComponentError, OptionSpec, SpoutCheck};
use crate::tuple::{Column, Value};
use std::path::PathBuf;

/// What understands the tables of `[tables.*]`.
pub trait TableFactory: Send + Sync {
    /// The keys a table may have.
    fn options(&self) -> &'static [OptionSpec];

    /// A whole topology that shows one in use, for the reference; it is run by the tests. Empty: there is none.
    fn example(&self) -> &'static str {
        ""
    }

    /// Checks what the user wrote (the component is called `tables.NAME`).
    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn TablePlan>>;
}

/// A checked reference table.
pub trait TablePlan: Send + Sync {
    /// Its columns.
    fn columns(&self) -> &[Column];

    /// Which of them are the key.
    fn key(&self) -> &[usize];

    /// The file whose change asks for a reload; none if it is read once.
    fn watched(&self) -> Option<PathBuf>;

    /// Reads all rows, from the start.
    ///
    /// # Errors
    /// The file is missing or broken: what and where, for people. Nothing of it counts.
    fn load(&self) -> Result<Vec<Vec<Value>>, ComponentError>;

    /// What follows the rows that come while the topology runs; none where there are no others than the loaded ones. Its
    /// first looks, until one says that there is no more, belong to the load.
    ///
    /// # Errors
    /// What is followed is missing or broken.
    fn follow(&self) -> Result<Option<Box<dyn TableFollower>>, ComponentError> {
        Ok(None)
    }
}

/// Follows what a table is made of.
pub trait TableFollower: Send {
    /// What has come since the last look, without waiting.
    ///
    /// # Errors
    /// It cannot be read on. The rows that there are stay.
    fn look(&mut self) -> Result<TableChanges, ComponentError>;
}

/// What a look has found.
#[derive(Debug, Default, PartialEq)]
pub struct TableChanges {
    /// Changes, in their order.
    pub changes: Vec<TableChange>,
    /// What people should know, if something was wrong.
    pub warning: Option<String>,
    /// Whether there is more to be had at once.
    pub more: bool,
}

/// A change of one row.
#[derive(Debug, PartialEq)]
pub enum TableChange {
    /// This row counts for its key from now on.
    Put(Vec<Value>),
    /// There is no row of this key any more: the values of the key's columns, in the order of the key.
    Remove(Vec<Value>),
}
