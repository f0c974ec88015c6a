//! Live feeds: clients of a running topology, some of which do not behave, and a process that is killed.

use crate::program::{Folder, component, finish, section, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};

const TOPOLOGY: &str = r#"
name = "fed"
[runtime]
pin    = false
commit = "5ms"
[spouts.feed]
kind    = "tcp"
address = "127.0.0.1:0"
format  = "json"
fields.n = "bigint not null"
"#;

const JOURNAL: &str = r#"
journal = "live"
fsync   = "1ms"
ack     = true
"#;

const BOLTS: &str = r#"
[bolts.times]
kind   = "aggregate"
from   = "feed"
key    = "n"
ttl    = "never"
window = { rolling = "100000d" }
add.times = "count(*)"
[bolts.kept]
kind   = "table"
from   = "times"
key    = "n"
export = "kept.ndjson"
[bolts.out]
kind  = "log"
from  = "feed"
topic = "out"
"#;

const ARGUMENTS: [&str; 8] = ["run", "t.toml", "--jitter", "0s", "--format", "json", "--data-dir", "data"];

/// A topology that listens.
pub struct Listening {
    child: Child,
    pub address: String,
    _messages: BufReader<ChildStderr>,
}

impl Listening {
    pub fn start(folder: &Folder, arguments: &[&str]) -> Listening {
        let mut child = folder.command(arguments).spawn().expect("the program can be started");
        let mut messages = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        messages.read_line(&mut line).expect("a pipe can be read");
        let address = line.trim_end().split_once(" listens on ").unwrap_or_else(|| panic!("{line}")).1.to_owned();
        Listening { child, address, _messages: messages }
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    /// As an operator stops it; the report.
    pub fn stop(self) -> Value {
        let id = i32::try_from(self.child.id()).expect("the id of a process");
        // SAFETY: the process is a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
        finish(self.child).good()
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs until it is killed");
        self.child.wait().expect("it was killed");
    }
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

/// Reads so many answers, all of them OK; the last offset.
fn answers(stream: &TcpStream, count: u64) -> u64 {
    let mut last = 0;
    for line in BufReader::new(stream).lines().take(count as usize) {
        let line = line.expect("an answer");
        last = line.strip_prefix("OK ").and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    }
    last
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_acknowledged_line_has_its_effect_once_however_often_the_process_is_killed() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY.to_owned() + JOURNAL + BOLTS);
    let (mut next, mut acknowledged) = (0, BTreeSet::new());
    for round in 0..4 {
        let listening = Listening::start(&folder, &ARGUMENTS);
        let mut client = listening.connect();
        for _ in 0..10 + 10 * round {
            client.write_all(lines(next..next + 50).as_bytes()).unwrap();
            answers(&client, 50);
            acknowledged.extend(next..next + 50);
            next += 50;
        }
        // Some are on their way when it dies.
        client.write_all(lines(next..next + 500).as_bytes()).unwrap();
        next += 500;
        listening.kill();
    }
    let listening = Listening::start(&folder, &ARGUMENTS);
    let mut client = listening.connect();
    client.write_all(lines(next..next + 1).as_bytes()).unwrap();
    answers(&client, 1);
    acknowledged.insert(next);
    let report = listening.stop();
    assert_eq!(report["balanced"], true, "{report}");
    let kept = objects(&folder.read("kept.ndjson"));
    assert!(kept.iter().all(|row| row["times"] == 1), "once");
    let numbers: BTreeSet<u64> = kept.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    assert_eq!(acknowledged.difference(&numbers).collect::<Vec<_>>(), Vec::<&u64>::new());
    let read = |topic: &str| -> Vec<u64> {
        let ran = folder.run(&["log", "read", topic, "--data-dir", "data"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        objects(&ran.out).iter().map(|row| row["n"].as_u64().unwrap()).collect()
    };
    // The topics have what the table has, in the order in which it came, and nothing twice.
    assert_eq!(read("live"), read("out"));
    assert_eq!(read("out"), numbers.into_iter().collect::<Vec<_>>());
}

#[test]
fn clients_that_do_not_behave_are_counted_and_others_do_not_notice() {
    let folder = Folder::new();
    let errors = "[bolts.errors]\nkind = \"file\"\nfrom = \"feed.errors\"\npath = \"errors.ndjson\"\n";
    let options = "max_record = \"100B\"\nidle_timeout = \"50ms\"\n";
    folder.file("t.toml", TOPOLOGY.to_owned() + options + errors);
    let listening = Listening::start(&folder, &["run", "t.toml", "--jitter", "0s", "--format", "json"]);
    let mut garbage = listening.connect();
    garbage.write_all(b"\xff\xfe\x00garbage\n{\"n\":\n{\"n\":1}\n").unwrap();
    let mut half = listening.connect();
    half.write_all(b"{\"n\":2}\n{\"n\":").unwrap();
    drop(half);
    let mut endless = listening.connect();
    endless.write_all(&[b'x'; 300_000]).unwrap();
    let mut silent = listening.connect();
    // Everybody is sent away in the end: a read says so.
    until("the silent one is sent away", || matches!(std::io::Read::read(&mut silent, &mut [0]), Ok(0)));
    until("and the endless one", || !matches!(std::io::Read::read(&mut endless, &mut [0]), Ok(1..)));
    let mut good = listening.connect();
    good.write_all(lines(3..1003).as_bytes()).unwrap();
    until("they come", || {
        let mut probe = listening.connect();
        // The connection after it is served when the one before was.
        probe.write_all(b"{\"n\":0}\n").is_ok() && matches!(std::io::Read::read(&mut probe, &mut [0]), Ok(0))
    });
    let report = listening.stop();
    let feed = component(&report, "spouts", "feed");
    assert_eq!(report["balanced"], true, "{report}");
    let counts = section(&report, "feed");
    assert_eq!((&counts["cut"], &counts["too_long"]), (&1.into(), &1.into()), "{counts}");
    assert!(counts["timed_out"].as_u64().unwrap() >= 2, "{counts}");
    assert!(feed["tuples"].as_u64().unwrap() > 1002, "{feed}");
    let mut reasons: Vec<String> = Vec::new();
    for row in objects(&folder.read("errors.ndjson")) {
        reasons.push(row["reason"].as_str().unwrap().to_owned());
    }
    reasons.sort();
    assert!(
        reasons.len() == 4 && reasons.contains(&"cut".to_owned()) && reasons.contains(&"too_long".to_owned()),
        "{reasons:?}"
    );
}

#[test]
fn ten_thousand_connections_are_served_and_one_more_is_refused() {
    let folder = Folder::new();
    // What this process may open decides on how many there are.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live value of the type that the call fills.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    let count = limit.rlim_cur.saturating_sub(1000).clamp(100, 10_000);
    let most = format!("max_connections = {count}\n");
    folder.file("t.toml", TOPOLOGY.to_owned() + JOURNAL + &most + "[bolts.out]\nkind = \"null\"\nfrom = \"feed\"\n");
    let listening = Listening::start(&folder, &ARGUMENTS);
    let clients: Vec<TcpStream> = (0..count)
        .map(|n| {
            let mut client = listening.connect();
            client.write_all(lines(n..n + 1).as_bytes()).unwrap();
            client
        })
        .collect();
    let offsets: BTreeSet<u64> = clients.iter().map(|client| answers(client, 1)).collect();
    assert_eq!(offsets, (0..count).collect());
    let mut one_more = listening.connect();
    assert!(!matches!(std::io::Read::read(&mut one_more, &mut [0]), Ok(1..)));
    let report = listening.stop();
    let counts = section(&report, "feed");
    assert_eq!((&counts["accepted"], &counts["refused"]), (&count.into(), &1.into()), "{counts}");
    assert_eq!(component(&report, "spouts", "feed")["tuples"], count);
}

#[test]
fn what_was_received_when_it_is_stopped_is_processed_and_answered() {
    for more in ["", "busy = true\n"] {
        let folder = Folder::new();
        folder.file("t.toml", TOPOLOGY.to_owned() + JOURNAL + more + BOLTS);
        let listening = Listening::start(&folder, &ARGUMENTS);
        let mut client = listening.connect();
        client.write_all(lines(0..1).as_bytes()).unwrap();
        assert_eq!(answers(&client, 1), 0);
        // What fits into the buffers of the system, so that nothing is on its way.
        client.write_all(lines(1..2001).as_bytes()).unwrap();
        let report = listening.stop();
        assert_eq!(component(&report, "spouts", "feed")["tuples"], 2001, "{more}");
        assert_eq!(objects(&folder.read("kept.ndjson")).len(), 2001);
        assert_eq!(answers(&client, 2000), 2000);
    }
}

#[test]
fn a_plan_says_what_a_feed_keeps() {
    let folder = Folder::new();
    for (more, said) in [("", "not replayable"), (JOURNAL, "appends to topic `live`, made durable every 1")] {
        folder.file("t.toml", TOPOLOGY.to_owned() + more + "[bolts.out]\nkind = \"null\"\nfrom = \"feed\"\n");
        let ran = folder.run(&["explain", "t.toml", "--data-dir", "data"]);
        assert!(ran.code == Some(0) && ran.out.contains(said), "{}{}", ran.out, ran.err);
    }
}
