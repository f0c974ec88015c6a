//! `select`: keeps columns and adds computed ones.
//!
//! Kept columns stay where they are; only entries of `add` that compute something have slots of their own. An entry
//! that is just a column is a new name for the same slot.

use super::{columns, failure_text};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, Flow, Node, OptionSpec,
    OutputColumn, OutputStream, Step,
};
use crate::expr::{Compiled, Entries, EntryStep, Scope};
use crate::problem::Problem;
use crate::tuple::{Column, Frame, Slot};

/// The kind `select`.
pub struct Select;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("keep", "columns that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression\"; they may use each other in any order"),
    OptionSpec::optional("having", "condition on the output row"),
];

impl BoltFactory for Select {
    fn kind(&self) -> &'static str {
        "select"
    }

    fn doc(&self) -> &'static str {
        "keeps columns and adds computed ones, one row for each row"
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.cents]
kind = "select"
from = "payments"
keep = ["id", "card"]
add.cents  = "round(amount * 100)::bigint"
add.abroad = "country <> home"
having     = "cents > 0"           # a condition on the output row

[bolts.out]
kind  = "console"
from  = "cents"
limit = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let input = check.inputs.first()?;
        let all: Vec<usize> = (0..input.columns.len()).collect();
        let kept = columns::keep(&check.options, &input.name, &input.columns, &all);
        let scope_columns = columns::scope_columns(input);
        let scope = Scope { columns: &scope_columns, environment: check.environment };
        let added = check.options.adds(&scope, false);
        if added.is_none() && check.options.has("add") {
            return None;
        }
        let (names, entries) = added.unwrap_or_default();
        let mut outputs: Vec<OutputColumn> = kept?
            .into_iter()
            .filter(|at| !names.iter().any(|(name, _)| input.columns[*at].is(name)))
            .map(|at| OutputColumn { column: input.columns[at].clone(), source: ColumnSource::Input(at) })
            .collect();
        let first_added = outputs.len();
        for (at, (name, node)) in names.iter().enumerate() {
            let expr = &entries.expressions[at];
            let source = renamed(node, at, &names, &entries, &input.name, &input.columns);
            let column = Column { name: (*name).to_owned(), ty: expr.data_type(), nullable: expr.nullable() };
            outputs.push(OutputColumn { column, source: source.map_or(ColumnSource::Computed, ColumnSource::Input) });
        }
        if outputs.is_empty() {
            let problem = Problem::error(format!("`{}` has no columns", check.options.component));
            check.options.problem(problem.at(check.options.span).hint("name some in `keep`, or compute some in `add`"));
            return None;
        }
        let names = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        let columns = input.columns.len();
        Some(Box::new(Plan {
            outputs: [OutputStream { suffix: "", columns: outputs }],
            first_added,
            columns,
            names,
            entries,
        }))
    }
}

/// The input's column that an entry is a new name of, if it is nothing else.
fn renamed(
    node: &Node,
    entry: usize,
    names: &[(&str, &Node)],
    entries: &Entries,
    stream: &str,
    columns: &[Column],
) -> Option<usize> {
    let text = node.as_text()?.trim();
    // The name of another entry means that entry, not a column of the input.
    let other = names.iter().enumerate().any(|(at, (name, _))| at != entry && name.eq_ignore_ascii_case(text));
    match columns::named(text, stream, columns) {
        columns::Named::One(at) if !other && entries.expressions[entry].columns() == [at] => Some(at),
        _ => None,
    }
}

struct Plan {
    outputs: [OutputStream; 1],
    /// Where the added columns start among the outputs.
    first_added: usize,
    /// Number of the input's columns: entries are numbered after them.
    columns: usize,
    names: Vec<String>,
    entries: Entries,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        let read = self.entries.expressions.iter().flat_map(|e| e.columns());
        Some(read.copied().filter(|c| *c < self.columns).collect())
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let slots = |number: usize| match number.checked_sub(self.columns) {
            None => build.inputs[0][number],
            Some(entry) => build.outputs[0][self.first_added + entry],
        };
        let steps = self.entries.order.iter().filter_map(|step| {
            let EntryStep::Expression(entry) = *step else { return None };
            let output = self.first_added + entry;
            if self.outputs[0].columns[output].source != ColumnSource::Computed {
                return None;
            }
            let expr = self.entries.expressions[entry].compile(&slots);
            Some(Computation { slot: build.outputs[0][output], expr, name: format!("add.{}", self.names[entry]) })
        });
        Ok(Box::new(Computing { steps: steps.collect() }))
    }
}

struct Computation {
    slot: Slot,
    expr: Compiled,
    name: String,
}

struct Computing {
    steps: Vec<Computation>,
}

impl Bolt for Computing {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        for computation in &self.steps {
            match computation.expr.eval(frame, step.arena) {
                Ok(word) => frame.put(computation.slot, word),
                Err(error) => return step.error(error.reason, failure_text(&computation.name, &error)),
            }
        }
        Flow::Next
    }
}

#[cfg(test)]
mod tests;
