//! The rows of a table at the end of a run, in the order of insertion: the first of them as text, all of them in a file.
//!
//! Rows that live in the store are read from there, also those that are not in memory: as the last epoch knows them,
//! which after a run that ended well are all. Of them keys and numbers are held while they are put in order, and each
//! row is read when its turn has come.

use super::super::row_file::RowFile;
use super::super::{Align, TextTable};
use super::reader::unpacked;
use super::schema::Schema;
use super::{Show, Stored};
use crate::component::ComponentError;
use crate::store::{KeyRef, Life, StoreError};
use crate::tuple::{Cell, DataType, Value, json_value};
use serde_json::json;

/// Title, text and value of a section of the report.
type Section = (String, String, serde_json::Value);

/// More keys than are shown are held before the later ones are dropped.
const SLACK: usize = 1000;

/// How a table is listed.
pub(super) struct Listing<'a> {
    pub name: &'a str,
    pub schema: &'a Schema,
    pub show: &'a Show,
}

fn refused(error: &StoreError) -> ComponentError {
    ComponentError::new(error.to_string())
}

/// The living rows of a task without a store, in the order of insertion.
pub(super) fn in_memory(
    rows: &Stored,
    newest: i64,
    ttl: i64,
    schema: &Schema,
    name: &str,
) -> Result<Vec<Vec<Value>>, ComponentError> {
    let living = rows.touched_values().filter(|(time, _)| newest.saturating_sub(*time) <= ttl);
    let mut living: Vec<_> = living.map(|(_, row)| row).collect();
    living.sort_unstable_by_key(|row| row.order);
    living.iter().map(|row| unpacked(row, schema, name).map_err(|error| refused(&error))).collect()
}

impl Listing<'_> {
    /// The section of rows that are at hand.
    pub fn of_rows(&self, rows: Vec<Vec<Value>>) -> Result<Section, ComponentError> {
        self.section(rows.len(), &mut rows.into_iter().map(Ok))
    }

    /// The section of the rows of a handle; those whose last change lies more than `ttl` before `newest` are gone.
    pub fn of_store(&self, life: &Life, newest: i64, ttl: i64) -> Result<Section, ComponentError> {
        let (mut count, mut found) = (0, Vec::new());
        let shown = if self.show.export.is_some() { usize::MAX } else { self.show.print };
        let mut failed = None;
        let scanned = life.space().scan(life.place(), &mut |key, content| {
            let (time, row) = match Stored::read(content) {
                Ok(read) => read,
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            };
            if newest.saturating_sub(time) <= ttl {
                count += 1;
                found.push((row.order, Box::<[u8]>::from(key)));
                if found.len() > shown.saturating_mul(2).saturating_add(SLACK) {
                    found.sort_unstable();
                    found.truncate(shown);
                }
            }
            true
        });
        scanned.and(failed.map_or(Ok(()), Err)).map_err(|error| refused(&error))?;
        found.sort_unstable();
        let read = |(_, key): (u64, Box<[u8]>)| {
            // Where a run is broken off while an epoch becomes durable, a row may have been removed meanwhile.
            let content = life.space().entry(life.place(), KeyRef::new(&key)).transpose()?;
            let row = content.and_then(|content| unpacked(&Stored::read(&content)?.1, self.schema, self.name));
            Some(row.map_err(|error| refused(&error)))
        };
        self.section(count, &mut found.into_iter().filter_map(read))
    }

    /// The section of `count` rows, of which at least those that are shown, or exported, are given in their order.
    fn section(
        &self,
        count: usize,
        rows: &mut dyn Iterator<Item = Result<Vec<Value>, ComponentError>>,
    ) -> Result<Section, ComponentError> {
        let columns = &self.schema.columns;
        let mut shown = Vec::new();
        let mut written = String::new();
        match &self.show.export {
            None => shown = rows.take(self.show.print).collect::<Result<_, _>>()?,
            Some(spec) => {
                let mut file = RowFile::create(spec, columns)?;
                for row in rows {
                    let row = row?;
                    file.row(row.iter().map(Cell::from))?;
                    if shown.len() < self.show.print {
                        shown.push(row);
                    }
                }
                file.close()?;
                written = format!("written to {}\n", spec.path);
            }
        }
        let object = |row: &Vec<Value>| {
            let fields = columns.iter().zip(row).map(|(c, v)| (c.name.clone(), json_value(Cell::from(v))));
            serde_json::Value::Object(fields.collect())
        };
        let objects: Vec<serde_json::Value> = shown.iter().map(object).collect();
        let counted = match shown.len() == count {
            true => format!("{count} rows\n"),
            false => format!("{} of {count} rows\n", shown.len()),
        };
        let text = rows_as_text(self.schema, &shown) + &counted + &written;
        Ok((format!("table {}", self.name), text, json!({ "rows": count, "shown": objects })))
    }
}

/// Rows of a table as text under the names of its columns; nothing without rows.
pub fn rows_as_text(schema: &Schema, rows: &[Vec<Value>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let align = |ty: DataType| match ty {
        DataType::Bigint | DataType::Double | DataType::Interval => Align::Right,
        DataType::Boolean | DataType::Text | DataType::Timestamp => Align::Left,
    };
    let mut table = TextTable::new(schema.columns.iter().map(|c| (&*c.name, align(c.ty))));
    for row in rows {
        table.row(row.iter().map(|value| {
            let mut cell = String::new();
            Cell::from(value).write(&mut cell);
            cell
        }));
    }
    table.render()
}
