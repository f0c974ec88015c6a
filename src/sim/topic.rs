//! What must hold of the topic that the case `log` writes and reads again.
//!
//! Whenever a process begins: in each partition records stand in the order of their rows, none twice; what readers have
//! seen is never taken back nor changed; they see nothing that is not durable; and what has been read of the topic is what
//! was written. At the end each row is there.

use super::ledger::Seen;
use super::records::position_at;
use crate::files::MemoryFiles;
use crate::log::{Log, LogError, Start, TopicOptions};
use crate::store::Space;
use crate::time;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "told";
/// Segments are as small as may be, so that there are many.
const SEGMENT_BYTES: u64 = 1024;

fn log(files: &MemoryFiles) -> Log {
    Log::of(Arc::new(files.clone()), Path::new("/sim"))
}

/// Makes the topic.
///
/// # Errors
/// It cannot be made.
pub fn make(files: &MemoryFiles, partitions: u32) -> Result<(), LogError> {
    let options = TopicOptions { partitions, segment_bytes: SEGMENT_BYTES, ..TopicOptions::default() };
    log(files).create(NAME, &options).map(|_| ())
}

/// What readers have seen: by partition the positions of the records that the rows stem from.
#[derive(Default)]
pub struct Told {
    partitions: Vec<Vec<u64>>,
}

impl Told {
    /// Looks at the topic of a process that is gone. `passed` are the durable rows that were written to it, `read` those
    /// that were read from it; `ended`: all must be visible.
    ///
    /// # Errors
    /// A promise is broken, in words.
    pub fn look(
        &mut self,
        files: &MemoryFiles,
        space: &Space,
        passed: &[Seen],
        read: &[Seen],
        ended: bool,
    ) -> Result<(), String> {
        let found = visible(files).map_err(|error| format!("the topic cannot be read: {error}"))?;
        let durable: BTreeMap<u64, u64> = passed.iter().map(|seen| (seen.position, seen.sum)).collect();
        self.partitions.resize(found.len(), Vec::new());
        for (number, (known, found)) in self.partitions.iter_mut().zip(found).enumerate() {
            if let Some(pair) = found.windows(2).find(|pair| pair[0] >= pair[1]) {
                return Err(format!("partition {number} has the row of record {} behind that of {}", pair[1], pair[0]));
            }
            if let Some(early) = found.iter().find(|position| !durable.contains_key(position)) {
                return Err(format!("partition {number} shows the row of record {early}, which is not durable"));
            }
            // The file that says how far readers may go is not synced: after a power cut they may see less for a while.
            let same = known.iter().zip(&found).position(|(known, found)| known != found);
            if let Some(at) = same {
                return Err(format!("offset {at} of partition {number} was {} and is {}", known[at], found[at]));
            }
            if found.len() > known.len() {
                *known = found;
            }
        }
        if ended {
            let all: BTreeSet<u64> = self.partitions.iter().flatten().copied().collect();
            if let Some(lost) = durable.keys().find(|position| !all.contains(position)) {
                return Err(format!("the row of record {lost} is in no partition"));
            }
        }
        self.compare(space, &durable, read, ended)
    }

    /// What was read again is what was written, as far as it is visible now.
    fn compare(&self, space: &Space, durable: &BTreeMap<u64, u64>, read: &[Seen], ended: bool) -> Result<(), String> {
        for (name, facts) in space.splits() {
            let Some(partition) = name.strip_prefix("again/").and_then(|n| n.parse::<usize>().ok()) else { continue };
            for row in read.iter().filter(|row| row.split == facts.id) {
                let written = self.partitions.get(partition).and_then(|known| known.get(row.position as usize));
                if written.is_none() && !ended {
                    continue;
                }
                let sum = written.and_then(|position| durable.get(position));
                if sum != Some(&row.sum) {
                    return Err(format!("{row:?} was read from partition {partition}, where {written:?} was written"));
                }
            }
        }
        Ok(())
    }
}

/// By partition the positions of the records whose rows readers see.
fn visible(files: &MemoryFiles) -> Result<Vec<Vec<u64>>, LogError> {
    let topic = log(files).topic(NAME)?;
    let mut partitions = Vec::new();
    for partition in 0..topic.options().partitions {
        let mut reader = topic.reader(partition, Start::Earliest)?;
        let mut positions = Vec::new();
        while let Some(record) = reader.next_record()? {
            let text = String::from_utf8_lossy(record.value);
            let time = text.split(',').nth(1).and_then(|ts| time::parse_timestamp(ts).ok());
            positions.push(time.map_or(u64::MAX, position_at));
        }
        partitions.push(positions);
    }
    Ok(partitions)
}
