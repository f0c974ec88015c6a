//! The windows of a key as the store keeps them: `[newest time | rows by time: a list and running results | rows by
//! arrival: number, rows, running results | results over all rows | values and results of each run | rows of each window
//! of the newest]`, as far as there are such windows.
//!
//! Rows by time are a list in segments ([`Trail`]), so that a key with many rows costs as much as its new ones; rows by
//! arrival are as few as the windows say and are written whole.

use super::recent::{Recent, rows_in_memory};
use super::{NEWEST, Rolling};
use crate::store::{Approach, Codec, Content, Index, ListRead, ListsOf, Slab, Space, StoreError, Trail};
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
            track.lie_in(space);
            self.trails = Some(Slab::new());
        }
        self
    }

    /// The time of the newest row of a key, and the one before which no row is needed.
    fn times(&self, entry: u32) -> (i64, i64) {
        let newest = self.newest(entry);
        (newest, newest.saturating_sub(self.keep()))
    }

    /// Whether a key has so many rows that are in no chunk that some should be written now.
    #[inline(always)]
    pub fn is_long(&self, entry: u32) -> bool {
        self.trails.as_ref().is_some_and(|trails| trails.get(entry).is_long())
    }

    /// Writes the rows of a key that are in no chunk.
    pub fn spill(&mut self, entry: u32, life: &mut ListsOf<'_>) {
        let times = self.times(entry);
        if let (Some(track), Some(trails)) = (&self.timed, &mut self.trails) {
            let state = self.state.get(entry);
            trails.get_mut(entry).spill(life, times, &mut |count, out| track.write_rows(state, count, out));
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

    /// How long after its time a row may be read, microseconds.
    pub fn keep(&self) -> i64 {
        self.timed.as_ref().and_then(|track| track.keep()).unwrap_or(0)
    }
}

impl Content for Rolling {
    fn encode(&mut self, entry: u32, life: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        let times = self.times(entry);
        let state = self.state.get(entry);
        state[NEWEST].write(out);
        if let (Some(track), Some(trails)) = (&self.timed, &mut self.trails) {
            let trail = trails.get_mut(entry);
            trail.encode(life, times, out, &mut |count, out| track.write_rows(state, count, out));
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
        let state = self.state.get_mut(entry);
        if let (Some(track), Some(trails)) = (&mut self.timed, &mut self.trails) {
            let bound = newest.saturating_sub(track.keep().unwrap_or(0));
            let mut block = |count: u32, from: &mut &[u8]| track.read_rows(count, from);
            let start = *from;
            // What is kept beside running results is made again from all rows.
            let most = if track.is_plain() { 2 * self.rows_in_memory as usize } else { usize::MAX };
            let mut read = Trail::decode(from, space, (bound, most), &mut block)?;
            // Rows that were dropped from the store may be missing in windows that no tuple was expected in any more.
            let is_whole = read.is_whole || newest >= space.frontier();
            if !is_whole && !read.away.is_empty() {
                *from = start;
                read = Trail::decode(from, space, (bound, usize::MAX), &mut block)?;
            }
            let ListRead { trail, items, away, .. } = read;
            if let Some(last) = away.last() {
                state[NEWEST] = newest as u64;
                let first = track.restore_long(state, newest, (&away, &items), from)?;
                let mut recent = Recent::new(last.upto, first);
                recent.open(track.opened());
                self.recent.insert(entry, recent);
            } else {
                track.restore(state, entry, (&items, is_whole), from)?;
            }
            let place = trails.get_mut(entry);
            place.clear(&mut self.trail_bytes);
            *place = trail;
            place.weigh(&mut self.trail_bytes);
        }
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
