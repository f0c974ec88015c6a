//! Card payments: every rule, the throttle, the table and the quality of the rules.

use super::{fired, rows, run};
use crate::program::{Folder, component, section, topologies};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const LARGE: f64 = 500.0;
const RULES: [&str; 5] = ["velocity", "above_usual", "impossible_travel", "blocked_merchant", "small_then_large"];

struct Payment {
    id: String,
    time: i64,
    card: String,
    merchant: String,
    amount: f64,
    place: (f64, f64),
    is_fraud: bool,
}

fn payments() -> Vec<Payment> {
    let payment = |row: Vec<String>| {
        let number = |n: usize| row[n].parse::<f64>().expect("a number");
        Payment {
            time: row[0].parse().expect("seconds"),
            id: format!("{}-{}", row[1], row[0]),
            card: row[2].clone(),
            merchant: row[8].clone(),
            amount: number(9),
            place: (number(10), number(11)),
            is_fraud: row[12] == "1",
        }
    };
    rows(&topologies().join("data/payments-2024q1.csv.gz")).into_iter().map(payment).collect()
}

/// Great circle distance on a sphere of the earth's mean radius.
fn km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat, lon) = ((b.0 - a.0).to_radians() / 2.0, (b.1 - a.1).to_radians() / 2.0);
    let h = lat.sin().powi(2) + a.0.to_radians().cos() * b.0.to_radians().cos() * lon.sin().powi(2);
    2.0 * 6371.0 * h.sqrt().asin()
}

/// The rules that a payment fires, given all earlier ones of its card.
fn hits(before: &[&Payment], now: &Payment, blocked: &BTreeSet<String>) -> Vec<&'static str> {
    let within = |seconds: i64| before.iter().filter(move |p| p.time >= now.time - seconds);
    let large = 1 + within(600).filter(|p| p.amount > LARGE).count();
    let (n, sum) = within(30 * 86_400).fold((0u32, 0.0), |(n, sum), p| (n + 1, sum + p.amount));
    let last = before.last();
    let hours = last.map(|p| (now.time - p.time) as f64 / 3600.0);
    let far = last.map_or(0.0, |p| km(p.place, now.place));
    let holds = [
        now.amount > LARGE && large >= 3,
        n >= 5 && now.amount > 5.0 * sum / f64::from(n),
        far > 100.0 && hours.is_some_and(|h| far > 900.0 * h),
        blocked.contains(&now.merchant),
        last.is_some_and(|p| p.amount < 10.0) && now.amount > LARGE && hours.is_some_and(|h| h <= 1.0),
    ];
    RULES.iter().zip(holds).filter(|(_, holds)| *holds).map(|(rule, _)| *rule).collect()
}

#[derive(Default)]
struct Naive {
    fired: BTreeMap<&'static str, u64>,
    /// By rule: the ids it fired on.
    ids: BTreeMap<&'static str, BTreeSet<String>>,
    alerts: u64,
    throttled: u64,
    kept: BTreeSet<(String, &'static str)>,
}

fn naive(payments: &[Payment]) -> Naive {
    let list = std::fs::read_to_string(topologies().join("conf/blocked-merchants.csv")).expect("a block list");
    let blocked: BTreeSet<String> = list.lines().skip(1).map(|l| super::cells(l).swap_remove(0)).collect();
    let mut answers = Naive::default();
    let mut cards: HashMap<&str, Vec<&Payment>> = HashMap::new();
    let mut passed: HashMap<&str, i64> = HashMap::new();
    for payment in payments {
        let before = cards.entry(&payment.card).or_default();
        for rule in hits(before, payment, &blocked) {
            *answers.fired.entry(rule).or_default() += 1;
            answers.ids.entry(rule).or_default().insert(payment.id.clone());
            let shadow = rule == "small_then_large";
            if shadow || passed.get(payment.card.as_str()).is_none_or(|last| payment.time - last >= 600) {
                answers.kept.insert((payment.id.clone(), rule));
                if !shadow {
                    passed.insert(&payment.card, payment.time);
                    answers.alerts += 1;
                }
            } else {
                answers.throttled += 1;
            }
        }
        before.push(payment);
    }
    answers
}

#[test]
fn every_rule_fires_as_often_as_a_naive_program_says() {
    let payments = payments();
    let naive = naive(&payments);
    assert!(RULES.iter().all(|rule| naive.fired.get(rule).is_some_and(|n| *n > 10)), "{:?}", naive.fired);
    assert!(naive.throttled > 0);
    for threads in ["1", "2", "3"] {
        let folder = Folder::new();
        let report = run(&folder, "fraud.toml", threads, &[]);
        assert_eq!(component(&report, "spouts", "payments")["tuples"], payments.len());
        for rule in RULES {
            assert_eq!(fired(&report, "hits", rule), naive.fired[rule], "{rule}, {threads} threads");
        }
        let out = &component(&report, "components", "alerts")["out"];
        assert_eq!((&out["alerts"], &out["alerts.rejected"]), (&naive.alerts.into(), &naive.throttled.into()));
        assert_eq!(section(&report, "table out")["rows"], naive.kept.len(), "{threads} threads");
    }
}

#[test]
fn quality_counts_what_the_labels_say() {
    let payments = payments();
    // By id, as the bolt counts: where one were there twice, its later label would count.
    let labels: HashMap<&str, bool> = payments.iter().map(|p| (p.id.as_str(), p.is_fraud)).collect();
    let naive = naive(&payments);
    let report = run(&Folder::new(), "fraud.toml", "2", &[]);
    let quality = section(&report, "quality quality");
    assert_eq!(quality["judged"], labels.len());
    assert_eq!(quality["positives"], labels.values().filter(|fraud| **fraud).count());
    for rule in RULES {
        let good = naive.ids[rule].iter().filter(|id| labels[id.as_str()]).count();
        let bad = naive.ids[rule].len() - good;
        let found = &quality["rules"][rule];
        assert_eq!((&found["true"], &found["false"]), (&good.into(), &bad.into()), "{rule}");
    }
    let alerted: BTreeSet<&String> = naive.ids.values().flatten().collect();
    assert_eq!(quality["all"]["alerts"], alerted.len());
}
