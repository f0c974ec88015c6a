//! Inputs of a pipeline: splits that are read here, and channels.
//!
//! Owns the run that an input's tuples are decoded into, and what the input promises about time. Never follows a tuple.
//!
//! A split promises what its tuples say. While it gives nothing, time goes on: where records have the time of their
//! arrival, with the wall's clock; else, after a silence of `idle`, from where its tuples have left it, as if the next
//! came `idle` late. So a silent feed's timers fire, and what it says later is late only if it is later than that.

use super::channel::{Item, Receiver};
use super::meter::TaskMeter;
use super::program::Targets;
use crate::component::{ComponentError, Intake, Polled, Reject, Spout};
use crate::latency::Recorder;
use crate::store::{ClosedSplit, SplitFacts};
use crate::tuple::{Layout, Run, Slot};
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::Duration;

/// Records that became no tuple and wait for the first one, at most.
const REJECTS_HELD: usize = 4096;
/// In such steps time goes on while a split is silent: others are woken for each.
pub(super) const SILENT_STEP: Duration = Duration::from_millis(10);

/// A watermark that no deadline reaches: the input has ended.
pub const ENDED: i64 = i64::MAX;

/// An input.
pub struct Input {
    /// What it reads.
    pub source: Source,
    /// Where its tuples go.
    pub targets: Targets,
    /// Tuples that were read and not yet followed.
    pub run: Run,
    /// The next of them.
    pub next: usize,
    /// Nodes whose keys can be looked up when a run arrives: (task, input).
    pub resolve: Vec<(u16, u16)>,
    /// Its promise: no later tuple has an event time below it; `i64::MAX` at its end.
    pub watermark: i64,
    /// Whether it has come to its end.
    pub ended: bool,
    /// Whether it was told to end where it stood.
    pub cut: bool,
    /// Whether it holds time back no longer, being at its end: that of what nothing else reaches has ended.
    pub let_go: bool,
    /// Whether it has delivered the barrier that the pipeline waits for.
    pub aligned: bool,
    /// How often it is behind (in tuples) of what `watermark` promises: its disorder, microseconds.
    pub disorder: i64,
    /// After what silence it no longer holds time back, nanoseconds.
    pub idle_ns: Option<u64>,
    /// Whether its silence has lasted that long: it holds nobody's time back.
    pub idle: bool,
    /// Whether its promise has moved without tuples.
    pub moved_silently: bool,
    silence: Silence,
}

/// How long a split has been silent, nanoseconds.
#[derive(Default)]
struct Silence {
    /// When it last delivered something, or was not asked for so long that nobody knows.
    since: u64,
    /// When it was last asked.
    asked: u64,
    /// What it had promised when it fell idle.
    promise: i64,
}

/// What an input reads.
pub enum Source {
    /// A split of a spout.
    Split(Box<Split>),
    /// A channel.
    Channel(Box<Channel>),
}

/// A split of a spout.
pub struct Split {
    /// The spout.
    pub spout: Box<dyn Spout>,
    /// Index of its component, for reports.
    pub component: usize,
    /// The spout's id.
    pub component_name: String,
    /// The split's name.
    pub name: String,
    /// Its number, as in the origin of tuples.
    pub id: u32,
    /// Whether it comes to an end by itself.
    pub finite: bool,
    /// Whether a column of its records says their event time.
    pub timed: bool,
    /// Records that became no tuple.
    pub rejects: Vec<Reject>,
    /// Side streams: name, targets, slots of their columns as in [`RejectColumn`].
    pub sides: Vec<Side>,
    /// Counts.
    pub meter: TaskMeter,
    /// When its next tuple is due, nanoseconds; zero if it can be asked at any time.
    pub due_ns: u64,
    /// Where it had been read to when the last epoch ended, or it was opened.
    pub closed_at: u64,
    /// Position of the first record that was read and given back, since it was told to end; past all if there is none.
    pub given_back: u64,
    /// Positions at which something is known to panic: after each an epoch becomes durable before more is read.
    pub panics: VecDeque<u64>,
}

