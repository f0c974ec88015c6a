//! For how long a condition has held for a key: the state behind `for`.
//!
//! A streak is what a rule knows of a key: the condition has been true for so many of the key's rows without a break,
//! since such an event time. It fires once, with the row at which it is long enough, and starts anew after a row for
//! which the condition is not true. A row on which the condition **fails** says nothing: the streak stands. Time does
//! not go back within a key: a late row is taken at the key's newest time.

use crate::store::{KeyRef, Keys};

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

/// The streaks of all keys and all rules with `for`.
pub struct Streaks {
    keys: Keys,
    /// For each entry one streak a rule.
    streaks: Vec<Streak>,
    /// For each entry the newest event time.
    newest: Vec<i64>,
    rules: usize,
}

/// Where the streaks of one key stand, and the time its row is taken at.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    first: usize,
    time: i64,
}

impl Streaks {
    /// No keys, for `rules` rules; those not seen for `ttl` microseconds of event time are forgotten.
    pub fn new(rules: usize, ttl: i64) -> Streaks {
        Streaks { keys: Keys::new(ttl), streaks: Vec::new(), newest: Vec::new(), rules }
    }

    /// The place of a key, which its row at event time `time` is counted at.
    pub fn place(&mut self, key: KeyRef<'_>, time: i64) -> Place {
        let (entry, fresh) = self.keys.entry(key, time);
        let entry = entry as usize;
        if entry >= self.newest.len() {
            self.newest.resize(entry + 1, i64::MIN);
            self.streaks.resize((entry + 1) * self.rules, Streak::default());
        }
        let first = entry * self.rules;
        if fresh {
            self.newest[entry] = i64::MIN;
            self.streaks[first..first + self.rules].fill(Streak::default());
        }
        self.newest[entry] = self.newest[entry].max(time);
        Place { first, time: self.newest[entry] }
    }

    /// The condition of rule `rule` is true for this row (`true`) or not; whether the rule fires.
    pub fn row(&mut self, place: Place, rule: usize, holds: bool, hold: Hold) -> bool {
        let streak = &mut self.streaks[place.first + rule];
        if !holds {
            *streak = Streak::default();
            return false;
        }
        if streak.rows == 0 {
            streak.since = place.time;
        }
        streak.rows = streak.rows.saturating_add(1);
        let long_enough = match hold {
            Hold::Rows(rows) => streak.rows >= rows,
            Hold::Micros(micros) => place.time.saturating_sub(streak.since) >= micros,
        };
        let fires = long_enough && !streak.fired;
        streak.fired |= fires;
        fires
    }

    /// Number of keys.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }
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
            let mut streaks = Streaks::new(2, i64::MAX);
            let mut seen: Vec<Vec<(i64, [bool; 2])>> = vec![Vec::new(); 3];
            for (k, time, conditions) in rows {
                seen[k].push((time, conditions));
                let place = streaks.place(key(&[k as u8]), time);
                for rule in 0..2 {
                    let so_far: Vec<(i64, bool)> = seen[k].iter().map(|(t, c)| (*t, c[rule])).collect();
                    let fired = streaks.row(place, rule, conditions[rule], holds[rule]);
                    prop_assert_eq!(fired, naive(&so_far, holds[rule]));
                }
            }
        }
    }

    #[test]
    fn a_key_that_was_not_seen_for_the_ttl_starts_anew() {
        let mut streaks = Streaks::new(1, 100);
        let mut row = |time| {
            let place = streaks.place(key(b"k"), time);
            streaks.row(place, 0, true, Hold::Rows(2))
        };
        assert!(!row(0));
        assert!(!row(101));
        assert!(row(201));
        assert!(!row(202));
    }
}
