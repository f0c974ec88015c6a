//! The windows of a key as the store keeps them: `[newest time | rows by time: a list and running results | rows by
//! arrival: number, rows, running results | results over all rows | values and results of each run | rows of each window
//! of the newest]`, as far as there are such windows.
//!
//! Rows by time are a list in segments ([`Trail`]), so that a key with many rows costs as much as its new ones; rows by
//! arrival are as few as the windows say and are written whole.

use super::recent::{Recent, bytes_in_memory, rows_in_memory};
use super::{NEWEST, Rolling};
use crate::store::{
    Approach, Chunked, Codec, Content, End, Index, ListRead, ListsOf, Slab, Space, StoreError, Trail, lists,
};
use std::sync::Arc;

/// The lists of a key, as steps towards them name them: that of rows by time, then those by arrival.
const TIMED: u8 = 0;
const ARRIVED: u8 = 1;

fn damaged() -> StoreError {
    StoreError::Damaged { what: "the windows of a key".to_owned(), why: "they are cut".to_owned() }
}

impl Rolling {
    /// The same windows, whose content can be written to a store.
    pub fn durable(mut self, space: Arc<Space>) -> Rolling {
        if let Some(track) = &mut self.timed {
            self.rows_in_memory = rows_in_memory(space.budget_bytes(), track.row_bytes());
            self.bytes_in_memory = bytes_in_memory(space.budget_bytes());
            track.lie_in(space);
            self.trails = Some(Slab::new());
        }
        self
    }

    /// The newer end of the rows by time of a key.
    fn end(&self, entry: u32) -> End {
        let newest = self.newest(entry);
        let place = self.timed.as_ref().map_or(0, |track| track.tail(self.state.get(entry)));
        End { newest, place, bound: newest.saturating_sub(self.keep()) }
    }

    /// Whether a key has so many rows that are in no chunk that some should be written now.
    #[inline(always)]
    pub fn is_long(&self, entry: u32) -> bool {
        self.trails.as_ref().is_some_and(|trails| trails.get(entry).is_long())
    }

    /// Writes the rows of a key that are in no chunk.
    pub fn spill(&mut self, entry: u32, life: &mut ListsOf<'_>) {
        let end = self.end(entry);
        if let (Some(track), Some(trails)) = (&self.timed, &mut self.trails) {
            let state = self.state.get(entry);
            trails.get_mut(entry).spill(life, end, &mut |count, out| track.write_rows(state, count, out));
        }
        self.settle(entry, life.space);
    }

    /// The first step towards the rows by arrival, from one list of them on.
    fn approach_arrived(&self, entry: u32, from: u8) -> Approach {
        let state = self.state.get(entry);
        for (list, (_, track)) in (ARRIVED..).zip(&self.arrived).skip(usize::from(from - ARRIVED)) {
            if let Some((item, left)) = track.rows_from(state, track.arrived(state)) {
                return Approach::Item { list, item, left };
            }
        }
        Approach::Near
    }

    /// Fills the rows by time of a key, which is empty, with what was written.
    fn decode_timed(&mut self, entry: u32, newest: i64, from: &mut &[u8], space: &Space) -> Result<(), StoreError> {
        let (Some(track), Some(trails)) = (&mut self.timed, &mut self.trails) else { return Ok(()) };
        let bound = newest.saturating_sub(track.keep().unwrap_or(0));
        let mut block = |count: u32, from: &mut &[u8]| track.read_rows(count, from);
        let most = 2 * self.rows_in_memory as usize;
        let ListRead { trail, items, away, is_whole } = Trail::decode(from, space, (bound, most), &mut block)?;
        // Rows that were dropped from the store may be missing in windows that no tuple was expected in any more.
        let mut is_whole = is_whole || newest >= space.frontier();
        let place = trails.get_mut(entry);
        place.clear(&mut self.trail_bytes);
        *place = trail;
        place.weigh(&mut self.trail_bytes);
        if let (Some(last), true) = (away.last(), is_whole && track.is_plain()) {
            let state = self.state.get_mut(entry);
            state[NEWEST] = newest as u64;
            let first = track.restore_long(state, newest, (&away, &items), from)?;
            let mut recent = Recent::new(last.upto, first);
            recent.open(track.opened());
            self.recent.insert(entry, recent);
            return Ok(());
        }
        // What is kept beside running results is made again from all rows.
        for chunk in away {
            is_whole &= self.take_again(entry, chunk, space)?;
        }
        let Some(track) = &mut self.timed else { return Ok(()) };
        track.restore(self.state.get_mut(entry), entry, (&items, is_whole), from)?;
        self.note_opened(entry);
        Ok(())
    }

