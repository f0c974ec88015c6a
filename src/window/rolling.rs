//! The engine: which call looks at which store of rows.

use super::track::{Order, Row, Track, Whole};
use super::{CallSpec, Length, Overflow, WindowSpec};
use crate::tuple::Arena;

#[derive(Clone, Copy, Debug)]
enum Place {
    Timed(usize),
    Arrived(usize),
    Whole(usize),
}

/// The windows of one task: by entry number of the key.
pub struct Rolling {
    timed: Option<Track>,
    arrived: Option<Track>,
    whole: Option<Whole>,
    calls: Vec<Place>,
    lateness: i64,
}

impl Rolling {
    /// Windows and calls over them. Rows may be up to `lateness` microseconds older than the newest of their key.
    pub fn new(windows: &[WindowSpec], calls: &[CallSpec], lateness: i64) -> Rolling {
        let mut places = vec![Place::Whole(0); calls.len()];
        let longest = windows.iter().filter_map(|w| if let Length::Time(l) = w.length { Some(l) } else { None }).max();
        let of = |wanted: &dyn Fn(Length) -> Option<i64>| {
            let mut lengths: Vec<(i64, bool)> = Vec::new();
            let mut specs = Vec::new();
            let mut numbers = Vec::new();
            for (number, call) in calls.iter().enumerate() {
                let window = windows[call.window];
                let Some(length) = wanted(window.length) else { continue };
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
        let mut track = |order: Order, (lengths, specs, numbers): (Vec<(i64, bool)>, Vec<CallSpec>, Vec<usize>)| {
            if specs.is_empty() {
                return None;
            }
            let (track, at) = Track::new(order, &lengths, &specs);
            for (number, at) in numbers.into_iter().zip(at) {
                places[number] = if order == Order::Arrival { Place::Arrived(at) } else { Place::Timed(at) };
            }
            Some(track)
        };
        let timed = track(Order::Time(keep), of(&|l| if let Length::Time(l) = l { Some(l) } else { None }));
        let rows = |l| if let Length::Rows(n) = l { Some(i64::try_from(n).unwrap_or(i64::MAX)) } else { None };
        let arrived = track(Order::Arrival, of(&rows));
        let (_, specs, numbers) = of(&|l| (l == Length::All).then_some(0));
        let exclude: Vec<bool> = numbers.iter().map(|n| windows[calls[*n].window].exclude_current).collect();
        for (at, number) in numbers.into_iter().enumerate() {
            places[number] = Place::Whole(at);
        }
        let whole = (!specs.is_empty()).then(|| Whole::new(&specs, &exclude));
        Rolling { timed, arrived, whole, calls: places, lateness }
    }

    /// Makes the state of a key empty: for a new entry, an expired one, and one that was freed.
    pub fn reset(&mut self, entry: u32) {
        if let Some(track) = &mut self.timed {
            track.reset(entry);
        }
        if let Some(track) = &mut self.arrived {
            track.reset(entry);
        }
        if let Some(whole) = &mut self.whole {
            whole.reset(entry);
        }
    }

    /// Asks for the state of a key; purely a hint.
    #[inline]
    pub fn prefetch_state(&self, entry: u32) {
        self.timed.iter().chain(&self.arrived).for_each(|track| track.prefetch_state(entry));
        self.whole.iter().for_each(|whole| whole.prefetch_state(entry));
    }

    /// Asks for the oldest and newest rows of a key; purely a hint.
    #[inline]
    pub fn prefetch_rows(&self, entry: u32) {
        self.timed.iter().chain(&self.arrived).for_each(|track| track.prefetch_rows(entry));
    }

    /// Whether a row comes too late for the windows of its key.
    #[inline]
    pub fn is_late(&self, entry: u32, time: i64) -> bool {
        self.timed.as_ref().is_some_and(|track| time < track.newest(entry).saturating_sub(self.lateness))
    }

    /// Moves the windows of a key to the time of a row.
    #[inline]
    pub fn begin(&mut self, entry: u32, time: i64) {
        if let Some(track) = &mut self.timed {
            track.begin(entry, time);
        }
        if let Some(track) = &mut self.arrived {
            track.begin(entry, time);
        }
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
        match (self.calls[call], &self.timed, &self.arrived, &self.whole) {
            (Place::Timed(at), Some(track), _, _) | (Place::Arrived(at), _, Some(track), _) => {
                track.read(at, entry, row, arena)
            }
            (Place::Whole(at), _, _, Some(whole)) => whole.read(at, entry, row, arena),
            _ => Ok(None),
        }
    }

    /// Number of rows in a call's window of rows or time, without the current one.
    #[inline]
    pub fn rows(&self, call: usize, entry: u32) -> u32 {
        match (self.calls[call], &self.timed, &self.arrived) {
            (Place::Timed(at), Some(track), _) | (Place::Arrived(at), _, Some(track)) => track.rows(at, entry),
            _ => 0,
        }
    }

    /// Adds the current row.
    #[inline]
    pub fn commit(&mut self, entry: u32, time: i64, arguments: &[u64], flags: u64) {
        let row = Row { time, arguments, flags };
        if let Some(track) = &mut self.timed {
            track.commit(entry, row);
        }
        if let Some(track) = &mut self.arrived {
            track.commit(entry, row);
        }
        if let Some(whole) = &mut self.whole {
            whole.commit(entry, row);
        }
    }

    /// Leaves no trace of the current row.
    #[cold]
    pub fn abort(&mut self, entry: u32) {
        self.timed.iter_mut().chain(&mut self.arrived).for_each(|track| track.abort(entry));
    }
}
