//! The sentences of the reference: what no list of the code says.

use super::Topic;
use crate::config;

/// What is said beside every aggregate.
pub(super) const AGGREGATE_NOTE: &str = "In `add` of a bolt of kind `aggregate` only. Windows and filters: \
     `sferic reference aggregates`.";

/// A topology file as a whole.
pub(super) fn file() -> Topic {
    Topic::new(
        "topology",
        "topology file",
        "One TOML file, or one that includes others: spouts, bolts, and how they run.",
    )
    .named(&["sections", "include", "schemas", "name"])
    .options("Sections", config::SECTIONS)
    .notes([
        "Names of spouts and bolts consist of a-z, 0-9 and _ and begin with a letter. A spout or bolt `x` emits the \
             stream `x`; a bolt reads streams by `from`.",
        "Durations are written as \"250ms\", \"10m\", \"1h30m\", \"30d\". `${NAME}` and `${NAME:-default}` in strings \
             that are no expressions are replaced from the environment.",
        "`sferic check FILE` says all that is wrong; `#:schema ./sferic.schema.json` in the first line, and \
             `sferic schema > sferic.schema.json`, make an editor do so.",
    ])
    .example(
        r#"name = "large"

[params]
large = 500.0                      # `--set large=800` changes it

[schemas.payment]                  # may be shared by several spouts
time = "ts"
fields.id     = "bigint not null"
fields.ts     = "timestamp not null"
fields.card   = "text not null"
fields.amount = "double not null"

[spouts.payments]
kind   = "file"
path   = "payments.csv"
format = "csv"
schema = "payment"

[bolts.large]
kind  = "filter"
from  = "payments"
where = "amount > $large"

[bolts.out]
kind = "table"
from = "large"
key  = "id"

[latency]
out = "p99 < 10s"
"#,
    )
}

/// `[params]`.
pub(super) fn params() -> Topic {
    Topic::new(
        "params",
        "section params",
        "Constants by name: `$name` in expressions, \"$name\" as the whole value of any other key.",
    )
    .notes([
        "A parameter has the type of its TOML value. A string becomes an interval or a timestamp where an expression \
             needs one; a list serves `in ($list)`.",
        "`--set name=value` wins over the file, an including file over what it includes.",
    ])
    .example(
        r#"[params]
large    = 500.0
watched  = [5411, 5812]
how_many = 20000

[spouts.payments]
kind  = "generate"
what  = "payments"
count = "$how_many"

[bolts.large]
kind  = "filter"
from  = "payments"
where = "amount > $large and mcc in ($watched)"

[bolts.out]
kind = "null"
from = "large"
"#,
    )
}

/// `[spouts.NAME]`.
pub(super) fn spouts() -> Topic {
    Topic::new("spouts", "spouts", "[spouts.NAME]: where tuples come from.").named(&["spout"]).notes([
        "A spout reads splits (a file is one, a slice of a generator is one); its tasks share them.",
        "Rows of finite spouts are read in step by event time. `disorder` says how far rows of a spout may come out of \
         order: results that depend on time wait that long.",
    ])
}

/// `[bolts.NAME]`.
pub(super) fn bolts() -> Topic {
    Topic::new("bolts", "bolts", "[bolts.NAME]: what reads tuples, and mostly emits others; a bolt that emits nothing is a sink.")
        .named(&["bolt"])
        .notes([
            "`where` and `having` pass a row only when the condition is true, not when it is NULL. A tuple whose key has a \
             NULL leaves on `.errors` (reason `null_key`).",
            "Several streams in `from` are united by column name: types must agree, and a column that one of them lacks is \
             an error unless `fill = \"null\"`. Bolts of kind rules, join, quality, console and null look at each stream as it \
             is; `key` may then be a table by stream.",
        ])
}

