//! Kind `records`: a spout whose record at a position is a function of seed, split and position, some of them broken.
//! They come in bursts and pauses of any size.
//!
//! Positions are counted from zero without a gap: whoever has the records up to a position has that many.

use super::random::Random;
use crate::component::{
    ComponentError, Intake, OptionSpec, Polled, Raw, Reject, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan,
};
use crate::tuple::{Column, DataType, RUN_TUPLES, Slot};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Event time of the first record.
pub const START: i64 = 1_704_067_200_000_000;
/// Event time from one record to the next.
const STEP_MICROS: i64 = 1000;
/// One record in so many is broken.
const BROKEN_ONE_IN: usize = 16;

/// Position of the record that has this event time, where none goes back.
pub fn position_at(time: i64) -> u64 {
    ((time - START) / STEP_MICROS) as u64
}

/// The broken record at a position, as it was read.
pub fn broken(position: u64) -> Vec<u8> {
    // Now and then it is no text.
    let tail: &[u8] = if position.is_multiple_of(3) { b"\xff\n" } else { b"\"?" };
    [format!("record {position}: ").as_bytes(), tail].concat()
}

/// What spouts and their simulation share.
#[derive(Clone)]
pub struct Supply {
    seed: u64,
    /// How many records each split has by now.
    count: Arc<AtomicU64>,
    /// How many it has at first.
    first: u64,
    random: Arc<Mutex<Random>>,
    /// Whether splits never say that they have ended.
    endless: bool,
    /// The splits of which all records have been followed in this life.
    followed: Arc<Mutex<BTreeSet<String>>>,
}

impl Supply {
    /// Records of a seed, `first` in each split at first. `pauses` decides when they come; `endless`: splits wait for
    /// more behind the last.
    pub fn new(seed: u64, first: u64, pauses: u64, endless: bool) -> Supply {
        Supply {
            seed,
            first,
            count: Arc::new(AtomicU64::new(first)),
            random: Arc::new(Mutex::new(Random::new(pauses))),
            endless,
            followed: Arc::default(),
        }
    }

    /// A life begins.
    pub fn begin(&self) {
        self.followed().clear();
    }

    /// Whether splits never say that they have ended.
    pub fn is_endless(&self) -> bool {
        self.endless
    }

    /// Of how many splits all records have been followed in this life, where they do not say so themselves.
    pub fn followed_splits(&self) -> usize {
        self.followed().len()
    }

    fn followed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each split has so many records from now on; whether it had less.
    pub fn grow(&self, count: u64) -> bool {
        // Relaxed: one thread steps a simulation.
        self.count.swap(count, Ordering::Relaxed) < count
    }

    fn below(&self, n: usize) -> usize {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).below(n)
    }
}

/// The factory.
pub struct Records(pub Supply);

impl SpoutFactory for Records {
    fn kind(&self) -> &'static str {
        "records"
    }

    fn doc(&self) -> &'static str {
        "known records, in bursts and pauses"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::optional("splits", "how many splits there are (1)"),
            OptionSpec::optional("keys", "how many keys there are (7)"),
            OptionSpec::optional("jitter", "how far event times go back (0s)"),
            OptionSpec::optional("live", "whether it says that it never ends (false)"),
        ];
        OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let columns = vec![
            Column::new("key", DataType::Bigint).not_null(),
            Column::new("ts", DataType::Timestamp).not_null(),
            Column::new("v", DataType::Bigint),
            Column::new("word", DataType::Text).not_null(),
        ];
        Some(Box::new(Plan {
            supply: self.0.clone(),
            columns,
            splits: check.options.integer("splits", 1).unwrap_or(1) as usize,
            keys: check.options.integer("keys", 1).unwrap_or(7) as usize,
            jitter: check.options.duration("jitter").unwrap_or(0),
            live: check.options.boolean("live").unwrap_or(false),
        }))
    }
}

struct Plan {
    supply: Supply,
    columns: Vec<Column>,
    splits: usize,
    keys: usize,
    jitter: i64,
    live: bool,
}

impl SpoutPlan for Plan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        Some(1)
    }

    fn finite(&self) -> bool {
        !self.live
    }

    fn splits(&self) -> Result<Vec<String>, ComponentError> {
        Ok((0..self.splits).map(|n| n.to_string()).collect())
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(Split {
            supply: self.supply.clone(),
            name: format!("{}/{}", build.name, build.split),
            // Spouts of one topology differ too.
            salt: self.supply.seed ^ xxhash_rust::xxh3::xxh3_64(format!("{}/{}", build.name, build.split).as_bytes()),
            split: build.split_id,
            position: build.position,
            slots: build.columns.to_vec(),
            keys: self.keys,
            jitter: self.jitter,
            live: self.live,
        }))
    }
}

struct Split {
    supply: Supply,
    name: String,
    salt: u64,
    split: u32,
    position: u64,
    slots: Vec<Slot>,
    keys: usize,
    jitter: i64,
    live: bool,
}

impl Split {
    /// Adds the record at the position.
    fn record(&mut self, intake: &mut Intake<'_>) {
        let mut random = Random::new(self.salt ^ self.position.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let position = self.position;
        self.position += 1;
        // The first that comes later is not: with none before it in this life it has its place among the records of other
        // splits by its arrival alone; nor are the first two of a source whose records do not tell the time of a broken
        // one before them: a live one, or one that has nothing else at first.
        let first = self.supply.first;
        let lonely = position == first || position == 1 || position == 0 && (self.live || first < 2);
        if !lonely && random.one_in(BROKEN_ONE_IN) {
            let (text, record) = (format!("record {position} is broken"), "?".repeat(random.below(40)));
            intake.rejects.push(Reject {
                stream: "errors",
                reason: "bad_value",
                position,
                text,
                record,
                raw: Raw::Bytes { bytes: broken(position), element: None },
            });
            return;
        }
        let back = random.below(self.jitter as usize + 1) as i64;
        let time = START + position as i64 * STEP_MICROS - back;
        let key = random.below(self.keys);
        let (frame, arena) = intake.run.push();
        frame.set_due(intake.now);
        frame.set_time(time);
        frame.set_origin(self.split, position);
        frame.set(self.slots[0], key as u64);
        frame.set(self.slots[1], time as u64);
        frame.put(self.slots[2], (!random.one_in(5)).then(|| random.below(4) as u64));
        // Of different lengths: some stand in the text word, some need memory of their own.
        let word = format!("w{key}{}", "x".repeat([0, 5, 40, 150][key % 4]));
        frame.set(self.slots[3], arena.store(&word).0);
    }
}

impl Spout for Split {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        // Relaxed: see `Supply::grow`.
        let end = self.supply.count.load(Ordering::Relaxed);
        match self.supply.below(8) {
            0 => return Ok(Polled::Nothing(None)),
            1 => return Ok(Polled::Nothing(Some(intake.now + self.supply.below(3_000_000) as u64))),
            _ if self.position >= end && self.supply.endless => {
                // Who is asked has nothing left that was read and not followed.
                self.supply.followed().insert(self.name.clone());
                return Ok(Polled::Nothing(None));
            }
            _ if self.position >= end => return Ok(Polled::End),
            _ => {}
        }
        let most = 1 + self.supply.below(RUN_TUPLES);
        for _ in 0..most {
            if self.position >= end || intake.run.is_full() {
                break;
            }
            self.record(intake);
        }
        Ok(Polled::Some)
    }

    fn position(&self) -> u64 {
        self.position
    }
}
