//! What the store of a topology knows beside the content of state, and what executors tell the committer.

use super::life::HandOver;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// What the catalogue knows of a handle of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleFacts {
    /// Number of the component.
    pub component: u32,
    /// Number of the handle within the component.
    pub handle: u8,
    /// What its content means: a change of it makes the content unreadable.
    pub fingerprint: String,
    /// Types of the columns of the key, by their SQL names.
    pub key: Vec<String>,
}

/// Component and handle as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the component.
    pub component: u32,
    /// Number of the handle within the component.
    pub handle: u8,
}

/// How far a split has been read, as the last epoch knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// Its number, as in the origin of tuples.
    pub id: u32,
    /// Position of the next unread record.
    pub position: u64,
    /// Its largest event time; none before the first.
    pub time: Option<i64>,
    /// What told the source from another one under the same name; empty if nothing did.
    #[serde(default)]
    pub identity: String,
}

/// A pipeline has ended an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The epoch.
    pub epoch: u64,
    /// Number of the pipeline.
    pub pipeline: usize,
    /// How far its splits have been followed.
    pub splits: Vec<ClosedSplit>,
    /// How far time was in its tasks with state.
    pub times: Vec<TaskTime>,
    /// How far time is where it is least far, what waits in tasks included; `i64::MAX`: it is of no matter here.
    pub least: i64,
}

/// How far time was in a task at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTime {
    /// The component.
    pub component: String,
    /// Number of the task, and of how many.
    pub task: (usize, usize),
    /// Its watermark.
    pub watermark: i64,
}

/// How far a split has been followed at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSplit {
    /// `component/split`.
    pub name: String,
    /// What the next start will know of it.
    pub facts: SplitFacts,
    /// No later tuple of it has an event time below it; `i64::MIN` before the first.
    pub promise: i64,
    /// Whether it holds nobody's time back now: it is silent, or at its end.
    pub silent: bool,
    /// Whether it comes to an end by itself; the next start may find more.
    pub finite: bool,
}

/// What executors tell the committer.
pub enum Message {
    /// All changes of a handle in an epoch.
    State(HandOver),
    /// A pipeline has ended an epoch.
    Closed(Closed),
    /// Nothing more will come.
    Stop,
}

/// The last epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochFacts {
    /// Its number.
    pub epoch: u64,
    /// When it was committed, microseconds since 1970 UTC.
    pub wall: i64,
    /// No tuple before this event time can come any more.
    pub frontier: i64,
    /// The watermarks of components with state, by task: where a source was idle it may be further than what sources
    /// promise at the next start, and what has closed must stay closed.
    #[serde(default)]
    pub times: BTreeMap<String, Vec<i64>>,
}

impl EpochFacts {
    /// Before the first epoch.
    pub fn none() -> EpochFacts {
        EpochFacts { epoch: 0, wall: 0, frontier: i64::MIN, times: BTreeMap::new() }
    }

    /// How far time was for all keys that task `task` of `tasks` has: with another number of tasks than before, as far as
    /// it was in the one that was least far, since rows of its keys may still be on their way.
    pub fn watermark_of(&self, component: &str, task: usize, tasks: usize) -> i64 {
        let Some(known) = self.times.get(component) else { return i64::MIN };
        let wanted = shards_of(task, tasks);
        let shares = |other: usize| {
            let shards = shards_of(other, known.len());
            shards.start < wanted.end && wanted.start < shards.end
        };
        (0..known.len()).filter(|other| shares(*other)).map(|other| known[other]).min().unwrap_or(i64::MIN)
    }

    /// Notes how far time is in a task. With another number of tasks than before all are to be noted.
    pub fn note(&mut self, time: TaskTime) {
        let (task, tasks) = time.task;
        let known = self.times.entry(time.component).or_default();
        if known.len() != tasks {
            *known = vec![i64::MIN; tasks];
        }
        known[task] = known[task].max(time.watermark);
    }
}

/// The shards of keys that come to task `task` of `tasks`.
pub(super) fn shards_of(task: usize, tasks: usize) -> Range<u16> {
    let first = |task: usize| (task * 256).div_ceil(tasks.max(1)) as u16;
    first(task)..first(task + 1)
}

/// A segment of chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFacts {
    /// Number of the component.
    pub component: u32,
    /// Bytes that are committed.
    pub bytes: u64,
    /// Latest event time in it.
    pub newest: i64,
    /// How long after its newest event time it may still be read, microseconds.
    pub keep: i64,
}

/// In what form a store is written, and by which program.
#[derive(Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) format: u32,
    pub(super) program: String,
}
