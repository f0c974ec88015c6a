//! A row of a table: when it was inserted, and its columns packed into bytes that are used again when the row is
//! replaced, so that an update allocates nothing.

use crate::store::Codec;
use crate::tuple::{Arena, DataType, Frame, Slot, TextWord, Value};

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Number of the insertion, from 1; 0 for a place without a row.
    pub order: u64,
    /// The columns, packed.
    pub cells: Vec<u8>,
}

impl Codec for Row {
    fn write(&self, out: &mut Vec<u8>) {
        self.order.write(out);
        out.extend_from_slice(&self.cells);
    }

    fn read(from: &mut &[u8]) -> Option<Row> {
        let order = u64::read(from)?;
        Some(Row { order, cells: std::mem::take(from).to_vec() })
    }

    fn heap_bytes(&self) -> usize {
        self.cells.capacity()
    }
}

impl Row {
    /// Packs the columns: a byte that says whether there is a value, then its word, or the length and bytes of a text.
    pub fn pack(&mut self, frame: &Frame, columns: &[(Slot, DataType)]) {
        let cells = &mut self.cells;
        cells.clear();
        for (slot, ty) in columns {
            let Some(word) = frame.get(*slot) else {
                cells.push(0);
                continue;
            };
            cells.push(1);
            match ty {
                DataType::Text => {
                    let text = TextWord(word).as_bytes();
                    cells.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    cells.extend_from_slice(text);
                }
                _ => cells.extend_from_slice(&word.to_le_bytes()),
            }
        }
    }

    /// Puts columns that [`Row::pack`] wrote back into slots; whether these are their types.
    pub fn put(mut cells: &[u8], frame: &mut Frame, columns: &[(Slot, DataType)], arena: &Arena) -> bool {
        let mut next = |ty: DataType| {
            let (&[there], rest) = cells.split_first_chunk::<1>()?;
            cells = rest;
            if there == 0 {
                return Some(None);
            }
            let (word, rest) = cells.split_first_chunk::<8>()?;
            let word = u64::from_le_bytes(*word);
            cells = rest;
            if ty != DataType::Text {
                return Some(Some(word));
            }
            let (text, rest) = cells.split_at_checked(usize::try_from(word).ok()?)?;
            cells = rest;
            Some(Some(arena.store(std::str::from_utf8(text).ok()?).0))
        };
        for (slot, ty) in columns {
            match next(*ty) {
                Some(word) => frame.put(*slot, word),
                None => return false,
            }
        }
        true
    }

    /// The values that [`Row::pack`] wrote; none if these are not their types.
    pub fn unpack(&self, types: impl IntoIterator<Item = DataType>) -> Option<Vec<Value>> {
        let mut cells = &self.cells[..];
        let mut next = |ty: DataType| {
            let (&[there], rest) = cells.split_first_chunk::<1>()?;
            cells = rest;
            if there == 0 {
                return Some(Value::Null);
            }
            let (word, rest) = cells.split_first_chunk::<8>()?;
            let word = u64::from_le_bytes(*word);
            cells = rest;
            if ty != DataType::Text {
                return Some(Value::from_word(word, ty));
            }
            let (text, rest) = cells.split_at_checked(usize::try_from(word).ok()?)?;
            cells = rest;
            Some(Value::Text(std::str::from_utf8(text).ok()?.to_owned()))
        };
        types.into_iter().map(&mut next).collect()
    }
}