    /// The rows of a chunk, which come after those of a key, are taken once more; whether they are there.
    fn take_again(&mut self, entry: u32, chunk: Chunked, space: &Space) -> Result<bool, StoreError> {
        let Some(track) = &mut self.timed else { return Ok(false) };
        let Some(found) = lists::read(space, chunk.pointer)? else { return Ok(false) };
        let rows = track.read_rows(chunk.items, &mut &found.payload[..]).ok_or_else(damaged)?;
        track.replay(self.state.get_mut(entry), entry, &rows);
        self.note_opened(entry);
        self.settle_upto(entry, chunk.upto, space);
        Ok(true)
    }

    /// How long after its time a row may be read, microseconds.
    pub fn keep(&self) -> i64 {
        self.timed.as_ref().and_then(|track| track.keep()).unwrap_or(0)
    }
}

impl Content for Rolling {
    fn encode(&mut self, entry: u32, life: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        let end = self.end(entry);
        let state = self.state.get(entry);
        state[NEWEST].write(out);
        if let (Some(track), Some(trails)) = (&self.timed, &mut self.trails) {
            let trail = trails.get_mut(entry);
            trail.encode(life, end, out, &mut |count, out| track.write_rows(state, count, out));
            trail.weigh(&mut self.trail_bytes);
            track.write_results(state, out);
        }
        for (_, track) in &self.arrived {
            let rows = track.arrived(state);
            rows.write(out);
            track.write_rows(state, rows, out);
            track.write_results(state, out);
        }
        if let Some(whole) = &self.whole {
            whole.write(state, entry, out);
        }
        self.runs.iter().for_each(|run| run.write(state, entry, out));
        self.latest.iter().for_each(|latest| latest.write(entry, out));
        self.settle(entry, life.space);
    }

    fn decode(&mut self, entry: u32, mut bytes: &[u8], space: &Space) -> Result<(), StoreError> {
        let from = &mut bytes;
        let newest = i64::read(from).ok_or_else(damaged)?;
        self.decode_timed(entry, newest, from, space)?;
        let state = self.state.get_mut(entry);
        for (_, track) in &mut self.arrived {
            let count = u32::read(from).ok_or_else(damaged)?;
            let rows = track.read_rows(count, from).ok_or_else(damaged)?;
            track.restore(state, entry, (&rows, true), from)?;
        }
        if let Some(whole) = &mut self.whole {
            whole.read_back(state, entry, from).ok_or_else(damaged)?;
        }
        for run in &mut self.runs {
            run.read_back(state, entry, from).ok_or_else(damaged)?;
        }
        for latest in &mut self.latest {
            latest.read_back(entry, from).ok_or_else(damaged)?;
        }
        state[NEWEST] = newest as u64;
        Ok(())
    }

    fn reset(&mut self, entry: u32) {
        Rolling::reset(self, entry);
    }

    fn touched(&self, entry: u32) -> i64 {
        self.newest(entry)
    }

    fn approach(&self, entry: u32, at: Approach) -> Approach {
        let timed = self.timed.as_ref().zip(self.trails.as_ref());
        match at {
            Approach::Far => {
                self.prefetch_state(entry);
                if let Some((_, trails)) = timed {
                    trails.get(entry).prefetch_all();
                }
                Approach::Words
            }
            Approach::Words => {
                if let Some((_, trails)) = timed {
                    trails.get(entry).prefetch_more();
                }
                Approach::Heads
            }
            Approach::Heads => {
                let state = self.state.get(entry);
                let by_time = timed.map(|(track, trails)| track.rows_from(state, trails.get(entry).rows_wanted()));
                by_time.flatten().map_or_else(
                    || self.approach_arrived(entry, ARRIVED),
                    |(item, left)| Approach::Item { list: TIMED, item, left },
                )
            }
            Approach::Item { list: TIMED, item, left } => {
                match timed.and_then(|(track, _)| track.row_before(self.state.get(entry), item, left)) {
                    Some((item, left)) => Approach::Item { list: TIMED, item, left },
                    None => self.approach_arrived(entry, ARRIVED),
                }
            }
            Approach::Item { list, item, left } => {
                let arrived = self.arrived.get(usize::from(list - ARRIVED));
                match arrived.and_then(|(_, track)| track.row_before(self.state.get(entry), item, left)) {
                    Some((item, left)) => Approach::Item { list, item, left },
                    None => self.approach_arrived(entry, list + 1),
                }
            }
            Approach::Near => Approach::Near,
        }
    }

    fn used_bytes(&self, entries: usize) -> usize {
        let (bytes, _) = self.bytes();
        let tracks = self.timed.iter().chain(self.arrived.iter().map(|(_, track)| track));
        let trail = if self.trails.is_some() { size_of::<Trail>() } else { 0 };
        Index::bytes_of(entries)
            + entries * (bytes + trail + 8)
            + self.trail_bytes
            + tracks.map(|track| track.used_bytes()).sum::<usize>()
            + self.latest.iter().map(|latest| latest.used_bytes()).sum::<usize>()
    }
}
