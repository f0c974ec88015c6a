//! State outlives the process: what a topology does in two runs is what it does in one.

use crate::program::Folder;
use std::fmt::Write;

const TOPOLOGY: &str = r#"
name = "durable"
[runtime]
pin    = false
commit = "1ms"
[spouts.readings]
kind   = "file"
path   = "readings.csv"
format = "csv"
time   = "ts"
fields.ts    = "timestamp not null"
fields.car   = "bigint"
fields.speed = "double not null"
[bolts.seen]
kind   = "aggregate"
from   = "readings"
key    = "car"
window = { rolling = "40s" }
ttl    = "never"
add.n        = "count(*)"
add.mean     = "avg(speed)"
add.fastest  = "max(speed)"
add.colours  = "count(distinct speed)"
add.previous = "lag(speed)"
add.all      = "sum(speed) over everything"
windows.everything = { rolling = "100000d" }
[bolts.calm]
kind  = "throttle"
from  = "seen"
key   = "car"
limit = 2
per   = "15s"
[bolts.fast]
kind = "rules"
from = "seen"
key  = "car"
keep = ["ts", "car", "speed"]
[bolts.fast.rules.holds]
when = "speed > 40"
for  = "3 rows"
[bolts.seen_out]
kind    = "file"
from    = "seen"
path    = "seen.csv"
deliver = "committed"
[bolts.calm_out]
kind    = "file"
from    = ["calm", "calm.rejected"]
path    = "calm.ndjson.gz"
deliver = "committed"
append  = true
[bolts.fast_out]
kind = "file"
from = "fast"
path = "fast.csv"
[bolts.errors_out]
kind    = "file"
from    = ["seen.errors", "readings.errors", "calm.errors", "fast.errors"]
fill    = "null"
path    = "errors.csv"
deliver = "committed"
"#;

/// Rows of some cars; some lack their car, some are no rows.
fn rows(range: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for n in range {
        let car = if n % 11 == 3 { String::new() } else { (n * 7 % 5).to_string() };
        let speed = if n % 17 == 5 { "fast".to_owned() } else { (n * 31 % 60).to_string() };
        writeln!(text, "2024-01-01 00:{:02}:{:02},{car},{speed}", n / 60, n % 60).unwrap();
    }
    text
}

fn outputs(folder: &Folder) -> Vec<Vec<u8>> {
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let mut calm = String::new();
    let packed = read("calm.ndjson.gz");
    std::io::Read::read_to_string(&mut flate2::bufread::MultiGzDecoder::new(&packed[..]), &mut calm).unwrap();
    vec![read("seen.csv"), calm.into_bytes(), read("fast.csv"), read("errors.csv")]
}

fn succeeds(folder: &Folder, arguments: &[&str]) {
    let ran = folder.run(arguments);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
}

fn fails(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = folder.run(arguments);
    (ran.code, ran.err)
}

const HEADER: &str = "ts,car,speed\n";

#[test]
fn several_runs_over_a_file_that_grows_do_what_one_run_does() {
    let once = Folder::new();
    once.file("t.toml", TOPOLOGY);
    once.file("readings.csv", HEADER.to_owned() + &rows(0..600));
    succeeds(&once, &["run", "t.toml", "--jitter", "0s", "--threads", "1", "--data-dir", "data"]);
    let wanted = outputs(&once);
    let text = String::from_utf8(wanted[0].clone()).unwrap();
    assert!(text.starts_with("ts,car,speed,n,") && text.lines().count() > 500);

    let often = Folder::new();
    often.file("t.toml", TOPOLOGY);
    for (end, threads) in [(0, "1"), (200, "1"), (200, "2"), (201, "3"), (450, "2"), (600, "1")] {
        often.file("readings.csv", HEADER.to_owned() + &rows(0..end));
        // Little memory: what a key has is read back for nearly each of its rows.
        often.file("t.toml", TOPOLOGY.replace("commit =", "state_memory = 1\ncommit ="));
        succeeds(&often, &["run", "t.toml", "--jitter", "0s", "--threads", threads, "--data-dir", "data"]);
    }
    for (n, (got, wanted)) in outputs(&often).into_iter().zip(wanted).enumerate() {
        // Tasks of other executors may have written their rows in another order.
        let lines = |bytes: Vec<u8>| {
            let mut lines: Vec<String> = String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let (got, wanted) = (lines(got), lines(wanted));
        let differ = got.iter().zip(&wanted).find(|(got, wanted)| got != wanted);
        assert_eq!((differ, got.len()), (None, wanted.len()), "output {n}");
    }
}

#[test]
fn another_definition_is_refused_until_its_state_is_reset() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..50));
    let run = ["run", "t.toml", "--jitter", "0s", "--data-dir", "data"];
    succeeds(&folder, &run);
    folder.file("t.toml", TOPOLOGY.replace("avg(speed)", "avg(speed + 1)"));
    let (code, errors) = fails(&folder, &run);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("the state of `seen`") && errors.contains("--reset-state seen"), "{errors}");
    let mut reset = run.to_vec();
    reset.extend(["--reset-state", "seen"]);
    succeeds(&folder, &reset);
    succeeds(&folder, &run);
}

#[test]
fn a_source_that_was_replaced_or_cut_is_refused_and_says_what_is_safe() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..50));
    let run = ["run", "t.toml", "--jitter", "0s", "--data-dir", "data"];
    succeeds(&folder, &run);
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..10));
    let (code, errors) = fails(&folder, &run);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("is not the file that was read before: it is shorter"), "{errors}");
    assert!(errors.contains("--reset-state readings"), "{errors}");
    folder.file("seen.csv", "");
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..60));
    let (code, errors) = fails(&folder, &run);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("seen.csv has 0 bytes, but") && errors.contains("--reset-state seen_out"), "{errors}");
}

#[test]
fn what_is_delivered_when_committed_needs_a_data_directory() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..50));
    let (code, errors) = fails(&folder, &["run", "t.toml", "--jitter", "0s"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("needs a data directory") && errors.contains("--data-dir"), "{errors}");
}

#[test]
fn rows_that_a_sink_has_refused_come_again_at_the_next_start() {
    let folder = Folder::new();
    let delivered = TOPOLOGY.replace("path    = \"seen.csv\"\ndeliver = \"committed\"", "path    = \"seen.csv\"");
    assert_ne!(delivered, TOPOLOGY);
    folder.file("readings.csv", HEADER.to_owned() + &rows(0..600));
    folder.file("t.toml", delivered.replace("\"seen.csv\"", "\"/dev/full\""));
    let run = ["run", "t.toml", "--jitter", "0s", "--threads", "1", "--data-dir", "data"];
    let (code, errors) = fails(&folder, &run);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("cannot write `/dev/full`"), "{errors}");
    folder.file("t.toml", delivered);
    succeeds(&folder, &run);
    let written = std::fs::read_to_string(folder.path().join("seen.csv")).unwrap();
    let keyless = (0..600).filter(|n| n % 11 == 3 || n % 17 == 5).count();
    assert_eq!(written.lines().count(), 1 + 600 - keyless);
}
