use super::*;
use crate::expr::AggregateFunction as F;
use crate::store::lists::Lists;
use crate::store::{Content, ListsOf, MemoryStore, Space};
use crate::tuple::{DataType, TextWord, Value};
use crate::window::Unit;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};

const TEXTS: [&str; 4] = ["b", "", "a longer text than a word", "a"];
const DISORDER: i64 = 5;

/// A row: key, time, number, text (by number), whether the filter refuses it.
type Tuple = (usize, i64, i64, usize, bool);

/// What leaves: key, start, end, time, revision, closed, results.
type Left = (usize, i64, i64, i64, u32, bool, Vec<Option<String>>);

fn calls() -> Vec<CallSpec> {
    let call = |function, distinct, argument: Option<usize>, filtered| CallSpec {
        function,
        distinct,
        window: 0,
        argument,
        ty: if argument == Some(1) { DataType::Text } else { DataType::Bigint },
        null: None,
        filtered,
        second: None,
        foreign: None,
        parameter: Value::Null,
        bound: Value::Null,
    };
    vec![
        call(F::Count, false, None, None),
        call(F::Sum, false, Some(0), Some(2)),
        call(F::Min, false, Some(1), Some(2)),
        call(F::First, false, Some(0), None),
        call(F::Last, false, Some(1), None),
        call(F::Count, true, Some(1), None),
        call(F::Sum, true, Some(0), None),
    ]
}

/// The calls over rows in order of arrival, from their definition.
fn naive(rows: &[Tuple]) -> Vec<Option<String>> {
    let passed: Vec<&Tuple> = rows.iter().filter(|row| !row.4).collect();
    let first = rows.iter().enumerate().min_by_key(|(n, row)| (row.1, *n)).map(|(_, row)| row.2.to_string());
    let last = rows.iter().enumerate().max_by_key(|(n, row)| (row.1, *n)).map(|(_, row)| TEXTS[row.3].to_owned());
    let numbers: BTreeSet<i64> = rows.iter().map(|row| row.2).collect();
    let texts: BTreeSet<usize> = rows.iter().map(|row| row.3).collect();
    let some = |is: bool, number: i64| is.then(|| number.to_string());
    vec![
        Some(rows.len().to_string()),
        some(!passed.is_empty(), passed.iter().map(|row| row.2).sum()),
        passed.iter().map(|row| TEXTS[row.3].to_owned()).min(),
        first,
        last,
        Some(texts.len().to_string()),
        some(!rows.is_empty(), numbers.iter().sum()),
    ]
}

/// Windows under test: two keys, driven as the runtime does.
struct Driven {
    closing: Closing,
    spec: ClosingSpec,
    timers: BTreeSet<(i64, usize)>,
    timer: [Option<i64>; 2],
    watermark: i64,
    out: Vec<Left>,
    space: Option<(Arc<Space>, mpsc::Receiver<crate::store::Message>)>,
}

impl Driven {
    fn new(spec: &ClosingSpec, durable: bool) -> Driven {
        let mut closing = Closing::new(spec, &calls());
        (0..2).for_each(|key| closing.reset(key));
        let space = durable.then(|| {
            let (sender, receiver) = mpsc::channel();
            (Arc::new(Space::open(Arc::new(MemoryStore::default()), 1 << 20, sender).unwrap()), receiver)
        });
        Driven {
            closing,
            spec: spec.clone(),
            timers: BTreeSet::new(),
            timer: [None; 2],
            watermark: i64::MIN,
            out: Vec::new(),
            space,
        }
    }

    fn leave(&mut self, key: usize, window: Window) {
        let arena = Arena::new();
        let calls = calls();
        let results = calls.iter().enumerate().map(|(n, call)| {
            let word = self.closing.read(n, &arena).unwrap()?;
            let text = call.ty == DataType::Text && call.function != F::Count;
            Some(if text { TextWord(word).as_str().to_owned() } else { (word as i64).to_string() })
        });
        let results = results.collect();
        self.out.push((key, window.start, window.end, window.time, window.revision, window.closed, results));
    }

    fn set(&mut self, key: usize) {
        if let Some(next) = self.closing.next(key as u32)
            && self.timer[key].is_none_or(|timer| next < timer)
        {
            self.timer[key].into_iter().for_each(|timer| assert!(self.timers.remove(&(timer, key))));
            self.timer[key] = Some(next);
            self.timers.insert((next, key));
        }
    }

