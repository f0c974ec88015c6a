use crate::component::Spout;
use crate::decoder::fixture::{All, cut, decode, plan, run, slots};
use crate::decoder::{Feed, Pace};
use crate::tuple::Value;

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

fn reasons(all: &All) -> Vec<(&'static str, u64)> {
    all.rejects.iter().map(|r| (r.reason, r.position)).collect()
}

/// Rows that `where` refused.
fn filtered(options: &str, bytes: &[u8]) -> u64 {
    let plan = plan(options).unwrap();
    let decoder = plan.decoder(&slots(plan.columns()).1, "in", 0);
    let mut feed = Feed::new("in", cut(bytes, &[]), 0, decoder, Pace::Max);
    run(&mut feed, plan.columns(), 9);
    feed.filtered()
}

const REPORTS: &str = r#"
    format = "csv"
    header = "none"
    columns = ["type", "second", "vid", "speed"]
    where = "type = '0'"
    time = "ts"
    fields.ts = "timestamp not null"
    fields.vid = "bigint not null"
    add.ts = "to_timestamp(second::bigint)"
    add.fast = "vid > 1"
"#;

#[test]
fn what_where_refuses_need_not_be_sound() {
    let bytes = b"0,10,1,x\n2,,,\n0,20,two,x\n2,a,b,c\n0,abc,3,x\n,,,\n0,30,2,x\n0,,4,x\n1\n";
    let plan = plan(REPORTS).unwrap();
    let names: Vec<&str> = plan.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["ts", "vid", "fast"]);
    let all = decode(&plan, bytes, &[3, 40]);
    assert_eq!(
        all.rows,
        [
            vec![Value::Timestamp(10_000_000), Value::Bigint(1), Value::Boolean(false)],
            vec![Value::Timestamp(30_000_000), Value::Bigint(2), Value::Boolean(true)],
        ]
    );
    assert_eq!(all.times, [10_000_000, 30_000_000]);
    let found: Vec<&str> = all.rejects.iter().map(|r| r.reason).collect();
    assert_eq!(found[0], "bad_value");
    assert_eq!(found[2..], ["not_null", "columns"], "{:?}", all.rejects);
    assert!(all.rejects[1].text.starts_with("`ts`: "), "{:?}", all.rejects[1]);
    assert_eq!(filtered(REPORTS, bytes), 3);
}

#[test]
fn source_offset_and_time_of_arrival_can_be_used() {
    let options = r#"
        format = "csv"
        header = "skip"
        columns = ["clock", "n"]
        fields.car = "text not null"
        fields.ts = "timestamp not null"
        fields.n = "double"
        add.car = "substring(_source from '([^/]+)[.]csv')"
        add.ts = "(substring(_source from 'kit-([0-9-]{10})') || ' ' || clock)::timestamp"
        add.at = "_offset"
        add.received = "_received"
    "#;
    let plan = plan(options).unwrap();
    let decoder = plan.decoder(&slots(plan.columns()).1, "data/kit-2017-07-05_x.csv.gz", 0);
    let bytes = b"broken \xff header\n07:10:09.500,2\n";
    let mut feed = Feed::new("in", cut(bytes, &[]), 0, decoder, Pace::Max);
    let all = run(&mut feed, plan.columns(), 1);
    let ts = Value::Timestamp(1_499_238_609_500_000);
    let expected = [text("kit-2017-07-05_x"), ts, Value::Double(2.0), Value::Bigint(16), Value::Timestamp(7)];
    assert_eq!(all.rows, [expected]);
}

#[test]
fn an_added_column_reads_the_raw_text_of_its_own_name() {
    let options = r#"
        format = "csv"
        header = "none"
        columns = ["speed", "n"]
        fields.speed = "double not null default -1"
        fields.n = "bigint"
        add.speed = "replace(speed, 'km/h', '')::bigint"
        add.share = "10 / n"
        where = "speed is null or speed <> 7"
    "#;
    let plan = plan(options).unwrap();
    let all = decode(&plan, b"48km/h,5\n,2\n7km/h,1\n9km/h,0\nfast,1\n", &[]);
    assert_eq!(
        all.rows,
        [
            vec![Value::Double(48.0), Value::Bigint(5), Value::Bigint(2)],
            vec![Value::Double(-1.0), Value::Bigint(2), Value::Bigint(5)],
        ]
    );
    assert_eq!(reasons(&all)[0], ("division_by_zero", 20));
    assert_eq!(reasons(&all).len(), 2);
    assert_eq!(filtered(options, b"7km/h,1\n8km/h,1\n"), 1);
}

#[test]
fn elements_of_other_messages_are_refused_by_where() {
    let options = r#"
        format = "json"
        each = "$.data[*]"
        where = "what = 'trade'"
        paths.what = "$.table"
        fields.price = "double not null"
        add.twice = "price * 2"
    "#;
    let bytes = br#"{"table":"trade","data":[{"price":1.5},{"price":2}]}
{"table":"quote","data":[{"bid":1}]}
{"data":[{"price":9}],"table":"trade"}
"#;
    let all = decode(&plan(options).unwrap(), bytes, &[]);
    assert_eq!(all.rows, [1.5, 2.0, 9.0].map(|p| vec![Value::Double(p), Value::Double(2.0 * p)]));
    assert_eq!((all.rejects, filtered(options, bytes)), (Vec::new(), 1));
}

#[test]
fn wrong_expressions_are_problems() {
    let cases = [
        ("add.a = \"1.5\"\nfields.a = \"bigint\"", "is a double, but the column is a bigint"),
        ("add.a = \"b\"\nfields.c = \"bigint\"", "`b`"),
        ("where = \"c\"\nfields.c = \"bigint\"", "must be a condition"),
        ("where = \"d > 1\"\nfields.c = \"bigint\"", "`d`"),
        ("add.a = \"count(*)\"\nfields.c = \"bigint\"", "count"),
    ];
    for (options, expected) in cases {
        let problems = plan(&format!("format = \"csv\"\nheader = \"none\"\n{options}")).err().unwrap();
        assert!(problems.iter().any(|p| p.message.contains(expected)), "{options}: {problems:?}");
    }
}

#[test]
fn timestamps_without_a_year_and_with_a_zone_are_understood() {
    let options = r#"
        format = "regex"
        regex = '^(?<ts>\w{3} [ \d]\d [\d:]{8}) (?<rest>.*)$'
        timestamps = "%b %e %H:%M:%S"
        zone = "Europe/Berlin"
        year = 2017
        time = "ts"
        fields.ts = "timestamp not null"
        add.n = "length(rest)"
    "#;
    let all = decode(&plan(options).unwrap(), b"Mar 27 13:06:56 abc\nMar 99 13:06:56 abc\n", &[]);
    assert_eq!(all.times, [1_490_612_816_000_000]);
    assert_eq!(all.rows[0][1], Value::Bigint(3));
    assert_eq!(reasons(&all), [("bad_value", 20)]);
}
