//! Conditions found by a value of a column.

use super::guard::{Guard, Test};
use super::set;
use crate::expr::number::canonical_bits;
use crate::expr::text::str_of;
use crate::tuple::{Arena, DataType, Frame, Slot, Value};
use hashbrown::HashMap;
use std::hash::Hash;
use std::ops::Range;

type Map<K> = HashMap<K, Range<u32>, foldhash::fast::FixedState>;

/// The conditions of each value of a column.
pub(super) struct EqualIndex {
    slot: Slot,
    double: bool,
    values: Values,
    /// The numbers of conditions; a value has a range of them.
    numbers: Box<[u32]>,
    /// Those that are candidates where the column is NULL.
    nulls: Box<[u32]>,
}

enum Values {
    Words(Map<u64>),
    Texts(Map<Box<str>>),
}

impl EqualIndex {
    /// An index of these conditions, all of whose guards are of one column and by equality.
    pub(super) fn new(slot: Slot, guards: &[(u32, &Guard)]) -> EqualIndex {
        let mut numbers = Vec::new();
        let ty = guards.first().map_or(DataType::Bigint, |(_, guard)| guard.ty);
        let pairs = guards.iter().flat_map(|(number, guard)| {
            let values: &[Value] = if let Test::Equal(values) = &guard.test { values } else { &[] };
            values.iter().map(|value| (value, *number))
        });
        let values = if ty == DataType::Text {
            let texts = pairs.filter_map(|(value, number)| match value {
                Value::Text(text) => Some((text.as_str().into(), number)),
                _ => None,
            });
            Values::Texts(grouped(texts, &mut numbers))
        } else {
            let arena = Arena::new();
            let word = |value: &Value| value.to_word(&arena).map(|word| canonical(ty == DataType::Double, word));
            Values::Words(grouped(pairs.filter_map(|(value, number)| Some((word(value)?, number))), &mut numbers))
        };
        let nulls = guards.iter().filter(|(_, guard)| guard.fallible).map(|(number, _)| *number).collect();
        EqualIndex { slot, double: ty == DataType::Double, values, numbers: numbers.into(), nulls }
    }

    /// Sets the bits of the conditions that the tuple's value leads to.
    #[inline]
    pub(super) fn find(&self, frame: &Frame, bits: &mut [u64]) {
        let numbers = match frame.get(self.slot) {
            None => &*self.nulls,
            Some(word) => {
                let range = match &self.values {
                    Values::Words(map) => map.get(&canonical(self.double, word)),
                    Values::Texts(map) => map.get(str_of(word)),
                };
                match range {
                    Some(range) => &self.numbers[range.start as usize..range.end as usize],
                    None => return,
                }
            }
        };
        for number in numbers {
            set(bits, *number);
        }
    }
}

#[inline(always)]
fn canonical(double: bool, word: u64) -> u64 {
    if double { canonical_bits(f64::from_bits(word)) } else { word }
}

/// The numbers of each value, one value's after the other's.
fn grouped<K: Hash + Eq>(pairs: impl Iterator<Item = (K, u32)>, numbers: &mut Vec<u32>) -> Map<K> {
    let mut lists: HashMap<K, Vec<u32>, foldhash::fast::FixedState> = HashMap::default();
    for (value, number) in pairs {
        lists.entry(value).or_default().push(number);
    }
    let mut map = Map::with_capacity_and_hasher(lists.len(), Default::default());
    for (value, list) in lists {
        let start = numbers.len() as u32;
        numbers.extend(list);
        map.insert(value, start..numbers.len() as u32);
    }
    map
}
