//! From TOML text to a tree of values with places.

use crate::component::{Key, Node, NodeValue, Table, TextNode};
use crate::problem::{FileId, Problem, Problems, Span};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parses a file; every syntax error is a problem, and what could be read is given nevertheless.
pub fn parse(file: FileId, text: &str, problems: &Problems) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut table_twice = None;
    for error in errors {
        let range = error.span().unwrap_or(0..0);
        let message = error.message().trim().to_owned();
        if message == "duplicate key" {
            let table = header(text, range.start);
            // The keys of a table that is there twice are there twice as well.
            if table_twice != Some(table) {
                table_twice = (range.start < table.1).then_some(table);
                problems.push(twice(file, text, range, table));
            }
            continue;
        }
        let mut problem = Problem::error(message.clone()).at(Span::new(file, range));
        if message.contains("escape") {
            problem = problem.hint("use a literal string: '''...'''");
        }
        problems.push(problem);
    }
    Parser { file, text }.table(table.get_ref())
}

/// First and last byte of the header line that `at` stands in or below; the start of the file where there is none.
fn header(text: &str, at: usize) -> (usize, usize) {
    let mut found = (0, 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if start > at {
            break;
        }
        if line.trim_start().starts_with('[') {
            found = (start, start + line.trim_end().len());
        }
        start += line.len();
    }
    found
}

/// A key, or a table, that is there twice, with its first place where that can be told.
fn twice(file: FileId, text: &str, range: Range<usize>, table: (usize, usize)) -> Problem {
    let name = text.get(range.clone()).unwrap_or_default();
    let problem = Problem::error(format!("`{name}` is there twice")).at(Span::new(file, range.clone()));
    let (from, to, prefix) = match range.start < table.1 {
        true => (0, table.0, text.get(table.0..table.1).unwrap_or_default().trim_start()),
        false => (table.1, range.start, name),
    };
    let mut start = from;
    for line in text.get(from..to).unwrap_or_default().split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let rest = line.trim_start().strip_prefix(prefix);
        if rest.is_some_and(|r| r.trim_start().starts_with(['=', '.', '#']) || r.trim().is_empty()) {
            let first = Span::new(file, start + indent..start + indent + prefix.len());
            return problem.label("the second time").also(first, "the first time");
        }
        start += line.len();
    }
    problem
}

/// Parses one value, as `--set name=value` gives it; what is no TOML value is a string.
pub fn parse_value(file: FileId, text: &str) -> Node {
    let span = Span::new(file, 0..text.len());
    match DeValue::parse(text) {
        Ok(value) => Parser { file, text }.node(&value),
        Err(_) => Node { span, value: NodeValue::Text(TextNode { text: text.to_owned(), start: None }) },
    }
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
}

impl Parser<'_> {
    fn table(&self, table: &DeTable<'_>) -> Table {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (Key { name: name.to_string(), span: Span::new(self.file, key.span()) }, self.node(value))
        };
        Table { entries: table.iter().map(entry).collect() }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let range = value.span();
        let node = match value.get_ref() {
            DeValue::String(text) => {
                let start = self.start_of(text, range.clone());
                NodeValue::Text(TextNode { text: text.to_string(), start })
            }
            DeValue::Integer(integer) => {
                match i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
                    Ok(integer) => NodeValue::Integer(integer),
                    Err(_) => NodeValue::Float(integer.as_str().replace('_', "").parse().unwrap_or(f64::NAN)),
                }
            }
            DeValue::Float(float) => NodeValue::Float(float.as_str().replace('_', "").parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => NodeValue::Boolean(*boolean),
            DeValue::Datetime(datetime) => NodeValue::Datetime(datetime.to_string()),
            DeValue::Array(array) => NodeValue::Array(array.iter().map(|v| self.node(v)).collect()),
            DeValue::Table(table) => NodeValue::Table(self.table(table)),
        };
        Node { span: Span::new(self.file, range), value: node }
    }

    /// Where a string's text starts, if it stands in the file letter for letter.
    fn start_of(&self, text: &str, range: Range<usize>) -> Option<u32> {
        let raw = self.text.get(range.clone())?;
        let quotes = if raw.starts_with("'''") || raw.starts_with("\"\"\"") { 3 } else { 1 };
        let mut at = quotes;
        if quotes == 3 {
            // A newline right behind the opening quotes does not belong to the text.
            at += raw.get(3..).map_or(0, |r| if r.starts_with("\r\n") { 2 } else { usize::from(r.starts_with('\n')) });
        }
        raw.get(at..)?.starts_with(text).then_some((range.start + at) as u32)
    }
}
