//! Channels: packed records of tuples and control items between two pipelines.
//!
//! Owns the form of a record: a header (due time, event time, origin, path, watermark), NULL bits, one word for each
//! column that is read downstream, the bytes of texts behind them. The reader's frames point into the ring until the
//! run is over.

use crate::ring;
use crate::tuple::{DataType, Frame, Run, Slot, TextWord};

const TUPLE: u32 = 1;
const TUPLE_SAMPLED: u32 = 2;
const WATERMARK: u32 = 3;
const BARRIER: u32 = 4;
const END: u32 = 5;
const IDLE: u32 = 6;

/// What is in a channel beside tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// No later tuple of the channel has an event time below it.
    Watermark(i64),
    /// The same, and the sender's inputs are silent: until it says something else, it does not hold time back.
    Idle(i64),
    /// All tuples of this epoch came before it.
    Barrier(u64),
    /// Nothing follows. `true`: the sources have ended; `false`: they were told to stop (a drain).
    End(bool),
}

/// Columns of a channel: slot and type, in the order of the record.
pub type Columns = Vec<(Slot, DataType)>;

/// Words before the column words: due, time, split, position, path, watermark.
const HEADER: usize = 6;

/// Words of a record without its texts.
pub fn record_words(columns: usize) -> usize {
    2 + HEADER + columns.div_ceil(64) + columns
}

/// The writing end of a channel.
pub struct Sender {
    ring: ring::Producer,
    columns: Columns,
    sent: u64,
    watermark: i64,
    /// How far time is held back; `i64::MAX`: it is not.
    held: i64,
    idle: bool,
    /// Whether it has sent the end: nothing follows.
    ended: bool,
}

impl Sender {
    /// Sends these columns of frames of the sending pipeline.
    pub fn new(ring: ring::Producer, columns: Columns) -> Sender {
        Sender { ring, columns, sent: 0, watermark: i64::MIN, held: i64::MAX, idle: false, ended: false }
    }

    /// Packs a tuple. With it goes the watermark that it comes behind, so that the receiver's timers fire before it as
    /// they would in the sender's pipeline; with `sampled`, the time of sending (nanoseconds) too.
    pub fn tuple(&mut self, frame: &Frame, watermark: i64, sampled: Option<u64>) {
        self.sent += 1;
        self.idle = false;
        self.watermark = self.watermark.max(watermark.min(self.held));
        self.ring.begin(if sampled.is_some() { TUPLE_SAMPLED } else { TUPLE });
        let out = self.ring.body();
        out.extend_from_slice(&[
            frame.due(),
            frame.time() as u64,
            frame.split() as u64,
            frame.position(),
            frame.path(),
            self.watermark as u64,
        ]);
        out.extend(sampled);
        let nulls = out.len();
        out.resize(nulls + self.columns.len().div_ceil(64), 0);
        for (n, (slot, ty)) in self.columns.iter().enumerate() {
            let word = frame.word(*slot);
            if frame.is_null(*slot) {
                out[nulls + n / 64] |= 1 << (n % 64);
                out.push(0);
            } else if *ty == DataType::Text {
                out.push(TextWord(word).as_bytes().len() as u64);
            } else {
                out.push(word);
            }
        }
        for (slot, ty) in &self.columns {
            if *ty == DataType::Text && !frame.is_null(*slot) {
                push_bytes(out, frame.text(*slot).as_bytes());
            }
        }
        self.ring.end();
    }

    /// Rows may still come with event times from here on, whatever is said of time; `i64::MAX`: no such rows.
    pub fn hold(&mut self, held: i64) {
        self.held = held;
    }

    /// Sends a watermark if it is a new one.
    pub fn watermark(&mut self, watermark: i64) {
        let watermark = watermark.min(self.held);
        if self.ended {
            return;
        }
        if watermark > self.watermark || self.idle {
            self.watermark = self.watermark.max(watermark);
            self.idle = false;
            self.ring.push(WATERMARK, &[self.watermark as u64]);
        }
    }

    /// Says that the inputs are silent, and how far time has gone on meanwhile.
    pub fn idle(&mut self, watermark: i64) {
        let watermark = watermark.min(self.held);
        if self.ended {
            return;
        }
        if watermark > self.watermark || !self.idle {
            self.watermark = self.watermark.max(watermark);
            self.idle = true;
            self.ring.push(IDLE, &[self.watermark as u64]);
        }
    }

