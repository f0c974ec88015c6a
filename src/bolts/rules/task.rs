//! One task of a `rules` bolt.
//!
//! 1. The conditions of the rules of the tuple's input are tested in the order of the file, as far as they may be true
//!    ([`crate::expr::Conditions`]). What is usual, none fires, touches nothing but counters.
//! 2. What fires, and what fails, waits as a number or a text. A single one leaves at once; several leave one by one.
//! 3. Only when a row leaves are its score and reason computed. If that fails, the failure leaves in its place: one
//!    rule's mistake silences no other.

use super::super::{Share, failure_text, path_of_row};
use super::hold::{self, AllStreaks, Hold};
use super::report::{Counts, Report};
use crate::component::{Bolt, ComponentError, ERRORS, Flow, Sections, Step};
use crate::expr::{Compiled, CompiledConditions, CompiledTemplate, EvalError};
use crate::store::{KeyReader, State};
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

/// Why something failed: the reason for counting, the text for people.
type Failure = (&'static str, String);

/// What waits to leave.
enum Waiting {
    /// The rule at this index of the input's rules has fired.
    Row(usize),
    /// Something has failed; the number of the rule.
    Failed(usize, Failure),
}

/// One task of a `rules` bolt.
pub struct Task {
    name: String,
    sides: Vec<Side>,
    added: Added,
    streaks: AllStreaks,
    waiting: Vec<Waiting>,
    next: usize,
    /// The input of the tuple whose rows wait, and its path.
    input: usize,
    path: u64,
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
        streaks: AllStreaks,
        report: Report,
        share: Share<Counts>,
    ) -> Task {
        let counts = Counts::new(sides.len(), report.rules());
        let (waiting, name) = (Vec::new(), name.to_owned());
        Task { name, sides, added, streaks, waiting, next: 0, input: 0, path: 0, counts, report, share }
    }

    /// Tests the rules of the input and collects what fires and what fails.
    #[inline]
    fn test(&mut self, input: usize, frame: &Frame, arena: &Arena) {
        let Side { rules, conditions, key, .. } = &mut self.sides[input];
        let waiting = &mut self.waiting;
        let mut streaks = match key {
            None => None,
            Some(reader) => match reader.read(frame) {
                Some(key) => Some(hold::at(&mut self.streaks, key, frame.time())),
                None => {
                    waiting.push(null_key(rules));
                    None
                }
            },
        };
        conditions.test(frame, arena, |at, result| {
            let rule = &rules[at];
            let fires = match (result, rule.hold) {
                (Err(error), _) => {
                    waiting.push(Waiting::Failed(rule.number, failed(rule, "when", &error)));
                    false
                }
                (Ok(holds), None) => holds,
                (Ok(holds), Some((number, hold))) => {
                    streaks.as_mut().is_some_and(|streaks| streaks.row(number, holds, hold))
                }
            };
            if fires {
                waiting.push(Waiting::Row(at));
            }
            true
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
        let waiting = std::mem::replace(&mut self.waiting[at], Waiting::Row(usize::MAX));
        let (number, left) = match waiting {
            Waiting::Failed(number, failure) => (number, Err(failure)),
            Waiting::Row(rule) => {
                (self.sides[self.input].rules[rule].number, self.write(self.input, rule, frame, arena))
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
        self.test(input, frame, step.arena);
        if self.waiting.is_empty() {
            return Flow::Skip;
        }
        (self.input, self.next, self.path) = (input, 0, frame.path());
        if self.waiting.len() > 1 {
            return Flow::Many;
        }
        match self.leave(0, frame, step.arena) {
            Ok(0) => Flow::Next,
            Ok(port) => Flow::Port(port),
            Err((reason, text)) => step.error(reason, text),
        }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let at = self.next;
        if at == self.waiting.len() {
            // What follows on other branches sees the tuple as it was.
            frame.set_path(self.path);
            return None;
        }
        self.next += 1;
        frame.set_path(path_of_row(self.path, at as u64));
        Some(self.leave(at, frame, step.arena).unwrap_or_else(|(reason, text)| {
            step.error(reason, text);
            ERRORS
        }))
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.streaks);
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
