//! Aggregates, previous rows and rows counted from an end, over the rows of a match.
//!
//! An aggregate takes the rows of a path from the oldest to the newest, whoever asks, so that it is the same to the last
//! bit. In a loop each row asks for the path of the one before it, and one row more: what is known of a path is noted
//! now and then under its last step, which all partial matches share that have this path, and dies with it.

use super::exprs::ExprSet;
use super::live::{Field, Rows, Site};
use super::notes::{FAR, Notes};
use super::scope::{Meaning, Need};
use super::stored::Stored;
use crate::expr::{AggregateCall, AggregateFunction, Compiled, EvalError, Expr};
use crate::pattern::Row;
use crate::tuple::{Arena, DataType, Frame, Slot, Value};
use crate::window::{CallSpec, Fold, Mark};

/// A call, ready to run.
pub struct LiveCall {
    function: AggregateFunction,
    variable: Option<usize>,
    offset: usize,
    fields: Vec<Field>,
    argument: Option<Compiled>,
    filter: Option<Compiled>,
    default: Option<Compiled>,
    /// Where its value goes.
    pub to: Slot,
    fold: Fold,
    /// What the fold knew of paths that were gone through, where paths are asked again when they are longer.
    notes: Option<Notes<Mark>>,
    /// The steps that are gone through, the newest first.
    steps: Vec<usize>,
}

impl LiveCall {
    /// Makes call `at` of a set ready; `again`: it is asked for longer and longer paths.
    pub fn new(set: &ExprSet, at: usize, default: Option<Compiled>, again: bool, site: &Site<'_>) -> LiveCall {
        let call: &AggregateCall = &set.entries.calls[at];
        let of_rows = |number: usize| match set.meaning(number) {
            Meaning::Bare(column) => site.scratch(Need::Row(set.scope.input.unwrap_or(0), column)),
            Meaning::Last(variable, column) => site.scratch(Need::Row(site.inputs[variable], column)),
            _ => unreachable!("the check lets calls read columns of rows only"),
        };
        let field = |place: &(usize, usize)| site.field(*place, site.scratch(Need::Row(place.0, place.1)));
        let spec = CallSpec {
            function: call.function,
            distinct: call.distinct,
            argument: call.argument.as_ref().map(|_| 0),
            ty: call.argument.as_ref().map_or(DataType::Bigint, Expr::data_type),
            ..EMPTY
        };
        let fold = Fold::new(spec);
        LiveCall {
            function: call.function,
            variable: set.of_call[at],
            offset: usize::try_from(call.offset).unwrap_or(usize::MAX),
            fields: set.row_columns(at, site.inputs).iter().map(field).collect(),
            argument: call.argument.as_ref().map(|expr| expr.compile(&of_rows)),
            filter: call.filter.as_ref().map(|expr| expr.compile(&of_rows)),
            default,
            to: site.scratch(Need::Call(set.number, at)),
            notes: fold.mark().filter(|_| again).map(|_| Notes::default()),
            fold,
            steps: Vec::new(),
        }
    }

    /// Its value over these rows.
    ///
    /// # Errors
    /// Its argument, its filter or its result fails.
    pub fn value(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        match self.function {
            AggregateFunction::Lag => self.previous(rows, frame, arena),
            AggregateFunction::First | AggregateFunction::Last => self.nth(rows, frame, arena),
            _ => self.aggregate(rows, frame, arena),
        }
    }

    fn previous(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        match rows.previous.len().checked_sub(self.offset) {
            Some(at) => {
                self.fields.iter().for_each(|field| field.load(&rows.previous[at], frame, arena));
                self.argument.as_ref().map_or(Ok(None), |argument| argument.eval(frame, arena))
            }
            None => self.default.as_ref().map_or(Ok(None), |default| default.eval(frame, arena)),
        }
    }

    fn wants(&self, variable: usize) -> bool {
        self.variable.is_none_or(|wanted| wanted == variable)
    }

