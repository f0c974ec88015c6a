//! What is kept of a row: the columns that somebody may still ask for, as bytes.
//!
//! First a bit for each column that is NULL, then a word for each; that of a text is its place in what follows.

use crate::pattern::RowCodec;
use crate::tuple::{Arena, DataType, Frame, Slot, TextWord};

/// The columns of a stored row, in order, with the slots that they come from.
pub type Fields = [(Slot, DataType)];

/// The kept columns of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored(Box<[u8]>);

impl Stored {
    /// Keeps the columns of a tuple; `buffer` is room to write in.
    pub fn new(frame: &Frame, fields: &Fields, buffer: &mut Vec<u8>) -> Stored {
        encode(frame, fields, buffer);
        Stored(buffer.as_slice().into())
    }

    /// A column, by its number among `count`; none for NULL. Texts are copied into `arena`.
    pub fn get(&self, at: usize, count: usize, ty: DataType, arena: &Arena) -> Option<u64> {
        let nulls = count.div_ceil(8);
        if self.0.get(at / 8)? >> (at % 8) & 1 == 1 {
            return None;
        }
        let word = self.0.get(nulls + 8 * at..nulls + 8 * at + 8)?;
        let word = u64::from_le_bytes(word.try_into().ok()?);
        if ty != DataType::Text {
            return Some(word);
        }
        let start = nulls + 8 * count + (word >> 32) as usize;
        let text = self.0.get(start..start + (word & u64::from(u32::MAX)) as usize)?;
        Some(arena.store(std::str::from_utf8(text).ok()?).0)
    }

    /// Memory beside its own size, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.0.len()
    }

    /// Keeps other columns in its place, in the same memory if they are as long.
    #[inline]
    pub fn replace(&mut self, frame: &Frame, fields: &Fields, buffer: &mut Vec<u8>) {
        let nulls = fields.len().div_ceil(8);
        if self.0.len() == nulls + 8 * fields.len() && fields.iter().all(|(_, ty)| *ty != DataType::Text) {
            let (nulls, words) = self.0.split_at_mut(nulls);
            nulls.fill(0);
            for (at, ((slot, _), place)) in fields.iter().zip(words.chunks_exact_mut(8)).enumerate() {
                let word = frame.get(*slot);
                nulls[at / 8] |= u8::from(word.is_none()) << (at % 8);
                place.copy_from_slice(&word.unwrap_or(0).to_le_bytes());
            }
            return;
        }
        self.replace_any(frame, fields, buffer);
    }

    fn replace_any(&mut self, frame: &Frame, fields: &Fields, buffer: &mut Vec<u8>) {
        encode(frame, fields, buffer);
        if self.0.len() == buffer.len() {
            self.0.copy_from_slice(buffer);
        } else {
            self.0 = buffer.as_slice().into();
        }
    }
}

fn encode(frame: &Frame, fields: &Fields, out: &mut Vec<u8>) {
    let words = fields.len().div_ceil(8);
    out.clear();
    out.resize(words + 8 * fields.len(), 0);
    let texts = out.len();
    for (at, (slot, ty)) in fields.iter().enumerate() {
        let word = match frame.get(*slot) {
            None => {
                out[at / 8] |= 1 << (at % 8);
                continue;
            }
            Some(word) if *ty == DataType::Text => {
                let text = TextWord(word).as_bytes();
                let place = (out.len() - texts) as u64;
                out.extend_from_slice(text);
                place << 32 | text.len() as u64
            }
            Some(word) => word,
        };
        out[words + 8 * at..words + 8 * at + 8].copy_from_slice(&word.to_le_bytes());
    }
}

impl RowCodec for Stored {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.0);
    }

    fn read(from: &mut &[u8]) -> Option<Stored> {
        let (length, rest) = from.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *from = rest;
        Some(Stored(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::{Layout, Run};

    #[test]
    fn memory_is_used_again_and_holds_what_new_memory_would() {
        let layout = Layout::new(11);
        let mut run = Run::new(layout);
        let (frame, arena) = run.push();
        let slots = |ty| (0..10).map(|n| (layout.slot(n), ty)).collect::<Vec<_>>();
        let (numbers, mut mixed, mut buffer) = (slots(DataType::Bigint), slots(DataType::Bigint), Vec::new());
        mixed[3].1 = DataType::Text;
        let mut stored = Stored::default();
        for round in 0..6u64 {
            for (n, (slot, _)) in numbers.iter().enumerate() {
                if (n as u64 + round).is_multiple_of(3) {
                    frame.set_null(*slot);
                } else {
                    frame.set(*slot, n as u64 * round);
                }
            }
            stored.replace(frame, &numbers, &mut buffer);
            assert_eq!(stored, Stored::new(frame, &numbers, &mut buffer));
            frame.set(mixed[3].0, arena.store(&"x".repeat(round as usize % 2)).0);
            stored.replace(frame, &mixed, &mut buffer);
            assert_eq!(stored, Stored::new(frame, &mixed, &mut buffer));
        }
    }

    #[test]
    fn columns_come_back_as_they_were() {
        let layout = Layout::new(12);
        let mut run = Run::new(layout);
        let (frame, arena) = run.push();
        let types: Vec<DataType> =
            (0..10).map(|n| if n % 3 == 0 { DataType::Text } else { DataType::Bigint }).collect();
        let fields: Vec<(Slot, DataType)> = types.iter().enumerate().map(|(n, ty)| (layout.slot(n + 1), *ty)).collect();
        for (n, (slot, ty)) in fields.iter().enumerate() {
            match ty {
                _ if n % 4 == 1 => frame.set_null(*slot),
                DataType::Text => frame.set(*slot, arena.store(&"é".repeat(n)).0),
                _ => frame.set(*slot, (n as u64).wrapping_neg()),
            }
        }
        let mut buffer = Vec::new();
        let stored = Stored::new(frame, &fields, &mut buffer);
        let mut bytes = Vec::new();
        stored.write(&mut bytes);
        let read = Stored::read(&mut bytes.as_slice()).unwrap();
        assert_eq!(read, stored);
        assert_eq!(Stored::read(&mut &bytes[..bytes.len() - 1]), None);
        let arena = Arena::new();
        for (n, ty) in types.iter().enumerate() {
            let word = read.get(n, types.len(), *ty, &arena);
            match ty {
                _ if n % 4 == 1 => assert_eq!(word, None),
                DataType::Text => assert_eq!(TextWord(word.unwrap()).as_str(), "é".repeat(n)),
                _ => assert_eq!(word, Some((n as u64).wrapping_neg())),
            }
        }
    }
}
