//! What waits to leave after a tuple or a timer, and what stood in the frame before.

use crate::tuple::{Frame, Slot};

/// Why something failed: the reason for counting, the text for people.
pub type Failure = (&'static str, String);

/// What waits to leave.
#[derive(Debug)]
pub enum Waiting {
    /// The rule at this index of the input's rules has fired, at this event time.
    Row(usize, i64),
    /// A rule has fired with a row that was kept.
    Held(Held),
    /// Something has failed; the number of the rule.
    Failed(usize, Failure),
}

/// A rule that fires with a row of before.
#[derive(Debug)]
pub struct Held {
    /// The input of the rule.
    pub input: usize,
    /// The rule's index among those of the input.
    pub rule: usize,
    /// The event time at which the condition had held long enough.
    pub deadline: i64,
    /// The row.
    pub row: Vec<u8>,
    /// Hash of the key.
    pub key: u64,
}

/// What stood in a frame: columns of the input and the header that rows change.
#[derive(Debug, Default)]
pub struct Aside {
    words: Vec<(Slot, Option<u64>)>,
    time: i64,
    origin: (u32, u64),
    /// The path of the tuple.
    pub path: u64,
}

impl Aside {
    /// Notes the header and these columns of a tuple.
    pub fn put(&mut self, frame: &Frame, slots: impl IntoIterator<Item = Slot>) {
        self.words.clear();
        self.words.extend(slots.into_iter().map(|slot| (slot, frame.get(slot))));
        (self.time, self.path) = (frame.time(), frame.path());
        self.origin = (frame.split(), frame.position());
    }

    /// Puts everything back.
    pub fn take_back(&self, frame: &mut Frame) {
        for (slot, word) in &self.words {
            frame.put(*slot, *word);
        }
        frame.set_time(self.time);
        frame.set_path(self.path);
        frame.set_origin(self.origin.0, self.origin.1);
    }
}
