//! Chunks that say where others are, so that a long list can be known without a look at each of its chunks.
//!
//! After every so many chunks of a list ([`EVERY`]) one without items follows, an **index**, which has what the list
//! needs to know of each of them. It stands in the chain like any other: its `previous` is what comes before all that it
//! names. What is changed later by an item that came late is written anew in front of it, and then nothing refers to it.

use super::{Chunked, Codec, Level, Pointer};
use crate::store::ListsOf;
use crate::store::lists::ChunkHead;

/// Chunks that an index names.
pub const EVERY: u16 = if cfg!(test) { 4 } else { 256 };

/// Writes an index of the newest chunks, if it is time for one: its place.
pub fn write(levels: &[Level], life: &mut ListsOf<'_>) -> Pointer {
    let Some(first) = levels.len().checked_sub(usize::from(EVERY)) else { return Pointer::NONE };
    let (older, named) = levels.split_at(first);
    let Some(last) = named.last().filter(|last| last.since >= EVERY) else { return Pointer::NONE };
    let previous = older.last().map_or(Pointer::NONE, Level::end);
    let replaced = older.last().map_or(0, Level::replaced);
    let head = ChunkHead { previous, items: 0, replaced, newest: last.chunk.newest };
    life.lists.append(life.space, &head, |out| {
        for Level { chunk, held, .. } in named.iter().rev() {
            chunk.pointer.write(out);
            (chunk.items, *held).write(out);
            chunk.newest.write(out);
        }
    })
}

/// The chunks that an index names, newest first, with the items that they hold; none if that is not what is there.
pub fn read(mut payload: &[u8]) -> Option<Vec<(Chunked, u32)>> {
    let mut found = Vec::with_capacity(payload.len() / 28);
    while !payload.is_empty() {
        let pointer = Pointer::read(&mut payload)?;
        let (items, held) = <(u32, u32)>::read(&mut payload)?;
        let newest = i64::read(&mut payload)?;
        found.push((Chunked { pointer, items: items.min(held), upto: 0, newest, place: 0 }, held));
    }
    Some(found)
}
