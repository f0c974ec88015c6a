use super::windows::{self, AllDeclared, Declared};
use super::{Aggregate, plan, task::Task};
use crate::bolts::rig::{self, Rig, Shelf};
use crate::component::{Bolt, BoltBuild, BoltCheck, BoltPlan, Flow, InputStream, Options, Step};
use crate::expr::Environment;
use crate::problem::{Problems, Span};
use crate::store::MemoryStore;
use crate::tuple::{Arena, Column, DataType, Layout, Run, Slot, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn rig() -> Rig {
    Rig::new(&[("s", &[("k", DataType::Text), ("x", DataType::Bigint)])])
}

fn row(k: &str, x: i64) -> [Value; 2] {
    [Value::Text(k.to_owned()), Value::Bigint(x)]
}

#[test]
fn rows_leave_with_the_results_of_their_key() {
    let mut driver = rig().driver(
        &Aggregate,
        "key = 'k'\nwindow = { rolling = '10s' }\nadd.n = 'count(*)'\nadd.total = 'sum(x)'\nadd.big = 'total > 5'",
    );
    let second = 1_000_000;
    assert_eq!(driver.feed(0, 0, &row("a", 3)), ["main: a 3 1 3 false"]);
    assert_eq!(driver.feed(0, 10 * second, &row("a", 4)), ["main: a 4 2 7 true"]);
    assert_eq!(driver.feed(0, 10 * second, &row("b", 1)), ["main: b 1 1 1 false"]);
    assert_eq!(driver.feed(0, 10 * second + 1, &row("a", 1)), ["main: a 1 2 5 false"]);
    assert_eq!(driver.feed(0, 9 * second, &row("a", 1)), ["late: a 1 00:00:01.000001"]);
    assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Bigint(1)]), ["error null_key: a column of the key is NULL"]);
}

#[test]
fn a_row_that_fails_leaves_no_trace() {
    let mut driver = rig().driver(&Aggregate, "key = 'k'\nttl = 'never'\nadd.n = 'count(*)'\nadd.d = '100 / x'");
    assert_eq!(driver.feed(0, 0, &row("a", 1)), ["main: a 1 1 100"]);
    assert_eq!(driver.feed(0, 1, &row("a", 0)).len(), 1);
    assert_eq!(driver.feed(0, 2, &row("a", 2)), ["main: a 2 2 50"]);
}

#[test]
fn lag_sees_added_columns_of_earlier_rows() {
    let mut driver = rig().driver(
        &Aggregate,
        "key = 'k'\nttl = 'never'\nadd.total = 'coalesce(lag(total)::bigint, 0) + x'\nadd.before = 'lag(x, 2, -1)'",
    );
    let lines = [1, 2, 3].map(|x| driver.feed(0, x, &row("a", x)).remove(0));
    assert_eq!(lines, ["main: a 1 1 -1", "main: a 2 3 -1", "main: a 3 6 1"]);
}

#[test]
fn a_filter_keeps_its_argument_from_failing() {
    let toml = "key = 'k'\nkeep = []\nadd.s = \"sum(10 / x) filter (where x <> 0) over '2 rows'\"";
    let mut driver = rig().driver(&Aggregate, toml);
    assert_eq!(driver.feed(0, 0, &row("a", 5)), ["main: 2"]);
    assert_eq!(driver.feed(0, 1, &row("a", 0)), ["main: 2"]);
    assert_eq!(driver.feed(0, 2, &row("a", 10)), ["main: 1"]);
}

