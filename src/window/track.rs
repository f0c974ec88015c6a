//! Rows of keys in one order, the windows over them, and the running results of their calls.
//!
//! Of a key's state a track has the words from its place on: `[head | tail << 32, (first row | rows << 32) for each
//! window, results]`, in a track by arrival with the number of rows after the links. A row is `[time, next | before <<
//! 32, flags if any matter, arguments]`; what `before` says of the head is of no account.
//!
//! Rows in the middle of a long list may be on disk only ([`away`]).
//!
//! Invariant: but for the time between `begin` and `commit` or `abort`, the windows stand at the newest row of the key,
//! and the results are those of the rows in them. A row that is older than the newest moves the windows back to its
//! time and forward again, which costs as many rows as lie between; only calls that gather rows in their order (lists,
//! integrals, values of the least or greatest other) make their windows anew.

use super::accumulate::Method;
use super::call::{Call, Row};
use super::gather::{Gather, Way};
use super::ordered::{Side, Texts};
use super::{CallSpec, Length, NEWEST};
use crate::expr::AggregateFunction as F;
use crate::store::{Slab, Words, prefetch};
use crate::tuple::{DataType, TextWord};
use std::ops::Range;

mod away;
mod kept;
mod late;
mod queue;
mod read;
mod results;

use away::BLOCK;
pub use away::Opened;
use queue::Newest;
pub use queue::Queue;

const TIME: usize = 0;
const CHAIN: usize = 1;
const FLAGS: usize = 2;

/// No row.
pub const NIL: u32 = 0;

/// A window of more rows is emptied at once when all of them leave.
const MANY: u32 = 32;

/// How far the windows of a track reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time: windows are so many microseconds long, and rows are kept for so long after the key's newest.
    Time(i64),
    /// By arrival: windows are so many rows long.
    Arrival,
}

#[derive(Clone, Debug)]
struct Window {
    /// In microseconds; by arrival the rows that it holds beside the current one.
    length: i64,
    exclude: bool,
    /// Its calls that have running results.
    calls: Range<usize>,
}

#[inline(always)]
fn low(word: u64) -> u32 {
    word as u32
}

#[inline(always)]
fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Rows in one order.
pub struct Track {
    order: Order,
    windows: Vec<Window>,
    /// In the order of windows.
    calls: Vec<Call>,
    /// The arguments whose words are kept, and whether they are texts.
    kept: Vec<(usize, bool)>,
    /// Place of the kept arguments in the words of a row.
    arguments: usize,
    has_texts: bool,
    /// Whether few bytes are enough for any row in the store.
    short_rows: bool,
    /// Most rows that a window by arrival holds between two rows: one more than it answers for without the current.
    most_rows: u64,
    /// Places in the state of a key.
    links: usize,
    first_window: usize,
    results: Range<usize>,
    cells: Words,
    used: u32,
    free: u32,
    /// Rows of all keys.
    live: usize,
    sides: Slab<Vec<Side>>,
    side_count: usize,
    /// Whether windows can be moved back.
    rewinds: bool,
    texts: Texts,
    /// The row that the current one comes after.
    end: u32,
    /// By arrival: whether a row makes the windows ready for the next one, which may be one that does not come here.
    of_one_input: bool,
    /// Whether windows were moved for the current row.
    moved: bool,
    /// Whether one of them was emptied at once.
    emptied: bool,
    /// How much older than the newest of its key a row may be.
    lateness: i64,
    away: away::Away,
}

