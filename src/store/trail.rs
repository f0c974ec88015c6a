//! The trail of a list that grows at its newer end: which of its items are in which chunk.
//!
//! Items that no chunk has yet, the fresh ones, stand in the value of the key as long as they are few; then they become
//! a chunk. Chunks of one size are merged when there are many of them, so that a list of n items has some log n chunks
//! and an item is written some log n times. An item that is put among older ones makes those after it fresh again; what
//! a chunk holds of them is passed over when it is read. Items that left the list at its older end need no word: whoever
//! reads a list stops at what is too old.
//!
//! The items of a list are numbered as they come, so that a chunk has a place in it whatever leaves at the older end
//! ([`Chunked`]). Whoever keeps a list in memory may leave the items of older chunks on disk ([`Trail::pass`]): those are
//! not merged any more, since that would look them up.
//!
//! The bytes of fresh items are made when an item is inserted, since it is near then: looked up again at the end of an
//! epoch, each is a miss of the cache, and asking for chains of them ahead of time still cost as much as all the rest of
//! an entry. Only merging, and an item that came late, look items up again.
//!
//! A list of very many chunks has an [`index`] of them now and then, so that it is known without a look at each.
//!
//! Source of the merging: tiered compaction of log-structured merge trees.

use super::backend::StoreError;
use super::codec::Codec;
use super::life::ListsOf;
use super::lists::{self, ChunkHead, Pointer};
use super::slab::{prefetch_lines, prefetch_value};
use super::space::Space;

mod fresh;
mod index;
#[cfg(test)]
mod tests;

use fresh::Fresh;
pub use fresh::{SHORT_ITEM, ShortItem};

/// So many fresh items stay in the value.
const INLINE: u32 = 4;
/// So many chunks of one size are merged: each row that is written again is looked up where it lies, so seldom.
const TIER: usize = 16;
/// Chunks are not merged into larger ones than this, and so many fresh items become one at once: what is done in one go
/// stays short, however long the list.
const CHUNK_ITEMS: u32 = 256;
const LONG: u32 = 128;

/// So many levels of items that are too old are kept before they are forgotten.
const OLD: usize = 3;

/// A chunk as a part of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    /// Where it is.
    pub pointer: Pointer,
    /// Items of it that are in the list, the older ones of those that it holds.
    pub items: u32,
    /// Number of the item after its newest.
    pub upto: u64,
    /// A time that none of its items is newer than.
    pub newest: i64,
    /// The place in memory that its newest item was written from, as its owner numbers them; zero: not known any more.
    pub place: u32,
}

/// The newer end of a list, as its owner knows it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The time of the newest item.
    pub newest: i64,
    /// Its place in memory, if the owner wants to know it again.
    pub place: u32,
    /// The time before which no item is looked at any more.
    pub bound: i64,
}

impl Chunked {
    /// Number of its oldest item.
    pub fn from(&self) -> u64 {
        self.upto - u64::from(self.items)
    }
}

/// A chunk of the list.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Level {
    chunk: Chunked,
    /// Items that it holds.
    held: u32,
    /// Whether its items may have left memory.
    passed: bool,
    /// The index that comes after it, if there is one.
    index: Pointer,
    /// Number of chunks since the last index, this one included.
    since: u16,
    /// For each class that is merged, how many chunks up to this one are of it or of a smaller one, at most.
    alike: [u8; 2],
}

// One line.
const _: () = assert!(size_of::<Level>() == 64);

impl Level {
    /// Where the list goes on that ends with this level.
    fn end(&self) -> Pointer {
        if self.index == Pointer::NONE { self.chunk.pointer } else { self.index }
    }

    /// Items of the chunk before its newer end that do not count, if it is the end.
    fn replaced(&self) -> u32 {
        if self.index == Pointer::NONE { self.held - self.chunk.items } else { 0 }
    }

    /// Its size, roughly: chunks of the same class are of one size.
    fn class(items: u32) -> u32 {
        items.max(1).ilog2() / 4
    }

    /// Whether there may be enough chunks of this class, it and those before it, for one more to be merged with them.
    fn is_one_of_many(&self, class: u32) -> bool {
        self.alike.get(class as usize).is_some_and(|alike| usize::from(*alike) + 1 >= TIER)
    }
}

