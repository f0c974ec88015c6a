//! Keyed state: which key has which entry.
//!
//! Owns the canonical form of keys ([`KeyReader`]), their index ([`Keys`]) and memory by entry number that never moves
//! ([`Slab`], [`Words`]). What an entry means is the business of whoever uses it. Never reads a clock: time is the event
//! time of tuples. Invariant: a live key has exactly one entry, a live entry exactly one key.

mod index;
mod keys;
mod reader;
mod slab;
#[cfg(test)]
mod tests;

pub use keys::{Keyed, Keys};
pub use reader::{KeyReader, KeyRef};
pub use slab::{Slab, Words, prefetch};
