use super::*;
use crate::bolts::rig::{Driver, Rig, Shelf};
use crate::store::MemoryStore;
use crate::tuple::{DataType, Value};
use proptest::prelude::*;
use sides::Side;
use std::sync::Arc;

const LEFT: &[(&str, DataType)] = &[("k", DataType::Text), ("l", DataType::Bigint)];
const RIGHT: &[(&str, DataType)] = &[("k", DataType::Text), ("r", DataType::Bigint)];

fn rig() -> Rig {
    Rig::new(&[("left", LEFT), ("right", RIGHT)])
}

/// A row of an input: side, key, time.
type Event = (usize, u8, i64);

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0usize..2, 0u8..3, 0i64..40), 0..50)
}

/// What left: event time, and the row.
type Told = Vec<(i64, String)>;

fn tell(told: &mut Told, time: i64, lines: Vec<String>) {
    told.extend(lines.into_iter().map(|line| match line.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
        Some((time, row)) => (time.parse().unwrap(), row.to_owned()),
        None => (time, line),
    }));
}

/// Event `n` comes.
fn feed(driver: &mut Driver, n: usize, (side, key, time): Event) -> Vec<String> {
    driver.come_late(side, time, &[Value::Text(key.to_string()), Value::Bigint(n as i64)])
}

/// Feeds events of a source with this disorder; after `restarts.0` of them the process stops and another goes on, and
/// time passes all at the end.
fn run(toml: &str, events: &[Event], disorder: i64, restarts: usize) -> Told {
    let backend = Arc::new(MemoryStore::new());
    let mut shelf = Shelf::open(&backend, 0);
    let mut driver = rig().on(&shelf).driver(&Join, toml);
    let (mut told, mut newest) = (Told::new(), i64::MIN);
    for (n, event) in events.iter().enumerate() {
        newest = newest.max(event.2);
        tell(&mut told, i64::MIN, driver.advance(newest - disorder));
        tell(&mut told, event.2, feed(&mut driver, n, *event));
        if n % 7 == 3 {
            shelf.commit(&mut driver, newest - disorder);
        }
        if n == restarts {
            shelf.commit(&mut driver, newest - disorder);
            shelf = Shelf::open(&backend, 0);
            driver = rig().on(&shelf).driver(&Join, toml);
            driver.watermark = newest - disorder;
        }
    }
    tell(&mut told, i64::MIN, driver.advance(i64::MAX));
    shelf.commit(&mut driver, i64::MAX);
    if !toml.contains("latest") {
        let (catalogue, mut left) = (shelf.catalogue(), 0);
        for facts in catalogue.handles().values() {
            catalogue
                .scan(facts.place(), &mut |_| {
                    left += 1;
                    true
                })
                .unwrap();
        }
        assert_eq!(left, 0, "state outlives its use");
    }
    told
}

/// What an interval join should say, from its definition, looking at all pairs.
fn naive(events: &[Event], disorder: i64, bounds: Bounds, outer: [bool; 2]) -> Told {
    let (mut told, mut newest) = (Told::new(), i64::MIN);
    let mut arrived: Vec<(usize, Event)> = Vec::new();
    let (mut met, mut taken) = (vec![false; events.len()], vec![false; events.len()]);
    for (n, event @ (side, key, time)) in events.iter().copied().enumerate() {
        newest = newest.max(time);
        if time < newest - disorder {
            continue;
        }
        let near = |other: &Event| {
            let (left, right) = if side == 0 { (time, other.2) } else { (other.2, time) };
            other.0 != side && other.1 == key && right >= left - bounds.before && right <= left + bounds.after
        };
        let mut partners: Vec<(usize, Event)> = arrived.iter().filter(|(_, other)| near(other)).copied().collect();
        partners.sort_by_key(|(_, other)| other.2);
        let joined = partners
            .iter()
            .enumerate()
            .filter(|(at, (m, _))| !bounds.first || if side == 0 { *at == 0 } else { !taken[*m] });
        for (_, (m, other)) in joined {
            let (l, r) = if side == 0 { (n, *m) } else { (*m, n) };
            told.push((time.max(other.2), format!("main: {l} {r}")));
        }
        met[n] = !partners.is_empty();
        taken[n] = met[n];
        for (m, _) in partners {
            (met[m], taken[m]) = (true, true);
        }
        arrived.push((n, event));
    }
    for (n, (side, key, time)) in arrived.into_iter().filter(|(n, _)| !met[*n]) {
        let deadline = time + [bounds.after, bounds.before][side];
        let name = ["left", "right"][side];
        told.push((deadline, format!("unmatched_{name}: {key} {n}")));
        if outer[side] {
            told.push((deadline, if side == 0 { format!("main: {n} null") } else { format!("main: null {n}") }));
        }
    }
    told
}

