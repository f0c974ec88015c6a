//! `route`: a stream for each condition.
//!
//! A row leaves, unchanged, on the stream of the first condition that is true, or with `match = "all"` on those of all
//! of them; what none is true for leaves on `.rest`. There is no main stream, so that nobody reads one by mistake. With
//! many routes only the conditions that may be true are evaluated ([`crate::expr::Conditions`]).

use super::{failure_text, path_of_row};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, ERRORS, Flow, Key, Node,
    OptionSpec, OutputColumn, OutputStream, Step,
};
use crate::expr::{CompiledConditions, Condition, Conditions, EvalError, Scope};
use crate::problem::Problem;
use crate::tuple::{DataType, Frame};

/// The kind `route`.
pub struct Route;

/// Streams of a bolt are numbered in one byte; the last numbers have a meaning of their own.
const ROUTES_MAX: usize = 250;

/// Names of streams that are not the user's.
const TAKEN: [&str; 2] = ["rest", "errors"];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("routes", "the conditions: routes.NAME = \"condition\"; rows leave on the stream `.NAME`"),
    OptionSpec::optional("match", "\"first\" (the default): the first condition that is true; \"all\": every one"),
];

impl BoltFactory for Route {
    fn kind(&self) -> &'static str {
        "route"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["branch", "split", "switch"]
    }

    fn doc(&self) -> &'static str {
        "divides a stream by conditions into streams with names of their own"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Rows leave unchanged on `BOLT.NAME`; those for which no condition is true on `BOLT.rest`. There is no stream `BOLT`.".to_owned(),
            "The order of `routes` in the file counts with `match = \"first\"`. A condition that fails sends the row to `.errors`; with `match = \"all\"` the other routes go on.".to_owned(),
            format!("At most {ROUTES_MAX} routes. Comparisons of columns with constants are indexed: many routes cost little more than few."),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.desk]
kind = "route"
from = "payments"
routes.large  = "amount > 500"
routes.abroad = "country <> home"  # those that are not large

[bolts.out]
kind  = "console"
from  = ["desk.large", "desk.abroad"]
limit = 3

[bolts.others]
kind = "null"
from = "desk.rest"

[[tests]]
name  = "each payment takes one way"
given = [
  { at = "0s", payments = { id = 1, amount = 900.0, country = 2, home = 1 } },
  { at = "1s", payments = { id = 2, amount = 9.0, country = 2, home = 1 } },
  { at = "2s", payments = { id = 3, amount = 9.0, country = 1, home = 1 } },
]
expect = [
  { "desk.large" = { id = 1 } },
  { "desk.abroad" = { id = 2 } },
  { "desk.rest" = { id = 3 } },
]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let input = check.inputs.first()?;
        let all = options.choice("match", &["first", "all"]) == Some("all");
        let table = options.table("routes")?;
        let scope_columns = super::columns::scope_columns(input);
        let scope = Scope { columns: &scope_columns, environment: check.environment };
        let routes: Vec<Option<Condition>> =
            table.entries.iter().map(|(key, node)| route(check, key, node, &scope)).collect();
        if table.entries.is_empty() || table.entries.len() > ROUTES_MAX {
            let node = options.node("routes")?;
            let (message, hint) = match table.entries.len() {
                0 => (format!("`{}` has no routes", options.component), "write one: routes.large = \"amount > 500\""),
                n => (
                    format!("`{}` has {n} routes, at most {ROUTES_MAX} are possible", options.component),
                    "divide the rest in a second bolt: from = \"BOLT.rest\"",
                ),
            };
            options.problem(Problem::error(message).at(node.span).hint(hint));
            return None;
        }
        let passed = |(at, column): (usize, &crate::tuple::Column)| OutputColumn {
            column: column.clone(),
            source: ColumnSource::Input(at),
        };
        let columns: Vec<OutputColumn> = input.columns.iter().enumerate().map(passed).collect();
        let names: Vec<String> = table.entries.iter().map(|(key, _)| key.name.clone()).collect();
        // The stream of the rest is the first: a route's stream is its number and one.
        let mut outputs = vec![OutputStream::new("rest", columns.clone())];
        outputs.extend(names.iter().map(|name| OutputStream::new(name.clone(), columns.clone())));
        let conditions = Conditions::new(routes.into_iter().collect::<Option<Vec<_>>>()?);
        let inputs = input.columns.iter().map(|c| c.name.clone()).collect();
        Some(Box::new(Plan { outputs, names, conditions, all, inputs }))
    }
}

/// One route; none if there are problems, which have been recorded.
fn route(check: &BoltCheck<'_>, key: &Key, node: &Node, scope: &Scope<'_>) -> Option<Condition> {
    let (options, name) = (&check.options, key.name.as_str());
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !good || TAKEN.contains(&name) {
        let problem = Problem::error(format!("`{name}` is no name for a route")).at(key.span);
        options.problem(match good {
            true => problem.label(format!("every route bolt has a stream `.{name}`")),
            false => problem.label("must be like `large_ones`: a small letter, then letters, digits and `_`"),
        });
    }
    if node.as_text().is_none() {
        options.wrong(&format!("routes.{name}"), node, "a condition in a string");
        return None;
    }
    let expr = options.expr_of(node, scope)?;
    if expr.data_type() != DataType::Boolean {
        let message = format!("`routes.{name}` must be a condition, found a {}", expr.data_type());
        options.problem(Problem::error(message).at(node.span).label("must be of type boolean"));
        return None;
    }
    Some(Condition { expr: Some(expr), every: false })
}

