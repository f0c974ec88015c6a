//! A split that is read as bytes: input, decoder and pace together are a spout.

use super::{Decoder, Input, Pace, Read, Source, Window};
use crate::component::{ComponentError, Intake, Polled, Raw, Reject, Spout};
use crate::tuple::{RUN_TUPLES, Run};

/// Bytes that are read at once: they stay in the second-level cache until they are decoded, and the tuples of the poll
/// that reads them wait for few.
const BLOCK_BYTES: usize = 64 * 1024;
/// Bytes that are read ahead while nothing is due.
const AHEAD_BYTES: usize = 16 * 1024;
/// Blocks that one poll looks at where all their records are left out.
const BLOCKS_MAX: usize = 4;
/// When a source is asked again whose bytes are being made, nanoseconds.
const SOON_NS: u64 = 10_000;

/// A spout over bytes.
pub struct Feed {
    name: String,
    input: Input,
    decoder: Decoder,
    pace: Pace,
    /// Tuples that may still come.
    left: u64,
    /// Event-time pace: the next tuple is due then.
    hold: Option<u64>,
    /// Event-time pace: the due time of the last tuple, before which no later one is due.
    last_due: u64,
    starved: bool,
    ended: bool,
    /// What was lost between two contents, and where, and has not been told yet.
    loss: Option<(u64, String)>,
    /// What tells the source from another one of its name.
    identity: String,
}

impl Feed {
    /// A feed whose first byte has this position. `name` is what errors are said to be of.
    pub fn new(name: &str, source: Box<dyn Source>, position: u64, decoder: Decoder, pace: Pace) -> Feed {
        Feed {
            name: name.to_owned(),
            input: Input::new(source, position),
            decoder,
            pace,
            left: u64::MAX,
            hold: None,
            last_due: 0,
            starved: false,
            ended: false,
            loss: None,
            identity: String::new(),
        }
    }

    /// What tells the source from another one of its name.
    pub fn identify(&mut self, identity: String) {
        self.identity = identity;
    }

    /// At most so many tuples.
    pub fn limit(&mut self, tuples: u64) {
        self.left = tuples;
    }

