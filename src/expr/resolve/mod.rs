//! From the syntax tree to the typed tree: names, types, conversions, folding of constants.
//!
//! All problems are collected; where a part is broken, the rest is still looked at. What a name means is decided by
//! [`Names`], so that the entries of an `add` table, which see each other, share everything else.

mod aggregates;
mod calls;
mod literal;
mod operators;
mod postfix;
mod sets;

use super::aggregate::AggregateCall;
use super::compile;
use super::node::{Kind, Node};
use super::source::{Source, problem};
use super::{Environment, ExprError};
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::ops::Range;

pub(crate) use calls::ColumnUse;

/// Deepest nesting of an expression; sqlparser's own limit concerns parentheses only.
const DEPTH_MAX: usize = 250;

/// Marks a part whose problem has been reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// A resolved part, before its parent has said what it wants.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The part.
    pub(crate) node: Node,
    /// A string literal, a string parameter or NULL: takes the type that is wanted.
    pub(crate) unknown: bool,
    /// Bytes of the text.
    pub(crate) range: Range<usize>,
}

pub(crate) type Resolved = Result<Typed, Reported>;

/// Why a name means nothing.
pub(crate) enum Missing {
    /// There is none; the nearest one.
    Unknown(Option<String>),
    /// Several streams have it.
    Ambiguous(Vec<String>),
    /// Another problem, and what to do.
    Other(String, Option<String>),
    /// It means another expression, whose problems are reported there.
    Broken,
}

/// What names mean.
pub(crate) trait Names {
    /// The column of this name.
    fn column(&mut self, stream: Option<&str>, name: &str, wanted: ColumnUse) -> Result<Node, Missing>;

    /// Whether aggregates are allowed here.
    fn aggregates(&self) -> bool;

    /// Whether the expression is about the rows of a match.
    fn rows(&self) -> bool {
        false
    }

    /// Takes out a call and gives the column that stands for it.
    fn call(&mut self, call: AggregateCall) -> Node;

    /// Whether a value comes from aggregates.
    fn is_aggregate(&self, node: &Node) -> bool;

    /// The stream of all these columns, if it is one.
    fn stream_of(&self, columns: &[usize]) -> Option<String>;

    /// The names of the columns there are, of one stream if it is known.
    fn columns(&self, stream: Option<&str>) -> Vec<&str>;

    /// The stream of this name, in the spelling of the scope; else the nearest.
    fn stream(&self, name: &str) -> Result<String, Option<String>>;
}

/// Resolves one expression.
pub(crate) struct Resolver<'a> {
    /// The text.
    pub(crate) source: &'a Source<'a>,
    /// What names mean.
    pub(crate) names: &'a mut dyn Names,
    /// Parameters and tables.
    pub(crate) environment: &'a Environment,
    /// Problems so far.
    pub(crate) errors: Vec<ExprError>,
    /// The expression's index in its table.
    pub(crate) entry: usize,
    /// How columns are looked at: inside `lag`, inside an aggregate.
    wanted: ColumnUse,
    inside_aggregate: bool,
    /// Within how many results of `case`: their conditions may have looked at a divisor.
    guarded: usize,
    depth: usize,
}

