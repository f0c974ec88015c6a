//! `log`: writes rows as records of a topic of the embedded log.
//!
//! One task writes all partitions, as each has one writer. In a topology whose state is kept, the ends of the partitions
//! belong to its epochs: at the barrier they go into the epoch's batch, which waits for their sync; readers see the
//! records when the epoch is durable; after a restart what lies behind the last epoch is cut off. Where nothing is kept,
//! rows are visible as they are flushed.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Keyed, OptionSpec, OutputStream, Sections,
    Step,
};
use crate::files::Files;
use crate::log::{self, LogError, Owner, Retention, SyncPolicy, Topic, TopicOptions, Writer, WriterOptions};
use crate::store::{Batch, Outlet, Space, StoreError};
use crate::tuple::{Cell, Column, DataType, Encoder, Format, Frame, Slot};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The kind `log`.
pub struct Log {
    /// Where data directories are.
    pub files: Arc<dyn Files>,
}

/// How often idle moments write at most: a system call for every row would cost more than the row.
const PAUSE: Duration = Duration::from_millis(1);

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("topic", "the topic; it is made if it is not there"),
    OptionSpec::optional("partitions", "number of partitions when the topic is made; 1 by default"),
    OptionSpec::optional("key", "the columns whose texts are the record's key, which decides on its partition"),
    OptionSpec::optional("format", "\"json\" (an object, the default), \"csv\" (no header) or \"text\""),
    OptionSpec::optional("retention", "when the topic is made: records that are older are dropped, such as \"7d\""),
    OptionSpec::optional(
        "retention_size",
        "when the topic is made: about so much of each partition is kept (\"10GiB\")",
    ),
];

impl BoltFactory for Log {
    fn kind(&self) -> &'static str {
        "log"
    }

    fn doc(&self) -> &'static str {
        "writes rows as records of a topic of the embedded log"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Topics are in the data directory (`data_dir` in [runtime], or --data-dir). Readers see a row when the \
             epoch it belongs to is durable (`commit` in [runtime]): once, also after a crash."
                .to_owned(),
            "A topic's partition has one writer: two bolts cannot write the same topic. Without `key`, rows take turns \
             among the partitions."
                .to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"# sferic log read large
[runtime]
data_dir = "sferic-data"

[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.large]
kind   = "log"
from   = "payments"
where  = "amount > 500"
topic  = "large"
key    = "card"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Global
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let format = match options.choice("format", &["json", "csv", "text"]) {
            Some("csv") => Format::Csv,
            Some("text") => Format::Text,
            _ => Format::Json,
        };
        let partitions = options.integer("partitions", 1).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let retention = Retention { age: options.duration("retention"), bytes: options.size("retention_size") };
        Some(Box::new(Plan {
            files: self.files.clone(),
            data_dir: check.data_dir.map(PathBuf::from),
            owner: format!("{}.{}", check.topology, check.name),
            topic: options.text("topic")?.to_owned(),
            partitions,
            retention,
            format,
            columns: check.inputs.first()?.columns.clone(),
        }))
    }
}

struct Plan {
    files: Arc<dyn Files>,
    data_dir: Option<PathBuf>,
    /// Topology and bolt.
    owner: String,
    topic: String,
    partitions: Option<u32>,
    retention: Retention,
    format: Format,
    columns: Vec<Column>,
}

