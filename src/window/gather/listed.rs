//! Values in the order of time, the newest so many of them, or the first n.

use super::{Asked, Held, Item, Way};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::Value;
use crate::window::{CallSpec, Overflow};
use std::collections::VecDeque;

/// Values with their times.
#[derive(Debug)]
pub struct Listed {
    nth: bool,
    /// Most values that are kept.
    bound: usize,
    values: VecDeque<(i64, Held)>,
    /// Older values of what slides that are no longer kept.
    dropped: u64,
}

/// Values of a list that does not say how many.
const BOUND: i64 = 100;

fn whole(value: &Value, default: i64) -> usize {
    match value {
        Value::Bigint(n) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => default as usize,
    }
}

impl Listed {
    pub fn new(call: &CallSpec, way: Way) -> Listed {
        let nth = call.function == F::NthValue;
        let bound = match nth {
            // Any of the rows may become the n-th when others leave.
            true if way == Way::Slides => usize::MAX,
            true => whole(&call.parameter, 1),
            false => whole(&call.bound, BOUND),
        };
        Listed { nth, bound, values: VecDeque::new(), dropped: 0 }
    }

    fn insert(&mut self, time: i64, value: Held) {
        let at = self.values.partition_point(|(known, _)| *known <= time);
        if self.nth {
            self.values.insert(at, (time, value));
            return self.values.truncate(self.bound);
        }
        if self.values.len() < self.bound {
            return self.values.insert(at, (time, value));
        }
        self.dropped += 1;
        if at > 0 {
            self.values.insert(at, (time, value));
            self.values.pop_front();
        }
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.insert(item.time, item.held());
    }

    pub fn remove_first(&mut self, _: Item<'_>) {
        if self.dropped > 0 {
            self.dropped -= 1;
        } else {
            self.values.pop_front();
        }
    }

    pub fn merge(&mut self, other: &Listed) {
        other.values.iter().for_each(|(time, value)| self.insert(*time, value.clone()));
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        if self.nth {
            let wanted = whole(&asked.call.parameter, 1) - 1;
            let last = with.filter(|_| wanted == self.values.len());
            let found = self.values.get(wanted).map(|(_, value)| value.word(asked.arena));
            return Ok(found.or(last.map(|item| item.word)));
        }
        let values = self.values.iter().map(|(_, value)| value.clone()).chain(with.map(|item| item.held()));
        let surplus = (self.values.len() + usize::from(with.is_some())).saturating_sub(self.bound);
        let mut values = values.skip(surplus).peekable();
        if values.peek().is_none() {
            return Ok(None);
        }
        let ty = asked.call.ty;
        if asked.call.function == F::ArrayAgg {
            let array = values.map(|value| value.json(ty)).collect();
            return asked.text(&serde_json::Value::Array(array).to_string());
        }
        let between = match &asked.call.parameter {
            Value::Text(text) => text.as_str(),
            _ => "",
        };
        asked.text(&values.map(|value| value.text(ty)).collect::<Vec<_>>().join(between))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.values.len() as u32).write(out);
        for (time, value) in &self.values {
            time.write(out);
            value.write(out);
        }
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::read(from)? {
            let time = i64::read(from)?;
            self.values.push_back((time, Held::read(from)?));
        }
        Some(())
    }
}
