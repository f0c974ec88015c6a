use super::*;

use crate::component::Spout;
use crate::decoder::fixture::{All, cut, decode, plan, run, slots};
use crate::tuple::{Run, Value};
use proptest::prelude::*;

const CSV: &str = r#"
    format = "csv"
    header = "none"
    max_record = 4096
    fields.id = "text not null"
    fields.amount = "double"
    fields.n = "bigint default 5"
    fields.ok = "boolean"
"#;

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

/// Reasons and positions of rejects.
fn reasons(all: &All) -> Vec<(&'static str, u64)> {
    all.rejects.iter().map(|r| (r.reason, r.position)).collect()
}

fn csv_value(value: &Value, quote: bool, out: &mut String) {
    let text = match value {
        Value::Null => return,
        Value::Text(t) => t.clone(),
        Value::Double(d) => d.to_string(),
        Value::Bigint(i) => i.to_string(),
        Value::Boolean(b) => b.to_string(),
        other => panic!("{other:?}"),
    };
    let needs = text.contains(['"', ',', '\n', '\r']) || text != text.trim();
    if quote || needs {
        out.push_str(&format!(" \"{}\"", text.replace('"', "\"\"")));
    } else {
        out.push_str(&text);
    }
}

fn value_row() -> impl Strategy<Value = Vec<Value>> {
    let id = "[a-zäß\"',; \n\r\t]{0,12}x";
    (id, prop::option::of(-1e9f64..1e9), any::<i64>(), prop::option::of(any::<bool>())).prop_map(|(id, d, n, b)| {
        vec![text(&id), d.map_or(Value::Null, Value::Double), Value::Bigint(n), b.map_or(Value::Null, Value::Boolean)]
    })
}

proptest! {
    #[test]
    fn csv_rows_survive_writing_and_any_cut(
        rows in prop::collection::vec((value_row(), any::<bool>(), any::<bool>(), any::<bool>()), 0..200),
        places in prop::collection::vec(any::<usize>(), 0..6),
        last_line_ends in any::<bool>(),
        resume in any::<prop::sample::Index>(),
    ) {
        let mut csv = String::new();
        let mut starts = Vec::new();
        for (row, quote, crlf, trailing) in &rows {
            starts.push(csv.len() as u64);
            for (n, value) in row.iter().enumerate() {
                csv.push_str(if n > 0 { "," } else { "" });
                csv_value(value, *quote, &mut csv);
            }
            csv.push_str(if *trailing { "," } else { "" });
            csv.push_str(if *crlf { "\r\n" } else { "\n" });
        }
        if !last_line_ends && csv.ends_with('\n') {
            csv.pop();
        }
        let plan = plan(CSV).unwrap();
        let all = decode(&plan, csv.as_bytes(), &places);
        let expected: Vec<_> = rows.iter().map(|r| r.0.clone()).collect();
        prop_assert_eq!(&all.rows, &expected);
        prop_assert_eq!(&all.positions, &starts);
        prop_assert!(all.rejects.is_empty() && all.failure.is_none());
        if !all.stops.is_empty() {
            let (position, before) = all.stops[resume.index(all.stops.len())];
            let mut feed = Feed::new("in", cut(csv.as_bytes(), &places), 0, plan.decoder(&slots(plan.columns()).1, "in", 0), Pace::Max);
            while !feed.begin().unwrap() {}
            feed.resume(position, position).unwrap();
            prop_assert_eq!(&run(&mut feed, plan.columns(), 9).rows[..], &expected[before..]);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_or_lose_a_line(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(b"a1,\"\" \r{}[]:\\u\xff\xc3".to_vec()), 0..20), 0..40),
        places in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let bytes = lines.join(&b'\n');
        for options in [CSV, "format = \"json\"\nfields.a = \"text\"", "format = \"regex\"\nregex = '(?<a>a+)1'\nfields.a = \"text\""] {
            let plan = plan(options).unwrap();
            let whole = decode(&plan, &bytes, &[]);
            let pieces = decode(&plan, &bytes, &places);
            prop_assert_eq!((&whole.rows, &whole.rejects), (&pieces.rows, &pieces.rejects));
            if options != CSV {
                let lines = bytes.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
                let json = options.contains("json");
                let counted = lines.filter(|l| !(json && l.iter().all(u8::is_ascii_whitespace))).count();
                let open = usize::from(!json && bytes.last().is_none_or(|b| *b == b'\n'));
                prop_assert_eq!(whole.rows.len() + whole.rejects.len(), counted - open);
            }
        }
    }

    #[test]
    fn json_rows_survive_any_cut(
        rows in prop::collection::vec(("[a-zä\"\\\\\n\u{1F600}]{0,9}", any::<i64>(), any::<f64>(), any::<bool>()), 0..90),
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut expected = Vec::new();
        let mut bytes = String::new();
        for (t, n, d, b) in &rows {
            let d = if d.is_finite() { *d } else { 0.5 };
            let json = serde_json::json!({ "t": t, "o": { "n": [null, n], "d": d }, "b": b, "x": [{}, [t]] });
            bytes.push_str(&format!("{json}\n"));
            expected.push(vec![text(t), Value::Bigint(*n), Value::Double(d), Value::Boolean(*b), text(&json["x"].to_string())]);
        }
        let options = r#"
            format = "json"
            fields.t = "text not null"
            fields.n = "bigint not null"
            fields.d = "double not null"
            fields.b = "boolean not null"
            fields.x = "text not null"
            paths.n = "$.o.n[1]"
            paths.d = "$['o'].d"
        "#;
        let all = decode(&plan(options).unwrap(), bytes.as_bytes(), &places);
        prop_assert_eq!(all.rows, expected);
        prop_assert!(all.rejects.is_empty());
    }
}

