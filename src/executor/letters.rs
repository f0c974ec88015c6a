//! Dead letters of a pipeline: what its tasks and splits could not read, in the form that the [`crate::dead`] topic keeps.

use super::input::Split;
use crate::component::{Raw, Reject};
use crate::dead::{Content, Draft, LATE, Tray};
use crate::tuple::{Encoder, Frame, Slot};

/// The row of a node's input as a letter shows it.
pub struct Shown {
    /// The stream that it comes on.
    pub stream: Box<str>,
    /// The columns that are there: of a stream that came through a channel only those that it carries.
    pub slots: Vec<Slot>,
    /// Writes them.
    pub encoder: Encoder,
}

/// Where the letters of a pipeline are put.
pub struct Letters {
    /// The tray.
    pub tray: Tray,
    /// What rows consist of, by node of the program.
    pub shown: Vec<Shown>,
}

impl Letters {
    /// A tuple that failed in a component, at this node if it entered at one.
    #[cold]
    pub fn failed(&mut self, component: &str, node: Option<u16>, reason: &str, text: &str, frame: &Frame) {
        let shown = node.and_then(|node| self.shown.get(usize::from(node)));
        let mut row = String::new();
        if let Some(shown) = shown {
            shown.encoder.frame(frame, &shown.slots, &mut row);
        }
        let content = shown.map_or(Content::Nothing, |shown| Content::Row(&shown.stream, &row));
        let draft = Draft { reason, component, time: frame.time(), text, content };
        self.tray.put(frame.split(), frame.position(), &draft);
    }

    /// A tuple that came too late for a component.
    #[cold]
    pub fn late(&mut self, component: &str, node: Option<u16>, frame: &Frame) {
        self.failed(component, node, LATE, "the row came later than `lateness` allows", frame);
    }

    /// A record that became no tuple, in the event time of its split.
    #[cold]
    pub fn rejected(&mut self, split: &Split, reject: &Reject, time: i64) {
        let content = match &reject.raw {
            Raw::Shown => Content::Record(reject.record.as_bytes(), None),
            Raw::Bytes { bytes, element } => Content::Record(bytes, *element),
            Raw::Lost => Content::Cut(&reject.record),
        };
        let Reject { reason, text, position, .. } = reject;
        let draft = Draft { reason, component: &split.component_name, time, text, content };
        self.tray.put(split.id, *position, &draft);
    }
}
