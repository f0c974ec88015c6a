//! A ring of records between two threads: single producer, single consumer, lock-free, of fixed size.
//!
//! A record is a few words; it stands in the ring in one piece, so that a reader uses it where it lies. Built on
//! `rtrb`, whose ring of words it fills by this rule: a record that would be cut by the end of the buffer is preceded
//! by filling up to that end. The producer keeps records that do not fit yet in a buffer of its own
//! ([`Producer::push`] never fails) and publishes once for all it has ([`Producer::flush`]); whoever drives it takes no
//! new input while something is [`Producer::pending`]. A record that is larger than the ring is handed over by address.
//!
//! Never waits and never wakes: that is the executor's work.

use std::mem::ManuallyDrop;

/// Bits of the first word of a record that hold its length in words; the rest is the user's.
const LEN_BITS: u32 = 32;
const LEN_MASK: u64 = (1 << LEN_BITS) - 1;
/// First word of filling up to the end of the buffer.
const FILLING: u64 = u64::MAX;
/// First word of a record handed over by address: address and length follow.
const FAR: u64 = u64::MAX - 1;
const FAR_WORDS: usize = 3;

/// The writing end.
pub struct Producer {
    ring: rtrb::Producer<u64>,
    /// Whole records that are not in the ring yet.
    pending: Vec<u64>,
    /// Start of the record that is being written, if any.
    open: Option<usize>,
    /// Words before this one have been moved to the ring.
    taken: usize,
    /// Where the next word goes in the ring's buffer.
    at: usize,
    capacity: usize,
    full: u64,
}

/// The reading end.
pub struct Consumer {
    ring: rtrb::Consumer<u64>,
    /// Records handed over by address that are being read; freed by `release`.
    far: Vec<Box<[u64]>>,
    /// Words that were read and not yet released.
    unreleased: usize,
}

/// A ring that holds `words` words (at least as many as its smallest records need).
pub fn ring(words: usize) -> (Producer, Consumer) {
    let capacity = words.max(FAR_WORDS);
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let producer = Producer { ring: producer, pending: Vec::new(), open: None, taken: 0, at: 0, capacity, full: 0 };
    (producer, Consumer { ring: consumer, far: Vec::new(), unreleased: 0 })
}

impl Producer {
    /// Starts a record; `tag` is up to 32 bits for the reader (not all ones). Its words are appended to the vector that
    /// [`Producer::body`] gives; [`Producer::end`] ends it.
    #[inline]
    pub fn begin(&mut self, tag: u32) {
        debug_assert!(self.open.is_none() && tag != u32::MAX);
        self.open = Some(self.pending.len());
        self.pending.push((tag as u64) << LEN_BITS);
    }

    /// Where the words of the open record go.
    #[inline]
    pub fn body(&mut self) -> &mut Vec<u64> {
        &mut self.pending
    }

    /// Ends the open record.
    #[inline]
    pub fn end(&mut self) {
        let start = self.open.take().expect("a record was begun");
        let len = self.pending.len() - start;
        self.pending[start] |= len as u64;
    }

    /// Appends a whole record.
    pub fn push(&mut self, tag: u32, body: &[u64]) {
        self.begin(tag);
        self.pending.extend_from_slice(body);
        self.end();
    }

    /// Whether records wait that did not fit.
    #[inline]
    pub fn pending(&self) -> bool {
        self.taken < self.pending.len()
    }

    /// Words that wait.
    pub fn pending_words(&self) -> usize {
        self.pending.len() - self.taken
    }

    /// How often the ring was full when there was something to publish.
    pub fn times_full(&self) -> u64 {
        self.full
    }

    /// Whether the reading end is gone.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Moves as many waiting records as fit into the ring and publishes them at once; the number of records moved
    /// (filling alone counts as one: the reader has something to give back).
    #[inline]
    pub fn flush(&mut self) -> usize {
        if !self.pending() {
            return 0;
        }
        let moved = self.publish();
        if self.taken == self.pending.len() {
            self.pending.clear();
            self.taken = 0;
        } else {
            self.full += 1;
            // Keep the buffer from growing for ever while the reader is slow.
            if self.taken > 64 * 1024 {
                self.pending.drain(..self.taken);
                self.taken = 0;
            }
        }
        moved
    }

