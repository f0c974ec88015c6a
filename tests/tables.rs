//! Durable tables as people use them: runs that go on where the last one ended, and commands that look at what is kept.

use crate::program::{Folder, Ran, end_of, section, until};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

const TOPOLOGY: &str = r#"
name = "cards"
[runtime]
pin = false
commit = "5ms"
[spouts.payments]
kind   = "file"
path   = "payments.csv"
format = "csv"
time   = "ts"
fields.ts     = "timestamp not null"
fields.card   = "bigint not null"
fields.amount = "double not null"
[bolts.seen]
kind  = "select"
from  = "payments"
add.n = "card * 2"
[bolts.calm]
kind  = "throttle"
from  = "payments"
key   = "card"
limit = 2
per   = "50s"
[bolts.passed]
kind  = "table"
from  = "calm"
key   = ["card", "ts"]
print = 200
[bolts.cards]
kind   = "table"
from   = "seen"
key    = "card"
delete = "amount < 0"
print  = 100
[bolts.recent]
kind = "table"
from = "seen"
key  = ["card", "amount"]
ttl  = "20s"
"#;

const HEADER: &str = "ts,card,amount\n";

/// Payments of 23 cards, one a second; every 50th closes its card.
fn payments(range: std::ops::Range<u32>) -> String {
    let amount = |n: u32| if n % 50 == 49 { -1.0 } else { f64::from(n % 30) / 2.0 };
    let line = |n: u32| format!("2024-01-01 00:{:02}:{:02},{},{}\n", n / 60, n % 60, n * 7 % 23, amount(n));
    range.map(line).collect()
}

fn run(folder: &Folder, data_dir: &str) -> Value {
    folder.run(&["run", "t.toml", "--jitter", "0s", "--format", "json", "--data-dir", data_dir]).good()
}

fn table(folder: &Folder, data_dir: &str, arguments: &[&str]) -> Ran {
    folder.run(&[&["table"], arguments, &["--data-dir", data_dir]].concat())
}

fn json_of(ran: &Ran) -> Value {
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    serde_json::from_str(&ran.out).expect("JSON")
}

/// What a table holds, and how far the inputs were read.
fn scan(folder: &Folder, data_dir: &str, name: &str) -> (Value, Value) {
    let found = json_of(&table(folder, data_dir, &["scan", "cards", name, "--format", "json"]));
    (found["rows"].clone(), found["positions"].clone())
}

#[test]
fn runs_over_a_growing_file_make_the_table_of_a_single_one() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    let mut file = HEADER.to_owned();
    for part in [0..120, 120..120, 120..121, 121..400] {
        file += &payments(part);
        folder.file("payments.csv", &file);
        run(&folder, "grown");
    }
    let grown = run(&folder, "grown");
    assert_eq!(grown["records"], 0);
    let single = run(&folder, "single");
    assert_eq!(single["records"], 400);
    // The report shows all rows in the order of insertion, also those that this run has not seen.
    for name in ["table cards", "table recent", "table passed"] {
        assert_eq!(section(&grown, name), section(&single, name));
    }
    let rows = section(&single, "table cards")["rows"].as_u64().expect("a count");
    assert!((10..23).contains(&rows), "{rows}");
    // Of three payments of a card one is too many; what was before the start of a run counts.
    let passed = section(&single, "table passed")["rows"].as_u64().expect("a count");
    assert!((200..350).contains(&passed), "{passed}");
    for name in ["cards", "recent", "passed"] {
        assert_eq!(scan(&folder, "grown", name), scan(&folder, "single", name), "{name}");
    }
}

