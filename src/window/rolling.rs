//! The engine: which call looks at which store of rows.

use super::call::Row;
use super::gather::Way;
use super::latest::LatestWindow;
use super::recent::{self, Recent};
use super::run::RunWindow;
use super::track::{Order, Track};
use super::whole::Whole;
use super::{CallSpec, Length, NEWEST, Overflow, ValueSpec, WindowSpec};
use crate::store::{Slab, Trail, Words, prefetch};
use crate::tuple::Arena;
use hashbrown::HashMap;

type Fixed = foldhash::fast::FixedState;

#[derive(Clone, Copy, Debug)]
enum Place {
    Timed(usize),
    /// Which one, and which call of it.
    Arrived(usize, usize),
    Whole(usize),
    /// Which one, and which call of it.
    Run(usize, usize),
    Latest(usize, usize),
}

/// The windows of one task: by entry number of the key.
///
/// A key's state is one piece of words, so that one look brings all of it near: the event time of its newest row, then
/// what each store of rows has.
pub struct Rolling {
    pub(super) state: Words,
    pub(super) timed: Option<Track>,
    /// Rows in order of arrival: those that have none of some flags.
    pub(super) arrived: Vec<(u64, Track)>,
    pub(super) whole: Option<Whole>,
    pub(super) runs: Vec<RunWindow>,
    pub(super) latest: Vec<LatestWindow>,
    /// Where the rows by time of each key are in the store; none if the windows live in memory only.
    pub(super) trails: Option<Slab<Trail>>,
    /// What those take beside their own size, bytes.
    pub(super) trail_bytes: usize,
    /// The keys of which only some rows are in memory.
    pub(super) recent: HashMap<u32, Recent, Fixed>,
    /// How many of the newest rows of a key are, at least; one or more.
    pub(super) rows_in_memory: u64,
    /// How much the rows of all keys may take before any leave memory.
    pub(super) bytes_in_memory: usize,
    /// The bytes of a row.
    row: Vec<u8>,
    calls: Vec<Place>,
    lateness: i64,
}

impl Rolling {
    /// Windows and calls over them; `values` says what [`Length::Run`] and [`Length::Latest`] look at. Rows may be up to
    /// `lateness` microseconds older than the newest of their key.
    pub fn new(windows: &[WindowSpec], calls: &[CallSpec], values: &[Vec<ValueSpec>], lateness: i64) -> Rolling {
        let mut places = vec![Place::Whole(0); calls.len()];
        let longest = windows.iter().filter_map(|w| if let Length::Time(l) = w.length { Some(l) } else { None }).max();
        let of = |wanted: &dyn Fn(Length, &CallSpec) -> Option<i64>| {
            let mut lengths: Vec<(i64, bool)> = Vec::new();
            let mut specs = Vec::new();
            let mut numbers = Vec::new();
            for (number, call) in calls.iter().enumerate() {
                let window = windows[call.window];
                let Some(length) = wanted(window.length, call) else { continue };
                let key = (length, window.exclude_current);
                let at = lengths.iter().position(|known| *known == key).unwrap_or_else(|| {
                    lengths.push(key);
                    lengths.len() - 1
                });
                specs.push(CallSpec { window: at, ..call.clone() });
                numbers.push(number);
            }
            (lengths, specs, numbers)
        };
        let keep = longest.unwrap_or(0).saturating_add(lateness);
        let mut next = NEWEST + 1;
        let by_time = |length, _: &CallSpec| if let Length::Time(length) = length { Some(length) } else { None };
        let (lengths, specs, numbers) = of(&by_time);
        let timed = (!specs.is_empty()).then(|| {
            let (track, at) = Track::new(next, Order::Time(keep), &lengths, &specs);
            next = track.end();
            numbers.into_iter().zip(at).for_each(|(number, at)| places[number] = Place::Timed(at));
            track
        });
        // By arrival, rows of one input are not among those of others.
        let is_by_rows = |call: &&CallSpec| matches!(windows[call.window].length, Length::Rows(_));
        let mut inputs: Vec<Option<u8>> = calls.iter().filter(is_by_rows).map(|call| call.foreign).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let mut arrived = Vec::with_capacity(inputs.len());
        for input in inputs {
            let (lengths, specs, numbers) = of(&|length, call| match length {
                Length::Rows(rows) if call.foreign == input => Some(i64::try_from(rows).unwrap_or(i64::MAX)),
                _ => None,
            });
            let (track, at) = Track::new(next, Order::Arrival, &lengths, &specs);
            let track = if input.is_some() { track.of_one_input() } else { track };
            next = track.end();
            let track_at = arrived.len();
            numbers.into_iter().zip(at).for_each(|(number, at)| places[number] = Place::Arrived(track_at, at));
            arrived.push((input.map_or(0, |flag| 1 << flag), track));
        }
        let (_, specs, numbers) = of(&|length, _| (length == Length::All).then_some(0));
        let exclude: Vec<bool> = numbers.iter().map(|n| windows[calls[*n].window].exclude_current).collect();
        for (at, number) in numbers.into_iter().enumerate() {
            places[number] = Place::Whole(at);
        }
        let whole = (!specs.is_empty()).then(|| Whole::new(next, &specs, &exclude, Way::Arrives));
        next = whole.as_ref().map_or(next, Whole::end);
        let (mut runs, mut latest) = (Vec::new(), Vec::new());
        for (number, values) in values.iter().enumerate() {
            let of = |length: Length| length == Length::Run(number) || length == Length::Latest(number);
            let own: Vec<usize> = (0..calls.len()).filter(|n| of(windows[calls[*n].window].length)).collect();
            let Some(first) = own.first() else { continue };
            let specs: Vec<CallSpec> = own.iter().map(|n| calls[*n].clone()).collect();
            let exclude: Vec<bool> = own.iter().map(|n| windows[calls[*n].window].exclude_current).collect();
            let is_run = windows[calls[*first].window].length == Length::Run(number);
            for (at, call) in own.iter().enumerate() {
                places[*call] = if is_run { Place::Run(runs.len(), at) } else { Place::Latest(latest.len(), at) };
            }
            match values.first() {
                Some(value) if !is_run => latest.push(LatestWindow::new(*value, &specs, &exclude)),
                _ => {
                    let run = RunWindow::new(next, values, &specs, &exclude);
                    next = run.end();
                    runs.push(run);
                }
            }
        }
        Rolling {
            state: Words::new(next),
            timed,
            arrived,
            whole,
            runs,
            latest,
            trails: None,
            trail_bytes: 0,
            recent: HashMap::default(),
            rows_in_memory: recent::ROWS,
            bytes_in_memory: 0,
            row: Vec::new(),
            calls: places,
            lateness,
        }
    }

