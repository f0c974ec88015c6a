use super::*;
use proptest::prelude::*;

fn key(k: &[u8]) -> KeyRef<'_> {
    KeyRef::new(k)
}

/// What one key of one rule should do, from its definition, over all rows (time, condition) and then for ever nothing:
/// the index of each row that it fires with, and when.
fn naive(rows: &[(i64, bool)], hold: Hold) -> Vec<(usize, i64)> {
    let mut newest = i64::MIN;
    let rows: Vec<(i64, bool)> = rows
        .iter()
        .map(|(time, holds)| {
            newest = newest.max(*time);
            (newest, *holds)
        })
        .collect();
    let starts = (0..rows.len()).filter(|n| rows[*n].1 && (*n == 0 || !rows[*n - 1].1));
    starts
        .filter_map(|start| {
            let end = (start..rows.len()).find(|n| !rows[*n].1).unwrap_or(rows.len());
            match hold {
                Hold::Rows(n) => {
                    (end - start >= n as usize).then(|| (start + n as usize - 1, rows[start + n as usize - 1].0))
                }
                Hold::Micros(micros) => {
                    let deadline = rows[start].0 + micros;
                    match (start..end).find(|n| rows[*n].0 >= deadline) {
                        Some(n) if rows[n].0 == deadline => Some((n, deadline)),
                        Some(n) => Some((n - 1, deadline)),
                        None if end < rows.len() && rows[end].0 <= deadline => None,
                        None => Some((end - 1, deadline)),
                    }
                }
            }
        })
        .collect()
}

proptest! {
    /// Whether and when time passes deadlines between the rows, in which order, makes no difference.
    #[test]
    fn fires_as_its_definition_says_whenever_timers_fire(
        rows in prop::collection::vec((0usize..3, 0i64..30, any::<[bool; 2]>(), any::<bool>()), 0..60),
        n in 1u32..5,
        micros in 1i64..20,
    ) {
        let holds = [Hold::Rows(n), Hold::Micros(micros)];
        let mut all = AllStreaks::new(i64::MAX, None);
        let mut seen: Vec<Vec<(i64, [bool; 2])>> = vec![Vec::new(); 3];
        let mut fired: [Vec<(usize, usize, i64)>; 2] = Default::default();
        let number = |row: &[u8]| usize::from(row[0]);
        for (k, time, conditions, timers) in rows {
            let index = seen[k].len();
            seen[k].push((time, conditions));
            let newest = seen[k].iter().map(|(time, _)| *time).max().unwrap();
            if timers {
                // Time has come as far as this row.
                if let Some((deadline, row)) = all.at(key(&[k as u8]), time).overdue(1, newest) {
                    fired[1].push((k, number(&row), deadline));
                }
            }
            let streaks = at(&mut all, key(&[k as u8]), time, |_| {});
            for rule in 0..2usize {
                if let Some((deadline, row)) = streaks.overdue_now(rule as u32) {
                    fired[rule].push((k, number(&row), deadline));
                }
                match streaks.row(rule as u32, conditions[rule], holds[rule], i64::MIN) {
                    Verdict::Fires => fired[rule].push((k, index, newest)),
                    Verdict::FiresAt(deadline) => fired[rule].push((k, index, deadline)),
                    Verdict::Waits(_, _, row) => *row = vec![index as u8],
                    Verdict::Nothing | Verdict::Ends(_) => {}
                }
            }
        }
        for (k, seen) in seen.iter().enumerate() {
            if let Some((deadline, row)) = all.at(key(&[k as u8]), 0).overdue(1, i64::MAX) {
                fired[1].push((k, number(&row), deadline));
            }
            for rule in 0..2usize {
                let rows: Vec<(i64, bool)> = seen.iter().map(|(t, c)| (*t, c[rule])).collect();
                let of_key = fired[rule].iter().filter(|f| f.0 == k).map(|f| (f.1, f.2));
                prop_assert_eq!(of_key.collect::<Vec<_>>(), naive(&rows, holds[rule]), "{:?} {:?}", rows, holds[rule]);
            }
        }
    }
}

#[test]
fn a_key_that_was_not_seen_for_the_ttl_starts_anew() {
    let mut all = AllStreaks::new(100, None);
    let mut row = |time| at(&mut all, key(b"k"), time, |_| {}).row(0, true, Hold::Rows(2), i64::MIN) == Verdict::Fires;
    assert!(!row(0));
    assert!(!row(101));
    assert!(row(201));
    assert!(!row(202));
}

#[test]
fn a_streak_that_begins_behind_time_fires_at_once_and_one_at_the_watermark_waits() {
    let mut all = AllStreaks::new(i64::MAX, None);
    let mut row = |k: &[u8], watermark| match at(&mut all, key(k), 10, |_| {}).row(0, true, Hold::Micros(5), watermark)
    {
        Verdict::FiresAt(time) => Some(time),
        _ => None,
    };
    assert_eq!(row(b"a", 16), Some(15));
    assert_eq!(row(b"b", 15), None);
}

#[test]
fn what_is_forgotten_after_a_silence_is_shown_before() {
    let mut all = AllStreaks::new(10, None);
    let verdict =
        at(&mut all, key(b"k"), 0, |_| panic!("nothing is known yet")).row(1, true, Hold::Micros(5), i64::MIN);
    assert!(matches!(verdict, Verdict::Waits(5, true, _)));
    let mut over = None;
    at(&mut all, key(b"k"), 11, |streaks| over = streaks.overdue(1, 11));
    assert_eq!(over.map(|(deadline, _)| deadline), Some(5));
}
