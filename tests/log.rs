//! The embedded log as people use it: `sferic log`, and topologies that read and write topics.

use crate::program::{Folder, Ran, finish};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

fn good(folder: &Folder, arguments: &[&str]) -> String {
    let ran = folder.run(arguments);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}: {}", ran.out);
    ran.out
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("{{\"card\":\"c{}\",\"n\":{n}}}\n", n % 5)).collect()
}

fn append(folder: &Folder, arguments: &[&str], text: &str) -> Ran {
    let mut command = folder.command(&[&["log", "append"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    finish(child)
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn lines_are_appended_listed_and_read() {
    let folder = Folder::new();
    assert_eq!(good(&folder, &["log", "list"]), "no topics in sferic-data/log\n");
    let ran = append(&folder, &["t"], &(lines(0..20) + "\n{\"no line end\":1}"));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "t/0: 21 records appended, end 21\n", ""));
    assert_eq!(good(&folder, &["log", "read", "t", "--limit", "20"]), lines(0..20));
    assert_eq!(good(&folder, &["log", "read", "t", "--offset", "20"]), "{\"no line end\":1}\n");
    assert_eq!(good(&folder, &["log", "read", "t", "--since", "1h"]).lines().count(), 21);
    assert_eq!(good(&folder, &["log", "read", "t", "--since", "2999-01-01T00:00:00Z"]), "");
    let read = objects(&good(&folder, &["log", "read", "t", "--offset", "3", "--limit", "1", "--format", "json"]));
    assert_eq!((&read[0]["partition"], &read[0]["offset"], &read[0]["key"]), (&0.into(), &3.into(), &Value::Null));
    assert_eq!(read[0]["value"], "{\"card\":\"c3\",\"n\":3}");
    let list = objects(&good(&folder, &["log", "list", "t", "--format", "json"]));
    assert_eq!((&list[0]["records"], &list[0]["end"], &list[0]["segments"]), (&21.into(), &21.into(), &1.into()));
    let table = good(&folder, &["log", "list"]);
    assert!(table.starts_with("topic  partition  first  end  bytes  segments  first time"), "{table}");
    assert_eq!(good(&folder, &["log", "tail", "t", "-n", "2", "--limit", "2"]).lines().count(), 2);
}

#[test]
fn a_key_decides_on_the_partition_and_keeps_the_order() {
    let folder = Folder::new();
    folder.file("a.json", lines(0..50)).file("b.json", lines(50..100));
    let said = good(&folder, &["log", "append", "t", "--partitions", "3", "--key", "card", "a.json", "b.json"]);
    assert_eq!(said.lines().count(), 3);
    let mut seen = std::collections::HashMap::new();
    let all = objects(&good(&folder, &["log", "read", "t", "--format", "json"]));
    assert_eq!(all.len(), 100);
    let mut last = std::collections::HashMap::new();
    for record in all {
        let (key, partition) = (record["key"].as_str().unwrap().to_owned(), record["partition"].clone());
        assert_eq!(seen.entry(key.clone()).or_insert(partition.clone()), &partition);
        let value: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
        let n = value["n"].as_u64().unwrap();
        assert!(last.insert(key, n).is_none_or(|before| before < n));
    }
    assert_eq!(seen.len(), 5);
    let ran = append(&folder, &["t", "--key", "card"], "{\"card\":\"x\"}\n{\"n\":1}\n");
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.err, "error: standard input: line 2 has no field \"card\" to be its key\n");
    assert!(ran.out.contains(": 1 record appended"), "{}", ran.out);
    let ran = folder.run(&["log", "append", "t", "--partitions", "2", "a.json"]);
    assert!(ran.code == Some(2) && ran.err.contains("has 3 partitions, not 2"), "{}", ran.err);
}

#[test]
fn what_cannot_be_is_said() {
    let folder = Folder::new();
    let ran = folder.run(&["log", "read", "nothing"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("there is no topic `nothing` in sferic-data/log; `sferic log append nothing`"),
        "{}",
        ran.err
    );
    append(&folder, &["t"], "a\nb\n");
    for (arguments, said) in [
        (&["log", "read", "t", "--offset", "3"][..], "has no offset 3 yet: it ends at 2"),
        (&["log", "read", "t", "--partition", "1"], "has no partition 1; it has 1"),
        (&["log", "append", "../t"], "cannot be the name of a topic"),
        (&["log", "trim", "t"], "required"),
        (&["log", "read", "t", "--since", "yesterday"], "write a timestamp"),
        (&["log", "append", "t", "missing.txt"], "cannot read missing.txt"),
    ] {
        let ran = folder.run(arguments);
        assert!(ran.code != Some(0) && ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn trim_drops_the_front_and_verify_finds_damage() {
    let folder = Folder::new();
    append(&folder, &["t", "--segment-size", "1KiB"], &lines(0..200));
    assert!(good(&folder, &["log", "verify"]).starts_with("t/0: 200 good records ("));
    let said = good(&folder, &["log", "trim", "t", "--offset", "100"]);
    let list = objects(&good(&folder, &["log", "list", "--format", "json"]));
    let first = list[0]["first"].as_u64().unwrap();
    assert!((60..=100).contains(&first) && said.contains(&format!("{first} records dropped")), "{said}");
    assert_eq!(good(&folder, &["log", "read", "t"]), lines(first as u32..200));
    let ran = folder.run(&["log", "read", "t", "--offset", "1"]);
    assert!(ran.code == Some(1) && ran.err.contains(&format!("the first there is {first}")), "{}", ran.err);
    let path = format!("sferic-data/log/t/0/{first:020}.seg");
    let mut bytes = std::fs::read(folder.path().join(&path)).unwrap();
    bytes[100] ^= 1;
    folder.file(&path, bytes);
    let ran = folder.run(&["log", "verify", "t"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains(&format!("DAMAGED at offset {}", first + 2)) && ran.out.contains(&path), "{}", ran.out);
    let found = folder.run(&["log", "verify", "t", "--format", "json"]);
    assert_eq!(objects(&found.out)[0]["damage"]["offset"], first + 2);
    let ran = folder.run(&["log", "read", "t"]);
    assert!(ran.code == Some(1) && ran.err.contains("is damaged at byte 82"), "{}", ran.err);
    good(&folder, &["log", "trim", "t", "--offset", "200"]);
    assert_eq!(good(&folder, &["log", "read", "t"]), "");
}

#[test]
fn tail_sees_what_another_process_appends_while_it_writes() {
    let folder = Folder::new();
    append(&folder, &["t"], "before\n");
    let mut tail = folder.command(&["log", "tail", "t", "--limit", "3"]).spawn().unwrap();
    let mut said = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "before");
    let mut writer = folder.command(&["log", "append", "t"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = writer.stdin.take().unwrap();
    for line in ["one", "two"] {
        writeln!(pipe, "{line}").unwrap();
        // The writer has neither ended nor been asked to flush.
        assert_eq!(said.next().unwrap().unwrap(), line);
    }
    // While it writes, nobody else does.
    let ran = folder.run(&["log", "trim", "t", "--offset", "1"]);
    let process = format!("is in use by process {}; stop it first", writer.id());
    assert!(ran.code == Some(1) && ran.err.contains(&process), "{}", ran.err);
    drop(pipe);
    assert_eq!(finish(writer).code, Some(0));
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}

const TOPOLOGY: &str = r#"
name = "flow"
[runtime]
pin = false
[spouts.events]
kind   = "log"
topic  = "in"
until  = "end"
format = "json"
fields.card = "text not null"
fields.n    = "bigint not null"
[bolts.even]
kind  = "log"
from  = "events"
where = "n % 2 = 0"
topic = "out"
key   = "card"
partitions = 2
"#;

#[test]
fn a_topology_reads_a_topic_and_writes_another_once() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    let ran = folder.run(&["run", "t.toml", "--jitter", "0s"]);
    assert!(ran.code == Some(1) && ran.err.contains("there is no data directory"), "{}", ran.err);
    let run = ["run", "t.toml", "--jitter", "0s", "--format", "json", "--data-dir", "sferic-data"];
    let ran = folder.run(&run);
    assert!(ran.code == Some(1) && ran.err.contains("there is no topic `in`"), "{}", ran.err);
    // Each run takes up where the one before ended.
    let mut expected: Vec<u32> = Vec::new();
    for (from, to) in [(0, 300), (300, 300), (300, 1000)] {
        append(&folder, &["in", "--partitions", "2"], &lines(from..to));
        let report = finish(folder.command(&run).spawn().unwrap()).good();
        assert_eq!(report["records"], to - from);
        expected.extend((from..to).filter(|n| n % 2 == 0));
        let mut found: Vec<u32> = Vec::new();
        for record in objects(&good(&folder, &["log", "read", "out", "--format", "json"])) {
            let value: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
            assert_eq!(record["key"], value["card"]);
            found.push(value["n"].as_u64().unwrap() as u32);
        }
        found.sort_unstable();
        assert_eq!(found, expected);
    }
    folder.file("log.toml", TOPOLOGY.replace("name = \"flow\"", "name = \"log\""));
    let ran = folder.run(&["run", "log.toml", "--jitter", "0s", "--data-dir", "sferic-data"]);
    assert!(ran.code == Some(1) && ran.err.contains("cannot be called `log`"), "{}", ran.err);
    // The topic belongs to the topology's commits.
    let ran = append(&folder, &["out"], "x\n");
    assert!(ran.code == Some(1) && ran.err.contains("is written by the commits of flow.even"), "{}", ran.err);
}

#[test]
fn a_killed_topology_shows_every_row_once() {
    let folder = Folder::new();
    append(&folder, &["in"], &lines(0..200_000));
    folder.file(
        "t.toml",
        TOPOLOGY.replace("until  = \"end\"\n", "").replace("pin = false", "pin = false\ncommit = \"5ms\""),
    );
    let arguments = ["run", "t.toml", "--jitter", "0s", "--format", "json", "--data-dir", "sferic-data"];
    let ends = |folder: &Folder| -> u64 {
        let ran = folder.run(&["log", "list", "out", "--format", "json"]);
        objects(&ran.out).iter().map(|p| p["records"].as_u64().unwrap()).sum()
    };
    for wanted in [1, 20_000, 60_000] {
        let mut child = folder.command(&arguments).spawn().unwrap();
        while ends(&folder) < wanted {
            assert_eq!(child.try_wait().unwrap(), None, "it runs until it is killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    folder.file("t.toml", TOPOLOGY);
    finish(folder.command(&arguments).spawn().unwrap()).good();
    let mut found: Vec<u64> =
        objects(&good(&folder, &["log", "read", "out"])).iter().map(|v| v["n"].as_u64().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..200_000).step_by(2).collect::<Vec<u64>>());
}
