use super::*;
use crate::expr::tests::{columns, environment, row, scope_columns};
use crate::expr::{Checked, ExprError, Scope, check_set};
use crate::tuple::{Layout, Run, Value};
use proptest::prelude::*;

fn checked(text: &str) -> Result<Checked<SetExpr>, Vec<ExprError>> {
    let (columns, environment) = (columns(), environment());
    check_set(text, &Scope { columns: &scope_columns(&columns, "in"), environment: &environment })
}

/// The rows of a set on a row of [`columns`], at most `rows_max`.
fn rows_of(text: &str, row: &[Value], rows_max: u64) -> Result<Vec<Value>, EvalError> {
    let set = checked(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).value;
    let layout = Layout::new(row.len());
    let mut run = Run::new(layout);
    let (frame, arena) = run.push();
    row.iter().enumerate().for_each(|(at, value)| value.put(frame, layout.slot(at), arena));
    let mut compiled = set.compile(&|column| layout.slot(column), rows_max);
    let arena = Arena::new();
    let frame = run.frame(0);
    compiled.start(frame, &arena)?;
    let mut found = Vec::new();
    while let Some(word) = compiled.next_value(frame, &arena) {
        assert!(word.is_some() || set.nullable(), "{text}");
        found.push(word.map_or(Value::Null, |word| Value::from_word(word, set.data_type())));
    }
    assert!(compiled.next_value(frame, &arena).is_none(), "it stays over");
    Ok(found)
}

