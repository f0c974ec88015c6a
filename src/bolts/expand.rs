//! `expand`: several rows of one.
//!
//! `each` is a call that gives a set ([`crate::expr::SetExpr`]); each of its values becomes a row: the kept columns, the
//! value, what `add` computes of both. The rows leave one at a time, between two of which the runtime may wait; a set
//! that has more rows than `limit` fails before its first, so that a tuple leaves whole or not at all.

use super::adds::{Adds, Computing};
use super::{columns, failure_text, path_of_row};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, ERRORS, Flow, OptionSpec, OutputStream, Step,
};
use crate::expr::{self, CompiledSet, Scope, SetExpr};
use crate::problem::Problem;
use crate::tuple::{Column, Frame, Slot};

/// The kind `expand`.
pub struct Expand;

/// How many rows a tuple may give by default.
const LIMIT: i64 = 10_000;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("each", "the set: a call such as `generate_series(1, n)` or `string_to_table(tags, ',')`"),
    OptionSpec::required("as", "name of the column that holds a value of the set"),
    OptionSpec::optional(
        "limit",
        "how many rows a tuple may give (10000); one with more is an error (`too_many_rows`)",
    ),
    OptionSpec::optional("keep", "columns that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::optional("add", "new columns of each row: add.NAME = \"expression\", also of the value"),
    OptionSpec::optional("having", "condition on the output row"),
];

impl BoltFactory for Expand {
    fn kind(&self) -> &'static str {
        "expand"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["explode", "flat_map", "flatmap", "unnest"]
    }

    fn doc(&self) -> &'static str {
        "makes several rows of one: one for each value of a set"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns: `keep`, then the value under the name of `as`, then `add`. A column that is called like the value is replaced.".to_owned(),
            "An empty set, also of a NULL argument, emits nothing. The functions that give sets: `sferic reference functions`.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.minutes]                    # every minute of the five after a large payment is watched
kind  = "expand"
from  = "payments"
where = "amount > 900"
each  = "generate_series(1, 5)"
as    = "minute"
keep  = ["card", "ts"]
add.watch = "date_trunc('minute', ts) + minute * interval '1 minute'"

[bolts.out]
kind  = "console"
from  = "minutes"
limit = 3

[[tests]]
name   = "a large payment is watched for five minutes"
given  = [ { at = "0s", payments = { card = 7, amount = 1000.0 } }, { at = "1s", payments = { card = 8, amount = 1.0 } } ]
expect = [
  { minutes = { card = 7, minute = 1, watch = "+60s" } },
  { minutes = { card = 7, minute = 2 } },
  { minutes = { card = 7, minute = 3 } },
  { minutes = { card = 7, minute = 4 } },
  { minutes = { card = 7, minute = 5 } },
]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let name = name(check);
        let each = each(check);
        let limit = options.integer("limit", 1).unwrap_or(LIMIT);
        // The rest is looked at with a stand-in where the set is wrong, so that all problems are told at once.
        let (name, each) = (name?, each?);
        let value = Column { name, ty: each.data_type(), nullable: each.nullable() };
        let adds = Adds::check(check, std::slice::from_ref(&value))?;
        let outputs = [OutputStream::new("", adds.columns.clone())];
        Some(Box::new(Plan { outputs, place: adds.place(&value), adds, each, limit: limit.unsigned_abs() }))
    }
}

/// `as`, which must be usable in an expression.
fn name(check: &BoltCheck<'_>) -> Option<String> {
    let name = check.options.text("as")?;
    let mut chars = name.chars();
    let good =
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_');
    if !good {
        let problem = Problem::error(format!("`{name}` is no name for a column")).at(check.options.node("as")?.span);
        check.options.problem(problem.label("must be letters, digits and `_`"));
        return None;
    }
    Some(name.to_owned())
}

/// `each`.
fn each(check: &BoltCheck<'_>) -> Option<SetExpr> {
    let (text, node) = (check.options.text("each")?, check.options.node("each")?);
    let scope_columns = columns::scope_columns(check.inputs.first()?);
    match expr::check_set(text, &Scope { columns: &scope_columns, environment: check.environment }) {
        Ok(checked) => {
            check.options.expr_problems(node, checked.warnings.into_iter().map(|(_, warning)| warning));
            Some(checked.value)
        }
        Err(errors) => {
            check.options.expr_problems(node, errors);
            None
        }
    }
}

