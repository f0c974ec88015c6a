use super::*;
use crate::window::{Length, Rolling, ValueSpec, WindowSpec, closing};
use closing::{Closing, ClosingSpec, Shape};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A row: time, x, y, text by number.
type Tuple = (i64, i64, i64, usize);

const TEXTS: [&str; 3] = ["b", "a", "a longer text than a word"];

fn call(function: F, argument: usize, ty: DataType, parameter: Value) -> CallSpec {
    let two = matches!(
        function,
        F::MinBy | F::MaxBy | F::CovarPop | F::CovarSamp | F::Corr | F::RegrSlope | F::RegrIntercept
    );
    CallSpec {
        function,
        distinct: false,
        window: 0,
        argument: Some(argument),
        ty,
        null: None,
        filtered: None,
        foreign: None,
        second: two.then_some(ValueSpec { argument: 1, ty: DataType::Double, null: None }),
        bound: Value::Bigint(3),
        parameter,
    }
}

/// All functions over arguments: x as a double, y as a double, the text, x as a bigint.
fn calls() -> Vec<CallSpec> {
    let share = Value::Double(0.3);
    vec![
        call(F::PercentileCont, 0, DataType::Double, share.clone()),
        call(F::PercentileDisc, 3, DataType::Bigint, share.clone()),
        call(F::ApproxPercentile, 0, DataType::Double, share),
        call(F::ApproxCountDistinct, 2, DataType::Text, Value::Null),
        call(F::Integral, 0, DataType::Double, Value::Null),
        call(F::Increase, 3, DataType::Bigint, Value::Null),
        call(F::Increase, 0, DataType::Double, Value::Null),
        call(F::Mode, 3, DataType::Bigint, Value::Null),
        call(F::Mode, 2, DataType::Text, Value::Null),
        call(F::TopK, 2, DataType::Text, Value::Bigint(2)),
        call(F::MinBy, 2, DataType::Text, Value::Null),
        call(F::MaxBy, 3, DataType::Bigint, Value::Null),
        call(F::NthValue, 2, DataType::Text, Value::Bigint(2)),
        call(F::CovarPop, 0, DataType::Double, Value::Null),
        call(F::CovarSamp, 0, DataType::Double, Value::Null),
        call(F::Corr, 0, DataType::Double, Value::Null),
        call(F::RegrSlope, 0, DataType::Double, Value::Null),
        call(F::RegrIntercept, 0, DataType::Double, Value::Null),
        call(F::Ewma, 0, DataType::Double, Value::Interval(10)),
        call(F::ArrayAgg, 3, DataType::Bigint, Value::Null),
        call(F::StringAgg, 2, DataType::Text, Value::Text("; ".to_owned())),
    ]
}

