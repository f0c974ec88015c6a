use super::*;
use crate::bolts::rig::{Driver, Rig, Shelf};
use crate::store::MemoryStore;
use crate::tuple::Value;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn rig() -> Rig {
    Rig::new(&[("s", &[("k", DataType::Text), ("n", DataType::Bigint), ("id", DataType::Text)])])
}

fn feed(driver: &mut Driver, time: i64, k: &str, n: i64, id: &str) -> Vec<String> {
    driver.feed(0, time, &[Value::Text(k.to_owned()), Value::Bigint(n), Value::Text(id.to_owned())])
}

const TOP: &str = "order_by = 'n desc'\nlimit = 2\nper = 'k'\nkeep = ['k', 'id']";

#[test]
fn a_group_leaves_ranked_when_its_time_has_passed() {
    let mut driver = rig().driver(&Top, TOP);
    assert_eq!(driver.outputs()[0].1, "k text, id text, rank bigint");
    assert_eq!(driver.outputs()[1], ("late".to_owned(), "k text, n bigint, id text".to_owned()));
    for (time, k, n, id) in [(5, "a", 1, "x"), (5, "b", 9, "y"), (5, "a", 3, "z"), (7, "a", 8, "v"), (5, "a", 2, "w")] {
        assert_eq!(feed(&mut driver, time, k, n, id), Vec::<String>::new());
    }
    assert_eq!(driver.pass(5), Vec::<String>::new(), "rows of time 5 may still come");
    assert_eq!(driver.pass(6), ["5 main: a z 1", "5 main: a w 2", "5 main: b y 1"]);
    assert_eq!(feed(&mut driver, 5, "a", 99, "late"), ["late: a 99 late"]);
    assert_eq!(driver.pass(i64::MAX), ["7 main: a v 1"]);
}

#[test]
fn entries_may_use_what_does_not_leave_and_the_rank() {
    let toml =
        "order_by = 'n'\nlimit = 3\nkeep = []\nadd.place = \"rank || '/' || id\"\nadd.same = 'k'\nadd.q = '4 / n'";
    let mut driver = rig().driver(&Top, toml);
    assert_eq!(driver.outputs()[0].1, "rank bigint, place text, same text, q bigint");
    for n in [2, 0, 1] {
        feed(&mut driver, 1, "k", n, &format!("i{n}"));
    }
    let lines = driver.pass(2);
    assert!(lines[0].contains("error division_by_zero: add.q"), "{lines:?}");
    assert_eq!(lines[1..], ["1 main: 2 2/i1 k 4", "1 main: 3 3/i2 k 2"]);
}

#[test]
fn a_null_in_per_and_a_failing_order_are_errors() {
    let mut driver = rig().driver(&Top, "order_by = '1 / n'\nlimit = 2\nper = 'k'");
    assert!(driver.feed(0, 0, &[Value::Null, Value::Bigint(1), Value::Null])[0].starts_with("error null_key"));
    assert!(feed(&mut driver, 0, "a", 0, "")[0].starts_with("error division_by_zero: order_by"));
}

#[test]
fn what_is_wrong_is_said() {
    let problems = rig().problems(&Top, "order_by = 'm desc'\nlimit = 0\nper = ['kk']\nkeep = ['idd']");
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(problems.iter().any(|p| p.contains("did you mean `k`?")), "{problems:#?}");
    assert!(rig().problems(&Top, "order_by = 'n'\nlimit = 10001")[0].contains("at most 10000"));
}

#[test]
fn open_groups_and_what_has_left_outlive_the_task() {
    let backend = Arc::new(MemoryStore::new());
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = rig().on(&shelf).driver(&Top, TOP);
    for (time, k, n, id) in [(3, "a", 1, "x"), (5, "b", 9, "y"), (5, "a", 3, "z")] {
        feed(&mut driver, time, k, n, id);
    }
    assert_eq!(driver.pass(4), ["3 main: a x 1"]);
    shelf.commit(&mut driver, 5);
    drop((driver, shelf));
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = rig().on(&shelf).driver(&Top, TOP);
    assert_eq!(driver.deadline(), 5);
    assert_eq!(feed(&mut driver, 3, "a", 9, "again"), ["late: a 9 again"]);
    feed(&mut driver, 5, "a", 4, "w");
    assert_eq!(driver.pass(6), ["5 main: a w 1", "5 main: a z 2", "5 main: b y 1"]);
    shelf.commit(&mut driver, 6);
    drop((driver, shelf));
    let shelf = Shelf::open(&backend, 1 << 20);
    assert_eq!(rig().on(&shelf).driver(&Top, TOP).deadline(), i64::MAX, "nothing is open");
}

proptest! {
    #[test]
    fn the_first_rows_of_each_group_leave_whatever_came_first(
        rows in prop::collection::vec((0i64..3, 0u8..3, 0i64..5, 0u8..4), 0..60),
        limit in 1usize..5,
    ) {
        let toml = format!("order_by = 'n desc'\nlimit = {limit}\nper = 'k'");
        let mut driver = rig().driver(&Top, &toml);
        let mut groups: BTreeMap<(i64, u8), Vec<(i64, u8)>> = BTreeMap::new();
        for (time, k, n, id) in &rows {
            feed(&mut driver, *time, &k.to_string(), *n, &id.to_string());
            groups.entry((*time, *k)).or_default().push((-n, *id));
        }
        let mut wanted = Vec::new();
        for ((time, k), mut rows) in groups {
            rows.sort_unstable();
            let first = rows.iter().take(limit).enumerate();
            wanted.extend(first.map(|(at, (n, id))| format!("{time} main: {k} {} {id} {}", -n, at + 1)));
        }
        prop_assert_eq!(driver.pass(10), wanted);
    }
}
