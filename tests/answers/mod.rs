//! The topologies that come with Sferic give the answers that a naive program gives.
//!
//! The data beside them is computed afresh here, straight from the CSV. Where the environment variable `SFERIC_DATA`
//! names a folder with larger files and an `expected-answers.json`, the same topologies must reach its numbers as well.

mod fleet;
mod fraud;
mod given;

use crate::program::{Folder, section, topologies};
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// The rows of a packed CSV file without its header.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let file = std::fs::File::open(path).expect("the data is there");
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).expect("a sound file");
    // Only a header has letters that are no UTF-8.
    let text = String::from_utf8_lossy(&bytes);
    text.lines().skip(1).map(cells).collect()
}

/// The cells of a line; commas inside double quotes are text.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().expect("never empty").push(c),
        }
    }
    cells
}

/// Runs a topology of the repository, or one of the folder; its report.
fn run(folder: &Folder, topology: &str, threads: &str, set: &[String]) -> Value {
    let shipped = topologies().join(topology);
    let path = if folder.path().join(topology).is_file() { topology } else { shipped.to_str().expect("UTF-8") };
    let mut arguments = vec!["run", path, "--jitter", "0s", "--format", "json", "--threads", threads];
    for one in set {
        arguments.extend(["--set", one]);
    }
    let ran = folder.run(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report = ran.report();
    assert_eq!(report["balanced"], true);
    report
}

/// How often a rule fired.
fn fired(report: &Value, bolt: &str, rule: &str) -> u64 {
    section(report, &format!("rules of {bolt}"))["rules"][rule]["fired"].as_u64().expect("a rule")
}
