//! The topologies that are simulated, and what must hold of each.

use super::random::Random;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A topology and its promises.
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// The file.
    pub text: String,
    /// Groups of ledgers: each record of the spouts of kind `records` that they stem from lies in exactly one of them,
    /// once, as soon as its position is durable.
    pub complete: &'static [&'static [&'static str]],
    /// Whether rows of one key and split come to each ledger in the order of the split.
    pub ordered: bool,
    /// Whether all columns in them come from the records alone.
    pub passes_on: bool,
    /// Whether it may come to the end of its input and then find more: what a window holds then is not compared yet.
    pub resumes: bool,
    /// The records of spouts that read files.
    pub _file: Option<Scratch>,
}

/// A file that goes when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    fn new(extension: &str, text: &str) -> std::io::Result<Scratch> {
        // Relaxed: only the number matters.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sferic-sim-{}-{number}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that is left behind in the folder for such files does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

const THROTTLE: &str = r#"
[spouts.s]
kind = "records"

[bolts.few]
kind  = "throttle"
from  = "s"
key   = "key"
limit = 3
per   = "40ms"

[bolts.passed]
kind = "ledger"
from = "few"
key  = "key"

[bolts.refused]
kind = "ledger"
from = "few.rejected"
key  = "key"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const EXPIRY: &str = r#"
[spouts.s]
kind     = "records"
keys     = 60
jitter   = "5ms"
disorder = "5ms"

[bolts.once]
kind  = "dedupe"
from  = "s"
key   = ["word", "key"]
per   = "15ms"
tasks = 2

[bolts.passed]
kind = "ledger"
from = "once"
key  = ["word", "key"]

[bolts.refused]
kind = "ledger"
from = "once.rejected"
key  = ["word", "key"]

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const IN_STEP: &str = r#"
[spouts.s]
kind   = "records"
splits = 3
tasks  = 1

[bolts.once]
kind = "dedupe"
from = "s"
key  = "word"
per  = "5ms"

[bolts.seen]
kind = "ledger"
from = ["once", "once.rejected"]
key  = "word"

[bolts.reasons]
kind = "table"
from = "s.errors"
key  = ["component", "position"]

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const RULES: &str = r#"
[spouts.s]
kind = "records"
keys = 5

[bolts.hits]
kind = "rules"
from = "s"
key  = "key"
ttl  = "300ms"
keep = ["key", "v", "ts"]

[bolts.hits.rules.three]
when  = "v > 1"
for   = "3 rows"
score = 0.5

[bolts.hits.rules.long]
when = "v > 0"
for  = "12ms"

[bolts.hits.rules.quiet]
when = "v is null"
for  = "1 row"
mode = "shadow"

[bolts.alerts]
kind  = "throttle"
from  = "hits"
key   = "key"
limit = 1
per   = "50ms"

[bolts.told]
kind = "ledger"
from = "alerts"
key  = "key"

[bolts.held]
kind = "ledger"
from = ["alerts.rejected", "hits.shadow"]
key  = "key"

[bolts.all]
kind = "ledger"
from = "s"
key  = "key"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const CHANNELS: &str = r#"
[spouts.s]
kind   = "records"
splits = 4
tasks  = 2

[bolts.shaped]
kind  = "select"
from  = { s = "shuffle" }
tasks = 3
keep  = ["key", "ts", "word"]
add.share = "100 / v"

[bolts.few]
kind  = "throttle"
from  = "shaped"
key   = "key"
limit = 2
per   = "10ms"
tasks = 3

[bolts.once]
kind  = "dedupe"
from  = "few"
key   = "word"
per   = "4ms"
tasks = 2

[bolts.passed]
kind = "ledger"
from = ["once", "once.rejected"]
key  = "key"

[bolts.refused]
kind  = "ledger"
from  = { "few.rejected" = "global" }

[bolts.failed]
kind = "ledger"
from = "shaped.errors"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const LIVE: &str = r#"
[spouts.a]
kind   = "records"
splits = 2
live   = true

[spouts.b]
kind     = "records"
live     = true
jitter   = "3ms"
disorder = "3ms"

