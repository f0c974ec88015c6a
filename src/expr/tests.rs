//! What expressions mean, from text to value.

use super::*;
use crate::tuple::{Arena, Layout, Run};

/// Columns of the tests: one of each type, nullable, and some that words of SQL are named like.
pub(crate) fn columns() -> Vec<Column> {
    vec![
        Column::new("b", DataType::Boolean),
        Column::new("i", DataType::Bigint),
        Column::new("j", DataType::Bigint),
        Column::new("x", DataType::Double),
        Column::new("y", DataType::Double),
        Column::new("s", DataType::Text),
        Column::new("t", DataType::Text),
        Column::new("ts", DataType::Timestamp),
        Column::new("d", DataType::Interval),
        Column::new("user", DataType::Text).not_null(),
    ]
}

/// A row for [`columns`].
pub(crate) fn row() -> Vec<Value> {
    vec![
        Value::Boolean(true),
        Value::Bigint(7),
        Value::Null,
        Value::Double(2.5),
        Value::Double(-0.5),
        Value::Text("Grüße".to_owned()),
        Value::Null,
        // 2024-02-29 12:34:56.789012, a Thursday.
        Value::Timestamp(1_709_210_096_789_012),
        Value::Interval(5_400_000_000),
        Value::Text("ann".to_owned()),
    ]
}

pub(crate) fn environment() -> Environment {
    let key = vec![Column::new("merchant", DataType::Text).not_null(), Column::new("reason", DataType::Text)];
    let blocked = ReferenceTable::new("blocked", key, vec![0]);
    blocked.replace(vec![
        vec![Value::Text("ann".to_owned()), Value::Text("mule".to_owned())],
        vec![Value::Text("bob".to_owned()), Value::Null],
    ]);
    let pairs = vec![
        Column::new("a", DataType::Bigint).not_null(),
        Column::new("b", DataType::Text).not_null(),
        Column::new("limit_kmh", DataType::Double),
    ];
    let limits = ReferenceTable::new("limits", pairs, vec![0, 1]);
    limits.replace(vec![vec![Value::Bigint(7), Value::Text("ann".to_owned()), Value::Double(1.5)]]);
    let text = |t: &str| Param::Value(Value::Text(t.to_owned()));
    Environment {
        params: vec![
            ("large".to_owned(), Param::Value(Value::Double(500.0))),
            ("name".to_owned(), text("ann")),
            ("number".to_owned(), text("7")),
            ("list".to_owned(), Param::List((1..10).map(Value::Bigint).collect())),
            ("pair".to_owned(), Param::List(vec![Value::Text("x".to_owned()), Value::Text("ann".to_owned())])),
        ],
        tables: vec![Arc::new(blocked), Arc::new(limits)],
    }
}

pub(crate) fn scope_columns<'a>(columns: &'a [Column], stream: &'a str) -> Vec<ScopeColumn<'a>> {
    columns.iter().map(|column| ScopeColumn { stream, column }).collect()
}

fn checked(text: &str) -> Result<Checked<Expr>, Vec<ExprError>> {
    let (columns, environment) = (columns(), environment());
    check(text, &Scope { columns: &scope_columns(&columns, "in"), environment: &environment })
}

/// Evaluates on [`row`], in both forms.
fn eval(text: &str) -> Result<Value, &'static str> {
    let expr = checked(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).value;
    let layout = Layout::new(columns().len());
    let mut run = Run::new(layout);
    let arena = Arena::new();
    let (frame, _) = run.push();
    frame.set_time(1_000_000);
    for (index, value) in row().iter().enumerate() {
        value.put(frame, layout.slot(index), &arena);
    }
    let compiled = expr.compile(&|column| layout.slot(column));
    let value = |word: Option<u64>| word.map_or(Value::Null, |word| Value::from_word(word, expr.data_type()));
    let result = compiled.eval(run.frame(0), &arena).map(value).map_err(|error| error.reason);
    let general = compiled.eval_general(run.frame(0), &arena).map(value).map_err(|error| error.reason);
    assert_eq!(format!("{result:?}"), format!("{general:?}"), "{text}");
    result
}

fn shown(text: &str) -> String {
    match eval(text) {
        Err(reason) => format!("! {reason}"),
        Ok(Value::Null) => "null".to_owned(),
        Ok(Value::Text(text)) => format!("'{text}'"),
        Ok(Value::Boolean(b)) => b.to_string(),
        Ok(Value::Bigint(i)) => i.to_string(),
        Ok(Value::Double(d)) => {
            let mut out = String::new();
            crate::tuple::format_double(d, &mut out);
            out + "d"
        }
        Ok(Value::Timestamp(t)) => format!("ts {t}"),
        Ok(Value::Interval(i)) => format!("iv {i}"),
    }
}