    /// Sends a barrier, which its end counts as.
    pub fn barrier(&mut self, epoch: u64) {
        if !self.ended {
            self.ring.push(BARRIER, &[epoch]);
        }
    }

    /// Sends the end, once.
    pub fn end(&mut self, complete: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            self.ring.push(END, &[complete as u64]);
        }
    }

    /// Publishes what fits; whether anything moved.
    pub fn flush(&mut self) -> bool {
        self.ring.flush() > 0
    }

    /// Whether something did not fit yet.
    pub fn pending(&self) -> bool {
        self.ring.pending()
    }

    /// Words that did not fit yet.
    pub fn pending_words(&self) -> usize {
        self.ring.pending_words()
    }

    /// Tuples sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How often the ring was full.
    pub fn times_full(&self) -> u64 {
        self.ring.times_full()
    }
}

fn push_bytes(out: &mut Vec<u64>, bytes: &[u8]) {
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        out.push(u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes")));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        out.push(u64::from_le_bytes(last));
    }
}

/// The reading end of a channel.
pub struct Receiver {
    ring: ring::Consumer,
    columns: Columns,
    unreleased: usize,
}

impl Receiver {
    /// Writes received columns to these slots of the receiving pipeline, in the sender's order.
    pub fn new(ring: ring::Consumer, columns: Columns) -> Receiver {
        Receiver { ring, columns, unreleased: 0 }
    }

    /// Unpacks tuples into an empty run until it is full, nothing is there, or a control item comes, which is returned.
    /// Appends the watermark that each tuple came behind to `watermarks`. Calls `waited` with the time of sending of
    /// sampled tuples. Texts point into the ring until
    /// [`Receiver::release`].
    pub fn receive(&mut self, run: &mut Run, watermarks: &mut Vec<i64>, mut waited: impl FnMut(u64)) -> Option<Item> {
        let mut item = None;
        let columns = &self.columns;
        self.unreleased += self.ring.read(|tag, body| {
            if tag <= TUPLE_SAMPLED {
                watermarks.push(body[HEADER - 1] as i64);
            }
            match tag {
                TUPLE => unpack(columns, &body[..HEADER], &body[HEADER..], run),
                TUPLE_SAMPLED => {
                    waited(body[HEADER]);
                    unpack(columns, &body[..HEADER], &body[HEADER + 1..], run);
                }
                WATERMARK => item = Some(Item::Watermark(body[0] as i64)),
                IDLE => item = Some(Item::Idle(body[0] as i64)),
                BARRIER => item = Some(Item::Barrier(body[0])),
                _ => item = Some(Item::End(body[0] != 0)),
            }
            item.is_none() && !run.is_full()
        });
        item
    }

    /// The run is over: what was read is given back to the sender; whether that was anything.
    pub fn release(&mut self) -> bool {
        let words = std::mem::take(&mut self.unreleased);
        self.ring.release(words);
        words > 0
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

fn unpack(columns: &Columns, header: &[u64], body: &[u64], run: &mut Run) {
    let (frame, arena) = run.push();
    frame.set_due(header[0]);
    frame.set_time(header[1] as i64);
    frame.set_origin(header[2] as u32, header[3]);
    frame.set_path(header[4]);
    let (nulls, rest) = body.split_at(columns.len().div_ceil(64));
    let (words, mut texts) = rest.split_at(columns.len());
    for (n, (slot, ty)) in columns.iter().enumerate() {
        if nulls[n / 64] >> (n % 64) & 1 == 1 {
            frame.set_null(*slot);
        } else if *ty == DataType::Text {
            let len = words[n] as usize;
            // SAFETY: the sender packed `len` bytes of UTF-8 into these words (little-endian, as the machine is); they
            // stand still in the ring until the run is over.
            let word = unsafe {
                let bytes = std::slice::from_raw_parts(texts.as_ptr().cast::<u8>(), len);
                TextWord::borrow(std::str::from_utf8_unchecked(bytes), arena)
            };
            texts = &texts[len.div_ceil(8)..];
            frame.set(*slot, word.0);
        } else {
            frame.set(*slot, words[n]);
        }
    }
}
