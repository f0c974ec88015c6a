use super::random::{Zipf, mix};
use super::schedule::Multiples;
use super::*;
use crate::component::{Intake, Key, Node, Polled, Table, TextNode};
use crate::expr::Environment;
use crate::problem::{Problems, Span};
use crate::tuple::{Layout, RUN_TUPLES, Run, Slot, Value};
use proptest::prelude::*;
use std::path::Path;

fn table(entries: &[(&str, NodeValue)]) -> Table {
    let entry = |(name, value): &(&str, NodeValue)| {
        let key = Key { name: (*name).to_owned(), span: Span::default() };
        (key, Node { span: Span::default(), value: value.clone() })
    };
    Table { entries: entries.iter().map(entry).collect() }
}

fn text(text: &str) -> NodeValue {
    NodeValue::Text(TextNode { text: text.to_owned(), start: None })
}

fn check(entries: &[(&str, NodeValue)]) -> Result<Box<dyn SpoutPlan>, Vec<String>> {
    let (table, problems, environment) = (table(entries), Problems::new(), Environment::default());
    let options = Options { component: "spouts.load", span: Span::default(), table: &table, problems: &problems };
    let check = SpoutCheck { name: "load", options, environment: &environment, folder: Path::new("."), data_dir: None };
    let plan = Generate.check(&check);
    match problems.is_empty() {
        true => Ok(plan.expect("a plan where there is no problem")),
        false => Err(problems.into_sorted().into_iter().map(|p| p.message).collect()),
    }
}

/// A reader of one split, and its time.
struct Reader {
    spout: Box<dyn Spout>,
    run: Run,
    slots: Vec<Slot>,
    types: Vec<DataType>,
}

/// Due time, event time, position and columns of a tuple.
type Row = (u64, i64, u64, Vec<Value>);

impl Reader {
    fn open(plan: &dyn SpoutPlan, split: &str, position: u64) -> Reader {
        let layout = Layout::new(plan.columns().len());
        let slots: Vec<Slot> = (0..plan.columns().len()).map(|i| layout.slot(i)).collect();
        let build =
            SpoutBuild { name: "load", split, split_id: 3, position, identity: "", columns: &slots, space: None };
        let spout = plan.open(&build).unwrap();
        let types = plan.columns().iter().map(|c| c.ty).collect();
        Reader { spout, run: Run::new(layout), slots, types }
    }

    fn poll(&mut self, now: u64) -> (Polled, Vec<Row>) {
        self.run.clear();
        let mut rejects = Vec::new();
        let mut intake = Intake { run: &mut self.run, rejects: &mut rejects, now, wall: 0 };
        let polled = self.spout.poll(&mut intake).unwrap();
        assert!(rejects.is_empty());
        let row = |i| {
            let frame = self.run.frame(i);
            let values = self.slots.iter().zip(&self.types).map(|(slot, ty)| Value::from_slot(frame, *slot, *ty));
            assert_eq!(frame.split(), 3);
            (frame.due(), frame.time(), frame.position(), values.collect())
        };
        (polled, (0..self.run.len()).map(row).collect())
    }

    /// All tuples at one moment, at most so many.
    fn read(&mut self, now: u64, most: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        while rows.len() < most {
            match self.poll(now) {
                (Polled::Some, more) => rows.extend(more),
                _ => break,
            }
        }
        rows
    }
}

fn plans() -> Vec<Box<dyn SpoutPlan>> {
    let count = ("count", NodeValue::Integer(5000));
    vec![
        check(&[("what", text("payments")), count.clone()]).unwrap(),
        check(&[
            ("what", text("payments")),
            ("cards_as", text("text")),
            ("cards", NodeValue::Integer(50)),
            count.clone(),
        ])
        .unwrap(),
        check(&[("what", text("obd")), count.clone()]).unwrap(),
        check(&[("what", text("obd")), ("cars_as", text("text")), ("cars", NodeValue::Integer(7)), count]).unwrap(),
    ]
}

#[test]
fn a_tuple_depends_on_its_position_alone() {
    for plan in plans() {
        let all = Reader::open(&*plan, "0", 0).read(0, usize::MAX);
        assert_eq!(all.len(), 5000);
        for position in [1, 63, 64, 999, 4095, 4096, 4999] {
            let rest = Reader::open(&*plan, "0", position).read(0, usize::MAX);
            assert_eq!(rest[..], all[position as usize..]);
        }
        let mut again = Reader::open(&*plan, "0", 4990);
        assert_eq!(again.read(0, usize::MAX).len(), 10);
        assert!(matches!(again.poll(0), (Polled::End, rows) if rows.is_empty()));
        assert_eq!(again.spout.position(), 5000);
    }
}

