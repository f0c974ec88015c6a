//! Types of columns.

use std::fmt;
use std::str::FromStr;

/// The type of a column, with PostgreSQL's name and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataType {
    /// `boolean`; in a slot 0 or 1.
    Boolean,
    /// `bigint`, 64 bits; in a slot as two's complement.
    Bigint,
    /// `double precision`; in a slot its IEEE 754 bits.
    Double,
    /// `text`, UTF-8; in a slot a [`super::TextWord`].
    Text,
    /// `timestamp`, microseconds since 1970-01-01 00:00 UTC; in a slot as two's complement.
    Timestamp,
    /// `interval`, microseconds (months are not supported: they have no fixed length); in a slot as two's complement.
    Interval,
}

impl DataType {
    /// All types, in the order of the reference.
    pub const ALL: [DataType; 6] = [
        DataType::Boolean,
        DataType::Bigint,
        DataType::Double,
        DataType::Text,
        DataType::Timestamp,
        DataType::Interval,
    ];

    /// The name a user writes.
    pub fn name(self) -> &'static str {
        match self {
            DataType::Boolean => "boolean",
            DataType::Bigint => "bigint",
            DataType::Double => "double",
            DataType::Text => "text",
            DataType::Timestamp => "timestamp",
            DataType::Interval => "interval",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DataType {
    type Err = ();

    /// Accepts PostgreSQL's synonyms: `bool`, `int`, `integer`, `int8`, `float8`, `double precision`, `timestamptz`, ...
    fn from_str(s: &str) -> Result<DataType, ()> {
        Ok(match s.to_ascii_lowercase().as_str() {
            "boolean" | "bool" => DataType::Boolean,
            "bigint" | "int8" | "integer" | "int" | "int4" | "smallint" | "int2" => DataType::Bigint,
            "double" | "double precision" | "float8" | "float" | "real" => DataType::Double,
            "text" | "varchar" | "string" => DataType::Text,
            "timestamp" | "timestamptz" => DataType::Timestamp,
            "interval" => DataType::Interval,
            _ => return Err(()),
        })
    }
}

/// A column of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name as declared; compared without regard to case.
    pub name: String,
    /// Its type.
    pub ty: DataType,
    /// Whether NULL can occur.
    pub nullable: bool,
}

impl Column {
    /// A column that may be NULL.
    pub fn new(name: impl Into<String>, ty: DataType) -> Column {
        Column { name: name.into(), ty, nullable: true }
    }

    /// The same, never NULL.
    pub fn not_null(mut self) -> Column {
        self.nullable = false;
        self
    }

    /// Whether this is the column called `name`.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}
