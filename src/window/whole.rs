//! Running results of all rows of keys: words only, no rows.

use super::accumulate::{self, Method};
use super::call::{Call, Row, compare};
use super::gather::{Asked, Gather, Way};
use super::ordered::{Side, Texts, preferred};
use super::{CallSpec, Length, Overflow};
use crate::expr::AggregateFunction as F;
use crate::store::{Codec, Slab, Words};
use crate::tuple::{Arena, DataType, TextWord};
use std::ops::Range;

/// Running results of all rows of a key.
pub struct Whole {
    calls: Vec<Call>,
    exclude: Vec<bool>,
    /// Its words in the state of a key.
    words: Range<usize>,
    sides: Slab<Vec<Side>>,
    side_count: usize,
    texts: Texts,
    /// How rows come to it.
    way: Way,
}

/// Words of a choice among all rows: there is one (1; 2 for NULL), its value, its time.
const CHOICE: usize = 3;

/// Merges a choice among all rows into another.
fn merge_choice(call: &Call, texts: &mut Texts, state: &mut [u64], given: &[u64]) {
    let replaces = match (state[0], given[0], call.spec.function) {
        (_, 0, _) => false,
        (0, _, _) => true,
        (_, _, F::Last) => given[2] as i64 >= state[2] as i64,
        (_, _, F::Min | F::Max) => {
            let order = compare(call.given(given[1], texts), call.given(state[1], texts));
            preferred(call.spec.function, order)
        }
        _ => (given[2] as i64) < state[2] as i64,
    };
    if !replaces {
        return;
    }
    let text = call.spec.ty == DataType::Text;
    if text && state[0] == 1 {
        texts.free(state[1]);
    }
    let word = if text && given[0] == 1 { texts.copy(given[1]) } else { given[1] };
    state[..CHOICE].copy_from_slice(&[given[0], word, given[2]]);
}

impl Whole {
    /// Calls over all rows, whose words begin at `at`; `exclude` says for each whether the current one is left out.
    pub fn new(at: usize, calls: &[CallSpec], exclude: &[bool], way: Way) -> Whole {
        let (mut next, mut side_count) = (at, 0);
        let call = |spec: &CallSpec| {
            let mut call = Call::new(spec, Length::All);
            let beside = call.spec.distinct || call.method == Method::Gather;
            call.side = beside.then(|| {
                side_count += 1;
                side_count - 1
            });
            call.at = next;
            next += if call.method == Method::Choice { CHOICE } else { call.method.words() };
            call
        };
        let calls = calls.iter().map(call).collect();
        Whole {
            calls,
            exclude: exclude.to_vec(),
            words: at..next,
            sides: Slab::new(),
            side_count,
            texts: Texts::default(),
            way,
        }
    }

    /// The place after its words in the state of a key.
    pub fn end(&self) -> usize {
        self.words.end
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, state: &mut [u64], entry: u32) {
        for call in self.calls.iter().filter(|c| c.method == Method::Choice && c.spec.ty == DataType::Text) {
            if state[call.at] == 1 {
                self.texts.free(state[call.at + 1]);
            }
        }
        state[self.words.clone()].fill(0);
        if self.side_count > 0 {
            self.sides.reach(entry);
            let sides = self.calls.iter().filter(|c| c.side.is_some()).map(|c| c.new_side(self.way));
            *self.sides.get_mut(entry) = sides.collect();
        }
    }

    /// Whether the current row replaces the chosen one.
    fn replaces(&self, call: &Call, chosen: &[u64], row: Row<'_>, word: u64) -> bool {
        if chosen[0] == 0 {
            return true;
        }
        match call.spec.function {
            F::Last => row.time >= chosen[2] as i64,
            F::Min | F::Max => {
                let order = compare(call.current(word), call.given(chosen[1], &self.texts));
                preferred(call.spec.function, order)
            }
            _ => row.time < chosen[2] as i64,
        }
    }

    /// The answer of a call for the current row.
    #[inline]
    pub fn read(
        &self,
        index: usize,
        state: &[u64],
        entry: u32,
        row: Row<'_>,
        arena: &Arena,
    ) -> Result<Option<u64>, Overflow> {
        let call = &self.calls[index];
        let state = &state[call.at..];
        let counts = !self.exclude[index] && row.flags & call.mask == 0;
        let word = call.word(row);
        if call.method == Method::Choice {
            if counts && self.replaces(call, state, row, word) {
                return Ok((row.flags & call.null == 0).then_some(word));
            }
            let kept = || match call.given(state[1], &self.texts).text {
                Some(text) => arena.store(text).0,
                None => state[1],
            };
            return Ok((state[0] == 1).then(kept));
        }
        if let Some(Side::Gather(gather)) = call.side.map(|side| &self.sides.get(entry)[side]) {
            return gather.result(Asked { call: &call.spec, arena }, counts.then(|| call.item_of(row)));
        }
        let known = |side: usize| match &self.sides.get(entry)[side] {
            Side::Values(values) => values.contains(call.current(word)),
            Side::Queue(_) | Side::Gather(_) => false,
        };
        let new = counts && !call.side.is_some_and(known);
        accumulate::result(&call.spec, call.method, state, new.then_some(word))
    }