    /// Reads the start of the split (byte order mark, header) as far as it is there; true when it is behind.
    ///
    /// # Errors
    /// The header lacks a column, or the source fails.
    pub fn begin(&mut self) -> Result<bool, ComponentError> {
        while !self.decoder.started() {
            let last = self.input.last();
            let window = Window { bytes: self.input.bytes(), position: self.input.position(), last };
            match self.decoder.begin(window).map_err(|e| self.named(e))? {
                Some(bytes) => self.input.consume(bytes),
                None if self.input.turning() => self.turn(),
                None if self.input.ended() => return self.end().map(|_| false),
                None if matches!(self.read(), Read::Wait | Read::Soon) => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }

    /// The decoder, which knows the header by now.
    pub fn into_decoder(self) -> Decoder {
        self.decoder
    }

    /// Goes forward to the record that starts at `record`, before the first poll. Rows before `position`, which may lie
    /// inside it, are left out.
    ///
    /// # Errors
    /// The split is shorter, or the source fails.
    pub fn resume(&mut self, record: u64, position: u64) -> Result<(), ComponentError> {
        self.input.skip_to(record, BLOCK_BYTES).map_err(|e| self.named(e))?;
        self.decoder.resume_at(position);
        Ok(())
    }

    /// Where bytes take long to make, they are made elsewhere from now on.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn detach(&mut self) -> Result<(), ComponentError> {
        self.input.detach()
    }

    /// Reads a block; as much as is there already if that is more, so that a long record is not begun too often.
    fn read(&mut self) -> Read {
        self.input.fill(BLOCK_BYTES.max(self.input.bytes().len()))
    }

    fn named(&self, error: ComponentError) -> ComponentError {
        ComponentError { message: format!("{}: {}", self.name, error.message), source: error.source }
    }

    /// Decodes what is there into an empty run. With an event-time pace, tuple by tuple, and one that is not due yet
    /// goes back.
    fn decode(&mut self, most: usize, intake: &mut Intake<'_>) {
        let paced = matches!(self.pace, Pace::Speed { .. });
        let rejects = intake.rejects.len();
        loop {
            let last = self.input.last();
            let window = Window { bytes: self.input.bytes(), position: self.input.position(), last };
            let before = intake.run.len();
            // SAFETY: the input's bytes move in `fill` alone, which is called at the start of a poll, with an empty run.
            let decoded = unsafe { self.decoder.decode(window, if paced { 1 } else { most }, intake) };
            self.starved = decoded.starved;
            self.input.consume(decoded.consumed);
            if !paced || intake.run.len() == before || !self.keep_due(intake) {
                return;
            }
            let full = intake.run.len() >= most.min(RUN_TUPLES) || intake.rejects.len() > rejects;
            if full || self.starved {
                return;
            }
        }
    }

    /// Event-time pace: whether the last tuple of the run is due; if not it is taken back.
    fn keep_due(&mut self, intake: &mut Intake<'_>) -> bool {
        let last = intake.run.len() - 1;
        let frame = intake.run.frame_mut(last);
        let due = self.pace.due_of(frame.time(), intake.now).unwrap_or(intake.now).max(self.last_due);
        if due <= intake.now {
            frame.set_due(due);
            self.last_due = due;
            return true;
        }
        let position = frame.position();
        intake.run.pop();
        self.hold = Some(due);
        self.starved = false;
        if self.decoder.has_elements() {
            self.decoder.resume_at(position);
        } else {
            self.input.back_to(position);
        }
        false
    }

    /// Stamps the tuples of a rate, and counts them.
    fn stamp(&mut self, run: &mut Run) {
        if let Some(due) = self.pace.take(run.len()) {
            for n in 0..run.len() {
                run.frame_mut(n).set_due(due(n));
            }
        }
        self.left -= run.len() as u64;
    }

    fn read_ahead(&mut self, run: &Run) {
        if run.is_empty()
            && self.input.bytes().len() < 2 * AHEAD_BYTES
            && matches!(self.input.fill(AHEAD_BYTES), Read::Bytes(_) | Read::Next | Read::End)
        {
            self.starved = false;
        }
    }
}

impl Spout for Feed {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        if self.ended || self.left == 0 {
            return Ok(Polled::End);
        }
        if !intake.run.is_empty() {
            // Its texts may point into the input, which could not be moved: the run has to go first.
            return Ok(Polled::Nothing(Some(intake.now)));
        }
        let begun = self.decoder.started() || self.begin()?;
        if let Some((position, text)) = self.loss.take() {
            let record = String::new();
            let raw = Raw::Lost;
            intake.rejects.push(Reject { stream: "errors", reason: "truncated", position, text, record, raw });
            return Ok(Polled::Some);
        }
        if !begun {
            return Ok(Polled::Nothing(None));
        }
        self.hold = self.hold.filter(|due| *due > intake.now);
        let allowed = match self.hold {
            Some(due) => Err(due),
            None => self.pace.allowed(intake.now),
        };
        let most = match allowed {
            Ok(tuples) => tuples.min(usize::try_from(self.left).unwrap_or(usize::MAX)),
            Err(due) => {
                self.read_ahead(intake.run);
                return Ok(Polled::Nothing(Some(due)));
            }
        };
        let rejects = intake.rejects.len();
        for _ in 0..BLOCKS_MAX {
            if self.starved && !self.input.ended() && !self.input.turning() {
                match self.read() {
                    Read::Wait => return Ok(Polled::Nothing(None)),
                    Read::Soon => return Ok(Polled::Nothing(Some(intake.now + SOON_NS))),
                    Read::Bytes(_) | Read::Next | Read::End => {}
                }
            }
            self.decode(most, intake);
            if !intake.run.is_empty() || intake.rejects.len() > rejects {
                self.stamp(intake.run);
                return Ok(Polled::Some);
            }
            if let Some(due) = self.hold {
                return Ok(Polled::Nothing(Some(due)));
            }
            if self.starved && self.input.turning() {
                self.turn();
                return Ok(Polled::Nothing(Some(intake.now)));
            }
            if self.starved && self.input.ended() {
                return self.end();
            }
        }
        Ok(Polled::Nothing(Some(intake.now)))
    }

    fn position(&self) -> u64 {
        self.decoder.position(self.input.position())
    }

    fn filtered(&self) -> u64 {
        self.decoder.filtered()
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }
}

impl Feed {
    /// The content has been decoded to its end; another one follows.
    fn turn(&mut self) {
        let position = self.input.position();
        self.loss = self.input.turn().map(|text| (position, text));
        self.decoder.restart();
        self.starved = false;
    }

    fn end(&mut self) -> Result<Polled, ComponentError> {
        self.ended = true;
        match self.input.failure() {
            Some(failure) => Err(self.named(failure)),
            None => Ok(Polled::End),
        }
    }
}
