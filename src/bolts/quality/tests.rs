use super::*;
use crate::bolts::rig::{Driver, Rig, Shelf};
use crate::tuple::Value;
use proptest::prelude::*;
use serde_json::json;

const HITS: &[(&str, DataType)] = &[("id", DataType::Text), ("rule", DataType::Text)];
const TRUTH_COLUMNS: &[(&str, DataType)] =
    &[("id", DataType::Text), ("is_fraud", DataType::Boolean), ("amount", DataType::Double)];
const TOML: &str = "truth = { from = 'pay', positive = 'is_fraud' }\non = 'id'\nby = 'rule'\namount = 'amount'";

fn rig() -> Rig {
    Rig::new(&[("hits", HITS), ("hits.shadow", HITS), ("pay", TRUTH_COLUMNS)])
}

fn text(t: impl ToString) -> Value {
    Value::Text(t.to_string())
}

fn alert(driver: &mut Driver, input: usize, id: &str, rule: &str) {
    assert_eq!(driver.feed(input, 0, &[text(id), text(rule)]), Vec::<String>::new());
}

fn judge(driver: &mut Driver, id: &str, label: Value, amount: f64) {
    assert_eq!(driver.feed(2, 0, &[text(id), label, Value::Double(amount)]), Vec::<String>::new());
}

#[test]
fn alerts_meet_their_truth_whichever_comes_first() {
    let mut driver = rig().driver(&Quality, TOML);
    alert(&mut driver, 0, "1", "a");
    judge(&mut driver, "1", Value::Boolean(true), 100.0);
    judge(&mut driver, "2", Value::Boolean(false), 10.0);
    alert(&mut driver, 0, "2", "a");
    alert(&mut driver, 1, "1", "b");
    alert(&mut driver, 0, "1", "a");
    judge(&mut driver, "3", Value::Boolean(true), 7.0);
    judge(&mut driver, "4", Value::Null, 1.0);
    alert(&mut driver, 0, "4", "b");
    alert(&mut driver, 0, "5", "b");
    let lines = driver.feed(0, 0, &[Value::Null, text("a")]);
    assert_eq!(lines, ["error null_key: the column of `on` is NULL"]);
    let (title, text, value) = driver.finish().unwrap().remove(0);
    assert_eq!(title, "quality b");
    assert_eq!(
        value["all"],
        json!({
            "alerts": 4, "true": 1, "false": 1, "not_judged": 2, "precision": 0.5, "recall": 0.5,
            "amount_true": 100.0, "amount_false": 10.0,
        })
    );
    assert_eq!(value["rules"]["a"]["alerts"], 2);
    assert_eq!(value["rules"]["a"]["precision"], 0.5);
    assert_eq!(value["rules"]["b"]["precision"], 1.0);
    assert_eq!((value["positives"].as_u64(), value["judged"].as_u64()), (Some(2), Some(3)));
    assert!(
        text.ends_with(
            "2 positives of 3 judged, 1 without an alert; amount of all positives 107, without an alert 7\n"
        ),
        "{text}"
    );
}

#[test]
fn without_by_only_all_together_are_counted() {
    let mut driver = rig().driver(&Quality, "truth = { from = 'pay', positive = 'amount > 5' }\non = 'id'");
    alert(&mut driver, 0, "1", "a");
    judge(&mut driver, "1", Value::Null, 100.0);
    let (_, text, value) = driver.finish().unwrap().remove(0);
    assert_eq!((&value["rules"], &value["all"]["recall"]), (&json!({}), &json!(1.0)));
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn extra_inputs_are_the_truth() {
    let table = crate::bolts::rig::table(TOML);
    let problems = crate::problem::Problems::new();
    let options = Options { component: "bolts.q", span: Span::default(), table: &table, problems: &problems };
    assert_eq!(Quality.extra_inputs(&options)[0].0, "pay");
}

#[test]
fn wrong_options_are_problems() {
    let problems = rig().problems(
        &Quality,
        "truth = { from = 'pay', positive = 'amount', postive = 'x' }\non = 'idd'\nby = 'ruel'\namount = 'is_fraud'",
    );
    for wanted in [
        "must be a condition",
        "unknown key `postive`",
        "did you mean `id`?",
        "did you mean `rule`?",
        "must be a number",
    ] {
        assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:?}");
    }
    let problems = rig().problems(&Quality, "truth = { from = 'pay' }\non = 'id'");
    assert!(problems[0].contains("needs `positive`"), "{problems:?}");
    let other = Rig::new(&[("hits", &[("id", DataType::Bigint)]), ("pay", TRUTH_COLUMNS)]);
    let problems = other.problems(&Quality, "truth = { from = 'pay', positive = 'is_fraud' }\non = 'id'");
    assert!(problems[0].contains("never meet"), "{problems:?}");
}

