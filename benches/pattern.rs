//! Rules over streams. `small small large within 60s` over a million cards (Zipf 1.0), beside the same rule written by
//! hand; what a pattern costs a row that it has nothing to do with, beside a filter; loops whose condition looks at all
//! their rows; a thousand bolts, and a thousand rules of one bolt, of which each row concerns ten. The engine's side is a
//! topology text, loaded, checked, planned, assembled and stepped as in production; only the spout, which reads from
//! memory, is the bench's own. An argument (`cargo bench --bench pattern -- loop`) runs the parts whose names contain it.
//!
//! Both sides alternate in one process, round by round; what is printed are medians and the median of the rounds'
//! ratios. `SFERIC_BENCH=tiny` makes everything small, checks the answers and judges no figure.

#[allow(dead_code)]
#[path = "fraud/engine.rs"]
mod engine;
#[allow(dead_code)]
#[path = "fraud/feed.rs"]
mod feed;
#[allow(dead_code)]
#[path = "fraud/table.rs"]
mod table;

use engine::{Engine, pin};
use feed::{Payments, Wire};
use hashbrown::HashMap;
use sferic::latency::Recorder;
use sferic::time::{Clock, SystemClock};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use table::{Table, median};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SMALL: i64 = 1_000;
const LARGE: i64 = 9_000;
const WITHIN: i64 = 60_000_000;

fn topology(bolt: &str) -> String {
    format!(
        "name = \"pattern\"\n[spouts.payments]\nkind = \"memory\"\n{bolt}\n[bolts.out]\nkind = \"null\"\nfrom = \"b\"\n"
    )
}

fn pattern(small: i64) -> String {
    topology(&format!(
        r#"
[bolts.b]
kind    = "pattern"
from    = "payments"
key     = "card"
pattern = "small small large"
within  = "60s"
define.small = "amount < {small}"
define.large = "amount >= {LARGE}"
keep         = ["large.id", "large.card", "large.amount"]
add.first    = "first(small.amount)"
"#
    ))
}

/// What is known of a card: the small payments that its last rows were, at most two.
#[derive(Clone, Copy, Default)]
struct State {
    small: u8,
    /// Event times and amounts of the last one and of the one before.
    times: [i64; 2],
    amounts: [i64; 2],
}

/// A match.
#[expect(dead_code, reason = "its fields are read by nobody but the black box")]
struct Match {
    id: u64,
    card: u64,
    amount: i64,
    first: i64,
}

/// The rule written by hand: the same payments from the same memory, one look-up in a hash map of all cards, matches
/// written as rows that somebody looks at, each payment's age recorded with one read of the clock. It keeps what is known
/// of every card for ever, which saves it from freeing anything; the engine frees a card without a partial match.
struct ByHand {
    cards: HashMap<u64, State, foldhash::fast::FixedState>,
    clock: SystemClock,
    ages: Recorder,
    hits: u64,
}

impl ByHand {
    fn new() -> ByHand {
        ByHand { cards: HashMap::default(), clock: SystemClock::new(), ages: Recorder::default(), hits: 0 }
    }

    #[inline(always)]
    fn on(&mut self, wire: &Wire, time: i64) {
        let state = self.cards.entry(wire.card).or_default();
        if wire.amount < SMALL {
            state.small = (state.small + 1).min(2);
            state.times = [time, state.times[0]];
            state.amounts = [wire.amount, state.amounts[0]];
            return;
        }
        if wire.amount >= LARGE && state.small == 2 && time - state.times[1] <= WITHIN {
            self.hits += 1;
            let Wire { id, card, amount, .. } = *wire;
            black_box(Match { id, card, amount, first: state.amounts[1] });
        }
        state.small = 0;
    }

    fn run(&mut self, payments: &Payments, from: u64, to: u64) -> u64 {
        let mut due = self.clock.nanos();
        for i in from..to {
            let (wire, time) = payments.at(i);
            self.on(wire, time);
            let now = self.clock.nanos();
            self.ages.record(now, now - due);
            due = now;
        }
        self.hits
    }
}

