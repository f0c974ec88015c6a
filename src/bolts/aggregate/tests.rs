use super::Aggregate;
use crate::bolts::rig::Rig;
use crate::tuple::{DataType, Value};

fn rig() -> Rig {
    Rig::new(&[("s", &[("k", DataType::Text), ("x", DataType::Bigint)])])
}

fn row(k: &str, x: i64) -> [Value; 2] {
    [Value::Text(k.to_owned()), Value::Bigint(x)]
}

#[test]
fn rows_leave_with_the_results_of_their_key() {
    let mut driver = rig().driver(
        &Aggregate,
        "key = 'k'\nwindow = { rolling = '10s' }\nadd.n = 'count(*)'\nadd.total = 'sum(x)'\nadd.big = 'total > 5'",
    );
    let second = 1_000_000;
    assert_eq!(driver.feed(0, 0, &row("a", 3)), ["main: a 3 1 3 false"]);
    assert_eq!(driver.feed(0, 10 * second, &row("a", 4)), ["main: a 4 2 7 true"]);
    assert_eq!(driver.feed(0, 10 * second, &row("b", 1)), ["main: b 1 1 1 false"]);
    assert_eq!(driver.feed(0, 10 * second + 1, &row("a", 1)), ["main: a 1 2 5 false"]);
    assert_eq!(driver.feed(0, 9 * second, &row("a", 1)), ["late: a 1"]);
    assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Bigint(1)]), ["error null_key: a column of the key is NULL"]);
}

#[test]
fn a_row_that_fails_leaves_no_trace() {
    let mut driver = rig().driver(&Aggregate, "key = 'k'\nttl = 'never'\nadd.n = 'count(*)'\nadd.d = '100 / x'");
    assert_eq!(driver.feed(0, 0, &row("a", 1)), ["main: a 1 1 100"]);
    assert_eq!(driver.feed(0, 1, &row("a", 0)).len(), 1);
    assert_eq!(driver.feed(0, 2, &row("a", 2)), ["main: a 2 2 50"]);
}

#[test]
fn lag_sees_added_columns_of_earlier_rows() {
    let mut driver = rig().driver(
        &Aggregate,
        "key = 'k'\nttl = 'never'\nadd.total = 'coalesce(lag(total)::bigint, 0) + x'\nadd.before = 'lag(x, 2, -1)'",
    );
    let lines = [1, 2, 3].map(|x| driver.feed(0, x, &row("a", x)).remove(0));
    assert_eq!(lines, ["main: a 1 1 -1", "main: a 2 3 -1", "main: a 3 6 1"]);
}

#[test]
fn a_filter_keeps_its_argument_from_failing() {
    let toml = "key = 'k'\nkeep = []\nadd.s = \"sum(10 / x) filter (where x <> 0) over '2 rows'\"";
    let mut driver = rig().driver(&Aggregate, toml);
    assert_eq!(driver.feed(0, 0, &row("a", 5)), ["main: 2"]);
    assert_eq!(driver.feed(0, 1, &row("a", 0)), ["main: 2"]);
    assert_eq!(driver.feed(0, 2, &row("a", 10)), ["main: 1"]);
}

#[test]
fn windows_are_checked() {
    let problems = |toml: &str| rig().problems(&Aggregate, toml).join("\n");
    assert!(problems("key = 'k'\nadd.n = 'count(*)'").contains("has no `ttl`"));
    assert!(problems("key = 'k'\nadd.n = 'lag(x)'\nwindow = { rolling = '1h' }").contains("has no `ttl`"));
    assert!(problems("window = { tumbling = '1h' }\nadd.n = 'count(*)'").contains("available is rolling"));
    assert!(problems("windows.day = { rolling = '1d' }\nadd.n = 'count(*) over dya'").contains("did you mean `day`?"));
    assert!(problems("window = { rolling = 'x' }\nadd.n = 'count(*)'").contains("rolling"));
    assert!(problems("order = 'time'\nadd.n = 'count(*)'").contains("not available yet"));
    assert_eq!(problems("add.n = 'count(*)'"), "");
}
