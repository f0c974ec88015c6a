//! One connection: its socket, the line that is not whole yet, and the answers that are not sent yet.

use super::framing::{Framing, Piece};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read, Write};

/// Answers that a client may leave unread before it is not read on.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// What reading a connection gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// So many bytes, and there may be more.
    More(usize),
    /// So many bytes, and no more for now.
    All(usize),
    /// Its client has ended or is gone.
    End,
}

/// A connection.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Tells it from others that had its place before.
    pub(super) generation: u32,
    pub(super) framing: Framing,
    /// When it was accepted or its last whole line came, nanoseconds.
    pub(super) heard_ns: u64,
    /// Whether it stands in the queue of those that are to be read.
    pub(super) queued: bool,
    /// Its client has said that nothing follows, but the end may not have been read.
    pub(super) hung_up: bool,
    /// Nothing more is read; it stays for its answers.
    pub(super) ended: bool,
    /// The next line is to be left out.
    pub(super) skip: bool,
    /// Lines that have not been answered.
    pub(super) owed: u64,
    unsent: Vec<u8>,
    sent: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, generation: u32, now: u64, skip: bool) -> Connection {
        Connection {
            stream,
            generation,
            framing: Framing::default(),
            heard_ns: now,
            queued: false,
            hung_up: false,
            ended: false,
            skip,
            owed: 0,
            unsent: Vec::new(),
            sent: 0,
        }
    }

    /// Reads into `block` once and hands out what became whole.
    ///
    /// # Errors
    /// The first that `each` gives.
    pub(super) fn read<E>(
        &mut self,
        block: &mut [u8],
        longest: usize,
        each: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<Heard, E> {
        let n = loop {
            match self.stream.read(block) {
                Ok(0) => return Ok(Heard::End),
                Ok(n) => break n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::All(0)),
                // A connection that was reset has ended, whatever the reason.
                Err(_) => return Ok(Heard::End),
            }
        };
        let skip = &mut self.skip;
        let mut each = |piece: Piece<'_>| if std::mem::take(skip) { Ok(()) } else { each(piece) };
        self.framing.feed(&block[..n], longest, &mut each)?;
        // A read that leaves room took all there was, and what comes later is told of anew.
        Ok(if n < block.len() && !self.hung_up { Heard::All(n) } else { Heard::More(n) })
    }

    /// Adds answers to so many lines; [`Connection::send`] sends them.
    pub(super) fn answer(&mut self, text: &[u8], lines: u64) {
        self.owed = self.owed.saturating_sub(lines);
        self.unsent.extend_from_slice(text);
    }

    /// Whether its client leaves so much unread that it is not read on.
    pub(super) fn is_choked(&self) -> bool {
        self.unsent.len() - self.sent > UNSENT_BYTES_MAX
    }

    /// Whether every line was answered and every answer sent.
    pub(super) fn is_quit(&self) -> bool {
        self.owed == 0 && self.sent == self.unsent.len()
    }

    /// Sends what it can.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn send(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.drain(..self.sent);
                    self.sent = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }
}