struct Plan {
    outputs: Vec<OutputStream>,
    names: Vec<String>,
    conditions: Conditions,
    all: bool,
    /// Names of the input's columns.
    inputs: Vec<String>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(self.conditions.columns())
    }

    fn describe(&self) -> Vec<String> {
        let mut words = vec![format!("{} routes", self.names.len())];
        words.extend(self.conditions.describe(&|column| self.inputs[column].clone()));
        words
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let conditions = self.conditions.compile(&|column| build.inputs[0][column]);
        let waiting = Vec::with_capacity(self.names.len());
        Ok(Box::new(Task { names: self.names.clone(), conditions, all: self.all, waiting, next: 0, path: 0 }))
    }
}

struct Task {
    names: Vec<String>,
    conditions: CompiledConditions,
    all: bool,
    /// The routes of the tuple, and those that failed.
    waiting: Vec<(usize, Option<EvalError>)>,
    next: usize,
    path: u64,
}

impl Task {
    /// Lets the tuple leave on the route at `at` of those that wait; none after a failure, which is told to `step`.
    fn leave(&mut self, at: usize, step: &mut Step<'_>) -> Option<u8> {
        let (route, failure) = &mut self.waiting[at];
        match failure.take() {
            None => Some(*route as u8 + 1),
            Some(error) => {
                step.error(error.reason, failure_text(&format!("routes.{}", self.names[*route]), &error));
                None
            }
        }
    }
}

impl Bolt for Task {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let (all, waiting) = (self.all, &mut self.waiting);
        waiting.clear();
        self.conditions.test(frame, step.arena, |route, result| {
            waiting.push((route, result.err()));
            all
        });
        match waiting.len() {
            0 => Flow::Port(0),
            1 => self.leave(0, step).map_or(Flow::Error, Flow::Port),
            _ => {
                (self.next, self.path) = (0, frame.path());
                Flow::Many
            }
        }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let at = self.next;
        if at == self.waiting.len() {
            // What follows on other branches sees the tuple as it was.
            frame.set_path(self.path);
            return None;
        }
        self.next += 1;
        frame.set_path(path_of_row(self.path, at as u64));
        Some(self.leave(at, step).unwrap_or(ERRORS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::Rig;
    use crate::tuple::Value;

    fn rig() -> Rig {
        Rig::new(&[("s", &[("n", DataType::Bigint), ("k", DataType::Bigint)])])
    }

    const ROUTES: &str = "routes.big = 'n > 10'\nroutes.odd = 'n % k = 1'\n";

    #[test]
    fn the_first_condition_that_is_true_decides() {
        let mut driver = rig().driver(&Route, ROUTES);
        let names: Vec<String> = driver.outputs().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["rest", "big", "odd"]);
        let mut feed = |n, k| driver.feed(0, 0, &[Value::Bigint(n), Value::Bigint(k)]);
        assert_eq!(feed(11, 2), ["big: 11 2"]);
        assert_eq!(feed(3, 2), ["odd: 3 2"]);
        assert_eq!(feed(4, 2), ["rest: 4 2"]);
        assert_eq!(feed(11, 0), ["big: 11 0"], "what stands behind is not looked at");
        let lines = feed(3, 0);
        assert!(lines.len() == 1 && lines[0].starts_with("error division_by_zero: routes.odd"), "{lines:?}");
        assert_eq!(driver.feed(0, 0, &[Value::Null, Value::Bigint(1)]), ["rest: null 1"]);
    }

    #[test]
    fn all_conditions_that_are_true_decide_with_match_all() {
        let mut driver = rig().driver(&Route, &format!("{ROUTES}match = 'all'"));
        let mut feed = |n, k| driver.feed(0, 0, &[Value::Bigint(n), Value::Bigint(k)]);
        assert_eq!(feed(11, 2), ["big: 11 2", "odd: 11 2"]);
        assert_eq!(feed(4, 2), ["rest: 4 2"]);
        let lines = feed(11, 0);
        assert!(lines[0] == "big: 11 0" && lines[1].starts_with("error division_by_zero"), "{lines:?}");
    }

    #[test]
    fn many_routes_are_indexed_and_keep_their_order() {
        let routes: String = (0..100).map(|n| format!("routes.r{n} = 'n = {}'\n", n % 50)).collect();
        let mut driver = rig().driver(&Route, &routes);
        assert_eq!(driver.feed(0, 0, &[Value::Bigint(7), Value::Null]), ["r7: 7 null"]);
        let mut driver = rig().driver(&Route, &format!("match = 'all'\n{routes}"));
        assert_eq!(driver.feed(0, 0, &[Value::Bigint(7), Value::Null]), ["r7: 7 null", "r57: 7 null"]);
        assert_eq!(driver.feed(0, 0, &[Value::Bigint(70), Value::Null]), ["rest: 70 null"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problems = rig().problems(&Route, "routes.rest = 'n > 1'\nroutes.Big = 'n'\nroutes.c = 5\nmatch = 'al'");
        for wanted in [
            "every route bolt has a stream `.rest`",
            "`Big` is no name",
            "must be a condition",
            "in a string",
            "\"all\"",
        ] {
            assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:#?}");
        }
        assert!(rig().problems(&Route, "routes = {}")[0].contains("has no routes"));
        let many: String = (0..251).map(|n| format!("routes.r{n} = 'n = {n}'\n")).collect();
        assert!(rig().problems(&Route, &many)[0].contains("at most 250"));
    }
}
