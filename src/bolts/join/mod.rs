//! `join`: rows of two streams that belong together, by key and time.
//!
//! An interval join pairs rows whose times are not further apart than `within`; an as-of join (`match = "latest"`) gives
//! each left row the latest right row at or before it. Rows that find no partner leave on streams of their own, and with
//! `outer` on the main one too. State is bounded by time: a join without a bound is refused.

mod latest;
mod output;
mod plan;
mod sides;
mod task;
#[cfg(test)]
mod tests;

use super::columns;
use super::in_order::{InOrder, ORDER, ordered};
use super::ttl;
use crate::component::{
    BoltCheck, BoltFactory, BoltPlan, InputStream, Inputs, Keyed, NestedOptions, OptionSpec, Options,
};
use crate::expr::{Entries, Scope, ScopeColumn};
use crate::problem::{Problem, nearest};
use crate::tuple::Column;
use plan::{How, Plan};
use sides::Bounds;

/// The kind `join`.
pub struct Join;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "within",
        "how much the right row may come before or after the left one: { before = \"0s\", after = \"10m\" }, what is not \
         said is zero; with match = \"latest\" `before` alone: how old the right row may be",
    ),
    OptionSpec::optional(
        "outer",
        "rows of which side leave on the main stream too if they find no partner, the other side being NULL: \"left\", \
         \"right\" or \"full\"",
    ),
    OptionSpec::optional(
        "match",
        "\"each\" (the default): a row for each pair; \"first\": a left row with its first partner only; \"latest\": a left \
         row, at once, with the latest right row at or before it",
    ),
    OptionSpec::required("keep", "columns of the rows: names that one stream has, `stream.name` or `stream.*`"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression\" over the columns of both streams"),
    OptionSpec::optional("having", "condition on the output row"),
    OptionSpec::optional(
        "ttl",
        "with match = \"latest\": how old the right row may be, where `within` does not say it; or \"never\"",
    ),
    ORDER,
];

const WITHIN: &[OptionSpec] = &[
    OptionSpec::optional("before", "how much the right row may come before the left one; \"0s\" by default"),
    OptionSpec::optional("after", "how much the right row may come after the left one; \"0s\" by default"),
];

impl BoltFactory for Join {
    fn kind(&self) -> &'static str {
        "join"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["enrich", "lookup"]
    }

    fn doc(&self) -> &'static str {
        "joins rows of two streams with one key whose times are near each other"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "`from = [left, right]`; `key` names columns of the same types in both, by stream where their names differ: key = { impressions = \"id\", clicks = \"impression\" }. A NULL in a key joins nothing: the row leaves on `.errors`.".to_owned(),
            "The time of a joined row is that of the later one of both. A row that finds no partner leaves on `.unmatched_left` or `.unmatched_right` when none can come any more (the left one at its time and `after`, the right one at its time and `before`), which is its time then. When all sources have ended they all leave; a stop or a restart ends nothing.".to_owned(),
            "A row that comes when time has passed it has missed partners: it leaves on `.late`, which has `stream`, the columns of both streams and `lateness`.".to_owned(),
            "With match = \"latest\" a left row sees the right rows that have come before it, and leaves at once. With `order = \"time\"` it waits until no earlier row can come, and then sees all right rows of before its time; those of its very time are taken after it, as the right stream stands second in `from`.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.abroad]
kind  = "filter"
from  = "payments"
where = "country <> home"

[bolts.large]
kind  = "filter"
from  = "payments"
where = "amount > 300"

[bolts.pairs]                      # a large payment within ten minutes after one abroad
kind   = "join"
from   = ["abroad", "large"]       # left, right
key    = "card"
within = { after = "10m" }
outer  = "left"                    # one abroad without a large one leaves when its ten minutes have passed
match  = "first"
keep   = ["abroad.*"]
add.large_id = "large.id"
add.gap      = "large.ts - abroad.ts"

[bolts.out]
kind  = "console"
from  = ["pairs"]
limit = 3

