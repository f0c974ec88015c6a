//! The answers of calls, as if the current row were there.

use super::{Track, high, low};
use crate::expr::AggregateFunction as F;
use crate::tuple::Arena;
use crate::window::Overflow;
use crate::window::accumulate::{self, Method};
use crate::window::call::{Call, Row, compare};
use crate::window::gather::Asked;
use crate::window::ordered::{Side, preferred};

impl Track {
    /// Number of rows in a call's window, without the current one.
    #[inline]
    pub fn rows(&self, call: usize, state: &[u64]) -> u32 {
        high(state[self.first_window + self.calls[call].window])
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
        let call = &self.calls[call];
        let counts = !self.windows[call.window].exclude && row.flags & call.mask == 0;
        if call.method == Method::Rows {
            return Ok(Some(u64::from(high(state[self.first_window + call.window])) + u64::from(counts)));
        }
        let side = call.side.map(|side| &self.sides.get(entry)[side]);
        if let Some(Side::Gather(gather)) = side {
            return gather.result(Asked { call: &call.spec, arena }, counts.then(|| call.item_of(row)));
        }
        if call.method == Method::Choice {
            return Ok(self.choose(call, state, side, row, counts, arena));
        }
        let new = counts
            && match side {
                Some(Side::Values(values)) => !values.contains(call.current(call.word(row))),
                _ => true,
            };
        accumulate::result(&call.spec, call.method, &state[call.at..], new.then(|| call.word(row)))
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
        let current_value = || (row.flags & call.null == 0).then(|| call.word(row));
        let last = call.spec.function == F::Last;
        let row_of = |cell: u32| {
            let words = self.cells.get(cell);
            (words[call.value], self.flags(words) & call.null != 0)
        };
        let window = state[self.first_window + call.window];
        let kept = match (side, call.spec.function) {
            (Some(Side::Queue(queue)), _) => queue.answer(call),
            _ if high(window) == 0 => None,
            (_, F::Last) => Some(row_of(self.end)),
            _ => Some(row_of(low(window))),
        };
        let Some((word, null)) = kept else { return if counts { current_value() } else { None } };
        if counts && last {
            return current_value();
        }
        if null {
            return None;
        }
        let value = call.given(word, &self.texts);
        if counts && matches!(call.spec.function, F::Min | F::Max) {
            let new = call.current(call.word(row));
            if preferred(call.spec.function, compare(new, value)) {
                return current_value();
            }
        }
        Some(value.text.map_or(value.word, |text| arena.store(text).0))
    }
}