impl Track {
    /// A track of windows (length in microseconds or rows; without the current row), whose words begin at `at`; `calls`
    /// name the windows by index. Also the places at which the calls are read.
    pub fn new(at: usize, order: Order, windows: &[(i64, bool)], calls: &[CallSpec]) -> (Track, Vec<usize>) {
        let length = if order == Order::Arrival { Length::Rows(0) } else { Length::Time(0) };
        let mut planned: Vec<(usize, Call)> = calls.iter().map(|spec| Call::new(spec, length)).enumerate().collect();
        let mut side_count = 0;
        let mut kept: Vec<(usize, bool)> = Vec::new();
        let flags_matter = planned.iter().any(|(_, call)| call.mask | call.null != 0);
        let arguments = if flags_matter { FLAGS + 1 } else { FLAGS };
        let first_window = at + if order == Order::Arrival { 2 } else { 1 };
        let first_result = first_window + windows.len();
        let mut next = first_result;
        for (_, call) in &mut planned {
            let spec = &call.spec;
            let filtered_row = matches!(spec.function, F::First | F::Last | F::Lag) && call.mask != 0;
            let gathers = call.method == Method::Gather;
            if spec.distinct || matches!(spec.function, F::Min | F::Max) || filtered_row || gathers {
                call.side = Some(side_count);
                side_count += 1;
            }
            if let (true, Some(argument)) = (call.has_value(), spec.argument) {
                let known = kept.iter().position(|(known, _)| *known == argument).unwrap_or_else(|| {
                    kept.push((argument, spec.ty == DataType::Text));
                    kept.len() - 1
                });
                call.value = arguments + known;
            }
            if let Some(second) = spec.second {
                let known = kept.iter().position(|(known, _)| *known == second.argument).unwrap_or_else(|| {
                    kept.push((second.argument, false));
                    kept.len() - 1
                });
                call.second = arguments + known;
            }
            (call.window, call.at) = (spec.window, next);
            next += call.method.words();
        }
        planned.sort_by_key(|(_, call)| (call.window, !call.runs()));
        let mut places = vec![0; calls.len()];
        planned.iter().enumerate().for_each(|(at, (index, _))| places[*index] = at);
        let calls: Vec<Call> = planned.into_iter().map(|(_, call)| call).collect();
        let window = |(index, (length, exclude)): (usize, &(i64, bool))| Window {
            length: length.saturating_sub(i64::from(order == Order::Arrival && !*exclude)),
            exclude: *exclude,
            calls: calls.partition_point(|call| call.window < index)
                ..calls.partition_point(|call| (call.window, !call.runs()) <= (index, false)),
        };
        let ready: Vec<Window> = windows.iter().enumerate().map(window).collect();
        let has_texts = kept.iter().any(|(_, text)| *text);
        let track = Track {
            order,
            most_rows: windows.iter().map(|(length, exclude)| *length as u64 + u64::from(*exclude)).max().unwrap_or(0),
            windows: ready,
            rewinds: calls.iter().all(|call| call.method != Method::Gather || Gather::is_unordered(&call.spec)),
            calls,
            arguments,
            has_texts,
            short_rows: kept::are_short(arguments - FLAGS + kept.len(), has_texts),
            cells: Words::new(arguments + kept.len()),
            kept,
            links: at,
            first_window,
            results: first_result..next,
            used: 0,
            free: NIL,
            live: 0,
            sides: Slab::new(),
            side_count,
            texts: Texts::default(),
            end: NIL,
            of_one_input: false,
            moved: false,
            emptied: false,
            lateness: match order {
                Order::Time(keep) => keep - windows.iter().map(|(length, _)| *length).max().unwrap_or(keep).min(keep),
                Order::Arrival => 0,
            },
            away: away::Away::default(),
        };
        (track, places)
    }

    /// The same by arrival, for rows of one of several inputs: windows stand as the next row finds them, whatever others
    /// come before it.
    pub fn of_one_input(mut self) -> Track {
        self.of_one_input = true;
        self
    }

    /// The place after its words in the state of a key.
    pub fn end(&self) -> usize {
        self.results.end
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.cells.stride() * 8
    }

    /// Makes the state of a key empty.
    pub fn reset(&mut self, state: &mut [u64], entry: u32) {
        let (mut cell, tail) = self.ends(state);
        while cell != NIL {
            let next = if cell == tail { NIL } else { low(self.chain(cell)) };
            self.free_cell(cell);
            cell = next;
        }
        state[self.links..self.results.end].fill(0);
        if self.side_count > 0 {
            self.sides.reach(entry);
            self.free_queues(entry);
            // New ones: a map or queue that has grown gives its memory back.
            let mut sides: Vec<(usize, Side)> = Vec::with_capacity(self.side_count);
            sides.extend(self.calls.iter().filter_map(|c| Some((c.side?, c.new_side(Way::Slides)))));
            sides.sort_by_key(|(index, _)| *index);
            *self.sides.get_mut(entry) = sides.into_iter().map(|(_, side)| side).collect();
        }
    }

