//! One table of the index: pairs of hash and entry number by open addressing.
//!
//! Linear probing over pairs without padding, so that a look-up reads one cache line nearly always, and that line can
//! be asked for long before ([`Table::prefetch`]): a run's look-ups wait for memory together. Removal moves later pairs
//! of the chain back (Knuth, volume 3, algorithm 6.4 R), so there are no graves and no rebuilding.

/// Lower and upper half of the hash, and the entry + 1; zero is an empty place.
type Pair = [u32; 3];

/// Pairs of hash and entry number.
#[derive(Debug, Default)]
pub struct Table {
    /// None at first, then a power of two, at most three quarters of them in use.
    pairs: Box<[Pair]>,
    len: usize,
}

fn halves(hash: u64) -> (u32, u32) {
    (hash as u32, (hash >> 32) as u32)
}

impl Table {
    /// Where the chain of a hash begins: by its lower bits, since the upper ones have chosen the table.
    #[inline(always)]
    fn home(&self, low: u32) -> usize {
        low as usize & (self.pairs.len() - 1)
    }

    /// Asks for the line in which the chain of a hash begins; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        #[cfg(target_arch = "x86_64")]
        if !self.pairs.is_empty() {
            let at = self.pairs.as_ptr().wrapping_add(self.home(hash as u32));
            // SAFETY: prefetching has no effect that a program can see, whatever the address.
            unsafe { std::arch::x86_64::_mm_prefetch(at.cast::<i8>(), std::arch::x86_64::_MM_HINT_T0) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = hash;
    }

    /// The first entry with this hash that `is` the wanted one.
    #[inline(always)]
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.position(hash, is).map(|at| self.pairs[at][2] - 1)
    }

    #[inline(always)]
    fn position(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        if self.pairs.is_empty() {
            return None;
        }
        let (low, high) = halves(hash);
        let mut at = self.home(low);
        loop {
            let pair = self.pairs[at];
            if pair[2] == 0 {
                return None;
            }
            if pair[0] == low && pair[1] == high && is(pair[2] - 1) {
                return Some(at);
            }
            at = (at + 1) & (self.pairs.len() - 1);
        }
    }

    /// Adds a pair that is not there yet; `entry` is not the greatest number.
    pub fn insert(&mut self, hash: u64, entry: u32) {
        if (self.len + 1) * 4 > self.pairs.len() * 3 {
            self.grow();
        }
        let (low, high) = halves(hash);
        self.place([low, high, entry + 1]);
        self.len += 1;
    }

    fn place(&mut self, pair: Pair) {
        let mut at = self.home(pair[0]);
        while self.pairs[at][2] != 0 {
            at = (at + 1) & (self.pairs.len() - 1);
        }
        self.pairs[at] = pair;
    }

    #[cold]
    fn grow(&mut self) {
        let more = vec![[0; 3]; (self.pairs.len() * 2).max(4)].into_boxed_slice();
        for pair in std::mem::replace(&mut self.pairs, more) {
            if pair[2] != 0 {
                self.place(pair);
            }
        }
    }

    /// Takes a pair out, if it is there.
    pub fn remove(&mut self, hash: u64, entry: u32) {
        let Some(mut hole) = self.position(hash, |known| known == entry) else { return };
        let mask = self.pairs.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let pair = self.pairs[at];
            if pair[2] == 0 {
                break;
            }
            // A pair whose chain begins at the hole or before it may fill it.
            if at.wrapping_sub(self.home(pair[0])) & mask >= at.wrapping_sub(hole) & mask {
                self.pairs[hole] = pair;
                hole = at;
            }
        }
        self.pairs[hole] = [0; 3];
        self.len -= 1;
    }
}
