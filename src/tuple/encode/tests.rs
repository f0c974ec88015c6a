use super::*;
use crate::tuple::{Arena, Layout, Run};
use proptest::prelude::*;
use sonic_rs::JsonValueTrait;

fn double(value: f64) -> String {
    let mut out = String::new();
    format_double(value, &mut out);
    out
}

fn columns(types: &[DataType]) -> Vec<Column> {
    types.iter().enumerate().map(|(i, ty)| Column::new(format!("c{i}"), *ty)).collect()
}

fn row(format: Format, types: &[DataType], values: &[Value]) -> String {
    let mut out = String::new();
    Encoder::new(format, &columns(types)).values(values, &mut out);
    out
}

#[test]
fn doubles_look_as_in_postgresql() {
    for (value, text) in [
        (900.0, "900"),
        (0.0, "0"),
        (-0.0, "-0"),
        (0.25, "0.25"),
        (-12.5, "-12.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (1e20, "1e+20"),
        (123456789012345678.0, "1.2345678901234568e+17"),
        (999999999999999.9, "999999999999999.9"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(double(value), text);
    }
}

#[test]
fn timestamps_are_rfc_3339_in_utc() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_704_164_645_678_000, "2024-01-02T03:04:05.678Z"),
        (1_709_164_800_000_000, "2024-02-29T00:00:00Z"),
        (253_402_300_800_000_000, "+010000-01-01T00:00:00Z"),
    ] {
        let mut out = String::new();
        format_rfc3339(micros, &mut out);
        assert_eq!(out, text);
    }
}

#[test]
fn null_and_the_empty_text_differ() {
    let types = [DataType::Text, DataType::Text];
    let values = [Value::Null, Value::Text(String::new())];
    assert_eq!(row(Format::Csv, &types, &values), ",\"\"");
    assert_eq!(row(Format::Json, &types, &values), r#"{"c0":null,"c1":""}"#);
    assert_eq!(row(Format::Text, &types, &values), r#"c0=null c1="""#);
    assert_eq!(row(Format::Csv, &[DataType::Double], &[Value::Null]), "\"\"");
}

#[test]
fn a_frame_is_written_like_its_values() {
    let layout = Layout::new(70);
    let types = DataType::ALL;
    let slots: Vec<Slot> = (0..6).map(|i| layout.slot(i * 13)).collect();
    let values = [
        Value::Boolean(true),
        Value::Bigint(-7),
        Value::Double(2.5),
        Value::Text("a \"b\"".to_owned()),
        Value::Timestamp(1),
        Value::Null,
    ];
    let mut run = Run::new(layout);
    let arena = Arena::new();
    let (frame, _) = run.push();
    for (slot, value) in slots.iter().zip(&values) {
        value.put(frame, *slot, &arena);
    }
    for format in [Format::Csv, Format::Json, Format::Text] {
        let mut out = String::new();
        Encoder::new(format, &columns(&types)).frame(run.frame(0), &slots, &mut out);
        assert_eq!(out, row(format, &types, &values));
    }
}

fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let mut input = text.as_bytes();
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), Vec::new());
    let mut buffer = [0u8; 16];
    loop {
        let (result, read, written) = reader.read_field(input, &mut buffer);
        input = &input[read..];
        field.extend_from_slice(&buffer[..written]);
        match result {
            csv_core::ReadFieldResult::InputEmpty | csv_core::ReadFieldResult::OutputFull => {}
            csv_core::ReadFieldResult::Field { record_end } => {
                row.push(String::from_utf8(std::mem::take(&mut field)).unwrap());
                if record_end {
                    rows.push(std::mem::take(&mut row));
                }
            }
            csv_core::ReadFieldResult::End => return rows,
        }
    }
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), any::<i32>().prop_map(|i| f64::from(i) / 100.0)]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[ ,\"\n\r\t\\\\=a]{0,6}", "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn doubles_read_back_as_the_same_bits(value in any_double()) {
        let text = double(value);
        let back: f64 = text.parse().unwrap();
        prop_assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()), "{text}");
    }

    #[test]
    fn timestamps_read_back_as_the_same_microsecond(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        let mut text = String::new();
        format_rfc3339(micros, &mut text);
        let back: jiff::Timestamp = text.parse().unwrap();
        prop_assert_eq!(back.as_microsecond(), micros);
    }

    #[test]
    fn csv_reads_back_as_the_same_texts(rows in prop::collection::vec(prop::collection::vec(any_text(), 3), 1..6)) {
        let encoder = Encoder::new(Format::Csv, &columns(&[DataType::Text; 3]));
        let mut out = String::new();
        for row in &rows {
            encoder.row(row.iter().map(|t| Cell::Text(t)), &mut out);
            out.push('\n');
        }
        prop_assert_eq!(parse_csv(&out), rows);
    }

    #[test]
    fn json_reads_back_as_the_same_values(text in any_text(), double in any_double(), int: i64, yes: bool) {
        let types = [DataType::Text, DataType::Double, DataType::Bigint, DataType::Boolean];
        let out = row(
            Format::Json,
            &types,
            &[Value::Text(text.clone()), Value::Double(double), Value::Bigint(int), Value::Boolean(yes)],
        );
        prop_assert!(!out.contains('\n'));
        let back: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(back["c0"].as_str(), Some(text.as_str()));
        prop_assert_eq!(back["c2"].as_i64(), Some(int));
        prop_assert_eq!(back["c3"].as_bool(), Some(yes));
        match back["c1"].as_str() {
            Some(word) => prop_assert!(!double.is_finite() && word.parse::<f64>().is_ok()),
            None => {
                // Not serde_json, whose floats may be off by some last bits.
                let exact: sonic_rs::Value = sonic_rs::from_str(&out).unwrap();
                prop_assert_eq!(exact["c1"].as_f64(), Some(double));
            }
        }
    }
}
