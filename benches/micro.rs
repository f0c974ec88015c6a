//! The small things on the way of a tuple, one at a time: expressions, a fused hop, the histogram of ages, the lookup of
//! keys, windows that close, the decoding of a record. Each checks its own result; `SFERIC_BENCH=tiny` makes each take
//! milliseconds.

use criterion::{BatchSize, Criterion, Throughput};
use sferic::component::{Bolt, Flow, Step};
use sferic::executor::{Node, Program, Target, Task, TaskMeter};
use sferic::expr::{AggregateFunction, Compiled, Condition, Conditions, Scope, ScopeColumn};
use sferic::latency::Recorder;
use sferic::store::{Index, KeyReader, KeyRef, Timers};
use sferic::time::{Clock, SystemClock};
use sferic::tuple::codec::{Cell, CsvSplitter, JsonPath, JsonSplitter, Root, Split};
use sferic::tuple::{Arena, Column, DataType, Frame, Layout, Run};
use sferic::window::closing::{Closing, ClosingSpec, Shape, Taken};
use sferic::window::{CallSpec, Grid};
use std::hint::black_box;
use std::time::Duration;

const COLUMNS: [(&str, DataType); 4] =
    [("amount", DataType::Double), ("country", DataType::Text), ("home", DataType::Text), ("hour", DataType::Bigint)];

fn compile(text: &str, layout: Layout) -> Compiled {
    let columns: Vec<Column> = COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty).not_null()).collect();
    let columns: Vec<_> = columns.iter().map(|column| ScopeColumn { stream: "p", column }).collect();
    let environment = Default::default();
    let scope = Scope { columns: &columns, environment: &environment };
    sferic::expr::check(text, &scope).expect("a good expression").value.compile(&|column| layout.slot(column))
}

/// 64 payments; texts live in `arena`.
fn payments(layout: Layout, arena: &Arena) -> Run {
    let mut run = Run::new(layout);
    for n in 0..64u64 {
        let (frame, _) = run.push();
        frame.set(layout.slot(0), (n as f64 * 16.0).to_bits());
        frame.set(layout.slot(1), arena.store(["DE", "FR"][n as usize % 2]).0);
        frame.set(layout.slot(2), arena.store("DE").0);
        frame.set(layout.slot(3), n % 24);
    }
    run
}

fn expressions(c: &mut Criterion) {
    let (layout, arena) = (Layout::new(4), Arena::new());
    let run = payments(layout, &arena);
    let mut group = c.benchmark_group("expression, 64 tuples");
    group.throughput(Throughput::Elements(64));
    let rules = [
        ("one term", "amount > 500", 32),
        ("three terms", "amount > 500 and country <> home and hour < 6", 3),
        ("arithmetic", "(amount * 2 - 10) / 3 >= 330 and hour % 2 = 0", 16),
    ];
    for (name, text, expected) in rules {
        let rule = compile(text, layout);
        let count = || (0..64).filter(|n| rule.test(run.frame(*n), &arena).expect("it cannot fail")).count();
        assert_eq!(count(), expected, "{text}");
        group.bench_function(name, |b| b.iter(|| black_box(count())));
    }
    group.finish();
}

/// A thousand conditions of which one in a hundred is true, against one, and against evaluating all of them.
fn many_conditions(c: &mut Criterion) {
    const COUNT: usize = 1000;
    let (layout, arena) = (Layout::new(4), Arena::new());
    let run = payments(layout, &arena);
    let columns: Vec<Column> = COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty).not_null()).collect();
    let columns: Vec<_> = columns.iter().map(|column| ScopeColumn { stream: "p", column }).collect();
    let environment = Default::default();
    let scope = Scope { columns: &columns, environment: &environment };
    let mut group = c.benchmark_group("many conditions, 64 tuples");
    group.throughput(Throughput::Elements(64));
    // Of a hundred ranges that divide the amounts, each tuple lies in one; ten rules have the same.
    let text = |n: usize| {
        let low = (n % 100) as f64 * 10.24;
        format!("amount >= {low:.2} and amount < {:.2} and hour < 24", low + 10.24)
    };
    let check = |n: usize| sferic::expr::check(&text(n), &scope).expect("a good expression").value;
    let conditions = |count: usize| (0..count).map(|n| Condition { expr: Some(check(n)), every: false });
    for (name, count) in [("one", 1), ("a thousand, indexed", COUNT)] {
        let mut compiled = Conditions::new(conditions(count)).compile(&|column| layout.slot(column));
        let mut fired = || {
            let mut fired = 0;
            for n in 0..64 {
                compiled.test(run.frame(n), &arena, |_, result| {
                    fired += usize::from(result == Ok(true));
                    true
                });
            }
            fired
        };
        assert_eq!(fired(), if count == 1 { 1 } else { 640 });
        group.bench_function(name, |b| b.iter(|| black_box(fired())));
    }
    let all: Vec<Compiled> = (0..COUNT).map(|n| check(n).compile(&|column| layout.slot(column))).collect();
    let fired = || -> usize {
        let of = |n| all.iter().filter(|when| when.test(run.frame(n), &arena) == Ok(true)).count();
        (0..64).map(of).sum()
    };
    assert_eq!(fired(), 640);
    group.bench_function("a thousand, one by one", |b| b.iter(|| black_box(fired())));
    group.finish();
}