proptest! {
    /// Against sets of pairs that are counted whole.
    #[test]
    fn counts_equal_naive_ones(
        events in prop::collection::vec((0u64..12, prop::option::of(0u32..4), 0u8..3), 0..80),
    ) {
        let mut ids = Ids::new(false);
        let (mut labels, mut pairs) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
        for (id, rule, label) in events {
            match rule {
                Some(rule) => {
                    ids.alert(id, rule);
                    pairs.insert((rule, id));
                }
                None => {
                    let label = [Label::Unknown, Label::Negative, Label::Positive][label as usize];
                    ids.judge(id, label, 0.0);
                    labels.insert(id, label);
                }
            }
        }
        let names: Vec<String> = (0..4).map(|n| n.to_string()).collect();
        let report = Report::new(&names, |each| {
            ids.iter().for_each(each);
            Ok::<(), ()>(())
        })
        .unwrap();
        let alerted: std::collections::BTreeSet<u64> = pairs.iter().map(|(_, id)| *id).collect();
        let is = |id: &u64, label| labels.get(id) == Some(&label);
        prop_assert_eq!(report.all.alerts as usize, alerted.len());
        prop_assert_eq!(report.all.positive as usize, alerted.iter().filter(|id| is(id, Label::Positive)).count());
        prop_assert_eq!(report.positives as usize, labels.values().filter(|l| **l == Label::Positive).count());
        for (name, count) in &report.rules {
            let of: Vec<u64> = pairs.iter().filter(|(r, _)| r.to_string() == *name).map(|(_, id)| *id).collect();
            prop_assert_eq!(count.alerts as usize, of.len());
            prop_assert_eq!(count.negative as usize, of.iter().filter(|id| is(id, Label::Negative)).count());
            prop_assert_eq!(count.positive + count.negative + count.not_judged, count.alerts);
        }
    }
    /// Whenever epochs end, whatever leaves memory, however often the process starts anew: the same report.
    #[test]
    fn a_durable_judgement_is_that_of_one_run(
        events in prop::collection::vec((0u64..12, prop::option::of(0u32..4), 0u8..3, 0u8..10), 0..80),
    ) {
        let backend = std::sync::Arc::default();
        let mut memory = rig().driver(&Quality, TOML);
        let mut shelf = Shelf::open(&backend, 0);
        let mut durable = rig().on(&shelf).driver(&Quality, TOML);
        for (id, rule, label, then) in events {
            for driver in [&mut memory, &mut durable] {
                let label = [Value::Null, Value::Boolean(false), Value::Boolean(true)][label as usize].clone();
                match rule {
                    Some(rule) => alert(driver, 0, &id.to_string(), &rule.to_string()),
                    None => judge(driver, &id.to_string(), label, id as f64),
                }
            }
            if then < 3 {
                shelf.commit(&mut durable, 0);
            }
            if then == 0 {
                drop(durable);
                shelf = Shelf::open(&backend, 0);
                durable = rig().on(&shelf).driver(&Quality, TOML);
            }
        }
        shelf.commit(&mut durable, 0);
        prop_assert_eq!(durable.finish().unwrap(), memory.finish().unwrap());
    }
}

#[test]
fn labels_of_another_definition_are_refused() {
    let backend = std::sync::Arc::default();
    rig().on(&Shelf::open(&backend, 0)).driver(&Quality, TOML);
    let other = TOML.replace("'is_fraud'", "'amount > 5'");
    let Err(error) = rig().on(&Shelf::open(&backend, 0)).try_driver(&Quality, &other) else { panic!("other labels") };
    assert!(error.message.contains("amount > 5") && error.message.contains("--reset-state b"), "{error}");
}
