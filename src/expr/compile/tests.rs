//! Random typed expressions: the fast form, the general form and the slow reference give the same.

use super::reference;
use crate::expr::tests::{columns, environment, scope_columns};
use crate::expr::{Scope, check};
use crate::tuple::{Arena, DataType, Layout, Run, Value};
use proptest::prelude::*;

use DataType::{Bigint, Boolean, Double, Interval, Text, Timestamp};

fn leaf(ty: DataType) -> BoxedStrategy<String> {
    let one_of = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned).boxed();
    match ty {
        Boolean => one_of(&["b", "true", "false", "null::boolean", "b"]),
        Bigint => one_of(&["i", "j", "i", "j", "0", "1", "7", "-3", "9223372036854775807", "null::bigint"]),
        Double => {
            one_of(&["x", "y", "x", "y", "0.0", "1.5", "-2.5", "1e308", "1e-300", "'NaN'::double", "'inf'::double"])
        }
        Text => one_of(&["s", "t", "user", "''", "'a'", "'Ab%'", "'12'", "null::text"]),
        Timestamp => one_of(&["ts", "_time", "to_timestamp(86399)", "null::timestamp"]),
        Interval => one_of(&["d", "(to_timestamp(90) - to_timestamp(0))", "null::interval"]),
    }
}

/// A template in which `{b}`, `{i}`, `{x}`, `{s}`, `{w}`, `{d}` stand for parts of the six types.
#[rustfmt::skip]
static SHAPES: [&[&str]; 6] = [
    // boolean
    &[
        "({b} and {b})", "({b} or {b} or {b})", "(not {b})", "({i} = {i})", "({i} <> {i})", "({i} < {x})",
        "({x} <= {x})", "({x} > 1.5)", "(i >= {i})", "(x < y)", "(2.5 >= x)", "(x <> 'NaN')", "({s} = {s})",
        "({s} < 'a')", "(s <> user)", "({w} >= {w})", "({d} < {d})", "({b} = {b})", "({i} is null)",
        "({x} is not null)", "({b} is true)", "({b} is not false)", "({b} is unknown)",
        "({i} is distinct from {i})", "({x} is not distinct from {x})", "({i} between {i} and {i})",
        "({x} not between {x} and {x})", "({i} between symmetric {i} and {i})", "({i} in (1, {i}, 7))",
        "({i} in (1, 2, 3, 4, 5, 7))", "({i} not in (1, 2, 3, 4, 5, null))", "({x} in (0, 1.5, 2, 3, 4, 'NaN'))",
        "({s} not in ('a', 'b', 'c', '', 'Ab%', '12'))", "({s} like 'A%')", "({s} not like {s})",
        "({s} ilike '_b%')", "({s} ~ '^[a-c]')", "({s} !~* {s})", "(case when {b} then {b} else {b} end)",
        "coalesce({b}, {b})", "starts_with({s}, {s})", "({s})::boolean",
    ],
    // bigint
    &[
        "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} / {i})", "({i} % {i})", "(-{i})", "({x})::bigint",
        "({s})::bigint", "({b})::bigint", "(case when {b} then {i} end)",
        "(case {i} when {i} then {i} when 7 then 1 else {i} end)", "coalesce({i}, {i}, 5)", "nullif({i}, {i})",
        "greatest({i}, {i}, {i})", "least({i}, {i})", "length({s})", "abs({i})", "strpos({s}, {s})",
        "mod({i}, {i})",
    ],
    // double
    &[
        "({x} + {x})", "({x} - {x})", "({x} * {x})", "({x} / {x})", "({x} % {x})", "({x} ^ {x})", "({i} + {x})",
        "(x * y)", "(100 * {x})", "({x} / 3.0)", "(-{x})", "({i})::double", "({s})::double",
        "(case when {b} then {x} else {i} end)", "coalesce({x}, {x})", "nullif({x}, {x})",
        "greatest({x}, {x}, {i})", "least({x}, {x})", "round({x})", "sqrt({x})", "round({x}, 2)", "trunc({x}, 1)",
        "extract(epoch from {w})", "extract(hour from {w})", "extract(hour from {d})", "date_part('dow', {w})",
        "power({x}, {i})", "haversine_km({x}, {x}, {x}, {x})", "sign({x})",
    ],
    // text
    &[
        "({s} || {s})", "({s} || {i})", "({x})::text", "({i})::text", "({b})::text", "({w})::text", "({d})::text",
        "(case when {b} then {s} else {s} end)", "(case when {b} then {s} end)", "coalesce({s}, {s})",
        "nullif({s}, {s})", "greatest({s}, {s}, 'b')", "concat({s}, {i}, {b})", "concat_ws({s}, {s}, {s})",
        "format('%s|%s', {s}, {i})", "upper({s})", "substring({s} from '[a-z]')", "substring({s}, {i}, 2)",
        "left({s}, {i})", "regexp_replace({s}, 'a', {s})", "split_part({s}, 'a', {i})", "lpad({s}, 5, {s})",
    ],
    // timestamp
    &[
        "({w} + {d})", "({w} - {d})", "({d} + {w})", "date_trunc('hour', {w})", "date_trunc('month', {w})",
        "(case when {b} then {w} else {w} end)", "coalesce({w}, {w})", "greatest({w}, {w})", "({s})::timestamp",
        "date_bin({d}, {w}, {w})", "to_timestamp({x})",
    ],
    // interval
    &[
        "({w} - {w})", "({d} + {d})", "({d} - {d})", "({d} * {x})", "({i} * {d})", "({d} / {x})", "(-{d})",
        "date_trunc('hour', {d})", "coalesce({d}, {d})", "least({d}, {d})",
    ],
];

