//! A slow evaluator over owned values, for tests: walks the tree, knows NULL as a value, stops at the first failure.
//! Arithmetic, comparison and logic are written again here, from the rules; the kernels of functions are shared (they
//! are held against PostgreSQL).

use crate::expr::cast;
use crate::expr::fault::Cx;
use crate::expr::like::LikePattern;
use crate::expr::node::{ArithOp, ConstantSet, Kind, LikeSource, Node};
use crate::expr::pattern::{self, RegexPattern};
use crate::expr::timestamp;
use crate::tuple::{Arena, DataType, Frame, Layout, Value};
use std::cmp::Ordering;

type Out = Result<Value, &'static str>;

/// Evaluates a node on a row of values and the tuple's time.
pub(crate) fn eval(node: &Node, row: &[Value], time: i64) -> Out {
    let e = |node: &Node| eval(node, row, time);
    let all = |nodes: &[Node]| nodes.iter().map(e).collect::<Result<Vec<Value>, _>>();
    let b = Value::Boolean;
    Ok(match &node.kind {
        Kind::Constant(value) => value.clone(),
        Kind::Column(column) => row[*column].clone(),
        Kind::Time => Value::Timestamp(time),
        Kind::Lookup { .. } | Kind::Exists { .. } => unreachable!("not generated"),
        Kind::Not(node) => match e(node)? {
            Value::Boolean(value) => b(!value),
            _ => Value::Null,
        },
        Kind::And(nodes) => logic(nodes, row, time, false)?,
        Kind::Or(nodes) => logic(nodes, row, time, true)?,
        Kind::IsNull { node, negated } => b((e(node)? == Value::Null) != *negated),
        Kind::IsTruth { node, value, negated } => b((e(node)? == b(*value)) != *negated),
        Kind::Compare { op, left, right } => match order(&e(left)?, &e(right)?) {
            None => Value::Null,
            Some(order) => b(op.holds(order)),
        },
        Kind::Distinct { left, right, negated } => {
            let (left, right) = (e(left)?, e(right)?);
            let distinct = match order(&left, &right) {
                Some(order) => order.is_ne(),
                None => (left == Value::Null) != (right == Value::Null),
            };
            b(distinct != *negated)
        }
        Kind::InSet { node, set, has_null, negated } => match e(node)? {
            Value::Null => Value::Null,
            value => match listed(set, node.ty, &value) {
                false if *has_null => Value::Null,
                found => b(found != *negated),
            },
        },
        Kind::Arith { op, left, right } => arithmetic(*op, e(left)?, e(right)?)?,
        Kind::Negate(node) => match e(node)? {
            Value::Double(value) => Value::Double(-value),
            value => arithmetic(ArithOp::Sub, zero_of(&value), value)?,
        },
        Kind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                if e(condition)? == b(true) {
                    return e(result);
                }
            }
            otherwise.as_ref().map_or(Ok(Value::Null), |node| e(node))?
        }
        Kind::Coalesce(nodes) => {
            for node in nodes {
                let value = e(node)?;
                if value != Value::Null {
                    return Ok(value);
                }
            }
            Value::Null
        }
        Kind::NullIf { value, equal } => {
            if e(equal)? == b(true) {
                return Ok(Value::Null);
            }
            e(value)?
        }
        Kind::Extreme { greatest, args } => extreme(*greatest, all(args)?),
        _ => function(node, row, time)?,
    })
}

fn extreme(greatest: bool, values: Vec<Value>) -> Value {
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    let better = |best: Value, value: Value| match order(&value, &best) {
        Some(order) if order != wanted => best,
        _ => value,
    };
    values.into_iter().filter(|v| *v != Value::Null).reduce(better).unwrap_or(Value::Null)
}

/// What shares its kernel with the compiled forms.
fn function(node: &Node, row: &[Value], time: i64) -> Out {
    let e = |node: &Node| eval(node, row, time);
    let all = |nodes: &[Node]| nodes.iter().map(e).collect::<Result<Vec<Value>, _>>();
    Ok(match &node.kind {
        Kind::Shared { node, .. } => e(node)?,
        Kind::Cast(inner) => strict(&[e(inner)?], node.ty, |cx, words| cast::cast(cx, words[0], inner.ty, node.ty))?,
        Kind::Call { function, args } => strict(&all(args)?, node.ty, function.kernel)?,
        Kind::Variadic { function, args } => {
            let args = all(args)?;
            kernel(node.ty, |cx| {
                let words: Vec<Option<u64>> = args.iter().map(|arg| arg.to_word(cx.arena)).collect();
                function.call(cx, &words)
            })?
        }
        Kind::Like { text, pattern, insensitive, negated } => {
            let text = e(text)?;
            let pattern = match pattern {
                LikeSource::Constant(pattern) => Some(pattern.as_ref().clone()),
                LikeSource::Dynamic(pattern, escape) => match e(pattern)? {
                    Value::Text(pattern) if text != Value::Null => {
                        Some(LikePattern::new(&pattern, *escape, *insensitive).map_err(|_| "invalid_argument")?)
                    }
                    _ => None,
                },
            };
            match (text, pattern) {
                (Value::Text(text), Some(pattern)) => Value::Boolean(pattern.matches(&text) != *negated),
                _ => Value::Null,
            }
        }
        Kind::Regex { call, pattern: RegexPattern::Constant(regex, _), args } => {
            strict(&all(args)?, node.ty, |cx, words| pattern::run(cx, *call, regex, words))?
        }
        Kind::Regex { call, pattern: RegexPattern::Dynamic(pattern, flags), args } => {
            let mut values = all(args)?;
            values.push(e(pattern)?);
            strict(&values, node.ty, |cx, words| {
                let (pattern, rest) = words.split_last().expect("the pattern is there");
                pattern::run_dynamic(cx, *call, crate::expr::text::str_of(*pattern), *flags, rest)
            })?
        }
        Kind::Part { field, node: inner } => strict(&[e(inner)?], node.ty, |cx, words| {
            let micros = words[0] as i64;
            Some(match inner.ty {
                DataType::Interval => timestamp::interval_part(cx, *field, micros).to_bits(),
                _ => timestamp::part(*field, micros).to_bits(),
            })
        })?,
        Kind::Truncate { field, node: inner } => strict(&[e(inner)?], node.ty, |cx, words| {
            let micros = words[0] as i64;
            Some(match inner.ty {
                DataType::Interval => timestamp::truncate_interval(cx, *field, micros) as u64,
                _ => timestamp::truncate(cx, *field, micros) as u64,
            })
        })?,
        other => unreachable!("evaluated above: {other:?}"),
    })
}

