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
}
