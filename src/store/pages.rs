//! Zeroed memory by the piece, straight from the operating system.
//!
//! State is touched at random, so that nearly every access would miss the translation buffers with pages of 4 KiB: the
//! pieces are aligned to 2 MiB and large pages are asked for. A page becomes memory when it is first touched; nothing
//! is copied and nothing moves.

use std::alloc::Layout;
use std::ptr::NonNull;

/// Size and alignment of a large page.
const LARGE: usize = 2 << 20;

/// A piece of zeroed words that never moves.
#[derive(Debug)]
pub struct Pages {
    base: NonNull<u64>,
    words: usize,
    bytes: usize,
}

// SAFETY: the memory is owned by this value alone and holds plain words.
unsafe impl Send for Pages {}
// SAFETY: shared access only reads.
unsafe impl Sync for Pages {}

impl Pages {
    /// `words` words, all zero; in large pages if `large`, where the system has them.
    pub fn new(words: usize, large: bool) -> Pages {
        let bytes = (words * 8).max(1).next_multiple_of(LARGE);
        let base = map(bytes).unwrap_or_else(|| {
            let layout = Layout::from_size_align(bytes, LARGE).unwrap_or(Layout::new::<u64>());
            std::alloc::handle_alloc_error(layout)
        });
        #[cfg(target_os = "linux")]
        if large {
            // SAFETY: the range was mapped by us; the advice changes no content, and a refusal does no harm.
            unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = large;
        Pages { base, words, bytes }
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
        // SAFETY: exactly the range that `map` left mapped; nothing borrows it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// `bytes` (a multiple of [`LARGE`]) of zeroed memory at a multiple of [`LARGE`].
fn map(bytes: usize) -> Option<NonNull<u64>> {
    let (rights, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: an anonymous mapping at an address of the system's choice touches no memory of ours.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes + LARGE, rights, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let before = start.align_offset(LARGE);
    let base = start.wrapping_byte_add(before);
    for (at, len) in [(start, before), (base.wrapping_byte_add(bytes), LARGE - before)] {
        if len > 0 {
            // SAFETY: the ends of the mapping made above, which nothing uses; both are multiples of the page size.
            unsafe { libc::munmap(at, len) };
        }
    }
    NonNull::new(base.cast())
}
