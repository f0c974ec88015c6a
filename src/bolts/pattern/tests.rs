mod loops;

use super::Pattern;
use crate::bolts::rig::{Driver, Rig, Shelf, chain};
use crate::store::MemoryStore;
use crate::tuple::{DataType, Value};
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const BARS: &[(&str, DataType)] = &[("symbol", DataType::Text), ("close", DataType::Double)];
const LOGINS: &[(&str, DataType)] =
    &[("account", DataType::Text), ("country", DataType::Text), ("ok", DataType::Boolean)];
const RESETS: &[(&str, DataType)] = &[("account", DataType::Text)];

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Closes of symbol `x`, a second apart; the rows that leave, each with the second of the row that brought them.
fn closes(driver: &mut Driver, from: i64, closes: &[f64]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, close) in closes.iter().enumerate() {
        let second = from + at as i64;
        let left = driver.feed(0, second * SECOND, &[text("x"), Value::Double(*close)]);
        lines.extend(left.into_iter().map(|line| format!("{second} {line}")));
    }
    lines
}

fn bars() -> Rig {
    Rig::new(&[("bars", BARS)])
}

const FALL_AND_RISE: &str = "key = 'symbol'
    within = '5m'
    define.start = 'true'
    define.down  = 'close < prev(close)'
    define.up    = 'close > prev(close)'
    keep         = ['up.close']
    add.top      = 'start.close'
    add.bottom   = 'last(down.close)'";

#[test]
fn a_reluctant_end_fires_at_once_and_a_greedy_one_when_the_rise_is_over() {
    let prices = [10.0, 9.0, 8.0, 7.0, 8.0, 9.0, 10.0, 9.5];
    let mut driver = bars().driver(&Pattern, &format!("pattern = 'start down{{3,}} up{{2,}}?'\n{FALL_AND_RISE}"));
    assert_eq!(closes(&mut driver, 1, &prices), ["6 main: 9 10 7"]);
    let mut driver = bars().driver(&Pattern, &format!("pattern = 'start down{{3,}} up{{2,}}'\n{FALL_AND_RISE}"));
    assert_eq!(closes(&mut driver, 1, &prices), ["8 main: 10 10 7"]);
    // Without a row that ends it, when its time is over; its time is that of its last row.
    assert_eq!(closes(&mut driver, 10, &[9.0, 8.0, 7.0, 8.0, 9.0]), [""; 0]);
    assert_eq!(driver.pass(308 * SECOND), [""; 0]);
    assert_eq!(driver.pass(400 * SECOND), ["14000000 main: 9 9.5 7"]);
}

fn takeover() -> Rig {
    Rig::new(&[("logins", LOGINS), ("resets", RESETS)])
}

const TAKEOVER: &str = "key = 'account'
    pattern = '(failed -> !reset ->){3} success'
    within  = '10m'
    define.failed  = { from = 'logins', where = 'not ok' }
    define.reset   = { from = 'resets' }
    define.success = { from = 'logins', where = 'ok and country <> failed.country' }
    keep           = ['success.*']
    add.tried_from = 'failed.country'
    add.tries      = 'count(failed.*)'";

/// `f` a failed login, `s` a successful one from elsewhere, `h` one from the same country, `r` a reset.
fn logins(driver: &mut Driver, from: i64, what: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, what) in what.chars().enumerate() {
        let time = (from + at as i64) * SECOND;
        let login = |country: &str, ok| [text("a"), text(country), Value::Boolean(ok)];
        lines.extend(match what {
            'f' => driver.feed(0, time, &login("DE", false)),
            's' => driver.feed(0, time, &login("FR", true)),
            'h' => driver.feed(0, time, &login("DE", true)),
            _ => driver.feed(1, time, &[text("a")]),
        });
    }
    lines
}

#[test]
fn a_pattern_over_two_streams_with_a_negation_in_a_loop() {
    let run = |what: &str| logins(&mut takeover().driver(&Pattern, TAKEOVER), 0, what);
    assert_eq!(run("fffs"), ["main: a FR true DE 3"]);
    assert_eq!(run("fhffs"), ["main: a FR true DE 3"]);
    assert_eq!(run("ffrfs"), [""; 0]);
    assert_eq!(run("frfffs"), ["main: a FR true DE 3"]);
    assert_eq!(run("fffrs"), [""; 0]);
}

