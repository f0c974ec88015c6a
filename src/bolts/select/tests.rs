use super::*;
use crate::bolts::rig::Rig;
use crate::component::ColumnSource;
use crate::tuple::{DataType, Value};

fn rig() -> Rig {
    Rig::new(&[("pay", &[("id", DataType::Text), ("amount", DataType::Double), ("n", DataType::Bigint)])])
}

fn row(id: &str, amount: f64, n: i64) -> [Value; 3] {
    [Value::Text(id.to_owned()), Value::Double(amount), Value::Bigint(n)]
}

#[test]
fn entries_use_each_other_in_any_order_and_replace_what_is_kept() {
    let toml = "add.half = 'twice / 4'\nadd.twice = 'amount * 2'\nadd.amount = 'amount + 1'\nadd.who = 'id'";
    let mut driver = rig().driver(&Select, toml);
    assert_eq!(driver.outputs()[0].1, "id text, n bigint, half double, twice double, amount double, who text");
    // Inside its own expression `amount` is the input's; in the others it is the added one.
    assert_eq!(driver.feed(0, 0, &row("a", 3.0, 1)), ["main: a 1 2 8 4 a"]);
    assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Null, Value::Null]), ["main: null null null null null null"]);
}

#[test]
fn a_new_name_for_a_column_is_the_same_slot() {
    let rig = rig();
    let columns = |toml: &str| rig.driver(&Select, toml).sources();
    assert_eq!(
        columns("keep = []\nadd.who = 'pay.ID'\nadd.m = 'n + 0'"),
        [ColumnSource::Input(0), ColumnSource::Computed]
    );
    // `n` is another entry here, so `m` is not the input's column.
    assert_eq!(columns("keep = []\nadd.n = 'n + 1'\nadd.m = 'n'"), [ColumnSource::Computed, ColumnSource::Computed]);
}

#[test]
fn a_failing_expression_sends_the_tuple_to_errors_with_its_name() {
    let mut driver = rig().driver(&Select, "keep = ['id']\nadd.share = '10 / n'");
    assert_eq!(driver.feed(0, 0, &row("a", 1.0, 5)), ["main: a 2"]);
    let lines = driver.feed(0, 0, &row("a", 1.0, 0));
    assert!(lines.len() == 1 && lines[0].starts_with("error division_by_zero: add.share: "), "{lines:?}");
    assert_eq!(driver.feed(0, 0, &row("b", 1.0, 2)), ["main: b 5"]);
}

#[test]
fn problems_name_the_nearest_column() {
    let problems = rig().problems(&Select, "keep = ['idd', 'amount']\nadd.x = 'amuont + 1'");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("did you mean `id`?")), "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("amuont")), "{problems:?}");
    assert!(rig().problems(&Select, "keep = []")[0].contains("has no columns"));
}

proptest::proptest! {
    #[test]
    fn a_double_looks_the_same_in_an_expression_and_in_a_sink(bits: u64, cents: i32) {
        let mut driver = rig().driver(&Select, "keep = 'amount'\nadd.text = 'amount::text'");
        for double in [f64::from_bits(bits), f64::from(cents) / 100.0] {
            let lines = driver.feed(0, 0, &row("a", double, 0));
            let mut words = lines[0].split(' ').skip(1);
            proptest::prop_assert_eq!(words.next(), words.next());
        }
    }
}