impl Split {
    /// Whether it has been read on since the last epoch ended, be it over what became no tuple: what was read over need not
    /// be read again.
    pub fn has_moved(&self) -> bool {
        self.spout.position() != self.closed_at
    }

    /// What the store knows it by.
    pub fn key(&self) -> String {
        split_key(&self.component_name, &self.name)
    }

    /// How far it has been followed when an epoch ends, for the committer.
    pub fn closed(&self, input: &Input) -> ClosedSplit {
        ClosedSplit {
            name: self.key(),
            facts: self.facts(input),
            promise: input.watermark,
            // Who was told to end where it stood goes on from there at the next start.
            silent: input.ended && !input.cut && !input.has_tuples() || input.idle,
            finite: self.finite,
        }
    }

    /// How far it has been followed: what was read and not followed would be read again.
    pub fn facts(&self, input: &Input) -> SplitFacts {
        let unread = self.spout.position();
        let rejected = self.rejects.first().map_or(unread, |reject| reject.position);
        let position = unread.min(rejected).min(input.next_position()).min(self.given_back);
        // Those that still wait for the first tuple, whose time they take, wait for it at the next start as well.
        let time = input.newest().filter(|_| rejected >= input.next_position().min(unread));
        SplitFacts { id: self.id, position, time, identity: self.spout.identity() }
    }
}

/// What the store knows a split of a component by.
pub fn split_key(component: &str, split: &str) -> String {
    format!("{component}/{split}")
}

/// A side stream of a spout.
#[derive(Clone)]
pub struct Side {
    /// `errors`, `unmatched`, ...
    pub stream: &'static str,
    /// Where its rows go.
    pub targets: Targets,
    /// Its columns: what stands in them, where.
    pub columns: Vec<(RejectColumn, Slot)>,
}

/// What a column of a spout's side stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectColumn {
    /// The spout's id.
    Component,
    /// The reason.
    Reason,
    /// The split's number.
    Split,
    /// The record's position.
    Position,
    /// What was wrong.
    Text,
    /// The record.
    Record,
}

impl RejectColumn {
    /// By the name of the column.
    pub fn of(name: &str) -> Option<RejectColumn> {
        Some(match name {
            "component" => RejectColumn::Component,
            "reason" => RejectColumn::Reason,
            "split" => RejectColumn::Split,
            "position" => RejectColumn::Position,
            "text" => RejectColumn::Text,
            "record" | "line" => RejectColumn::Record,
            _ => return None,
        })
    }
}

/// A channel.
pub struct Channel {
    /// The reading end.
    pub receiver: Receiver,
    /// A control item that came behind the tuples of the run.
    pub item: Option<Item>,
    /// The watermark that each tuple of the run came behind.
    pub watermarks: Vec<i64>,
    /// Sampled time from being sent to being read.
    pub wait: Recorder,
    /// Tuples read.
    pub tuples: u64,
    /// Its number in the plan, for reports.
    pub id: usize,
}

/// What asking an input gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Tuples, rejects or a control item; or room that the sender waits for was given back.
    Something,
    /// Nothing now; until this time (nanoseconds), if it is known.
    Nothing(Option<u64>),
}

impl Input {
    /// An input of frames of `layout`.
    pub fn new(source: Source, targets: Targets, layout: Layout) -> Input {
        Input {
            source,
            targets,
            run: Run::new(layout),
            next: 0,
            resolve: Vec::new(),
            watermark: i64::MIN,
            ended: false,
            cut: false,
            let_go: false,
            aligned: false,
            disorder: 0,
            idle_ns: None,
            idle: false,
            moved_silently: false,
            silence: Silence::default(),
        }
    }

    /// Whether tuples wait to be followed.
    #[inline]
    pub fn has_tuples(&self) -> bool {
        self.next < self.run.len()
    }

    /// Whether all that it will ever give has been followed: it has ended, and not because it was told to.
    #[inline]
    pub fn is_over(&self) -> bool {
        let given_back = matches!(&self.source, Source::Split(split) if split.given_back != u64::MAX);
        self.ended && !self.cut && !self.has_tuples() && !given_back
    }

