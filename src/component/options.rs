//! What a user wrote about one component: a table with places, and typed getters that report what is wrong.
//!
//! A factory declares its keys ([`OptionSpec`]) and reads them with the getters of [`Options`]. A getter returns none
//! where the key is absent **or** its value is wrong; in the second case a problem has been recorded, so a factory
//! can go on with a default and nothing is started. Unknown keys are reported by the caller, against the specs.

use crate::expr::{self, Entries, Expr, ExprError, Scope};
use crate::problem::{Problem, Problems, Span};
use crate::time;
use crate::tuple::DataType;
use std::ops::Range;

/// One key that a component may have.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The key.
    pub name: &'static str,
    /// One sentence for the reference and the editor's schema.
    pub doc: &'static str,
    /// Whether the key must be there.
    pub required: bool,
}

impl OptionSpec {
    /// A key that may be left out.
    pub const fn optional(name: &'static str, doc: &'static str) -> OptionSpec {
        OptionSpec { name, doc, required: false }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, doc: &'static str) -> OptionSpec {
        OptionSpec { name, doc, required: true }
    }
}

/// The keys of a table inside a component: `truth`, `rules.NAME`.
#[derive(Clone, Copy, Debug)]
pub struct NestedOptions {
    /// The table as it is written, NAME standing for what the user chooses.
    pub table: &'static str,
    /// Its keys.
    pub options: &'static [OptionSpec],
}

/// A value of a topology file with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub value: NodeValue,
}

/// The value of a [`Node`], after substitution of parameters and environment.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// A string.
    Text(TextNode),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// A date and time, as written.
    Datetime(String),
    /// An array.
    Array(Vec<Node>),
    /// A table, inline or not.
    Table(Table),
}

impl NodeValue {
    /// What TOML calls it, with an article.
    pub fn kind(&self) -> &'static str {
        match self {
            NodeValue::Text(_) => "a string",
            NodeValue::Integer(_) => "an integer",
            NodeValue::Float(_) => "a float",
            NodeValue::Boolean(_) => "a boolean",
            NodeValue::Datetime(_) => "a date and time",
            NodeValue::Array(_) => "an array",
            NodeValue::Table(_) => "a table",
        }
    }
}

/// A string and where its text starts in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct TextNode {
    /// The text, escapes and substitutions resolved.
    pub text: String,
    /// Byte of the file at which the text starts, where the text stands there letter for letter; none where escapes
    /// or substitutions changed it.
    pub start: Option<u32>,
}

/// A table in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Keys with their places, and values.
    pub entries: Vec<(Key, Node)>,
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key, unquoted.
    pub name: String,
    /// Its place.
    pub span: Span,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Key and value.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Node)> {
        self.entries.iter().find(|(k, _)| k.name == name).map(|(k, v)| (k, v))
    }
}

impl Node {
    /// The text, if it is a string.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(t) => Some(&t.text),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            NodeValue::Table(t) => Some(t),
            _ => None,
        }
    }

    /// The place of a range of bytes of a string's text: inside the string where the text stands in the file letter
    /// for letter, else the whole value.
    pub fn inside(&self, range: Range<usize>) -> Span {
        match &self.value {
            NodeValue::Text(TextNode { start: Some(start), text }) => {
                let end = range.end.min(text.len());
                Span { file: self.span.file, start: start + range.start.min(end) as u32, end: start + end as u32 }
            }
            _ => self.span,
        }
    }
}

/// A size as people write it (`"4096"`, `"512MiB"`, `"64 kB"`), in bytes, at least 1.
pub fn parse_size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("b", 1),
    ];
    let text = text.trim().to_ascii_lowercase();
    let split = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = split.unwrap_or((text.as_str(), 1));
    number.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0)
}

/// The table of one component (or section) with typed getters.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What problems are said to be of, such as `bolts.card`.
    pub component: &'a str,
    /// Place of the component's header or key, for problems about what is missing.
    pub span: Span,
    /// What the user wrote.
    pub table: &'a Table,
    /// Where problems go.
    pub problems: &'a Problems,
}

