//! The parts of the bench: each runs the engine and the loop written by hand in turn.

use super::by_hand::{ByHand, ROWS, SPENT};
use super::engine::{Engine, pin};
use super::feed::{Payments, Random};
use super::table::{Table, median};
use super::{Size, allocations};
use sferic::latency::Recorder;
use sferic::tuple::{Arena, Column, DataType, Frame, Layout};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

fn topology(text_keys: bool, aggregate_tasks: &str) -> String {
    format!(
        r#"
name = "fraud"
[spouts.payments]
kind = "memory"
text = {text_keys}
[bolts.card]
kind = "aggregate"
from = "payments"
key  = "card"
ttl  = "90d"
{aggregate_tasks}
add.n     = "count(*) over '60s'"
add.spent = "sum(amount) over '60s'"
[bolts.hits]
kind  = "filter"
from  = "card"
where = "n >= {ROWS} and spent > {SPENT}"
[bolts.out]
kind = "null"
from = "hits"
"#
    )
}

fn payments(size: &Size) -> Arc<Payments> {
    // 6 us: a window of 60 s holds ten million payments.
    Arc::new(Payments::new(size.cards, size.drawn, if size.tiny { 6_000 } else { 6 }))
}

/// Nanoseconds: of this thread alone, so that others on its core do not count, or of the wall.
fn nanos(own: bool) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let clock = if own { libc::CLOCK_THREAD_CPUTIME_ID } else { libc::CLOCK_MONOTONIC };
    // SAFETY: the pointer is that of a live timespec.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds for each payment of a round, by hand and by the engine, and the ratio; asserts that both found the same.
