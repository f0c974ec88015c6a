//! Comparing what left with what was expected, in words.

use super::tap::{Row, Rows};
use crate::component::{Node, NodeValue};
use crate::config::{Checked, ExpectRow, StreamId, TestModel, cell};
use crate::expr::{self, Scope, ScopeColumn};
use crate::time;
use crate::tuple::{Arena, Column, Layout, Run, Value};

/// A difference, in words.
pub struct Difference {
    /// The words.
    pub text: String,
    /// The number of the expectation that no row meets; none: a row is one too many.
    pub missing: Option<usize>,
}

/// The differences between the rows of the taps and what the test expects.
pub fn compare(checked: &Checked, test: &TestModel, taps: &[(StreamId, Rows)]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (stream, rows) in taps {
        let described = &checked.streams[*stream];
        let columns: Vec<Column> = described.columns.iter().map(|c| c.column.clone()).collect();
        let judge = Judge { checked, test, stream: &described.name, columns: &columns };
        let rows: Vec<Row> = rows.all();
        let expected: Vec<&ExpectRow> = test.expect.iter().filter(|e| e.stream == described.name).collect();
        let (missing, mut left) = judge.assign(&expected, &rows);
        for expect in missing {
            let at = expect.at.map_or(String::new(), |at| format!("at {}: ", length(at)));
            let mut text = format!("{at}{} should have a row {}", described.name, shown(&expect.row));
            // The row that it was probably meant to be is not one too many as well.
            match judge.nearest(expect, &rows, &left) {
                Some((at, why)) => {
                    left.remove(at);
                    text.push_str(&format!("\n    the nearest that has left {}", why.join(" and ")));
                }
                None => text.push_str("\n    but none like it has left"),
            }
            let missing = test.expect.iter().position(|other| std::ptr::eq(other, expect));
            differences.push(Difference { text, missing });
        }
        for row in left.into_iter().map(|n| &rows[n]) {
            let at = length(row.0 - test.start);
            let text = format!("at {at}: {} has a row too many: {}", described.name, row_text(&columns, row));
            differences.push(Difference { text, missing: None });
        }
    }
    differences
}

/// Holds the rows of a stream against expectations.
struct Judge<'a> {
    checked: &'a Checked,
    test: &'a TestModel,
    stream: &'a str,
    columns: &'a [Column],
}

impl Judge<'_> {
    /// Gives each expectation a row of its own, as many as can have one whatever their order (augmenting paths in the
    /// graph of what fits). The expectations without a row, and the numbers of the rows that none has taken.
    fn assign<'e>(&self, expected: &[&'e ExpectRow], rows: &[Row]) -> (Vec<&'e ExpectRow>, Vec<usize>) {
        let fits: Vec<Vec<usize>> = expected
            .iter()
            .map(|expect| (0..rows.len()).filter(|n| self.mismatches(expect, &rows[*n]).0.is_empty()).collect())
            .collect();
        let mut taken: Vec<Option<usize>> = vec![None; rows.len()];
        let mut missing = Vec::new();
        for (number, expect) in expected.iter().enumerate() {
            if !take(number, &fits, &mut taken, &mut vec![false; rows.len()]) {
                missing.push(*expect);
            }
        }
        (missing, (0..rows.len()).filter(|n| taken[*n].is_none()).collect())
    }

    /// The row of `left` that differs least from an expectation, if anything of it is right: its place in `left`, and
    /// how it differs.
    fn nearest(&self, expect: &ExpectRow, rows: &[Row], left: &[usize]) -> Option<(usize, Vec<String>)> {
        let judged = left.iter().enumerate().map(|(at, row)| (at, self.mismatches(expect, &rows[*row])));
        let nearest = judged.filter(|(_, (why, asked))| why.len() < *asked).min_by_key(|(_, (why, _))| why.len())?;
        Some((nearest.0, nearest.1.0))
    }

    /// Why a row is not the expected one, none if it is; and how many things were asked of it.
    fn mismatches(&self, expect: &ExpectRow, row: &Row) -> (Vec<String>, usize) {
        let (mut why, mut asked) = (Vec::new(), 0);
        if let Some(at) = expect.at {
            asked += 1;
            if row.0 != self.test.start.saturating_add(at) {
                why.push(format!("is at {}", length(row.0 - self.test.start)));
            }
        }
        match &expect.row.value {
            NodeValue::Table(table) => {
                asked += table.entries.len();
                why.extend(table.entries.iter().filter_map(|(key, node)| self.cell(&key.name, node, row)));
            }
            NodeValue::Text(condition) => {
                asked += 1;
                why.extend(condition_fails(self.checked, self.stream, self.columns, &condition.text, row));
            }
            other => why.push(format!("cannot be {}", other.kind())),
        }
        (why, asked)
    }

    /// Why a cell is not the expected one.
    fn cell(&self, name: &str, node: &Node, row: &Row) -> Option<String> {
        let Some(at) = self.columns.iter().position(|c| c.is(name)) else {
            return Some(format!("has no column {name}"));
        };
        match cell(node, self.columns[at].ty, self.test.start) {
            Ok(wanted) if same(&wanted, &row.1[at]) => None,
            Ok(_) => Some(format!("has {} = {}", self.columns[at].name, value_text(&row.1[at]))),
            Err(message) => Some(format!("has {name}, but {message}")),
        }
    }
}

/// Finds a row for an expectation, if need be by moving others to rows that fit them as well.
fn take(number: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &row in &fits[number] {
        if std::mem::replace(&mut seen[row], true) {
            continue;
        }
        if taken[row].is_none_or(|other| take(other, fits, taken, seen)) {
            taken[row] = Some(number);
            return true;
        }
    }
    false
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
        Err(errors) => {
            return Some(
                errors.first().map_or("cannot be checked".to_owned(), |e| format!("cannot be checked: {}", e.message)),
            );
        }
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
        Ok(false) => Some(format!("is {}", row_text(columns, row))),
        Err(error) => Some(format!("makes the condition fail: {} {}", error.reason, error.detail)),
    }
}

/// A length as people write it in a test: `90s` is `1m30s`.
pub fn length(micros: i64) -> String {
    let mut text = if micros < 0 { "-".to_owned() } else { String::new() };
    let mut rest = micros.unsigned_abs();
    for (unit, size) in UNITS {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if micros == 0 { "0s".to_owned() } else { text }
}

const UNITS: [(&str, u64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_they_are_written() {
        for text in ["0s", "5s", "1m30s", "2h", "1d3h", "250ms", "1us", "-1m"] {
            assert_eq!(length(time::parse_interval(text).unwrap()), text);
        }
    }

    #[test]
    fn an_expectation_moves_to_another_row_that_fits() {
        // The first fits both rows, the second only row 0.
        let fits = [vec![0, 1], vec![0]];
        let mut taken = [None; 2];
        assert!(take(0, &fits, &mut taken, &mut [false; 2]));
        assert!(take(1, &fits, &mut taken, &mut [false; 2]));
        assert_eq!(taken, [Some(1), Some(0)]);
    }
}
