//! Expressions over the rows of a match, ready to run.
//!
//! A set of expressions is a condition of a variable, or the added columns of a match. Before it is evaluated, the
//! columns of last rows, the aggregates and the previous rows that it names are brought into slots of their own.

use super::exprs::{ExprSet, Kept};
use super::scope::{Meaning, Need, Needs};
use super::stored::Stored;
use crate::component::BoltBuild;
use crate::expr::{AggregateCall, AggregateFunction, Compiled, EntryStep, EvalError, Expr};
use crate::pattern::{Path, Row};
use crate::tuple::{Arena, DataType, Frame, Slot, Value};
use crate::window::{CallSpec, Fold};

/// A column that is brought into a slot.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its number among the kept columns of its input.
    stored: usize,
    /// How many are kept.
    count: usize,
    ty: DataType,
    /// Its slot in tuples of the input.
    from: Slot,
    to: Slot,
}

/// Where everything stands in the frames of a task.
pub struct Site<'a> {
    /// The slots that were asked for.
    pub needs: &'a Needs,
    /// What is kept of rows.
    pub kept: &'a Kept,
    /// Types of the columns of each input.
    pub types: &'a [Vec<DataType>],
    /// The inputs of the variables.
    pub inputs: &'a [usize],
    /// Slots.
    pub build: &'a BoltBuild<'a>,
}

impl Site<'_> {
    /// A slot that was asked for.
    pub fn scratch(&self, need: Need) -> Slot {
        self.build.scratch[self.needs.at(need)]
    }

    /// A column of an input, to be brought into `to`.
    pub fn field(&self, (input, column): (usize, usize), to: Slot) -> Field {
        let columns = &self.kept.columns[input];
        let stored = columns.binary_search(&column).expect("every column that is read is kept");
        let (ty, from) = (self.types[input][column], self.build.inputs[input][column]);
        Field { stored, count: columns.len(), ty, from, to }
    }
}

impl Field {
    /// Brings it there from a stored row.
    pub fn load(&self, row: &Stored, frame: &mut Frame, arena: &Arena) {
        frame.put(self.to, row.get(self.stored, self.count, self.ty, arena));
    }

    /// There is no such row.
    pub fn clear(&self, frame: &mut Frame) {
        frame.set_null(self.to);
    }
}

/// A call, ready to run.
struct LiveCall {
    function: AggregateFunction,
    variable: Option<usize>,
    offset: usize,
    fields: Vec<Field>,
    argument: Option<Compiled>,
    filter: Option<Compiled>,
    default: Option<Compiled>,
    to: Slot,
    fold: Fold,
}

/// What a set is evaluated over.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The stored rows of the match.
    pub path: Path<'a, Stored>,
    /// The variable that the tuple in the frame is taken for, behind them.
    pub tested: Option<usize>,
    /// The last rows of the tuple's input, the newest last.
    pub previous: &'a [Stored],
}

enum Work {
    Entry(Compiled, Slot),
    Call(Box<LiveCall>),
}

/// A set of expressions, ready to run.
pub struct LiveSet {
    /// Columns of last rows, by variable.
    last: Vec<(usize, Vec<Field>)>,
    /// Columns of the newest row.
    newest: Vec<Field>,
    /// Slots of words.
    pub words: [Option<Slot>; 3],
    work: Vec<(usize, Work)>,
    /// Of a condition: the condition.
    condition: Option<Compiled>,
    /// Whether it reads nothing but the tuple itself.
    plain: bool,
}

/// Why an entry failed: which one, and why.
pub type Failed = (usize, EvalError);

impl LiveSet {
    /// Makes a set ready; entries are written to `outputs`, a condition has none.
    pub fn new(set: &ExprSet, outputs: Option<&[Slot]>, site: &Site<'_>) -> LiveSet {
        let slots = |number: usize| match set.meaning(number) {
            Meaning::Bare(column) if outputs.is_some() => site.scratch(Need::Newest(column)),
            Meaning::Bare(column) => site.build.inputs[set.scope.input.unwrap_or(0)][column],
            Meaning::Word(word) => site.scratch(Need::Word(word)),
            Meaning::Last(variable, column) => site.scratch(Need::Last(variable, column)),
            Meaning::Entry(entry) => outputs.expect("a condition is alone")[entry],
            Meaning::Call(call) => site.scratch(Need::Call(set.number, call)),
        };
        let mut live = LiveSet {
            last: Vec::new(),
            newest: Vec::new(),
            words: [None; 3],
            work: Vec::new(),
            condition: None,
            plain: false,
        };
        live.loads(set, outputs.is_some(), site);
        for step in &set.entries.order {
            match (*step, outputs) {
                (EntryStep::Expression(entry), Some(outputs)) => {
                    let compiled = set.entries.expressions[entry].compile(&slots);
                    live.work.push((entry, Work::Entry(compiled, outputs[entry])));
                }
                (EntryStep::Expression(entry), None) => {
                    live.condition = Some(set.entries.expressions[entry].compile(&slots));
                }
                (EntryStep::Call(at), _) => {
                    let default = set.entries.calls[at].default.as_ref().map(|expr| expr.compile(&slots));
                    live.work.push((
                        set.entries.calls[at].entry,
                        Work::Call(Box::new(LiveCall::new(set, at, default, site))),
                    ));
                }
            }
        }
        live.plain = live.last.is_empty() && live.newest.is_empty() && live.work.is_empty();
        live
    }