impl<'a> Resolver<'a> {
    /// A resolver for one text.
    pub(crate) fn new(
        source: &'a Source<'a>,
        names: &'a mut dyn Names,
        environment: &'a Environment,
        entry: usize,
    ) -> Resolver<'a> {
        let wanted = ColumnUse::Now;
        Resolver {
            source,
            names,
            environment,
            errors: Vec::new(),
            entry,
            wanted,
            inside_aggregate: false,
            guarded: 0,
            depth: 0,
        }
    }

    /// Resolves the whole expression.
    pub(crate) fn whole(&mut self, expr: &ast::Expr) -> Result<Node, Reported> {
        let typed = self.expr(expr)?;
        // What is still open is text, as in PostgreSQL.
        self.coerce(typed, None)
    }

    /// Reports a problem.
    pub(crate) fn error(&mut self, range: &Range<usize>, message: impl Into<String>) -> Reported {
        self.errors.push(problem(range.clone(), message));
        Reported
    }

    /// Reports a problem and what to do.
    pub(crate) fn error_hint(&mut self, range: &Range<usize>, message: String, hint: impl Into<String>) -> Reported {
        self.errors.push(ExprError { hint: Some(hint.into()), ..problem(range.clone(), message) });
        Reported
    }

    /// Reports a warning.
    pub(crate) fn warn(&mut self, range: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(ExprError { hint: Some(hint.into()), warning: true, ..problem(range.clone(), message) });
    }

    /// A part with a place, folded if it is constant.
    pub(crate) fn typed(&self, ty: DataType, kind: Kind, range: Range<usize>) -> Typed {
        Typed { node: fold(Node::new(ty, kind)), unknown: false, range }
    }

    /// Resolves a part.
    pub(crate) fn expr(&mut self, expr: &ast::Expr) -> Resolved {
        if self.depth >= DEPTH_MAX {
            let range = self.source.range(expr);
            return Err(self.error_hint(
                &range,
                "the expression is nested too deeply".to_owned(),
                "give parts of it names of their own",
            ));
        }
        self.depth += 1;
        let resolved = self.dispatch(expr);
        self.depth -= 1;
        resolved
    }

    fn dispatch(&mut self, expr: &ast::Expr) -> Resolved {
        use ast::Expr as E;
        let range = || self.source.range(expr);
        match expr {
            E::Nested(inner) => {
                let mut typed = self.expr(inner)?;
                typed.range = self.source.range(expr);
                Ok(typed)
            }
            E::Identifier(name) => self.column(None, name),
            E::CompoundIdentifier(names) => self.compound(names),
            E::CompoundFieldAccess { root, access_chain } => self.lookup(expr, root, access_chain),
            E::Value(value) => self.literal(value),
            E::TypedString(typed) => self.typed_string(typed),
            E::Interval(interval) => self.interval(interval, range()),
            E::UnaryOp { op, expr: operand } => self.unary(*op, operand, range()),
            E::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            E::IsNull(operand) => self.is_null(operand, false, range()),
            E::IsNotNull(operand) => self.is_null(operand, true, range()),
            E::IsTrue(operand) => self.is_truth(operand, true, false),
            E::IsNotTrue(operand) => self.is_truth(operand, true, true),
            E::IsFalse(operand) => self.is_truth(operand, false, false),
            E::IsNotFalse(operand) => self.is_truth(operand, false, true),
            E::IsUnknown(operand) => self.is_unknown(operand, false),
            E::IsNotUnknown(operand) => self.is_unknown(operand, true),
            E::IsDistinctFrom(left, right) => self.distinct(left, right, false, range()),
            E::IsNotDistinctFrom(left, right) => self.distinct(left, right, true, range()),
            E::Between { expr: operand, negated, low, high } => self.between(operand, *negated, low, high, range()),
            E::InList { expr: operand, list, negated } => self.in_list(operand, list, *negated, range()),
            E::Like { negated, any: false, expr: text, pattern, escape_char } => {
                self.like(text, pattern, escape_char.as_deref(), false, *negated, range())
            }
            E::ILike { negated, any: false, expr: text, pattern, escape_char } => {
                self.like(text, pattern, escape_char.as_deref(), true, *negated, range())
            }
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), range())
            }
            E::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr: operand, data_type, .. } => {
                self.cast(operand, data_type, range())
            }
            E::Function(function) => self.function(function, range()),
            E::Extract { field, expr: operand, .. } => self.extract(&field.to_string(), operand, range()),
            E::Ceil { expr: operand, field } => self.ceil_floor("ceil", operand, field, range()),
            E::Floor { expr: operand, field } => self.ceil_floor("floor", operand, field, range()),
            E::Position { expr: needle, r#in } => {
                let args = [self.expr(r#in), self.expr(needle)];
                self.named_call("strpos", args.into_iter().collect::<Result<Vec<_>, _>>()?, range())
            }
            E::Substring { expr: text, substring_from, substring_for, .. } => {
                self.substring(text, substring_from.as_deref(), substring_for.as_deref(), range())
            }
            E::Trim { expr: text, trim_where, trim_what, trim_characters } => {
                self.trim(text, *trim_where, trim_what.as_deref(), trim_characters.as_deref(), range())
            }
            _ => Err(self.unsupported(expr)),
        }
    }

    fn unsupported(&mut self, expr: &ast::Expr) -> Reported {
        use ast::Expr as E;
        let range = self.source.range(expr);
        let what = match expr {
            E::Subquery(_) | E::Exists { .. } | E::InSubquery { .. } => "subqueries are",
            E::Array(_) | E::InUnnest { .. } | E::AnyOp { .. } | E::AllOp { .. } => "arrays are",
            E::AtTimeZone { .. } => "`at time zone` is",
            E::Tuple(_) => "rows are",
            E::SimilarTo { .. } => "`similar to` is",
            E::Collate { .. } => "`collate` is",
            E::Wildcard(_) | E::QualifiedWildcard(..) => "`*` is",
            E::Lambda(_) => "functions as arguments are",
            _ => {
                return self.error(&range, "this is not part of the expression language");
            }
        };
        let hint = match expr {
            E::AnyOp { .. } | E::InSubquery { .. } => "use `x in (a, b, ...)` or `x in ($list)`",
            E::SimilarTo { .. } => "use `~` with a regular expression, or `like`",
            E::AtTimeZone { .. } => "timestamps are UTC; add an interval to shift them",
            _ => "the reference lists what expressions may contain",
        };
        self.error_hint(&range, format!("{what} not part of the expression language"), hint)
    }

    /// Resolves several parts, reporting the problems of all.
    pub(crate) fn all<'e>(&mut self, parts: impl IntoIterator<Item = &'e ast::Expr>) -> Result<Vec<Typed>, Reported> {
        let resolved: Vec<Resolved> = parts.into_iter().map(|part| self.expr(part)).collect();
        resolved.into_iter().collect()
    }
}

