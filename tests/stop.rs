//! A topology that is told to stop while its rings are full: all that was read comes to its end.

use crate::program::{Folder, component, finish};
use serde_json::Value;
use std::io::{BufRead, BufReader};

/// A source that is faster than what comes after it, on another executor.
const TOPOLOGY: &str = r#"
name = "stopped"
[runtime]
pin = false
threads = 2
ring_capacity = 4096
[spouts.s]
kind  = "generate"
what  = "payments"
cards = 1000
[bolts.seen]
kind  = "aggregate"
from  = "s"
key   = "card"
tasks = 2
add.n     = "count(*) over '1h'"
add.most  = "max(amount) over '1m'"
add.usual = "avg(amount) over '10m'"
[bolts.all]
kind = "null"
from = "seen"
[bolts.late]
kind = "null"
from = "seen.late"
"#;

/// Runs it until it is at work, stops it as an operator does, and gives the report.
fn stopped(folder: &Folder) -> Value {
    let arguments = ["run", "stopped.toml", "--format", "json", "--jitter", "0s", "--every", "100ms"];
    let mut child = folder.command(&arguments).spawn().expect("the program can be started");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a short report");
    assert!(line.contains("interim"), "{line}");
    let id = i32::try_from(child.id()).expect("the id of a process");
    // SAFETY: the process is a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
    let rest: Vec<String> = out.lines().map(|line| line.expect("a pipe can be read")).collect();
    let ran = finish(child);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(rest.last().expect("a report")).expect("JSON")
}

#[test]
fn what_is_in_the_rings_when_the_process_is_told_to_stop_is_not_dropped() {
    let folder = Folder::new();
    folder.file("stopped.toml", TOPOLOGY);
    for _ in 0..5 {
        let report = stopped(&folder);
        let rows = |sink: &str| component(&report, "sinks", sink)["rows"].as_u64().expect("a number");
        let read = component(&report, "spouts", "s")["records"].as_u64().expect("a number");
        let sent: u64 =
            report["channels"].as_array().expect("a list").iter().filter_map(|c| c["tuples"].as_u64()).sum();
        assert!(sent > 1000, "too little went through rings to mean anything: {report}");
        assert_eq!(read, rows("all") + rows("late"), "{report}");
        assert_eq!(report["balanced"], true, "{report}");
    }
}
