//! `aggregate`: each row leaves with what the rows of its key before it, and it, amount to.
//!
//! Owns the meaning of `window`, `windows`, `lateness` and `ttl`; the windows themselves are the engine's
//! ([`crate::window`]). A row that fails leaves no trace in the state. Where the bolt's window closes, rows leave for
//! windows instead ([`closing`]).

mod closing;
mod length;
mod program;
mod several;
mod task;
#[cfg(test)]
mod tests;
mod windows;
mod work;

use super::in_order::{InOrder, ORDER, ordered};
use super::{FOREVER, columns};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, InputStream, Inputs, Key, Keyed,
    NestedOptions, Node, OptionSpec, Options, OutputColumn, OutputStream,
};
use crate::expr::{AggregateFunction, Entries, Expr, Scope};
use crate::problem::Problem;
use crate::tuple::{Column, DataType, Slot};
use crate::window::{Length, WindowSpec};
use windows::{AllDeclared, Declared, Values};

/// The kind `aggregate`.
pub struct Aggregate;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "keep",
        "columns that stay: a list of names, or `stream.*`; all by default, of a window that closes its key and times",
    ),
    OptionSpec::required(
        "add",
        "new columns: add.NAME = \"expression with aggregates\"; they may use each other in any order",
    ),
    OptionSpec::optional("having", "condition on the output row"),
    OptionSpec::optional(
        "window",
        "the window of aggregates without `over`: { rolling = \"30d\" }, or one that closes, such as { tumbling = \"1m\" }; without it they look at all rows of the key",
    ),
    OptionSpec::optional("windows", "more windows: windows.NAME = { rolling = \"30d\" }, chosen by `over NAME`"),
    OptionSpec::optional(
        "ttl",
        "how long a key is kept after its last row, or \"never\"; needed with a key where a window has no length, and for lag",
    ),
    OptionSpec::optional(
        "lateness",
        "how much older than the newest row of its key a row may be, beside the disorder of its source (\"0s\")",
    ),
    OptionSpec::optional(
        "at",
        "of several inputs the one for each row of which a row leaves; aggregates look at the others as well: count(s.*), last(s.x)",
    ),
    ORDER,
];

impl BoltFactory for Aggregate {
    fn kind(&self) -> &'static str {
        "aggregate"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["count", "group_by", "reduce", "session", "window"]
    }

    fn doc(&self) -> &'static str {
        "adds to each row aggregates over the latest rows of its key, or gives a row for each window that closes"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "With a rolling window, or none, a row leaves for each row that comes in: `keep`, then `add`. A rolling window holds the rows of the key with event time in [t - length, t], the row itself included unless `exclude = \"current\"`. Functions and `over`: `sferic reference aggregates`.".to_owned(),
            "With a window that closes, a row leaves for each window of each key that had rows, when the watermark has passed its end: the key, `window_start`, `window_end` (the first microsecond after it), then `add`, in which columns of the input stand inside of aggregates. Its event time is `window_end` less a microsecond. Windows of one length begin at its multiples since 1970 UTC, weeks on Monday, days and months where `zone` says; sessions end `session` after their last row; a window of rows has the times of its oldest and newest row, and leaves unfilled only at the end of the input.".to_owned(),
            "With `lateness` a window that has closed leaves again with every late row, and `revision` counts from 0. With `emit_every` the windows that have changed leave before they close, at its multiples since 1970, and `closed` is false. With `empty = true` a window of a known key leaves also without rows.".to_owned(),
            "A window that closes costs, for each key, the running results of each window or pane with rows in it; a row changes one of them. Hopping windows share panes (as long as `every` and the length have in common): a row costs one pane, and a window at most three merges for each of its new panes, however many windows overlap.".to_owned(),
            "`run` holds the rows since a value, or one of a list, last changed: consecutive readings, the same place. `latest` holds the newest row of each value: what is true now, by event time; it keeps a row for each value until the key's `ttl`, and percentiles, lists, min_by and the like are computed from all of them at every row.".to_owned(),
            "With `at` the bolt takes its inputs apart: a row leaves for each row of that input, with its columns; `last(s.x)`, `count(s.*)` look at the rows of input `s`, `count(*)` at those of all. Windows go by time, or by rows: the last 20 of the input that an aggregate looks at; `lag(s.x)` is x of the last row of input `s`. `order = \"time\"` keeps rows until the watermark has passed them (of the first input: has reached them), so that no row of another input comes too late; with `at`, rows of one time are taken in the order of `from`, else in that of their arrival.".to_owned(),
            "Rows that are too late leave on `.late`, with all columns of the input and `lateness`: for a rolling window, older than the newest row of the key by more than `lateness` and the `disorder` of the source; for a window that closes, when all windows of the row have closed more than `lateness` ago.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.card]
