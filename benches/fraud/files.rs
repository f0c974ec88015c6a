//! Files to alerts: payments as CSV and as NDJSON, decoded, aggregated and judged on one executor.

use super::Size;
use super::engine::pin;
use super::table::{Table, median};
use sferic::component::Sections;
use sferic::executor::{Control, Wait};
use sferic::problem::{Problems, Sources};
use sferic::time::SystemClock;
use sferic::topology::{self, CoreBudget, Parts};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Both formats.
pub fn files(size: &Size, table: &mut Table) {
    let folder = std::env::temp_dir().join(format!("sferic-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    let (csv, json, records) = write(&folder, if size.tiny { 1 } else { 24 });
    for (format, path, wanted) in [("csv", &csv, 2.0), ("json", &json, 1.5)] {
        let rounds = if size.tiny { 1 } else { 5 };
        let mut rates = Vec::new();
        let mut alerts = None;
        for _ in 0..rounds {
            let (seconds, found) = run(path, format, records);
            rates.push(records as f64 / seconds / 1e6);
            assert_eq!(*alerts.get_or_insert(found), found);
        }
        assert!(alerts > Some(0));
        let rate = median(rates);
        let aim = format!("{format} file to alerts: {wanted} M records/s");
        table.row(&aim, format!("{rate:.2} M/s"), String::new(), Some(rate / wanted), Some(rate >= wanted));
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// The sample's payments so many times over, each time later; the files, and the number of records in each.
fn write(folder: &Path, times: i64) -> (PathBuf, PathBuf, u64) {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/data/payments-2024q1.csv.gz");
    let mut text = String::new();
    let packed = std::fs::File::open(sample).expect("the sample");
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("the sample is text");
    let (header, rows) = text.split_once('\n').expect("a header");
    let names: Vec<&str> = header.split(',').collect();
    let seconds = |row: &str| row.split(',').next().and_then(|t| t.parse::<i64>().ok()).expect("a time");
    let span = seconds(rows.lines().last().expect("rows")) - seconds(rows) + 1;
    let (mut csv, mut json, mut records) = (format!("{header}\n"), String::new(), 0);
    for time in 0..times {
        for row in rows.lines() {
            let (_, rest) = row.split_once(',').expect("columns");
            let at = seconds(row) + time * span;
            writeln!(csv, "{at},{rest}").expect("a string");
            write!(json, "{{\"{}\":{at}", names[0]).expect("a string");
            for (name, value) in names[1..].iter().zip(fields(rest)) {
                // A JSON number has no zeros in front.
                let value = if *name == "cc_num" { value.trim_start_matches('0') } else { value };
                let number = value.parse::<f64>().is_ok() && *name != "trans_num";
                let quote = if number { "" } else { "\"" };
                write!(json, ",\"{name}\":{quote}{value}{quote}").expect("a string");
            }
            json.push_str("}\n");
            records += 1;
        }
    }
    let paths = (folder.join("payments.csv"), folder.join("payments.ndjson"));
    std::fs::write(&paths.0, csv).expect("a file");
    std::fs::write(&paths.1, json).expect("a file");
    (paths.0, paths.1, records)
}

/// The values of a row; some are quoted and contain commas.
fn fields(row: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    row.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(|value| value.trim_matches('"'))
}

/// Seconds and alerts.
fn run(path: &Path, format: &str, records: u64) -> (f64, u64) {
    let root = if format == "json" { "$." } else { "" };
    let text = format!(
        r#"
name = "files"
[spouts.payments]
kind   = "file"
path   = "{}"
format = "{format}"
time   = "ts"
timestamps     = "epoch_s"
paths.id       = "{root}trans_num"
paths.ts       = "{root}unix_time"
paths.card     = "{root}cc_num"
paths.amount   = "{root}amt"
paths.lat      = "{root}merch_lat"
paths.lon      = "{root}merch_long"
fields.id       = "text not null"
fields.ts       = "timestamp not null"
fields.card     = "bigint not null"
fields.merchant = "text"
fields.category = "text"
fields.amount   = "double not null"
fields.lat      = "double"
fields.lon      = "double"
[bolts.card]
kind = "aggregate"
from = "payments"
key  = "card"
ttl  = "90d"
add.n     = "count(*) over '6h'"
add.spent = "sum(amount) over '6h'"
[bolts.alerts]
kind = "rules"
from = "card"
keep = ["id", "card", "ts", "amount"]
[bolts.alerts.rules.velocity]
when   = "n >= 4 and spent > 200"
reason = "{{n}} payments of {{spent}} in six hours"
[bolts.out]
kind = "null"
from = "alerts"
"#,
        path.display()
    );
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let model = sferic::config::load_text("bench.toml", &text, &mut sources, &problems);
    let checked = sferic::config::check(&model, &sferic::registry(), &problems);
    let checked = checked.unwrap_or_else(|| panic!("{}", sources.render(&problems.into_sorted(), false)));
    let entries = topology::entries(&checked).expect("the file is there");
    let budget = CoreBudget { cores: vec![Some(1)], shared: false };
    let plan = topology::plan(&checked, &entries, &budget);
    let clock = Arc::new(SystemClock::new());
    let control = Arc::new(Control::default());
    let ring_capacity_tuples = checked.runtime.ring_capacity_tuples;
    let sample = checked.runtime.sample;
    let parts = Parts {
        checked: &checked,
        entries: &entries,
        clock,
        control,
        wait: Wait::Spin,
        ring_capacity_tuples,
        sample,
        space: None,
        letters: None,
    };
    let mut executors = topology::assemble(&plan, &parts).expect("the topology can be assembled");
    pin(1);
    let start = Instant::now();
    executors[0].run(&mut Sections::default()).expect("the file can be read");
    let seconds = start.elapsed().as_secs_f64();
    let snapshot = executors[0].snapshot();
    let read: u64 = snapshot.splits.iter().map(|(_, meter)| meter.tuples_in).sum();
    assert_eq!(read, records);
    let out = checked.bolts.iter().position(|b| b.id == "out").expect("a sink");
    let alerts = snapshot.tasks.iter().filter(|(c, _)| *c == out).map(|(_, meter)| meter.tuples_in).sum();
    (seconds, alerts)
}
