//! The built program, killed again and again.

use crate::program::Folder;

const TOPOLOGY: &str = r#"
name = "killed"
[runtime]
pin = false
[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
rate  = "50000/s"
cards = 500
event_step = "1ms"
[bolts.few]
kind  = "throttle"
from  = "payments"
key   = "card"
limit = 2
per   = "10s"
[bolts.hits]
kind = "rules"
from = "few"
key  = "card"
ttl  = "1m"
keep = ["card"]
[bolts.hits.rules.again]
when = "amount > 20"
for  = "2 rows"
[bolts.out]
kind = "console"
from = "hits"
[bolts.kept]
kind    = "file"
from    = "hits"
path    = "kept.csv.gz"
deliver = "committed"
[bolts.around]
kind  = "aggregate"
from  = "payments"
key   = "card"
ttl   = "1m"
add.n = "count(*) over '10s'"
[bolts.often]
kind  = "dedupe"
from  = "around"
where = "n > 2"
key   = "card"
per   = "20s"
[bolts.silent]
kind = "null"
from = "often"
"#;

#[test]
fn what_a_killed_topology_keeps_is_that_of_an_undisturbed_run() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY);
    let ran = folder.run(&["crashtest", "t.toml", "--rounds", "2", "--seed", "3", "--threads", "1,2"]);
    assert!(ran.code == Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("passed: 2 rounds"), "{}", ran.out);
    let told = ["few/times: ", "hits/streaks: ", "often/times: ", "around/windows: ", "kept: the rows of kept.csv.gz"];
    for compared in told.iter().chain(&["payments/0: read up to 20000"]) {
        assert!(ran.out.contains(compared), "{compared}: {}", ran.out);
    }
    assert!(ran.out.contains("out (console): what it writes is not part of an epoch"), "{}", ran.out);
}

#[test]
fn a_topology_that_never_ends_is_no_matter_for_a_crash_test() {
    let folder = Folder::new();
    folder.file("t.toml", TOPOLOGY.replace("count = 20000\n", ""));
    let ran = folder.run(&["crashtest", "t.toml"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("spout `payments` (generate)"), "{}", ran.err);
}
