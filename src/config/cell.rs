//! Cells of the rows in `[[tests]]`: from what the user wrote to values.

use crate::component::{Node, NodeValue};
use crate::time;
use crate::tuple::{DataType, Value};

/// A cell as a value of a column's type; `start` is what `"+30s"` counts from. What is wrong, for people.
pub fn cell(node: &Node, ty: DataType, start: i64) -> Result<Value, String> {
    let wrong = || format!("{} is not a {ty}", node.value.kind());
    Ok(match (&node.value, ty) {
        (NodeValue::Boolean(b), DataType::Boolean) => Value::Boolean(*b),
        (NodeValue::Integer(i), DataType::Bigint) => Value::Bigint(*i),
        (NodeValue::Integer(i), DataType::Double) => Value::Double(*i as f64),
        (NodeValue::Float(f), DataType::Double) => Value::Double(*f),
        (NodeValue::Text(t), DataType::Text) => Value::Text(t.text.clone()),
        (NodeValue::Text(t), DataType::Interval) => Value::Interval(time::parse_interval(&t.text)?),
        (NodeValue::Text(t), DataType::Timestamp) => match t.text.strip_prefix('+') {
            Some(after) => Value::Timestamp(start.saturating_add(time::parse_interval(after)?)),
            None => Value::Timestamp(time::parse_timestamp(&t.text)?),
        },
        (NodeValue::Datetime(t), DataType::Timestamp) => Value::Timestamp(time::parse_timestamp(t)?),
        _ => return Err(wrong()),
    })
}
