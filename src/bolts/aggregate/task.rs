//! One task: the steps of a row, and the state of keys.

use super::Plan;
use crate::bolts::failure_text;
use crate::component::{Bolt, BoltBuild, ComponentError, Flow, Step};
use crate::expr::{AggregateFunction, Compiled, EntryStep, EvalError, Expr};
use crate::store::{Index, KeyReader, KeyRef, Life, LifeMeter, State};
use crate::tuple::{DataType, Frame, RUN_TUPLES, Run, Slot, TextWord};
use crate::window::{CallSpec, Rolling};

/// Expired keys are looked for at one place in so many tuples, and at so many places for each new key.
const SWEEP_EVERY: u32 = 8;
const SWEEP_NEW: usize = 4;

/// No entry is known.
const NONE: u32 = u32::MAX;

/// One step of a row, as it is planned.
enum Part {
    /// Compute an added column.
    Entry(usize),
    /// Test filter `.0`: the flag says that it is not true.
    Filter(usize),
    /// Take argument `.0`.
    Argument(usize),
    /// Answer a call.
    Call(usize),
}

struct Argument {
    expr: Expr,
    /// Index of the filter without which it is not evaluated.
    filter: Option<usize>,
    identity: String,
    entry: usize,
}

struct FilterPart {
    expr: Expr,
    identity: String,
    entry: usize,
}

/// What a row goes through. Arguments' NULL flags come first, those of filters after them.
pub struct Program {
    parts: Vec<Part>,
    arguments: Vec<Argument>,
    filters: Vec<FilterPart>,
    /// Argument and filter of each call.
    of_call: Vec<(Option<usize>, Option<usize>)>,
}

impl Program {
    fn new(plan: &Plan) -> Program {
        let mut program =
            Program { parts: Vec::new(), arguments: Vec::new(), filters: Vec::new(), of_call: Vec::new() };
        program.of_call = vec![(None, None); plan.entries.calls.len()];
        let mut afterwards = Vec::new();
        for step in &plan.entries.order {
            let index = match *step {
                EntryStep::Expression(entry) => {
                    if plan.call_of(entry).is_none_or(|call| plan.entry_of(call) != Some(entry)) {
                        program.parts.push(Part::Entry(entry));
                    }
                    continue;
                }
                EntryStep::Call(index) => index,
            };
            let call = &plan.entries.calls[index];
            let filter = call.filter.as_ref().map(|expr| program.filter(expr, call.entry));
            let lag = call.function == AggregateFunction::Lag;
            let argument = call.argument.as_ref().map(|expr| {
                // The value of a lag is that at the end of the step: another one than now, for an added column.
                let (at, new) = program.argument(expr, filter, lag, call.entry);
                match (new, lag) {
                    (true, true) => afterwards.push(Part::Argument(at)),
                    (true, false) => program.parts.push(Part::Argument(at)),
                    (false, _) => {}
                }
                at
            });
            program.of_call[index] = (argument, filter);
            program.parts.push(Part::Call(index));
        }
        program.parts.append(&mut afterwards);
        program
    }

    /// How many flags a row of this plan has.
    pub fn size(plan: &Plan) -> usize {
        let program = Program::new(plan);
        program.arguments.len() + program.filters.len()
    }

    fn filter_flag(&self, at: usize) -> u8 {
        (self.arguments.len() + at) as u8
    }

    /// The windows of a task.
    fn rolling(&self, plan: &Plan) -> Rolling {
        let calls = plan.entries.calls.iter().enumerate().map(|(at, call)| {
            let (argument, filter) = self.of_call[at];
            // A filtered row counts as little as one with NULL.
            let null = argument.filter(|at| self.arguments[*at].expr.nullable());
            CallSpec {
                function: call.function,
                distinct: call.distinct,
                window: plan.of_call[at],
                argument,
                ty: call.argument.as_ref().map_or(DataType::Bigint, Expr::data_type),
                null: null.map(|at| at as u8),
                filtered: filter.map(|at| self.filter_flag(at)),
            }
        });
        Rolling::new(&plan.windows, &calls.collect::<Vec<_>>(), plan.lateness)
    }

    fn filter(&mut self, expr: &Expr, entry: usize) -> usize {
        let identity = format!("{expr:?}");
        self.filters.iter().position(|known| known.identity == identity).unwrap_or_else(|| {
            self.filters.push(FilterPart { expr: expr.clone(), identity, entry });
            self.parts.push(Part::Filter(self.filters.len() - 1));
            self.filters.len() - 1
        })
    }