    /// The answer of a call for the current row alone, as if there were no others.
    pub fn read_alone(&self, index: usize, row: Row<'_>, arena: &Arena) -> Result<Option<u64>, Overflow> {
        let call = &self.calls[index];
        let counts = !self.exclude[index] && row.flags & call.mask == 0;
        if call.method == Method::Choice {
            return Ok((counts && row.flags & call.null == 0).then(|| call.word(row)));
        }
        if call.method == Method::Gather {
            let gather = Gather::new(&call.spec, self.way);
            return gather.result(Asked { call: &call.spec, arena }, counts.then(|| call.item_of(row)));
        }
        accumulate::result(&call.spec, call.method, &[0; 6], counts.then(|| call.word(row)))
    }

    /// Adds the current row.
    #[inline]
    pub fn commit(&mut self, state: &mut [u64], entry: u32, row: Row<'_>) {
        for index in 0..self.calls.len() {
            let call = &self.calls[index];
            if row.flags & call.mask != 0 {
                continue;
            }
            let word = call.word(row);
            if call.method != Method::Choice {
                let new = match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                    Some(Side::Values(values)) => values.add(call.current(word)),
                    Some(Side::Gather(gather)) => {
                        gather.add(call.item_of(row));
                        false
                    }
                    _ => true,
                };
                if new {
                    call.method.change(&mut state[call.at..], word, call.spec.ty, 1);
                }
                continue;
            }
            if !self.replaces(call, &state[call.at..], row, word) {
                continue;
            }
            let state = &mut state[call.at..];
            let text = call.spec.ty == DataType::Text;
            if text && state[0] == 1 {
                self.texts.free(state[1]);
            }
            let null = row.flags & call.null != 0;
            state[0] = if null { 2 } else { 1 };
            state[1] = if text && !null { self.texts.keep(TextWord(word)) } else { word };
            state[2] = row.time as u64;
        }
    }

    /// Takes all that entry `from` has taken into entry `into`; both have their words in `cells`.
    pub fn merge(&mut self, cells: &mut Words, from: u32, into: u32) {
        let given = cells.get(from)[self.words.clone()].to_vec();
        let first = self.words.start;
        let sides = if self.side_count > 0 { std::mem::take(self.sides.get_mut(from)) } else { Vec::new() };
        for call in &self.calls {
            let (state, given) = (&mut cells.get_mut(into)[call.at..], &given[call.at - first..]);
            if call.method == Method::Choice {
                merge_choice(call, &mut self.texts, state, given);
                continue;
            }
            match call.side.map(|side| (&mut self.sides.get_mut(into)[side], &sides[side])) {
                Some((Side::Values(values), Side::Values(of))) => {
                    values.merge(of, |word| call.method.change(state, word, call.spec.ty, 1));
                }
                Some((Side::Gather(gather), Side::Gather(of))) => gather.merge(of),
                _ => call.method.merge(state, given),
            }
        }
        if self.side_count > 0 {
            *self.sides.get_mut(from) = sides;
        }
    }

    /// Appends what the store keeps of a key: words, texts in place of their numbers, counts of values.
    pub fn write(&self, state: &[u64], entry: u32, out: &mut Vec<u8>) {
        state[self.words.clone()].iter().for_each(|word| word.write(out));
        for call in self.text_choices() {
            if state[call.at] == 1 {
                self.texts.get(state[call.at + 1]).as_bytes().to_vec().write(out);
            }
        }
        if self.side_count > 0 {
            self.sides.get(entry).iter().for_each(|side| side.write(out));
        }
    }

    /// Fills a key, which is empty, with what was written; none if that is not what is there.
    pub fn read_back(&mut self, state: &mut [u64], entry: u32, from: &mut &[u8]) -> Option<()> {
        for word in &mut state[self.words.clone()] {
            *word = u64::read(from)?;
        }
        let mut arena = Arena::new();
        let places: Vec<usize> = self.text_choices().map(|call| call.at).collect();
        for at in places {
            if state[at] == 1 {
                let bytes = Vec::<u8>::read(from)?;
                arena.clear();
                state[at + 1] = self.texts.keep(arena.store(&String::from_utf8_lossy(&bytes)));
            }
        }
        if self.side_count > 0 {
            for side in self.sides.get_mut(entry) {
                side.read_back(from)?;
            }
        }
        Some(())
    }

    /// The calls that keep a text of their own.
    fn text_choices(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|c| c.method == Method::Choice && c.spec.ty == DataType::Text)
    }
}
