//! Larger files with given answers: `SFERIC_DATA` names their folder. Without it there is nothing to hold against.

use super::fleet::{by_car, with_files};
use super::{fired, run};
use crate::program::{Folder, component, section, topologies};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The folder and its answers by file; none where there is no such folder.
fn given() -> Option<(PathBuf, Map<String, Value>)> {
    let folder = PathBuf::from(std::env::var_os("SFERIC_DATA")?);
    let text = std::fs::read_to_string(folder.join("expected-answers.json")).expect("the answers are there");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let answers = all["answers"].as_object().expect("answers by file").clone();
    Some((folder, answers))
}

/// The files of a family with their answers.
fn family(prefix: &str) -> Vec<(String, Value)> {
    let Some((folder, answers)) = given() else { return Vec::new() };
    let own = answers.into_iter().filter(|(file, _)| file.starts_with(prefix));
    own.map(|(file, answer)| (folder.join(file).to_str().expect("UTF-8").to_owned(), answer)).collect()
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).trim_end_matches(".csv.gz").to_owned()
}

/// How often the rules of `fraud.toml` fire on rows that are labelled.
const FRAUDS: &str = r#"
[bolts.frauds]
kind = "rules"
from = "card"
keep = ["id"]
rules.velocity.when          = "amount > $large and n_large >= 3 and is_fraud"
rules.small_then_large.when  = "previous < 10 and amount > $large and hours <= 1 and is_fraud"
rules.impossible_travel.when = "km > 100 and km > $max_kmh * hours and is_fraud"
rules.any.when               = "is_fraud"
"#;

#[test]
fn card_payments() {
    for (path, answer) in family("fraud/sparkov-") {
        let folder = Folder::new();
        folder.file("labelled.toml", format!("include = [{:?}]\n{FRAUDS}", topologies().join("fraud.toml")));
        for threads in ["1", "2"] {
            let report = run(&folder, "labelled.toml", threads, &[format!("payments={path}")]);
            assert_eq!(component(&report, "spouts", "payments")["tuples"], answer["rows"], "{path}");
            assert_eq!(fired(&report, "frauds", "any"), answer["fraud_rows"], "{path}");
            for rule in ["velocity", "small_then_large", "impossible_travel"] {
                assert_eq!(fired(&report, "hits", rule), answer[rule]["alerts"], "{rule} of {path}");
                assert_eq!(fired(&report, "frauds", rule), answer[rule]["alerts_on_fraud_rows"], "{rule} of {path}");
            }
        }
    }
}

const HANDBOOK: &str = r#"
[params]
path = ""
[spouts.tx]
kind   = "file"
path   = "$path"
format = "csv"
time   = "ts"
fields.tx_id       = "bigint not null"
fields.ts          = "timestamp not null"
fields.terminal_id = "bigint not null"
fields.amount      = "double not null"
fields.is_fraud    = "boolean not null"
[bolts.terminal]
kind = "aggregate"
from = "tx"
key  = "terminal_id"
windows.before = { rolling = "7d", exclude = "current" }
add.frauds = "count(*) filter (where is_fraud) over before"
[bolts.hits]
kind = "rules"
from = "terminal"
keep = ["tx_id"]
rules.terminal_feedback.when       = "frauds >= 3"
rules.terminal_feedback_fraud.when = "frauds >= 3 and is_fraud"
rules.amount_over_220.when         = "amount > 220"
rules.amount_over_220_fraud.when   = "amount > 220 and is_fraud"
rules.fraud.when                   = "is_fraud"
[bolts.out]
kind = "null"
from = "hits"
"#;

#[test]
fn terminals_with_earlier_frauds() {
    for (path, answer) in family("fraud/fraud-handbook-") {
        for threads in ["1", "2"] {
            let folder = Folder::new();
            folder.file("handbook.toml", HANDBOOK);
            let report = run(&folder, "handbook.toml", threads, &[format!("path={path}")]);
            assert_eq!(component(&report, "spouts", "tx")["tuples"], answer["rows"], "{path}");
            let hit = |rule: &str| fired(&report, "hits", rule);
            assert_eq!(hit("terminal_feedback"), answer["terminal_feedback"]["alerts"]);
            assert_eq!(hit("terminal_feedback_fraud"), answer["terminal_feedback"]["alerts_on_fraud_rows"]);
            assert_eq!(hit("amount_over_220"), answer["amount_over_220"]);
            assert_eq!(hit("amount_over_220_fraud"), answer["amount_over_220_fraud"]);
            assert_eq!(hit("fraud"), answer["fraud_rows"]);
        }
    }
}

