//! Trips of a car: hard brakes with their throttle, episodes, and the rows between.

use super::{fired, rows, run};
use crate::program::{Folder, component, topologies};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A reading: milliseconds of the day, coolant, revolutions, speed.
struct Reading {
    ms: i64,
    coolant: Option<f64>,
    rpm: Option<f64>,
    speed: Option<f64>,
}

fn readings(path: &Path) -> Vec<Reading> {
    let reading = |row: Vec<String>| {
        let number = |n: usize| row[n].trim().parse::<f64>().ok();
        let mut clock = row[0].split([':', '.']).map(|part| part.parse::<i64>().expect("a number"));
        let mut part = || clock.next().expect("hours, minutes, seconds, milliseconds");
        let ms = ((part() * 60 + part()) * 60 + part()) * 1000 + part();
        Reading { ms, coolant: number(1), rpm: number(3), speed: number(4) }
    };
    rows(path).into_iter().map(reading).collect()
}

/// The rows of a trip at which a rule fires, in milliseconds.
fn naive(trip: &[Reading]) -> BTreeMap<&'static str, Vec<i64>> {
    let mut found: BTreeMap<&'static str, Vec<i64>> = BTreeMap::new();
    let mut hot = 0;
    for (n, now) in trip.iter().enumerate() {
        let mut fire = |rule: &'static str, holds: bool| {
            let times = found.entry(rule).or_default();
            if holds {
                times.push(now.ms);
            }
        };
        let within = trip[..=n].iter().rev().take_while(|r| r.ms >= now.ms - 2000);
        let most = within.filter_map(|r| r.speed).fold(f64::NEG_INFINITY, f64::max);
        fire("hard_brake", now.speed.is_some_and(|speed| most - speed >= 20.0));
        let before = n.checked_sub(1).map(|n| &trip[n]);
        let begins = |of: fn(&Reading) -> Option<f64>, limit: f64| {
            let above = |r: &Reading| of(r).is_some_and(|x| x > limit);
            above(now) && !before.is_some_and(above)
        };
        fire("fast", begins(|r| r.speed, 100.0));
        fire("revving", begins(|r| r.rpm, 3000.0));
        hot = if now.coolant.is_some_and(|c| c >= 95.0) { hot + 1 } else { 0 };
        fire("overheating", hot == 10);
        let drove = before.and_then(|b| b.speed).is_some_and(|speed| speed > 0.0);
        fire("stop", now.speed == Some(0.0) && drove);
    }
    found
}

/// What passes when one row in five seconds may.
fn throttled(times: &[i64]) -> usize {
    let mut last = None;
    times
        .iter()
        .filter(|t| {
            last.is_none_or(|l| *t - l >= 5000) && {
                last = Some(**t);
                true
            }
        })
        .count()
}

/// The fleet with a file for its hits and one for its alerts.
pub fn with_files(folder: &Folder) {
    let fleet = topologies().join("fleet.toml");
    let probes = ["hits", "alerts"].map(|stream| {
        format!("[bolts.{stream}_file]\nkind = \"file\"\nfrom = \"{stream}\"\npath = \"{stream}.csv\"\n")
    });
    folder.file("fleet-files.toml", format!("include = [{fleet:?}]\n{}", probes.concat()));
}

/// Rows of such a file by car and rule.
pub fn by_car(folder: &Folder, stream: &str) -> HashMap<(String, String), usize> {
    let text = folder.read(&format!("{stream}.csv"));
    assert!(text.starts_with("car,ts,rule,"), "{}", text.lines().next().unwrap_or_default());
    let mut counts = HashMap::new();
    for row in text.lines().skip(1).map(super::cells) {
        *counts.entry((row[0].clone(), row[2].clone())).or_default() += 1;
    }
    counts
}

#[test]
fn every_rule_fires_as_often_as_a_naive_program_says() {
    let mut trips: Vec<PathBuf> = std::fs::read_dir(topologies().join("data"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("kit-")))
        .collect();
    trips.sort();
    assert!(trips.len() >= 2);
    let answers: Vec<_> = trips
        .iter()
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            (name.trim_end_matches(".csv.gz").to_owned(), naive(&readings(path)))
        })
        .collect();
    let total = |rule: &str| answers.iter().map(|(_, found)| found[rule].len() as u64).sum::<u64>();
    assert!(["hard_brake", "fast", "revving", "stop"].iter().all(|rule| total(rule) > 0));
    for threads in ["1", "2"] {
        let folder = Folder::new();
        with_files(&folder);
        let report = run(&folder, "fleet-files.toml", threads, &[]);
        for rule in ["hard_brake", "fast", "revving", "overheating", "stop"] {
            assert_eq!(fired(&report, "hits", rule), total(rule), "{rule}, {threads} threads");
        }
        let (hits, alerts) = (by_car(&folder, "hits"), by_car(&folder, "alerts"));
        for (car, found) in &answers {
            for (rule, times) in found.iter().filter(|(rule, _)| **rule != "stop") {
                let key = (car.clone(), (*rule).to_owned());
                let count = |of: &HashMap<(String, String), usize>| of.get(&key).copied().unwrap_or(0);
                assert_eq!(count(&hits), times.len(), "{key:?}, {threads} threads");
                assert_eq!(count(&alerts), throttled(times), "{key:?}, {threads} threads");
            }
        }
        let late = &component(&report, "components", "motion")["out"]["motion.late"];
        assert_eq!(late, 0);
    }
}
