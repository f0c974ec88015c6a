//! Bolts that take rows in order find in rows of any order what they find in sorted ones.

use crate::bolts::rig::{Driver, Rig, Shelf};
use crate::bolts::{join::Join, pattern::Pattern, rules::Rules};
use crate::component::BoltFactory;
use crate::store::MemoryStore;
use crate::tuple::{DataType, Value};
use proptest::prelude::*;
use std::sync::Arc;

const COLUMNS: &[(&str, DataType)] = &[("k", DataType::Text), ("x", DataType::Bigint)];

const KINDS: [(&dyn BoltFactory, &str); 4] = [
    (
        &Pattern,
        "key = 'k'\npattern = 'a b -> c'\nwithin = '20us'\nskip = 'to next'
        define.a = { from = 'a', where = 'x < 6' }\ndefine.b = { from = 'b', where = 'x > 1' }
        define.c = { from = 'a', where = 'x >= b.x' }\nadd.a = 'a.x'\nadd.b = 'b.x'\nadd.c = 'c.x'",
    ),
    (
        &Pattern,
        "key = 'k'\npattern = 'a+ -> !b'\nwithin = '9us'\ndefine.a = { from = 'a' }\ndefine.b = { from = 'b' }
        add.n = 'count(a.*)'\nadd.sum = 'sum(a.x)'",
    ),
    (
        &Rules,
        "key = 'k'\nkeep = ['k', 'x']\nrules.up = { from = 'a', when = 'x > 2', for = '2 rows' }
        rules.down = { from = 'b', when = 'x < 7', for = '4us', reason = '{x}' }",
    ),
    (
        &Join,
        "key = 'k'\nkeep = ['a.k', 'a.x']\nadd.other = 'b.x'\nmatch = 'latest'\nouter = 'left'\nwithin = { before = '12us' }",
    ),
];

/// Key, value, input and time of a row.
type Event = (i64, usize, usize, i64);

fn row((_, _, key, x): Event) -> [Value; 2] {
    [Value::Text(["a", "b"][key].to_owned()), Value::Bigint(x)]
}

fn rig() -> Rig {
    Rig::new(&[("a", COLUMNS), ("b", COLUMNS)])
}

/// What the bolt leaves over rows as they come, with a restart after every so many.
fn in_order(factory: &dyn BoltFactory, toml: &str, rows: &[Event], disorder: i64, every: usize) -> Vec<String> {
    let toml = format!("order = 'time'\n{toml}");
    let backend = Arc::new(MemoryStore::default());
    let mut shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = rig().on(&shelf).driver(factory, &toml);
    let (mut watermark, mut out) = (i64::MIN, Vec::new());
    for (n, event) in rows.iter().enumerate() {
        watermark = watermark.max(event.0 - disorder);
        out.extend(driver.advance(watermark));
        out.extend(driver.come_late(event.1, event.0, &row(*event)));
        if n % every == every - 1 {
            shelf.commit(&mut driver, watermark);
            drop(driver);
            shelf = Shelf::open(&backend, 1 << 20);
            driver = rig().on(&shelf).driver(factory, &toml);
            driver.watermark = watermark;
        }
    }
    out.extend(end(driver, rows));
    out
}

/// Time passes all that can still happen, and then all.
fn end(mut driver: Driver, rows: &[Event]) -> Vec<String> {
    let last = rows.iter().map(|event| event.0).max().unwrap_or(0);
    let mut out = driver.advance(last + 100);
    out.extend(driver.advance(i64::MAX));
    out
}

proptest! {
    #[test]
    fn rows_in_any_order_give_what_sorted_rows_give(
        rows in prop::collection::vec((-6i64..4, 0usize..2, 0usize..2, 0i64..9), 1..50),
        every in 1usize..60,
    ) {
        let mut now = 0;
        let rows: Vec<Event> = rows.iter().map(|(ahead, input, key, x)| {
            let time = now + ahead;
            now = now.max(time);
            (time, *input, *key, *x)
        }).collect();
        let mut sorted = rows.clone();
        sorted.sort_by_key(|event| (event.0, event.1));
        let untimed = |line: String| {
            line.split_once(' ').filter(|_| line.starts_with('@')).map(|(_, row)| row.to_owned()).unwrap_or(line)
        };
        for (factory, toml) in KINDS {
            let mut driver = rig().driver(factory, toml);
            let mut wanted: Vec<String> = Vec::new();
            for event in &sorted {
                wanted.extend(driver.advance(event.0));
                wanted.extend(driver.come_late(event.1, event.0, &row(*event)));
            }
            wanted.extend(end(driver, &rows));
            let found = in_order(factory, toml, &rows, 6, every);
            let [mut wanted, mut found] = [wanted, found].map(|lines| lines.into_iter().map(untimed).collect::<Vec<_>>());
            // At one time keys come in their own order.
            wanted.sort();
            found.sort();
            prop_assert_eq!(found, wanted, "{}", factory.kind());
        }
    }
}
