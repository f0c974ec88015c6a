//! Values by how often they are there.

use super::{Asked, Held, Item};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::DataType;
use crate::window::Overflow;
use crate::window::ordered::{sortable, unsortable};
use std::collections::{BTreeMap, BTreeSet};

/// How often each value is there. Values are kept as words that sort.
#[derive(Debug)]
pub struct Ranked {
    ty: DataType,
    counts: BTreeMap<Held, u64>,
    /// The most frequent first, of several the least.
    order: BTreeSet<(u64, Held)>,
}

impl Ranked {
    pub fn new(ty: DataType) -> Ranked {
        Ranked { ty, counts: BTreeMap::new(), order: BTreeSet::new() }
    }

    fn key(&self, item: Item<'_>) -> Held {
        match item.held() {
            Held::Word(word) => Held::Word(sortable(word, self.ty)),
            text => text,
        }
    }

    fn value(&self, key: &Held) -> Held {
        match key {
            Held::Word(key) => Held::Word(unsortable(*key, self.ty)),
            text => text.clone(),
        }
    }

    fn change(&mut self, key: Held, by: i64) {
        let before = self.counts.get(&key).copied().unwrap_or(0);
        let now = before.saturating_add_signed(by);
        if before > 0 {
            self.order.remove(&(u64::MAX - before, key.clone()));
        }
        match now {
            0 => drop(self.counts.remove(&key)),
            _ => {
                self.counts.insert(key.clone(), now);
                self.order.insert((u64::MAX - now, key));
            }
        }
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.change(self.key(item), 1);
    }

    pub fn remove_first(&mut self, item: Item<'_>) {
        self.change(self.key(item), -1);
    }

    pub fn merge(&mut self, other: &Ranked) {
        other.counts.iter().for_each(|(key, count)| self.change(key.clone(), *count as i64));
    }

    /// The first so many with their counts.
    fn first(&self, many: usize, with: Option<Item<'_>>) -> Vec<(u64, Held)> {
        let extra = with.map(|item| self.key(item));
        let others = self.order.iter().filter(|(_, key)| Some(key) != extra.as_ref()).take(many);
        let mut all: Vec<(u64, Held)> = others.cloned().collect();
        if let Some(key) = extra {
            let count = self.counts.get(&key).copied().unwrap_or(0) + 1;
            all.push((u64::MAX - count, key));
            all.sort();
            all.truncate(many);
        }
        all.into_iter().map(|(rank, key)| (u64::MAX - rank, key)).collect()
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        if asked.call.function == F::Mode {
            let first = self.first(1, with);
            return Ok(first.first().map(|(_, key)| self.value(key).word(asked.arena)));
        }
        let first = self.first(asked.number() as usize, with);
        if first.is_empty() {
            return Ok(None);
        }
        let counts = first.iter().map(|(count, key)| (self.value(key).text(self.ty), (*count).into()));
        asked.text(&serde_json::Value::Object(counts.collect()).to_string())
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.counts.len() as u32).write(out);
        for (key, count) in &self.counts {
            key.write(out);
            count.write(out);
        }
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::read(from)? {
            let key = Held::read(from)?;
            self.change(key, i64::read(from)?);
        }
        Some(())
    }
}
