//! A log and its topics.

use super::end::read_end;
use super::record::{self, Parsed};
use super::recovery::lock;
use super::segment::{self, Cursor};
use super::shared::shared;
use super::{LogError, Reader, Retention, Start, Writer, WriterOptions};
use crate::files::{self, Access, DiskFiles, Files};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the log in a data directory.
pub const FOLDER: &str = "log";
const META: &str = "topic";
/// The folders above a partition in which names of the log stand: its own, the topic's and the data directory's.
const NAMES: usize = 3;
const FORMAT: u32 = 1;
const LONGEST_NAME: usize = 200;
/// Most partitions of a topic.
const PARTITIONS_MAX: u32 = 4096;
/// Segments are no smaller, so that there are not too many.
const SEGMENT_BYTES_MIN: u64 = 1024;
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// A folder of topics.
#[derive(Clone, Debug)]
pub struct Log {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

/// What a topic is; fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOptions {
    /// Number of partitions.
    pub partitions: u32,
    /// A segment is full at so many bytes.
    pub segment_bytes: u64,
    /// How long records are kept.
    pub retention: Retention,
}

impl Default for TopicOptions {
    fn default() -> TopicOptions {
        TopicOptions { partitions: 1, segment_bytes: SEGMENT_BYTES, retention: Retention::default() }
    }
}

/// A topic that is there.
#[derive(Clone, Debug)]
pub struct Topic {
    files: Arc<dyn Files>,
    name: String,
    folder: PathBuf,
    options: TopicOptions,
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStats {
    /// The first offset there is.
    pub first: u64,
    /// Where readers stop.
    pub end: u64,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Number of its segments.
    pub segments: usize,
    /// Append time of the first record.
    pub first_time: Option<i64>,
    /// Append time of the last record.
    pub last_time: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    partitions: u32,
    segment_bytes: u64,
    retention_micros: Option<i64>,
    retention_bytes: Option<u64>,
}

impl Log {
    /// The log in a data directory of the machine. Nothing is made or read yet.
    pub fn in_dir(data_dir: &Path) -> Log {
        Log::of(Arc::new(DiskFiles), data_dir)
    }

    /// The same in a tree of files.
    pub fn of(files: Arc<dyn Files>, data_dir: &Path) -> Log {
        Log::with_files(files, data_dir.join(FOLDER))
    }

    /// A log in this folder of a tree of files.
    pub fn with_files(files: Arc<dyn Files>, folder: PathBuf) -> Log {
        Log { files, folder }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The names of its topics, sorted; none where there is no log yet.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn topics(&self) -> Result<Vec<String>, LogError> {
        let names = match self.files.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(|e| LogError::io("cannot list", &self.folder, e))?,
        };
        let is_topic = |name: &String| {
            let meta = self.folder.join(name).join(META);
            check_name(name).is_ok() && self.files.open(&meta, Access::Read).is_ok()
        };
        Ok(names.into_iter().filter(is_topic).collect())
    }

    /// A topic that is there.
    ///
    /// # Errors
    /// It is not, was made by a newer version, or its file is damaged.
    pub fn topic(&self, name: &str) -> Result<Topic, LogError> {
        check_name(name)?;
        let folder = self.folder.join(name);
        let path = folder.join(META);
        let bytes = match files::read(&*self.files, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LogError::NoTopic { name: name.to_owned(), folder: self.folder.clone() });
            }
            bytes => bytes.map_err(|e| LogError::io("cannot read", &path, e))?,
        };
        let options = decode_meta(&path, &bytes)?;
        Ok(Topic { files: self.files.clone(), name: name.to_owned(), folder, options })
    }

    /// A topic; makes it with these options if it is not there.
    ///
    /// # Errors
    /// Its name or options cannot be, it is there with another number of partitions, or the disk refuses.
    pub fn create(&self, name: &str, options: &TopicOptions) -> Result<Topic, LogError> {
        check_options(options)?;
        match self.topic(name) {
            Err(LogError::NoTopic { .. }) => {}
            topic => return agree(topic?, options),
        }
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |e: io::Error| LogError::io("cannot make", &path, e)
        };
        self.files.create_dir(&self.folder).map_err(refused(&self.folder))?;
        let _lock = lock(&*self.files, &self.folder.join(".lock"))?;
        match self.topic(name) {
            // Another process was faster.
            Ok(topic) => return agree(topic, options),
            Err(LogError::NoTopic { .. }) => {}
            Err(error) => return Err(error),
        }
        let folder = self.folder.join(name);
        for partition in 0..options.partitions {
            let folder = folder.join(partition.to_string());
            self.files.create_dir(&folder).map_err(refused(&folder))?;
        }
        let path = folder.join(META);
        files::replace(&*self.files, &path, &encode_meta(options)).map_err(refused(&path))?;
        Ok(Topic { files: self.files.clone(), name: name.to_owned(), folder, options: options.clone() })
    }
}

fn agree(topic: Topic, options: &TopicOptions) -> Result<Topic, LogError> {
    if topic.options.partitions == options.partitions {
        return Ok(topic);
    }
    Err(LogError::Refused(format!(
        "topic `{}` has {} partitions, not {}: their number stays what it was when the topic was made; use that number, \
         or another topic",
        topic.name, topic.options.partitions, options.partitions
    )))
}

fn check_name(name: &str) -> Result<(), LogError> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if first && rest && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(LogError::Refused(format!(
        "`{name}` cannot be the name of a topic: letters, digits, `_`, `-` and `.` are allowed, up to {LONGEST_NAME}, the \
         first being a letter or a digit"
    )))
}

