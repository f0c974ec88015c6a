//! Rows of a test: from what the user wrote to values.

use crate::component::Table;
use crate::config::{Checked, Owner, StreamId, TestModel, cell};
use crate::tuple::{Column, DataType, Value};

/// A row of a reference table; what does not convert is NULL (the check has reported it).
pub fn table_row(columns: &[Column], row: &Table, start: i64) -> Vec<Value> {
    let value = |c: &Column| {
        let node = row.entries.iter().find(|(key, _)| c.is(&key.name)).map(|(_, node)| node);
        node.and_then(|n| cell(n, c.ty, start).ok()).unwrap_or(Value::Null)
    };
    columns.iter().map(value).collect()
}

/// A row of `given`: its cells, then the defaults of the stream, then NULL (for a column that is never NULL: zero or
/// empty). The time column of a spout's stream is `now` unless given.
pub fn given(
    checked: &Checked,
    stream: StreamId,
    test: &TestModel,
    row: &Table,
    now: i64,
) -> Result<Vec<Value>, String> {
    let described = &checked.streams[stream];
    let time = match described.owner {
        Owner::Spout(spout) if described.port == 0 => checked.spouts[spout].plan.time(),
        _ => None,
    };
    let defaults = test.defaults.iter().find(|(name, _)| *name == described.name).map(|(_, table)| table);
    let mut values = Vec::new();
    for (n, column) in described.columns.iter().map(|c| &c.column).enumerate() {
        let find = |table: &Table| table.entries.iter().find(|(k, _)| column.is(&k.name)).map(|(_, v)| v.clone());
        let node = find(row).or_else(|| defaults.and_then(find));
        values.push(match node {
            Some(node) => cell(&node, column.ty, test.start)
                .map_err(|e| format!("given {}: column {}: {e}", described.name, column.name))?,
            None if time == Some(n) => Value::Timestamp(now),
            None if column.nullable => Value::Null,
            None => zero(column.ty, now),
        });
    }
    Ok(values)
}

fn zero(ty: DataType, now: i64) -> Value {
    match ty {
        DataType::Boolean => Value::Boolean(false),
        DataType::Bigint => Value::Bigint(0),
        DataType::Double => Value::Double(0.0),
        DataType::Text => Value::Text(String::new()),
        DataType::Timestamp => Value::Timestamp(now),
        DataType::Interval => Value::Interval(0),
    }
}
