//! Rows of keys in one order, the windows over them, and the running results of their calls.
//!
//! A key's state is one piece of words: `[head | tail << 32, clock, newest or number of rows, (first row | rows << 32)
//! for each window, results]`. `clock` is the time that the windows stand at; a row before it makes them anew.

use super::accumulate::{self, Method};
use super::ordered::{Given, Side, Texts, Values, preferred, sortable};
use super::{CallSpec, Overflow};
use crate::expr::AggregateFunction as F;
use crate::store::{Slab, Words, prefetch};
use crate::tuple::{Arena, DataType, TextWord};
use std::cmp::Ordering;

const LINKS: usize = 0;
const CLOCK: usize = 1;
const NEWEST: usize = 2;
const WINDOWS: usize = 3;

const TIME: usize = 0;
const CHAIN: usize = 1;
const FLAGS: usize = 2;
const ARGUMENTS: usize = 3;

/// No row.
const NIL: u32 = 0;

/// The clock of a key whose windows must be made anew.
const UNKNOWN: i64 = i64::MAX;

/// A row: what a tuple gives to the calls.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Event time.
    pub time: i64,
    /// A word for each argument.
    pub arguments: &'a [u64],
    /// What does not count.
    pub flags: u64,
}

/// How far the windows of a track reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time: windows are so many microseconds long, and rows are kept for so long after the key's newest.
    Time(i64),
    /// By arrival: windows are so many rows long.
    Arrival,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    length: i64,
    exclude: bool,
    first_call: usize,
    last_call: usize,
}

struct Call {
    spec: CallSpec,
    method: Method,
    window: usize,
    /// Place of its words in the state.
    at: usize,
    /// Place of its value in a row's words.
    value: usize,
    side: Option<usize>,
    /// Flags of rows that do not count.
    mask: u64,
    null: u64,
}

fn flag(flag: Option<u8>) -> u64 {
    flag.map_or(0, |flag| 1 << flag)
}

fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Rows in one order.
pub struct Track {
    order: Order,
    windows: Vec<Window>,
    calls: Vec<Call>,
    /// The arguments whose words are kept, and whether they are texts.
    kept: Vec<(usize, bool)>,
    has_texts: bool,
    /// Most rows that a window by arrival holds between two rows: one more than it answers for without the current.
    most_rows: u64,
    cells: Words,
    used: u32,
    free: u32,
    state: Words,
    sides: Slab<Vec<Side>>,
    side_count: usize,
    texts: Texts,
    /// The row that the current one comes after.
    end: u32,
}

