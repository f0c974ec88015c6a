use super::*;
use crate::expr::tests::{columns, environment, scope_columns};
use crate::expr::{Scope, check};
use crate::tuple::{Layout, Run, Value};
use proptest::prelude::*;

fn condition(text: &str) -> Condition {
    let (columns, environment) = (columns(), environment());
    let scope = Scope { columns: &scope_columns(&columns, "in"), environment: &environment };
    let expr = check(text, &scope).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).value;
    Condition { expr: Some(expr), every: false }
}

fn guard_of(text: &str) -> Option<Guard> {
    guard::of(&condition(text).expr.unwrap())
}

type Seen = Vec<(usize, Result<bool, &'static str>)>;

/// What is reported with the indexes, and what evaluating everything says.
fn both(list: &[Condition], row: &[Value]) -> (Seen, Seen) {
    let layout = Layout::new(row.len());
    let mut run = Run::new(layout);
    let (frame, arena) = run.push();
    row.iter().enumerate().for_each(|(at, value)| value.put(frame, layout.slot(at), arena));
    let slots = |column: usize| layout.slot(column);
    let arena = Arena::new();
    let mut compiled = Conditions::new(list.to_vec()).compile(&slots);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.clear();
        compiled.test(run.frame(0), &arena, |number, result| {
            seen.push((number, result.map_err(|error| error.reason)));
            true
        });
    }
    let plain = list.iter().enumerate().filter_map(|(number, condition)| {
        let when = condition.expr.as_ref().map(|expr| expr.compile(&slots));
        let result = when.map_or(Ok(true), |when| when.test(run.frame(0), &arena)).map_err(|error| error.reason);
        (condition.every || result != Ok(false)).then_some((number, result))
    });
    (seen, plain.collect())
}

#[test]
fn a_guard_is_the_most_selective_part_that_nothing_before_can_fail() {
    let is = |text: &str, column: usize, wanted: &str| {
        let guard = guard_of(text).unwrap_or_else(|| panic!("{text}"));
        let test = match &guard.test {
            Test::Equal(values) => format!("{} values", values.len()),
            Test::Range(low, high) => format!("{low}..{high}"),
        };
        assert_eq!((guard.column, &*format!("{test} {} {}", guard.whole, guard.fallible)), (column, wanted), "{text}");
    };
    is("i = 5", 1, "1 values true false");
    is("5 < i", 1, "6..9223372036854775807 true false");
    is("i between 3 and 8", 1, "3..8 true false");
    is("i between 3 and 8 and b", 1, "3..8 false false");
    is("i > 3 and s = 'x' and i / j > 2", 5, "1 values false true");
    is("s in ('a', 'b', 'c')", 5, "3 values true false");
    is("i in ($list) and b", 1, "9 values false false");
    is("x > 0 and i >= 2 and i < 9", 1, "2..8 false false");
    for none in
        ["i / j > 1 and s = 'x'", "i <> 3", "s < 'x'", "i = j", "s = 'x' or i = 3", "not (i = 3)", "i not in (1, 2)"]
    {
        assert!(guard_of(none).is_none(), "{none}");
    }
}

#[test]
fn few_conditions_on_a_column_are_not_indexed_and_many_are_described() {
    let names = |column: usize| columns()[column].name.clone();
    let list = |n: usize| Conditions::new((0..n).map(|k| condition(&format!("i = {k} and x > 0")))).describe(&names);
    assert_eq!(list(5), Vec::<String>::new());
    assert_eq!(list(6), ["6 of 6 conditions are found by equality of i"]);
}

#[test]
fn what_is_reported_on_each_tuple_and_what_has_no_condition_always_is() {
    let mut list: Vec<Condition> = (0..20).map(|k| condition(&format!("i = {k}"))).collect();
    list.push(Condition { expr: None, every: false });
    list.push(Condition { every: true, ..condition("i = 99") });
    let row: Vec<Value> = crate::expr::tests::row();
    let (seen, plain) = both(&list, &row);
    assert_eq!(seen, [(7, Ok(true)), (20, Ok(true)), (21, Ok(false))]);
    assert_eq!(seen, plain);
}