struct Size {
    cards: usize,
    drawn: usize,
    step: i64,
    warm: u64,
    round: u64,
    rounds: usize,
}

fn main() {
    let tiny =
        std::env::var("SFERIC_BENCH").is_ok_and(|size| size == "tiny") || std::env::args().any(|a| a == "--test");
    let size = match tiny {
        true => Size { cards: 1_000, drawn: 20_000, step: 6_000, warm: 10_000, round: 10_000, rounds: 3 },
        false => Size { cards: 1_000_000, drawn: 8_000_000, step: 6, warm: 4_000_000, round: 1_000_000, rounds: 15 },
    };
    let mut table = Table::new(tiny);
    let payments = Arc::new(Payments::new(size.cards, size.drawn, size.step));
    pin(1);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    type Part = fn(&Size, &Arc<Payments>, &mut Table);
    let parts: [(&str, Part); 4] =
        [("hand", beside_the_hand), ("filter", beside_a_filter), ("loop", loops), ("rules", many_rules)];
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            part(&size, &payments, &mut table);
        }
    }
    table.print();
}

/// Nanoseconds for each payment of `run`.
fn timed(size: &Size, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / size.round as f64
}

fn beside_the_hand(size: &Size, payments: &Arc<Payments>, table: &mut Table) {
    let (mut hand, mut engine) = (ByHand::new(), Engine::new(&pattern(SMALL), payments, 1));
    hand.run(payments, 0, size.warm);
    engine.run(size.warm, 0);
    let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=size.rounds as u64 {
        let (from, to) = (size.warm + (round - 1) * size.round, size.warm + round * size.round);
        let by_hand = timed(size, || assert!(hand.run(payments, from, to) > 0));
        let by_engine = timed(size, || engine.run(to, 0));
        assert_eq!(engine.hits(), hand.hits, "after {to} payments");
        theirs.push(by_hand);
        ours.push(by_engine);
        ratios.push(by_hand / by_engine);
    }
    let (theirs, ours, ratio) = (median(theirs), median(ours), median(ratios));
    let text = |nanos: f64| format!("{nanos:.0} ns ({:.1} M/s)", 1e3 / nanos);
    let aim = "small small large: half of by hand, 4 M/s";
    table.row(aim, text(ours), text(theirs), Some(ratio), Some(ratio >= 0.5 && ours <= 250.0));
}

fn beside_a_filter(size: &Size, payments: &Arc<Payments>, table: &mut Table) {
    let filter = topology("[bolts.b]\nkind = \"filter\"\nfrom = \"payments\"\nwhere = \"amount < 1\"");
    let (mut filter, mut pattern) = (Engine::new(&filter, payments, 1), Engine::new(&pattern(1), payments, 1));
    filter.run(size.warm, 0);
    pattern.run(size.warm, 0);
    let mut more = Vec::new();
    for round in 1..=size.rounds as u64 {
        let to = size.warm + round * size.round;
        let without = timed(size, || filter.run(to, 0));
        more.push(timed(size, || pattern.run(to, 0)) - without);
    }
    let more = median(more);
    let aim = "a row that touches nothing: under 60 ns more than a filter";
    table.row(aim, format!("{more:.0} ns"), String::new(), None, Some(more < 60.0));
}

/// A loop of so many rows over the stream as a whole, in which half of the rows are; each looks at all rows before it.
fn looping(rows: usize) -> String {
    topology(&format!(
        r#"
[bolts.b]
kind    = "pattern"
from    = "payments"
pattern = "first more{{{rows}}} last"
within  = "1h"
define.first = "id % {} = 0"
define.more  = "avg(more.amount) >= 0 and max(more.amount) >= amount and amount <> first.amount - 20000"
define.last  = "amount >= 0"
add.sum      = "sum(more.amount)"
"#,
        rows * 2
    ))
}

