//! The entries of `add`: their columns among the outputs of a bolt, and their values on a tuple.
//!
//! An entry that is nothing but a column of the input is a new name for its slot; only what computes something has a
//! slot of its own. Never knows aggregates, nor what else the bolt does.

use super::{columns, failure_text};
use crate::component::{BoltCheck, ColumnSource, OutputColumn, Step};
use crate::expr::{Compiled, Entries, EntryStep, Scope, ScopeColumn};
use crate::problem::Problem;
use crate::tuple::{Column, Frame, Slot};

/// The checked entries of `add`, and the columns that a bolt with them emits.
pub struct Adds {
    /// The columns of the main stream: kept ones, those of the bolt itself, then the entries.
    pub columns: Vec<OutputColumn>,
    /// The columns of the input that stand first among them.
    kept: Vec<usize>,
    /// Where the entries start among them.
    first: usize,
    /// Number of columns of the input.
    inputs: usize,
    /// The number by which entries name each of the bolt's own columns: that of the input's column which it replaces, or
    /// one after those.
    own: Vec<usize>,
    /// Number of the columns that entries may name; entries are numbered after them.
    base: usize,
    names: Vec<String>,
    entries: Entries,
}

impl Adds {
    /// Reads `keep` and `add` of a bolt with one input, over whose columns it lays columns of its own: those stand after
    /// the kept ones, replace columns of the same name, and entries may name them. None if there are problems, which
    /// have been recorded.
    pub fn check(check: &BoltCheck<'_>, own: &[Column]) -> Option<Adds> {
        Adds::check_as(check, own, true)
    }

    /// The same for a bolt whose rows do not leave as they came: every column has a slot of its own, and the kept ones
    /// are the bolt's to fill ([`Adds::kept`]).
    pub fn check_apart(check: &BoltCheck<'_>, own: &[Column]) -> Option<Adds> {
        Adds::check_as(check, own, false)
    }

    fn check_as(check: &BoltCheck<'_>, own: &[Column], passes: bool) -> Option<Adds> {
        let input = check.inputs.first()?;
        let all: Vec<usize> = (0..input.columns.len()).collect();
        let kept = columns::keep(&check.options, &input.name, &input.columns, &all);
        // An own column takes the number of the one that it replaces, so that a name is never ambiguous.
        let mut scope_columns = columns::scope_columns(input);
        let mut numbers = Vec::with_capacity(own.len());
        for column in own {
            match input.columns.iter().position(|c| c.is(&column.name)) {
                Some(at) => {
                    scope_columns[at].column = column;
                    numbers.push(at);
                }
                None => {
                    numbers.push(scope_columns.len());
                    scope_columns.push(ScopeColumn { stream: &input.name, column });
                }
            }
        }
        let scope = Scope { columns: &scope_columns, environment: check.environment };
        let added = check.options.adds(&scope, false);
        if added.is_none() && check.options.has("add") {
            return None;
        }
        let (names, entries) = added.unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(|(name, _)| name.to_owned()).collect();
        let replaced = |column: &Column| names.iter().any(|name| column.is(name));
        let kept = kept?.into_iter().filter(|at| !numbers.contains(at) && !replaced(&input.columns[*at]));
        let kept: Vec<usize> = kept.collect();
        let source = |at: usize| if passes { ColumnSource::Input(at) } else { ColumnSource::Computed };
        let passed = kept.iter().map(|at| OutputColumn { column: input.columns[*at].clone(), source: source(*at) });
        let own_columns = own.iter().map(|c| OutputColumn { column: c.clone(), source: ColumnSource::Computed });
        let mut outputs: Vec<OutputColumn> = passed.chain(own_columns.filter(|o| !replaced(&o.column))).collect();
        let first = outputs.len();
        for (name, expr) in names.iter().zip(&entries.expressions) {
            let renamed = expr.as_column().filter(|at| *at < input.columns.len() && !numbers.contains(at));
            let column = Column { name: name.clone(), ty: expr.data_type(), nullable: expr.nullable() };
            outputs.push(OutputColumn { column, source: renamed.map_or(ColumnSource::Computed, source) });
        }
        if outputs.is_empty() {
            let problem = Problem::error(format!("`{}` has no columns", check.options.component));
            check.options.problem(problem.at(check.options.span).hint("name some in `keep`, or compute some in `add`"));
            return None;
        }
        let (inputs, base) = (input.columns.len(), scope_columns.len());
        Some(Adds { columns: outputs, kept, first, inputs, own: numbers, base, names, entries })
    }

    /// Where a column of the bolt itself stands among [`Adds::columns`]; none where an entry has replaced it.
    pub fn place(&self, own: &Column) -> Option<usize> {
        self.columns[..self.first].iter().position(|o| o.source == ColumnSource::Computed && o.column.is(&own.name))
    }

    /// The columns of the input that are kept: the first ones of [`Adds::columns`].
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// The columns of the input that entries compute with.
    pub fn reads(&self) -> Vec<usize> {
        let read = self.entries.expressions.iter().flat_map(|e| e.columns());
        read.copied().filter(|column| *column < self.inputs && !self.own.contains(column)).collect()
    }

    /// The entries ready to run: slots of the input, of the bolt's own columns, of the main stream.
    pub fn compile(&self, inputs: &[Slot], own: &[Slot], outputs: &[Slot]) -> Computing {
        let slots = |number: usize| match self.own.iter().position(|known| *known == number) {
            Some(at) => own[at],
            None if number < self.base => inputs[number],
            None => outputs[self.first + number - self.base],
        };
        let steps = self.entries.order.iter().filter_map(|step| {
            let EntryStep::Expression(entry) = *step else { return None };
            let output = self.first + entry;
            if self.columns[output].source != ColumnSource::Computed {
                return None;
            }
            let expr = self.entries.expressions[entry].compile(&slots);
            Some(Computation { slot: outputs[output], expr, name: format!("add.{}", self.names[entry]) })
        });
        Computing { steps: steps.collect() }
    }
}

struct Computation {
    slot: Slot,
    expr: Compiled,
    name: String,
}

/// The entries of `add`, ready to run, each after those that it uses.
pub struct Computing {
    steps: Vec<Computation>,
}

impl Computing {
    /// Computes all of them; whether none failed. A failure is told to `step`.
    #[inline]
    pub fn run(&self, frame: &mut Frame, step: &mut Step<'_>) -> bool {
        for computation in &self.steps {
            match computation.expr.eval(frame, step.arena) {
                Ok(word) => frame.put(computation.slot, word),
                Err(error) => {
                    step.error(error.reason, failure_text(&computation.name, &error));
                    return false;
                }
            }
        }
        true
    }
}
