//! Dead letters: what fails and nobody reads is kept, exactly once, and can be replayed.

mod panics;

use crate::program::{Folder, end_of, until};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Stdio;

const TOPOLOGY: &str = r#"
name = "t"
[runtime]
pin    = false
commit = "1ms"
[spouts.readings]
kind   = "file"
path   = "readings.csv"
format = "csv"
time   = "ts"
fields.ts    = "timestamp not null"
fields.car   = "bigint not null"
fields.speed = "double not null"
fields.word  = "text"
[bolts.ratio]
kind = "select"
from = "readings"
where = "speed > 0"
add.part = "100 / (car - 3)"
[bolts.seen]
kind   = "aggregate"
from   = "readings"
key    = "car"
window = { rolling = "5s" }
ttl    = "never"
keep   = ["car"]
add.n  = "count(*)"
[bolts.all_out]
kind    = "file"
from    = "readings"
path    = "all.csv"
deliver = "committed"
[bolts.ratio_out]
kind    = "file"
from    = "ratio"
path    = "ratio.csv"
deliver = "committed"
[bolts.seen_out]
kind    = "file"
from    = "seen"
path    = "seen.csv"
deliver = "committed"
"#;

const RUN: [&str; 8] = ["run", "t.toml", "--jitter", "0s", "--data-dir", "data", "--format", "json"];

/// Good rows, and one for each way to fail.
fn readings() -> Vec<u8> {
    let mut bytes = b"ts,car,speed,word\n\
        2024-01-01 00:00:00,1,1.5,a\n\
        2024-01-01 00:01:00,3,0.1,\"x \"\"y\"\"\"\n\
        2024-01-01 00:01:01,4,fast,b\n\
        2024-01-01 00:01:02,1,7.25,c\n\
        2024-01-01 00:00:01,1,0.5,late\n\
        2024-01-01 00:01:03,1,1,\xff\n\
        2024-01-01 00:01:04,5,slow,"
        .to_vec();
    // Longer than what `.errors` shows.
    bytes.extend(std::iter::repeat_n(b'z', 5000));
    bytes.push(b'\n');
    bytes
}

fn topology() -> Folder {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY).file("readings.csv", readings());
    folder
}

/// A command that ends well, whatever warnings there are; what it prints.
fn good(folder: &Folder, arguments: &[&str]) -> String {
    let ran = folder.run(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.out, ran.err);
    ran.out
}

fn report(folder: &Folder, arguments: &[&str]) -> Value {
    let out = good(folder, arguments);
    serde_json::from_str(out.lines().last().expect("a report")).expect("a report is JSON")
}

/// The letters in the order of the topic.
fn letters(folder: &Folder) -> Vec<Value> {
    let out = good(folder, &["log", "read", "t.dead", "--data-dir", "data"]);
    out.lines().map(|line| serde_json::from_str(line).expect("a letter is JSON")).collect()
}

fn of<'a>(letters: &'a [Value], component: &str, reason: &str) -> Vec<&'a Value> {
    letters.iter().filter(|l| l["component"] == component && l["reason"] == reason).collect()
}

#[test]
fn what_fails_and_nobody_reads_is_kept_with_the_record_or_the_row() {
    let folder = topology();
    let report = report(&folder, &RUN);
    let found = letters(&folder);
    assert_eq!(found.len(), 5, "{found:#?}");
    let bad = of(&found, "readings", "bad_value");
    assert_eq!(bad[0]["record"], "2024-01-01 00:01:01,4,fast,b");
    assert_eq!((&bad[0]["split"], &bad[0]["attempts"]), (&json!("readings/readings.csv"), &json!(1)));
    assert_eq!(bad[0]["text"], "column `speed`: `fast` is not a double");
    assert_eq!(bad[1]["record"], format!("2024-01-01 00:01:04,5,slow,{}", "z".repeat(5000)));
    let hex = of(&found, "readings", "utf8")[0]["record_hex"].as_str().expect("digits").to_owned();
    assert!(hex.ends_with("2c312cff") && hex.starts_with("32303234"), "{hex}");
    let row = json!({ "ts": "2024-01-01T00:01:00Z", "car": 3, "speed": 0.1, "word": "x \"y\"" });
    let ratio = of(&found, "ratio", "division_by_zero")[0];
    assert_eq!((&ratio["row"], &ratio["from"], &ratio["time"]), (&row, &json!("readings"), &row["ts"]));
    let late = of(&found, "seen", "late")[0];
    assert_eq!((&late["row"]["word"], &late["time"]), (&json!("late"), &json!("2024-01-01T00:00:01Z")));
    let section = crate::program::section(&report, "dead letters");
    let counts = json!([
        { "component": "ratio", "reason": "division_by_zero", "count": 1 },
        { "component": "readings", "reason": "bad_value", "count": 2 },
        { "component": "readings", "reason": "utf8", "count": 1 },
        { "component": "seen", "reason": "late", "count": 1 },
    ]);
    assert_eq!((&section["letters"], &section["end"], &section["topic"]), (&counts, &json!(5), &json!("t.dead")));
    assert_eq!(report["balanced"], true);
    // Another start has nothing to add.
    good(&folder, &RUN);
    assert_eq!(letters(&folder), found);
    let plan = good(&folder, &["explain", "t.toml", "--data-dir", "data"]);
    assert!(plan.contains("dead letters\n  to topic t.dead: readings.errors, "), "{plan}");
}

