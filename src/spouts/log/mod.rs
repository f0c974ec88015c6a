//! Kind `log`: records of a topic of the embedded log; each partition is one split, named by its number.
//!
//! A position is an offset. Where a record makes several tuples (`each`), it is the offset times 2^24 plus the byte of
//! the element in its record, so that a restart in the middle of one finds the place. Event time, where no column says
//! it, is the append time, so that a replay sees the same. Once the tail has been reached tuples are due at their append
//! time; what is read before that is due when it is read.

#[cfg(test)]
mod tests;

use super::joined;
use crate::component::{
    Again, ComponentError, Intake, Node, NodeValue, OptionSpec, Options, Polled, SplitName, Spout, SpoutBuild,
    SpoutCheck, SpoutFactory, SpoutPlan,
};
use crate::decoder::{DecoderCheck, DecoderPlan, RECORD_OPTIONS};
use crate::decoder::{Numbered, Taken, bits, number_of};
use crate::files::Files;
use crate::log::{Log, LogError, Reader, Start, Topic};
use crate::problem::Problem;
use crate::time;
use crate::tuple::{Column, RUN_TUPLES};
use std::path::PathBuf;
use std::sync::Arc;

const OWN: [OptionSpec; 3] = [
    OptionSpec::required("topic", "the topic; each of its partitions is a split"),
    OptionSpec::optional(
        "start",
        "where it begins when it has not run before: \"earliest\" (default), \"latest\", an offset, or a timestamp",
    ),
    OptionSpec::optional("until", "\"end\": it ends where the topic ends at the start; by default it follows its tail"),
];
static OPTIONS: [OptionSpec; 20] = joined(&OWN, &RECORD_OPTIONS);

/// Records that one poll looks at where all are left out.
const RECORDS_MAX: usize = 1024;
/// Longest time from the stamp of a record to the moment that readers see it, microseconds: appends are grouped.
const SHOWN_MICROS: i64 = 1_000_000;

/// The kind `log`.
pub struct LogFactory {
    /// Where data directories are.
    pub files: Arc<dyn Files>,
}

impl SpoutFactory for LogFactory {
    fn kind(&self) -> &'static str {
        "log"
    }

    fn doc(&self) -> &'static str {
        "reads the records of a topic of the embedded log"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Topics are in the data directory (`data_dir` in [runtime], or --data-dir); `sferic log append` or a bolt \
             of kind `log` fills them. A record is one record of the format, so CSV has no header: name the `columns`."
                .to_owned(),
            "Without `time` the time of a tuple is that at which its record was appended.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"# echo '{"car": "a", "kmh": 51.5}' | sferic log append readings
[runtime]
data_dir = "sferic-data"

[spouts.readings]
kind   = "log"
topic  = "readings"
until  = "end"
format = "json"
fields.car = "text not null"
fields.kmh = "double"

[bolts.out]
kind = "console"
from = "readings"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let topic = options.text("topic").map(str::to_owned);
        let start = options.node("start").map_or(Some(Start::Earliest), |node| start(options, node));
        let until_end = options.choice("until", &["end"]).is_some();
        let sound = check_csv(options);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check(&decoder);
        let (topic, start, decoder) = (topic?, start?, decoder?);
        let (files, data_dir) = (self.files.clone(), check.data_dir.map(PathBuf::from));
        let name = check.name.to_owned();
        sound.then(|| Box::new(LogPlan { name, files, data_dir, topic, start, until_end, decoder }) as _)
    }
}

fn start(options: &Options<'_>, node: &Node) -> Option<Start> {
    let found = match &node.value {
        NodeValue::Integer(offset) => u64::try_from(*offset).ok().map(Start::Offset),
        NodeValue::Datetime(text) => time::parse_timestamp(text).ok().map(Start::Time),
        _ => match node.as_text() {
            Some("earliest") => Some(Start::Earliest),
            Some("latest") => Some(Start::Latest),
            Some(text) => time::parse_timestamp(text).ok().map(Start::Time),
            None => None,
        },
    };
    if found.is_none() {
        options.wrong("start", node, "\"earliest\", \"latest\", an offset or a timestamp");
    }
    found
}

/// A record of a log is a row: no header comes before it.
pub(super) fn check_csv(options: &Options<'_>) -> bool {
    if options.node("format").and_then(Node::as_text) != Some("csv") {
        return true;
    }
    let message = format!("records of a log have no header, which `{}` would read", options.component);
    let hint = "name the columns by position: columns = [\"id\", \"amount\"]";
    match options.table.entry("header") {
        Some((_, node)) if node.as_text() != Some("none") => {
            options.problem(Problem::error(message).at(node.span).label("must be \"none\"").hint(hint));
            false
        }
        _ if !options.has("columns") => {
            options.problem(Problem::error(message).at(options.span).hint(hint));
            false
        }
        _ => true,
    }
}

/// A checked spout over a topic.
pub(super) struct LogPlan {
    /// The user's id of the spout.
    pub(super) name: String,
    pub(super) files: Arc<dyn Files>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) topic: String,
    /// Where it begins when it has not run before.
    pub(super) start: Start,
    pub(super) until_end: bool,
    pub(super) decoder: DecoderPlan,
}

impl LogPlan {
    fn topic(&self) -> Result<Topic, ComponentError> {
        let Some(data_dir) = &self.data_dir else {
            return Err(ComponentError::new(format!(
                "spouts.{} reads topic `{}`, but there is no data directory; give one with `data_dir` in [runtime] or \
                 --data-dir",
                self.name, self.topic
            )));
        };
        Log::of(self.files.clone(), data_dir).topic(&self.topic).map_err(|e| self.failed(e))
    }

