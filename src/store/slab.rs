//! Memory by entry number, in chunks that never move: growing copies nothing.

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Values by entry number.
#[derive(Debug, Default)]
pub struct Slab<T> {
    chunks: Vec<Box<[T]>>,
}

impl<T: Default> Slab<T> {
    /// An empty slab.
    pub fn new() -> Slab<T> {
        Slab { chunks: Vec::new() }
    }

    /// Makes room for entry `entry`; new places hold the default.
    #[inline]
    pub fn reach(&mut self, entry: u32) {
        while self.chunks.len() << CHUNK_BITS <= entry as usize {
            self.chunks.push(std::iter::repeat_with(T::default).take(CHUNK).collect());
        }
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

/// A fixed number of words by entry number.
#[derive(Debug)]
pub struct Words {
    chunks: Vec<Box<[u64]>>,
    stride: usize,
}

impl Words {
    /// No entries, of `stride` words each.
    pub fn new(stride: usize) -> Words {
        Words { chunks: Vec::new(), stride }
    }

    /// Makes room for entry `entry`; new words are zero.
    #[inline]
    pub fn reach(&mut self, entry: u32) {
        while self.chunks.len() << CHUNK_BITS <= entry as usize {
            self.chunks.push(vec![0; CHUNK * self.stride].into_boxed_slice());
        }
    }

    /// Whether entry `entry` has been reached.
    #[inline(always)]
    pub fn has(&self, entry: u32) -> bool {
        (entry as usize) < self.chunks.len() << CHUNK_BITS
    }

    /// The words of an entry that has been reached.
    #[inline(always)]
    pub fn get(&self, entry: u32) -> &[u64] {
        let at = (entry as usize & (CHUNK - 1)) * self.stride;
        &self.chunks[(entry >> CHUNK_BITS) as usize][at..at + self.stride]
    }

    /// The words of an entry that has been reached.
    #[inline(always)]
    pub fn get_mut(&mut self, entry: u32) -> &mut [u64] {
        let at = (entry as usize & (CHUNK - 1)) * self.stride;
        &mut self.chunks[(entry >> CHUNK_BITS) as usize][at..at + self.stride]
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
