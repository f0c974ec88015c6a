//! Encoders: rows as CSV, as JSON and as text for people.
//!
//! Owns how a value is written outside ([`Cell`], [`Encoder`]). An encoder appends to a string that the caller owns and
//! reuses, so it allocates nothing in the steady state. Never writes to a file, never ends a line: what stands between
//! rows is the caller's business.
//!
//! | type | CSV and text | JSON |
//! | --- | --- | --- |
//! | NULL | CSV: nothing (a row of one column: `""`, as an empty line is no row); text: `null` | `null` |
//! | boolean | `true`, `false` | the same |
//! | bigint | digits | a number |
//! | double | PostgreSQL's shortest digits that read back as the same value: `900`, `0.25`, `1e+20`, `NaN`, `Infinity` | the same; `"NaN"`, `"Infinity"` and `"-Infinity"` are strings, as in PostgreSQL |
//! | text | CSV: quoted where RFC 4180 asks for it, where blanks stand at an end and where it is empty (which tells it from NULL) | a string |
//! | timestamp | RFC 3339 in UTC: `2024-01-02T03:04:05.678Z` | the same as a string |
//! | interval | as PostgreSQL prints it: `2 days 01:30:00` | the same as a string |

mod csv;
mod double;
mod json;
mod plain;

#[cfg(test)]
mod tests;

pub use double::{decimal, format_double};
pub use json::{json_string, json_value};
pub use plain::format_rfc3339;

use super::{Column, DataType, Frame, Slot, TextWord, Value};

/// A value that is about to be written; borrows its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `bigint`.
    Bigint(i64),
    /// `double`.
    Double(f64),
    /// `text`.
    Text(&'a str),
    /// `timestamp`, microseconds since 1970 UTC.
    Timestamp(i64),
    /// `interval`, microseconds.
    Interval(i64),
}

impl<'a> Cell<'a> {
    /// The content of a slot.
    #[inline]
    pub fn of_slot(frame: &'a Frame, slot: Slot, ty: DataType) -> Cell<'a> {
        let Some(word) = frame.get(slot) else { return Cell::Null };
        match ty {
            DataType::Boolean => Cell::Boolean(word != 0),
            DataType::Bigint => Cell::Bigint(word as i64),
            DataType::Double => Cell::Double(f64::from_bits(word)),
            DataType::Text => Cell::Text(TextWord(word).as_str()),
            DataType::Timestamp => Cell::Timestamp(word as i64),
            DataType::Interval => Cell::Interval(word as i64),
        }
    }

    /// Appends it as it is written outside of any format: the text itself, nothing for NULL.
    pub fn write(self, out: &mut String) {
        match self {
            Cell::Null => {}
            Cell::Boolean(b) => out.push_str(if b { "true" } else { "false" }),
            Cell::Bigint(i) => plain::format_bigint(i, out),
            Cell::Double(d) => format_double(d, out),
            Cell::Text(t) => out.push_str(t),
            Cell::Timestamp(t) => format_rfc3339(t, out),
            Cell::Interval(i) => crate::time::format_interval(i, out),
        }
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Cell<'a> {
        match value {
            Value::Null => Cell::Null,
            Value::Boolean(b) => Cell::Boolean(*b),
            Value::Bigint(i) => Cell::Bigint(*i),
            Value::Double(d) => Cell::Double(*d),
            Value::Text(t) => Cell::Text(t),
            Value::Timestamp(t) => Cell::Timestamp(*t),
            Value::Interval(i) => Cell::Interval(*i),
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma separated values (RFC 4180), columns by position.
    Csv,
    /// One JSON object.
    Json,
    /// `name=value name=value`, for people.
    Text,
}

/// Writes rows of the same columns in one format.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    names: Vec<String>,
    types: Vec<DataType>,
    /// What stands before each value.
    leads: Vec<String>,
}

impl Encoder {
    /// An encoder of these columns.
    pub fn new(format: Format, columns: &[Column]) -> Encoder {
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let lead = |(i, name): (usize, &String)| match format {
            Format::Csv => if i > 0 { "," } else { "" }.to_owned(),
            Format::Json => {
                let mut lead = if i > 0 { "," } else { "" }.to_owned();
                json_string(name, &mut lead);
                lead + ":"
            }
            Format::Text => format!("{}{name}=", if i > 0 { " " } else { "" }),
        };
        let leads = names.iter().enumerate().map(lead).collect();
        Encoder { format, leads, types: columns.iter().map(|c| c.ty).collect(), names }
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Appends the names of the columns as a row of CSV.
    pub fn header(&self, out: &mut String) {
        for (i, name) in self.names.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            csv::cell(Cell::Text(name), out);
        }
    }

    /// Appends a row whose cells stand in the order of the columns.
    pub fn row<'a>(&self, cells: impl IntoIterator<Item = Cell<'a>>, out: &mut String) {
        if self.format == Format::Json {
            out.push('{');
        }
        for (lead, cell) in self.leads.iter().zip(cells) {
            out.push_str(lead);
            match self.format {
                Format::Csv if self.leads.len() == 1 && cell == Cell::Null => out.push_str("\"\""),
                Format::Csv => csv::cell(cell, out),
                Format::Json => json::cell(cell, out),
                Format::Text => plain::cell(cell, out),
            }
        }
        if self.format == Format::Json {
            out.push('}');
        }
    }

    /// Appends the row that stands in these slots of a frame.
    pub fn frame(&self, frame: &Frame, slots: &[Slot], out: &mut String) {
        self.row(slots.iter().zip(&self.types).map(|(slot, ty)| Cell::of_slot(frame, *slot, *ty)), out);
    }

    /// Appends a row of owned values.
    pub fn values(&self, row: &[Value], out: &mut String) {
        self.row(row.iter().map(Cell::from), out);
    }
}