#[test]
fn trips_of_a_car_ten_times_a_second() {
    let trips = family("obd/kit-");
    let Some((folder, _)) = given() else { return };
    for threads in ["1", "2"] {
        let own = Folder::new();
        with_files(&own);
        let pattern = folder.join("obd/kit-*.csv.gz");
        let report = run(&own, "fleet-files.toml", threads, &[format!("trips={}", pattern.display())]);
        let rows: u64 = trips.iter().map(|(_, answer)| answer["rows"].as_u64().expect("a count")).sum();
        assert_eq!(component(&report, "spouts", "obd")["tuples"], rows);
        let (hits, alerts) = (by_car(&own, "hits"), by_car(&own, "alerts"));
        for (path, answer) in &trips {
            let count = |of: &std::collections::HashMap<(String, String), usize>, rule: &str| {
                of.get(&(name(path), rule.to_owned())).copied().unwrap_or(0)
            };
            assert_eq!(count(&alerts, "hard_brake"), answer["hard_brakes_2s"], "{path}");
            assert_eq!(count(&hits, "revving"), answer["rpm_over_3000_episodes"], "{path}");
        }
    }
}

const RULES: [(&str, &str); 4] = [
    ("hard_brake", "hard_brakes"),
    ("fast", "over_60_episodes"),
    ("overheating", "coolant_ge_95_for_10"),
    ("stop", "stops"),
];

