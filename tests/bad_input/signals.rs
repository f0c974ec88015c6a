//! Signals: the first lets all in flight be finished, the second stops at once.

use crate::program::{Folder, component, end_of, finish, section, until};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::process::Child;

fn signal(child: &Child, signal: libc::c_int) {
    // SAFETY: a signal to our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
}

const ENDLESS: &str = r#"
[runtime]
pin = false
[spouts.s]
kind = "generate"
what = "payments"
rate = "20000/s"
[bolts.seen]
kind  = "aggregate"
from  = "s"
key   = "card"
add.n = "count(*) over '1m'"
[bolts.out]
kind = "file"
from = "seen"
path = "out.csv"
"#;

#[test]
fn a_signal_drains_reports_and_exits_with_0() {
    for (number, threads) in [(libc::SIGTERM, "1"), (libc::SIGINT, "2")] {
        let folder = Folder::new();
        folder.file("t.toml", ENDLESS);
        let arguments =
            ["run", "t.toml", "--jitter", "0s", "--format", "json", "--every", "20ms", "--threads", threads];
        let mut child = folder.command(&arguments).spawn().expect("the program");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        // It runs when it says so, with records.
        while !line.contains("\"records\":") || line.contains("\"records\":0,") {
            line.clear();
            assert!(out.read_line(&mut line).expect("UTF-8") > 0, "it ended by itself");
        }
        signal(&child, number);
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("UTF-8");
        let ran = finish(child);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let report: serde_json::Value = serde_json::from_str(rest.lines().last().expect("a report")).expect("JSON");
        assert_eq!(report["ended"], "stopped, everything in flight was finished");
        assert_eq!(report["balanced"], true);
        // Nothing of what was read is lost: not in channels, not in the file's buffer.
        let tuples = component(&report, "spouts", "s")["tuples"].as_u64().expect("a count");
        assert!(tuples > 0);
        assert_eq!(section(&report, "file out")["rows"], tuples);
        assert_eq!(folder.read("out.csv").lines().count() as u64, tuples + 1);
    }
}

#[test]
fn a_source_that_is_silent_does_not_hold_a_drain_up() {
    let folder = Folder::new();
    let spout = "[runtime]\npin = false\n[spouts.s]\nkind = \"stdin\"\nformat = \"text\"\n\
                 [bolts.out]\nkind = \"null\"\nfrom = \"s\"\n";
    folder.file("t.toml", spout);
    let arguments = ["run", "t.toml", "--jitter", "0s", "--format", "json", "--every", "10ms"];
    let mut command = folder.command(&arguments);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the program");
    let stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut &stdin, b"one\ntwo\nthr").expect("a reader");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("\"records\":2,") {
        line.clear();
        assert!(out.read_line(&mut line).expect("UTF-8") > 0, "it ended by itself");
    }
    signal(&child, libc::SIGTERM);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    let ran = finish(child);
    drop(stdin);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(rest.lines().last().expect("a report")).expect("JSON");
    // The third line has no end yet: it was not read.
    assert_eq!(component(&report, "spouts", "s")["tuples"], 2);
}

#[test]
fn a_second_signal_stops_also_where_nobody_reads_the_output() {
    let folder = Folder::new();
    let console =
        ENDLESS.replace("kind = \"file\"\nfrom = \"seen\"\npath = \"out.csv\"", "kind = \"console\"\nfrom = \"seen\"");
    folder.file("t.toml", console.replace("rate = \"20000/s\"\n", ""));
    let mut child = folder.command(&["run", "t.toml", "--jitter", "0s"]).spawn().expect("the program");
    let pipe = child.stdout.take().expect("a pipe");
    // When the pipe is full the executor is held in its write.
    until("the pipe is full", || {
        let mut waiting: libc::c_int = 0;
        // SAFETY: the descriptor is open, and the number lives through the call.
        assert_eq!(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut waiting) }, 0);
        waiting >= 60_000
    });
    // Signals that come together are one: they are repeated until it has ended.
    until("it has ended", || {
        if child.try_wait().expect("a child").is_some() {
            return true;
        }
        signal(&child, libc::SIGTERM);
        false
    });
    let status = end_of(&mut child);
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
    assert_eq!(status.code(), Some(1));
    assert!(err.starts_with("error: stopped at once, without a report"), "{err}");
    drop(pipe);
}