[bolts.large]
kind  = "filter"
from  = ["a", "b"]
where = "coalesce(v, 0) > 0"

[bolts.few]
kind  = "throttle"
from  = "large"
key   = "key"
limit = 4
per   = "30ms"

[bolts.passed]
kind = "ledger"
from = ["few", "few.rejected"]
key  = "key"

[bolts.small]
kind = "ledger"
from = "large.rejected"
key  = "key"

[bolts.broken]
kind = "ledger"
from = ["a.errors", "b.errors"]
"#;

const FAN: &str = r#"
[spouts.s]
kind   = "records"
splits = 2

[bolts.one]
kind  = "dedupe"
from  = "s"
key   = "key"
per   = "3ms"
tasks = 2

[bolts.other]
kind  = "throttle"
from  = "s"
key   = "word"
limit = 2
per   = "20ms"
tasks = 2

[bolts.by_one]
kind = "ledger"
from = ["one", "one.rejected"]
key  = "key"

[bolts.by_other]
kind = "ledger"
from = ["other", "other.rejected"]
key  = "word"

[bolts.copies]
kind  = "ledger"
from  = { s = "all" }
tasks = 1

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const ELEMENTS: &str = r#"
[spouts.s]
kind   = "file"
path   = "PATH"
format = "json"
each   = "$.rows[*]"
time   = "ts"
timestamps   = "epoch_ms"
paths.doc    = "$.doc"
paths.ts     = "$.ts"
paths.key    = "@.k"
paths.v      = "@.v"
fields.doc   = "bigint not null"
fields.ts    = "timestamp not null"
fields.key   = "text not null"
fields.v     = "bigint"

[bolts.few]
kind  = "throttle"
from  = "s"
key   = "key"
limit = 3
per   = "20ms"

[bolts.seen]
kind = "ledger"
from = ["few", "few.rejected"]
key  = "key"

[bolts.broken]
kind = "ledger"
from = "s.errors"
key  = "reason"
"#;

const GENERATED: &str = r#"
[spouts.s]
kind   = "generate"
what   = "payments"
count  = COUNT
cards  = 40
splits = 3
event_step = "1ms"
rate   = "5000/s"

[bolts.large]
kind  = "filter"
from  = "s"
where = "amount > 20"

[bolts.few]
kind  = "throttle"
from  = "large"
key   = "card"
limit = 2
per   = "100ms"
tasks = 2

[bolts.seen]
kind = "ledger"
from = ["few", "few.rejected"]
key  = "card"

[bolts.newest]
kind = "table"
from = "few"
key  = "card"
"#;

const WINDOWS: &str = r#"
[spouts.s]
kind = "records"
keys = 4

[bolts.around]
kind = "aggregate"
from = "s"
key  = "key"
ttl  = "60ms"
windows.before = { rolling = "25ms", exclude = "current" }
add.n      = "count(*) over '10ms'"
add.total  = "sum(v) over '5 rows'"
add.most   = "max(v) over before"
add.known  = "count(v) over before"
add.last   = "lag(v, 2)"

[bolts.few]
kind  = "throttle"
from  = "around"
key   = "key"
limit = 3
per   = "40ms"
where = "n > 1"

[bolts.rows]
kind = "ledger"
from = "around"
key  = "key"

[bolts.passed]
kind = "ledger"
from = "few"
key  = "key"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const JOIN: &str = r#"
[spouts.s]
kind     = "records"
keys     = 5
jitter   = "4ms"
disorder = "4ms"

[bolts.low]
kind  = "filter"
from  = "s"
where = "v < 2"

[bolts.high]
kind  = "filter"
from  = "s"
where = "v >= 2"

[bolts.pairs]
kind   = "join"
from   = ["low", "high"]
key    = "key"
within = { before = "3ms", after = "12ms" }
outer  = "full"
keep   = ["low.word"]
add.key = "coalesce(low.key, high.key)"
add.gap = "high.ts - low.ts"

[bolts.rows]
kind = "ledger"
from = "pairs"
key  = "key"