    fn argument(&mut self, expr: &Expr, filter: Option<usize>, lag: bool, entry: usize) -> (usize, bool) {
        // Reading a column cannot fail, so it is shared by all filters.
        let filter = filter.filter(|_| expr.as_column().is_none());
        let identity = format!("{lag} {filter:?} {expr:?}");
        match self.arguments.iter().position(|known| known.identity == identity) {
            Some(at) => (at, false),
            None => {
                self.arguments.push(Argument { expr: expr.clone(), filter, identity, entry });
                (self.arguments.len() - 1, true)
            }
        }
    }
}

/// Bytes of state for a key, and for a row in windows of time and of rows.
pub fn bytes(plan: &Plan) -> (usize, [Option<usize>; 2]) {
    Program::new(plan).rolling(plan).bytes()
}

enum Source {
    Slot(Slot),
    Expr(Compiled),
}

impl Source {
    fn new(expr: &Expr, slots: &dyn Fn(usize) -> Slot) -> Source {
        expr.as_column().map_or_else(|| Source::Expr(expr.compile(slots)), |column| Source::Slot(slots(column)))
    }
}

/// One step of a row.
enum Work {
    Entry { slot: Slot, source: Source },
    Filter { flag: u64, expr: Compiled },
    Argument { at: usize, flag: u64, unless: u64, source: Source, empty: u64 },
    Call { at: usize, slot: Slot },
    Lag { at: usize, slot: Slot, offset: u64, default: Option<Compiled> },
}

/// One task of the bolt.
pub struct Task {
    key: KeyReader,
    /// Whether keys are words.
    by_word: bool,
    index: Index,
    rolling: Rolling,
    ttl: i64,
    work: Vec<Work>,
    /// For each step the added column that it belongs to, for messages.
    names: Vec<String>,
    arguments: Vec<u64>,
    /// Entries of the tuples of the run, none that was freed since.
    resolved: [Resolved; RUN_TUPLES],
    run: usize,
    until_sweep: u32,
    life: Option<Box<Life>>,
}

impl Task {
    pub(super) fn new(plan: &Plan, build: &BoltBuild<'_>) -> Result<Task, ComponentError> {
        let program = Program::new(plan);
        let entries = plan.entries.expressions.len();
        let slots = |number: usize| match number.checked_sub(plan.columns) {
            None => build.inputs[0][number],
            Some(entry) if entry < entries => build.outputs[0][plan.first_added + entry],
            // A column that is nothing but a call is written by the call.
            Some(entry_or_call) => {
                let call = entry_or_call - entries;
                plan.entry_of(call).map_or(build.scratch[call], |entry| build.outputs[0][plan.first_added + entry])
            }
        };
        let filter_flag = |at: usize| program.filter_flag(at);
        let mut names = Vec::new();
        let work = program.parts.iter().map(|part| {
            let (work, entry) = match *part {
                Part::Entry(entry) => {
                    let source = Source::new(&plan.entries.expressions[entry], &slots);
                    (Work::Entry { slot: slots(plan.columns + entry), source }, entry)
                }
                Part::Filter(at) => {
                    let filter = &program.filters[at];
                    (Work::Filter { flag: 1 << filter_flag(at), expr: filter.expr.compile(&slots) }, filter.entry)
                }
                Part::Argument(at) => {
                    let argument = &program.arguments[at];
                    let unless = argument.filter.map_or(0, |filter| 1 << filter_flag(filter));
                    let empty = if argument.expr.data_type() == DataType::Text { TextWord::EMPTY.0 } else { 0 };
                    let source = Source::new(&argument.expr, &slots);
                    (Work::Argument { at, flag: 1 << at, unless, source, empty }, argument.entry)
                }
                Part::Call(at) => {
                    let (call, slot) = (&plan.entries.calls[at], slots(plan.columns + entries + at));
                    let default = call.default.as_ref().map(|expr| expr.compile(&slots));
                    let lag = call.function == AggregateFunction::Lag;
                    let work = if lag {
                        Work::Lag { at, slot, offset: call.offset, default }
                    } else {
                        Work::Call { at, slot }
                    };
                    (work, call.entry)
                }
            };
            names.push(format!("add.{}", plan.names[entry]));
            work
        });
        let work = work.collect();
        let key = KeyReader::new(build.key.first().map_or(&[], |key| key));
        let rolling = program.rolling(plan);
        let life = build.life("windows", &plan.fingerprint, plan.ttl, rolling.keep())?;
        let rolling = if life.is_some() { rolling.durable() } else { rolling };
        Ok(Task {
            by_word: key.is_word(),
            index: Index::new(key.is_word()),
            key,
            ttl: plan.ttl,
            rolling,
            work,
            names,
            arguments: vec![0; program.arguments.len()],
            resolved: [UNRESOLVED; RUN_TUPLES],
            run: 0,
            until_sweep: SWEEP_EVERY,
            life,
        })
    }