impl<'a> Options<'a> {
    /// The value of a key, of any type.
    pub fn node(&self, name: &str) -> Option<&'a Node> {
        self.table.get(name)
    }

    /// Whether the key is there.
    pub fn has(&self, name: &str) -> bool {
        self.table.get(name).is_some()
    }

    /// Records a problem of this component.
    pub fn problem(&self, problem: Problem) {
        self.problems.push(problem.of(self.component));
    }

    /// Records that a value has the wrong type or form.
    pub fn wrong(&self, name: &str, node: &Node, wanted: &str) {
        let found = match &node.value {
            NodeValue::Text(t) => format!("\"{}\"", t.text),
            NodeValue::Integer(i) => i.to_string(),
            NodeValue::Float(f) => f.to_string(),
            NodeValue::Boolean(b) => b.to_string(),
            other => other.kind().to_owned(),
        };
        self.problem(
            Problem::error(format!("`{name}` of `{}` must be {wanted}, found {found}", self.component))
                .at(node.span)
                .label(format!("must be {wanted}")),
        );
    }

    /// A string.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let node = self.node(name)?;
        node.as_text().or_else(|| {
            self.wrong(name, node, "a string");
            None
        })
    }

    /// A string out of a list.
    pub fn choice(&self, name: &str, allowed: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name)?;
        let found = allowed.iter().find(|a| **a == text).copied();
        if found.is_none() {
            let node = self.node(name)?;
            let list = allowed.iter().map(|a| format!("\"{a}\"")).collect::<Vec<_>>().join(", ");
            let mut problem = Problem::error(format!("`{name}` of `{}` cannot be \"{text}\"", self.component))
                .at(node.span)
                .hint(format!("allowed are {list}"));
            if let Some(near) = crate::problem::nearest(text, allowed.iter().copied()) {
                problem = problem.label(format!("did you mean \"{near}\"?"));
            }
            self.problem(problem);
        }
        found
    }

    /// A boolean.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        let node = self.node(name)?;
        match node.value {
            NodeValue::Boolean(b) => Some(b),
            _ => {
                self.wrong(name, node, "true or false");
                None
            }
        }
    }

    /// A whole number of at least `min`.
    pub fn integer(&self, name: &str, min: i64) -> Option<i64> {
        let node = self.node(name)?;
        match node.value {
            NodeValue::Integer(i) if i >= min => Some(i),
            _ => {
                self.wrong(name, node, &format!("a whole number of at least {min}"));
                None
            }
        }
    }

    /// A number, whole or not.
    pub fn number(&self, name: &str) -> Option<f64> {
        let node = self.node(name)?;
        match node.value {
            NodeValue::Integer(i) => Some(i as f64),
            NodeValue::Float(f) => Some(f),
            _ => {
                self.wrong(name, node, "a number");
                None
            }
        }
    }

    /// A duration as people write it (`"10m"`, `"1h30m"`, `"250ms"`), in microseconds.
    pub fn duration(&self, name: &str) -> Option<i64> {
        let node = self.node(name)?;
        match node.as_text().map(time::parse_interval) {
            Some(Ok(micros)) if micros >= 0 => Some(micros),
            _ => {
                self.wrong(name, node, "a duration such as \"10m\", \"1h30m\" or \"250ms\"");
                None
            }
        }
    }

    /// A size as people write it (a number of bytes, `"512MiB"`, `"64 kB"`), in bytes, at least 1.
    pub fn size(&self, name: &str) -> Option<u64> {
        let node = self.node(name)?;
        let text = match &node.value {
            NodeValue::Integer(n) => n.to_string(),
            _ => node.as_text().unwrap_or("").to_owned(),
        };
        let bytes = parse_size(&text);
        if bytes.is_none() {
            self.wrong(name, node, "a size such as \"64MiB\" or \"2 GB\"");
        }
        bytes
    }

    /// A string or a list of strings, with their nodes.
    pub fn texts(&self, name: &str) -> Option<Vec<(&'a str, &'a Node)>> {
        let node = self.node(name)?;
        if let Some(text) = node.as_text() {
            return Some(vec![(text, node)]);
        }
        if let NodeValue::Array(items) = &node.value {
            let texts: Vec<_> = items.iter().filter_map(|i| i.as_text().map(|t| (t, i))).collect();
            if texts.len() == items.len() {
                return Some(texts);
            }
        }
        self.wrong(name, node, "a string or a list of strings");
        None
    }

    /// A table.
    pub fn table(&self, name: &str) -> Option<&'a Table> {
        let node = self.node(name)?;
        node.as_table().or_else(|| {
            self.wrong(name, node, "a table");
            None
        })
    }
}

