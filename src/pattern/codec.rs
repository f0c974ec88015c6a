//! The partial matches of a key as bytes.
//!
//! A version, counters, the living rows, the living steps, the partial matches; whole numbers as LEB128, times as the
//! distance from the row or step before. Rows and steps are numbered anew, so that what is free takes no room.

use super::buffer::{Buffer, NONE, Row, Step};
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

/// New numbers of what is alive; [`NONE`] for what is free.
fn numbers(refs: impl Iterator<Item = u32>) -> (Vec<u32>, u32) {
    let mut count = 0;
    let numbers = refs.map(|refs| {
        if refs == 0 {
            return NONE;
        }
        count += 1;
        count - 1
    });
    let numbers = numbers.collect();
    (numbers, count)
}

impl<R: RowCodec> Partials<R> {
    /// Appends what is known of the key.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(self.rows, out);
        put(self.matches, out);
        let buffer = &self.buffer;
        let (rows, row_count) = numbers(buffer.rows.iter().map(|row| row.refs));
        let (steps, step_count) = numbers(buffer.steps.iter().map(|step| step.refs));
        put(u64::from(row_count), out);
        let mut before = (0i64, 0u64);
        for row in buffer.rows.iter().filter(|row| row.refs > 0) {
            put_signed(row.time.wrapping_sub(before.0), out);
            put_signed(row.seq.wrapping_sub(before.1) as i64, out);
            out.extend_from_slice(&row.id.to_le_bytes());
            row.data.write(out);
            before = (row.time, row.seq);
        }
        put(u64::from(step_count), out);
        for step in buffer.steps.iter().filter(|step| step.refs > 0) {
            put(u64::from(rows[step.row as usize]), out);
            out.push(step.variable);
            put(if step.before == NONE { 0 } else { u64::from(steps[step.before as usize]) + 1 }, out);
        }
        put(self.threads.len() as u64, out);
        let mut before = (0i64, 0u64);
        for thread in &self.threads {
            put(thread.start.wrapping_sub(before.1), out);
            put_signed(thread.deadline.wrapping_sub(before.0), out);
            before = (thread.deadline, thread.start);
            put(u64::from(steps[thread.path as usize]), out);
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
    }

    /// What [`Partials::write`] wrote, taken from the front; none if that is not it.
    pub fn read(from: &mut &[u8]) -> Option<Partials<R>> {
        let (version, rest) = from.split_first()?;
        *from = rest;
        if *version != VERSION {
            return None;
        }
        let mut partials = Partials { rows: get(from)?, matches: get(from)?, ..Partials::default() };
        partials.buffer = read_buffer(from)?;
        let threads = get(from)?;
        let mut before = (0i64, 0u64);
        for _ in 0..threads {
            let start = get(from)?.wrapping_add(before.1);
            let deadline = get_signed(from)?.wrapping_add(before.0);
            before = (deadline, start);
            let path = u32::try_from(get(from)?).ok()?;
            let mut thread = Thread {
                start,
                deadline,
                path,
                at: u16::try_from(get(from)?).ok()?,
                limit: u32::try_from(get(from)?).ok()?,
                alive: u32::try_from(get(from)?).ok()?,
                closed: get(from)?,
                bound: get(from)?,
                phase: Phase::Waiting,
                spent: 0,
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
            partials.buffer.steps.get_mut(path as usize)?.refs += 1;
            partials.threads.push(thread);
        }
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

fn read_buffer<R: RowCodec>(from: &mut &[u8]) -> Option<Buffer<R>> {
    let mut buffer = Buffer::default();
    let mut before = (0i64, 0u64);
    for _ in 0..get(from)? {
        let time = get_signed(from)?.wrapping_add(before.0);
        let seq = (get_signed(from)? as u64).wrapping_add(before.1);
        before = (time, seq);
        let (id, rest) = from.split_first_chunk()?;
        *from = rest;
        buffer.rows.push(Row { seq, time, id: u64::from_le_bytes(*id), data: R::read(from)?, refs: 0 });
    }
    for _ in 0..get(from)? {
        let row = u32::try_from(get(from)?).ok()?;
        let (variable, rest) = from.split_first()?;
        *from = rest;
        let step = get(from)?;
        // A step may have a later number than its follower: numbers are used again.
        let step = if step == 0 { NONE } else { u32::try_from(step - 1).ok()? };
        buffer.rows.get_mut(row as usize)?.refs += 1;
        buffer.steps.push(Step { row, before: step, refs: 0, variable: *variable });
    }
    for at in 0..buffer.steps.len() {
        let before = buffer.steps[at].before;
        if before != NONE {
            buffer.steps.get_mut(before as usize)?.refs += 1;
        }
    }
    (buffer.live_rows, buffer.live_steps) = (buffer.rows.len() as u32, buffer.steps.len() as u32);
    Some(buffer)
}
