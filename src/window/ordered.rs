//! What running results keep beside words: texts, queues of candidates, counts of values.

use super::gather::Gather;
use super::track::Queue;
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::{DataType, TextWord};
use hashbrown::HashMap;
use std::cmp::Ordering;

type Fixed = foldhash::fast::FixedState;

/// Texts that live as long as the rows they came with, by number.
#[derive(Default)]
pub struct Texts {
    texts: Vec<Box<str>>,
    free: Vec<u32>,
}

impl Texts {
    /// Keeps a copy.
    pub fn keep(&mut self, text: TextWord) -> u64 {
        // The word of a NULL may be zero.
        self.own(if text.0 == 0 { Box::default() } else { text.as_str().into() })
    }

    /// Keeps the text of a number once more.
    pub fn copy(&mut self, number: u64) -> u64 {
        self.own(self.get(number).into())
    }

    /// Keeps a text.
    pub fn own(&mut self, text: Box<str>) -> u64 {
        match self.free.pop() {
            Some(number) => {
                self.texts[number as usize] = text;
                u64::from(number)
            }
            None => {
                self.texts.push(text);
                self.texts.len() as u64 - 1
            }
        }
    }

    /// The text of a number.
    pub fn get(&self, number: u64) -> &str {
        &self.texts[number as usize]
    }

    /// Frees a number.
    pub fn free(&mut self, number: u64) {
        self.texts[number as usize] = Box::default();
        self.free.push(number as u32);
    }
}

/// A word that sorts as its value does; all NaNs are one and the greatest. Not for texts.
#[inline(always)]
pub fn sortable(word: u64, ty: DataType) -> u64 {
    const SIGN: u64 = 1 << 63;
    match ty {
        DataType::Double if f64::from_bits(word).is_nan() => u64::MAX,
        DataType::Double if word & SIGN != 0 => !word,
        _ => word ^ SIGN,
    }
}

/// The word that sorts so ([`sortable`]).
#[inline(always)]
pub fn unsortable(key: u64, ty: DataType) -> u64 {
    const SIGN: u64 = 1 << 63;
    match ty {
        DataType::Double if key == u64::MAX => f64::NAN.to_bits(),
        DataType::Double if key & SIGN == 0 => !key,
        _ => key ^ SIGN,
    }
}

/// Whether `function` (min or max) prefers a value that compares to the other like `order`.
#[inline(always)]
pub fn preferred(function: F, order: Ordering) -> bool {
    order == if function == F::Min { Ordering::Less } else { Ordering::Greater }
}

/// How often each value is there.
pub enum Values {
    /// Words.
    Words(HashMap<u64, u32, Fixed>),
    /// Texts.
    Texts(HashMap<Box<str>, u32, Fixed>),
}

/// One value for doubles that are equal.
pub fn equal_word(word: u64, ty: DataType) -> u64 {
    match ty {
        DataType::Double if f64::from_bits(word) == 0.0 => 0,
        DataType::Double if f64::from_bits(word).is_nan() => f64::NAN.to_bits(),
        _ => word,
    }
}

/// A value as it is given: a word, or the text that it stands for.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The word.
    pub word: u64,
    /// The text of a text argument.
    pub text: Option<&'a str>,
    /// The type.
    pub ty: DataType,
}

impl Given<'_> {
    /// Whether both are one value.
    pub fn is(&self, other: Given<'_>) -> bool {
        match (self.text, other.text) {
            (Some(a), Some(b)) => a == b,
            _ => equal_word(self.word, self.ty) == equal_word(other.word, other.ty),
        }
    }
}

impl Values {
    /// No values of a type.
    pub fn new(ty: DataType) -> Values {
        match ty {
            DataType::Text => Values::Texts(HashMap::default()),
            _ => Values::Words(HashMap::default()),
        }
    }

    /// Whether a value is there.
    pub fn contains(&self, value: Given<'_>) -> bool {
        self.count(value) > 0
    }