/// What an epoch says of a bolt's topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ends {
    topic: String,
    /// The end of each partition.
    ends: Vec<u64>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("writes {:?} to topic `{}`", self.format, self.topic).to_lowercase()]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let Some(data_dir) = &self.data_dir else {
            return Err(ComponentError::new(format!(
                "bolts.{} writes topic `{}`, but there is no data directory; give one with `data_dir` in [runtime] or \
                 --data-dir",
                build.name, self.topic
            )));
        };
        let topic = self.topic(data_dir).map_err(|e| failed(build.name, e))?;
        let epochs = build.space.map(|space| Epochs {
            outlet: Outlet::new(space.clone()),
            note: format!("log/{}", build.name),
            owed: None,
            waiting: VecDeque::new(),
        });
        let writers = self.writers(build, &topic)?;
        Ok(Box::new(Appending {
            name: build.name.to_owned(),
            columns: build.inputs[0].iter().copied().zip(self.columns.iter().map(|c| c.ty)).collect(),
            key: build.key.first().cloned().unwrap_or_default(),
            encoder: Encoder::new(self.format, &self.columns),
            topic,
            writers,
            epochs,
            row: String::new(),
            key_text: String::new(),
            turn: 0,
            rows: 0,
            dirty: false,
            flushed: Instant::now(),
            now: wall(),
            index: usize::MAX,
            refused: false,
            failure: None,
        }))
    }
}

impl Plan {
    fn topic(&self, data_dir: &std::path::Path) -> Result<Topic, LogError> {
        let log = log::Log::of(self.files.clone(), data_dir);
        let partitions = match (self.partitions, log.topic(&self.topic)) {
            (Some(partitions), _) => partitions,
            (None, Ok(topic)) => topic.options().partitions,
            (None, Err(_)) => 1,
        };
        log.create(&self.topic, &TopicOptions { partitions, retention: self.retention, ..TopicOptions::default() })
    }

    /// The writers, cut back to what the last epoch says.
    fn writers(&self, build: &BoltBuild<'_>, topic: &Topic) -> Result<Vec<Writer>, ComponentError> {
        let owner = match build.space {
            Some(_) => Owner::Committed(self.owner.clone()),
            None => Owner::Journal,
        };
        let note: Option<Ends> = match build.space {
            Some(space) => {
                space.note(&format!("log/{}", build.name)).map_err(|e| ComponentError::new(e.to_string()))?
            }
            None => None,
        };
        let known = note.filter(|note| note.topic == self.topic);
        let mut writers = Vec::new();
        for partition in 0..topic.options().partitions {
            let options = WriterOptions { owner: owner.clone(), sync: SyncPolicy::Never };
            let mut writer = topic.writer(partition, options).map_err(|e| failed(build.name, e))?;
            let end = known.as_ref().and_then(|note| note.ends.get(partition as usize).copied());
            if build.space.is_some() {
                // Without an epoch that knows of it, what was shown before stays.
                let end = end.unwrap_or_else(|| writer.visible_end());
                writer.truncate_to(end).map_err(|e| failed(build.name, e))?;
            }
            writers.push(writer);
        }
        Ok(writers)
    }
}

fn failed(name: &str, error: LogError) -> ComponentError {
    let message = format!("bolts.{name}: {error}");
    match error {
        LogError::Io { source, .. } => ComponentError::io(message, source),
        _ => ComponentError::new(message),
    }
}

fn wall() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| d.as_micros() as i64)
}

/// How ends become durable.
struct Epochs {
    outlet: Outlet,
    note: String,
    /// An epoch that is over, with its ends, and could not be handed over since the disk refuses.
    owed: Option<(u64, Vec<u64>)>,
    /// Ends of epochs that are not durable yet.
    waiting: VecDeque<(u64, Vec<u64>)>,
}

struct Appending {
    name: String,
    columns: Vec<(Slot, DataType)>,
    key: Vec<(Slot, DataType)>,
    encoder: Encoder,
    topic: Topic,
    writers: Vec<Writer>,
    epochs: Option<Epochs>,
    row: String,
    key_text: String,
    turn: usize,
    rows: u64,
    dirty: bool,
    flushed: Instant,
    /// The time of appended records, read once a run.
    now: i64,
    /// Index of the last row in its run.
    index: usize,
    /// Whether the disk has refused a write that is tried again; rows gather meanwhile.
    refused: bool,
    failure: Option<String>,
}

