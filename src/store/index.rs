//! One shard of an index: which entry a hash may belong to.
//!
//! Open addressing with linear probing over one word for each place: 32 bits of hash, and the entry. The place that a
//! hash starts at is made of its upper bits, so that growing walks both tables from front to back and reads no key.
//! Never knows keys; a caller who finds an entry compares its key.

/// Entries by 32 bits of hash.
#[derive(Debug)]
pub struct Index {
    /// `bits << 32 | entry + 1`; zero: free.
    places: Box<[u64]>,
    len: usize,
    /// 32 less the logarithm of the number of places.
    shift: u32,
}

const SMALLEST: u32 = 3;

impl Index {
    /// An empty index.
    pub fn new() -> Index {
        Index::with(SMALLEST)
    }

    fn with(log: u32) -> Index {
        Index { places: vec![0; 1 << log].into_boxed_slice(), len: 0, shift: 32 - log }
    }

    #[inline(always)]
    fn start(&self, bits: u32) -> usize {
        (bits >> self.shift) as usize
    }

    #[inline(always)]
    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    /// Asks for the places of a hash; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, bits: u32) {
        super::slab::prefetch(&self.places[self.start(bits)..][..1]);
    }

    /// The first entry of this hash for which `same` holds.
    #[inline(always)]
    pub fn find(&self, bits: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.start(bits);
        loop {
            let word = self.places[place];
            if word == 0 {
                return None;
            }
            let entry = (word as u32).wrapping_sub(1);
            if (word >> 32) as u32 == bits && same(entry) {
                return Some(entry);
            }
            place = self.after(place);
        }
    }

    /// Adds an entry that is not there yet.
    pub fn insert(&mut self, bits: u32, entry: u32) {
        // At most five eighths full: a probe of an absent hash looks at few more places than its first cache line has.
        if (self.len + 1) * 8 > self.places.len() * 5 {
            let mut larger = Index::with(33 - self.shift);
            for word in self.places.iter().filter(|word| **word != 0) {
                larger.put(*word);
            }
            larger.len = self.len;
            *self = larger;
        }
        self.put(u64::from(bits) << 32 | (u64::from(entry) + 1));
        self.len += 1;
    }

    fn put(&mut self, word: u64) {
        let mut place = self.start((word >> 32) as u32);
        while self.places[place] != 0 {
            place = self.after(place);
        }
        self.places[place] = word;
    }

    /// Removes an entry; later ones of the same stretch move up, so that no marks of removed ones pile up.
    pub fn remove(&mut self, bits: u32, entry: u32) {
        let wanted = u64::from(bits) << 32 | (u64::from(entry) + 1);
        let mut gap = self.start(bits);
        while self.places[gap] != wanted {
            if self.places[gap] == 0 {
                return;
            }
            gap = self.after(gap);
        }
        let mask = self.places.len() - 1;
        let mut place = self.after(gap);
        while self.places[place] != 0 {
            let start = self.start((self.places[place] >> 32) as u32);
            if place.wrapping_sub(start) & mask >= place.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[place];
                gap = place;
            }
            place = self.after(place);
        }
        self.places[gap] = 0;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn an_index_holds_what_a_set_of_pairs_holds(
            steps in prop::collection::vec((any::<bool>(), 0u32..6, 0u32..4, 0u32..40), 1..400),
        ) {
            let (mut index, mut set) = (Index::new(), BTreeSet::new());
            for (add, high, low, entry) in steps {
                // Few different hashes, next to each other and at both ends: long stretches that wrap around.
                let bits = (high.wrapping_sub(3) << 29) | low;
                if add && set.insert((bits, entry)) {
                    index.insert(bits, entry);
                } else if !add {
                    index.remove(bits, entry);
                    set.remove(&(bits, entry));
                }
                prop_assert_eq!(index.len, set.len());
                for high in 0..6u32 {
                    for low in 0..4 {
                        let bits = (high.wrapping_sub(3) << 29) | low;
                        for entry in 0..40 {
                            let found = index.find(bits, |found| found == entry).is_some();
                            prop_assert_eq!(found, set.contains(&(bits, entry)));
                        }
                    }
                }
            }
        }
    }
}