#[test]
fn equal_parts_are_computed_once_for_a_tuple_and_told() {
    let list: Vec<Condition> = (0..10).map(|k| condition(&format!("length(upper(s)) * 3 + i > {k}"))).collect();
    let names = |column: usize| columns()[column].name.clone();
    let described = Conditions::new(list.clone()).describe(&names);
    assert_eq!(described, ["parts that several conditions have and that are computed once a tuple: 1"]);
    let (seen, plain) = both(&list, &crate::expr::tests::row());
    assert_eq!((seen.len(), &seen), (10, &plain));
    // Alike but for a flag that a compiled expression does not show.
    let list = ["s ~ 'gr' and i > 1", "s ~* 'gr' and i > 1", "s ~* 'gr' and i > 2"].map(condition);
    let (seen, plain) = both(&list, &crate::expr::tests::row());
    assert_eq!(seen, [(1, Ok(true)), (2, Ok(true))]);
    assert_eq!(seen, plain);
}

/// A part of a condition: some are guards, some fail on some rows.
fn part() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec!["=", "<", "<=", ">", ">=", "<>"]);
    prop_oneof![
        4 => (op.clone(), -3i64..8).prop_map(|(op, n)| format!("i {op} {n}")),
        2 => (op.clone(), -3i64..8).prop_map(|(op, n)| format!("{n} {op} i")),
        3 => (op, prop::sample::select(vec!["-1.5", "0.0", "-0.0", "2.5", "'NaN'", "'Infinity'"]))
            .prop_map(|(op, x)| format!("x {op} {x}")),
        3 => prop::sample::select(vec!["a", "b", "ü"]).prop_map(|s| format!("s = '{s}'")),
        1 => Just("s in ('a', 'b')".to_owned()),
        1 => Just("i in (1, 2, 3, 4, 5, 6, 7)".to_owned()),
        1 => (-3i64..8, -3i64..8).prop_map(|(a, b)| format!("i between {a} and {b}")),
        1 => Just("10 / i > 2".to_owned()),
        1 => Just("i / j > 0".to_owned()),
        1 => Just("(i + 3) * 2 - i > 4".to_owned()),
        1 => Just("length(s) + abs(i) > 5".to_owned()),
        1 => Just("upper(s) = 'A'".to_owned()),
        1 => Just("(s ~ 'A' or s ~* 'A')".to_owned()),
        1 => Just("100 / (i * 2 - 4 - i) > 2".to_owned()),
        1 => Just("coalesce(length(s), abs(i)) is null".to_owned()),
        1 => Just("b".to_owned()),
        1 => Just("j is null".to_owned()),
        1 => Just("(i = 3 or s = 'a')".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_same_is_reported_as_if_all_were_evaluated(
        texts in prop::collection::vec(prop::collection::vec(part(), 1..4), 1..120),
        rows in prop::collection::vec((-4i64..9, 0usize..8, 0usize..5, 0u8..16), 1..4),
    ) {
        let list: Vec<Condition> = texts.iter().map(|parts| condition(&parts.join(" and "))).collect();
        for (i, x, s, nulls) in rows {
            let mut row = crate::expr::tests::row();
            let doubles = [-2.0, -1.5, -0.0, 0.0, 2.5, 3.0, f64::NAN, f64::INFINITY];
            let null = |bit: u8, value: Value| if nulls & (1 << bit) != 0 { Value::Null } else { value };
            row[0] = Value::Boolean(i % 2 == 0);
            row[1] = null(0, Value::Bigint(i));
            row[2] = null(1, Value::Bigint(i % 3));
            row[3] = null(2, Value::Double(doubles[x]));
            row[5] = null(3, Value::Text(["a", "b", "ü", "c", ""][s].to_owned()));
            let (seen, plain) = both(&list, &row);
            prop_assert_eq!(seen, plain);
        }
    }
}