fn sorted(mut told: Told, late: bool) -> Told {
    told.retain(|(_, row)| row.starts_with("late:") == late);
    told.sort();
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn an_interval_join_gives_what_looking_at_all_pairs_gives(
        mut events in events(),
        sort in any::<bool>(),
        disorder in 0i64..12,
        before in 0i64..9,
        after in 0i64..9,
        first in any::<bool>(),
        outer in 0usize..4,
        restart in 0usize..60,
    ) {
        if sort {
            events.sort_by_key(|event| event.2);
        }
        let outer_text = ["", "outer = 'left'", "outer = 'right'", "outer = 'full'"][outer];
        let toml = format!(
            "key = 'k'\nkeep = ['left.l', 'r']\nwithin = {{ before = '{before}us', after = '{after}us' }}\n\
             match = '{}'\n{outer_text}",
            if first { "first" } else { "each" }
        );
        let bounds = Bounds { before, after, first };
        let told = run(&toml, &events, disorder, restart);
        let wanted = naive(&events, disorder, bounds, [outer % 2 == 1, outer > 1]);
        prop_assert_eq!(sorted(told.clone(), false), sorted(wanted, false), "{}", toml);
        let mut newest = i64::MIN;
        let late = events.iter().filter(|(_, _, time)| {
            newest = newest.max(*time);
            *time < newest - disorder
        });
        prop_assert_eq!(sorted(told, true).len(), late.count());
    }

    #[test]
    fn an_as_of_join_gives_the_latest_row_that_has_come(
        events in events(),
        disorder in 0i64..12,
        limit in prop_oneof![0i64..20, Just(i64::MAX)],
        outer in any::<bool>(),
        restart in 0usize..60,
    ) {
        let bound = if limit == i64::MAX { "ttl = 'never'".to_owned() } else { format!("within = {{ before = '{limit}us' }}") };
        let outer_text = if outer { "outer = 'left'" } else { "" };
        let toml = format!("key = 'k'\nkeep = ['left.l', 'r']\nmatch = 'latest'\n{bound}\n{outer_text}");
        let told = run(&toml, &events, disorder, restart);
        let (mut wanted, mut newest) = (Told::new(), i64::MIN);
        let mut rights: Vec<(usize, u8, i64)> = Vec::new();
        for (n, (side, key, time)) in events.iter().copied().enumerate() {
            newest = newest.max(time);
            if time < newest - disorder {
                continue;
            }
            if side == 1 {
                rights.push((n, key, time));
                continue;
            }
            let known = rights.iter().filter(|(_, k, t)| *k == key && *t <= time);
            match known.max_by_key(|(n, _, t)| (*t, *n)).filter(|(_, _, t)| time - t <= limit) {
                Some((r, _, _)) => wanted.push((time, format!("main: {n} {r}"))),
                None => {
                    wanted.extend(outer.then(|| (time, format!("main: {n} null"))));
                    wanted.push((time, format!("unmatched_left: {key} {n}")));
                }
            }
        }
        let told: Told = told.into_iter().filter(|(_, row)| !row.starts_with("late:")).collect();
        prop_assert_eq!(told, wanted, "{}", toml);
    }
}

#[test]
fn rows_without_a_partner_leave_in_the_order_of_their_deadlines() {
    let toml = "key = 'k'\nkeep = ['l', 'r']\nwithin = { before = '3us', after = '10us' }\nouter = 'full'";
    let mut driver = rig().driver(&Join, toml);
    for (n, event) in [(0, 2, 0), (1, 1, 1), (0, 0, 0), (1, 0, 20)].into_iter().enumerate() {
        assert_eq!(feed(&mut driver, n, event), Vec::<String>::new());
    }
    assert_eq!(driver.advance(4), Vec::<String>::new());
    let mut lines = driver.advance(11);
    assert_eq!(lines.remove(0), "@4 main: null 1");
    assert_eq!(lines.remove(0), "@4 unmatched_right: 1 1");
    assert_eq!(lines, ["@10 main: 2 null", "@10 unmatched_left: 0 2", "@10 main: 0 null", "@10 unmatched_left: 2 0"]);
    assert_eq!(driver.advance(i64::MAX), ["@23 main: null 3", "@23 unmatched_right: 0 3"]);
}

