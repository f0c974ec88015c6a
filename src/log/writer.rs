//! The one writer of a partition.
//!
//! Records gather in a group; [`Writer::flush`] writes it with one write behind what was written before, so that a
//! write that fails can be tried again and leaves no hole. A sync that fails is never tried again: the writer refuses
//! everything from then on.

use super::end::{End, EndFile, Place};
use super::prepared::{Later, Prepared};
use super::record::{self, MAX_RECORD_BYTES};
use super::recovery::{self, Recovered};
use super::retention::Sealed;
use super::segment::{self, Index};
use super::shared::Shared;
use super::{LogError, TopicOptions};
use crate::files::{File, Files, Lock};
use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A group that is as large as this is written even if nobody asks.
const GROUP_BYTES: usize = 256 * 1024;
/// Places remembered between two calls of [`Writer::publish`].
const PLACES: usize = 4096;

/// Who writes a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A journal or the command line: all that is flushed is visible.
    Journal,
    /// A component (`topology.bolt`) whose end belongs to its topology's commits: visible is what it publishes.
    Committed(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Journal => f.write_str("a journal or the command line"),
            Owner::Committed(name) => write!(f, "the commits of {name}"),
        }
    }
}

/// When what was written is made durable without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// At every flush, before readers see it.
    Always,
    /// At a flush, when the last time lies so many microseconds back.
    Every(i64),
    /// When a segment is full, and when somebody asks.
    Never,
}

/// How a partition is written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Who writes it, from its first record on.
    pub owner: Owner,
    /// When it is made durable.
    pub sync: SyncPolicy,
}

/// The one writer of a partition; another cannot be opened while it lives.
#[derive(Debug)]
pub struct Writer {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: PathBuf,
    pub(super) topic: TopicOptions,
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) base: u64,
    /// Of the segment being written, flushed or not.
    pub(super) index: Index,
    pub(super) visible: u64,
    options: WriterOptions,
    shared: Arc<Shared>,
    end: EndFile,
    file: Arc<dyn File>,
    group: Vec<u8>,
    /// First offset and byte that are not written yet.
    written: Place,
    written_time: i64,
    next: u64,
    synced: u64,
    last_time: i64,
    synced_time: i64,
    /// A place at or before the visible end, and the time of the record before it.
    near: (Place, i64),
    places: VecDeque<(Place, i64)>,
    cut_bytes: u64,
    poisoned: bool,
    later: Arc<Later>,
    /// The last field: the lock goes when everything else is gone.
    _lock: Box<dyn Lock>,
}