fn assert_all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, shown(text)))
        .filter(|(_, expected, found)| found != *expected)
        .map(|(text, expected, found)| format!("{text}: {found}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn problem_of(text: &str) -> String {
    match checked(text) {
        Ok(_) => "fine".to_owned(),
        Err(errors) => errors
            .iter()
            .map(|e| {
                let hint = e.hint.as_ref().map_or(String::new(), |hint| format!(" | {hint}"));
                format!("[{}] {}{hint}", text.get(e.range.clone()).unwrap_or("?"), e.message)
            })
            .collect::<Vec<_>>()
            .join("; "),
    }
}

#[test]
fn numbers() {
    assert_all(&[
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("7 / 2.0", "3.5d"),
        ("i + x", "9.5d"),
        ("i / 0", "! division_by_zero"),
        ("x / 0", "! division_by_zero"),
        ("j / 0", "null"),
        ("9223372036854775807 + 1", "! overflow"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e308 * 10", "! overflow"),
        ("2 ^ 3 ^ 2", "64d"),
        ("-2 ^ 2", "4d"),
        ("'5' + i", "12"),
        ("round(2.5)", "2d"),
        ("round(2.675, 2)", "2.68d"),
        ("trunc(-2.5)", "-2d"),
        ("round(100 * 0.123456, 2)", "12.35d"),
        ("abs(-i)", "7"),
        ("ceil(x)", "3d"),
        ("floor(y)", "-1d"),
        ("power(2, 10)", "1024d"),
        ("sqrt(-1)", "! invalid_argument"),
        ("log(2, 8)", "3d"),
        ("mod(i, 4)", "3"),
        ("round(haversine_km(52.52, 13.405, 48.8566, 2.3522), 6)", "877.463326d"),
        ("greatest(1, x, j)", "2.5d"),
        ("least(j, null)", "null"),
        ("width_bucket(5.35, 0.024, 10.06, 5)", "3"),
    ]);
}

#[test]
fn comparisons_and_logic() {
    assert_all(&[
        ("i > 5 and x <= 2.5", "true"),
        ("j > 5", "null"),
        ("j > 5 or b", "true"),
        ("j > 5 and not b", "false"),
        ("j is null and i is not null", "true"),
        ("(j > 5) is unknown", "true"),
        ("(j > 5) is not true", "true"),
        ("j is distinct from i", "true"),
        ("j is not distinct from null", "true"),
        ("i between 1 and 7", "true"),
        ("i not between 1 and 7", "false"),
        ("i between symmetric 7 and 1", "true"),
        ("i between 7 and 1", "false"),
        ("i in (1, 2, 7)", "true"),
        ("i in (1, 2, null)", "null"),
        ("i not in (1, 2, null)", "null"),
        ("i in ($list)", "true"),
        ("\"user\" in ($pair)", "true"),
        ("i not in ($list, 12)", "false"),
        ("x in (1, 2.5, 3, 4, 5, 6, 7)", "true"),
        ("'NaN'::double = 'NaN'::double", "true"),
        ("'NaN'::double > 'Infinity'::double", "true"),
        ("x > 'NaN'::double", "false"),
        ("case when j > 1 then 'a' when i > 1 then 'b' end", "'b'"),
        ("case i when 1 then 2 when 7 then 2.5 else 0 end", "2.5d"),
        ("case when false then 1 / 0 else 3 end", "3"),
        ("coalesce(j, i, 1 / 0)", "7"),
        ("nullif(i, 7)", "null"),
        ("nullif(i, 7.5)", "7"),
        ("user = 'ann'", "true"),
        ("in.i = $number", "true"),
        ("_time", "ts 1000000"),
        ("b = true", "true"),
        ("s < t", "null"),
    ]);
}

#[test]
fn texts() {
    assert_all(&[
        ("s || '!' || i", "'Grüße!7'"),
        ("s || t", "null"),
        ("concat(s, t, i, b)", "'Grüße7t'"),
        ("concat_ws(', ', s, t, i)", "'Grüße, 7'"),
        ("length(s)", "5"),
        ("upper(s)", "'GRÜßE'"),
        ("lower('ÄB')", "'äb'"),
        ("substring(s from 2 for 3)", "'rüß'"),
        ("substring(s, 2)", "'rüße'"),
        ("substring(s for 2)", "'Gr'"),
        ("substr(s, -1, 4)", "'Gr'"),
        ("substring('a/b/kit-7.csv' from '([^/]+)[.]csv')", "'kit-7'"),
        ("substring(s from 'zz')", "null"),
        ("left(s, 2) || right(s, 2)", "'Grße'"),
        ("left(s, -4)", "'G'"),
        ("lpad('7', 3, '0')", "'007'"),
        ("rpad('abc', 2)", "'ab'"),
        ("replace(s, 'ü', 'u')", "'Gruße'"),
        ("split_part('a,b,c', ',', -1)", "'c'"),
        ("split_part('a,b,c', ',', 0)", "! invalid_argument"),
        ("position('ß' in s)", "4"),
        ("strpos(s, 'zz')", "0"),
        ("starts_with(s, 'Gr')", "true"),
        ("trim('  a ')", "'a'"),
        ("trim(both 'x' from 'xax')", "'a'"),
        ("trim(leading from '  a ')", "'a '"),
        ("ltrim('xxa', 'x')", "'a'"),
        ("initcap('hello wORLD')", "'Hello World'"),
        ("reverse(s)", "'eßürG'"),
        ("repeat('ab', 3)", "'ababab'"),
        ("repeat(s, 1000000000)", "! too_long"),
        ("ascii('A')", "65"),
        ("chr(228)", "'ä'"),
        ("s like 'Gr%'", "true"),
        ("s not like '_r%'", "false"),
        ("s ilike 'gRÜ%'", "true"),
        ("'100%' like '100!%' escape '!'", "true"),
        ("s like t", "null"),
        ("s ~ '^Gr.+e$'", "true"),
        ("s ~* '^gr'", "true"),
        ("s !~ user", "true"),
        ("regexp_replace('a1b2', '[0-9]', '<\\&>', 'g')", "'a<1>b<2>'"),
        ("regexp_replace('a1b2', '([0-9])', '\\1\\1')", "'a11b2'"),
        ("regexp_like(s, 'GR', 'i')", "true"),
        ("regexp_substr('a12b', '[0-9]+')", "'12'"),
        ("format('%s is %s %%, %2$s', s, i)", "'Grüße is 7 %, 7'"),
        ("format('%s')", "! invalid_argument"),
        ("translate('12345', '143', 'ax')", "'a2x5'"),
        ("x::text || 900.0 || 1e20", "'2.59001e+20'"),
    ]);
}

#[test]
fn casts() {
    assert_all(&[
        ("'12'::bigint + 1", "13"),
        ("(s)::bigint", "! bad_cast"),
        ("cast(x as bigint)", "2"),
        ("3.5::bigint", "4"),
        ("1e30::bigint", "! overflow"),
        ("i::double / 2", "3.5d"),
        ("i::double precision", "7d"),
        ("b::int", "1"),
        ("i::boolean", "true"),
        ("b::text", "'true'"),
        ("' yes '::boolean", "true"),
        ("'1e400'::text::double", "! overflow"),
        ("bigint '5'", "5"),
    ]);
}

#[test]
fn parts_of_times() {
    assert_all(&[
        ("extract(hour from ts)", "12d"),
        ("extract(epoch from ts)", "1709210096.789012d"),
        ("extract(second from ts)", "56.789012d"),
        ("extract(dow from ts)", "4d"),
        ("extract(doy from ts)", "60d"),
        ("extract(week from ts)", "9d"),
        ("extract(quarter from ts)", "1d"),
        ("date_part('minute', ts)", "34d"),
        ("extract(hour from d)", "1d"),
        ("extract(epoch from ts - ts) / 3600", "0d"),
        ("date_trunc('hour', ts)", "ts 1709208000000000"),
        ("date_trunc('month', ts)", "ts 1706745600000000"),
        ("date_trunc('week', ts)", "ts 1708905600000000"),
        ("to_timestamp(1.5)", "ts 1500000"),
        ("to_timestamp('60'::bigint)", "ts 60000000"),
        ("date_bin(d, ts, to_timestamp(0))", "ts 1709208000000000"),
        ("ts + d - ts = d", "true"),
        ("d * 2", "iv 10800000000"),
        ("d / 2.0", "iv 2700000000"),
        ("-d", "iv -5400000000"),
        ("d / 0", "! division_by_zero"),
    ]);
}

#[test]
fn reference_tables() {
    assert_all(&[
        ("blocked[user].reason", "'mule'"),
        ("blocked['bob'].reason", "null"),
        ("blocked['bob'] is null", "false"),
        ("blocked['eve'] is null", "true"),
        ("blocked[user] is not null", "true"),
        ("blocked[t] is not null", "false"),
        ("limits[(i, user)].limit_kmh", "1.5d"),
        ("coalesce(limits[(j, user)].limit_kmh, $large)", "500d"),
    ]);
}

#[test]
fn problems_have_a_place_and_advice() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("amuont > 5", "[amuont] there is no column `amuont` | the columns are b, i, j, x, y, s, t, ts, d, user"),
        ("usr = 'a'", "[usr] there is no column `usr` | did you mean `user`?"),
        ("s > 5", "[s] text cannot be compared with bigint | write `s::bigint`"),
        ("i + s", "[i + s] there is no bigint + text | texts are joined with `||`"),
        ("i * s", "[s] there is no bigint * text | write `s::bigint`"),
        ("i and b", "[i] a condition is needed, this is bigint | write `i <> 0`"),
        ("$larg > 5", "[$larg] there is no parameter `$larg` | did you mean `$large`?"),
        ("i = $list", "[$list] `$list` is a list | a list serves `x in ($list)`"),
        ("bloked[user].reason is null", "[bloked] there is no reference table `bloked` | did you mean `blocked`?"),
        ("blocked[user].raeson", "[raeson] the table `blocked` has no column `raeson` | did you mean `reason`?"),
        ("blocked[i].reason", "[i] the key `merchant` of `blocked` is text, this is bigint | write `(i)::text`"),
        ("uper(s)", "[uper] there is no function `uper` | did you mean `upper`?"),
        ("length(i)", "[i] `length` wants text here, this is bigint | write `i::text`"),
        ("length(s, s)", "[length(s, s)] `length` does not take 2 arguments | it is called length(x text) → bigint"),
        ("now()", "[now] `now` is not available | expressions read no clock; `_time` is the time of the tuple"),
        ("s ~ '('", "['('] the regular expression is wrong: unclosed group"),
        ("i >", "[] the expression ends too early"),
        ("i > 5 5", "[5] unexpected `5` after the expression"),
        ("1 < i < 5", "[1 < i < 5] comparisons do not chain | join them with `and`, or use parentheses"),
        ("'abc'::bigint", "['abc'] `abc` is not a bigint"),
        ("i = 'abc'", "['abc'] `abc` is not a bigint"),
        ("", "[] the expression is empty"),
        (
            "count(*) > 3",
            "[count(*)] `count` is an aggregate, which cannot be computed here | compute it in `add` of a bolt of kind `aggregate` and use the column here",
        ),
        (
            "length(extract(hour from ts))",
            "[extract(hour from ts)] `length` wants text here, this is double | write `(extract(hour from ts))::text`",
        ),
        (
            "length((i + 1)::double)",
            "[(i + 1)::double] `length` wants text here, this is double | write `((i + 1)::double)::text`",
        ),
        (
            "nope + nada",
            "[nope] there is no column `nope` | the columns are b, i, j, x, y, s, t, ts, d, user; \
             [nada] there is no column `nada` | the columns are b, i, j, x, y, s, t, ts, d, user",
        ),
        (
            "s::numeric",
            "[s::numeric] there is no type `numeric` | there is no decimal type: use double, or bigint in the smallest unit",
        ),
    ] {
        let found = problem_of(text);
        if found != expected {
            wrong.push(format!("{text}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_text_makes_it_panic() {
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let long = vec!["i > 5"; 3000].join(" and ");
    let sum = vec!["1"; 3000].join(" + ");
    let fine = vec!["i > 5"; 900].join(" and ");
    for text in [
        deep.as_str(),
        &long,
        &sum,
        "'",
        "$",
        "a.b.c.d",
        "((",
        "a[1:2]",
        "t.*",
        "select 1",
        "i::",
        "case",
        "\u{0}",
        "äöü ß",
        "count(",
        "x'",
        "1e999",
        "99999999999999999999",
        "/* ",
        "-- c",
        "i -- c",
        "f(a => 1)",
        "array[1]",
        "(1, 2)",
        "i = any(array[1])",
    ] {
        let _ = checked(text).map(|_| ());
    }
    assert!(checked(&fine).is_ok());
}
