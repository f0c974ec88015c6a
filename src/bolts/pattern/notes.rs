//! What was found out about paths, noted under their last steps.
//!
//! A note is of no more use when its step is gone: the stamp tells. Nothing need be said of steps that go, and what is in
//! the store knows nothing of notes: who asks for a path without one goes through its rows.

use super::stored::Stored;
use crate::pattern::Path;

/// Who has gone through more rows than these leaves a note: short paths take no memory, and of a long one so many rows
/// are gone through at most.
pub const FAR: usize = 8;

/// Notes on paths.
#[derive(Debug, Default)]
pub struct Notes<T> {
    /// By the number of the last step: its stamp, and the note.
    notes: Vec<(u64, T)>,
}

impl<T: Copy + Default> Notes<T> {
    /// The note on a path.
    #[inline]
    pub fn get(&self, path: Path<'_, Stored>) -> Option<T> {
        if self.notes.is_empty() {
            return None;
        }
        let (number, stamp) = path.last_step()?;
        let (of, note) = self.notes.get(number)?;
        (*of == stamp).then_some(*note)
    }

    /// Notes something on a path that has rows.
    pub fn put(&mut self, path: Path<'_, Stored>, note: T) {
        let Some((number, stamp)) = path.last_step() else { return };
        if self.notes.len() <= number {
            // No step has the stamp zero.
            self.notes.resize(number + 1, (0, T::default()));
        }
        self.notes[number] = (stamp, note);
    }
}
