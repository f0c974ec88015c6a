//! The same job written by hand: one hash map, one ring of window cells, no abstraction between them.

use super::feed::{Payments, Wire};
use compact_str::CompactString;
use hashbrown::HashMap;
use sferic::latency::Recorder;
use sferic::time::{Clock, SystemClock};
use std::hint::spin_loop;

pub const WINDOW: i64 = 60_000_000;
pub const ROWS: u64 = 6;
pub const SPENT: i64 = 30_000;

#[derive(Clone, Copy, Default)]
struct State {
    count: u64,
    sum: i64,
    head: u64,
    tail: u64,
}

#[derive(Clone, Copy)]
struct Cell {
    time: i64,
    amount: i64,
    next: u64,
}

type Map<K> = HashMap<K, State, foldhash::fast::FixedState>;

/// Count and sum over the last 60 s of each card (both ends included), and how often the rule fired.
pub struct ByHand {
    numbers: Map<u64>,
    texts: Map<CompactString>,
    cells: Vec<Cell>,
    next: u64,
    pub hits: u64,
}

impl ByHand {
    /// `cells` is a power of two and more than the payments that will come, so that no cell is written twice.
    pub fn new(cards: usize, cells: usize, text: bool) -> ByHand {
        let (numbers, texts) = if text { (0, cards) } else { (cards, 0) };
        ByHand {
            numbers: HashMap::with_capacity_and_hasher(numbers, Default::default()),
            texts: HashMap::with_capacity_and_hasher(texts, Default::default()),
            cells: vec![Cell { time: 1, amount: 1, next: 1 }; cells],
            next: 1,
            hits: 0,
        }
    }

    #[inline(always)]
    pub fn on<const TEXT: bool>(&mut self, wire: &Wire, time: i64) {
        let mask = self.cells.len() - 1;
        let state = match TEXT {
            true => self.texts.entry(CompactString::new(wire.text())).or_default(),
            false => self.numbers.entry(wire.card).or_default(),
        };
        while state.count > 0 {
            let cell = self.cells[state.head as usize & mask];
            if cell.time + WINDOW >= time {
                break;
            }
            state.count -= 1;
            state.sum -= cell.amount;
            state.head = cell.next;
        }
        let own = self.next;
        self.next += 1;
        if state.count > 0 {
            self.cells[state.tail as usize & mask].next = own;
        } else {
            state.head = own;
        }
        self.cells[own as usize & mask] = Cell { time, amount: wire.amount, next: 0 };
        state.tail = own;
        state.count += 1;
        state.sum += wire.amount;
        if state.count >= ROWS && state.sum > SPENT {
            self.hits += 1;
        }
    }

    /// Payments `from..to` as fast as possible on this thread; the clock is read once for each.
    pub fn run<const TEXT: bool>(&mut self, payments: &Payments, from: u64, to: u64, ages: &mut Recorder) {
        let clock = SystemClock::new();
        let mut due = clock.nanos();
        for i in from..to {
            let (wire, time) = payments.at(i);
            self.on::<TEXT>(wire, time);
            let now = clock.nanos();
            ages.record(now, now - due);
            due = now;
        }
    }

    /// Payments `from..to`, one each `period` nanoseconds, on this thread; ages count from the intended time.
    pub fn run_at(&mut self, payments: &Payments, from: u64, to: u64, period: u64, ages: &mut Recorder) {
        let clock = SystemClock::new();
        let start = clock.nanos() + 1_000_000;
        for i in from..to {
            let due = start + (i - from) * period;
            while clock.nanos() < due {
                spin_loop();
            }
            let (wire, time) = payments.at(i);
            self.on::<false>(wire, time);
            let now = clock.nanos();
            ages.record(now, now - due);
        }
    }

    /// The same over a ring between two pinned threads; `period` zero: as fast as possible.
    pub fn run_over_ring(&mut self, payments: &Payments, from: u64, to: u64, period: u64, ages: &mut Recorder) {
        let clock = &SystemClock::new();
        let (mut sender, mut receiver) = rtrb::RingBuffer::<(Wire, i64, u64)>::new(4096);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                super::engine::pin(0);
                let start = clock.nanos() + 1_000_000;
                for i in from..to {
                    let mut due = clock.nanos();
                    if period > 0 {
                        due = start + (i - from) * period;
                        while clock.nanos() < due {
                            spin_loop();
                        }
                    }
                    let (wire, time) = payments.at(i);
                    let mut item = (*wire, time, due);
                    while let Err(rtrb::PushError::Full(back)) = sender.push(item) {
                        item = back;
                        spin_loop();
                    }
                }
            });
            super::engine::pin(1);
            let mut left = to - from;
            while left > 0 {
                let there = receiver.slots().min(64);
                if there == 0 {
                    spin_loop();
                    continue;
                }
                let chunk = receiver.read_chunk(there).expect("so many are there");
                let (first, second) = chunk.as_slices();
                for (wire, time, due) in first.iter().chain(second) {
                    self.on::<false>(wire, *time);
                    let now = clock.nanos();
                    ages.record(now, now.saturating_sub(*due));
                }
                chunk.commit_all();
                left -= there as u64;
            }
        });
    }
}