[[tests]]
name  = "a pair, and one that is left alone"
defaults.abroad = { country = 1, home = 2 }
given = [
  { at = "0m", abroad = { id = 1, card = 7 } },
  { at = "1m", abroad = { id = 2, card = 8 } },
  { at = "4m", large = { id = 3, card = 7 } },
  { at = "30m" },
]
expect = [
  { at = "4m", pairs = { id = 1, large_id = 3, gap = "4m" } },
  { at = "11m", pairs = "id = 2 and large_id is null" },
  { at = "11m", "pairs.unmatched_left" = { id = 2 } },
]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn nested(&self) -> &'static [NestedOptions] {
        &[NestedOptions { table: "within", options: WITHIN }]
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn keyed(&self) -> Keyed {
        Keyed::Required
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        if !two_streams(check) {
            return None;
        }
        // All getters run before any `?`, so that all problems are reported at once.
        let matching = optional(options, "match", || options.choice("match", &["each", "first", "latest"]));
        let outer = optional(options, "outer", || options.choice("outer", &["left", "right", "full"]));
        let within = within(options);
        let ordered = ordered(check);
        let kept = columns::keep_apart(options, check.inputs);
        let (matching, outer) = (matching?.unwrap_or("each"), outer?);
        let outer = [matches!(outer, Some("left" | "full")), matches!(outer, Some("right" | "full"))];
        let how = match matching {
            "latest" => latest(options, within, outer),
            _ => interval(options, within, matching == "first"),
        };
        let inputs = check.inputs.to_vec();
        let seen = seen(&inputs, outer);
        let columns: Vec<_> = seen.iter().map(|(stream, column)| ScopeColumn { stream, column }).collect();
        let scope = Scope { columns: &columns, environment: check.environment };
        let added = options.adds(&scope, false);
        if added.is_none() && options.has("add") {
            return None;
        }
        let (names, entries) = added.unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(|(name, _)| name.to_owned()).collect();
        let (mut kept, how) = (kept?, how?);
        let column = |(side, at): (usize, usize)| &seen[side * inputs[0].columns.len() + at].1;
        kept.retain(|place| !names.iter().any(|name| column(*place).is(name)));
        let main = main_columns(options, &kept, &column, &names, &entries)?;
        let (late_columns, late) = plan::late_columns(&inputs);
        let outputs = plan::outputs(main, late_columns, &inputs, how);
        let plan = Plan { outputs, inputs, how, outer, kept, names, entries, late };
        Some(Box::new(InOrder::plan(plan, ordered)))
    }
}

/// A key that may be absent (`Some(None)`); `None` if it is there and wrong.
fn optional<T>(options: &Options<'_>, key: &str, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if options.has(key) { read().map(Some) } else { Some(None) }
}

/// Whether there are two streams, and not one twice.
fn two_streams(check: &BoltCheck<'_>) -> bool {
    let options = &check.options;
    let span = options.node("from").map_or(options.span, |node| node.span);
    let problem = match check.inputs {
        [left, right] if left.name != right.name => return true,
        [_, _] => Problem::error("a stream cannot be joined with itself")
            .label("twice the same")
            .hint("give one of them a name of its own with a `filter` or `select` before"),
        inputs => Problem::error(format!("`{}` joins two streams, found {}", options.component, inputs.len()))
            .label("left and right")
            .hint("from = [\"left\", \"right\"]; more than two are joined by several joins"),
    };
    options.problem(problem.at(span));
    false
}

/// `before` and `after`, as far as they are said; none after a problem.
fn within(options: &Options<'_>) -> Option<[Option<i64>; 2]> {
    let Some(node) = options.node("within") else { return Some([None; 2]) };
    let Some(table) = node.as_table() else {
        options.wrong("within", node, "a table such as { before = \"1m\", after = \"10m\" }");
        return None;
    };
    let component = format!("{}.within", options.component);
    let inner = Options { component: &component, span: node.span, table, problems: options.problems };
    let mut good = true;
    for (key, _) in table.entries.iter().filter(|(key, _)| !WITHIN.iter().any(|known| known.name == key.name)) {
        let problem = Problem::error(format!("unknown key `{}` in `within`", key.name)).at(key.span);
        let problem = match nearest(&key.name, WITHIN.iter().map(|known| known.name)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("unknown key"),
        };
        options.problem(problem.hint("`within` has `before` and `after`"));
        good = false;
    }
    let mut bound = |name: &str| {
        let found = optional(&inner, name, || inner.duration(name));
        good &= found.is_some();
        found.flatten()
    };
    let found = ["before", "after"].map(&mut bound);
    good.then_some(found)
}

