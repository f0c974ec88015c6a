//! `top`: the first rows of an order, among those that belong together.
//!
//! Rows of one event time and of the same values in `per` are a group. All rows of a window that has closed have one
//! event time, so a group is complete when time has passed it: then its first `limit` rows leave, with their `rank`.
//!
//! 1. A row becomes bytes: its place in the order, then its columns. So rows are compared, kept and stored alike, and
//!    rows that the order does not tell apart still have one order, whatever came first.
//! 2. A group keeps its first rows only, so its size is bounded by `limit`.
//! 3. When the watermark passes the event time of a group, a timer lets its rows leave, the earliest group first.
//!
//! What comes for a time that has left, such as a revised row of a window, leaves on `.late`. Groups and timers are
//! durable.

use super::adds::{Adds, Computing};
use super::{FOREVER, cells, columns, failure_text, path_of_row};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, ERRORS, Flow, Keyed, Node,
    OptionSpec, OutputColumn, OutputStream, Step,
};
use crate::expr::{self, CompiledOrder, OrderBy, Scope};
use crate::problem::{Problem, nearest};
use crate::store::{self, Codec, KeyReader, KeyRef, State, Timers};
use crate::tuple::{Column, DataType, Frame, Slot};
use std::collections::VecDeque;

/// The kind `top`.
pub struct Top;

/// The most rows of a group: it is kept sorted in memory.
const LIMIT_MAX: i64 = 10_000;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("order_by", "which rows come first, as in SQL: \"failures desc, source\""),
    OptionSpec::required("limit", "how many rows of a group leave, at most 10000"),
    OptionSpec::optional(
        "per",
        "the column, or list of columns, in which rows of a group agree; none: all of one time",
    ),
    OptionSpec::optional("keep", "columns that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression\", also of `rank`"),
    OptionSpec::optional("having", "condition on the output row"),
];

impl BoltFactory for Top {
    fn kind(&self) -> &'static str {
        "top"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["rank", "top_n", "topn"]
    }

    fn doc(&self) -> &'static str {
        "ranks the rows that belong together, such as those of a window that has closed, and passes the first ones"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns: `keep`, then `rank` (bigint, from 1), then `add`. Rows belong together when they have the same event time and agree in `per`: `per = \"window_end\"` behind a window ranks its rows, `per = [\"window_end\", \"country\"]` those of each country.".to_owned(),
            "A group leaves when no row of its time can come any more. What comes later, such as a revised row, leaves on `.late` with all columns of the input. Rows that come after the first `limit` end here.".to_owned(),
            "Rows that `order_by` does not tell apart are ranked by their columns, so the result does not depend on what came first.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind       = "generate"
what       = "payments"
count      = 20000
cards      = 500
event_step = "0s"                  # all of one moment, as the rows of a window that closes are

[bolts.largest]
kind     = "top"
from     = "payments"
per      = "ts"
order_by = "amount desc, id"
limit    = 3

[bolts.out]
kind  = "console"
from  = "largest"
limit = 3

[[tests]]
name  = "the two largest of a moment, when it has passed"
given = [
  { at = "0s", payments = { id = 1, amount = 5.0 } },
  { at = "0s", payments = { id = 2, amount = 7.0 } },
  { at = "0s", payments = { id = 3, amount = 6.0 } },
  { at = "0s", payments = { id = 4, amount = 1.0 } },
  { at = "1s", payments = { id = 5, amount = 9.0 } },
]
expect = [
  { at = "0s", largest = { id = 2, rank = 1 } },
  { at = "0s", largest = { id = 3, rank = 2 } },
  { at = "0s", largest = { id = 1, rank = 3 } },
]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Global
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let input = check.inputs.first()?;
        let order = order(check);
        let limit = limit(check);
        let per = per(check);
        let rank = Column::new("rank", DataType::Bigint).not_null();
        let adds = Adds::check_apart(check, std::slice::from_ref(&rank));
        let (order, limit, per, adds) = (order?, limit?, per?, adds?);
        let mut stored: Vec<usize> = adds.kept().to_vec();
        for column in adds.reads() {
            if !stored.contains(&column) {
                stored.push(column);
            }
        }
        let passed =
            |(at, column): (usize, &Column)| OutputColumn { column: column.clone(), source: ColumnSource::Input(at) };
        let late = input.columns.iter().enumerate().map(passed).collect();
        let text = options.text("order_by").unwrap_or_default().to_owned();
        Some(Box::new(Plan {
            outputs: [OutputStream::new("", adds.columns.clone()), OutputStream::new("late", late)],
            rank: adds.place(&rank),
            adds,
            columns: input.columns.clone(),
            order,
            text,
            limit,
            per,
            stored,
        }))
    }
}

