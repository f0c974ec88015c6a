//! The partial matches of a key as bytes.
//!
//! A version, counters, the rows that its partial matches have taken, the steps, the partial matches; whole numbers as
//! LEB128, times as the distance from the row or partial match before. Rows and steps are numbered anew, by key.

use super::buffer::{Buffer, NONE};
use super::partials::{Partials, Phase, Thread};

/// The version of the form.
const VERSION: u8 = 1;

/// What is kept of a row, as bytes.
pub trait RowCodec: Default {
    /// Appends its bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// What [`RowCodec::write`] wrote, taken from the front; none if that is not it.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

impl RowCodec for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut &[u8]) -> Option<()> {
        Some(())
    }
}

fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn get(from: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0u64, 0);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

/// A signed number: small ones are short.
fn put_signed(number: i64, out: &mut Vec<u8>) {
    put(((number << 1) ^ (number >> 63)) as u64, out);
}

fn get_signed(from: &mut &[u8]) -> Option<i64> {
    let number = get(from)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

/// The rows and steps of one key with the numbers that they are written under: memory for one key after the other.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Counts the keys: a mark of another key is none.
    key: u32,
    /// For each row and each step of the buffer the key that it was last numbered for, and its number there.
    of_rows: Vec<(u32, u32)>,
    of_steps: Vec<(u32, u32)>,
    rows: Vec<u32>,
    steps: Vec<u32>,
}

impl Numbers {
    /// Numbers the rows and steps of a key.
    fn count<R>(&mut self, buffer: &Buffer<R>, threads: &[Thread]) {
        self.key = self.key.wrapping_add(1);
        if self.key == 0 {
            self.of_rows.clear();
            self.of_steps.clear();
            self.key = 1;
        }
        self.of_rows.resize(buffer.rows.len(), (0, 0));
        self.of_steps.resize(buffer.steps.len(), (0, 0));
        self.rows.clear();
        self.steps.clear();
        for thread in threads {
            let mut at = thread.path;
            while at != NONE && self.of_steps[at as usize].0 != self.key {
                let step = &buffer.steps[at as usize];
                self.of_steps[at as usize] = (self.key, self.steps.len() as u32);
                self.steps.push(at);
                if self.of_rows[step.row as usize].0 != self.key {
                    self.of_rows[step.row as usize] = (self.key, self.rows.len() as u32);
                    self.rows.push(step.row);
                }
                at = step.before;
            }
        }
    }

    /// The rows that were numbered last.
    pub fn kept<'a, R>(&'a self, buffer: &'a Buffer<R>) -> impl Iterator<Item = &'a R> {
        self.rows.iter().map(|row| &buffer.rows[*row as usize].data)
    }

    /// Memory that rows and steps that were numbered last take, without what is kept of rows, bytes.
    pub fn bytes<R>(&self) -> usize {
        self.rows.len() * size_of::<super::Row<R>>() + self.steps.len() * size_of::<super::buffer::Step>()
    }
}

impl Partials {
    /// Appends what is known of the key; its rows are then those of `numbers`.
    pub fn write<R: RowCodec>(&self, buffer: &Buffer<R>, numbers: &mut Numbers, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(self.rows, out);
        put(self.matches, out);
        numbers.count(buffer, &self.threads);
        put(numbers.rows.len() as u64, out);
        let mut before = (0i64, 0u64);
        for row in &numbers.rows {
            let row = &buffer.rows[*row as usize];
            put_signed(row.time.wrapping_sub(before.0), out);
            put_signed(row.seq.wrapping_sub(before.1) as i64, out);
            out.extend_from_slice(&row.id.to_le_bytes());
            row.data.write(out);
            before = (row.time, row.seq);
        }
        put(numbers.steps.len() as u64, out);
        for step in &numbers.steps {
            let step = &buffer.steps[*step as usize];
            put(u64::from(numbers.of_rows[step.row as usize].1), out);
            out.push(step.variable);
            let before = numbers.of_steps.get(step.before as usize);
            put(before.map_or(0, |(_, number)| u64::from(*number) + 1), out);
        }
        put(self.threads.len() as u64, out);
        let mut before = (0i64, 0u64);
        for thread in self.threads.iter() {
            put(thread.start.wrapping_sub(before.1), out);
            put_signed(thread.deadline.wrapping_sub(before.0), out);
            before = (thread.deadline, thread.start);
            put(u64::from(numbers.of_steps[thread.path as usize].1), out);
            write_thread(thread, out);
        }
    }

    /// What [`Partials::write`] wrote, taken from the front, its rows being put into `buffer`; none, and nothing is in
    /// the buffer, if that is not it.
    pub fn read<R: RowCodec>(from: &mut &[u8], buffer: &mut Buffer<R>) -> Option<Partials> {
        let (version, rest) = from.split_first()?;
        *from = rest;
        if *version != VERSION {
            return None;
        }
        let mut partials = Partials { rows: get(from)?, matches: get(from)?, ..Partials::default() };
        let mut read = Read::rows_and_steps(from)?;
        let threads = get(from)?;
        let mut before = (0i64, 0u64);
        for _ in 0..threads {
            let start = get(from)?.wrapping_add(before.1);
            let deadline = get_signed(from)?.wrapping_add(before.0);
            before = (deadline, start);
            let path = u32::try_from(get(from)?).ok()?;
            read.steps.get_mut(path as usize)?.refs += 1;
            partials.threads.push(read_thread(from, Thread { start, deadline, path, ..Thread::default() })?);
        }
        let steps = read.enter(buffer)?;
        partials.threads.iter_mut().for_each(|thread| thread.path = steps[thread.path as usize]);
        Some(partials)
    }