/// AND (`known` false) and OR (`known` true).
fn logic(nodes: &[Node], row: &[Value], time: i64, known: bool) -> Out {
    let mut result = Value::Boolean(!known);
    for node in nodes {
        match eval(node, row, time)? {
            Value::Boolean(value) if value == known => return Ok(Value::Boolean(known)),
            Value::Null => result = Value::Null,
            _ => {}
        }
    }
    Ok(result)
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Double(a), Value::Double(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b).expect("neither is NaN"),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Bigint(a), Value::Bigint(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
        _ => return None,
    })
}

fn listed(set: &ConstantSet, ty: DataType, value: &Value) -> bool {
    match (set, value) {
        (ConstantSet::Texts(texts), Value::Text(text)) => texts.iter().any(|t| **t == **text),
        (ConstantSet::Words(words), value) => {
            words.iter().any(|word| order(&Value::from_word(*word, ty), value) == Some(Ordering::Equal))
        }
        _ => false,
    }
}

fn zero_of(value: &Value) -> Value {
    match value {
        Value::Interval(_) => Value::Interval(0),
        Value::Null => Value::Null,
        _ => Value::Bigint(0),
    }
}

fn arithmetic(op: ArithOp, left: Value, right: Value) -> Out {
    use Value::{Bigint, Double, Interval, Timestamp};
    let fits = |wide: i128| i64::try_from(wide).map_err(|_| "overflow");
    let whole = |a: i64, b: i64| -> Result<i64, &'static str> {
        let (a, b) = (i128::from(a), i128::from(b));
        match op {
            ArithOp::Add => fits(a + b),
            ArithOp::Sub => fits(a - b),
            ArithOp::Mul => fits(a * b),
            _ if b == 0 => Err("division_by_zero"),
            ArithOp::Div => fits(a / b),
            _ => fits(a % b),
        }
    };
    Ok(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Bigint(a), Bigint(b)) => Bigint(whole(a, b)?),
        (Timestamp(a), Timestamp(b)) | (Interval(a), Interval(b)) if op == ArithOp::Sub => Interval(whole(a, b)?),
        (Interval(a), Interval(b)) => Interval(whole(a, b)?),
        (Timestamp(a), Interval(b)) | (Interval(a), Timestamp(b)) => Timestamp(whole(a, b)?),
        (Interval(a), Double(b)) | (Double(b), Interval(a)) => {
            if op == ArithOp::Div && b == 0.0 {
                return Err("division_by_zero");
            }
            if op == ArithOp::Mul && b.fract() == 0.0 && b.abs() < 9e18 {
                return fits(i128::from(a) * b as i128).map(Interval);
            }
            let value = if op == ArithOp::Div { a as f64 / b } else { a as f64 * b }.round_ties_even();
            if !(value >= i64::MIN as f64 && value < i64::MAX as f64) {
                return Err("overflow");
            }
            Interval(value as i64)
        }
        (Double(a), Double(b)) => Double(doubles(op, a, b)?),
        other => unreachable!("{other:?}"),
    })
}

fn doubles(op: ArithOp, a: f64, b: f64) -> Result<f64, &'static str> {
    let value = match op {
        ArithOp::Add => a + b,
        ArithOp::Sub => a - b,
        ArithOp::Mul => a * b,
        ArithOp::Div | ArithOp::Mod if b == 0.0 && !a.is_nan() => return Err("division_by_zero"),
        ArithOp::Div => a / b,
        ArithOp::Mod => return Ok(a % b),
        ArithOp::Pow if a == 0.0 && b < 0.0 || a < 0.0 && b.floor() != b && !b.is_nan() => {
            return Err("invalid_argument");
        }
        ArithOp::Pow => a.powf(b),
    };
    let finite = a.is_finite() && b.is_finite();
    let vanished = value == 0.0 && a != 0.0 && !matches!(op, ArithOp::Add | ArithOp::Sub);
    let vanished = vanished && !(op == ArithOp::Mul && b == 0.0);
    if finite && (value.is_infinite() || vanished) { Err("overflow") } else { Ok(value) }
}

/// Runs a kernel on values, NULL for a NULL.
fn strict(values: &[Value], ty: DataType, run: impl FnOnce(&Cx<'_>, &[u64]) -> Option<u64>) -> Out {
    kernel(ty, |cx| {
        let words: Option<Vec<u64>> = values.iter().map(|value| value.to_word(cx.arena)).collect();
        run(cx, &words?)
    })
}

fn kernel(ty: DataType, run: impl FnOnce(&Cx<'_>) -> Option<u64>) -> Out {
    let (words, arena) = (vec![0; Layout::new(1).words()], Arena::new());
    let cx = Cx::new(Frame::from_words(&words), &arena);
    let word = run(&cx);
    if cx.failed() {
        return Err(cx.error().reason);
    }
    Ok(word.map_or(Value::Null, |word| Value::from_word(word, ty)))
}