#[test]
fn columns_come_from_both_sides_and_errors_and_late_rows_leave_apart() {
    let toml = "key = 'k'\nkeep = ['left.*']\nwithin = { after = '10us' }\nouter = 'left'
        add.ratio = 'right.r / left.l'\nadd.l = 'left.l + 1'";
    let mut driver = rig().driver(&Join, toml);
    let columns: Vec<String> =
        driver.outputs().into_iter().map(|(name, columns)| format!("{name}: {columns}")).collect();
    assert_eq!(
        columns,
        [
            ": k text, ratio bigint, l bigint",
            "late: stream text, k text, l bigint, r bigint, lateness interval",
            "unmatched_left: k text, l bigint",
            "unmatched_right: k text, r bigint",
        ]
    );
    let row = |k: &str, n: i64| [Value::Text(k.to_owned()), Value::Bigint(n)];
    driver.come(0, 0, &row("a", 4));
    driver.come(0, 0, &row("a", 0));
    let lines = driver.come(1, 2, &row("a", 9));
    assert_eq!(lines[0], "main: a 2 5");
    assert!(
        lines[1].starts_with("@2 error division_by_zero: add.ratio")
            || lines[1].starts_with("error division_by_zero: add.ratio"),
        "{lines:?}"
    );
    let paths = driver.paths.clone();
    assert!(paths.len() == 2);
    let lines = driver.come(0, 3, &[Value::Null, Value::Bigint(1)]);
    assert_eq!(lines, ["error null_key: a column of the key is NULL"]);
    assert_eq!(driver.come_late(1, 1, &row("a", 9)), ["late: right a null 9 00:00:00.000002"]);
    driver.come(0, 4, &row("b", 7));
    assert_eq!(driver.advance(i64::MAX), ["@14 main: b null 8", "@14 unmatched_left: b 7"]);
}

#[test]
fn a_pair_is_the_same_row_whichever_side_comes_last_and_however_often() {
    let mut sides = sides::Sides::default();
    let bounds = Bounds { before: 5, after: 5, first: true };
    let row = |time: i64| sides::Row { time, origin: (0, time as u64, 0), taken: false, body: Arc::from(&[1u8][..]) };
    let mut joined = Vec::new();
    sides.arrive(Side::Left, row(0), &bounds, &mut joined);
    sides.arrive(Side::Right, row(3), &bounds, &mut joined);
    sides.arrive(Side::Right, row(4), &bounds, &mut joined);
    assert_eq!(joined.iter().map(|row| (row.time, row.body.len())).collect::<Vec<_>>(), [(0, 1)]);
    // The second one had a partner too, though another had it first: it is nobody's orphan.
    let mut alone = Vec::new();
    sides.due(9, &bounds, &mut alone);
    assert!(alone.is_empty());
    assert_eq!((sides.rows(Side::Left), sides.rows(Side::Right)), (0, 0));
    assert_eq!(sides.next_deadline(&bounds), None);
}

#[test]
fn a_joined_row_is_the_same_whichever_side_came_last() {
    let toml = "key = 'k'\nkeep = ['l', 'r']\nwithin = { before = '9us', after = '9us' }";
    let paths = [[(0, 0, 5), (1, 0, 3)], [(1, 0, 3), (0, 0, 5)]].map(|events| {
        let mut driver = rig().driver(&Join, toml);
        let told = events.map(|event| feed(&mut driver, event.0, event));
        assert!(told[0].is_empty());
        assert!(told[1] == ["main: 0 1"] || told[1] == ["@5 main: 0 1"], "{told:?}");
        driver.paths.clone()
    });
    assert_eq!(paths[0], paths[1]);
}

#[test]
fn what_is_wrong_is_said() {
    let base = "key = 'k'\nkeep = ['l']\n";
    let first = |rest: &str| rig().problems(&Join, &format!("{base}{rest}")).remove(0);
    assert!(first("").contains("has no bound in time"));
    assert!(first("within = {}").contains("has no bound in time"));
    assert!(first("within = '10m'").contains("must be a table"));
    assert!(first("within = { afer = '10m' }").contains("did you mean `after`?"));
    assert!(first("within = { after = '-10m' }").contains("must be a duration"));
    assert!(first("within = { after = '1m' }\nttl = '1h'").contains("for `match = \"latest\"` only"));
    assert!(first("within = { after = '1m' }\nmatch = 'lates'").contains("did you mean \"latest\"?"));
    assert!(first("within = { after = '1m' }\nouter = 'both'").contains("allowed are"));
    assert!(first("match = 'latest'").contains("how old a right row may be"));
    assert!(first("match = 'latest'\nwithin = { before = '1m', after = '1m' }").contains("`after` has no meaning"));
    assert!(first("match = 'latest'\nouter = 'full'\nttl = 'never'").contains("only looked up"));
    let keep =
        |keep: &str| rig().problems(&Join, &format!("key = 'k'\nwithin = {{ after = '1m' }}\nkeep = {keep}")).remove(0);
    assert!(keep("['k']").contains("a column of `left` and of `right`"));
    assert!(keep("['left.*', 'right.*']").contains("two columns that are called `k`"));
    assert!(keep("['rigth.r']").contains("did you mean `right`?"));
    assert!(keep("['*']").contains("whose columns?"));
    assert!(keep("[]").contains("has no columns"));
    let rest = "key = 'k'\nkeep = ['k']\nwithin = { after = '1m' }";
    assert!(Rig::new(&[("a", LEFT)]).problems(&Join, rest)[0].contains("joins two streams, found 1"));
    assert!(Rig::new(&[("a", LEFT), ("a", LEFT)]).problems(&Join, rest)[0].contains("joined with itself"));
}
