//! Records that are broken: each is counted with its reason, and leaves with its place.

use super::{Account, account, folder, rows, run};
use crate::program::{Folder, finish};
use std::io::{BufRead, BufReader, Read, Write};

const HEADER: &str = "id,ts,x,t\n";

/// Reasons and positions of what was refused, in the order of the file.
fn refused(folder: &Folder) -> Vec<(String, u64)> {
    let row = |row: &serde_json::Value| {
        assert!(row["component"] == "s" && row["text"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
        (row["reason"].as_str().expect("a reason").to_owned(), row["position"].as_u64().expect("a position"))
    };
    rows(folder, "wrong.ndjson").iter().map(row).collect()
}

/// Records between good ones: the good ones pass, each other one is refused where it starts.
#[test]
fn broken_records_between_good_ones() {
    let cases: [(&str, &[u8]); 10] = [
        ("bad_value", b"b,2024-01-01,2,t"),
        ("bad_value", b"1,2024-01-01,\xff\xfe,t"),
        ("bad_value", b"1,yesterday,2,t"),
        ("bad_value", b"99999999999999999999,2024-01-01,2,t"),
        ("bad_value", b"1,2024-01-01,1e999,t"),
        ("bad_value", b"1,2024-13-01,1,t"),
        ("columns", b"1"),
        ("columns", b"1,2024-01-01,2,t,5,6"),
        ("not_null", b",2024-01-01,2,t"),
        ("quote", b"1,2024-01-01,2,\"t"),
    ];
    for (reason, record) in cases {
        let good: &[u8] = b"1,2024-01-01,2,t\n";
        let input = [HEADER.as_bytes(), good, record, b"\n", good, good].concat();
        let folder = folder(&input);
        let found = account(&run(&folder, &[]).good());
        let shown = String::from_utf8_lossy(record);
        assert_eq!(found, Account::new(3, &[(reason, 1)]), "{shown}");
        assert_eq!(refused(&folder), [(reason.to_owned(), (HEADER.len() + good.len()) as u64)], "{shown}");
        assert_eq!(rows(&folder, "out.ndjson").len(), 3, "{shown}");
    }
}

#[test]
fn an_empty_line_is_a_record_without_its_columns() {
    let folder = folder("id,ts,x,t\n1,2024-01-01,2,a\n\n2,2024-01-01,2,b\n  \n\n");
    assert_eq!(account(&run(&folder, &[]).good()), Account::new(2, &[("columns", 3)]));
}

#[test]
fn text_that_is_not_utf_8_is_refused_where_it_is_read() {
    let folder =
        folder([HEADER.as_bytes(), b"1,2024-01-01,2,a\n2,2024-01-01,2,\xc3\x28\n3,2024-01-01,2,\xc3\xbc\n"].concat());
    let found = account(&run(&folder, &[]).good());
    assert_eq!((found.records, found.tuples), (3, 2), "{found:?}");
    assert_eq!(refused(&folder)[0].1, (HEADER.len() + 17) as u64);
}

#[test]
fn a_last_line_without_its_end_is_a_record() {
    let folder = folder("id,ts,x,t\n1,2024-01-01,2,a\n2,2024-01-01,2,b");
    assert_eq!(account(&run(&folder, &[]).good()), Account::new(2, &[]));
    folder.file("in.csv", "id,ts,x,t\n1,2024-01-01,2,a\n2,2024-01");
    assert_eq!(account(&run(&folder, &[]).good()), Account::new(1, &[("columns", 1)]));
}

#[test]
fn a_mark_of_byte_order_and_lines_of_windows() {
    let folder = folder("\u{feff}id,ts,x,t\r\n1,2024-01-01,2,a\r\n2,2024-01-01,,b\r\n");
    assert_eq!(account(&run(&folder, &[]).good()), Account::new(2, &[]));
    let written = rows(&folder, "out.ndjson");
    assert_eq!((&written[0]["t"], &written[1]["t"], &written[1]["x"]), (&"a".into(), &"b".into(), &().into()));
}

#[test]
fn times_that_go_back_are_late_and_counted() {
    let input = "id,ts,x,t\n1,2024-01-01 00:00:10,1,a\n2,2024-01-01 00:00:05,1,a\n3,2024-01-01 00:00:11,1,a\n\
                 4,2024-01-01 00:00:10,1,a\n5,2024-01-01 00:00:01,1,a\n";
    for (disorder, on_time) in [("0s", 2), ("1s", 3), ("5s", 4), ("10s", 5)] {
        let folder = folder(input);
        let report = run(&folder, &["--set", &format!("disorder={disorder}")]).good();
        assert_eq!(account(&report), Account::new(5, &[]));
        let (out, late) = (rows(&folder, "out.ndjson").len(), rows(&folder, "late.ndjson").len());
        assert_eq!((out, late), (on_time, 5 - on_time), "disorder {disorder}");
        let counted = crate::program::component(&report, "components", "counted");
        assert_eq!(counted["out"]["counted.late"], 5 - on_time);
    }
}

#[test]
fn a_line_of_100_mb_is_refused_in_bounded_memory() {
    let folder = folder("");
    let mut file = std::fs::File::create(folder.path().join("long.csv")).expect("a file");
    let block = vec![b'7'; 1_000_000];
    file.write_all(b"id,ts,x,t\n1,2024-01-01,2,a\n2,2024-01-01,").expect("room");
    (0..100).for_each(|_| file.write_all(&block).expect("room"));
    file.write_all(b",b\n3,2024-01-01,2,c\n").expect("room");
    drop(file);
    // It goes on to wait for more, so that it can be looked at when all has been read.
    folder.file("t.toml", super::TOPOLOGY.replace("format   = \"csv\"", "format = \"csv\"\nfollow = true"));
    let arguments =
        ["run", "t.toml", "--jitter", "0s", "--format", "json", "--every", "10ms", "--set", "path=long.csv"];
    let mut child = folder.command(&arguments).spawn().expect("the program");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("\"records\":3,") {
        line.clear();
        assert!(out.read_line(&mut line).expect("UTF-8") > 0, "it ended by itself");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a peak");
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    // SAFETY: a signal to our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) }, 0);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    let ran = finish(child);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let report = serde_json::from_str(rest.lines().last().expect("a report")).expect("JSON");
    assert_eq!(account(&report), Account::new(2, &[("too_long", 1)]));
    assert_eq!(refused(&folder), [("too_long".to_owned(), 27)]);
    assert!(peak_kib < 64 * 1024, "{peak_kib} KiB");
}

#[test]
fn a_long_last_line_without_its_end_is_refused() {
    let folder = folder("id,ts,x,t\n1,2024-01-01,2,a\n2,2024-01-01,".to_owned() + &"7".repeat(3_000_000));
    assert_eq!(account(&run(&folder, &[]).good()), Account::new(1, &[("too_long", 1)]));
}

#[test]
fn what_divides_by_zero_says_which_expression_it_was() {
    let folder = folder("id,ts,x,t\n1,2024-01-01,0,a\n");
    let bolts = "[bolts.f]\nkind = \"filter\"\nfrom = \"s\"\nwhere = \"1 / x > 2\"\n\
                 [bolts.h]\nkind = \"select\"\nfrom = \"s\"\nadd.y = \"x\"\nhaving = \"1 / y > 2\"\n\
                 [bolts.n]\nkind = \"null\"\nfrom = [\"f\", \"h\"]\nfill = \"null\"\n\
                 [bolts.failed]\nkind = \"file\"\nfrom = [\"f.errors\", \"h.errors\"]\npath = \"failed.ndjson\"\n";
    folder.file("t.toml", super::TOPOLOGY.to_owned() + bolts);
    let ran = run(&folder, &[]);
    // The check has warned of it.
    assert!(ran.code == Some(0) && ran.err.contains("`x` can be zero"), "{}", ran.err);
    let said: Vec<_> =
        super::rows(&folder, "failed.ndjson").iter().map(|r| (r["reason"].clone(), r["text"].clone())).collect();
    let expected = |what: &str| ("division_by_zero".into(), format!("{what}: division by zero").into());
    assert_eq!(said, [expected("where"), expected("having")]);
}

/// What was recorded years ago has its place there, also where so many records are broken at first that they are read
/// before any good one.
#[test]
fn broken_records_before_the_first_good_one_are_as_old_as_that_is() {
    const COUNTED: &str = r#"
[runtime]
pin = false
[spouts.s]
kind   = "file"
path   = "in.csv"
format = "csv"
time   = "ts"
fields.ts = "timestamp not null"
fields.x  = "double"
[bolts.counted]
kind  = "aggregate"
from  = "s.errors"
key   = "reason"
add.n = "count(*) over '1h'"
[bolts.out]
kind = "file"
from = "counted"
path = "out.ndjson"
[bolts.late]
kind = "file"
from = "counted.late"
path = "late.ndjson"
[bolts.good]
kind = "null"
from = "s"
"#;
    let folder = Folder::new();
    let input = format!("ts,x\n{}2024-01-01,1\n2024-01-01,no\n", "2024-01-01,no\n".repeat(100));
    folder.file("counted.toml", COUNTED).file("in.csv", input);
    folder.run(&["run", "counted.toml", "--jitter", "0s", "--format", "json"]).good();
    let counts: Vec<u64> = rows(&folder, "out.ndjson").iter().filter_map(|row| row["n"].as_u64()).collect();
    assert_eq!(counts, (1..=101).collect::<Vec<u64>>());
    assert_eq!(folder.read("late.ndjson"), "");
}
