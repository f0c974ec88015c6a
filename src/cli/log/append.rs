//! `sferic log append`.

use super::{Failure, duration, now, size};
use crate::log::{Log, Owner, Retention, SyncPolicy, Topic, TopicOptions, Writer, WriterOptions};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topic.
    topic: String,
    /// Files whose lines become records; standard input by default. Empty lines are left out.
    files: Vec<PathBuf>,
    /// Number of partitions, when the topic is made; 1 by default.
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    /// Append to this partition; by default the key decides, or without one they take turns.
    #[arg(long, value_name = "P", conflicts_with = "key")]
    partition: Option<u32>,
    /// Lines are JSON objects; this field of theirs is the record's key and decides on its partition.
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// When the topic is made: drop records that are older, such as 7d.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    retention: Option<i64>,
    /// When the topic is made: keep at most about so much of each partition, such as 10GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    retention_size: Option<u64>,
    /// When the topic is made: begin a new segment file at this size, 64MiB by default.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    segment_size: Option<u64>,
}

/// Appends what there is; says how much it was.
pub fn run(log: &Log, arguments: &Arguments) -> Result<(), Failure> {
    let mut feed = Feed::open(log, arguments)?;
    let fed = match arguments.files.is_empty() {
        true => feed.read("standard input", &mut io::stdin().lock()),
        false => arguments.files.iter().try_for_each(|path| {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|e| Failure::Io(format!("cannot read {name}"), e));
            feed.read(&name, &mut file?)
        }),
    };
    // What came before a line that cannot be is appended, and said to be.
    let ended = feed.end();
    fed.and(ended)
}

/// The writers of a topic, and what has been appended.
struct Feed<'a> {
    topic: Topic,
    key: Option<&'a str>,
    /// The first is that of partition `first`.
    writers: Vec<Writer>,
    first: u32,
    before: Vec<u64>,
    turn: usize,
}

impl<'a> Feed<'a> {
    fn open(log: &Log, arguments: &'a Arguments) -> Result<Feed<'a>, Failure> {
        let retention = Retention { age: arguments.retention, bytes: arguments.retention_size };
        let mut options = TopicOptions { retention, ..TopicOptions::default() };
        options.segment_bytes = arguments.segment_size.unwrap_or(options.segment_bytes);
        options.partitions = match (arguments.partitions, log.topic(&arguments.topic)) {
            (Some(partitions), _) => partitions,
            (None, Ok(topic)) => topic.options().partitions,
            (None, Err(_)) => options.partitions,
        };
        let topic = log.create(&arguments.topic, &options)?;
        let wanted = super::partitions(&topic, arguments.partition);
        let first = wanted.start;
        let open = |p| topic.writer(p, WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Never });
        let writers: Vec<Writer> = wanted.map(open).collect::<Result<_, _>>()?;
        for writer in writers.iter().filter(|w| w.cut_bytes() > 0) {
            let (bytes, offset) = (writer.cut_bytes(), writer.next_offset());
            eprintln!(
                "warning: a crash had torn the end of {}: {bytes} bytes behind offset {offset} were cut off",
                topic.name()
            );
        }
        let before = writers.iter().map(Writer::next_offset).collect();
        Ok(Feed { topic, key: arguments.key.as_deref(), writers, first, before, turn: 0 })
    }

    /// Appends the lines of an input; readers see a line as soon as nothing more is there to be read.
    fn read(&mut self, name: &str, input: &mut impl Read) -> Result<(), Failure> {
        let (mut buffer, mut rest, mut lines) = (vec![0; CHUNK_BYTES], Vec::new(), 0u64);
        loop {
            let read = match input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|e| Failure::Io(format!("cannot read {name}"), e))?,
            };
            if read == 0 {
                break;
            }
            let mut bytes = &buffer[..read];
            while let Some(end) = memchr::memchr(b'\n', bytes) {
                lines += 1;
                rest.extend_from_slice(&bytes[..end]);
                self.line(&rest, name, lines)?;
                rest.clear();
                bytes = &bytes[end + 1..];
            }
            rest.extend_from_slice(bytes);
            if rest.len() > 2 * crate::log::MAX_RECORD_BYTES {
                return Err(Failure::Wrong(format!("{name}: line {} is longer than a record may be", lines + 1)));
            }
            for writer in &mut self.writers {
                writer.flush()?;
            }
        }
        self.line(&rest, name, lines + 1)
    }

    fn line(&mut self, line: &[u8], name: &str, number: u64) -> Result<(), Failure> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let key = match self.key {
            Some(field) => {
                Some(key_of(line, field).map_err(|why| Failure::Wrong(format!("{name}: line {number} {why}")))?)
            }
            None => None,
        };
        let writer = match &key {
            Some(key) => self.topic.partition_of(key.as_bytes()) as usize,
            None => {
                self.turn = (self.turn + 1) % self.writers.len();
                (self.turn + self.writers.len() - 1) % self.writers.len()
            }
        };
        let appended = self.writers[writer].append(key.as_ref().map(String::as_bytes), line, now());
        appended.map(|_| ()).map_err(Failure::Log)
    }

    /// Makes everything durable and says what was appended.
    fn end(&mut self) -> Result<(), Failure> {
        let mut text = String::new();
        for (n, (writer, before)) in self.writers.iter_mut().zip(&self.before).enumerate() {
            writer.sync()?;
            let (end, partition) = (writer.next_offset(), self.first as usize + n);
            let records = end - before;
            let plural = if records == 1 { "" } else { "s" };
            text.push_str(&format!(
                "{}/{partition}: {records} record{plural} appended, end {end}\n",
                self.topic.name()
            ));
        }
        super::print(&text)
    }
}

/// The text of a field of a JSON object.
fn key_of(line: &[u8], field: &str) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|e| format!("is no JSON: {e}"))?;
    match value.get(field) {
        None | Some(serde_json::Value::Null) => Err(format!("has no field \"{field}\" to be its key")),
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
    }
}