impl Track {
    /// A track of windows (length in microseconds or rows, without the current row); `calls` name them by index.
    pub fn new(order: Order, windows: &[(i64, bool)], calls: &[CallSpec]) -> (Track, Vec<usize>) {
        let mut sorted: Vec<usize> = (0..calls.len()).collect();
        sorted.sort_by_key(|at| calls[*at].window);
        let mut places = vec![0; calls.len()];
        let mut kept: Vec<(usize, bool)> = Vec::new();
        let (mut at, mut side_count) = (WINDOWS + windows.len(), 0);
        let mut ready: Vec<Call> = Vec::new();
        for index in sorted {
            let spec = calls[index].clone();
            let method = Method::of(&spec);
            let filtered = flag(spec.filtered);
            let row_call = matches!(spec.function, F::First | F::Last | F::Lag);
            let distinct = spec.distinct && !matches!(spec.function, F::Min | F::Max) && method != Method::Truth;
            let needs_side = distinct || matches!(spec.function, F::Min | F::Max) || (row_call && filtered != 0);
            let side = needs_side.then(|| {
                side_count += 1;
                side_count - 1
            });
            let value = match spec.argument {
                Some(argument) if method != Method::Count || distinct => {
                    let known = kept.iter().position(|(known, _)| *known == argument).unwrap_or_else(|| {
                        kept.push((argument, spec.ty == DataType::Text));
                        kept.len() - 1
                    });
                    ARGUMENTS + known
                }
                _ => FLAGS,
            };
            places[index] = ready.len();
            let null = flag(spec.null);
            let mask = if row_call { filtered } else { filtered | null };
            let spec = CallSpec { distinct, ..spec };
            let words = method.words();
            ready.push(Call { window: spec.window, spec, method, at, value, side, mask, null });
            at += words;
        }
        let window = |(index, (length, exclude)): (usize, &(i64, bool))| Window {
            length: *length,
            exclude: *exclude,
            first_call: ready.partition_point(|call| call.window < index),
            last_call: ready.partition_point(|call| call.window <= index),
        };
        let ready_windows: Vec<Window> = windows.iter().enumerate().map(window).collect();
        let track = Track {
            order,
            most_rows: windows.iter().map(|(length, exclude)| *length as u64 + u64::from(*exclude)).max().unwrap_or(0),
            windows: ready_windows,
            calls: ready,
            has_texts: kept.iter().any(|(_, text)| *text),
            cells: Words::new(ARGUMENTS + kept.len()),
            kept,
            used: 0,
            free: NIL,
            state: Words::new(at),
            sides: Slab::new(),
            side_count,
            texts: Texts::default(),
            end: NIL,
        };
        (track, places)
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, entry: u32) {
        self.state.reach(entry);
        let mut cell = low(self.state.get(entry)[LINKS]);
        while cell != NIL {
            let next = low(self.cells.get(cell)[CHAIN]);
            self.release(cell);
            cell = next;
        }
        let state = self.state.get_mut(entry);
        state.fill(0);
        state[CLOCK] = i64::MIN as u64;
        if let Order::Time(_) = self.order {
            state[NEWEST] = i64::MIN as u64;
        }
        if self.side_count > 0 {
            self.sides.reach(entry);
            // New ones: a map or queue that has grown gives its memory back.
            let mut sides: Vec<(usize, Side)> = Vec::with_capacity(self.side_count);
            sides.extend(self.calls.iter().filter_map(|c| Some((c.side?, Side::new(c.spec.distinct, c.spec.ty)))));
            sides.sort_by_key(|(index, _)| *index);
            *self.sides.get_mut(entry) = sides.into_iter().map(|(_, side)| side).collect();
        }
    }

    /// Event time of the newest row of a key, in a track by time.
    #[inline(always)]
    pub fn newest(&self, entry: u32) -> i64 {
        self.state.get(entry)[NEWEST] as i64
    }

    /// Asks for the state of a key; purely a hint.
    #[inline]
    pub fn prefetch_state(&self, entry: u32) {
        if self.state.has(entry) {
            prefetch(self.state.get(entry));
        }
    }

    /// Asks for the oldest and newest rows of a key, whose state is near; purely a hint.
    #[inline]
    pub fn prefetch_rows(&self, entry: u32) {
        if self.state.has(entry) {
            let state = self.state.get(entry);
            for cell in [low(state[LINKS]), high(state[LINKS])] {
                if cell != NIL {
                    prefetch(self.cells.get(cell));
                }
            }
        }
    }

    /// Moves the windows of a key to the time of a row.
    #[inline]
    pub fn begin(&mut self, entry: u32, time: i64) {
        let state = self.state.get_mut(entry);
        if time < state[CLOCK] as i64 && (self.order != Order::Arrival || state[CLOCK] as i64 == UNKNOWN) {
            return self.rebuild(entry, time);
        }
        state[CLOCK] = if self.order == Order::Arrival { i64::MIN as u64 } else { time as u64 };
        self.end = high(state[LINKS]);
        for index in 0..self.windows.len() {
            let window = self.windows[index];
            let (mut cell, mut rows) = (low(state[WINDOWS + index]), high(state[WINDOWS + index]));
            let mut worn = false;
            while cell != NIL {
                let words = self.cells.get(cell);
                let stays = match self.order {
                    Order::Time(_) => words[TIME] as i64 >= time.saturating_sub(window.length),
                    Order::Arrival => i64::from(rows) <= window.length - i64::from(!window.exclude),
                };
                if stays {
                    break;
                }
                for call in &self.calls[window.first_call..window.last_call] {
                    if words[FLAGS] & call.mask == 0 {
                        let side = call.side.map(|side| &mut self.sides.get_mut(entry)[side]);
                        worn |= take_back(call, state, side, cell, words, &self.texts);
                    }
                }
                cell = low(words[CHAIN]);
                rows -= 1;
            }
            state[WINDOWS + index] = pair(cell, rows);
            if worn {
                renew(&self.calls[window.first_call..window.last_call], state, &self.cells, cell, |side| {
                    &self.sides.get(entry)[side]
                });
            }
        }
    }