    fn advance(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(watermark);
        while let Some((deadline, key)) = self.timers.first().copied().filter(|(d, _)| *d < self.watermark) {
            self.timers.pop_first();
            self.timer[key] = None;
            if let Some(window) = self.closing.fire(key as u32, deadline, self.watermark == i64::MAX) {
                self.leave(key, window);
            }
            self.set(key);
        }
    }

    fn feed(&mut self, row: Tuple) -> bool {
        let (key, time, number, text, refused) = row;
        self.advance(time - DISORDER);
        let arena = Arena::new();
        let arguments = [number as u64, arena.store(TEXTS[text]).0];
        match self.closing.take(key as u32, time, &arguments, u64::from(refused) << 2, self.watermark) {
            Taken::Late => return false,
            Taken::In { changed, ready } => {
                if ready {
                    while let Some(window) = self.closing.next_ready(key as u32) {
                        self.leave(key, window);
                    }
                }
                if changed {
                    self.set(key);
                }
                let next = self.closing.next(key as u32);
                assert!(next.is_none_or(|next| self.timer[key].is_some_and(|timer| timer <= next)), "a timer is there");
            }
        }
        true
    }

    /// The key is written, forgotten, and read back into other places.
    fn restore(&mut self) {
        let Some((space, _)) = &self.space else { return };
        let mut lists = Lists::new(crate::store::Place { component: 0, handle: 0 }, 0);
        let mut fresh = Closing::new(&self.spec, &calls());
        for key in [1, 0] {
            let mut bytes = Vec::new();
            self.closing.encode(key, &mut ListsOf { lists: &mut lists, space }, &mut bytes);
            fresh.reset(key);
            fresh.decode(key, &bytes, space).unwrap();
            let mut again = Vec::new();
            fresh.encode(key, &mut ListsOf { lists: &mut lists, space }, &mut again);
            assert_eq!(bytes.len(), again.len());
        }
        self.closing = fresh;
    }
}

/// Windows of panes from their definition: every window is looked at whenever time moves.
fn naive_panes(grid: &Grid, count: i64, hop: i64, spec: &ClosingSpec, rows: &[Tuple]) -> (Vec<Left>, Vec<bool>) {
    let mut accepted: [Vec<Tuple>; 2] = Default::default();
    let mut left: BTreeMap<(usize, i64), u32> = BTreeMap::new();
    let mut closed: BTreeSet<(usize, i64)> = BTreeSet::new();
    let (mut watermark, mut out, mut taken) = (i64::MIN, Vec::new(), Vec::new());
    let span = |window: i64| (grid.start(window), grid.start(window + count));
    let of = |time: i64| {
        let pane = grid.pane(time).number;
        (pane - count + 1..=pane).filter(move |window| window.rem_euclid(hop) == 0)
    };
    let inside = |rows: &[Tuple], window: i64| {
        let (start, end) = span(window);
        rows.iter().filter(|row| start <= row.1 && row.1 < end).copied().collect::<Vec<_>>()
    };
    // The first window of each key that was open when a row came for it: windows without rows follow that one.
    let mut first = [i64::MAX; 2];
    let mut pass = |watermark: i64,
                    first: [i64; 2],
                    accepted: &[Vec<Tuple>; 2],
                    left: &mut BTreeMap<_, u32>,
                    out: &mut Vec<Left>| {
        let mut due = BTreeSet::new();
        for (key, rows) in accepted.iter().enumerate() {
            due.extend(rows.iter().flat_map(|row| of(row.1)).map(|window| (span(window).1 - 1, key, window)));
            if let (Some(long), Some(newest)) = (spec.empty, rows.iter().map(|row| row.1).max()) {
                let windows = rows.iter().map(|row| grid.pane(row.1).number);
                let last = windows.max().unwrap();
                let until = if watermark == i64::MAX { last } else { grid.pane(newest + long).number };
                let fits = |window: &i64| span(*window).1 - 1 <= newest + long || *window <= last;
                due.extend((first[key]..=until).filter(fits).map(|window| (span(window).1 - 1, key, window)));
            }
        }
        for (deadline, key, window) in due {
            if deadline < watermark && closed.insert((key, window)) {
                let rows = inside(&accepted[key], window);
                let (start, end) = span(window);
                out.push((key, start, end, end - 1, 0, true, naive(&rows)));
                left.insert((key, window), 1);
            }
        }
    };
    for row in rows {
        watermark = watermark.max(row.1 - DISORDER);
        pass(watermark, first, &accepted, &mut left, &mut out);
        let open: Vec<i64> = of(row.1).filter(|window| span(*window).1 - 1 + spec.lateness >= watermark).collect();
        taken.push(!open.is_empty());
        if open.is_empty() {
            continue;
        }
        accepted[row.0].push(*row);
        for window in open.into_iter().filter(|window| span(*window).1 - 1 < watermark) {
            let revision = left.entry((row.0, window)).or_insert(0);
            let (start, end) = span(window);
            out.push((row.0, start, end, end - 1, *revision, true, naive(&inside(&accepted[row.0], window))));
            *revision += 1;
        }
        // What was revised has closed.
        pass(watermark, [i64::MAX; 2], &accepted, &mut left, &mut Vec::new());
        if span(grid.pane(row.1).number).1 > watermark {
            first[row.0] = first[row.0].min(grid.pane(row.1).number);
        }
    }
    pass(i64::MAX, first, &accepted, &mut left, &mut out);
    (out, taken)
}