#[test]
fn what_somebody_reads_is_no_dead_letter_and_nobody_need_keep_any() {
    let folder = topology();
    let read = "[bolts.errors_out]\nkind = \"null\"\nfrom = [\"ratio.errors\"]\n";
    folder.file("t.toml", TOPOLOGY.replace("name = \"t\"", "name = \"t x\"") + read);
    good(&folder, &RUN);
    let out = good(&folder, &["log", "read", "t_x.dead", "--data-dir", "data"]);
    assert!(out.lines().count() == 4 && !out.contains("division_by_zero"), "{out}");
    for (settings, data_dir) in [("dead_letters = false\n", true), ("", false)] {
        let folder = topology();
        let text = TOPOLOGY.replace("deliver = \"committed\"", "");
        folder.file("t.toml", text.replace("commit =", &format!("{settings}commit =")));
        let arguments = if data_dir { &RUN[..] } else { &["run", "t.toml", "--jitter", "0s", "--format", "json"] };
        let report = report(&folder, arguments);
        assert!(!report["sections"].to_string().contains("dead letters"));
        assert_eq!(
            crate::program::component(&report, "components", "ratio")["errors"],
            json!({ "division_by_zero": 1 })
        );
        assert!(!folder.path().join("data/log").exists(), "{settings}");
    }
}

#[test]
fn a_channel_carries_no_column_for_letters_and_they_show_those_that_it_carries() {
    let folder = topology();
    let (mut two, mut plain) = (RUN.to_vec(), vec!["explain", "t.toml", "--threads", "2"]);
    two.extend(["--threads", "2"]);
    let text = TOPOLOGY.replace("from = \"readings\"\nwhere", "from = { readings = \"shuffle\" }\ntasks = 2\nwhere");
    let text = text.replace("add.part", "keep = [\"car\"]\nadd.part");
    folder.file("t.toml", text.replace("deliver = \"committed\"", ""));
    let channels = |plan: &str| {
        let from = plan.find("\nchannels\n").expect("there are channels");
        let end = plan[from..].find("\ncomponents\n").expect("there are components");
        plan[from..from + end].to_owned()
    };
    let without = channels(&good(&folder, &plain));
    plain.extend(["--data-dir", "data"]);
    assert_eq!(channels(&good(&folder, &plain)), without);
    good(&folder, &two);
    for letter in of(&letters(&folder), "ratio", "division_by_zero") {
        // What both tasks need is there, and nothing that was never set.
        assert_eq!((&letter["row"]["car"], &letter["row"]["speed"]), (&json!(3), &json!(0.1)), "{letter}");
        let word = &letter["row"]["word"];
        assert!(*word == Value::Null || *word == "x \"y\"", "{letter}");
    }
}

/// Rows of which every tenth is broken, and every eleventh fails in `ratio`.
fn many(rows: usize) -> String {
    let mut text = "ts,car,speed,word\n".to_owned();
    for n in 0..rows {
        let speed = if n % 10 == 4 { "broken".to_owned() } else { format!("{}.5", n + 1) };
        let car = if n % 11 == 5 { 3 } else { 10 + n % 7 };
        writeln!(text, "2024-01-01 {:02}:{:02}:{:02},{car},{speed},w{n}", n / 3600, n / 60 % 60, n % 60).unwrap();
    }
    text
}

