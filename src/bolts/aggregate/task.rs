//! One task: the steps of a row, and the state of keys.

use super::Plan;
use super::program::{Argument, Program};
use super::work::{self, Answers, Steps};
use crate::bolts::failure_text;
use crate::component::{Bolt, BoltBuild, ComponentError, Flow, Step};
use crate::expr::EvalError;
use crate::store::{Index, KeyReader, KeyRef, Life, LifeMeter, State};
use crate::tuple::{Arena, DataType, Frame, RUN_TUPLES, Run, Slot, TextWord};
use crate::window::{Overflow, Rolling};

/// Expired keys are looked for at one place in so many tuples, and at so many places for each new key.
const SWEEP_EVERY: u32 = 8;
const SWEEP_NEW: usize = 4;

/// No entry is known.
const NONE: u32 = u32::MAX;

/// Bytes of state for a key, and for a row in windows of time and of rows.
pub fn bytes(plan: &Plan) -> (usize, [Option<usize>; 2]) {
    rolling(&Program::new(&plan.added), plan).bytes()
}

/// The windows of a task.
fn rolling(program: &Program, plan: &Plan) -> Rolling {
    Rolling::new(&plan.windows, &program.calls(&plan.added, &plan.of_call), &program.values(), plan.lateness)
}

/// The windows at a row.
struct AtRow<'a> {
    rolling: &'a Rolling,
    entry: u32,
    time: i64,
}

impl Answers for AtRow<'_> {
    #[inline(always)]
    fn answer(&self, call: usize, arguments: &[u64], flags: u64, arena: &Arena) -> Result<Option<u64>, Overflow> {
        self.rolling.read(call, self.entry, self.time, arguments, flags, arena)
    }

    #[inline(always)]
    fn rows(&self, call: usize) -> u32 {
        self.rolling.rows(call, self.entry)
    }
}

/// One task of the bolt.
pub struct Task {
    inputs: Vec<Input>,
    /// Whether keys are words.
    by_word: bool,
    index: Index,
    rolling: Rolling,
    ttl: i64,
    arguments: Vec<u64>,
    /// Arguments of which none is there.
    no_arguments: Vec<u64>,
    /// Entries of the tuples of the run, none that was freed since.
    resolved: [Resolved; RUN_TUPLES],
    run: usize,
    until_sweep: u32,
    life: Option<Box<Life>>,
    /// Where rows that are too late say how late they are.
    lateness: Option<Slot>,
}

/// What rows of an input go through.
struct Input {
    key: KeyReader,
    steps: Steps,
    /// The flags that all of them have.
    flags: u64,
    /// Whether a row leaves for each.
    leaves: bool,
    /// What is copied to columns of each stream.
    copies: [Vec<(Slot, Slot)>; 2],
}

impl Task {
    pub(super) fn new(plan: &Plan, build: &BoltBuild<'_>) -> Result<Task, ComponentError> {
        let added = &plan.added;
        let program = Program::new(added);
        let column = |column: usize| {
            let input = added.input_of(column).unwrap_or(0);
            build.inputs[input][column - added.inputs[input].first]
        };
        let steps = work::compile(&program, added, &|number| added.slot(number, build, column));
        let inputs: Vec<Input> = steps
            .into_iter()
            .enumerate()
            .map(|(input, steps)| Input {
                key: KeyReader::new(build.key.get(input).map_or(&[], |key| key)),
                steps,
                flags: program.foreign_flags(added.inputs.len(), input),
                leaves: input == added.at,
                copies: [0, 1].map(|port: usize| {
                    let slots = |(from, to): &(usize, usize)| (build.inputs[added.at][*from], build.outputs[port][*to]);
                    plan.copies[port].iter().map(slots).collect()
                }),
            })
            .collect();
        let by_word = inputs.iter().all(|input| input.key.is_word());
        let empty = |argument: &Argument| match argument.expr.data_type() {
            DataType::Text => TextWord::EMPTY.0,
            _ => 0,
        };
        let no_arguments: Vec<u64> = program.arguments.iter().map(empty).collect();
        let rolling = rolling(&program, plan);
        let life = build.life("windows", &plan.fingerprint, plan.ttl, rolling.keep())?;
        let rolling = match &life {
            Some(life) => rolling.durable(life.space().clone()),
            None => rolling,
        };
        Ok(Task {
            by_word,
            index: Index::new(by_word),
            inputs,
            ttl: plan.ttl,
            rolling,
            arguments: no_arguments.clone(),
            no_arguments,
            resolved: [UNRESOLVED; RUN_TUPLES],
            run: 0,
            until_sweep: SWEEP_EVERY,
            life,
            lateness: build.outputs.get(1).and_then(|late| late.last()).copied(),
        })
    }

