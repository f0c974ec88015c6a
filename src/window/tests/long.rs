//! Windows of which only some rows are in memory.

use super::*;
use crate::store::lists::Lists;
use crate::store::{Approach, Batch, Content, ListsOf, MemoryStore, SegmentFacts, Space};
use std::collections::HashMap;
use std::sync::{Arc, mpsc};

/// No segment of the tests is dropped before a time so much later than its newest row.
const KEEP: i64 = 1000;

/// A store, and the chunks of one handle in it, committed at once.
struct Kept {
    space: Arc<Space>,
    lists: Lists,
    values: HashMap<u32, Vec<u8>>,
    written: BTreeSet<u32>,
}

impl Kept {
    fn new() -> Kept {
        let (sender, _) = mpsc::channel();
        let space = Space::open(Arc::new(MemoryStore::new()), 1 << 30, sender).unwrap();
        let place = space.handle("bolt", "windows", "", &[]).unwrap();
        Kept {
            space: Arc::new(space),
            lists: Lists::new(place, KEEP),
            values: HashMap::new(),
            written: BTreeSet::new(),
        }
    }

    fn write(&mut self, rolling: &mut Rolling, entry: u32) {
        let (mut value, mut at, mut steps) = (Vec::new(), Approach::Far, 0);
        while at != Approach::Near {
            at = rolling.approach(entry, at);
            steps += 1;
            assert!(steps < 1000, "the way to an entry has an end");
        }
        rolling.encode(entry, &mut ListsOf { lists: &mut self.lists, space: &self.space }, &mut value);
        if let Some(written) = self.lists.take() {
            self.space.backend().segment_write(written.segment, written.at, &written.bytes).unwrap();
            let facts = SegmentFacts {
                component: 0,
                bytes: written.at + written.bytes.len() as u64,
                newest: written.newest,
                keep: written.keep,
            };
            self.space.put_segment(&mut Batch::default(), written.segment, facts);
            self.written.insert(written.segment);
        }
        self.values.insert(entry, value);
    }

    /// Drops all segments that nothing can need when no tuple comes before a time.
    fn drop_before(&mut self, frontier: i64) {
        std::mem::take(&mut self.written).into_iter().for_each(|segment| self.space.complete_segment(segment));
        for segment in self.space.retire_segments(&mut Batch::default(), frontier) {
            self.space.backend().segment_remove(segment).unwrap();
        }
        self.lists = Lists::new(self.space.handle("bolt", "windows", "", &[]).unwrap(), KEEP);
    }

