use super::*;
use crate::bolts::rig::{Driver, Rig, Shelf};
use crate::tuple::Value;
use serde_json::json;

const PAY: &[(&str, DataType)] = &[("id", DataType::Text), ("amount", DataType::Double), ("n", DataType::Bigint)];
const PROBES: &[(&str, DataType)] = &[("probes", DataType::Bigint), ("id", DataType::Text)];

fn rig() -> Rig {
    Rig::new(&[("pay", PAY)])
}

fn pay(driver: &mut Driver, time: i64, amount: f64, n: i64) -> Vec<String> {
    driver.feed(0, time, &[Value::Text("a".to_owned()), Value::Double(amount), Value::Bigint(n)])
}

const TWO: &str = "keep = ['id']
rules.large = { when = 'amount > 500', score = 0.9, reason = '{amount} is large' }
rules.many  = { when = 'n >= 3', score = 'n', mode = 'shadow' }";

#[test]
fn each_rule_that_fires_is_a_row_on_the_stream_of_its_mode() {
    let mut driver = rig().driver(&Rules, TWO);
    let columns = "id text, rule text, score double, reason text".to_owned();
    assert_eq!(driver.outputs(), [("".to_owned(), columns.clone()), ("shadow".to_owned(), columns)]);
    assert_eq!(pay(&mut driver, 0, 1.0, 1), Vec::<String>::new());
    assert_eq!(pay(&mut driver, 0, 501.0, 1), ["main: a large 0.9 501 is large"]);
    assert_eq!(driver.paths, [99]);
    assert_eq!(pay(&mut driver, 0, 1.0, 3), ["shadow: a many 3 null"]);
    assert_eq!(pay(&mut driver, 0, 900.0, 7), ["main: a large 0.9 900 is large", "shadow: a many 7 null"]);
    let paths = driver.paths.clone();
    assert!(paths[0] != paths[1] && !paths.contains(&99), "rows of one tuple are told apart: {paths:?}");
    assert_eq!(pay(&mut driver, 0, 900.0, 7).len(), 2);
    assert_eq!(driver.paths, paths, "and alike at every replay");
    assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Null, Value::Null]), Vec::<String>::new());
    let (title, text, value) = driver.finish().unwrap().remove(0);
    assert_eq!(title, "rules of b");
    assert!(
        text.starts_with("rule   mode    evaluated  fired  errors\nlarge  active          6      3       0\n"),
        "{text}"
    );
    assert_eq!(value["rules"]["many"], json!({ "mode": "shadow", "evaluated": 6, "fired": 3, "errors": 0 }));
}

#[test]
fn kept_columns_of_one_input_are_not_copied() {
    let driver = rig().driver(&Rules, TWO);
    assert_eq!(driver.sources()[0], ColumnSource::Input(0));
}

#[test]
fn a_failing_rule_does_not_silence_the_others() {
    let toml = "keep = ['id']
        rules.broken = { when = '10 / n > 1' }
        rules.large  = { when = 'amount > 500' }
        rules.scored = { when = 'amount > 500', score = '1 / n' }
        rules.said   = { when = 'amount > 500', reason = '{1 / n}' }
        rules.silent = { mode = 'off', when = '1 / n > 0' }";
    let mut driver = rig().driver(&Rules, toml);
    let lines = pay(&mut driver, 0, 501.0, 0);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("error division_by_zero: rule broken: when: "), "{lines:?}");
    assert_eq!(lines[1], "main: a large null null");
    assert!(lines[2].starts_with("error division_by_zero: rule scored: score: "), "{lines:?}");
    assert!(lines[3].starts_with("error division_by_zero: rule said: reason: "), "{lines:?}");
    let lines = pay(&mut driver, 0, 1.0, 0);
    assert!(lines.len() == 1 && lines[0].starts_with("error division_by_zero: rule broken"), "{lines:?}");
    assert_eq!(pay(&mut driver, 0, 1.0, 20), Vec::<String>::new());
    let value = driver.finish().unwrap().remove(0).2;
    assert_eq!(value["rules"]["broken"], json!({ "mode": "active", "evaluated": 3, "fired": 0, "errors": 2 }));
    assert_eq!(value["rules"]["silent"]["evaluated"], 0);
}

#[test]
fn for_fires_once_and_arms_again() {
    let toml = "key = 'id'\nkeep = ['id']\nrules.hot = { when = 'amount > 95', for = '3 rows', reason = '{n}' }";
    let mut driver = rig().driver(&Rules, toml);
    let fired: Vec<i64> = [96, 97, 98, 99, 99, 90, 99, 99, 99, 99]
        .iter()
        .zip(0i64..)
        .filter_map(|(amount, n)| (!pay(&mut driver, n, f64::from(*amount), n).is_empty()).then_some(n))
        .collect();
    assert_eq!(fired, [2, 8]);
    let lines = driver.feed(0, 0, &[Value::Null, Value::Double(99.0), Value::Bigint(0)]);
    assert!(lines.len() == 1 && lines[0].starts_with("error null_key: rule hot"), "{lines:?}");
}

