//! Reference tables while a topology runs: a broken file takes nothing away.

use crate::program::{Folder, component, end_of};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

const TOPOLOGY: &str = r#"
[runtime]
pin = false
[tables.blocked]
path   = "blocked.csv"
format = "csv"
key    = "card"
reload = "on change"
fields.card   = "bigint not null"
fields.reason = "text"
[spouts.cards]
kind   = "stdin"
format = "json"
fields.card = "bigint not null"
[bolts.hits]
kind  = "filter"
from  = "cards"
where = "blocked[card] is not null"
[bolts.out]
kind = "null"
from = "hits"
"#;

/// Reads lines until one contains a text.
fn wait_for(lines: &mut impl BufRead, text: &str) -> String {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).expect("UTF-8") > 0, "it ended before it said {text}");
    }
    line
}

#[test]
fn a_broken_table_keeps_the_last_good_rows() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("blocked.csv", "card,reason\n1,stolen\n");
    let mut command = folder.command(&["run", "t.toml", "--jitter", "0s", "--format", "json", "--every", "20ms"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
    let mut input = child.stdin.take().expect("a pipe");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut err = BufReader::new(child.stderr.take().expect("a pipe"));

    input.write_all(b"{\"card\": 1}\n").expect("it reads");
    wait_for(&mut out, "\"records\":1,");
    folder.file("blocked.csv", "card,reason\nnumber one,stolen\n");
    let warning = wait_for(&mut err, "blocked");
    assert!(warning.contains("the last good rows stay in use"), "{warning}");
    input.write_all(b"{\"card\": 1}\n").expect("it reads");
    wait_for(&mut out, "\"records\":2,");
    drop(input);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(end_of(&mut child).code(), Some(0));
    let report: Value = serde_json::from_str(rest.lines().last().unwrap_or_default()).expect("a report");
    assert_eq!(component(&report, "components", "hits")["out"]["hits"], 2, "{report}");
}

#[test]
fn a_table_from_a_topic_is_read_before_the_start_and_followed() {
    let folder = Folder::new();
    let table = TOPOLOGY
        .replace("path   = \"blocked.csv\"\nformat = \"csv\"", "topic  = \"blocked\"\nformat = \"json\"")
        .replace("reload = \"on change\"\n", "");
    folder.file("t.toml", table.replace("[runtime]", "[runtime]\ndata_dir = \"sferic-data\""));
    let append = |line: &str| {
        folder.file("lines.json", line);
        assert_eq!(folder.run(&["log", "append", "blocked", "lines.json", "--key", "card"]).code, Some(0));
    };
    append("{\"card\": 1, \"reason\": \"stolen\"}\n");
    let mut command = folder.command(&["run", "t.toml", "--jitter", "0s", "--format", "json", "--every", "20ms"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
    let mut input = child.stdin.take().expect("a pipe");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut err = BufReader::new(child.stderr.take().expect("a pipe"));

    input.write_all(b"{\"card\": 1}\n{\"card\": 2}\n").expect("it reads");
    wait_for(&mut out, "\"records\":2,");
    append("{\"card\": 2, \"reason\": \"lost\"}\n{\"card\": \"one\", \"reason\": \"broken\"}\n");
    // The warning comes with the look that has found both records.
    let warning = wait_for(&mut err, "blocked");
    assert!(warning.contains("the last good row of its key stays in use"), "{warning}");
    input.write_all(b"{\"card\": 1}\n{\"card\": 2}\n").expect("it reads");
    wait_for(&mut out, "\"records\":4,");
    drop(input);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(end_of(&mut child).code(), Some(0));
    let report: Value = serde_json::from_str(rest.lines().last().unwrap_or_default()).expect("a report");
    assert_eq!(component(&report, "components", "hits")["out"]["hits"], 3, "{report}");
}