/// Event time.
pub(super) fn time() -> Topic {
    Topic::new("time", "time", "Results go by event time, which rows carry; the clock only helps where a source is silent.")
        .named(&["event time", "watermark", "disorder", "idle", "order", "timers"])
        .notes([
            "The time of a tuple is the column that `time` of its spout names, without it the time of arrival. A closed window has \
             its end less a microsecond, a match the time of its last row, an absence its deadline, a joined row the later side.",
            "How far time is (the watermark) is the least of what the sources promise: each that no later row lies more than \
             `disorder` (\"0s\") behind its newest. Windows close, timers fire and absences are certain when it has passed them, \
             in order, before the tuple that moved it; a row that is further back than a bolt allows leaves on `.late`. \
             A match that is found and has to wait holds time back for what stands behind its bolt, so that it is not late there.",
            "A source that says nothing holds time back, until it has been silent for its `idle`. From then on it holds nobody \
             back, and while no other source does, time goes on with the clock, `idle` behind: with `idle = \"10s\"` a minute of \
             silence is noticed 70 seconds after the last row. Where records have the time of their arrival it goes on at once. \
             Choose `idle` longer than rows may be delayed on their way.",
            "When all sources that a bolt's rows can come from have ended, its time moves behind their last row, and windows close \
             and joins complete; what only a further silence would prove does not happen. A drain (SIGTERM) or a crash ends nothing: open windows, matches and timers \
             are there at the next start, and what has closed stays closed.",
            "A bolt takes rows as they arrive, and a late one is judged at the time its key has come to. `order = \"time\"` \
             (aggregate, pattern, rules, join) takes them by time, each as soon as no earlier one can come. Finite sources (`file`) are read in step by \
             time, so that a replay is repeatable either way. In tests all of it runs on a virtual clock.",
        ])
        .example(
            r#"[spouts.readings]
kind     = "stdin"
format   = "csv"
columns  = ["car", "at"]
header   = "none"
time     = "at"
disorder = "2s"                    # rows may come two seconds out of order
idle     = "10s"                   # and ten seconds late
fields.car = "text not null"
fields.at  = "timestamp not null"

[bolts.silent]                     # no reading for a minute: noticed without another one
kind    = "pattern"
from    = "readings"
key     = "car"
pattern = "reading -> !another"
within  = "60s"
define.reading = "true"
define.another = "true"

[bolts.out]
kind = "console"
from = "silent"

[[tests]]
name  = "one car goes on, the other falls silent"
given = [
  { at = "0s",  readings = { car = "a" } },
  { at = "0s",  readings = { car = "b" } },
  { at = "40s", readings = { car = "b" } },
  { at = "65s" },
]
expect = [{ at = "60s", silent = { car = "a" } }]
"#,
        )
}

/// Streams beside the main one.
pub(super) fn streams() -> Topic {
    Topic::new("streams", "side streams", "What a component emits beside its main stream; any of them can be read with `from`.")
        .named(&["errors", "late", "rejected", "shadow", "unmatched", "unmatched_left", "unmatched_right"])
        .notes([
            "`x.errors`: what could not be read or computed: component, reason, split, position, text; of a spout also record. \
             Nothing is lost silently: what nobody reads is counted by reason in the report, and with a data directory kept: see \
             `dead letters`.",
            "`x.late`: rows that came too late for an aggregate or a join. `x.rejected`: rows that a filter, throttle or dedupe did not \
             pass. `x.shadow`: rows of rules in shadow. `x.unmatched`: lines that no `regex` of a spout matched. \
             `x.unmatched_left` and `x.unmatched_right`: rows of a join that found no partner.",
        ])
        .example(
            r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000

[bolts.share]
kind = "select"
from = "payments"
keep = ["id"]
add.share = "amount / (mcc - 5411)"          # fails where mcc is 5411

[bolts.broken]
kind  = "console"
from  = "share.errors"
limit = 3

[bolts.out]
kind = "null"
from = "share"
"#,
        )
}

