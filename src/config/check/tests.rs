//! `[[tests]]`: from tables to tests, with streams and columns looked up.

use super::super::cell;
use super::super::model::{ExpectRow, GivenRow, TestModel};
use super::Checker;
use crate::component::{Node, NodeValue, OptionSpec, Options, Table};
use crate::expr::{Scope, ScopeColumn};
use crate::problem::{Problem, Span, nearest};
use crate::time;
use crate::tuple::Column;

/// The keys of a test.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("name", "what the test shows"),
    OptionSpec::optional("start", "the event time at which `at` is \"0s\" (\"2024-01-01\")"),
    OptionSpec::optional(
        "defaults",
        "values for columns that the rows of a stream do not name: defaults.STREAM = { column = value }",
    ),
    OptionSpec::optional(
        "tables",
        "rows of reference tables, which are empty otherwise: tables.NAME = [ { column = value } ]",
    ),
    OptionSpec::optional(
        "given",
        "list of rows that are fed in: { at = \"0s\", STREAM = { column = value } }; `every` and `times` repeat one, `at` alone moves the clock",
    ),
    OptionSpec::optional(
        "expect",
        "list of all rows that leave on the streams it names: { at = \"2m\", STREAM = { column = value } }, or STREAM = \"condition\"",
    ),
    OptionSpec::optional("expect_none", "list of streams on which nothing leaves"),
];

/// 2024-01-01 00:00:00 UTC.
const START: i64 = 1_704_067_200_000_000;
/// Most rows that one `times` may unroll to.
const TIMES_MAX: i64 = 1_000_000;

