//! Tables in a store, for readers: which there are, rows by key, all rows. The topology file is not needed, and the
//! topology may be running. Rows whose time to live is over at the time of the last epoch are not there.

use super::row::Row;
use super::schema::Schema;
use super::{HANDLE, Stored};
use crate::bolts::cells;
use crate::store::{self, Catalogue, KeyRef, Place, StoreError};
use crate::tuple::{DataType, Value};

/// A table as the last epoch of its topology knows it.
pub struct TableReader<'a> {
    catalogue: &'a Catalogue,
    name: String,
    schema: Schema,
    place: Place,
}

impl<'a> TableReader<'a> {
    /// The table of this name; none if there is none.
    pub fn open(catalogue: &'a Catalogue, name: &str) -> Option<TableReader<'a>> {
        let facts = catalogue.handle(name, HANDLE)?;
        let schema = Schema::parse(&facts.fingerprint)?;
        Some(TableReader { catalogue, name: name.to_owned(), schema, place: facts.place() })
    }

    /// All tables, by name.
    pub fn all(catalogue: &'a Catalogue) -> Vec<TableReader<'a>> {
        let components = catalogue.handles().keys().filter_map(|name| name.rsplit_once('/'));
        let tables = components.filter(|(_, handle)| *handle == HANDLE);
        tables.filter_map(|(name, _)| TableReader::open(catalogue, name)).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The handle that its rows are in.
    pub fn handle(&self) -> &'static str {
        HANDLE
    }

    /// Its columns and key.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The row with a key of these values, given as text, one for each column of the key.
    ///
    /// # Errors
    /// A value is missing or not of its column's type, or the store cannot be read: in words.
    pub fn get(&self, key: &[String]) -> Result<Option<Vec<Value>>, String> {
        let names = self.schema.key_names();
        let values = key_of_texts(&names, &self.schema.key_types(), key)?;
        let Some(bytes) = store::key_bytes(&values) else { return Ok(None) };
        let found = self.catalogue.entry(self.place, KeyRef::new(&bytes), |stored| self.living(stored));
        found.and_then(|found| found.unwrap_or(Ok(None))).map_err(|error| error.to_string())
    }

    /// Gives all rows, in no order, until `each` says false.
    ///
    /// # Errors
    /// The store cannot be read, or a row is damaged.
    pub fn scan(&self, each: &mut dyn FnMut(Vec<Value>) -> bool) -> Result<(), StoreError> {
        let mut failed = None;
        self.catalogue.scan(self.place, &mut |stored| match self.living(stored) {
            Ok(Some(row)) => each(row),
            Ok(None) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The content of an entry as a row.
    ///
    /// # Errors
    /// It is not what was written.
    pub fn row(&self, content: &[u8]) -> Result<Vec<Value>, StoreError> {
        unpacked(&Stored::read(content)?.1, &self.schema, &self.name)
    }

    fn living(&self, stored: store::Stored<'_>) -> Result<Option<Vec<Value>>, StoreError> {
        if self.catalogue.is_expired(stored.expires) { Ok(None) } else { self.row(stored.content).map(Some) }
    }
}

/// The values of a row of the table `name`.
pub(super) fn unpacked(row: &Row, schema: &Schema, name: &str) -> Result<Vec<Value>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: format!("a row of table `{name}`"),
        why: "its columns are not those of the table".to_owned(),
    };
    cells::unpack(&row.cells, schema.types()).ok_or_else(damaged)
}

/// The values of a key given as texts, for columns of these names and types.
///
/// # Errors
/// There are more or fewer texts than columns, or one of them is no value of its type: in words.
pub fn key_of_texts(names: &[String], types: &[DataType], texts: &[String]) -> Result<Vec<Value>, String> {
    if texts.len() != types.len() {
        let typed: Vec<String> = names.iter().zip(types).map(|(name, ty)| format!("{name} ({ty})")).collect();
        let (n, given) = (types.len(), texts.len());
        let plural = if n == 1 { "" } else { "s" };
        return Err(format!(
            "the key has {n} column{plural}, {}: give {n} value{plural}, not {given}",
            typed.join(", ")
        ));
    }
    let value = |((text, ty), name): ((&String, &DataType), &String)| {
        value_of_text(text, *ty).map_err(|why| format!("column `{name}` of the key: {why}"))
    };
    texts.iter().zip(types).zip(names).map(value).collect()
}

fn value_of_text(text: &str, ty: DataType) -> Result<Value, String> {
    let wrong = || format!("`{text}` is not a {ty}");
    Ok(match ty {
        DataType::Text => Value::Text(text.to_owned()),
        DataType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Value::Boolean(true),
            "false" | "f" | "no" | "off" | "0" => Value::Boolean(false),
            _ => return Err(wrong()),
        },
        DataType::Bigint => Value::Bigint(text.trim().parse().map_err(|_| wrong())?),
        DataType::Double => Value::Double(text.trim().parse().map_err(|_| wrong())?),
        DataType::Timestamp => Value::Timestamp(crate::time::parse_timestamp(text)?),
        DataType::Interval => Value::Interval(crate::time::parse_interval(text)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_by_their_types() {
        let names: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
        let types = [DataType::Bigint, DataType::Text];
        let read =
            |texts: &[&str]| key_of_texts(&names, &types, &texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["-7", " x"]), Ok(vec![Value::Bigint(-7), Value::Text(" x".to_owned())]));
        assert_eq!(read(&["x", "x"]), Err("column `a` of the key: `x` is not a bigint".to_owned()));
        let count = "the key has 2 columns, a (bigint), b (text): give 2 values, not 1";
        assert_eq!(read(&["1"]), Err(count.to_owned()));
        let time = Value::Timestamp(1_704_067_200_000_000);
        assert_eq!(value_of_text("2024-01-01T00:00:00Z", DataType::Timestamp), Ok(time));
        assert_eq!(value_of_text("1h", DataType::Interval), Ok(Value::Interval(3_600_000_000)));
    }
}