    /// Where all that comes from it goes, broken records included.
    pub fn all_targets(&self) -> impl Iterator<Item = Targets> {
        let sides: &[Side] = match &self.source {
            Source::Split(split) => &split.sides,
            Source::Channel(_) => &[],
        };
        [self.targets.clone()].into_iter().chain(sides.iter().map(|side| side.targets.clone()))
    }

    /// Whether it is a split.
    #[inline]
    pub fn is_split(&self) -> bool {
        matches!(self.source, Source::Split(_))
    }

    /// Whether records that became no tuple wait to be followed.
    #[inline(always)]
    pub fn has_rejects(&self) -> bool {
        matches!(&self.source, Source::Split(split) if !split.rejects.is_empty())
    }

    /// Whether records that became no tuple wait for the first one, which tells where in time they stand: what is read
    /// from a file years later must not be followed as if it had happened today.
    #[inline]
    pub fn withholds(&self) -> bool {
        let Source::Split(split) = &self.source else { return false };
        self.is_untold() && !self.has_tuples() && !self.ended && split.rejects.len() < REJECTS_HELD
    }

    /// Whether no tuple has told yet how far a split is that only its tuples can tell it of.
    #[inline]
    pub fn is_untold(&self) -> bool {
        self.watermark == i64::MIN && matches!(&self.source, Source::Split(split) if split.finite && split.timed)
    }

    /// Position of the next tuple of the run, or past all.
    pub fn next_position(&self) -> u64 {
        if self.has_tuples() { self.run.frame(self.next).position() } else { u64::MAX }
    }

    /// What was read of a split and not followed counts as unread.
    pub fn give_back(&mut self) {
        let (next, left) = (self.next_position(), self.run.len() - self.next);
        let Source::Split(split) = &mut self.source else { return };
        let rejected = split.rejects.first().map_or(u64::MAX, |reject| reject.position);
        split.given_back = split.given_back.min(next).min(rejected);
        split.meter.tuples_in -= left as u64;
        split.rejects.clear();
        self.release();
    }

    /// Whether its next tuple may be followed now.
    #[inline]
    pub fn ready(&self) -> bool {
        self.has_tuples() && !self.aligned
    }

    /// Reads a run; only when the last one is used up. `now` in nanoseconds; `wall` gives it in
    /// microseconds since 1970, for a split.
    ///
    /// # Errors
    /// The split cannot be read on; the input has ended.
    pub fn ask(&mut self, now: u64, wall: impl FnOnce() -> i64) -> Result<Asked, ComponentError> {
        debug_assert!(!self.has_tuples() && !self.ended);
        let released = self.release();
        match &mut self.source {
            Source::Split(split) => {
                let wall = wall();
                if now < split.due_ns {
                    let due = split.due_ns;
                    self.silent(now, wall);
                    return Ok(Asked::Nothing(Some(due)));
                }
                split.due_ns = 0;
                let mut intake = Intake { run: &mut self.run, rejects: &mut split.rejects, now, wall };
                let polled = split.spout.poll(&mut intake);
                split.meter.tuples_in += self.run.len() as u64;
                match polled {
                    Ok(Polled::Some) => self.heard(now),
                    Ok(Polled::Nothing(due)) => {
                        split.due_ns = due.unwrap_or(0);
                        // Where more can be had at once, nobody knows yet how far it is.
                        let behind = due.is_some_and(|due| due <= now);
                        self.silent(now, if behind { i64::MIN } else { wall });
                        return Ok(Asked::Nothing(due));
                    }
                    Ok(Polled::End) => self.ended = true,
                    Err(error) => {
                        self.ended = true;
                        return Err(error);
                    }
                }
                Ok(Asked::Something)
            }
            Source::Channel(channel) => {
                let Channel { receiver, item, watermarks, wait, tuples, .. } = &mut **channel;
                if item.is_some() {
                    return Ok(Asked::Something);
                }
                *item = receiver.receive(&mut self.run, watermarks, |sent| wait.record(now, now.saturating_sub(sent)));
                *tuples += self.run.len() as u64;
                self.idle &= self.run.is_empty();
                if self.run.is_empty() && item.is_none() && !released {
                    return Ok(Asked::Nothing(None));
                }
                Ok(Asked::Something)
            }
        }
    }