const LONG: &str = "key = 'id'
keep = ['id']
rules.long = { when = 'amount > 95', for = '30s', reason = '{n}' }
rules.edge = { when = 'amount > 95', for = '1 row' }";

/// Rows (second, amount, n) of one key in order, and what fires.
fn seconds(driver: &mut Driver, rows: &[(i64, i64, i64)]) -> Vec<String> {
    let fired = rows.iter().map(|(second, amount, n)| {
        let row = [Value::Text("a".to_owned()), Value::Double(*amount as f64), Value::Bigint(*n)];
        let lines = driver.come(0, second * 1_000_000, &row);
        lines.into_iter().map(move |line| format!("{second} {line}").replace("000000 ", "s "))
    });
    fired.flatten().collect()
}

#[test]
fn for_in_time_fires_when_it_has_held_so_long_and_one_row_on_the_edge() {
    let mut driver = rig().driver(&Rules, LONG);
    let rows = [(0, 99, 1), (29, 99, 2), (30, 99, 3), (31, 99, 4), (40, 1, 5), (41, 99, 6), (50, 99, 7), (80, 1, 8)];
    let fired = seconds(&mut driver, &rows);
    let row = |second: i64, rule: &str, n: &str| format!("{second} main: a {rule} null {n}");
    let timer = "80 @71s main: a long null 7".to_owned();
    assert_eq!(fired, [row(0, "edge", "null"), row(30, "long", "3"), row(41, "edge", "null"), timer]);
    // It ends exactly at its deadline.
    let fired = seconds(&mut driver, &[(90, 99, 9), (120, 1, 9), (130, 99, 10), (160, 99, 11)]);
    assert_eq!(fired, [row(90, "edge", "null"), row(130, "edge", "null"), row(160, "long", "11")]);
}

#[test]
fn for_in_time_needs_no_further_row_and_no_timer() {
    let mut driver = rig().driver(&Rules, LONG);
    seconds(&mut driver, &[(0, 99, 1), (10, 99, 2)]);
    assert_eq!(driver.advance(30_000_000), Vec::<String>::new());
    assert_eq!(driver.advance(30_000_001), ["@30000000 main: a long null 2"]);
    let by_timer = driver.paths.clone();
    seconds(&mut driver, &[(40, 1, 2), (50, 99, 3)]);
    assert_eq!(driver.advance(i64::MAX), Vec::<String>::new());
    // The same where the next row of the key comes before time has passed the deadline.
    for amount in [1.0, 99.0, f64::NAN] {
        let mut driver = rig().driver(&Rules, LONG);
        seconds(&mut driver, &[(0, 99, 1), (10, 99, 2)]);
        let row = [Value::Text("a".to_owned()), Value::Double(amount), Value::Bigint(3)];
        let mut lines = driver.come_late(0, 31_000_000, &row);
        assert_eq!(lines.remove(0), "@30000000 main: a long null 2");
        assert_eq!(driver.paths[0], by_timer[0], "a row is the same however it came");
        assert!(lines.is_empty(), "{lines:?}");
        assert_eq!(driver.advance(i64::MAX), Vec::<String>::new());
    }
}

#[test]
fn what_waits_for_a_time_outlives_the_process() {
    let backend = std::sync::Arc::default();
    let shelf = Shelf::open(&backend, 0);
    let mut driver = rig().on(&shelf).driver(&Rules, LONG);
    seconds(&mut driver, &[(0, 99, 1), (10, 99, 2)]);
    shelf.commit(&mut driver, 10_000_000);
    seconds(&mut driver, &[(20, 1, 3)]);
    drop(driver);
    let shelf = Shelf::open(&backend, 0);
    // `keep` may change meanwhile.
    let mut driver = rig().on(&shelf).driver(&Rules, &LONG.replace("['id']", "['n', 'amount', 'id']"));
    assert_eq!(driver.advance(30_000_001), ["@30000000 main: 2 null a long null 2"]);
    shelf.commit(&mut driver, 30_000_001);
    let shelf = Shelf::open(&backend, 0);
    let mut driver = rig().on(&shelf).driver(&Rules, LONG);
    assert_eq!(driver.advance(i64::MAX), Vec::<String>::new());
}