#[test]
fn csv_is_the_same_wherever_a_block_ends() {
    let records = b"a,1,2,t\n\"b,\"\"\n\"\"x\",2.5,,f\r\n\n\xc3\xa4,3,4,no,\n\xff,1,2,t\nc,1\n\"\n\" , 35.088833 ,-7,t\nd,12345678.5,8,\"on\"\n";
    let plan = plan(CSV).unwrap();
    // Quotes, line ends and bytes beyond ASCII come to stand at every place of the vectors that find them.
    for before in 0..70 {
        let mut bytes = b"x".repeat(before);
        bytes.extend_from_slice(records);
        let whole = decode(&plan, &bytes, &[]);
        let ids: Vec<_> = whole.rows.iter().skip(1).map(|r| r[0].clone()).collect();
        assert_eq!(ids, ["b,\"\n\"x", "ä", "\n", "d"].map(text));
        assert_eq!(whole.rejects.iter().map(|r| r.reason).collect::<Vec<_>>(), ["columns", "utf8", "columns"]);
        let cuts = if before % 8 == 0 { 0..bytes.len() } else { 0..0 };
        for cut in cuts {
            let pieces = decode(&plan, &bytes, &[cut]);
            assert_eq!(
                (&pieces.rows, &pieces.rejects, &pieces.positions),
                (&whole.rows, &whole.rejects, &whole.positions),
                "{before} {cut}"
            );
        }
    }
}

#[test]
fn a_header_names_the_columns_in_any_order() {
    let options = r#"
        format = "csv"
        fields.id = "text not null"
        fields.at = "timestamp not null"
        fields.gone = "bigint"
        paths.at = "Reported At"
        timestamps = "epoch_ms"
        time = "at"
    "#;
    let all = decode(
        &plan(options).unwrap(),
        b"\xEF\xBB\xBFx,\"Reported At\", ID ,\r\n1,1000,\"a\"\"b\"\r\n2,2000,c,\r\n",
        &[1, 2, 3, 9],
    );
    assert_eq!(
        all.rows,
        [
            vec![text("a\"b"), Value::Timestamp(1_000_000), Value::Null],
            vec![text("c"), Value::Timestamp(2_000_000), Value::Null],
        ]
    );
    assert_eq!(all.times, [1_000_000, 2_000_000]);
    let all = decode(&plan(options).unwrap(), b"id,when\na,1\n", &[]);
    assert_eq!(all.failure.unwrap(), "in: the header has no column \"Reported At\"; it has \"id\", \"when\"");
}

