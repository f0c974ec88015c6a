//! Which rows of windows by time are in memory.
//!
//! A window of thirty days over a busy key is mostly rows that nobody looks at until they leave. When the rows of all
//! keys take much memory, a long list of a key keeps there the newest rows and those where windows end; what lies between
//! is on disk only, in the chunks that were written for durability ([`Trail`]), and is read back a chunk at a time as the
//! end of a window comes there. Where state is not durable, all rows are in memory; so are they as long as they take
//! little, since reading them back costs a busy key more than its sums.
//!
//! 1. Once in a while ([`Rolling::settle`]) some of the chunks behind the newest [`ROWS`] rows become blocks of the
//!    track, but for those with the end of a window.
//! 2. The track reads a block back when it needs its rows, and tells of it. The rows leave memory again when the end of
//!    the window has left them behind.
//! 3. A row that comes late has had all rows after it read back: they are written once more ([`Trail::insert`]) and are
//!    new ones until the next time.
//!
//! Rows are told by their number in the list as the trail counts them.

use super::Rolling;
use super::track::{NIL, Opened};
use crate::store::{Space, Trail, lists};

/// So many of the newest rows of a key are in memory, or fewer where those of [`KEYS`] keys would not fit into it.
pub const ROWS: u64 = 1024;
const KEYS: usize = 256;
/// Rows behind the end of a window that stay for rows that come late.
const MARGIN: u64 = 256;
/// The rows of all keys may take so much of the memory for state, and no more than this, bytes, before any leave it.
const PART: usize = 2;
const BYTES: usize = 256 << 20;
/// Chunks that become blocks at once: what is done in one go stays short, however long the list.
const CHUNKS: usize = 4;

/// How many of the newest rows of a key are in memory, where state has so many bytes of it.
pub fn rows_in_memory(budget_bytes: usize, row_bytes: usize) -> u64 {
    (budget_bytes / KEYS / row_bytes.max(1)).clamp(1, ROWS as usize) as u64
}

/// How much memory the rows of all keys may take before any leave it, where state has so many bytes of it.
pub fn bytes_in_memory(budget_bytes: usize) -> usize {
    (budget_bytes / PART).min(BYTES)
}

/// The rows of a key that are in memory, if some are not.
#[derive(Debug, Default)]
pub struct Recent {
    /// All rows of windows from this number on are.
    from: u64,
    /// The row of this number.
    row: u32,
    /// Parts before it.
    open: Vec<Opened>,
}

impl Recent {
    /// All rows from number `from`, which is `row`.
    pub fn new(from: u64, row: u32) -> Recent {
        Recent { from, row, open: Vec::new() }
    }

    /// Parts before those are in memory, too.
    pub fn open(&mut self, parts: impl Iterator<Item = Opened>) {
        self.open.extend(parts);
    }
}

impl Rolling {
    /// Notes what the track has read back for a key.
    #[inline(always)]
    pub(super) fn note_opened(&mut self, entry: u32) {
        if self.timed.as_ref().is_some_and(|track| track.has_opened()) {
            self.open(entry);
        }
    }

    #[cold]
    #[inline(never)]
    fn open(&mut self, entry: u32) {
        if let Some(track) = &mut self.timed {
            self.recent.entry(entry).or_default().open(track.opened());
        }
    }

    /// A row has come among others, as number `number`: what comes after it is new.
    #[cold]
    #[inline(never)]
    pub(super) fn shift(&mut self, entry: u32, number: u64, row: u32) {
        let Some(recent) = self.recent.get_mut(&entry) else { return };
        if number <= recent.from {
            (recent.from, recent.row) = (number, row);
        }
        recent.open.retain_mut(|part| {
            if part.chunk.upto > number {
                part.chunk.items = number.saturating_sub(part.chunk.from()) as u32;
                part.chunk.upto = number;
                part.chunk.place = NIL;
            }
            part.chunk.items > 0
        });
    }

    /// Rows of a key that nobody looks at before long leave memory, if they can be read back.
    #[inline]
    pub(super) fn settle(&mut self, entry: u32, space: &Space) {
        if let Some(trails) = &self.trails {
            self.settle_upto(entry, trails.get(entry).total(), space);
        }
    }

    /// The same where the newest row of the list is the one before number `total`.
    #[inline]
    pub(super) fn settle_upto(&mut self, entry: u32, total: u64, space: &Space) {
        let Some(track) = &self.timed else { return };
        let state = self.state.get(entry);
        let oldest = total - u64::from(track.most(state)).min(total);
        let is_much = track.used_bytes() > self.bytes_in_memory;
        if total - oldest > 2 * self.rows_in_memory && (is_much || self.recent.contains_key(&entry)) {
            self.put_away(entry, space, (oldest, total), is_much);
        } else if !self.recent.is_empty() && self.recent.get(&entry).is_some_and(|recent| recent.from <= oldest) {
            // All rows of its windows are in memory.
            self.recent.remove(&entry);
        }
    }

    #[inline(never)]
    fn put_away(&mut self, entry: u32, space: &Space, (oldest, total): (u64, u64), is_much: bool) {
        let (Some(track), Some(trails)) = (&mut self.timed, &mut self.trails) else { return };
        let (state, trail) = (self.state.get_mut(entry), trails.get_mut(entry));
        let limit = total.saturating_sub(self.rows_in_memory);
        let ends: Vec<u64> = track.counts(state).map(|rows| total - u64::from(rows).min(total)).collect();
        let margin = self.rows_in_memory.min(MARGIN);
        let stays = |from: u64, upto: u64| ends.iter().any(|end| (from..upto + margin).contains(end));
        let recent = self.recent.entry(entry).or_default();
        if recent.from <= oldest {
            // Behind the part in which the longest window ends.
            let Some(chunk) = trail.chunk_at(oldest).filter(|chunk| chunk.upto <= limit) else { return };
            *recent = Recent::new(chunk.upto, track.row_behind(chunk, track.oldest(state), chunk.upto - oldest));
        }
        for _ in 0..if is_much { CHUNKS } else { 0 } {
            let Some(chunk) = next_part(trail, recent.from, limit) else { break };
            if !lists::is_readable(space, chunk.pointer) {
                break;
            }
            recent.row = if stays(chunk.from(), chunk.upto) {
                recent.open.push(Opened { chunk, first: recent.row });
                track.row_behind(chunk, recent.row, u64::from(chunk.items))
            } else {
                track.put_away(state, recent.row, chunk)
            };
            recent.from = chunk.upto;
        }
        trail.pass(recent.from);
        recent.open.retain(|part| {
            // What lies behind all windows goes with its time.
            let is_needed = part.chunk.upto > oldest;
            let stays = stays(part.chunk.from(), part.chunk.upto) || (is_needed && !is_much);
            if is_needed && !stays {
                track.put_away(state, part.first, part.chunk);
            }
            stays
        });
    }
}

/// The chunk that begins with row `from`, if it ends before `limit`.
fn next_part(trail: &Trail, from: u64, limit: u64) -> Option<crate::store::Chunked> {
    trail.chunk_at(from).filter(|chunk| chunk.upto <= limit && chunk.from() == from)
}