/// Dead letters.
pub(super) fn dead_letters() -> Topic {
    Topic::new("dead letters", "dead letters", "What fails and nobody reads is kept, and can be replayed.")
        .named(&["dead", "dead_letters", "replay-dead", "replay", "panic", "panics"])
        .notes([
            "With a data directory (`data_dir` in [runtime], or --data-dir) every row of an `.errors` or `.late` stream that no \
             bolt reads becomes a record of the topic NAME.dead, NAME being the topology's: once, also after a crash. Other \
             side streams that nobody reads are only counted. `sferic explain` says which streams go there, the report counts \
             letters by component and reason, `sferic log read NAME.dead` prints them.",
            "A letter is a JSON object: `reason` (`late` for late rows), `component`, `split` and `position` of the record that \
             it stems from, `time` (event time), `text`, `attempts`, and what failed: of a spout `record`, as it was read (as \
             `record_hex`, in hexadecimal digits, where it is not UTF-8; with `element`, the byte at which it starts, where one \
             of several elements failed), of a bolt `row`, the columns of its input, and `from`, the stream that it came on. \
             `cut` says that the rest is lost: of a record longer than `max_record`, of a line whose connection broke. What a \
             timer made has no row. A bolt that stands behind a channel shows the columns that the channel carries: those that \
             the bolt or anything behind it reads. No column is carried for the letters' sake.",
            "`dead_letters = false` in [runtime] keeps none, `dead_letters = \"topic\"` names the topic. When the topic is made it \
             gets `dead_letters_retention` (thirty days) and `dead_letters_size` (1 GiB); it is dropped by segments of 16 MiB.",
            "`sferic replay-dead FILE` runs the topology over its letters and nothing else; it must not be running meanwhile. The \
             record of a spout is decoded again as the file now says and goes all ways of that spout; the row of a bolt enters \
             that bolt only. `--component`, `--reason` and `--from OFFSET` choose, `--dry-run` only counts. It ends where the \
             topic ended when it began. How far it came is remembered by component and reason, in the same epoch as all that \
             followed: a second call replays what has come since, and after a crash none is lost or done twice. What fails \
             again is a new letter with one attempt more and the split and position of the first. `--from` replays again what \
             lies behind that offset.",
            "What it cannot do: letters come in the order of the topic within a component and reason, not among them. Time does not \
             move: a late row is late again unless `lateness` has grown, and nothing that is open is closed. Windows and keys \
             have gone on meanwhile, and the row is judged by what they are now. `_offset` of a record is the offset of its \
             letter. A CSV file with a header must still be there. A row of a column that is of another type now, a component \
             or stream that is gone, and a letter that is cut are counted and left where they are.",
            "A component that panics: with a data directory the panic is noted in NAME/panics.json and the run begins anew from \
             the last epoch, in the same process; the component leaves that tuple out (and whatever else stems from the same \
             record), a row with the reason `panic` leaves on its `.errors`, and all other components have the tuple as ever. \
             Sinks that deliver at once may repeat what they had delivered since the last epoch, as after a crash; what came in \
             by `stdin`, or by `tcp` without `journal`, since then is lost, and clients have to connect again; the counts of the \
             report are those since the last beginning. A panic in a spout or in a timer cannot be gone around. Three panics \
             without a durable epoch between them stop the topology, with an error that names component and record. Without a \
             data directory the first one does.",
        ])
        .example(
            r#"# sferic log read failing.dead; sferic replay-dead FILE
name = "failing"

[runtime]
data_dir               = "sferic-data"
dead_letters_retention = "7d"

[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000

[bolts.share]
kind = "select"
from = "payments"
keep = ["id"]
add.share = "amount / (mcc - 5411)"          # fails where mcc is 5411

[bolts.out]
kind = "null"
from = "share"
"#,
        )
}

/// Groupings.
pub(super) fn groupings() -> Topic {
    Topic::new("groupings", "groupings", "How the tuples of a stream are divided among the tasks of a bolt.")
        .named(&["grouping"])
        .notes([
            "Asked for in `from`. Without: a bolt with a `key` gets its tuples by key, any other reads them where they are. \
             A bolt that keeps state by key takes `fields` and `global` only.",
        ])
        .example(
            r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000

[bolts.checked]
kind  = "filter"
from  = { payments = "shuffle" }
where = "amount > 10"
tasks = 2

[bolts.out]
kind = "null"
from = "checked"
"#,
        )
}

/// `[tables.NAME]`.
pub(super) fn tables() -> Topic {
    Topic::new("tables", "reference tables", "[tables.NAME]: reference data from a file or a topic, whole in memory, for any expression.").notes([
        "`name[key].column` in an expression, `name[(a, b)].column` where the key has several columns; NULL where there is no \
         such row. `name[key] is not null` asks whether there is one.",
        "A reload is read and checked first and then takes the place of all rows between two tuples; a broken file keeps the \
         last good ones, with a warning.",
        "With `topic` instead of `path` the records of a topic of the embedded log are the rows: all of them are read before \
         the topology starts, and new ones are followed while it runs (twice a second). The latest record of a key counts; \
         one with a key and no content removes the row of the record that had this key. A record that cannot be read changes \
         nothing, with a warning that counts them.",
    ])
}

/// `[runtime]`.
pub(super) fn runtime() -> Topic {
    Topic::new("runtime", "section runtime", "How the topology runs: threads, cores, waiting.")
        .notes(["`sferic explain FILE` prints what comes of it: executors, pipelines, channels."])
        .example(
            r#"[runtime]
threads = 1
pin     = false
wait    = "adaptive"

[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000

[bolts.out]
kind = "null"
from = "payments"
"#,
        )
}

/// `[latency]`.
pub(super) fn latency() -> Topic {
    Topic::new("latency", "section latency", "Objectives by sink: what share of the tuples must be decided in what time.")
        .named(&["objectives"])
        .notes([
            "An objective reads `p99 < 500us`, `p99.9 <= 2ms` or `max < 50ms`, with any percentile and ns, us, ms, s or m; a \
             list holds several. The report says whether each was met, and a breach names the place where the time went.",
            "The age of a tuple counts from its due time: with a `rate` or `pace` that is when it should have come, \
             not when it was read.",
        ])
        .example(
            r#"[spouts.payments]
kind  = "generate"
what  = "payments"
rate  = "100000/s"
count = 20000

[bolts.out]
kind = "null"
from = "payments"

[latency]
out = ["p50 < 5s", "max < 10s"]
"#,
        )
}

/// `[[tests]]`.
pub(super) fn tests() -> Topic {
    Topic::new("tests", "section tests", "[[tests]]: rows in, rows out. `sferic test FILE` runs them on a virtual clock.")
        .named(&["test", "given", "expect"])
        .notes([
            "`at` counts from `start` and gives a row its event time; \"+30s\" in a timestamp column means 30 s after `start`. Any \
             stream can be fed, that of a spout as it leaves the spout.",
            "`expect` lists all rows of every stream that it names, in any order. A row is a table (the named columns are \
             equal) or an SQL condition. The end of a test is not the end of input.",
        ])
        .example(
            r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000

[bolts.large]
kind  = "filter"
from  = "payments"
where = "amount > 500"

[bolts.out]
kind = "null"
from = "large"

[[tests]]
name = "only large payments pass"
defaults.payments = { card = 1 }
given = [
  { at = "0s", payments = { id = 1, amount = 900.0 } },
  { at = "1m", payments = { id = 2, amount = 20.0 } },
  { at = "2m", every = "1s", times = 2, payments = { id = 3, amount = 501.0 } },
]
expect = [
  { at = "0s", large = { id = 1, card = 1 } },
  { at = "2m", large = "id = 3 and amount > 500" },
  { at = "2m1s", large = { id = 3 } },
]
expect_none = ["large.errors"]
"#,
        )
}

/// Expressions.
pub(super) fn expressions() -> Topic {
    Topic::new("expressions", "expressions", "SQL with PostgreSQL's meaning, checked before anything starts.")
        .named(&["types", "expression", "sql", "null values"])
        .notes([
            "Types: boolean, bigint (64 bits), double, text, timestamp (microseconds, UTC), interval (microseconds). There is no \
             decimal type: money is a double, or a bigint in the smallest unit.",
            "NULL as in SQL: nearly everything of NULL is NULL; conditions are true, false or NULL. bigint / bigint is whole.",
            "Overflow, division by zero and casts that fail are errors of the tuple: it leaves on `.errors` of the bolt with the \
             reason. `nullif(x, 0)` as a divisor gives NULL instead.",
            "Names are columns, without regard to case; `stream.column` where a bolt reads several; `$name` is a parameter, \
             `table[key].column` a reference table, `_time` the event time of the tuple. Expressions read no clock.",
        ])
}

/// Operators.
pub(super) fn operators() -> Topic {
    Topic::new("operators", "operators", "Operators and syntax of expressions; each example is true.")
        .named(&["operator"])
}

/// Functions.
pub(super) fn functions() -> Topic {
    Topic::new("functions", "functions", "The functions of expressions: PostgreSQL's names, and a few more.")
        .named(&["function"])
        .notes(["Of a NULL argument the result is NULL, where nothing else is said. `number` is bigint or double."])
}

/// Aggregates and their windows.
pub(super) fn aggregates() -> Topic {
    Topic::new("aggregates", "aggregates and windows", "Which rows an aggregate looks at; in `add` of a bolt of kind `aggregate`.")
        .named(&["aggregate functions", "windows", "window", "over", "rolling"])
        .notes([
            "`sum(x)` looks at the bolt's `window`; without one at all rows of the key.",
            "`sum(x) over '10m'`: rows of the last 10 minutes of event time, both ends included. `sum(x) over '20 rows'`: the \
             last 20 rows. `sum(x) over name`: the window `windows.name`.",
            "`count(*) filter (where amount > 500) over '10m'`: only rows for which the condition is true. `count(distinct x)`: \
             each value once. An aggregate may stand anywhere in an expression: `amount / avg(amount) over '1h'`; it cannot \
             stand in another one: name the inner one in `add` and use the name.",
            "`lag(x)`, `lag(x, n)`, `lag(x, n, default)`: of the n-th previous row of the key, whatever the windows.",
            "NULLs do not count, except for count(*), first, last and lag. Of no rows, count is 0 and everything else NULL.",
            "A late row is answered with its own window: the rows up to its own event time. One that comes behind the watermark \
             (see `time`) finds what is still kept: rows further behind it than the longest window and `lateness`, and keys \
             whose `ttl` is over there, may have been forgotten.",
            "With a data directory, windows by time of a key with many rows lie on disk: memory holds the newest thousand rows \
             of the key (fewer with little `state_memory`) and those where its windows end, which are read back a chunk at \
             a time; rows up to `lateness` behind the longest window stay too. `count`, `sum`, `avg`, `share`, `bool_and`, \
             `bool_or`, `stddev`, `variance`, `first`, `last`, `covar`, `corr` and `regr` need no more than that. `min`, \
             `max`, `min_by`, `max_by`, and `first` and `last` with a filter keep the values that may become the answer; \
             `count(distinct x)`, `mode` and `top_k` each value once; `approx_percentile` and `approx_count_distinct` \
             counts; percentiles, `median`, `integral`, `increase` and `nth_value` each value; `array_agg` and \
             `string_agg` up to their bound. A bolt with any of these, or with `covar`, `corr` or `regr`, reads all rows of \
             a key once when the key comes back into memory.",
            "A late row costs the rows after it; where a bolt has `min_by`, `max_by`, `integral`, `increase`, `ewma`, a list or \
             `approx_count_distinct`, all rows of its windows.",
            "These windows are looked at at every row, and a bolt may have many of them. A window that closes (`tumbling`, \
             `hopping`, `session`) stands alone in its bolt and gives one row when it is over: see `aggregate`.",
        ])
        .example(
            r#"[spouts.readings]
kind  = "generate"
what  = "obd"
count = 20000
cars  = 50

[bolts.motion]
kind = "aggregate"
from = "readings"
key  = "car"
ttl  = "1d"
windows.before = { rolling = "10m", exclude = "current" }
add.fall_kmh = "max(speed_kmh) over '2s' - speed_kmh"
add.fast     = "share(speed_kmh > 100) over '20 rows'"
add.usual    = "avg(rpm) over before"
add.stops    = "count(*) filter (where speed_kmh = 0) over '1h'"
add.step_s   = "extract(epoch from ts - lag(ts))"

[bolts.out]
kind  = "console"
from  = "motion"
where = "fall_kmh > 20"
limit = 3
"#,
        )
}