    /// Makes the windows of a key as they were at a time, from its rows.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, entry: u32, time: i64) {
        let results = WINDOWS + self.windows.len();
        self.state.get_mut(entry)[results..].fill(0);
        if self.side_count > 0 {
            self.sides.get_mut(entry).iter_mut().for_each(Side::clear);
        }
        let mut end = high(self.state.get(entry)[LINKS]);
        if let Order::Time(_) = self.order {
            while end != NIL && self.cells.get(end)[TIME] as i64 > time {
                end = high(self.cells.get(end)[CHAIN]);
            }
        }
        self.end = end;
        for index in 0..self.windows.len() {
            let window = self.windows[index];
            let (mut first, mut rows, mut cell) = (NIL, 0u32, end);
            while cell != NIL {
                let words = self.cells.get(cell);
                let inside = match self.order {
                    Order::Time(_) => words[TIME] as i64 >= time.saturating_sub(window.length),
                    Order::Arrival => i64::from(rows) < window.length - i64::from(!window.exclude),
                };
                if !inside {
                    break;
                }
                (first, rows, cell) = (cell, rows + 1, high(words[CHAIN]));
            }
            self.state.get_mut(entry)[WINDOWS + index] = pair(first, rows);
            let mut cell = first;
            for _ in 0..rows {
                self.take_in(entry, window, cell);
                cell = low(self.cells.get(cell)[CHAIN]);
            }
        }
        let clock = if self.order == Order::Arrival { i64::MIN } else { time };
        self.state.get_mut(entry)[CLOCK] = clock as u64;
    }

    /// Adds a row to the results of a window.
    #[inline]
    fn take_in(&mut self, entry: u32, window: Window, cell: u32) {
        let words = self.cells.get(cell);
        let state = self.state.get_mut(entry);
        for call in &self.calls[window.first_call..window.last_call] {
            if words[FLAGS] & call.mask != 0 {
                continue;
            }
            let value = words[call.value];
            let results = &mut state[call.at..];
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                None => call.method.change(results, value, call.spec.ty, 1),
                Some(Side::Values(values)) => {
                    if values.add(given(call, value, &self.texts)) {
                        call.method.change(results, value, call.spec.ty, 1);
                    }
                }
                Some(Side::Queue(queue)) => {
                    if matches!(call.spec.function, F::Min | F::Max) {
                        let new = given(call, value, &self.texts);
                        while let Some((_, old)) = queue.back() {
                            if preferred(call.spec.function, compare(given(call, *old, &self.texts), new)) {
                                break;
                            }
                            queue.pop_back();
                        }
                    }
                    queue.push_back((cell, value));
                }
            }
        }
    }

    /// Forgets that the windows were moved for a row that does not come.
    pub fn abort(&mut self, entry: u32) {
        self.state.get_mut(entry)[CLOCK] = UNKNOWN as u64;
    }

    /// Puts the current row in its place.
    #[inline]
    pub fn commit(&mut self, entry: u32, row: Row<'_>) {
        let cell = self.allocate(row);
        let end = self.end;
        let state = self.state.get_mut(entry);
        let (mut head, mut tail) = (low(state[LINKS]), high(state[LINKS]));
        let next = if end == NIL { head } else { low(self.cells.get(end)[CHAIN]) };
        self.cells.get_mut(cell)[CHAIN] = pair(next, end);
        match end {
            NIL => head = cell,
            _ => {
                let chain = &mut self.cells.get_mut(end)[CHAIN];
                *chain = pair(cell, high(*chain));
            }
        }
        match next {
            NIL => tail = cell,
            _ => {
                let chain = &mut self.cells.get_mut(next)[CHAIN];
                *chain = pair(low(*chain), cell);
            }
        }
        state[LINKS] = pair(head, tail);
        match self.order {
            Order::Time(_) => state[NEWEST] = (state[NEWEST] as i64).max(row.time) as u64,
            Order::Arrival => state[NEWEST] += 1,
        }
        if tail != cell {
            state[CLOCK] = UNKNOWN as u64;
        } else {
            for index in 0..self.windows.len() {
                let state = self.state.get_mut(entry);
                let (first, rows) = (low(state[WINDOWS + index]), high(state[WINDOWS + index]));
                state[WINDOWS + index] = pair(if first == NIL { cell } else { first }, rows + 1);
                self.take_in(entry, self.windows[index], cell);
            }
        }
        self.trim(entry);
    }

    /// Frees the rows that no window will hold again.
    #[inline]
    fn trim(&mut self, entry: u32) {
        loop {
            let state = self.state.get_mut(entry);
            let head = low(state[LINKS]);
            let past = match self.order {
                Order::Time(keep) => (self.cells.get(head)[TIME] as i64) < (state[NEWEST] as i64).saturating_sub(keep),
                Order::Arrival => state[NEWEST] > self.most_rows,
            };
            let next = low(self.cells.get(head)[CHAIN]);
            if !past || next == NIL {
                return;
            }
            state[LINKS] = pair(next, high(state[LINKS]));
            if self.order == Order::Arrival {
                state[NEWEST] -= 1;
            }
            let chain = &mut self.cells.get_mut(next)[CHAIN];
            *chain = pair(low(*chain), NIL);
            self.release(head);
        }
    }

    #[inline]
    fn allocate(&mut self, row: Row<'_>) -> u32 {
        let cell = if self.free == NIL {
            assert!(self.used < u32::MAX, "a task keeps at most 2^32 - 2 rows in windows");
            self.used += 1;
            self.cells.reach(self.used);
            self.used
        } else {
            let cell = self.free;
            self.free = low(self.cells.get(cell)[CHAIN]);
            cell
        };
        let words = self.cells.get_mut(cell);
        words[TIME] = row.time as u64;
        words[FLAGS] = row.flags;
        for ((argument, text), word) in self.kept.iter().zip(&mut words[ARGUMENTS..]) {
            let given = row.arguments[*argument];
            *word = if *text { self.texts.keep(TextWord(given)) } else { given };
        }
        cell
    }

    #[inline]
    fn release(&mut self, cell: u32) {
        let words = self.cells.get_mut(cell);
        if self.has_texts {
            for ((_, text), word) in self.kept.iter().zip(&words[ARGUMENTS..]) {
                if *text {
                    self.texts.free(*word);
                }
            }
        }
        words[CHAIN] = u64::from(self.free);
        self.free = cell;
    }

    /// Number of rows in a call's window, without the current one.
    #[inline]
    pub fn rows(&self, call: usize, entry: u32) -> u32 {
        high(self.state.get(entry)[WINDOWS + self.calls[call].window])
    }

    /// The answer of a call for the current row.
    #[inline]
    pub fn read(&self, call: usize, entry: u32, row: Row<'_>, arena: &Arena) -> Result<Option<u64>, Overflow> {
        let call = &self.calls[call];
        let state = self.state.get(entry);
        let exclude = self.windows[call.window].exclude;
        let counts = !exclude && row.flags & call.mask == 0;
        let side = call.side.map(|side| &self.sides.get(entry)[side]);
        if call.method == Method::Choice {
            return Ok(self.choose(call, state, side, row, counts, arena));
        }
        let mut words = [0; 6];
        let n = call.method.words();
        words[..n].copy_from_slice(&state[call.at..call.at + n]);
        if counts {
            let value = call.spec.argument.map_or(0, |argument| row.arguments[argument]);
            let new = match side {
                Some(Side::Values(values)) => !values.contains(current(call, value)),
                _ => true,
            };
            if new {
                call.method.change(&mut words, value, call.spec.ty, 1);
            }
        }
        accumulate::result(&call.spec, call.method, &words)
    }

    /// The least, greatest, oldest or newest.
    fn choose(
        &self,
        call: &Call,
        state: &[u64],
        side: Option<&Side>,
        row: Row<'_>,
        counts: bool,
        arena: &Arena,
    ) -> Option<u64> {
        let current_word = || call.spec.argument.map_or(0, |argument| row.arguments[argument]);
        let current_value = || (row.flags & call.null == 0).then(current_word);
        let last = call.spec.function == F::Last;
        let queue = match side {
            Some(Side::Queue(queue)) => Some(queue),
            _ => None,
        };
        let window = state[WINDOWS + call.window];
        let kept = match (queue, call.spec.function) {
            (Some(queue), F::Last) => queue.back().map(|found| found.0),
            (Some(queue), _) => queue.front().map(|found| found.0),
            (None, _) if high(window) == 0 => None,
            (None, F::Last) => Some(self.end),
            (None, _) => Some(low(window)),
        };
        let Some(kept) = kept else { return if counts { current_value() } else { None } };
        if counts && last {
            return current_value();
        }
        let words = self.cells.get(kept);
        if words[FLAGS] & call.null != 0 {
            return None;
        }
        let value = given(call, words[call.value], &self.texts);
        if counts && matches!(call.spec.function, F::Min | F::Max) {
            let new = current(call, current_word());
            if preferred(call.spec.function, compare(new, value)) {
                return current_value();
            }
        }
        Some(value.text.map_or(value.word, |text| arena.store(text).0))
    }
}

