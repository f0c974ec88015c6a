//! Kind `ledger`: a sink that keeps, in its state, what it saw of each key, in order.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Keyed, OptionSpec, OutputStream, Step,
};
use crate::store::{self, Codec, KeyReader, State};
use crate::tuple::{Column, DataType, Frame, Slot};
use xxhash_rust::xxh3::Xxh3;

/// A row as a ledger remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Number of the split that it stems from.
    pub split: u32,
    /// Position of the record that it stems from.
    pub position: u64,
    /// What tells it from others of the same record.
    pub path: u64,
    /// Its event time.
    pub time: i64,
    /// A hash of its columns.
    pub sum: u64,
}

impl Codec for Seen {
    fn write(&self, out: &mut Vec<u8>) {
        self.split.write(out);
        self.position.write(out);
        self.path.write(out);
        self.time.write(out);
        self.sum.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Seen> {
        Some(Seen {
            split: u32::read(from)?,
            position: u64::read(from)?,
            path: u64::read(from)?,
            time: i64::read(from)?,
            sum: u64::read(from)?,
        })
    }
}

/// What the entry of a ledger holds.
pub fn rows(mut content: &[u8]) -> Option<Vec<Seen>> {
    // The time of the last use stands in front.
    i64::read(&mut content)?;
    Vec::read(&mut content)
}

/// A hash of columns.
pub fn sum_of(frame: &Frame, columns: &[(Slot, DataType)]) -> u64 {
    let mut sum = Xxh3::new();
    for (slot, ty) in columns {
        match (frame.get(*slot), ty) {
            (None, _) => sum.update(b"null"),
            (Some(_), DataType::Text) => sum.update(frame.text(*slot).as_bytes()),
            (Some(word), _) => sum.update(&word.to_le_bytes()),
        }
    }
    sum.digest()
}

/// The factory.
pub struct Ledger;

impl BoltFactory for Ledger {
    fn kind(&self) -> &'static str {
        "ledger"
    }

    fn doc(&self) -> &'static str {
        "remembers all rows"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        Some(Box::new(Plan { columns: check.inputs.first()?.columns.clone() }))
    }
}

struct Plan {
    columns: Vec<Column>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let key = KeyReader::new(build.key.first().map_or(&[], |key| key));
        let life = build.life("seen", "rows seen", i64::MAX, 0)?;
        let columns = self.columns.iter().zip(&build.inputs[0]);
        Ok(Box::new(Task {
            key,
            seen: store::Keyed::new(i64::MAX, life),
            columns: columns.map(|(column, slot)| (*slot, column.ty)).collect(),
        }))
    }
}

struct Task {
    key: KeyReader,
    seen: store::Keyed<Vec<Seen>>,
    columns: Vec<(Slot, DataType)>,
}

impl Bolt for Task {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let sum = sum_of(frame, &self.columns);
        let (split, position, path, time) = (frame.split(), frame.position(), frame.path(), frame.time());
        let Some(key) = self.key.read(frame) else { return step.error("null_key", "a column of the key is NULL") };
        self.seen.at(key, time).push(Seen { split, position, path, time, sum });
        Flow::Skip
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.seen);
    }
}
