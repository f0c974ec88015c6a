use super::*;
use crate::tuple::{Arena, TextWord};
use AggregateFunction as F;
use proptest::prelude::*;
use std::collections::BTreeSet;

mod long;

const LATENESS: i64 = 8;
const TEXTS: [&str; 4] = ["", "a", "b", "a longer text than a word"];

/// A row: time, bigint, double, text (by number), boolean; which are NULL; which of two filters are not true.
#[derive(Clone, Debug)]
struct Tuple {
    time: i64,
    words: [u64; 4],
    flags: u64,
}

const TYPES: [DataType; 4] = [DataType::Bigint, DataType::Double, DataType::Text, DataType::Boolean];

fn tuples() -> impl Strategy<Value = Vec<(usize, bool, Tuple)>> {
    let double = prop_oneof![
        4 => (-8i32..8).prop_map(|x| f64::from(x) * 0.5),
        1 => prop_oneof![Just(-0.0), Just(1e17), Just(-1e17), Just(0.125)],
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ];
    let tuple = (-LATENESS - 2..6, -5i64..5, double, 0u64..4, 0u64..2, prop_oneof![Just(0u64), 0u64..64])
        .prop_map(|(ahead, b, d, t, c, flags)| Tuple { time: ahead, words: [b as u64, d.to_bits(), t, c], flags });
    let disorder = prop::bool::weighted(0.3);
    prop::collection::vec((0usize..2, prop::bool::weighted(0.1), tuple, disorder), 1..80).prop_map(|rows| {
        let mut now = 0;
        let rows = rows.into_iter().map(|(key, fails, mut tuple, disorder)| {
            let ahead = if disorder { tuple.time } else { tuple.time.max(0) };
            tuple.time = now + ahead;
            now = now.max(tuple.time);
            (key, fails, tuple)
        });
        rows.collect()
    })
}

fn windows() -> Vec<WindowSpec> {
    let lengths = [
        Length::Time(10),
        Length::Time(3),
        Length::Rows(1),
        Length::Rows(4),
        Length::All,
        Length::Run(0),
        Length::Latest(1),
    ];
    let both = |length| [false, true].map(|exclude_current| WindowSpec { length, exclude_current });
    lengths.into_iter().flat_map(both).collect()
}

/// What runs look at (the condition and the text), and the newest rows (the text).
fn values() -> Vec<Vec<ValueSpec>> {
    let value = |at: usize| ValueSpec { argument: at, ty: TYPES[at], null: Some(at as u8) };
    vec![vec![value(3), value(2)], vec![value(2)]]
}

/// The value of a row for some of its columns.
fn value_of(row: &Tuple, columns: &[usize]) -> Vec<Option<u64>> {
    columns.iter().map(|at| (row.flags >> at & 1 == 0).then_some(row.words[*at])).collect()
}

fn calls(windows: usize) -> Vec<CallSpec> {
    let mut calls = Vec::new();
    let functions: [(F, &[usize]); 12] = [
        (F::Count, &[0, 2]),
        (F::Sum, &[0, 1]),
        (F::Avg, &[0, 1]),
        (F::Min, &[0, 1, 2]),
        (F::Max, &[0, 1, 2]),
        (F::StddevSamp, &[0, 1]),
        (F::VarPop, &[0]),
        (F::First, &[0, 2]),
        (F::Last, &[1, 2]),
        (F::BoolAnd, &[3]),
        (F::BoolOr, &[3]),
        (F::Share, &[3]),
    ];
    for window in 0..windows {
        let call = |function, argument: Option<usize>, distinct, filtered| CallSpec {
            function,
            distinct,
            window,
            argument,
            ty: argument.map_or(DataType::Bigint, |at| TYPES[at]),
            null: argument.map(|at| at as u8),
            filtered,
            second: None,
            foreign: None,
            parameter: Value::Null,
            bound: Value::Null,
        };
        for (function, arguments) in functions {
            for argument in arguments {
                calls.push(call(function, Some(*argument), false, None));
                calls.push(call(function, Some(*argument), false, Some(4)));
                if matches!(function, F::Count | F::Sum | F::Avg) {
                    calls.push(call(function, Some(*argument), true, Some(5)));
                }
            }
        }
        calls.push(call(F::Count, None, false, None));
    }
    calls
}