/// Computes a node all of whose parts are constants; what fails is left to fail when it is evaluated.
pub(crate) fn fold(node: Node) -> Node {
    if matches!(node.kind, Kind::Constant(_) | Kind::Column(_) | Kind::Time | Kind::Lookup { .. } | Kind::Exists { .. })
    {
        return node;
    }
    if node.children().iter().any(|child| child.as_constant().is_none()) {
        return node;
    }
    match compile::constant(&node) {
        Some(value) => Node::constant(node.ty, value),
        None => node,
    }
}

/// Whether a constant is known to be other than zero.
pub(crate) fn never_zero(node: &Node) -> bool {
    match &node.kind {
        Kind::Constant(Value::Bigint(value)) => *value != 0,
        Kind::Constant(Value::Double(value)) => *value != 0.0,
        Kind::Constant(_) => true,
        Kind::NullIf { equal, .. } => match &equal.kind {
            Kind::Compare { right, .. } => right.as_constant().is_some_and(|v| !never_zero_value(v)),
            _ => false,
        },
        Kind::Cast(inner) => never_zero(inner),
        Kind::Extreme { greatest: true, args } => args.iter().any(|arg| match arg.as_constant() {
            Some(Value::Bigint(value)) => *value > 0,
            Some(Value::Double(value)) => *value > 0.0,
            _ => false,
        }),
        _ => false,
    }
}

fn never_zero_value(value: &Value) -> bool {
    !matches!(value, Value::Bigint(0)) && !matches!(value, Value::Double(d) if *d == 0.0)
}