#[test]
fn answers_are_typed_ordered_and_chosen() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("payments.csv", HEADER.to_owned() + &payments(0..49));
    run(&folder, "data");
    let ask = |arguments: &[&str]| table(&folder, "data", arguments);
    let listed = ask(&["list", "cards"]);
    let expected = "topology  table   key           columns\n\
                    cards     cards   card          ts timestamp, card bigint, amount double, n bigint\n\
                    cards     passed  card, ts      ts timestamp, card bigint, amount double\n\
                    cards     recent  card, amount  ts timestamp, card bigint, amount double, n bigint\n";
    assert_eq!((listed.code, listed.out.as_str()), (Some(0), expected));
    assert!(listed.err.contains("event time 2024-01-01T00:00:48Z; read payments/"), "{}", listed.err);
    let found = ask(&["get", "cards", "cards", "7"]);
    assert_eq!(found.out, "ts                    card  amount   n\n2024-01-01T00:00:47Z     7     8.5  14\n");
    let found = json_of(&ask(&["scan", "cards", "cards", "--where", "card % 5 = 2 and n > 20", "--format", "json"]));
    let cards: Vec<_> = found["rows"].as_array().expect("rows").iter().map(|row| row["card"].clone()).collect();
    assert_eq!((json!(cards), &found["count"]), (json!([12, 17, 22]), &json!(3)));
    let ran = ask(&["scan", "cards", "cards", "--limit", "3", "--format", "csv"]);
    let cards: Vec<&str> = ran.out.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(cards, ["0", "1", "2"]);
    assert!(ran.err.contains("3 of 23 rows"), "{}", ran.err);
    // Only what was changed in the last 20 seconds lives.
    assert_eq!(json_of(&ask(&["count", "cards", "recent", "--format", "json"]))["count"], 21);
    let last = ask(&["get", "cards", "recent", "7", "8.5"]);
    assert_eq!((last.code, last.out.lines().count()), (Some(0), 2), "{}", last.err);
    let gone = ask(&["get", "cards", "recent", "0", "0"]);
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""));
    assert!(gone.err.ends_with("there is no row with this key\n"), "{}", gone.err);
}

#[test]
fn questions_that_cannot_be_answered_say_why() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("payments.csv", HEADER.to_owned() + &payments(0..49));
    let refused = |arguments: &[&str], said: &str| {
        let ran = table(&folder, "data", arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(said), "{arguments:?}: {}", ran.err);
    };
    refused(&["list"], "there is no state in data");
    refused(&["count", "cards", "cards"], "there is no state of a topology `cards` in data");
    assert!(!folder.path().join("data").exists());
    run(&folder, "data");
    refused(&["count", "crads", "cards"], "there is state of: cards");
    refused(&["count", "cards", "seen"], "its tables are: cards, passed, recent");
    refused(&["get", "cards", "cards", "x"], "column `card` of the key: `x` is not a bigint");
    refused(&["get", "cards", "recent", "7"], "card (bigint), amount (double): give 2 values, not 1");
    refused(&["scan", "cards", "cards", "--where", "cart > 1"], "cart");
    refused(&["scan", "cards", "cards", "--where", "card"], "must be a condition");
    let ran = table(&folder, "data", &["count", "cards", "cards", "--where", "1 / card > 0"]);
    assert!(ran.err.contains("the condition failed on 1 rows"), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1\n"));
}

#[test]
fn columns_that_changed_are_named_and_a_reset_begins_anew() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("payments.csv", HEADER.to_owned() + &payments(0..49));
    run(&folder, "data");
    folder.file("t.toml", TOPOLOGY.replace("add.n = ", "add.m = "));
    let arguments = ["run", "t.toml", "--jitter", "0s", "--data-dir", "data", "--format", "json"];
    let ran = folder.run(&arguments);
    assert_eq!(ran.code, Some(1));
    let said = "the rows of table `cards` have other columns: column `n` is gone; column `m` is new; \
                go back to the old definition, or start once with `--reset-state cards`";
    assert!(ran.err.contains(said), "{}", ran.err);
    let resets = ["--reset-state", "cards", "--reset-state", "recent"];
    assert_eq!(folder.run(&[&arguments[..], &resets].concat()).code, Some(0));
    assert_eq!(table(&folder, "data", &["count", "cards", "cards"]).out, "0\n");
}

