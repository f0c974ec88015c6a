//! Rows that a bolt keeps for later: columns of an input packed into bytes, and written back into a frame.
//!
//! Each value stands with the name of its column as a number and its type, so that rows outlive a change of the columns:
//! what a row does not have is NULL, what nobody asks for any more is passed over. A NULL takes no room.

use crate::tuple::{Arena, DataType, Frame, Slot, TextWord};

/// Columns that are kept, and where they stand.
#[derive(Clone, Debug, Default)]
pub struct KeptRow {
    columns: Vec<(u32, Slot)>,
}

/// Bits of a column's number that are its type.
const TYPE_BITS: u32 = 7;

fn type_of(number: u32) -> Option<DataType> {
    DataType::ALL.get((number & TYPE_BITS) as usize).copied()
}

impl KeptRow {
    /// Columns by name and type, and their slots.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, DataType, Slot)>) -> KeptRow {
        let number = |name: &str, ty: DataType| {
            let ty = DataType::ALL.iter().position(|known| *known == ty).unwrap_or(0) as u32;
            xxhash_rust::xxh3::xxh3_64(name.to_ascii_lowercase().as_bytes()) as u32 & !TYPE_BITS | ty
        };
        KeptRow { columns: columns.into_iter().map(|(name, ty, slot)| (number(name, ty), slot)).collect() }
    }

    /// The slots of its columns.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.columns.iter().map(|(_, slot)| *slot)
    }

    /// Appends the columns of a tuple.
    pub fn pack(&self, frame: &Frame, out: &mut Vec<u8>) {
        for (number, slot) in &self.columns {
            let Some(word) = frame.get(*slot) else { continue };
            out.extend_from_slice(&number.to_le_bytes());
            if type_of(*number) == Some(DataType::Text) {
                let text = TextWord(word).as_bytes();
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text);
            } else {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Writes back what was packed, to the slots that these columns have now; texts are copied into `arena`. What is cut
    /// ends there.
    pub fn unpack(&self, mut bytes: &[u8], frame: &mut Frame, arena: &Arena) {
        self.clear(frame);
        let mut next = 0;
        while let Some((number, word, rest)) = item(bytes, arena) {
            bytes = rest;
            let after = &self.columns[next.min(self.columns.len())..];
            let found = after.iter().position(|(known, _)| *known == number).map(|at| next + at);
            let found = found.or_else(|| self.columns.iter().position(|(known, _)| *known == number));
            if let (Some(at), Some(word)) = (found, word) {
                frame.set(self.columns[at].1, word);
                next = at + 1;
            }
        }
    }

    /// Makes all its columns NULL.
    pub fn clear(&self, frame: &mut Frame) {
        self.slots().for_each(|slot| frame.set_null(slot));
    }
}

/// The first value: its column, its word, and what follows it.
fn item<'a>(bytes: &'a [u8], arena: &Arena) -> Option<(u32, Option<u64>, &'a [u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    let number = u32::from_le_bytes(*number);
    if type_of(number)? != DataType::Text {
        let (word, rest) = rest.split_first_chunk()?;
        return Some((number, Some(u64::from_le_bytes(*word)), rest));
    }
    let (length, rest) = rest.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((number, std::str::from_utf8(text).ok().map(|text| arena.store(text).0), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::{Layout, Run, Value};
    use proptest::prelude::*;

    const TYPES: [DataType; 4] = [DataType::Text, DataType::Bigint, DataType::Boolean, DataType::Text];
    const NAMES: [&str; 4] = ["a", "B", "c", "d"];

    fn value(ty: DataType) -> BoxedStrategy<Value> {
        match ty {
            DataType::Text => prop_oneof![1 => Just(Value::Null), 4 => ".{0,9}".prop_map(Value::Text)].boxed(),
            DataType::Bigint => prop_oneof![1 => Just(Value::Null), 4 => any::<i64>().prop_map(Value::Bigint)].boxed(),
            _ => prop_oneof![1 => Just(Value::Null), 4 => any::<bool>().prop_map(Value::Boolean)].boxed(),
        }
    }

    proptest! {
        #[test]
        fn what_was_kept_is_read_by_the_columns_of_then(
            row in (value(TYPES[0]), value(TYPES[1]), value(TYPES[2]), value(TYPES[3])),
            wanted in prop::collection::vec(0usize..4, 0..5),
            cut in 0usize..200,
        ) {
            let row = [row.0, row.1, row.2, row.3];
            let layout = Layout::new(8);
            let (mut run, arena) = (Run::new(layout), Arena::new());
            let (frame, _) = run.push();
            for (n, value) in row.iter().enumerate() {
                value.put(frame, layout.slot(n), &arena);
            }
            let kept = KeptRow::new((0..4).map(|n| (NAMES[n], TYPES[n], layout.slot(n))));
            let mut bytes = Vec::new();
            kept.pack(frame, &mut bytes);
            let mut wanted = wanted;
            wanted.sort_unstable();
            wanted.dedup();
            wanted.reverse();
            let places: Vec<_> = wanted.iter().enumerate().map(|(at, n)| (NAMES[*n], TYPES[*n], layout.slot(4 + at))).collect();
            let back = KeptRow::new(places.iter().map(|(name, ty, slot)| (*name, *ty, *slot)).chain([(
                "of later", DataType::Double, layout.slot(3),
            )]));
            back.unpack(&bytes, frame, &arena);
            for ((_, ty, slot), n) in places.iter().zip(&wanted) {
                prop_assert_eq!(&Value::from_slot(frame, *slot, *ty), &row[*n]);
            }
            prop_assert!(frame.is_null(layout.slot(3)));
            // Whatever is cut off, nothing is read beyond it.
            back.unpack(&bytes[..cut.min(bytes.len())], frame, &arena);
        }
    }
}
