//! What a server has to show: error rows of what was no line, and its counts in the report; and how often it is asked.

use super::server::{Ending, Fault, Limits, Server};
use crate::component::{Raw, Reject, Sections};
use crate::latency::count_text;
use crate::tuple::codec::shorten;
use serde_json::json;

const SHOWN_BYTES: usize = 1024;
/// How often sockets are looked at when something came a moment ago, and when all is silent, nanoseconds.
const OFTEN_NS: u64 = 20_000;
const SELDOM_NS: u64 = 250_000;
const MOMENT_NS: u64 = 1_000_000;

/// The error row of a fault.
pub(super) fn reject(fault: Fault, shown: &[u8], position: u64, limits: &Limits) -> Reject {
    let (reason, text) = match fault {
        Fault::TooLong => ("too_long", format!("the line is longer than {} bytes (`max_record`)", limits.line)),
        Fault::Cut(Ending::Client) => ("cut", "the connection ended within the line".to_owned()),
        Fault::Cut(Ending::Silence) => {
            ("cut", "the line did not end within `idle_timeout`, and its connection was closed".to_owned())
        }
        Fault::Cut(Ending::Memory) => {
            ("cut", "unfinished lines took too much memory, and the connection of this one was closed".to_owned())
        }
        Fault::Cut(Ending::Stop) => ("cut", "the topology stopped before the line ended".to_owned()),
    };
    Reject { stream: "errors", reason, position, text, record: shorten(shown, SHOWN_BYTES), raw: Raw::Lost }
}

/// The counts of a server, as a section of the report.
pub(super) fn section(name: &str, server: &Server, sections: &mut Sections) {
    let (counts, open) = (&server.counts, server.open());
    let text = format!(
        "{} connections accepted, {open} open at the end, {} refused, {} timed out\n{} lines, {} bytes; {} lines cut, {} \
         too long",
        count_text(counts.accepted),
        count_text(counts.refused),
        count_text(counts.timed_out),
        count_text(counts.lines),
        count_text(counts.bytes),
        count_text(counts.cut),
        count_text(counts.too_long),
    );
    let value = json!({
        "open": open,
        "accepted": counts.accepted,
        "refused": counts.refused,
        "timed_out": counts.timed_out,
        "lines": counts.lines,
        "bytes": counts.bytes,
        "cut": counts.cut,
        "too_long": counts.too_long,
    });
    sections.sections.push((name.to_owned(), text, value));
}

/// How often sockets are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    busy: bool,
    heard_ns: u64,
    due_ns: u64,
}

impl Pace {
    /// In busy mode always.
    pub(super) fn new(busy: bool) -> Pace {
        Pace { busy, ..Pace::default() }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.busy || now >= self.due_ns
    }

    /// It was looked, and something came or not.
    pub(super) fn looked(&mut self, now: u64, came: bool) {
        if came {
            self.heard_ns = now;
        }
        let recent = now.saturating_sub(self.heard_ns) < MOMENT_NS;
        self.due_ns = now + if recent { OFTEN_NS } else { SELDOM_NS };
    }

    /// When to look again; none: at any time, or when there is something, if that can be waited for.
    pub(super) fn due(&self, waits: bool) -> Option<u64> {
        let silent = self.due_ns.saturating_sub(self.heard_ns) > MOMENT_NS + OFTEN_NS;
        (!self.busy && (!waits || !silent)).then_some(self.due_ns)
    }

    /// The thread sleeps until there is something: it is looked at once when it is asked again.
    pub(super) fn sleep(&mut self) {
        self.due_ns = 0;
    }
}
