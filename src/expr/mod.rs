//! SQL expressions with PostgreSQL's meaning: parsed by `sqlparser`, typed against columns before anything starts,
//! folded, compiled once into closures over frames.
//!
//! Pure: never reads a clock, a file or a thread. Columns are numbers given by the [`Scope`]; [`Expr::compile`] maps
//! them to slots.

mod aggregate;
mod cast;
mod compile;
mod entries;
mod environment;
mod fault;
mod functions;
mod index;
mod like;
mod math;
mod node;
mod number;
mod operators;
mod order_by;
mod pattern;
mod resolve;
mod set;
mod source;
mod special;
mod template;
pub mod text;
mod timestamp;

#[cfg(test)]
mod tests;

pub use aggregate::{AggregateCall, AggregateFunction, Entries, EntryStep, Over};
pub use compile::Compiled;
pub use entries::{check_entries, check_row_entries, check_set};
pub use environment::{Environment, Param, ReferenceTable};
pub use functions::{FunctionDoc, FunctionGroup, functions};
pub use index::{CompiledConditions, Condition, Conditions};
pub use operators::{OperatorDoc, operators};
pub use order_by::{CompiledOrder, OrderBy, check_order};
pub use set::{CompiledSet, SETS, SetExpr};
pub use template::{CompiledTemplate, Template};

use crate::tuple::{Column, DataType, Slot, Value};
use node::Node;
use std::ops::Range;
use std::sync::Arc;

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

/// A checked expression. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expr {
    tree: Arc<Tree>,
}

#[derive(Debug)]
struct Tree {
    node: Node,
    columns: Vec<usize>,
}

/// Why an expression failed on a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// A word of a small fixed set: `division_by_zero`, `overflow`, `bad_cast`, ...
    pub reason: &'static str,
    /// For people; may be empty.
    pub detail: Box<str>,
}

impl EvalError {
    /// In words: what failed (`add.share`, `where`), and why.
    #[cold]
    pub fn text(&self, what: &str) -> String {
        match &*self.detail {
            "" => format!("{what}: {}", self.reason.replace('_', " ")),
            detail => format!("{what}: {detail}"),
        }
    }
}

/// Checks an expression without aggregates.
///
/// # Errors
/// All problems found.
pub fn check(text: &str, scope: &Scope<'_>) -> Result<Checked<Expr>, Vec<ExprError>> {
    let mut checked = check_entries(&[("", text)], scope, false)
        .map_err(|errors| errors.into_iter().map(|(_, error)| error).collect::<Vec<_>>())?;
    match checked.value.expressions.pop() {
        Some(value) => Ok(Checked { value, warnings: checked.warnings }),
        None => Err(Vec::new()),
    }
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
    pub(crate) fn from_node(node: Node) -> Expr {
        let mut columns = Vec::new();
        node.each_column(&mut |column| columns.push(column));
        columns.sort_unstable();
        columns.dedup();
        Expr { tree: Arc::new(Tree { node, columns }) }
    }

    #[cfg(test)]
    pub(crate) fn node(&self) -> &Node {
        &self.tree.node
    }

    /// Its type.
    pub fn data_type(&self) -> DataType {
        self.tree.node.ty
    }

    /// Whether it can be NULL.
    pub fn nullable(&self) -> bool {
        self.tree.node.nullable
    }

    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.tree.columns
    }

    /// Its value where it is a constant.
    pub fn constant(&self) -> Option<&Value> {
        self.tree.node.as_constant()
    }

    /// The number of the column where it is just one.
    pub fn as_column(&self) -> Option<usize> {
        match self.tree.node.kind {
            node::Kind::Column(number) => Some(number),
            _ => None,
        }
    }

    /// An expression that is just this column.
    pub fn column(number: usize, column: &Column) -> Expr {
        Expr::from_node(Node::column(number, column.ty, column.nullable))
    }

    /// The same expression over other column numbers (for bolts that lay out their own numbering).
    pub fn renumber(&self, number: &dyn Fn(usize) -> usize) -> Expr {
        let mut node = self.tree.node.clone();
        node.renumber(number);
        Expr::from_node(node)
    }

    /// Compiles it for frames where column `n` stands in `slots(n)`.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> Compiled {
        Compiled::new(&self.tree.node, slots)
    }
}
