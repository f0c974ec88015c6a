//! `sferic reference` as people use it; every example in it is checked, tested and run.

use crate::program::Folder;
use crate::tcp::Listening;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};

fn folder() -> Folder {
    let folder = Folder::new();
    let rows = (0..50).map(|n| format!("{n},2024-01-01 00:00:{n:02},{},{}\n", n % 7, n * 10));
    folder.file("payments.csv", "id,ts,card,amount\n".to_owned() + &rows.collect::<String>());
    folder.file("blocked.csv", "card,reason\n1,stolen\n2,lost\n");
    folder.file("readings.json", "{\"car\": \"a\", \"kmh\": 51.5}\n");
    assert_eq!(folder.run(&["log", "append", "readings", "readings.json"]).code, Some(0));
    folder
}

#[test]
fn every_example_is_checked_tested_and_run() {
    let folder = folder();
    let ran = folder.run(&["reference", "all", "--format", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let topics: Vec<Value> = serde_json::from_str(&ran.out).expect("JSON");
    let mut count = 0;
    for topic in &topics {
        let example = topic["example"].as_str().expect("a text");
        if example.is_empty() {
            continue;
        }
        count += 1;
        let name = topic["topic"].as_str().expect("a name");
        folder.file("example.toml", example);
        let ran = folder.run(&["check", "example.toml"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        let ran = folder.run(&["test", "example.toml"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}: {}", ran.out);
        let run = ["run", "example.toml", "--jitter", "0s", "--format", "json"];
        let report = match example.contains("kind    = \"tcp\"") {
            true => fed(&folder, example, &run),
            false => {
                let ran = folder.run(&run);
                assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}: {}", ran.out);
                ran.report()
            }
        };
        assert_eq!(report["balanced"], true, "{name}: {report}");
        // Only the examples of side streams and of dead letters show errors, and only standard input is empty here.
        assert_eq!(report["errors"] != 0, matches!(name, "streams" | "dead letters"), "{name}: {report}");
        assert_eq!(report["records"] == 0, matches!(name, "spouts.stdin" | "time"), "{name}: {report}");
    }
    assert!(count > 15, "{count} examples");
}

/// Runs an example that listens, at a port that is free, with one line.
fn fed(folder: &Folder, example: &str, run: &[&str]) -> Value {
    folder.file("example.toml", example.replace("127.0.0.1:9000", "127.0.0.1:0"));
    let listening = Listening::start(folder, run);
    let mut client = listening.connect();
    client.write_all(b"{\"car\": \"a\", \"kmh\": 51.5}\n").expect("it listens");
    let mut said = String::new();
    BufReader::new(&client).read_line(&mut said).expect("an answer");
    assert_eq!(said, "OK 0\n");
    listening.stop()
}

#[test]
fn a_topic_has_three_forms_and_all_of_them_say_the_same() {
    let folder = Folder::new();
    for format in ["text", "markdown", "json"] {
        let ran = folder.run(&["reference", "throttle", "--format", format]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{format}");
        for said in ["how many rows of a key may pass", "kind  =", "limit"] {
            assert!(ran.out.contains(said), "{format}: {said} is missing in:\n{}", ran.out);
        }
    }
    // In a pipe it is Markdown, and the whole of it.
    let whole = folder.run(&["reference"]);
    assert!(whole.out.starts_with("# The reference of Sferic\n"), "{}", whole.out);
    assert_eq!(whole.out, folder.run(&["reference", "all", "--format", "markdown"]).out);
    for said in ["## bolt aggregate", "`haversine_km(", "ring_capacity", "partial_key"] {
        assert!(whole.out.contains(said), "{said}");
    }
    let overview = folder.run(&["reference", "--format", "text"]);
    assert!(overview.out.contains("\n  bolts.aggregate  ") && overview.out.lines().count() < 80, "{}", overview.out);
}

#[test]
fn an_unknown_topic_names_the_nearest() {
    let folder = Folder::new();
    let ran = folder.run(&["reference", "agregate"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert_eq!(ran.err, "error: there is no topic `agregate`\ndid you mean `aggregate`?\n");
    let ran = folder.run(&["reference", "quantum"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the topics are topology, params, spouts, spouts.file,"), "{}", ran.err);
}
