//! How far a partition goes, in a small file for readers in other processes and for recovery.
//!
//! Two slots are written in turn, each with a number that counts up and a checksum, so that a write that a crash tears,
//! or that a reader meets halfway, leaves the other slot. Written without a sync: what it says after a crash may be
//! older than the truth, never newer than what was written.

use super::LogError;
use crate::files::{Access, File, Files};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SLOT_BYTES: usize = 64;
/// The second slot stands in another sector.
const SECOND: u64 = 512;
const NAME: &str = "end";

/// How far a partition goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// Readers see records below it.
    pub(super) visible: u64,
    /// Records below it were durable.
    pub(super) synced: u64,
    /// A place at or before the visible end.
    pub(super) near: Place,
    /// Append time of the last visible record; zero where there is none.
    pub(super) time: i64,
}

/// Where a record begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The record.
    pub(super) offset: u64,
    /// First offset of its segment.
    pub(super) base: u64,
    /// Byte in the segment.
    pub(super) byte: u64,
}

/// The file.
#[derive(Debug)]
pub(super) struct EndFile {
    file: Arc<dyn File>,
    path: PathBuf,
    sequence: u64,
}

impl EndFile {
    /// Opens the file of a partition to write it, and makes it if it is not there; what it says.
    pub(super) fn open(files: &dyn Files, folder: &Path) -> Result<(EndFile, Option<End>), LogError> {
        let path = folder.join(NAME);
        let opened = files.open(&path, Access::Write).or_else(|_| files.create(&path));
        let file = opened.map_err(|e| LogError::io("cannot open", &path, e))?;
        let found = read(&*file).map_err(|e| LogError::io("cannot read", &path, e))?;
        let (sequence, end) = found.map_or((0, None), |(sequence, end)| (sequence, Some(end)));
        Ok((EndFile { file, path, sequence }, end))
    }

    /// Writes where the partition ends now.
    pub(super) fn write(&mut self, end: &End) -> Result<(), LogError> {
        let sequence = self.sequence + 1;
        let fields =
            [sequence, end.visible, end.synced, end.near.offset, end.near.base, end.near.byte, end.time as u64];
        let mut slot = [0; SLOT_BYTES];
        for (bytes, field) in slot[8..].chunks_exact_mut(8).zip(fields) {
            bytes.copy_from_slice(&field.to_le_bytes());
        }
        let sum = crc32fast::hash(&slot[8..]);
        slot[..4].copy_from_slice(&sum.to_le_bytes());
        let written = self.file.write_at(&slot, (sequence & 1) * SECOND);
        written.map_err(|e| LogError::io("cannot write", &self.path, e))?;
        self.sequence = sequence;
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file.sync().map_err(|e| LogError::io("cannot sync", &self.path, e))
    }
}

/// The open file, if it is there, and what it says.
pub(super) type Found = (Option<Arc<dyn File>>, Option<End>);

/// Reads the file of a partition; none where nothing was written yet, or nothing whole is left.
pub(super) fn read_end(files: &dyn Files, folder: &Path) -> Result<Found, LogError> {
    let path = folder.join(NAME);
    match files.open(&path, Access::Read) {
        Ok(file) => {
            let end = read(&*file).map_err(|e| LogError::io("cannot read", &path, e))?;
            Ok((Some(file), end.map(|(_, end)| end)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, None)),
        Err(error) => Err(LogError::io("cannot open", &path, error)),
    }
}

/// The newest whole slot of an open file.
pub(super) fn read(file: &dyn File) -> std::io::Result<Option<(u64, End)>> {
    let mut bytes = [0; SECOND as usize + SLOT_BYTES];
    let there = file.read_at(&mut bytes, 0)?;
    let slots = [0, SECOND as usize].into_iter().filter(|at| at + SLOT_BYTES <= there);
    Ok(slots.filter_map(|at| slot(&bytes[at..at + SLOT_BYTES])).max_by_key(|(sequence, _)| *sequence))
}

fn slot(bytes: &[u8]) -> Option<(u64, End)> {
    let sum = crc32fast::hash(&bytes[8..]).to_le_bytes();
    if bytes[..4] != sum {
        return None;
    }
    let field = |n: usize| {
        let bytes = &bytes[8 + 8 * n..16 + 8 * n];
        u64::from_le_bytes(bytes.try_into().expect("eight bytes are eight bytes"))
    };
    let near = Place { offset: field(3), base: field(4), byte: field(5) };
    let end = End { visible: field(1), synced: field(2), near, time: field(6) as i64 };
    // A sequence of zero was never written: an empty sector has no valid sum, but a caller need not know that.
    (field(0) > 0).then_some((field(0), end))
}
