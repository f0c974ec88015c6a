//! One task of a pattern bolt.
//!
//! 1. A row that can begin no match, of a key without partial matches, ends here: nothing is touched.
//! 2. Else what is over at its time is ended first, so that it is of no matter whether a timer has already said so;
//!    then the row is taken.
//! 3. What that leads to, matches, partial matches that timed out and failures, is computed at once and leaves row by
//!    row.
//! 4. A timer stands where something is to be reported by time alone; it is moved only to an earlier deadline, and
//!    looks again when it fires.

use super::super::{Share, failure_text};
use super::conditions::{Cx, Variable};
use super::holding::Holding;
use super::keep::Source;
use super::keys::{Keys, Place, Touched};
use super::live::{LiveSet, Site};
use super::measures::{LiveKept, Measures, Waiting};
use super::plan::Plan;
use super::state::KeyState;
use super::stored::Stored;
use crate::component::{Bolt, BoltBuild, ComponentError, ERRORS, Flow, Sections, Step};
use crate::pattern::{Emission, EmissionKind, Matcher, RowError};
use crate::store::{KeyReader, KeyRef, State, Timers};
use crate::tuple::{Arena, DataType, Frame, Run, Slot};
use serde_json::json;

/// Event time at which no row comes any more.
const ENDED: i64 = i64::MAX;

/// Counts of one task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Matches.
    pub matches: u64,
    /// Partial matches that were reported as timed out.
    pub timed_out: u64,
    /// Partial matches that went because a key had too many.
    pub dropped: u64,
    /// Keys with state in memory.
    pub keys: u64,
}

/// One task.
pub struct Task {
    name: String,
    keys: Keys,
    timers: Timers,
    holding: Holding,
    matcher: Matcher,
    variables: Vec<Variable>,
    /// For each input the slots of the kept columns.
    fields: Vec<Vec<(Slot, DataType)>>,
    /// For each input how many previous rows are kept.
    previous: Vec<usize>,
    lasting: bool,
    measures: Measures,
    emissions: Vec<Emission>,
    waiting: Vec<Waiting>,
    next: usize,
    /// Time, path and origin of the tuple whose rows wait.
    tuple: (i64, u64, (u32, u64)),
    /// Words of the waiting rows.
    words: Vec<Option<u64>>,
    /// A key that a timer is set for, one whose timer fires, and columns of a row.
    key: Vec<u8>,
    due: Vec<u8>,
    buffer: Vec<u8>,
    counts: Counts,
    share: Share<Counts>,
}

impl Task {
    /// A task of a plan.
    pub fn new(plan: &Plan, build: &BoltBuild<'_>) -> Result<Task, ComponentError> {
        let inputs: Vec<usize> = plan.variables.iter().map(|variable| variable.input).collect();
        let site = Site { needs: &plan.needs, kept: &plan.kept, types: &plan.types, inputs: &inputs, build };
        let live = |set| LiveSet::new(set, None, true, &site);
        let variables = plan.variables.iter().zip(&plan.definitions).map(|(variable, definition)| Variable {
            name: variable.name.clone(),
            input: variable.input,
            condition: definition.condition.as_ref().map(live),
            until: definition.until.as_ref().map(live),
        });
        let outputs = build.outputs[0].clone();
        let kept = plan.columns.kept.iter().zip(&outputs).map(|(kept, to)| match &kept.source {
            Source::Last(variable, column) => LiveKept::Last(*variable, site.field((inputs[*variable], *column), *to)),
            Source::Newest(columns) => LiveKept::Newest(
                columns.iter().enumerate().map(|(input, column)| site.field((input, *column), *to)).collect(),
            ),
        });
        let measures = Measures {
            kept: kept.collect(),
            added: plan
                .columns
                .added
                .as_ref()
                .map(|set| LiveSet::new(set, Some(&outputs[plan.columns.kept.len()..]), plan.all_rows, &site)),
            names: plan.columns.names.clone(),
            outputs,
            all_rows: plan.all_rows,
        };
        let slots = |(input, columns): (usize, &Vec<usize>)| {
            columns.iter().map(|column| (build.inputs[input][*column], plan.types[input][*column])).collect()
        };
        let readers = if build.key.is_empty() {
            vec![KeyReader::new(&[]); build.inputs.len()]
        } else {
            build.key.iter().map(|key| KeyReader::new(key)).collect()
        };
        let timers = build.life("timers", &plan.fingerprint, i64::MAX, 0)?;
        let held = build.life("held", &plan.fingerprint, i64::MAX, 0)?;
        Ok(Task {
            name: build.name.to_owned(),
            keys: Keys::new(readers, plan.ttl, build.life("matches", &plan.fingerprint, plan.ttl, 0)?),
            timers: Timers::new(timers),
            holding: Holding::new(Timers::new(held)),
            matcher: Matcher::new(plan.automaton.clone(), plan.settings.clone()),
            variables: variables.collect(),
            fields: plan.kept.columns.iter().enumerate().map(slots).collect(),
            previous: plan.kept.previous.clone(),
            lasting: plan.lasting,
            measures,
            emissions: Vec::new(),
            waiting: Vec::new(),
            next: 0,
            tuple: (0, 0, (0, 0)),
            words: Vec::new(),
            key: Vec::new(),
            due: Vec::new(),
            buffer: Vec::new(),
            counts: Counts::default(),
            share: plan.gather.join(build.task, build.tasks),
        })
    }

