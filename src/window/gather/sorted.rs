//! All values in order, in blocks: one is found, put in or taken out among blocks of a few hundred.

use super::{Asked, Item};
use crate::expr::AggregateFunction as F;
use crate::store::Codec;
use crate::tuple::DataType;
use crate::window::Overflow;
use crate::window::ordered::{sortable, unsortable};

/// Most values of a block.
const BLOCK: usize = 512;

/// Values in order.
#[derive(Debug, Default)]
pub struct Sorted {
    ty: Option<DataType>,
    /// None is empty.
    blocks: Vec<Vec<u64>>,
    len: usize,
}

impl Sorted {
    pub fn new(ty: DataType) -> Sorted {
        Sorted { ty: Some(ty), ..Sorted::default() }
    }

    fn key(&self, word: u64) -> u64 {
        sortable(word, self.ty.unwrap_or(DataType::Bigint))
    }

    fn insert(&mut self, key: u64) {
        self.len += 1;
        let at = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < key));
        let at = at.min(self.blocks.len().saturating_sub(1));
        match self.blocks.get_mut(at) {
            None => self.blocks.push(vec![key]),
            Some(block) => {
                block.insert(block.partition_point(|known| *known < key), key);
                if block.len() > BLOCK {
                    let upper = block.split_off(BLOCK / 2);
                    self.blocks.insert(at + 1, upper);
                }
            }
        }
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.insert(self.key(item.word));
    }

    pub fn remove_first(&mut self, item: Item<'_>) {
        let key = self.key(item.word);
        let at = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < key));
        let Some(block) = self.blocks.get_mut(at) else { return };
        let place = block.partition_point(|known| *known < key);
        if block.get(place) == Some(&key) {
            block.remove(place);
            self.len -= 1;
            if block.is_empty() {
                self.blocks.remove(at);
            }
        }
    }

    pub fn merge(&mut self, other: &Sorted) {
        other.blocks.iter().flatten().for_each(|key| self.insert(*key));
    }

    /// The value at a place.
    fn at(&self, mut place: usize) -> u64 {
        for block in &self.blocks {
            match block.get(place) {
                Some(key) => return *key,
                None => place -= block.len(),
            }
        }
        0
    }

    /// Number of values below one.
    fn below(&self, key: u64) -> usize {
        let whole = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < key));
        let before: usize = self.blocks[..whole].iter().map(Vec::len).sum();
        before + self.blocks.get(whole).map_or(0, |block| block.partition_point(|known| *known < key))
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let ty = asked.call.ty;
        let with = with.map(|item| self.key(item.word)).map(|key| (self.below(key), key));
        let n = self.len + usize::from(with.is_some());
        if n == 0 {
            return Ok(None);
        }
        let at = |place: usize| match with {
            Some((rank, key)) if place == rank => key,
            Some((rank, _)) if place > rank => self.at(place - 1),
            _ => self.at(place),
        };
        let share = asked.number();
        if asked.call.function == F::PercentileDisc {
            // The first value that so large a share of all is not above.
            let place = ((share * n as f64).ceil() as usize).clamp(1, n) - 1;
            return Ok(Some(unsortable(at(place), ty)));
        }
        let place = share * (n - 1) as f64;
        let (low, part) = (place.floor(), place.fract());
        let lower = f64::from_bits(unsortable(at(low as usize), ty));
        if part == 0.0 {
            return Ok(Some(lower.to_bits()));
        }
        let upper = f64::from_bits(unsortable(at(low as usize + 1), ty));
        let between = if lower == upper { lower } else { lower + (upper - lower) * part };
        Ok(Some(between.to_bits()))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.len as u32).write(out);
        self.blocks.iter().flatten().for_each(|key| key.write(out));
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::read(from)? {
            let key = u64::read(from)?;
            self.insert(key);
        }
        Some(())
    }
}
