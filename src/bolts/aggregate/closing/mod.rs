//! Bolts whose window closes: a row leaves for each window of each key, with its key, its times, and aggregates.
//!
//! Owns what such a bolt may say. Arguments and filters of aggregates look at rows; everything else looks at what a
//! window knows: the key, `window_start` and `window_end`, with `lateness` the `revision`, with `emit_every` whether it
//! has `closed`, and the results.

mod task;

use super::windows::Values;
use super::{Added, late_stream, passed, text};
use crate::bolts::columns;
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltPlan, ColumnSource, ComponentError, InputStream, Key, Node, OutputColumn,
    OutputStream,
};
use crate::expr::{AggregateCall, AggregateFunction, Entries, Over, Scope, ScopeColumn};
use crate::problem::Problem;
use crate::tuple::{Column, DataType};
use crate::window::WindowSpec;
use crate::window::closing::{Closing, ClosingSpec, Shape};

/// What a window knows of itself, in the order of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Start,
    End,
    Revision,
    Closed,
}

impl Fact {
    fn all(spec: Option<&ClosingSpec>) -> Vec<Fact> {
        let mut all = vec![Fact::Start, Fact::End];
        all.extend(spec.is_none_or(|spec| spec.lateness > 0).then_some(Fact::Revision));
        all.extend(spec.is_none_or(|spec| spec.early.is_some()).then_some(Fact::Closed));
        all
    }

    fn column(self) -> Column {
        let (name, ty) = match self {
            Fact::Start => ("window_start", DataType::Timestamp),
            Fact::End => ("window_end", DataType::Timestamp),
            Fact::Revision => ("revision", DataType::Bigint),
            Fact::Closed => ("closed", DataType::Boolean),
        };
        Column::new(name, ty).not_null()
    }
}

/// What expressions may name: the columns of the input, then what a window knows of itself, which hides a column of the
/// same name.
struct Names<'a> {
    input: &'a InputStream,
    columns: Vec<Column>,
}

impl<'a> Names<'a> {
    fn new(input: &'a InputStream, facts: &[Fact]) -> Names<'a> {
        let own: Vec<Column> = facts.iter().map(|fact| fact.column()).collect();
        let hidden = |column: &Column| match own.iter().any(|fact| fact.is(&column.name)) {
            // No expression can name it.
            true => Column { name: String::new(), ..column.clone() },
            false => column.clone(),
        };
        let columns = input.columns.iter().map(hidden).chain(own.iter().cloned()).collect();
        Names { input, columns }
    }

    fn scope(&self) -> Vec<ScopeColumn<'_>> {
        self.columns.iter().map(|column| ScopeColumn { stream: &self.input.name, column }).collect()
    }
}

/// Finds what is wrong with the expressions of a bolt about whose window nothing is known.
pub fn check_entries(check: &BoltCheck<'_>) {
    let Some(input) = check.inputs.first() else { return };
    let names = Names::new(input, &Fact::all(None));
    check.options.adds(&Scope { columns: &names.scope(), environment: check.environment }, true);
}

/// Checks a bolt with this window.
pub fn plan(check: &BoltCheck<'_>, spec: ClosingSpec, named: &[(&Key, WindowSpec)]) -> Option<Plan> {
    let options = &check.options;
    let input = check.inputs.first()?;
    if let Some(node) = options.node("at") {
        let problem = Problem::error(format!("`{}` has an `at`, and its window closes", options.component));
        let problem = problem.at(node.span).label("no row leaves for a row");
        options.problem(problem.hint("leave `at` out: several inputs with the same columns are one stream"));
        return None;
    }
    let facts = Fact::all(Some(&spec));
    let names = Names::new(input, &facts);
    let key: &[usize] = check.key.first().map_or(&[], |key| key);
    let added = options.adds(&Scope { columns: &names.scope(), environment: check.environment }, true);
    // What may be kept: the key, and the window's own columns.
    let known: Vec<usize> = key.iter().copied().chain(input.columns.len()..names.columns.len()).collect();
    let columns: Vec<Column> = known.iter().map(|at| names.columns[*at].clone()).collect();
    let kept = columns::keep(options, &input.name, &columns, &(0..columns.len()).collect::<Vec<_>>());
    for (name, _) in named {
        let problem = Problem::error(format!("`{}` has a window that closes, and others", options.component));
        let problem = problem.at(name.span).label("a window that closes stands alone in its bolt");
        options.problem(problem.hint("put the other aggregates into a second bolt"));
    }
    let (entry_names, entries) = added?;
    let check = Checked { check, key, rows: input.columns.len(), names: &names, entries: &entries };
    let good = check.calls(&entry_names) & check.expressions(&entry_names);
    if !good || !named.is_empty() {
        return None;
    }
    let mut main = Vec::new();
    let mut slots = vec![None; facts.len()];
    for at in kept?.into_iter().map(|at| known[at]) {
        if entry_names.iter().any(|(name, _)| names.columns[at].is(name)) {
            continue;
        }
        main.push(match at.checked_sub(input.columns.len()) {
            None => passed(&input.columns, at),
            Some(fact) => {
                slots[fact] = Some(main.len());
                OutputColumn { column: names.columns[at].clone(), source: ColumnSource::Computed }
            }
        });
    }
    let added = Added::new(names.columns.len(), main.len(), &entry_names, entries, Values::default());
    main.extend(added.outputs());
    added.fits(options)?;
    let fingerprint = added.fingerprint([format!("{spec:?}")].into_iter(), &entry_names);
    let outputs = vec![OutputStream::new("", main), late_stream(&input.columns)];
    Some(Plan {
        outputs,
        added,
        rows: input.columns.len(),
        facts: facts.into_iter().zip(slots).collect(),
        spec,
        fingerprint,
    })
}