/// A call over rows in the order of the window, from its definition.
fn naive(call: &CallSpec, rows: &[Tuple]) -> Option<Answer> {
    let x = |row: &Tuple| row.1 as f64 / 2.0;
    let y = |row: &Tuple| row.2 as f64;
    let n = rows.len() as f64;
    if call.function == F::ApproxCountDistinct {
        let mut texts: Vec<usize> = rows.iter().map(|row| row.3).collect();
        texts.sort_unstable();
        texts.dedup();
        return Some(Answer::Number(texts.len() as f64));
    }
    let first = rows.first()?;
    let mut sorted: Vec<i64> = rows.iter().map(|row| row.1).collect();
    sorted.sort_unstable();
    let mean = |of: &dyn Fn(&Tuple) -> f64| rows.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(&x), mean(&y));
    let sxy: f64 = rows.iter().map(|row| (x(row) - mx) * (y(row) - my)).sum();
    let sxx: f64 = rows.iter().map(|row| (x(row) - mx).powi(2)).sum();
    let syy: f64 = rows.iter().map(|row| (y(row) - my).powi(2)).sum();
    let texts = || rows.iter().map(|row| TEXTS[row.3]);
    let newest = &rows[rows.len().saturating_sub(3)..];
    let counts = |keys: &mut dyn Iterator<Item = String>| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        keys.for_each(|key| *counts.entry(key).or_insert(0) += 1);
        let mut counts: Vec<(String, i64)> = counts.into_iter().collect();
        counts.sort_by_key(|(key, count)| (-count, key.clone()));
        counts
    };
    let number = |number: f64| Some(Answer::Number(number));
    match call.function {
        F::PercentileCont => {
            let place = 0.3 * (n - 1.0);
            let at = |place: f64| sorted[place as usize] as f64 / 2.0;
            let (low, high) = (at(place.floor()), at(place.ceil()));
            number(low + (high - low) * place.fract())
        }
        F::PercentileDisc => number(sorted[((0.3 * n).ceil() as usize).max(1) - 1] as f64),
        F::ApproxPercentile => Some(Answer::Near(sorted[(0.3 * (n - 1.0)).round() as usize] as f64 / 2.0, 0.011)),
        F::Integral => {
            let part = |two: &[Tuple]| (x(&two[0]) + x(&two[1])) / 2.0 * ((two[1].0 - two[0].0) as f64 / 1e6);
            Some(Answer::Near(rows.windows(2).map(part).sum(), 1e-9))
        }
        F::Increase => {
            let of = |row: &Tuple| if call.ty == DataType::Double { x(row) } else { row.1 as f64 };
            let part = |two: &[Tuple]| if of(&two[1]) >= of(&two[0]) { of(&two[1]) - of(&two[0]) } else { of(&two[1]) };
            number(rows.windows(2).map(part).sum())
        }
        F::Mode if call.ty == DataType::Text => {
            Some(Answer::Text(counts(&mut texts().map(str::to_owned))[0].0.clone()))
        }
        F::Mode => {
            let often = |x: &i64| sorted.iter().filter(|other| *other == x).count() as i64;
            number(*sorted.iter().min_by_key(|x| (-often(x), **x))? as f64)
        }
        F::TopK => {
            let all = counts(&mut texts().map(str::to_owned));
            let two = all.into_iter().take(2).map(|(key, count)| (key, count.into()));
            Some(Answer::Text(serde_json::Value::Object(two.collect()).to_string()))
        }
        F::MinBy => Some(Answer::Text(TEXTS[rows.iter().min_by_key(|row| row.2)?.3].to_owned())),
        F::MaxBy => number(rows.iter().rev().max_by_key(|row| row.2)?.1 as f64),
        F::NthValue => Some(Answer::Text(TEXTS[rows.get(1)?.3].to_owned())),
        F::CovarPop => Some(Answer::Near(sxy / n, 1e-9)),
        F::CovarSamp => (n > 1.0).then(|| Answer::Near(sxy / (n - 1.0), 1e-9)),
        F::Corr => (n > 1.0 && sxx * syy != 0.0).then(|| Answer::Near(sxy / (sxx * syy).sqrt(), 1e-9)),
        F::RegrSlope => (n > 1.0 && syy != 0.0).then(|| Answer::Near(sxy / syy, 1e-9)),
        F::RegrIntercept => (n > 1.0 && syy != 0.0).then(|| Answer::Near(mx - sxy / syy * my, 1e-9)),
        F::Ewma => {
            let weight = |row: &Tuple| ((row.0 - first.0) as f64 / 10.0).exp2();
            let weights: f64 = rows.iter().map(weight).sum();
            Some(Answer::Near(rows.iter().map(|row| weight(row) * x(row)).sum::<f64>() / weights, 1e-9))
        }
        F::ArrayAgg => {
            let values = newest.iter().map(|row| row.1.to_string()).collect::<Vec<_>>().join(",");
            Some(Answer::Text(format!("[{values}]")))
        }
        _ => Some(Answer::Text(newest.iter().map(|row| TEXTS[row.3]).collect::<Vec<_>>().join("; "))),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Number(f64),
    Near(f64, f64),
    Text(String),
}

