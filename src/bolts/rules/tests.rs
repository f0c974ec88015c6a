use super::*;
use crate::bolts::rig::{Driver, Rig};
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

#[test]
fn for_in_time_fires_at_the_first_row_at_or_after_and_one_row_on_the_edge() {
    let toml = "key = 'id'\nkeep = []
        rules.long = { when = 'amount > 95', for = '30s' }
        rules.edge = { when = 'amount > 95', for = '1 row' }";
    let mut driver = rig().driver(&Rules, toml);
    let mut fired = Vec::new();
    for (second, amount) in [(0, 99.0), (29, 99.0), (30, 99.0), (31, 99.0), (40, 1.0), (41, 99.0), (80, 99.0)] {
        let lines = pay(&mut driver, second * 1_000_000, amount, 0);
        fired.extend(lines.into_iter().map(|line| format!("{second} {line}")));
    }
    let row = |second: i64, rule: &str| format!("{second} main: {rule} null null");
    assert_eq!(fired, [row(0, "edge"), row(30, "long"), row(41, "edge"), row(80, "long")]);
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