fn expression(ty: DataType, depth: u32) -> BoxedStrategy<String> {
    if depth == 0 {
        return leaf(ty);
    }
    let shaped = prop::sample::select(SHAPES[ty as usize]).prop_flat_map(move |shape| {
        let parts: Vec<&str> = shape.split_inclusive('}').collect();
        let filled: Vec<BoxedStrategy<String>> = parts
            .into_iter()
            .map(|part| {
                let hole = [
                    ("{b}", Boolean),
                    ("{i}", Bigint),
                    ("{x}", Double),
                    ("{s}", Text),
                    ("{w}", Timestamp),
                    ("{d}", Interval),
                ]
                .into_iter()
                .find(|(hole, _)| part.ends_with(hole));
                match hole {
                    None => Just(part.to_owned()).boxed(),
                    Some((hole, ty)) => {
                        let before = part.trim_end_matches(hole).to_owned();
                        expression(ty, depth - 1).prop_map(move |inner| format!("{before}{inner}")).boxed()
                    }
                }
            })
            .collect();
        filled.prop_map(|parts| parts.concat())
    });
    prop_oneof![1 => leaf(ty), 5 => shaped].boxed()
}

fn value(ty: DataType) -> BoxedStrategy<Value> {
    match ty {
        Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Bigint => prop_oneof![-5i64..10, any::<i64>()].prop_map(Value::Bigint).boxed(),
        Double => prop_oneof![
            (-20i32..20).prop_map(|n| f64::from(n) / 2.0),
            any::<f64>(),
            Just(f64::NAN),
            Just(f64::NEG_INFINITY),
            Just(-0.0),
        ]
        .prop_map(Value::Double)
        .boxed(),
        Text => "[aAb1%ß ]{0,4}".prop_map(Value::Text).boxed(),
        Timestamp => prop_oneof![0i64..2_000_000_000_000_000, any::<i64>()].prop_map(Value::Timestamp).boxed(),
        Interval => prop_oneof![-100_000_000_000i64..100_000_000_000, any::<i64>()].prop_map(Value::Interval).boxed(),
    }
}

fn row() -> BoxedStrategy<Vec<Value>> {
    let values: Vec<BoxedStrategy<Value>> = columns()
        .iter()
        .map(|column| match column.nullable {
            false => value(column.ty),
            true => prop_oneof![1 => Just(Value::Null), 4 => value(column.ty)].boxed(),
        })
        .collect();
    values.boxed()
}

fn typed_expression() -> BoxedStrategy<String> {
    let by_type = DataType::ALL.map(|ty| expression(ty, 3));
    prop::sample::select(by_type.to_vec()).prop_flat_map(|strategy| strategy).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn all_forms_give_the_same(text in typed_expression(), rows in prop::collection::vec(row(), 4)) {
        let (columns, environment) = (columns(), environment());
        let scope_columns = scope_columns(&columns, "in");
        let scope = Scope { columns: &scope_columns, environment: &environment };
        // Constant parts may be wrong at check time: a text that is no number.
        let Ok(checked) = check(&text, &scope) else { return Ok(()) };
        let expr = checked.value;
        // Columns stand in the second word of NULL bits as well.
        let layout = Layout::new(70);
        let slot = |column: usize| layout.slot(if column.is_multiple_of(2) { column } else { 69 - column });
        let compiled = expr.compile(&slot);
        let mut run = Run::new(layout);
        let arena = Arena::new();
        for (index, row) in rows.iter().enumerate() {
            let (frame, _) = run.push();
            frame.set_time(1_234_567);
            for (column, value) in row.iter().enumerate() {
                value.put(frame, slot(column), &arena);
            }
            let frame = run.frame(index);
            let shown = |result: Result<Option<u64>, crate::expr::EvalError>| {
                let result = result.map_err(|e| e.reason);
                format!("{:?}", result.map(|w| w.map_or(Value::Null, |w| Value::from_word(w, expr.data_type()))))
            };
            let expected = format!("{:?}", reference::eval(expr.node(), row, 1_234_567));
            prop_assert_eq!(&shown(compiled.eval_general(frame, &arena)), &expected, "general form, row {:?}", row);
            prop_assert_eq!(&shown(compiled.eval(frame, &arena)), &expected, "either form, row {:?}", row);
            if expr.data_type() == Boolean {
                let tested = compiled.test(frame, &arena).map_err(|e| e.reason);
                let expected = reference::eval(expr.node(), row, 1_234_567).map(|v| v == Value::Boolean(true));
                prop_assert_eq!(tested, expected);
            }
            if !expr.nullable() && row.iter().all(|v| *v != Value::Null) {
                prop_assert_ne!(compiled.eval(frame, &arena), Ok(None), "it is said never to be NULL");
            }
        }
    }
}
