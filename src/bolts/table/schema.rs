//! What the rows of a table mean: columns and key, as the store keeps them for whoever reads without the topology file.

use crate::tuple::{Column, DataType};
use serde::{Deserialize, Serialize};

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// All columns.
    pub columns: Vec<Column>,
    /// Which of them are the key, in its order.
    pub key: Vec<usize>,
}

/// A schema as it is written; what it was called and what it could hold, not whether it could be NULL.
#[derive(Serialize, Deserialize)]
struct Written {
    columns: Vec<(String, String)>,
    key: Vec<String>,
}

impl Schema {
    /// In words that [`Schema::parse`] reads.
    pub fn text(&self) -> String {
        let columns = self.columns.iter().map(|c| (c.name.clone(), c.ty.to_string())).collect();
        let written = Written { columns, key: self.key_names() };
        serde_json::to_string(&written).expect("names and types are texts")
    }

    /// What [`Schema::text`] wrote; none if it is something else.
    pub fn parse(text: &str) -> Option<Schema> {
        let written: Written = serde_json::from_str(text).ok()?;
        let column = |(name, ty): (String, String)| Some(Column::new(name, ty.parse::<DataType>().ok()?));
        let columns: Vec<Column> = written.columns.into_iter().map(column).collect::<Option<_>>()?;
        let place = |name: &String| columns.iter().position(|c| c.name == *name);
        let key = written.key.iter().map(place).collect::<Option<_>>()?;
        Some(Schema { columns, key })
    }

    /// The names of the key's columns.
    pub fn key_names(&self) -> Vec<String> {
        self.key.iter().filter_map(|at| Some(self.columns.get(*at)?.name.clone())).collect()
    }

    /// The types of the key's columns.
    pub fn key_types(&self) -> Vec<DataType> {
        self.key.iter().filter_map(|at| Some(self.columns.get(*at)?.ty)).collect()
    }

    /// The types of all columns.
    pub fn types(&self) -> impl Iterator<Item = DataType> {
        self.columns.iter().map(|c| c.ty)
    }

    /// In which way `new` differs from this one; none if rows of this one are rows of the other.
    pub fn changes(&self, new: &Schema) -> Option<String> {
        let mut changes = Vec::new();
        for old in &self.columns {
            match new.columns.iter().find(|c| c.is(&old.name)) {
                None => changes.push(format!("column `{}` is gone", old.name)),
                Some(c) if c.ty != old.ty => {
                    changes.push(format!("column `{}` was a {} and is a {} now", old.name, old.ty, c.ty));
                }
                Some(c) if c.name != old.name => changes.push(format!("column `{}` is `{}` now", old.name, c.name)),
                Some(_) => {}
            }
        }
        let is_new = |c: &&Column| !self.columns.iter().any(|old| old.is(&c.name));
        changes.extend(new.columns.iter().filter(is_new).map(|c| format!("column `{}` is new", c.name)));
        let same_place = |(a, b): (&Column, &Column)| a.name == b.name;
        if changes.is_empty() && !self.columns.iter().zip(&new.columns).all(same_place) {
            changes.push("the columns stand in another order".to_owned());
        }
        let (was, is) = (self.key_names(), new.key_names());
        if was != is {
            changes.push(format!("the key was {} and is {} now", was.join(", "), is.join(", ")));
        }
        (!changes.is_empty()).then(|| changes.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: &[(&str, DataType)], key: &[usize]) -> Schema {
        Schema { columns: columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect(), key: key.to_vec() }
    }

    #[test]
    fn a_schema_is_read_as_it_was_written() {
        let odd = schema(&[("a \"b\"", DataType::Text), ("c,d", DataType::Interval), ("é", DataType::Double)], &[2, 0]);
        assert_eq!(Schema::parse(&odd.text()), Some(odd));
        for other in ["", "times of the last 3 rows", "{\"columns\":[[\"a\",\"blob\"]],\"key\":[\"a\"]}"] {
            assert_eq!(Schema::parse(other), None, "{other}");
        }
    }

    #[test]
    fn changes_are_named() {
        use DataType::{Bigint, Double, Text};
        let old = schema(&[("a", Bigint), ("b", Text)], &[0]);
        assert_eq!(old.changes(&old), None);
        let changes = |columns: &[(&str, DataType)], key: &[usize]| old.changes(&schema(columns, key)).unwrap();
        assert_eq!(changes(&[("a", Bigint), ("c", Text)], &[0]), "column `b` is gone; column `c` is new");
        assert_eq!(changes(&[("a", Double), ("b", Text)], &[0]), "column `a` was a bigint and is a double now");
        assert_eq!(changes(&[("b", Text), ("a", Bigint)], &[1]), "the columns stand in another order");
        assert_eq!(changes(&[("a", Bigint), ("b", Text)], &[0, 1]), "the key was a and is a, b now");
        assert_eq!(changes(&[("A", Bigint), ("b", Text)], &[1]), "column `a` is `A` now; the key was a and is b now");
    }
}
