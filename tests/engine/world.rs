//! What a test and its components share: rows to be read, and the log of what was seen.

use sferic::tuple::RUN_TUPLES;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// A row of a spout.
#[derive(Clone, Debug)]
pub struct Row {
    pub key: i64,
    pub seq: i64,
    pub ts: i64,
    pub v: Option<i64>,
    pub word: String,
}

impl Row {
    /// A row with a key, a number and a time.
    pub fn new(key: i64, seq: i64, ts: i64) -> Row {
        // Words of different lengths: some stand in the text word, some in the ring, some need a record of their own.
        let lengths = [0, 5, 40, 150];
        Row { key, seq, ts, v: None, word: "w".repeat(lengths[seq as usize % 4]) }
    }

    /// The same with a value.
    pub fn v(mut self, v: i64) -> Row {
        self.v = Some(v);
        self
    }
}

/// What a bolt was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Step,
    Fire { deadline: i64, key: i64, seq: i64 },
    Barrier(u64),
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub bolt: String,
    pub task: usize,
    pub what: What,
    pub key: i64,
    pub seq: i64,
    pub n: i64,
    pub time: i64,
    pub path: u64,
    pub origin: (u32, u64),
    pub word: String,
}

#[derive(Default)]
struct Feed {
    rows: VecDeque<Row>,
    closed: bool,
    taken: usize,
}

#[derive(Default)]
struct Inner {
    feeds: BTreeMap<(String, String), Feed>,
    log: Vec<Event>,
}

/// The world of one test.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

impl World {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("one thread only")
    }

    /// Adds a split, open and empty.
    pub fn split(&self, spout: &str, split: &str) {
        self.inner().feeds.entry((spout.to_owned(), split.to_owned())).or_default();
    }

    /// Adds rows to a split.
    pub fn feed(&self, spout: &str, split: &str, rows: impl IntoIterator<Item = Row>) {
        self.inner().feeds.entry((spout.to_owned(), split.to_owned())).or_default().rows.extend(rows);
    }

    /// Ends a split after its rows.
    pub fn close(&self, spout: &str, split: &str) {
        self.inner().feeds.entry((spout.to_owned(), split.to_owned())).or_default().closed = true;
    }

    /// Ends all splits after their rows.
    pub fn close_all(&self) {
        self.inner().feeds.values_mut().for_each(|f| f.closed = true);
    }

    /// Rows that have been taken from all splits.
    pub fn taken(&self) -> usize {
        self.inner().feeds.values().map(|f| f.taken).sum()
    }

    pub(super) fn splits(&self, spout: &str) -> Vec<String> {
        self.inner().feeds.keys().filter(|(s, _)| s == spout).map(|(_, split)| split.clone()).collect()
    }

    /// The next rows of a split; none at its end.
    pub(super) fn take(&self, feed: &(String, String)) -> Option<Vec<Row>> {
        let mut inner = self.inner();
        let feed = inner.feeds.get_mut(feed)?;
        if feed.rows.is_empty() && feed.closed {
            return None;
        }
        let count = feed.rows.len().min(RUN_TUPLES);
        feed.taken += count;
        Some(feed.rows.drain(..count).collect())
    }

    pub(super) fn log(&self, event: Event) {
        self.inner().log.push(event);
    }

    /// All that was seen so far.
    pub fn events(&self) -> Vec<Event> {
        self.inner().log.clone()
    }

    /// The tuples that a bolt saw.
    pub fn seen(&self, bolt: &str) -> Vec<Event> {
        self.events().into_iter().filter(|e| e.bolt == bolt && e.what == What::Step).collect()
    }
}
