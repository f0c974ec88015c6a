//! A reference table from a topic.
//!
//! 1. At the start all records that are visible are read, in the order of their partitions: the latest of a key counts,
//!    and one with a key and without content removes the row of the record that had this key.
//! 2. While the topology runs, new records are followed; what a look finds changes the table at once.
//!
//! A record that cannot be decoded changes nothing: the row that its key had stays, with a warning that counts. Unlike a
//! file, a topic cannot be corrected, so a broken record does not keep the topology from starting.

use crate::component::{ComponentError, Intake, Reject, TableChange, TableChanges, TableFollower, TablePlan};
use crate::decoder::{DecoderPlan, Numbered};
use crate::log::{Log, LogError, Reader, Start};
use crate::tuple::{Column, Layout, Run, Slot, Value};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Records that one look reads of a partition, so that housekeeping goes on.
const RECORDS_MAX: usize = 100_000;

/// A checked table from a topic.
pub(super) struct TopicTable {
    /// The user's name of it.
    pub(super) name: String,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) topic: String,
    pub(super) decoder: Arc<DecoderPlan>,
    pub(super) key: Vec<usize>,
}

impl TopicTable {
    fn open(&self) -> Result<Follower, ComponentError> {
        let Some(data_dir) = &self.data_dir else {
            return Err(ComponentError::new(format!(
                "tables.{} reads topic `{}`, but there is no data directory; give one with `data_dir` in [runtime] or \
                 --data-dir",
                self.name, self.topic
            )));
        };
        let topic = Log::in_dir(data_dir).topic(&self.topic).map_err(|error| failed(&self.name, error))?;
        let open = |partition| topic.reader(partition, Start::Earliest).map_err(|error| failed(&self.name, error));
        let readers = (0..topic.options().partitions).map(open).collect::<Result<Vec<Reader>, _>>()?;
        let layout = Layout::new(self.decoder.columns().len());
        let slots: Vec<Slot> = (0..layout.slots()).map(|n| layout.slot(n)).collect();
        Ok(Follower {
            name: self.name.clone(),
            topic: self.topic.clone(),
            columns: self.decoder.columns().to_vec(),
            key: self.key.clone(),
            records: Numbered::new(&self.decoder, &slots, &self.topic, 0)?,
            readers,
            slots,
            run: Run::new(layout),
            keys: HashMap::new(),
            broken: 0,
        })
    }
}

/// An error of the log in the words of a table.
fn failed(name: &str, error: LogError) -> ComponentError {
    let message = format!("tables.{name}: {error}");
    match error {
        LogError::Io { source, .. } => ComponentError::io(message, source),
        _ => ComponentError::new(message),
    }
}

impl TablePlan for TopicTable {
    fn columns(&self) -> &[Column] {
        self.decoder.columns()
    }

    fn key(&self) -> &[usize] {
        &self.key
    }

    fn watched(&self) -> Option<PathBuf> {
        None
    }

    fn load(&self) -> Result<Vec<Vec<Value>>, ComponentError> {
        // All of it comes from what follows it.
        Ok(Vec::new())
    }

    fn follow(&self) -> Result<Option<Box<dyn TableFollower>>, ComponentError> {
        Ok(Some(Box::new(self.open()?)))
    }
}

/// The partitions of a topic being read.
struct Follower {
    name: String,
    topic: String,
    columns: Vec<Column>,
    key: Vec<usize>,
    readers: Vec<Reader>,
    records: Numbered,
    slots: Vec<Slot>,
    run: Run,
    /// The key of the row that a record with this key made: what one without content removes.
    keys: HashMap<Box<[u8]>, Vec<Value>>,
    /// Records so far that could not be decoded.
    broken: u64,
}

impl Follower {
    /// Takes up to [`RECORDS_MAX`] records of a partition; whether there are more.
    fn read(&mut self, partition: usize, changes: &mut TableChanges) -> Result<bool, LogError> {
        let mut rejects: Vec<Reject> = Vec::new();
        for _ in 0..RECORDS_MAX {
            let Some(record) = self.readers[partition].next_record()? else { return Ok(false) };
            if record.value.is_empty()
                && let Some(key) = record.key
            {
                changes.changes.extend(self.keys.remove(key).map(TableChange::Remove));
                continue;
            }
            self.run.clear();
            rejects.clear();
            let mut intake = Intake { run: &mut self.run, rejects: &mut rejects, now: 0, wall: record.time };
            // SAFETY: the record stands still until the reader is asked again, and the rows have been copied by then.
            unsafe { self.records.take(record.value, record.offset, &mut intake) };
            if let Some(reject) = rejects.first() {
                self.broken += 1;
                let offset = record.offset;
                let place = format!("record {offset} of partition {partition} of topic `{}`", self.topic);
                changes.warning = Some(broken(self.broken, &place, &reject.text));
                continue;
            }
            for frame in (0..self.run.len()).map(|n| self.run.frame(n)) {
                let types = self.slots.iter().zip(&self.columns);
                let row: Vec<Value> = types.map(|(slot, c)| Value::from_slot(frame, *slot, c.ty)).collect();
                let key: Vec<Value> = self.key.iter().map(|at| row[*at].clone()).collect();
                if let Some(at) = key.iter().position(|value| *value == Value::Null) {
                    self.broken += 1;
                    let name = &self.columns[self.key[at]].name;
                    let place = format!("record {} of partition {partition} of topic `{}`", record.offset, self.topic);
                    let text = format!("column `{name}` is part of the key, but has no value");
                    changes.warning = Some(broken(self.broken, &place, &text));
                    continue;
                }
                if let Some(record_key) = record.key {
                    self.keys.insert(record_key.into(), key);
                }
                changes.changes.push(TableChange::Put(row));
            }
        }
        Ok(true)
    }
}