fn agrees(call: &CallSpec, got: Option<u64>, wanted: Option<Answer>) -> Result<(), TestCaseError> {
    let double = matches!(
        call.function,
        F::PercentileCont | F::ApproxPercentile | F::Integral | F::CovarPop | F::CovarSamp | F::Corr | F::Ewma
    ) || matches!(call.function, F::RegrSlope | F::RegrIntercept)
        || call.function == F::Increase && call.ty == DataType::Double;
    let number = |word: u64| if double { f64::from_bits(word) } else { word as i64 as f64 };
    match (got, wanted) {
        (Some(word), Some(Answer::Text(text))) => {
            prop_assert_eq!(crate::tuple::TextWord(word).as_str(), text, "{:?}", call.function);
        }
        (Some(word), Some(Answer::Number(wanted))) => prop_assert_eq!(number(word), wanted, "{:?}", call.function),
        (Some(word), Some(Answer::Near(wanted, part))) => {
            let off = (number(word) - wanted).abs();
            prop_assert!(off <= wanted.abs().max(1.0) * part, "{:?}: {} for {wanted}", call.function, number(word));
        }
        (got, wanted) => prop_assert_eq!((got.is_none(), wanted.is_none()), (true, true), "{:?}", call.function),
    }
    Ok(())
}

fn tuples() -> impl Strategy<Value = Vec<Tuple>> {
    let row = (prop_oneof![5 => 0i64..4, 1 => -8i64..0], -6i64..9, -3i64..4, 0usize..3);
    prop::collection::vec(row, 1..60).prop_map(|rows| {
        let mut now = 0;
        let rows = rows.into_iter().map(|(ahead, x, y, text)| {
            let time = now + ahead;
            now = now.max(time);
            (time, x, y, text)
        });
        rows.collect()
    })
}

fn words(row: Tuple, arena: &Arena) -> [u64; 4] {
    let (_, x, y, text) = row;
    [(x as f64 / 2.0).to_bits(), (y as f64).to_bits(), arena.store(TEXTS[text]).0, x as u64]
}

