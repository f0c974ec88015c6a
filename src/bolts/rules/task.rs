//! One task of a `rules` bolt.
//!
//! 1. The conditions of the rules of the tuple's input are tested in the order of the file, as far as they may be true
//!    ([`crate::expr::Conditions`]). What is usual, none fires, touches nothing but counters.
//! 2. What fires, and what fails, waits as a number or a text. A single one leaves at once; several leave one by one.
//! 3. Only when a row leaves are its score and reason computed. If that fails, the failure leaves in its place: one
//!    rule's mistake silences no other.
//! 4. A rule whose deadline has passed fires with a row of before, which was kept: by timer, or, if a row of its key
//!    comes sooner, before what that row says itself. The row of then stands in the frame while its own leaves, and after
//!    it the frame is as it was.

use super::super::kept_row::KeptRow;
use super::super::{Share, failure_text, path_of_row};
use super::hold::{self, AllStreaks, Hold, Verdict};
use super::report::{Counts, Report};
use super::waiting::{Aside, Failure, Held, Waiting};
use crate::component::{Bolt, ComponentError, ERRORS, Flow, Sections, Step};
use crate::expr::{Compiled, CompiledConditions, CompiledTemplate, EvalError};
use crate::store::{KeyReader, KeyRef, State, Timers};
use crate::tuple::{Arena, Frame, Slot};

/// A rule ready to run.
pub struct Live {
    /// Number of the rule in the order of the file.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Number of its streaks, and how long they must be.
    pub hold: Option<(u32, Hold)>,
    /// The score.
    pub score: LiveScore,
    /// The text.
    pub reason: Option<CompiledTemplate>,
    /// The stream it fires on.
    pub port: u8,
}

/// Where a score comes from.
pub enum LiveScore {
    /// Always this word of a slot, none for NULL.
    Constant(Option<u64>),
    /// Computed as a double.
    Double(Compiled),
    /// Computed as a bigint, to be made a double.
    Bigint(Compiled),
}

/// One input and the rules that look at it.
#[derive(Default)]
pub struct Side {
    /// The rules, in the order of the file.
    pub rules: Vec<Live>,
    /// Their conditions, by their places among `rules`.
    pub conditions: CompiledConditions,
    /// The key, where a rule needs it.
    pub key: Option<KeyReader>,
    /// What is kept of a row while a rule waits for its deadline.
    pub row: KeptRow,
    /// Kept columns, from where to where; empty where they stay in their slots.
    pub kept: Vec<(Option<Slot>, Slot)>,
}

/// Slots of the added columns.
#[derive(Clone, Copy)]
pub struct Added {
    /// `rule`.
    pub rule: Slot,
    /// `score`.
    pub score: Slot,
    /// `reason`.
    pub reason: Slot,
}

/// One task of a `rules` bolt.
pub struct Task {
    name: String,
    sides: Vec<Side>,
    added: Added,
    streaks: AllStreaks,
    timers: Timers,
    waiting: Vec<Waiting>,
    next: usize,
    /// How many of them the tuple itself has made, and how many of these have left.
    own: usize,
    left: u64,
    /// The input of the tuple whose rows wait, and what stood in its frame.
    input: usize,
    aside: Aside,
    /// The key of a timer.
    key: Vec<u8>,
    counts: Counts,
    report: Report,
    share: Share<Counts>,
}

impl Task {
    /// A task over these inputs.
    pub fn new(
        name: &str,
        sides: Vec<Side>,
        added: Added,
        (streaks, timers): (AllStreaks, Timers),
        report: Report,
        share: Share<Counts>,
    ) -> Task {
        let counts = Counts::new(sides.len(), report.rules());
        let (waiting, key, name) = (Vec::new(), Vec::new(), name.to_owned());
        let aside = Aside::default();
        Task {
            name,
            sides,
            added,
            streaks,
            timers,
            waiting,
            next: 0,
            own: 0,
            left: 0,
            input: 0,
            aside,
            key,
            counts,
            report,
            share,
        }
    }

