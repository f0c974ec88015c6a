//! The fast form: no column that is read is NULL, and the root never makes a NULL of its own. Parts below COALESCE, IS
//! NULL and the like that do make NULLs are compiled in the general form.

use super::parts::{Reader, contains, order};
use super::{Slots, constant_word, fuse, general};
use crate::expr::cast;
use crate::expr::fault::Cx;
use crate::expr::functions::Function;
use crate::expr::node::{ArithOp, CompareOp, Kind, LikeSource, Node};
use crate::expr::number as n;
use crate::expr::timestamp;
use crate::tuple::{DataType, TextWord, Value};

/// Code for a value of this type.
pub(crate) type Code<R> = Box<dyn Fn(&Cx<'_>) -> R + Send>;
/// A condition.
pub(crate) type BoolFn = Code<bool>;
/// A bigint, timestamp or interval.
pub(crate) type WholeFn = Code<i64>;
/// A double.
pub(crate) type DoubleFn = Code<f64>;
/// A text.
pub(crate) type TextFn = Code<TextWord>;

/// A compiled node by the kind of its value.
pub(crate) enum Fast {
    /// boolean
    Bool(BoolFn),
    /// bigint, timestamp, interval
    Whole(WholeFn),
    /// double
    Double(DoubleFn),
    /// text
    Text(TextFn),
}

impl Fast {
    /// The value as a word.
    #[inline(always)]
    pub(crate) fn word(&self, cx: &Cx<'_>) -> u64 {
        match self {
            Fast::Bool(f) => u64::from(f(cx)),
            Fast::Whole(f) => f(cx) as u64,
            Fast::Double(f) => f(cx).to_bits(),
            Fast::Text(f) => f(cx).0,
        }
    }
}

/// Compiles a node that never makes a NULL.
pub(crate) fn compile(node: &Node, slots: Slots<'_>) -> Fast {
    match node.ty {
        DataType::Boolean => Fast::Bool(compile_bool(node, slots)),
        DataType::Double => Fast::Double(compile_double(node, slots)),
        DataType::Text => Fast::Text(compile_text(node, slots)),
        DataType::Bigint | DataType::Timestamp | DataType::Interval => Fast::Whole(compile_whole(node, slots)),
    }
}

/// A condition that may be NULL, which counts as not true.
fn condition(node: &Node, slots: Slots<'_>) -> BoolFn {
    if !node.makes_null {
        return compile_bool(node, slots);
    }
    let node = general::compile(node, slots);
    Box::new(move |cx| node(cx) == Some(1))
}

/// Compiles a condition.
pub(crate) fn compile_bool(node: &Node, slots: Slots<'_>) -> BoolFn {
    let all = |nodes: &[Node]| nodes.iter().map(|node| compile_bool(node, slots)).collect();
    match &node.kind {
        Kind::Constant(value) => {
            let value = *value == Value::Boolean(true);
            Box::new(move |_| value)
        }
        Kind::Column(column) => {
            let slot = slots(*column);
            Box::new(move |cx| cx.frame.word(slot) != 0)
        }
        Kind::Exists { table, key } => {
            let reader = Reader::new(table, key, slots);
            Box::new(move |cx| reader.with(cx, |_| ()).is_some())
        }
        Kind::Not(node) => {
            let node = compile_bool(node, slots);
            Box::new(move |cx| !node(cx))
        }
        Kind::And(nodes) => fuse::logic(all(nodes), false),
        Kind::Or(nodes) => fuse::logic(all(nodes), true),
        Kind::IsTruth { node, value: true, negated } => {
            let (node, negated) = (condition(node, slots), *negated);
            Box::new(move |cx| node(cx) != negated)
        }
        Kind::Compare { op, left, right } => fuse::compare(*op, left, right, slots),
        Kind::Distinct { left, right, negated } if !left.makes_null && !right.makes_null => {
            let op = if *negated { CompareOp::Eq } else { CompareOp::Ne };
            fuse::compare(op, left, right, slots)
        }
        Kind::InSet { node, set, negated, .. } => {
            let (ty, node, set, negated) = (node.ty, compile(node, slots), set.clone(), *negated);
            Box::new(move |cx| contains(&set, ty, node.word(cx)) != negated)
        }
        Kind::Case { .. } => case(node, slots, compile_bool, false),
        Kind::Shared { memo, node } => {
            let (memo, node) = (memo.clone(), compile_bool(node, slots));
            Box::new(move |cx| memo.get(cx, |cx| Some(u64::from(node(cx)))) == Some(1))
        }
        Kind::Like { text, pattern: LikeSource::Constant(pattern), negated, .. } => {
            let (text, pattern, negated) = (compile_text(text, slots), pattern.clone(), *negated);
            Box::new(move |cx| pattern.matches(text(cx).as_str()) != negated)
        }
        Kind::Call { function, args } => {
            let call = call(function, args, slots);
            Box::new(move |cx| call(cx) == Some(1))
        }
        _ => {
            let node = general::compile(node, slots);
            Box::new(move |cx| node(cx) == Some(1))
        }
    }
}

/// Compiles a bigint, timestamp or interval.
pub(crate) fn compile_whole(node: &Node, slots: Slots<'_>) -> WholeFn {
    match &node.kind {
        Kind::Constant(value) => {
            let value = constant_word(value).word.unwrap_or(0) as i64;
            Box::new(move |_| value)
        }
        Kind::Column(column) => {
            let slot = slots(*column);
            Box::new(move |cx| cx.frame.word(slot) as i64)
        }
        Kind::Time => Box::new(|cx| cx.frame.time()),
        Kind::Arith { op, left, right } if left.ty != DataType::Double && right.ty != DataType::Double => {
            let (left, right) = (compile_whole(left, slots), compile_whole(right, slots));
            match op {
                ArithOp::Add => Box::new(move |cx| n::add_i64(cx, left(cx), right(cx))),
                ArithOp::Sub => Box::new(move |cx| n::sub_i64(cx, left(cx), right(cx))),
                ArithOp::Mul => Box::new(move |cx| n::mul_i64(cx, left(cx), right(cx))),
                ArithOp::Div => Box::new(move |cx| n::div_i64(cx, left(cx), right(cx))),
                ArithOp::Mod | ArithOp::Pow => Box::new(move |cx| n::mod_i64(cx, left(cx), right(cx))),
            }
        }
        Kind::Negate(node) => {
            let node = compile_whole(node, slots);
            Box::new(move |cx| n::neg_i64(cx, node(cx)))
        }
        Kind::Cast(inner) if inner.ty == DataType::Double => {
            let inner = compile_double(inner, slots);
            Box::new(move |cx| n::to_i64(cx, inner(cx)))
        }
        Kind::Cast(inner) => {
            let (from, to, inner) = (inner.ty, node.ty, compile(inner, slots));
            Box::new(move |cx| cast::cast(cx, inner.word(cx), from, to).unwrap_or(0) as i64)
        }
        Kind::Case { .. } => case(node, slots, compile_whole, 0),
        Kind::Shared { memo, node } => {
            let (memo, node) = (memo.clone(), compile_whole(node, slots));
            Box::new(move |cx| memo.get(cx, |cx| Some(node(cx) as u64)).unwrap_or(0) as i64)
        }
        Kind::Call { function, args } => {
            let call = call(function, args, slots);
            Box::new(move |cx| call(cx).unwrap_or(0) as i64)
        }
        Kind::Extreme { greatest, args } if args.iter().all(|arg| !arg.makes_null) => {
            let (greatest, args) = (*greatest, args.iter().map(|arg| compile_whole(arg, slots)).collect::<Vec<_>>());
            Box::new(move |cx| {
                let values = args.iter().map(|arg| arg(cx));
                if greatest { values.max() } else { values.min() }.unwrap_or(0)
            })
        }
        Kind::Truncate { field, node } if node.ty == DataType::Timestamp => {
            let (field, node) = (*field, compile_whole(node, slots));
            Box::new(move |cx| timestamp::truncate(cx, field, node(cx)))
        }
        _ => {
            let node = general::compile(node, slots);
            Box::new(move |cx| node(cx).unwrap_or(0) as i64)
        }
    }
}

/// Compiles a double.
pub(crate) fn compile_double(node: &Node, slots: Slots<'_>) -> DoubleFn {
    match &node.kind {
        Kind::Constant(value) => {
            let value = f64::from_bits(constant_word(value).word.unwrap_or(0));
            Box::new(move |_| value)
        }
        Kind::Column(column) => {
            let slot = slots(*column);
            Box::new(move |cx| f64::from_bits(cx.frame.word(slot)))
        }
        Kind::Arith { op, left, right } => doubles(*op, left, right, slots),
        Kind::Negate(node) => {
            let node = compile_double(node, slots);
            Box::new(move |cx| -node(cx))
        }
        Kind::Cast(inner) if inner.ty == DataType::Bigint => match &inner.kind {
            Kind::Column(column) => {
                let slot = slots(*column);
                Box::new(move |cx| cx.frame.word(slot) as i64 as f64)
            }
            _ => {
                let inner = compile_whole(inner, slots);
                Box::new(move |cx| inner(cx) as f64)
            }
        },
        Kind::Case { .. } => case(node, slots, compile_double, 0.0),
        Kind::Shared { memo, node } => {
            let (memo, node) = (memo.clone(), compile_double(node, slots));
            Box::new(move |cx| f64::from_bits(memo.get(cx, |cx| Some(node(cx).to_bits())).unwrap_or(0)))
        }
        Kind::Call { function, args } => {
            let call = call(function, args, slots);
            Box::new(move |cx| f64::from_bits(call(cx).unwrap_or(0)))
        }
        Kind::Extreme { greatest, args } if args.iter().all(|arg| !arg.makes_null) => {
            let args: Vec<DoubleFn> = args.iter().map(|arg| compile_double(arg, slots)).collect();
            let wanted = if *greatest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
            Box::new(move |cx| {
                let values = args.iter().map(|arg| arg(cx));
                values.reduce(|best, value| if n::order(value, best) == wanted { value } else { best }).unwrap_or(0.0)
            })
        }
        Kind::Part { field, node } if node.ty == DataType::Timestamp => {
            let (field, node) = (*field, compile_whole(node, slots));
            Box::new(move |cx| timestamp::part(field, node(cx)))
        }
        Kind::Part { field, node } => {
            let (field, node) = (*field, compile_whole(node, slots));
            Box::new(move |cx| timestamp::interval_part(cx, field, node(cx)))
        }
        _ => {
            let node = general::compile(node, slots);
            Box::new(move |cx| f64::from_bits(node(cx).unwrap_or(0)))
        }
    }
}

/// Arithmetic of doubles; an operand that is a column or the right one a constant is fused.
fn doubles(op: ArithOp, left: &Node, right: &Node, slots: Slots<'_>) -> DoubleFn {
    macro_rules! shapes {
        ($function:path) => {
            match (&left.kind, &right.kind) {
                (Kind::Column(a), Kind::Column(b)) => {
                    let (a, b) = (slots(*a), slots(*b));
                    Box::new(move |cx| {
                        $function(cx, f64::from_bits(cx.frame.word(a)), f64::from_bits(cx.frame.word(b)))
                    })
                }
                (_, Kind::Constant(Value::Double(b))) => {
                    let (a, b) = (compile_double(left, slots), *b);
                    Box::new(move |cx| $function(cx, a(cx), b))
                }
                (Kind::Constant(Value::Double(a)), _) => {
                    let (a, b) = (*a, compile_double(right, slots));
                    Box::new(move |cx| $function(cx, a, b(cx)))
                }
                _ => {
                    let (a, b) = (compile_double(left, slots), compile_double(right, slots));
                    Box::new(move |cx| $function(cx, a(cx), b(cx)))
                }
            }
        };
    }
    match op {
        ArithOp::Add => shapes!(n::add_f64),
        ArithOp::Sub => shapes!(n::sub_f64),
        ArithOp::Mul => shapes!(n::mul_f64),
        ArithOp::Div => shapes!(n::div_f64),
        ArithOp::Mod => shapes!(n::mod_f64),
        ArithOp::Pow => shapes!(n::power),
    }
}

/// Compiles a text.
pub(crate) fn compile_text(node: &Node, slots: Slots<'_>) -> TextFn {
    match &node.kind {
        Kind::Column(column) => {
            let slot = slots(*column);
            Box::new(move |cx| TextWord(cx.frame.word(slot)))
        }
        Kind::Case { .. } => case(node, slots, compile_text, TextWord::EMPTY),
        Kind::Shared { memo, node } => {
            let (memo, node) = (memo.clone(), compile_text(node, slots));
            Box::new(move |cx| memo.get(cx, |cx| Some(node(cx).0)).map_or(TextWord::EMPTY, TextWord))
        }
        Kind::Cast(inner) => {
            let (from, inner) = (inner.ty, compile(inner, slots));
            Box::new(move |cx| cast::cast(cx, inner.word(cx), from, DataType::Text).map_or(TextWord::EMPTY, TextWord))
        }
        Kind::Call { function, args } => {
            let call = call(function, args, slots);
            Box::new(move |cx| call(cx).map_or(TextWord::EMPTY, TextWord))
        }
        Kind::Extreme { greatest, args } if args.iter().all(|arg| !arg.makes_null) => {
            let args: Vec<TextFn> = args.iter().map(|arg| compile_text(arg, slots)).collect();
            let wanted = if *greatest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
            let better = move |best: TextWord, value: TextWord| {
                if order(DataType::Text, value.0, best.0) == wanted { value } else { best }
            };
            Box::new(move |cx| args.iter().map(|arg| arg(cx)).reduce(better).unwrap_or(TextWord::EMPTY))
        }
        _ => {
            let node = general::compile(node, slots);
            Box::new(move |cx| node(cx).map_or(TextWord::EMPTY, TextWord))
        }
    }
}

/// CASE of any kind of value; its conditions may be NULL.
fn case<R: Copy + Send + 'static>(
    node: &Node,
    slots: Slots<'_>,
    compile: fn(&Node, Slots<'_>) -> Code<R>,
    nothing: R,
) -> Code<R> {
    let Kind::Case { branches, otherwise } = &node.kind else { return Box::new(move |_| nothing) };
    let otherwise = match otherwise {
        Some(otherwise) => compile(otherwise, slots),
        None => Box::new(move |_: &Cx<'_>| nothing),
    };
    let mut branches: Vec<_> =
        branches.iter().map(|(when, then)| (condition(when, slots), compile(then, slots))).collect();
    if branches.len() == 1
        && let Some((when, then)) = branches.pop()
    {
        return Box::new(move |cx| if when(cx) { then(cx) } else { otherwise(cx) });
    }
    Box::new(move |cx| match branches.iter().find(|(when, _)| when(cx)) {
        Some((_, then)) => then(cx),
        None => otherwise(cx),
    })
}

/// A function over arguments that are not NULL.
fn call(function: &'static Function, args: &[Node], slots: Slots<'_>) -> super::General {
    let kernel = function.kernel;
    let mut args: Vec<Fast> = args.iter().map(|arg| compile(arg, slots)).collect();
    match args.len() {
        0 => Box::new(move |cx| kernel(cx, &[])),
        1 => match args.pop() {
            Some(Fast::Double(a)) => Box::new(move |cx| kernel(cx, &[a(cx).to_bits()])),
            Some(a) => Box::new(move |cx| kernel(cx, &[a.word(cx)])),
            None => Box::new(move |cx| kernel(cx, &[])),
        },
        2 => Box::new(move |cx| kernel(cx, &[args[0].word(cx), args[1].word(cx)])),
        3 => Box::new(move |cx| kernel(cx, &[args[0].word(cx), args[1].word(cx), args[2].word(cx)])),
        _ => Box::new(move |cx| kernel(cx, &[args[0].word(cx), args[1].word(cx), args[2].word(cx), args[3].word(cx)])),
    }
}