fn check_options(options: &TopicOptions) -> Result<(), LogError> {
    if !(1..=PARTITIONS_MAX).contains(&options.partitions) {
        return Err(LogError::Refused(format!(
            "a topic has 1 to {PARTITIONS_MAX} partitions, not {}",
            options.partitions
        )));
    }
    if options.segment_bytes < SEGMENT_BYTES_MIN {
        let text = format!("a segment has at least {SEGMENT_BYTES_MIN} bytes, not {}", options.segment_bytes);
        return Err(LogError::Refused(text));
    }
    Ok(())
}

fn encode_meta(options: &TopicOptions) -> Vec<u8> {
    let meta = Meta {
        partitions: options.partitions,
        segment_bytes: options.segment_bytes,
        retention_micros: options.retention.age,
        retention_bytes: options.retention.bytes,
    };
    let body = serde_json::to_string(&meta).expect("numbers become JSON");
    format!("sferic topic {FORMAT} {:08x}\n{body}\n", crc32fast::hash(body.as_bytes())).into_bytes()
}

fn decode_meta(path: &Path, bytes: &[u8]) -> Result<TopicOptions, LogError> {
    let damaged = |what: &str| LogError::Damaged {
        file: path.to_owned(),
        byte: 0,
        offset: 0,
        what: what.to_owned(),
        advice: "restore the file from a copy; the records beside it are not touched".to_owned(),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
    let (head, body) = text.split_once('\n').ok_or_else(|| damaged("it is cut short"))?;
    let mut words = head.strip_prefix("sferic topic ").unwrap_or_default().split(' ');
    let format: Option<u32> = words.next().and_then(|w| w.parse().ok());
    let format = format.ok_or_else(|| damaged("it does not begin as a topic's file does"))?;
    if format > FORMAT {
        return Err(LogError::Newer { path: path.to_owned(), found: format, known: FORMAT });
    }
    let body = body.trim_end();
    let sum = words.next().and_then(|w| u32::from_str_radix(w, 16).ok());
    if sum != Some(crc32fast::hash(body.as_bytes())) {
        return Err(damaged("its checksum is wrong"));
    }
    let meta: Meta = serde_json::from_str(body).map_err(|_| damaged("its options cannot be read"))?;
    let retention = Retention { age: meta.retention_micros, bytes: meta.retention_bytes };
    Ok(TopicOptions { partitions: meta.partitions, segment_bytes: meta.segment_bytes, retention })
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn options(&self) -> &TopicOptions {
        &self.options
    }

    /// Opens a partition to write it: repairs what a crash has left, and keeps others out.
    ///
    /// # Errors
    /// It has a writer, belongs to another owner, is damaged where it was durable, or the disk refuses.
    pub fn writer(&self, partition: u32, options: WriterOptions) -> Result<Writer, LogError> {
        let folder = self.folder(partition)?;
        // Whoever made the topic may have failed before the names on the way to it were durable.
        for above in self.folder.ancestors().take(NAMES) {
            self.files.sync_dir(above).map_err(|e| LogError::io("cannot sync", above, e))?;
        }
        let shared = shared(self.files.identity(), &folder);
        Writer::open(self.files.clone(), &folder, &self.options, options, shared)
    }

    /// Opens a partition to read it.
    ///
    /// # Errors
    /// The start lies outside, or the disk refuses.
    pub fn reader(&self, partition: u32, start: Start) -> Result<Reader, LogError> {
        let folder = self.folder(partition)?;
        let shared = shared(self.files.identity(), &folder);
        Reader::open(self.files.clone(), &folder, shared, start)
    }

    /// The partition that a record with this key belongs to; the same for ever.
    pub fn partition_of(&self, key: &[u8]) -> u32 {
        (xxhash_rust::xxh3::xxh3_64(key) % u64::from(self.options.partitions)) as u32
    }

    /// What a partition holds.
    ///
    /// # Errors
    /// There is no such partition, or the disk refuses.
    pub fn stats(&self, partition: u32) -> Result<PartitionStats, LogError> {
        let folder = self.folder(partition)?;
        let bases = segment::bases(&*self.files, &folder)?;
        let end = read_end(&*self.files, &folder)?.1.unwrap_or_default();
        let first = bases.first().copied().unwrap_or(0);
        let bytes = bases.iter().map(|base| self.segment_bytes(&folder, *base)).sum();
        let mut stats = PartitionStats { first, end: end.visible, bytes, segments: bases.len(), ..Default::default() };
        if first < end.visible {
            stats.last_time = Some(end.time);
            let file = segment::open(&*self.files, &folder, first, Access::Read)?;
            let mut cursor = Cursor::new(file, 0);
            let found = cursor.look().map_err(|e| LogError::io("cannot read", &segment::path(&folder, first), e))?;
            if let Parsed::Whole(size) = found {
                stats.first_time = Some(record::time_of(cursor.pass(size)));
            }
        }
        Ok(stats)
    }

    pub(super) fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    pub(super) fn folder(&self, partition: u32) -> Result<PathBuf, LogError> {
        if partition < self.options.partitions {
            return Ok(self.folder.join(partition.to_string()));
        }
        let partitions = self.options.partitions;
        Err(LogError::NoPartition { name: self.name.clone(), partition, partitions })
    }

    /// Bytes of a segment; none where it has just been dropped.
    pub(super) fn segment_bytes(&self, folder: &Path, base: u64) -> u64 {
        let file = self.files.open(&segment::path(folder, base), Access::Read);
        file.and_then(|f| f.len()).unwrap_or(0)
    }
}