proptest! {
    #[test]
    fn what_slides_and_what_grows_gives_what_the_rows_say(rows in tuples(), exclude in any::<bool>()) {
        let lengths = [Length::Time(9), Length::Rows(5), Length::Time(i64::MAX)];
        let windows = lengths.map(|length| WindowSpec { length, exclude_current: exclude });
        let of = |window: usize| calls().into_iter().map(move |call| CallSpec { window, ..call });
        let all: Vec<CallSpec> = (0..3).flat_map(of).collect();
        let mut rolling = Rolling::new(&windows, &all, &[], 20);
        rolling.reset(0);
        let mut seen: Vec<Tuple> = Vec::new();
        for row in rows {
            let arena = Arena::new();
            let arguments = words(row, &arena);
            rolling.begin(0, row.0);
            let before = seen.clone();
            seen.push(row);
            for (n, call) in all.iter().enumerate() {
                let from = if exclude { &before } else { &seen };
                let mut inside: Vec<Tuple> = match windows[call.window].length {
                    Length::Rows(many) => from[from.len().saturating_sub(many as usize)..].to_vec(),
                    Length::Time(long) => {
                        let oldest = row.0.saturating_sub(long);
                        from.iter().filter(|other| other.0 >= oldest && other.0 <= row.0).copied().collect()
                    }
                    _ => unreachable!("there is no other"),
                };
                if matches!(windows[call.window].length, Length::Time(_)) {
                    inside.sort_by_key(|row| row.0);
                } else if matches!(call.function, F::Integral | F::Increase | F::Ewma | F::NthValue | F::ArrayAgg | F::StringAgg) {
                    // By arrival, times that go back have no meaning that is promised.
                    continue;
                }
                let got = rolling.read(n, 0, row.0, &arguments, 0, &arena).unwrap();
                agrees(call, got, naive(call, &inside))?;
            }
            rolling.commit(0, row.0, &arguments, 0);
        }
    }

    #[test]
    fn panes_and_sessions_merge_to_what_the_rows_say(rows in tuples(), count in 1i64..5, session in any::<bool>()) {
        let shape = if session { Shape::Session(3) } else { Shape::Panes { grid: crate::window::Grid::Fixed(4), count, hop: 1 } };
        let spec = ClosingSpec { shape, lateness: i64::MAX / 4, empty: None, early: None };
        let all = calls();
        let mut closing = Closing::new(&spec, &all);
        closing.reset(0);
        for row in &rows {
            let arena = Arena::new();
            closing.take(0, row.0, &words(*row, &arena), 0, i64::MIN);
        }
        let mut sorted = rows;
        sorted.sort_by_key(|row| row.0);
        while let Some(deadline) = closing.next(0).filter(|deadline| *deadline < i64::MAX / 8) {
            let Some(window) = closing.fire(0, deadline, false) else { continue };
            let inside: Vec<Tuple> =
                sorted.iter().filter(|row| row.0 >= window.start && row.0 < window.end).copied().collect();
            let arena = Arena::new();
            for (n, call) in all.iter().enumerate() {
                agrees(call, closing.read(n, &arena).unwrap(), naive(call, &inside))?;
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(rows in tuples(), more in tuples()) {
        for call in calls() {
            let arena = Arena::new();
            let mut stayed = Gather::new(&call, Way::Grows);
            let give = |gather: &mut Gather, row: &Tuple| {
                let words = words(*row, &arena);
                let word = words[call.argument.unwrap()];
                let text = (call.ty == DataType::Text).then(|| TEXTS[row.3]);
                gather.add(Item { time: row.0, word, text, second: words[1] });
            };
            rows.iter().for_each(|row| give(&mut stayed, row));
            let mut bytes = Vec::new();
            stayed.write(&mut bytes);
            let mut away = Gather::new(&call, Way::Grows);
            away.read_back(&mut bytes.as_slice()).expect("what was written");
            more.iter().for_each(|row| {
                give(&mut stayed, row);
                give(&mut away, row);
            });
            let asked = Asked { call: &call, arena: &arena };
            let text = |word: u64| crate::tuple::TextWord(word).as_str().to_owned();
            let is_text = matches!(call.function, F::TopK | F::ArrayAgg | F::StringAgg)
                || call.ty == DataType::Text && call.function != F::ApproxCountDistinct;
            let (a, b) = (stayed.result(asked, None).unwrap(), away.result(asked, None).unwrap());
            prop_assert_eq!(a.is_some(), b.is_some());
            prop_assert!(if is_text { a.map(text) == b.map(text) } else { a == b }, "{:?}", call.function);
            for cut in 0..bytes.len() {
                prop_assert!(Gather::new(&call, Way::Grows).read_back(&mut &bytes[..cut]).is_none(), "{:?}", call.function);
            }
        }
    }
}

#[test]
fn many_different_values_are_counted_within_a_few_percent_also_when_they_leave() {
    let call = call(F::ApproxCountDistinct, 3, DataType::Bigint, Value::Null);
    let arena = Arena::new();
    let asked = Asked { call: &call, arena: &arena };
    let item = |n: u64| Item { time: 0, word: n, text: None, second: 0 };
    let mut slides = Gather::new(&call, Way::Slides);
    let near = |gather: &Gather, wanted: f64| {
        let got = gather.result(asked, None).unwrap().unwrap() as f64;
        assert!((got - wanted).abs() <= wanted * 0.06, "{got} for {wanted}");
    };
    for n in 0..60_000 {
        slides.add(item(n));
        if n >= 20_000 {
            slides.remove(item(n - 20_000));
        }
        if n % 10_000 == 9_999 {
            near(&slides, 20_000.0f64.min(n as f64 + 1.0));
        }
    }
    let mut halves = [0, 1].map(|_| Gather::new(&call, Way::Grows));
    (0..50_000).for_each(|n| halves[(n % 2) as usize].add(item(n)));
    let [mut one, other] = halves;
    one.merge(&other);
    near(&one, 50_000.0);
    let few = Gather::new(&call, Way::Grows);
    assert_eq!(few.result(asked, Some(item(1))).unwrap(), Some(1));
}