#[test]
fn what_is_known_of_a_key_survives_a_restart_between_any_two_rows() {
    let events = "fffrfhffs";
    let whole = logins(&mut takeover().driver(&Pattern, TAKEOVER), 0, events);
    assert_eq!(whole.len(), 1);
    for cut in 0..=events.len() {
        let backend = Arc::new(MemoryStore::new());
        let shelf = Shelf::open(&backend, 1 << 20);
        let mut driver = takeover().on(&shelf).driver(&Pattern, TAKEOVER);
        let mut lines = logins(&mut driver, 0, &events[..cut]);
        shelf.commit(&mut driver, cut as i64 * SECOND);
        let shelf = Shelf::open(&backend, 1 << 20);
        let mut driver = takeover().on(&shelf).driver(&Pattern, TAKEOVER);
        lines.extend(logins(&mut driver, cut as i64, &events[cut..]));
        assert_eq!(lines, whole, "cut at {cut}");
    }
}

#[test]
fn an_absence_fires_after_a_restart_too_and_once() {
    let toml = "key = 'symbol'\npattern = 'a -> !b'\nwithin = '10s'
        define.a = 'close = 1'\ndefine.b = 'close = 2'\nadd.at = 'a.close'";
    let backend = Arc::new(MemoryStore::new());
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    assert_eq!(closes(&mut driver, 0, &[1.0, 3.0]), [""; 0]);
    shelf.commit(&mut driver, SECOND);
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    assert_eq!(driver.pass(10 * SECOND), [""; 0]);
    assert_eq!(driver.pass(10 * SECOND + 1), ["10000000 main: x 1"]);
    shelf.commit(&mut driver, 11 * SECOND);
    let shelf = Shelf::open(&backend, 1 << 20);
    assert_eq!(bars().on(&shelf).driver(&Pattern, toml).pass(100 * SECOND), [""; 0]);
}

#[test]
fn whether_a_timer_has_already_fired_changes_nothing() {
    let toml = "key = 'symbol'\npattern = 'a -> !b'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let mut driver = bars().driver(&Pattern, toml);
    assert_eq!(closes(&mut driver, 0, &[1.0]), [""; 0]);
    assert_eq!(driver.feed(0, 11 * SECOND, &[text("x"), Value::Double(2.0)]), ["main: x"]);
    // The timer finds nothing to do.
    assert_eq!(driver.pass(30 * SECOND), [""; 0]);
    // A row at the deadline forbids.
    let mut driver = bars().driver(&Pattern, toml);
    closes(&mut driver, 0, &[1.0]);
    assert_eq!(driver.feed(0, 10 * SECOND, &[text("x"), Value::Double(2.0)]), [""; 0]);
    assert_eq!(driver.pass(30 * SECOND), [""; 0]);
}

#[test]
fn the_end_of_all_inputs_makes_nothing_absent_and_lets_out_what_was_found() {
    let absence = "key = 'symbol'\npattern = 'a -> !b'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let mut driver = bars().driver(&Pattern, absence);
    closes(&mut driver, 0, &[1.0]);
    assert_eq!(driver.pass(i64::MAX), [""; 0]);
    let greedy = "key = 'symbol'\npattern = 'a b+'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'
        add.n = 'count(b.*)'";
    let mut driver = bars().driver(&Pattern, greedy);
    closes(&mut driver, 0, &[1.0, 2.0, 2.0]);
    assert_eq!(driver.pass(i64::MAX), ["2000000 main: x 2"]);
}

#[test]
fn conditions_see_last_first_and_nth_rows_previous_ones_and_aggregates() {
    let run = |condition: &str, prices: &[f64]| {
        let toml = format!(
            "key = 'symbol'\npattern = 'a{{3}} b'\nwithin = '1h'\ndefine.a = 'close < 100'\ndefine.b = '''{condition}'''
            add.b = 'b.close'"
        );
        closes(&mut bars().driver(&Pattern, &toml), 0, prices).len()
    };
    let prices = [1.0, 2.0, 6.0, 4.0];
    for (condition, found) in [
        ("a.close = 6", 1),
        ("last(a.close, 1) = 2 and last(a.close, 2) = 1", 1),
        ("last(a.close, 3) is null", 1),
        ("first(a.close) = 1 and first(a.close, 2) = 6", 1),
        ("prev(close) = 6 and prev(close, 3) = 1 and prev(close, 4) is null and prev(close, 4, 7.5) = 7.5", 1),
        ("avg(a.close) = 3 and sum(a.close) = 9 and count(a.*) = 3", 1),
        ("min(a.close) = 1 and max(a.close) = 6", 1),
        ("count(*) = 4", 1),
        ("avg(close) = 3.25", 1),
        ("count(a.*) filter (where a.close > 1) = 2", 1),
        ("b.close = 4 and first(b.close) = 4 and count(b.*) = 1", 1),
        ("close > avg(a.close)", 1),
        ("close > max(a.close)", 0),
    ] {
        assert_eq!(run(condition, &prices), found, "{condition}");
    }
}

