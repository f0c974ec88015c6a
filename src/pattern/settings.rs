//! What a matcher is told: bounds, where the search goes on, what a row is.

use super::buffer::Path;

/// Where the search goes on after a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Behind its last row.
    PastLast,
    /// At the row after its first one.
    ToNext,
    /// At the first row of a variable; at the row after its first one where the variable has no row or that one.
    ToFirst(usize),
    /// At the last row of a variable, likewise.
    ToLast(usize),
    /// Every match counts, also several that begin with the same row.
    None,
}

/// What happens when a key has too many partial matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Those with the oldest first row go.
    DropOldest,
    /// Those with the newest first row go.
    DropNewest,
    /// The row fails and changes nothing.
    Error,
}

/// What matches are bounded by, and what is known of the conditions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest time between first and last row, microseconds; `i64::MAX`: none.
    pub within: i64,
    /// For each variable the longest time since the row before; `i64::MAX`: none.
    pub gaps: Vec<i64>,
    /// The variables with a stop condition.
    pub until: u64,
    /// The variables whose conditions look at nothing but the row itself.
    pub own: u64,
    /// Where the search goes on.
    pub skip: Skip,
    /// Most partial matches of a key.
    pub partials_max: usize,
    /// What happens beyond.
    pub overflow: Overflow,
    /// Whether partial matches whose time is over are reported.
    pub timed_out: bool,
}

/// What a row is. It knows the row that is looked at.
pub trait Conditions {
    /// What is kept of a row that a partial match takes.
    type Row: Default;
    /// Why a condition can fail.
    type Error;

    /// Whether the row may be `variable`, behind these rows.
    ///
    /// # Errors
    /// The condition fails.
    fn test(&mut self, variable: usize, path: Path<'_, Self::Row>) -> Result<bool, Self::Error>;

    /// Whether the stop condition of `variable` is true for the row, behind these rows.
    ///
    /// # Errors
    /// The condition fails.
    fn until(&mut self, variable: usize, path: Path<'_, Self::Row>) -> Result<bool, Self::Error> {
        let _ = (variable, path);
        Ok(false)
    }

    /// What the row is identified by, the same after a replay. Asked for only if the row is kept.
    fn id(&self) -> u64;

    /// Writes what is kept of the row over what was kept of another one.
    fn store(&mut self, row: &mut Self::Row);
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowError<E> {
    /// A condition failed.
    Condition(E),
    /// The key would have too many partial matches.
    Overflow,
}
