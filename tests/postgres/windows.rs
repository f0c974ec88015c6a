//! Windows and joins mean what the same question means in PostgreSQL: made-up rows go through topologies and through SQL.

use super::{Random, Server};
use crate::program::Folder;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The columns of a stream, as SQL declares them.
const COLUMNS: &str = "id bigint, k text, w timestamp, i bigint, x float8, s text, b boolean";

/// A stream that comes from a file.
fn spout(name: &str, disorder: &str) -> String {
    format!(
        r#"
[spouts.{name}]
kind     = "file"
path     = "{name}.ndjson"
format   = "json"
time     = "w"
disorder = "{disorder}"
fields.id = "bigint not null"
fields.k  = "text not null"
fields.w  = "timestamp not null"
fields.i  = "bigint"
fields.x  = "double"
fields.s  = "text"
fields.b  = "boolean"
"#
    )
}

fn out(from: &str) -> String {
    format!("\n[bolts.{from}_out]\nkind = \"file\"\nfrom = \"{from}\"\npath = \"{from}.out.ndjson\"\n")
}

/// Rows of some keys whose times move on by up to `step` microseconds, many of them equal, and go back by up to `back`.
fn rows(count: usize, keys: usize, step: u64, back: u64, random: &mut Random) -> Vec<Value> {
    let mut now = 0u64;
    let mut row = |id: usize| {
        if random.below(3) > 0 {
            now += random.next() % step;
        }
        let time = now.saturating_sub(if random.below(5) == 0 && back > 0 { random.next() % back } else { 0 });
        let mut row = Map::new();
        row.insert("id".to_owned(), json!(id));
        row.insert("k".to_owned(), json!(["a", "b", "c"][random.below(keys)]));
        row.insert("w".to_owned(), json!(timestamp(time)));
        let mut put = |name: &str, value: Value, random: &mut Random| {
            let null = random.below(6) == 0;
            row.insert(name.to_owned(), if null { Value::Null } else { value });
        };
        put("i", json!(random.below(40) as i64 - 15), random);
        put("x", json!(random.below(800) as f64 / 8.0 - 30.0), random);
        put("s", json!(random.of(&["a", "B", "ab", "", "ü", "b"])), random);
        put("b", json!(random.below(3) > 0), random);
        Value::Object(row)
    };
    (0..count).map(&mut row).collect()
}