fn loops(size: &Size, payments: &Arc<Payments>, table: &mut Table) {
    let mut engines = [100, 1000].map(|rows| Engine::new(&looping(rows), payments, 1));
    let (mut short, mut ratios) = (Vec::new(), Vec::new());
    // Loops of a round; with a walk through all rows for each, a round of the full size would take minutes.
    let round = size.round.min(200_000);
    for number in 1..=size.rounds as u64 {
        let [a, b] = engines.each_mut().map(|engine| {
            let start = Instant::now();
            engine.run(number * round, 0);
            start.elapsed().as_nanos() as f64 / round as f64
        });
        short.push(a);
        ratios.push(b / a);
    }
    let hits = engines.each_ref().map(Engine::hits);
    assert!(hits[0] >= 9 * hits[1] && hits[1] > 0, "{hits:?}");
    let (short, ratio) = (median(short), median(ratios));
    let aim = "a row in a loop of 1000 rows costs at most twice what one in a loop of 100 does";
    table.row(
        aim,
        format!("{:.0} ns", short * ratio),
        format!("{short:.0} ns of 100"),
        Some(ratio),
        Some(ratio <= 2.0),
    );
}

/// The condition of rule `n`: of a hundred ranges that divide the amounts, each payment lies in one; ten rules of a
/// thousand have the same.
fn range(n: usize) -> String {
    let low = n % 100 * 100;
    format!("amount >= {low} and amount < {} and country < 41", low + 100)
}

/// So many bolts that read the payments, and a sink that reads all of them.
fn filters(count: usize) -> String {
    let mut text = "name = \"filters\"\n[spouts.payments]\nkind = \"memory\"\n".to_owned();
    for n in 0..count {
        let when = range(n);
        text.push_str(&format!("[bolts.f{n}]\nkind = \"filter\"\nfrom = \"payments\"\nwhere = \"{when}\"\n"));
    }
    let all: Vec<String> = (0..count).map(|n| format!("\"f{n}\"")).collect();
    text.push_str(&format!("[bolts.out]\nkind = \"null\"\nfrom = [{}]\n", all.join(", ")));
    text
}

/// One bolt of so many rules.
fn rules(count: usize) -> String {
    let mut text = "[bolts.b]\nkind = \"rules\"\nfrom = \"payments\"\nkeep = [\"id\"]\n".to_owned();
    (0..count).for_each(|n| text.push_str(&format!("[bolts.b.rules.r{n}]\nwhen = \"{}\"\n", range(n))));
    topology(&text)
}

fn many_rules(size: &Size, payments: &Arc<Payments>, table: &mut Table) {
    const COUNT: usize = 1000;
    let texts = [filters(1), filters(COUNT), rules(1), rules(COUNT)];
    let mut engines = texts.each_ref().map(|text| Engine::new(text, payments, 1));
    let round = size.round.min(200_000);
    let mut figures = [const { Vec::new() }; 4];
    for number in 1..=size.rounds as u64 {
        for (engine, figures) in engines.iter_mut().zip(&mut figures) {
            let start = Instant::now();
            engine.run(number * round, 0);
            figures.push(start.elapsed().as_nanos() as f64 / round as f64);
        }
    }
    let hits = engines.each_ref().map(Engine::hits);
    let fed = round * size.rounds as u64;
    assert_eq!([hits[1], hits[3]], [10 * fed; 2], "ten of a thousand rules concern each payment");
    assert_eq!(hits[0], hits[2]);
    for (at, what) in [(0, "1000 filter bolts"), (2, "1000 rules of one bolt")] {
        let ratios = figures[at].iter().zip(&figures[at + 1]).map(|(one, all)| all / one);
        let (ratio, one) = (median(ratios.collect()), median(figures[at].clone()));
        let aim = format!("{what}, 1 % match: at most 30 times one");
        table.row(
            &aim,
            format!("{:.0} ns", one * ratio),
            format!("{one:.0} ns of one"),
            Some(ratio),
            Some(ratio <= 30.0),
        );
    }
}
