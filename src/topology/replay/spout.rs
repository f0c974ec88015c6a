//! The spout of a replay: letters of one group become tuples of a spout, or rows of a bolt's input.
//!
//! A position is the offset of a letter; where a record makes several rows, shifted as the spout's own are.

use super::Shared;
use crate::component::{Again, ComponentError, Intake, Polled, SplitName, Spout, SpoutBuild, SpoutPlan};
use crate::dead::{Letter, fits};
use crate::log::{LogError, Reader, Start};
use crate::store::Space;
use crate::time::parse_timestamp;
use crate::tuple::{Column, Slot, Value};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Letters that one poll looks at where none becomes a tuple.
const LETTERS_MAX: usize = 64;

/// What letters become.
#[derive(Clone)]
pub(super) enum To {
    /// Tuples of this spout.
    Spout(Arc<dyn SpoutPlan>),
    /// Rows of the stream.
    Bolt,
}

/// A spout whose records are letters: one split for each group.
pub(super) struct ReplayPlan {
    pub(super) shared: Arc<Shared>,
    pub(super) columns: Vec<Column>,
    pub(super) to: To,
    pub(super) splits: Vec<String>,
    pub(super) end: u64,
}

impl SpoutPlan for ReplayPlan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        match &self.to {
            To::Spout(plan) => plan.side_streams(),
            To::Bolt => &[],
        }
    }

    fn time(&self) -> Option<usize> {
        None
    }

    fn finite(&self) -> bool {
        // To their reader they are still when they are done: an end would close windows.
        false
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(self.splits.clone())
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        let groups = &self.shared.groups;
        let group = groups.iter().position(|group| group.component == build.name && group.split() == build.split);
        let shift = match &self.to {
            To::Spout(plan) => plan.again_shift().unwrap_or(0),
            To::Bolt => 0,
        };
        let from = *self.shared.from.lock().unwrap_or_else(PoisonError::into_inner);
        let position = from.map_or(build.position, |from| from << shift);
        let next = group.map_or(0, |group| groups[group].offsets.partition_point(|offset| *offset < position >> shift));
        Ok(Box::new(ReplaySpout {
            shared: self.shared.clone(),
            group,
            to: self.to.clone(),
            columns: self.columns.iter().map(|c| c.name.clone()).zip(build.columns.iter().copied()).collect(),
            types: self.columns.clone(),
            name: build.name.to_owned(),
            split_id: build.split_id,
            space: build.space.cloned(),
            shift,
            next,
            end: self.end,
            position,
            reader: None,
            bytes: Vec::new(),
            decoders: HashMap::new(),
            done: false,
        }))
    }
}

/// A group being replayed.
struct ReplaySpout {
    shared: Arc<Shared>,
    /// None: a spout without letters.
    group: Option<usize>,
    to: To,
    columns: Vec<(String, Slot)>,
    types: Vec<Column>,
    name: String,
    split_id: u32,
    space: Option<Arc<Space>>,
    shift: u32,
    /// Index of the next letter in the group.
    next: usize,
    end: u64,
    /// Of the next unread row.
    position: u64,
    reader: Option<Reader>,
    /// The record that was decoded last: texts of the run may point into it.
    bytes: Vec<u8>,
    /// By the split that the records came from, as its header may be another.
    decoders: HashMap<String, Result<Box<dyn Again>, String>>,
    done: bool,
}

impl ReplaySpout {
    fn offset(&self) -> Option<u64> {
        self.shared.groups[self.group?].offsets.get(self.next).copied()
    }

