//! Zeroed memory by the piece, straight from the operating system.
//!
//! A page becomes memory when it is first touched; nothing is copied and nothing moves. Large pages are not asked for:
//! in a virtual machine the first touch of one can stand still for several milliseconds.

use std::alloc::Layout;
use std::ptr::NonNull;

/// A piece of zeroed words that never moves, at the start of a page.
#[derive(Debug)]
pub struct Pages {
    base: NonNull<u64>,
    words: usize,
}

// SAFETY: the memory is owned by this value alone and holds plain words.
unsafe impl Send for Pages {}
// SAFETY: shared access only reads.
unsafe impl Sync for Pages {}

impl Pages {
    /// `words` words, at least one, all zero.
    pub fn new(words: usize) -> Pages {
        let (rights, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
        // SAFETY: an anonymous mapping at an address of the system's choice touches no memory of ours.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), words * 8, rights, kind, -1, 0) };
        match NonNull::new(base.cast()) {
            Some(start) if base != libc::MAP_FAILED => Pages { base: start, words },
            _ => std::alloc::handle_alloc_error(Layout::array::<u64>(words).unwrap_or(Layout::new::<u64>())),
        }
    }

    /// The words.
    #[inline(always)]
    pub fn words(&self) -> &[u64] {
        // SAFETY: `base` points at `words` words that live as long as this value, zeroed by the system at first.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }

    /// The words.
    #[inline(always)]
    pub fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `words`; the exclusive borrow makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.words) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped; nothing borrows it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.words * 8) };
    }
}
