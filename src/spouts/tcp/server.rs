//! The listening socket and its connections, asked for lines a bounded number of bytes at a time.
//!
//! 1. The system says which connections may be read (a look that does not wait): those stand in a queue.
//! 2. A turn reads each of the queue once, up to [`READ_BYTES`], and puts those with more behind the others, until
//!    [`TURN_BYTES`] have come or nobody is left: nobody's flood keeps others waiting.
//! 3. In busy mode connections are also read without having been told of, as long as they are few.
//! 4. A connection ends when its client does, when it sends no whole line for too long, or when unfinished lines take
//!    too much memory; what it leaves of a line is a fault, never a line. One that is owed answers stays for them.
//!
//! Never waits, never knows what a line means.

use super::connection::{Connection, Heard};
use super::framing::Piece;
use crate::component::ComponentError;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Bytes that are read of a connection before the next has its turn.
const READ_BYTES: usize = 16 * 1024;
/// Bytes that are read in one turn.
const TURN_BYTES: usize = 64 * 1024;
/// Connections that are read, and that are accepted, in one turn.
const READS: usize = 64;
const ACCEPTS: usize = 32;
/// Most connections that busy mode reads without having been told of.
const BUSY_CONNECTIONS: usize = 8;
/// How often busy mode asks the system whom it may read, and who wants to connect, nanoseconds.
const BUSY_LOOK_NS: u64 = 50_000;
/// Unfinished lines of all connections together.
const HELD_BYTES_MAX: usize = 256 << 20;
/// How often, and how many at a time, connections are asked whether they have been silent, nanoseconds.
const SWEEP_NS: u64 = 1_000_000;
const SWEEP: usize = 64;
/// What is read of a connection when the topology stops: as much as the system holds for it and more.
const LAST_BYTES_MAX: usize = 8 << 20;
const LISTENER: Token = Token(usize::MAX);

/// What a server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    /// The longest line in bytes.
    pub(super) line: usize,
    /// How long a connection may send no whole line, nanoseconds.
    pub(super) idle_ns: Option<u64>,
    pub(super) busy: bool,
    /// The first line of each connection is left out.
    pub(super) header: bool,
    /// Lines are answered.
    pub(super) answers: bool,
}

/// Which connection; one that came to the same place later is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    place: u32,
    generation: u32,
}

/// Something that is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A line was longer than allowed.
    TooLong,
    /// The connection ended within a line: why it did.
    Cut(Ending),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client closed it or is gone.
    Client,
    /// It sent no whole line for too long.
    Silence,
    /// Unfinished lines took too much memory.
    Memory,
    /// The topology stops.
    Stop,
}

/// Who takes what comes.
pub(super) trait Taker {
    /// A whole line, without its end.
    ///
    /// # Errors
    /// It cannot be kept; the topology stops.
    fn line(&mut self, from: Client, line: &[u8]) -> Result<(), ComponentError>;

    /// Something that is no line, and how it began.
    fn fault(&mut self, from: Client, fault: Fault, shown: &[u8]);

    /// Whether nothing more should come in this turn.
    fn is_full(&self) -> bool;
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) timed_out: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) too_long: u64,
    pub(super) cut: u64,
}

