//! Dropping the oldest records: whole segments at the front.

use super::recovery::owner_of;
use super::{LogError, Owner, SyncPolicy, Topic, Writer, WriterOptions, segment};

/// How long records are kept; a record is dropped when any of the limits says so. Limits hold for each partition, and
/// the segment being written is never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose last record is older than this many microseconds go; none: age does not matter.
    pub age: Option<i64>,
    /// The oldest segments go while what remains is still at least so many bytes; none: size does not matter.
    pub bytes: Option<u64>,
}

/// What to drop by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Records below this offset.
    Offset(u64),
    /// Records appended before this time, microseconds since 1970 UTC.
    Time(i64),
    /// The oldest, so that at least so many bytes remain.
    Bytes(u64),
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A full segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) base: u64,
    pub(super) bytes: u64,
    pub(super) last_time: i64,
}

impl Topic {
    /// Trims a partition that nobody writes just now, whoever its owner is.
    ///
    /// # Errors
    /// It has a writer (which may trim itself), is damaged, or the disk refuses.
    pub fn trim(&self, partition: u32, trim: Trim) -> Result<Trimmed, LogError> {
        let owner = owner_of(&**self.files(), &self.folder(partition)?)?.unwrap_or(Owner::Journal);
        self.writer(partition, WriterOptions { owner, sync: SyncPolicy::Never })?.trim(trim)
    }
}

impl Writer {
    /// Drops what the topic's [`Retention`] does not keep at this time.
    ///
    /// # Errors
    /// The disk refuses; what was dropped before is.
    pub fn retain(&mut self, now: i64) -> Result<Trimmed, LogError> {
        let Retention { age, bytes } = self.topic.retention;
        let mut dropped = Trimmed::default();
        if let Some(age) = age {
            self.drop_front(Trim::Time(now.saturating_sub(age)), &mut dropped)?;
        }
        if let Some(bytes) = bytes {
            self.drop_front(Trim::Bytes(bytes), &mut dropped)?;
        }
        Ok(dropped)
    }

    /// Drops records at the front, as far as whole segments allow; a last segment all of whose records may go is closed
    /// first.
    ///
    /// # Errors
    /// The disk refuses; what was dropped before is.
    pub fn trim(&mut self, trim: Trim) -> Result<Trimmed, LogError> {
        self.flush()?;
        let all = match trim {
            Trim::Offset(offset) => offset >= self.next_offset(),
            Trim::Time(time) => self.index.last_time < time,
            Trim::Bytes(bytes) => bytes == 0,
        };
        if all && self.index.records > 0 && self.visible == self.next_offset() {
            self.roll()?;
        }
        let mut dropped = Trimmed::default();
        self.drop_front(trim, &mut dropped)?;
        Ok(dropped)
    }

    fn drop_front(&mut self, trim: Trim, dropped: &mut Trimmed) -> Result<(), LogError> {
        let mut left: u64 = self.sealed.iter().map(|s| s.bytes).sum::<u64>() + self.index.bytes;
        while let Some(first) = self.sealed.front().copied() {
            let end = self.sealed.get(1).map_or(self.base, |s| s.base);
            let goes = match trim {
                Trim::Offset(offset) => end <= offset,
                Trim::Time(time) => first.last_time < time,
                Trim::Bytes(bytes) => left - first.bytes >= bytes,
            };
            if !goes || end > self.visible {
                break;
            }
            segment::remove(&*self.files, &self.folder, first.base)?;
            self.sealed.pop_front();
            // One at a time, durably: a crash leaves no gap.
            self.sync_folder()?;
            left -= first.bytes;
            dropped.records += end - first.base;
            dropped.bytes += first.bytes;
        }
        Ok(())
    }
}
