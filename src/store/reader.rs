//! The canonical form of keys.

use crate::tuple::{Arena, DataType, Frame, Slot, TextWord, Value};

/// Reads the key of a tuple: its canonical bytes and their stable hash.
#[derive(Clone, Debug)]
pub struct KeyReader {
    columns: Vec<(Slot, DataType)>,
    bytes: Vec<u8>,
    word: [u8; 8],
}

/// A key: canonical bytes (the same key has the same bytes in every process) and their stable hash, whose upper eight
/// bits are the shard.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    /// xxh3 of the bytes.
    pub hash: u64,
    /// Canonical bytes.
    pub bytes: &'a [u8],
}

impl<'a> KeyRef<'a> {
    /// The key of these canonical bytes.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> KeyRef<'a> {
        KeyRef { hash: xxhash_rust::xxh3::xxh3_64(bytes), bytes }
    }

    /// Its shard.
    #[inline]
    pub fn shard(&self) -> u8 {
        (self.hash >> 56) as u8
    }
}

impl KeyReader {
    /// A reader of these columns; with none, every tuple has the empty key.
    pub fn new(columns: &[(Slot, DataType)]) -> KeyReader {
        KeyReader { columns: columns.to_vec(), bytes: Vec::new(), word: [0; 8] }
    }

    /// The key of a tuple; none if a column of it is NULL.
    #[inline]
    pub fn read(&mut self, frame: &Frame) -> Option<KeyRef<'_>> {
        Some(KeyRef::new(self.bytes(frame)?))
    }

    /// The canonical bytes of the key of a tuple; none if a column of it is NULL.
    #[inline(always)]
    pub fn bytes(&mut self, frame: &Frame) -> Option<&[u8]> {
        match self.columns.as_slice() {
            [(slot, DataType::Text)] => Some(TextWord(frame.get(*slot)?).as_bytes()),
            [(slot, ty)] => {
                self.word = canonical(frame.get(*slot)?, *ty).to_le_bytes();
                Some(&self.word)
            }
            _ => self.several(frame),
        }
    }

    /// Whether every key is one word: that of a single column that is not text.
    pub fn is_word(&self) -> bool {
        matches!(self.columns.as_slice(), [(_, ty)] if *ty != DataType::Text)
    }

    /// The key of a tuple as a word, where it is one ([`KeyReader::is_word`]); none if it is NULL.
    #[inline(always)]
    pub fn word(&self, frame: &Frame) -> Option<u64> {
        let (slot, ty) = self.columns.first()?;
        Some(canonical(frame.get(*slot)?, *ty))
    }

    fn several(&mut self, frame: &Frame) -> Option<&[u8]> {
        self.bytes.clear();
        for (slot, ty) in &self.columns {
            let word = frame.get(*slot)?;
            match ty {
                DataType::Text => {
                    let text = TextWord(word).as_bytes();
                    self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    self.bytes.extend_from_slice(text);
                }
                _ => self.bytes.extend_from_slice(&canonical(word, *ty).to_le_bytes()),
            }
        }
        Some(&self.bytes)
    }
}

/// Writes keys back into tuples: the columns of a key from its canonical bytes.
#[derive(Clone, Debug)]
pub struct KeyWriter {
    columns: Vec<(Slot, DataType)>,
}

impl KeyWriter {
    /// A writer of keys whose columns have these types, as a [`KeyReader`] reads them, into these slots.
    pub fn new(columns: &[(Slot, DataType)]) -> KeyWriter {
        KeyWriter { columns: columns.to_vec() }
    }

    /// Writes the key of these bytes; texts are copied into `arena`. False, and nothing to rely on in the slots, if they
    /// are not those of such a key.
    pub fn write(&self, mut bytes: &[u8], frame: &mut Frame, arena: &Arena) -> bool {
        if let [(slot, DataType::Text)] = self.columns.as_slice() {
            let Ok(text) = std::str::from_utf8(bytes) else { return false };
            frame.set(*slot, arena.store(text).0);
            return true;
        }
        for (slot, ty) in &self.columns {
            let word = match take_word(&mut bytes, *ty, arena) {
                Some(word) => word,
                None => return false,
            };
            frame.set(*slot, word);
        }
        bytes.is_empty()
    }
}

/// One column of a key of several, or of one that is not text.
fn take_word(bytes: &mut &[u8], ty: DataType, arena: &Arena) -> Option<u64> {
    if ty != DataType::Text {
        let (word, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        return Some(u64::from_le_bytes(*word));
    }
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some(arena.store(std::str::from_utf8(text).ok()?).0)
}

/// The canonical bytes of a key of these values; none if one of them is NULL.
pub fn key_bytes(values: &[Value]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for value in values {
        let (word, ty) = match value {
            Value::Text(text) => {
                if values.len() > 1 {
                    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                }
                bytes.extend_from_slice(text.as_bytes());
                continue;
            }
            Value::Null => return None,
            Value::Boolean(b) => (u64::from(*b), DataType::Boolean),
            Value::Double(d) => (d.to_bits(), DataType::Double),
            Value::Bigint(i) | Value::Timestamp(i) | Value::Interval(i) => (*i as u64, DataType::Bigint),
        };
        bytes.extend_from_slice(&canonical(word, ty).to_le_bytes());
    }
    Some(bytes)
}

/// The values whose key has these canonical bytes; none if it is not one of these types.
pub fn key_values(mut bytes: &[u8], types: &[DataType]) -> Option<Vec<Value>> {
    if let [DataType::Text] = types {
        return Some(vec![Value::Text(std::str::from_utf8(bytes).ok()?.to_owned())]);
    }
    let mut values = Vec::with_capacity(types.len());
    for ty in types {
        values.push(match ty {
            DataType::Text => {
                let (length, rest) = bytes.split_first_chunk()?;
                let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                bytes = rest;
                Value::Text(std::str::from_utf8(text).ok()?.to_owned())
            }
            _ => {
                let (word, rest) = bytes.split_first_chunk()?;
                bytes = rest;
                Value::from_word(u64::from_le_bytes(*word), *ty)
            }
        });
    }
    bytes.is_empty().then_some(values)
}

/// One word for values that are equal: SQL's zeros are one value, and so are its NaNs.
#[inline(always)]
fn canonical(word: u64, ty: DataType) -> u64 {
    if ty != DataType::Double {
        return word;
    }
    match f64::from_bits(word) {
        0.0 => 0,
        double if double.is_nan() => f64::NAN.to_bits(),
        _ => word,
    }
}