    /// Tests the rules of the input and collects what fires and what fails.
    #[inline]
    fn test(&mut self, input: usize, frame: &Frame, step: &mut Step<'_>) {
        let Side { rules, conditions, key, row, .. } = &mut self.sides[input];
        let (waiting, timers, arena) = (&mut self.waiting, &mut self.timers, step.arena);
        let mut known = match key {
            None => None,
            Some(reader) => match reader.read(frame) {
                Some(key) => {
                    // What is forgotten after a silence had been over before it.
                    let forgotten = |streaks: &mut hold::Streaks| {
                        for (at, rule) in rules.iter().enumerate() {
                            if let Some((number, Hold::Micros(_))) = rule.hold
                                && let Some((deadline, held)) = streaks.overdue(number, frame.time())
                            {
                                timers.cancel(key, deadline);
                                waiting.push(Waiting::Held(Held {
                                    input,
                                    rule: at,
                                    deadline,
                                    row: held,
                                    key: key.hash,
                                }));
                            }
                        }
                    };
                    Some((key, hold::at(&mut self.streaks, key, frame.time(), forgotten)))
                }
                None => {
                    waiting.push(null_key(rules));
                    None
                }
            },
        };
        conditions.test(frame, arena, |at, result| {
            let rule = &rules[at];
            if let (Some((number, Hold::Micros(_))), Some((key, streaks))) = (rule.hold, &mut known)
                && let Some((deadline, held)) = streaks.overdue_now(number)
            {
                if !streaks.waits_for(deadline) {
                    timers.cancel(*key, deadline);
                }
                waiting.push(Waiting::Held(Held { input, rule: at, deadline, row: held, key: key.hash }));
            }
            let holds = match result {
                Ok(holds) => holds,
                Err(error) => {
                    waiting.push(Waiting::Failed(rule.number, failed(rule, "when", &error)));
                    return true;
                }
            };
            let Some((number, hold)) = rule.hold else {
                if holds {
                    waiting.push(Waiting::Row(at, frame.time()));
                }
                return true;
            };
            let Some((key, streaks)) = &mut known else { return true };
            match streaks.row(number, holds, hold, step.watermark) {
                Verdict::Nothing => {}
                Verdict::Fires => waiting.push(Waiting::Row(at, frame.time())),
                Verdict::FiresAt(deadline) => {
                    if !streaks.waits_for(deadline) {
                        timers.cancel(*key, deadline);
                    }
                    waiting.push(Waiting::Row(at, deadline));
                }
                Verdict::Waits(deadline, first, kept) => {
                    kept.clear();
                    row.pack(frame, kept);
                    if first {
                        timers.set(*key, deadline);
                        step.wake_after(deadline);
                    }
                }
                Verdict::Ends(deadline) => {
                    if !streaks.waits_for(deadline) {
                        timers.cancel(*key, deadline);
                    }
                }
            }
            true
        });
        // Those that were over before the row leave before it, in the order in which timers would have brought them.
        waiting.sort_by_key(|waiting| match waiting {
            Waiting::Held(held) => (false, held.deadline),
            _ => (true, 0),
        });
    }

    /// Writes the row of a rule that has fired; its stream.
    fn write(&self, input: usize, at: usize, frame: &mut Frame, arena: &Arena) -> Result<u8, Failure> {
        let side = &self.sides[input];
        let rule = &side.rules[at];
        let score = match &rule.score {
            LiveScore::Constant(word) => *word,
            LiveScore::Double(expr) => expr.eval(frame, arena).map_err(|e| failed(rule, "score", &e))?,
            LiveScore::Bigint(expr) => {
                let word = expr.eval(frame, arena).map_err(|e| failed(rule, "score", &e))?;
                word.map(|word| (word as i64 as f64).to_bits())
            }
        };
        let reason = match &rule.reason {
            None => None,
            Some(template) => Some(template.render(frame, arena).map_err(|e| failed(rule, "reason", &e))?.0),
        };
        for (from, to) in &side.kept {
            match from {
                Some(from) => frame.copy(*from, *to),
                None => frame.set_null(*to),
            }
        }
        frame.set(self.added.rule, arena.store(&rule.name).0);
        frame.put(self.added.score, score);
        frame.put(self.added.reason, reason);
        Ok(rule.port)
    }

