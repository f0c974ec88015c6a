//! For how long a condition has held for a key: the state behind `for`.
//!
//! A streak is what a rule knows of a key: the condition has been true for so many of the key's rows without a break,
//! since such an event time. It fires once and starts anew after a row for which the condition is not true. A row on
//! which the condition **fails** says nothing: the streak stands. Time does not go back within a key: a late row is
//! taken at the key's newest time.
//!
//! A streak that must last for a number of rows fires with the row that completes it. One that must last for a time
//! fires at its deadline, a time after its first row:
//! 1. with the row that comes exactly then and still holds;
//! 2. else with the last row before, once it is certain that none of them has ended it: when a later row of the key
//!    comes, whatever that says, or time passes the deadline. Which of both happens first changes nothing but when the
//!    row leaves.
//! 3. A streak that begins with a row whose deadline time has passed already fires with it: none can end it any more.

use crate::store::{Codec, KeyRef, Keyed};

/// For how long a condition must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// For so many rows of the key in a row, at least 1.
    Rows(u32),
    /// From the first row on for so many microseconds of event time, more than 0.
    Micros(i64),
}

/// What one rule knows of one key.
#[derive(Debug)]
struct Streak {
    /// Rows so far, as far as they are counted.
    rows: u32,
    /// Whether it has fired.
    fired: bool,
    /// When it is long enough, where it goes by time and has not fired; else `i64::MAX`.
    deadline: i64,
    /// What is kept of its last row until then.
    row: Vec<u8>,
}

impl Default for Streak {
    fn default() -> Streak {
        Streak { rows: 0, fired: false, deadline: i64::MAX, row: Vec::new() }
    }
}

/// What all rules with `for` know of one key.
#[derive(Debug, Default)]
pub struct Streaks {
    /// The newest event time; none before the first row.
    newest: Option<i64>,
    /// By the rule's name, as [`rule_id`]: only those whose condition is true now.
    rules: Vec<(u32, Streak)>,
}

/// What a row means for a rule.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Nothing.
    Nothing,
    /// It fires with this row.
    Fires,
    /// It fires with this row, at this event time.
    FiresAt(i64),
    /// It may fire at this deadline: what is kept of the row goes into the bytes, in the place of what is there. `true`
    /// for its first row.
    Waits(i64, bool, &'a mut Vec<u8>),
    /// It will not fire at this deadline.
    Ends(i64),
}

impl Streaks {
    /// A row of the key has come, at event time `time`.
    pub fn comes(&mut self, time: i64) {
        self.newest = self.newest.max(Some(time));
    }

    /// The newest event time.
    fn now(&self) -> i64 {
        self.newest.unwrap_or(i64::MIN)
    }

    /// The streak of a rule whose deadline is before `time`: it fires; the deadline and what was kept of its last row.
    pub fn overdue(&mut self, rule: u32, time: i64) -> Option<(i64, Vec<u8>)> {
        let (_, streak) = self.rules.iter_mut().find(|(known, _)| *known == rule)?;
        if streak.deadline >= time {
            return None;
        }
        streak.fired = true;
        Some((std::mem::replace(&mut streak.deadline, i64::MAX), std::mem::take(&mut streak.row)))
    }

    /// The streak of a rule whose deadline is before the newest row.
    pub fn overdue_now(&mut self, rule: u32) -> Option<(i64, Vec<u8>)> {
        self.overdue(rule, self.now())
    }

    /// Whether a streak waits for this deadline.
    pub fn waits_for(&self, deadline: i64) -> bool {
        self.rules.iter().any(|(_, streak)| streak.deadline == deadline)
    }

    /// The condition of rule `rule` is true for this row (`true`) or not, and no row before `watermark` comes any more
    /// but late ones.
    pub fn row(&mut self, rule: u32, holds: bool, hold: Hold, watermark: i64) -> Verdict<'_> {
        let time = self.now();
        let known = self.rules.iter().position(|(known, _)| *known == rule);
        if !holds {
            return match known.map(|at| self.rules.swap_remove(at).1.deadline) {
                None | Some(i64::MAX) => Verdict::Nothing,
                Some(deadline) => Verdict::Ends(deadline),
            };
        }
        let at = known.unwrap_or_else(|| {
            self.rules.push((rule, Streak::default()));
            self.rules.len() - 1
        });
        let streak = &mut self.rules[at].1;
        if streak.fired {
            return Verdict::Nothing;
        }
        let first = known.is_none();
        match hold {
            Hold::Rows(rows) => {
                streak.rows = streak.rows.saturating_add(1);
                streak.fired = streak.rows >= rows;
                if streak.fired { Verdict::Fires } else { Verdict::Nothing }
            }
            Hold::Micros(micros) => {
                // A rule that went by rows before counts from now on.
                let first = first || streak.deadline == i64::MAX;
                if first {
                    streak.deadline = time.saturating_add(micros);
                }
                let deadline = streak.deadline;
                if deadline <= time || deadline < watermark {
                    *streak = Streak { fired: true, ..Streak::default() };
                    return Verdict::FiresAt(deadline);
                }
                Verdict::Waits(deadline, first, &mut streak.row)
            }
        }
    }
}

/// What a rule's streaks are found by, whatever other rules there are.
pub fn rule_id(name: &str) -> u32 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as u32
}

impl Codec for Streak {
    fn write(&self, out: &mut Vec<u8>) {
        self.rows.write(out);
        self.fired.write(out);
        self.deadline.write(out);
        self.row.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Streak> {
        let (rows, fired, deadline) = (u32::read(from)?, bool::read(from)?, i64::read(from)?);
        Some(Streak { rows, fired, deadline, row: Vec::read(from)? })
    }

    fn heap_bytes(&self) -> usize {
        self.row.capacity()
    }
}

impl Codec for Streaks {
    fn write(&self, out: &mut Vec<u8>) {
        self.newest.is_some().write(out);
        self.newest.unwrap_or(0).write(out);
        self.rules.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Streaks> {
        let (known, newest) = (bool::read(from)?, i64::read(from)?);
        Some(Streaks { newest: known.then_some(newest), rules: Vec::read(from)? })
    }

    fn heap_bytes(&self) -> usize {
        self.rules.heap_bytes()
    }
}

/// The streaks of all keys.
pub type AllStreaks = Keyed<Streaks>;

/// The streaks of a key, for its row at event time `time`; those that are forgotten by then are shown to `forgotten`.
pub fn at<'a>(
    all: &'a mut AllStreaks,
    key: KeyRef<'_>,
    time: i64,
    forgotten: impl FnOnce(&mut Streaks),
) -> &'a mut Streaks {
    let streaks = all.at_showing(key, time, forgotten);
    streaks.comes(time);
    streaks
}

#[cfg(test)]
mod tests;
