//! The general form: every value may be NULL.
//!
//! An operator evaluates all its operands before it looks at NULLs, as PostgreSQL does, so that an error beside a NULL
//! is an error. AND, OR, CASE and COALESCE stop, from left to right, where the result is known.

use super::parts::{Reader, contains, holds, order};
use super::{General, Slots, constant_word};
use crate::expr::cast;
use crate::expr::fault::{Cx, Fault};
use crate::expr::functions::{Function, Variadic};
use crate::expr::like::LikePattern;
use crate::expr::node::{ArithOp, Kind, LikeSource, Node};
use crate::expr::number as n;
use crate::expr::pattern::{self, RegexCall, RegexPattern};
use crate::expr::text::str_of;
use crate::expr::timestamp::{self, Field};
use crate::tuple::DataType;

fn all(nodes: &[Node], slots: Slots<'_>) -> Vec<General> {
    nodes.iter().map(|node| compile(node, slots)).collect()
}

/// Compiles a node.
pub(crate) fn compile(node: &Node, slots: Slots<'_>) -> General {
    let c = |node: &Node| compile(node, slots);
    let ty = node.ty;
    match &node.kind {
        Kind::Constant(_) | Kind::Column(_) | Kind::Time | Kind::Lookup { .. } | Kind::Exists { .. } => {
            leaf(node, slots)
        }
        Kind::Case { .. } | Kind::Coalesce(_) | Kind::NullIf { .. } | Kind::Extreme { .. } => choice(node, slots),
        Kind::Arith { op, left, right } => arithmetic(*op, left, right, slots),
        Kind::Negate(node) => {
            let node = c(node);
            match ty {
                DataType::Double => Box::new(move |cx| Some((-f64::from_bits(node(cx)?)).to_bits())),
                _ => Box::new(move |cx| Some(n::neg_i64(cx, node(cx)? as i64) as u64)),
            }
        }
        Kind::Cast(node) => {
            let (from, node) = (node.ty, c(node));
            Box::new(move |cx| cast::cast(cx, node(cx)?, from, ty))
        }
        Kind::Call { function, args } => call(function, all(args, slots)),
        Kind::Variadic { function, args } => variadic(*function, all(args, slots)),
        Kind::Like { text, pattern, insensitive, negated } => like(text, pattern, *insensitive, *negated, slots),
        Kind::Regex { call, pattern, args } => regex(*call, pattern, all(args, slots), slots),
        Kind::Shared { memo, node } => {
            let (memo, node) = (memo.clone(), c(node));
            Box::new(move |cx| memo.get(cx, |cx| node(cx)))
        }
        Kind::Part { field, node } => part(*field, node.ty, c(node)),
        Kind::Truncate { field, node } => {
            let (field, node) = (*field, c(node));
            match ty {
                DataType::Interval => {
                    Box::new(move |cx| Some(timestamp::truncate_interval(cx, field, node(cx)? as i64) as u64))
                }
                _ => Box::new(move |cx| Some(timestamp::truncate(cx, field, node(cx)? as i64) as u64)),
            }
        }
        _ => condition(node, slots),
    }
}

/// What reads the tuple, a table, or nothing.
fn leaf(node: &Node, slots: Slots<'_>) -> General {
    match &node.kind {
        Kind::Constant(value) => {
            let constant = constant_word(value);
            Box::new(move |_| {
                // Moves the whole of it into the closure, not only the word.
                let constant = &constant;
                constant.word
            })
        }
        Kind::Column(column) => {
            let slot = slots(*column);
            Box::new(move |cx| cx.frame.get(slot))
        }
        Kind::Lookup { table, column, key } => {
            let (reader, column) = (Reader::new(table, key, slots), *column);
            Box::new(move |cx| reader.column(cx, column))
        }
        Kind::Exists { table, key } => {
            let reader = Reader::new(table, key, slots);
            Box::new(move |cx| Some(u64::from(reader.with(cx, |_| ()).is_some())))
        }
        _ => Box::new(|cx| Some(cx.frame.time() as u64)),
    }
}

