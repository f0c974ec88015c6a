//! Finding the few bytes that matter, 16 or 64 at a time.

/// The places of three bytes in a buffer, in ascending order.
pub(super) struct Marks<'a> {
    bytes: &'a [u8],
    needles: [u8; 3],
    base: usize,
    loaded: usize,
    mask: u64,
}

impl<'a> Marks<'a> {
    /// The places of `needles`, none of which may be the zero byte.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], needles: [u8; 3]) -> Marks<'a> {
        debug_assert!(!needles.contains(&0), "the padding of the last block must not match");
        Marks { bytes, needles, base: 0, loaded: 0, mask: 0 }
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
            self.mask = match self.bytes[self.base..].first_chunk::<64>() {
                Some(block) => mask_of(block, self.needles),
                None => self.last_mask(),
            };
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }

    fn last_mask(&self) -> u64 {
        let rest = &self.bytes[self.base..];
        let mut block = [0u8; 64];
        block[..rest.len()].copy_from_slice(rest);
        mask_of(&block, self.needles)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn mask_of(block: &[u8; 64], needles: [u8; 3]) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8};
    // SAFETY: SSE2 is part of x86-64; the four unaligned loads read the 64 bytes of the block.
    unsafe {
        let [a, b, c] = needles.map(|n| _mm_set1_epi8(n as i8));
        let mut mask = 0;
        for part in 0..4 {
            let x = _mm_loadu_si128(block.as_ptr().add(16 * part).cast());
            let hits = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, a), _mm_cmpeq_epi8(x, b)), _mm_cmpeq_epi8(x, c));
            mask |= u64::from(_mm_movemask_epi8(hits) as u32) << (16 * part);
        }
        mask
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn mask_of(block: &[u8; 64], needles: [u8; 3]) -> u64 {
    let [a, b, c] = needles;
    block.iter().enumerate().fold(0, |mask, (i, &x)| mask | (u64::from(x == a || x == b || x == c) << i))
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
            let mut marks = Marks::new(&bytes, *b",\n\"");
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
