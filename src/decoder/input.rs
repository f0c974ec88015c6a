//! Bytes of a split, in a buffer that stands still while a run is in flight.

use crate::component::ComponentError;

/// What a source had to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing now.
    Wait,
    /// Nothing now, but it is being made: worth asking again shortly.
    Soon,
    /// Nothing more of this content; another one follows, from its start, when it is asked again.
    Next,
    /// Nothing, ever again.
    End,
}

/// Where the bytes of a split come from.
pub trait Source: Send {
    /// Reads into `into`, which is not empty, without waiting for anybody.
    ///
    /// # Errors
    /// It cannot be read on; it is not asked again.
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError>;

    /// Goes forward to `position`, if it has a quicker way than reading them: then true. Only before the first read or
    /// while nothing that was read is still to be used.
    ///
    /// # Errors
    /// The position lies behind the end.
    fn skip_to(&mut self, position: u64) -> Result<bool, ComponentError> {
        let _ = position;
        Ok(false)
    }

    /// After [`Read::Next`]: what may have been lost on the way to the other content, if anything.
    fn loss(&mut self) -> Option<String> {
        None
    }

    /// From now on others have work to do meanwhile: a source that takes long to make its bytes does so elsewhere.
    ///
    /// # Errors
    /// No thread can be started.
    fn detach(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
}

/// The window of a split that is being decoded. Only [`Input::fill`] moves bytes.
pub struct Input {
    source: Box<dyn Source>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    ended: bool,
    /// The bytes that are there are the last of one content, before those of another.
    turning: bool,
    failure: Option<ComponentError>,
}

impl Input {
    /// Over a source whose first byte has this position.
    pub fn new(source: Box<dyn Source>, position: u64) -> Input {
        Input { source, buffer: Vec::new(), start: 0, end: 0, position, ended: false, turning: false, failure: None }
    }

    /// What is there and not yet used.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Position of the first of these bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether no byte will come any more.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the bytes that are there are the last and whole: where the source failed, they may be a torn record.
    pub fn last(&self) -> bool {
        self.turning || self.ended && self.failure.is_none()
    }

    /// Whether the bytes that are there are the last before another content; nothing is read before [`Input::turn`].
    pub fn turning(&self) -> bool {
        self.turning
    }

    /// Goes on with the other content; positions count on. What was lost on the way, if anything.
    pub fn turn(&mut self) -> Option<String> {
        self.turning = false;
        self.source.loss()
    }

    /// Why no byte follows, if it is not the proper end.
    pub fn failure(&mut self) -> Option<ComponentError> {
        self.failure.take()
    }

    /// `bytes` bytes have been used. They stay where they are until the next [`Input::fill`].
    pub fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.end - self.start);
        self.start += bytes;
        self.position += bytes as u64;
    }

    /// Takes back what was consumed from `position` on, since the last [`Input::fill`].
    pub fn back_to(&mut self, position: u64) {
        let back = (self.position - position) as usize;
        debug_assert!(back <= self.start);
        self.start -= back;
        self.position = position;
    }

    /// Reads up to `most` further bytes. Moves what is there: no text that points into the buffer may be in use.
    /// After a failure of the source the input has ended, so that what was read before is still decoded.
    pub fn fill(&mut self, most: usize) -> Read {
        if self.ended {
            return Read::End;
        }
        if self.turning {
            return Read::Next;
        }
        if self.start > 0 && (self.start == self.end || self.buffer.len() - self.end < most) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < most {
            let wanted = (self.end + most).max(self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
        match self.source.read(&mut self.buffer[self.end..self.end + most]) {
            Ok(Read::Bytes(n)) => {
                self.end += n;
                Read::Bytes(n)
            }
            Ok(nothing @ (Read::Wait | Read::Soon)) => nothing,
            Ok(Read::Next) => {
                self.turning = true;
                Read::Next
            }
            Ok(Read::End) => {
                self.ended = true;
                Read::End
            }
            Err(failure) => {
                self.ended = true;
                self.failure = Some(failure);
                Read::End
            }
        }
    }

    /// See [`Source::detach`].
    ///
    /// # Errors
    /// No thread can be started.
    pub fn detach(&mut self) -> Result<(), ComponentError> {
        self.source.detach()
    }

    /// Goes forward to `position`, for a restart; the same rules as for [`Input::fill`].
    ///
    /// # Errors
    /// The split ends before it.
    pub fn skip_to(&mut self, position: u64, block: usize) -> Result<(), ComponentError> {
        while self.position < position {
            let there = self.bytes().len();
            if there > 0 {
                let wanted = usize::try_from(position - self.position).unwrap_or(usize::MAX);
                self.consume(there.min(wanted));
                continue;
            }
            if self.source.skip_to(position)? {
                self.position = position;
                break;
            }
            if self.fill(block) == Read::End {
                return Err(self.failure.take().unwrap_or_else(|| {
                    ComponentError::new(format!(
                        "has only {} bytes, but was read up to byte {position} before: it was replaced or cut",
                        self.position
                    ))
                }));
            }
        }
        Ok(())
    }
}
