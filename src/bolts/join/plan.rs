//! The checked join: its streams, and how its tasks are made.

use super::latest::Latest;
use super::output::{Computation, Output, SideSlots};
use super::sides::{Bounds, Side};
use super::task::Task;
use crate::bolts::kept_row::KeptRow;
use crate::component::{
    Bolt, BoltBuild, BoltPlan, ColumnSource, ComponentError, InputStream, OutputColumn, OutputStream,
};
use crate::expr::{Entries, EntryStep};
use crate::store::{KeyReader, Keyed, Timers};
use crate::time::format_interval;
use crate::tuple::{Column, DataType, Slot};

/// How rows find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By the distance of their times.
    Interval(Bounds),
    /// A left row with the latest right row at or before it, which is at most so old.
    Latest(i64),
}

/// A checked join.
pub struct Plan {
    pub(super) outputs: Vec<OutputStream>,
    pub(super) inputs: Vec<InputStream>,
    pub(super) how: How,
    /// Sides of which rows without a partner leave on the main stream.
    pub(super) outer: [bool; 2],
    /// Kept columns: side, column.
    pub(super) kept: Vec<(usize, usize)>,
    pub(super) names: Vec<String>,
    pub(super) entries: Entries,
    /// For each side the place of its columns among those of late rows.
    pub(super) late: [Vec<usize>; 2],
}

/// A name for a column that no other has.
fn free_name(columns: &[Column], name: &str, stream: &str) -> String {
    let mut free = name.to_owned();
    if columns.iter().any(|known| known.is(&free)) {
        free = format!("{}_{name}", stream.replace('.', "_"));
    }
    while columns.iter().any(|known| known.is(&free)) {
        free.push('_');
    }
    free
}

/// The columns of late rows: whose they are, those of both streams (one of both where name and type agree), how late;
/// and where the columns of each side are among them.
pub fn late_columns(inputs: &[InputStream]) -> (Vec<Column>, [Vec<usize>; 2]) {
    let mut columns = vec![Column::new("stream", DataType::Text).not_null()];
    let mut places = [Vec::new(), Vec::new()];
    for (input, places) in inputs.iter().zip(&mut places) {
        for column in &input.columns {
            let first = columns.len().min(1);
            let same = columns.iter().skip(first).position(|known| known.is(&column.name) && known.ty == column.ty);
            // Within a stream names differ, so that what is the same is of the other one.
            match same.map(|at| at + first).filter(|at| !places.contains(at)) {
                Some(at) => places.push(at),
                None => {
                    places.push(columns.len());
                    columns.push(Column::new(free_name(&columns, &column.name, &input.name), column.ty));
                }
            }
        }
    }
    columns.push(Column::new(free_name(&columns, "lateness", "row"), DataType::Interval).not_null());
    (columns, places)
}

/// The streams: main, late, rows without a partner of the sides that have such a stream.
pub fn outputs(main: Vec<Column>, late: Vec<Column>, inputs: &[InputStream], how: How) -> Vec<OutputStream> {
    let stream = |suffix: &'static str, columns: Vec<Column>| {
        let columns = columns.into_iter().map(|column| OutputColumn { column, source: ColumnSource::Computed });
        OutputStream::new(suffix, columns.collect())
    };
    let mut outputs = vec![stream("", main), stream("late", late)];
    outputs.push(stream("unmatched_left", inputs[0].columns.clone()));
    if let How::Interval(_) = how {
        outputs.push(stream("unmatched_right", inputs[1].columns.clone()));
    }
    outputs
}

fn words(micros: i64) -> String {
    let mut text = String::new();
    format_interval(micros, &mut text);
    text
}