/// `order_by`.
fn order(check: &BoltCheck<'_>) -> Option<OrderBy> {
    let (text, node) = (check.options.text("order_by")?, check.options.node("order_by")?);
    let scope_columns = columns::scope_columns(check.inputs.first()?);
    match expr::check_order(text, &Scope { columns: &scope_columns, environment: check.environment }) {
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

/// `limit`.
fn limit(check: &BoltCheck<'_>) -> Option<usize> {
    let limit = check.options.integer("limit", 1)?;
    if limit > LIMIT_MAX {
        let node = check.options.node("limit")?;
        check.options.wrong("limit", node, &format!("at most {LIMIT_MAX}"));
        return None;
    }
    usize::try_from(limit).ok()
}

/// `per`: columns of the input; none after a problem.
fn per(check: &BoltCheck<'_>) -> Option<Vec<usize>> {
    if !check.options.has("per") {
        return Some(Vec::new());
    }
    let input = check.inputs.first()?;
    let found = check.options.texts("per")?.into_iter().map(|(name, node)| column(check, input, name, node));
    let found: Vec<Option<usize>> = found.collect();
    found.into_iter().collect()
}

fn column(check: &BoltCheck<'_>, input: &crate::component::InputStream, name: &str, node: &Node) -> Option<usize> {
    let found = input.columns.iter().position(|c| c.is(name));
    if found.is_none() {
        let names = || input.columns.iter().map(|c| c.name.as_str());
        let mut problem = Problem::error(format!("`{}` has no column `{name}`", input.name)).at(node.span);
        if let Some(near) = nearest(name, names()) {
            problem = problem.label(format!("did you mean `{near}`?"));
        }
        check.options.problem(problem.hint(format!("its columns are {}", names().collect::<Vec<_>>().join(", "))));
    }
    found
}

struct Plan {
    outputs: [OutputStream; 2],
    adds: Adds,
    /// Where `rank` stands among the outputs; a private slot holds it where an entry of `add` has replaced it.
    rank: Option<usize>,
    /// The input's columns.
    columns: Vec<Column>,
    order: OrderBy,
    /// The order as it was written.
    text: String,
    limit: usize,
    per: Vec<usize>,
    /// The columns of the input that are kept with a row: those that stay, then others that `add` computes with.
    stored: Vec<usize>,
}

impl Plan {
    /// Columns that are kept with a row and do not leave with it.
    fn hidden(&self) -> usize {
        self.stored.len() - self.adds.kept().len()
    }

    /// What a stored group means.
    fn fingerprint(&self) -> String {
        let columns: Vec<String> =
            self.stored.iter().map(|at| format!("{} {}", self.columns[*at].name, self.columns[*at].ty)).collect();
        let per: Vec<&str> = self.per.iter().map(|at| &*self.columns[*at].name).collect();
        format!("first {} by {} per {}: {}", self.limit, self.text, per.join(", "), columns.join(", "))
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some([&self.order.columns()[..], &self.per, &self.stored].concat())
    }

    fn scratch(&self) -> usize {
        self.hidden() + usize::from(self.rank.is_none())
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("keeps the first {} rows of a group until its time has passed", self.limit)]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let (inputs, outputs) = (&build.inputs[0], &build.outputs[0]);
        let kept = self.adds.kept().len();
        // Where a stored column stands when its row leaves: among the outputs, else in a slot of its own.
        let place = |at: usize| if at < kept { outputs[at] } else { build.scratch[at - kept] };
        let restored: Vec<(Slot, DataType)> =
            self.stored.iter().enumerate().map(|(at, column)| (place(at), self.columns[*column].ty)).collect();
        let mut named = inputs.clone();
        for ((slot, _), column) in restored.iter().zip(&self.stored) {
            named[*column] = *slot;
        }
        let rank = self.rank.map_or_else(|| build.scratch[self.hidden()], |place| outputs[place]);
        let typed = |columns: &[usize]| -> Vec<(Slot, DataType)> {
            columns.iter().map(|at| (inputs[*at], self.columns[*at].ty)).collect()
        };
        let fingerprint = self.fingerprint();
        let groups = build.life("groups", &fingerprint, FOREVER, 0)?;
        let closed = build.life("closed", "the event time up to which groups have left", FOREVER, 0)?;
        let mut closed = store::Keyed::<(i64, u8)>::new(FOREVER, closed);
        let left = closed.get(KeyRef::new(&[]), 0).filter(|(_, known)| *known > 0).map(|(time, _)| *time);
        Ok(Box::new(Task {
            per: KeyReader::new(&typed(&self.per)),
            order: self.order.compile(&|column| inputs[column]),
            stored: typed(&self.stored),
            restored,
            computing: self.adds.compile(&named, &[rank], outputs),
            rank,
            limit: self.limit,
            groups: store::Keyed::new(FOREVER, groups),
            closed,
            left,
            timers: Timers::new(build.life("times", "when groups leave", FOREVER, 0)?),
            key: Vec::new(),
            due: Vec::new(),
            entry: Entry::default(),
            leaving: Leaving::default(),
        }))
    }
}

/// A row of a group: its place in the order, then its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    bytes: Vec<u8>,
    /// How many of the bytes are the place.
    place: u32,
}