impl Writer {
    pub(super) fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        topic: &TopicOptions,
        options: WriterOptions,
        shared: Arc<Shared>,
    ) -> Result<Writer, LogError> {
        let Recovered { lock, end_file, end, sealed, base, index, file, cut_bytes } =
            recovery::recover(&*files, folder, &options.owner)?;
        let next = base + index.records;
        let written = Place { offset: next, base, byte: index.bytes };
        let last_time = if index.records > 0 { index.last_time } else { sealed.back().map_or(0, |s| s.last_time) };
        let mut writer = Writer {
            files,
            folder: folder.to_owned(),
            topic: topic.clone(),
            sealed,
            base,
            index,
            visible: end.visible,
            options,
            shared,
            end: end_file,
            file,
            group: Vec::with_capacity(GROUP_BYTES),
            written,
            written_time: last_time,
            next,
            synced: end.synced,
            last_time,
            synced_time: last_time,
            near: (end.near, end.time),
            places: VecDeque::new(),
            cut_bytes,
            poisoned: false,
            later: Arc::default(),
            _lock: lock,
        };
        writer.show(end.visible)?;
        writer.settle()?;
        writer.shared.open(writer.visible);
        Ok(writer)
    }

    /// Appends a record to the group. `time` is now, microseconds since 1970 UTC; a clock that went back stands still.
    /// Gives the record's offset.
    ///
    /// # Errors
    /// It is too long, or a write that became necessary failed: then the record was not taken, and may be offered again.
    pub fn append(&mut self, key: Option<&[u8]>, value: &[u8], time: i64) -> Result<u64, LogError> {
        self.alive()?;
        let size = size_of(key, value)?;
        if !self.group.is_empty() && self.group.len() + size > GROUP_BYTES {
            self.flush()?;
        }
        if self.index.bytes > 0 && self.index.bytes + size as u64 > self.topic.segment_bytes {
            self.roll()?;
        }
        self.take(key, value, time, size)
    }

    /// Appends a record to the group and writes nothing, however much has gathered: for who cannot give it back though
    /// the disk refuses.
    ///
    /// # Errors
    /// It is too long, or the writer has ended.
    pub fn append_unwritten(&mut self, key: Option<&[u8]>, value: &[u8], time: i64) -> Result<u64, LogError> {
        self.alive()?;
        let size = size_of(key, value)?;
        self.take(key, value, time, size)
    }

    fn take(&mut self, key: Option<&[u8]>, value: &[u8], time: i64, size: usize) -> Result<u64, LogError> {
        let time = time.max(self.last_time);
        record::encode(key, value, time, &mut self.group)?;
        self.index.add(size, time);
        self.last_time = time;
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Writes the group; a journal's readers see it from then on.
    ///
    /// # Errors
    /// The disk refuses. A failed write keeps the group and may be tried again; a failed sync ends the writer.
    pub fn flush(&mut self) -> Result<(), LogError> {
        self.write_group()?;
        match self.options.sync {
            SyncPolicy::Always => self.sync_data()?,
            SyncPolicy::Every(interval) if self.last_time - self.synced_time >= interval => self.sync_data()?,
            SyncPolicy::Every(_) | SyncPolicy::Never => {}
        }
        match self.options.owner {
            Owner::Journal if self.visible < self.written.offset => self.show(self.written.offset),
            _ => Ok(()),
        }
    }

    /// Writes the group and shows nothing of it: readers see it after [`Writer::publish`], or with the next flush. The
    /// end of what has been written.
    ///
    /// # Errors
    /// The disk refuses; it may be tried again.
    pub fn write(&mut self) -> Result<u64, LogError> {
        self.write_group()?;
        Ok(self.written.offset)
    }

    /// Flushes, and makes all of it durable.
    ///
    /// # Errors
    /// See [`Writer::flush`].
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.write_group()?;
        self.sync_data()?;
        self.flush()
    }

    /// Writes the group, and leaves the sync that makes it durable to whoever does it before the commit that refers to
    /// its end.
    ///
    /// # Errors
    /// The disk refuses; it may be tried again.
    pub fn prepare(&mut self) -> Result<Prepared, LogError> {
        self.write_group()?;
        self.prepare_written()
    }

    /// The same for what has been written, without the group.
    ///
    /// # Errors
    /// The writer has ended.
    pub fn prepare_written(&mut self) -> Result<Prepared, LogError> {
        self.alive()?;
        let (file, later) = (self.file.clone(), self.later.clone());
        let path = segment::path(&self.folder, self.base);
        Ok(Prepared { file, path, end: self.written.offset, later })
    }

    /// At a quiet moment: flushes, and makes durable what has waited long enough at this time.
    ///
    /// # Errors
    /// See [`Writer::flush`].
    pub fn idle(&mut self, now: i64) -> Result<(), LogError> {
        match self.options.sync {
            SyncPolicy::Every(interval) if self.synced < self.next && now - self.synced_time >= interval => self.sync(),
            _ if self.group.is_empty() => self.alive(),
            _ => self.flush(),
        }
    }

    /// Readers see records below `end` from now on: the epoch that they belong to is durable. An end that was visible
    /// before changes nothing.
    ///
    /// # Errors
    /// They have not been written, or the disk refuses.
    pub fn publish(&mut self, end: u64) -> Result<(), LogError> {
        self.alive()?;
        if end > self.written.offset {
            return Err(self.beyond(end, false));
        }
        if end > self.visible { self.show(end) } else { Ok(()) }
    }

    /// Forgets all records from `end` on, those of the group too; what remains is visible. For a writer whose end is in
    /// a commit, after a restart.
    ///
    /// # Errors
    /// The log ends before, or the disk refuses.
    pub fn truncate_to(&mut self, end: u64) -> Result<(), LogError> {
        self.alive()?;
        if end > self.written.offset {
            return Err(self.beyond(end, true));
        }
        let first = self.first_offset();
        if end < first {
            return Err(LogError::Gone { folder: self.folder.clone(), wanted: end, first });
        }
        self.group.clear();
        self.places.clear();
        if end < self.next || self.index.bytes != self.written.byte {
            // Halfway the writer would not know what is there; opened anew it finds out.
            self.cut(end).inspect_err(|_| self.poisoned = true)?;
        }
        self.show(end)
    }

    fn cut(&mut self, end: u64) -> Result<(), LogError> {
        // First it is durable that less is there, so that a crash in between finds nothing missing.
        self.synced = self.synced.min(end);
        self.visible = self.visible.min(end);
        // What another thread is about to make durable is of a file that is cut.
        self.later = Arc::default();
        self.settle()?;
        while self.base > end {
            segment::remove(&*self.files, &self.folder, self.base)?;
            self.sync_folder()?;
            let below = self.sealed.pop_back().expect("the first segment begins at or before any offset there is");
            self.base = below.base;
        }
        let file = segment::open(&*self.files, &self.folder, self.base, crate::files::Access::Write)?;
        let path = segment::path(&self.folder, self.base);
        let (mut left, base) = (end - self.base, self.base);
        let mut index = Index::default();
        if left > 0 {
            let mut each = |_: &[u8]| {
                left -= 1;
                left > 0
            };
            let (found, fault) =
                segment::scan(file.clone(), base, &mut each).map_err(|e| LogError::io("cannot read", &path, e))?;
            if let Some(fault) = fault {
                return Err(segment::damaged(&self.folder, &fault));
            }
            index = found;
        }
        segment::remove_index(&*self.files, &self.folder, self.base);
        file.truncate(index.bytes).map_err(|e| LogError::io("cannot cut", &path, e))?;
        self.file = file;
        self.next = end;
        self.written = Place { offset: end, base, byte: index.bytes };
        self.last_time =
            if index.records > 0 { index.last_time } else { self.sealed.back().map_or(0, |s| s.last_time) };
        self.written_time = self.last_time;
        self.index = index;
        self.file.sync().map_err(|e| LogError::io("cannot sync", &path, e))?;
        self.synced = end;
        Ok(())
    }

    /// The offset that the next record gets.
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Where readers stop.
    pub fn visible_end(&self) -> u64 {
        self.visible
    }

    /// The first offset there is.
    pub fn first_offset(&self) -> u64 {
        self.sealed.front().map_or(self.base, |s| s.base)
    }

    /// Records below it were made durable, also by [`Prepared::sync`].
    pub fn synced_end(&self) -> u64 {
        // Relaxed: see `Prepared::sync`.
        self.synced.max(self.later.synced.load(Ordering::Relaxed))
    }

    /// Whether what failed so may be tried again: the disk has refused a write, and no sync has failed.
    pub fn may_try_again(&self, error: &LogError) -> bool {
        matches!(error, LogError::Io { .. }) && self.alive().is_ok()
    }

    /// Bytes of a torn tail that were cut off when it was opened.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    pub(super) fn alive(&self) -> Result<(), LogError> {
        // Relaxed: see `Prepared::sync`.
        let failed = self.poisoned || self.later.failed.load(Ordering::Relaxed);
        if failed { Err(LogError::Poisoned { folder: self.folder.clone() }) } else { Ok(()) }
    }

    fn beyond(&self, wanted: u64, committed: bool) -> LogError {
        LogError::Beyond { folder: self.folder.clone(), wanted, end: self.written.offset, committed }
    }

    fn write_group(&mut self) -> Result<(), LogError> {
        self.alive()?;
        if self.group.is_empty() {
            return Ok(());
        }
        let written = self.file.write_at(&self.group, self.written.byte);
        written.map_err(|e| LogError::io("cannot write", &segment::path(&self.folder, self.base), e))?;
        self.written.byte += self.group.len() as u64;
        self.written.offset = self.next;
        self.written_time = self.last_time;
        self.group.clear();
        if self.group.capacity() > 4 * GROUP_BYTES {
            self.group.shrink_to(GROUP_BYTES);
        }
        if self.options.owner != Owner::Journal && self.places.len() < PLACES {
            self.places.push_back((self.written, self.written_time));
        }
        Ok(())
    }

    fn sync_data(&mut self) -> Result<(), LogError> {
        self.alive()?;
        if self.synced == self.written.offset {
            return Ok(());
        }
        if let Err(error) = self.file.sync() {
            self.poisoned = true;
            return Err(LogError::io("cannot sync", &segment::path(&self.folder, self.base), error));
        }
        self.synced = self.written.offset;
        self.synced_time = self.last_time;
        Ok(())
    }

    pub(super) fn sync_folder(&mut self) -> Result<(), LogError> {
        let synced = self.files.sync_dir(&self.folder);
        synced.map_err(|e| LogError::io("cannot sync", &self.folder, e)).inspect_err(|_| self.poisoned = true)
    }

    /// Makes the end durable, and what it was before is nowhere any more: in neither slot.
    fn settle(&mut self) -> Result<(), LogError> {
        self.write_end()?;
        self.write_end()?;
        self.end.sync().inspect_err(|_| self.poisoned = true)
    }

    /// Starts a new segment. The full one is made durable first, so that only the last can be torn.
    pub(super) fn roll(&mut self) -> Result<(), LogError> {
        self.flush()?;
        self.sync_data()?;
        // Without an index a search reads the segment: no reason to stop.
        let _ = self.index.save(&*self.files, &self.folder, self.base);
        let path = segment::path(&self.folder, self.next);
        let file = self.files.create(&path).map_err(|e| LogError::io("cannot create", &path, e))?;
        self.sync_folder()?;
        let index = std::mem::take(&mut self.index);
        self.sealed.push_back(Sealed { base: self.base, bytes: index.bytes, last_time: index.last_time });
        self.base = self.next;
        self.file = file;
        self.written = Place { offset: self.next, base: self.base, byte: 0 };
        self.retain(self.last_time).map(|_| ())
    }

    /// Makes records below `visible` visible: first in the file, then in this process.
    fn show(&mut self, visible: u64) -> Result<(), LogError> {
        let before = self.visible;
        self.visible = visible;
        if let Err(error) = self.write_end() {
            self.visible = before;
            return Err(error);
        }
        self.shared.publish(visible);
        Ok(())
    }

    fn write_end(&mut self) -> Result<(), LogError> {
        while let Some(place) = self.places.pop_front_if(|(place, _)| place.offset <= self.visible) {
            self.near = place;
        }
        if self.visible == self.written.offset {
            self.near = (self.written, self.written_time);
        } else if self.near.0.offset > self.visible {
            // It was cut: the start of its segment is always right.
            let sealed = self.sealed.iter().rev().find(|s| s.base <= self.visible);
            let base = if self.base <= self.visible { self.base } else { sealed.map_or(self.base, |s| s.base) };
            self.near.0 = Place { offset: base, base, byte: 0 };
        }
        // Relaxed: see `Prepared::sync`.
        self.synced = self.synced.max(self.later.synced.load(Ordering::Relaxed));
        let (near, time) = self.near;
        self.end.write(&End { visible: self.visible, synced: self.synced, near, time })
    }
}

/// Bytes of a record in a segment.
fn size_of(key: Option<&[u8]>, value: &[u8]) -> Result<usize, LogError> {
    let size = key.map_or(0, <[u8]>::len).saturating_add(value.len());
    if size > MAX_RECORD_BYTES {
        return Err(LogError::TooLong { bytes: size, max: MAX_RECORD_BYTES });
    }
    Ok(record::HEADER_BYTES + size)
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What is in the group is lost, as in a crash: who wants it calls `flush`, and hears of a failure.
        self.shared.close();
    }
}
