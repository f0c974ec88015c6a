use super::*;
use crate::time::{Clock, ManualClock};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// The percentile of a sorted list, by its definition.
fn naive(sorted: &[u64], percentile: f64) -> u64 {
    let rank = (percentile / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted[rank - 1]
}

/// Whether a figure of two digits stands for a value.
fn close(figure: u64, value: u64) -> bool {
    let value = value.min(LONGEST_NS);
    figure >= value && (figure - value) as f64 <= value as f64 / 100.0 || figure.abs_diff(value) <= 1
}

fn ages() -> impl Strategy<Value = Vec<u64>> {
    let age = prop_oneof![0u64..1000, 0u64..1_000_000, 0u64..2 * LONGEST_NS];
    proptest::collection::vec(age, 1..400)
}

proptest! {
    #[test]
    fn percentiles_are_those_of_the_sorted_ages(ages in ages(), step in 0u64..10_000_000) {
        let mut recorder = Recorder::new();
        for (i, age) in ages.iter().enumerate() {
            recorder.record(i as u64 * step, *age);
        }
        let mut sorted = ages.clone();
        sorted.sort_unstable();
        let all = recorder.ages();
        prop_assert_eq!(all.count(), ages.len() as u64);
        prop_assert_eq!(all.max(), sorted[sorted.len() - 1]);
        for p in [50.0, 90.0, 99.0] {
            let (figure, value) = (all.percentile(p), naive(&sorted, p));
            prop_assert!(close(figure, value) || figure == all.max(), "p{}: {} for {}", p, figure, value);
        }
    }

    #[test]
    fn merged_recorders_are_one(a in ages(), b in ages()) {
        let (mut left, mut right, mut both) = (Recorder::new(), Recorder::new(), Recorder::new());
        for age in &a {
            left.record(1, *age);
            both.record(1, *age);
        }
        for age in &b {
            right.record(2, *age);
            both.record(2, *age);
        }
        left.merge(&right);
        prop_assert_eq!(left.summary(), both.summary());
    }

    #[test]
    fn an_interval_is_what_came_since(a in ages(), b in ages()) {
        let mut recorder = Recorder::new();
        a.iter().for_each(|age| recorder.record(1, *age));
        let earlier = recorder.ages();
        b.iter().for_each(|age| recorder.record(2, *age));
        let mut alone = Histogram::new();
        b.iter().for_each(|age| alone.record(*age));
        let since = recorder.ages().since(&earlier);
        prop_assert_eq!(since.count(), b.len() as u64);
        for p in [50.0, 99.0] {
            let (found, expected) = (since.percentile(p), alone.percentile(p));
            prop_assert!(close(found.max(expected), found.min(expected)));
        }
    }

    #[test]
    fn any_objective_gets_an_answer(text in "[p max0-9.<=usn -]{0,16}") {
        let _ = Objective::parse(&text);
    }
}

#[test]
fn windows_keep_a_stall_to_themselves() {
    let mut recorder = Recorder::new();
    for window in 0..20u64 {
        let age = if window == 7 { 5_000_000 } else { 200 };
        for i in 0..1000 {
            recorder.record(window * WINDOW_NS + i, age);
        }
    }
    // A window with too few tuples, and one that is still open.
    recorder.record(20 * WINDOW_NS, 200);
    recorder.record(21 * WINDOW_NS, 200);
    let windows = recorder.windows();
    assert_eq!((windows.counted, windows.left_out), (20, 1));
    assert!(close(windows.p99.median, 200) && close(windows.max.p10, 200));
    assert!(close(recorder.summary().p99, 5_000_000));
    assert_eq!(recorder.summary().count, 20_002);
}

#[test]
fn an_empty_recorder_has_figures_too() {
    let recorder = Recorder::new();
    assert_eq!(recorder.summary(), Summary::default());
    assert_eq!(recorder.windows(), Windows::default());
    assert_eq!(Histogram::new().share_within(1), 1.0);
}

#[test]
fn objectives_are_read() {
    for (text, percentile, limit, inclusive) in [
        ("p99 < 500us", 99.0, 500_000, false),
        ("max < 10ms", 100.0, 10_000_000, false),
        ("p99.9 <= 1ms", 99.9, 1_000_000, true),
        (" p50<1.5 us ", 50.0, 1500, false),
        ("p100 < 750ns", 100.0, 750, false),
        ("MAX <= 1s", 100.0, 1_000_000_000, true),
    ] {
        let objective = Objective::parse(text).unwrap();
        assert_eq!((objective.percentile, objective.limit_ns, objective.inclusive), (percentile, limit, inclusive));
    }
    for (text, reason) in [
        ("p99 500us", "`<` or `<=` is missing"),
        ("p99 > 500us", "missing"),
        ("p0 < 1us", "above 0"),
        ("p101 < 1us", "at most 100"),
        ("p < 1us", "neither"),
        ("avg < 1us", "neither"),
        ("p99 < 500", "needs a unit"),
        ("p99 < us", "not a duration"),
        ("p99 < 5 hours", "needs a unit"),
        ("p99 < 0ns", "out of range"),
        ("p99 < 5m", "out of range"),
    ] {
        let error = Objective::parse(text).expect_err(text);
        assert!(error.contains(reason), "{text}: {error}");
    }
}

fn histogram(ages: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new();
    ages.into_iter().for_each(|age| histogram.record(age));
    histogram
}

fn spent(place: &str, age: u64) -> Spent {
    Spent { place: place.to_owned(), time: histogram([age]).summary() }
}

#[test]
fn a_missed_objective_names_who_took_the_time() {
    let objective = Objective::parse("p99 < 500us").unwrap();
    let latency = histogram((0..1000).map(|i| if i < 980 { 100_000 } else { 900_000 }));
    let way = [spent("bolt card", 20_000), spent("channel card -> alerts", 850_000)];
    let verdict = objective.verdict(&latency, &way);
    assert!(!verdict.met);
    assert!(close(verdict.measured_ns, 900_000));
    assert!((verdict.share_within - 0.98).abs() < 1e-9);
    assert_eq!(verdict.blame, "channel card -> alerts took 850 us at p99");
    // What the way there cannot explain was lost before it.
    let verdict = objective.verdict(&latency, &way[..1]);
    assert!(verdict.blame.contains("bolt card took 20 us at p99"), "{}", verdict.blame);
    assert!(verdict.blame.contains("before the first component"), "{}", verdict.blame);
    assert_eq!(objective.verdict(&latency, &[]).blame, "");
    assert!(objective.verdict(&Histogram::new(), &way).met);
    assert!(objective.verdict(&histogram([499_000]), &way).met);
}

#[test]
fn the_bound_itself_is_good_only_where_it_is_said() {
    let strict = Objective::parse("max < 500ns").unwrap();
    let inclusive = Objective::parse("max <= 500ns").unwrap();
    assert!(!strict.verdict(&histogram([500]), &[]).met);
    assert!(inclusive.verdict(&histogram([500]), &[]).met);
    assert!(!inclusive.verdict(&histogram([501]), &[]).met);
}

/// A clock that advances 100 ns with each reading, and 5 us with each tenth.
struct Stuttering(AtomicU64);

impl Clock for Stuttering {
    fn nanos(&self) -> u64 {
        let reading = self.0.fetch_add(1, Ordering::Relaxed);
        reading * 100 + reading / 10 * 5000
    }

    fn wall_micros(&self) -> i64 {
        0
    }
}

#[test]
fn gaps_of_the_clock_are_the_stalls_of_the_machine() {
    let found = jitter(&Stuttering(AtomicU64::new(0)), 6_000_000);
    assert_eq!((found.watched_ns, found.gaps.count, found.gaps.max), (6_000_000, 1000, 5100));
    assert!((found.stolen_share - 5100.0 / 6000.0).abs() < 1e-9);
    assert!((found.gaps_per_second() - 1000.0 / 0.006).abs() < 1.0);
    // A clock that stands still ends it.
    assert_eq!(jitter(&ManualClock::at(5), 1000), Jitter::default());
}

#[test]
fn numbers_are_printed_for_people() {
    for (nanos, text) in [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1.0 us"),
        (9949, "9.9 us"),
        (9951, "10 us"),
        (999_499, "999 us"),
        (999_501, "1.0 ms"),
        (34_000_000, "34 ms"),
        (2_000_000_000, "2.0 s"),
    ] {
        assert_eq!(nanos_text(nanos), text);
    }
    for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
        assert_eq!(count_text(count), text);
    }
    for (seconds, text) in
        [(12.4, "12.4 s"), (59.9, "59.9 s"), (185.0, "3m 05s"), (7380.0, "2h 03m"), (352_800.0, "4d 02h")]
    {
        assert_eq!(duration_text((seconds * 1e9) as u64), text);
    }
}

