//! The bolt `pattern` as people use it: tests in files, the end of input, several threads, kills.

use crate::program::{Folder, section};

/// The patterns of the guide, each with its tests.
const PROBES: &str = r#"
name = "probes"
[spouts.payments]
kind = "stdin"
format = "json"
time = "ts"
fields.id     = "text not null"
fields.ts     = "timestamp not null"
fields.card   = "text not null"
fields.amount = "double not null"
[bolts.probes]
kind    = "pattern"
from    = "payments"
key     = "card"
pattern = "(probe ->){2,} spend"
within  = "1m"
define.probe = "amount < 2"
define.spend = "amount > 500"
keep         = ["spend.*"]
add.probes   = "count(probe.*)"
[bolts.silent]
kind = "pattern"
from = "payments"
key  = "card"
pattern = "large -> !other"
within  = "10m"
define.large = "amount > 500"
define.other = { where = "amount <= 500", gap = "5m" }
timed_out = true
[bolts.out]
kind = "null"
from = ["probes", "silent"]
fill = "null"
[[tests]]
name = "two probes with a usual payment between them, then a large one"
defaults.payments = { card = "c" }
given = [
  { at = "0s",  payments = { id = "1", amount = 1.00 } },
  { at = "10s", payments = { id = "2", amount = 30.00 } },
  { at = "20s", payments = { id = "3", amount = 1.50 } },
  { at = "40s", payments = { id = "4", amount = 900.00 } },
]
expect = [ { at = "40s", probes = { id = "4", probes = 2 } } ]
[[tests]]
name = "the first probe is too old, so there is only one"
defaults.payments = { card = "c" }
given = [
  { at = "0s",  payments = { id = "1", amount = 1.00 } },
  { at = "20s", payments = { id = "2", amount = 1.50 } },
  { at = "61s", payments = { id = "3", amount = 900.00 } },
]
expect_none = ["probes"]
[[tests]]
name = "probes of another card are no probes of this one"
given = [
  { at = "0s",  payments = { id = "1", card = "a", amount = 1.00 } },
  { at = "1s",  payments = { id = "2", card = "b", amount = 1.00 } },
  { at = "2s",  payments = { id = "3", card = "a", amount = 1.00 } },
  { at = "3s",  payments = { id = "4", card = "b", amount = 900.00 } },
  { at = "4s",  payments = { id = "5", card = "a", amount = 900.00 } },
]
expect = [ { at = "4s", probes = { id = "5", card = "a" } } ]
[[tests]]
name = "nothing for five minutes after a large payment"
defaults.payments = { id = "x" }
given = [
  { at = "0s",   payments = { card = "a", amount = 900.00 } },
  { at = "1s",   payments = { card = "b", amount = 900.00 } },
  { at = "5m",   payments = { card = "b", amount = 1.00 } },
  { at = "6m" },
]
expect = [ { at = "5m", silent = { card = "a" } } ]
expect_none = ["silent.timed_out"]
"#;

#[test]
fn the_tests_of_the_guide_pass() {
    let folder = Folder::new();
    folder.file("probes.toml", PROBES);
    let ran = folder.run(&["check", "probes.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    let ran = folder.run(&["test", "probes.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(ran.out.ends_with("4 passed, 0 failed\n"), "{}", ran.out);
}

const SENSORS: &str = r#"
name = "sensors"
[runtime]
pin = false
[spouts.readings]
kind   = "file"
path   = "readings.csv"
format = "csv"
time   = "ts"
fields.ts    = "timestamp not null"
fields.id    = "text not null"
fields.value = "bigint not null"
[bolts.fell_silent]
kind    = "pattern"
from    = "readings"
key     = "id"
tasks   = 3
pattern = "up -> !any"
within  = "10s"
define.up  = "value > 0"
define.any = "true"
add.at     = "up.ts"
[bolts.rise]
kind    = "pattern"
from    = "readings"
key     = "id"
tasks   = 3
pattern = "low high+"
within  = "1h"
define.low  = "value = 0"
define.high = "value > 0"
add.highs   = "count(high.*)"
[bolts.silences]
kind = "file"
from = "fell_silent"
path = "silences.csv"
format = "csv"
[bolts.rises]
kind = "file"
from = "rise"
path = "rises.csv"
format = "csv"
"#;

/// The lines of a file without its header, sorted.
fn lines(folder: &Folder, name: &str) -> Vec<String> {
    let mut lines: Vec<String> = folder.read(name).lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn the_end_of_input_makes_nothing_absent_whatever_the_number_of_threads() {
    // `last` holds the last event; what is due before that is absent, what is due behind it is not.
    let mut readings = "ts,id,value\n".to_owned();
    for n in 0..40 {
        readings += &format!("2024-01-01 00:00:{:02},s{n:02},0\n", 0);
        readings += &format!("2024-01-01 00:00:{:02},s{n:02},{}\n", n, n + 1);
    }
    let mut sorted: Vec<&str> = readings.lines().skip(1).collect();
    sorted.sort_by_key(|line| line[..19].to_owned());
    let readings = format!("ts,id,value\n{}\n2024-01-01 00:00:45,last,0\n", sorted.join("\n"));
    for threads in ["1", "2", "3"] {
        let folder = Folder::new();
        folder.file("readings.csv", &readings).file("sensors.toml", SENSORS);
        let run = ["run", "sensors.toml", "--threads", threads, "--jitter", "0s", "--format", "json"];
        let report = folder.run(&run).good();
        let silent: Vec<String> = lines(&folder, "silences.csv").iter().map(|line| line[..3].to_owned()).collect();
        // Deadlines up to second 45: raised at second 35 or before.
        let wanted: Vec<String> = (0..=35).map(|n| format!("s{n:02}")).collect();
        assert_eq!(silent, wanted, "{threads} threads");
        assert_eq!(section(&report, "pattern of fell_silent")["matches"], 36);
        // A loop that could have gone on is over when its input is.
        assert_eq!(lines(&folder, "rises.csv"), (0..40).map(|n| format!("s{n:02},1")).collect::<Vec<_>>());
    }
}

const KILLED: &str = r#"
name = "killed"
[runtime]
pin = false
[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
rate  = "50000/s"
cards = 300
event_step = "10ms"
[bolts.pairs]
kind    = "pattern"
from    = "payments"
key     = "card"
pattern = "(small ->){2,} large"
within  = "1m"
define.small = "amount < 10"
define.large = "amount > 40 and amount > 2 * avg(small.amount)"
add.smalls   = "count(small.*)"
add.first    = "first(small.ts)"
add.match    = "match_id()"
[bolts.quiet]
kind    = "pattern"
from    = "payments"
key     = "card"
pattern = "large -> !next"
within  = "5s"
define.large = "amount > prev(amount)"
define.next  = "true"
add.ts       = "large.ts"
[bolts.kept]
kind    = "file"
from    = ["pairs", "quiet"]
fill    = "null"
path    = "kept.csv.gz"
deliver = "committed"
"#;

#[test]
fn what_a_killed_pattern_knows_is_that_of_an_undisturbed_run() {
    let folder = Folder::new();
    folder.file("t.toml", KILLED);
    let ran = folder.run(&["crashtest", "t.toml", "--rounds", "2", "--seed", "5", "--threads", "1,2"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn explain_prints_the_automaton_and_when_it_fires() {
    let folder = Folder::new();
    folder.file("probes.toml", PROBES);
    let ran = folder.run(&["explain", "probes.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    for said in ["pattern (probe ->){2,} spend", "fires at once", "first row: probe1", "1000 partial matches"] {
        assert!(ran.out.contains(said), "{said} is missing in\n{}", ran.out);
    }
}
