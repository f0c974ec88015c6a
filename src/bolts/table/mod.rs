//! `table`: the newest row of each key; kept in the store where there is one, shown and exported at the end.
//!
//! Rows live in one handle, so that a change of a row is durable with the epoch of the tuple that made it.
//! 1. A row is expired when its last change lies more than the time to live before the newest event time seen. An
//!    expired row is as if it were not there, whether it has been freed or not; one that comes back is a new row.
//! 2. Every change looks at some rows in memory in turn and frees what is expired there, so memory follows the living
//!    rows without a pause that grows with them.
//! 3. Rows are numbered as they are inserted; the epoch that a run begins in stands in the upper half of the number,
//!    so that rows of later runs come later.

mod listing;
mod reader;
pub(in crate::bolts) mod row;
mod schema;
#[cfg(test)]
mod tests;

pub use listing::rows_as_text;
pub use reader::{TableReader, key_of_texts};
pub use schema::Schema;

use super::row_file::{FileFormat, RowFile, RowFileSpec};
use super::{FOREVER, Gather, Share, cells, columns, failure_text, ttl};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Keyed, OptionSpec, OutputStream, Sections,
    Step,
};
use crate::expr::{Compiled, Expr, Scope};
use crate::store::{self, KeyReader, KeyRef, State};
use crate::tuple::{DataType, Frame, Run, Slot, Value};
use listing::Listing;
use row::Row;
use std::sync::Arc;

/// The kind `table`.
pub struct Table;

/// The handle of the rows.
const HANDLE: &str = "rows";

/// The rows of a task, as they live.
type Stored = store::Keyed<Row>;

/// Rows looked at for expired ones at each change.
const SWEEP: usize = 2;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "ttl",
        "how long a row lives after its last change, in event time; \"never\" (the default) keeps all",
    ),
    OptionSpec::optional("delete", "condition: a row for which it is true removes the row of its key"),
    OptionSpec::optional(
        "export",
        "file the rows are written to at the end: `.csv`, `.ndjson`, `.json`, also `.gz`, `.zst`",
    ),
    OptionSpec::optional("print", "rows shown at the end; 10 by default"),
];

impl BoltFactory for Table {
    fn kind(&self) -> &'static str {
        "table"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["ktable", "upsert"]
    }

    fn doc(&self) -> &'static str {
        "keeps the newest row of each key"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "It is a sink: its rows are shown at the end of the run, and written to `export`.".to_owned(),
            "With a data directory its rows are durable with the epoch that changed them: the next run goes on with them, and `sferic table` reads them, also while the topology runs.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.cards]
kind   = "table"
from   = "payments"
key    = "card"
ttl    = "30d"
export = "cards.csv"
print  = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Required
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let input = check.inputs.first()?;
        let scope_columns = columns::scope_columns(input);
        let scope = Scope { columns: &scope_columns, environment: check.environment };
        let export = check.options.text("export").map(|path| RowFileSpec {
            path: path.to_owned(),
            format: FileFormat::of_path(path),
            header: true,
            append: false,
        });
        Some(Box::new(Plan {
            schema: Arc::new(Schema {
                columns: input.columns.clone(),
                key: check.key.first().cloned().unwrap_or_default(),
            }),
            ttl: ttl(&check.options).unwrap_or(FOREVER),
            delete: check.options.condition("delete", &scope),
            show: Show { export, print: check.options.integer("print", 0).unwrap_or(10) as usize },
            gather: Gather::default(),
        }))
    }
}

/// What is done with the rows at the end.
#[derive(Clone)]
struct Show {
    export: Option<RowFileSpec>,
    print: usize,
}

struct Plan {
    schema: Arc<Schema>,
    ttl: i64,
    delete: Option<Expr>,
    show: Show,
    gather: Gather<Part>,
}