impl Appending {
    /// Writes what has gathered. Where epochs say what is visible, nothing is shown by it.
    fn flush(&mut self) -> Result<(), LogError> {
        self.dirty = false;
        self.writers.iter_mut().try_for_each(Writer::flush)
    }

    /// Hands over the epoch that is over, once all of it has been written.
    ///
    /// # Errors
    /// The disk refuses.
    fn pay(&mut self) -> Result<(), LogError> {
        let Some(epochs) = self.epochs.as_mut().filter(|epochs| epochs.owed.is_some()) else { return Ok(()) };
        let mut prepared = Vec::with_capacity(self.writers.len());
        for writer in &mut self.writers {
            prepared.push(writer.prepare()?);
        }
        self.dirty = false;
        let Some((epoch, ends)) = epochs.owed.take() else { return Ok(()) };
        let name = self.name.clone();
        let sync = move || prepared.into_iter().try_for_each(log::Prepared::sync).map_err(|e| outside(&name, &e));
        let mut batch = Batch::default();
        let facts = Ends { topic: self.topic.name().to_owned(), ends: ends.clone() };
        Space::put_note(&mut batch, &epochs.note, &facts);
        epochs.waiting.push_back((epoch, ends));
        epochs.outlet.hand_over(epoch, batch, Some(Box::new(sync)));
        Ok(())
    }

    fn publish(&mut self, durable: u64) -> Result<(), LogError> {
        let Some(epochs) = &mut self.epochs else { return Ok(()) };
        while let Some((_, ends)) = epochs.waiting.front().filter(|(epoch, _)| *epoch <= durable) {
            for (writer, end) in self.writers.iter_mut().zip(ends) {
                writer.publish(*end)?;
            }
            epochs.waiting.pop_front();
        }
        Ok(())
    }

    /// Where epochs say what is there, a write that the disk refuses is kept and tried again at idle moments.
    ///
    /// # Errors
    /// It failed for good.
    fn keep(&mut self, done: Result<(), LogError>) -> Result<(), ComponentError> {
        let Err(error) = done else { return Ok(()) };
        match &self.epochs {
            Some(epochs) if self.writers.iter().all(|writer| writer.may_try_again(&error)) => {
                self.refused = true;
                epochs.outlet.space().refused(&who(&self.name), &said(&self.name, &error));
                Ok(())
            }
            _ => Err(failed(&self.name, error)),
        }
    }

    /// Tries again what the disk has refused.
    fn try_again(&mut self) -> Result<(), ComponentError> {
        let durable = self.epochs.as_ref().map_or(0, |epochs| epochs.outlet.space().durable());
        self.refused = false;
        let done = self.flush().and_then(|()| self.pay()).and_then(|()| self.publish(durable));
        self.keep(done)?;
        if let (false, Some(epochs)) = (self.refused, &self.epochs) {
            epochs.outlet.space().accepted(&who(&self.name));
        }
        Ok(())
    }

    /// Gives the row to the writer of a partition.
    fn append(&mut self, partition: usize, keyed: bool) -> Result<(), LogError> {
        let (writer, now) = (&mut self.writers[partition], self.now);
        let (key, row) = (keyed.then_some(self.key_text.as_bytes()), self.row.as_bytes());
        if !self.refused {
            match writer.append(key, row, now) {
                Err(error) if self.epochs.is_some() && writer.may_try_again(&error) => {
                    // A row cannot be given back.
                    writer.append_unwritten(key, row, now)?;
                    // It is no failure yet.
                    let _ = self.keep(Err(error));
                    return Ok(());
                }
                appended => return appended.map(|_| ()),
            }
        }
        writer.append_unwritten(key, row, now)?;
        if let Some(epochs) = &self.epochs {
            epochs.outlet.changed(row.len());
        }
        Ok(())
    }
}

fn why(error: &LogError) -> String {
    match error {
        LogError::Io { doing, source } => format!("{doing}: {source}"),
        other => other.to_string(),
    }
}