    /// Turns what was reported into rows that wait; the first `by_time` stem from time, the others from the tuple.
    #[inline]
    fn collect(&mut self, by_time: usize, frame: &mut Frame, arena: &Arena) {
        if !self.emissions.is_empty() {
            self.collect_all(by_time, frame, arena);
        }
    }

    fn collect_all(&mut self, by_time: usize, frame: &mut Frame, arena: &Arena) {
        for (number, emission) in self.emissions.drain(..).enumerate() {
            if number <= by_time {
                self.waiting.push(Waiting::ByTime((number < by_time).then_some(emission.time)));
            }
            match emission.kind {
                EmissionKind::Match(_) => self.counts.matches += 1,
                EmissionKind::TimedOut => self.counts.timed_out += 1,
            }
            let path = emission.path(self.keys.cells.buffer());
            let rows = &mut (&mut self.waiting, &mut self.words);
            self.measures.rows(&emission, path, &self.variables, frame, arena, rows);
            emission.release(self.keys.cells.buffer_mut());
        }
    }

    /// Sees to it that the key is woken when something is to be reported by time alone, or goes if nothing is known.
    #[inline]
    fn settle(&mut self, entry: u32) {
        let (state, buffer) = self.keys.cells.parts(entry);
        let alarm = self.matcher.alarm(buffer, &state.partials);
        let idle = !self.lasting && state.partials.is_idle();
        let before = state.timer;
        let (held, waited) = (state.partials.held(), state.held);
        if alarm < before {
            state.timer = alarm;
            let key = self.keys.key(entry, &mut self.key);
            if before != i64::MAX {
                self.timers.cancel(key, before);
            }
            self.timers.set(key, alarm);
        }
        if held != waited {
            self.keys.cells.parts(entry).0.held = held;
            self.holding.change(self.keys.key(entry, &mut self.key), waited, held);
        }
        if idle {
            if before != i64::MAX {
                self.timers.cancel(self.keys.key(entry, &mut self.key), before);
            }
            self.keys.remove(entry);
        }
    }

    /// A row of a key that matters.
    fn row(&mut self, input: usize, touched: Touched, now: i64, frame: &mut Frame, step: &mut Step<'_>) {
        let Touched { entry, lapsed, .. } = touched;
        let (state, buffer) = self.keys.cells.parts(entry);
        let time = now.max(state.newest);
        state.newest = time;
        self.matcher.expire(buffer, &mut state.partials, time, &mut self.emissions);
        if lapsed {
            state.forget(buffer);
        }
        let KeyState { partials, previous, .. } = state;
        let by_time = self.emissions.len();
        let mut cx = Cx {
            variables: &mut self.variables,
            input,
            frame,
            arena: step.arena,
            previous: previous.get(input).map_or(&[][..], |rows| rows),
            fields: &self.fields[input],
            buffer: &mut self.buffer,
        };
        let taken = self.matcher.row(buffer, partials, time, &mut cx, &mut self.emissions);
        match taken {
            Ok(()) => remember(previous, &self.previous, input, frame, &self.fields[input], &mut self.buffer),
            Err(RowError::Condition((variable, error))) => {
                let text = failure_text(&format!("define.{}", self.variables[variable].name), &error);
                self.waiting.push(Waiting::Failed(error.reason, text));
            }
            Err(RowError::Overflow) => self.waiting.push(too_many()),
        }
        self.collect(by_time, frame, step.arena);
        self.settle(entry);
        self.holding.with(&self.waiting, &mut self.key);
    }

    fn leave(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let (time, path, origin) = self.tuple;
        while let Some(Waiting::ByTime(time)) = self.waiting.get(self.next) {
            let (split, position) = time.map_or(origin, |time| (u32::MAX, time as u64));
            frame.set_origin(split, position);
            self.next += 1;
        }
        let Some(waiting) = self.waiting.get_mut(self.next) else {
            self.holding.with(&[], &mut self.key);
            // What follows on other branches sees the tuple as it was.
            frame.set_time(time);
            frame.set_path(path);
            frame.set_origin(origin.0, origin.1);
            return None;
        };
        self.next += 1;
        match std::mem::replace(waiting, Waiting::Failed("", String::new())) {
            // Those have just been passed over.
            Waiting::ByTime(_) => None,
            Waiting::Failed(reason, text) => {
                step.error(reason, text);
                Some(ERRORS)
            }
            Waiting::Row { port, time, path, words } => {
                frame.set_time(time);
                frame.set_path(path);
                for (slot, word) in self.measures.outputs.iter().zip(&self.words[words..]) {
                    frame.put(*slot, *word);
                }
                Some(port)
            }
        }
    }
}

#[cold]
fn too_many() -> Waiting {
    Waiting::Failed("too_many_partial_matches", "the key has `max_partial` partial matches already".to_owned())
}