/// Logic, comparisons and tests.
fn condition(node: &Node, slots: Slots<'_>) -> General {
    let c = |node: &Node| compile(node, slots);
    match &node.kind {
        Kind::Not(node) => {
            let node = c(node);
            Box::new(move |cx| Some(node(cx)? ^ 1))
        }
        Kind::And(nodes) => logic(all(nodes, slots), 0),
        Kind::Or(nodes) => logic(all(nodes, slots), 1),
        Kind::IsNull { node, negated } => {
            let (node, negated) = (c(node), *negated);
            Box::new(move |cx| Some(u64::from(node(cx).is_none() != negated)))
        }
        Kind::IsTruth { node, value, negated } => {
            let (node, wanted, negated) = (c(node), Some(u64::from(*value)), *negated);
            Box::new(move |cx| Some(u64::from((node(cx) == wanted) != negated)))
        }
        Kind::Compare { op, left, right } => {
            let (op, ty, left, right) = (*op, left.ty, c(left), c(right));
            Box::new(move |cx| {
                let (left, right) = (left(cx), right(cx));
                Some(u64::from(holds(ty, op, left?, right?)))
            })
        }
        Kind::Distinct { left, right, negated } => {
            let (ty, left, right, negated) = (left.ty, c(left), c(right), *negated);
            Box::new(move |cx| {
                let distinct = match (left(cx), right(cx)) {
                    (Some(left), Some(right)) => order(ty, left, right).is_ne(),
                    (left, right) => left.is_some() != right.is_some(),
                };
                Some(u64::from(distinct != negated))
            })
        }
        Kind::InSet { node, set, has_null, negated } => {
            let (ty, node, set, has_null, negated) = (node.ty, c(node), set.clone(), *has_null, *negated);
            Box::new(move |cx| match contains(&set, ty, node(cx)?) {
                false if has_null => None,
                found => Some(u64::from(found != negated)),
            })
        }
        other => unreachable!("compiled above: {other:?}"),
    }
}

/// One of several values.
fn choice(node: &Node, slots: Slots<'_>) -> General {
    let c = |node: &Node| compile(node, slots);
    match &node.kind {
        Kind::Case { branches, otherwise } => {
            let branches: Vec<(General, General)> = branches.iter().map(|(when, then)| (c(when), c(then))).collect();
            let otherwise = otherwise.as_ref().map(|node| c(node));
            Box::new(move |cx| {
                for (condition, result) in &branches {
                    if condition(cx) == Some(1) {
                        return result(cx);
                    }
                }
                otherwise.as_ref().and_then(|otherwise| otherwise(cx))
            })
        }
        Kind::NullIf { value, equal } => {
            let (value, equal) = (c(value), c(equal));
            Box::new(move |cx| if equal(cx) == Some(1) { None } else { value(cx) })
        }
        Kind::Extreme { greatest, args } => extreme(node.ty, *greatest, all(args, slots)),
        _ => {
            let nodes: Vec<General> = node.children().into_iter().map(c).collect();
            Box::new(move |cx| nodes.iter().find_map(|node| node(cx)))
        }
    }
}

/// AND (`known` 0) or OR (`known` 1): stops at the first value that decides.
fn logic(nodes: Vec<General>, known: u64) -> General {
    Box::new(move |cx| {
        let mut null = false;
        for node in &nodes {
            match node(cx) {
                Some(value) if value == known => return Some(known),
                Some(_) => {}
                None => null = true,
            }
        }
        if null { None } else { Some(known ^ 1) }
    })
}

fn arithmetic(op: ArithOp, left: &Node, right: &Node, slots: Slots<'_>) -> General {
    let types = (left.ty, right.ty);
    let (left, right) = (compile(left, slots), compile(right, slots));
    macro_rules! words {
        ($a:ident, $b:ident, $cx:ident => $value:expr) => {
            Box::new(move |$cx: &Cx<'_>| {
                let ($a, $b) = (left($cx), right($cx));
                let ($a, $b) = ($a?, $b?);
                Some($value)
            })
        };
    }
    macro_rules! doubles {
        ($function:path) => {
            words!(a, b, cx => $function(cx, f64::from_bits(a), f64::from_bits(b)).to_bits())
        };
    }
    macro_rules! whole {
        ($function:path) => {
            words!(a, b, cx => $function(cx, a as i64, b as i64) as u64)
        };
    }
    match (types, op) {
        ((DataType::Double, DataType::Double), ArithOp::Add) => doubles!(n::add_f64),
        ((DataType::Double, DataType::Double), ArithOp::Sub) => doubles!(n::sub_f64),
        ((DataType::Double, DataType::Double), ArithOp::Mul) => doubles!(n::mul_f64),
        ((DataType::Double, DataType::Double), ArithOp::Div) => doubles!(n::div_f64),
        ((DataType::Double, DataType::Double), ArithOp::Mod) => doubles!(n::mod_f64),
        ((DataType::Double, DataType::Double), ArithOp::Pow) => doubles!(n::power),
        ((_, DataType::Double), ArithOp::Mul) => {
            words!(a, b, cx => n::scale_interval(cx, a as i64, f64::from_bits(b)) as u64)
        }
        ((_, DataType::Double), _) => words!(a, b, cx => n::divide_interval(cx, a as i64, f64::from_bits(b)) as u64),
        ((DataType::Double, _), _) => words!(a, b, cx => n::scale_interval(cx, b as i64, f64::from_bits(a)) as u64),
        (_, ArithOp::Add) => whole!(n::add_i64),
        (_, ArithOp::Sub) => whole!(n::sub_i64),
        (_, ArithOp::Mul) => whole!(n::mul_i64),
        (_, ArithOp::Div) => whole!(n::div_i64),
        (_, ArithOp::Mod | ArithOp::Pow) => whole!(n::mod_i64),
    }
}