    /// Takes a row through all steps: its flags, or the step that failed and why.
    #[inline]
    fn compute(
        &mut self,
        input: usize,
        entry: u32,
        frame: &mut Frame,
        step: &Step<'_>,
    ) -> Result<u64, (usize, EvalError)> {
        let row = AtRow { rolling: &self.rolling, entry, time: frame.time() };
        if self.inputs.len() > 1 {
            // What rows of other inputs have given is not there.
            self.arguments.copy_from_slice(&self.no_arguments);
        }
        let Input { steps, flags, .. } = &self.inputs[input];
        work::run(&steps.work, *flags, frame, step.arena, &mut self.arguments, &row)
    }
}

/// A tuple of the run and the entry that its key had.
#[derive(Clone, Copy)]
struct Resolved {
    /// The key, where it is a word.
    word: u64,
    entry: u32,
}

const UNRESOLVED: Resolved = Resolved { word: 0, entry: NONE };

impl Task {
    /// Places of keys, used or free.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.index.used()
    }

    /// The entry of a tuple's key, and whether it has just been made; none if the key is NULL.
    #[inline(always)]
    fn entry(&mut self, input: usize, frame: &Frame, resolved: Resolved) -> Option<(u32, bool)> {
        if self.by_word {
            let word = self.inputs[input].key.word(frame)?;
            // An entry that was freed since has been taken out of what is resolved.
            if resolved.entry != NONE && resolved.word == word {
                return Some((resolved.entry, false));
            }
            let bytes = word.to_le_bytes();
            let key = KeyRef::new(&bytes);
            return Some(match self.index.find(key) {
                Some(entry) => (entry, false),
                None => admit(
                    key,
                    frame.time(),
                    &mut self.index,
                    &mut self.rolling,
                    &mut self.life,
                    &mut self.resolved[..self.run],
                ),
            });
        }
        let key = self.inputs[input].key.bytes(frame)?;
        if resolved.entry != NONE && self.index.holds(resolved.entry, key) {
            return Some((resolved.entry, false));
        }
        let key = KeyRef::new(key);
        Some(match self.index.find(key) {
            Some(entry) => (entry, false),
            None => admit(
                key,
                frame.time(),
                &mut self.index,
                &mut self.rolling,
                &mut self.life,
                &mut self.resolved[..self.run],
            ),
        })
    }

    /// Reads the keys of a run that are not in memory, all with one call.
    #[inline(always)]
    fn fetch(&mut self, input: usize, run: &Run) {
        let Some(life) = &mut self.life else { return };
        life.begin_run();
        for (index, resolved) in self.resolved[..run.len()].iter().enumerate().filter(|(_, r)| r.entry == NONE) {
            if self.by_word {
                if self.inputs[input].key.word(run.frame(index)).is_some() {
                    life.want(KeyRef::new(&resolved.word.to_le_bytes()));
                }
            } else if let Some(key) = self.inputs[input].key.read(run.frame(index)) {
                life.want(key);
            }
        }
        life.fetch();
    }

    /// Frees keys that have expired: one place is looked at now and then, several for each new key, so that there are
    /// never many more places than keys and rows that do not bring new keys pay next to nothing.
    #[inline(always)]
    fn sweep(&mut self, watermark: i64, inserted: bool) {
        self.until_sweep = self.until_sweep.wrapping_sub(1);
        if self.until_sweep == 0 || inserted {
            self.sweep_places(watermark, if inserted { SWEEP_NEW } else { 1 });
        }
    }

    #[inline(never)]
    fn sweep_places(&mut self, watermark: i64, places: usize) {
        self.until_sweep = SWEEP_EVERY;
        // With a life nothing is freed before room is needed: the next row of such a key would have to ask the store.
        if self.ttl == i64::MAX || self.life.is_some() {
            return;
        }
        for _ in 0..places {
            let Some(entry) = self.index.turn() else { continue };
            if watermark.saturating_sub(self.rolling.newest(entry)) > self.ttl {
                self.free(entry);
            }
            // The hand comes there only some rows later, when its state would long have had to be near.
            self.rolling.prefetch_state(entry.wrapping_add(1));
        }
    }

    /// Frees the entry of a key that has no state; with a life that has begun by now, and is told like any other.
    #[cold]
    fn free(&mut self, entry: u32) {
        if self.life.is_some() {
            return;
        }
        self.index.remove(entry);
        self.rolling.reset(entry);
        forget(&mut self.resolved[..self.run], entry);
    }
}

