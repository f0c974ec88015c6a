//! The row of a letter: the columns of a stream by name, as JSON has them.

use crate::time;
use crate::tuple::{DataType, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// A value of JSON that a column can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// A string.
    Text(String),
}

/// A row: names and values in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub Vec<(String, Scalar)>);

impl Row {
    /// The value of a column; none if the row has no such column.
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A value as one of this type; none if it is of another.
pub fn fits(value: &Scalar, ty: DataType) -> Option<Value> {
    Some(match (value, ty) {
        (Scalar::Null, _) => Value::Null,
        (Scalar::Boolean(b), DataType::Boolean) => Value::Boolean(*b),
        (Scalar::Integer(i), DataType::Bigint) => Value::Bigint(*i),
        (Scalar::Integer(i), DataType::Double) => Value::Double(*i as f64),
        (Scalar::Number(d), DataType::Double) => Value::Double(*d),
        // What JSON has no number for.
        (Scalar::Text(text), DataType::Double) => Value::Double(text.parse().ok()?),
        (Scalar::Text(text), DataType::Text) => Value::Text(text.clone()),
        (Scalar::Text(text), DataType::Timestamp) => Value::Timestamp(time::parse_timestamp(text).ok()?),
        (Scalar::Text(text), DataType::Interval) => Value::Interval(time::parse_interval(text).ok()?),
        _ => return None,
    })
}

struct Scalars;

impl Visitor<'_> for Scalars {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a number or a string")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(Scalars)
    }
}

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some(entry) = map.next_entry()? {
            row.0.push(entry);
        }
        Ok(row)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(Rows)
    }
}
