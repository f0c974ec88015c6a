//! Reading a partition.
//!
//! A reader reads blocks into a buffer of its own and hands out records where they lie in it. It never reads a record
//! at or behind the visible end, and bytes that were read before they were visible are read again.

use super::end::{self, End, read_end};
use super::record::{self, Parsed, Record};
use super::segment::{self, Cursor, Fault};
use super::shared::Shared;
use super::{LogError, end::Place};
use crate::files::{Access, File, Files};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first record there is.
    Earliest,
    /// Behind the last visible record.
    Latest,
    /// At this offset.
    Offset(u64),
    /// At the first record whose append time is not before this one, microseconds since 1970 UTC.
    Time(i64),
}

/// Reads a partition in order.
#[derive(Debug)]
pub struct Reader {
    files: Arc<dyn Files>,
    folder: PathBuf,
    shared: Arc<Shared>,
    end: Option<Arc<dyn File>>,
    cursor: Option<Cursor>,
    base: u64,
    next: u64,
    /// Bytes of the record that was handed out last.
    passed: usize,
    /// Records below it may be handed out of what has been read.
    known: u64,
}

impl Reader {
    pub(super) fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        shared: Arc<Shared>,
        start: Start,
    ) -> Result<Reader, LogError> {
        let mut reader = Reader {
            files,
            folder: folder.to_owned(),
            shared,
            end: None,
            cursor: None,
            base: 0,
            next: 0,
            passed: 0,
            known: 0,
        };
        let end = reader.end_now()?;
        match start {
            Start::Earliest => reader.next = reader.first()?,
            Start::Latest => reader.next = end.visible,
            Start::Offset(offset) => {
                if offset > end.visible {
                    return Err(reader.beyond(offset, end.visible));
                }
                reader.next = offset;
                reader.check_first()?;
            }
            Start::Time(time) => reader.seek_time(time, &end)?,
        }
        Ok(reader)
    }

    /// Offset of the next record.
    pub fn offset(&self) -> u64 {
        self.next
    }

    /// Where the partition ends now for readers.
    ///
    /// # Errors
    /// In another process than the writer's: the file that says it cannot be read.
    #[inline]
    pub fn end(&mut self) -> Result<u64, LogError> {
        match self.shared.visible() {
            Some(visible) => Ok(visible),
            None => self.end_now().map(|end| end.visible),
        }
    }

    /// The next record, if there is one now.
    ///
    /// # Errors
    /// It is damaged or was dropped, or the disk refuses.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, LogError> {
        if !self.holds_whole() && !self.fill()? {
            return Ok(None);
        }
        self.buffered()
    }

    /// The next record of the block that has been read; none where [`Reader::fill`] must be called for more. Records
    /// of one block stay where they are until then.
    ///
    /// # Errors
    /// It is damaged.
    #[inline]
    pub fn buffered(&mut self) -> Result<Option<Record<'_>>, LogError> {
        let Some(cursor) = self.cursor.as_mut().filter(|_| self.next < self.known) else { return Ok(None) };
        match cursor.peek() {
            Parsed::Whole(size) => {
                let offset = self.next;
                self.next += 1;
                self.passed = size;
                Ok(Some(record::view(cursor.pass(size), offset)))
            }
            Parsed::Short(_) => Ok(None),
            Parsed::Bad(what) => {
                let place = Place { offset: self.next, base: self.base, byte: cursor.byte() };
                Err(segment::damaged(&self.folder, &Fault { place, what }))
            }
        }
    }

    /// Takes back the record that was handed out last: it is the next again. Only once, and not after
    /// [`Reader::fill`].
    pub fn back(&mut self) {
        let size = std::mem::take(&mut self.passed);
        if let Some(cursor) = self.cursor.as_mut().filter(|_| size > 0) {
            cursor.back(size);
            self.next -= 1;
        }
    }

    /// Whether the block holds the next record, as far as its length tells.
    #[inline]
    fn holds_whole(&self) -> bool {
        self.next < self.known && self.cursor.as_ref().is_some_and(Cursor::holds_whole)
    }

    /// Reads the next block; false if nothing is visible that was not handed out. Costs no system call then, in the
    /// writer's process.
    ///
    /// # Errors
    /// The next record is damaged or was dropped, or the disk refuses.
    pub fn fill(&mut self) -> Result<bool, LogError> {
        self.passed = 0;
        let visible = self.end()?;
        if visible <= self.next {
            return if visible < self.next { Err(self.beyond(self.next, visible)) } else { Ok(false) };
        }
        self.known = visible;
        if self.cursor.is_none() {
            self.open_at(self.next)?;
        }
        loop {
            let Some(cursor) = &mut self.cursor else { return Ok(false) };
            let path = || segment::path(&self.folder, self.base);
            cursor.fill(0).map_err(|e| LogError::io("cannot read", &path(), e))?;
            let what = match cursor.look().map_err(|e| LogError::io("cannot read", &path(), e))? {
                Parsed::Whole(_) => return Ok(true),
                Parsed::Short(_) if cursor.rest() == 0 && self.base != self.next => {
                    self.follow()?;
                    continue;
                }
                Parsed::Short(_) => {
                    "the records end, though more had been visible: the machine stopped before they were on the disk \
                     (the next writer of the partition repairs its end)"
                }
                Parsed::Bad(what) => what,
            };
            let place = Place { offset: self.next, base: self.base, byte: cursor.byte() };
            return Err(segment::damaged(&self.folder, &Fault { place, what }));
        }
    }

    /// Goes on to the segment that begins with the next record.
    fn follow(&mut self) -> Result<(), LogError> {
        let path = segment::path(&self.folder, self.next);
        match self.files.open(&path, Access::Read) {
            Ok(file) => {
                if let Some(cursor) = &mut self.cursor {
                    cursor.turn_to(file, 0);
                }
                self.base = self.next;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.check_first()?;
                let byte = self.cursor.as_ref().map_or(0, Cursor::byte);
                let place = Place { offset: self.next, base: self.base, byte };
                let what = "the segment that should follow is not there, though its records had been visible";
                Err(segment::damaged(&self.folder, &Fault { place, what }))
            }
            Err(error) => Err(LogError::io("cannot open", &path, error)),
        }
    }

    fn beyond(&self, wanted: u64, end: u64) -> LogError {
        LogError::Beyond { folder: self.folder.clone(), wanted, end, committed: false }
    }

    fn first(&self) -> Result<u64, LogError> {
        Ok(segment::bases(&*self.files, &self.folder)?.first().copied().unwrap_or(0))
    }

    /// The next record has not been dropped.
    fn check_first(&self) -> Result<(), LogError> {
        let first = self.first()?;
        if self.next < first {
            return Err(LogError::Gone { folder: self.folder.clone(), wanted: self.next, first });
        }
        Ok(())
    }

    /// What the file of the end says; the default before anything was written.
    fn end_now(&mut self) -> Result<End, LogError> {
        let found = match &self.end {
            Some(file) => {
                let path = self.folder.join("end");
                end::read(&**file).map_err(|e| LogError::io("cannot read", &path, e))?.map(|(_, end)| end)
            }
            None => {
                let (file, end) = read_end(&*self.files, &self.folder)?;
                self.end = file;
                end
            }
        };
        Ok(found.unwrap_or_default())
    }

    /// Opens the segment that holds `offset` and goes there.
    fn open_at(&mut self, offset: u64) -> Result<(), LogError> {
        let near = self.end_now()?.near;
        let bases = segment::bases(&*self.files, &self.folder)?;
        let Some(at) = bases.partition_point(|base| *base <= offset).checked_sub(1) else {
            let first = bases.first().copied().unwrap_or(0);
            return Err(LogError::Gone { folder: self.folder.clone(), wanted: offset, first });
        };
        let base = bases[at];
        let (mut record, mut byte) = (0, 0);
        if near.base == base && near.offset <= offset {
            (record, byte) = (near.offset - base, near.byte);
        } else if at + 1 < bases.len() {
            let (index, _) = segment::index_of(&*self.files, &self.folder, base)?;
            (record, byte) = index.before_record(offset - base);
        }
        let file = segment::open(&*self.files, &self.folder, base, Access::Read)?;
        self.base = base;
        self.walk(Cursor::new(file, byte), base + record, &mut |next, _| next < offset)
    }

    /// Goes over records from `from` on while `on` says so of their offset and time.
    fn walk(&mut self, mut cursor: Cursor, from: u64, on: &mut dyn FnMut(u64, i64) -> bool) -> Result<(), LogError> {
        self.next = from;
        while self.next < self.known {
            let path = || segment::path(&self.folder, self.base);
            match cursor.look().map_err(|e| LogError::io("cannot read", &path(), e))? {
                Parsed::Whole(size) if on(self.next, cursor.time()) => {
                    cursor.pass(size);
                    self.next += 1;
                }
                Parsed::Whole(_) => break,
                Parsed::Short(_) if cursor.rest() == 0 => break,
                Parsed::Short(_) => break,
                Parsed::Bad(what) => {
                    let place = Place { offset: self.next, base: self.base, byte: cursor.byte() };
                    return Err(segment::damaged(&self.folder, &Fault { place, what }));
                }
            }
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    fn seek_time(&mut self, time: i64, end: &End) -> Result<(), LogError> {
        self.known = end.visible;
        let bases = segment::bases(&*self.files, &self.folder)?;
        for (n, base) in bases.iter().copied().enumerate().filter(|(_, base)| *base < end.visible) {
            let (mut record, mut byte) = (0, 0);
            if n + 1 < bases.len() {
                let (index, fault) = segment::index_of(&*self.files, &self.folder, base)?;
                if index.last_time < time && fault.is_none() {
                    continue;
                }
                (record, byte) = index.before_time(time);
            }
            let file = segment::open(&*self.files, &self.folder, base, Access::Read)?;
            self.base = base;
            return self.walk(Cursor::new(file, byte), base + record, &mut |_, at| at < time);
        }
        self.next = end.visible;
        Ok(())
    }
}