#[test]
fn windows_are_checked() {
    let problems = |toml: &str| rig().problems(&Aggregate, toml).join("\n");
    assert!(problems("key = 'k'\nadd.n = 'count(*)'").contains("has no `ttl`"));
    assert!(problems("key = 'k'\nadd.n = 'lag(x)'\nwindow = { rolling = '1h' }").contains("has no `ttl`"));
    assert!(problems("window = { tumbling = '1h' }\nkey = 'k'\nadd.n = 'x + 1'").contains("of which row?"));
    assert!(problems("window = { tumbling = '1h' }\nadd.n = 'lag(x)'").contains("has no previous row"));
    assert!(problems("window = { tumbling = '1h' }\nadd.n = \"sum(x) over '1m'\"").contains("stands alone"));
    assert!(problems("window = { tumbling = '1h' }\nadd.n = 'max(window_end)'").contains("not of its rows"));
    assert!(
        problems("window = { tumbling = '1h', sesion = '1m' }\nadd.n = 'count(*)'").contains("did you mean `session`?")
    );
    assert!(problems("window = { tumbling = '1h', session = '1m' }\nadd.n = 'count(*)'").contains("of two kinds"));
    assert!(problems("window = { rolling = '1h', empty = true }\nadd.n = 'count(*)'").contains("does not fit"));
    assert!(problems("window = { hopping = '1h' }\nadd.n = 'count(*)'").contains("every how much?"));
    assert!(problems("window = { hopping = '1h', every = '2h' }\nadd.n = 'count(*)'").contains("would be in none"));
    assert!(problems("window = { tumbling = '1h', zone = 'Mars/Base' }\nadd.n = 'count(*)'").contains("a time zone"));
    assert!(
        problems("window = { tumbling = '1h', zone = 'UTC' }\nadd.n = 'count(*)'").contains("days, weeks and months")
    );
    assert!(problems("key = 'k'\nwindow = { tumbling = '1h', empty = true }\nadd.n = 'count(*)'").contains("no `ttl`"));
    assert!(
        problems("key = 'k'\nttl = '1h'\nwindow = { tumbling = '1h' }\nadd.n = 'count(*)'").contains("leave `ttl` out")
    );
    assert!(problems("window = { tumbling = '20 rows', lateness = '1s' }\nadd.n = 'count(*)'").contains("counts rows"));
    assert!(problems("windows.a = { session = '1h' }\nadd.n = 'count(*) over a'").contains("stands alone"));
    assert!(problems("windows.day = { rolling = '1d' }\nadd.n = 'count(*) over dya'").contains("did you mean `day`?"));
    assert!(problems("window = { rolling = 'x' }\nadd.n = 'count(*)'").contains("rolling"));
    assert!(problems("order = 'tmie'\nadd.n = 'count(*)'").contains("did you mean \"time\"?"));
    assert_eq!(problems("add.n = 'count(*)'"), "");
}

/// Two inputs: `a (k, x)` and `b (n, y)`.
fn two() -> Rig {
    let columns = |x: &'static str| [("k", DataType::Text), (x, DataType::Bigint)];
    Rig::new(&[("a", &columns("x")), ("b", &columns("y"))])
}

const TWO: &str = "key = 'k'\nat = 'a'\nttl = '1d'\nadd.n = \"count(b.*) over '10us'\"\nadd.y = \"last(y) over '10us'\"\nadd.all = 'count(*)'\nadd.own = 'sum(x)'";

#[test]
fn a_row_leaves_for_each_of_the_input_at_which_others_are_looked_at() {
    let mut driver = two().driver(&Aggregate, TWO);
    assert_eq!(driver.feed(0, 0, &row("a", 5)), ["main: a 5 0 null 1 5"]);
    assert_eq!(driver.feed(1, 1, &row("a", 7)), Vec::<String>::new());
    assert_eq!(driver.feed(1, 2, &row("b", 8)), Vec::<String>::new());
    assert_eq!(driver.feed(0, 3, &row("a", 6)), ["main: a 6 1 7 3 11"]);
    assert_eq!(driver.feed(1, 4, &[Value::Text("a".to_owned()), Value::Null]), Vec::<String>::new());
    assert_eq!(driver.feed(0, 12, &row("a", 1)), ["main: a 1 1 null 5 12"]);
    assert_eq!(driver.feed(0, 2, &row("a", 1)), ["late: a 1 00:00:00.00001"]);
    let problems = |toml: &str| two().problems(&Aggregate, toml).join("\n");
    let with = |add: &str| problems(&format!("key = 'k'\nat = 'a'\nttl = '1d'\n{add}"));
    assert!(problems("at = 'c'\nadd.n = 'count(*)'").contains("no input"));
    assert!(with("add.n = 'y + 1'").contains("last(b.y)"));
    assert!(with("windows.r = { run = 'x' }\nadd.n = 'count(*) over r'").contains("of which input?"));
    assert!(with("add.n = \"sum(x) filter (where y > 0) over '1s'\"").contains("two inputs"));
    assert!(with("add.m = 'x + 1'\nadd.n = 'sum(m + y)'").contains("added column"));
    let closing = problems("key = 'k'\nat = 'a'\nwindow = { tumbling = '1s' }\nadd.n = 'count(*)'");
    assert!(closing.contains("no row leaves for a row"), "{closing}");
}

