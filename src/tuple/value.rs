//! Owned values: literals, parameters, rows of tests and reference tables. Not used on the hot path.

use super::{Arena, DataType, Frame, Slot, TextWord};

/// A value that owns its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL, of any type.
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `bigint`.
    Bigint(i64),
    /// `double`.
    Double(f64),
    /// `text`.
    Text(String),
    /// `timestamp`, microseconds since 1970 UTC.
    Timestamp(i64),
    /// `interval`, microseconds.
    Interval(i64),
}

impl Value {
    /// The type; none for NULL.
    pub fn data_type(&self) -> Option<DataType> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(_) => DataType::Boolean,
            Value::Bigint(_) => DataType::Bigint,
            Value::Double(_) => DataType::Double,
            Value::Text(_) => DataType::Text,
            Value::Timestamp(_) => DataType::Timestamp,
            Value::Interval(_) => DataType::Interval,
        })
    }

    /// The content of a slot as an owned value.
    pub fn from_slot(frame: &Frame, slot: Slot, ty: DataType) -> Value {
        match frame.get(slot) {
            None => Value::Null,
            Some(word) => Value::from_word(word, ty),
        }
    }

    /// A word of a slot as an owned value. A text word must still be alive.
    pub fn from_word(word: u64, ty: DataType) -> Value {
        match ty {
            DataType::Boolean => Value::Boolean(word != 0),
            DataType::Bigint => Value::Bigint(word as i64),
            DataType::Double => Value::Double(f64::from_bits(word)),
            DataType::Text => Value::Text(TextWord(word).as_str().to_owned()),
            DataType::Timestamp => Value::Timestamp(word as i64),
            DataType::Interval => Value::Interval(word as i64),
        }
    }

    /// The word of this value for a slot, none for NULL; text is copied into `arena`.
    pub fn to_word(&self, arena: &Arena) -> Option<u64> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(b) => u64::from(*b),
            Value::Bigint(i) | Value::Timestamp(i) | Value::Interval(i) => *i as u64,
            Value::Double(d) => d.to_bits(),
            Value::Text(t) => arena.store(t).0,
        })
    }

    /// Writes it into a slot; text is copied into `arena`.
    pub fn put(&self, frame: &mut Frame, slot: Slot, arena: &Arena) {
        frame.put(slot, self.to_word(arena));
    }
}
