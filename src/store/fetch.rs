//! Values that are read back together, before the tuples of a run ask for them one by one.
//!
//! Keys are noted ([`Fetched::want`]), read with one call ([`Fetched::read`]), and each value is taken once
//! ([`Fetched::take`]). Who uses it says when what was fetched is of no use any more ([`Fetched::clear`]); until then a
//! value is that of the store, since a key that is not in memory does not change, and one that is was taken.
//!
//! Measured with 3 M keys of which a quarter is not in memory: no gain so far. A key read together with the others of its
//! run took 14 to 15 us, one read alone 11 to 12 us: keys of a run share no block, and reading blocks is the price.

use super::backend::{Backend, StoreError};
use std::ops::Range;

/// Values by key.
#[derive(Debug, Default)]
pub struct Fetched {
    /// All keys, then all values.
    bytes: Vec<u8>,
    /// In the order of keys, once they were read.
    found: Vec<Found>,
    ready: bool,
}

#[derive(Clone, Debug)]
struct Found {
    key: Range<usize>,
    /// None: the store has it not.
    value: Option<Range<usize>>,
    taken: bool,
}

impl Fetched {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.found.clear();
        self.ready = false;
    }

    /// Notes a key, appended by `key`.
    pub fn want(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(!self.ready, "keys are noted before any is read");
        let start = self.bytes.len();
        key(&mut self.bytes);
        self.found.push(Found { key: start..self.bytes.len(), value: None, taken: false });
    }

    /// Number of keys that were noted.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Reads the values of all keys that were noted.
    ///
    /// # Errors
    /// One of them cannot be read; then there is none.
    pub fn read(&mut self, backend: &dyn Backend) -> Result<(), StoreError> {
        let Fetched { bytes, found, ready } = self;
        found.sort_unstable_by(|a, b| bytes[a.key.clone()].cmp(&bytes[b.key.clone()]));
        found.dedup_by(|a, b| bytes[a.key.clone()] == bytes[b.key.clone()]);
        let mut values = Vec::new();
        let keys: Vec<&[u8]> = found.iter().map(|found| &bytes[found.key.clone()]).collect();
        let place = bytes.len();
        let read = backend.multi_get(&keys, &mut |index, value| {
            let start = place + values.len();
            values.extend_from_slice(value);
            found[index].value = Some(start..place + values.len());
        });
        if let Err(error) = read {
            self.clear();
            return Err(error);
        }
        bytes.append(&mut values);
        *ready = true;
        Ok(())
    }

    /// The value of a key, once: none if it was not fetched, or was taken.
    pub fn take(&mut self, key: &[u8]) -> Option<Option<&[u8]>> {
        if !self.ready {
            return None;
        }
        let at = self.found.binary_search_by(|found| self.bytes[found.key.clone()].cmp(key)).ok()?;
        let found = &mut self.found[at];
        if std::mem::replace(&mut found.taken, true) {
            return None;
        }
        Some(found.value.clone().map(|value| &self.bytes[value]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, MemoryStore};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_value_is_that_of_the_store_and_is_taken_once(
            stored in prop::collection::btree_map(prop::collection::vec(0u8..4, 0..3), any::<u64>(), 0..20),
            wanted in prop::collection::vec(prop::collection::vec(0u8..4, 0..3), 0..20),
        ) {
            let store = MemoryStore::new();
            let mut batch = Batch::default();
            stored.iter().for_each(|(key, value)| batch.put(key, &value.to_le_bytes()));
            store.write(&[batch]).unwrap();
            let mut fetched = Fetched::default();
            wanted.iter().for_each(|key| fetched.want(|out| out.extend_from_slice(key)));
            prop_assert!(wanted.iter().all(|key| fetched.take(key).is_none()));
            fetched.read(&store).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for key in &wanted {
                let value = stored.get(key).map(|value| value.to_le_bytes());
                let expected = seen.insert(key).then_some(value.as_ref().map(|value| &value[..]));
                prop_assert_eq!(fetched.take(key), expected);
            }
            fetched.clear();
            prop_assert!(wanted.iter().all(|key| fetched.take(key).is_none()));
        }
    }
}
