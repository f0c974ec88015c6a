//! Every command of the program as people use it: what it prints, and how it exits.

use crate::program::{Folder, component, section, topologies};
use serde_json::Value;
use std::path::PathBuf;

const TOPOLOGY: &str = r#"
name = "large"
[runtime]
pin = false
[params]
limit = 500
[spouts.payments]
kind   = "file"
path   = "payments.csv"
format = "csv"
time   = "ts"
fields.id     = "text not null"
fields.ts     = "timestamp not null"
fields.card   = "bigint not null"
fields.amount = "double not null"
[bolts.seen]
kind  = "aggregate"
from  = "payments"
key   = "card"
add.n = "count(*) over '1h'"
[bolts.large]
kind  = "filter"
from  = "seen"
where = "amount > $limit"
[bolts.out]
kind = "table"
from = "large"
key  = "id"
[latency]
out = "max < 60s"
"#;

const TESTS: &str = r#"
[[tests]]
name   = "a large payment"
given  = [ { at = "0s", payments = { id = "a", card = 1, amount = 900.0 } } ]
expect = [ { at = "0s", large = { id = "a", n = 1 } } ]
[[tests]]
name        = "a small one"
given       = [ { at = "0s", payments = { id = "a", card = 1, amount = 9.0 } } ]
expect_none = ["large"]
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    let rows = (0..100).map(|n| format!("p{n},2024-01-01 00:00:{:02},{},{}\n", n / 2, n % 7, n * 10));
    folder.file("payments.csv", "id,ts,card,amount\n".to_owned() + &rows.collect::<String>());
    folder.file("t.toml", TOPOLOGY.to_owned() + TESTS);
    folder
}

