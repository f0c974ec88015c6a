//! The fraud job end to end, beside the same job written by hand: rolling count and sum over 60 s for each of a million
//! cards (Zipf 1.0), then a rule of two terms. The engine's side is the real thing: a topology text, loaded, checked,
//! planned, assembled and stepped as in production; only the spout, which reads from memory, is the bench's own.
//!
//! Both sides alternate in one process, round by round; what is printed are medians and the median of the rounds'
//! ratios. `SFERIC_BENCH=tiny` runs everything in seconds, checks the answers and judges no figure. An argument
//! (`cargo bench --bench fraud -- fused`) runs the parts whose names contain it.
//!
//! What was tried for tuples that are alone in their run, as at low rates (part `single`), and what it gave: one read of
//! the clock a step instead of two, the wall's time asked for once a millisecond, and no look-up of a run of one ahead
//! of its step took a fourth off its time where state is near, and half off that of an empty step. Large pages for
//! keyed state took another fifth off where it is not near; they are not asked for, because the first touch of one can
//! stand still for milliseconds.

mod by_hand;
mod engine;
mod feed;
mod files;
mod parts;
mod table;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

/// The program's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Allocations so far, of all threads.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

// SAFETY: everything is mimalloc's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { mimalloc::MiMalloc.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { mimalloc::MiMalloc.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How large everything is.
#[derive(Clone, Copy)]
pub struct Size {
    pub tiny: bool,
    pub cards: usize,
    /// Payments drawn by Zipf's law before they repeat.
    pub drawn: usize,
    /// Payments before the first round: each card once, and two full windows, so that memory no longer grows.
    pub warm: u64,
    pub rounds: usize,
    /// Payments of a round.
    pub round: u64,
    /// Cells of the ring written by hand: more than there are payments.
    pub cells: usize,
    /// Seconds at each rate.
    pub seconds: f64,
    /// Payments over which memory is watched.
    pub long: u64,
}

fn main() {
    let tiny = std::env::var("SFERIC_BENCH").is_ok_and(|v| v == "tiny");
    let full = Size {
        tiny,
        cards: 1_000_000,
        drawn: 2_000_000,
        warm: 21_500_000,
        rounds: 15,
        round: 500_000,
        cells: 1 << 25,
        seconds: 2.0,
        long: 100_000_000,
    };
    let small = Size {
        cards: 1_000,
        drawn: 20_000,
        warm: 30_000,
        rounds: 2,
        round: 10_000,
        cells: 1 << 17,
        seconds: 0.1,
        long: 400_000,
        ..full
    };
    let size = if tiny { small } else { full };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|w| part.contains(w.as_str()));
    let mut table = table::Table::new(tiny);
    type Part = fn(&Size, &mut table::Table);
    let all: [(&str, Part); 9] = [
        ("fused", parts::fused),
        ("ring", parts::over_a_ring),
        ("text", parts::text_keys),
        ("single", parts::single),
        ("latency", parts::latency),
        ("allocations", parts::allocations_and_small_things),
        ("hop", parts::hop),
        ("memory", parts::memory),
        ("files", files::files),
    ];
    for (name, part) in all.into_iter().filter(|(name, _)| wants(name)) {
        eprintln!("{name} ...");
        part(&size, &mut table);
    }
    table.print();
}