/// A value of a kept row.
#[inline(always)]
fn given<'a>(call: &Call, word: u64, texts: &'a Texts) -> Given<'a> {
    let text = (call.spec.ty == DataType::Text && call.value >= ARGUMENTS).then(|| texts.get(word));
    Given { word, text, ty: call.spec.ty }
}

/// A value of the current row.
#[inline(always)]
fn current<'a>(call: &Call, word: u64) -> Given<'a> {
    let text = (call.spec.ty == DataType::Text && call.value >= ARGUMENTS).then(|| TextWord(word).as_str());
    Given { word, text, ty: call.spec.ty }
}

#[inline(always)]
fn compare(a: Given<'_>, b: Given<'_>) -> Ordering {
    match (a.text, b.text) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => sortable(a.word, a.ty).cmp(&sortable(b.word, b.ty)),
    }
}

/// Takes a row out of a call's result; whether the result must be made anew.
#[inline(always)]
fn take_back(call: &Call, state: &mut [u64], side: Option<&mut Side>, cell: u32, words: &[u64], texts: &Texts) -> bool {
    let value = words[call.value];
    let gone = match side {
        None => true,
        Some(Side::Values(values)) => values.remove(given(call, value, texts)),
        Some(Side::Queue(queue)) => {
            if queue.front().is_some_and(|front| front.0 == cell) {
                queue.pop_front();
            }
            false
        }
    };
    if !gone {
        return false;
    }
    let results = &mut state[call.at..];
    call.method.change(results, value, call.spec.ty, -1);
    call.method.is_worn(results)
}