#[test]
fn a_variable_counts_the_row_that_is_tested_among_its_own() {
    let toml = "key = 'symbol'\npattern = 'rise{2,}? fall'\nwithin = '1h'
        define.rise = 'sum(rise.close) <= 10'\ndefine.fall = 'close < last(rise.close, 0)'
        add.n = 'count(rise.*)'\nadd.sum = 'sum(rise.close)'";
    let mut driver = bars().driver(&Pattern, toml);
    assert_eq!(closes(&mut driver, 0, &[3.0, 7.0, 1.0]), ["2 main: x 2 10"]);
    assert_eq!(closes(&mut driver, 9, &[3.0, 8.0, 1.0]), [""; 0]);
}

#[test]
fn a_row_for_each_row_of_a_match_sees_the_match_up_to_itself() {
    let toml = "key = 'symbol'\npattern = 'a (b ->){2} c'\nwithin = '1h'\nrows = 'all'
        define.a = 'close = 1'\ndefine.b = 'close = 2'\ndefine.c = 'close = 3'
        keep = ['close']\nadd.what = 'classifier()'\nadd.match = 'match_number()'\nadd.n = 'count(*)'\nadd.b = 'count(b.*)'";
    let mut driver = bars().driver(&Pattern, toml);
    let rows = [1.0, 2.0, 5.0, 2.0, 3.0];
    let wanted = |number: i64| {
        [(1, "a", 1, 0), (2, "b", 2, 1), (2, "b", 3, 2), (3, "c", 4, 2)]
            .map(|(close, what, n, b)| format!("main: {close} {what} {number} {n} {b}"))
    };
    for number in 1..3 {
        let lines = closes(&mut driver, number * 10, &rows);
        let lines: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(lines, wanted(number));
        let mut paths = driver.paths.clone();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 4, "rows of a match are told apart");
    }
}

#[test]
fn a_condition_that_fails_sends_its_row_to_errors_and_leaves_no_trace() {
    let toml = "key = 'symbol'\npattern = 'a b'\nwithin = '1h'
        define.a = 'close = 1'\ndefine.b = '10 / (close::bigint - 7) < 0'\nadd.n = 'count(*)'";
    let mut driver = bars().driver(&Pattern, toml);
    let lines = closes(&mut driver, 0, &[1.0, 7.0, 2.0, 1.0, 9.0]);
    assert_eq!(lines, ["1 error division_by_zero: define.b: division by zero", "2 main: x 2"]);
    let failing = "key = 'symbol'\npattern = 'a'\ndefine.a = 'close > 0'\nadd.n = '1 / (a.close::bigint - 7)'";
    let mut driver = bars().driver(&Pattern, failing);
    let lines = closes(&mut driver, 0, &[7.0, 8.0]);
    assert_eq!(lines, ["0 error division_by_zero: add.n: division by zero", "1 main: x 1"]);
    assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Null]), ["error null_key: a column of the key is NULL"]);
}

#[test]
fn partial_matches_whose_time_is_over_leave_on_a_stream_of_their_own() {
    let toml = "key = 'symbol'\npattern = 'a -> b -> c'\nwithin = '5s'\ntimed_out = true
        define.a = 'close = 1'\ndefine.b = 'close = 2'\ndefine.c = 'close = 3'
        add.a = 'a.close'\nadd.b = 'b.close'\nadd.c = 'c.close'";
    let mut driver = bars().driver(&Pattern, toml);
    assert_eq!(driver.outputs()[1].0, "timed_out");
    assert_eq!(closes(&mut driver, 0, &[1.0, 2.0]), [""; 0]);
    assert_eq!(driver.pass(20 * SECOND), ["5000000 timed_out: x 1 2 null"]);
    assert_eq!(closes(&mut driver, 30, &[1.0, 2.0, 3.0]), ["32 main: x 1 2 3"]);
    let sections = driver.finish().unwrap();
    assert_eq!(sections[0].2["matches"], 1);
    assert_eq!(sections[0].2["timed_out"], 1);
}

