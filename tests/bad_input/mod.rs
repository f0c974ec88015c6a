//! Whatever is wrong with the input, the output or the machine: a clear message or a counted error with its place, no
//! panic, and never fewer tuples than records without a word.

mod files;
mod output;
mod records;
mod signals;

use crate::program::{Folder, Ran, component};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads a file of three columns; what cannot be read goes to `wrong.ndjson`.
const TOPOLOGY: &str = r#"
[runtime]
pin = false
[params]
path     = "in.csv"
disorder = "0s"
[spouts.s]
kind     = "file"
path     = "$path"
format   = "csv"
time     = "ts"
disorder = "$disorder"
fields.id = "bigint not null"
fields.ts = "timestamp not null"
fields.x  = "double"
fields.t  = "text"
[bolts.counted]
kind  = "aggregate"
from  = "s"
key   = "t"
add.n = "count(*) over '1h'"
[bolts.out]
kind = "file"
from = "counted"
path = "out.ndjson"
[bolts.late]
kind = "file"
from = "counted.late"
path = "late.ndjson"
[bolts.wrong]
kind = "file"
from = "s.errors"
path = "wrong.ndjson"
"#;

/// A folder with the topology and an input.
fn folder(input: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("in.csv", input);
    folder
}

fn run(folder: &Folder, more: &[&str]) -> Ran {
    let mut arguments = vec!["run", "t.toml", "--jitter", "0s", "--format", "json"];
    arguments.extend(more);
    folder.run(&arguments)
}

/// What became of the records of a run, after all books have been found to balance.
#[derive(Debug, Default, PartialEq)]
struct Account {
    records: u64,
    tuples: u64,
    errors: BTreeMap<String, u64>,
}

impl Account {
    fn new(tuples: u64, errors: &[(&str, u64)]) -> Account {
        let errors: BTreeMap<String, u64> = errors.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect();
        Account { records: tuples + errors.values().sum::<u64>(), tuples, errors }
    }
}

fn account(report: &Value) -> Account {
    assert_eq!(report["balanced"], true, "{report}");
    let spout = component(report, "spouts", "s");
    let number = |value: &Value| value.as_u64().expect("a count");
    let errors = spout["errors"].as_object().expect("errors by reason");
    let errors: BTreeMap<String, u64> = errors.iter().map(|(reason, n)| (reason.clone(), number(n))).collect();
    let account = Account { records: number(&spout["records"]), tuples: number(&spout["tuples"]), errors };
    assert_eq!(account.records, account.tuples + account.errors.values().sum::<u64>());
    account
}

/// Rows of a file that a sink has written.
fn rows(folder: &Folder, name: &str) -> Vec<Value> {
    let text = folder.read(name);
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}