#[test]
fn trips_of_a_car_once_a_second() {
    for (path, answer) in family("obd/carobd-") {
        let report = run(&Folder::new(), "carobd.toml", "1", &[format!("trips={path}")]);
        let spout = component(&report, "spouts", "obd");
        assert_eq!(spout["tuples"], answer["rows_ok"], "{path}");
        let bad: u64 = spout["errors"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
        assert_eq!(bad, answer["rows_bad"], "{path}");
        for (rule, expected) in RULES {
            assert_eq!(fired(&report, "hits", rule), answer[expected], "{rule} of {path}");
        }
    }
}

#[test]
fn all_trips_of_a_car_at_once() {
    let trips = family("obd/carobd-");
    let Some((folder, _)) = given() else { return };
    for threads in ["1", "2"] {
        let pattern = folder.join("obd/carobd-*.csv.gz");
        let report = run(&Folder::new(), "carobd.toml", threads, &[format!("trips={}", pattern.display())]);
        let table = section(&report, "table out");
        let shown = table["shown"].as_array().expect("rows");
        assert_eq!(table["rows"], shown.len(), "all are shown");
        for (path, answer) in &trips {
            for (rule, expected) in RULES {
                let found = shown.iter().find(|row| row["car"] == name(path) && row["rule"] == rule);
                let count = found.map_or(0, |row| row["n"].as_u64().expect("a count"));
                assert_eq!(count, answer[expected], "{rule} of {path}, {threads} threads");
            }
        }
    }
}

#[test]
fn taxis_that_are_too_fast() {
    for (path, answer) in family("iot/beijing-taxi-") {
        let report = run(&Folder::new(), "taxi.toml", "2", &[format!("traces={path}")]);
        assert_eq!(component(&report, "spouts", "traces")["tuples"], answer["rows"], "{path}");
        assert_eq!(fired(&report, "hits", "too_fast"), answer["speed_over_120"], "{path}");
    }
}

#[test]
fn logins_of_a_server() {
    for (path, answer) in family("logs/sshd-auth-") {
        let report = run(&Folder::new(), "security.toml", "2", &[format!("auth={path}")]);
        assert_eq!(fired(&report, "hits", "brute_force"), answer["bruteforce_alerts"], "{path}");
        assert_eq!(fired(&report, "hits", "success_after_failures"), answer["success_after_failures"], "{path}");
        assert_eq!(section(&report, "table sources")["rows"], answer["bruteforce_ips"], "{path}");
    }
}

#[test]
fn bars_of_a_price() {
    for (path, answer) in family("market/btcusd-").into_iter().filter(|(_, answer)| answer.get("vwap_close").is_some())
    {
        let report = run(&Folder::new(), "prices.toml", "1", &[format!("bars={path}")]);
        assert_eq!(component(&report, "spouts", "bars")["tuples"], answer["rows"], "{path}");
        assert_eq!(fired(&report, "hits", "move"), answer["move_ge_0.5pct_in_60s"], "{path}");
        assert_eq!(fired(&report, "hits", "vshape"), answer["v_shape"], "{path}");
        let last = &section(&report, "table latest")["shown"][0];
        let (vwap, wanted) =
            (last["vwap"].as_f64().expect("a number"), answer["vwap_close"].as_f64().expect("a number"));
        assert!((vwap - wanted).abs() < 1e-6, "{vwap}, not {wanted}, of {path}");
    }
}

#[test]
fn paths_of_states_that_are_unlikely() {
    for (path, answer) in family("fraud/markov-") {
        let folder = Folder::new();
        let shipped = std::fs::read_to_string(topologies().join("markov.toml")).expect("it is there");
        let conf = topologies().join("conf/markov-model.csv");
        folder.file(
            "markov.toml",
            shipped
                .replace("conf/markov-model.csv", conf.to_str().expect("UTF-8"))
                .replace("${MARKOV_ALERTS:-alerts.csv}", "alerts.csv"),
        );
        let report = run(&folder, "markov.toml", "1", &[format!("payments={path}")]);
        assert_eq!(fired(&report, "hits", "unlikely"), answer["alerts"], "{path}");
        let quality = &section(&report, "quality quality");
        assert_eq!(quality["all"]["true"], answer["alerts_on_fraud_rows"], "{quality}");
        let alerts = std::fs::read_to_string(folder.path().join("alerts.csv")).expect("alerts");
        let first: Vec<_> = alerts.lines().skip(1).take(5).map(|line| line.split(',').nth(1)).collect();
        let wanted = answer["first_5_alerts"].as_array().expect("alerts");
        assert_eq!(first, wanted.iter().map(|alert| alert[1].as_str()).collect::<Vec<_>>());
    }
}

#[test]
fn tolls_and_accidents_of_a_motorway() {
    let Some((folder, _)) = given() else { return };
    let path = folder.join("linear-road/lr-small-1.csv.gz");
    let text = std::fs::read_to_string(folder.join("linear-road/expected.json")).expect("the answers are there");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let answers = &all["answers"];
    for threads in ["1", "2"] {
        let own = Folder::new();
        own.file("road.toml", format!("include = [{:?}]\n", topologies().join("linear-road.toml")));
        let report = run(&own, "road.toml", threads, &[format!("reports={}", path.display())]);
        assert_eq!(component(&report, "spouts", "reports")["tuples"], answers["position_reports"]);
        let tolls = own.read("tolls.csv");
        let toll = |line: &str| line.rsplit(',').next().and_then(|toll| toll.parse::<u64>().ok()).expect("a toll");
        let tolls: Vec<u64> = tolls.lines().skip(1).map(toll).collect();
        assert_eq!(tolls.len() as u64, answers["toll_notifications"], "{threads}");
        assert_eq!(tolls.iter().filter(|toll| **toll > 0).count() as u64, answers["non_zero_tolls"], "{threads}");
        assert_eq!(tolls.iter().sum::<u64>(), answers["sum_of_tolls_notified"], "{threads}");
        let accidents = own.read("accidents.ndjson").lines().count() as u64;
        assert_eq!(accidents, answers["accident_notifications"], "{threads}");
    }
}

#[test]
fn requests_of_a_web_server() {
    for (path, answer) in family("logs/apache-access-") {
        let report = run(&Folder::new(), "security.toml", "2", &[format!("access={path}")]);
        assert_eq!(component(&report, "spouts", "access")["tuples"], answer["lines"], "{path}");
        assert_eq!(section(&report, "table minute_table")["rows"], answer["minute_windows"], "{path}");
        assert_eq!(section(&report, "table prober_table")["rows"], answer["ips_3x404_in_300s"], "{path}");
    }
}
