//! The part of a condition by which it is found.

use crate::expr::Expr;
use crate::expr::node::{CompareOp, ConstantSet, Kind, LikeSource, Node};
use crate::expr::number::order_key;
use crate::expr::pattern::{RegexCall, RegexPattern};
use crate::tuple::{DataType, Value};

/// What a column must be for a condition to be true.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The column.
    pub(super) column: usize,
    /// Its type.
    pub(super) ty: DataType,
    /// What it must be.
    pub(super) test: Test,
    /// Whether the condition is nothing else.
    pub(super) whole: bool,
    /// Whether the condition may fail where the column is NULL.
    pub(super) fallible: bool,
}

/// What a column must be.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// One of these.
    Equal(Vec<Value>),
    /// From one key to another, both included ([`key`]).
    Range(i64, i64),
}

impl Guard {
    /// Which index it belongs to: the column, and whether by equality.
    pub(super) fn index(&self) -> (usize, bool) {
        (self.column, matches!(self.test, Test::Equal(_)))
    }
}

/// The place of a word in the order of its type, which is not text: equal words have equal keys.
#[inline(always)]
pub(super) fn key(ty: DataType, word: u64) -> i64 {
    match ty {
        DataType::Double => order_key(f64::from_bits(word)),
        _ => word as i64,
    }
}

/// The guard of a condition, the one that fewest tuples pass as far as can be told.
pub(super) fn of(expr: &Expr) -> Option<Guard> {
    let mut parts = Vec::new();
    flatten(&expr.tree.node, &mut parts);
    // What stands behind a part that may fail is not always looked at.
    let safe = parts.iter().position(|part| fallible(part)).unwrap_or(parts.len());
    let fails = safe < parts.len();
    let mut found: Vec<(Guard, usize)> = Vec::new();
    for part in &parts[..safe] {
        let Some((column, ty, test)) = test_of(part) else { continue };
        // Ranges of one column are one range.
        let known = found.iter_mut().find(|(known, _)| known.column == column);
        match (known, &test) {
            (Some((Guard { test: Test::Range(low, high), .. }, count)), Test::Range(from, to)) => {
                (*low, *high, *count) = ((*low).max(*from), (*high).min(*to), *count + 1);
            }
            _ => found.push((Guard { column, ty, test, whole: false, fallible: fails }, 1)),
        }
    }
    let (guard, count) = found.into_iter().min_by_key(|(guard, _)| guard.test.width())?;
    Some(Guard { whole: count == parts.len(), ..guard })
}

impl Test {
    /// How many tuples may pass, as far as can be told: by few values, a range with two ends, one with one.
    fn width(&self) -> usize {
        match self {
            Test::Equal(values) => values.len(),
            Test::Range(low, high) if *low != i64::MIN && *high != i64::MAX => usize::MAX - 1,
            Test::Range(..) => usize::MAX,
        }
    }
}

/// The parts that `and` joins, in order.
fn flatten<'a>(node: &'a Node, parts: &mut Vec<&'a Node>) {
    match &node.kind {
        Kind::And(nodes) => nodes.iter().for_each(|node| flatten(node, parts)),
        _ => parts.push(node),
    }
}

/// A part that compares a column with constants: the column, its type, and the test.
fn test_of(part: &Node) -> Option<(usize, DataType, Test)> {
    match &part.kind {
        Kind::Compare { op, left, right } => {
            let (op, column, constant) = match (&left.kind, &right.kind) {
                (Kind::Column(column), Kind::Constant(constant)) => (*op, *column, constant),
                (Kind::Constant(constant), Kind::Column(column)) => (op.flipped(), *column, constant),
                _ => return None,
            };
            Some((column, left.ty, compared(op, left.ty, constant)?))
        }
        Kind::InSet { node, set, has_null: false, negated: false } => {
            let Kind::Column(column) = node.kind else { return None };
            let values = match &**set {
                ConstantSet::Texts(texts) => texts.iter().map(|text| Value::Text(text.to_string())).collect(),
                ConstantSet::Words(words) => words.iter().map(|word| Value::from_word(*word, node.ty)).collect(),
            };
            Some((column, node.ty, Test::Equal(values)))
        }
        // A short list of `in`.
        Kind::Or(nodes) => {
            let mut tests = nodes.iter().map(test_of);
            let (column, ty, Test::Equal(mut values)) = tests.next()?? else { return None };
            for test in tests {
                match test? {
                    (same, _, Test::Equal(more)) if same == column => values.extend(more),
                    _ => return None,
                }
            }
            Some((column, ty, Test::Equal(values)))
        }
        _ => None,
    }
}

/// A comparison of a column with a constant.
fn compared(op: CompareOp, ty: DataType, constant: &Value) -> Option<Test> {
    if *constant == Value::Null {
        return None;
    }
    if op == CompareOp::Eq {
        return Some(Test::Equal(vec![constant.clone()]));
    }
    if ty == DataType::Text {
        return None;
    }
    let key = key(ty, constant.to_word(&crate::tuple::Arena::new())?);
    // A range that is empty at an end of the keys: nothing lies there.
    let (above, below) = (key.checked_add(1), key.checked_sub(1));
    let nothing = (i64::MAX, i64::MIN);
    let (low, high) = match op {
        CompareOp::Lt => below.map_or(nothing, |below| (i64::MIN, below)),
        CompareOp::Le => (i64::MIN, key),
        CompareOp::Gt => above.map_or(nothing, |above| (above, i64::MAX)),
        CompareOp::Ge => (key, i64::MAX),
        CompareOp::Eq | CompareOp::Ne => return None,
    };
    Some(Test::Range(low, high))
}

/// Whether an evaluation may fail. Says so where it is not known.
fn fallible(node: &Node) -> bool {
    let parts = || node.children().into_iter().any(fallible);
    match &node.kind {
        Kind::Constant(_) | Kind::Column(_) | Kind::Time => false,
        Kind::Lookup { .. } | Kind::Exists { .. } => parts(),
        Kind::Not(_) | Kind::And(_) | Kind::Or(_) | Kind::IsNull { .. } | Kind::IsTruth { .. } => parts(),
        Kind::Compare { .. } | Kind::Distinct { .. } | Kind::InSet { .. } => parts(),
        Kind::Case { .. } | Kind::Coalesce(_) | Kind::NullIf { .. } | Kind::Extreme { .. } => parts(),
        Kind::Like { pattern: LikeSource::Constant(_), .. } => parts(),
        Kind::Regex { call: RegexCall::Match | RegexCall::NoMatch, pattern: RegexPattern::Constant(..), .. } => parts(),
        Kind::Negate(_) => node.ty != DataType::Double || parts(),
        Kind::Cast(from) => (from.ty, node.ty) != (DataType::Bigint, DataType::Double) || parts(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::number::order;

    #[test]
    fn keys_have_the_order_of_doubles() {
        let list =
            [f64::NEG_INFINITY, -1e300, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, 5e-324, 1.0, f64::INFINITY, f64::NAN];
        for a in list {
            for b in list {
                let key = |x: f64| key(DataType::Double, x.to_bits());
                assert_eq!(key(a).cmp(&key(b)), order(a, b), "{a} {b}");
            }
        }
    }
}
