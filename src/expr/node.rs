//! The typed tree between the resolver and the compiler.
//!
//! Every node knows its type and whether it can be NULL; a tree is type-correct by construction: operands have equal
//! types where an operator wants that, conversions are explicit [`Kind::Cast`] nodes.

use super::compile::Memo;
use super::environment::ReferenceTable;
use super::functions::{Function, Variadic};
use super::like::LikePattern;
use super::pattern::{RegexCall, RegexPattern};
use super::timestamp::Field;
use crate::tuple::{DataType, Value};
use std::sync::Arc;

/// A typed expression.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Type of the value.
    pub(crate) ty: DataType,
    /// Whether it can be NULL.
    pub(crate) nullable: bool,
    /// Whether it can be NULL although none of the columns it reads is.
    pub(crate) makes_null: bool,
    /// What it is.
    pub(crate) kind: Kind,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl CompareOp {
    /// The operator with its sides exchanged.
    pub(crate) fn flipped(self) -> CompareOp {
        match self {
            CompareOp::Lt => CompareOp::Gt,
            CompareOp::Le => CompareOp::Ge,
            CompareOp::Gt => CompareOp::Lt,
            CompareOp::Ge => CompareOp::Le,
            same => same,
        }
    }

    /// Whether two values that compare as `order` satisfy it.
    #[inline(always)]
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            CompareOp::Eq => order.is_eq(),
            CompareOp::Ne => order.is_ne(),
            CompareOp::Lt => order.is_lt(),
            CompareOp::Le => order.is_le(),
            CompareOp::Gt => order.is_gt(),
            CompareOp::Ge => order.is_ge(),
        }
    }
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
}

/// A constant list of `in`, without its NULLs.
#[derive(Clone, Debug)]
pub(crate) enum ConstantSet {
    /// Words of every type but text (doubles canonical: one zero, one NaN).
    Words(hashbrown::HashSet<u64, foldhash::fast::FixedState>),
    /// Texts.
    Texts(hashbrown::HashSet<Box<str>, foldhash::fast::FixedState>),
}

/// What a `like` matches with.
#[derive(Clone, Debug)]
pub(crate) enum LikeSource {
    /// A constant pattern, compiled.
    Constant(Arc<LikePattern>),
    /// A pattern of the tuple, and the escape character.
    Dynamic(Box<Node>, Option<char>),
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A literal, a parameter, or what was folded.
    Constant(Value),
    /// Column `n` of the scope.
    Column(usize),
    /// The tuple's event time.
    Time,
    /// `table[key].column`.
    Lookup { table: Arc<ReferenceTable>, column: usize, key: Vec<Node> },
    /// `table[key] is not null`: false for a NULL key.
    Exists { table: Arc<ReferenceTable>, key: Vec<Node> },
    /// NOT.
    Not(Box<Node>),
    /// AND of two or more.
    And(Vec<Node>),
    /// OR of two or more.
    Or(Vec<Node>),
    /// IS [NOT] NULL.
    IsNull { node: Box<Node>, negated: bool },
    /// IS [NOT] TRUE / FALSE.
    IsTruth { node: Box<Node>, value: bool, negated: bool },
    /// A comparison of one type.
    Compare { op: CompareOp, left: Box<Node>, right: Box<Node> },
    /// IS [NOT] DISTINCT FROM, of one type.
    Distinct { left: Box<Node>, right: Box<Node>, negated: bool },
    /// [NOT] IN a constant list.
    InSet { node: Box<Node>, set: Arc<ConstantSet>, has_null: bool, negated: bool },
    /// Arithmetic. Operand types: both bigint, both double, times and intervals with `+ -`, interval and double with
    /// `* /`.
    Arith { op: ArithOp, left: Box<Node>, right: Box<Node> },
    /// Unary minus of bigint, double or interval.
    Negate(Box<Node>),
    /// CASE: conditions with results, else.
    Case { branches: Vec<(Node, Node)>, otherwise: Option<Box<Node>> },
    /// COALESCE.
    Coalesce(Vec<Node>),
    /// NULLIF: `value` unless `equal` is true.
    NullIf { value: Box<Node>, equal: Box<Node> },
    /// GREATEST or LEAST.
    Extreme { greatest: bool, args: Vec<Node> },
    /// A conversion to the node's type.
    Cast(Box<Node>),
    /// A function of the list; NULL for a NULL argument.
    Call { function: &'static Function, args: Vec<Node> },
    /// A function of any number of texts that may be NULL.
    Variadic { function: Variadic, args: Vec<Node> },
    /// LIKE and ILIKE.
    Like { text: Box<Node>, pattern: LikeSource, insensitive: bool, negated: bool },
    /// A match with or function of a regular expression. The first argument is the text.
    Regex { call: RegexCall, pattern: RegexPattern, args: Vec<Node> },
    /// EXTRACT of a timestamp or interval.
    Part { field: Field, node: Box<Node> },
    /// `date_trunc` with a constant unit.
    Truncate { field: Field, node: Box<Node> },
    /// A part that several conditions have, computed once for a tuple; made only when they are compiled.
    Shared { memo: Arc<Memo>, node: Box<Node> },
}

impl Node {
    /// A node whose NULLs follow from its parts.
    pub(crate) fn new(ty: DataType, kind: Kind) -> Node {
        let nullable = kind.null(&|child| child.nullable);
        let makes_null = kind.null(&|child| child.makes_null);
        Node { ty, nullable, makes_null, kind }
    }

