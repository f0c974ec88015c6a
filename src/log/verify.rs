//! Checking every record of a partition.

use super::end::{Place, read_end};
use super::segment::{self, Fault, Index};
use super::{LogError, Topic};
use crate::files::Access;
use std::io;
use std::path::PathBuf;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that are good, from the first to the visible end or the first that is not.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first place that is not as it was written.
    pub damage: Option<Damage>,
}

/// A place where a record should be and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// The byte at which the record should begin.
    pub byte: u64,
    /// The record.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

impl Topic {
    /// Reads and checks all visible records of a partition, also while it is written. `progress` hears how many bytes
    /// of how many have been read.
    ///
    /// # Errors
    /// There is no such partition, or the disk refuses. Damage is no error: it is in the answer.
    pub fn verify(&self, partition: u32, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, LogError> {
        let folder = self.folder(partition)?;
        let visible = read_end(&**self.files(), &folder)?.1.unwrap_or_default().visible;
        let bases = segment::bases(&**self.files(), &folder)?;
        let total: u64 = bases.iter().map(|base| self.segment_bytes(&folder, *base)).sum();
        let mut found = Verified::default();
        let mut done = 0;
        for (n, base) in bases.iter().copied().enumerate().filter(|(_, base)| *base < visible) {
            let file = match segment::open(&**self.files(), &folder, base, Access::Read) {
                // Retention was faster.
                Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && n == 0 => continue,
                file => file?,
            };
            let mut at = base;
            let mut reported = 0;
            let mut bytes = 0;
            let mut each = |record: &[u8]| {
                at += 1;
                bytes += record.len() as u64;
                if bytes - reported >= segment::BLOCK_BYTES as u64 {
                    reported = bytes;
                    progress(done + bytes, total.max(done + bytes));
                }
                at < visible
            };
            let (index, fault) = segment::scan(file, base, &mut each)
                .map_err(|e| LogError::io("cannot read", &segment::path(&folder, base), e))?;
            found.records += index.records;
            found.bytes += index.bytes;
            done += index.bytes;
            let end = bases.get(n + 1).copied().unwrap_or(visible).min(visible);
            found.damage = damage(fault, &index, base, end).map(|fault| Damage {
                file: segment::path(&folder, base),
                byte: fault.place.byte,
                offset: fault.place.offset,
                what: fault.what.to_owned(),
            });
            if found.damage.is_some() {
                break;
            }
        }
        progress(total, total);
        Ok(found)
    }
}

/// What keeps a segment from holding exactly the records from `base` to `end`.
fn damage(fault: Option<Fault>, index: &Index, base: u64, end: u64) -> Option<Fault> {
    if fault.is_some() {
        return fault;
    }
    let offset = base + index.records;
    let place = Place { offset, base, byte: index.bytes };
    match offset.cmp(&end) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(Fault { place, what: "records are missing behind it" }),
        std::cmp::Ordering::Greater => Some(Fault { place, what: "there are more records than offsets" }),
    }
}
