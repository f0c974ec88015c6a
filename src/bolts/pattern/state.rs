//! What is known of a key: its partial matches, its newest time, its last rows for `prev`, its timer.

use super::stored::Stored;
use crate::pattern::{Buffer, Numbers, Partials, RowCodec};
use crate::store::Codec;

/// The version of its form in the store.
const VERSION: u8 = 1;

/// What is known of a key; the rows of its partial matches are in the buffer of all keys.
#[derive(Debug)]
#[repr(C)]
pub struct KeyState {
    /// The newest event time of its rows: time does not go back within a key.
    pub newest: i64,
    /// The deadline that its timer is set to; `i64::MAX`: it has none.
    pub timer: i64,
    /// The partial matches.
    pub partials: Partials,
    /// The earliest time of a match that was found and has to wait, as it is known to those behind; `i64::MAX`: none.
    pub held: i64,
    /// For each input its last rows, the newest last.
    pub previous: Vec<Vec<Stored>>,
}

impl Default for KeyState {
    fn default() -> KeyState {
        KeyState {
            newest: i64::MIN,
            timer: i64::MAX,
            partials: Partials::default(),
            held: i64::MAX,
            previous: Vec::new(),
        }
    }
}

/// How many partial matches stand in the stored entry of a key; none if it is not one.
pub fn partial_matches(mut content: &[u8]) -> Option<usize> {
    // The time of the last use stands in front.
    i64::read(&mut content)?;
    KeyState::read(&mut content, &mut Buffer::default()).map(|state| state.partials.len())
}

impl KeyState {
    /// As if no row had ever come.
    #[inline]
    pub fn clear(&mut self, buffer: &mut Buffer<Stored>) {
        self.forget(buffer);
        (self.newest, self.timer, self.held) = (i64::MIN, i64::MAX, i64::MAX);
    }

    /// As if no row had ever come, but for what others know of it: its time, its timer and what it holds back.
    #[inline]
    pub fn forget(&mut self, buffer: &mut Buffer<Stored>) {
        self.partials.clear(buffer);
        if self.previous.capacity() > 0 {
            self.previous = Vec::new();
        }
    }

    /// Appends its bytes; what it takes beside its own size, bytes.
    pub fn write(&self, buffer: &Buffer<Stored>, numbers: &mut Numbers, out: &mut Vec<u8>) -> usize {
        VERSION.write(out);
        self.newest.write(out);
        self.timer.write(out);
        (self.previous.len() as u32).write(out);
        for rows in &self.previous {
            (rows.len() as u32).write(out);
            rows.iter().for_each(|row| RowCodec::write(row, out));
        }
        self.partials.write(buffer, numbers, out);
        let of = |rows: &Vec<Stored>| rows.iter().map(|row| row.heap_bytes() + size_of::<Stored>()).sum::<usize>();
        let stored: usize = numbers.kept(buffer).map(Stored::heap_bytes).sum();
        let previous: usize = self.previous.iter().map(of).sum();
        self.partials.heap_bytes() + numbers.bytes::<Stored>() + stored + previous
    }

    /// What [`KeyState::write`] wrote, taken from the front, its rows being put into `buffer`; none, and nothing is in the
    /// buffer, if that is not it.
    pub fn read(from: &mut &[u8], buffer: &mut Buffer<Stored>) -> Option<KeyState> {
        if u8::read(from)? != VERSION {
            return None;
        }
        let (newest, timer) = (i64::read(from)?, i64::read(from)?);
        let inputs = u32::read(from)?;
        let rows = |from: &mut &[u8]| {
            let count = u32::read(from)?;
            (0..count).map(|_| <Stored as RowCodec>::read(from)).collect::<Option<Vec<Stored>>>()
        };
        let previous = (0..inputs).map(|_| rows(from)).collect::<Option<Vec<_>>>()?;
        let partials = Partials::read(from, buffer)?;
        let held = partials.held();
        Some(KeyState { newest, timer, partials, held, previous })
    }
}
