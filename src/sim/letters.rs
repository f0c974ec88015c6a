//! What must hold of the dead letters.
//!
//! Whenever a process begins: the letters that the last epoch knows are all there, those that were there before come
//! first and are the same, readers have seen none beyond them, and no record has two. A letter has the record byte for
//! byte. At the end readers see all of them, and they are those of an undisturbed run.

use super::records;
use crate::config::Checked;
use crate::dead::{Desk, DeskSpec, Letter};
use crate::files::MemoryFiles;
use crate::log::{Log, LogError, Start};
use crate::store::Space;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

fn log(files: &MemoryFiles) -> Log {
    Log::of(Arc::new(files.clone()), Path::new("/sim"))
}

/// The desk of a topology over these files.
///
/// # Errors
/// Its topic cannot be opened.
pub fn desk(checked: &Checked, files: &MemoryFiles, space: Arc<Space>, now: i64) -> Result<Option<Desk>, LogError> {
    let Some(dead) = checked.runtime.dead_letters.clone() else { return Ok(None) };
    let spec = DeskSpec { topology: checked.name.clone(), topic: dead.topic, retention: dead.retention };
    Desk::open(log(files), spec, space, now).map(Some)
}

/// The letters that readers see.
fn visible(checked: &Checked, files: &MemoryFiles) -> Result<Vec<Letter>, String> {
    let unreadable = |error: LogError| format!("the dead letters cannot be read: {error}");
    let Some(dead) = &checked.runtime.dead_letters else { return Ok(Vec::new()) };
    let topic = match log(files).topic(&dead.topic) {
        Err(LogError::NoTopic { .. }) => return Ok(Vec::new()),
        topic => topic.map_err(unreadable)?,
    };
    let mut reader = topic.reader(0, Start::Earliest).map_err(unreadable)?;
    let mut letters = Vec::new();
    while let Some(record) = reader.next_record().map_err(unreadable)? {
        letters.push(Letter::parse(record.value).ok_or("a dead letter is none")?);
    }
    Ok(letters)
}

/// The letters that were durable when one last looked.
#[derive(Debug, Default)]
pub struct Letters {
    known: Vec<Letter>,
}

impl Letters {
    /// Looks at the letters of a process that is gone; `ended`: readers must see all of them.
    ///
    /// # Errors
    /// A promise is broken, in words.
    pub fn look(
        &mut self,
        checked: &Checked,
        files: &MemoryFiles,
        space: &Arc<Space>,
        ended: bool,
    ) -> Result<&[Letter], String> {
        let seen = visible(checked, files)?;
        let opened = desk(checked, files, space.clone(), space.opened().wall);
        drop(opened.map_err(|error| format!("the dead letters cannot be opened: {error}"))?);
        // Opened, it shows what the last epoch knows.
        let found = visible(checked, files)?;
        if !found.starts_with(&seen) {
            return Err(format!("readers saw {} dead letters, and the last epoch has {}", seen.len(), found.len()));
        }
        if ended && found.len() > seen.len() {
            return Err(format!("readers see {} dead letters of {}", seen.len(), found.len()));
        }
        if let Some(at) = (0..self.known.len()).find(|at| found.get(*at) != self.known.get(*at)) {
            return Err(format!("dead letter {at} was {:?} and is {:?}", self.known[at], found.get(at)));
        }
        let mut records = BTreeSet::new();
        for letter in found.iter().filter(|letter| letter.row.is_none() && letter.from.is_none()) {
            let (Some(split), Some(position)) = (&letter.split, letter.position) else { continue };
            if !split.starts_with(&format!("{}/", letter.component)) {
                continue;
            }
            if !records.insert((split, position)) {
                return Err(format!("record {position} of {split} has two dead letters"));
            }
            if letter.bytes() != Some(records::broken(position)) {
                return Err(format!("the dead letter of record {position} of {split} has {:?}", letter.bytes()));
            }
        }
        self.known = found;
        Ok(&self.known)
    }

    /// What is the same in every run of the letters of these components.
    pub fn certain(&self, components: &[String]) -> Vec<String> {
        let own = self.known.iter().filter(|letter| components.contains(&letter.component));
        let mut words: Vec<String> = own
            .map(|Letter { component, reason, split, position, time, text, .. }| {
                format!("{component}: {reason} of {split:?} {position:?} at {time}: {text}")
            })
            .collect();
        words.sort_unstable();
        words
    }
}
