//! Comparing what left with what was expected, in words.

use super::tap::{Row, Rows};
use crate::component::{Node, NodeValue};
use crate::config::{Checked, ExpectRow, StreamId, TestModel, cell};
use crate::expr::{self, Scope, ScopeColumn};
use crate::time;
use crate::tuple::{Arena, Column, Layout, Run, Value};

/// The differences between the rows of the taps and what the test expects, in words.
pub fn compare(checked: &Checked, test: &TestModel, taps: &[(StreamId, Rows)]) -> Vec<String> {
    let mut differences = Vec::new();
    for (stream, rows) in taps {
        let described = &checked.streams[*stream];
        let columns: Vec<Column> = described.columns.iter().map(|c| c.column.clone()).collect();
        let mut left: Vec<Row> = rows.all();
        let expected: Vec<&ExpectRow> = test.expect.iter().filter(|e| e.stream == described.name).collect();
        let mut missing = Vec::new();
        for expect in expected {
            let difference = |row: &Row| mismatch(checked, &described.name, &columns, test, expect, row);
            match left.iter().position(|row| difference(row).is_none()) {
                Some(at) => drop(left.remove(at)),
                None => missing.push(expect),
            }
        }
        for expect in missing {
            let at = expect.at.map_or(String::new(), |at| format!("at {}: ", length(at)));
            let mut text = format!("{at}{} should have a row {}", described.name, shown(&expect.row));
            // The row that it was probably meant to be: the first one left over.
            if let Some(row) = left.first() {
                let why = mismatch(checked, &described.name, &columns, test, expect, row).unwrap_or_default();
                text.push_str(&format!("\n    the next row that is there differs: {why}"));
            } else {
                text.push_str("\n    but no further row has left");
            }
            differences.push(text);
        }
        for row in left {
            let at = length(row.0 - test.start);
            differences.push(format!("at {at}: {} has a row too many: {}", described.name, row_text(&columns, &row)));
        }
    }
    differences
}

/// Why a row is not the expected one; none if it is.
fn mismatch(
    checked: &Checked,
    stream: &str,
    columns: &[Column],
    test: &TestModel,
    expect: &ExpectRow,
    row: &Row,
) -> Option<String> {
    if let Some(at) = expect.at
        && row.0 != test.start.saturating_add(at)
    {
        return Some(format!("it is at {}", length(row.0 - test.start)));
    }
    match &expect.row.value {
        NodeValue::Table(table) => table.entries.iter().find_map(|(key, node)| {
            let Some(at) = columns.iter().position(|c| c.is(&key.name)) else {
                return Some(format!("there is no column {}", key.name));
            };
            match cell(node, columns[at].ty, test.start) {
                Ok(wanted) if same(&wanted, &row.1[at]) => None,
                Ok(_) => Some(format!("{} is {}", columns[at].name, value_text(&row.1[at]))),
                Err(message) => Some(format!("{}: {message}", key.name)),
            }
        }),
        NodeValue::Text(condition) => condition_fails(checked, stream, columns, &condition.text, row),
        other => Some(format!("the expectation is {}", other.kind())),
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Double(a), Value::Double(b)) => a == b || a.is_nan() && b.is_nan(),
        _ => wanted == found,
    }
}

fn condition_fails(checked: &Checked, stream: &str, columns: &[Column], text: &str, row: &Row) -> Option<String> {
    let scope: Vec<ScopeColumn<'_>> = columns.iter().map(|column| ScopeColumn { stream, column }).collect();
    let scope = Scope { columns: &scope, environment: &checked.environment };
    let condition = match expr::check(text, &scope) {
        Ok(condition) => condition.value,
        Err(errors) => return Some(errors.first().map_or("it cannot be checked".to_owned(), |e| e.message.clone())),
    };
    let layout = Layout::new(columns.len());
    let mut run = Run::new(layout);
    let (frame, arena) = run.push();
    frame.set_time(row.0);
    for (n, value) in row.1.iter().enumerate() {
        value.put(frame, layout.slot(n), arena);
    }
    match condition.compile(&|n| layout.slot(n)).test(run.frame(0), &Arena::new()) {
        Ok(true) => None,
        Ok(false) => Some(format!("it is {}", row_text(columns, row))),
        Err(error) => Some(format!("the condition fails on it: {} {}", error.reason, error.detail)),
    }
}

fn length(micros: i64) -> String {
    let mut out = String::new();
    time::format_interval(micros, &mut out);
    out
}

fn shown(node: &Node) -> String {
    match &node.value {
        NodeValue::Table(table) => {
            let cells: Vec<_> = table.entries.iter().map(|(k, v)| format!("{} = {}", k.name, plain(v))).collect();
            format!("{{ {} }}", cells.join(", "))
        }
        NodeValue::Text(text) => format!("for which {}", text.text),
        other => other.kind().to_owned(),
    }
}

fn plain(node: &Node) -> String {
    match &node.value {
        NodeValue::Text(t) => format!("\"{}\"", t.text),
        NodeValue::Integer(i) => i.to_string(),
        NodeValue::Float(f) => f.to_string(),
        NodeValue::Boolean(b) => b.to_string(),
        NodeValue::Datetime(t) => t.clone(),
        other => other.kind().to_owned(),
    }
}

fn row_text(columns: &[Column], row: &Row) -> String {
    let cells: Vec<_> = columns.iter().zip(&row.1).map(|(c, v)| format!("{} = {}", c.name, value_text(v))).collect();
    format!("{{ {} }}", cells.join(", "))
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(b) => b.to_string(),
        Value::Bigint(i) => i.to_string(),
        Value::Double(d) => d.to_string(),
        Value::Text(t) => format!("\"{t}\""),
        Value::Interval(i) => length(*i),
        Value::Timestamp(t) => {
            let mut out = String::new();
            time::format_timestamp(*t, &mut out);
            out
        }
    }
}
