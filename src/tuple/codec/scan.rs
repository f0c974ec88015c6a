//! Finding the few bytes that matter, 16 or 64 at a time.

/// Three bytes that are looked for, each as often as fits into a vector, so that nothing is prepared for a record.
#[derive(Clone, Debug)]
pub(super) struct Needles([[u8; 16]; 3]);

impl Needles {
    /// None of the bytes may be zero.
    pub(super) fn new(needles: [u8; 3]) -> Needles {
        debug_assert!(!needles.contains(&0), "the padding of the last block must not match");
        Needles(needles.map(|n| [n; 16]))
    }
}

/// The places of three bytes in a buffer, in ascending order. Each byte is looked at once, also where several records
/// are taken from one buffer.
#[derive(Clone, Debug)]
pub struct Marks<'a> {
    bytes: &'a [u8],
    needles: Needles,
    base: usize,
    loaded: usize,
    mask: u64,
    /// Whether the block at `base` holds a byte beyond ASCII.
    block_beyond: bool,
    /// The same of all blocks since `begin`.
    beyond: bool,
}

impl<'a> Marks<'a> {
    /// The places of `needles` in `bytes`.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], needles: &Needles) -> Marks<'a> {
        Marks { bytes, needles: needles.clone(), base: 0, loaded: 0, mask: 0, beyond: false, block_beyond: false }
    }

    /// What is searched.
    #[inline(always)]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Goes on at `at`, which may be anywhere.
    #[cold]
    pub fn seek(&mut self, at: usize) {
        (self.base, self.loaded, self.mask) = (at, at, 0);
        self.block_beyond = false;
    }

    /// A record begins behind the last place.
    #[inline(always)]
    pub(super) fn begin(&mut self) {
        self.beyond = self.block_beyond;
    }

    /// Whether all bytes from the last `begin` up to the last place are ASCII; false also if another byte of
    /// their blocks is not.
    #[inline(always)]
    pub fn is_ascii(&self) -> bool {
        !self.beyond
    }

    /// The next place.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.mask == 0 {
            if self.loaded >= self.bytes.len() {
                return None;
            }
            self.base = self.loaded;
            self.loaded += 64;
            (self.mask, self.block_beyond) = match self.bytes[self.base..].first_chunk::<64>() {
                Some(block) => mask_of(block, &self.needles),
                None => self.last_mask(),
            };
            self.beyond |= self.block_beyond;
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }

    #[inline(never)]
    fn last_mask(&self) -> (u64, bool) {
        let rest = &self.bytes[self.base..];
        let mut block = [0u8; 64];
        block[..rest.len()].copy_from_slice(rest);
        mask_of(&block, &self.needles)
    }
}

/// Where the needles are in a block, and whether one of its bytes is beyond ASCII.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn mask_of(block: &[u8; 64], needles: &Needles) -> (u64, bool) {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_setzero_si128};
    let [a, b, c] = &needles.0;
    // SAFETY: SSE2 is part of x86-64; the unaligned loads read the 16 bytes of each needle and the 64 of the block.
    unsafe {
        let [a, b, c] = [a, b, c].map(|n| _mm_loadu_si128(n.as_ptr().cast()));
        let (mut mask, mut all) = (0, _mm_setzero_si128());
        for part in 0..4 {
            let x = _mm_loadu_si128(block.as_ptr().add(16 * part).cast());
            let hits = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, a), _mm_cmpeq_epi8(x, b)), _mm_cmpeq_epi8(x, c));
            mask |= u64::from(_mm_movemask_epi8(hits) as u32) << (16 * part);
            all = _mm_or_si128(all, x);
        }
        (mask, _mm_movemask_epi8(all) != 0)
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn mask_of(block: &[u8; 64], needles: &Needles) -> (u64, bool) {
    let [a, b, c] = needles.0.map(|n| n[0]);
    let mask = block.iter().enumerate().fold(0, |mask, (i, &x)| mask | (u64::from(x == a || x == b || x == c) << i));
    (mask, !block.is_ascii())
}

/// The first byte from `from` on that ends or interrupts a JSON string: a quote, a backslash or a control character.
#[inline(always)]
pub(super) fn string_stop(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let mask = string_mask(block);
        if mask != 0 {
            return Some(at + mask.trailing_zeros() as usize);
        }
        at += 16;
    }
    bytes.get(at..)?.iter().position(|&b| stops_string(b)).map(|i| at + i)
}

#[inline(always)]
fn stops_string(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn string_mask(block: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    // SAFETY: SSE2 is part of x86-64; the unaligned load reads the 16 bytes of the block.
    unsafe {
        let x = _mm_loadu_si128(block.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'"' as i8));
        let slash = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'\\' as i8));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control)) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn string_mask(block: &[u8; 16]) -> u32 {
    block.iter().enumerate().fold(0, |mask, (i, &b)| mask | (u32::from(stops_string(b)) << i))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_are_the_places_of_the_needles(bytes in prop::collection::vec(prop::sample::select(b"ab,\n\"\0".to_vec()), 0..300)) {
            let needles = Needles::new(*b",\n\"");
            let mut marks = Marks::new(&bytes, &needles);
            let found: Vec<usize> = std::iter::from_fn(|| marks.next()).collect();
            let naive: Vec<usize> = (0..bytes.len()).filter(|&i| b",\n\"".contains(&bytes[i])).collect();
            prop_assert_eq!(found, naive);
        }

        #[test]
        fn strings_stop_at_quotes_backslashes_and_controls(bytes in prop::collection::vec(any::<u8>(), 0..80), from in 0usize..90) {
            let naive = (from..bytes.len()).find(|&i| stops_string(bytes[i]));
            prop_assert_eq!(string_stop(&bytes, from), naive);
        }
    }
}
