//! `pattern`: a row for each sequence of a key's rows that a pattern describes.
//!
//! Owns what the user writes: the variables' conditions, the columns of matches, bounds. What a match is, is the
//! engine's business ([`crate::pattern`]). A key's partial matches and its timers are durable; a key without partial
//! matches takes nothing, unless a condition looks at its previous rows.

mod call;
mod cells;
mod conditions;
mod define;
mod describe;
mod exprs;
mod holding;
mod keep;
mod keys;
mod live;
mod measures;
mod notes;
mod plan;
mod scope;
mod state;
mod stored;
mod task;
#[cfg(test)]
mod tests;

use super::in_order::{InOrder, ORDER, ordered};
use super::{FOREVER, ttl};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Inputs, Keyed, NestedOptions, OptionSpec,
    OutputStream,
};
use crate::pattern::examples;
use plan::Plan;
pub use state::partial_matches;

/// The kind `pattern`.
pub struct Pattern;

/// How long a key's previous rows are remembered by default: 30 days.
const TTL: i64 = 30 * 86_400_000_000;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required(
        "pattern",
        "the rows of a match in order: `a b` next, `a -> b` followed by, `a ->> b` followed by any, `? * + {n,m}`, `|`, `permute(a, b)`, `!b` for what must not come",
    ),
    OptionSpec::required(
        "define",
        "what each variable is: define.NAME = \"condition\", or { from, where, until, gap }",
    ),
    OptionSpec::optional("within", "the longest time from the first to the last row of a match: \"10m\""),
    OptionSpec::optional(
        "skip",
        "where the search goes on after a match: \"past last\" (the default), \"to next\", \"to first x\", \"to last x\", or \"none\": all matches",
    ),
    OptionSpec::optional("rows", "\"one\" row for each match (the default), or \"all\": one for each row of it"),
    OptionSpec::optional("keep", "columns of the rows: `x.*`, `x.c` of the last row of x; the key by default"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression over the rows of the match\""),
    OptionSpec::optional("having", "condition on the output row"),
    OptionSpec::optional(
        "max_partial",
        "most partial matches of a key; 1000 by default; stated, it is bound enough where a match has so many rows at most",
    ),
    OptionSpec::optional(
        "overflow",
        "what happens beyond: \"drop oldest\" (the default), \"drop newest\" or \"error\"; what is dropped is counted",
    ),
    OptionSpec::optional("timed_out", "true: partial matches whose time is over leave on `.timed_out`"),
    OptionSpec::optional(
        "ttl",
        "with `prev` or `match_number()`: how long a key is remembered after its last row; \"30d\" by default",
    ),
    ORDER,
];

impl BoltFactory for Pattern {
    fn kind(&self) -> &'static str {
        "pattern"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["cep", "match_recognize", "sequence"]
    }

    fn doc(&self) -> &'static str {
        "emits a row for each sequence of rows that a pattern describes"
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "A row leaves for each match: `keep`, then `add`. Its time is that of the last row of the match; of an absence (`a -> !b` at the end) the end of `within`. A match that had to wait leaves later than its time; what stands behind, such as a window that closes, waits for it. Time moves with the events of all keys, and with the clock where a feed with `idle` is silent.".to_owned(),
            "Rows of a key are taken as they arrive: one that is earlier than the newest of its key counts as if it had the time of that. With `order = \"time\"` each waits until no earlier one can come (of the first input: until time has reached it), so that rows of several streams, or out of order, are taken by their times.".to_owned(),
            "In a condition a bare column is the row that is tested, `x.c` is the last row of x (the tested one, in the condition of x itself), `first(x.c, n)` and `last(x.c, n)` count from an end, `prev(c, n)` is the n-th row of the key before it in its stream, matched or not, and `avg(x.c)` and the other aggregates look at all rows of x so far, `count(*)` at all rows of the match.".to_owned(),
            "In `add` there are also `classifier()` (the variable of the row), `match_number()` (counted by key) and `match_id()` (the same after a replay). With `rows = \"all\"` every row sees the match up to itself.".to_owned(),
            "Partial matches whose time is over leave on `.timed_out` with `timed_out = true`; columns of variables without a row are NULL. At the end of all inputs, what waits for rows goes silently: nothing is absent because a file has ended.".to_owned(),
            "The meaning of every operator by example; each row is a second after the one before, and is what its letters say (`ab` is an a and a b, `x` is neither):".to_owned(),
        ];
        notes.extend(examples::EXAMPLES.iter().map(|example| example.text()));
        notes
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.probes]                     # two or more small payments, then a large one, all in one minute
kind    = "pattern"
from    = "payments"
key     = "card"
pattern = "(probe ->){2,} spend"
within  = "1m"
define.probe = "amount < 10"
define.spend = "amount > 300 and amount > 20 * avg(probe.amount)"
keep         = ["spend.id", "spend.card", "spend.amount"]
add.probes   = "count(probe.*)"
add.since    = "first(probe.ts)"

[bolts.out]
kind  = "console"
from  = "probes"
limit = 3

[[tests]]
name  = "two probes with a usual payment between them, then a large one"
given = [
  { at = "0s",  payments = { card = 7, amount = 1.0 } },
  { at = "10s", payments = { card = 7, amount = 30.0 } },
  { at = "20s", payments = { card = 7, amount = 1.5 } },
  { at = "40s", payments = { card = 7, amount = 900.0 } },
]
expect = [ { at = "40s", probes = { card = 7, amount = 900.0, probes = 2 } } ]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn nested(&self) -> &'static [NestedOptions] {
        &[NestedOptions { table: "define.NAME", options: define::OPTIONS }]
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let ordered = ordered(check);
        Some(Box::new(InOrder::plan(plan::plan(check)?, ordered)))
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        let mut read = self.kept.columns[input].clone();
        for (_, definition) in self.variables.iter().zip(&self.definitions).filter(|(v, _)| v.input == input) {
            read.extend(definition.condition.iter().chain(&definition.until).flat_map(exprs::ExprSet::reads));
        }
        read.sort_unstable();
        read.dedup();
        Some(read)
    }

    fn scratch(&self) -> usize {
        self.needs.len()
    }

    fn describe(&self) -> Vec<String> {
        Plan::describe(self)
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(task::Task::new(self, build)?))
    }
}