    fn failed(&self, error: LogError) -> ComponentError {
        failed(&self.name, error)
    }
}

/// An error of the log in the words of a spout.
pub(super) fn failed(name: &str, error: LogError) -> ComponentError {
    let message = format!("spouts.{name}: {error}");
    match error {
        LogError::Io { source, .. } => ComponentError::io(message, source),
        _ => ComponentError::new(message),
    }
}

impl SpoutPlan for LogPlan {
    fn columns(&self) -> &[Column] {
        self.decoder.columns()
    }

    fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        self.decoder.side_streams()
    }

    fn time(&self) -> Option<usize> {
        self.decoder.time()
    }

    fn finite(&self) -> bool {
        self.until_end
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok((0..self.topic()?.options().partitions).map(|p| p.to_string()).collect())
    }

    fn describe(&self) -> Vec<String> {
        let until = if self.until_end { "up to its end at the start" } else { "and follows its tail" };
        let mut words = vec![format!("reads topic `{}` {until}", self.topic)];
        words.extend(self.decoder.describe());
        words
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        let topic = self.topic()?;
        let before = !build.identity.is_empty();
        if before && build.identity != self.topic {
            return Err(ComponentError::new(format!(
                "spouts.{} was reading topic `{}` before, and its position is of that topic; give the spout another name \
                 to begin with `{}` anew",
                self.name, build.identity, self.topic
            )));
        }
        let resumed = before || build.position > 0;
        let start = if resumed { Start::Offset(number_of(&self.decoder, build.position)) } else { self.start };
        let partition = build.split.parse().map_err(|_| {
            ComponentError::new(format!("spouts.{}: `{}` is no partition of a topic", self.name, build.split))
        })?;
        let mut reader = topic.reader(partition, start).map_err(|e| self.failed(e))?;
        let end = reader.end().map_err(|e| self.failed(e))?;
        let mut records = Numbered::new(&self.decoder, build.columns, &self.topic, build.split_id)?;
        if resumed {
            records.resume_at(build.position);
        }
        Ok(Box::new(LogSpout {
            name: build.name.to_owned(),
            topic: self.topic.clone(),
            live: reader.offset() >= end,
            until: self.until_end.then_some(end),
            reader,
            records,
            last_due: 0,
        }))
    }

    fn again_shift(&self) -> Option<u32> {
        Some(bits(&self.decoder))
    }

    fn again(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Again>, ComponentError> {
        Ok(Box::new(Numbered::new(&self.decoder, build.columns, &self.topic, build.split_id)?))
    }
}

/// A partition being read.
struct LogSpout {
    name: String,
    topic: String,
    reader: Reader,
    records: Numbered,
    /// Offset at which it ends.
    until: Option<u64>,
    /// The tail has been reached.
    live: bool,
    last_due: u64,
}

impl LogSpout {
    /// Decodes records of the block that was read, while there is room; whether any was looked at.
    fn block(&mut self, intake: &mut Intake<'_>) -> Result<bool, LogError> {
        let (now, wall) = (intake.now, intake.wall);
        let rejects = intake.rejects.len();
        let mut any = false;
        for _ in 0..RECORDS_MAX {
            let ended = self.until.is_some_and(|until| self.reader.offset() >= until);
            if intake.run.is_full() || intake.rejects.len() - rejects >= RUN_TUPLES || ended {
                break;
            }
            let Some(record) = self.reader.buffered()? else { break };
            any = true;
            if self.live {
                let age = wall.saturating_sub(record.time).max(0) as u64;
                self.last_due = now.saturating_sub(age.saturating_mul(1000)).max(self.last_due.min(now));
                intake.now = self.last_due;
            }
            intake.wall = record.time;
            // SAFETY: the bytes are the reader's block, which `fill` alone moves: it is called with an empty run only.
            if unsafe { self.records.take(record.value, record.offset, intake) } == Taken::Part {
                self.reader.back();
                break;
            }
        }
        (intake.now, intake.wall) = (now, wall);
        Ok(any)
    }
}

impl Spout for LogSpout {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        if !intake.run.is_empty() {
            // Its texts may point into the block, which could not be moved: the run has to go first.
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        let rejects = intake.rejects.len();
        let looked = self.block(intake).map_err(|e| failed(&self.name, e))?;
        if !intake.run.is_empty() || intake.rejects.len() > rejects {
            return Ok(Polled::Some);
        }
        if self.until.is_some_and(|until| self.reader.offset() >= until) {
            return Ok(Polled::End);
        }
        if looked {
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        if !self.reader.fill().map_err(|e| failed(&self.name, e))? {
            self.live = true;
            return Ok(Polled::Nothing(None));
        }
        self.block(intake).map_err(|e| failed(&self.name, e))?;
        match intake.run.is_empty() && intake.rejects.len() == rejects {
            true => Ok(Polled::Nothing(Some(intake.now))),
            false => Ok(Polled::Some),
        }
    }

    fn lag(&self, timed: bool) -> Option<i64> {
        (self.live && !timed).then_some(SHOWN_MICROS)
    }

    fn position(&self) -> u64 {
        self.records.position(self.reader.offset())
    }

    fn identity(&self) -> String {
        self.topic.clone()
    }

    fn filtered(&self) -> u64 {
        self.records.filtered()
    }
}
