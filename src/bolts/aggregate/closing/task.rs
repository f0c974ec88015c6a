//! One task of a bolt whose window closes: rows go in, timers bring windows out.
//!
//! A key has one timer, which stands at what its windows wait for next or before that; when it fires too early, it is set
//! again. Rows and windows compare times, so no result depends on when a timer fires.

use super::{Fact, Plan};
use crate::bolts::aggregate::program::Program;
use crate::bolts::aggregate::work::{self, Answers, Steps, Work};
use crate::bolts::{FOREVER, failure_text};
use crate::component::{Bolt, BoltBuild, ComponentError, ERRORS, Flow, Step};
use crate::store::{
    Codec, Content, Index, KeyReader, KeyRef, KeyWriter, Life, LifeMeter, ListsOf, Slab, Space, State, StoreError,
    Timers,
};
use crate::tuple::{Arena, Frame, RUN_TUPLES, Run, Slot};
use crate::window::Overflow;
use crate::window::closing::{Closing, Taken, Window};

/// No timer.
const NO_TIMER: i64 = i64::MAX;

/// No entry.
const NONE: u32 = u32::MAX;

/// The windows of keys, and the deadline at which each has its timer.
struct Windows {
    closing: Closing,
    timers: Slab<i64>,
}

impl Content for Windows {
    fn encode(&mut self, entry: u32, life: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        self.timers.get(entry).write(out);
        self.closing.encode(entry, life, out);
    }

    fn decode(&mut self, entry: u32, mut bytes: &[u8], space: &Space) -> Result<(), StoreError> {
        let cut = || StoreError::Damaged { what: "the windows of a key".to_owned(), why: "they are cut".to_owned() };
        *self.timers.get_mut(entry) = i64::read(&mut bytes).ok_or_else(cut)?;
        self.closing.decode(entry, bytes, space)
    }

    fn reset(&mut self, entry: u32) {
        self.timers.reach(entry);
        *self.timers.get_mut(entry) = NO_TIMER;
        self.closing.reset(entry);
    }

    fn touched(&self, entry: u32) -> i64 {
        self.closing.newest(entry)
    }

    fn used_bytes(&self, entries: usize) -> usize {
        self.closing.used_bytes(entries) + entries * 8
    }
}

/// A window answers calls: no row is left to be looked at.
struct AtEnd<'a>(&'a Closing);

impl Answers for AtEnd<'_> {
    fn answer(&self, call: usize, _: &[u64], _: u64, arena: &Arena) -> Result<Option<u64>, Overflow> {
        self.0.read(call, arena)
    }

    fn rows(&self, _: usize) -> u32 {
        0
    }
}

/// One task of the bolt.
pub struct Task {
    key: KeyReader,
    writer: KeyWriter,
    index: Index,
    windows: Windows,
    timers: Timers,
    life: Option<Box<Life>>,
    /// What a row goes through.
    taking: Steps,
    /// What a window goes through.
    leaving: Steps,
    arguments: Vec<u64>,
    facts: Vec<(Fact, Slot)>,
    lateness: Slot,
    /// The key whose windows leave at once.
    current: u32,
    key_bytes: Vec<u8>,
}

impl Task {
    pub fn new(plan: &Plan, build: &BoltBuild<'_>) -> Result<Task, ComponentError> {
        let added = &plan.added;
        let program = Program::new(added);
        let of_facts = &build.scratch[added.entries.calls.len()..];
        let fact_slot = |at: usize| plan.facts[at].1.map_or(of_facts[at], |column| build.outputs[0][column]);
        let column = |column: usize| match column.checked_sub(plan.rows) {
            None => build.inputs[0][column],
            Some(fact) => fact_slot(fact),
        };
        let steps = work::compile(&program, added, &|number| added.slot(number, build, column));
        let (mut taking, mut leaving) = (Steps::default(), Steps::default());
        for (work, name) in steps.into_iter().flat_map(|steps| steps.work.into_iter().zip(steps.names)) {
            let of_row = matches!(work, Work::Filter { .. } | Work::Argument { .. });
            let steps = if of_row { &mut taking } else { &mut leaving };
            steps.work.push(work);
            steps.names.push(name);
        }
        let calls = program.calls(added, &vec![0; added.entries.calls.len()]);
        let key_columns = build.key.first().map_or(&[][..], |key| key);
        let key = KeyReader::new(key_columns);
        let lateness = build.outputs[1].last().copied();
        Ok(Task {
            index: Index::new(key.is_word()),
            key,
            writer: KeyWriter::new(key_columns),
            windows: Windows { closing: Closing::new(&plan.spec, &calls), timers: Slab::new() },
            // A key lives as long as it has windows: it is removed when it has none.
            life: build.life("windows", &plan.fingerprint, FOREVER, 0)?,
            timers: Timers::new(build.life("deadlines", "when windows close", FOREVER, 0)?),
            taking,
            leaving,
            arguments: vec![0; program.arguments.len()],
            facts: plan.facts.iter().enumerate().map(|(at, (fact, _))| (*fact, fact_slot(at))).collect(),
            lateness: lateness.expect("the last column of the late rows is how late they are"),
            current: NONE,
            key_bytes: Vec::new(),
        })
    }

    /// The entry of a key; one without windows may be new.
    fn entry(
        key: KeyRef<'_>,
        time: i64,
        index: &mut Index,
        windows: &mut Windows,
        life: &mut Option<Box<Life>>,
    ) -> u32 {
        if let Some(entry) = index.find(key) {
            return entry;
        }
        match life {
            Some(life) => {
                life.make_room(index, windows, |_| {});
                life.admit(key, time, index, windows).0
            }
            None => {
                let entry = index.insert(key);
                windows.reset(entry);
                entry
            }
        }
    }