#[test]
fn broken_csv_records_are_rejects_with_their_place() {
    let bytes = b"a,1,2,t\nb,1\nc,x,2,t\n,1,2,t\nd,1,2,t,e\n\"e\" f,1,2,t\n\xff,1,2,t\ng, 2.5 ,,no,\n\n\"h\",3,4,off";
    let all = decode(&plan(CSV).unwrap(), bytes, &[]);
    let ids: Vec<_> = all.rows.iter().map(|r| r[0].clone()).collect();
    assert_eq!(ids, [text("a"), text("g"), text("h")]);
    assert_eq!(all.rows[1], [text("g"), Value::Double(2.5), Value::Bigint(5), Value::Boolean(false)]);
    let expected = [
        ("columns", 8),
        ("bad_value", 12),
        ("not_null", 20),
        ("columns", 27),
        ("quote", 37),
        ("utf8", 49),
        // An empty line.
        ("columns", 70),
    ];
    assert_eq!(reasons(&all), expected);
    assert_eq!(all.rejects[0].text, "2 columns where 4 are expected");
    assert_eq!(all.rejects[1].text, "column `amount`: `x` is not a double");
    assert_eq!(all.rejects[1].record, "c,x,2,t");
    assert_eq!(all.rejects[4].text, "column 1: text behind the closing quote");
    assert_eq!(all.times, [7, 7, 7], "without `time` it is the time of arrival");
}

#[test]
fn a_stray_quote_swallows_only_its_line() {
    let plan = plan(CSV).unwrap();
    let all = decode(&plan, b"a,1,2,t\n\"b,1,2,t\nc,1,2,t\n", &[]);
    assert_eq!(all.rows.len(), 2);
    assert_eq!(reasons(&all), [("quote", 8)]);
    let mut long = b"\"b,1,2,t\n".to_vec();
    for _ in 0..1000 {
        long.extend(b"c,1,2,t\n");
    }
    let all = decode(&plan, &long, &[100, 5000]);
    assert_eq!((all.rows.len(), reasons(&all)), (1000, vec![("quote", 0)]));
}

#[test]
fn a_long_line_is_one_error_and_takes_no_memory() {
    struct Long {
        left: usize,
    }
    impl Source for Long {
        fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
            if self.left == 0 {
                return Ok(Read::End);
            }
            let n = self.left.min(into.len());
            into[..n].fill(b'x');
            self.left -= n;
            if self.left == 0 {
                into[..n][n - 10..].copy_from_slice(b"\nb,1,2,tru");
            }
            Ok(Read::Bytes(n))
        }
    }
    for options in [CSV, "format = \"text\"\nmax_record = 4096"] {
        let plan = plan(options).unwrap();
        let decoder = plan.decoder(&slots(plan.columns()).1, "in", 0);
        let mut feed = Feed::new("in", Box::new(Long { left: 100_000_000 }), 0, decoder, Pace::Max);
        let all = run(&mut feed, plan.columns(), 1000);
        assert_eq!((all.rows.len(), reasons(&all)), (1, vec![("too_long", 0)]));
        assert_eq!(all.rejects[0].record.len(), 1024 + 3);
        assert_eq!(all.positions, [99_999_991]);
        assert!(all.stops[..all.stops.len() - 2].iter().all(|s| s.0 == 0), "a restart begins with the long record");
    }
}

