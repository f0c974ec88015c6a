//! Windows of the rows since a value last changed, in order of arrival: running results only, no rows.
//!
//! Of a key's state a run has `[0 before the first row, else 1 and a bit for each value that is NULL | the values]`, then
//! the words of its results.

use super::call::Row;
use super::gather::Way;
use super::ordered::{Texts, equal_word};
use super::whole::Whole;
use super::{CallSpec, Overflow, ValueSpec};
use crate::store::Codec;
use crate::tuple::{Arena, DataType, TextWord};

/// A window of the rows since a value, or one of several, last changed. NULL is a value.
pub struct RunWindow {
    values: Vec<ValueSpec>,
    /// Place of its first word in the state of a key.
    at: usize,
    texts: Texts,
    whole: Whole,
}

impl RunWindow {
    /// A window over these values, whose words begin at `at`; `exclude` says for each call whether the current row is left
    /// out.
    pub fn new(at: usize, values: &[ValueSpec], calls: &[CallSpec], exclude: &[bool]) -> RunWindow {
        let whole = Whole::new(at + 1 + values.len(), calls, exclude, Way::Arrives);
        RunWindow { values: values.to_vec(), at, texts: Texts::default(), whole }
    }

    /// The place after its words in the state of a key.
    pub fn end(&self) -> usize {
        self.whole.end()
    }

    /// Whether the values of a row are those of the rows in the window.
    #[inline]
    fn goes_on(&self, state: &[u64], row: Row<'_>) -> bool {
        let head = state[self.at];
        head != 0
            && self.values.iter().enumerate().all(|(n, value)| {
                let (known_null, null) = (head >> (n + 1) & 1 == 1, value.is_null(row.flags));
                if known_null || null {
                    return known_null && null;
                }
                let (known, word) = (state[self.at + 1 + n], row.arguments[value.argument]);
                match value.ty {
                    DataType::Text => self.texts.get(known) == TextWord(word).as_str(),
                    ty => known == equal_word(word, ty),
                }
            })
    }

    /// The answer of a call for the current row.
    #[inline]
    pub fn read(
        &self,
        call: usize,
        state: &[u64],
        entry: u32,
        row: Row<'_>,
        arena: &Arena,
    ) -> Result<Option<u64>, Overflow> {
        match self.goes_on(state, row) {
            true => self.whole.read(call, state, entry, row, arena),
            false => self.whole.read_alone(call, row, arena),
        }
    }

    /// Adds the current row; the rows before it leave if it begins a new run.
    pub fn commit(&mut self, state: &mut [u64], entry: u32, row: Row<'_>) {
        if !self.goes_on(state, row) {
            self.reset(state, entry);
            let mut head = 1;
            for (n, value) in self.values.iter().enumerate() {
                let word = row.arguments[value.argument];
                state[self.at + 1 + n] = match value.ty {
                    _ if value.is_null(row.flags) => {
                        head |= 2 << n;
                        0
                    }
                    DataType::Text => self.texts.keep(TextWord(word)),
                    ty => equal_word(word, ty),
                };
            }
            state[self.at] = head;
        }
        self.whole.commit(state, entry, row);
    }

    /// The places of texts that a key has.
    fn kept_texts(&self, head: u64) -> Vec<usize> {
        let values = self.values.iter().enumerate();
        let texts = values.filter(|(n, value)| value.ty == DataType::Text && head != 0 && head >> (n + 1) & 1 == 0);
        texts.map(|(n, _)| self.at + 1 + n).collect()
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, state: &mut [u64], entry: u32) {
        for at in self.kept_texts(state[self.at]) {
            self.texts.free(state[at]);
        }
        state[self.at..self.at + 1 + self.values.len()].fill(0);
        self.whole.reset(state, entry);
    }

    /// Appends what the store keeps of a key.
    pub fn write(&self, state: &[u64], entry: u32, out: &mut Vec<u8>) {
        let texts = self.kept_texts(state[self.at]);
        state[self.at].write(out);
        let values = state.iter().enumerate().skip(self.at + 1).take(self.values.len());
        for (at, word) in values {
            match texts.contains(&at) {
                true => self.texts.get(*word).as_bytes().to_vec().write(out),
                false => word.write(out),
            }
        }
        self.whole.write(state, entry, out);
    }

    /// Fills a key, which is empty, with what was written; none if that is not what is there.
    pub fn read_back(&mut self, state: &mut [u64], entry: u32, from: &mut &[u8]) -> Option<()> {
        let head = u64::read(from)?;
        let texts = self.kept_texts(head);
        let mut arena = Arena::new();
        let mut words = vec![head];
        for at in self.at + 1..self.at + 1 + self.values.len() {
            words.push(match texts.contains(&at) {
                true => {
                    let bytes = Vec::<u8>::read(from)?;
                    arena.clear();
                    self.texts.keep(arena.store(&String::from_utf8_lossy(&bytes)))
                }
                false => u64::read(from)?,
            });
        }
        state[self.at..self.at + words.len()].copy_from_slice(&words);
        self.whole.read_back(state, entry, from)
    }
}