#[test]
fn a_stated_cap_is_bound_enough_where_a_match_has_so_many_rows() {
    let toml = "key = 'symbol'\npattern = 'a -> b'\nmax_partial = 1\nskip = 'to next'\ndefine.a = 'close < 10'
        define.b = 'close = 10'\nadd.a = 'a.close'";
    let mut driver = bars().driver(&Pattern, toml);
    assert_eq!(closes(&mut driver, 0, &[1.0, 2.0]), [""; 0]);
    assert_eq!(
        closes(&mut driver, 1_000_000, &[10.0]),
        ["1000000 main: x 2"],
        "the oldest has gone, no time is too long"
    );
}

#[test]
fn too_many_partial_matches_are_counted_or_fail_the_row() {
    let toml = |overflow: &str| {
        format!(
            "key = 'symbol'\npattern = 'a ->> b'\nwithin = '1h'\nskip = 'to next'\nmax_partial = 2
            overflow = '{overflow}'\ndefine.a = 'close < 10'\ndefine.b = 'close = 10'\nadd.a = 'a.close'"
        )
    };
    let mut driver = bars().driver(&Pattern, &toml("error"));
    let lines = closes(&mut driver, 0, &[1.0, 2.0, 3.0, 10.0]);
    let error = "2 error too_many_partial_matches: the key has `max_partial` partial matches already";
    assert_eq!(lines, [error, "3 main: x 1", "3 main: x 2"]);
    let mut driver = bars().driver(&Pattern, &toml("drop oldest"));
    assert_eq!(closes(&mut driver, 0, &[1.0, 2.0, 3.0, 10.0]), ["3 main: x 2", "3 main: x 3"]);
    assert_eq!(driver.finish().unwrap()[0].2["dropped"], 1);
}

#[test]
fn a_key_without_partial_matches_takes_nothing() {
    let toml = "key = 'symbol'\npattern = 'a -> b'\nwithin = '1h'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let mut driver = bars().driver(&Pattern, toml);
    for n in 0..100 {
        driver.feed(0, n, &[text(&format!("k{n}")), Value::Double(5.0)]);
        driver.feed(0, n, &[text(&format!("k{n}")), Value::Double(1.0)]);
        assert_eq!(driver.feed(0, n, &[text(&format!("k{n}")), Value::Double(2.0)]).len(), 1);
    }
    driver.feed(0, 200, &[text("left"), Value::Double(1.0)]);
    assert_eq!(driver.finish().unwrap()[0].2["keys"], 1);
}

#[test]
fn another_pattern_over_the_same_state_is_refused_and_another_parameter_is_not() {
    let toml = |pattern: &str| {
        format!(
            "key = 'symbol'\npattern = '{pattern}'\nwithin = '1h'\ndefine.a = 'close = $one'\ndefine.b = 'close = 2'"
        )
    };
    let backend = Arc::new(MemoryStore::new());
    let shelf = Shelf::open(&backend, 1 << 20);
    let rig = |one: f64| bars().param("one", Value::Double(one));
    let mut driver = rig(1.0).on(&shelf).driver(&Pattern, &toml("a -> b"));
    closes(&mut driver, 0, &[1.0]);
    shelf.commit(&mut driver, 0);
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = rig(7.0).on(&shelf).driver(&Pattern, &toml("a -> b"));
    assert_eq!(closes(&mut driver, 1, &[2.0]).len(), 1);
    let shelf = Shelf::open(&backend, 1 << 20);
    let error = rig(1.0).on(&shelf).try_driver(&Pattern, &toml("a b")).err().expect("it is refused");
    assert!(chain(&error).contains("a -> b"), "{}", chain(&error));
}

#[test]
fn the_columns_are_those_of_keep_and_add() {
    let outputs = |toml: &str| bars().driver(&Pattern, toml).outputs()[0].1.clone();
    let base = "key = 'symbol'\npattern = 'a b?'\nwithin = '1h'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'\n";
    assert_eq!(outputs(base), "symbol text");
    assert_eq!(outputs(&format!("{base}keep = ['b.*']")), "symbol text, close double");
    assert_eq!(outputs(&format!("{base}keep = ['*']\nadd.close = 'a.close + 1'")), "symbol text, close double");
    let added = "keep = []\nadd.id = 'match_id()'\nadd.n = 'count(*)'\nadd.x = 'coalesce(b.close, n)'";
    assert_eq!(outputs(&format!("{base}{added}")), "id text, n bigint, x double");
}