    /// Plans what is brought into slots before anything is evaluated.
    fn loads(&mut self, set: &ExprSet, of_matches: bool, site: &Site<'_>) {
        let mut known = Vec::new();
        for meaning in set.direct() {
            if known.contains(&meaning) {
                continue;
            }
            known.push(meaning);
            match meaning {
                Meaning::Last(variable, column) => {
                    let to = site.scratch(Need::Last(variable, column));
                    let field = site.field((site.inputs[variable], column), to);
                    match self.last.iter_mut().find(|(v, _)| *v == variable) {
                        Some((_, fields)) => fields.push(field),
                        None => self.last.push((variable, vec![field])),
                    }
                }
                Meaning::Bare(column) if of_matches => {
                    let place = (set.scope.input.unwrap_or(0), column);
                    self.newest.push(site.field(place, site.scratch(Need::Newest(column))));
                }
                Meaning::Word(word) => self.words[word] = Some(site.scratch(Need::Word(word))),
                Meaning::Bare(_) | Meaning::Entry(_) | Meaning::Call(_) => {}
            }
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// It fails on these rows.
    #[inline]
    pub fn test(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<bool, EvalError> {
        if !self.plain {
            self.run(rows, frame, arena).map_err(|(_, error)| error)?;
        }
        self.condition.as_ref().map_or(Ok(true), |condition| condition.test(frame, arena))
    }

    /// Brings everything into its slot, and evaluates the entries.
    ///
    /// # Errors
    /// An entry fails on these rows.
    pub fn run(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<(), Failed> {
        self.load(rows, frame, arena);
        for (entry, work) in &mut self.work {
            let failed = |error| (*entry, error);
            match work {
                Work::Entry(compiled, to) => {
                    let word = compiled.eval(frame, arena).map_err(failed)?;
                    frame.put(*to, word);
                }
                Work::Call(call) => {
                    let word = call.value(rows, frame, arena).map_err(failed)?;
                    frame.put(call.to, word);
                }
            }
        }
        Ok(())
    }

    fn load(&self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) {
        for (variable, fields) in &self.last {
            if rows.tested == Some(*variable) {
                fields.iter().for_each(|field| frame.copy(field.from, field.to));
                continue;
            }
            match rows.path.backwards().find(|(v, _)| v == variable) {
                Some((_, row)) => fields.iter().for_each(|field| field.load(&row.data, frame, arena)),
                None => fields.iter().for_each(|field| field.clear(frame)),
            }
        }
        match rows.path.newest() {
            Some((_, row)) => self.newest.iter().for_each(|field| field.load(&row.data, frame, arena)),
            None => self.newest.iter().for_each(|field| field.clear(frame)),
        }
    }
}

impl LiveCall {
    fn new(set: &ExprSet, at: usize, default: Option<Compiled>, site: &Site<'_>) -> LiveCall {
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
        LiveCall {
            function: call.function,
            variable: set.of_call[at],
            offset: usize::try_from(call.offset).unwrap_or(usize::MAX),
            fields: set.row_columns(at, site.inputs).iter().map(field).collect(),
            argument: call.argument.as_ref().map(|expr| expr.compile(&of_rows)),
            filter: call.filter.as_ref().map(|expr| expr.compile(&of_rows)),
            default,
            to: site.scratch(Need::Call(set.number, at)),
            fold: Fold::new(spec),
        }
    }

    fn value(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
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

    fn aggregate(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let tested = rows.tested.is_some_and(|variable| self.wants(variable));
        let mut fold = std::mem::replace(&mut self.fold, Fold::new(EMPTY));
        fold.clear();
        let all = self.each(rows, tested, frame, arena, &mut |call, frame| {
            let value = match &call.argument {
                None => Some(0),
                Some(argument) => argument.eval(frame, arena)?,
            };
            fold.add(value);
            Ok(true)
        });
        let result = fold.result();
        self.fold = fold;
        all?;
        let detail = "the result is out of the range of its type";
        result.map_err(|_| EvalError { reason: "overflow", detail: detail.into() })
    }
}

/// A call of no rows, which stands in for another while that is in use.
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