/// Who tries again, as [`Space::refused`] knows it.
fn who(name: &str) -> String {
    format!("bolts.{name}")
}

/// A refusal in words.
fn said(name: &str, error: &LogError) -> String {
    format!("the topic of bolts.{name} cannot be written: {}; make room on the disk or repair it", why(error))
}

fn outside(name: &str, error: &LogError) -> StoreError {
    let what = format!("the topic of bolts.{name} cannot be written");
    StoreError::Outside { what, why: why(error), cure: "make room or check the disk, and start again" }
}

/// Appends the texts of the key's columns, each behind its length where there are several; false if one is NULL.
fn key_text(frame: &Frame, key: &[(Slot, DataType)], out: &mut String) -> bool {
    out.clear();
    for (n, (slot, ty)) in key.iter().enumerate() {
        if n > 0 {
            out.push('\u{1f}');
        }
        match Cell::of_slot(frame, *slot, *ty) {
            Cell::Null => return false,
            cell => cell.write(out),
        }
    }
    true
}

impl Bolt for Appending {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        if !key_text(frame, &self.key, &mut self.key_text) {
            return step.error("null_key", "a column of the key is NULL");
        }
        if step.index <= self.index {
            self.now = wall();
        }
        self.index = step.index;
        self.row.clear();
        let cells = self.columns.iter().map(|(slot, ty)| Cell::of_slot(frame, *slot, *ty));
        self.encoder.row(cells, &mut self.row);
        let partition = match self.key.is_empty() {
            true => {
                self.turn = (self.turn + 1) % self.writers.len();
                self.turn
            }
            false => self.topic.partition_of(self.key_text.as_bytes()) as usize,
        };
        match self.append(partition, !self.key.is_empty()) {
            Ok(()) => {
                self.rows += 1;
                self.dirty = true;
                Flow::Skip
            }
            Err(error @ LogError::TooLong { .. }) => step.error("too_long", error.to_string()),
            Err(error) => {
                let text = failed(&self.name, error).to_string();
                self.failure.get_or_insert(text.clone());
                step.error("write_failed", text)
            }
        }
    }

    fn barrier(&mut self, epoch: u64) {
        let ends = self.writers.iter().map(Writer::next_offset).collect();
        let done = match &mut self.epochs {
            Some(epochs) => {
                epochs.owed = Some((epoch, ends));
                self.pay()
            }
            None => self.flush(),
        };
        if let Err(error) = self.keep(done) {
            if let Some(epochs) = &mut self.epochs {
                // The epoch must not become durable without its records.
                epochs.outlet.space().fail(StoreError::Refused(error.to_string()));
            }
            self.failure.get_or_insert(error.to_string());
        }
    }

    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        let done = self.publish(epoch);
        self.keep(done).map(|()| false)
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        if let Some(failure) = &self.failure {
            return Err(ComponentError::new(failure.clone()));
        }
        if self.refused {
            return self.try_again();
        }
        if !self.dirty || self.flushed.elapsed() < PAUSE {
            return Ok(());
        }
        self.flushed = Instant::now();
        let done = self.flush();
        self.keep(done)
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let durable = self.epochs.as_ref().map_or(0, |epochs| epochs.outlet.space().durable());
        let ended = match self.epochs {
            Some(_) => self.publish(durable),
            None => self.writers.iter_mut().try_for_each(Writer::sync),
        };
        ended.map_err(|e| failed(&self.name, e))?;
        let (rows, topic) = (self.rows, self.topic.name());
        let ends: Vec<u64> = self.writers.iter().map(Writer::visible_end).collect();
        let text = format!(
            "{rows} rows to topic {topic}, end {}\n",
            ends.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
        );
        let value = json!({ "topic": topic, "rows": rows, "ends": ends });
        sections.sections.push((format!("log {}", self.name), text, value));
        Ok(())
    }
}