struct Plan {
    outputs: [OutputStream; 1],
    adds: Adds,
    each: SetExpr,
    limit: u64,
    /// Where the value stands among the outputs; a private slot holds it where an entry of `add` has replaced it.
    place: Option<usize>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some([self.each.columns(), &self.adds.reads()].concat())
    }

    fn scratch(&self) -> usize {
        usize::from(self.place.is_none())
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("at most {} rows a tuple", self.limit)]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let (inputs, outputs) = (&build.inputs[0], &build.outputs[0]);
        let value = self.place.map_or_else(|| build.scratch[0], |place| outputs[place]);
        let set = self.each.compile(&|column| inputs[column], self.limit);
        let computing = self.adds.compile(inputs, &[value], outputs);
        Ok(Box::new(Task { set, value, computing, path: 0, row: 0 }))
    }
}

struct Task {
    set: CompiledSet,
    value: Slot,
    computing: Computing,
    /// The path of the tuple whose rows wait, and the number of the next row.
    path: u64,
    row: u64,
}

impl Bolt for Task {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        (self.path, self.row) = (frame.path(), 0);
        match self.set.start(frame, step.arena) {
            Ok(()) => Flow::Many,
            Err(error) => step.error(error.reason, failure_text("each", &error)),
        }
    }

    #[inline]
    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let Some(value) = self.set.next_value(frame, step.arena) else {
            // What follows on other branches sees the tuple as it was.
            frame.set_path(self.path);
            return None;
        };
        frame.put(self.value, value);
        frame.set_path(path_of_row(self.path, self.row));
        self.row += 1;
        Some(if self.computing.run(frame, step) { 0 } else { ERRORS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::Rig;
    use crate::tuple::{DataType, Value};

    fn rig() -> Rig {
        Rig::new(&[("s", &[("id", DataType::Text), ("n", DataType::Bigint), ("tags", DataType::Text)])])
    }

    fn row(n: i64, tags: &str) -> [Value; 3] {
        [Value::Text("a".to_owned()), Value::Bigint(n), Value::Text(tags.to_owned())]
    }

    #[test]
    fn each_value_is_a_row_and_rows_are_told_apart() {
        let mut driver =
            rig().driver(&Expand, "each = 'generate_series(1, n)'\nas = 'k'\nkeep = 'id'\nadd.sq = 'k * k'");
        assert_eq!(driver.outputs(), [("".to_owned(), "id text, k bigint, sq bigint".to_owned())]);
        assert_eq!(driver.feed(0, 0, &row(3, "")), ["main: a 1 1", "main: a 2 4", "main: a 3 9"]);
        let paths = driver.paths.clone();
        assert!(paths[0] != paths[1] && paths[1] != paths[2] && !paths.contains(&99), "{paths:?}");
        assert_eq!(driver.feed(0, 0, &row(0, "")), Vec::<String>::new());
        assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Null, Value::Null]), Vec::<String>::new());
        driver.feed(0, 0, &row(3, ""));
        assert_eq!(driver.paths, paths, "and alike at every replay");
    }

    #[test]
    fn the_value_replaces_a_column_and_add_replaces_the_value() {
        let mut driver =
            rig().driver(&Expand, "each = \"string_to_table(tags, ',')\"\nas = 'TAGS'\nadd.l = 'length(tags)'");
        assert_eq!(driver.outputs()[0].1, "id text, n bigint, TAGS text, l bigint");
        assert_eq!(driver.feed(0, 0, &row(1, "ab,c")), ["main: a 1 ab 2", "main: a 1 c 1"]);
        let mut driver = rig().driver(&Expand, "each = 'generate_series(1, 2)'\nas = 'k'\nadd.k = 'k + n'\nkeep = []");
        assert_eq!(driver.outputs()[0].1, "k bigint");
        assert_eq!(driver.feed(0, 0, &row(10, "")), ["main: 11", "main: 12"]);
    }

    #[test]
    fn a_set_that_fails_is_one_error_and_a_row_that_fails_another() {
        let mut driver =
            rig().driver(&Expand, "each = 'generate_series(0, n)'\nas = 'k'\nkeep = []\nadd.q = '6 / k'\nlimit = 4");
        let lines = driver.feed(0, 0, &row(2, ""));
        assert!(lines[0].starts_with("error division_by_zero: add.q"), "{lines:?}");
        assert_eq!(lines[1..], ["main: 1 6", "main: 2 3"]);
        assert_eq!(driver.feed(0, 0, &row(4, "")), ["error too_many_rows: each: the set has more than 4 rows"]);
        assert_eq!(driver.feed(0, 0, &row(1, "")).len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problems = rig().problems(&Expand, "each = 'generate_sries(1, n)'\nas = 'a b'\nlimit = 0");
        assert_eq!(problems.len(), 3, "{problems:?}");
        for wanted in ["did you mean `generate_series`?", "no name for a column", "at least 1"] {
            assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:?}");
        }
        let problems =
            rig().problems(&Expand, "each = 'generate_series(1, n)'\nas = 'k'\nkeep = ['idd']\nadd.x = 'kk'");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