    /// Oldest and newest row.
    #[inline(always)]
    fn ends(&self, state: &[u64]) -> (u32, u32) {
        (low(state[self.links]), high(state[self.links]))
    }

    /// The newest row of a key.
    #[inline(always)]
    pub fn tail(&self, state: &[u64]) -> u32 {
        high(state[self.links])
    }

    /// Asks for the rows that the next one will meet: the newest, and the oldest of each window; purely a hint.
    #[inline]
    pub fn prefetch_rows(&self, state: &[u64]) {
        let tail = high(state[self.links]);
        if tail != NIL {
            prefetch(self.cells.get(tail));
            for word in &state[self.first_window..self.results.start] {
                if low(*word) != NIL {
                    prefetch(self.cells.get(low(*word)));
                }
            }
        }
    }

    /// Asks for the rows that come after those that will leave at `time`; purely a hint.
    #[inline]
    pub fn prefetch_next(&self, state: &[u64], time: i64) {
        for (window, word) in self.windows.iter().zip(&state[self.first_window..]) {
            let (first, rows) = (low(*word), high(*word));
            if first != NIL && rows > 1 {
                let words = self.cells.get(first);
                let leaves = self.order == Order::Arrival || (words[TIME] as i64) < time.saturating_sub(window.length);
                if leaves && low(words[CHAIN]) < BLOCK {
                    prefetch(self.cells.get(low(words[CHAIN])));
                }
            }
        }
    }

    #[inline(always)]
    fn flags(&self, words: &[u64]) -> u64 {
        if self.arguments > FLAGS { words[FLAGS] } else { 0 }
    }

    /// Moves the windows of a key to the time of a row.
    #[inline]
    pub fn begin(&mut self, state: &mut [u64], entry: u32, time: i64) {
        self.end = high(state[self.links]);
        (self.moved, self.emptied) = (false, false);
        if self.order != Order::Arrival && time < state[NEWEST] as i64 {
            return self.go_back(state, entry, time);
        }
        if !self.of_one_input {
            self.advance(state, entry, time);
        }
    }

    /// Takes out of the windows what has left them at `time`, the newest.
    #[inline(always)]
    fn advance(&mut self, state: &mut [u64], entry: u32, time: i64) {
        for index in 0..self.windows.len() {
            let (length, place) = (self.windows[index].length, self.first_window + index);
            let (mut cell, mut rows) = (low(state[place]), high(state[place]));
            let before = rows;
            let bound = time.saturating_sub(length);
            if rows > MANY && self.order != Order::Arrival && (state[NEWEST] as i64) < bound {
                (self.moved, self.emptied) = (true, true);
                self.empty(state, entry, index);
                continue;
            }
            let mut worn = false;
            while rows > 0 {
                let words = self.cells.get(cell);
                let stays = match self.order {
                    Order::Time(_) => words[TIME] as i64 >= bound,
                    Order::Arrival => i64::from(rows) <= length,
                };
                if stays {
                    break;
                }
                let next = low(words[CHAIN]);
                worn |= self.take_oldest(state, entry, index, cell);
                (cell, rows) = (next, rows - 1);
                if cell >= BLOCK && rows > 0 {
                    match self.fetch(state, cell) {
                        Some((first, _)) => cell = first,
                        None => return self.lose_and_remake(state, entry, cell, time),
                    }
                }
            }
            self.moved |= rows < before;
            state[place] = pair(if rows == 0 { NIL } else { cell }, rows);
            if worn {
                self.renew(state, entry, index, time);
            }
        }
    }

    /// Takes the row after the newest ones into all windows.
    #[inline(always)]
    fn follow(&mut self, state: &mut [u64], entry: u32, cell: u32) {
        for index in 0..self.windows.len() {
            let place = self.first_window + index;
            let (first, rows) = (low(state[place]), high(state[place]));
            state[place] = pair(if rows == 0 { cell } else { first }, rows + 1);
            self.take_in(state, entry, index, (cell, rows));
        }
    }