impl Plan {
    /// The slots of a side's own columns.
    fn own<'b>(&self, side: Side, build: &BoltBuild<'b>) -> &'b [Slot] {
        build.outputs.get(usize::from(Output::unmatched(side))).map_or(build.scratch, Vec::as_slice)
    }

    fn side(&self, side: Side, build: &BoltBuild<'_>) -> SideSlots {
        let (number, own) = (side as usize, self.own(side, build));
        let InputStream { name, columns, .. } = &self.inputs[number];
        let input = &build.inputs[number];
        let row = |slots: &[Slot]| KeptRow::new(columns.iter().zip(slots).map(|(c, slot)| (&*c.name, c.ty, *slot)));
        SideSlots {
            name: name.clone(),
            packed: row(input),
            unpacked: row(own),
            input: input.clone(),
            own: own.to_vec(),
            late: self.late[number].iter().map(|at| build.outputs[1][*at]).collect(),
        }
    }

    fn output(&self, build: &BoltBuild<'_>) -> Output {
        let [main, late] = [&build.outputs[0], &build.outputs[1]];
        let own = Side::BOTH.map(|side| self.own(side, build));
        let (left, first_added) = (self.inputs[0].columns.len(), self.kept.len());
        let both = left + self.inputs[1].columns.len();
        let slots = |number: usize| match number {
            n if n < left => own[0][n],
            n if n < both => own[1][n - left],
            n => main[first_added + n - both],
        };
        let added = self.entries.order.iter().filter_map(|step| {
            let EntryStep::Expression(entry) = *step else { return None };
            let expr = self.entries.expressions[entry].compile(&slots);
            let name = format!("add.{}", self.names[entry]);
            Some(Computation { slot: main[first_added + entry], expr, name })
        });
        Output {
            added: added.collect(),
            kept: self.kept.iter().zip(main).map(|((side, column), to)| (own[*side][*column], *to)).collect(),
            sides: Side::BOTH.map(|side| self.side(side, build)),
            late: [late[0], late[late.len() - 1]],
            late_columns: late[1..late.len() - 1].to_vec(),
            bytes: Vec::new(),
        }
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn scratch(&self) -> usize {
        match self.how {
            How::Interval(_) => 0,
            How::Latest(_) => self.inputs[1].columns.len(),
        }
    }

    fn describe(&self) -> Vec<String> {
        let [left, right] = [&self.inputs[0].name, &self.inputs[1].name];
        match self.how {
            How::Interval(Bounds { before, after, first }) => {
                let which = if first { "its first row" } else { "each row" };
                let whom = format!("joins a row of `{left}` with {which} of `{right}`");
                vec![
                    format!("{whom} from {} before it to {} after it", words(before), words(after)),
                    format!(
                        "keeps rows of `{left}` for {}, of `{right}` for {}: all their columns and 48 bytes each",
                        words(after),
                        words(before)
                    ),
                ]
            }
            How::Latest(limit) => {
                let old = if limit == i64::MAX { String::new() } else { format!(", at most {} old", words(limit)) };
                vec![
                    format!("joins a row of `{left}` with the latest row of `{right}` at or before it{old}"),
                    format!("keeps the last row of `{right}` for each key, and those that time has not passed"),
                ]
            }
        }
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let output = self.output(build);
        let keys = [0, 1].map(|side| KeyReader::new(&build.key[side]));
        match self.how {
            How::Interval(bounds) => {
                let what = format!(
                    "rows of {} us before and {} us after, {}",
                    bounds.before,
                    bounds.after,
                    if bounds.first { "the first" } else { "each" }
                );
                // What is kept is removed when its time has come, not forgotten: a row without a partner must leave.
                let state = Keyed::new(i64::MAX, build.life("rows", &what, i64::MAX, 0)?);
                let timers = Timers::new(build.life("timers", "when rows have waited long enough", i64::MAX, 0)?);
                Ok(Box::new(Task::new(output, bounds, self.outer, keys, (state, timers))))
            }
            How::Latest(limit) => {
                let state = Keyed::new(limit, build.life("latest", "latest rows of the right side", limit, 0)?);
                let outer = self.outer[0];
                Ok(Box::new(Latest { output, limit, outer, keys, state, unmatched: false, main: false }))
            }
        }
    }
}