#[test]
fn windows_by_rows_hold_rows_of_the_input_that_is_looked_at() {
    let toml = "key = 'k'\nat = 'a'\nttl = '1d'\nadd.n = \"sum(y) over '2 rows'\"\nadd.own = \"sum(x) over '2 rows'\"\nadd.all = \"count(*) over '3 rows'\"\nadd.before = 'lag(x)'\nadd.last = 'lag(y)'\nadd.older = 'lag(y, 2, -1)'";
    let backend = Arc::new(MemoryStore::default());
    let mut shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = two().on(&shelf).driver(&Aggregate, toml);
    assert_eq!(driver.feed(0, 0, &row("a", 1)), ["main: a 1 null 1 1 null null -1"]);
    for (time, y) in [(1, 10), (2, 20), (3, 40)] {
        assert_eq!(driver.feed(1, time, &row("a", y)), Vec::<String>::new());
    }
    assert_eq!(driver.feed(0, 4, &row("a", 2)), ["main: a 2 60 3 3 1 40 20"]);
    assert_eq!(driver.feed(1, 5, &row("a", 80)), Vec::<String>::new());
    shelf.commit(&mut driver, 5);
    // All that is kept is read back by a new task.
    drop(driver);
    shelf = Shelf::open(&backend, 1 << 20);
    let mut driver = two().on(&shelf).driver(&Aggregate, toml);
    assert_eq!(driver.feed(0, 6, &row("a", 4)), ["main: a 4 120 6 3 2 80 40"]);
}

/// The same over all rows of the key.
fn of_all() -> String {
    TWO.replace(" over '10us'", "")
}

/// What a bolt in order leaves over rows of two inputs, with a restart after every so many.
fn in_order(rows: &[(i64, usize, usize, i64)], every: usize) -> Vec<String> {
    const DISORDER: i64 = 6;
    let toml = format!("{}\norder = 'time'", of_all());
    let backend = Arc::new(MemoryStore::default());
    let mut shelf = (every > 0).then(|| Shelf::open(&backend, 1 << 20));
    let on = |shelf: &Option<Shelf>| match shelf {
        Some(shelf) => two().on(shelf),
        None => two(),
    };
    let mut driver = on(&shelf).driver(&Aggregate, &toml);
    let (mut watermark, mut out) = (i64::MIN, Vec::new());
    for (n, (time, input, key, x)) in rows.iter().enumerate() {
        watermark = watermark.max(time - DISORDER);
        out.extend(driver.advance(watermark));
        out.extend(driver.come_late(*input, *time, &row(["a", "b"][*key], *x)));
        if let Some(open) = &shelf
            && n % every == every - 1
        {
            open.commit(&mut driver, watermark);
            drop(driver);
            shelf = Some(Shelf::open(&backend, 1 << 20));
            driver = on(&shelf).driver(&Aggregate, &toml);
        }
    }
    out.extend(driver.advance(i64::MAX));
    out
}

proptest! {
    #[test]
    fn rows_in_order_give_what_sorted_rows_give(
        rows in prop::collection::vec((-6i64..4, 0usize..2, 0usize..2, 0i64..9), 1..50),
        every in 0usize..9,
    ) {
        let mut now = 0;
        let rows: Vec<(i64, usize, usize, i64)> = rows.iter().map(|(ahead, input, key, x)| {
            let time = now + ahead;
            now = now.max(time);
            (time, *input, *key, *x)
        }).collect();
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| (row.0, row.1));
        let mut driver = two().driver(&Aggregate, &of_all());
        let mut wanted: Vec<String> = sorted
            .iter()
            .flat_map(|(time, input, key, x)| driver.feed(*input, *time, &row(["a", "b"][*key], *x)))
            .collect();
        let untimed = |line: String| line.split_once(' ').filter(|_| line.starts_with('@')).map(|(_, row)| row.to_owned()).unwrap_or(line);
        let mut found: Vec<String> = in_order(&rows, every).into_iter().map(untimed).collect();
        // At one time keys come in their own order.
        wanted.sort();
        found.sort();
        prop_assert_eq!(found, wanted);
    }
}

