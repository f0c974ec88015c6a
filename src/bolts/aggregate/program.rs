//! What a row goes through, planned: which arguments and filters are evaluated, once each, and in which order.

use super::Added;
use crate::expr::{AggregateCall, AggregateFunction, EntryStep, Expr};
use crate::tuple::DataType;
use crate::window::{CallSpec, ValueSpec};

/// One step of a row, as it is planned.
pub enum Part {
    /// Compute an added column.
    Entry(usize),
    /// Test filter `.0`: the flag says that it is not true.
    Filter(usize),
    /// Take argument `.0`.
    Argument(usize),
    /// Answer a call.
    Call(usize),
}

pub struct Argument {
    pub expr: Expr,
    /// Index of the filter without which it is not evaluated.
    pub filter: Option<usize>,
    identity: String,
    pub entry: usize,
}

pub struct FilterPart {
    pub expr: Expr,
    identity: String,
    pub entry: usize,
}

/// What a row goes through. Arguments' NULL flags come first, those of filters after them.
pub struct Program {
    pub parts: Vec<Part>,
    pub arguments: Vec<Argument>,
    pub filters: Vec<FilterPart>,
    /// Argument and filter of each call.
    pub of_call: Vec<(Option<usize>, Option<usize>)>,
    /// Second argument of each call.
    seconds: Vec<Option<usize>>,
    /// The arguments that windows of values look at.
    values: Vec<Vec<usize>>,
}

/// The input whose rows a call looks at; none: those of all.
pub fn call_stream(added: &Added, call: &AggregateCall) -> Option<usize> {
    match &call.stream {
        Some(name) => added.inputs.iter().position(|input| input.name == *name),
        None if call.argument.is_none() && call.filter.is_none() => None,
        None => Some(added.at),
    }
}

/// The entry of what belongs to a window.
const OF_WINDOW: usize = usize::MAX;

impl Program {
    pub fn new(plan: &Added) -> Program {
        let mut program = Program {
            parts: vec![],
            arguments: vec![],
            filters: vec![],
            of_call: vec![],
            seconds: vec![],
            values: vec![],
        };
        program.seconds = vec![None; plan.entries.calls.len()];
        for exprs in &plan.values.exprs {
            let mut values = Vec::with_capacity(exprs.len());
            for expr in exprs {
                let (at, new) = program.argument(expr, None, false, OF_WINDOW);
                program.parts.extend(new.then_some(Part::Argument(at)));
                values.push(at);
            }
            program.values.push(values);
        }
        program.of_call = vec![(None, None); plan.entries.calls.len()];
        let mut afterwards = Vec::new();
        for step in &plan.entries.order {
            let index = match *step {
                EntryStep::Expression(entry) => {
                    if plan.call_of(entry).is_none_or(|call| plan.entry_of(call) != Some(entry)) {
                        program.parts.push(Part::Entry(entry));
                    }
                    continue;
                }
                EntryStep::Call(index) => index,
            };
            let call = &plan.entries.calls[index];
            let filter = call.filter.as_ref().map(|expr| program.filter(expr, call.entry));
            let lag = call.function == AggregateFunction::Lag;
            let argument = call.argument.as_ref().map(|expr| {
                // The value of a lag is that at the end of the step: another one than now, for an added column.
                let (at, new) = program.argument(expr, filter, lag, call.entry);
                match (new, lag) {
                    (true, true) => afterwards.push(Part::Argument(at)),
                    (true, false) => program.parts.push(Part::Argument(at)),
                    (false, _) => {}
                }
                at
            });
            program.of_call[index] = (argument, filter);
            program.seconds[index] = call.second.as_ref().map(|expr| {
                let (at, new) = program.argument(expr, filter, false, call.entry);
                program.parts.extend(new.then_some(Part::Argument(at)));
                at
            });
            program.parts.push(Part::Call(index));
        }
        program.parts.append(&mut afterwards);
        program
    }

    /// How many flags a row of this plan has.
    pub fn size(plan: &Added) -> usize {
        let program = Program::new(plan);
        program.arguments.len() + program.filters.len() + plan.inputs.len()
    }

    pub fn filter_flag(&self, at: usize) -> u8 {
        (self.arguments.len() + at) as u8
    }

    /// The flag of rows that are not of an input.
    pub fn foreign_flag(&self, input: usize) -> u8 {
        (self.arguments.len() + self.filters.len() + input) as u8
    }

    /// The flags of a row of an input: that it is of none of the others.
    pub fn foreign_flags(&self, inputs: usize, input: usize) -> u64 {
        (0..inputs).filter(|other| *other != input && inputs > 1).map(|other| 1 << self.foreign_flag(other)).sum()
    }

    /// The input whose rows go through a step.
    pub fn input_of(&self, added: &Added, part: &Part) -> usize {
        let expr = match *part {
            Part::Filter(at) => &self.filters[at].expr,
            Part::Argument(at) => &self.arguments[at].expr,
            Part::Entry(_) | Part::Call(_) => return added.at,
        };
        expr.columns().first().and_then(|column| added.input_of(*column)).unwrap_or(added.at)
    }

    /// What windows of values look at.
    pub fn values(&self) -> Vec<Vec<ValueSpec>> {
        self.values.iter().map(|values| values.iter().map(|at| self.value(at)).collect()).collect()
    }

    fn value(&self, at: &usize) -> ValueSpec {
        let expr = &self.arguments[*at].expr;
        // Where a filter stands before it, a row that it refuses gives no value.
        let nullable = expr.nullable() || self.arguments[*at].filter.is_some();
        ValueSpec { argument: *at, ty: expr.data_type(), null: nullable.then_some(*at as u8) }
    }

    /// The calls, each over the window that `of_call` says.
    pub fn calls(&self, plan: &Added, of_call: &[usize]) -> Vec<CallSpec> {
        let calls = plan.entries.calls.iter().enumerate().map(|(at, call)| {
            let (argument, filter) = self.of_call[at];
            // A filtered row counts as little as one with NULL.
            let null = argument.filter(|at| self.arguments[*at].expr.nullable());
            CallSpec {
                function: call.function,
                distinct: call.distinct,
                window: of_call[at],
                argument,
                ty: call.argument.as_ref().map_or(DataType::Bigint, Expr::data_type),
                null: null.map(|at| at as u8),
                filtered: filter.map(|at| self.filter_flag(at)),
                foreign: call_stream(plan, call)
                    .filter(|_| plan.inputs.len() > 1)
                    .map(|input| self.foreign_flag(input)),
                second: self.seconds[at].as_ref().map(|at| self.value(at)),
                parameter: call.parameter.clone(),
                bound: call.bound.clone(),
            }
        });
        calls.collect()
    }

    fn filter(&mut self, expr: &Expr, entry: usize) -> usize {
        let identity = format!("{expr:?}");
        self.filters.iter().position(|known| known.identity == identity).unwrap_or_else(|| {
            self.filters.push(FilterPart { expr: expr.clone(), identity, entry });
            self.parts.push(Part::Filter(self.filters.len() - 1));
            self.filters.len() - 1
        })
    }

    fn argument(&mut self, expr: &Expr, filter: Option<usize>, lag: bool, entry: usize) -> (usize, bool) {
        // Reading a column cannot fail, so it is shared by all filters.
        let filter = filter.filter(|_| expr.as_column().is_none());
        let identity = format!("{lag} {filter:?} {expr:?}");
        match self.arguments.iter().position(|known| known.identity == identity) {
            Some(at) => (at, false),
            None => {
                self.arguments.push(Argument { expr: expr.clone(), filter, identity, entry });
                (self.arguments.len() - 1, true)
            }
        }
    }
}
