//! Memory for the texts of one run of tuples.
//!
//! A text in a slot is one word: 48 bits of address, 16 bits of length ([`TextWord`]). It points into the input buffer
//! of the spout, the ring of a channel, a literal of an expression, or an [`Arena`]. Invariant, kept by the executor:
//! **all of these live and stand still until the run is over**, and an arena is cleared only then. Whoever keeps a text
//! for longer (state, tables, sinks) copies it.

use std::cell::{Cell, RefCell};

/// Longest text that is addressed directly; a longer one is reached through two words in the arena.
const DIRECT_MAX: usize = 0xFFFE;
const LONG: u64 = 0xFFFF;
const ADDRESS: u64 = (1 << 48) - 1;
const CHUNK: usize = 32 * 1024;

/// A text in a slot: address in the lower 48 bits, length in bytes in the upper 16 (all ones: the address is that of a
/// pair of words, address and length). User space ends below 2^47 on x86-64 and below 2^48 on AArch64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct TextWord(pub u64);

impl TextWord {
    /// The empty text.
    pub const EMPTY: TextWord = TextWord(8);

    /// The text. The lifetime is the caller's to keep within the run (see the module's invariant).
    #[inline(always)]
    pub fn as_str<'a>(self) -> &'a str {
        let (address, len) = self.parts();
        // SAFETY: words of text columns are made by `TextWord::borrow` and `Arena::store` alone, from valid UTF-8 that
        // lives until the run is over; the empty text has a dangling but aligned, non-null address.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(address, len)) }
    }

    /// The bytes of the text.
    #[inline(always)]
    pub fn as_bytes<'a>(self) -> &'a [u8] {
        self.as_str().as_bytes()
    }

    #[inline(always)]
    fn parts(self) -> (*const u8, usize) {
        let address = (self.0 & ADDRESS) as usize;
        let len = self.0 >> 48;
        if len != LONG {
            return (std::ptr::with_exposed_provenance(address), len as usize);
        }
        let pair: *const [usize; 2] = std::ptr::with_exposed_provenance(address);
        // SAFETY: a long text's address is that of a pair stored by `borrow`, alive like the text itself.
        let [address, len] = unsafe { *pair };
        (std::ptr::with_exposed_provenance(address), len)
    }

    /// A word that points at `text` without copying it; a long text puts its address and length into `arena`.
    ///
    /// # Safety
    /// `text` must live and stand still until the run that the word is used in is over.
    #[inline(always)]
    pub unsafe fn borrow(text: &str, arena: &Arena) -> TextWord {
        if text.len() <= DIRECT_MAX {
            return TextWord(((text.len() as u64) << 48) | (text.as_ptr().expose_provenance() as u64 & ADDRESS));
        }
        let pair = arena.allocate(16, 8) as *mut [usize; 2];
        // SAFETY: `allocate` gave 16 bytes aligned to 8 that nothing else uses.
        unsafe { pair.write([text.as_ptr().expose_provenance(), text.len()]) };
        TextWord((LONG << 48) | (pair.expose_provenance() as u64 & ADDRESS))
    }
}

/// A bump allocator for texts that are made while a run is processed. Chunks never move; [`Arena::clear`] keeps one.
#[derive(Default)]
pub struct Arena {
    chunks: RefCell<Vec<Box<[u64]>>>,
    at: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: `at` and `end` are addresses into chunks that the arena owns; nothing in it is tied to a thread.
unsafe impl Send for Arena {}

impl Arena {
    /// An empty arena; allocates at its first use.
    pub fn new() -> Arena {
        Arena::default()
    }

    /// Copies `text` into the arena.
    #[inline]
    pub fn store(&self, text: &str) -> TextWord {
        if text.is_empty() {
            return TextWord::EMPTY;
        }
        let to = self.allocate(text.len(), 1);
        // SAFETY: `allocate` gave `len` bytes that nothing else uses, in a chunk that stands still until `clear`.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
            TextWord::borrow(std::str::from_utf8_unchecked(std::slice::from_raw_parts(to, text.len())), self)
        }
    }

    /// Formats into the arena.
    pub fn format(&self, arguments: std::fmt::Arguments<'_>) -> TextWord {
        match arguments.as_str() {
            Some(text) => self.store(text),
            None => self.store(&arguments.to_string()),
        }
    }

    /// Bytes it holds on to.
    pub fn capacity_bytes(&self) -> usize {
        self.chunks.borrow().iter().map(|c| c.len() * 8).sum()
    }

    /// Forgets all texts; the first chunk is kept for the next run.
    #[inline]
    pub fn clear(&mut self) {
        let chunks = self.chunks.get_mut();
        if let Some(first) = chunks.first_mut() {
            let start = first.as_mut_ptr().expose_provenance();
            self.at.set(start);
            self.end.set(start + first.len() * 8);
            chunks.truncate(1);
        }
    }

    #[inline]
    fn allocate(&self, bytes: usize, align: usize) -> *mut u8 {
        let start = (self.at.get() + align - 1) & !(align - 1);
        if start != 0 && start + bytes <= self.end.get() {
            self.at.set(start + bytes);
            return std::ptr::with_exposed_provenance_mut(start);
        }
        self.grow(bytes)
    }

    #[cold]
    fn grow(&self, bytes: usize) -> *mut u8 {
        let mut chunk = vec![0u64; bytes.max(CHUNK).div_ceil(8)].into_boxed_slice();
        let start = chunk.as_mut_ptr().expose_provenance();
        let end = start + chunk.len() * 8;
        let mut chunks = self.chunks.borrow_mut();
        // A text larger than a chunk must not become the chunk that `clear` keeps.
        if bytes <= CHUNK || chunks.is_empty() {
            self.at.set(start + bytes);
            self.end.set(end);
        }
        if bytes > CHUNK && chunks.is_empty() {
            let mut first = vec![0u64; CHUNK / 8].into_boxed_slice();
            let begin = first.as_mut_ptr().expose_provenance();
            self.at.set(begin);
            self.end.set(begin + CHUNK);
            chunks.push(first);
        }
        chunks.push(chunk);
        std::ptr::with_exposed_provenance_mut(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_survive_until_cleared() {
        let mut arena = Arena::new();
        for _ in 0..3 {
            let texts: Vec<String> = [0, 1, 7, 65_534, 65_535, 200_000, 3, 40_000]
                .iter()
                .map(|n| "ä".repeat(n / 2) + &"x".repeat(n % 2))
                .collect();
            let words: Vec<TextWord> = texts.iter().map(|t| arena.store(t)).collect();
            for (text, word) in texts.iter().zip(&words) {
                assert_eq!(word.as_str(), text);
            }
            arena.clear();
            assert!(arena.capacity_bytes() <= CHUNK);
        }
    }
}