/// What a task has to show: the newest event time it saw, and its rows if they live in memory only.
type Part = (i64, Vec<Vec<Value>>);

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn stateful(&self) -> bool {
        true
    }

    fn describe(&self) -> Vec<String> {
        let kept = match self.ttl {
            FOREVER => "rows are never dropped".to_owned(),
            ttl => {
                let mut text = "rows are dropped after ".to_owned();
                crate::time::format_interval(ttl, &mut text);
                text
            }
        };
        let mut words = vec![format!("one row of {} columns for each key; {kept}", self.schema.columns.len())];
        words.extend(self.show.export.as_ref().map(|e| format!("written to `{}` at the end", e.path)));
        words
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        if let Some(spec) = &self.show.export {
            // Hours of work are not to end with a folder that is not there.
            RowFile::probe(&spec.path)?;
        }
        self.refuse_changes(build)?;
        let slots = build.inputs[0].clone();
        let life = build.life(HANDLE, &self.schema.text(), self.ttl, 0)?;
        let space = life.as_ref().map(|life| life.space().clone());
        Ok(Box::new(Upserting {
            name: build.name.to_owned(),
            delete: self.delete.as_ref().map(|expr| expr.compile(&|n| slots[n])),
            slots: slots.iter().copied().zip(self.schema.types()).collect(),
            schema: self.schema.clone(),
            key: KeyReader::new(&build.key[0]),
            inserted: space.as_ref().map_or(0, |space| (space.durable() + 1) << 32),
            newest: space.map_or(i64::MIN, |space| space.opened().frontier),
            rows: Stored::new(self.ttl, life),
            ttl: self.ttl,
            show: self.show.clone(),
            share: self.gather.join(build.task, build.tasks),
        }))
    }
}

impl Plan {
    /// Rows with other columns than these cannot be read.
    fn refuse_changes(&self, build: &BoltBuild<'_>) -> Result<(), ComponentError> {
        let name = build.name;
        let known = build.space.and_then(|space| space.handles().remove(&format!("{name}/{HANDLE}")));
        let written = known.and_then(|facts| Schema::parse(&facts.fingerprint));
        let Some(changes) = written.and_then(|written| written.changes(&self.schema)) else { return Ok(()) };
        Err(ComponentError::new(format!(
            "the rows of table `{name}` have other columns: {changes}; go back to the old definition, or start once \
             with `--reset-state {name}`, which drops the rows"
        )))
    }
}

struct Upserting {
    name: String,
    schema: Arc<Schema>,
    slots: Vec<(Slot, DataType)>,
    key: KeyReader,
    delete: Option<Compiled>,
    rows: Stored,
    /// Number of the last row inserted.
    inserted: u64,
    /// The newest event time seen.
    newest: i64,
    ttl: i64,
    show: Show,
    share: Share<Part>,
}

impl Bolt for Upserting {
    fn resolve(&mut self, _input: usize, run: &Run) {
        self.rows.begin_run();
        for index in 0..run.len() {
            if let Some(key) = self.key.read(run.frame(index)) {
                self.rows.want(key);
            }
        }
        self.rows.fetch();
    }

    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let Some(key) = self.key.read(frame) else { return step.error("null_key", "a column of the key is NULL") };
        let delete = match self.delete.as_ref().map_or(Ok(false), |d| d.test(frame, step.arena)) {
            Ok(delete) => delete,
            Err(error) => return step.error(error.reason, failure_text("delete", &error)),
        };
        self.newest = self.newest.max(frame.time());
        match delete {
            true => self.rows.remove(key),
            false => upsert(&mut self.rows, &mut self.inserted, self.newest, key, frame, &self.slots),
        }
        self.rows.sweep(self.newest, SWEEP);
        Flow::Skip
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.rows);
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let own = match self.rows.life() {
            None => listing::in_memory(&self.rows, self.newest, self.ttl, &self.schema, &self.name)?,
            Some(_) => Vec::new(),
        };
        let Some(parts) = self.share.put((self.newest, own)) else { return Ok(()) };
        let newest = parts.iter().map(|(newest, _)| *newest).max().unwrap_or(i64::MIN);
        let listing = Listing { name: &self.name, schema: &self.schema, show: &self.show };
        let section = match self.rows.life() {
            None => listing.of_rows(parts.into_iter().flat_map(|(_, rows)| rows).collect())?,
            Some(life) => listing.of_store(life, newest, self.ttl)?,
        };
        sections.sections.push(section);
        Ok(())
    }
}

/// Puts the row of a frame in the place of the one with the same key, or after all others.
fn upsert(
    rows: &mut Stored,
    inserted: &mut u64,
    newest: i64,
    key: KeyRef<'_>,
    frame: &Frame,
    columns: &[(Slot, DataType)],
) {
    let row = rows.at_now(key, newest, frame.time());
    if row.order == 0 {
        *inserted += 1;
        row.order = *inserted;
    }
    row.cells.clear();
    cells::pack(frame, columns, &mut row.cells);
}
