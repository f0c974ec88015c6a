//! Windows of the newest row of each value within a key: what is true now.
//!
//! A row takes the place of the one that had its value, unless that is newer. Results are those of the rows that are
//! there: what can be taken back is, and least, greatest, oldest and newest stand in ordered maps, so that a row costs
//! the logarithm of the number of values; what gathers values (percentiles, lists) is computed afresh at each row. Memory:
//! a row for each value, until the key expires.

use super::accumulate::{self, Method};
use super::call::{Call, Row};
use super::gather::{Asked, Gather, Item, Way};
use super::ordered::{Given, Texts, Values, equal_word, sortable};
use super::{CallSpec, Length, Overflow, ValueSpec};
use crate::expr::AggregateFunction as F;
use crate::store::{Codec, Slab};
use crate::tuple::{Arena, DataType, TextWord};
use std::collections::{BTreeMap, HashMap};

/// A window of the newest row of each value.
pub struct LatestWindow {
    value: ValueSpec,
    calls: Vec<Call>,
    exclude: Vec<bool>,
    /// The arguments whose words are kept, and whether they are texts.
    kept: Vec<(usize, bool)>,
    texts: Texts,
    keys: Slab<Key>,
    /// The value of the current row.
    bytes: Vec<u8>,
    /// Rows of all keys.
    live: usize,
}

/// The rows of a key, and the results of its calls.
#[derive(Default)]
struct Key {
    rows: HashMap<Box<[u8]>, Kept, foldhash::fast::FixedState>,
    results: Vec<Results>,
    /// Number of the next row.
    next: u64,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    time: i64,
    /// In order of arrival.
    number: u64,
    flags: u64,
    words: Box<[u64]>,
}

/// The place of a value in its order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Word(u64),
    Text(Box<str>),
    /// Time and number of the row.
    Row(i64, u64),
}

/// The result of a call.
enum Results {
    Words([u64; 6]),
    Distinct([u64; 6], Values),
    /// What comes first is the answer, or what comes last: how often it is there, its word (not of a text that is its own
    /// place), whether it is NULL.
    Ordered(BTreeMap<Place, (u32, u64, bool)>),
    /// The answer is made from the rows.
    Afresh,
}

impl LatestWindow {
    /// The newest rows by this value; `exclude` says for each call whether the current row is left out.
    pub fn new(value: ValueSpec, calls: &[CallSpec], exclude: &[bool]) -> LatestWindow {
        let mut calls: Vec<Call> = calls.iter().map(|spec| Call::new(spec, Length::All)).collect();
        let mut kept: Vec<(usize, bool)> = Vec::new();
        for call in &mut calls {
            if let (true, Some(argument)) = (call.has_value(), call.spec.argument) {
                call.value = kept.iter().position(|(known, _)| *known == argument).unwrap_or_else(|| {
                    kept.push((argument, call.spec.ty == DataType::Text));
                    kept.len() - 1
                });
            }
            if let Some(second) = call.spec.second {
                call.second = kept.iter().position(|(known, _)| *known == second.argument).unwrap_or_else(|| {
                    kept.push((second.argument, false));
                    kept.len() - 1
                });
            }
        }
        let exclude = exclude.to_vec();
        LatestWindow {
            value,
            calls,
            exclude,
            kept,
            texts: Texts::default(),
            keys: Slab::new(),
            bytes: Vec::new(),
            live: 0,
        }
    }

    /// Bytes of a row, roughly.
    pub fn row_bytes(&self) -> usize {
        size_of::<Kept>() + self.kept.len() * 8 + self.calls.len() * 16 + 48
    }

    /// Memory that the rows of all keys take, bytes.
    pub fn used_bytes(&self) -> usize {
        self.live * self.row_bytes()
    }

    fn value_bytes(value: &ValueSpec, row: Row<'_>, bytes: &mut Vec<u8>) {
        bytes.clear();
        if value.is_null(row.flags) {
            return;
        }
        bytes.push(1);
        let word = row.arguments[value.argument];
        match value.ty {
            DataType::Text => bytes.extend_from_slice(TextWord(word).as_bytes()),
            ty => bytes.extend_from_slice(&equal_word(word, ty).to_le_bytes()),
        }
    }