/// Keeps a row as the newest of its input.
fn remember(
    previous: &mut Vec<Vec<Stored>>,
    depths: &[usize],
    input: usize,
    frame: &Frame,
    fields: &[(Slot, DataType)],
    buffer: &mut Vec<u8>,
) {
    if depths[input] == 0 {
        return;
    }
    previous.resize_with(depths.len(), Vec::new);
    let rows = &mut previous[input];
    if rows.len() < depths[input] {
        return rows.push(Stored::new(frame, fields, buffer));
    }
    rows.rotate_left(1);
    if let Some(last) = rows.last_mut() {
        last.replace(frame, fields, buffer);
    }
}

impl Bolt for Task {
    fn resolve(&mut self, input: usize, run: &Run) {
        self.keys.resolve(input, run);
    }

    #[inline]
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        // What the watermark has passed is over, whether or not a timer has said so.
        let now = if step.watermark == ENDED { frame.time() } else { frame.time().max(step.watermark) };
        let Some(place) = self.keys.locate(input, step.index, frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        if !self.lasting {
            let mut cx = Cx {
                variables: &mut self.variables,
                input,
                frame,
                arena: step.arena,
                previous: &[],
                fields: &[],
                buffer: &mut self.buffer,
            };
            match self.matcher.begins(self.keys.cells.buffer(), &mut cx) {
                Ok(true) => {}
                Ok(false) if self.keys.knows(place, input, frame, now) => {}
                Ok(false) => {
                    self.keys.sweep(step.watermark, false);
                    return Flow::Skip;
                }
                Err((variable, error)) => {
                    let what = format!("define.{}", self.variables[variable].name);
                    return step.error(error.reason, failure_text(&what, &error));
                }
            }
        }
        self.matters(place, input, now, frame, step)
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        self.leave(frame, step)
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        self.clear(frame);
        let mut bytes = std::mem::take(&mut self.due);
        let due = self.timers.due(step.watermark, &mut bytes);
        if let Some(deadline) = due {
            self.wake(KeyRef::new(&bytes), deadline, frame, step);
        }
        self.due = bytes;
        let earliest = self.timers.earliest();
        if earliest != i64::MAX {
            step.wake_after(earliest);
        }
        due?;
        Some(if self.waiting.is_empty() { Flow::Skip } else { Flow::Many })
    }

    fn deadline(&self) -> i64 {
        self.timers.earliest()
    }

    fn holds_back(&self) -> Option<i64> {
        Some(self.holding.earliest())
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.keys);
        each(&mut self.timers);
        each(self.holding.state());
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.counts.dropped = self.matcher.dropped();
        self.counts.keys = self.keys.len() as u64;
        let Some(parts) = self.share.put(self.counts) else { return Ok(()) };
        let sum = |of: fn(&Counts) -> u64| parts.iter().map(of).sum::<u64>();
        let (matches, timed_out) = (sum(|c| c.matches), sum(|c| c.timed_out));
        let (dropped, keys) = (sum(|c| c.dropped), sum(|c| c.keys));
        let mut text = format!("{matches} matches, {keys} keys with partial matches in memory\n");
        if timed_out > 0 {
            text.push_str(&format!("{timed_out} partial matches timed out\n"));
        }
        if dropped > 0 {
            text.push_str(&format!("{dropped} partial matches dropped: their keys had `max_partial`\n"));
        }
        let value = json!({ "matches": matches, "timed_out": timed_out, "dropped": dropped, "keys": keys });
        sections.sections.push((format!("pattern of {}", self.name), text, value));
        Ok(())
    }
}

impl Task {
    /// A row that may begin a match, or whose key is known.
    fn matters(&mut self, place: Place, input: usize, now: i64, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let touched = self.keys.touch(place, input, frame, now);
        self.clear(frame);
        self.row(input, touched, now, frame, step);
        self.keys.sweep(step.watermark, touched.fresh);
        let earliest = self.timers.earliest();
        if earliest != i64::MAX {
            step.wake_after(earliest);
        }
        if self.waiting.is_empty() { Flow::Skip } else { Flow::Many }
    }

    /// Nothing waits any more.
    fn clear(&mut self, frame: &Frame) {
        (self.next, self.tuple) = (0, (frame.time(), frame.path(), (frame.split(), frame.position())));
        self.waiting.clear();
        self.words.clear();
    }

    /// A timer of a key has fired.
    fn wake(&mut self, key: KeyRef<'_>, deadline: i64, frame: &mut Frame, step: &mut Step<'_>) {
        self.clear(frame);
        let Some(entry) = self.keys.entry(key, deadline) else { return };
        let (state, buffer) = self.keys.cells.parts(entry);
        if state.timer == deadline {
            state.timer = i64::MAX;
        }
        if step.watermark == ENDED {
            self.matcher.finish(buffer, &mut state.partials, &mut self.emissions);
        } else {
            self.matcher.expire(buffer, &mut state.partials, deadline.saturating_add(1), &mut self.emissions);
        }
        self.collect(usize::MAX, frame, step.arena);
        self.settle(entry);
        self.holding.with(&self.waiting, &mut self.key);
    }
}