[bolts.alone]
kind = "ledger"
from = "pairs.unmatched_left"
key  = "key"

[bolts.others]
kind = "ledger"
from = "pairs.unmatched_right"
key  = "key"

[bolts.behind]
kind = "ledger"
from = "pairs.late"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

const LATE: &str = r#"
[spouts.s]
kind     = "records"
splits   = 2
keys     = 3
jitter   = "8ms"
disorder = "8ms"
tasks    = 2

[bolts.around]
kind  = "aggregate"
from  = "s"
key   = "key"
ttl   = "1s"
tasks = 2
add.n     = "count(*) over '30ms'"
add.least = "min(v) over '12ms'"
add.all   = "count(*)"

[bolts.rows]
kind = "ledger"
from = "around"
key  = "key"

[bolts.behind]
kind = "ledger"
from = "around.late"
key  = "key"

[bolts.broken]
kind = "ledger"
from = "s.errors"
"#;

/// Records of each spout's split, at most.
pub const RECORDS_MAX: usize = 400;

/// The case that a seed is about.
///
/// # Errors
/// The file of its records cannot be written.
pub fn case(random: &mut Random) -> std::io::Result<Case> {
    const WHOLE: &[&[&str]] = &[&["passed", "refused", "broken"]];
    let runtime = format!(
        "[runtime]\nring_capacity = {}\nsample = {}\n",
        random.choice(&[1, 2, 16, 1024]),
        random.choice(&[1, 3, 128])
    );
    let plain = |name, text: &str, complete, ordered| Case {
        name,
        text: format!("name = \"sim\"\n{runtime}{text}"),
        complete,
        ordered,
        passes_on: true,
        resumes: true,
        _file: None,
    };
    Ok(match random.below(13) {
        0 => plain("throttle", THROTTLE, WHOLE, true),
        1 => plain("expiry", EXPIRY, WHOLE, true),
        2 => plain("in step", IN_STEP, &[&["seen", "broken"]], true),
        3 => plain("rules", RULES, &[&["all", "broken"]], true),
        4 => plain("channels", CHANNELS, &[&["passed", "refused", "failed", "broken"]], false),
        5 => plain("live", LIVE, &[&["passed", "small", "broken"]], true),
        6 => plain("fan", FAN, &[&["by_one", "broken"], &["by_other", "broken"], &["copies", "broken"]], true),
        7 | 8 => Case { passes_on: false, ..plain("windows", WINDOWS, &[&["rows", "broken"]], true) },
        9 => Case { passes_on: false, ..plain("late", LATE, &[&["rows", "behind", "broken"]], true) },
        10 => Case { passes_on: false, resumes: false, ..plain("join", JOIN, &[], false) },
        11 => {
            let file = Scratch::new("json", &documents(random))?;
            let text = ELEMENTS.replace("PATH", &file.0.display().to_string());
            Case { _file: Some(file), ..plain("elements", &text, &[], true) }
        }
        _ => {
            let count = (1 + random.below(3 * RECORDS_MAX)).to_string();
            plain("generated", &GENERATED.replace("COUNT", &count), &[], true)
        }
    })
}

/// Documents with rows, some of them broken.
fn documents(random: &mut Random) -> String {
    let mut text = String::new();
    for doc in 0..random.below(RECORDS_MAX) {
        let ts = 1_704_067_200_000u64 + 3 * doc as u64;
        let row = |random: &mut Random| {
            let key = if random.one_in(12) { "null".to_owned() } else { format!("\"k{}\"", random.below(6)) };
            let v = if random.one_in(12) { "\"x\"".to_owned() } else { random.below(100).to_string() };
            format!("{{\"k\":{key},\"v\":{v}}}")
        };
        let count = random.below(9);
        let rows: Vec<String> = (0..count).map(|_| row(random)).collect();
        match random.below(14) {
            0 => text.push_str("{\"doc\":\n"),
            _ => text.push_str(&format!("{{\"doc\":{doc},\"ts\":{ts},\"rows\":[{}]}}\n", rows.join(","))),
        }
    }
    text
}