kind   = "aggregate"
from   = "payments"
key    = "card"
ttl    = "90d"                     # lag() remembers a card for that long
window = { rolling = "60s" }
windows.before = { rolling = "30d", exclude = "current" }
add.n        = "count(*)"
add.spent    = "sum(amount)"
add.large    = "count(*) filter (where amount > 500) over '10m'"
add.usual    = "avg(amount) over before"
add.previous = "lag(amount)"
having = "amount > 5 * usual"

[bolts.minutes]                    # a row for each minute of each card
kind   = "aggregate"
from   = "payments"
key    = "card"
window = { tumbling = "1m", lateness = "10m" }
add.payments = "count(*)"
add.spent    = "sum(amount)"

[bolts.out]
kind  = "console"
from  = "card"
limit = 3

[bolts.minute_table]
kind = "null"
from = ["minutes", "minutes.late"]
fill = "null"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn nested(&self) -> &'static [NestedOptions] {
        &[
            NestedOptions { table: "window", options: windows::OPTIONS },
            NestedOptions { table: "windows.NAME", options: windows::OPTIONS },
        ]
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn inputs_of(&self, options: &Options<'_>) -> Inputs {
        if options.has("at") { Inputs::Separate } else { Inputs::United }
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let ordered = ordered(check);
        match windows::declared(check) {
            Some(AllDeclared { own: Declared::Open(own), named, values }) => {
                Some(Box::new(InOrder::plan(plan(check, own, &named, values)?, ordered)))
            }
            Some(AllDeclared { own: Declared::Closing(spec), named, .. }) => {
                Some(Box::new(InOrder::plan(closing::plan(check, spec, &named)?, ordered)))
            }
            None => {
                closing::check_entries(check);
                None
            }
        }
    }
}

fn plan(check: &BoltCheck<'_>, own: WindowSpec, named: &[(&Key, WindowSpec)], values: Values) -> Option<Plan> {
    let options = &check.options;
    let at = several::at(check)?;
    let input = check.inputs.get(at)?;
    let all: Vec<usize> = (0..input.columns.len()).collect();
    let kept = columns::keep(options, &input.name, &input.columns, &all);
    let scope_columns: Vec<_> = check.inputs.iter().flat_map(columns::scope_columns).collect();
    let scope = Scope { columns: &scope_columns, environment: check.environment };
    let added = options.adds(&scope, true);
    let disorder = check.inputs.iter().map(|input| input.disorder).max().unwrap_or(0);
    let lateness = options.duration("lateness").unwrap_or(0).saturating_add(disorder);
    let (names, entries) = added?;
    let mut windows = windows::choose(options, &names, &entries.calls, own, named)?;
    let ttl = windows::ttl(check, &names, &entries.calls, &windows, lateness)?;
    let kept: Vec<usize> =
        kept?.into_iter().filter(|at| !names.iter().any(|(name, _)| input.columns[*at].is(name))).collect();
    let mut added = Added::new(scope_columns.len(), kept.len(), &names, entries, values);
    added.of_inputs(check.inputs, at);
    several::choose(&added, &mut windows);
    several::check(check, &added, &windows, &names)?;
    let several = check.inputs.len() > 1;
    let mut main: Vec<OutputColumn> = kept.iter().map(|at| passed(&input.columns, *at)).collect();
    main.extend(added.outputs());
    let mut outputs = vec![OutputStream::new("", main)];
    if windows.specs.iter().any(|w| matches!(w.length, Length::Time(_))) {
        outputs.push(late_stream(&input.columns));
    }
    // Where a bolt has several inputs, columns that stay are copied.
    let mut copies: [Vec<(usize, usize)>; 2] = Default::default();
    for (output, copies) in outputs.iter_mut().zip(&mut copies).filter(|_| several) {
        for (to, column) in output.columns.iter_mut().enumerate() {
            if let ColumnSource::Input(from) = column.source {
                copies.push((from, to));
                column.source = ColumnSource::Computed;
            }
        }
    }
    let mut parts: Vec<String> = windows.specs.iter().map(|window| format!("{window:?}")).collect();
    parts.extend(several.then(|| format!("at {}", input.name)));
    let fingerprint = added.fingerprint(parts.into_iter(), &names);
    added.fits(options)?;
    let (windows, of_call) = (windows.specs, windows.of_call);
    Some(Plan { outputs, added, windows, of_call, lateness, ttl, fingerprint, copies })
}