fn extreme(ty: DataType, greatest: bool, args: Vec<General>) -> General {
    Box::new(move |cx| {
        let mut best: Option<u64> = None;
        for arg in &args {
            let Some(word) = arg(cx) else { continue };
            best = match best {
                Some(known) if order(ty, word, known).is_gt() != greatest || order(ty, word, known).is_eq() => {
                    Some(known)
                }
                _ => Some(word),
            };
        }
        best
    })
}

/// Evaluates `N` arguments; none if one is NULL.
macro_rules! arguments {
    ($args:ident, $cx:ident, $n:literal) => {{
        let mut words = [0u64; $n];
        let mut complete = true;
        for (word, arg) in words.iter_mut().zip(&$args) {
            match arg($cx) {
                Some(value) => *word = value,
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        words
    }};
}

fn call(function: &'static Function, args: Vec<General>) -> General {
    let kernel = function.kernel;
    match args.len() {
        0 | 1 => Box::new(move |cx| kernel(cx, &arguments!(args, cx, 1))),
        2 => Box::new(move |cx| kernel(cx, &arguments!(args, cx, 2))),
        3 => Box::new(move |cx| kernel(cx, &arguments!(args, cx, 3))),
        _ => Box::new(move |cx| kernel(cx, &arguments!(args, cx, 4))),
    }
}

fn variadic(function: Variadic, args: Vec<General>) -> General {
    Box::new(move |cx| {
        let mut few = [None; 8];
        if args.len() <= few.len() {
            for (word, arg) in few.iter_mut().zip(&args) {
                *word = arg(cx);
            }
            return function.call(cx, &few[..args.len()]);
        }
        let words: Vec<Option<u64>> = args.iter().map(|arg| arg(cx)).collect();
        function.call(cx, &words)
    })
}

fn like(text: &Node, pattern: &LikeSource, insensitive: bool, negated: bool, slots: Slots<'_>) -> General {
    let text = compile(text, slots);
    match pattern {
        LikeSource::Constant(pattern) => {
            let pattern = pattern.clone();
            Box::new(move |cx| Some(u64::from(pattern.matches(str_of(text(cx)?)) != negated)))
        }
        LikeSource::Dynamic(pattern, escape) => {
            let (pattern, escape) = (compile(pattern, slots), *escape);
            Box::new(move |cx| {
                let (text, pattern) = (text(cx), pattern(cx));
                let (text, pattern) = (str_of(text?), str_of(pattern?));
                match LikePattern::new(pattern, escape, insensitive) {
                    Ok(pattern) => Some(u64::from(pattern.matches(text) != negated)),
                    Err(message) => cx.none(Fault::InvalidArgument, message),
                }
            })
        }
    }
}

fn regex(call: RegexCall, pattern: &RegexPattern, args: Vec<General>, slots: Slots<'_>) -> General {
    match pattern {
        // A clone has caches of its own, so that executors do not share them.
        RegexPattern::Constant(regex, _) => {
            let regex = regex.clone();
            match args.len() {
                1 => Box::new(move |cx| pattern::run(cx, call, &regex, &arguments!(args, cx, 1))),
                _ => Box::new(move |cx| pattern::run(cx, call, &regex, &arguments!(args, cx, 2))),
            }
        }
        RegexPattern::Dynamic(pattern, flags) => {
            let (pattern, flags) = (compile(pattern, slots), *flags);
            Box::new(move |cx| {
                let mut words = [0u64; 2];
                let mut complete = true;
                for (word, arg) in words.iter_mut().zip(&args) {
                    match arg(cx) {
                        Some(value) => *word = value,
                        None => complete = false,
                    }
                }
                let pattern = pattern(cx)?;
                if !complete {
                    return None;
                }
                pattern::run_dynamic(cx, call, str_of(pattern), flags, &words)
            })
        }
    }
}

fn part(field: Field, ty: DataType, node: General) -> General {
    match ty {
        DataType::Interval => Box::new(move |cx| Some(timestamp::interval_part(cx, field, node(cx)? as i64).to_bits())),
        _ => Box::new(move |cx| Some(timestamp::part(field, node(cx)? as i64).to_bits())),
    }
}