    /// The tuples of the run are used up: their memory is given back; whether a sender got room by that.
    pub fn release(&mut self) -> bool {
        self.run.clear();
        self.next = 0;
        let Source::Channel(channel) = &mut self.source else { return false };
        channel.watermarks.clear();
        channel.receiver.release()
    }

    /// The next tuple has this event time: what the input now promises.
    #[inline(always)]
    pub fn saw(&mut self, time: i64) {
        let promise = time.saturating_sub(self.disorder);
        if promise > self.watermark {
            self.watermark = promise;
        }
    }

    /// The largest event time that it has promised from.
    fn newest(&self) -> Option<i64> {
        let unknown = self.watermark == i64::MIN || self.watermark == ENDED;
        (!unknown).then(|| self.watermark.saturating_add(self.disorder))
    }

    /// The first event time that none of its tuples had, where it is at its end; none while nothing is known.
    pub(super) fn behind_the_last(&self) -> Option<i64> {
        match &self.source {
            Source::Split(_) => self.newest().map(|time| time.saturating_add(1).min(ENDED - 1)),
            // Its sender has said so.
            Source::Channel(_) => (self.watermark != i64::MIN && self.watermark != ENDED).then_some(self.watermark),
        }
    }

    /// The event time of a record that became no tuple: as far as the split is known to be, else where its first tuple
    /// stands, else the time of arrival.
    pub fn time_of_reject(&self, wall: i64) -> i64 {
        match self.watermark {
            i64::MIN if self.has_tuples() => self.run.frame(self.next).time().saturating_sub(self.disorder),
            i64::MIN => wall,
            known => known,
        }
    }

    /// Tuple `index` of the run, which has this event time, is about to be followed: what the input now promises. A
    /// split's own tuples say how far it is; a channel may carry several splits, so its sender says it.
    #[inline(always)]
    pub fn reached(&mut self, index: usize, time: i64) {
        match &self.source {
            Source::Split(_) => self.saw(time),
            Source::Channel(channel) => self.watermark = self.watermark.max(channel.watermarks[index]),
        }
    }

    /// What its split can be waited for by.
    pub fn wait_on(&mut self) -> Option<RawFd> {
        match &mut self.source {
            Source::Split(split) => split.spout.wait_on(),
            Source::Channel(_) => None,
        }
    }

    /// Whether its time goes on, or may soon, without tuples.
    pub fn moves_silently(&self) -> bool {
        let lag = |split: &Split| split.spout.lag(split.timed).is_some();
        self.idle_ns.is_some() || matches!(&self.source, Source::Split(split) if lag(split))
    }

    fn heard(&mut self, now: u64) {
        (self.silence.since, self.silence.asked) = (now, now);
        self.idle = false;
    }

    /// A split has given nothing: its time may go on without tuples, with the wall's where nothing is behind it.
    fn silent(&mut self, now: u64, wall: i64) {
        let Source::Split(split) = &self.source else { return };
        let mut promise = split.spout.lag(split.timed).map(|lag| wall.saturating_sub(lag));
        let live = !split.finite;
        if let Some(idle) = self.idle_ns {
            let Silence { since, asked, .. } = &mut self.silence;
            if now.saturating_sub(*asked) >= idle {
                // Nobody has asked for that long: it may have had something to say.
                *since = now;
            }
            *asked = now;
            let silence = now.saturating_sub(*since);
            let was_idle = std::mem::replace(&mut self.idle, silence >= idle);
            if self.idle && !was_idle {
                self.silence.promise = self.watermark;
            }
            if self.idle && live && self.silence.promise != i64::MIN {
                let gone = i64::try_from((silence - idle) / 1000).unwrap_or(i64::MAX);
                promise = promise.max(Some(self.silence.promise.saturating_add(gone)));
            }
        }
        if let Some(promise) = promise.map(|promise| promise.min(ENDED - 1))
            && promise >= self.watermark.saturating_add(SILENT_STEP.as_micros() as i64)
        {
            self.watermark = promise;
            self.moved_silently = true;
        }
    }
}