#[test]
fn json_that_is_broken_or_of_the_wrong_type_is_a_reject() {
    let options = r#"
        format = "json"
        null = ["-"]
        timestamps = "epoch_s"
        fields.n = "bigint"
        fields.t = "text"
        fields.at = "timestamp"
        fields.ok = "boolean"
    "#;
    let lines = [
        r#"{"n":"12","t":1.50,"at":3,"ok":1}"#,
        r#"{"n":12.0,"t":"-","at":"4","ok":"yes"}"#,
        r#"{"n":null,"t":{"a": [1]},"n":-7}"#,
        "",
        r#"{}"#,
        r#"{"n":1.5}"#,
        r#"{"n":true}"#,
        r#"{"n":{}}"#,
        r#"{"t":"\ud800"}"#,
        r#"{"n":1,}"#,
        r#"{"n":1} x"#,
        r#"[1]"#,
        r#"{"t":"tab	"}"#,
        r#"{"t":"\u00e4\/\ud83d\ude00"}"#,
    ];
    let all = decode(&plan(options).unwrap(), lines.join("\n").as_bytes(), &[]);
    let null = || Value::Null;
    assert_eq!(
        all.rows,
        [
            vec![Value::Bigint(12), text("1.50"), Value::Timestamp(3_000_000), Value::Boolean(true)],
            vec![Value::Bigint(12), null(), Value::Timestamp(4_000_000), Value::Boolean(true)],
            vec![Value::Bigint(-7), text(r#"{"a": [1]}"#), null(), null()],
            vec![null(), null(), null(), null()],
            vec![null(), text("ä/😀"), null(), null()],
        ]
    );
    let reasons: Vec<_> = all.rejects.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, ["bad_value", "bad_value", "bad_value", "utf8", "json", "json", "json", "json"]);
    assert_eq!(all.rejects[4].text, "not JSON at byte 7: a key in quotes expected");
}

const TRADES: &str = r#"
    format = "json"
    each = "$.data[*]"
    fields.what = "text"
    fields.price = "double not null"
    paths.what = "$.table"
"#;

#[test]
fn each_element_is_a_row_wherever_the_run_ends() {
    let element = |n: usize| format!("{{\"price\":{n}}}");
    let data: Vec<String> = (0..200).map(element).collect();
    let bytes = format!(
        "{{\"data\":[{}],\"table\":\"t\"}}\n{{\"table\":\"u\"}}\n{{\"data\":[]}}\n{{\"data\":3}}\n{{\"data\":[{{\"price\":7}},{{}}, {{\"price\":8}}]}}",
        data.join(" , ")
    );
    let plan = plan(TRADES).unwrap();
    let all = decode(&plan, bytes.as_bytes(), &[10, 700, 1500]);
    let mut expected: Vec<Vec<Value>> = (0..200).map(|n| vec![text("t"), Value::Double(f64::from(n))]).collect();
    expected.extend([7.0, 8.0].map(|p| vec![Value::Null, Value::Double(p)]));
    assert_eq!(all.rows, expected);
    assert_eq!(all.rejects.iter().map(|r| r.reason).collect::<Vec<_>>(), ["json", "not_null"]);
    for (row, position) in all.positions.iter().enumerate() {
        assert_eq!(bytes.as_bytes()[*position as usize], b'{', "row {row} is where its element is");
    }
    assert_eq!(all.stops[0].1, 64);
    for (position, before) in &all.stops {
        let record = bytes[..*position as usize].rfind('\n').map_or(0, |n| n + 1);
        let mut feed =
            Feed::new("in", cut(bytes.as_bytes(), &[]), 0, plan.decoder(&slots(plan.columns()).1, "in", 0), Pace::Max);
        feed.begin().unwrap();
        feed.resume(record as u64, *position).unwrap();
        assert_eq!(run(&mut feed, plan.columns(), 1).rows, expected[*before..]);
    }
}

#[test]
fn lines_that_match_no_expression_leave_on_unmatched() {
    let options = r#"
        format = "regex"
        regex = ['^a=(?<a>\d+)( b=(?<b>\w+))?$', '^c=(?<c>.*)$']
        null = ["-"]
        fields.a = "bigint"
        fields.b = "text"
        fields.c = "text"
    "#;
    let plan = plan(options).unwrap();
    let all = decode(&plan, b"a=1 b=x\r\nc=-\nd=2\nc=\n\xff\na=2", &[3, 8, 9]);
    assert_eq!(
        all.rows,
        [
            vec![Value::Bigint(1), text("x"), Value::Null],
            vec![Value::Null, Value::Null, Value::Null],
            vec![Value::Null, Value::Null, text("")],
            vec![Value::Bigint(2), Value::Null, Value::Null],
        ]
    );
    assert_eq!(reasons(&all), [("unmatched", 13), ("utf8", 20)]);
    assert_eq!((all.rejects[0].stream, all.rejects[1].stream), ("unmatched", "errors"));
    assert_eq!(all.rejects[0].record, "d=2");
    assert_eq!(plan.side_streams()[0].0, "unmatched");
    // A long line is whole.
    let long = "ü".repeat(40_000);
    assert_eq!(decode(&plan, format!("{long}\n").as_bytes(), &[]).rejects[0].record, long);
}

#[test]
fn text_has_one_column() {
    let plan = plan("format = \"text\"").unwrap();
    let all = decode(&plan, b"one\r\n\n two \nthree", &[5]);
    assert_eq!(all.rows, ["one", "", " two ", "three"].map(|t| vec![text(t)]));
    assert!(!plan.columns()[0].nullable);
}

#[test]
fn wrong_options_are_problems_with_a_hint() {
    let cases = [
        ("format = \"cvs\"\nfields.a = \"text\"", "did you mean \"csv\"?"),
        ("format = \"csv\"", "`fields` of `spouts.s` is missing"),
        ("format = \"json\"\nheader = \"use\"\nfields.a = \"text\"", "no meaning for format \"json\""),
        ("format = \"json\"\nfields.a = \"text\"\npaths.a = \"a.b\"", "\"$.a.b\""),
        ("format = \"json\"\nfields.a = \"text\"\neach = \"$.x\"", "ends with `[*]`"),
        ("format = \"json\"\nfields.a = \"text\"\npaths.a = \"@.x\"", "`each`, which is not given"),
        ("format = \"csv\"\ncolumns = [\"amount\"]\nfields.amuont = \"double\"", "did you mean \"amount\"?"),
        ("format = \"csv\"\nfields.a = \"timestamp\"\ntime = \"b\"", "did you mean `a`?"),
        ("format = \"csv\"\nfields.a = \"text\"\ntime = \"a\"", "must name a timestamp"),
        ("format = \"csv\"\nfields.a = \"text\"\ndelimiter = \"||\"", "one ASCII character"),
        ("format = \"csv\"\nfields.a = \"text\"\nmax_record = \"1 mile\"", "such as \"64MiB\""),
        ("format = \"regex\"\nfields.a = \"text\"", "`regex` of `spouts.s` is missing"),
        ("format = \"regex\"\nregex = '(?<a>'\nfields.a = \"text\"", "unclosed group"),
        ("format = \"regex\"\nregex = '(?<aa>x)'\nfields.ab = \"text\"", "did you mean \"aa\"?"),
        ("format = \"text\"\nfields.a = \"text\"", "one column `line`"),
    ];
    for (options, expected) in cases {
        let problems = plan(options).err().unwrap_or_default();
        assert!(
            format!("{problems:?}").contains(&format!("{expected:?}")[1..expected.len()]),
            "{options}: {problems:?}"
        );
    }
}

#[test]
fn a_rate_gives_each_tuple_its_intended_time() {
    let plan = plan(CSV).unwrap();
    let (layout, slots) = slots(plan.columns());
    let rate = "pace = \"1000/s\"";
    let pace = crate::decoder::fixture::checked(rate, |options, _| Pace::of(&options)).0;
    let bytes = b"a,1,2,t\n".repeat(10);
    let mut feed = Feed::new("in", cut(&bytes, &[]), 0, plan.decoder(&slots, "in", 0), pace);
    let (mut run, mut rejects, mut dues) = (Run::new(layout), Vec::new(), Vec::new());
    let mut now = 5_000_000;
    loop {
        run.clear();
        let polled = feed.poll(&mut Intake { run: &mut run, rejects: &mut rejects, now, wall: 0 }).unwrap();
        dues.extend((0..run.len()).map(|n| run.frame(n).due()));
        now = match polled {
            crate::component::Polled::Some => now + 2_500_000,
            crate::component::Polled::Nothing(due) => due.unwrap(),
            crate::component::Polled::End => break,
        };
    }
    assert_eq!(dues, (0..10).map(|n| 5_000_000 + n * 1_000_000).collect::<Vec<u64>>());
}

#[test]
fn a_speed_keeps_the_distances_of_event_time() {
    let options = "format = \"csv\"\nheader = \"none\"\ntimestamps = \"epoch_s\"\ntime = \"at\"\nfields.at = \"timestamp not null\"";
    let plan = plan(options).unwrap();
    let (layout, slots) = slots(plan.columns());
    let pace = crate::decoder::fixture::checked("pace = \"60x\"", |options, _| Pace::of(&options)).0;
    let mut feed = Feed::new("in", cut(b"100\n160\nx\n160\n130\n280\n", &[]), 0, plan.decoder(&slots, "in", 0), pace);
    let (mut run, mut rejects, mut dues) = (Run::new(layout), Vec::new(), Vec::new());
    let mut now = 1;
    loop {
        run.clear();
        let polled = feed.poll(&mut Intake { run: &mut run, rejects: &mut rejects, now, wall: 0 }).unwrap();
        dues.extend((0..run.len()).map(|n| (run.frame(n).time() / 1_000_000, run.frame(n).due())));
        match polled {
            crate::component::Polled::Some => {}
            crate::component::Polled::Nothing(due) => now = due.unwrap(),
            crate::component::Polled::End => break,
        }
    }
    let second = 1_000_000_000;
    assert_eq!(dues, [(100, 1), (160, 1 + second), (160, 1 + second), (130, 1 + second), (280, 1 + 3 * second)]);
    assert_eq!(rejects.len(), 1);
}