#[test]
fn a_topology_that_is_killed_has_letters_without_gaps_and_repeats() {
    const ROWS: usize = 3000;
    let sorted = |folder: &Folder| {
        let mut found: Vec<String> = letters(folder).iter().map(Value::to_string).collect();
        found.sort();
        found
    };
    let once = topology();
    once.file("readings.csv", many(ROWS));
    good(&once, &RUN);
    let wanted = sorted(&once);
    assert_eq!(wanted.len(), 300 + (0..ROWS).filter(|n| n % 11 == 5 && n % 10 != 4).count());

    let killed = topology();
    killed.file("t.toml", TOPOLOGY.replace("format = \"csv\"", "format = \"csv\"\npace = \"3000/s\""));
    killed.file("readings.csv", many(ROWS));
    for (round, threads) in ["1", "2", "1"].into_iter().enumerate() {
        let mut command = killed.command(&RUN);
        let mut child =
            command.args(["--threads", threads]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("there are letters", || {
            let read = killed.run(&["log", "read", "t.dead", "--data-dir", "data"]);
            read.out.lines().count() >= 100 * (round + 1)
        });
        child.kill().unwrap();
        end_of(&mut child);
    }
    good(&killed, &RUN);
    let got = sorted(&killed);
    let differ = got.iter().zip(&wanted).find(|(got, wanted)| got != wanted);
    assert_eq!((differ, got.len()), (None, wanted.len()));
}

/// Rows of a file behind its header, sorted.
fn rows(folder: &Folder, name: &str) -> Vec<String> {
    let mut rows: Vec<String> = folder.read(name).lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    rows
}

const REPLAY: [&str; 6] = ["replay-dead", "t.toml", "--data-dir", "data", "--format", "json"];

fn replayed(folder: &Folder, more: &[&str]) -> Value {
    let out = good(folder, &[&REPLAY[..], more].concat());
    serde_json::from_str(&out).expect("the answer is JSON")
}

#[test]
fn corrected_letters_go_their_way_once_and_what_fails_again_is_a_letter_again() {
    let folder = topology();
    good(&folder, &RUN);
    let before = letters(&folder);
    let (all, ratio, seen) = (rows(&folder, "all.csv"), rows(&folder, "ratio.csv"), rows(&folder, "seen.csv"));
    assert_eq!((all.len(), ratio.len(), seen.len()), (4, 3, 3));
    // Only counting changes nothing.
    let counted = replayed(&folder, &["--dry-run"]);
    let count = |component: &str, reason: &str, count: u64| json!({ "component": component, "reason": reason, "count": count, "obstacle": null });
    let bad_values = count("readings", "bad_value", 2);
    let all_counts = [
        count("ratio", "division_by_zero", 1),
        bad_values.clone(),
        count("readings", "utf8", 1),
        count("seen", "late", 1),
    ];
    assert_eq!(counted, json!({ "replayed": false, "letters": all_counts, "failed_again": null }));
    // The spout now takes `fast` for NULL, and the bolt divides by nothing that is zero.
    let corrected = TOPOLOGY.replace("speed = \"double not null\"", "speed = \"double\"");
    let corrected = corrected.replace("time   = \"ts\"", "time   = \"ts\"\nnull   = [\"\", \"fast\"]");
    folder.file("t.toml", corrected.replace("(car - 3)", "nullif(car - 3, 0)"));
    let answer = replayed(&folder, &["--component", "readings", "--reason", "bad_value"]);
    assert_eq!(answer, json!({ "replayed": true, "letters": [bad_values], "failed_again": 1 }));
    let mut wanted = all.clone();
    wanted.push("2024-01-01T00:01:01Z,4,,b".to_owned());
    wanted.sort();
    assert_eq!(rows(&folder, "all.csv"), wanted, "one is well now, and goes all ways of the spout");
    assert_eq!(rows(&folder, "seen.csv").len(), seen.len() + 1);
    assert_eq!(rows(&folder, "ratio.csv"), ratio, "`where` does not pass it");
    // The rest: the row enters its bolt only.
    let answer = replayed(&folder, &[]);
    assert_eq!(answer["failed_again"], 3, "the late row is late, the broken ones are broken: {answer}");
    assert_eq!(rows(&folder, "all.csv"), wanted);
    let mut wanted_ratio = ratio.clone();
    wanted_ratio.push("2024-01-01T00:01:00Z,3,0.1,\"x \"\"y\"\"\",".to_owned());
    wanted_ratio.sort();
    assert_eq!(rows(&folder, "ratio.csv"), wanted_ratio);
    let after = letters(&folder);
    assert_eq!(after[..before.len()], before[..]);
    let again = &after[before.len()..];
    assert_eq!(again.len(), 4);
    let slow: Vec<&Value> = of(again, "readings", "bad_value");
    let first = of(&before, "readings", "bad_value")[1];
    for (n, letter) in slow.iter().enumerate() {
        assert_eq!(letter["attempts"], n + 2);
        assert_eq!(
            [&letter["record"], &letter["position"], &letter["split"]],
            [&first["record"], &first["position"], &first["split"]]
        );
    }
    assert_eq!(of(again, "seen", "late")[0]["attempts"], 2);
    // What was replayed is behind: only what failed again is there anew.
    let counted = replayed(&folder, &["--dry-run", "--component", "ratio"]);
    assert_eq!(counted["letters"], json!([]));
    assert_eq!(replayed(&folder, &["--dry-run", "--component", "seen"])["letters"], json!([count("seen", "late", 1)]));
    // The topology itself goes on where it was.
    good(&folder, &RUN);
    assert_eq!(letters(&folder), after);
    assert_eq!(rows(&folder, "all.csv"), wanted);
    // Asked for explicitly, the same is replayed once more.
    assert_eq!(replayed(&folder, &["--from", "0", "--component", "ratio"])["failed_again"], 0);
    assert_eq!(rows(&folder, "ratio.csv").len(), wanted_ratio.len() + 1);
}

#[test]
fn of_a_document_only_the_element_that_failed_is_replayed() {
    let text = r#"
name = "t"
[runtime]
pin = false
[spouts.cars]
kind   = "file"
path   = "cars.ndjson"
format = "json"
each   = "$.data[*]"
fields.a = "bigint not null"
[bolts.out]
kind    = "file"
from    = "cars"
path    = "out.csv"
deliver = "committed"
"#;
    let folder = Folder::new();
    folder
        .file("t.toml", text)
        .file("cars.ndjson", "{\"data\":[{\"a\":1},{\"a\":\"x\"},{\"a\":3}]}\n{\"data\":[{\"a\":4}]}\n");
    good(&folder, &RUN);
    assert_eq!(rows(&folder, "out.csv"), ["1", "3", "4"]);
    assert_eq!(letters(&folder)[0]["record"], "{\"data\":[{\"a\":1},{\"a\":\"x\"},{\"a\":3}]}");
    folder.file("t.toml", text.replace("not null\"", "default 7\"\nnull = [\"x\"]"));
    assert_eq!(replayed(&folder, &[])["failed_again"], 0);
    assert_eq!(rows(&folder, "out.csv"), ["1", "3", "4", "7"]);
}

#[test]
fn what_cannot_be_replayed_is_named_and_left() {
    let folder = topology();
    folder.file("t.toml", TOPOLOGY.replace("format = \"csv\"", "format = \"csv\"\nmax_record = \"1KiB\""));
    good(&folder, &RUN);
    folder.file("t.toml", TOPOLOGY.replace("[bolts.ratio]", "[bolts.other]").replace("\"ratio\"", "\"other\""));
    let counted = replayed(&folder, &["--dry-run"]);
    let obstacle = |component: &str| {
        let all = counted["letters"].as_array().expect("a list");
        all.iter().find(|c| c["component"] == component && c["obstacle"] != Value::Null).map(|c| c["obstacle"].clone())
    };
    assert_eq!(obstacle("ratio"), Some(json!("the topology has no such component")));
    assert_eq!(obstacle("readings"), Some(json!("the letter does not have the whole record")));
    let ran = folder.run(&["replay-dead", "t.toml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("there is no data directory") && ran.err.contains("--data-dir"), "{}", ran.err);
    let ran = folder.run(&["replay-dead", "t.toml", "--data-dir", "data", "--component", "sen"]);
    assert_eq!((ran.code, ran.err.contains("no component `sen`")), (Some(2), true), "{}", ran.err);
}