impl Codec for Entry {
    fn write(&self, out: &mut Vec<u8>) {
        self.place.write(out);
        (self.bytes.len() as u32).write(out);
        out.extend_from_slice(&self.bytes);
    }

    fn read(from: &mut &[u8]) -> Option<Entry> {
        let place = u32::read(from)?;
        let length = u32::read(from)? as usize;
        let (bytes, rest) = from.split_at_checked(length)?;
        *from = rest;
        (place as usize <= length).then(|| Entry { bytes: bytes.to_vec(), place })
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The group whose rows are leaving.
#[derive(Default)]
struct Leaving {
    time: i64,
    path: u64,
    rows: VecDeque<Entry>,
    rank: u64,
}

struct Task {
    per: KeyReader,
    order: CompiledOrder,
    /// Slots of the columns that are kept with a row, and those that they are put back into.
    stored: Vec<(Slot, DataType)>,
    restored: Vec<(Slot, DataType)>,
    computing: Computing,
    rank: Slot,
    limit: usize,
    groups: store::Keyed<Vec<Entry>>,
    /// Under the empty key: the latest event time whose groups have left, and 1.
    closed: store::Keyed<(i64, u8)>,
    /// The same as far as it is known.
    left: Option<i64>,
    /// For each group one of its `per` at its event time.
    timers: Timers,
    /// Buffers that are used again.
    key: Vec<u8>,
    due: Vec<u8>,
    entry: Entry,
    leaving: Leaving,
}

impl Task {
    /// Takes a row into its group, if it is among the first.
    fn take(&mut self, time: i64) {
        let rows = self.groups.at(KeyRef::new(&self.key), time);
        if rows.is_empty() {
            self.timers.set(KeyRef::new(&self.key[size_of::<i64>()..]), time);
        }
        let at = rows.partition_point(|known| *known <= self.entry);
        if at < self.limit {
            // The buffers of the row that falls out are those of the next row.
            let spare = if rows.len() == self.limit { rows.pop() } else { None };
            rows.insert(at, std::mem::replace(&mut self.entry, spare.unwrap_or_default()));
        }
    }
}

impl Bolt for Task {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        // What the watermark has passed has left or is about to, whether or not a timer has said so.
        if time < step.watermark || self.left.is_some_and(|left| time <= left) {
            return Flow::Port(1);
        }
        self.key.clear();
        self.key.extend_from_slice(&time.to_le_bytes());
        match self.per.bytes(frame) {
            Some(bytes) => self.key.extend_from_slice(bytes),
            None => return step.error("null_key", "a column of `per` is NULL"),
        }
        self.entry.bytes.clear();
        if let Err(error) = self.order.write(frame, step.arena, &mut self.entry.bytes) {
            return step.error(error.reason, failure_text("order_by", &error));
        }
        self.entry.place = self.entry.bytes.len() as u32;
        cells::pack(frame, &self.stored, &mut self.entry.bytes);
        self.take(time);
        step.wake_after(time);
        Flow::Skip
    }

    fn fire(&mut self, _frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let due = self.timers.due(step.watermark, &mut self.due);
        step.wake_after(self.timers.earliest());
        let time = due?;
        self.left = Some(time);
        *self.closed.at(KeyRef::new(&[]), time) = (time, 1);
        self.key.clear();
        self.key.extend_from_slice(&time.to_le_bytes());
        self.key.extend_from_slice(&self.due);
        let key = KeyRef::new(&self.key);
        let rows = std::mem::take(self.groups.at(key, time));
        self.groups.remove(key);
        self.leaving = Leaving { time, path: key.hash, rows: rows.into(), rank: 0 };
        Some(Flow::Many)
    }

    fn deadline(&self) -> i64 {
        self.timers.earliest()
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let entry = self.leaving.rows.pop_front()?;
        self.leaving.rank += 1;
        frame.set_time(self.leaving.time);
        frame.set_origin(u32::MAX, self.leaving.time as u64);
        frame.set_path(path_of_row(self.leaving.path, self.leaving.rank));
        let cells = &entry.bytes[entry.place as usize..];
        if !cells::put(cells, frame, &self.restored, step.arena) {
            step.error("damaged", "a stored row cannot be read");
            return Some(ERRORS);
        }
        frame.set(self.rank, self.leaving.rank);
        Some(if self.computing.run(frame, step) { 0 } else { ERRORS })
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.groups);
        each(&mut self.closed);
        each(&mut self.timers);
    }
}

#[cfg(test)]
mod tests;