    /// How often a value is there.
    pub fn count(&self, value: Given<'_>) -> u32 {
        let count = match (self, value.text) {
            (Values::Texts(counts), Some(text)) => counts.get(text),
            (Values::Words(counts), _) => counts.get(&equal_word(value.word, value.ty)),
            (Values::Texts(_), None) => None,
        };
        count.copied().unwrap_or(0)
    }

    /// One more; whether it is the first.
    pub fn add(&mut self, value: Given<'_>) -> bool {
        let count = match (self, value.text) {
            (Values::Texts(counts), Some(text)) => match counts.get_mut(text) {
                Some(count) => {
                    *count += 1;
                    return false;
                }
                None => counts.entry(text.into()).or_insert(0),
            },
            (Values::Words(counts), _) => counts.entry(equal_word(value.word, value.ty)).or_insert(0),
            (Values::Texts(_), None) => return false,
        };
        *count += 1;
        *count == 1
    }

    /// One fewer; whether it was the last.
    pub fn remove(&mut self, value: Given<'_>) -> bool {
        match (self, value.text) {
            (Values::Texts(counts), Some(text)) => match counts.get_mut(text) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => return counts.remove(text).is_some(),
                None => {}
            },
            (Values::Words(counts), _) => {
                let word = equal_word(value.word, value.ty);
                match counts.get_mut(&word) {
                    Some(count) if *count > 1 => *count -= 1,
                    Some(_) => return counts.remove(&word).is_some(),
                    None => {}
                }
            }
            (Values::Texts(_), None) => {}
        }
        false
    }

    /// Takes in all of another's values; tells of each word that was not there.
    pub fn merge(&mut self, from: &Values, mut new: impl FnMut(u64)) {
        match (self, from) {
            (Values::Words(counts), Values::Words(from)) => {
                for (word, n) in from {
                    let count = counts.entry(*word).or_insert(0);
                    if *count == 0 {
                        new(*word);
                    }
                    *count = count.saturating_add(*n);
                }
            }
            (Values::Texts(counts), Values::Texts(from)) => {
                for (text, n) in from {
                    match counts.get_mut(text) {
                        Some(count) => *count = count.saturating_add(*n),
                        None => {
                            counts.insert(text.clone(), *n);
                            new(0);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The values, as far as they are words.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        match self {
            Values::Words(counts) => Some(counts.keys().copied()),
            Values::Texts(_) => None,
        }
        .into_iter()
        .flatten()
    }
}

/// What a call keeps for a key beside its words.
pub enum Side {
    /// Rows that are or may become the answer.
    Queue(Queue),
    /// The values of a `distinct` call.
    Values(Values),
    /// What a larger function has gathered.
    Gather(Box<Gather>),
}

impl Side {
    /// An empty one for a call.
    pub fn new(distinct: bool, ty: DataType) -> Side {
        if distinct { Side::Values(Values::new(ty)) } else { Side::Queue(Queue::default()) }
    }

    /// Appends the counts of values; a queue follows from the rows.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Side::Queue(_) => {}
            Side::Gather(gather) => gather.write(out),
            Side::Values(Values::Words(counts)) => {
                (counts.len() as u32).write(out);
                for (word, count) in counts {
                    word.write(out);
                    count.write(out);
                }
            }
            Side::Values(Values::Texts(counts)) => {
                (counts.len() as u32).write(out);
                for (text, count) in counts {
                    text.as_bytes().to_vec().write(out);
                    count.write(out);
                }
            }
        }
    }

    /// Fills an empty one with what was written; none if that is not what is there.
    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        match self {
            Side::Queue(_) => {}
            Side::Gather(gather) => gather.read_back(from)?,
            Side::Values(Values::Words(counts)) => {
                for _ in 0..u32::read(from)? {
                    let word = u64::read(from)?;
                    counts.insert(word, u32::read(from)?);
                }
            }
            Side::Values(Values::Texts(counts)) => {
                for _ in 0..u32::read(from)? {
                    let text = Vec::<u8>::read(from)?;
                    counts.insert(String::from_utf8_lossy(&text).into(), u32::read(from)?);
                }
            }
        }
        Some(())
    }
}
