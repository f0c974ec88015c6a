//! Cells: columns of a row, packed one behind the other.
//!
//! Owns the packed form: for each column a byte that says whether there is a value, then its word, or the length and
//! bytes of a text. Nothing in it says which columns these are; who keeps cells knows, and tells by the fingerprint of
//! its state. (Rows that outlive a change of their columns are those of `kept_row`.)

use crate::tuple::{Arena, DataType, Frame, Slot, TextWord, Value};

/// Appends the columns of a tuple.
pub fn pack(frame: &Frame, columns: &[(Slot, DataType)], out: &mut Vec<u8>) {
    for (slot, ty) in columns {
        let Some(word) = frame.get(*slot) else {
            out.push(0);
            continue;
        };
        out.push(1);
        if *ty == DataType::Text {
            let text = TextWord(word).as_bytes();
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text);
        } else {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
}

/// Puts columns that [`pack`] wrote back into slots, texts into `arena`; whether these are their types.
pub fn put(cells: &[u8], frame: &mut Frame, columns: &[(Slot, DataType)], arena: &Arena) -> bool {
    let mut reader = Reader(cells);
    for (slot, ty) in columns {
        let word = match reader.next(*ty) {
            None => return false,
            Some(Cell::Null) => None,
            Some(Cell::Word(word)) => Some(word),
            Some(Cell::Text(text)) => Some(arena.store(text).0),
        };
        frame.put(*slot, word);
    }
    true
}

/// The values that [`pack`] wrote; none if these are not their types.
pub fn unpack(cells: &[u8], types: impl IntoIterator<Item = DataType>) -> Option<Vec<Value>> {
    let mut reader = Reader(cells);
    let mut value = |ty| {
        Some(match reader.next(ty)? {
            Cell::Null => Value::Null,
            Cell::Word(word) => Value::from_word(word, ty),
            Cell::Text(text) => Value::Text(text.to_owned()),
        })
    };
    types.into_iter().map(&mut value).collect()
}

enum Cell<'a> {
    Null,
    Word(u64),
    Text(&'a str),
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self, ty: DataType) -> Option<Cell<'a>> {
        let (there, rest) = self.0.split_first()?;
        self.0 = rest;
        if *there == 0 {
            return Some(Cell::Null);
        }
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let word = u64::from_le_bytes(*word);
        if ty != DataType::Text {
            return Some(Cell::Word(word));
        }
        let (text, rest) = self.0.split_at_checked(usize::try_from(word).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Cell::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::{Layout, Run};
    use proptest::prelude::*;

    const TYPES: [DataType; 3] = [DataType::Text, DataType::Bigint, DataType::Text];

    fn text() -> impl Strategy<Value = Value> {
        prop_oneof![1 => Just(Value::Null), 4 => ".{0,9}".prop_map(Value::Text)]
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![1 => Just(Value::Null), 4 => any::<i64>().prop_map(Value::Bigint)]
    }

    proptest! {
        #[test]
        fn a_row_comes_back_and_a_cut_one_is_none(row in (text(), number(), text()), cut in 0usize..60) {
            let row = [row.0, row.1, row.2];
            let layout = Layout::new(6);
            let (mut run, arena) = (Run::new(layout), Arena::new());
            let (frame, _) = run.push();
            for (n, value) in row.iter().enumerate() {
                value.put(frame, layout.slot(n), &arena);
            }
            let from: Vec<_> = (0..3).map(|n| (layout.slot(n), TYPES[n])).collect();
            let to: Vec<_> = (0..3).map(|n| (layout.slot(n + 3), TYPES[n])).collect();
            let mut cells = vec![7];
            pack(frame, &from, &mut cells);
            prop_assert_eq!(unpack(&cells[1..], TYPES), Some(row.to_vec()));
            prop_assert!(put(&cells[1..], frame, &to, &arena));
            for (n, (slot, ty)) in to.iter().enumerate() {
                prop_assert_eq!(&Value::from_slot(frame, *slot, *ty), &row[n]);
            }
            let cut = 1 + cut.min(cells.len() - 2);
            prop_assert_eq!(unpack(&cells[1..cut], TYPES), None);
            prop_assert!(!put(&cells[1..cut], frame, &to, &arena));
        }
    }
}