#[test]
fn inputs_have_rules_of_their_own_and_columns_in_common() {
    let toml = "keep = ['id', 'amount']\nfill = 'null'
        rules.large  = { from = 'pay', when = 'amount > 500' }
        rules.probed = { from = 'probes', reason = '{probes} probes' }";
    let mut driver = Rig::new(&[("pay", PAY), ("probes", PROBES)]).driver(&Rules, toml);
    assert_eq!(driver.sources(), [ColumnSource::Computed; 5]);
    assert_eq!(pay(&mut driver, 0, 501.0, 0), ["main: a 501 large null null"]);
    let lines = driver.feed(1, 0, &[Value::Bigint(2), Value::Text("b".to_owned())]);
    assert_eq!(lines, ["main: b null probed null 2 probes"]);
}

#[test]
fn parameters_may_stand_in_conditions_and_reasons() {
    let toml = "keep = ['id']\nrules.large = { when = 'amount > $large', reason = 'above {$large}' }";
    let mut driver = rig().param("large", Value::Double(10.0)).driver(&Rules, toml);
    assert_eq!(pay(&mut driver, 0, 11.0, 0), ["main: a large null above 10"]);
}

#[test]
fn wrong_rules_are_problems_all_at_once() {
    let toml = "keep = ['idd']
        rules.Big = { when = 'amount > 5' }
        rules.a   = { whn = 'true' }
        rules.b   = { when = 'amount' }
        rules.c   = { for = '0 rows', score = 'id', mode = 'shaddow', reason = '{amuont}' }
        rules.d   = { from = 'payments' }
        rules.e   = 'amount > 5'";
    let problems = rig().problems(&Rules, toml);
    for wanted in [
        "did you mean `id`?",
        "`Big` is no name",
        "did you mean `when`?",
        "`when` of `bolts.b.rules.b` must be a condition",
        "a number of rows or a duration",
        "needs `key`",
        "`score` must be a number",
        "did you mean \"shadow\"?",
        "amuont",
        "which the bolt does not read",
        "`rules.e`",
    ] {
        assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:#?}");
    }
    assert_eq!(problems.len(), 11, "{problems:#?}");
}

#[test]
fn what_is_missing_is_said() {
    let two = Rig::new(&[("pay", PAY), ("probes", PROBES)]);
    assert!(two.problems(&Rules, "keep = ['id']\nrules.a = {}")[0].contains("does not say which stream"));
    let problems = two.problems(&Rules, "keep = ['id']\nrules.a = { from = 'pay' }");
    assert!(problems.len() == 1 && problems[0].contains("no rule of `bolts.b` looks at `probes`"), "{problems:?}");
    assert!(rig().problems(&Rules, "keep = ['id']\nrules = {}")[0].contains("has no rules"));
    let rig = Rig::new(&[("s", &[("rule", DataType::Text)])]);
    assert!(rig.problems(&Rules, "keep = ['rule']\nrules.a = {}")[0].contains("adds itself"));
    let long = "key = 'rule'\nkeep = []\nttl = '1h'\nrules.a = { when = 'true', for = '2h' }";
    assert!(rig.problems(&Rules, long)[0].contains("longer than a key is remembered"));
}

#[test]
fn many_rules_are_indexed_and_fire_as_if_they_were_not() {
    let rules: String = (0..300)
        .map(|n| match n % 3 {
            0 => format!("rules.r{n} = {{ when = 'n = {}' }}\n", n / 30),
            1 => format!("rules.r{n} = {{ when = 'amount between {} and {} and id is not null' }}\n", n, n + 5),
            _ => format!("rules.r{n} = {{ when = 'n = {} and 10 / (n - 7) > 0', for = '2 rows' }}\n", n / 30),
        })
        .collect();
    let toml = format!("key = 'id'\nkeep = []\n{rules}");
    let mut driver = rig().driver(&Rules, &toml);
    let fired = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.split(' ').nth(1).unwrap_or("").to_owned()).collect()
    };
    // 60 / 30 = 2 of the first kind, 208 to 211 of the second; the third fires at the second row.
    let first = fired(pay(&mut driver, 0, 211.5, 2));
    assert_eq!(first, ["r60", "r63", "r66", "r69", "r72", "r75", "r78", "r81", "r84", "r87", "r208", "r211"]);
    let second = fired(pay(&mut driver, 1, 0.0, 2));
    assert_eq!(
        second.iter().filter(|rule| rule[1..].parse::<u32>().unwrap() % 3 == 2).count(),
        0,
        "10 / -5 is below 0"
    );
    let failed = pay(&mut driver, 2, 0.0, 7);
    assert_eq!(failed.iter().filter(|line| line.starts_with("error division_by_zero")).count(), 10, "{failed:?}");
}