    fn publish(&mut self) -> usize {
        let free = self.ring.slots();
        let (mut used, mut records, mut from, mut at) = (0, 0, self.taken, self.at);
        while from < self.pending.len() && used < free {
            let len = (self.pending[from] & LEN_MASK) as usize;
            let words = self.words_in_ring(len);
            let room = self.capacity - at;
            // Filling goes ahead of its record, alone if need be: both together may be more than the ring holds.
            let step = if words > room { room } else { words };
            if used + step > free {
                break;
            }
            used += step;
            at = (at + step) % self.capacity;
            if words <= room {
                from += len;
                records += 1;
            }
        }
        if used > 0 {
            self.fill(used);
        }
        records.max(usize::from(used > 0))
    }

    /// Words that a record of `len` words takes in the ring.
    #[inline]
    fn words_in_ring(&self, len: usize) -> usize {
        if len > self.capacity { FAR_WORDS } else { len }
    }

    /// Writes and publishes the first `used` words of filling and records.
    fn fill(&mut self, used: usize) {
        let capacity = self.capacity;
        let Ok(mut chunk) = self.ring.write_chunk(used) else {
            unreachable!("slots() said that there is room, and only the producer takes it")
        };
        let (first, second) = chunk.as_mut_slices();
        let mut offset = 0;
        while offset < used {
            let len = (self.pending[self.taken] & LEN_MASK) as usize;
            let words = if len > capacity { FAR_WORDS } else { len };
            let room = capacity - self.at;
            let target = if offset < first.len() { &mut first[offset..] } else { &mut second[offset - first.len()..] };
            if words > room {
                target[0] = FILLING;
                offset += room;
                self.at = 0;
                continue;
            }
            let record = &self.pending[self.taken..self.taken + len];
            if len > capacity {
                let mut far = ManuallyDrop::new(record.to_vec().into_boxed_slice());
                target[..FAR_WORDS].copy_from_slice(&[FAR, far.as_mut_ptr().expose_provenance() as u64, len as u64]);
            } else {
                target[..words].copy_from_slice(record);
            }
            offset += words;
            self.at = (self.at + words) % capacity;
            self.taken += len;
        }
        chunk.commit_all();
    }
}

impl Consumer {
    /// Gives the records that are there, in order, to `each` (tag, body) until it answers false; the words given stand
    /// still until [`Consumer::release`]. The record at which it answered false counts as read. The number of words
    /// that must be released later. A record is given once, released or not.
    pub fn read(&mut self, mut each: impl FnMut(u32, &[u64]) -> bool) -> usize {
        let there = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(there) else { return 0 };
        let (first, second) = chunk.as_slices();
        let (mut read, mut skip) = (0, self.unreleased);
        for half in [first, second] {
            let mut rest = &half[skip.min(half.len())..];
            skip = skip.saturating_sub(half.len());
            while let Some(&head) = rest.first() {
                if head == FILLING {
                    read += rest.len();
                    break;
                }
                let (record, words): (&[u64], usize) = if head == FAR {
                    let address: *mut u64 = std::ptr::with_exposed_provenance_mut(rest[1] as usize);
                    let slice = std::ptr::slice_from_raw_parts_mut(address, rest[2] as usize);
                    // SAFETY: the producer leaked this box and gave its address and length away once; a far record is
                    // read once, since `read` never gives a record again.
                    self.far.push(unsafe { Box::from_raw(slice) });
                    (self.far.last().expect("just pushed"), FAR_WORDS)
                } else {
                    let len = (head & LEN_MASK) as usize;
                    (&rest[..len], len)
                };
                read += words;
                if !each((record[0] >> LEN_BITS) as u32, &record[1..]) {
                    self.unreleased += read;
                    return read;
                }
                rest = &rest[words..];
            }
        }
        self.unreleased += read;
        read
    }

    /// Gives `words` words (the sum of what [`Consumer::read`] returned since the last release) back to the producer.
    pub fn release(&mut self, words: usize) {
        self.far.clear();
        if words > 0 {
            let chunk = self.ring.read_chunk(words).expect("words were read, so they are there");
            chunk.commit_all();
            self.unreleased -= words;
        }
    }

    /// Whether nothing is there to be read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether the writing end is gone; what it published can still be read.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // Far records that nobody read are owned by their addresses in the ring.
        self.read(|_, _| true);
        self.release(self.unreleased);
    }
}

#[cfg(test)]
mod tests;
