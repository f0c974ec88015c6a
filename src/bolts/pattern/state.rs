//! What is known of a key: its partial matches, its newest time, its last rows for `prev`, its timer.

use super::stored::Stored;
use crate::pattern::{Partials, RowCodec};
use crate::store::Codec;

/// The version of its form in the store.
const VERSION: u8 = 1;

/// What is known of a key.
#[derive(Debug)]
pub struct KeyState {
    /// The partial matches.
    pub partials: Partials<Stored>,
    /// The newest event time of its rows: time does not go back within a key.
    pub newest: i64,
    /// The deadline that its timer is set to; `i64::MAX`: it has none.
    pub timer: i64,
    /// For each input its last rows, the newest last.
    pub previous: Vec<Vec<Stored>>,
}

impl Default for KeyState {
    fn default() -> KeyState {
        KeyState { partials: Partials::default(), newest: i64::MIN, timer: i64::MAX, previous: Vec::new() }
    }
}

/// How many partial matches stand in the stored entry of a key; none if it is not one.
pub fn partial_matches(mut content: &[u8]) -> Option<usize> {
    // The time of the last use stands in front.
    i64::read(&mut content)?;
    KeyState::read(&mut content).map(|state| state.partials.len())
}

impl Codec for KeyState {
    fn write(&self, out: &mut Vec<u8>) {
        VERSION.write(out);
        self.newest.write(out);
        self.timer.write(out);
        (self.previous.len() as u32).write(out);
        for rows in &self.previous {
            (rows.len() as u32).write(out);
            rows.iter().for_each(|row| RowCodec::write(row, out));
        }
        self.partials.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<KeyState> {
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
        Some(KeyState { partials: Partials::read(from)?, newest, timer, previous })
    }

    fn heap_bytes(&self) -> usize {
        let of = |rows: &Vec<Stored>| rows.iter().map(|row| row.heap_bytes() + size_of::<Stored>()).sum::<usize>();
        let stored: usize = self.partials.buffer().kept().map(Stored::heap_bytes).sum();
        self.partials.heap_bytes() + stored + self.previous.iter().map(of).sum::<usize>()
    }
}