    /// Bytes of state for a key, and for each row that is kept in windows of time and of rows; what `distinct`, least
    /// and greatest values and texts take comes on top.
    pub fn bytes(&self) -> (usize, [Option<usize>; 2]) {
        let arrived = self.arrived.iter().map(|(_, track)| track.row_bytes()).max();
        (self.state.stride() * 8, [self.timed.as_ref().map(Track::row_bytes), arrived])
    }

    /// Makes the state of a key empty: for a new entry, an expired one, and one that was freed.
    pub fn reset(&mut self, entry: u32) {
        self.state.reach(entry);
        let state = self.state.get_mut(entry);
        if let Some(track) = &mut self.timed {
            track.reset(state, entry);
            // Of a key that could not be read.
            drop(track.opened());
        }
        self.arrived.iter_mut().for_each(|(_, track)| track.reset(state, entry));
        if let Some(whole) = &mut self.whole {
            whole.reset(state, entry);
        }
        self.runs.iter_mut().for_each(|run| run.reset(state, entry));
        self.latest.iter_mut().for_each(|latest| latest.reset(entry));
        state[NEWEST] = i64::MIN as u64;
        if let Some(trails) = &mut self.trails {
            trails.reach(entry);
            let trail = trails.get_mut(entry);
            trail.clear(&mut self.trail_bytes);
            if !self.recent.is_empty() {
                self.recent.remove(&entry);
            }
        }
    }

    /// Event time of the newest row of a key, `i64::MIN` before the first.
    #[inline(always)]
    pub fn newest(&self, entry: u32) -> i64 {
        self.state.get(entry)[NEWEST] as i64
    }

    /// Asks for the state of a key; purely a hint.
    #[inline(always)]
    pub fn prefetch_state(&self, entry: u32) {
        if self.state.has(entry) {
            prefetch(self.state.get(entry));
            if let Some(trails) = self.trails.as_ref().filter(|trails| trails.has(entry)) {
                trails.get(entry).prefetch();
            }
        }
    }

    /// Asks for the rows that the next row of a key will meet; purely a hint, for when its state is near.
    #[inline]
    pub fn prefetch_rows(&self, entry: u32) {
        if self.state.has(entry) {
            let state = self.state.get(entry);
            self.timed.iter().for_each(|track| track.prefetch_rows(state));
            self.arrived.iter().for_each(|(_, track)| track.prefetch_rows(state));
            if let Some(trails) = self.trails.as_ref().filter(|trails| trails.has(entry)) {
                trails.get(entry).prefetch_end();
            }
        }
    }