#[test]
fn wrong_patterns_are_problems_with_words() {
    let base = "key = 'symbol'\n";
    let defines = "define.a = 'close = 1'\ndefine.b = 'close = 2'";
    for (toml, wanted) in [
        ("pattern = 'a ->'\nwithin = '1h'", "ends with an arrow"),
        ("pattern = 'a -> c'\nwithin = '1h'", "`c` is not defined"),
        ("pattern = 'a -> a'\nwithin = '1h'", "`b` is defined and not used"),
        ("pattern = 'a -> b'", "may wait for ever"),
        ("pattern = 'a b+'", "may take rows without end"),
        ("pattern = 'a b+'\nmax_partial = 5", "may take rows without end"),
        ("pattern = 'a -> !b'\nmax_partial = 5", "may wait for ever"),
        ("pattern = 'a* b??'\nwithin = '1h'", "may also match nothing"),
        ("pattern = 'a*? b??'\nwithin = '1h'", "never matches"),
        ("pattern = 'a b'\nskip = 'to last c'", "no step of the pattern"),
        ("pattern = 'a b'\nskip = 'here'", "`skip`"),
        ("pattern = 'a b'\nkeep = ['c.*']", "no column of a match"),
        ("pattern = 'a b'\nkeep = ['b.clse']", "did you mean `b.close`?"),
        ("pattern = 'a b'\nkeep = ['a.*', 'b.*']", "two columns called"),
        ("pattern = 'a b'\nadd.x = 'prev(close)'", "`prev` is for conditions"),
        ("pattern = 'a b'\nadd.x = \"count(*) over '10m'\"", "no windows"),
        ("pattern = 'a b'\nadd.x = 'sum(a.close * b.close)'", "one variable"),
        ("pattern = 'a b'\nadd.x = 'c.close'", "c"),
        ("pattern = 'a b'\nmax_partial = 0", "at least 1"),
        ("pattern = 'a b'\noverflow = 'drop'", "overflow"),
    ] {
        let problems = bars().problems(&Pattern, &format!("{base}{toml}\n{defines}"));
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{toml}: {problems:#?}");
    }
    for (defines, wanted) in [
        ("define.a = 'close'\ndefine.b = 'true'", "must be a condition"),
        ("define.a = 'clse = 1'\ndefine.b = 'true'", "clse"),
        ("define.a = { whre = 'true' }\ndefine.b = 'true'", "did you mean `where`?"),
        ("define.a = { gap = 'x' }\ndefine.b = 'true'", "a duration"),
        ("define.a = { from = 'bar' }\ndefine.b = 'true'", "did you mean `bars`?"),
        ("define.a = 5\ndefine.b = 'true'", "a condition in a string"),
        ("define.a = 'c.close = 1'\ndefine.b = 'true'", "c"),
        ("define.a = 'prev(b.close) = 1'\ndefine.b = 'true'", "the row before the one that is tested"),
        ("define.a = 'match_number() = 1'\ndefine.b = 'true'", "match_number"),
        ("define.a = 'true'\ndefine.b = 'true'\ndefine.bars = 'true'", "is an input"),
    ] {
        let problems = bars().problems(&Pattern, &format!("{base}pattern = 'a b'\n{defines}"));
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{defines}: {problems:#?}");
    }
    let problems = takeover().problems(&Pattern, "key = 'account'\npattern = 'a'\ndefine.a = 'ok'");
    assert!(problems[0].contains("does not say which stream"), "{problems:#?}");
    let mixed = "key = 'account'\npattern = 'a'\ndefine.a = { from = 'logins', where = \"min(country) = 'x'\" }";
    let problems = takeover().problems(&Pattern, mixed);
    assert!(problems[0].contains("which rows?"), "{problems:#?}");
}

#[test]
fn it_says_when_it_fires_and_what_it_costs() {
    let plan = |pattern: &str| {
        let base = "key = 'symbol'\nwithin = '1h'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
        bars().describe(&Pattern, &format!("pattern = '{pattern}'\n{base}")).join("\n")
    };
    assert!(plan("a b").contains("fires at once"), "{}", plan("a b"));
    assert!(plan("a b+").contains("no more rows follow b"), "{}", plan("a b+"));
    assert!(plan("a -> !b").contains("nothing forbidden comes"), "{}", plan("a -> !b"));
    let words = plan("(a ->){2,} b");
    for said in
        ["first row: a1", "after a2: -> a2, else -> b3", "after b3: match", "1000 partial matches", "bytes each"]
    {
        assert!(words.contains(said), "{said} is missing in {words}");
    }
}

#[test]
fn what_waits_for_its_time_is_not_forgotten_when_its_key_comes_again_much_later() {
    let toml = "key = 'symbol'\npattern = 'a -> !b'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let mut driver = bars().driver(&Pattern, toml);
    let row =
        |driver: &mut Driver, second: i64| driver.come_late(0, second * SECOND, &[text("x"), Value::Double(1.0)]).len();
    // The source's disorder is large: time stays where it is, and no timer fires.
    driver.watermark = 0;
    assert_eq!(row(&mut driver, 0), 0);
    assert_eq!(row(&mut driver, 100), 1, "the first absence is certain");
    assert_eq!(driver.advance(50 * SECOND).len(), 0, "and reported once");
    assert_eq!(driver.advance(111 * SECOND).len(), 1);
}

#[test]
fn a_key_that_was_forgotten_counts_from_one_again_whether_or_not_it_was_in_memory() {
    let toml = "key = 'symbol'\npattern = 'a b'\nwithin = '10s'\nttl = '20s'
        define.a = 'close = 1'\ndefine.b = 'close = 2'\nadd.n = 'match_number()'";
    // The last row begins a match that comes to nothing.
    let rows = [(0, 1.0), (1, 2.0), (5, 1.0), (24, 2.0), (30, 1.0), (51, 1.0), (52, 2.0)];
    for restarts in [false, true] {
        let backend = Arc::new(MemoryStore::new());
        let mut shelf = Shelf::open(&backend, 1 << 20);
        let mut driver = bars().on(&shelf).driver(&Pattern, toml);
        let mut lines = Vec::new();
        for (second, close) in rows {
            lines.extend(driver.feed(0, second * SECOND, &[text("x"), Value::Double(close)]));
            if restarts {
                shelf.commit(&mut driver, 0);
                shelf = Shelf::open(&backend, 1 << 20);
                driver = bars().on(&shelf).driver(&Pattern, toml);
            }
        }
        assert_eq!(lines, ["main: x 1", "main: x 1"], "restarts: {restarts}");
    }
}

#[test]
fn what_waits_for_its_time_is_not_forgotten_over_a_restart_either() {
    let toml = "key = 'symbol'\npattern = 'a -> !b'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let backend = Arc::new(MemoryStore::new());
    let shelf = Shelf::open(&backend, 1 << 20);
    let row =
        |driver: &mut Driver, second: i64| driver.come_late(0, second * SECOND, &[text("x"), Value::Double(1.0)]).len();
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    driver.watermark = 0;
    assert_eq!(row(&mut driver, 0), 0);
    shelf.commit(&mut driver, 0);
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    driver.watermark = 0;
    assert_eq!(row(&mut driver, 100), 1, "the first absence is certain");
}

#[test]
fn a_match_that_waits_holds_time_back_over_a_restart_too() {
    let toml = "key = 'symbol'\npattern = 'a b+'\nwithin = '10s'\ndefine.a = 'close = 1'\ndefine.b = 'close = 2'";
    let backend = Arc::new(MemoryStore::new());
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    assert_eq!(driver.holds_back(), Some(i64::MAX));
    let come = |driver: &mut Driver, key: &str, second: i64, close: f64| {
        driver.come_late(0, second * SECOND, &[text(key), Value::Double(close)]).len()
    };
    assert_eq!([come(&mut driver, "x", 1, 1.0), come(&mut driver, "x", 2, 2.0)], [0, 0]);
    assert_eq!(driver.holds_back(), Some(2 * SECOND));
    assert_eq!([come(&mut driver, "y", 3, 1.0), come(&mut driver, "y", 4, 2.0)], [0, 0]);
    // The loop goes on: the longer match is preferred.
    assert_eq!(come(&mut driver, "x", 5, 2.0), 0);
    assert_eq!(driver.holds_back(), Some(4 * SECOND));
    shelf.commit(&mut driver, 5 * SECOND);
    let shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = bars().on(&shelf).driver(&Pattern, toml);
    assert_eq!(driver.holds_back(), Some(4 * SECOND));
    // A row that ends the loop lets its match out, with the time of its last row.
    assert_eq!(come(&mut driver, "y", 6, 3.0), 1);
    assert_eq!(driver.holds_back(), Some(5 * SECOND));
    assert_eq!(driver.advance(20 * SECOND).len(), 1);
    assert_eq!(driver.holds_back(), Some(i64::MAX));
    shelf.commit(&mut driver, 20 * SECOND);
    let shelf = Shelf::open(&backend, 1 << 20);
    assert_eq!(bars().on(&shelf).driver(&Pattern, toml).holds_back(), Some(i64::MAX));
}