/// The rows of a window at the newest of `rows`, oldest first.
fn inside(rows: &[Tuple], window: WindowSpec) -> Vec<&Tuple> {
    let (current, before) = rows.split_last().unwrap();
    let candidates = if window.exclude_current { before } else { rows };
    let mut inside: Vec<&Tuple> = match window.length {
        Length::Time(length) => {
            candidates.iter().filter(|r| r.time >= current.time - length && r.time <= current.time).collect()
        }
        Length::Rows(n) => candidates[candidates.len().saturating_sub(n as usize)..].iter().collect(),
        Length::All => candidates.iter().collect(),
        Length::Run(_) => {
            let of = |row: &Tuple| value_of(row, &[3, 2]);
            let from = candidates.iter().rposition(|row| of(row) != of(current)).map_or(0, |at| at + 1);
            candidates[from..].iter().collect()
        }
        Length::Latest(_) => {
            let is_newest = |(n, row): &(usize, &Tuple)| {
                let newer = |(m, other): (usize, &Tuple)| (other.time, m) > (row.time, *n);
                let same = |other: &Tuple| value_of(other, &[2]) == value_of(row, &[2]);
                !candidates.iter().enumerate().any(|(m, other)| same(other) && newer((m, other)))
            };
            candidates.iter().enumerate().filter(is_newest).map(|(_, row)| row).collect()
        }
    };
    if !matches!(window.length, Length::Rows(_)) {
        inside.sort_by_key(|row| row.time);
    }
    inside
}

/// Every double of the tests is a whole number of these parts, and so are their sums.
const FIXED: f64 = (1u64 << 60) as f64;

fn fixed(x: f64) -> i128 {
    let (whole, part) = (x.trunc(), x.fract());
    (whole as i128) * (1 << 60) + (part * FIXED) as i128
}

/// How many doubles lie between two.
fn steps(a: f64, b: f64) -> u64 {
    ordered::sortable(a.to_bits(), DataType::Double).abs_diff(ordered::sortable(b.to_bits(), DataType::Double))
}

/// A result as it is compared: texts by number.
fn naive(call: &CallSpec, all: &[&Tuple]) -> Option<u64> {
    let is = |row: &Tuple, flag: Option<u8>| flag.is_some_and(|flag| row.flags >> flag & 1 == 1);
    let passed: Vec<&Tuple> = all.iter().copied().filter(|row| !is(row, call.filtered)).collect();
    let word = |row: &Tuple| call.argument.map_or(0, |at| row.words[at]);
    let value = |row: &&Tuple| (!is(row, call.null)).then(|| word(row));
    match call.function {
        F::First => return passed.first().and_then(value),
        F::Last => return passed.last().and_then(value),
        _ => {}
    }
    let mut words: Vec<u64> = passed.iter().filter_map(value).collect();
    if call.distinct {
        let mut seen = BTreeSet::new();
        words.retain(|word| {
            let double = f64::from_bits(*word);
            let nan = call.ty == DataType::Double && double.is_nan();
            let zero = call.ty == DataType::Double && double == 0.0;
            seen.insert(if nan {
                u64::MAX
            } else if zero {
                0
            } else {
                *word
            })
        });
    }
    if call.function == F::Count {
        return Some(words.len() as u64);
    }
    if words.is_empty() {
        return None;
    }
    let n = words.len() as f64;
    let number = |word: &u64| if call.ty == DataType::Double { f64::from_bits(*word) } else { *word as i64 as f64 };
    let finite = call.ty == DataType::Double && words.iter().all(|w| number(w).is_finite());
    let sum = || match words.as_slice() {
        [one] => number(one),
        words if finite => words.iter().map(|w| fixed(number(w))).sum::<i128>() as f64 / FIXED,
        words if words.iter().all(|w| number(w).is_finite()) => {
            // All are multiples of 1/8: exact as whole numbers.
            words.iter().map(|w| (number(w) * 8.0) as i128).sum::<i128>() as f64 / 8.0
        }
        words => words.iter().map(number).sum::<f64>(),
    };
    let by = |a: &u64, b: &u64| match call.ty {
        DataType::Text => TEXTS[*a as usize].cmp(TEXTS[*b as usize]),
        ty => ordered::sortable(*a, ty).cmp(&ordered::sortable(*b, ty)),
    };
    Some(match call.function {
        F::Min => words.into_iter().min_by(by).unwrap(),
        F::Max => words.into_iter().max_by(by).unwrap(),
        F::BoolAnd => u64::from(words.iter().all(|w| *w == 1)),
        F::BoolOr => u64::from(words.contains(&1)),
        F::Share => (words.iter().sum::<u64>() as f64 / n).to_bits(),
        F::Sum if call.ty == DataType::Bigint => words.iter().fold(0u64, |a, b| a.wrapping_add(*b)),
        F::Sum => sum().to_bits(),
        F::Avg => (sum() / n).to_bits(),
        F::StddevSamp | F::VarPop => {
            if call.function == F::StddevSamp && words.len() < 2 {
                return None;
            }
            let mean = sum() / n;
            let squares: f64 = words.iter().map(|w| (number(w) - mean).powi(2)).sum();
            (if call.function == F::VarPop { squares / n } else { (squares / (n - 1.0)).sqrt() }).to_bits()
        }
        other => unreachable!("{other:?} is not among the calls"),
    })
}