/// Expressions in options.
impl<'a> Options<'a> {
    /// Records problems of an expression's text at their places.
    pub fn expr_problems(&self, node: &Node, errors: impl IntoIterator<Item = ExprError>) {
        for error in errors {
            let problem = if error.warning { Problem::warning(error.message) } else { Problem::error(error.message) };
            let mut problem = problem.at(node.inside(error.range)).label(error.label);
            problem.hints.extend(error.hint);
            self.problem(problem);
        }
    }

    /// An expression of any type.
    pub fn expr(&self, name: &str, scope: &Scope<'_>) -> Option<Expr> {
        self.text(name)?;
        self.expr_of(self.node(name)?, scope)
    }

    /// The expression of a string node.
    pub fn expr_of(&self, node: &Node, scope: &Scope<'_>) -> Option<Expr> {
        match expr::check(node.as_text()?, scope) {
            Ok(checked) => {
                self.expr_problems(node, checked.warnings.into_iter().map(|(_, w)| w));
                Some(checked.value)
            }
            Err(errors) => {
                self.expr_problems(node, errors);
                None
            }
        }
    }

    /// A condition: an expression of type boolean.
    pub fn condition(&self, name: &str, scope: &Scope<'_>) -> Option<Expr> {
        let found = self.expr(name, scope)?;
        let node = self.node(name)?;
        if found.data_type() == DataType::Boolean {
            return Some(found);
        }
        self.problem(
            Problem::error(format!(
                "`{name}` of `{}` must be a condition, found a {}",
                self.component,
                found.data_type()
            ))
            .at(node.span)
            .label("must be of type boolean"),
        );
        None
    }

    /// Checks a condition where it is not known of all columns whether they are there and of which type: only what is
    /// wrong in each of the scopes that it may have is recorded.
    pub fn condition_in_doubt(&self, name: &str, scopes: &[Scope<'_>]) {
        let found = scopes.iter().map(|scope| {
            let problems = Problems::new();
            Options { problems: &problems, ..*self }.condition(name, scope);
            problems
        });
        Problems::common(found).into_iter().for_each(|problem| self.problems.push(problem));
    }

    /// The entries of the table `add`: their names and nodes in the order of the file, and the checked expressions.
    /// None where there is no `add` or something is wrong in it.
    pub fn adds(&self, scope: &Scope<'_>, aggregates: bool) -> Option<(Vec<(&'a str, &'a Node)>, Entries)> {
        let table = self.table("add")?;
        let mut entries: Vec<(&str, &Node)> = Vec::new();
        for (key, node) in &table.entries {
            match node.as_text() {
                Some(_) => entries.push((&key.name, node)),
                None => self.wrong(&format!("add.{}", key.name), node, "an expression in a string"),
            }
        }
        if entries.len() < table.entries.len() {
            return None;
        }
        let texts: Vec<_> = entries.iter().map(|(name, node)| (*name, node.as_text().unwrap_or(""))).collect();
        match expr::check_entries(&texts, scope, aggregates) {
            Ok(checked) => {
                for (entry, warning) in checked.warnings {
                    self.expr_problems(entries[entry].1, [warning]);
                }
                Some((entries, checked.value))
            }
            Err(errors) => {
                for (entry, error) in errors {
                    self.expr_problems(entries[entry].1, [error]);
                }
                None
            }
        }
    }
}