/// What is checked of the expressions.
struct Checked<'a> {
    check: &'a BoltCheck<'a>,
    key: &'a [usize],
    /// Number of columns of a row.
    rows: usize,
    names: &'a Names<'a>,
    entries: &'a Entries,
}

impl Checked<'_> {
    /// Whether all calls can be answered by the window.
    fn calls(&self, names: &[(&str, &Node)]) -> bool {
        let mut good = true;
        for call in &self.entries.calls {
            let component = self.check.options.component;
            let problem = if call.function == AggregateFunction::Lag {
                let problem = Problem::error(format!("`lag` of `{component}` has no previous row: its window closes"));
                problem.hint("apply it to the rows of this bolt, in a second one")
            } else if call.over != Over::Own {
                let problem = Problem::error(format!("`over` cannot be used in `{component}`: its window closes"));
                let problem = problem.label("a window that closes stands alone in its bolt");
                problem.hint("put the aggregate into a second bolt")
            } else if let Some(name) = self.no_row_knows(call) {
                let text = format!("`{name}` of `{component}` is a column of the window, not of its rows");
                let problem = Problem::error(text).label(format!("uses `{name}`"));
                problem.hint("aggregates look at columns of the input; rename one that it hides in a `select` before")
            } else {
                continue;
            };
            good = false;
            self.check.options.problem(problem.at(names[call.entry].1.inside(call.range.clone())));
        }
        good
    }

    /// A column of argument or filter that is none of the input.
    fn no_row_knows(&self, call: &AggregateCall) -> Option<String> {
        let parts = call.argument.iter().chain(&call.second).chain(&call.filter);
        let at = parts.flat_map(|expr| expr.columns().iter().copied()).find(|column| *column >= self.rows)?;
        let entries = at.checked_sub(self.names.columns.len());
        Some(match entries {
            None => self.names.columns[at].name.clone(),
            Some(_) => "an added column".to_owned(),
        })
    }

    /// Whether all that stands outside of aggregates is the same for all rows of a window.
    fn expressions(&self, names: &[(&str, &Node)]) -> bool {
        let mut good = true;
        for (expr, (name, node)) in self.entries.expressions.iter().zip(names) {
            let of_row = |column: &&usize| **column < self.rows && !self.key.contains(column);
            let Some(column) = expr.columns().iter().find(of_row) else { continue };
            let column = &self.check.inputs[0].columns[*column].name;
            let component = self.check.options.component;
            let text =
                format!("`add.{name}` of `{component}` uses `{column}`, which differs between the rows of a window");
            let problem = Problem::error(text).at(node.span).label("of which row?");
            let hint = format!("take one of them, such as `last({column})`, or make `{column}` part of the key");
            self.check.options.problem(problem.hint(hint));
            good = false;
        }
        good
    }
}

/// A checked bolt whose window closes.
pub struct Plan {
    outputs: Vec<OutputStream>,
    added: Added,
    /// Number of columns of the input.
    rows: usize,
    /// What the window knows of itself, and its place in the main stream if it stays.
    facts: Vec<(Fact, Option<usize>)>,
    spec: ClosingSpec,
    fingerprint: String,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(self.added.reads(self.rows))
    }

    fn scratch(&self) -> usize {
        self.added.entries.calls.len() + self.facts.len()
    }

    fn describe(&self) -> Vec<String> {
        let of = match &self.spec.shape {
            Shape::Panes { count, hop, .. } if count == hop => "one after the other".to_owned(),
            Shape::Panes { count, hop, .. } => {
                format!(
                    "of {count} panes, one every {hop}: a row costs one pane, a window at most three merges for each of its new panes"
                )
            }
            Shape::Session(gap) => format!("of rows less than {} apart", text(*gap)),
            Shape::Rows { length, every } => format!("of {length} rows, one every {every}"),
        };
        let mut lines = vec![format!("windows that close, {of}")];
        if self.spec.lateness > 0 {
            lines.push(format!("closed windows are kept for {} for late rows", text(self.spec.lateness)));
        }
        let calls = vec![0; self.added.entries.calls.len()];
        let program = super::program::Program::new(&self.added);
        let (key, pane) = Closing::new(&self.spec, &program.calls(&self.added, &calls)).bytes();
        let what = match self.spec.shape {
            Shape::Panes { .. } => "pane with rows",
            Shape::Session(_) => "session",
            Shape::Rows { .. } => "part of a window",
        };
        lines.push(format!("state takes {key} bytes a key that has windows, {pane} bytes a {what}"));
        lines
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(task::Task::new(self, build)?))
    }
}
