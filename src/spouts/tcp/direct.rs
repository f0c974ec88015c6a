//! Lines that go straight on: decoded where they were put together, forgotten when they have been followed.

use super::server::{Client, Fault, Limits, Server, Taker};
use super::show::{self, Pace};
use crate::component::{ComponentError, Intake, Polled, Reject, Sections, Spout, SpoutBuild};
use crate::decoder::DecoderPlan;
use crate::decoder::{Numbered, Taken, number_of};
use crate::tuple::RUN_TUPLES;
use std::collections::VecDeque;
use std::os::fd::RawFd;

/// A turn of the server ends when so much waits to be decoded.
const WAITING_BYTES: usize = 256 * 1024;
const WAITING: usize = 4096;
/// Lines that one poll looks at where all are left out.
const LINES_MAX: usize = 1024;

/// What waits to be decoded.
enum Entry {
    /// A line up to this byte of the batch, from where the last one ended.
    Line(usize),
    /// No line; the row that says so.
    Fault(Box<Reject>),
}

/// Lines of one turn, one behind the other, and when they came.
struct Batch {
    limits: Limits,
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// Bytes of lines that were decoded.
    done: usize,
    now: u64,
    wall: i64,
}

impl Taker for Batch {
    fn line(&mut self, _from: Client, line: &[u8]) -> Result<(), ComponentError> {
        self.bytes.extend_from_slice(line);
        self.entries.push_back(Entry::Line(self.bytes.len()));
        Ok(())
    }

    fn fault(&mut self, _from: Client, fault: Fault, shown: &[u8]) {
        // Its position is that of its turn.
        self.entries.push_back(Entry::Fault(Box::new(show::reject(fault, shown, 0, &self.limits))));
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= WAITING_BYTES || self.entries.len() >= WAITING
    }
}

/// A server whose lines are decoded at once.
pub(super) struct Direct {
    name: String,
    server: Server,
    pace: Pace,
    batch: Batch,
    records: Numbered,
    /// Number of the next line.
    next: u64,
}

impl Direct {
    /// Goes on counting where the last run stopped.
    ///
    /// # Errors
    /// The format wants a start that lines of connections do not have.
    pub(super) fn open(
        server: Server,
        limits: Limits,
        decoder: &DecoderPlan,
        build: &SpoutBuild<'_>,
    ) -> Result<Direct, ComponentError> {
        let records = Numbered::new(decoder, build.columns, build.split, build.split_id)?;
        // What was left of the elements of a line is gone with the line.
        let number = number_of(decoder, build.position);
        let next = number + u64::from(records.position_of(number) < build.position);
        let batch = Batch { limits, bytes: Vec::new(), entries: VecDeque::new(), done: 0, now: 0, wall: 0 };
        Ok(Direct { name: build.name.to_owned(), server, pace: Pace::new(limits.busy), batch, records, next })
    }

    /// Decodes what waits, while there is room.
    fn decode(&mut self, intake: &mut Intake<'_>) {
        let (now, wall) = (intake.now, intake.wall);
        (intake.now, intake.wall) = (self.batch.now, self.batch.wall);
        let rejects = intake.rejects.len();
        for _ in 0..LINES_MAX {
            if intake.run.is_full() || intake.rejects.len() - rejects >= RUN_TUPLES {
                break;
            }
            match self.batch.entries.pop_front() {
                None => break,
                Some(Entry::Fault(mut reject)) => {
                    reject.position = self.records.position_of(self.next);
                    intake.rejects.push(*reject);
                }
                Some(Entry::Line(end)) => {
                    let line = &self.batch.bytes[self.batch.done..end];
                    // SAFETY: the batch's bytes move and go in a turn of the server only, which `poll` asks for with an
                    // empty run and when nothing waits.
                    if unsafe { self.records.take(line, self.next, intake) } == Taken::Part {
                        self.batch.entries.push_front(Entry::Line(end));
                        break;
                    }
                    self.batch.done = end;
                }
            }
            self.next += 1;
        }
        (intake.now, intake.wall) = (now, wall);
    }
}

impl Spout for Direct {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        if !intake.run.is_empty() {
            // Its texts may point into the batch, which could not be moved: the run has to go first.
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        if self.batch.entries.is_empty() {
            if !self.pace.is_due(intake.now) {
                return Ok(Polled::Nothing(self.pace.due(self.server.wait_on().is_some())));
            }
            self.batch.bytes.clear();
            (self.batch.done, self.batch.now, self.batch.wall) = (0, intake.now, intake.wall);
            let came = self.server.turn(intake.now, &mut self.batch).map_err(|e| named(&self.name, e))?;
            self.pace.looked(intake.now, came);
            if self.batch.entries.is_empty() {
                let over = !came && self.server.is_read();
                let due = || self.pace.due(self.server.wait_on().is_some());
                return Ok(if over { Polled::End } else { Polled::Nothing(due()) });
            }
        }
        let rejects = intake.rejects.len();
        self.decode(intake);
        match intake.run.is_empty() && intake.rejects.len() == rejects {
            true => Ok(Polled::Nothing(Some(intake.now))),
            false => Ok(Polled::Some),
        }
    }

    fn wait_on(&mut self) -> Option<RawFd> {
        let socket = self.server.wait_on().filter(|_| self.batch.entries.is_empty())?;
        self.pace.sleep();
        Some(socket)
    }

    fn position(&self) -> u64 {
        self.records.position(self.next)
    }

    fn filtered(&self) -> u64 {
        self.records.filtered()
    }

    fn drain(&mut self) -> bool {
        self.server.stop();
        true
    }

    fn finish(&mut self, sections: &mut Sections) {
        show::section(&self.name, &self.server, sections);
    }
}

/// An error with the name of its spout.
pub(super) fn named(name: &str, error: ComponentError) -> ComponentError {
    ComponentError { message: format!("spouts.{name}: {}", error.message), source: error.source }
}