    /// Puts the current row in its place: its number, and how many newer rows come after it.
    #[inline]
    pub fn commit(&mut self, state: &mut [u64], entry: u32, row: Row<'_>) -> (u32, u32) {
        let mut after = 0;
        let cell = self.allocate(row);
        let (end, (head, tail)) = (self.end, self.ends(state));
        if end == tail {
            // The newest, as nearly always.
            self.cells.get_mut(cell)[CHAIN] = pair(NIL, end);
            if end != NIL {
                let chain = &mut self.cells.get_mut(end)[CHAIN];
                *chain = pair(cell, high(*chain));
            }
            state[self.links] = pair(if end == NIL { cell } else { head }, cell);
            self.follow(state, entry, cell);
        } else {
            let next = if end == NIL { head } else { low(self.cells.get(end)[CHAIN]) };
            self.cells.get_mut(cell)[CHAIN] = pair(next, end);
            if end != NIL {
                let chain = &mut self.cells.get_mut(end)[CHAIN];
                *chain = pair(cell, high(*chain));
            }
            let chain = &mut self.cells.get_mut(next)[CHAIN];
            *chain = pair(low(*chain), cell);
            state[self.links] = pair(if end == NIL { cell } else { head }, tail);
            after = self.count_after(cell, tail);
            self.go_forward(state, entry, cell);
        }
        if self.of_one_input {
            self.advance(state, entry, row.time);
        }
        self.trim(state, row.time);
        (cell, after)
    }

    /// Frees the rows that no window will hold again.
    #[inline(always)]
    fn trim(&mut self, state: &mut [u64], time: i64) {
        let (mut head, tail) = self.ends(state);
        match self.order {
            Order::Time(keep) => {
                let bound = time.max(state[NEWEST] as i64).saturating_sub(keep);
                while head != tail && self.time(head) < bound {
                    head = self.drop_head(head);
                }
            }
            Order::Arrival => {
                let rows = &mut state[self.links + 1];
                *rows += 1;
                if *rows > self.most_rows && head != tail {
                    *rows -= 1;
                    head = self.drop_head(head);
                }
            }
        }
        state[self.links] = pair(head, tail);
    }

    #[inline(always)]
    fn drop_head(&mut self, head: u32) -> u32 {
        let next = low(self.chain(head));
        self.free_cell(head);
        next
    }

    /// The number of a row that is not there yet.
    #[inline(always)]
    fn number(&mut self) -> u32 {
        self.live += 1;
        if self.free == NIL {
            assert!(self.used < BLOCK - 1, "a task keeps at most 2^31 - 2 rows in the memory of windows");
            self.used += 1;
            self.cells.reach(self.used);
            self.used
        } else {
            let cell = self.free;
            self.free = low(self.cells.get(cell)[CHAIN]);
            cell
        }
    }

    #[inline(always)]
    fn allocate(&mut self, row: Row<'_>) -> u32 {
        let cell = self.number();
        let words = self.cells.get_mut(cell);
        words[TIME] = row.time as u64;
        if self.arguments > FLAGS {
            words[FLAGS] = row.flags;
        }
        for ((argument, text), word) in self.kept.iter().zip(&mut words[self.arguments..]) {
            let given = row.arguments[*argument];
            *word = if *text { self.texts.keep(TextWord(given)) } else { given };
        }
        cell
    }

    #[inline(always)]
    fn release(&mut self, cell: u32) {
        let words = self.cells.get(cell);
        if self.has_texts {
            for ((_, text), word) in self.kept.iter().zip(&words[self.arguments..]) {
                if *text {
                    self.texts.free(*word);
                }
            }
        }
        self.give_back(cell);
    }

    /// Frees the number of a row that has no texts.
    #[inline(always)]
    fn give_back(&mut self, cell: u32) {
        self.cells.get_mut(cell)[CHAIN] = u64::from(self.free);
        self.free = cell;
        self.live -= 1;
    }
}