/// A task over (k bigint, x bigint) with its run.
fn task(toml: &str) -> (Task, Run, [Slot; 2], Vec<Slot>) {
    let table = rig::table(toml);
    let problems = Problems::new();
    let columns = ["k", "x"].map(|name| Column::new(name, DataType::Bigint));
    let inputs = [InputStream { name: "s".to_owned(), columns: columns.to_vec(), disorder: 0 }];
    let check = BoltCheck {
        name: "b",
        options: Options { component: "bolts.b", span: Span::default(), table: &table, problems: &problems },
        inputs: &inputs,
        key: &[vec![0]],
        environment: &Environment::default(),
        folder: std::path::Path::new("."),
        data_dir: None,
        topology: "t",
    };
    let Some(AllDeclared { own: Declared::Open(own), named, values }) = windows::declared(&check) else {
        panic!("it is open")
    };
    let plan = plan(&check, own, &named, values).unwrap();
    let layout = Layout::new(16);
    let input = [layout.slot(0), layout.slot(1)];
    let main: Vec<Slot> = (0..plan.outputs()[0].columns.len()).map(|at| layout.slot(at)).collect();
    let outputs = [main.clone(), input.to_vec()];
    let scratch: Vec<Slot> = (0..plan.scratch()).map(|at| layout.slot(15 - at)).collect();
    let key = [vec![(input[0], DataType::Bigint)]];
    let inputs = [input.to_vec()];
    let build = BoltBuild {
        name: "b",
        inputs: &inputs,
        outputs: &outputs,
        scratch: &scratch,
        key: &key,
        task: 0,
        tasks: 1,
        space: None,
    };
    (Task::new(&plan, &build).unwrap(), Run::new(layout), input, main)
}

/// Steps through a run of (time, key, x), looked up first or not: the added columns, none for an error.
fn follow(
    task: &mut Task,
    run: &mut Run,
    slots: (&[Slot; 2], &[Slot]),
    rows: &[(i64, i64, i64)],
    resolve: bool,
) -> Vec<Option<Vec<u64>>> {
    run.clear();
    for (time, key, x) in rows {
        let (frame, _) = run.push();
        frame.set_time(*time);
        frame.set(slots.0[0], *key as u64);
        frame.set(slots.0[1], *x as u64);
    }
    if resolve {
        task.resolve(0, run);
    }
    let arena = Arena::new();
    let mut out = Vec::new();
    for index in 0..run.len() {
        let (mut failure, mut deadline) = (None, i64::MAX);
        let frame = run.frame_mut(index);
        let watermark = frame.time();
        let at = if resolve { index } else { crate::tuple::RUN_TUPLES };
        let mut step = Step { index: at, watermark, arena: &arena, failure: &mut failure, deadline: &mut deadline };
        let passed = task.step(0, frame, &mut step) == Flow::Next;
        out.push(passed.then(|| slots.1[2..].iter().map(|slot| frame.word(*slot)).collect()));
    }
    out
}

#[test]
fn keys_that_never_return_give_their_places_to_new_ones() {
    let (mut task, mut run, input, main) = task("window = { rolling = '1ms' }\nadd.n = 'count(*)'\nadd.s = 'sum(x)'");
    for start in (0..400_000i64).step_by(64) {
        let rows: Vec<(i64, i64, i64)> = (start..start + 64).map(|t| (t, t, 1)).collect();
        let out = follow(&mut task, &mut run, (&input, &main), &rows, true);
        assert!(out.iter().all(|row| row.as_deref() == Some(&[1, 1][..])));
    }
    // A key lives for 1,000 rows.
    assert!(task.places() < 3_000, "{} places", task.places());
}