/// Sessions from their definition: sets of rows.
fn naive_sessions(gap: i64, lateness: i64, rows: &[Tuple]) -> (Vec<Left>, Vec<bool>) {
    #[derive(Clone)]
    struct Set {
        rows: Vec<Tuple>,
        left: u32,
        closed: bool,
    }
    let span = |set: &Set| {
        let times = set.rows.iter().map(|row| row.1);
        (times.clone().min().unwrap(), times.max().unwrap() + gap)
    };
    let mut sets: Vec<Set> = Vec::new();
    let (mut watermark, mut out, mut taken) = (i64::MIN, Vec::new(), Vec::new());
    let leave = |set: &mut Set, rows: &[Tuple], out: &mut Vec<Left>| {
        let ((start, end), key) = (span(set), set.rows[0].0);
        // In order of arrival.
        let own: Vec<Tuple> = rows.iter().filter(|row| set.rows.contains(row)).copied().collect();
        out.push((key, start, end, end - 1, set.left, true, naive(&own)));
        (set.left, set.closed) = (set.left + 1, true);
    };
    for row in rows.iter().map(Some).chain([None]) {
        watermark = watermark.max(row.map_or(i64::MAX, |row| row.1 - DISORDER));
        let mut due: Vec<usize> =
            (0..sets.len()).filter(|n| !sets[*n].closed && span(&sets[*n]).1 - 1 < watermark).collect();
        due.sort_by_key(|n| (span(&sets[*n]).1, sets[*n].rows[0].0));
        due.into_iter().for_each(|n| leave(&mut sets[n], rows, &mut out));
        let Some(row) = row else { break };
        let near = |set: &Set| {
            set.rows[0].0 == row.0
                && span(set).1 - 1 + lateness >= watermark
                && set.rows.iter().any(|other| other.1.abs_diff(row.1) < gap as u64)
        };
        let mut all = Set { rows: vec![*row], left: 0, closed: false };
        let late = row.1 + gap - 1 + lateness < watermark && !sets.iter().any(near);
        taken.push(!late);
        if late {
            continue;
        }
        for set in sets.iter().filter(|set| near(set)) {
            all.rows.extend(&set.rows);
            all.left = all.left.max(set.left);
        }
        sets.retain(|set| !near(set));
        if span(&all).1 - 1 < watermark {
            leave(&mut all, rows, &mut out);
        }
        sets.push(all);
    }
    (out, taken)
}

/// Rows whose order of arrival is told by their number, so that no two are equal.
fn tuples() -> impl Strategy<Value = Vec<Tuple>> {
    let row =
        (0usize..2, prop_oneof![6 => 0i64..4, 2 => -30i64..0, 1 => 4i64..60], 0usize..4, prop::bool::weighted(0.2));
    prop::collection::vec(row, 1..70).prop_map(|rows| {
        let mut now = 0;
        let rows = rows.into_iter().enumerate().map(|(n, (key, ahead, text, refused))| {
            let time = now + ahead;
            now = now.max(time);
            (key, time, n as i64, text, refused)
        });
        rows.collect()
    })
}