/// Makes the worn results of a window anew from its rows.
#[cold]
fn renew<'a>(calls: &[Call], state: &mut [u64], cells: &Words, first: u32, side: impl Fn(usize) -> &'a Side) {
    for call in calls {
        let results = &mut state[call.at..];
        if !call.method.is_worn(results) {
            continue;
        }
        let n = call.method.count(results);
        results[..call.method.words()].fill(0);
        if let Some(Side::Values(values)) = call.side.map(&side) {
            values.words().for_each(|word| call.method.change(results, word, call.spec.ty, 1));
            continue;
        }
        let mut cell = first;
        while cell != NIL && call.method.count(results) < n {
            let words = cells.get(cell);
            if words[FLAGS] & call.mask == 0 {
                call.method.change(results, words[call.value], call.spec.ty, 1);
            }
            cell = low(words[CHAIN]);
        }
    }
}

/// Running results of all rows of a key.
pub struct Whole {
    calls: Vec<Call>,
    exclude: Vec<bool>,
    state: Words,
    sides: Slab<Vec<Side>>,
    side_count: usize,
    texts: Texts,
}

/// Words of a choice among all rows: there is one (1; 2 for NULL), its value, its time.
const CHOICE: usize = 3;

impl Whole {
    /// Calls over all rows; `exclude` says for each whether the current one is left out.
    pub fn new(calls: &[CallSpec], exclude: &[bool]) -> Whole {
        let (mut at, mut side_count) = (0, 0);
        let call = |spec: &CallSpec| {
            let method = Method::of(spec);
            let row_call = matches!(spec.function, F::First | F::Last | F::Lag);
            let distinct = spec.distinct && !matches!(method, Method::Choice | Method::Truth);
            let (filtered, null) = (flag(spec.filtered), flag(spec.null));
            let side = distinct.then(|| {
                side_count += 1;
                side_count - 1
            });
            let words = if method == Method::Choice { CHOICE } else { method.words() };
            let mask = if row_call { filtered } else { filtered | null };
            let spec = CallSpec { distinct, ..spec.clone() };
            let value = if method == Method::Count && !distinct { FLAGS } else { ARGUMENTS };
            let call = Call { spec, method, window: 0, at, value, side, mask, null };
            at += words;
            call
        };
        let calls: Vec<Call> = calls.iter().map(call).collect();
        let (state, texts) = (Words::new(at), Texts::default());
        Whole { calls, exclude: exclude.to_vec(), state, sides: Slab::new(), side_count, texts }
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, entry: u32) {
        self.state.reach(entry);
        let state = self.state.get_mut(entry);
        for call in self.calls.iter().filter(|c| c.method == Method::Choice && c.spec.ty == DataType::Text) {
            if state[call.at] == 1 {
                self.texts.free(state[call.at + 1]);
            }
        }
        state.fill(0);
        if self.side_count > 0 {
            self.sides.reach(entry);
            let sides = self.calls.iter().filter(|c| c.side.is_some()).map(|c| Side::new(true, c.spec.ty));
            *self.sides.get_mut(entry) = sides.collect();
        }
    }