    /// Sees to it that the timer of a key stands early enough, and frees a key that has no windows any more; a timer that
    /// was set.
    fn settle(&mut self, entry: u32) -> Option<i64> {
        let timer = *self.windows.timers.get(entry);
        let next = self.windows.closing.next(entry);
        let empty = next.is_none() && self.windows.closing.is_empty(entry);
        if next.is_none_or(|next| next >= timer) && !empty {
            return None;
        }
        self.key_bytes.clear();
        self.index.key(entry, &mut self.key_bytes);
        let key = KeyRef::new(&self.key_bytes);
        if timer != NO_TIMER {
            self.timers.cancel(key, timer);
        }
        if empty {
            match &mut self.life {
                Some(life) => life.remove(entry, &mut self.index, &mut self.windows),
                None => {
                    self.index.remove(entry);
                    self.windows.reset(entry);
                }
            }
            return None;
        }
        *self.windows.timers.get_mut(entry) = next?;
        self.timers.set(key, next?);
        next
    }

    /// The same for a key that a row has come for.
    fn settle_row(&mut self, entry: u32, step: &mut Step<'_>) {
        if let Some(deadline) = self.settle(entry) {
            step.wake_after(deadline);
        }
    }

    /// A window leaves: its columns are written; false, with the failure, if one cannot be computed.
    fn leave(&mut self, window: Window, frame: &mut Frame, step: &mut Step<'_>) -> bool {
        frame.set_time(window.time);
        for (fact, slot) in &self.facts {
            let word = match fact {
                Fact::Start => window.start as u64,
                Fact::End => window.end as u64,
                Fact::Revision => u64::from(window.revision),
                Fact::Closed => u64::from(window.closed),
            };
            frame.set(*slot, word);
        }
        let answers = AtEnd(&self.windows.closing);
        match work::run(&self.leaving.work, 0, frame, step.arena, &mut self.arguments, &answers) {
            Ok(_) => true,
            Err((number, error)) => {
                step.error(error.reason, failure_text(&self.leaving.names[number], &error));
                false
            }
        }
    }
}

impl Bolt for Task {
    fn resolve(&mut self, _input: usize, run: &Run) {
        let mut hashes = [0; RUN_TUPLES];
        for (at, hash) in hashes[..run.len()].iter_mut().enumerate() {
            // What a NULL key finds is not looked at.
            *hash = self.key.read(run.frame(at)).map_or(0, |key| key.hash);
            self.index.prefetch(*hash);
        }
        for hash in &hashes[..run.len()] {
            if let Some(entry) = self.index.guess(*hash) {
                self.windows.closing.prefetch_key(entry);
            }
        }
    }

    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        let Some(key) = self.key.read(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        let nothing = AtEnd(&self.windows.closing);
        let flags = match work::run(&self.taking.work, 0, frame, step.arena, &mut self.arguments, &nothing) {
            Ok(flags) => flags,
            Err((number, error)) => {
                return step.error(error.reason, failure_text(&self.taking.names[number], &error));
            }
        };
        let entry = Task::entry(key, time, &mut self.index, &mut self.windows, &mut self.life);
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.windows);
        }
        match self.windows.closing.take(entry, time, &self.arguments, flags, step.watermark) {
            Taken::Late => {
                self.settle_row(entry, step);
                frame.set(self.lateness, step.watermark.saturating_sub(time) as u64);
                Flow::Port(1)
            }
            Taken::In { ready: true, .. } => {
                self.current = entry;
                Flow::Many
            }
            Taken::In { changed, ready: false } => {
                if changed {
                    self.settle_row(entry, step);
                }
                Flow::Skip
            }
        }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        if self.current == NONE {
            return None;
        }
        match self.windows.closing.next_ready(self.current) {
            Some(window) => Some(if self.leave(window, frame, step) { 0 } else { ERRORS }),
            None => {
                let entry = std::mem::replace(&mut self.current, NONE);
                self.settle_row(entry, step);
                None
            }
        }
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let due = self.timers.due(step.watermark, &mut self.key_bytes);
        if due.is_none() {
            step.wake_after(self.timers.earliest());
        }
        let deadline = due?;
        let key = KeyRef::new(&self.key_bytes);
        let entry = Task::entry(key, deadline, &mut self.index, &mut self.windows, &mut self.life);
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.windows);
        }
        *self.windows.timers.get_mut(entry) = NO_TIMER;
        let window = self.windows.closing.fire(entry, deadline, step.watermark == i64::MAX);
        let known = window.is_some() && self.writer.write(&self.key_bytes, frame, step.arena);
        self.settle(entry);
        step.wake_after(self.timers.earliest());
        // The timer of a session that has gone on is early: others may be due before the one that it has now.
        let Some(window) = window.filter(|_| known) else { return Some(Flow::Skip) };
        Some(if self.leave(window, frame, step) { Flow::Next } else { Flow::Error })
    }

    fn deadline(&self) -> i64 {
        self.timers.earliest()
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut Keys { life: &mut self.life, index: &self.index, windows: &mut self.windows });
        each(&mut self.timers);
    }
}

/// The windows of all keys, as the runtime sees them.
struct Keys<'a> {
    life: &'a mut Option<Box<Life>>,
    index: &'a Index,
    windows: &'a mut Windows,
}

impl State for Keys<'_> {
    fn barrier(&mut self, epoch: u64) {
        if let Some(life) = &mut self.life {
            life.barrier(epoch);
        }
    }

    fn hand_over(&mut self, budget: usize) -> bool {
        self.life.as_mut().is_some_and(|life| life.hand_over(budget, self.index, self.windows))
    }

    fn meter(&self) -> Option<LifeMeter> {
        Some(self.life.as_ref()?.meter(self.index, self.windows))
    }
}
