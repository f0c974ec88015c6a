//! Card payments, some of them frauds.

use super::digits::write_digits;
use super::random::{Zipf, below, mix};
use super::spout::Source;
use crate::tuple::{Arena, Column, DataType, Frame, Slot};

/// Of so many tuples one attack is made.
const BLOCK: u64 = 4096;
/// Most tuples of an attack.
const ATTACK: usize = 5;

/// ISO 3166 number, latitude and longitude of the middle.
const COUNTRIES: [(u16, f32, f32); 32] = [
    (840, 39.8, -98.6),
    (276, 51.2, 10.4),
    (250, 46.6, 2.5),
    (826, 54.0, -2.5),
    (380, 42.8, 12.8),
    (724, 40.2, -3.6),
    (528, 52.2, 5.3),
    (56, 50.6, 4.7),
    (756, 46.8, 8.2),
    (40, 47.6, 14.1),
    (616, 52.1, 19.4),
    (203, 49.8, 15.5),
    (752, 62.0, 15.0),
    (578, 61.0, 9.0),
    (208, 56.0, 10.0),
    (246, 64.0, 26.0),
    (620, 39.6, -8.0),
    (372, 53.2, -8.1),
    (300, 39.1, 22.9),
    (792, 39.0, 35.2),
    (124, 56.1, -106.3),
    (484, 23.6, -102.5),
    (76, -10.8, -52.9),
    (32, -34.0, -64.0),
    (36, -25.7, 134.5),
    (392, 36.6, 138.3),
    (410, 36.4, 127.8),
    (156, 36.6, 103.8),
    (356, 22.9, 79.6),
    (702, 1.4, 103.8),
    (710, -29.0, 25.1),
    (784, 23.9, 54.3),
];

/// Merchant category codes: groceries, restaurants, fuel, online shops, ...
const CATEGORIES: [u16; 16] =
    [5411, 5812, 5541, 5999, 5311, 5732, 5814, 4111, 5912, 5651, 7011, 4829, 5945, 5816, 6011, 5944];

/// The columns of a payment.
pub(super) fn columns(card: DataType) -> Vec<Column> {
    [
        ("id", DataType::Bigint),
        ("ts", DataType::Timestamp),
        ("card", card),
        ("merchant", DataType::Bigint),
        ("amount", DataType::Double),
        ("lat", DataType::Double),
        ("lon", DataType::Double),
        ("country", DataType::Bigint),
        ("home", DataType::Bigint),
        ("mcc", DataType::Bigint),
        ("is_fraud", DataType::Boolean),
    ]
    .map(|(name, ty)| Column::new(name, ty).not_null())
    .into()
}

/// What tuples are looked up in.
#[derive(Debug)]
pub(super) struct Tables {
    zipf: Zipf,
    amounts: Box<[f64]>,
    countries: Box<[(u64, f64, f64)]>,
}

impl Tables {
    pub fn new(cards: u64, skew: f64) -> Tables {
        // Quantiles of a lognormal distribution with median 35 and a long tail, in whole cents.
        let amounts = (0..4096).map(|i| {
            let u = (f64::from(i) + 0.5) / 4096.0;
            // The logistic quantile is close to the normal one in the middle.
            let normal = (u / (1.0 - u)).ln() / 1.702;
            ((35.0 * (1.1 * normal).exp()).clamp(0.5, 5000.0) * 100.0).round() / 100.0
        });
        let countries = COUNTRIES.iter().map(|(n, lat, lon)| (u64::from(*n), f64::from(*lat), f64::from(*lon)));
        Tables { zipf: Zipf::new(cards, skew), amounts: amounts.collect(), countries: countries.collect() }
    }
}

/// Makes payments.
pub(super) struct Payments {
    pub seed: u64,
    pub cards: u64,
    pub card_text: bool,
    pub tables: Tables,
    /// The attack of the block at hand: a function of seed and block, kept because a block is many tuples.
    attack: Attack,
}

impl Payments {
    pub fn new(seed: u64, cards: u64, card_text: bool, tables: Tables) -> Payments {
        Payments { seed, cards, card_text, tables, attack: Attack::of(seed, 0, cards) }
    }

    #[cold]
    #[inline(never)]
    fn next_attack(&mut self, block: u64) {
        self.attack = Attack::of(self.seed, block, self.cards);
    }
}

/// The fraud of one block of tuples.
struct Attack {
    block: u64,
    /// The tuples that belong to it, ascending.
    tuples: [u64; ATTACK],
    steps: usize,
    card: u64,
    kind: Kind,
    bits: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Small amounts that try the card out, then a large one.
    Probes,
    /// Many large amounts in a row.
    Velocity,
    /// Two payments on different continents.
    Travel,
}