/// The stream of rows that are too late: all columns of the input, and how late they are.
fn late_stream(columns: &[Column]) -> OutputStream {
    let named = |column: &Column| column.is("lateness");
    let mut late: Vec<OutputColumn> =
        (0..columns.len()).filter(|at| !named(&columns[*at])).map(|at| passed(columns, at)).collect();
    let lateness = Column::new("lateness", DataType::Interval).not_null();
    late.push(OutputColumn { column: lateness, source: ColumnSource::Computed });
    OutputStream::new("late", late)
}

fn passed(columns: &[Column], at: usize) -> OutputColumn {
    OutputColumn { column: columns[at].clone(), source: ColumnSource::Input(at) }
}

/// The entries of `add`. Their columns are numbered: those of the scope, the entries, the calls.
struct Added {
    /// Number of columns of the scope.
    columns: usize,
    /// Where the added columns start in the main stream.
    first: usize,
    names: Vec<String>,
    entries: Entries,
    /// What windows look at beside the arguments of calls.
    values: Values,
    /// The inputs, and that for each row of which rows leave.
    inputs: Vec<AddedInput>,
    at: usize,
}

/// An input, and where its columns start in the scope.
struct AddedInput {
    name: String,
    first: usize,
}

impl Added {
    fn new(columns: usize, first: usize, names: &[(&str, &Node)], entries: Entries, values: Values) -> Added {
        let names = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        let inputs = vec![AddedInput { name: String::new(), first: 0 }];
        Added { columns, first, names, entries, values, inputs, at: 0 }
    }

    /// The columns of the scope are those of these inputs.
    fn of_inputs(&mut self, inputs: &[InputStream], at: usize) {
        let mut first = 0;
        let input = |input: &InputStream| {
            let added = AddedInput { name: input.name.clone(), first };
            first += input.columns.len();
            added
        };
        (self.inputs, self.at) = (inputs.iter().map(input).collect(), at);
    }

    /// The input of a column of the scope; none of others.
    fn input_of(&self, column: usize) -> Option<usize> {
        let after = self.inputs.partition_point(|input| input.first <= column);
        (column < self.columns).then(|| after.saturating_sub(1))
    }