    fn word(call: &Call, kept: &Kept) -> u64 {
        LatestWindow::counted(call, kept.words.get(call.value).copied().unwrap_or(0))
    }

    /// The word that counts: of values that are to be distinct one for all that are equal, since which of their rows was
    /// there first is not known once they were away.
    fn counted(call: &Call, word: u64) -> u64 {
        if call.spec.distinct { equal_word(word, call.spec.ty) } else { word }
    }

    fn place(call: &Call, given: Given<'_>, time: i64, number: u64) -> Place {
        match (call.spec.function, given.text) {
            (F::First | F::Last | F::Lag, _) => Place::Row(time, number),
            (_, Some(text)) => Place::Text(text.into()),
            _ => Place::Word(sortable(given.word, given.ty)),
        }
    }

    /// The row that the current one replaces; none and false if that one is newer.
    fn replaced<'a>(&self, key: &'a Key, row: Row<'_>) -> (Option<&'a Kept>, bool) {
        let mut bytes = Vec::new();
        LatestWindow::value_bytes(&self.value, row, &mut bytes);
        match key.rows.get(bytes.as_slice()) {
            Some(old) if old.time > row.time => (None, false),
            old => (old, true),
        }
    }

    /// The answer of a call for the current row.
    pub fn read(&self, index: usize, entry: u32, row: Row<'_>, arena: &Arena) -> Result<Option<u64>, Overflow> {
        let (call, key) = (&self.calls[index], self.keys.get(entry));
        let (old, newest) = if self.exclude[index] { (None, false) } else { self.replaced(key, row) };
        let old = old.filter(|old| old.flags & call.mask == 0);
        let new = (newest && row.flags & call.mask == 0).then(|| LatestWindow::counted(call, call.word(row)));
        let result = &key.results[index];
        if matches!(result, Results::Afresh) {
            return self.afresh(call, key, old.map(|old| old.number), new.map(|_| row), arena);
        }
        if let Results::Ordered(map) = result {
            return Ok(self.first(call, map, old, new, key, row, arena));
        }
        let mut words = [0; 6];
        let mut add = new;
        match result {
            Results::Words(kept) => {
                words = *kept;
                old.into_iter().for_each(|old| call.method.change(&mut words, Self::word(call, old), call.spec.ty, -1));
            }
            Results::Distinct(kept, values) => {
                words = *kept;
                let old = old.map(|old| call.given(Self::word(call, old), &self.texts));
                let gone = old.filter(|old| values.count(*old) == 1);
                let stays = |given: Given<'_>| values.count(given) > u32::from(old.is_some_and(|old| old.is(given)));
                add = new.filter(|word| !stays(call.current(*word)));
                gone.into_iter().for_each(|old| call.method.change(&mut words, old.word, call.spec.ty, -1));
            }
            Results::Ordered(_) | Results::Afresh => {}
        }
        if call.method.is_worn(&words) {
            words = self.renewed(call, key, old.map(|old| old.number));
        }
        accumulate::result(&call.spec, call.method, &words, add)
    }

    /// What a call gathers of the rows but one, and of the current one, if it counts.
    fn afresh(
        &self,
        call: &Call,
        key: &Key,
        without: Option<u64>,
        row: Option<Row<'_>>,
        arena: &Arena,
    ) -> Result<Option<u64>, Overflow> {
        let stays = |kept: &&Kept| Some(kept.number) != without && kept.flags & call.mask == 0;
        let item = |kept: &Kept| (kept.time, kept.number, call.item(kept.time, &kept.words, &self.texts));
        let mut rows: Vec<(i64, u64, Item<'_>)> = key.rows.values().filter(stays).map(item).collect();
        rows.extend(row.map(|row| (row.time, key.next, call.item_of(row))));
        rows.sort_unstable_by_key(|(time, number, _)| (*time, *number));
        let mut gather = Gather::new(&call.spec, Way::Arrives);
        rows.into_iter().for_each(|(_, _, item)| gather.add(item));
        gather.result(Asked { call: &call.spec, arena }, None)
    }

    /// Results made anew from the rows but one.
    #[cold]
    fn renewed(&self, call: &Call, key: &Key, without: Option<u64>) -> [u64; 6] {
        let mut words = [0; 6];
        let mut seen = call.spec.distinct.then(|| Values::new(call.spec.ty));
        for row in key.rows.values().filter(|row| Some(row.number) != without && row.flags & call.mask == 0) {
            let word = Self::word(call, row);
            if seen.as_mut().is_none_or(|seen| seen.add(call.given(word, &self.texts))) {
                call.method.change(&mut words, word, call.spec.ty, 1);
            }
        }
        call.method.renewed(&mut words);
        words
    }

    /// The least, greatest, oldest or newest: of the rows without `old` and with the current one, if it counts.
    #[allow(clippy::too_many_arguments)]
    fn first(
        &self,
        call: &Call,
        map: &BTreeMap<Place, (u32, u64, bool)>,
        old: Option<&Kept>,
        new: Option<u64>,
        key: &Key,
        row: Row<'_>,
        arena: &Arena,
    ) -> Option<u64> {
        let of_old =
            old.map(|old| Self::place(call, call.given(Self::word(call, old), &self.texts), old.time, old.number));
        let there =
            |(place, (count, ..)): &(&Place, &(u32, u64, bool))| *count > u32::from(of_old.as_ref() == Some(place));
        let last = matches!(call.spec.function, F::Max | F::Last | F::Lag);
        let found = if last { map.iter().rev().find(there) } else { map.iter().find(there) };
        if let Some(word) = new {
            let place = Self::place(call, call.current(word), row.time, key.next);
            let first = found.is_none_or(|(known, _)| if last { place >= *known } else { place < *known });
            if first {
                return (row.flags & call.null == 0).then_some(word);
            }
        }
        let (place, (_, word, null)) = found?;
        match place {
            _ if *null => None,
            Place::Text(text) => Some(arena.store(text).0),
            _ => Some(call.given(*word, &self.texts).text.map_or(*word, |text| arena.store(text).0)),
        }
    }

    /// Adds the current row, unless there is a newer one of its value.
    pub fn commit(&mut self, entry: u32, row: Row<'_>) {
        LatestWindow::value_bytes(&self.value, row, &mut self.bytes);
        let key = self.keys.get_mut(entry);
        if key.rows.get(self.bytes.as_slice()).is_some_and(|old| old.time > row.time) {
            return;
        }
        let mut words = Vec::with_capacity(self.kept.len());
        for (argument, text) in &self.kept {
            let word = row.arguments[*argument];
            words.push(if *text { self.texts.keep(TextWord(word)) } else { word });
        }
        let kept = Kept { time: row.time, number: key.next, flags: row.flags, words: words.into() };
        key.next += 1;
        self.put(entry, kept);
    }

    /// Puts a row in the place of its value, whose bytes are known.
    fn put(&mut self, entry: u32, kept: Kept) {
        let Key { rows, results, .. } = self.keys.get_mut(entry);
        self.live += 1;
        let old = match rows.get_mut(self.bytes.as_slice()) {
            Some(place) => Some(std::mem::replace(place, kept)),
            None => {
                rows.insert(self.bytes.as_slice().into(), kept);
                None
            }
        };
        let Some(new) = rows.get(self.bytes.as_slice()) else { return };
        for (call, result) in self.calls.iter().zip(results) {
            if let Some(old) = old.as_ref().filter(|old| old.flags & call.mask == 0) {
                result.change(call, old, &self.texts, false);
            }
            if new.flags & call.mask == 0 {
                result.change(call, new, &self.texts, true);
            }
        }
        if let Some(old) = old {
            self.free(&old);
        }
        for index in 0..self.calls.len() {
            let (call, key) = (&self.calls[index], self.keys.get(entry));
            let worn = match &key.results[index] {
                Results::Words(words) | Results::Distinct(words, _) => call.method.is_worn(words),
                Results::Ordered(_) | Results::Afresh => false,
            };
            if worn {
                let anew = self.renewed(call, key, None);
                match &mut self.keys.get_mut(entry).results[index] {
                    Results::Words(words) | Results::Distinct(words, _) => *words = anew,
                    Results::Ordered(_) | Results::Afresh => {}
                }
            }
        }
    }

    fn free(&mut self, row: &Kept) {
        self.live -= 1;
        for ((_, text), word) in self.kept.iter().zip(&row.words) {
            if *text {
                self.texts.free(*word);
            }
        }
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, entry: u32) {
        self.keys.reach(entry);
        let key = std::mem::take(self.keys.get_mut(entry));
        key.rows.values().for_each(|row| self.free(row));
        self.keys.get_mut(entry).results = self.calls.iter().map(Results::new).collect();
    }

    /// Appends what the store keeps of a key: its rows in order of arrival.
    pub fn write(&self, entry: u32, out: &mut Vec<u8>) {
        let key = self.keys.get(entry);
        let mut rows: Vec<(&Box<[u8]>, &Kept)> = key.rows.iter().collect();
        rows.sort_by_key(|(_, row)| row.number);
        (rows.len() as u32).write(out);
        for (value, row) in rows {
            value.write(out);
            (row.time, row.flags).write(out);
            for ((_, text), word) in self.kept.iter().zip(&row.words) {
                match *text {
                    true => self.texts.get(*word).as_bytes().to_vec().write(out),
                    false => word.write(out),
                }
            }
        }
    }

    /// Fills a key, which is empty, with what was written; none if that is not what is there.
    pub fn read_back(&mut self, entry: u32, from: &mut &[u8]) -> Option<()> {
        let mut arena = Arena::new();
        for number in 0..u32::read(from)? {
            self.bytes = Vec::<u8>::read(from)?;
            let (time, flags) = Codec::read(from)?;
            let mut words = Vec::with_capacity(self.kept.len());
            for (_, text) in &self.kept {
                words.push(match *text {
                    true => {
                        let bytes = Vec::<u8>::read(from)?;
                        arena.clear();
                        self.texts.keep(arena.store(&String::from_utf8_lossy(&bytes)))
                    }
                    false => u64::read(from)?,
                });
            }
            self.keys.get_mut(entry).next = u64::from(number) + 1;
            self.put(entry, Kept { time, number: u64::from(number), flags, words: words.into() });
        }
        Some(())
    }
}