    fn read_back(&self, rolling: &mut Rolling, entry: u32) {
        Content::reset(rolling, entry);
        rolling.decode(entry, &self.values[&entry], &self.space).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    /// Windows that are written after some rows, and read back after some of these, answer to the last bit like windows
    /// that never left memory.
    #[test]
    fn windows_that_were_away_answer_as_if_they_had_stayed(
        parts in prop::collection::vec((tuples(), 0u8..4), 1..8),
        mix in prop_oneof![Just(Mix::All), Just(Mix::WithoutQueues), Just(Mix::Plain)],
        rows_in_memory in prop_oneof![Just(recent::ROWS), 1u64..6],
        bytes_in_memory in prop_oneof![Just(0usize), 0..4000usize],
    ) {
        let windows = windows();
        let calls = mixed(mix, windows.len());
        let mut stayed = Rolling::new(&windows, &calls, &values(), LATENESS);
        let mut kept = Kept::new();
        let mut away = Rolling::new(&windows, &calls, &values(), LATENESS).durable(kept.space.clone());
        (away.rows_in_memory, away.bytes_in_memory) = (rows_in_memory, bytes_in_memory);
        (0..2).for_each(|entry| { stayed.reset(entry); away.reset(entry) });
        let mut start = 0;
        for (rows, then) in parts {
            let mut newest = start;
            for (key, _, mut tuple) in rows {
                tuple.time += start;
                newest = newest.max(tuple.time);
                if mix == Mix::Plain {
                    tuple.flags = 0;
                }
                let entry = key as u32;
                prop_assert_eq!(away.is_late(entry, tuple.time), stayed.is_late(entry, tuple.time));
                if stayed.is_late(entry, tuple.time) {
                    continue;
                }
                let arena = Arena::new();
                let mut arguments = tuple.words;
                arguments[2] = arena.store(TEXTS[tuple.words[2] as usize]).0;
                stayed.begin(entry, tuple.time);
                away.begin(entry, tuple.time);
                for (number, call) in calls.iter().enumerate() {
                    let text = |word: Option<u64>| match (call.function, call.ty, word) {
                        (F::Min | F::Max | F::First | F::Last, DataType::Text, Some(word)) => {
                            (None, Some(TextWord(word).as_str().to_owned()))
                        }
                        (_, _, word) => (word, None),
                    };
                    let read = |rolling: &Rolling| {
                        rolling.read(number, entry, tuple.time, &arguments, tuple.flags, &arena).map(text)
                    };
                    prop_assert_eq!(read(&away), read(&stayed), "{:?} over {:?}", call, windows[call.window]);
                }
                stayed.commit(entry, tuple.time, &arguments, tuple.flags);
                away.commit(entry, tuple.time, &arguments, tuple.flags);
            }
            start = newest;
            for entry in 0..2 {
                if then & 1 == 1 {
                    kept.write(&mut away, entry);
                    if then & 2 == 2 {
                        kept.read_back(&mut away, entry);
                    }
                }
            }
        }
    }
}

/// Windows whose rows are mostly on disk where hardly any are in memory.
fn long_windows() -> Vec<WindowSpec> {
    let window = |length, exclude_current| WindowSpec { length: Length::Time(length), exclude_current };
    vec![window(150, false), window(40, true), window(2, false)]
}

/// Calls that gather values: a median, the most frequent value; then such as depend on the order of rows.
fn gathers(in_order: bool) -> Vec<CallSpec> {
    let call = |function, argument: usize, parameter: Value| CallSpec {
        argument: Some(argument),
        null: Some(argument as u8),
        parameter,
        ..CallSpec::new(function, TYPES[argument])
    };
    let median = call(F::PercentileCont, 1, Value::Double(0.5));
    let mode = call(F::Mode, 0, Value::Null);
    let other = ValueSpec { argument: 0, ty: DataType::Bigint, null: Some(0) };
    let least = CallSpec { second: Some(other), window: 1, ..call(F::MinBy, 1, Value::Null) };
    let integral = CallSpec { filtered: Some(4), ..call(F::Integral, 1, Value::Null) };
    let late = vec![least, integral, call(F::NthValue, 0, Value::Bigint(3))];
    [median, mode].into_iter().chain(late.into_iter().filter(|_| in_order)).collect()
}

/// The answer of a call that gathers without order; none of the others.
fn gathered(call: &CallSpec, rows: &[&Tuple]) -> Option<Option<u64>> {
    let argument = call.argument?;
    let key = |row: &&&Tuple| ordered::sortable(row.words[argument], call.ty);
    let mut keys: Vec<u64> = rows.iter().filter(|row| row.flags >> argument & 1 == 0).map(|row| key(&row)).collect();
    keys.sort_unstable();
    let value = |key: u64| ordered::unsortable(key, call.ty);
    match call.function {
        F::Mode => {
            let count = |key: &u64| keys.iter().filter(|other| *other == key).count();
            Some(keys.iter().rev().max_by_key(|key| count(key)).map(|key| value(*key)))
        }
        F::PercentileCont if keys.is_empty() => Some(None),
        F::PercentileCont => {
            let half = |key: u64| f64::from_bits(value(key));
            let (low, high) = (half(keys[(keys.len() - 1) / 2]), half(keys[keys.len() / 2]));
            Some(Some(if low == high { low } else { low + (high - low) * 0.5 }.to_bits()))
        }
        _ => None,
    }
}

/// Rows that move time on by a little, of which some are late and some fail, and what happens after each: nothing, it is
/// written, it is read back.
fn busy() -> impl Strategy<Value = Vec<(Tuple, bool, u8)>> {
    let row = (0i64..3, prop::bool::weighted(0.1), -LATENESS..0, prop::bool::weighted(0.05), 0u8..40, 0u8..40);
    let words = (-5i64..5, -8i32..8, 0u64..4, 0u64..2, prop_oneof![3 => Just(0u64), 1 => 0u64..64]);
    prop::collection::vec((row, words), 50..300).prop_map(|rows| {
        let mut now = 0;
        let rows = rows.into_iter().map(|((ahead, is_late, back, fails, then, leap), (b, d, t, c, flags))| {
            let time = if is_late { now + back } else { now + if leap == 0 { ahead * 50 } else { ahead } };
            now = now.max(time);
            let words = [b as u64, (f64::from(d) * 0.5).to_bits(), t, c];
            (Tuple { time, words, flags }, fails, then)
        });
        rows.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    /// With hardly any row in memory every answer is that of the rows of its own window, whatever comes late, fails, is
    /// written and is read back.
    #[test]
    fn every_answer_of_a_window_on_disk_is_that_of_its_rows(
        rows in busy(),
        mix in prop_oneof![Just(Mix::All), Just(Mix::WithoutQueues), Just(Mix::Plain)],
        in_order in prop::option::of(any::<bool>()),
        rows_in_memory in prop_oneof![2 => 1u64..5, 1 => 5u64..50],
        bytes_in_memory in prop_oneof![Just(0usize), 0..4000usize],
    ) {
        let windows = long_windows();
        let mut calls = mixed(mix, windows.len());
        if let (true, Some(in_order)) = (mix != Mix::Plain, in_order) {
            calls.extend(gathers(in_order));
        }
        let mut kept = Kept::new();
        let mut stayed = Rolling::new(&windows, &calls, &[], LATENESS);
        let mut rolling = Rolling::new(&windows, &calls, &[], LATENESS).durable(kept.space.clone());
        (rolling.rows_in_memory, rolling.bytes_in_memory) = (rows_in_memory, bytes_in_memory);
        rolling.reset(0);
        stayed.reset(0);
        let mut seen: Vec<Tuple> = Vec::new();
        for (mut tuple, fails, then) in rows {
            if mix == Mix::Plain {
                tuple.flags = 0;
            }
            if rolling.is_late(0, tuple.time) {
                continue;
            }
            let arena = Arena::new();
            let mut arguments = tuple.words;
            arguments[2] = arena.store(TEXTS[tuple.words[2] as usize]).0;
            rolling.begin(0, tuple.time);
            stayed.begin(0, tuple.time);
            seen.push(tuple.clone());
            let inside: Vec<Vec<&Tuple>> = windows.iter().map(|window| inside(&seen, *window)).collect();
            for (number, call) in calls.iter().enumerate() {
                let read = |rolling: &Rolling| {
                    let got = rolling.read(number, 0, tuple.time, &arguments, tuple.flags, &arena);
                    let choice = matches!(call.function, F::Min | F::Max | F::First | F::Last);
                    got.unwrap().map(|word| match call.ty {
                        DataType::Text if choice => {
                            TEXTS.iter().position(|text| *text == TextWord(word).as_str()).unwrap() as u64
                        }
                        _ => word,
                    })
                };
                let (got, rows) = (read(&rolling), &inside[call.window]);
                let large = matches!(call.function, F::MinBy | F::NthValue | F::Integral);
                let wanted = match gathered(call, rows) {
                    Some(wanted) if matches!(call.function, F::Mode | F::PercentileCont) => wanted,
                    _ if large => read(&stayed),
                    _ => naive(call, rows),
                };
                prop_assert!(agree(call, got, wanted, rows.len()), "{:?} over {:?}: {:?}, not {:?}", call,
                    windows[call.window], got, wanted);
            }
            if fails {
                seen.pop();
                rolling.abort(0);
                stayed.abort(0);
            } else {
                rolling.commit(0, tuple.time, &arguments, tuple.flags);
                stayed.commit(0, tuple.time, &arguments, tuple.flags);
            }
            if then < 12 && !seen.is_empty() {
                kept.write(&mut rolling, 0);
                if then == 0 {
                    kept.read_back(&mut rolling, 0);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// What a call gathers of the newest rows of each value is what it gathers of these rows alone, in their order.
    #[test]
    fn what_is_gathered_of_newest_rows_is_that_of_these_rows(rows in busy(), exclude_current in any::<bool>()) {
        let window = WindowSpec { length: Length::Latest(0), exclude_current };
        let value = ValueSpec { argument: 2, ty: DataType::Text, null: Some(2) };
        let mut calls = gathers(true);
        calls.iter_mut().for_each(|call| call.window = 0);
        let mut rolling = Rolling::new(&[window], &calls, &[vec![value]], LATENESS);
        rolling.reset(0);
        let mut seen: Vec<Tuple> = Vec::new();
        for (tuple, ..) in rows {
            let arena = Arena::new();
            let of = |tuple: &Tuple| {
                let mut arguments = tuple.words;
                arguments[2] = arena.store(TEXTS[tuple.words[2] as usize]).0;
                arguments
            };
            seen.push(tuple.clone());
            let inside = inside(&seen, window);
            let all = WindowSpec { length: Length::All, exclude_current: false };
            let mut alone = Rolling::new(&[all], &calls, &[], 0);
            alone.reset(0);
            for row in &inside {
                alone.commit(0, row.time, &of(row), row.flags);
            }
            rolling.begin(0, tuple.time);
            for (number, call) in calls.iter().enumerate() {
                let got = rolling.read(number, 0, tuple.time, &of(&tuple), tuple.flags, &arena);
                // A row that counts for nothing asks for what is there.
                let wanted = alone.read(number, 0, i64::MAX / 2, &of(&tuple), u64::MAX, &arena);
                prop_assert_eq!(got, wanted, "{:?}", call);
            }
            rolling.commit(0, tuple.time, &of(&tuple), tuple.flags);
        }
    }
}

/// The number and the sum of the rows of a window.
fn number_and_sum(length: i64, kept: &Kept) -> Rolling {
    let windows = [WindowSpec { length: Length::Time(length), exclude_current: false }];
    let sum = CallSpec { argument: Some(0), ..CallSpec::new(F::Sum, DataType::Bigint) };
    let calls = [CallSpec::new(F::Count, DataType::Bigint), sum];
    let mut rolling = Rolling::new(&windows, &calls, &[], 0).durable(kept.space.clone());
    rolling.bytes_in_memory = 0;
    rolling.reset(0);
    rolling
}

/// A row, and the answers to it.
fn take(rolling: &mut Rolling, time: i64, value: u64) -> [u64; 2] {
    rolling.begin(0, time);
    let read = |call: usize| rolling.read(call, 0, time, &[value], 0, &Arena::new()).unwrap().unwrap();
    let answers = [read(0), read(1)];
    rolling.commit(0, time, &[value], 0);
    answers
}

#[test]
fn a_long_window_keeps_its_newest_rows_and_the_oldest_in_memory() {
    const LENGTH: i64 = 20_000;
    let mut kept = Kept::new();
    let mut rolling = number_and_sum(LENGTH, &kept);
    let value = |time: i64| time as u64 * 7 % 1000;
    let sum = |upto: i64| ((upto - LENGTH).max(0)..=upto).map(value).sum::<u64>();
    for time in 0..50_000 {
        let answers = take(&mut rolling, time, value(time));
        assert_eq!(answers[0], (time + 1).min(LENGTH + 1) as u64);
        if time % 997 == 0 {
            assert_eq!(answers[1], sum(time));
        }
        if time % 50 == 0 {
            kept.write(&mut rolling, 0);
            let track = rolling.timed.as_ref().unwrap();
            assert!(track.used_bytes() < 2500 * track.row_bytes(), "{} bytes at {time}", track.used_bytes());
        }
        if time % 10_000 == 9_950 {
            // What comes back is no more than what was there.
            kept.read_back(&mut rolling, 0);
            let track = rolling.timed.as_ref().unwrap();
            assert!(track.used_bytes() < 3000 * track.row_bytes(), "{} bytes at {time}", track.used_bytes());
        }
    }
}

#[test]
fn rows_leave_memory_only_when_those_of_all_keys_take_much() {
    let mut kept = Kept::new();
    let mut rolling = number_and_sum(100_000, &kept);
    (rolling.rows_in_memory, rolling.bytes_in_memory) = (8, 10_000);
    let mut most = 0;
    for time in 0..20_000i64 {
        assert_eq!(take(&mut rolling, time, 1), [time as u64 + 1; 2]);
        if time % 100 == 99 {
            let before = rolling.timed.as_ref().unwrap().used_bytes();
            kept.write(&mut rolling, 0);
            let after = rolling.timed.as_ref().unwrap().used_bytes();
            assert!(after == before || before > 10_000, "{before} bytes, then {after}, at {time}");
            most = most.max(before);
        }
    }
    assert!((10_001..40_000).contains(&most), "{most}");
}

#[test]
fn rows_whose_segment_was_dropped_are_missing_and_leave_nothing_behind() {
    for read_back in [false, true] {
        let mut kept = Kept::new();
        let mut rolling = number_and_sum(100, &kept);
        rolling.rows_in_memory = 8;
        for time in 0..200 {
            take(&mut rolling, time, time as u64);
            if time % 5 == 4 {
                kept.write(&mut rolling, 0);
            }
        }
        kept.drop_before(200 + KEEP);
        if read_back {
            kept.read_back(&mut rolling, 0);
        }
        // No tuple was expected at these times any more: what is answered is that of the newest rows.
        for time in [210, 211, 260, 290, 299] {
            let [number, sum] = take(&mut rolling, time, 0);
            let of_before = [210, 211, 260, 290, 299].iter().filter(|other| **other < time).count() as u64 + 1;
            let old = number - of_before;
            assert!(old <= (300 - time) as u64, "{old} at {time}");
            assert_eq!(sum, (200 - old..200).sum::<u64>(), "at {time}");
        }
        assert_eq!(take(&mut rolling, 1000, 7), [1, 7]);
    }
}