/// What is said of a record that could not be decoded.
fn broken(count: u64, place: &str, text: &str) -> String {
    let count = if count > 1 { format!("; {count} such records so far") } else { String::new() };
    format!("{place}: {text}; the last good row of its key stays in use{count}")
}

impl TableFollower for Follower {
    fn look(&mut self) -> Result<TableChanges, ComponentError> {
        let mut changes = TableChanges::default();
        for partition in 0..self.readers.len() {
            let more = self.read(partition, &mut changes).map_err(|error| failed(&self.name, error))?;
            changes.more |= more;
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{SpoutCheck, TableFactory};
    use crate::decoder::fixture::checked;
    use crate::log::{Owner, SyncPolicy, TopicOptions, WriterOptions};
    use crate::spouts::ReferenceTables;

    const TABLE: &str =
        "topic = \"limits\"\nkey = \"car\"\nformat = \"json\"\nfields.car = \"text\"\nfields.kmh = \"bigint\"";

    fn plan(toml: &str, data_dir: Option<&std::path::Path>) -> (Option<Box<dyn TablePlan>>, String) {
        let (plan, problems) = checked(toml, |options, environment| {
            let folder = std::path::Path::new(".");
            ReferenceTables.check(&SpoutCheck { name: "limits", options, environment, folder, data_dir })
        });
        (plan, format!("{problems:?}"))
    }

    fn row(car: &str, kmh: i64) -> TableChange {
        TableChange::Put(vec![Value::Text(car.to_owned()), Value::Bigint(kmh)])
    }

    #[test]
    fn records_are_followed_and_a_broken_one_changes_nothing() {
        let folder = std::env::temp_dir().join(format!("sferic-topic-table-{}", std::process::id()));
        let topic = Log::in_dir(&folder).create("limits", &TopicOptions::default()).unwrap();
        let mut writer = topic.writer(0, WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Never }).unwrap();
        let mut append = |key: Option<&str>, value: &str| {
            writer.append(key.map(str::as_bytes), value.as_bytes(), 5).unwrap();
            writer.flush().unwrap();
        };
        append(Some("a"), "{\"car\": \"a\", \"kmh\": 100}");
        append(None, "{\"car\": \"b\", \"kmh\": 90}");
        let mut follower = plan(TABLE, Some(&folder)).0.unwrap().follow().unwrap().unwrap();
        let first = follower.look().unwrap();
        assert_eq!((first.changes, first.warning, first.more), (vec![row("a", 100), row("b", 90)], None, false));
        append(Some("a"), "{\"car\": \"a\", \"kmh\": 120}");
        append(Some("a"), "{\"car\": \"a\", \"kmh\": \"fast\"}");
        append(None, "{\"kmh\": 1}");
        let second = follower.look().unwrap();
        assert_eq!(second.changes, [row("a", 120)]);
        let warning = second.warning.unwrap();
        assert!(warning.contains("record 4 of partition 0") && warning.contains("2 such records so far"), "{warning}");
        append(Some("a"), "");
        append(Some("z"), "");
        assert_eq!(follower.look().unwrap().changes, [TableChange::Remove(vec![Value::Text("a".to_owned())])]);
        assert_eq!(follower.look().unwrap(), TableChanges::default());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |toml: &str| plan(toml, None).1;
        assert!(said("key = \"car\"\nformat = \"json\"\nfields.car = \"text\"").contains("needs `path` or `topic`"));
        assert!(said(&format!("path = \"x\"\n{TABLE}")).contains("both `path` and `topic`"));
        assert!(said(&format!("reload = \"never\"\n{TABLE}")).contains("always followed"));
        let error = plan(TABLE, None).0.unwrap().follow().err().unwrap().message;
        assert!(error.contains("there is no data directory"), "{error}");
    }
}