    /// A column.
    pub(crate) fn column(number: usize, ty: DataType, nullable: bool) -> Node {
        Node { ty, nullable, makes_null: false, kind: Kind::Column(number) }
    }

    /// A constant.
    pub(crate) fn constant(ty: DataType, value: Value) -> Node {
        Node::new(ty, Kind::Constant(value))
    }

    /// Its value where it is a constant.
    pub(crate) fn as_constant(&self) -> Option<&Value> {
        match &self.kind {
            Kind::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The parts, in the order in which they are evaluated.
    pub(crate) fn children(&self) -> Vec<&Node> {
        let mut children = Vec::new();
        self.kind.each(&mut |child| children.push(child));
        children
    }

    /// Calls `see` with every column number in the tree.
    pub(crate) fn each_column(&self, see: &mut dyn FnMut(usize)) {
        if let Kind::Column(number) = self.kind {
            see(number);
        }
        self.kind.each(&mut |child| child.each_column(see));
    }

    /// Calls `see` with each part, to be changed.
    pub(crate) fn each_part(&mut self, see: &mut dyn FnMut(&mut Node)) {
        self.kind.each_mut(see);
    }

    /// Replaces every column number.
    pub(crate) fn renumber(&mut self, number: &dyn Fn(usize) -> usize) {
        if let Kind::Column(column) = &mut self.kind {
            *column = number(*column);
        }
        self.kind.each_mut(&mut |child| child.renumber(number));
    }
}

macro_rules! each_child {
    ($kind:expr, $see:expr, $iter:ident) => {
        match $kind {
            Kind::Constant(_) | Kind::Column(_) | Kind::Time => {}
            Kind::Lookup { key, .. } | Kind::Exists { key, .. } => key.$iter().for_each($see),
            Kind::Not(node) | Kind::Negate(node) | Kind::Cast(node) => $see(node),
            Kind::IsNull { node, .. } | Kind::IsTruth { node, .. } | Kind::InSet { node, .. } => $see(node),
            Kind::Part { node, .. } | Kind::Truncate { node, .. } | Kind::Shared { node, .. } => $see(node),
            Kind::And(nodes) | Kind::Or(nodes) | Kind::Coalesce(nodes) => nodes.$iter().for_each($see),
            Kind::Compare { left, right, .. }
            | Kind::Distinct { left, right, .. }
            | Kind::Arith { left, right, .. } => {
                $see(left);
                $see(right);
            }
            Kind::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    $see(condition);
                    $see(result);
                }
                if let Some(otherwise) = otherwise {
                    $see(otherwise);
                }
            }
            Kind::NullIf { value, equal } => {
                $see(value);
                $see(equal);
            }
            Kind::Extreme { args, .. } | Kind::Call { args, .. } | Kind::Variadic { args, .. } => {
                args.$iter().for_each($see)
            }
            Kind::Like { text, pattern, .. } => {
                $see(text);
                if let LikeSource::Dynamic(pattern, _) = pattern {
                    $see(pattern);
                }
            }
            Kind::Regex { pattern, args, .. } => {
                args.$iter().for_each(&mut *$see);
                if let RegexPattern::Dynamic(pattern, _) = pattern {
                    $see(pattern);
                }
            }
        }
    };
}

impl Kind {
    fn each<'a>(&'a self, see: &mut dyn FnMut(&'a Node)) {
        each_child!(self, see, iter);
    }

    fn each_mut(&mut self, see: &mut dyn FnMut(&mut Node)) {
        each_child!(self, see, iter_mut);
    }

    /// Whether it can be NULL, given whether a part can.
    fn null(&self, part: &dyn Fn(&Node) -> bool) -> bool {
        match self {
            Kind::Constant(value) => *value == Value::Null,
            Kind::Column(_) | Kind::Time | Kind::Exists { .. } => false,
            Kind::Lookup { .. } | Kind::NullIf { .. } => true,
            Kind::IsNull { .. } | Kind::IsTruth { .. } | Kind::Distinct { .. } => false,
            Kind::InSet { node, has_null, .. } => *has_null || part(node),
            Kind::Case { branches, otherwise } => {
                branches.iter().any(|(_, result)| part(result)) || otherwise.as_ref().is_none_or(|node| part(node))
            }
            Kind::Coalesce(nodes) | Kind::Extreme { args: nodes, .. } => nodes.iter().all(part),
            Kind::Variadic { function, args } => function.null(args, part),
            Kind::Call { function, args } => function.nullable || args.iter().any(part),
            Kind::Regex { call, .. } if call.nullable() => true,
            _ => {
                let mut any = false;
                self.each(&mut |child| any |= part(child));
                any
            }
        }
    }
}