fn check(
    spec: &ClosingSpec,
    rows: &[Tuple],
    restores: bool,
    wanted: (Vec<Left>, Vec<bool>),
) -> Result<(), TestCaseError> {
    let mut driven = Driven::new(spec, restores);
    let mut taken = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        taken.push(driven.feed(*row));
        if restores && n % 5 == 0 {
            driven.restore();
        }
    }
    driven.advance(i64::MAX);
    prop_assert_eq!(taken, wanted.1);
    let (mut found, mut wanted) = (driven.out, wanted.0);
    // What leaves for one row leaves together; its windows have no order that is promised but that of time.
    let sorted = |all: &mut Vec<Left>| all.sort_by_key(|a| (a.1, a.2, a.0, a.4));
    let order = |all: &[Left]| all.iter().map(|left| (left.0, left.3)).collect::<Vec<_>>();
    prop_assert_eq!(order(&found), order(&wanted));
    sorted(&mut found);
    sorted(&mut wanted);
    prop_assert_eq!(found, wanted);
    if spec.early.is_none() {
        prop_assert!((0..2).all(|key| driven.closing.next(key).is_none()), "nothing is left");
        let live = driven.closing.cells.live() - usize::from(driven.closing.answer.own);
        prop_assert_eq!(live, 0, "cells are given back");
    }
    Ok(())
}

proptest! {
    #[test]
    fn windows_of_panes_hold_what_their_definition_says(
        rows in tuples(),
        pane in 1i64..12,
        hop in 1i64..5,
        more in 0i64..12,
        lateness in prop_oneof![Just(0i64), 1i64..40],
        restores in any::<bool>(),
    ) {
        let (grid, count) = (Grid::Fixed(pane), hop + more);
        let shape = Shape::Panes { grid: grid.clone(), count, hop };
        let spec = ClosingSpec { shape, lateness, empty: None, early: None };
        let wanted = naive_panes(&grid, count, hop, &spec, &rows);
        check(&spec, &rows, restores, wanted)?;
    }

    #[test]
    fn windows_without_rows_leave_where_asked_for(
        rows in tuples(),
        pane in 1i64..12,
        long in 0i64..50,
        lateness in prop_oneof![Just(0i64), 1i64..40],
        restores in any::<bool>(),
    ) {
        let grid = Grid::Fixed(pane);
        let shape = Shape::Panes { grid: grid.clone(), count: 1, hop: 1 };
        let spec = ClosingSpec { shape, lateness, empty: Some(long), early: None };
        // A key that has been silent for so long begins anew: rows of one key that is never silent.
        let mut now = 0;
        let rows: Vec<Tuple> = rows.into_iter().map(|row| {
            now = row.1.clamp(now - 30, now + long).max(now - 30).max(row.1.min(now + long));
            (0, now, row.2, row.3, row.4)
        }).collect();
        let wanted = naive_panes(&grid, 1, 1, &spec, &rows);
        check(&spec, &rows, restores, wanted)?;
    }

    #[test]
    fn sessions_hold_rows_less_than_the_gap_apart(
        rows in tuples(),
        gap in 1i64..20,
        lateness in prop_oneof![Just(0i64), 1i64..40],
        restores in any::<bool>(),
    ) {
        let spec = ClosingSpec { shape: Shape::Session(gap), lateness, empty: None, early: None };
        let wanted = naive_sessions(gap, lateness, &rows);
        check(&spec, &rows, restores, wanted)?;
    }

    #[test]
    fn windows_of_rows_hold_so_many(rows in tuples(), every in 1u64..5, more in 0u64..6, restores in any::<bool>()) {
        let length = every + more;
        let spec = ClosingSpec { shape: Shape::Rows { length, every }, lateness: 0, empty: None, early: None };
        let mut driven = Driven::new(&spec, restores);
        let mut wanted = Vec::new();
        let mut all: [Vec<Tuple>; 2] = Default::default();
        let leave = |key: usize, rows: &[Tuple], out: &mut Vec<Left>| {
            let times = rows.iter().map(|row| row.1);
            let (start, end) = (times.clone().min().unwrap(), times.max().unwrap());
            out.push((key, start, end, end, 0, true, naive(rows)));
        };
        for (n, row) in rows.iter().enumerate() {
            prop_assert!(driven.feed(*row));
            if restores && n % 5 == 0 {
                driven.restore();
            }
            all[row.0].push(*row);
            let n = all[row.0].len() as u64;
            if n >= length && (n - length).is_multiple_of(every) {
                leave(row.0, &all[row.0][(n - length) as usize..], &mut wanted);
            }
        }
        driven.advance(i64::MAX);
        for (key, all) in all.iter().enumerate() {
            let n = all.len() as u64;
            let from = if n < length { 0 } else { ((n - length) / every + 1) * every };
            if n > from {
                leave(key, &all[from as usize..], &mut wanted);
            }
        }
        prop_assert_eq!(driven.out, wanted);
    }

    #[test]
    fn early_results_are_those_of_the_rows_so_far(rows in tuples(), pane in 5i64..40, every in 1i64..20) {
        let grid = Grid::Fixed(pane);
        let shape = Shape::Panes { grid: grid.clone(), count: 1, hop: 1 };
        let spec = ClosingSpec { shape, lateness: 0, empty: None, early: Some(every) };
        let mut driven = Driven::new(&spec, false);
        for row in &rows {
            driven.feed(*row);
        }
        driven.advance(i64::MAX);
        let (closed, early): (Vec<Left>, Vec<Left>) = driven.out.into_iter().partition(|left| left.5);
        let (mut wanted, _) = naive_panes(&grid, 1, 1, &spec, &rows);
        wanted.sort_by_key(|left| (left.3, left.0));
        prop_assert_eq!(&closed, &wanted);
        for (n, left) in early.iter().enumerate() {
            let full = closed.iter().find(|other| (other.0, other.1) == (left.0, left.1)).expect("it closes later");
            let counts = |left: &Left| left.6[0].clone().unwrap().parse::<u64>().unwrap();
            prop_assert!(counts(left) <= counts(full) && (left.3 + 1) % every == 0 && left.3 < left.2);
            let again = early[..n].iter().rfind(|other| (other.0, other.1) == (left.0, left.1));
            prop_assert!(again.is_none_or(|other| counts(other) < counts(left)), "it has changed");
        }
    }
}