/// An interval join: within which bounds.
fn interval(options: &Options<'_>, within: Option<[Option<i64>; 2]>, first: bool) -> Option<How> {
    let bounds = within?;
    if let Some(node) = options.node("ttl") {
        let problem = Problem::error("`ttl` is for `match = \"latest\"` only").at(node.span);
        options.problem(problem.hint("how long rows are kept follows from `within`"));
        return None;
    }
    if bounds == [None; 2] {
        let problem = Problem::error(format!("`{}` has no bound in time", options.component));
        let span = options.node("within").map_or(options.span, |node| node.span);
        options.problem(problem.at(span).label("needs `within`").hint(
            "how much the right row may come before or after the left one: within = { after = \"10m\" }; a join without \
             a bound would keep all rows for ever",
        ));
        return None;
    }
    let [before, after] = bounds.map(Option::unwrap_or_default);
    Some(How::Interval(Bounds { before, after, first }))
}

/// An as-of join: how old the right row may be.
fn latest(options: &Options<'_>, within: Option<[Option<i64>; 2]>, outer: [bool; 2]) -> Option<How> {
    let [before, after] = within?;
    let mut good = true;
    if let (Some(_), Some(node)) = (after, options.node("within")) {
        let problem = Problem::error("`after` has no meaning with `match = \"latest\"`").at(node.span);
        options
            .problem(problem.hint("the right row is the latest at or before the left one: `before` alone bounds it"));
        good = false;
    }
    if let (true, Some(node)) = (outer[1], options.node("outer")) {
        let problem = Problem::error("with `match = \"latest\"` right rows are only looked up").at(node.span);
        options.problem(problem.label("can be \"left\" only"));
        good = false;
    }
    let ttl = optional(options, "ttl", || ttl(options))?;
    let limit = match (before, ttl) {
        (None, None) => {
            let problem = Problem::error(format!("`{}` does not say how old a right row may be", options.component));
            options.problem(
                problem.at(options.span).label("needs `within` or `ttl`").hint(
                    "within = { before = \"1h\" }, or ttl = \"never\" to keep the latest row of each key for ever",
                ),
            );
            return None;
        }
        (before, ttl) => before.unwrap_or(i64::MAX).min(ttl.unwrap_or(i64::MAX)),
    };
    good.then_some(How::Latest(limit))
}

/// The columns of both streams as expressions see them: those of a side that may be missing can be NULL.
fn seen(inputs: &[InputStream], outer: [bool; 2]) -> Vec<(String, Column)> {
    let side = |(side, input): (usize, &InputStream)| {
        let missing = outer[1 - side];
        let column = |column: &Column| Column { nullable: column.nullable || missing, ..column.clone() };
        input.columns.iter().map(|c| (input.name.clone(), column(c))).collect::<Vec<_>>()
    };
    inputs.iter().enumerate().flat_map(side).collect()
}

/// The columns of the main stream; none if two have one name, or there are none.
fn main_columns<'c>(
    options: &Options<'_>,
    kept: &[(usize, usize)],
    column: &dyn Fn((usize, usize)) -> &'c Column,
    names: &[String],
    entries: &Entries,
) -> Option<Vec<Column>> {
    let mut main: Vec<Column> = Vec::new();
    let span = options.node("keep").map_or(options.span, |node| node.span);
    for place in kept {
        let column = column(*place);
        if main.iter().any(|known| known.is(&column.name)) {
            let problem = Problem::error(format!("`keep` names two columns that are called `{}`", column.name));
            options.problem(problem.at(span).label("one of each stream").hint(format!(
                "name those of one stream one by one, and give the other a name of its own: add.other_{0} = \
                 \"stream.{0}\"",
                column.name
            )));
            return None;
        }
        main.push(column.clone());
    }
    let added = names.iter().zip(&entries.expressions);
    main.extend(added.map(|(name, expr)| Column {
        name: name.clone(),
        ty: expr.data_type(),
        nullable: expr.nullable(),
    }));
    if main.is_empty() {
        let problem = Problem::error(format!("`{}` has no columns", options.component));
        options.problem(problem.at(span).hint("name some in `keep`, or compute some in `add`"));
        return None;
    }
    Some(main)
}