/// `own`: of the thread's time.
fn alternate(
    size: &Size,
    own: bool,
    mut by_hand: impl FnMut(u64, u64) -> u64,
    mut engine: impl FnMut(u64) -> u64,
) -> (f64, f64, f64) {
    by_hand(0, size.warm);
    engine(size.warm);
    let (mut hand, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = size.warm;
    for _ in 0..size.rounds {
        let to = at + size.round;
        let start = nanos(own);
        let expected = by_hand(at, to);
        let between = nanos(own);
        let hits = engine(to);
        let end = nanos(own);
        assert_eq!(hits, expected, "after {to} payments");
        assert!(hits > 0);
        hand.push((between - start) / size.round as f64);
        ours.push((end - between) / size.round as f64);
        ratios.push((between - start) / (end - between));
        at = to;
    }
    (median(hand), median(ours), median(ratios))
}

fn throughput_row(table: &mut Table, aim: &str, wanted: f64, (hand, ours, ratio): (f64, f64, f64)) {
    let text = |nanos: f64| format!("{nanos:.0} ns ({:.1} M/s)", 1e3 / nanos);
    table.row(aim, text(ours), text(hand), Some(ratio), Some(ratio >= wanted));
}

/// Everything on one thread.
pub fn fused(size: &Size, table: &mut Table) {
    let payments = payments(size);
    let (mut by_hand, mut ages) = (ByHand::new(size.cards, size.cells, false), Recorder::new());
    let mut engine = Engine::new(&topology(false, ""), &payments, 1);
    let result = alternate(
        size,
        true,
        |from, to| {
            pin(1);
            by_hand.run::<false>(&payments, from, to, &mut ages);
            by_hand.hits
        },
        |to| {
            engine.run(to, 0);
            engine.hits()
        },
    );
    throughput_row(table, "fused on one thread: 0.7 of by hand", 0.7, result);
}

/// Over one ring.
pub fn over_a_ring(size: &Size, table: &mut Table) {
    let payments = payments(size);
    let (mut by_hand, mut ages) = (ByHand::new(size.cards, size.cells, false), Recorder::new());
    let mut engine = Engine::new(&topology(false, "tasks = 1"), &payments, 2);
    let result = alternate(
        size,
        false,
        |from, to| {
            by_hand.run_over_ring(&payments, from, to, 0, &mut ages);
            by_hand.hits
        },
        |to| {
            engine.run(to, 0);
            engine.hits()
        },
    );
    throughput_row(table, "over one ring, two threads: 0.6 of by hand", 0.6, result);
}

/// With keys of sixteen digits.
pub fn text_keys(size: &Size, table: &mut Table) {
    let payments = payments(size);
    let (mut by_hand, mut ages) = (ByHand::new(size.cards, size.cells, true), Recorder::new());
    let mut engine = Engine::new(&topology(true, ""), &payments, 1);
    let result = alternate(
        size,
        true,
        |from, to| {
            pin(1);
            by_hand.run::<true>(&payments, from, to, &mut ages);
            by_hand.hits
        },
        |to| {
            engine.run(to, 0);
            engine.hits()
        },
    );
    throughput_row(table, "text keys, one thread: 0.6 of by hand", 0.6, result);
}

/// What a tuple costs that is alone in its run, as at low rates, and what an empty step costs; once with the state of a
/// million keys, once with so few that all of it is near.
pub fn single(size: &Size, table: &mut Table) {
    let near = Size { cards: 1_000.min(size.cards), drawn: 20_000, warm: 30_000, cells: 1 << 24, ..*size };
    for (name, size, step) in [("few keys", &near, 6_000), ("all keys", size, if size.tiny { 6_000 } else { 6 })] {
        let payments = Arc::new(Payments::new(size.cards, size.drawn, step));
        let (mut by_hand, mut ages) = (ByHand::new(size.cards, size.cells, false), Recorder::new());
        let mut engine = Engine::new(&topology(false, ""), &payments, 1);
        engine.run(size.warm, 0);
        let (hand, ours, ratio) = alternate(
            size,
            true,
            |from, to| {
                pin(1);
                by_hand.run::<false>(&payments, from, to, &mut ages);
                by_hand.hits
            },
            |to| {
                engine.run_singly(to);
                engine.hits()
            },
        );
        let text = |nanos: f64| format!("{nanos:.0} ns");
        table.row(&format!("runs of one tuple, {name}"), text(ours), text(hand), Some(1.0 / ratio), None);
        let start = nanos(true);
        engine.idle(size.round);
        let idle = (nanos(true) - start) / size.round as f64;
        table.row(&format!("an empty step, {name}"), format!("{idle:.1} ns"), String::new(), None, None);
    }
}

/// At fixed rates, from the intended time.
pub fn latency(size: &Size, table: &mut Table) {
    for threads in [1, 2] {
        let payments = payments(size);
        let mut by_hand = ByHand::new(size.cards, size.cells, false);
        let tasks = if threads == 2 { "tasks = 1" } else { "" };
        let mut engine = Engine::new(&topology(false, tasks), &payments, threads);
        pin(1);
        by_hand.run::<false>(&payments, 0, size.warm, &mut Recorder::new());
        engine.run(size.warm, 0);
        let mut at = size.warm;
        for rate in [100_000u64, 500_000, 1_000_000] {
            let (mut hand, mut ours) = (Recorder::new(), Recorder::new());
            // Turn and turn about; the first tenth of a second warms up and is dropped.
            for turn in 0..5 {
                let to = at + (rate as f64 * size.seconds / 4.0) as u64;
                let mut ages = Recorder::new();
                let period = 1_000_000_000 / rate;
                match threads {
                    1 => {
                        pin(1);
                        by_hand.run_at(&payments, at, to, period, &mut ages);
                    }
                    _ => by_hand.run_over_ring(&payments, at, to, period, &mut ages),
                }
                engine.forget_ages();
                engine.run(to, period);
                if turn > 0 {
                    hand.merge(&ages);
                    ours.merge(engine.ages());
                }
                at = to;
            }
            assert_eq!(engine.hits(), by_hand.hits);
            let (h, o) = (hand.windows(), ours.windows());
            let (hp, op) = (hand.summary().p50, ours.summary().p50);
            let place = if threads == 1 { "one thread" } else { "over a ring" };
            table.row(
                &format!("{rate}/s, {place}: p50 under 0.6 us"),
                format!("{op} ns"),
                format!("{hp} ns"),
                Some(op as f64 / hp.max(1) as f64),
                Some(op < 600),
            );
            let ratio = o.p99.p10 as f64 / h.p99.p10.max(1) as f64;
            table.row(
                &format!("{rate}/s, {place}: p99 of windows at most twice"),
                format!("{} ns", o.p99.p10),
                format!("{} ns", h.p99.p10),
                Some(ratio),
                Some(ratio <= 2.0),
            );
        }
    }
}

/// Allocations in the steady state, and a rule of three terms.
pub fn allocations_and_small_things(size: &Size, table: &mut Table) {
    for (name, text_keys, threads) in [("", false, 1), (", text keys", true, 1), (", over a ring", false, 2)] {
        // Ten thousand cards whose windows are soon full.
        let payments = Arc::new(Payments::new(10_000, 400_000, 600));
        let tasks = if threads == 2 { "tasks = 1" } else { "" };
        let mut engine = Engine::new(&topology(text_keys, tasks), &payments, threads);
        engine.run(1_300_000, 0);
        // What starting and stopping the threads of a part allocates is not the engine's.
        let before = allocations();
        engine.run(1_300_001, 0);
        let start = allocations() - before;
        let before = allocations();
        engine.run(2_100_000, 0);
        let made = (allocations() - before).saturating_sub(start);
        table.row(
            &format!("no allocation for a tuple{name}"),
            format!("{made} in 800,000"),
            String::new(),
            None,
            Some(made == 0),
        );
    }
    rule(size, table);
}

fn rule(size: &Size, table: &mut Table) {
    let columns = [("amount", DataType::Double), ("country", DataType::Text), ("home", DataType::Text)]
        .into_iter()
        .chain([("hour", DataType::Bigint)])
        .map(|(name, ty)| Column::new(name, ty).not_null())
        .collect::<Vec<_>>();
    let scope: Vec<_> = columns.iter().map(|column| sferic::expr::ScopeColumn { stream: "p", column }).collect();
    let environment = Default::default();
    let scope = sferic::expr::Scope { columns: &scope, environment: &environment };
    let checked = sferic::expr::check("amount > 500 and country <> home and hour < 6", &scope).expect("a good rule");
    let layout = Layout::new(4);
    let rule = checked.value.compile(&|column| layout.slot(column));
    let arena = Arena::new();
    let mut random = Random(7);
    let rows: Vec<(f64, u64, u64, i64)> = (0..4096)
        .map(|_| (random.below(1000) as f64, random.below(2), random.below(2), random.below(24) as i64))
        .collect();
    let words: Vec<Vec<u64>> = rows
        .iter()
        .map(|(amount, country, home, hour)| {
            let mut words = vec![0; layout.words()];
            let frame = Frame::from_words_mut(&mut words);
            frame.set(layout.slot(0), amount.to_bits());
            frame.set(layout.slot(1), arena.store(["DE", "FR"][*country as usize]).0);
            frame.set(layout.slot(2), arena.store(["DE", "FR"][*home as usize]).0);
            frame.set(layout.slot(3), *hour as u64);
            words
        })
        .collect();
    let expected = rows.iter().filter(|(a, c, h, hour)| *a > 500.0 && c != h && *hour < 6).count();
    let turns = if size.tiny { 3 } else { 300 };
    let mut nanos = Vec::new();
    for _ in 0..turns {
        let start = Instant::now();
        let found = words.iter().filter(|w| rule.test(Frame::from_words(w), &arena).expect("it cannot fail")).count();
        nanos.push(start.elapsed().as_nanos() as f64 / words.len() as f64);
        assert_eq!(black_box(found), expected);
    }
    let nanos = median(nanos);
    table.row("a rule of 3 terms under 8 ns", format!("{nanos:.1} ns"), String::new(), None, Some(nanos < 8.0));
}

/// What a further filter or select costs a tuple that passes it.
pub fn hop(size: &Size, table: &mut Table) {
    const HOPS: usize = 8;
    let bare = "name = \"hop\"\n[spouts.payments]\nkind = \"memory\"\n".to_owned();
    let chain = |option: &str, kind: &str| {
        let mut text = bare.clone();
        let mut from = "payments".to_owned();
        for n in 0..HOPS {
            text += &format!("[bolts.b{n}]\nkind = \"{kind}\"\nfrom = \"{from}\"\n{option}\n");
            from = format!("b{n}");
        }
        text + &format!("[bolts.out]\nkind = \"null\"\nfrom = \"{from}\"\n")
    };
    let payments = Arc::new(Payments::new(1_000, 20_000, 6));
    let none = bare.clone() + "[bolts.out]\nkind = \"null\"\nfrom = \"payments\"\n";
    let rounds = if size.tiny { 2 } else { 15 };
    for (name, kind, option) in
        [("filter", "filter", "where = \"amount >= 0\""), ("select", "select", "keep = [\"payments.*\"]")]
    {
        let option = if kind == "select" { "keep = [\"id\", \"card\", \"amount\"]" } else { option };
        let mut without = Engine::new(&none, &payments, 1);
        let mut with = Engine::new(&chain(option, kind), &payments, 1);
        let mut hops = Vec::new();
        let mut to = 0;
        for _ in 0..rounds {
            to += size.round;
            let time = |engine: &mut Engine| {
                let start = nanos(true);
                engine.run(to, 0);
                let took = nanos(true) - start;
                assert_eq!(engine.hits(), to);
                took / size.round as f64
            };
            let base = time(&mut without);
            hops.push((time(&mut with) - base) / HOPS as f64);
        }
        let nanos = median(hops);
        let aim = format!("a fused hop ({name}) under 10 ns");
        table.row(&aim, format!("{nanos:.1} ns"), String::new(), None, Some(nanos < 10.0));
    }
}

/// Memory over many tuples with bounded keys, and the longest step.
pub fn memory(size: &Size, table: &mut Table) {
    let payments = Arc::new(Payments::new(size.cards.min(100_000), size.drawn, if size.tiny { 6_000 } else { 60 }));
    let mut engine = Engine::new(&topology(false, ""), &payments, 1);
    let mut resident = Vec::new();
    for quarter in 1..=4 {
        engine.run(size.long * quarter / 4, 0);
        resident.push(resident_mib());
    }
    let flat = resident[3] <= resident[0] * 1.02;
    let shown: Vec<String> = resident.iter().map(|m| format!("{m:.0}")).collect();
    let aim = format!("memory flat over {} M tuples", size.long / 1_000_000);
    table.row(&aim, format!("{} MiB", shown.join(" ")), String::new(), None, Some(flat));
    let longest = engine.executors[0].meter.longest_step_ns as f64 / 1e6;
    table.row("no step over 1 ms (the host's stalls included)", format!("{longest:.1} ms"), String::new(), None, None);
}

fn resident_mib() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|p| p.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0 / 1048576.0
}