impl Results {
    fn new(call: &Call) -> Results {
        match (call.method, call.spec.distinct) {
            (Method::Gather, _) => Results::Afresh,
            (Method::Choice, _) => Results::Ordered(BTreeMap::new()),
            (_, true) => Results::Distinct([0; 6], Values::new(call.spec.ty)),
            _ => Results::Words([0; 6]),
        }
    }

    /// Takes a row in, or back.
    fn change(&mut self, call: &Call, row: &Kept, texts: &Texts, into: bool) {
        let word = LatestWindow::word(call, row);
        let given = call.given(word, texts);
        let sign = if into { 1 } else { -1 };
        match self {
            Results::Afresh => {}
            Results::Words(words) => call.method.change(words, word, call.spec.ty, sign),
            Results::Distinct(words, values) => {
                if if into { values.add(given) } else { values.remove(given) } {
                    call.method.change(words, word, call.spec.ty, sign);
                }
            }
            Results::Ordered(map) => {
                let place = LatestWindow::place(call, given, row.time, row.number);
                if into {
                    let known = map.entry(place).or_insert((0, word, row.flags & call.null != 0));
                    known.0 += 1;
                } else if let Some(known) = map.get_mut(&place) {
                    known.0 -= 1;
                    if known.0 == 0 {
                        map.remove(&place);
                    }
                }
            }
        }
    }
}