    /// Asks for the state of a key; purely a hint.
    #[inline]
    pub fn prefetch_state(&self, entry: u32) {
        if self.state.has(entry) {
            prefetch(self.state.get(entry));
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
                let order = compare(current(call, word), given(call, chosen[1], &self.texts));
                preferred(call.spec.function, order)
            }
            _ => row.time < chosen[2] as i64,
        }
    }

    /// The answer of a call for the current row.
    #[inline]
    pub fn read(&self, index: usize, entry: u32, row: Row<'_>, arena: &Arena) -> Result<Option<u64>, Overflow> {
        let call = &self.calls[index];
        let state = &self.state.get(entry)[call.at..];
        let counts = !self.exclude[index] && row.flags & call.mask == 0;
        let word = call.spec.argument.map_or(0, |argument| row.arguments[argument]);
        if call.method == Method::Choice {
            if counts && self.replaces(call, state, row, word) {
                return Ok((row.flags & call.null == 0).then_some(word));
            }
            let kept = || match given(call, state[1], &self.texts).text {
                Some(text) => arena.store(text).0,
                None => state[1],
            };
            return Ok((state[0] == 1).then(kept));
        }
        let mut words = [0; 6];
        let n = call.method.words();
        words[..n].copy_from_slice(&state[..n]);
        let known = |side: usize| match &self.sides.get(entry)[side] {
            Side::Values(values) => values.contains(current(call, word)),
            Side::Queue(_) => false,
        };
        if counts && !call.side.is_some_and(known) {
            call.method.change(&mut words, word, call.spec.ty, 1);
        }
        accumulate::result(&call.spec, call.method, &words)
    }

    /// Adds the current row.
    #[inline]
    pub fn commit(&mut self, entry: u32, row: Row<'_>) {
        for index in 0..self.calls.len() {
            let call = &self.calls[index];
            if row.flags & call.mask != 0 {
                continue;
            }
            let word = call.spec.argument.map_or(0, |argument| row.arguments[argument]);
            if call.method != Method::Choice {
                let new = match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                    Some(Side::Values(values)) => Values::add(values, current(call, word)),
                    _ => true,
                };
                if new {
                    let state = &mut self.state.get_mut(entry)[call.at..];
                    call.method.change(state, word, call.spec.ty, 1);
                }
                continue;
            }
            if !self.replaces(call, &self.state.get(entry)[call.at..], row, word) {
                continue;
            }
            let state = &mut self.state.get_mut(entry)[call.at..];
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
}