/// Whether results agree: bit for bit, but for doubles that are sums. Those are the exact sum, rounded (the last digit
/// may differ where it was rounded twice, that of a mean by one more); deviations are compared as far as naive ones go.
fn agree(call: &CallSpec, got: Option<u64>, wanted: Option<u64>, rows: usize) -> bool {
    let spread = matches!(call.function, F::StddevSamp | F::VarPop);
    let sum = matches!(call.function, F::Sum | F::Avg) && call.ty == DataType::Double;
    match (got, wanted) {
        (Some(got), Some(wanted)) if spread => {
            let (got, wanted) = (f64::from_bits(got), f64::from_bits(wanted));
            let near = (got - wanted).abs() <= if wanted.abs() > 1e3 { wanted.abs() * 1e-9 } else { 1e-9 };
            near || (got.is_nan() && wanted.is_nan()) || wanted.abs() >= 1e6 || got.abs() >= 1e6
        }
        (Some(got), Some(wanted)) if sum && (rows > 1 || call.distinct) => {
            let (got, wanted) = (f64::from_bits(got), f64::from_bits(wanted));
            // Of zeros, either may stand for both.
            (got == 0.0 && wanted == 0.0) || steps(got, wanted) <= if call.function == F::Avg { 2 } else { 1 }
        }
        _ => got == wanted,
    }
}

/// Which calls a test has: they decide what a row keeps and whether windows can be moved back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mix {
    All,
    /// None that keeps candidates.
    WithoutQueues,
    /// Sums and counts of columns that are never NULL.
    Plain,
}

