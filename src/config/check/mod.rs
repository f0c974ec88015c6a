//! Checking: a model and a registry become a checked topology, or problems.
//!
//! All problems are reported in one go. Of what depends on something broken only that is reported which is wrong whatever
//! was meant there. Order: parameters and tables, spouts, bolts in the order of their inputs, objectives, tests.

mod bolt;
mod doubt;
mod from;
mod runtime;
mod spout;
mod tests;

pub use bolt::KEYS as BOLT_KEYS;
pub use from::GROUPINGS;
pub use runtime::OPTIONS as RUNTIME_OPTIONS;
pub use spout::KEYS as SPOUT_KEYS;
pub use tests::OPTIONS as TEST_OPTIONS;

use super::checked::{Checked, CheckedBolt, CheckedSpout, Objective, Owner, Stream, StreamId};
use super::model::{Item, Model};
use crate::component::{
    ColumnSource, Node, NodeValue, OptionSpec, Options, OutputColumn, Registry, SpoutCheck, TablePlan,
};
use crate::expr::{Environment, Param, ReferenceTable};
use crate::latency;
use crate::problem::{Problem, Problems, Span, nearest};
use crate::tuple::{Column, DataType, Value};
use std::cell::RefCell;
use std::sync::Arc;

/// Checks a model; none if there is any error.
pub fn check(model: &Model, registry: &Registry, problems: &Problems) -> Option<Checked> {
    if model.incomplete {
        return None;
    }
    let mut checker = Checker {
        model,
        registry,
        problems,
        environment: Arc::default(),
        tables: Vec::new(),
        spouts: Vec::new(),
        bolts: Vec::new(),
        streams: Vec::new(),
        broken: Vec::new(),
        doubtful: Vec::new(),
        worlds: doubt::World::all(),
        lacking: Vec::new(),
        missing: RefCell::default(),
        data_dir: None,
    };
    checker.names();
    let runtime = runtime::runtime(model, problems);
    checker.data_dir.clone_from(&runtime.data_dir);
    checker.environment();
    checker.schemas();
    checker.all_spouts();
    checker.all_bolts();
    let objectives = checker.objectives();
    let tests = checker.tests();
    if problems.has_errors() {
        return None;
    }
    Some(Checked {
        name: model.name.clone(),
        runtime,
        environment: checker.environment,
        tables: checker.tables,
        spouts: checker.spouts,
        bolts: checker.bolts,
        streams: checker.streams,
        objectives,
        tests,
    })
}

struct Checker<'a> {
    model: &'a Model,
    registry: &'a Registry,
    problems: &'a Problems,
    environment: Arc<Environment>,
    tables: Vec<(Arc<ReferenceTable>, Arc<dyn TablePlan>)>,
    spouts: Vec<CheckedSpout>,
    bolts: Vec<CheckedBolt>,
    streams: Vec<Stream>,
    /// Components whose streams are not known because something is wrong with them.
    broken: Vec<String>,
    /// Those of them whose streams are guessed in each of the worlds.
    doubtful: Vec<String>,
    /// The ways in which what is broken may have been meant.
    worlds: Vec<doubt::World>,
    /// How an expression names parameters and reference tables that something is wrong with: `$name`, `name[`.
    lacking: Vec<String>,
    /// Streams that were looked for in vain, each of which is reported once.
    missing: RefCell<Vec<String>>,
    /// Where state, tables and topics are kept.
    data_dir: Option<std::path::PathBuf>,
}

/// The columns of every stream of errors of a bolt.
fn error_columns(of_spout: bool) -> Vec<OutputColumn> {
    let mut columns = vec![
        Column::new("component", DataType::Text).not_null(),
        Column::new("reason", DataType::Text).not_null(),
        Column::new("split", DataType::Bigint).not_null(),
        Column::new("position", DataType::Bigint).not_null(),
        Column::new("text", DataType::Text),
    ];
    if of_spout {
        columns.push(Column::new("record", DataType::Text));
    }
    columns.into_iter().map(|column| OutputColumn { column, source: ColumnSource::Computed }).collect()
}

