//! Opening a partition to write it, after an orderly end or a crash.
//!
//! 1. The lock, and whose the partition is.
//! 2. Full segments follow each other without a gap: their indexes say so, or they are read.
//! 3. The last segment is read whole. What cannot be read at its end was never durable and is cut off; what the file
//!    `end` says was durable must be there.
//! 4. What remains is made durable before anything is written behind it: nothing that was cut off can come back.

use super::end::{End, EndFile, Place};
use super::retention::Sealed;
use super::segment::{self, Fault, Index};
use super::{LogError, Owner};
use crate::files::{self, Access, File, Files, Lock, LockError};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

const JOURNAL: &str = "journal";
const COMMITTED: &str = "committed ";

/// A partition as a writer begins with it.
pub(super) struct Recovered {
    pub(super) lock: Box<dyn Lock>,
    pub(super) end_file: EndFile,
    pub(super) end: End,
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) base: u64,
    pub(super) index: Index,
    pub(super) file: Arc<dyn File>,
    /// Bytes of a torn tail.
    pub(super) cut_bytes: u64,
}

/// Locks a file of the log.
pub(super) fn lock(files: &dyn Files, path: &Path) -> Result<Box<dyn Lock>, LogError> {
    files.lock(path).map_err(|error| match error {
        LockError::Held(process) => LogError::Locked { path: path.to_owned(), process },
        LockError::Io(error) => LogError::io("cannot lock", path, error),
    })
}

/// Opens a partition to write it.
pub(super) fn recover(files: &dyn Files, folder: &Path, owner: &Owner) -> Result<Recovered, LogError> {
    files.create_dir(folder).map_err(|e| LogError::io("cannot make", folder, e))?;
    let lock = lock(files, &folder.join("lock"))?;
    let mut bases = segment::bases(files, folder)?;
    own(files, folder, owner, &bases)?;
    let (end_file, end) = EndFile::open(files, folder)?;
    let known = end.unwrap_or_default();
    if bases.is_empty() {
        if known.synced > 0 {
            return Err(lost(folder, 0, 0, 0, known.synced));
        }
        let path = segment::path(folder, 0);
        files.create(&path).map_err(|e| LogError::io("cannot create", &path, e))?;
        bases.push(0);
    }
    files.sync_dir(folder).map_err(|e| LogError::io("cannot sync", folder, e))?;
    let sealed = full_segments(files, folder, &bases)?;
    let base = bases[bases.len() - 1];
    let (file, index, cut_bytes) = last_segment(files, folder, base, known.synced)?;
    let next = base + index.records;
    let visible = match owner {
        Owner::Journal => next,
        Owner::Committed(_) => known.visible.clamp(bases[0], next.max(bases[0])),
    };
    let fits = known.near.offset <= visible && bases.contains(&known.near.base);
    let near = if fits { known.near } else { Place { offset: bases[0], base: bases[0], byte: 0 } };
    let end = End { visible, synced: next, near, time: known.time };
    Ok(Recovered { lock, end_file, end, sealed, base, index, file, cut_bytes })
}

/// Who writes a partition; none where nobody has yet.
pub(super) fn owner_of(files: &dyn Files, folder: &Path) -> Result<Option<Owner>, LogError> {
    let path = folder.join("owner");
    match files::read(files, &path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let name = text.trim_end().strip_prefix(COMMITTED);
            Ok(Some(name.map_or(Owner::Journal, |name| Owner::Committed(name.to_owned()))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("cannot read", &path, error)),
    }
}

/// Whether the partition is written by this owner; it becomes his where nobody has written yet.
fn own(files: &dyn Files, folder: &Path, owner: &Owner, bases: &[u64]) -> Result<(), LogError> {
    let is = owner_of(files, folder)?;
    if is.as_ref() == Some(owner) {
        return Ok(());
    }
    let written = match bases {
        [] => false,
        [only] => {
            let file = segment::open(files, folder, *only, Access::Read)?;
            let empty = file.is_empty().map_err(|e| LogError::io("cannot read", &segment::path(folder, *only), e))?;
            *only > 0 || !empty
        }
        _ => true,
    };
    if let (true, Some(is)) = (written, is) {
        return Err(LogError::Owned { folder: folder.to_owned(), owner: is.to_string() });
    }
    let path = folder.join("owner");
    let text = match owner {
        Owner::Journal => format!("{JOURNAL}\n"),
        Owner::Committed(name) => format!("{COMMITTED}{name}\n"),
    };
    files::replace(files, &path, text.as_bytes()).map_err(|e| LogError::io("cannot write", &path, e))
}

fn full_segments(files: &dyn Files, folder: &Path, bases: &[u64]) -> Result<VecDeque<Sealed>, LogError> {
    let mut sealed = VecDeque::with_capacity(bases.len());
    for pair in bases.windows(2) {
        let (base, next) = (pair[0], pair[1]);
        let (index, fault) = segment::index_of(files, folder, base)?;
        if let Some(fault) = fault {
            return Err(segment::damaged(folder, &fault));
        }
        if base + index.records != next {
            return Err(lost(folder, base, index.bytes, base + index.records, next));
        }
        sealed.push_back(Sealed { base, bytes: index.bytes, last_time: index.last_time });
    }
    Ok(sealed)
}

fn last_segment(
    files: &dyn Files,
    folder: &Path,
    base: u64,
    synced: u64,
) -> Result<(Arc<dyn File>, Index, u64), LogError> {
    let path = segment::path(folder, base);
    let failed = |doing: &'static str| {
        let path = path.clone();
        move |e: io::Error| LogError::io(doing, &path, e)
    };
    let file = segment::open(files, folder, base, Access::Write)?;
    let (index, fault) = segment::scan(file.clone(), base, &mut |_| true).map_err(failed("cannot read"))?;
    match fault {
        Some(fault) if fault.place.offset < synced => return Err(segment::damaged(folder, &fault)),
        None if base + index.records < synced => {
            return Err(lost(folder, base, index.bytes, base + index.records, synced));
        }
        _ => {}
    }
    let len = file.len().map_err(failed("cannot read"))?;
    if len > index.bytes {
        file.truncate(index.bytes).map_err(failed("cannot cut"))?;
    }
    segment::remove_index(files, folder, base);
    file.sync().map_err(failed("cannot sync"))?;
    let cut_bytes = len - index.bytes;
    Ok((file, index, cut_bytes))
}

/// Records that were durable are not there.
fn lost(folder: &Path, base: u64, byte: u64, offset: u64, durable: u64) -> LogError {
    let fault = Fault { place: Place { offset, base, byte }, what: "" };
    match segment::damaged(folder, &fault) {
        LogError::Damaged { file, byte, offset, advice, .. } => {
            let what = format!("its records end, though those up to offset {durable} were on the disk");
            LogError::Damaged { file, byte, offset, what, advice }
        }
        other => other,
    }
}