#[test]
fn splits_deal_the_same_tuples() {
    for what in [PAYMENTS, OBD] {
        let plan = |splits| {
            let count = ("count", NodeValue::Integer(1001));
            check(&[("what", text(what)), count, ("splits", NodeValue::Integer(splits))]).unwrap()
        };
        let key = |rows: Vec<Row>| rows.into_iter().map(|(_, time, _, values)| (time, format!("{values:?}")));
        let mut whole: Vec<_> = key(Reader::open(&*plan(1), "0", 0).read(0, usize::MAX)).collect();
        let dealt = plan(12);
        let names = dealt.splits().unwrap();
        assert_eq!((names.len(), names[3].as_str(), names[11].as_str()), (12, "03", "11"));
        assert!(names.is_sorted());
        let mut parts: Vec<_> =
            names.iter().flat_map(|name| key(Reader::open(&*dealt, name, 0).read(0, usize::MAX))).collect();
        whole.sort();
        parts.sort();
        assert_eq!(whole, parts);
    }
}

#[test]
fn tuples_come_when_they_are_due() {
    let plan = check(&[("what", text("payments")), ("rate", text("3/s"))]).unwrap();
    assert!(!plan.finite());
    let mut reader = Reader::open(&*plan, "0", 1_000_000);
    let zero = 777;
    let dues = |rows: Vec<Row>| rows.into_iter().map(|(due, ..)| due - zero).collect::<Vec<_>>();
    assert_eq!(dues(reader.poll(zero).1), [0]);
    assert!(matches!(reader.poll(zero + 333_333_332), (Polled::Nothing(Some(333_334_110)), rows) if rows.is_empty()));
    assert_eq!(dues(reader.poll(zero + 333_333_333).1), [333_333_333]);
    // Late: all that are due come at once, each with its own due time.
    assert_eq!(
        dues(reader.poll(zero + 2_000_000_000).1),
        [666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666, 2_000_000_000]
    );
    // Event time follows the rate.
    let (_, rows) = reader.poll(zero + 2_333_333_333);
    assert_eq!(rows[0].1, START + (1_000_007u64 * 1_000_000 / 3) as i64);
}

#[test]
fn without_a_rate_runs_are_full_and_due_now() {
    let plan = check(&[("what", text("obd")), ("event_step", text("6us")), ("start", text("2020-01-01"))]).unwrap();
    let (_, rows) = Reader::open(&*plan, "0", 0).poll(42);
    assert_eq!(rows.len(), RUN_TUPLES);
    let start = parse_timestamp("2020-01-01").unwrap();
    for (i, (due, time, position, values)) in rows.into_iter().enumerate() {
        assert_eq!((due, time, position), (42, start + 6 * i as i64, i as u64));
        assert_eq!(values[1], Value::Timestamp(time));
    }
}

fn double(value: &Value) -> f64 {
    match value {
        Value::Double(d) => *d,
        other => panic!("{other:?} is no double"),
    }
}

#[test]
fn payments_are_plausible_and_hold_frauds() {
    let plan = check(&[("what", text("payments")), ("cards_as", text("text"))]).unwrap();
    let rows = Reader::open(&*plan, "0", 0).read(0, 100_000);
    let (mut frauds, mut abroad) = (0, 0);
    let mut large_frauds = 0;
    for (i, (_, _, _, v)) in rows.iter().enumerate() {
        assert_eq!(v[0], Value::Bigint(i as i64));
        assert!(matches!(&v[2], Value::Text(card) if card.len() == 16 && card.starts_with('4')));
        let amount = double(&v[4]);
        assert!((0.5..=5000.0).contains(&amount), "{amount}");
        assert!(((amount * 100.0).round() - amount * 100.0).abs() < 1e-6, "{amount}");
        assert!(double(&v[5]).abs() <= 90.0 && double(&v[6]).abs() <= 180.0);
        abroad += usize::from(v[7] != v[8]);
        if v[10] == Value::Boolean(true) {
            frauds += 1;
            large_frauds += usize::from(amount > 500.0);
        }
    }
    let blocks = rows.len() / 4096;
    assert!((2 * blocks..=5 * blocks + 5).contains(&frauds), "{frauds} frauds");
    assert!(large_frauds > blocks / 3);
    assert!((500..3000).contains(&abroad), "{abroad} abroad");
}