impl Checker<'_> {
    /// The tests of the model.
    pub(super) fn tests(&self) -> Vec<TestModel> {
        self.model.tests.iter().filter_map(|node| self.test(node)).collect()
    }

    fn test(&self, node: &Node) -> Option<TestModel> {
        let NodeValue::Table(table) = &node.value else {
            self.problems.push(Problem::error("a test must be a table: [[tests]]").at(node.span));
            return None;
        };
        let span = table.get("name").map_or(node.span, |n| n.span);
        let options = Options { component: "tests", span, table, problems: self.problems };
        super::known_keys(&options, OPTIONS, &[]);
        let start = match options.node("start").map(|n| (n, &n.value)) {
            None => START,
            Some((node, NodeValue::Text(text))) => self.timestamp(node, &text.text),
            Some((node, NodeValue::Datetime(text))) => self.timestamp(node, text),
            Some((node, _)) => {
                options.wrong("start", node, "a timestamp");
                START
            }
        };
        let name = options.text("name").unwrap_or("").to_owned();
        let mut given = Vec::new();
        for row in list(&options, "given") {
            self.given(row, start, &options, &mut given);
        }
        given.sort_by_key(|row: &GivenRow| row.at);
        let expect = list(&options, "expect").into_iter().filter_map(|row| self.expect(row, start, &options)).collect();
        let none = options.texts("expect_none").unwrap_or_default();
        let none = none.into_iter().filter(|(name, node)| self.stream(name, node.span, "tests").is_some());
        Some(TestModel {
            name,
            span,
            start,
            defaults: self.defaults(start, &options),
            tables: self.table_rows(start, &options),
            given,
            expect,
            expect_none: none.map(|(name, node)| (name.to_owned(), node.span)).collect(),
        })
    }

    fn timestamp(&self, node: &Node, text: &str) -> i64 {
        time::parse_timestamp(text).unwrap_or_else(|why| {
            self.problems.push(Problem::error(why).at(node.span));
            START
        })
    }

    fn defaults(&self, start: i64, options: &Options<'_>) -> Vec<(String, Table)> {
        let Some(table) = options.table("defaults") else { return Vec::new() };
        let mut defaults = Vec::new();
        for (key, node) in &table.entries {
            if let Some(row) = self.row(&key.name, key.span, node, start) {
                defaults.push((key.name.clone(), row));
            }
        }
        defaults
    }

    fn table_rows(&self, start: i64, options: &Options<'_>) -> Vec<(String, Vec<Table>)> {
        let Some(tables) = options.table("tables") else { return Vec::new() };
        let mut found = Vec::new();
        for (key, node) in &tables.entries {
            if self.lacking.contains(&format!("{}[", key.name)) {
                continue;
            }
            let Some((table, _)) = self.tables.iter().find(|(t, _)| t.name == key.name) else {
                let names = self.tables.iter().map(|(t, _)| t.name.as_str());
                let mut problem = Problem::error(format!("there is no table `{}`", key.name)).at(key.span);
                if let Some(near) = nearest(&key.name, names) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                self.problems.push(problem.hint("reference tables are declared as [tables.NAME]"));
                continue;
            };
            let NodeValue::Array(rows) = &node.value else {
                options.wrong(&format!("tables.{}", key.name), node, "a list of rows");
                continue;
            };
            let rows: Vec<Table> = rows.iter().filter_map(|r| r.as_table().cloned()).collect();
            let columns: Vec<&Column> = table.columns.iter().collect();
            rows.iter().for_each(|row| self.cells(row, &table.name, &columns, start));
            found.push((key.name.clone(), rows));
        }
        found
    }

    /// A row of a stream: its columns are looked up.
    fn row(&self, stream: &str, span: Span, node: &Node, start: i64) -> Option<Table> {
        let id = self.stream(stream, span, "tests")?;
        let Some(row) = node.as_table() else {
            self.problems.push(
                Problem::error(format!("a row of `{stream}` must be a table, found {}", node.value.kind()))
                    .at(node.span)
                    .hint(format!("{stream} = {{ column = value }}")),
            );
            return None;
        };
        let columns: Vec<&Column> = self.streams[id].columns.iter().map(|c| &c.column).collect();
        self.cells(row, stream, &columns, start);
        Some(row.clone())
    }

    /// The cells of a row belong to columns and have their types.
    fn cells(&self, row: &Table, owner: &str, columns: &[&Column], start: i64) {
        for (key, node) in &row.entries {
            if let Some(column) = columns.iter().find(|c| c.is(&key.name)) {
                if let Err(why) = cell(node, column.ty, start) {
                    let message = format!("`{}` of `{owner}` is a {}: {why}", column.name, column.ty);
                    self.problems.push(Problem::error(message).at(node.span).of("tests"));
                }
                continue;
            }
            let names = || columns.iter().map(|c| c.name.as_str());
            let message = format!("`{owner}` has no column `{}`", key.name);
            let mut problem = Problem::error(message).at(key.span).of("tests");
            if let Some(near) = nearest(&key.name, names()) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            self.problems.push(problem.hint(format!("its columns are {}", names().collect::<Vec<_>>().join(", "))));
        }
    }

    fn given(&self, node: &Node, start: i64, options: &Options<'_>, given: &mut Vec<GivenRow>) {
        let Some(table) = node.as_table() else {
            options.wrong("given", node, "a list of rows { at = \"0s\", STREAM = { column = value } }");
            return;
        };
        let row = Options { component: "tests.given", span: node.span, table, problems: self.problems };
        let at = row.duration("at");
        if at.is_none() && !row.has("at") {
            row.problem(Problem::error("a row of `given` needs `at`").at(node.span).hint("at = \"30s\""));
        }
        let (every, times) = (row.duration("every").unwrap_or(0), row.integer("times", 1).unwrap_or(1).min(TIMES_MAX));
        let mut streams = table.entries.iter().filter(|(k, _)| !["at", "every", "times"].contains(&k.name.as_str()));
        let fed: Vec<_> = streams.by_ref().collect();
        let rows: Vec<Option<(String, Table)>> = if fed.is_empty() {
            vec![None]
        } else {
            let one = |(key, node): &(crate::component::Key, Node)| {
                self.row(&key.name, key.span, node, start).map(|row| (key.name.clone(), row))
            };
            fed.into_iter().map(one).filter(Option::is_some).collect()
        };
        for n in 0..times {
            let at = at.unwrap_or(0).saturating_add(every.saturating_mul(n));
            given.extend(rows.iter().map(|row| GivenRow { at, row: row.clone(), span: node.span }));
        }
    }

    fn expect(&self, node: &Node, start: i64, options: &Options<'_>) -> Option<ExpectRow> {
        let Some(table) = node.as_table() else {
            options.wrong("expect", node, "a list of rows { at = \"0s\", STREAM = { column = value } }");
            return None;
        };
        let row = Options { component: "tests.expect", span: node.span, table, problems: self.problems };
        let mut streams = table.entries.iter().filter(|(k, _)| k.name != "at");
        let (Some((key, cells)), None) = (streams.next(), streams.next()) else {
            row.problem(Problem::error("a row of `expect` names exactly one stream").at(node.span));
            return None;
        };
        match &cells.value {
            NodeValue::Text(_) => {
                let stream = &self.streams[self.stream(&key.name, key.span, "tests")?];
                let columns: Vec<_> =
                    stream.columns.iter().map(|c| ScopeColumn { stream: &stream.name, column: &c.column }).collect();
                row.condition(&key.name, &Scope { columns: &columns, environment: &self.environment });
            }
            _ => drop(self.row(&key.name, key.span, cells, start)?),
        }
        Some(ExpectRow { at: row.duration("at"), stream: key.name.clone(), row: cells.clone(), span: node.span })
    }
}

fn list<'a>(options: &Options<'a>, name: &str) -> Vec<&'a Node> {
    match options.node(name).map(|n| (n, &n.value)) {
        None => Vec::new(),
        Some((_, NodeValue::Array(items))) => items.iter().collect(),
        Some((node, _)) => {
            options.wrong(name, node, "a list of tables");
            Vec::new()
        }
    }
}