/// A listening socket and its connections.
pub(super) struct Server {
    limits: Limits,
    poll: Poll,
    events: Events,
    /// None from the stop on.
    listener: Option<TcpListener>,
    /// Somebody may want to connect.
    knocking: bool,
    /// The system gave no socket when it was asked last.
    starved: bool,
    places: Vec<Option<Connection>>,
    free: Vec<u32>,
    open: usize,
    generation: u32,
    /// Who may be read.
    queue: VecDeque<u32>,
    /// Who has answers to be sent.
    unsent: Vec<Client>,
    block: Vec<u8>,
    held_bytes: usize,
    looked_ns: u64,
    swept_ns: u64,
    sweep: usize,
    pub(super) counts: Counts,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken or not ours, or the system gives no sockets.
    pub(super) fn listen(address: SocketAddr, limits: Limits) -> std::io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Server {
            limits,
            poll,
            events: Events::with_capacity(1024),
            listener: Some(listener),
            knocking: true,
            starved: false,
            places: Vec::new(),
            free: Vec::new(),
            open: 0,
            generation: 0,
            queue: VecDeque::new(),
            unsent: Vec::new(),
            block: vec![0; READ_BYTES],
            held_bytes: 0,
            looked_ns: 0,
            swept_ns: 0,
            sweep: 0,
            counts: Counts::default(),
        })
    }

    /// Where it listens; none after the stop.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Connections now.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Stops accepting; what the system has received of connections is still read, then they end.
    pub(super) fn stop(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            // A listener that cannot be taken out goes with its socket.
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }

    /// Whether, after the stop, all has been read.
    pub(super) fn is_read(&self) -> bool {
        self.listener.is_none() && self.places.iter().flatten().all(|c| c.ended)
    }

    /// Reads what is there, a bounded amount; whether anything came.
    ///
    /// # Errors
    /// The system gives no word on its sockets, or the taker refuses.
    pub(super) fn turn(&mut self, now: u64, taker: &mut impl Taker) -> Result<bool, ComponentError> {
        let few = self.limits.busy && self.places.len() <= BUSY_CONNECTIONS && self.listener.is_some();
        if !few || now.saturating_sub(self.looked_ns) >= BUSY_LOOK_NS {
            self.looked_ns = now;
            self.look()?;
            self.accept(now);
            self.sweep(now, taker);
        }
        if self.listener.is_none() {
            return self.read_last(taker);
        }
        if few {
            (0..self.places.len() as u32).for_each(|place| self.enqueue(place));
        }
        let (before, mut reads) = (self.counts.bytes, 0);
        while reads < READS && self.counts.bytes - before < TURN_BYTES as u64 && !taker.is_full() {
            let Some(place) = self.queue.pop_front() else { break };
            reads += 1;
            if let Some(connection) = &mut self.places[place as usize] {
                connection.queued = false;
            }
            if self.read(place, now, taker)? {
                self.enqueue(place);
            }
        }
        Ok(self.counts.bytes > before)
    }

    /// Answers so many lines of a client, if it is still there; [`Server::send`] sends it.
    pub(super) fn answer(&mut self, to: Client, text: &[u8], lines: u64) {
        let Some(connection) = self.of(to) else { return };
        connection.answer(text, lines);
        if self.unsent.last() != Some(&to) {
            self.unsent.push(to);
        }
    }

    /// Sends answers, as far as clients take them.
    pub(super) fn send(&mut self) {
        let mut unsent = std::mem::take(&mut self.unsent);
        for client in unsent.drain(..) {
            self.send_to(client.place, Some(client));
        }
        self.unsent = unsent;
    }

    /// What can be read from when a client has something to say, while all that was said has been read.
    pub(super) fn wait_on(&self) -> Option<RawFd> {
        let read = self.queue.is_empty() && !self.knocking && !self.starved && self.listener.is_some();
        read.then(|| self.poll.as_raw_fd())
    }

    /// Whether answers wait for their clients.
    pub(super) fn owes(&self) -> bool {
        self.places.iter().flatten().any(|c| !c.is_quit())
    }

    fn of(&mut self, client: Client) -> Option<&mut Connection> {
        let connection = self.places.get_mut(client.place as usize)?.as_mut();
        connection.filter(|c| c.generation == client.generation)
    }

    /// Asks the system whom it may read, without waiting.
    fn look(&mut self) -> Result<(), ComponentError> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO))
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(ComponentError::io(format!("connections cannot be looked at: {error}"), error));
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            if event.token() == LISTENER {
                self.knocking = true;
                continue;
            }
            let place = event.token().0 as u32;
            let Some(Some(connection)) = self.places.get_mut(place as usize) else { continue };
            connection.hung_up |= event.is_read_closed();
            if event.is_writable() {
                self.send_to(place, None);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.enqueue(place);
            }
        }
        self.events = events;
        Ok(())
    }

    fn send_to(&mut self, place: u32, client: Option<Client>) {
        let Some(Some(connection)) = self.places.get_mut(place as usize) else { return };
        if client.is_some_and(|c| c.generation != connection.generation) {
            return;
        }
        let choked = connection.is_choked();
        match connection.send() {
            Err(_) => self.close(place),
            Ok(()) if connection.ended && connection.is_quit() => self.close(place),
            Ok(()) if choked && !connection.is_choked() => self.enqueue(place),
            Ok(()) => {}
        }
    }

    /// Puts a connection behind those that are to be read.
    fn enqueue(&mut self, place: u32) {
        if let Some(Some(connection)) = self.places.get_mut(place as usize)
            && !connection.queued
            && !connection.ended
            && !connection.is_choked()
        {
            connection.queued = true;
            self.queue.push_back(place);
        }
    }

    fn accept(&mut self, now: u64) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listener.as_ref().filter(|_| self.knocking) else { return };
            match listener.accept() {
                Ok((stream, _)) if self.open < self.limits.connections => {
                    self.starved = false;
                    self.admit(stream, now);
                }
                Ok(_) => self.counts.refused += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.knocking = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    // Out of open files: the next look tries again, and tells of it once.
                    self.counts.refused += u64::from(!std::mem::replace(&mut self.starved, true));
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, now: u64) {
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let interest = match self.limits.answers {
            // Without it an answer would wait for the one before to be confirmed; it is late, not wrong, where the
            // system refuses.
            true => {
                let _ = stream.set_nodelay(true);
                Interest::READABLE | Interest::WRITABLE
            }
            false => Interest::READABLE,
        };
        if self.poll.registry().register(&mut stream, Token(place as usize), interest).is_err() {
            self.free.push(place);
            if place as usize == self.places.len() {
                self.places.push(None);
            }
            self.counts.refused += 1;
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        let connection = Connection::new(stream, self.generation, now, self.limits.header);
        match self.places.get_mut(place as usize) {
            Some(free) => *free = Some(connection),
            None => self.places.push(Some(connection)),
        }
        self.open += 1;
        self.counts.accepted += 1;
        // What it sent with its greeting is there already.
        self.enqueue(place);
    }

    /// Reads a connection once; whether there may be more.
    fn read(&mut self, place: u32, now: u64, taker: &mut impl Taker) -> Result<bool, ComponentError> {
        let Some(Some(connection)) = self.places.get_mut(place as usize) else { return Ok(false) };
        let client = Client { place, generation: connection.generation };
        let (counts, answers) = (&mut self.counts, self.limits.answers);
        let held = connection.framing.held_bytes();
        let (mut whole, mut long) = (0, 0);
        let heard = connection.read(&mut self.block, self.limits.line, &mut |piece| match piece {
            Piece::Line(line) => {
                whole += 1;
                taker.line(client, line)
            }
            Piece::TooLong(start) => {
                long += 1;
                taker.fault(client, Fault::TooLong, start);
                Ok(())
            }
        })?;
        self.held_bytes = self.held_bytes + connection.framing.held_bytes() - held;
        if whole > 0 {
            connection.heard_ns = now;
        }
        counts.lines += whole;
        counts.too_long += long;
        connection.owed += if answers { whole + long } else { 0 };
        let (n, more) = match heard {
            Heard::End => {
                self.end(place, Ending::Client, taker);
                return Ok(false);
            }
            Heard::More(n) => (n, true),
            Heard::All(n) => (n, false),
        };
        counts.bytes += n as u64;
        if self.held_bytes > HELD_BYTES_MAX {
            self.end(place, Ending::Memory, taker);
            return Ok(false);
        }
        Ok(more)
    }

    /// After the stop: reads what the system has received of each connection, and ends it. Some at a time.
    fn read_last(&mut self, taker: &mut impl Taker) -> Result<bool, ComponentError> {
        let before = self.counts.bytes;
        for place in 0..self.places.len() as u32 {
            let mut read = 0;
            while let Some(connection) = self.places[place as usize].as_ref().filter(|c| !c.ended) {
                if taker.is_full() || self.counts.bytes - before >= TURN_BYTES as u64 {
                    return Ok(true);
                }
                let (now, bytes) = (connection.heard_ns, self.counts.bytes);
                self.read(place, now, taker)?;
                read += self.counts.bytes - bytes;
                if self.counts.bytes == bytes || read > LAST_BYTES_MAX as u64 {
                    self.end(place, Ending::Stop, taker);
                }
            }
        }
        Ok(self.counts.bytes > before)
    }

    /// Nothing more is read of a connection. It goes, unless it is owed answers.
    fn end(&mut self, place: u32, why: Ending, taker: &mut impl Taker) {
        let Some(Some(connection)) = self.places.get_mut(place as usize) else { return };
        if connection.ended {
            return;
        }
        connection.ended = true;
        let client = Client { place, generation: connection.generation };
        self.held_bytes -= connection.framing.held_bytes();
        if let Some(rest) = connection.framing.end().filter(|_| !connection.skip) {
            self.counts.cut += 1;
            taker.fault(client, Fault::Cut(why), &rest);
        }
        if connection.is_quit() || why == Ending::Silence {
            self.close(place);
        }
    }

    fn close(&mut self, place: u32) {
        let Some(mut connection) = self.places.get_mut(place as usize).and_then(Option::take) else { return };
        self.held_bytes -= connection.framing.held_bytes();
        // A socket that cannot be taken out goes with the connection.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        if connection.queued {
            self.queue.retain(|queued| *queued != place);
        }
        self.free.push(place);
        self.open -= 1;
    }

    /// Ends connections that have sent no whole line for too long, some at a time.
    fn sweep(&mut self, now: u64, taker: &mut impl Taker) {
        let Some(idle_ns) = self.limits.idle_ns else { return };
        if now.saturating_sub(self.swept_ns) < SWEEP_NS || self.places.is_empty() {
            return;
        }
        self.swept_ns = now;
        for _ in 0..SWEEP.min(self.places.len()) {
            self.sweep = (self.sweep + 1) % self.places.len();
            let Some(connection) = &self.places[self.sweep] else { continue };
            // One that waits to be read is not silent.
            if connection.queued || now.saturating_sub(connection.heard_ns) < idle_ns || taker.is_full() {
                continue;
            }
            self.counts.timed_out += 1;
            let place = self.sweep as u32;
            match connection.ended {
                // Its answers were not taken, or never came.
                true => self.close(place),
                false => self.end(place, Ending::Silence, taker),
            }
        }
    }
}
