use super::letter::{self, Source};
use super::{Content, Draft, Letter, Scalar, fits, topic_name};
use crate::tuple::{Cell, Column, DataType, Encoder, Format, Value};
use proptest::prelude::*;

fn draft(content: Content<'_>) -> Draft<'_> {
    Draft { reason: "r", component: "c", time: -1, text: "a \"text\"\n\u{1}", content }
}

fn written(content: Content<'_>) -> Letter {
    let (mut text, source) = (String::new(), Source { split: Some("s/a \"b\"".to_owned()), position: 7, attempts: 2 });
    letter::write(&draft(content), &source, &mut text);
    Letter::parse(text.as_bytes()).unwrap_or_else(|| panic!("no letter: {text}"))
}

fn value() -> impl Strategy<Value = (DataType, Value)> {
    prop_oneof![
        any::<bool>().prop_map(|b| (DataType::Boolean, Value::Boolean(b))),
        any::<i64>().prop_map(|i| (DataType::Bigint, Value::Bigint(i))),
        any::<f64>().prop_map(|d| (DataType::Double, Value::Double(d))),
        (-1_000_000i64..1_000_000).prop_map(|i| (DataType::Double, Value::Double(i as f64 / 100.0))),
        any::<String>().prop_map(|t| (DataType::Text, Value::Text(t))),
        (-60_000_000_000_000_000i64..200_000_000_000_000_000).prop_map(|t| (DataType::Timestamp, Value::Timestamp(t))),
        any::<i32>().prop_map(|i| (DataType::Interval, Value::Interval(i64::from(i) * 977))),
        Just((DataType::Text, Value::Null)),
    ]
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a == b || a.is_nan() && b.is_nan(),
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn a_record_comes_back_byte_for_byte(bytes in proptest::collection::vec(any::<u8>(), 0..200), element: Option<u64>) {
        let letter = written(Content::Record(&bytes, element));
        prop_assert_eq!(letter.bytes(), Some(bytes));
        prop_assert_eq!((letter.element, letter.attempts, letter.position), (element, 2, Some(7)));
        prop_assert_eq!(letter.text, "a \"text\"\n\u{1}");
    }

    #[test]
    fn a_row_comes_back_value_for_value(values in proptest::collection::vec(value(), 1..8)) {
        let columns: Vec<Column> =
            values.iter().enumerate().map(|(n, (ty, _))| Column::new(format!("c{n}"), *ty)).collect();
        let mut text = String::new();
        Encoder::new(Format::Json, &columns).row(values.iter().map(|(_, value)| Cell::from(value)), &mut text);
        let row = written(Content::Row("from", &text)).row.expect("it has a row");
        for (n, (ty, value)) in values.iter().enumerate() {
            let found = row.get(&format!("C{n}")).and_then(|found| fits(found, *ty));
            prop_assert!(found.as_ref().is_some_and(|found| same(found, value)), "{value:?} is {found:?} in {text}");
        }
    }
}

#[test]
fn what_is_cut_or_was_never_there_is_no_record() {
    assert_eq!(written(Content::Cut("the start")).bytes(), None);
    let letter = written(Content::Nothing);
    assert_eq!((letter.bytes(), letter.row, letter.time.as_str()), (None, None, "1969-12-31T23:59:59.999999Z"));
    assert_eq!(Letter::parse(b"{\"reason\":1}"), None);
    assert_eq!(fits(&Scalar::Text("x".to_owned()), DataType::Bigint), None);
}

#[test]
fn a_topology_has_a_topic_whatever_it_is_called() {
    assert_eq!(topic_name("fraud"), "fraud.dead");
    assert_eq!(topic_name("a b/\u{e4}"), "a_b__.dead");
    assert_eq!(topic_name("_x"), "t_x.dead");
    assert_eq!(topic_name(&"x".repeat(500)).len(), 65);
}