fn rows(text: &str) -> Vec<Value> {
    rows_of(text, &row(), 100).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn texts(list: &[&str]) -> Vec<Value> {
    list.iter().map(|t| Value::Text((*t).to_owned())).collect()
}

fn numbers(list: &[i64]) -> Vec<Value> {
    list.iter().map(|n| Value::Bigint(*n)).collect()
}

#[test]
fn series_include_both_ends_and_may_lead_away() {
    assert_eq!(rows("generate_series(5, i)"), numbers(&[5, 6, 7]));
    assert_eq!(rows("generate_series(i, 0, -3)"), numbers(&[7, 4, 1]));
    assert_eq!(rows("generate_series(3, 2)"), []);
    assert_eq!(rows("generate_series(3, 3, -1)"), numbers(&[3]));
    assert_eq!(rows("generate_series(1, j)"), [], "of NULL");
    let end = i64::MAX;
    assert_eq!(rows(&format!("generate_series({}, {end}, 2)", end - 2)), numbers(&[end - 2, end]));
    let whole = rows_of("generate_series((-9223372036854775807 - 1)::bigint, 9223372036854775807)", &row(), 1 << 20);
    assert_eq!(whole.unwrap_err().reason, "too_many_rows", "2^64 rows are counted without overflow");
}

#[test]
fn series_of_times_need_a_step() {
    let times = rows("generate_series('2024-01-01 00:00', '2024-01-01 01:00', interval '30 minutes')");
    let start = 1_704_067_200_000_000;
    assert_eq!(times, [0, 1800, 3600].map(|s| Value::Timestamp(start + s * 1_000_000)));
    assert_eq!(rows("generate_series(ts, ts - interval '1 second', '-1 second')").len(), 2);
    assert!(checked("generate_series(ts, ts)").unwrap_err()[0].message.contains("needs a step"));
    assert!(checked("generate_series(1, 2, 0)").unwrap_err()[0].message.contains("must not be zero"));
    assert_eq!(rows_of("generate_series(1, 2, i - 7)", &row(), 9).unwrap_err().reason, "invalid_argument");
}

#[test]
fn texts_are_split_as_postgresql_does() {
    assert_eq!(rows("regexp_split_to_table('the quick  fox', '\\s+')"), texts(&["the", "quick", "fox"]));
    assert_eq!(rows("regexp_split_to_table('hello', '')"), texts(&["h", "e", "l", "l", "o"]));
    assert_eq!(rows("regexp_split_to_table('a,b,', ',')"), texts(&["a", "b", ""]));
    assert_eq!(rows("regexp_split_to_table('', ',')"), texts(&[""]));
    assert_eq!(rows("regexp_split_to_table('1x2X3', 'x', 'i')"), texts(&["1", "2", "3"]));
    assert_eq!(rows("regexp_split_to_table(s, s)"), texts(&["", ""]));
    assert_eq!(rows("regexp_split_to_table(s, '')"), texts(&["G", "r", "ü", "ß", "e"]));
    assert_eq!(rows("regexp_split_to_table(t, ',')"), []);
    assert_eq!(rows("string_to_table('a,,b', ',', '')"), [texts(&["a"]), vec![Value::Null], texts(&["b"])].concat());
    assert_eq!(rows("string_to_table('a,b,', ',')"), texts(&["a", "b", ""]));
    assert_eq!(rows("string_to_table('xyz', '')"), texts(&["xyz"]));
    assert_eq!(rows("string_to_table('äb', NULL)"), texts(&["ä", "b"]));
    assert_eq!(rows("string_to_table('', ',')"), []);
    assert_eq!(rows("unnest(string_to_array(user || '|x', '|'))"), texts(&["ann", "x"]));
}

#[test]
fn values_become_rows() {
    assert_eq!(rows("unnest(array[i, j, 3])"), [Value::Bigint(7), Value::Null, Value::Bigint(3)]);
    assert_eq!(rows("unnest(array[i, x])"), [Value::Double(7.0), Value::Double(2.5)]);
    assert_eq!(rows_of("unnest(array[1, 1 / (i - 7)])", &row(), 9).unwrap_err().reason, "division_by_zero");
}

#[test]
fn a_set_with_too_many_rows_fails_before_its_first() {
    for text in [
        "generate_series(1, 4)",
        "regexp_split_to_table('a,b,c,d', ',')",
        "string_to_table('a,b,c,d', ',')",
        "unnest(array[1, 2, 3, 4])",
    ] {
        assert_eq!(rows_of(text, &row(), 4).map(|rows| rows.len()), Ok(4), "{text}");
        let error = rows_of(text, &row(), 3).unwrap_err();
        assert_eq!((error.reason, &*error.detail), ("too_many_rows", "the set has more than 3 rows"), "{text}");
    }
}

#[test]
fn what_is_no_set_is_said_with_the_place() {
    let said = |text: &str| {
        let error = checked(text).expect_err(text).remove(0);
        (text[error.range].to_owned(), error.message, error.hint.unwrap_or_default())
    };
    assert_eq!(said("i + 1").1, "this gives one value, not a set of rows");
    let (place, message, hint) = said("genrate_series(1, 2)");
    assert_eq!((&*place, &*message), ("genrate_series", "`genrate_series` does not give a set of rows"));
    assert!(hint.contains("did you mean `generate_series`?"), "{hint}");
    assert!(said("generate_series(1)").2.contains("generate_series(from bigint"));
    assert_eq!(said("generate_series(1, x)").0, "x");
    assert_eq!(said("string_to_table(s, amuont)").0, "amuont");
    assert!(said("unnest(s)").1.contains("no type of arrays"));
    assert!(said("regexp_split_to_table(s, '(')").1.contains("the regular expression is wrong"));
    assert_eq!(checked("generate_series(k, m)").unwrap_err().len(), 2, "all problems at once");
    let in_value = crate::expr::check("generate_series(1, 2)", &Scope { columns: &[], environment: &environment() });
    assert!(in_value.unwrap_err()[0].hint.as_ref().unwrap().contains("`expand`"));
}

/// PostgreSQL's splitting, from its definition: the matches that count, then what lies between them.
fn naive_matches(regex: &Regex, text: &str) -> Vec<String> {
    let (mut from, mut previous, mut pieces) = (0, 0, Vec::new());
    for found in regex.find_iter(text) {
        if found.start() < text.len() && found.end() > previous {
            pieces.push(text[from..found.start()].to_owned());
            from = found.end();
        }
        previous = found.end();
    }
    pieces.push(text[from..].to_owned());
    pieces
}

proptest! {
    #[test]
    fn splitting_equals_its_definition(text in "[ab,ü]{0,12}", pattern in "(,|a*|b+|ü?|,+|ab)") {
        let regex = Regex::new(&pattern).unwrap();
        let (mut matches, mut parts) = (Matches::default(), Parts::default());
        let found: Vec<String> = std::iter::from_fn(|| matches.next(&regex, &text).map(str::to_owned)).collect();
        prop_assert_eq!(found, naive_matches(&regex, &text));
        let found: Vec<&str> = std::iter::from_fn(|| parts.next(Some(","), &text)).collect();
        let split: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
        prop_assert_eq!(found, split);
    }
}
