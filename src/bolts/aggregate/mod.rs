//! `aggregate`: each row leaves with what the rows of its key before it, and it, amount to.
//!
//! Owns the meaning of `window`, `windows`, `lateness` and `ttl`; the windows themselves are the engine's
//! ([`crate::window`]). A row that fails leaves no trace in the state.

mod task;
#[cfg(test)]
mod tests;
mod windows;

use super::{FOREVER, columns};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, Keyed, NestedOptions, Node,
    OptionSpec, OutputColumn, OutputStream,
};
use crate::expr::{AggregateFunction, Entries, Expr, Scope};
use crate::problem::Problem;
use crate::tuple::Column;
use crate::window::{Length, WindowSpec};

/// The kind `aggregate`.
pub struct Aggregate;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("keep", "columns that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::required(
        "add",
        "new columns: add.NAME = \"expression with aggregates\"; they may use each other in any order",
    ),
    OptionSpec::optional("having", "condition on the output row"),
    OptionSpec::optional(
        "window",
        "the window of aggregates without `over`: { rolling = \"30d\" }; without it they look at all rows of the key",
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
    OptionSpec::optional("at", "not available yet"),
    OptionSpec::optional("order", "not available yet"),
];

impl BoltFactory for Aggregate {
    fn kind(&self) -> &'static str {
        "aggregate"
    }

    fn doc(&self) -> &'static str {
        "adds to each row aggregates over the latest rows of its key"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "A row leaves for each row that comes in: `keep`, then `add`. A rolling window holds the rows of the key with event time in [t - length, t], the row itself included unless `exclude = \"current\"`. Functions and `over`: `sferic reference aggregates`.".to_owned(),
            "Rows older than `lateness` allows leave on `.late`, with all columns of the input. The `disorder` of the source is allowed for anyway.".to_owned(),
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

[bolts.out]
kind  = "console"
from  = "card"
limit = 3
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

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        Some(Box::new(plan(check)?))
    }
}

fn plan(check: &BoltCheck<'_>) -> Option<Plan> {
    let options = &check.options;
    let input = check.inputs.first()?;
    for name in ["at", "order"] {
        if let Some(node) = options.node(name) {
            let problem = Problem::error(format!("`{name}` of `{}` is not available yet", options.component));
            options.problem(problem.at(node.span).label("not available yet"));
        }
    }
    let all: Vec<usize> = (0..input.columns.len()).collect();
    let kept = columns::keep(options, &input.name, &input.columns, &all);
    let scope_columns = columns::scope_columns(input);
    let scope = Scope { columns: &scope_columns, environment: check.environment };
    let added = options.adds(&scope, true);
    let windows = windows::declared(options);
    let lateness = options.duration("lateness").unwrap_or(0).saturating_add(input.disorder);
    let (names, entries) = added?;
    let windows = windows::choose(options, &names, &entries.calls, windows?)?;
    let ttl = windows::ttl(check, &names, &entries.calls, &windows, lateness)?;
    let mut main: Vec<OutputColumn> = kept?
        .into_iter()
        .filter(|at| !names.iter().any(|(name, _)| input.columns[*at].is(name)))
        .map(|at| passed(&input.columns, at))
        .collect();
    let first_added = main.len();
    main.extend(names.iter().zip(&entries.expressions).map(computed));
    let mut outputs = vec![OutputStream::new("", main)];
    if windows.specs.iter().any(|w| matches!(w.length, Length::Time(_))) {
        let columns = all.iter().map(|at| passed(&input.columns, *at)).collect();
        outputs.push(OutputStream::new("late", columns));
    }
    let plan = Plan {
        outputs,
        first_added,
        columns: input.columns.len(),
        names: names.iter().map(|(name, _)| (*name).to_owned()).collect(),
        entries,
        windows: windows.specs,
        of_call: windows.of_call,
        lateness,
        ttl,
        fingerprint: String::new(),
    };
    let plan = Plan { fingerprint: fingerprint(&plan, &names), ..plan };
    if task::Program::size(&plan) > 64 {
        let problem = Problem::error(format!(
            "`{}` has more than 64 different arguments and filters of aggregates",
            options.component
        ));
        options.problem(problem.at(options.span).hint("compute some of them in a second bolt"));
        return None;
    }
    Some(plan)
}

/// What the content of windows means, in words: the windows, and the aggregates as they were written, so that a changed
/// parameter changes nothing.
fn fingerprint(plan: &Plan, names: &[(&str, &Node)]) -> String {
    let mut words: Vec<String> = plan.windows.iter().map(|window| format!("{window:?}")).collect();
    for (at, (name, node)) in names.iter().enumerate() {
        if plan.entries.calls.iter().any(|call| call.entry == at) {
            words.push(format!("{name} = {}", node.as_text().unwrap_or_default()));
        }
    }
    words.join("; ")
}

fn passed(columns: &[Column], at: usize) -> OutputColumn {
    OutputColumn { column: columns[at].clone(), source: ColumnSource::Input(at) }
}

fn computed(((name, _), expr): (&(&str, &Node), &Expr)) -> OutputColumn {
    let column = Column { name: (*name).to_owned(), ty: expr.data_type(), nullable: expr.nullable() };
    OutputColumn { column, source: ColumnSource::Computed }
}

struct Plan {
    outputs: Vec<OutputStream>,
    /// Where the added columns start among the outputs.
    first_added: usize,
    /// Number of the input's columns: entries are numbered after them, calls after those.
    columns: usize,
    names: Vec<String>,
    entries: Entries,
    windows: Vec<WindowSpec>,
    /// The window of each call.
    of_call: Vec<usize>,
    lateness: i64,
    ttl: i64,
    /// What the content of windows means.
    fingerprint: String,
}

impl Plan {
    /// The call that an entry is, if it is nothing else.
    fn call_of(&self, entry: usize) -> Option<usize> {
        self.entries.expressions[entry].as_column()?.checked_sub(self.columns + self.entries.expressions.len())
    }

    /// The first entry that is nothing but this call.
    fn entry_of(&self, call: usize) -> Option<usize> {
        (0..self.entries.expressions.len()).find(|entry| self.call_of(*entry) == Some(call))
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        let calls = self.entries.calls.iter().flat_map(|c| c.argument.iter().chain(&c.filter).chain(&c.default));
        let all = self.entries.expressions.iter().chain(calls).flat_map(|expr| expr.columns().iter().copied());
        let mut read: Vec<usize> = all.filter(|column| *column < self.columns).collect();
        read.sort_unstable();
        read.dedup();
        Some(read)
    }

    fn scratch(&self) -> usize {
        self.entries.calls.len()
    }

    fn describe(&self) -> Vec<String> {
        let text = |micros: i64| {
            let mut text = String::new();
            crate::time::format_interval(micros, &mut text);
            text
        };
        let mut lines: Vec<String> = Vec::new();
        for (at, window) in self.windows.iter().enumerate() {
            let of = self.of_call.iter().zip(&self.entries.calls).filter(|(window, _)| **window == at);
            let lag = of.clone().all(|(_, call)| call.function == AggregateFunction::Lag);
            let length = match window.length {
                Length::Time(micros) => text(micros),
                Length::Rows(rows) if lag => format!("{rows} earlier rows for lag"),
                Length::Rows(rows) => format!("{rows} rows"),
                Length::All => "all rows of the key (keeps results only)".to_owned(),
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