impl Attack {
    fn of(seed: u64, block: u64, cards: u64) -> Attack {
        let bits = mix(!seed, block);
        let (kind, steps) = match bits % 3 {
            0 => (Kind::Probes, 4),
            1 => (Kind::Velocity, ATTACK),
            _ => (Kind::Travel, 2),
        };
        let gap = 16 + (bits >> 8) % 64;
        let first = block * BLOCK + (bits >> 16) % (BLOCK - 80 * ATTACK as u64);
        let tuples = std::array::from_fn(|step| first + gap * (step.min(steps - 1)) as u64);
        Attack { block, tuples, steps, card: below((bits >> 32) as u32, cards), kind, bits }
    }

    /// The step of the attack that a tuple is.
    #[inline(always)]
    fn step(&self, i: u64) -> Option<usize> {
        if i < self.tuples[0] || i > self.tuples[ATTACK - 1] {
            return None;
        }
        self.tuples[..self.steps].iter().position(|at| *at == i)
    }

    fn change(&self, step: usize, draft: &mut Draft) {
        draft.card = self.card;
        draft.home = country_of(self.card);
        draft.country = draft.home;
        let cents = mix(self.bits, step as u64) % 10_000;
        match self.kind {
            Kind::Probes if step + 1 < self.steps => draft.amount = (50 + cents % 149) as f64 / 100.0,
            Kind::Probes => draft.amount = (60_000 + cents * 20) as f64 / 100.0,
            Kind::Velocity => draft.amount = (52_000 + cents * 4) as f64 / 100.0,
            // Half of the list away, a country is on another continent more often than not.
            Kind::Travel => draft.country = (draft.home + 16 * step) % COUNTRIES.len(),
        }
    }
}

/// What can differ in a fraud.
struct Draft {
    card: u64,
    amount: f64,
    home: usize,
    country: usize,
}

/// The country that a card is at home in.
#[inline(always)]
fn country_of(card: u64) -> usize {
    (card.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 59) as usize
}

impl Source for Payments {
    #[inline(always)]
    fn fill(&mut self, i: u64, time: i64, slots: &[Slot], frame: &mut Frame, arena: &Arena) {
        let a = mix(self.seed, i);
        let b = mix(a, 0);
        let tables = &self.tables;
        let card = tables.zipf.rank(a as u32);
        let home = country_of(card);
        let abroad = (b >> 12) & 0x3FF < 12;
        let country = if abroad { (b >> 22) as usize & 31 } else { home };
        let mut draft = Draft { card, amount: tables.amounts[b as usize & 4095], home, country };
        if i / BLOCK != self.attack.block {
            self.next_attack(i / BLOCK);
        }
        let attacked = self.attack.step(i);
        if let Some(step) = attacked {
            self.attack.change(step, &mut draft);
        }
        let tables = &self.tables;
        // A product of two uniform numbers: some merchants are much busier than others.
        let merchant = ((a >> 48) * ((a >> 32) & 0xFFFF)) >> 16;
        let (country, lat, lon) = tables.countries[draft.country & 31];
        let near = |bits: u64| (bits & 0xFFFF) as f64 * (2.0 / 65_536.0) - 1.0;
        let card = if self.card_text { card_text(draft.card, arena) } else { draft.card };
        let [id, ts, card_slot, merchant_slot, amount, lat_slot, lon_slot, country_slot, home_slot, mcc, fraud] = slots
        else {
            return;
        };
        frame.fill(*id, i);
        frame.fill(*ts, time as u64);
        frame.fill(*card_slot, card);
        frame.fill(*merchant_slot, merchant);
        frame.fill(*amount, draft.amount.to_bits());
        frame.fill(*lat_slot, (lat + near(b >> 28)).to_bits());
        frame.fill(*lon_slot, (lon + near(b >> 44)).to_bits());
        frame.fill(*country_slot, country);
        frame.fill(*home_slot, tables.countries[draft.home & 31].0);
        frame.fill(*mcc, u64::from(CATEGORIES[merchant as usize & 15]));
        frame.fill(*fraud, u64::from(attacked.is_some()));
    }
}

/// 16 digits: a 4, and 15 that differ for each card.
fn card_text(card: u64, arena: &Arena) -> u64 {
    // The factor has no divisor in common with 10^15, so no two cards collide; with 10^9 cards it cannot overflow.
    let number = 4_000_000_000_000_000 + card * 9_999_999_967 % 1_000_000_000_000_000;
    let mut digits = [0; 16];
    write_digits(number, &mut digits);
    arena.store(std::str::from_utf8(&digits).unwrap_or_default()).0
}