#[test]
fn days_of_a_zone_close_at_its_midnight() {
    let hour = 3_600_000_000i64;
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let shape = Shape::Panes { grid: Grid::Calendar(Unit::Day, 1, zone), count: 1, hop: 1 };
    let mut driven = Driven::new(&ClosingSpec { shape, lateness: 0, empty: Some(i64::MAX), early: None }, false);
    // The 30th of March 2024, 23:00 in Berlin; the night has 23 hours.
    let start = 1_711_839_600_000_000i64 - 3 * hour;
    driven.feed((0, start, 1, 0, false));
    driven.feed((0, start + 50 * hour, 2, 0, false));
    let days: Vec<(i64, Option<String>)> =
        driven.out.iter().map(|left| ((left.2 - left.1) / hour, left.6[0].clone())).collect();
    assert_eq!(days, [(24, Some("1".to_owned())), (23, Some("0".to_owned()))]);
}

#[test]
fn what_is_cut_is_not_read() {
    let (sender, _receiver) = mpsc::channel();
    let space = Space::open(Arc::new(MemoryStore::default()), 1 << 20, sender).unwrap();
    let mut lists = Lists::new(crate::store::Place { component: 0, handle: 0 }, 0);
    let panes = Shape::Panes { grid: Grid::Fixed(10), count: 1, hop: 1 };
    for shape in [panes, Shape::Session(5), Shape::Rows { length: 4, every: 2 }] {
        let mut driven = Driven::new(&ClosingSpec { shape, lateness: 9, empty: None, early: None }, false);
        (0..3).for_each(|n| assert!(driven.feed((0, n * 7, n, n as usize, false))));
        let mut bytes = Vec::new();
        driven.closing.encode(0, &mut ListsOf { lists: &mut lists, space: &space }, &mut bytes);
        for cut in 0..bytes.len() {
            driven.closing.reset(1);
            assert!(driven.closing.decode(1, &bytes[..cut], &space).is_err(), "{cut}");
        }
    }
}

#[test]
fn a_batch_of_keys_is_small() {
    // What a key takes is part of what a user is told; a change of it should be meant.
    assert!(size_of::<panes::Key>() <= 144, "{}", size_of::<panes::Key>());
}