    fn letter(&mut self, offset: u64) -> Result<Option<Letter>, LogError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.shared.log.topic(&self.shared.topic)?.reader(0, Start::Offset(offset))?),
        };
        if reader.offset() > offset {
            *reader = self.shared.log.topic(&self.shared.topic)?.reader(0, Start::Offset(offset))?;
        }
        while let Some(record) = reader.next_record()? {
            if record.offset >= offset {
                return Ok(Letter::parse(record.value).filter(|_| record.offset == offset));
            }
        }
        Ok(None)
    }

    /// Makes the rows of a letter; whether that was all of it. In words why it cannot.
    fn make(&mut self, offset: u64, letter: &Letter, intake: &mut Intake<'_>) -> Result<bool, String> {
        let time = parse_timestamp(&letter.time).map_err(|_| "the letter has no time".to_owned())?;
        match self.to.clone() {
            To::Bolt => self.row(offset, letter, time, intake).map(|()| true),
            To::Spout(plan) => {
                let wall = std::mem::replace(&mut intake.wall, time);
                let made = self.record(&*plan, offset, letter, intake);
                intake.wall = wall;
                made
            }
        }
    }

    fn row(&self, offset: u64, letter: &Letter, time: i64, intake: &mut Intake<'_>) -> Result<(), String> {
        let row = letter.row.as_ref().ok_or("the letter does not have the row")?;
        let mut values: Vec<Value> = Vec::new();
        for column in &self.types {
            let value = row.get(&column.name).map_or(Some(Value::Null), |value| fits(value, column.ty));
            values.push(value.ok_or_else(|| format!("column `{}` is no {} any more", column.name, column.ty))?);
        }
        let (frame, arena) = intake.run.push();
        frame.set_due(intake.now);
        frame.set_time(time);
        frame.set_origin(self.split_id, offset << self.shift);
        for ((_, slot), value) in self.columns.iter().zip(&values) {
            value.put(frame, *slot, arena);
        }
        Ok(())
    }

    fn record(
        &mut self,
        plan: &dyn SpoutPlan,
        offset: u64,
        letter: &Letter,
        intake: &mut Intake<'_>,
    ) -> Result<bool, String> {
        let bytes = letter.bytes().ok_or("the letter does not have the whole record")?;
        let split = letter.split.as_deref().and_then(|split| split.split_once('/')).map_or("", |(_, split)| split);
        let slots: Vec<Slot> = self.columns.iter().map(|(_, slot)| *slot).collect();
        let (name, split_id, space) = (&self.name, self.split_id, self.space.as_ref());
        let position = self.position;
        let decoder = self.decoders.entry(split.to_owned()).or_insert_with(|| {
            let build = SpoutBuild { name, split, split_id, position: 0, identity: "", columns: &slots, space };
            let mut decoder = plan.again(&build).map_err(|error| error.to_string())?;
            decoder.resume_at(position);
            Ok(decoder)
        });
        let decoder = decoder.as_mut().map_err(|why| why.clone())?;
        self.bytes = bytes;
        // SAFETY: the bytes are only replaced in a poll with an empty run, and go with the spout.
        let whole = unsafe { decoder.take(&self.bytes, letter.element, offset, intake) };
        if !whole {
            self.position = decoder.position(offset);
        }
        Ok(whole)
    }

    /// The letter is behind.
    fn pass(&mut self) {
        self.next += 1;
        self.position = self.offset().unwrap_or(self.end) << self.shift;
    }
}

impl Spout for ReplaySpout {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        if !intake.run.is_empty() {
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        let rejects = intake.rejects.len();
        for _ in 0..LETTERS_MAX {
            let Some(offset) = self.offset() else {
                if !std::mem::replace(&mut self.done, true) {
                    // Asked again: all before has been followed.
                    self.position = self.position.max(self.end << self.shift);
                    self.shared.left.fetch_sub(1, Ordering::Relaxed);
                }
                return Ok(Polled::Nothing(None));
            };
            let letter = self.letter(offset).map_err(|error| {
                ComponentError::new(format!(
                    "the dead letter {offset} of {} cannot be read: {error}",
                    self.shared.topic
                ))
            })?;
            let made = match &letter {
                Some(letter) => self.make(offset, letter, intake),
                None => Err("it is no dead letter any more".to_owned()),
            };
            if let Err(why) = &made {
                let reason = letter.map(|letter| letter.reason).unwrap_or_default();
                let mut obstacles = self.shared.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
                *obstacles.entry((self.name.clone(), reason, why.clone())).or_default() += 1;
            }
            if made != Ok(false) {
                self.pass();
            }
            if !intake.run.is_empty() || intake.rejects.len() > rejects {
                return Ok(Polled::Some);
            }
        }
        Ok(Polled::Nothing(Some(intake.now)))
    }

    fn lag(&self, _timed: bool) -> Option<i64> {
        // Letters have the times of their rows.
        None
    }

    fn position(&self) -> u64 {
        self.position
    }
}
