//! Segments: the files that records are in, a cursor over one, and the index that stands beside a full one.
//!
//! An index has a record's offset, byte and time for every 64 KiB, so that a search reads little more than that. It can
//! be made again from its segment; one that does not fit it is not believed.

use super::LogError;
use super::end::Place;
use super::record::{self, Parsed};
use crate::files::{self, Access, File, Files};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes of a segment for each entry of its index.
const STRIDE_BYTES: u64 = 64 * 1024;
const INDEX_HEADER_BYTES: usize = 64;
const INDEX_VERSION: u64 = 1;
const ENTRY_BYTES: usize = 24;

/// The file of the segment that begins with this offset.
pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.seg"))
}

fn index_path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.idx"))
}

/// First offsets of the segments of a partition, ascending; empty where its folder is not there.
pub(super) fn bases(files: &dyn Files, folder: &Path) -> Result<Vec<u64>, LogError> {
    let names = match files.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|e| LogError::io("cannot list", folder, e))?,
    };
    let base = |name: &String| name.strip_suffix(".seg").filter(|n| n.len() == 20)?.parse().ok();
    let mut bases: Vec<u64> = names.iter().filter_map(base).collect();
    bases.sort_unstable();
    Ok(bases)
}

/// Removes a segment and its index; durable when the folder has been synced.
pub(super) fn remove(files: &dyn Files, folder: &Path, base: u64) -> Result<(), LogError> {
    let path = path(folder, base);
    remove_index(files, folder, base);
    files.remove(&path).map_err(|e| LogError::io("cannot remove", &path, e))
}

/// Removes the index of a segment that is about to change.
pub(super) fn remove_index(files: &dyn Files, folder: &Path, base: u64) {
    // An index that is not there is as good as removed; one that cannot be removed will not fit its segment.
    let _ = files.remove(&index_path(folder, base));
}

/// Goes through the records of a segment. What it hands out lies in its buffer, which [`Cursor::fill`] alone moves.
#[derive(Debug)]
pub(super) struct Cursor {
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Byte of the segment at which `start` lies.
    byte: u64,
}

impl Cursor {
    pub(super) fn new(file: Arc<dyn File>, byte: u64) -> Cursor {
        Cursor { file, buffer: Vec::new(), start: 0, end: 0, byte }
    }

    /// The same buffer over another segment.
    pub(super) fn turn_to(&mut self, file: Arc<dyn File>, byte: u64) {
        (self.file, self.byte, self.start, self.end) = (file, byte, 0, 0);
    }

    /// Byte of the segment at which it stands.
    pub(super) fn byte(&self) -> u64 {
        self.byte
    }

    /// Bytes that have been read and not been passed.
    pub(super) fn rest(&self) -> usize {
        self.end - self.start
    }

    /// What stands there, as far as it has been read.
    #[inline]
    pub(super) fn peek(&self) -> Parsed {
        record::parse(&self.buffer[self.start..self.end])
    }

    /// Whether a record's length says that all of it has been read.
    #[inline]
    pub(super) fn holds_whole(&self) -> bool {
        record::length_of(&self.buffer[self.start..self.end]).is_some_and(|size| size <= self.rest())
    }

    /// Append time of the record that stands there, which must be whole.
    pub(super) fn time(&self) -> i64 {
        record::time_of(&self.buffer[self.start..self.end])
    }

    /// Passes `size` bytes and gives them.
    #[inline]
    pub(super) fn pass(&mut self, size: usize) -> &[u8] {
        let from = self.start;
        self.start += size;
        self.byte += size as u64;
        &self.buffer[from..from + size]
    }

    /// Goes back over what was passed last.
    pub(super) fn back(&mut self, size: usize) {
        debug_assert!(size <= self.start);
        self.start -= size;
        self.byte -= size as u64;
    }

    /// Reads from where it stands on, at least `wanted` bytes if they are there; what was read before is read again,
    /// because it may have been half written then.
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let wanted = wanted.max(BLOCK_BYTES);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        (self.start, self.end) = (0, 0);
        self.end = self.file.read_at(&mut self.buffer, self.byte)?;
        Ok(())
    }

    /// What stands there, read if need be: [`Parsed::Short`] only at the end of the file.
    pub(super) fn look(&mut self) -> io::Result<Parsed> {
        let mut filled = 0;
        loop {
            match self.peek() {
                Parsed::Short(needed) if filled < needed => {
                    self.fill(needed)?;
                    filled = needed;
                }
                found => return Ok(found),
            }
        }
    }
}

/// What a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Number of its records.
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Append time of the first, if there is one.
    pub(super) first_time: i64,
    /// Append time of the last.
    pub(super) last_time: i64,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    record: u64,
    byte: u64,
    time: i64,
}

impl Index {
    /// Notes a record that has been appended.
    #[inline]
    pub(super) fn add(&mut self, size: usize, time: i64) {
        if self.records == 0 {
            self.first_time = time;
        }
        if self.entries.last().is_none_or(|last| self.bytes >= last.byte + STRIDE_BYTES) {
            self.entries.push(Entry { record: self.records, byte: self.bytes, time });
        }
        self.records += 1;
        self.bytes += size as u64;
        self.last_time = time;
    }

