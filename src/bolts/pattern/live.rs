//! Expressions over the rows of a match, ready to run.
//!
//! A set of expressions is a condition of a variable, or the added columns of a match. Before it is evaluated, the
//! columns of last rows, the aggregates and the previous rows that it names are brought into slots of their own.

use super::call::LiveCall;
use super::exprs::{ExprSet, Kept};
use super::notes::{FAR, Notes};
use super::scope::{Meaning, Need, Needs};
use super::stored::Stored;
use crate::component::BoltBuild;
use crate::expr::{Compiled, EntryStep, EvalError};
use crate::pattern::Path;
use crate::tuple::{Arena, DataType, Frame, Slot};

/// A column that is brought into a slot.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its number among the kept columns of its input.
    stored: usize,
    /// How many are kept.
    count: usize,
    ty: DataType,
    /// Its slot in tuples of the input.
    pub from: Slot,
    /// The slot that it is brought into.
    pub to: Slot,
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

/// What is read of the last row of a variable.
struct LastRow {
    variable: usize,
    fields: Vec<Field>,
    /// Where that row is, for paths that go on far behind it: its step, or none.
    notes: Notes<Option<usize>>,
}

enum Work {
    Entry(Compiled, Slot),
    Call(Box<LiveCall>),
}

/// A set of expressions, ready to run.
pub struct LiveSet {
    /// Columns of last rows, by variable.
    last: Vec<LastRow>,
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

impl LastRow {
    /// The path up to the last row of the variable.
    #[inline]
    fn find<'a>(&mut self, path: Path<'a, Stored>) -> Path<'a, Stored> {
        let (mut at, mut far) = (path, 0);
        let found = loop {
            let Some((variable, _)) = at.newest() else { break at };
            if variable == self.variable {
                break at;
            }
            if let Some(noted) = self.notes.get(at) {
                break noted.map_or(path.empty(), |step| path.up_to(step));
            }
            at = at.before();
            far += 1;
        };
        if far > FAR {
            self.notes.put(path, found.last_step().map(|(step, _)| step));
        }
        found
    }
}

impl LiveSet {
    /// Makes a set ready; entries are written to `outputs`, a condition has none; `again`: it is asked for longer and
    /// longer paths.
    pub fn new(set: &ExprSet, outputs: Option<&[Slot]>, again: bool, site: &Site<'_>) -> LiveSet {
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
                        Work::Call(Box::new(LiveCall::new(set, at, default, again, site))),
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
                    match self.last.iter_mut().find(|last| last.variable == variable) {
                        Some(last) => last.fields.push(field),
                        None => self.last.push(LastRow { variable, fields: vec![field], notes: Notes::default() }),
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

    fn load(&mut self, rows: Rows<'_>, frame: &mut Frame, arena: &Arena) {
        for last in &mut self.last {
            if rows.tested == Some(last.variable) {
                last.fields.iter().for_each(|field| frame.copy(field.from, field.to));
                continue;
            }
            match last.find(rows.path).newest() {
                Some((_, row)) => last.fields.iter().for_each(|field| field.load(&row.data, frame, arena)),
                None => last.fields.iter().for_each(|field| field.clear(frame)),
            }
        }
        match rows.path.newest() {
            Some((_, row)) => self.newest.iter().for_each(|field| field.load(&row.data, frame, arena)),
            None => self.newest.iter().for_each(|field| field.clear(frame)),
        }
    }
}
