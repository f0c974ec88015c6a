//! Memory by entry number, in chunks that never move: growing copies nothing.

use super::pages::Pages;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Values by entry number.
#[derive(Debug, Default)]
pub struct Slab<T> {
    /// Each has room for all of its values from the start, and holds those that were reached: to fill a whole one at once
    /// would hold up the tuples behind it for some ten microseconds.
    chunks: Vec<Vec<T>>,
    reached: usize,
}

impl<T: Default> Slab<T> {
    /// An empty slab.
    pub fn new() -> Slab<T> {
        Slab { chunks: Vec::new(), reached: 0 }
    }

    /// Makes room for entry `entry`; new places hold the default.
    #[inline]
    pub fn reach(&mut self, entry: u32) {
        while self.reached <= entry as usize {
            let full = self.reached & (CHUNK - 1) == 0;
            match self.chunks.last_mut() {
                Some(chunk) if !full => chunk.push(T::default()),
                _ => {
                    let mut chunk = Vec::with_capacity(CHUNK);
                    chunk.push(T::default());
                    self.chunks.push(chunk);
                }
            }
            self.reached += 1;
        }
    }

    /// Whether entry `entry` has been reached.
    #[inline(always)]
    pub fn has(&self, entry: u32) -> bool {
        (entry as usize) < self.reached
    }

    /// The value of an entry that has been reached.
    #[inline(always)]
    pub fn get(&self, entry: u32) -> &T {
        &self.chunks[(entry >> CHUNK_BITS) as usize][entry as usize & (CHUNK - 1)]
    }

    /// The value of an entry that has been reached.
    #[inline(always)]
    pub fn get_mut(&mut self, entry: u32) -> &mut T {
        &mut self.chunks[(entry >> CHUNK_BITS) as usize][entry as usize & (CHUNK - 1)]
    }
}

/// Bytes of a chunk of words, at most: only what has been touched is memory.
const PIECE_BYTES: usize = 16 << 20;

/// A fixed number of words by entry number. The words of an entry lie in as few cache lines as they can.
#[derive(Debug)]
pub struct Words {
    chunks: Vec<Pages>,
    stride: usize,
    bits: u32,
}

impl Words {
    /// No entries, of `words` words each.
    pub fn new(words: usize) -> Words {
        // Up to a line: a power of two, which never straddles two of them. Beyond: half a line more, at most.
        let stride = if words <= 8 { words.max(1).next_power_of_two() } else { words.next_multiple_of(4) };
        let bits = (PIECE_BYTES / (stride * 8)).max(1).ilog2();
        Words { chunks: Vec::new(), stride, bits }
    }

    /// Words of an entry: those asked for and what fills its lines.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Makes room for entry `entry`; new words are zero.
    #[inline]
    pub fn reach(&mut self, entry: u32) {
        while self.chunks.len() << self.bits <= entry as usize {
            self.chunks.push(Pages::new(self.stride << self.bits));
        }
    }

    /// Whether entry `entry` has been reached.
    #[inline(always)]
    pub fn has(&self, entry: u32) -> bool {
        (entry as usize) < self.chunks.len() << self.bits
    }

    #[inline(always)]
    fn place(&self, entry: u32) -> (usize, usize) {
        ((entry >> self.bits) as usize, (entry as usize & ((1 << self.bits) - 1)) * self.stride)
    }

    /// The words of an entry that has been reached.
    #[inline(always)]
    pub fn get(&self, entry: u32) -> &[u64] {
        let (chunk, at) = self.place(entry);
        &self.chunks[chunk].words()[at..at + self.stride]
    }

    /// The words of an entry that has been reached.
    #[inline(always)]
    pub fn get_mut(&mut self, entry: u32) -> &mut [u64] {
        let (chunk, at) = self.place(entry);
        &mut self.chunks[chunk].words_mut()[at..at + self.stride]
    }
}

/// Asks for the cache lines of `words`; purely a hint.
#[inline(always)]
pub fn prefetch(words: &[u64]) {
    #[cfg(target_arch = "x86_64")]
    for line in words.chunks(8) {
        // SAFETY: prefetching has no effect that a program can see, whatever the address.
        unsafe { std::arch::x86_64::_mm_prefetch(line.as_ptr().cast::<i8>(), std::arch::x86_64::_MM_HINT_T0) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = words;
}

/// Asks for the cache line that a value starts in; purely a hint.
#[inline(always)]
pub fn prefetch_value<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching has no effect that a program can see, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch((&raw const *value).cast::<i8>(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Asks for the cache lines of bytes; purely a hint.
#[inline(always)]
pub fn prefetch_bytes(bytes: &[u8]) {
    bytes.chunks(64).for_each(|line| line.iter().take(1).for_each(prefetch_value));
}

/// Asks for all cache lines of a value; purely a hint.
#[inline(always)]
pub fn prefetch_lines<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of::<T>()).step_by(64) {
        let line = (&raw const *value).cast::<i8>().wrapping_add(line);
        // SAFETY: prefetching has no effect that a program can see, whatever the address.
        unsafe { std::arch::x86_64::_mm_prefetch(line, std::arch::x86_64::_MM_HINT_T0) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
