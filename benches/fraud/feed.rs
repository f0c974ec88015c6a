//! The payments of the bench: made once, read from memory by the loops written by hand and by a spout.

use sferic::component::{
    ComponentError, Intake, OptionSpec, Polled, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan,
};
use sferic::tuple::{Column, DataType, Slot, TextWord};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A payment as it lies in memory: eight numbers, and the card once more as sixteen digits.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Wire {
    pub id: u64,
    pub card: u64,
    pub merchant: u64,
    pub amount: i64,
    pub lat: f64,
    pub lon: f64,
    pub country: u64,
    pub category: u64,
    pub digits: [u8; 16],
}

impl Wire {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("digits are ASCII")
    }
}

/// The generator SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Payments: each card once, then `repeated` drawn by Zipf's law with exponent 1, again and again.
pub struct Payments {
    pub wires: Vec<Wire>,
    pub cards: usize,
    /// Event time from one payment to the next, microseconds.
    pub step: i64,
}

const START: i64 = 1_700_000_000_000_000;

impl Payments {
    pub fn new(cards: usize, repeated: usize, step: i64) -> Payments {
        let mut random = Random(3);
        let mut weights = Vec::with_capacity(cards);
        let mut sum = 0.0;
        for rank in 1..=cards {
            sum += 1.0 / rank as f64;
            weights.push(sum);
        }
        let mut order: Vec<usize> = (0..cards).collect();
        for i in (1..cards).rev() {
            order.swap(i, random.below(i as u64 + 1) as usize);
        }
        let drawn = (0..repeated).map(|_| {
            let at = random.share() * sum;
            order[weights.partition_point(|w| *w < at).min(cards - 1)]
        });
        let ids: Vec<usize> = (0..cards).chain(drawn).collect();
        let mut random = Random(9);
        let wires = ids.iter().enumerate().map(|(id, card)| {
            let card = Random(*card as u64).next() | 1;
            Wire {
                id: id as u64,
                card,
                merchant: random.below(50_000),
                amount: random.below(10_000) as i64,
                lat: random.share(),
                lon: random.share(),
                country: random.below(40),
                category: random.below(900),
                digits: format!("{:016}", card % 10_000_000_000_000_000).into_bytes().try_into().expect("16 digits"),
            }
        });
        Payments { wires: wires.collect(), cards, step }
    }

    /// Payment `i` and its event time.
    #[inline(always)]
    pub fn at(&self, i: u64) -> (&Wire, i64) {
        let (i, cards) = (i as usize, self.cards);
        let index = if i < self.wires.len() { i } else { cards + (i - cards) % (self.wires.len() - cards) };
        (&self.wires[index], START + i as i64 * self.step)
    }
}

/// How far the spout may read, and when its tuples are due.
#[derive(Default)]
pub struct Gate {
    /// One past the last payment that may be read.
    pub limit: AtomicU64,
    /// The next payment to be read.
    pub position: AtomicU64,
    /// Nanoseconds from one due time to the next; zero: due when read.
    pub period: AtomicU64,
    /// The payment that is due at `start`, and when that is.
    pub first: AtomicU64,
    pub start: AtomicU64,
}

/// The kind `memory`: reads [`Payments`] up to the gate's limit.
pub struct Memory {
    pub payments: Arc<Payments>,
    pub gate: Arc<Gate>,
}

impl SpoutFactory for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn doc(&self) -> &'static str {
        "reads payments from memory"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::optional("text", "whether cards are texts")];
        OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let text = check.options.boolean("text").unwrap_or(false);
        let card = if text { DataType::Text } else { DataType::Bigint };
        let column = |name: &str, ty| Column::new(name, ty).not_null();
        let columns = vec![
            column("id", DataType::Bigint),
            column("card", card),
            column("merchant", DataType::Bigint),
            column("amount", DataType::Bigint),
            column("lat", DataType::Double),
            column("lon", DataType::Double),
            column("country", DataType::Bigint),
            column("category", DataType::Bigint),
        ];
        Some(Box::new(Plan { columns, text, payments: self.payments.clone(), gate: self.gate.clone() }))
    }
}

struct Plan {
    columns: Vec<Column>,
    text: bool,
    payments: Arc<Payments>,
    gate: Arc<Gate>,
}

impl SpoutPlan for Plan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        None
    }

    fn finite(&self) -> bool {
        false
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec!["memory".to_owned()])
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(Reading {
            slots: build.columns.try_into().expect("eight columns"),
            text: self.text,
            payments: self.payments.clone(),
            gate: self.gate.clone(),
            position: 0,
        }))
    }
}

struct Reading {
    slots: [Slot; 8],
    text: bool,
    payments: Arc<Payments>,
    gate: Arc<Gate>,
    position: u64,
}

impl Spout for Reading {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        // Acquire: partners with the release of whoever set the limit, after the schedule.
        let limit = self.gate.limit.load(Ordering::Acquire);
        let period = self.gate.period.load(Ordering::Relaxed);
        let (first, start) = (self.gate.first.load(Ordering::Relaxed), self.gate.start.load(Ordering::Relaxed));
        let before = self.position;
        let mut next_due = None;
        while self.position < limit && !intake.run.is_full() {
            let mut due = intake.now;
            if period > 0 {
                due = start + (self.position - first) * period;
                if due > intake.now {
                    next_due = Some(due);
                    break;
                }
            }
            let (wire, time) = self.payments.at(self.position);
            let (frame, arena) = intake.run.push();
            frame.set_due(due);
            frame.set_time(time);
            frame.set_origin(0, self.position);
            let card = match self.text {
                // SAFETY: the payments live and stand still for longer than any run.
                true => unsafe { TextWord::borrow(wire.text(), arena) }.0,
                false => wire.card,
            };
            let words = [
                wire.id,
                card,
                wire.merchant,
                wire.amount as u64,
                wire.lat.to_bits(),
                wire.lon.to_bits(),
                wire.country,
                wire.category,
            ];
            for (slot, word) in self.slots.iter().zip(words) {
                frame.fill(*slot, word);
            }
            self.position += 1;
        }
        if self.position == before {
            return Ok(Polled::Nothing(next_due));
        }
        self.gate.position.store(self.position, Ordering::Relaxed);
        Ok(Polled::Some)
    }

    fn lag(&self, _timed: bool) -> Option<i64> {
        // Payments have event times, though no column of them.
        None
    }

    fn position(&self) -> u64 {
        self.position
    }
}