impl Checker<'_> {
    /// Ids are well-formed, and no spout and bolt share one.
    fn names(&mut self) {
        let model = self.model;
        for item in model.spouts.iter().chain(&model.bolts).chain(&model.tables).chain(&model.schemas) {
            let name = &item.key.name;
            let mut chars = name.chars();
            let good = chars.next().is_some_and(|c| c.is_ascii_lowercase())
                && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !good {
                self.problems.push(
                    Problem::error(format!("`{name}` is no valid name"))
                        .at(item.key.span)
                        .hint("names consist of a-z, 0-9 and _, and begin with a letter"),
                );
            }
        }
        for bolt in &model.bolts {
            if let Some(spout) = model.spouts.iter().find(|s| s.key.name == bolt.key.name) {
                self.problems.push(
                    Problem::error(format!("`{}` is both a spout and a bolt", bolt.key.name))
                        .at(bolt.key.span)
                        .label("the bolt")
                        .also(spout.key.span, "the spout")
                        .hint("rename one of them: both would emit the stream of that name"),
                );
                self.broken.push(bolt.key.name.clone());
            }
        }
    }

    fn environment(&mut self) {
        let mut environment = Environment::default();
        for (key, node) in &self.model.params {
            match param(node) {
                Some(param) => environment.params.push((key.name.clone(), param)),
                None => {
                    self.lacking.push(format!("${}", key.name));
                    self.problems.push(
                        Problem::error(format!("the parameter `{}` cannot be {}", key.name, node.value.kind()))
                            .at(node.span)
                            .hint("a parameter is a string, a number, a boolean, a date and time, or a list of them"),
                    );
                }
            }
        }
        let bare = environment.clone();
        for item in &self.model.tables {
            match self.table(item, &bare) {
                Some((table, plan)) => {
                    environment.tables.push(table.clone());
                    self.tables.push((table, plan));
                }
                None => self.lacking.push(format!("{}[", item.key.name)),
            }
        }
        self.environment = Arc::new(environment);
    }

    fn table(&self, item: &Item, environment: &Environment) -> Option<(Arc<ReferenceTable>, Arc<dyn TablePlan>)> {
        let component = format!("tables.{}", item.key.name);
        let options =
            Options { component: &component, span: item.key.span, table: &item.table, problems: self.problems };
        let Some(factory) = self.registry.table_factory() else {
            options.problem(Problem::error("reference tables are not available in this program").at(item.key.span));
            return None;
        };
        known_keys(&options, factory.options(), &["doc"]);
        let (name, data_dir) = (&*item.key.name, self.data_dir.as_deref());
        let check = SpoutCheck { name, options, environment, folder: &item.folder, data_dir };
        let plan: Arc<dyn TablePlan> = factory.check(&check)?.into();
        let table = ReferenceTable::new(&item.key.name, plan.columns().to_vec(), plan.key().to_vec());
        Some((Arc::new(table), plan))
    }

    /// Schemas have no other keys than these. Their fields are checked where they are used.
    fn schemas(&self) {
        for item in &self.model.schemas {
            let component = format!("schemas.{}", item.key.name);
            let options =
                Options { component: &component, span: item.key.span, table: &item.table, problems: self.problems };
            known_keys(&options, &[], &["time", "fields", "doc"]);
        }
    }

    /// Whether a component uses a parameter or table that something is wrong with.
    fn lacks(&self, item: &Item) -> bool {
        item.table.entries.iter().any(|(_, node)| self.names_lacking(node))
    }

    fn names_lacking(&self, node: &Node) -> bool {
        match &node.value {
            NodeValue::Text(text) => self.lacking.iter().any(|name| text.text.contains(name.as_str())),
            NodeValue::Array(nodes) => nodes.iter().any(|n| self.names_lacking(n)),
            NodeValue::Table(table) => table.entries.iter().any(|(_, n)| self.names_lacking(n)),
            _ => false,
        }
    }

    /// The number of a stream, with a problem if there is none of that name: one, wherever else it is named.
    fn stream(&self, name: &str, span: Span, component: &str) -> Option<StreamId> {
        let owner = name.split('.').next().unwrap_or(name);
        if self.broken.iter().any(|b| b == owner) {
            return None;
        }
        if let Some(found) = self.streams.iter().position(|s| s.name == name) {
            return Some(found);
        }
        if self.missing.borrow().iter().any(|m| m == name) {
            return None;
        }
        self.missing.borrow_mut().push(name.to_owned());
        let all = self.streams.iter().map(|s| s.name.as_str());
        let later = self.model.bolts.iter().map(|b| b.key.name.as_str());
        let mut problem = Problem::error(format!("there is no stream `{name}`")).at(span).of(component);
        if let Some(near) = nearest(name, all.clone().chain(later).filter(|known| *known != name)) {
            problem = problem.label(format!("did you mean `{near}`?"));
        }
        let own: Vec<&str> = all.clone().filter(|s| s.split('.').next() == Some(owner)).collect();
        let list = if own.is_empty() { all.filter(|s| !s.contains('.')).collect() } else { own };
        if !list.is_empty() {
            problem = problem.hint(format!("the streams are {}", list.join(", ")));
        } else if self.model.spouts.is_empty() {
            problem = problem
                .hint("there is no spout: declare one as [spouts.NAME], or check the file that brings it and includes this one");
        }
        self.problems.push(problem);
        None
    }

    fn objectives(&self) -> Vec<Objective> {
        let mut objectives = Vec::new();
        for (key, node) in &self.model.latency {
            let sinks = || self.bolts.iter().filter(|b| b.plan.outputs().is_empty()).map(|b| b.id.as_str());
            let Some(bolt) = self.bolts.iter().position(|b| b.id == key.name && b.plan.outputs().is_empty()) else {
                if self.broken.contains(&key.name) {
                    continue;
                }
                let mut problem = Problem::error(format!("there is no sink `{}`", key.name)).at(key.span);
                if let Some(near) = nearest(&key.name, sinks()) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                let list = sinks().collect::<Vec<_>>().join(", ");
                self.problems.push(problem.hint(format!("[latency] sets objectives for sinks: {list}")));
                continue;
            };
            let nodes = match &node.value {
                NodeValue::Array(nodes) => nodes.iter().collect(),
                _ => vec![node],
            };
            for node in nodes {
                let parsed = node.as_text().ok_or_else(|| "must be a string".to_owned()).and_then(|text| {
                    latency::Objective::parse(text).map(|o| Objective {
                        bolt,
                        percentile: o.percentile,
                        limit_ns: o.limit_ns,
                        text: text.to_owned(),
                    })
                });
                match parsed {
                    Ok(objective) => objectives.push(objective),
                    Err(why) => self.problems.push(
                        Problem::error(format!("the objective of `{}` cannot be read: {why}", key.name))
                            .at(node.span)
                            .hint("an objective reads \"p99 < 500us\", \"p99.9 < 2ms\" or \"max < 50ms\""),
                    ),
                }
            }
        }
        objectives
    }

    /// Adds a stream.
    fn add_stream(&mut self, name: String, owner: Owner, port: usize, columns: Vec<OutputColumn>, disorder: i64) {
        self.streams.push(Stream { name, owner, port, columns, disorder });
    }
}