    /// Whether every partial match is one of an automaton with such lists; else what was read was another pattern's.
    pub fn fits(&self, automaton: &super::Automaton) -> bool {
        self.threads.iter().all(|thread| {
            let list = automaton.after.get(thread.at as usize);
            list.is_some_and(|list| thread.limit as usize <= list.entries.len() && thread.alive & !list.all == 0)
        })
    }
}

/// All of a partial match but its first row, its time and its path.
fn write_thread(thread: &Thread, out: &mut Vec<u8>) {
    put(u64::from(thread.at), out);
    put(u64::from(thread.limit), out);
    put(u64::from(thread.alive), out);
    put(thread.closed, out);
    put(thread.bound, out);
    let (phase, time) = match thread.phase {
        Phase::Waiting => (0, 0),
        Phase::Accepted(time) => (1, time),
        Phase::TimedOut(time) => (2, time),
    };
    out.push(phase);
    put(u64::from(thread.spent), out);
    if phase > 0 {
        put_signed(time, out);
    }
}

fn read_thread(from: &mut &[u8], thread: Thread) -> Option<Thread> {
    let mut thread = Thread {
        at: u16::try_from(get(from)?).ok()?,
        limit: u32::try_from(get(from)?).ok()?,
        alive: u32::try_from(get(from)?).ok()?,
        closed: get(from)?,
        bound: get(from)?,
        ..thread
    };
    let (phase, rest) = from.split_first()?;
    *from = rest;
    thread.spent = u32::try_from(get(from)?).ok()?;
    thread.phase = match phase {
        0 => Phase::Waiting,
        1 => Phase::Accepted(get_signed(from)?),
        2 => Phase::TimedOut(get_signed(from)?),
        _ => return None,
    };
    Some(thread)
}

/// What was read of a key, before it enters the buffer of all keys.
struct Read<R> {
    rows: Vec<ReadRow<R>>,
    steps: Vec<ReadStep>,
}

struct ReadRow<R> {
    seq: u64,
    time: i64,
    id: u64,
    data: R,
    taken: bool,
}

struct ReadStep {
    row: u32,
    variable: u8,
    before: u32,
    refs: u32,
}

impl<R: RowCodec> Read<R> {
    fn rows_and_steps(from: &mut &[u8]) -> Option<Read<R>> {
        let mut read = Read { rows: Vec::new(), steps: Vec::new() };
        let mut before = (0i64, 0u64);
        for _ in 0..get(from)? {
            let time = get_signed(from)?.wrapping_add(before.0);
            let seq = (get_signed(from)? as u64).wrapping_add(before.1);
            before = (time, seq);
            let (id, rest) = from.split_first_chunk()?;
            *from = rest;
            let row = ReadRow { seq, time, id: u64::from_le_bytes(*id), data: R::read(from)?, taken: false };
            read.rows.push(row);
        }
        for _ in 0..get(from)? {
            let row = u32::try_from(get(from)?).ok()?;
            let (variable, rest) = from.split_first()?;
            *from = rest;
            let step = get(from)?;
            let before = if step == 0 { NONE } else { u32::try_from(step - 1).ok()? };
            read.rows.get_mut(row as usize)?.taken = true;
            read.steps.push(ReadStep { row, variable: *variable, before, refs: 0 });
        }
        // A step may have a later number than its follower.
        for at in 0..read.steps.len() {
            let ReadStep { row, before, .. } = read.steps[at];
            if before != NONE {
                let before = read.steps.get_mut(before as usize)?;
                before.refs += 1;
                // Rows of a path are in order, so that none comes twice.
                if read.rows[before.row as usize].seq >= read.rows[row as usize].seq {
                    return None;
                }
            }
        }
        Some(read)
    }

    /// Puts it into the buffer: for each step its number there. None if somebody is missing who refers to a step.
    fn enter(self, buffer: &mut Buffer<R>) -> Option<Vec<u32>> {
        if self.steps.iter().any(|step| step.refs == 0) || self.rows.iter().any(|row| !row.taken) {
            return None;
        }
        let rows = self.rows.into_iter().map(|row| {
            let at = buffer.row(row.seq, row.time, row.id);
            buffer.rows[at as usize].data = row.data;
            at
        });
        let rows: Vec<u32> = rows.collect();
        // Where each step stands is known before any refers to it.
        let steps = self.steps.iter().map(|step| buffer.step(rows[step.row as usize], step.variable, NONE));
        let steps: Vec<u32> = steps.collect();
        for (step, at) in self.steps.iter().zip(&steps) {
            let place = &mut buffer.steps[*at as usize];
            place.refs = step.refs;
            place.before = steps.get(step.before as usize).copied().unwrap_or(NONE);
        }
        Some(steps)
    }
}