#[test]
fn check_says_what_is_there_and_what_is_wrong() {
    let folder = folder();
    let ran = folder.run(&["check", "t.toml"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "t.toml: ok (1 spout, 3 bolts, 2 tests)\n", "")
    );
    folder.file("wrong.toml", TOPOLOGY.replace("key   = \"card\"", "key   = \"crad\""));
    folder.file("warned.toml", TOPOLOGY.replace("payments.csv", "nothing.csv"));
    let ran = folder.run(&["check", "wrong.toml", "t.toml", "missing.toml", "warned.toml"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.out, "t.toml: ok (1 spout, 3 bolts, 2 tests)\nwarned.toml: ok (1 spout, 3 bolts, 0 tests)\n");
    for said in [
        "error: `payments` has no column `crad` (in `bolts.seen`)\n  --> wrong.toml:19:9\n",
        "did you mean `card`?",
        "wrong.toml: 1 error; nothing was started\n",
        "error: cannot read missing.toml: No such file or directory",
        "warning: there is no file nothing.csv",
    ] {
        assert!(ran.err.contains(said), "{said} is missing in:\n{}", ran.err);
    }
    // Nobody looks at colours in a pipe.
    assert!(!ran.err.contains('\u{1b}'));
    // A warning alone is no failure.
    assert_eq!(folder.run(&["check", "warned.toml"]).code, Some(0));
}

#[test]
fn test_runs_the_tests_of_files() {
    let folder = folder();
    let ran = folder.run(&["test", "t.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "ok      a large payment\nok      a small one\n2 passed, 0 failed\n");
    let ran = folder.run(&["test", "t.toml", "--only", "small"]);
    assert_eq!(ran.out, "ok      a small one\n1 passed, 0 failed\n");
    // What is set holds for tests as well.
    let ran = folder.run(&["test", "t.toml", "--set", "limit=5", "--only", "small"]);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn a_test_that_fails_says_how_what_happened_differs() {
    let folder = folder();
    let tests = r#"
[[tests]]
name   = "three ways to be wrong"
given  = [
  { at = "0s", payments = { id = "a", card = 1, amount = 900.0 } },
  { at = "1m", payments = { id = "b", card = 1, amount = 950.0 } },
  { at = "2m", payments = { id = "c", card = 1, amount = 1.0 } },
]
expect = [ { at = "0s", large = { id = "a", n = 2 } }, { at = "2m", large = { id = "c" } }, { large = "n > 5" } ]
expect_none = ["seen"]
[[tests]]
name   = "a row too many"
given  = [ { at = "5s", payments = { id = "a", card = 1, amount = 900.0 } } ]
expect_none = ["large"]
[[tests]]
name   = "at another time"
given  = [ { at = "5s", payments = { id = "a", card = 1, amount = 900.0 } } ]
expect = [ { at = "6s", large = { id = "a" } } ]
"#;
    folder.file("f.toml", TOPOLOGY.to_owned() + tests);
    let ran = folder.run(&["test", "f.toml", "t.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(ran.out, FAILURES);
}

#[test]
fn a_row_that_waits_for_time_to_go_on_is_no_mystery() {
    let folder = folder();
    let waiting = r#"
[bolts.hours]
kind    = "aggregate"
from    = "payments"
key     = "card"
window  = { tumbling = "1h" }
add.n   = "count(*)"
[bolts.ignored]
kind = "null"
from = "hours"
[[tests]]
name   = "an hour"
given  = [ { at = "0s", every = "20m", times = 2, payments = { id = "a", card = 1, amount = 900.0 } } ]
expect = [ { hours = { n = 2 } }, { hours = { n = 3 } } ]
"#;
    folder.file("f.toml", TOPOLOGY.to_owned() + waiting);
    let ran = folder.run(&["test", "f.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(ran.out, WAITING);
}

const WAITING: &str = r#"FAILED  an hour (f.toml)
  - hours should have a row { n = 2 }
    but none like it has left
    it leaves when time has gone on: end `given` with { at = "1h20m" }
  - hours should have a row { n = 3 }
    but none like it has left
0 passed, 1 failed
"#;

const FAILURES: &str = r#"FAILED  three ways to be wrong (f.toml)
  - at 0s: large should have a row { id = "a", n = 2 }
    the nearest that has left has n = 1
  - at 2m: large should have a row { id = "c" }
    but none like it has left
  - large should have a row for which n > 5
    but none like it has left
  - at 1m: large has a row too many: { id = "b", ts = 2024-01-01 00:01:00, card = 1, amount = 950, n = 2 }
  - at 0s: seen has a row too many: { id = "a", ts = 2024-01-01 00:00:00, card = 1, amount = 900, n = 1 }
  - at 1m: seen has a row too many: { id = "b", ts = 2024-01-01 00:01:00, card = 1, amount = 950, n = 2 }
  - at 2m: seen has a row too many: { id = "c", ts = 2024-01-01 00:02:00, card = 1, amount = 1, n = 3 }
FAILED  a row too many (f.toml)
  - at 5s: large has a row too many: { id = "a", ts = 2024-01-01 00:00:05, card = 1, amount = 900, n = 1 }
FAILED  at another time (f.toml)
  - at 6s: large should have a row { id = "a" }
    the nearest that has left is at 5s
ok      a large payment
ok      a small one
2 passed, 3 failed
"#;

#[test]
fn rows_and_expectations_find_each_other_in_any_order() {
    let folder = folder();
    let tests = r#"
[[tests]]
name   = "the condition fits both rows, the second expectation only the first"
given  = [
  { at = "0s", payments = { id = "a", card = 1, amount = 900.0 } },
  { at = "0s", payments = { id = "b", card = 2, amount = 950.0 } },
]
expect = [ { large = "amount > 800" }, { at = "0s", large = { id = "a" } } ]
"#;
    folder.file("o.toml", TOPOLOGY.to_owned() + tests);
    let ran = folder.run(&["test", "o.toml"]);
    assert!(ran.out.ends_with("1 passed, 0 failed\n"), "{}", ran.out);
}

#[test]
fn a_file_that_is_wrong_is_no_failed_test() {
    let folder = folder();
    folder.file("wrong.toml", "[spouts.s]\nkind = \"fiel\"\n");
    let ran = folder.run(&["test", "wrong.toml", "t.toml"]);
    assert_eq!((ran.code, ran.out.ends_with("2 passed, 0 failed\n")), (Some(2), true), "{}", ran.out);
}

#[test]
fn explain_prints_the_plan() {
    let ran = folder().run(&["explain", "t.toml", "--threads", "2"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    // Whether cores are shared depends on the machine.
    assert_eq!(ran.out.replace(", shares its core: never spins", ""), PLAN);
}

const PLAN: &str = r#"topology large: 2 executors, 3 pipelines, 6 tasks, 3 channels

executor 0 (not pinned)
  pipeline 0
    payments (file): 1 split
    seen (aggregate) task 1 of 2 <- payments (fused, by hash of card)
    large (filter) task 1 of 2 <- seen (fused)
  pipeline 2
    reads channel 1: large from pipeline 0 @0
    reads channel 2: large from pipeline 1 @1
    out (table) <- large (through a channel, all of it)

executor 1 (not pinned)
  pipeline 1
    reads channel 0: payments from pipeline 0 @0
    seen (aggregate) task 2 of 2 <- payments (through a channel, by hash of card)
    large (filter) task 2 of 2 <- seen (fused)

channels
  0: payments @0 -> seen task 2 of 2 @1: 4 of 4 columns: id, ts, card, amount
  1: large @0 -> out @0: 5 of 5 columns: id, ts, card, amount, n
  2: large @1 -> out @0: 5 of 5 columns: id, ts, card, amount, n

components
  payments: event time: `ts`
  seen: 1 calls over 01:00:00; state of a key is freed 01:00:00 after its last row; state takes 32 bytes a key, 16 bytes a row in windows of time
  out: one row of 5 columns for each key; rows are never dropped

order per key
  kept along every edge

deterministic
  no: out keeps state, and pipeline 2 reads 2 channels as they come
"#;

#[test]
fn run_ends_with_a_report_as_one_json_object() {
    let ran = folder().run(&["run", "t.toml", "--jitter", "0s", "--format", "json"]);
    let report = ran.good();
    assert_eq!(ran.out.lines().count(), 1);
    assert_eq!((&report["topology"], &report["ended"]), (&"large".into(), &"end of input".into()));
    assert_eq!((&report["records"], &report["errors"], &report["balanced"]), (&100.into(), &0.into(), &true.into()));
    assert_eq!(component(&report, "components", "large")["out"]["large"], 49);
    assert_eq!(component(&report, "sinks", "out")["verdicts"][0]["met"], true);
    assert_eq!(section(&report, "table out")["rows"], 49);
    let of = |what: &Value| what["latency"]["all"]["count"].clone();
    assert_eq!((&report["decided"]["all"]["count"], of(component(&report, "sinks", "out"))), (&100.into(), 49.into()));
}

#[test]
fn run_prints_for_people_by_default() {
    let ran = folder().run(&["run", "t.toml", "--jitter", "1ms"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for said in ["large: end of input after ", "100 records", "no errors", "all objectives met", "table out", "p99.9"] {
        assert!(ran.out.contains(said), "{said} is missing in:\n{}", ran.out);
    }
}

#[test]
fn run_reports_every_so_often() {
    let folder = folder();
    let paced = TOPOLOGY.replace("format = \"csv\"", "format = \"csv\"\npace = \"500/s\"");
    folder.file("p.toml", paced);
    let ran = folder.run(&["run", "p.toml", "--jitter", "0s", "--format", "json", "--every", "20ms"]);
    let report = ran.good();
    let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).expect("JSON on every line")).collect();
    let interims: Vec<&Value> = lines.iter().filter_map(|l| l.get("interim")).collect();
    assert!(!interims.is_empty() && interims.len() == lines.len() - 1);
    let records: Vec<u64> = interims.iter().map(|i| i["records"].as_u64().expect("a count")).collect();
    assert!(records.is_sorted() && records.iter().all(|n| *n <= 100) && report["records"] == 100, "{records:?}");
    let since: u64 = interims.iter().map(|i| i["records_since"].as_u64().expect("a count")).sum();
    assert_eq!(Some(&since), records.last());
    // For people, short reports do not mix with the last one.
    let ran = folder.run(&["run", "p.toml", "--jitter", "0s", "--every", "20ms"]);
    assert!(!ran.err.is_empty() && ran.out.starts_with("large: end of input"), "{}\n{}", ran.out, ran.err);
}

#[test]
fn run_takes_parameters_and_writes_its_report_where_it_is_told() {
    let folder = folder();
    let arguments = ["run", "t.toml", "--jitter", "0s", "--format", "json", "--set", "limit=900", "--report", "r.json"];
    let ran = folder.run(&arguments);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let report: Value = serde_json::from_str(&folder.read("r.json")).expect("JSON");
    assert_eq!(component(&report, "components", "large")["out"]["large"], 9);
}

#[test]
fn parameters_of_the_including_file_win_and_flags_over_both() {
    let folder = folder();
    folder.file("logic.toml", TOPOLOGY);
    folder.file("root.toml", "include = [\"logic.toml\"]\n[params]\nlimit = 900\n");
    let large = |flags: &[&str]| {
        let ran = folder.run(&[&["run", "root.toml", "--jitter", "0s", "--format", "json"], flags].concat());
        component(&ran.good(), "components", "large")["out"]["large"].clone()
    };
    assert_eq!(large(&[]), 9);
    assert_eq!(large(&["--set", "limit=980"]), 1);
}

#[test]
fn a_condition_that_is_null_passes_no_row() {
    let folder = Folder::new();
    folder.file("n.toml", NULLS);
    let ran = folder.run(&["test", "n.toml"]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(0), "", "ok      null\n1 passed, 0 failed\n"));
}

const NULLS: &str = r#"
[spouts.s]
kind   = "stdin"
format = "json"
fields.n = "bigint not null"
fields.x = "double"
[bolts.passed]
kind  = "filter"
from  = "s"
where = "x > 5"
[bolts.read]
kind  = "select"
from  = "s"
where = "x > 5"
[bolts.left]
kind   = "select"
from   = "s"
having = "x > 5"
[[tests]]
name   = "null"
given  = [ { at = "0s", s = { n = 1 } }, { at = "0s", s = { n = 2, x = 9.0 } }, { at = "0s", s = { n = 3, x = 1.0 } } ]
expect = [
  { passed = { n = 2 } }, { "passed.rejected" = { n = 1 } }, { "passed.rejected" = { n = 3 } },
  { read = { n = 2 } },
  { left = { n = 2 } },
]
"#;

#[test]
fn flags_that_cannot_be_are_refused() {
    let folder = folder();
    let cases: [&[&str]; 8] = [
        &["run", "t.toml", "--threads", "0"],
        &["run", "t.toml", "--threads", "many"],
        &["run", "t.toml", "--set", "limit"],
        &["run", "t.toml", "--set", "lmit=3"],
        &["run", "t.toml", "--every", "soon"],
        &["run", "t.toml", "--format", "xml"],
        &["run"],
        &["fly"],
    ];
    for arguments in cases {
        let ran = folder.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.starts_with("error: "), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_schema_that_comes_with_the_topologies_is_the_one_of_this_program() {
    let ran = folder().run(&["schema"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let committed = std::fs::read_to_string(topologies().join("sferic.schema.json")).expect("the schema is there");
    assert!(ran.out == committed, "renew it: sferic schema > topologies/sferic.schema.json");
    let schema: Value = serde_json::from_str(&ran.out).expect("JSON");
    // Every key of the topologies that come with Sferic is in it.
    for file in shipped() {
        let text = std::fs::read_to_string(&file).expect("a topology");
        assert!(text.starts_with("#:schema ./sferic.schema.json\n"), "{}", file.display());
        let parsed: toml::Table = text.parse().expect("TOML");
        for (name, value) in &parsed {
            let section = &schema["properties"][name];
            assert!(section.is_object(), "{}: {name}", file.display());
            let items = match (name.as_str(), value) {
                ("spouts" | "bolts" | "tables", toml::Value::Table(items)) => items.values().collect(),
                ("tests", toml::Value::Array(items)) => items.iter().collect(),
                ("runtime", value) => vec![value],
                _ => Vec::new(),
            };
            for item in items {
                let properties = [
                    &section["additionalProperties"]["properties"],
                    &section["items"]["properties"],
                    &section["properties"],
                ];
                for key in item.as_table().expect("a table").keys() {
                    assert!(properties.iter().any(|p| p[key].is_object()), "{}: {name}: {key}", file.display());
                }
                narrowed(section, item.as_table().expect("a table"));
            }
        }
    }
}

/// What the schema allows to the kind of a component allows its keys.
fn narrowed(section: &Value, item: &toml::Table) {
    let Some(kind) = item.get("kind").and_then(toml::Value::as_str) else { return };
    let all = section["additionalProperties"]["allOf"].as_array().expect("a condition for each kind");
    let own = all.iter().find(|c| c["if"]["properties"]["kind"]["const"] == kind).expect("one for this kind");
    let allowed = own["then"]["propertyNames"]["enum"].as_array().expect("a list of names");
    for key in item.keys() {
        assert!(allowed.iter().any(|a| a == key), "{kind} has no {key}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = folder().run(&["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{shell}");
        for command in
            ["run", "check", "test", "explain", "replay-dead", "table", "state", "reference", "schema", "completions"]
        {
            assert!(ran.out.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(folder().run(&["completions", "abacus"]).code, Some(2));
}

#[test]
fn help_names_every_command_and_version_the_version() {
    let ran = folder().run(&["--help"]);
    assert_eq!(ran.code, Some(0));
    for command in
        ["run", "check", "test", "explain", "replay-dead", "table", "state", "reference", "schema", "completions"]
    {
        assert!(ran.out.contains(&format!("\n  {command} ")), "{command}");
    }
    let ran = folder().run(&["--version"]);
    assert_eq!(ran.out, format!("sferic {}\n", env!("CARGO_PKG_VERSION")));
}

/// All topologies that come with Sferic.
fn shipped() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(topologies()).expect("a folder");
    let mut files: Vec<PathBuf> = folder.map(|e| e.expect("an entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() >= 5);
    files
}

#[test]
fn the_tests_of_the_topologies_that_come_with_sferic_pass() {
    // A file without spouts is included by others.
    let whole = |file: &PathBuf| std::fs::read_to_string(file).expect("a topology").contains("[spouts.");
    let (whole, parts): (Vec<PathBuf>, Vec<PathBuf>) = shipped().into_iter().partition(whole);
    let named = |command: &'static str, files: &[PathBuf]| -> Vec<String> {
        let files = files.iter().map(|f| f.to_str().expect("UTF-8").to_owned());
        std::iter::once(command.to_owned()).chain(files).collect()
    };
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Folder::new().run(&arguments)
    };
    let ran = run(&named("test", &whole));
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("ok      three large payments in ten minutes\n"), "{}", ran.out);
    assert!(ran.out.ends_with(" passed, 0 failed\n") && !ran.out.contains("FAILED"), "{}", ran.out);
    assert_eq!(run(&named("check", &whole)).code, Some(0));
    for part in parts {
        let ran = run(&named("check", &[part]));
        assert_eq!(ran.code, Some(2));
        let first = ran.err.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: there is no stream `"), "{}", ran.err);
        assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
        assert!(ran.err.contains("check the file that brings it and includes this one"), "{}", ran.err);
    }
}
