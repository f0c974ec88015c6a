//! What rows that come and go do to the running results of windows.

use super::{BLOCK, NIL, Newest, TIME, Track, high, low, pair};
use crate::window::NEWEST;
use crate::window::call::Call;
use crate::window::gather::Way;
use crate::window::ordered::{Side, Texts};

impl Track {
    /// Adds a row to the results of a window in which so many rows come before it.
    #[inline(always)]
    pub(super) fn take_in(&mut self, state: &mut [u64], entry: u32, window: usize, (cell, before): (u32, u32)) {
        let words = self.cells.get(cell);
        let flags = self.flags(words);
        for call in &self.calls[self.windows[window].calls.clone()] {
            if flags & call.mask != 0 {
                continue;
            }
            let value = words[call.value];
            let results = &mut state[call.at..];
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                None => call.method.change(results, value, call.spec.ty, 1),
                Some(Side::Values(values)) => {
                    if values.add(call.given(value, &self.texts)) {
                        call.method.change(results, value, call.spec.ty, 1);
                    }
                }
                Some(Side::Gather(gather)) => gather.add(call.item(words[TIME] as i64, words, &self.texts)),
                Some(Side::Queue(queue)) => {
                    let null = flags & call.null != 0;
                    let row = Newest { before, value, null, time: words[TIME] as i64 };
                    let newest = row.time.max(state[NEWEST] as i64);
                    queue.come(call, row, newest.saturating_sub(self.lateness), &mut self.texts);
                }
            }
        }
    }

    /// Adds a row that comes before all others of a window to its results.
    pub(super) fn take_in_first(&mut self, state: &mut [u64], entry: u32, window: usize, cell: u32) {
        let words = self.cells.get(cell);
        let flags = self.flags(words);
        for call in &self.calls[self.windows[window].calls.clone()] {
            let counts = flags & call.mask == 0;
            let value = words[call.value];
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                Some(Side::Queue(queue)) => {
                    queue.precede(call, counts.then_some((value, flags & call.null != 0)), &mut self.texts);
                }
                None if counts => call.method.change(&mut state[call.at..], value, call.spec.ty, 1),
                Some(Side::Values(values)) if counts => {
                    let is_new = values.add(call.given(value, &self.texts));
                    if is_new {
                        call.method.change(&mut state[call.at..], value, call.spec.ty, 1);
                    }
                }
                Some(Side::Gather(gather)) if counts => {
                    gather.add(call.item(words[TIME] as i64, words, &self.texts));
                }
                _ => {}
            }
        }
    }

    /// Takes the oldest row of a window out of its results; whether some must be made anew.
    #[inline(always)]
    pub(super) fn take_oldest(&mut self, state: &mut [u64], entry: u32, window: usize, cell: u32) -> bool {
        let words = self.cells.get(cell);
        let flags = self.flags(words);
        let mut worn = false;
        for call in &self.calls[self.windows[window].calls.clone()] {
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                Some(Side::Queue(queue)) => queue.leave(call, &mut self.texts),
                side if flags & call.mask == 0 => worn |= take_back(call, state, side, words, &self.texts),
                _ => {}
            }
        }
        worn
    }

    /// Takes the newest row of a window, before which there are so many, out of its results.
    pub(super) fn take_newest(&mut self, state: &mut [u64], entry: u32, window: usize, (cell, before): (u32, u32)) {
        let words = self.cells.get(cell);
        let flags = self.flags(words);
        for call in &self.calls[self.windows[window].calls.clone()] {
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                Some(Side::Queue(queue)) => queue.go(call, before, &mut self.texts),
                side if flags & call.mask == 0 => {
                    take_back(call, state, side, words, &self.texts);
                }
                _ => {}
            }
        }
    }

    /// Makes a window empty.
    #[cold]
    #[inline(never)]
    pub(super) fn empty(&mut self, state: &mut [u64], entry: u32, index: usize) {
        state[self.first_window + index] = pair(NIL, 0);
        for call in &self.calls[self.windows[index].calls.clone()] {
            state[call.at..call.at + call.method.words()].fill(0);
            match call.side.map(|side| &mut self.sides.get_mut(entry)[side]) {
                Some(Side::Queue(queue)) => queue.clear(call, &mut self.texts),
                Some(side) => *side = call.new_side(Way::Slides),
                None => {}
            }
        }
    }

    /// Frees what the queues of a key keep of texts.
    pub(super) fn free_queues(&mut self, entry: u32) {
        for call in &self.calls {
            let side = call.side.and_then(|side| self.sides.get_mut(entry).get_mut(side));
            if let Some(Side::Queue(queue)) = side {
                queue.clear(call, &mut self.texts);
            }
        }
    }

    /// Rows up to a block are lost: all windows are made anew from what is left, as they stand at `time`.
    #[cold]
    #[inline(never)]
    pub(super) fn lose_and_remake(&mut self, state: &mut [u64], entry: u32, block: u32, time: i64) {
        self.lose(state, block);
        self.moved = true;
        self.remake(state, entry, time);
    }

    /// Makes the worn results of a window, which stands at `time`, anew from its rows.
    #[cold]
    #[inline(never)]
    pub(super) fn renew(&mut self, state: &mut [u64], entry: u32, window: usize, time: i64) {
        let place = self.first_window + window;
        for at in self.windows[window].calls.clone() {
            let call = &self.calls[at];
            if !call.method.is_worn(&state[call.at..]) {
                continue;
            }
            let call = call.clone();
            let n = call.method.count(&state[call.at..]);
            state[call.at..call.at + call.method.words()].fill(0);
            let side = call.side.map(|side| &self.sides.get(entry)[side]);
            if let Some(Side::Values(values)) = side {
                values.words().for_each(|word| call.method.change(&mut state[call.at..], word, call.spec.ty, 1));
            }
            let (mut cell, mut rows) = (low(state[place]), high(state[place]));
            while rows > 0 && call.method.count(&state[call.at..]) < n {
                if cell >= BLOCK {
                    match self.fetch(state, cell) {
                        Some((first, _)) => cell = first,
                        None => return self.lose_and_remake(state, entry, cell, time),
                    }
                }
                let words = self.cells.get(cell);
                if self.flags(words) & call.mask == 0 {
                    call.method.change(&mut state[call.at..], words[call.value], call.spec.ty, 1);
                }
                cell = low(words[super::CHAIN]);
                rows -= 1;
            }
            call.method.renewed(&mut state[call.at..]);
        }
    }
}

/// Takes a row out of a call's result, which is no queue; whether the result must be made anew.
#[inline(always)]
fn take_back(call: &Call, state: &mut [u64], side: Option<&mut Side>, words: &[u64], texts: &Texts) -> bool {
    let value = words[call.value];
    let gone = match side {
        None => true,
        Some(Side::Values(values)) => values.remove(call.given(value, texts)),
        Some(Side::Gather(gather)) => {
            gather.remove(call.item(words[TIME] as i64, words, texts));
            false
        }
        Some(Side::Queue(_)) => false,
    };
    if !gone {
        return false;
    }
    let results = &mut state[call.at..];
    call.method.change(results, value, call.spec.ty, -1);
    call.method.is_worn(results)
}