fn timestamp(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2024-01-{:02}T{:02}:{minute:02}:{second:02}.{:06}", 1 + hour / 24, hour % 24, micros % 1_000_000)
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn table(name: &str, rows: &[Value]) -> String {
    let mut sql = format!("create table {name} ({COLUMNS});\n");
    for row in rows {
        let text = row.to_string().replace('\'', "''");
        let _ = writeln!(sql, "insert into {name} select * from json_populate_record(null::{name}, '{text}');");
    }
    let _ = writeln!(sql, "create index on {name} (k, w);\nanalyze {name};");
    sql
}

/// An aggregate: its name, as it is written here, and as SQL has it, `{o}` being the order of rows.
type Call = (&'static str, &'static str, &'static str);

const CALLS: [Call; 20] = [
    ("n", "count(*)", "count(*)"),
    ("ni", "count(i)", "count(i)"),
    ("si", "sum(i)", "sum(i)::bigint"),
    ("sx", "sum(x)", "sum(x)"),
    ("ai", "avg(i)", "avg(i)::float8"),
    ("ax", "avg(x)", "avg(x)"),
    ("mi", "min(i)", "min(i)"),
    ("mx", "max(x)", "max(x)"),
    ("ms", "min(s)", "min(s)"),
    ("xs", "max(s)", "max(s)"),
    ("dx", "stddev(x)", "stddev_samp(x)"),
    ("vi", "var_pop(i)", "var_pop(i)::float8"),
    ("fi", "first(i)", "(array_agg(i order by {o}))[1]"),
    ("ls", "last(s)", "(array_agg(s order by {o}))[count(*)]"),
    ("ba", "bool_and(b)", "bool_and(b)"),
    ("bo", "bool_or(b)", "bool_or(b)"),
    ("nf", "count(*) filter (where x > 0)", "count(*) filter (where x > 0)"),
    ("mf", "max(i) filter (where b)", "max(i) filter (where b)"),
    ("di", "count(distinct i)", "count(distinct i)"),
    ("pc", "percentile_cont(0.5) within group (order by x)", "percentile_cont(0.5) within group (order by x)"),
];

/// The aggregates over some rows, in SQL.
fn selected(name: &str, order: &str) -> String {
    let one = |(call, _, sql): &Call| format!("{} as {call}_{name}", sql.replace("{o}", order));
    CALLS.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The same, as columns of a bolt.
fn added(name: &str, over: &str) -> String {
    CALLS.iter().map(|(call, ours, _)| format!("add.{call}_{name} = \"{ours}{over}\"\n")).collect()
}

/// Whether a value is the other: doubles as far as both have computed them.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
        _ => ours == theirs,
    }
}

/// Compares rows, told apart by the columns `by`; how many values were compared.
fn compare(what: &str, by: &[&str], ours: &str, theirs: &[String]) -> usize {
    type Rows = BTreeMap<String, Vec<Map<String, Value>>>;
    let parse = |line: &str| -> Map<String, Value> { serde_json::from_str(line).expect("a JSON object") };
    let by_key = |rows: Vec<Map<String, Value>>| {
        let mut found = Rows::new();
        for row in rows {
            let key: Vec<String> =
                by.iter().map(|name| row.get(*name).map_or_else(String::new, Value::to_string)).collect();
            found.entry(key.join(" ")).or_default().push(row);
        }
        found
    };
    let ours = by_key(ours.lines().map(parse).collect());
    let theirs = by_key(theirs.iter().map(|line| parse(line)).collect());
    assert!(!theirs.is_empty(), "{what}: no rows");
    let keys = |rows: &Rows| rows.iter().map(|(key, rows)| format!("{key} x {}", rows.len())).collect::<Vec<_>>();
    let (mine, other) = (keys(&ours), keys(&theirs));
    let differing = mine.iter().zip(&other).find(|(mine, other)| mine != other);
    assert_eq!(mine.len(), other.len(), "{what}: other rows, first {differing:?}");
    assert_eq!(differing, None, "{what}");
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (key, theirs) in &theirs {
        for (ours, theirs) in ours[key].iter().zip(theirs) {
            for (name, theirs) in theirs {
                let ours = ours.get(name).unwrap_or(&Value::Null);
                compared += 1;
                if !same(ours, theirs) {
                    wrong.push(format!("{key}: {name} is {ours} here, {theirs} in PostgreSQL"));
                }
            }
        }
    }
    let shown = wrong[..wrong.len().min(25)].join("\n");
    assert!(wrong.is_empty(), "{what}: {} of {compared} differ\n{shown}", wrong.len());
    compared
}

/// Asks for rows as JSON.
fn asked(server: &Server, sql: &str, question: &str) -> Vec<String> {
    server.script(&format!("{sql}\nselect row_to_json(q) from ({question}) q;\n"))
}

fn server() -> Option<Server> {
    let server = Server::start();
    if server.is_none() {
        eprintln!("no PostgreSQL server is installed here: not compared");
    }
    server
}

/// The windows by time and by rows that a topology has: name, key of the file, the rows that SQL takes.
const ROLLING: [(&str, &str, &str, &str); 5] = [
    ("long", "rolling = \"60s\"", "o.w between r.w - interval '60 s' and r.w and o.id <= r.id", "w, id"),
    ("short", "rolling = \"7s\"", "o.w between r.w - interval '7 s' and r.w and o.id <= r.id", "w, id"),
    (
        "before",
        "rolling = \"20s\", exclude = \"current\"",
        "o.w between r.w - interval '20 s' and r.w and o.id < r.id",
        "w, id",
    ),
    (
        "five",
        "rolling = \"5 rows\"",
        "o.id in (select p.id from r p where p.k = r.k and p.id <= r.id order by p.id desc limit 5)",
        "id",
    ),
    (
        "three",
        "rolling = \"3 rows\", exclude = \"current\"",
        "o.id in (select p.id from r p where p.k = r.k and p.id < r.id order by p.id desc limit 3)",
        "id",
    ),
];

#[test]
fn rolling_windows_mean_what_they_mean_in_postgresql() {
    let Some(server) = server() else { return };
    let mut random = Random(super::SEED);
    for (number, (step, back)) in [(2_000_000, 5_000_000), (9_000_000, 5_000_000), (400_000, 0)].into_iter().enumerate()
    {
        let rows = rows(500, 3, step, back, &mut random);
        let mut topology = format!("name = \"rolling\"\n[runtime]\npin = false\n{}", spout("r", "5s"));
        topology.push_str(
            "\n[bolts.a]\nkind = \"aggregate\"\nfrom = \"r\"\nkey = \"k\"\nttl = \"never\"\nkeep = [\"id\"]\n",
        );
        let (mut columns, mut laterals) = (Vec::new(), String::new());
        for (name, window, condition, order) in ROLLING {
            let _ = writeln!(topology, "windows.{name} = {{ {window} }}");
            topology.push_str(&added(name, &format!(" over {name}")));
            columns.push(format!("{name}.*"));
            let _ = write!(
                laterals,
                " cross join lateral (select {} from r o where o.k = r.k and {condition}) {name}",
                selected(name, order)
            );
        }
        topology.push_str(&out("a"));
        let folder = Folder::new();
        folder.file("t.toml", topology).file("r.ndjson", lines(&rows));
        folder.run(&["run", "t.toml", "--format", "json"]).good();
        let question = format!("select r.id, {} from r{laterals}", columns.join(", "));
        let theirs = asked(&server, &format!("drop table if exists r;\n{}", table("r", &rows)), &question);
        let compared = compare(&format!("rows {number}"), &["id"], &folder.read("a.out.ndjson"), &theirs);
        assert!(compared > 40_000, "{compared} values");
    }
}

/// Windows that close: name, key of the file, the rows and their windows in SQL.
const CLOSING: [(&str, &str, &str); 3] = [
    ("tumbling", "tumbling = \"1m\"", "select *, date_bin('1 minute', w, 'epoch') as ws from r"),
    (
        "hopping",
        "hopping = \"1m\", every = \"20s\"",
        "select r.*, date_bin('20 s', w, 'epoch') - n * interval '20 s' as ws from r, generate_series(0, 2) n",
    ),
    (
        "session",
        "session = \"9s\"",
        "select *, min(w) over (partition by k, nr) as ws from (select *, sum(news) over (partition by k order by w, id) \
         as nr from (select *, case when w - lag(w) over (partition by k order by w, id) < interval '9 s' then 0 else 1 \
         end as news from r) a) b",
    ),
];

#[test]
fn windows_that_close_mean_what_they_mean_in_postgresql() {
    let Some(server) = server() else { return };
    let mut random = Random(super::SEED + 1);
    for (step, back) in [(4_000_000, 5_000_000), (20_000_000, 5_000_000)] {
        let rows = rows(1500, 3, step, back, &mut random);
        let mut topology = format!("name = \"closing\"\n[runtime]\npin = false\n{}", spout("r", "5s"));
        for (name, window, _) in CLOSING {
            let _ = write!(
                topology,
                "\n[bolts.{name}]\nkind = \"aggregate\"\nfrom = \"r\"\nkey = \"k\"\nwindow = {{ {window} }}\n{}",
                added("w", "")
            );
            let _ = write!(
                topology,
                "\n[bolts.{name}_at]\nkind = \"select\"\nfrom = \"{name}\"\nadd.ws = \"extract(epoch from window_start)\"\n{}",
                out(&format!("{name}_at"))
            );
        }
        let folder = Folder::new();
        folder.file("t.toml", topology).file("r.ndjson", lines(&rows));
        folder.run(&["run", "t.toml", "--format", "json"]).good();
        let mut sql = format!("drop table if exists r;\n{}", table("r", &rows));
        for (name, _, from) in CLOSING {
            let question = format!(
                "select k, extract(epoch from ws)::float8 as ws, {} from ({from}) f group by k, ws",
                selected("w", "w, id")
            );
            let theirs = asked(&server, &sql, &question);
            sql.clear();
            compare(name, &["k", "n_w", "si_w", "sx_w"], &folder.read(&format!("{name}_at.out.ndjson")), &theirs);
        }
    }
}

/// Joins: name, keys of the file, and the pairs in SQL.
const JOINS: [(&str, &str, &str); 3] = [
    (
        "inner",
        "within = { before = \"4s\", after = \"6s\" }",
        "join ra r on r.k = l.k and r.w between l.w - interval '4 s' and l.w + interval '6 s'",
    ),
    (
        "outer",
        "within = { after = \"3s\" }\nouter = \"left\"",
        "left join ra r on r.k = l.k and r.w between l.w and l.w + interval '3 s'",
    ),
    (
        "latest",
        "match = \"latest\"\nwithin = { before = \"5s\" }\nouter = \"left\"",
        "left join lateral (select * from ra r where r.k = l.k and r.w between l.w - interval '5 s' and l.w order by \
         r.w desc, r.id desc limit 1) r on true",
    ),
];

#[test]
fn joins_mean_what_they_mean_in_postgresql() {
    let Some(server) = server() else { return };
    let mut random = Random(super::SEED + 2);
    let (left, right) = (rows(900, 3, 3_000_000, 0, &mut random), rows(900, 3, 3_000_000, 0, &mut random));
    // Of rows of one time those of the right come first: files are read in the order of their names.
    let mut topology = format!("name = \"joins\"\n[runtime]\npin = false\n{}{}", spout("ra", "0s"), spout("z", "0s"));
    for (name, options, _) in JOINS {
        let _ = write!(
            topology,
            "\n[bolts.{name}]\nkind = \"join\"\nfrom = [\"z\", \"ra\"]\nkey = \"k\"\n{options}\nkeep = [\"z.id\"]\n\
             add.other = \"ra.id\"\nadd.sum = \"z.i + ra.i\"\nadd.word = \"ra.s\"\n{}",
            out(name)
        );
    }
    let folder = Folder::new();
    folder.file("t.toml", topology).file("z.ndjson", lines(&left)).file("ra.ndjson", lines(&right));
    folder.run(&["run", "t.toml", "--format", "json"]).good();
    let mut sql = format!("{}{}", table("z", &left), table("ra", &right));
    for (name, _, join) in JOINS {
        let question = format!("select l.id, r.id as other, l.i + r.i as sum, r.s as word from z l {join}");
        let theirs = asked(&server, &sql, &question);
        sql.clear();
        let compared = compare(name, &["id", "other"], &folder.read(&format!("{name}.out.ndjson")), &theirs);
        assert!(compared >= 3600, "{name}: {compared} values");
    }
}

/// Rows of one busy key, one each second, of which a window holds most on disk; read in several runs.
#[test]
fn a_window_of_thousands_of_rows_means_what_it_means_in_postgresql() {
    let Some(server) = server() else { return };
    let mut random = Random(super::SEED + 3);
    let mut rows = rows(9000, 1, 1, 0, &mut random);
    for (second, row) in rows.iter_mut().enumerate() {
        row["w"] = json!(timestamp(second as u64 * 1_000_000 + random.next() % 1_000_000));
    }
    let folder = Folder::new();
    folder.file("r.ndjson", lines(&rows));
    let plain = "add.n = \"count(*)\"\nadd.si = \"sum(i)\"\nadd.sx = \"sum(x)\"\n";
    let others = "add.mx = \"max(x)\"\nadd.fi = \"first(i)\"\n";
    let bolts = [("a", plain.to_owned()), ("b", format!("{plain}{others}"))];
    for upto in [3000, 6000, 9000] {
        let runtime = "name = \"busy\"\n[runtime]\npin = false\ncommit = \"1ms\"\n";
        let mut topology = format!("{runtime}{}limit = {upto}\n", spout("r", "0s"));
        for (name, added) in &bolts {
            let _ = write!(
                topology,
                "\n[bolts.{name}]\nkind = \"aggregate\"\nfrom = \"r\"\nkey = \"k\"\nwindow = {{ rolling = \"50m\" }}\n\
                 keep = [\"id\"]\n{added}{}deliver = \"committed\"\n",
                out(name)
            );
        }
        folder.file("t.toml", topology);
        folder.run(&["run", "t.toml", "--format", "json", "--data-dir", "data"]).good();
    }
    let window = "over (partition by k order by w range between interval '50 min' preceding and current row)";
    let plain = format!("count(*) {window} as n, (sum(i) {window})::bigint as si, sum(x) {window} as sx");
    let others = format!("max(x) {window} as mx, first_value(i) {window} as fi");
    let mut sql = table("r", &rows);
    for ((name, _), columns) in bolts.iter().zip([plain.clone(), format!("{plain}, {others}")]) {
        let theirs = asked(&server, &sql, &format!("select id, {columns} from r"));
        sql.clear();
        compare("a busy key", &["id"], &folder.read(&format!("{name}.out.ndjson")), &theirs);
    }
}
