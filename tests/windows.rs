//! Windows as people write and test them: each file of `tests/windows` is a topology with tests of its own.

use crate::program::Folder;

const FILES: [(&str, &str); 5] = [
    ("minutes", include_str!("windows/minutes.toml")),
    ("offenders", include_str!("windows/offenders.toml")),
    ("trips", include_str!("windows/trips.toml")),
    ("bars", include_str!("windows/bars.toml")),
    ("jump", include_str!("windows/jump.toml")),
];

#[test]
fn each_kind_does_what_its_file_says() {
    let folder = Folder::new();
    for (name, text) in FILES {
        let path = text.lines().find_map(|line| line.strip_prefix("path   = \"")).expect("a path");
        let fields = text.lines().filter_map(|line| line.strip_prefix("fields.")?.split_whitespace().next());
        let header = fields.collect::<Vec<_>>().join(",") + "\n";
        folder.file(path.trim_end_matches('"'), header).file("windows.toml", text);
        for command in ["check", "test"] {
            let ran = folder.run(&[command, "windows.toml"]);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}: {}", ran.out);
        }
    }
}

/// Rows of three keys over ten minutes, one a second; every seventh comes half a minute late.
fn rows() -> String {
    let line = |n: u32| {
        let at = if n % 7 == 6 { n.saturating_sub(30) } else { n };
        format!("{},2024-01-01 00:{:02}:{:02},{}\n", ["a", "b", "c"][n as usize % 3], at / 60, at % 60, n)
    };
    "k,ts,x\n".to_owned() + &(0..600).map(line).collect::<String>()
}

const CHAIN: &str = r#"
name = "chain"
[runtime]
pin = false
commit = "5ms"
[spouts.s]
kind   = "file"
path   = "rows.csv"
format = "csv"
time   = "ts"
disorder = "31s"
fields.k  = "text not null"
fields.ts = "timestamp not null"
fields.x  = "bigint not null"
[bolts.minutes]
kind   = "aggregate"
from   = "s"
key    = "k"
window = { tumbling = "1m" }
tasks  = 2
add.n     = "count(*)"
add.total = "sum(x)"
[bolts.all]
kind   = "aggregate"
from   = "minutes"
window = { tumbling = "1m" }
add.keys  = "count(*)"
add.n     = "sum(n)"
add.total = "sum(total)"
[bolts.slide]
kind   = "aggregate"
from   = "s"
key    = "k"
window = { hopping = "2m", every = "30s" }
add.n  = "count(*)"
[bolts.out]
kind = "file"
from = "all"
path = "out.csv"
format = "csv"
[bolts.slides]
kind = "file"
from = "slide"
path = "slides.csv"
format = "csv"
"#;

/// Lines of a file without its header, sorted.
fn lines(folder: &Folder, name: &str) -> Vec<String> {
    let mut lines: Vec<String> = folder.read(name).lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn windows_over_windows_lose_nothing_on_one_thread_and_two() {
    for threads in ["1", "2"] {
        let folder = Folder::new();
        folder.file("rows.csv", rows()).file("chain.toml", CHAIN);
        let ran = folder.run(&["run", "chain.toml", "--threads", threads, "--jitter", "0s", "--format", "json"]);
        let report = ran.good();
        assert_eq!((&report["balanced"], &report["errors"]), (&true.into(), &0.into()));
        let all = lines(&folder, "out.csv");
        assert_eq!(all.len(), 10, "{all:?}");
        let field = |line: &str, at: usize| line.split(',').nth(at).expect("a field").parse::<u64>().expect("a number");
        assert!(all.iter().all(|line| field(line, 2) == 3), "{all:?}");
        assert_eq!(all.iter().map(|line| field(line, 3)).sum::<u64>(), 600);
        assert_eq!(all.iter().map(|line| field(line, 4)).sum::<u64>(), (0..600).sum::<u64>());
        // Each row is in four windows of two minutes.
        let slides = lines(&folder, "slides.csv");
        assert_eq!(slides.iter().map(|line| field(line, 3)).sum::<u64>(), 4 * 600);
    }
}

#[test]
fn open_windows_are_still_open_after_a_crash() {
    let folder = Folder::new();
    folder.file("rows.csv", rows()).file("chain.toml", CHAIN);
    for seed in ["7", "11"] {
        let ran = folder.run(&["crashtest", "chain.toml", "--rounds", "3", "--seed", seed]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
}