#[test]
fn cars_move_as_cars_do() {
    let cars = 20;
    let plan = check(&[
        ("what", text("obd")),
        ("cars", NodeValue::Integer(cars)),
        ("event_step", text("50ms")),
        ("count", NodeValue::Integer(cars * 3000)),
    ])
    .unwrap();
    let rows = Reader::open(&*plan, "0", 0).read(0, usize::MAX);
    for car in 0..cars as usize {
        // One reading a second for 50 minutes: at least one whole trip.
        let readings: Vec<Vec<f64>> =
            rows.iter().skip(car).step_by(cars as usize).map(|r| r.3[2..].iter().map(double).collect()).collect();
        let (mut driven, mut moved) = (0.0, 0.0);
        let mut speeds = Vec::new();
        for pair in readings.windows(2) {
            let [speed, rpm, coolant, throttle, maf, lat, lon] = pair[1][..] else { panic!("7 readings") };
            assert!((0.0..=140.0).contains(&speed) && (800.0..=4500.0).contains(&rpm), "{speed} {rpm}");
            assert!(
                (80.0..=120.0).contains(&coolant) && (0.0..=100.0).contains(&throttle) && (0.0..=200.0).contains(&maf)
            );
            driven += (speed + pair[0][0]) / 2.0 / 3600.0;
            let (north, east) = ((lat - pair[0][5]) * 110.6, (lon - pair[0][6]) * 111.3 * 0.64);
            moved += north.hypot(east);
            speeds.push(speed);
        }
        // The place is the integral of the speed, but for traffic and brakings.
        assert!((driven / moved - 1.0).abs() < 0.1, "car {car}: drove {driven} km, moved {moved} km");
        assert!(speeds.contains(&0.0) && speeds.iter().any(|s| *s > 100.0));
        let braked = readings.windows(2).filter(|p| p[1][0] < p[0][0] - 12.0).count();
        assert!(braked < 30, "car {car} brakes hard {braked} times");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let payments = ("what", text("payments"));
    for (entries, message) in [
        (vec![("what", text("taxis"))], "cannot be \"taxis\""),
        (vec![payments.clone(), ("rate", text("fast"))], "is not a rate"),
        (vec![payments.clone(), ("rate", text("0/s"))], "out of range"),
        (vec![payments.clone(), ("rate", text("10/month"))], "is not a rate"),
        (vec![payments.clone(), ("skew", NodeValue::Float(-1.0))], "from 0 to 5"),
        (vec![payments.clone(), ("cars", NodeValue::Integer(5))], "no meaning"),
        (vec![payments.clone(), ("cards", NodeValue::Integer(0))], "at least 1"),
        (vec![payments.clone(), ("cards", NodeValue::Integer(i64::MAX))], "at most"),
        (vec![payments.clone(), ("splits", NodeValue::Integer(5000))], "at most"),
        (vec![payments.clone(), ("start", text("yesterday"))], "a timestamp"),
        (vec![payments, ("count", NodeValue::Integer(i64::MAX)), ("event_step", text("1d"))], "do not fit"),
    ] {
        let messages = check(&entries).err().expect(message);
        assert!(messages.len() == 1 && messages[0].contains(message), "{messages:?}");
    }
    let plan = check(&[("what", text("obd")), ("count", NodeValue::Integer(10))]).unwrap();
    for (split, position) in [("1", 0), ("x", 0), ("0", 11)] {
        let build = SpoutBuild { name: "load", split, split_id: 0, position, identity: "", columns: &[], space: None };
        assert!(plan.open(&build).is_err());
    }
}

#[test]
fn frequent_ranks_have_the_probabilities_of_zipfs_law() {
    for (ranks, skew) in [(1_000_000u64, 1.0), (1_000_000, 0.8), (1_000_000, 1.3), (1000, 0.0), (10, 1.0), (1, 1.0)] {
        let zipf = Zipf::new(ranks, skew);
        let draws = 400_000u64;
        let mut counts = vec![0u64; ranks as usize];
        for i in 0..draws {
            counts[zipf.rank(mix(7, i) as u32) as usize] += 1;
        }
        let total: f64 = (1..=ranks).map(|r| (r as f64).powf(-skew)).sum();
        let mut from = 0usize;
        // Rank by rank at first, then by stretches that double.
        while from < ranks as usize {
            let to = (from + (from / 2).max(1)).min(ranks as usize);
            let expected: f64 = (from..to).map(|r| (r as f64 + 1.0).powf(-skew)).sum::<f64>() / total * draws as f64;
            let found = counts[from..to].iter().sum::<u64>() as f64;
            let slack = 6.0 * expected.sqrt() + 0.02 * expected + 2.0;
            assert!((found - expected).abs() < slack, "{ranks} {skew} {from}..{to}: {found} for {expected}");
            from = to;
        }
    }
}

proptest! {
    #[test]
    fn multiples_are_exact(
        tuples in 1u64..2_000_000_000,
        period in 1u64..10_000_000_000,
        first in 0u64..1_000_000_000,
        stride in 1u64..2000,
    ) {
        let mut multiples = Multiples::new(Rate { tuples, period_ns: period }, first, stride);
        for k in 0..100u64 {
            let exact = u128::from(first + k * stride) * u128::from(period) / u128::from(tuples);
            prop_assert_eq!(u128::from(multiples.at()), exact);
            multiples.advance();
        }
    }

    #[test]
    fn any_text_is_a_rate_or_not(text in "[0-9._/ smhx-]{0,12}") {
        if let Ok(rate) = Rate::parse(&text) {
            prop_assert!(rate.tuples > 0 && rate.period_ns >= rate.tuples);
        }
    }
}

#[test]
fn rates_are_read() {
    for (text, tuples, period_ns) in [
        ("100000/s", 100_000, 1_000_000_000),
        ("100_000 / s", 100_000, 1_000_000_000),
        ("2.5/s", 25, 10_000_000_000),
        ("10/m", 10, 60_000_000_000),
        ("1/10s", 1, 10_000_000_000),
        ("1000/ms", 1000, 1_000_000),
    ] {
        assert_eq!(Rate::parse(text), Ok(Rate { tuples, period_ns }), "{text}");
    }
}
