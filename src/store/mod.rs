//! Keyed state: which key has which entry, what lies under it, and what of it is durable.
//!
//! Owns the canonical form of keys ([`KeyReader`]), their index ([`Index`]), memory by entry number that never moves
//! ([`Slab`], [`Words`]), values by key ([`Keyed`]), deadlines ([`Timers`]), and the way of changes to a [`Backend`]
//! and back ([`Life`], [`lists`], [`Space`]). What an entry means is the business of whoever uses it. Never reads a
//! clock for anything but its own measurements: time is the event time of tuples. Never decides when an epoch ends.
//! Invariant: a live key has exactly one entry, a live entry exactly one key.

mod ahead;
mod backend;
mod catalogue;
mod codec;
mod facts;
mod faulty;
mod fetch;
mod index;
mod keyed;
mod layout;
mod life;
pub mod lists;
mod lock;
mod pages;
mod reader;
mod records;
mod reset;
mod rocks;
mod slab;
mod space;
mod spare;
mod stamp;
mod table;
#[cfg(test)]
mod tests;
mod timers;
mod trail;
mod unhash;

pub use ahead::Approach;
pub use backend::{Backend, Batch, MemoryStore, Operation, StoreError, StoreStats};
pub use catalogue::{Catalogue, Stored};
pub use codec::Codec;
pub use facts::{Closed, ClosedSplit, EpochFacts, HandleFacts, Message, Place, SegmentFacts, SplitFacts, TaskTime};
pub use faulty::{FaultyStore, Weather};
pub use index::Index;
pub use keyed::Keyed;
pub use life::{Content, HandOver, Life, LifeMeter, LifeSpec, ListsOf, Outlet, Prepare};
pub use lists::Written;
pub use lock::DirLock;
pub use reader::{KeyReader, KeyRef, KeyWriter, key_bytes, key_values};
pub use reset::reset;
pub use rocks::Rocks;
pub use slab::{Slab, Words, prefetch, prefetch_value};
pub use space::Space;
pub use timers::{Timers, timer_parts};
pub use trail::{Chunked, End, ListRead, SHORT_ITEM, ShortItem, Trail};

/// A handle of a task, as the runtime sees it.
pub trait State {
    /// All tuples of epoch `epoch` have been processed and none of the next has.
    fn barrier(&mut self, epoch: u64);

    /// Hands over up to `budget` changed entries of the epoch that is over; whether more are left.
    fn hand_over(&mut self, budget: usize) -> bool;

    /// Its counts; none if it lives in memory only.
    fn meter(&self) -> Option<LifeMeter>;
}
