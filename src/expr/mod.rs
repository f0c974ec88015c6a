//! SQL expressions with PostgreSQL's meaning: parsed by `sqlparser`, typed against columns before anything starts,
//! folded, compiled once into closures over frames.
//!
//! Pure: never reads a clock, a file or a thread. Columns are numbers given by the [`Scope`]; [`Expr::compile`] maps
//! them to slots.

mod aggregate;
mod environment;

pub use aggregate::{AggregateCall, AggregateFunction, Entries, EntryStep, Over};
pub use environment::{Environment, Param, ReferenceTable};

use crate::tuple::{Arena, Column, DataType, Frame, Slot, TextWord, Value};
use std::ops::Range;

/// What an expression may name.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Columns in order; the index is the column's number. A stream's name qualifies them (`terminal.amount`).
    pub columns: &'a [ScopeColumn<'a>],
    /// Parameters and reference tables.
    pub environment: &'a Environment,
}

/// A column that an expression may name.
#[derive(Clone, Copy, Debug)]
pub struct ScopeColumn<'a> {
    /// The stream, which may stand before the name.
    pub stream: &'a str,
    /// Name, type, nullability.
    pub column: &'a Column,
}

/// Something wrong in the text of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// Words beside the underlined text; may be empty.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
    /// A warning only.
    pub warning: bool,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Expr {
    ty: DataType,
    nullable: bool,
}

/// Why an expression failed on a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// A word of a small fixed set: `division_by_zero`, `overflow`, `bad_cast`, ...
    pub reason: &'static str,
    /// For people; may be empty.
    pub detail: Box<str>,
}

/// Checks an expression without aggregates.
///
/// # Errors
/// All problems found.
pub fn check(text: &str, scope: &Scope<'_>) -> Result<Checked<Expr>, Vec<ExprError>> {
    let _ = (text, scope);
    Err(Vec::new())
}

/// Checks the entries of an `add` table (name, text) together: they may use each other in any order (a cycle is an
/// error); inside its own expression a name means the input's column. With `aggregates`, calls of aggregate functions
/// and `lag` are allowed and taken out into [`Entries::calls`].
///
/// # Errors
/// All problems found, each with the index of its entry.
pub fn check_entries(
    entries: &[(&str, &str)],
    scope: &Scope<'_>,
    aggregates: bool,
) -> Result<Checked<Entries>, Vec<(usize, ExprError)>> {
    let _ = (entries, scope, aggregates);
    Err(Vec::new())
}

/// A result and what deserves a warning.
#[derive(Clone, Debug)]
pub struct Checked<T> {
    /// The result.
    pub value: T,
    /// Warnings, with the index of the entry (0 for a single expression).
    pub warnings: Vec<(usize, ExprError)>,
}

impl Expr {
    /// Its type.
    pub fn data_type(&self) -> DataType {
        self.ty
    }

    /// Whether it can be NULL.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &[]
    }

    /// Its value where it is a constant.
    pub fn constant(&self) -> Option<&Value> {
        None
    }

    /// An expression that is just this column.
    pub fn column(number: usize, column: &Column) -> Expr {
        let _ = number;
        Expr { ty: column.ty, nullable: column.nullable }
    }

    /// The same expression over other column numbers (for bolts that lay out their own numbering).
    pub fn renumber(&self, number: &dyn Fn(usize) -> usize) -> Expr {
        let _ = number;
        self.clone()
    }

    /// Compiles it for frames where column `n` stands in `slots(n)`.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> Compiled {
        let _ = slots;
        Compiled {}
    }
}

/// An expression ready to run. Owned by one executor.
pub struct Compiled {}

impl Compiled {
    /// The value as a word of a slot, none for NULL. Text lives until the run is over.
    ///
    /// # Errors
    /// The expression fails on this tuple.
    #[inline]
    pub fn eval(&self, frame: &Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let _ = (frame, arena);
        Ok(None)
    }

    /// Whether a boolean expression is true (neither false nor NULL).
    ///
    /// # Errors
    /// The expression fails on this tuple.
    #[inline]
    pub fn test(&self, frame: &Frame, arena: &Arena) -> Result<bool, EvalError> {
        Ok(self.eval(frame, arena)? == Some(1))
    }
}

/// Text with `{expression}` in it (a rule's `reason`); `{{` and `}}` are braces.
#[derive(Clone, Debug)]
pub struct Template {}

impl Template {
    /// Checks a template.
    ///
    /// # Errors
    /// All problems found; ranges are bytes of the template.
    pub fn check(text: &str, scope: &Scope<'_>) -> Result<Checked<Template>, Vec<ExprError>> {
        let _ = (text, scope);
        Err(Vec::new())
    }

    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &[]
    }

    /// Compiles it.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> CompiledTemplate {
        let _ = slots;
        CompiledTemplate {}
    }
}

/// A template ready to run.
pub struct CompiledTemplate {}

impl CompiledTemplate {
    /// The text, in `arena`. A NULL inside prints as nothing.
    ///
    /// # Errors
    /// An expression in it fails on this tuple.
    pub fn render(&self, frame: &Frame, arena: &Arena) -> Result<TextWord, EvalError> {
        let _ = frame;
        Ok(arena.store(""))
    }
}