    /// Asks for the rows after those that will leave windows at `time`; purely a hint, for when those are near.
    #[inline]
    pub fn prefetch_next(&self, entry: u32, time: i64) {
        if self.state.has(entry) {
            let state = self.state.get(entry);
            self.timed.iter().for_each(|track| track.prefetch_next(state, time));
            self.arrived.iter().for_each(|(_, track)| track.prefetch_next(state, time));
        }
    }

    /// Whether a row comes too late for the windows of its key.
    #[inline(always)]
    pub fn is_late(&self, entry: u32, time: i64) -> bool {
        self.timed.is_some() && time < self.newest(entry).saturating_sub(self.lateness)
    }

    /// Moves the windows of a key to the time of a row.
    #[inline]
    pub fn begin(&mut self, entry: u32, time: i64) {
        let state = self.state.get_mut(entry);
        if let Some(track) = &mut self.timed {
            track.begin(state, entry, time);
        }
        self.arrived.iter_mut().for_each(|(_, track)| track.begin(state, entry, time));
        self.note_opened(entry);
    }

    /// The answer of a call for the current row, which must hold the call's argument and flags by now. Text lives in
    /// `arena`, or is that of the row.
    ///
    /// # Errors
    /// The result is outside of its type.
    #[inline]
    pub fn read(
        &self,
        call: usize,
        entry: u32,
        time: i64,
        arguments: &[u64],
        flags: u64,
        arena: &Arena,
    ) -> Result<Option<u64>, Overflow> {
        let row = Row { time, arguments, flags };
        let state = self.state.get(entry);
        match (self.calls[call], &self.timed, &self.whole) {
            (Place::Timed(at), Some(track), _) => track.read(at, state, entry, row, arena),
            (Place::Arrived(of, at), ..) => self.arrived[of].1.read(at, state, entry, row, arena),
            (Place::Whole(at), _, Some(whole)) => whole.read(at, state, entry, row, arena),
            (Place::Run(of, at), ..) => self.runs[of].read(at, state, entry, row, arena),
            (Place::Latest(of, at), ..) => self.latest[of].read(at, entry, row, arena),
            _ => Ok(None),
        }
    }

    /// Number of rows in a call's window of rows or time, without the current one.
    #[inline]
    pub fn rows(&self, call: usize, entry: u32) -> u32 {
        let state = self.state.get(entry);
        match (self.calls[call], &self.timed) {
            (Place::Timed(at), Some(track)) => track.rows(at, state),
            (Place::Arrived(of, at), _) => self.arrived[of].1.rows(at, state),
            _ => 0,
        }
    }

    /// Adds the current row.
    #[inline]
    pub fn commit(&mut self, entry: u32, time: i64, arguments: &[u64], flags: u64) {
        let row = Row { time, arguments, flags };
        let state = self.state.get_mut(entry);
        let mut late = None;
        if let Some(track) = &mut self.timed {
            let (cell, after) = track.commit(state, entry, row);
            if let Some(trails) = &mut self.trails {
                let (newest, bytes, trail) = (state[NEWEST] as i64, &mut self.row, trails.get_mut(entry));
                if track.has_short_rows() {
                    trail.insert_short(after, |first| track.newest_short(state, if first { 0 } else { newest }));
                } else {
                    trail.insert(after, |first| {
                        bytes.clear();
                        track.write_newest(state, if first { 0 } else { newest }, bytes);
                        bytes
                    });
                }
                if after > 0 && !self.recent.is_empty() {
                    late = Some((trails.get(entry).total() - 1 - u64::from(after), cell));
                }
            }
        }
        for (_, track) in self.arrived.iter_mut().filter(|(foreign, _)| flags & foreign == 0) {
            track.commit(state, entry, row);
        }
        if let Some(whole) = &mut self.whole {
            whole.commit(state, entry, row);
        }
        self.runs.iter_mut().for_each(|run| run.commit(state, entry, row));
        self.latest.iter_mut().for_each(|latest| latest.commit(entry, row));
        state[NEWEST] = time.max(state[NEWEST] as i64) as u64;
        if let Some((number, cell)) = late {
            self.shift(entry, number, cell);
        }
        self.note_opened(entry);
    }

    /// Leaves no trace of the current row.
    #[cold]
    pub fn abort(&mut self, entry: u32) {
        let state = self.state.get_mut(entry);
        self.timed.iter_mut().for_each(|track| track.abort(state, entry));
        self.arrived.iter_mut().for_each(|(_, track)| track.abort(state, entry));
        self.note_opened(entry);
    }
}
