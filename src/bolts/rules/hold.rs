//! For how long a condition has held for a key: the state behind `for`.
//!
//! A streak is what a rule knows of a key: the condition has been true for so many of the key's rows without a break,
//! since such an event time. It fires once, with the row at which it is long enough, and starts anew after a row for
//! which the condition is not true. A row on which the condition **fails** says nothing: the streak stands. Time does
//! not go back within a key: a late row is taken at the key's newest time.

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
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    /// Event time of the first row.
    since: i64,
    /// Rows so far.
    rows: u32,
    /// Whether it has fired.
    fired: bool,
}

/// What all rules with `for` know of one key.
#[derive(Debug, Default)]
pub struct Streaks {
    /// The newest event time; none before the first row.
    newest: Option<i64>,
    /// By the rule's name, as [`rule_id`]: only those whose condition is true now.
    rules: Vec<(u32, Streak)>,
}

impl Streaks {
    /// A row of the key has come, at event time `time`.
    pub fn comes(&mut self, time: i64) {
        self.newest = self.newest.max(Some(time));
    }

    /// The condition of rule `rule` is true for this row (`true`) or not; whether the rule fires.
    pub fn row(&mut self, rule: u32, holds: bool, hold: Hold) -> bool {
        let time = self.newest.unwrap_or(i64::MIN);
        let known = self.rules.iter().position(|(known, _)| *known == rule);
        if !holds {
            if let Some(at) = known {
                self.rules.swap_remove(at);
            }
            return false;
        }
        let at = known.unwrap_or_else(|| {
            self.rules.push((rule, Streak::default()));
            self.rules.len() - 1
        });
        let streak = &mut self.rules[at].1;
        if streak.rows == 0 {
            streak.since = time;
        }
        streak.rows = streak.rows.saturating_add(1);
        let long_enough = match hold {
            Hold::Rows(rows) => streak.rows >= rows,
            Hold::Micros(micros) => time.saturating_sub(streak.since) >= micros,
        };
        let fires = long_enough && !streak.fired;
        streak.fired |= fires;
        fires
    }
}

/// What a rule's streaks are found by, whatever other rules there are.
pub fn rule_id(name: &str) -> u32 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as u32
}

impl Codec for Streak {
    fn write(&self, out: &mut Vec<u8>) {
        self.since.write(out);
        self.rows.write(out);
        self.fired.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Streak> {
        Some(Streak { since: i64::read(from)?, rows: u32::read(from)?, fired: bool::read(from)? })
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

/// The streaks of a key, for its row at event time `time`.
pub fn at<'a>(all: &'a mut AllStreaks, key: KeyRef<'_>, time: i64) -> &'a mut Streaks {
    let streaks = all.at(key, time);
    streaks.comes(time);
    streaks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(k: &[u8]) -> KeyRef<'_> {
        KeyRef { hash: xxhash_rust::xxh3::xxh3_64(k), bytes: k }
    }

    /// What one key of one rule should do: from its definition, over all rows so far.
    fn naive(rows: &[(i64, bool)], hold: Hold) -> bool {
        let mut newest = i64::MIN;
        let rows = rows.iter().map(|(time, holds)| {
            newest = newest.max(*time);
            (newest, *holds)
        });
        let rows: Vec<(i64, bool)> = rows.collect();
        let start = rows.iter().rposition(|(_, holds)| !holds).map_or(0, |at| at + 1);
        let streak = &rows[start..];
        let long = |streak: &[(i64, bool)]| match (hold, streak) {
            (_, []) => false,
            (Hold::Rows(n), streak) => streak.len() >= n as usize,
            (Hold::Micros(micros), [first, .., last]) => last.0 - first.0 >= micros,
            (Hold::Micros(micros), [_]) => micros <= 0,
        };
        long(streak) && !long(&streak[..streak.len() - 1])
    }

    proptest! {
        #[test]
        fn fires_at_the_first_row_that_is_long_enough(
            rows in prop::collection::vec((0usize..3, 0i64..30, any::<[bool; 2]>()), 0..60),
            n in 1u32..5,
            micros in 1i64..20,
        ) {
            let holds = [Hold::Rows(n), Hold::Micros(micros)];
            let mut all = AllStreaks::new(i64::MAX, None);
            let mut seen: Vec<Vec<(i64, [bool; 2])>> = vec![Vec::new(); 3];
            for (k, time, conditions) in rows {
                seen[k].push((time, conditions));
                let streaks = at(&mut all, key(&[k as u8]), time);
                for rule in 0..2usize {
                    let so_far: Vec<(i64, bool)> = seen[k].iter().map(|(t, c)| (*t, c[rule])).collect();
                    let fired = streaks.row(rule as u32, conditions[rule], holds[rule]);
                    prop_assert_eq!(fired, naive(&so_far, holds[rule]));
                }
            }
        }
    }

    #[test]
    fn a_key_that_was_not_seen_for_the_ttl_starts_anew() {
        let mut all = AllStreaks::new(100, None);
        let mut row = |time| at(&mut all, key(b"k"), time).row(0, true, Hold::Rows(2));
        assert!(!row(0));
        assert!(!row(101));
        assert!(row(201));
        assert!(!row(202));
    }
}