struct Pass;

impl Bolt for Pass {
    fn step(&mut self, _: usize, _: &mut Frame, _: &mut Step<'_>) -> Flow {
        Flow::Next
    }
}

/// A chain of tasks that let everything pass, one behind the other.
fn chain(tasks: u16, layout: Layout) -> Program {
    let node = |task| Node { task, input: 0, filter: Some(compile("amount >= 0", layout)), rejected: None };
    let task = |n: u16| Task {
        name: "".into(),
        late: None,
        bolt: Box::new(Pass),
        number: (0, 1),
        stateful: false,
        floor: i64::MIN,
        component: usize::from(n),
        having: None,
        outputs: vec![if n + 1 < tasks { u32::from(n) + 1..u32::from(n) + 2 } else { 0..0 }, 0..0],
        errors: None,
        sink: None,
        deadline: i64::MAX,
        meter: TaskMeter { tuples_out: vec![0; 2], ..TaskMeter::default() },
    };
    let targets = (0..tasks).map(Target::Node).collect();
    Program::new(targets, (0..tasks).map(node).collect(), (0..tasks).map(task).collect(), vec![], vec![], 4096)
}

fn hops(c: &mut Criterion) {
    let (layout, arena, clock) = (Layout::new(4), Arena::new(), SystemClock::new());
    let mut run = payments(layout, &arena);
    let mut group = c.benchmark_group("fused filters, 64 tuples");
    group.throughput(Throughput::Elements(64));
    for tasks in [1u16, 9] {
        let mut program = chain(tasks, layout);
        let mut follow = || {
            for index in 0..64 {
                let around = sferic::executor::Around { arena: &arena, index, watermark: 0, clock: &clock, promise: 0 };
                program.follow::<false>(run.frame_mut(index), 0..1, &around);
            }
            program.tasks[usize::from(tasks) - 1].meter.tuples_in
        };
        let before = follow();
        assert_eq!(follow(), before + 64);
        group.bench_function(tasks.to_string(), |b| b.iter(|| black_box(follow())));
    }
    group.finish();
}

fn ages(c: &mut Criterion) {
    let (clock, mut ages, mut n) = (SystemClock::new(), Recorder::new(), 0);
    c.bench_function("age of a tuple, without the clock", |b| {
        b.iter(|| {
            n += 1;
            ages.record(1, black_box(n % 5000));
        });
    });
    assert_eq!(ages.summary().count, n);
    c.bench_function("the clock", |b| b.iter(|| black_box(clock.nanos())));
}