const LIVE: &str = r#"
name = "live"
[runtime]
pin = false
commit = "5ms"
[spouts.cards]
kind   = "stdin"
format = "json"
fields.card = "text not null"
fields.n    = "bigint"
[bolts.latest]
kind = "table"
from = "cards"
key  = "card"
"#;

#[test]
fn a_table_is_read_while_another_process_writes_it() {
    let folder = Folder::new();
    folder.file("t.toml", LIVE);
    let mut command = folder.command(&["run", "t.toml", "--jitter", "0s", "--data-dir", "data"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
    let mut input = child.stdin.take().expect("a pipe");
    let mut epochs = Vec::new();
    for n in 0..3 {
        writeln!(input, "{{\"card\": \"a\", \"n\": {n}}}\n{{\"card\": \"b{n}\"}}").expect("it reads");
        until("the rows are committed", || {
            let ran = table(&folder, "data", &["scan", "live", "latest", "--format", "json"]);
            let Ok(found) = serde_json::from_str::<Value>(&ran.out) else { return false };
            let there = found["count"] == n + 2 && found["rows"][0] == json!({ "card": "a", "n": n });
            epochs.extend(there.then(|| found["epoch"].as_u64().expect("a number")));
            there
        });
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    let looked = folder.run(&["state", "t.toml", "--data-dir", "data"]);
    assert_eq!((looked.code, looked.out.as_str()), (Some(1), ""));
    assert!(looked.err.contains(&format!("is in use by process {}", child.id())), "{}", looked.err);
    drop(input);
    assert_eq!(end_of(&mut child).code(), Some(0));
    assert_eq!(table(&folder, "data", &["count", "live", "latest"]).out, "4\n");
}

#[test]
fn state_lists_what_is_kept_and_shows_a_key() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("payments.csv", HEADER.to_owned() + &payments(0..49));
    run(&folder, "data");
    let ask = |arguments: &[&str]| folder.run(&[&["state", "t.toml", "--data-dir", "data"], arguments].concat());
    let all = json_of(&ask(&["--format", "json"]));
    let handles = all["handles"].as_array().expect("a list");
    let of = |component: &str| {
        let found = handles.iter().find(|h| h["component"] == component);
        found.unwrap_or_else(|| panic!("no {component}: {all}"))
    };
    assert_eq!((&of("cards")["keys"], &of("cards")["key"]), (&json!(23), &json!(["bigint"])));
    assert_eq!(of("recent")["keys"], 21);
    assert_eq!(of("calm")["keys"], 23);
    assert!(handles.iter().all(|h| h["bytes"].as_u64() > Some(0)), "{all}");
    let text = ask(&["--component", "cards"]).out;
    assert!(text.starts_with("component  handle  key") && text.lines().count() == 2, "{text}");
    let row = json_of(&ask(&["--component", "cards", "--key", "7", "--format", "json"]));
    assert_eq!(row["entries"][0]["row"]["amount"], 8.5);
    let other = json_of(&ask(&["--component", "calm", "--key", "7", "--format", "json"]));
    let content = other["entries"][0]["content"].as_str().expect("hexadecimal digits");
    assert!(content.len() >= 16 && content.bytes().all(|b| b.is_ascii_hexdigit()), "{content}");
    assert_eq!(ask(&["--component", "calm", "--key", "99"]).code, Some(1));
    assert_eq!(ask(&["--component", "sen"]).code, Some(2));
    assert_eq!(ask(&["--component", "calm", "--key", "x"]).code, Some(2));
    let elsewhere = folder.run(&["state", "t.toml", "--data-dir", "nowhere"]);
    assert_eq!(elsewhere.code, Some(2));
    assert!(!folder.path().join("nowhere").exists());
}