    /// Takes a row through all steps: its flags, or the step that failed and why.
    #[inline]
    fn compute(&mut self, entry: u32, frame: &mut Frame, step: &Step<'_>) -> Result<u64, (usize, EvalError)> {
        let (arena, time) = (step.arena, frame.time());
        let mut flags = 0u64;
        for (number, work) in self.work.iter().enumerate() {
            let failed = |error| (number, error);
            let value = |source: &Source, frame: &Frame| match source {
                Source::Slot(slot) => Ok(frame.get(*slot)),
                Source::Expr(expr) => expr.eval(frame, arena).map_err(failed),
            };
            match work {
                Work::Entry { slot, source } => {
                    let word = value(source, frame)?;
                    frame.put(*slot, word);
                }
                Work::Filter { flag, expr } => {
                    if !expr.test(frame, arena).map_err(failed)? {
                        flags |= flag;
                    }
                }
                Work::Argument { at, flag, unless, source, empty } => {
                    let word = if flags & unless != 0 { None } else { value(source, frame)? };
                    if word.is_none() {
                        flags |= flag;
                    }
                    self.arguments[*at] = word.unwrap_or(*empty);
                }
                Work::Call { at, slot } => {
                    let answer = self.rolling.read(*at, entry, time, &self.arguments, flags, arena);
                    let overflow = |_| {
                        (
                            number,
                            EvalError {
                                reason: "overflow",
                                detail: "the result is out of the range of its type".into(),
                            },
                        )
                    };
                    frame.put(*slot, answer.map_err(overflow)?);
                }
                Work::Lag { at, slot, offset, default } => {
                    let word = if u64::from(self.rolling.rows(*at, entry)) == *offset {
                        self.rolling.read(*at, entry, time, &self.arguments, flags, arena).unwrap_or(None)
                    } else {
                        match default {
                            Some(default) => default.eval(frame, arena).map_err(failed)?,
                            None => None,
                        }
                    };
                    frame.put(*slot, word);
                }
            }
        }
        Ok(flags)
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
    fn entry(&mut self, frame: &Frame, resolved: Resolved) -> Option<(u32, bool)> {
        if self.by_word {
            let word = self.key.word(frame)?;
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
        let key = self.key.bytes(frame)?;
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
    fn fetch(&mut self, run: &Run) {
        let Some(life) = &mut self.life else { return };
        life.begin_run();
        for (index, resolved) in self.resolved[..run.len()].iter().enumerate().filter(|(_, r)| r.entry == NONE) {
            if self.by_word {
                if self.key.word(run.frame(index)).is_some() {
                    life.want(KeyRef::new(&resolved.word.to_le_bytes()));
                }
            } else if let Some(key) = self.key.read(run.frame(index)) {
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
    fn resolve(&mut self, _input: usize, run: &Run) {
        self.run = run.len();
        let mut hashes = [0; RUN_TUPLES];
        for (index, (resolved, hash)) in self.resolved[..run.len()].iter_mut().zip(&mut hashes).enumerate() {
            let frame = run.frame(index);
            let found = if self.by_word {
                self.key.word(frame).map(|word| (word, KeyRef::new(&word.to_le_bytes()).hash))
            } else {
                self.key.read(frame).map(|key| (key.hash, key.hash))
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
        self.fetch(run);
        // Each pass needs what the one before has asked for.
        for resolved in self.resolved[..run.len()].iter().filter(|r| r.entry != NONE) {
            self.rolling.prefetch_rows(resolved.entry);
        }
        for (index, resolved) in self.resolved[..run.len()].iter().enumerate().filter(|(_, r)| r.entry != NONE) {
            self.rolling.prefetch_next(resolved.entry, run.frame(index).time());
        }
    }

    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        let resolved = if step.index < self.run { self.resolved[step.index] } else { UNRESOLVED };
        let Some((entry, inserted)) = self.entry(frame, resolved) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        if resolved.entry == NONE {
            // The newest row and the oldest ones are waited for together.
            self.rolling.prefetch_rows(entry);
        }
        let expired = || self.ttl != i64::MAX && time.saturating_sub(self.rolling.newest(entry)) > self.ttl;
        let fresh = inserted || expired();
        if !fresh && self.rolling.is_late(entry, time) {
            return Flow::Port(1);
        }
        if let Some(life) = &mut self.life {
            life.change(entry, &self.index, &mut self.rolling);
        }
        if fresh {
            self.rolling.reset(entry);
        }
        self.rolling.begin(entry, time);
        let flow = match self.compute(entry, frame, step) {
            Ok(flags) => {
                self.rolling.commit(entry, time, &self.arguments, flags);
                if let Some(life) = &mut self.life
                    && self.rolling.is_long(entry)
                {
                    self.rolling.spill(entry, &mut life.lists());
                }
                Flow::Next
            }
            Err((number, error)) => {
                self.rolling.abort(entry);
                if inserted {
                    self.free(entry);
                }
                step.error(error.reason, failure_text(&self.names[number], &error))
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
