//! `table`: the newest row of each key, in memory; shown and exported at the end.

mod rows;
#[cfg(test)]
mod tests;

use super::row_file::{FileFormat, RowFile, RowFileSpec};
use super::{Align, FOREVER, Gather, Share, TextTable, columns, failure_text, ttl};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Keyed, OptionSpec, OutputStream, Sections,
    Step,
};
use crate::expr::{Compiled, Expr, Scope};
use crate::store::KeyReader;
use crate::tuple::{Cell, Column, DataType, Frame, Slot, Value, json_value};
use rows::Rows;
use serde_json::json;

/// The kind `table`.
pub struct Table;

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

    fn doc(&self) -> &'static str {
        "keeps the newest row of each key"
    }

    fn notes(&self) -> Vec<String> {
        vec!["It is a sink, in memory: its rows are shown at the end of the run, and written to `export`.".to_owned()]
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
            columns: input.columns.clone(),
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
    columns: Vec<Column>,
    ttl: i64,
    delete: Option<Expr>,
    show: Show,
    gather: Gather<Vec<Vec<Value>>>,
}

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
        let mut words = vec![format!("one row of {} columns for each key; {kept}", self.columns.len())];
        words.extend(self.show.export.as_ref().map(|e| format!("written to `{}` at the end", e.path)));
        words
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        if let Some(spec) = &self.show.export {
            // Hours of work are not to end with a folder that is not there.
            RowFile::probe(&spec.path)?;
        }
        let slots = build.inputs[0].clone();
        Ok(Box::new(Upserting {
            name: build.name.to_owned(),
            delete: self.delete.as_ref().map(|expr| expr.compile(&|n| slots[n])),
            slots: slots.iter().copied().zip(self.columns.iter().map(|c| c.ty)).collect(),
            columns: self.columns.clone(),
            key: KeyReader::new(&build.key[0]),
            rows: Rows::new(self.ttl),
            ttl: self.ttl,
            show: self.show.clone(),
            share: self.gather.join(build.task, build.tasks),
        }))
    }
}

struct Upserting {
    name: String,
    columns: Vec<Column>,
    slots: Vec<(Slot, DataType)>,
    key: KeyReader,
    delete: Option<Compiled>,
    rows: Rows,
    ttl: i64,
    show: Show,
    share: Share<Vec<Vec<Value>>>,
}

impl Bolt for Upserting {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let Some(key) = self.key.read(frame) else { return step.error("null_key", "a column of the key is NULL") };
        let delete = match self.delete.as_ref().map_or(Ok(false), |d| d.test(frame, step.arena)) {
            Ok(delete) => delete,
            Err(error) => return step.error(error.reason, failure_text("delete", &error)),
        };
        match delete {
            true => self.rows.delete(key, frame.time()),
            false => self.rows.upsert(key, frame, &self.slots),
        }
        Flow::Skip
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let types: Vec<DataType> = self.columns.iter().map(|c| c.ty).collect();
        let rows = std::mem::replace(&mut self.rows, Rows::new(self.ttl));
        let Some(parts) = self.share.put(rows.into_values(&types)) else { return Ok(()) };
        let rows = parts.concat();
        let mut text = self.listing(&rows);
        if let Some(spec) = &self.show.export {
            let mut file = RowFile::create(spec, &self.columns)?;
            for row in &rows {
                file.row(row.iter().map(Cell::from))?;
            }
            file.close()?;
            text.push_str(&format!("written to {}\n", spec.path));
        }
        let object = |row: &Vec<Value>| {
            let fields = self.columns.iter().zip(row).map(|(c, v)| (c.name.clone(), json_value(Cell::from(v))));
            serde_json::Value::Object(fields.collect())
        };
        let shown: Vec<serde_json::Value> = rows.iter().take(self.show.print).map(object).collect();
        let value = json!({ "rows": rows.len(), "shown": shown });
        sections.sections.push((format!("table {}", self.name), text, value));
        Ok(())
    }
}

impl Upserting {
    /// The first rows as text, and how many there are.
    fn listing(&self, rows: &[Vec<Value>]) -> String {
        let shown = rows.len().min(self.show.print);
        let mut text = String::new();
        if shown > 0 {
            let align = |ty: DataType| match ty {
                DataType::Bigint | DataType::Double | DataType::Interval => Align::Right,
                DataType::Boolean | DataType::Text | DataType::Timestamp => Align::Left,
            };
            let mut table = TextTable::new(self.columns.iter().map(|c| (&*c.name, align(c.ty))));
            for row in &rows[..shown] {
                table.row(row.iter().map(|value| {
                    let mut cell = String::new();
                    Cell::from(value).write(&mut cell);
                    cell
                }));
            }
            text = table.render();
        }
        match shown == rows.len() {
            true => text + &format!("{} rows\n", rows.len()),
            false => text + &format!("{shown} of {} rows\n", rows.len()),
        }
    }
}