    /// The last noted record that is not behind record number `record` of the segment: its number and its byte.
    pub(super) fn before_record(&self, record: u64) -> (u64, u64) {
        let at = self.entries.partition_point(|e| e.record <= record);
        at.checked_sub(1).map_or((0, 0), |at| (self.entries[at].record, self.entries[at].byte))
    }

    /// The last noted record whose time lies before `time`, or the first of all.
    pub(super) fn before_time(&self, time: i64) -> (u64, u64) {
        let at = self.entries.partition_point(|e| e.time < time);
        at.checked_sub(1).map_or((0, 0), |at| (self.entries[at].record, self.entries[at].byte))
    }

    /// Writes it beside its segment. Not synced: it can be made again.
    pub(super) fn save(&self, files: &dyn Files, folder: &Path, base: u64) -> io::Result<()> {
        let mut bytes = vec![0; INDEX_HEADER_BYTES];
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.record.to_le_bytes());
            bytes.extend_from_slice(&entry.byte.to_le_bytes());
            bytes.extend_from_slice(&entry.time.to_le_bytes());
        }
        let sum = u64::from(crc32fast::hash(&bytes[INDEX_HEADER_BYTES..]));
        let times = (self.first_time as u64, self.last_time as u64);
        let fields = [INDEX_VERSION, self.records, self.bytes, times.0, times.1, self.entries.len() as u64, sum];
        for (to, field) in bytes[8..].chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_le_bytes());
        }
        let sum = crc32fast::hash(&bytes[8..INDEX_HEADER_BYTES]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        files.create(&index_path(folder, base))?.write_at(&bytes, 0)
    }

    /// Reads the index beside a segment of so many bytes; none if there is none that fits it.
    fn load(files: &dyn Files, folder: &Path, base: u64, segment_bytes: u64) -> Option<Index> {
        let bytes = files::read(files, &index_path(folder, base)).ok()?;
        let (header, rest) = bytes.split_first_chunk::<INDEX_HEADER_BYTES>()?;
        let field = |n: usize| {
            let bytes = &header[8 + 8 * n..16 + 8 * n];
            u64::from_le_bytes(bytes.try_into().expect("eight bytes are eight bytes"))
        };
        let sound = header[..4] == crc32fast::hash(&header[8..]).to_le_bytes()
            && field(0) == INDEX_VERSION
            && field(2) == segment_bytes
            && rest.len() as u64 == field(5).saturating_mul(ENTRY_BYTES as u64)
            && u64::from(crc32fast::hash(rest)) == field(6);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes are eight bytes"));
        let entry = |bytes: &[u8]| Entry {
            record: number(&bytes[..8]),
            byte: number(&bytes[8..16]),
            time: number(&bytes[16..]) as i64,
        };
        sound.then(|| Index {
            records: field(1),
            bytes: field(2),
            first_time: field(3) as i64,
            last_time: field(4) as i64,
            entries: rest.chunks_exact(ENTRY_BYTES).map(entry).collect(),
        })
    }
}

/// Where and why a segment cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where.
    pub(super) place: Place,
    /// Why.
    pub(super) what: &'static str,
}

/// Reads a segment from its start, `each` seeing its records' bytes: its index, and what ended it but its end. Stops
/// where `each` says false.
pub(super) fn scan(
    file: Arc<dyn File>,
    base: u64,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<(Index, Option<Fault>)> {
    let mut cursor = Cursor::new(file, 0);
    let mut index = Index::default();
    loop {
        let what = match cursor.look()? {
            Parsed::Whole(size) => {
                let bytes = cursor.pass(size);
                index.add(size, record::time_of(bytes));
                if each(bytes) {
                    continue;
                }
                return Ok((index, None));
            }
            Parsed::Short(_) if cursor.rest() == 0 => return Ok((index, None)),
            Parsed::Short(_) => "the record is cut short",
            Parsed::Bad(what) => what,
        };
        let place = Place { offset: base + index.records, base, byte: index.bytes };
        return Ok((index, Some(Fault { place, what })));
    }
}

/// Opens the segment that begins with `base`.
pub(super) fn open(files: &dyn Files, folder: &Path, base: u64, access: Access) -> Result<Arc<dyn File>, LogError> {
    let path = path(folder, base);
    files.open(&path, access).map_err(|e| LogError::io("cannot open", &path, e))
}

/// The index of a full segment: the one beside it if it fits, else made anew; that of one being written is made.
pub(super) fn index_of(files: &dyn Files, folder: &Path, base: u64) -> Result<(Index, Option<Fault>), LogError> {
    let path = path(folder, base);
    let file = open(files, folder, base, Access::Read)?;
    let failed = |e| LogError::io("cannot read", &path, e);
    let len = file.len().map_err(failed)?;
    match Index::load(files, folder, base, len) {
        Some(index) => Ok((index, None)),
        None => scan(file, base, &mut |_| true).map_err(failed),
    }
}

/// What to say of a fault where everything should be whole.
pub(super) fn damaged(folder: &Path, fault: &Fault) -> LogError {
    let Fault { place, what } = *fault;
    LogError::Damaged {
        file: path(folder, place.base),
        byte: place.byte,
        offset: place.offset,
        what: what.to_owned(),
        advice: format!(
            "records before offset {} can be read; restore the file from a copy, or move the topic's folder away",
            place.offset
        ),
    }
}