    /// The added columns.
    fn outputs(&self) -> impl Iterator<Item = OutputColumn> + '_ {
        let computed = |(name, expr): (&String, &Expr)| {
            let column = Column { name: name.clone(), ty: expr.data_type(), nullable: expr.nullable() };
            OutputColumn { column, source: ColumnSource::Computed }
        };
        self.names.iter().zip(&self.entries.expressions).map(computed)
    }

    /// What the content of windows means, in words: the windows, and the aggregates as they were written, so that a
    /// changed parameter changes nothing.
    fn fingerprint(&self, windows: impl Iterator<Item = String>, names: &[(&str, &Node)]) -> String {
        let mut words: Vec<String> = windows.collect();
        words.extend(self.values.texts.iter().enumerate().map(|(at, text)| format!("{at}: {text}")));
        for (at, (name, node)) in names.iter().enumerate() {
            if self.entries.calls.iter().any(|call| call.entry == at) {
                words.push(format!("{name} = {}", node.as_text().unwrap_or_default()));
            }
        }
        words.join("; ")
    }

    /// Whether there is a flag for each argument and filter; what is wrong has been recorded.
    fn fits(&self, options: &Options<'_>) -> Option<()> {
        if program::Program::size(self) <= 64 {
            return Some(());
        }
        let problem = Problem::error(format!(
            "`{}` has more than 64 different arguments and filters of aggregates",
            options.component
        ));
        options.problem(problem.at(options.span).hint("compute some of them in a second bolt"));
        None
    }

    /// The call that an entry is, if it is nothing else.
    fn call_of(&self, entry: usize) -> Option<usize> {
        self.entries.expressions[entry].as_column()?.checked_sub(self.columns + self.entries.expressions.len())
    }

    /// The first entry that is nothing but this call.
    fn entry_of(&self, call: usize) -> Option<usize> {
        (0..self.entries.expressions.len()).find(|entry| self.call_of(*entry) == Some(call))
    }

    /// The slot of a column by its number; `column` knows those of the scope.
    fn slot(&self, number: usize, build: &BoltBuild<'_>, column: impl Fn(usize) -> Slot) -> Slot {
        let Some(entry) = number.checked_sub(self.columns) else { return column(number) };
        let added = |entry: usize| build.outputs[0][self.first + entry];
        match entry.checked_sub(self.entries.expressions.len()) {
            None => added(entry),
            // A column that is nothing but a call is written by the call.
            Some(call) => self.entry_of(call).map_or(build.scratch[call], added),
        }
    }

    /// The columns of the scope before `limit` that are read, each once.
    fn reads(&self, limit: usize) -> Vec<usize> {
        let calls = self
            .entries
            .calls
            .iter()
            .flat_map(|c| c.argument.iter().chain(&c.second).chain(&c.filter).chain(&c.default));
        let values = self.values.exprs.iter().flatten();
        let all =
            self.entries.expressions.iter().chain(calls).chain(values).flat_map(|expr| expr.columns().iter().copied());
        let mut read: Vec<usize> = all.filter(|column| *column < limit).collect();
        read.sort_unstable();
        read.dedup();
        read
    }
}

struct Plan {
    outputs: Vec<OutputStream>,
    added: Added,
    windows: Vec<WindowSpec>,
    /// The window of each call.
    of_call: Vec<usize>,
    lateness: i64,
    ttl: i64,
    /// What the content of windows means.
    fingerprint: String,
    /// Columns of the input that are copied to those of each stream.
    copies: [Vec<(usize, usize)>; 2],
}

/// A length of time for people.
fn text(micros: i64) -> String {
    let mut text = String::new();
    crate::time::format_interval(micros, &mut text);
    text
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        let added = &self.added;
        let own = added.reads(added.columns).into_iter().filter(|column| added.input_of(*column) == Some(input));
        let mut read: Vec<usize> = own.map(|column| column - added.inputs[input].first).collect();
        if input == added.at {
            read.extend(self.copies.iter().flatten().map(|(from, _)| *from));
        }
        read.sort_unstable();
        read.dedup();
        Some(read)
    }

    fn scratch(&self) -> usize {
        self.added.entries.calls.len()
    }

    fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (at, window) in self.windows.iter().enumerate() {
            let of = self.of_call.iter().zip(&self.added.entries.calls).filter(|(window, _)| **window == at);
            if of.clone().next().is_none() {
                continue;
            }
            let lag = of.clone().all(|(_, call)| call.function == AggregateFunction::Lag);
            let length = match window.length {
                Length::Time(micros) => text(micros),
                Length::Rows(rows) if lag => format!("{rows} earlier rows for lag"),
                Length::Rows(rows) => format!("{rows} rows"),
                Length::All => "all rows of the key (keeps results only)".to_owned(),
                Length::Run(number) => {
                    format!("the rows since {} changed (keeps results only)", self.added.values.texts[number])
                }
                Length::Latest(number) => {
                    format!("the newest row of each {} (keeps a row for each)", self.added.values.texts[number])
                }
            };
            let without = if window.exclude_current && !lag { ", without the current row" } else { "" };
            lines.push(format!("{} calls over {length}{without}", of.count()));
        }
        lines.push(match self.ttl {
            FOREVER => "state of a key is kept for ever".to_owned(),
            ttl => format!("state of a key is freed {} after its last row", text(ttl)),
        });
        let (key, rows) = task::bytes(self);
        let mut line = format!("state takes {key} bytes a key");
        for (bytes, kind) in rows.into_iter().zip(["row in windows of time", "row in windows of rows"]) {
            if let Some(bytes) = bytes {
                line.push_str(&format!(", {bytes} bytes a {kind}"));
            }
        }
        lines.push(line);
        lines
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(task::Task::new(self, build)?))
    }
}