    /// Brings the tuple itself to where rows are looked at.
    fn take_tuple(&self, frame: &mut Frame) {
        self.fields.iter().for_each(|field| frame.copy(field.from, field.to));
    }

    fn passes(&self, frame: &Frame, arena: &Arena) -> Result<bool, EvalError> {
        self.filter.as_ref().map_or(Ok(true), |filter| filter.test(frame, arena))
    }

    /// The n-th row from one end, NULL included.
    fn nth(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let tested = rows.tested.is_some_and(|variable| self.wants(variable));
        let (mut left, from_start) = (self.offset, self.function == AggregateFunction::First);
        if from_start {
            // Counted from the end: those behind it, first.
            let mut count = 0;
            self.each(rows, tested, frame, arena, &mut |_, _| {
                count += 1;
                Ok(true)
            })?;
            match usize::checked_sub(count, self.offset + 1) {
                Some(behind) => left = behind,
                None => return Ok(None),
            }
        }
        let mut found = None;
        self.each(rows, tested, frame, arena, &mut |call, frame| {
            if left > 0 {
                left -= 1;
                return Ok(true);
            }
            found = call.argument.as_ref().map_or(Ok(None), |argument| argument.eval(frame, arena))?;
            Ok(false)
        })?;
        Ok(found)
    }

    /// Goes through the rows that count, the newest first, until `each` has had enough.
    fn each(
        &self,
        rows: Rows<'_>,
        tested: bool,
        frame: &mut Frame,
        arena: &Arena,
        each: &mut dyn FnMut(&LiveCall, &Frame) -> Result<bool, EvalError>,
    ) -> Result<(), EvalError> {
        if tested {
            self.take_tuple(frame);
            if self.passes(frame, arena)? && !each(self, frame)? {
                return Ok(());
            }
        }
        let own = rows.path.backwards().filter(|(variable, _)| self.wants(*variable));
        for (_, row) in own {
            let row: &Row<Stored> = row;
            self.fields.iter().for_each(|field| field.load(&row.data, frame, arena));
            if self.passes(frame, arena)? && !each(self, frame)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes the oldest row first. What is known of a path that this one goes on from need not be gone through again.
    fn aggregate(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let tested = rows.tested.is_some_and(|variable| self.wants(variable));
        self.fold.clear();
        self.steps.clear();
        for path in rows.path.heads() {
            if let Some(mark) = self.notes.as_ref().and_then(|notes| notes.get(path)) {
                self.fold.go_on(&mark);
                break;
            }
            self.steps.extend(path.last_step().map(|(step, _)| step));
        }
        for at in (0..self.steps.len()).rev() {
            let Some((variable, row)) = rows.path.up_to(self.steps[at]).newest() else { continue };
            if self.wants(variable) {
                self.fields.iter().for_each(|field| field.load(&row.data, frame, arena));
                self.take(frame, arena)?;
            }
        }
        if self.steps.len() > FAR
            && let (Some(notes), Some(mark)) = (&mut self.notes, self.fold.mark())
        {
            notes.put(rows.path, mark);
        }
        if tested {
            self.take_tuple(frame);
            self.take(frame, arena)?;
        }
        let detail = "the result is out of the range of its type";
        self.fold.result().map_err(|_| EvalError { reason: "overflow", detail: detail.into() })
    }

    /// Takes the row that stands in the frame, if it counts.
    #[inline]
    fn take(&mut self, frame: &Frame, arena: &Arena) -> Result<(), EvalError> {
        if self.passes(frame, arena)? {
            self.fold.add(match &self.argument {
                None => Some(0),
                Some(argument) => argument.eval(frame, arena)?,
            });
        }
        Ok(())
    }
}

/// What a call is where it says nothing.
const EMPTY: CallSpec = CallSpec {
    function: AggregateFunction::Count,
    distinct: false,
    window: 0,
    argument: None,
    ty: DataType::Bigint,
    null: None,
    filtered: None,
    foreign: None,
    second: None,
    parameter: Value::Null,
    bound: Value::Null,
};