/// Where the items of a list are.
///
/// What a key needs when it is written lies here, in two lines side by side, and what an item that is inserted needs in
/// the first of them; no item is looked up again for it.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Trail {
    /// The newest items, which no chunk has.
    fresh: Fresh,
    /// What it takes beside its own size, as it was noted last.
    weighed: u32,
    /// Number of the oldest item that is in a chunk, or fresh.
    base: u64,
    /// Chunks, oldest first.
    levels: Vec<Level>,
}

/// Writes up to so many of the newest items of a list, oldest of them first, the first as the first of its kind; how many,
/// and the time of the newest.
pub type Writer<'a> = dyn FnMut(u32, &mut Vec<u8>) -> (u32, i64) + 'a;

/// Reads so many items from the front of some bytes.
pub type Block<'a, T> = dyn FnMut(u32, &mut &[u8]) -> Option<Vec<T>> + 'a;

const _: () = assert!(size_of::<Trail>() == 128);

impl Trail {
    /// An item was put into the list, `after` items before its newer end; `item` gives its bytes, told whether it is the
    /// first of the fresh ones.
    #[inline(always)]
    pub fn insert<'a>(&mut self, after: u32, item: impl FnOnce(bool) -> &'a [u8]) {
        if after > 0 {
            return self.insert_among_others(after);
        }
        self.fresh.insert(item);
    }

    /// The same for an item of few bytes.
    #[inline(always)]
    pub fn insert_short(&mut self, after: u32, item: impl FnOnce(bool) -> ShortItem) {
        if after > 0 {
            return self.insert_among_others(after);
        }
        self.fresh.insert_short(item);
    }

    #[cold]
    fn insert_among_others(&mut self, after: u32) {
        self.fresh.stale = true;
        if after <= self.fresh.items {
            self.fresh.items += 1;
            return;
        }
        let mut again = after - self.fresh.items;
        self.fresh.items = after + 1;
        while let Some(top) = self.levels.last_mut()
            && again > 0
        {
            if top.chunk.items > again {
                top.chunk.items -= again;
                top.chunk.upto -= u64::from(again);
                top.chunk.place = 0;
                top.index = Pointer::NONE;
                // Its class may be another one now.
                let Level { chunk, held, passed, .. } = *top;
                self.levels.pop();
                push(&mut self.levels, chunk, (held, passed));
                break;
            }
            again -= top.chunk.items;
            self.levels.pop();
        }
    }

    /// Makes the bytes of the fresh items anew if they have to be.
    #[inline]
    fn renew(&mut self, items: &mut Writer<'_>) {
        if self.fresh.stale {
            let mut bytes = Vec::new();
            let (written, _) = items(self.fresh.items, &mut bytes);
            if written < self.fresh.items {
                // Nothing older is left in the list.
                self.base = self.total() - u64::from(written);
                self.levels.clear();
            }
            self.fresh.renew(written, &bytes);
        }
    }

    /// Appends what the store keeps of the list: `[newest chunk | items of it that do not count u32 | fresh items u32 |
    /// fresh items]`.
    pub fn encode(&mut self, life: &mut ListsOf<'_>, end: End, out: &mut Vec<u8>, items: &mut Writer<'_>) {
        self.renew(items);
        if self.fresh.items > INLINE {
            self.spill(life, end, items);
        }
        self.head().write(out);
        self.passed_over().write(out);
        self.fresh.items.write(out);
        out.extend_from_slice(self.fresh.bytes());
    }

    /// No items; the sum of all trails no longer has what this one took.
    pub fn clear(&mut self, sum: &mut usize) {
        *sum -= self.weighed as usize;
        *self = Trail::default();
    }

    /// Notes in a sum of all trails what this one takes beside its own size.
    pub fn weigh(&mut self, sum: &mut usize) {
        let bytes =
            u32::try_from(self.levels.capacity() * size_of::<Level>() + self.fresh.heap_bytes()).unwrap_or(u32::MAX);
        *sum = *sum + bytes as usize - std::mem::replace(&mut self.weighed, bytes) as usize;
    }

    fn head(&self) -> Pointer {
        self.levels.last().map_or(Pointer::NONE, Level::end)
    }

    fn passed_over(&self) -> u32 {
        self.levels.last().map_or(0, Level::replaced)
    }

    /// Number of the item after the newest.
    #[inline]
    pub fn total(&self) -> u64 {
        self.chunked() + u64::from(self.fresh.items)
    }

    /// Number of the item after the newest that is in a chunk.
    fn chunked(&self) -> u64 {
        self.levels.last().map_or(self.base, |level| level.chunk.upto)
    }

    /// The first chunk with items from number `from` on.
    pub fn chunk_at(&self, from: u64) -> Option<Chunked> {
        let at = self.levels.partition_point(|level| level.chunk.upto <= from);
        Some(self.levels.get(at)?.chunk)
    }

    /// The items of chunks before item `number` may leave memory from now on: they are merged no more.
    pub fn pass(&mut self, number: u64) {
        for level in self.levels.iter_mut().rev().skip_while(|level| level.chunk.upto > number) {
            if std::mem::replace(&mut level.passed, true) {
                break;
            }
        }
    }

    /// Forgets chunks whose items are all older than `bound`, when there are enough of them.
    fn retire(&mut self, bound: i64) {
        if self.levels.get(OLD).is_none_or(|level| level.chunk.newest >= bound) {
            return;
        }
        let old = self.levels.partition_point(|level| level.chunk.newest < bound);
        if 2 * old >= self.levels.len() {
            self.base = self.levels[old - 1].chunk.upto;
            self.levels.drain(..old);
        }
    }

    /// Whether there are so many fresh items that they should become a chunk before the epoch ends.
    #[inline(always)]
    pub fn is_long(&self) -> bool {
        self.fresh.items >= LONG
    }

    /// Asks for what [`Trail::insert`] reads; purely a hint. Without that each row waited for it, 70 ns of the 300 that a
    /// tuple took.
    #[inline(always)]
    pub fn prefetch(&self) {
        prefetch_value(self);
    }

    /// Asks for the place of the next item, when that is near; purely a hint.
    #[inline(always)]
    pub fn prefetch_end(&self) {
        self.fresh.prefetch_end();
    }

    /// Asks for all of it, to write it; purely a hint.
    #[inline(always)]
    pub fn prefetch_all(&self) {
        prefetch_lines(self);
    }

    /// Asks for what it points to, when it is near itself; purely a hint.
    #[inline(always)]
    pub fn prefetch_more(&self) {
        self.levels.last().into_iter().for_each(prefetch_value);
        self.fresh.prefetch();
    }

    /// How many of the newest items [`Trail::encode`] will ask for.
    #[inline]
    pub fn rows_wanted(&self) -> u32 {
        let fresh = self.fresh.items;
        let merged = if fresh > INLINE { self.merged().0 } else { fresh };
        if self.fresh.stale || merged > fresh { merged } else { 0 }
    }

    /// How many of the newest items become a chunk next, and how many levels stay as they are.
    fn merged(&self) -> (u32, usize) {
        let (mut count, mut rest) = (self.fresh.items, self.levels.len());
        if !self.levels.last().is_some_and(|last| last.is_one_of_many(Level::class(count))) {
            // Known without a look at the others, which lie on a line each.
            return (count, rest);
        }
        loop {
            let class = Level::class(count);
            let is_same = |level: &&Level| Level::class(level.chunk.items) <= class && !level.passed;
            let same = self.levels[..rest].iter().rev().take_while(is_same).count();
            if same + 1 < TIER {
                return (count, rest);
            }
            let merged = count + self.levels[rest - same..rest].iter().map(|level| level.chunk.items).sum::<u32>();
            if merged > CHUNK_ITEMS {
                return (count, rest);
            }
            (count, rest) = (merged, rest - same);
        }
    }

    /// Fresh items become a chunk, together with chunks of its size if there are enough.
    pub fn spill(&mut self, life: &mut ListsOf<'_>, end: End, items: &mut Writer<'_>) {
        let End { newest, place, bound } = end;
        self.renew(items);
        self.retire(bound);
        let (count, rest) = self.merged();
        let upto = self.total();
        let Trail { levels, fresh, base, .. } = self;
        let mut written = fresh.items;
        levels.truncate(rest);
        let pointer = life.lists.append_with(life.space, |out| {
            if count == fresh.items {
                out.extend_from_slice(fresh.bytes());
            } else {
                (written, _) = items(count, out);
                if written < count {
                    levels.clear();
                    *base = upto - u64::from(written);
                }
            }
            let previous = levels.last().map_or(Pointer::NONE, Level::end);
            let replaced = levels.last().map_or(0, Level::replaced);
            ChunkHead { previous, items: written, replaced, newest }
        });
        let chunk = Chunked { pointer, items: written, upto, newest, place };
        push(&mut self.levels, chunk, (written, false));
        let index = index::write(&self.levels, life);
        if let Some(last) = self.levels.last_mut() {
            last.index = index;
        }
        self.fresh.clear();
    }

    /// Reads a list that was written, as far back as `bound`: `block` reads so many items from the front of some bytes.
    /// Of a list that is longer than `most` items, only about as many of the newest are read.
    ///
    /// # Errors
    /// A chunk cannot be read or is not what was written.
    pub fn decode<T>(
        from: &mut &[u8],
        space: &Space,
        (bound, most): (i64, usize),
        block: &mut Block<'_, T>,
    ) -> Result<ListRead<T>, StoreError> {
        let damaged = || StoreError::Damaged { what: "a list of a key".to_owned(), why: "it is cut".to_owned() };
        let mut pointer = Pointer::read(from).ok_or_else(damaged)?;
        let mut passed_over = u32::read(from).ok_or_else(damaged)?;
        let fresh = u32::read(from).ok_or_else(damaged)?;
        let before = *from;
        let mut blocks = vec![block(fresh, from).ok_or_else(damaged)?];
        let written = Fresh::of(fresh, &before[..before.len() - from.len()]);
        // Newest first; of chunks that an index names it says how much of them counts.
        let (mut found, mut away, mut read) = (Vec::new(), 0, fresh as usize);
        let (mut named, mut is_whole) = (Vec::new().into_iter(), true);
        loop {
            let (mut chunk, mut held) = match named.next() {
                Some(named) => named,
                None if pointer == Pointer::NONE => break,
                None => (Chunked { pointer, items: 0, upto: 0, newest: i64::MAX, place: 0 }, 0),
            };
            let (is_near, is_named) = (read <= most, held > 0);
            let mut rows = Vec::new();
            if is_near || !is_named {
                let next = if is_near { lists::read } else { lists::read_head };
                let Some(mut it) = next(space, chunk.pointer)? else {
                    is_whole = false;
                    break;
                };
                if !is_named {
                    if it.items == 0 && !is_near && it.newest >= bound {
                        let Some(whole) = lists::read(space, chunk.pointer)? else {
                            is_whole = false;
                            break;
                        };
                        it = whole;
                    }
                    (held, chunk.newest) = (it.items, it.newest);
                    chunk.items = held - passed_over.min(held);
                    (pointer, passed_over) = (it.previous, it.replaced);
                }
                if held == 0 && chunk.newest >= bound {
                    named = index::read(&it.payload).ok_or_else(damaged)?.into_iter();
                    continue;
                }
                if is_near && chunk.newest >= bound {
                    rows = block(held, &mut &it.payload[..]).ok_or_else(damaged)?;
                    rows.truncate(chunk.items as usize);
                }
            }
            if chunk.newest < bound {
                break;
            }
            away += usize::from(!is_near);
            read += rows.len();
            blocks.push(rows);
            found.push((chunk, (held, !is_near)));
        }
        let (mut levels, mut upto) = (Vec::with_capacity(found.len()), 0);
        for (mut chunk, of) in found.into_iter().rev() {
            upto += u64::from(chunk.items);
            chunk.upto = upto;
            push(&mut levels, chunk, of);
        }
        let away = levels[..away].iter().map(|level: &Level| level.chunk).collect();
        let trail = Trail { fresh: written, levels, base: 0, weighed: 0 };
        Ok(ListRead { trail, items: blocks.into_iter().rev().flatten().collect(), away, is_whole })
    }
}

/// Appends a chunk that holds so many items, and may have been passed.
fn push(levels: &mut Vec<Level>, chunk: Chunked, (held, passed): (u32, bool)) {
    let since = levels.last().map_or(1, |last| if last.index == Pointer::NONE { last.since + 1 } else { 1 });
    let (class, before) = (Level::class(chunk.items) as usize, levels.last().map_or([0; 2], |last| last.alike));
    let alike = [0, 1].map(|of: usize| if class > of { 0 } else { before[of].saturating_add(1) });
    levels.push(Level { chunk, held, passed, index: Pointer::NONE, since: since.min(index::EVERY), alike });
}

/// A list that was read.
pub struct ListRead<T> {
    /// Its trail.
    pub trail: Trail,
    /// Items, oldest first, perhaps with some that are older than the bound.
    pub items: Vec<T>,
    /// The chunks before them that were not read, oldest first.
    pub away: Vec<Chunked>,
    /// Whether all older items are known to be too old; else they were dropped from the store.
    pub is_whole: bool,
}