/// A parameter's value; none for a table.
fn param(node: &Node) -> Option<Param> {
    let single = |node: &Node| {
        Some(match &node.value {
            NodeValue::Text(text) => Value::Text(text.text.clone()),
            NodeValue::Integer(i) => Value::Bigint(*i),
            NodeValue::Float(f) => Value::Double(*f),
            NodeValue::Boolean(b) => Value::Boolean(*b),
            NodeValue::Datetime(text) => crate::time::parse_timestamp(text).map(Value::Timestamp).ok()?,
            NodeValue::Array(_) | NodeValue::Table(_) => return None,
        })
    };
    match &node.value {
        NodeValue::Array(items) => items.iter().map(single).collect::<Option<Vec<_>>>().map(Param::List),
        _ => single(node).map(Param::Value),
    }
}

/// Reports keys that a component cannot have and keys that it lacks; whether all it needs is there.
fn known_keys(options: &Options<'_>, specs: &[OptionSpec], common: &[&str]) -> bool {
    let names = || specs.iter().map(|s| s.name).chain(common.iter().copied());
    for (key, _) in &options.table.entries {
        if names().any(|n| n == key.name) {
            continue;
        }
        let mut problem = Problem::error(format!("`{}` has no key `{}`", options.component, key.name)).at(key.span);
        if let Some(near) = nearest(&key.name, names()) {
            problem = problem.label(format!("did you mean `{near}`?"));
        }
        let mut list: Vec<&str> = names().collect();
        list.sort_unstable();
        list.dedup();
        options.problem(problem.hint(format!("it can have: {}", list.join(", "))));
    }
    misplaced(options, &names().collect::<Vec<_>>());
    let mut complete = true;
    for spec in specs.iter().filter(|s| s.required && !options.has(s.name)) {
        complete = false;
        options.problem(
            Problem::error(format!("`{}` needs `{}`", options.component, spec.name))
                .at(options.span)
                .hint(format!("`{}`: {}", spec.name, spec.doc)),
        );
    }
    complete
}

/// Warns of an entry of `add`, `define` or `fields` that is named like a key which its component could have and lacks:
/// it probably stands below a header such as `[bolts.x.add]`.
fn misplaced(options: &Options<'_>, names: &[&str]) {
    for group in ["add", "define", "fields"] {
        let Some(table) = options.node(group).and_then(Node::as_table) else { continue };
        for (key, _) in &table.entries {
            let like_a_key = ["having", "where", "key", "from", "window", "ttl", "keep"].contains(&key.name.as_str());
            if like_a_key && names.contains(&key.name.as_str()) && !options.has(&key.name) {
                options.problem(
                    Problem::warning(format!("`{}` in `{group}` makes a column of that name", key.name))
                        .at(key.span)
                        .label(format!("did you mean the key `{}` of `{}`?", key.name, options.component))
                        .hint(format!("a key of the component must stand above the header of `{group}`")),
                );
            }
        }
    }
}