/// An entry was freed: what was resolved no longer has it.
fn forget(resolved: &mut [Resolved], entry: u32) {
    for resolved in resolved {
        if resolved.entry == entry {
            *resolved = UNRESOLVED;
        }
    }
}

/// The entry of a key that is not in memory, and whether it is a new one.
fn admit(
    key: KeyRef<'_>,
    time: i64,
    index: &mut Index,
    rolling: &mut Rolling,
    life: &mut Option<Box<Life>>,
    resolved: &mut [Resolved],
) -> (u32, bool) {
    let Some(life) = life else { return (index.insert(key), true) };
    life.make_room(index, rolling, |entry| forget(resolved, entry));
    life.admit(key, time, index, rolling)
}

impl Bolt for Task {
    fn resolve(&mut self, input: usize, run: &Run) {
        self.run = run.len();
        let mut hashes = [0; RUN_TUPLES];
        for (index, (resolved, hash)) in self.resolved[..run.len()].iter_mut().zip(&mut hashes).enumerate() {
            let frame = run.frame(index);
            let found = if self.by_word {
                self.inputs[input].key.word(frame).map(|word| (word, KeyRef::new(&word.to_le_bytes()).hash))
            } else {
                self.inputs[input].key.read(frame).map(|key| (key.hash, key.hash))
            };
            // What a NULL key finds is not looked at.
            let word;
            (word, *hash) = found.unwrap_or_default();
            *resolved = Resolved { word, entry: NONE };
            self.index.prefetch(*hash);
        }
        for (resolved, hash) in self.resolved[..run.len()].iter_mut().zip(hashes) {
            if let Some(entry) = self.index.guess(hash) {
                resolved.entry = entry;
                self.rolling.prefetch_state(entry);
                if let Some(life) = &mut self.life {
                    life.prefetch(entry);
                }
            }
        }
        self.fetch(input, run);
        // Each pass needs what the one before has asked for.
        for resolved in self.resolved[..run.len()].iter().filter(|r| r.entry != NONE) {
            self.rolling.prefetch_rows(resolved.entry);
        }
        for (index, resolved) in self.resolved[..run.len()].iter().enumerate().filter(|(_, r)| r.entry != NONE) {
            self.rolling.prefetch_next(resolved.entry, run.frame(index).time());
        }
    }

    #[inline]
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        let resolved = if step.index < self.run { self.resolved[step.index] } else { UNRESOLVED };
        let Some((entry, inserted)) = self.entry(input, frame, resolved) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        if resolved.entry == NONE {
            // The newest row and the oldest ones are waited for together.
            self.rolling.prefetch_rows(entry);
        }
        let expired = || self.ttl != i64::MAX && time.saturating_sub(self.rolling.newest(entry)) > self.ttl;
        let fresh = inserted || expired();
        if !fresh && self.rolling.is_late(entry, time) {
            let late = self.rolling.newest(entry).saturating_sub(time);
            let Input { leaves, copies: [_, copies], .. } = &self.inputs[input];
            if !leaves {
                return step.error("late", format!("it is {late} us older than the newest row of its key"));
            }
            copies.iter().for_each(|(from, to)| frame.copy(*from, *to));
            if let Some(slot) = self.lateness {
                frame.set(slot, late as u64);
            }
            return Flow::Port(1);
        }
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.rolling);
        }
        if fresh {
            self.rolling.reset(entry);
        }
        self.rolling.begin(entry, time);
        let flow = match self.compute(input, entry, frame, step) {
            Ok(flags) => {
                self.rolling.commit(entry, time, &self.arguments, flags);
                if let Some(life) = &mut self.life
                    && self.rolling.is_long(entry)
                {
                    self.rolling.spill(entry, &mut life.lists());
                }
                let Input { leaves, copies: [copies, _], .. } = &self.inputs[input];
                copies.iter().for_each(|(from, to)| frame.copy(*from, *to));
                if *leaves { Flow::Next } else { Flow::Skip }
            }
            Err((number, error)) => {
                self.rolling.abort(entry);
                if inserted {
                    self.free(entry);
                }
                step.error(error.reason, failure_text(&self.inputs[input].steps.names[number], &error))
            }
        };
        self.sweep(step.watermark, inserted);
        flow
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(self);
    }
}

impl State for Task {
    fn barrier(&mut self, epoch: u64) {
        if let Some(life) = &mut self.life {
            life.barrier(epoch);
        }
    }

    fn hand_over(&mut self, budget: usize) -> bool {
        self.life.as_mut().is_some_and(|life| life.hand_over(budget, &self.index, &mut self.rolling))
    }

    fn meter(&self) -> Option<LifeMeter> {
        Some(self.life.as_ref()?.meter(&self.index, &self.rolling))
    }
}