fn counts(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

fn summary(count: u64, p50: u64, p99: u64, max: u64) -> Summary {
    Summary { count, mean: p50 as f64, p50, p90: p50 * 2, p99, p999: p99 * 4, p9999: max / 2, max }
}

/// A run that never was.
fn made_up() -> Report {
    let windows = Windows {
        counted: 247,
        left_out: 1,
        p50: WindowPercentile { p10: 180, median: 210 },
        p99: WindowPercentile { p10: 900, median: 1300 },
        p999: WindowPercentile { p10: 12_000, median: 17_000 },
        max: WindowPercentile { p10: 19_000, median: 240_000 },
    };
    let alerts = summary(1234, 420, 14_000, 3_400_000);
    let strict = Objective::parse("max < 1ms").unwrap();
    let easy = Objective::parse("p99 < 500us").unwrap();
    let latency = histogram((0..1234).map(|i| if i == 7 { 3_400_000 } else { 420 }));
    let way = [spent("bolt card", 2000), spent("channel card -> alerts", 2_900_000)];
    Report {
        topology: "fraud".to_owned(),
        ended: "end of input".to_owned(),
        elapsed_ns: 12_400_000_000,
        machine: Machine { cpu: "Analytical Engine".to_owned(), cores: 2, clock: "tsc".to_owned() },
        spouts: vec![SpoutReport {
            id: "payments".to_owned(),
            kind: "file".to_owned(),
            splits: 2,
            records: 12_345_678,
            tuples: 12_345_666,
            filtered: 0,
            errors: counts(&[("bad_value", 11), ("not_null", 1)]),
            service: summary(96_450, 90, 200, 9000),
        }],
        components: vec![
            ComponentReport {
                id: "card".to_owned(),
                kind: "aggregate".to_owned(),
                tasks: 2,
                tuples_in: 12_345_666,
                filtered: 345_666,
                errors: counts(&[("null_key", 1000)]),
                out: counts(&[("card", 11_998_990), ("card.late", 10)]),
                service: summary(96_450, 160, 900, 41_000),
                ..ComponentReport::default()
            },
            ComponentReport {
                id: "hits".to_owned(),
                kind: "rules".to_owned(),
                tasks: 1,
                tuples_in: 11_998_990,
                rows: 1300,
                skipped: 11_997_700,
                expanded: 1290,
                refused: 66,
                out: counts(&[("hits", 1234)]),
                ..ComponentReport::default()
            },
            ComponentReport {
                id: "alerts".to_owned(),
                kind: "console".to_owned(),
                tasks: 1,
                tuples_in: 1234,
                skipped: 1234,
                service: summary(10, 1100, 2000, 2000),
                ..ComponentReport::default()
            },
        ],
        sinks: vec![SinkReport {
            id: "alerts".to_owned(),
            rows: 1234,
            latency: LatencyReport { all: alerts, windows: Windows { left_out: 12, ..Windows::default() } },
            verdicts: vec![easy.verdict(&latency, &way), strict.verdict(&latency, &way)],
        }],
        decided: LatencyReport { all: summary(12_344_666, 210, 1300, 3_400_000), windows },
        channels: vec![ChannelReport {
            from: "card".to_owned(),
            to: "alerts".to_owned(),
            capacity: 1024,
            tuples: 1234,
            wait: summary(10, 250, 1900, 2_900_000),
            full: 3,
        }],
        executors: vec![
            ExecutorReport {
                index: 0,
                core: Some(1),
                wait: "adaptive".to_owned(),
                steps: 1_234_567,
                longest_step_ns: 3_300_000,
                stalls: 12,
                busy_share: 0.613,
            },
            ExecutorReport { index: 1, wait: "park".to_owned(), busy_share: 0.02, ..ExecutorReport::default() },
        ],
        jitter: Some(Jitter {
            watched_ns: 1_000_000_000,
            gaps: summary(320, 11_000, 20_000, 4_000_000),
            stolen_share: 0.0041,
        }),
        sections: vec![SectionReport {
            title: "quality of hits".to_owned(),
            text: "  velocity  precision 0.91\n".to_owned(),
            value: serde_json::json!({ "velocity": 0.91 }),
        }],
    }
}

#[test]
fn a_report_reads_well() {
    assert_eq!(made_up().render(100), include_str!("golden.txt"));
}

#[test]
fn a_report_keeps_to_its_width() {
    let report = made_up();
    for width in [64, 72, 80, 100, 120, 200] {
        for line in report.render(width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let _ = report.render(0);
    let empty = Report { topology: "t".to_owned(), ended: "stopped".to_owned(), ..Report::default() };
    assert_eq!(empty.render(80), "t: stopped after 0 ns\n0 records, no errors\n");
}

#[test]
fn a_report_for_machines_has_it_all() {
    let mut report = made_up();
    let json = report.to_json();
    assert_eq!(json["balanced"], true);
    assert_eq!(json["objectives_missed"], 1);
    assert_eq!(json["errors"], 1012);
    assert_eq!(json["components"][0]["out"]["card.late"], 10);
    assert_eq!(json["sinks"][0]["verdicts"][1]["met"], false);
    assert_eq!(json["sections"][0]["value"]["velocity"], 0.91);
    report.components[2].skipped -= 1;
    assert_eq!(report.to_json()["balanced"], false);
    assert!(report.render(80).contains("alerts: 1,234 tuples came in or were made there, 1,233 are accounted for"));
}

#[test]
fn a_short_report_is_one_line() {
    let interim = Interim {
        elapsed_ns: 5_000_000_000,
        since_ns: 5_000_000_000,
        records: 4_978_065,
        records_since: 4_978_065,
        errors: 0,
        decided: summary(4_978_065, 210, 1300, 3_400_000),
        sinks: vec![InterimSink { id: "alerts".to_owned(), rows: 512, latency: summary(512, 420, 14_000, 90_000) }],
        refusals: Vec::new(),
    };
    let line = "00:00:05  4,978,065 records  995,613/s  decided p99 1.3 us p99.9 5.2 us  alerts 512 p99 14 us";
    assert_eq!(interim.render(120), line);
    assert_eq!(interim.render(60), "00:00:05  4,978,065 records  995,613/s");
    let waits = Interim { refusals: vec!["x cannot be written: no space left on device".to_owned()], ..interim };
    assert_eq!(waits.render(50), "00:00:05  COMMITS WAIT  4,978,065 records");
}