fn keys(c: &mut Criterion) {
    let layout = Layout::new(1);
    let mut reader = KeyReader::new(&[(layout.slot(0), DataType::Bigint)]);
    let mut keys = Index::new(false);
    let key = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    const COUNT: u64 = 1_000_000;
    let entries: Vec<u32> = (0..COUNT).map(|n| keys.insert(KeyRef::new(&key(n).to_le_bytes()))).collect();
    let mut run = Run::new(layout);
    let mut at = 0u64;
    let mut group = c.benchmark_group("keys of 64 tuples among a million");
    group.throughput(Throughput::Elements(64));
    group.bench_function("in turn", |b| {
        b.iter_batched(
            || {
                run.clear();
                (0..64).for_each(|_| {
                    at = (at + 7_919_017) % COUNT;
                    run.push().0.set(layout.slot(0), key(at));
                });
                let found = reader.read(run.frame(63)).and_then(|key| keys.find(key));
                assert_eq!(found, Some(entries[at as usize]));
                (0..64).map(|n| run.frame(n).word(layout.slot(0)).to_le_bytes()).collect::<Vec<_>>()
            },
            |words| words.iter().filter_map(|word| keys.find(KeyRef::new(word))).fold(0, u32::wrapping_add),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("a timer is set and fires");
    // So many are always set; each new one comes behind all of them, as those of one length do, or anywhere among them.
    for (name, spread) in [("in turn", 1), ("anywhere", 10_007)] {
        let (mut timers, mut key) = (Timers::new(None), Vec::new());
        const SET: i64 = 10_000;
        let deadline = |n: i64| n + n * 7919 % spread;
        let id = |n: i64| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
        (0..SET).for_each(|n| timers.set(KeyRef::new(&id(n)), deadline(n)));
        let mut at = SET;
        group.bench_function(name, |b| {
            b.iter(|| {
                timers.set(KeyRef::new(&id(at)), deadline(at));
                at += 1;
                timers.due(i64::MAX, &mut key)
            });
        });
        assert_eq!(timers.len() as i64, SET);
    }
    group.finish();
}

/// Rows of one key, a thousand in a second, through windows of a minute; the share of each row in what leaves included.
fn windows(c: &mut Criterion) {
    let call = CallSpec { argument: Some(0), ..CallSpec::new(AggregateFunction::Sum, DataType::Bigint) };
    let mut group = c.benchmark_group("a row through windows that close");
    for (name, pane, count) in [("tumbling 60s", 60_000_000, 1), ("hopping 60s every 1s", 1_000_000, 60)] {
        let shape = Shape::Panes { grid: Grid::Fixed(pane), count, hop: 1 };
        let mut closing =
            Closing::new(&ClosingSpec { shape, lateness: 0, empty: None, early: None }, std::slice::from_ref(&call));
        closing.reset(0);
        let arena = Arena::new();
        let (mut time, mut sum, mut timer) = (0i64, 0u64, i64::MAX);
        group.bench_function(name, |b| {
            b.iter(|| {
                time += 1000;
                while timer < time {
                    if closing.fire(0, timer, false).is_some() {
                        sum = closing.read(0, &arena).expect("it is in range").expect("there are rows");
                    }
                    timer = closing.next(0).unwrap_or(i64::MAX);
                }
                if matches!(closing.take(0, time, &[1], 0, time), Taken::In { changed: true, .. }) {
                    timer = closing.next(0).expect("a window is open");
                }
            });
        });
        assert!(sum == 0 || sum <= 60_000, "a window holds a minute: {sum}");
    }
    group.finish();
}

fn records(c: &mut Criterion) {
    let csv =
        b"1704067247,21f1d4bed29c27af,586980390445,adults_50up,34.7375,-77.4628,NC,gas,Conroy,74.41,35.08,-76.63,0\n";
    let json =
        br#"{"ts":1704067247,"id":"21f1d4bed29c27af","card":586980390445,"state":"NC","amount":74.41,"lat":35.08}"#;
    let mut cells = [Cell::default(); 13];
    let splitter = CsvSplitter::new(b',', 13);
    assert_eq!(splitter.split(csv, true, &mut cells), Split::Record { end: csv.len() });
    assert_eq!(cells[9].of(csv), b"74.41");
    c.bench_function("split a CSV record of 13 values", |b| {
        b.iter(|| black_box(splitter.split(black_box(csv), true, &mut cells)));
    });
    let paths = ["ts", "id", "card", "amount"].map(|key| JsonPath::of_key(Root::Document, key));
    let splitter = JsonSplitter::new(&paths, None);
    splitter.split(json, &mut cells).expect("good JSON");
    assert_eq!(cells[3].of(json), b"74.41");
    c.bench_function("split a JSON record of 6 values, 4 read", |b| {
        b.iter(|| black_box(splitter.split(black_box(json), &mut cells)));
    });
}

fn main() {
    let mut c = Criterion::default().without_plots().configure_from_args();
    if std::env::var("SFERIC_BENCH").is_ok_and(|v| v == "tiny") {
        let short = Duration::from_millis(20);
        c = c.sample_size(10).warm_up_time(short).measurement_time(short).nresamples(1001);
    }
    for part in [expressions, many_conditions, hops, ages, keys, timers, windows, records] {
        part(&mut c);
    }
    c.final_summary();
}
