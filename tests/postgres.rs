//! Expressions mean what they mean in PostgreSQL: random typed expressions over random rows are evaluated by both.
//!
//! Needs a server's programs on this machine; without them the test says so and passes. The server is a throw-away one
//! in a temporary folder, reached through a Unix socket only.

use sferic::expr::{self, Environment, Scope, ScopeColumn};
use sferic::tuple::{Arena, Column, DataType, Layout, Run, Value};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

mod windows;

use DataType::{Bigint, Boolean, Double, Interval, Text, Timestamp};

const SEED: u64 = 20_261_121;
const ROWS: usize = 40;
const EXPRESSIONS: usize = 3_000;

/// SplitMix64: the same expressions each time, another set for another seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

struct Server {
    bin: PathBuf,
    folder: PathBuf,
    as_root: bool,
}

impl Server {
    /// Starts a server; none where no programs of one are installed.
    fn start() -> Option<Server> {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let bin = folders.into_iter().find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())?;
        let as_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // A server for each test: the number only tells them apart.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sferic-postgres-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        if as_root {
            let given = Command::new("chown").arg("postgres").arg(&folder).status();
            if !given.is_ok_and(|status| status.success()) {
                return None;
            }
        }
        let server = Server { bin, folder, as_root };
        let data = server.data();
        let made = server.run(
            "initdb",
            &["-D", &data, "-U", "postgres", "--locale=C.UTF-8", "--encoding=UTF8", "-A", "trust", "-N"],
        );
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let options = format!("-k {} -c listen_addresses='' -c fsync=off -c timezone=UTC", server.folder.display());
        let log = server.folder.join("log").display().to_string();
        let started = server.run("pg_ctl", &["-D", &data, "-w", "-l", &log, "-o", &options, "start"]);
        assert!(started.status.success(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
        Some(server)
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Runs one of the server's programs as a user that it accepts.
    fn run(&self, program: &str, args: &[&str]) -> Output {
        let program = self.bin.join(program);
        let mut command = if self.as_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // The server must not keep the pipes of its starter open.
        let out = self.folder.join("out");
        let file = std::fs::File::create(&out).expect("a file for the output");
        command.args(args).stdin(Stdio::null()).stdout(file).stderr(Stdio::piped()).current_dir("/");
        if program_is(&command, "pg_ctl") {
            command.stderr(Stdio::null());
        }
        let mut output = command.output().expect("the program runs");
        output.stdout = std::fs::read(&out).unwrap_or_default();
        output
    }

    /// The lines that a script prints.
    fn script(&self, sql: &str) -> Vec<String> {
        let path = self.folder.join("script.sql");
        std::fs::write(&path, sql).expect("the script is written");
        let (host, file) = (self.folder.display().to_string(), path.display().to_string());
        let output = self
            .run("psql", &["-h", &host, "-U", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", &file, "postgres"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }
}

fn program_is(command: &Command, name: &str) -> bool {
    std::iter::once(command.get_program()).chain(command.get_args()).any(|part| Path::new(part).ends_with(name))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn columns() -> Vec<Column> {
    let column = Column::new;
    vec![
        column("b", Boolean),
        column("c", Boolean),
        column("i", Bigint),
        column("j", Bigint),
        column("k", Bigint),
        column("x", Double),
        column("y", Double),
        column("s", Text),
        column("t", Text),
        column("u", Text),
        column("n", Text),
        column("w", Timestamp),
        column("v", Timestamp),
        column("d", Interval),
        column("e", Interval),
    ]
}

fn value(column: &Column, random: &mut Random) -> Value {
    if random.below(6) == 0 {
        return Value::Null;
    }
    match column.ty {
        Boolean => Value::Boolean(random.below(2) == 0),
        // k is small everywhere: it counts, repeats and multiplies.
        Bigint if column.name == "k" || random.below(3) > 0 => Value::Bigint(random.below(12) as i64 - 4),
        Bigint => Value::Bigint(random.next() as i64 >> random.below(60)),
        Double => Value::Double(match random.below(8) {
            0 => f64::NAN,
            1 => [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0][random.below(4)],
            2 => Some(f64::from_bits(random.next())).filter(|d| d.is_finite()).unwrap_or(1e300),
            3 => (random.next() as i64 >> random.below(60)) as f64 / 100.0,
            _ => random.below(41) as f64 / 4.0 - 5.0,
        }),
        // u has letters of several bytes, n often looks like a number.
        Text if column.name == "u" => {
            Value::Text(random.of(&["Grüße", "ß", "", "añb", "日本語", "a_%", "ü ü"]).to_owned())
        }
        Text if column.name == "n" => {
            Value::Text(random.of(&["12", " -7 ", "1.5", "abc", "1e3", "", "true", "NaN", "1e400", "+5"]).to_owned())
        }
        Text => {
            Value::Text((0..random.below(5)).map(|_| random.of(&["a", "A", "b", "%", "_", " ", "1", "ü"])).collect())
        }
        Timestamp => Value::Timestamp((random.next() % 2_000_000_000_000_000) as i64 / [1, 1_000_000][random.below(2)]),
        Interval => Value::Interval((random.next() % 172_000_000_000) as i64 - 86_000_000_000),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(b) => b.to_string(),
        Value::Bigint(i) => format!("'{i}'"),
        Value::Double(d) => {
            let mut text = String::new();
            sferic::tuple::format_double(*d, &mut text);
            format!("'{text}'")
        }
        Value::Text(t) => format!("'{}'", t.replace('\'', "''")),
        Value::Timestamp(t) => format!("timestamp 'epoch' + {t} * interval '1 microsecond'"),
        Value::Interval(i) => format!("{i} * interval '1 microsecond'"),
    }
}

/// `{b}`, `{i}`, `{x}`, `{s}`, `{w}`, `{d}` stand for parts of the six types. Literals have the type that both sides
/// agree on, and none is beside another: PostgreSQL would compute, and fail on, such parts even where they are not
/// reached.
#[rustfmt::skip]
static SHAPES: [&[&str]; 6] = [
    // boolean
    &[
        "({b} and {b})", "({b} or {b} or {b})", "(not {b})", "({i} = {i})", "({i} <> {i})", "({i} < {x})",
        "({x} <= {x})", "({x} > 1.5::float8)", "(i >= {i})", "({x} <> {x})", "({s} = {s})", "({s} < 'a')",
        "({s} >= {s})", "({w} >= {w})", "({w} < timestamp '2001-09-09 01:46:40')", "({d} < {d})",
        "({d} = interval '90 minutes')", "({b} = {b})", "({b} < {b})", "({i} is null)", "({x} is not null)",
        "({b} is true)", "({b} is not false)", "({b} is unknown)", "({i} is distinct from {i})",
        "({x} is not distinct from {x})", "({i} between {i} and {i})", "({x} not between {x} and {x})",
        "({i} between symmetric {i} and {i})", "({i} in (1, {i}, 7))", "({i} in (1, 2, 3, 4, 5, 7))",
        "({i} not in (1, 2, 3, 4, 5, null))", "({x} in (0, 0.25, 2, 3, 4, 'NaN'))",
        "({s} not in ('a', 'b', 'ab', '', 'A', '1'))", "({s} like 'a%')", "({s} like '%a_b%')",
        "({s} like 'a\\%%')", "({s} not like {s})", "({s} ilike '_B%')", "({s} like 'a!%%' escape '!')",
        "({s} ~ '^[ab]+')", "({s} !~* 'A1')", "(case when {b} then {b} else {b} end)", "coalesce({b}, {b})",
        "starts_with({s}, {s})", "(n)::boolean", "({i} is null or {i} > 3)", "({i} * 2 > 5)", "nullif({b}, {b})",
        "greatest({b}, {b})",
    ],
    // bigint
    &[
        "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} / {i})", "({i} % {i})", "(-{i})", "(+{i})",
        "({x})::bigint", "(n)::bigint", "({b})::int::bigint", "(case when {b} then {i} end)",
        "(case {i} when {i} then {i} when 7 then 1 else {i} end)", "coalesce({i}, {i}, 5)", "nullif({i}, {i})",
        "greatest({i}, {i}, {i})", "least({i}, {i})", "length({s})::bigint", "length(u)::bigint",
        "octet_length(u)::bigint", "abs({i})", "strpos({s}, {s})::bigint", "position('b' in {s})::bigint",
        "mod({i}, {i})", "ascii(u)::bigint", "char_length({s})::bigint",
        "width_bucket({x}, -2::float8, 7::float8, 5)::bigint", "round({x})::bigint",
        "regexp_count({s}, 'a')::bigint",
    ],
    // double
    &[
        "({x} + {x})", "({x} - {x})", "({x} * {x})", "({x} / {x})", "({x} ^ {x})", "({i} + {x})", "({x} * 100)",
        "({x} / 3)", "(-{x})", "({i})::float8", "(n)::float8", "(case when {b} then {x} else {i} end)",
        "coalesce({x}, {x})", "nullif({x}, {x})", "greatest({x}, {x}, {i})", "least({x}, {x})", "round({x})",
        "ceil({x})", "floor({x})", "trunc({x})", "sqrt({x})", "exp({x})", "ln({x})", "log({x})", "log10({x})",
        "sign({x})", "abs({x})", "degrees({x})", "radians({x})", "sin({x})", "cos({x})", "tan({x})", "cot({x})",
        "asin({x})", "acos({x})", "atan({x})", "atan2({x}, {x})", "sinh({x})", "tanh({x})", "power({x}, {x})",
        "extract(epoch from {w})::float8", "extract(hour from {w})::float8", "extract(minute from {w})::float8",
        "extract(second from {w})::float8", "extract(dow from {w})::float8", "extract(isodow from {w})::float8",
        "extract(doy from {w})::float8", "extract(week from {w})::float8", "extract(isoyear from {w})::float8",
        "extract(quarter from {w})::float8", "extract(month from {w})::float8", "extract(year from {w})::float8",
        "extract(decade from {w})::float8", "extract(century from {w})::float8",
        "extract(millennium from {w})::float8", "extract(milliseconds from {w})::float8",
        "extract(microseconds from {w})::float8", "date_part('day', {w})", "extract(epoch from {d})::float8",
        "extract(minute from d)::float8", "extract(second from d)::float8",
    ],
    // text
    &[
        "({s} || {s})", "({s} || {i})", "({b} || {s})", "({x})::text", "({i})::text", "({b})::text",
        "({w})::text", "(d)::text", "(case when {b} then {s} else {s} end)", "(case when {b} then {s} end)",
        "coalesce({s}, {s})", "nullif({s}, {s})", "greatest({s}, {s}, 'b')", "concat({s}, {i}, {b})",
        "concat_ws({s}, {s}, {s})", "concat_ws(',', {x}, null, {b})", "format('%s|%s|%%', {s}, {i})",
        "format('%2$s-%1$5s', {s}, {b})", "format('%-4s|%L', {s}, {s})", "upper({s})", "lower({s})",
        "initcap({s})", "substring({s} from 'a.')", "substring({s} from '(b)a')", "substring({s}, k::int, 2)",
        "substring({s} from 2 for k::int)", "substring({s} for 2)", "substr({s}, k::int)", "left({s}, k::int)",
        "right({s}, k::int)", "left(u, k::int)", "right(u, k::int)", "substr(u, 2, 2)", "reverse(u)",
        "reverse({s})", "regexp_replace({s}, 'a', 'x\\&y')", "regexp_replace({s}, '[ab]', '<\\&>', 'g')",
        "regexp_replace({s}, '(a)(b)?', '\\2\\1', 'gi')", "regexp_substr({s}, 'a.')", "replace({s}, 'a', {s})",
        "replace({s}, {s}, 'zz')", "translate({s}, 'abA', 'xy')", "split_part({s}, 'a', k::int)",
        "lpad({s}, 5, {s})", "rpad({s}, k::int)", "lpad(u, 4, u)", "repeat({s}, k::int)", "btrim({s})",
        "trim(both 'a' from {s})", "trim(leading from {s})", "ltrim({s}, 'ab')", "rtrim({s}, {s})",
        "chr(k::int + 70)",
    ],
    // timestamp
    &[
        "({w} + {d})", "({w} - {d})", "({d} + {w})", "date_trunc('second', {w})", "date_trunc('hour', {w})",
        "date_trunc('day', {w})", "date_trunc('week', {w})", "date_trunc('month', {w})",
        "date_trunc('quarter', {w})", "date_trunc('year', {w})", "date_trunc('decade', {w})",
        "date_trunc('century', {w})", "(case when {b} then {w} else {w} end)", "coalesce({w}, {w})",
        "greatest({w}, {w})", "nullif({w}, {w})", "date_bin(e, {w}, {w})",
        "date_bin('15 minutes', {w}, timestamp '2001-01-01')", "({w} + interval '1 day 2 hours')",
        "(({w})::text)::timestamp",
    ],
    // interval
    &[
        "({w} - {w})", "({d} + {d})", "({d} - {d})", "({d} * 2)", "({d} * k)", "(k * {d})", "({d} / 4)", "(-{d})",
        "date_trunc('minute', d)", "coalesce({d}, {d})", "least({d}, {d})", "(case when {b} then {d} end)",
    ],
];

fn expression(ty: DataType, depth: usize, random: &mut Random) -> String {
    if depth == 0 || random.below(7) == 0 {
        let leaf = match ty {
            Boolean => random.of(&["b", "c"]),
            Bigint => random.of(&["i", "j", "k"]),
            Double => random.of(&["x", "y"]),
            Text => random.of(&["s", "t"]),
            Timestamp => random.of(&["w", "v"]),
            Interval => random.of(&["d", "e"]),
        };
        return leaf.to_owned();
    }
    let mut filled = String::new();
    let mut rest = random.of(SHAPES[ty as usize]);
    while let Some(at) = rest.find('{') {
        let (before, hole) = rest.split_at(at);
        filled.push_str(before);
        let part = match &hole[..3] {
            "{b}" => Boolean,
            "{i}" => Bigint,
            "{x}" => Double,
            "{s}" => Text,
            "{w}" => Timestamp,
            _ => Interval,
        };
        filled.push_str(&expression(part, depth - 1, random));
        rest = &hole[3..];
    }
    filled + rest
}

/// The class of an error by its SQLSTATE, in our words.
fn class(state: &str) -> &'static str {
    match state {
        "22012" => "division_by_zero",
        "22003" | "22008" => "overflow",
        "22P02" | "22007" => "bad_cast",
        "2201E" | "2201F" | "22011" | "2201G" | "22023" | "22025" | "54000" | "22004" => "invalid_argument",
        _ => "unexpected",
    }
}

/// Our answers, one for each row: `=text`, `null`, `!class`.
fn ours(text: &str, ty: DataType, rows: &[Vec<Value>], columns: &[Column]) -> Vec<String> {
    let environment = Environment::default();
    let scoped: Vec<ScopeColumn<'_>> = columns.iter().map(|column| ScopeColumn { stream: "r", column }).collect();
    // An interval is compared in microseconds: we have no separate days to print.
    let written = if ty == Interval { text.to_owned() } else { format!("({text})::text") };
    let checked = expr::check(&written, &Scope { columns: &scoped, environment: &environment });
    let expr = checked.unwrap_or_else(|errors| panic!("{text}: {errors:?}")).value;
    let layout = Layout::new(columns.len());
    let compiled = expr.compile(&|column| layout.slot(column));
    rows.iter()
        .map(|row| {
            let (mut run, arena) = (Run::new(layout), Arena::new());
            let (frame, _) = run.push();
            for (index, value) in row.iter().enumerate() {
                value.put(frame, layout.slot(index), &arena);
            }
            match compiled.eval(run.frame(0), &arena) {
                Err(error) => format!("!{}", error.reason),
                Ok(None) => "null".to_owned(),
                Ok(Some(word)) => match Value::from_word(word, expr.data_type()) {
                    Value::Text(text) => format!("={text}"),
                    Value::Interval(micros) => format!("={micros}"),
                    other => panic!("{other:?}"),
                },
            }
        })
        .collect()
}

fn same(theirs: &str, ours: &str) -> bool {
    match (theirs.strip_prefix('!'), ours.strip_prefix('!')) {
        (Some(state), Some(reason)) => class(state) == reason || state == "22008" && reason != "division_by_zero",
        (None, None) => theirs == ours,
        _ => false,
    }
}

#[test]
fn expressions_mean_what_they_mean_in_postgresql() {
    let Some(server) = Server::start() else {
        eprintln!("no PostgreSQL server is installed here: not compared");
        return;
    };
    let mut random = Random(SEED);
    let columns = columns();
    let rows: Vec<Vec<Value>> =
        (0..ROWS).map(|_| columns.iter().map(|column| value(column, &mut random)).collect()).collect();
    let mut sql = String::from(
        "set extra_float_digits = 1; set intervalstyle = 'postgres'; set datestyle = 'ISO';\n\
         create function e(q text) returns text language plpgsql as $$ declare r text; begin execute q into r; \
         return coalesce('=' || r, 'null'); exception when others then return '!' || sqlstate; end $$;\n",
    );
    let declared: Vec<String> =
        columns.iter().map(|c| format!("{} {}", c.name, if c.ty == Double { "float8" } else { c.ty.name() })).collect();
    let _ = writeln!(sql, "create table r (id int primary key, {});", declared.join(", "));
    for (id, row) in rows.iter().enumerate() {
        let values: Vec<String> = row.iter().map(literal).collect();
        let _ = writeln!(sql, "insert into r values ({id}, {});", values.join(", "));
    }
    let mut cases = Vec::new();
    for number in 0..EXPRESSIONS {
        let ty = DataType::ALL[number % DataType::ALL.len()];
        let depth = 1 + random.below(3);
        let text = expression(ty, depth, &mut random);
        let picked: Vec<usize> = (0..3).map(|_| random.below(ROWS)).collect();
        let shown = if ty == Interval {
            format!("(extract(epoch from ({text})) * 1000000)::bigint::text")
        } else {
            format!("({text})::text")
        };
        for id in &picked {
            let _ = writeln!(sql, "select e($q$select {shown} from r where id = {id}$q$);");
        }
        cases.push((text, ty, picked));
    }
    let theirs = server.script(&sql);
    assert_eq!(theirs.len(), 3 * cases.len(), "one line for each question");
    let mut wrong = Vec::new();
    for ((text, ty, picked), theirs) in cases.iter().zip(theirs.chunks(3)) {
        let picked: Vec<Vec<Value>> = picked.iter().map(|id| rows[*id].clone()).collect();
        for ((row, ours), theirs) in picked.iter().zip(ours(text, *ty, &picked, &columns)).zip(theirs) {
            if !same(theirs, &ours) {
                let used: Vec<String> =
                    columns.iter().zip(row).map(|(c, v)| format!("{}={}", c.name, literal(v))).collect();
                wrong.push(format!("{text}\n    PostgreSQL {theirs}, here {ours}\n    {}", used.join(" ")));
            }
        }
    }
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "{} of {} differ (seed {SEED}):\n{}",
        wrong.len(),
        3 * cases.len(),
        wrong[..wrong.len().min(25)].join("\n")
    );
}
