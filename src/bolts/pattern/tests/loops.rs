//! Long loops: what their conditions see is what a walk through all rows would find, also behind a restart.

use super::*;
use proptest::prelude::*;

const RISE: &str = "key = 'symbol'
    pattern = 'start rise+ fall'
    within  = '1h'
    define.start = 'close = 1000'
    define.rise  = '''close < 100 and close >= avg(rise.close) - 8 and close <= max(rise.close) and close >= min(rise.close)
        and close < start.close and count(rise.*) <= 45 and sum(rise.close) filter (where rise.close > 20) < 900'''
    define.fall  = 'close < last(rise.close) or close >= avg(rise.close) or count(rise.*) > 3'
    add.start    = 'start.close'
    add.n        = 'count(rise.*)'
    add.avg      = 'avg(rise.close)'
    add.least    = 'min(rise.close)'
    add.top      = 'max(rise.close)'";

/// What `RISE` finds in rows behind a start, by walking through all rows for each: how many of them are in the match,
/// and which one ends the loop.
fn walked(closes: &[f64]) -> Option<(usize, usize)> {
    let mut taken = 0;
    for (at, close) in closes.iter().enumerate() {
        let rise = &closes[..=at];
        let avg = rise.iter().sum::<f64>() / rise.len() as f64;
        let large: f64 = rise.iter().filter(|close| **close > 20.0).sum();
        let none_large = rise.iter().all(|close| *close <= 20.0);
        // A sum of no rows is NULL.
        let good = *close < 100.0 && *close >= avg - 8.0 && rise.len() <= 45 && !none_large && large < 900.0;
        if !good {
            break;
        }
        taken += 1;
    }
    closes.get(taken)?;
    // As many as can be, so that a fall comes behind them.
    let fall = |count: &usize| {
        let (rise, fall) = (&closes[..*count], closes[*count]);
        fall < rise[count - 1] || fall >= rise.iter().sum::<f64>() / *count as f64 || *count > 3
    };
    Some(((1..=taken).rev().find(fall)?, taken))
}

proptest! {
    #[test]
    fn conditions_in_a_loop_see_all_its_rows(
        closes in prop::collection::vec((80..240i32).prop_map(|quarters| f64::from(quarters) / 4.0), 1..90),
        cut in 0..90usize,
    ) {
        let mut rows = vec![1000.0];
        rows.extend(&closes);
        rows.push(500.0);
        let wanted: Vec<String> = walked(&rows[1..]).into_iter().map(|(taken, over)| {
            let rise = &closes[..taken];
            let avg = rise.iter().sum::<f64>() / taken as f64;
            let least = rise.iter().copied().fold(f64::MAX, f64::min);
            let top = rise.iter().copied().fold(f64::MIN, f64::max);
            format!("{} main: x 1000 {taken} {avg} {least} {top}", over + 1)
        }).collect();
        prop_assert_eq!(&super::closes(&mut bars().driver(&Pattern, RISE), 0, &rows), &wanted);
        // The same where what was noted of the loop is lost on the way.
        let cut = cut.min(rows.len());
        let backend = Arc::new(MemoryStore::new());
        let shelf = Shelf::open(&backend, 1 << 20);
        let mut driver = bars().on(&shelf).driver(&Pattern, RISE);
        let mut lines = super::closes(&mut driver, 0, &rows[..cut]);
        shelf.commit(&mut driver, cut as i64 * SECOND);
        let shelf = Shelf::open(&backend, 1 << 20);
        let mut driver = bars().on(&shelf).driver(&Pattern, RISE);
        lines.extend(super::closes(&mut driver, cut as i64, &rows[cut..]));
        prop_assert_eq!(&lines, &wanted, "cut at {}", cut);
    }
}

#[test]
fn loops_of_many_keys_do_not_see_each_others_rows() {
    let toml = "key = 'symbol'\npattern = 'first more{20} last'\nwithin = '1h'
        define.first = 'close >= 1000'\ndefine.last = 'close = -1'
        define.more  = 'close < 1000 and close > max(more.close) - 1 and sum(more.close) < 1000 and first.close >= 1000'
        add.sum = 'sum(more.close)'\nadd.first = 'first.close'";
    let mut driver = bars().driver(&Pattern, toml);
    let mut lines = Vec::new();
    // Keys come and go, so that numbers of rows and steps are used again.
    for round in 0..4i64 {
        for row in 0..22 {
            for key in 0..5i64 {
                let close = match row {
                    0 => 1000.0 + (key + round) as f64,
                    21 => -1.0,
                    row => (row + key * round) as f64,
                };
                let at = (round * 22 + row) * SECOND;
                lines.extend(driver.feed(0, at, &[text(&format!("k{key}")), Value::Double(close)]));
            }
        }
    }
    let all = (0..4i64).flat_map(|round| (0..5i64).map(move |key| (round, key)));
    let wanted = all.map(|(round, key)| {
        let sum: i64 = (1..21).map(|row| row + key * round).sum();
        format!("main: k{key} {sum} {}", 1000 + key + round)
    });
    assert_eq!(lines, wanted.collect::<Vec<_>>());
}
