//! Feeds: spouts that deliver the rows of a test.

use crate::component::{ComponentError, Intake, Polled, Spout, SpoutBuild, SpoutPlan};
use crate::config::{Checked, Owner, StreamId};
use crate::topology::Entry;
use crate::tuple::{Column, Slot, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

type Queue = Arc<Mutex<VecDeque<(i64, Vec<Value>)>>>;

/// A feed of one stream.
pub struct Feed {
    name: String,
    stream: StreamId,
    columns: Vec<Column>,
    time: Option<usize>,
    disorder: i64,
    queue: Queue,
}

struct FeedPlan {
    columns: Vec<Column>,
    time: Option<usize>,
    queue: Queue,
}

struct FeedSpout {
    slots: Vec<Slot>,
    split: u32,
    read: u64,
    queue: Queue,
}

impl Feed {
    /// A feed of a stream of a topology.
    pub fn new(checked: &Checked, stream: StreamId) -> Feed {
        let owner = checked.streams[stream].owner;
        let time = match owner {
            Owner::Spout(spout) if checked.streams[stream].port == 0 => checked.spouts[spout].plan.time(),
            _ => None,
        };
        Feed {
            name: checked.streams[stream].name.clone(),
            stream,
            columns: checked.streams[stream].columns.iter().map(|c| c.column.clone()).collect(),
            time,
            disorder: checked.streams[stream].disorder,
            queue: Queue::default(),
        }
    }

    /// Its entry into the plan.
    pub fn entry(&self) -> Entry {
        Entry {
            id: self.name.clone(),
            stream: self.stream,
            plan: Arc::new(FeedPlan { columns: self.columns.clone(), time: self.time, queue: self.queue.clone() }),
            splits: vec!["feed".to_owned()],
            tasks: None,
            disorder: self.disorder,
            idle: None,
            spout: None,
            replay: None,
        }
    }

    /// Puts a row in; its event time is that of the stream's time column, else `now`.
    pub fn push(&self, row: Vec<Value>, now: i64) {
        let time = match self.time.map(|c| &row[c]) {
            Some(Value::Timestamp(time)) => *time,
            _ => now,
        };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back((time, row));
    }
}

impl SpoutPlan for FeedPlan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        self.time
    }

    fn finite(&self) -> bool {
        false
    }

    fn splits(&self) -> Result<Vec<String>, ComponentError> {
        Ok(vec!["feed".to_owned()])
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        let slots = build.columns.to_vec();
        Ok(Box::new(FeedSpout { slots, split: build.split_id, read: 0, queue: self.queue.clone() }))
    }
}

impl Spout for FeedSpout {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((time, row)) = queue.pop_front() else { return Ok(Polled::Nothing(None)) };
        let (frame, arena) = intake.run.push();
        frame.set_due(intake.now);
        frame.set_time(time);
        frame.set_origin(self.split, self.read);
        self.read += 1;
        for (slot, value) in self.slots.iter().zip(&row) {
            value.put(frame, *slot, arena);
        }
        Ok(Polled::Some)
    }

    fn position(&self) -> u64 {
        self.read
    }
}