    /// Lets the waiting thing at `at` leave: its stream, or the failure.
    fn leave(&mut self, at: usize, frame: &mut Frame, arena: &Arena) -> Result<u8, Failure> {
        let waiting = std::mem::replace(&mut self.waiting[at], Waiting::Row(usize::MAX, 0));
        let (number, left) = match waiting {
            Waiting::Failed(number, failure) => (number, Err(failure)),
            Waiting::Row(rule, time) => {
                frame.set_time(time);
                (self.sides[self.input].rules[rule].number, self.write(self.input, rule, frame, arena))
            }
            Waiting::Held(held) => {
                let side = &self.sides[held.input];
                side.row.unpack(&held.row, frame, arena);
                frame.set_time(held.deadline);
                frame.set_origin(u32::MAX, held.deadline as u64);
                let live = &side.rules[held.rule];
                frame.set_path(path_of_row(held.key, hold::rule_id(&live.name).into()));
                (live.number, self.write(held.input, held.rule, frame, arena))
            }
        };
        let count = &mut self.counts.rules[number];
        match left {
            Ok(_) => count.fired += 1,
            Err(_) => count.errors += 1,
        }
        left
    }
}

/// A rule's expression has failed.
#[cold]
fn failed(rule: &Live, what: &str, error: &EvalError) -> Failure {
    (error.reason, failure_text(&format!("rule {}: {what}", rule.name), error))
}

/// The rules with `for` cannot count a row without a key.
#[cold]
fn null_key(rules: &[Live]) -> Waiting {
    let names: Vec<&str> = rules.iter().filter(|r| r.hold.is_some()).map(|r| &*r.name).collect();
    let number = rules.iter().find(|r| r.hold.is_some()).map_or(0, |r| r.number);
    let text = format!("rule {}: a column of the key is NULL, so `for` cannot count the row", names.join(", "));
    Waiting::Failed(number, ("null_key", text))
}

impl Bolt for Task {
    #[inline]
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        self.counts.evaluated[input] += 1;
        self.waiting.clear();
        self.test(input, frame, step);
        match &self.waiting[..] {
            [] => return Flow::Skip,
            [Waiting::Row(_, time)] if *time == frame.time() => {}
            [Waiting::Failed(..)] => {}
            waiting => {
                let held = waiting.iter().any(|waiting| matches!(waiting, Waiting::Held(_)));
                let slots = held.then(|| self.sides[input].row.slots());
                self.aside.put(frame, slots.into_iter().flatten());
                self.own = waiting.iter().filter(|waiting| !matches!(waiting, Waiting::Held(_))).count();
                (self.input, self.next, self.left) = (input, 0, 0);
                return Flow::Many;
            }
        }
        self.input = input;
        match self.leave(0, frame, step.arena) {
            Ok(0) => Flow::Next,
            Ok(port) => Flow::Port(port),
            Err((reason, text)) => step.error(reason, text),
        }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let at = self.next;
        // What follows, on other branches too, sees the tuple as it was.
        self.aside.take_back(frame);
        if at == self.waiting.len() {
            return None;
        }
        self.next += 1;
        // What is held leaves with a row or before it, by a timer: it changes nothing about the others.
        if !matches!(self.waiting[at], Waiting::Held(_)) {
            if self.own > 1 {
                frame.set_path(path_of_row(self.aside.path, self.left));
            }
            self.left += 1;
        }
        Some(self.leave(at, frame, step.arena).unwrap_or_else(|(reason, text)| {
            step.error(reason, text);
            ERRORS
        }))
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        if step.watermark == i64::MAX {
            // All sources have ended: nobody knows whether the conditions would have held on.
            return None;
        }
        let due = self.timers.due(step.watermark, &mut self.key);
        step.wake_after(self.timers.earliest());
        let deadline = due?;
        self.waiting.clear();
        let key = KeyRef::new(&self.key);
        let streaks = self.streaks.known(key, deadline)?;
        for (input, side) in self.sides.iter().enumerate() {
            for (rule, live) in side.rules.iter().enumerate() {
                let Some((number, Hold::Micros(_))) = live.hold else { continue };
                if let Some((deadline, row)) = streaks.overdue(number, deadline.saturating_add(1)) {
                    self.waiting.push(Waiting::Held(Held { input, rule, deadline, row, key: key.hash }));
                }
            }
        }
        frame.set_time(deadline);
        self.aside.put(frame, []);
        self.next = 0;
        Some(if self.waiting.is_empty() { Flow::Skip } else { Flow::Many })
    }

    fn deadline(&self) -> i64 {
        self.timers.earliest()
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.streaks);
        each(&mut self.timers);
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.counts.keys = self.streaks.len() as u64;
        if let Some(parts) = self.share.put(std::mem::take(&mut self.counts)) {
            let (text, value) = self.report.show(&parts);
            sections.sections.push((format!("rules of {}", self.name), text, value));
        }
        Ok(())
    }
}