#[test]
fn windows_leave_when_time_has_passed_them() {
    let toml =
        "key = 'k'\nwindow = { tumbling = '10us', lateness = '10us' }\nadd.n = 'count(*)'\nadd.per = '100 / sum(x)'";
    let mut driver = rig().driver(&Aggregate, toml);
    assert_eq!(driver.come_late(0, 1, &row("b", 5)), Vec::<String>::new());
    assert_eq!(driver.come_late(0, 2, &row("a", 10)), Vec::<String>::new());
    assert_eq!(driver.come_late(0, 9, &row("c", 0)), Vec::<String>::new());
    assert_eq!(driver.advance(9), Vec::<String>::new());
    let left = driver.advance(15);
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left[0], "@9 main: a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.00001Z 0 1 10");
    assert_eq!(left[1], "@9 main: b 1970-01-01T00:00:00Z 1970-01-01T00:00:00.00001Z 0 1 20");
    assert!(left[2].starts_with("@9 error division_by_zero"), "{left:?}");
    assert_eq!(driver.come_late(0, 15, &row("a", 1)), Vec::<String>::new());
}

/// What a bolt leaves over rows (time, key, x) with time going `DISORDER` behind them, to the end.
fn windowed(toml: &str, rows: &[(i64, usize, i64)], every: usize) -> Vec<String> {
    const DISORDER: i64 = 4;
    let backend = Arc::new(MemoryStore::default());
    let mut shelf = (every > 0).then(|| Shelf::open(&backend, 1 << 20));
    let on = |shelf: &Option<Shelf>| match shelf {
        Some(shelf) => rig().on(shelf),
        None => rig(),
    };
    let mut driver = on(&shelf).driver(&Aggregate, toml);
    let (mut watermark, mut out) = (i64::MIN, Vec::new());
    for (n, (time, key, x)) in rows.iter().enumerate() {
        watermark = watermark.max(time - DISORDER);
        out.extend(driver.advance(watermark));
        let values = row(["a", "b", "c"][*key], *x);
        out.extend(driver.come_late(0, *time, &values));
        if let Some(open) = &shelf
            && n % every == every - 1
        {
            open.commit(&mut driver, watermark);
            // All that is kept is read back by a new task.
            drop(driver);
            shelf = Some(Shelf::open(&backend, 1 << 20));
            driver = on(&shelf).driver(&Aggregate, toml);
        }
    }
    out.extend(driver.advance(i64::MAX));
    out
}

proptest! {
    #[test]
    fn windows_survive_a_restart(
        rows in prop::collection::vec((prop_oneof![4 => 0i64..5, 1 => -20i64..40], 0usize..3, 0i64..9), 1..50),
        every in 1usize..9,
        window in 0usize..6,
    ) {
        let windows = [
            "{ tumbling = '7us' }", "{ tumbling = '7us', lateness = '12us' }", "{ hopping = '9us', every = '2us', lateness = '5us' }",
            "{ session = '6us', lateness = '9us' }", "{ hopping = '5 rows', every = '2 rows' }", "{ session = '6us', emit_every = '3us' }",
        ];
        let toml = format!("key = 'k'\nwindow = {}\nadd.n = 'count(*)'\nadd.s = 'sum(x)'\nadd.d = 'count(distinct x)'\nadd.l = 'last(x)'", windows[window]);
        let mut now = 0;
        let rows: Vec<(i64, usize, i64)> = rows.iter().map(|(ahead, key, x)| {
            let time = now + ahead;
            now = now.max(time);
            (time, *key, *x)
        }).collect();
        prop_assert_eq!(windowed(&toml, &rows, every), windowed(&toml, &rows, 0));
    }

    #[test]
    fn looking_keys_up_first_changes_no_answer(
        runs in prop::collection::vec(prop::collection::vec((0i64..4, 0i64..12, -1i64..6), 1..20), 1..12),
    ) {
        let toml = "window = { rolling = '10us' }\nttl = '12us'\nadd.n = 'count(*)'\nadd.s = 'sum(x)'\nadd.q = '100 / x'\nadd.l = 'coalesce(lag(x), 9)'";
        let (mut one, mut one_run, input, main) = task(toml);
        let (mut other, mut other_run, ..) = task(toml);
        let mut now = 0;
        for run in runs {
            let rows: Vec<(i64, i64, i64)> = run.iter().map(|(ahead, key, x)| {
                now += ahead;
                (now, *key, *x)
            }).collect();
            let resolved = follow(&mut one, &mut one_run, (&input, &main), &rows, true);
            let plain = follow(&mut other, &mut other_run, (&input, &main), &rows, false);
            prop_assert_eq!(resolved, plain);
        }
    }
}