fn mixed(mix: Mix, windows: usize) -> Vec<CallSpec> {
    let queue = |c: &CallSpec| {
        matches!(c.function, F::Min | F::Max) || (matches!(c.function, F::First | F::Last) && c.filtered.is_some())
    };
    let plain = |c: &CallSpec| c.filtered.is_none() && !c.distinct && matches!(c.function, F::Count | F::Sum);
    let keeps = |c: &CallSpec| match mix {
        Mix::All => true,
        Mix::WithoutQueues => !queue(c),
        Mix::Plain => plain(c),
    };
    let mut calls: Vec<CallSpec> = calls(windows).into_iter().filter(keeps).collect();
    if mix == Mix::Plain {
        calls.iter_mut().for_each(|call| call.null = None);
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn every_answer_is_that_of_the_rows_of_its_own_window(
        rows in tuples(),
        large in any::<bool>(),
        mix in prop_oneof![Just(Mix::All), Just(Mix::WithoutQueues), Just(Mix::Plain)],
    ) {
        let windows = windows();
        let calls = mixed(mix, windows.len());
        let mut rolling = Rolling::new(&windows, &calls, &values(), LATENESS);
        let mut seen: [Vec<Tuple>; 2] = Default::default();
        rolling.reset(0);
        rolling.reset(1);
        for (key, fails, mut tuple) in rows {
            if !large && f64::from_bits(tuple.words[1]).abs() >= 1e6 {
                tuple.words[1] = 0.25f64.to_bits();
            }
            if mix == Mix::Plain {
                tuple.flags = 0;
            }
            let entry = key as u32;
            let late = seen[key].iter().map(|r| r.time).max().is_some_and(|newest| tuple.time < newest - LATENESS);
            prop_assert_eq!(rolling.is_late(entry, tuple.time), late);
            if late {
                continue;
            }
            let arena = Arena::new();
            let mut arguments = tuple.words;
            arguments[2] = arena.store(TEXTS[tuple.words[2] as usize]).0;
            rolling.begin(entry, tuple.time);
            seen[key].push(tuple.clone());
            for (number, call) in calls.iter().enumerate() {
                let got = rolling.read(number, entry, tuple.time, &arguments, tuple.flags, &arena);
                let choice = matches!(call.function, F::Min | F::Max | F::First | F::Last);
                let got = got.unwrap().map(|word| match call.ty {
                    DataType::Text if choice => {
                        TEXTS.iter().position(|t| *t == TextWord(word).as_str()).unwrap() as u64
                    }
                    DataType::Double if choice && f64::from_bits(word).is_nan() => f64::NAN.to_bits(),
                    _ => word,
                });
                let rows = inside(&seen[key], windows[call.window]);
                let wanted = naive(call, &rows);
                prop_assert!(agree(call, got, wanted, rows.len()), "{:?} over {:?}: {:?}, not {:?}", call,
                    windows[call.window], got, wanted);
            }
            if fails {
                seen[key].pop();
                rolling.abort(entry);
            } else {
                rolling.commit(entry, tuple.time, &arguments, tuple.flags);
            }
        }
    }
}

/// One double call over ten units of time.
fn sums(values: &[(i64, f64)]) -> Vec<Result<Option<f64>, Overflow>> {
    let windows = [WindowSpec { length: Length::Time(10), exclude_current: false }];
    let call = CallSpec {
        function: F::Sum,
        distinct: false,
        window: 0,
        argument: Some(0),
        ty: DataType::Double,
        null: None,
        filtered: None,
        second: None,
        foreign: None,
        parameter: Value::Null,
        bound: Value::Null,
    };
    let mut rolling = Rolling::new(&windows, &[call], &[], 0);
    rolling.reset(0);
    let mut row = |(time, value): &(i64, f64)| {
        rolling.begin(0, *time);
        let answer = rolling.read(0, 0, *time, &[value.to_bits()], 0, &Arena::new());
        match answer {
            Ok(_) => rolling.commit(0, *time, &[value.to_bits()], 0),
            Err(_) => rolling.abort(0),
        }
        answer.map(|word| word.map(f64::from_bits))
    };
    values.iter().map(&mut row).collect()
}

#[test]
fn what_leaves_a_window_leaves_nothing_behind() {
    let got = sums(&[(0, 1e300), (5, 1e-300), (12, 1.0), (30, 0.1), (35, f64::INFINITY), (46, 0.3)]);
    assert_eq!(got[1], Ok(Some(1e300)));
    assert_eq!(got[2], Ok(Some(1.0)));
    assert_eq!(got[3], Ok(Some(0.1)));
    assert_eq!(got[4], Ok(Some(f64::INFINITY)));
    assert_eq!(got[5], Ok(Some(0.3)));
}

#[test]
fn a_sum_outside_of_its_type_is_an_overflow_that_leaves_no_trace() {
    assert_eq!(sums(&[(0, 1e308), (1, 1e308), (2, 1.0)]), [Ok(Some(1e308)), Err(Overflow), Ok(Some(1e308))]);
}

#[test]
fn ten_tenths_are_one() {
    let values: Vec<(i64, f64)> = (0..10).map(|t| (t, 0.1)).collect();
    assert_eq!(sums(&values)[9], Ok(Some(1.0)));
}

#[test]
fn small_sums_survive_a_large_one_that_passes_by() {
    let got = sums(&[(0, 1e25), (1, 0.1), (2, 0.2), (3, 0.3), (11, 0.0), (14, 0.0)]);
    // The exact sum, rounded once; added one by one they would be 0.6000000000000001.
    assert_eq!(got[4], Ok(Some(0.6)));
    assert_eq!(got[5], Ok(Some(0.0)));
}

#[test]
fn large_values_that_cancel_leave_zero() {
    let values: Vec<(i64, f64)> = (0..10_000).map(|t| (t / 1000, if t % 2 == 0 { 1e300 } else { -1e300 })).collect();
    let got = sums(&values);
    assert_eq!((got[9_998], got[9_999]), (Ok(Some(1e300)), Ok(Some(0.0))));
}
