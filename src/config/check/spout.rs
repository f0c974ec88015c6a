//! Spouts.

use super::super::checked::{CheckedSpout, Owner};
use super::super::model::Item;
use super::{Checker, error_columns, known_keys};
use crate::component::{ColumnSource, Node, NodeValue, Options, OutputColumn, Registry, SpoutCheck, SpoutPlan, Table};
use crate::problem::{Problem, Problems, nearest};
use crate::tuple::Column;
use std::sync::Arc;

/// Keys that every spout may have, and what they say.
pub const KEYS: &[(&str, &str)] = &[
    ("kind", "the kind of spout; needed"),
    ("schema", "name of the schema whose fields and time it has"),
    ("disorder", "how far rows may come out of the order of event time, such as \"5s\" (\"0s\")"),
    (
        "idle",
        "after what silence it no longer holds back the time of the topology, such as \"10s\"; then its own goes on with the clock; never by default",
    ),
    ("tasks", "number of tasks, which its splits (files, slices) are divided among (1)"),
    ("doc", "what it is for"),
];

/// The keys of every spout that are read here; the others are its kind's.
struct Own {
    disorder: i64,
    idle: Option<i64>,
    tasks: Option<usize>,
}

impl Own {
    fn of(item: &Item, problems: &Problems) -> Own {
        let component = format!("spouts.{}", item.key.name);
        let options = Options { component: &component, span: item.key.span, table: &item.table, problems };
        Own {
            disorder: options.duration("disorder").unwrap_or(0),
            idle: options.duration("idle"),
            tasks: options.integer("tasks", 1).map(|n| n as usize),
        }
    }
}

impl Checker<'_> {
    /// Checks all spouts and adds their streams.
    pub(super) fn all_spouts(&mut self) {
        for item in &self.model.spouts {
            let own = Own::of(item, self.problems);
            let found = if self.lacks(item) { None } else { self.spout(item) };
            match found {
                Some((kind, plan)) => self.add_spout(item, kind, plan, own),
                None => self.broken.push(item.key.name.clone()),
            }
        }
    }

    fn spout(&self, item: &Item) -> Option<(String, Arc<dyn SpoutPlan>)> {
        let component = format!("spouts.{}", item.key.name);
        let merged = self.with_schema(item, &component)?;
        let options = Options { component: &component, span: item.key.span, table: &merged, problems: self.problems };
        let kind = kind(&options, self.registry.spouts().map(|f| (f.kind(), f.elsewhere())))?;
        let factory = self.registry.spout_of(kind)?;
        let common: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        let complete = known_keys(&options, factory.options(), &common);
        let check = SpoutCheck {
            name: &item.key.name,
            options,
            environment: &self.environment,
            folder: &item.folder,
            data_dir: self.data_dir.as_deref(),
        };
        let plan: Arc<dyn SpoutPlan> = factory.check(&check).filter(|_| complete)?.into();
        Some((kind.to_owned(), plan))
    }

    /// The spout's table with the fields and the time of its schema; its own win.
    fn with_schema(&self, item: &Item, component: &str) -> Option<Table> {
        let mut merged = item.table.clone();
        let Some(node) = item.table.get("schema") else { return Some(merged) };
        let options = Options { component, span: item.key.span, table: &item.table, problems: self.problems };
        let name = options.text("schema")?;
        let Some(schema) = self.model.schemas.iter().find(|s| s.key.name == name) else {
            let names = self.model.schemas.iter().map(|s| s.key.name.as_str());
            let mut problem = Problem::error(format!("there is no schema `{name}`")).at(node.span);
            if let Some(near) = nearest(name, names) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            options.problem(problem.hint("schemas are declared as [schemas.NAME]"));
            return None;
        };
        for (key, node) in &schema.table.entries {
            match key.name.as_str() {
                "time" if merged.get("time").is_none() => merged.entries.push((key.clone(), node.clone())),
                "fields" => add_fields(&mut merged, key.clone(), node),
                // Unknown keys have been reported, once for all spouts.
                _ => {}
            }
        }
        Some(merged)
    }

    fn add_spout(&mut self, item: &Item, kind: String, plan: Arc<dyn SpoutPlan>, own: Own) {
        let Own { disorder, idle, tasks } = own;
        let owner = Owner::Spout(self.spouts.len());
        let first = self.streams.len();
        let computed = |columns: &[Column]| -> Vec<OutputColumn> {
            let output = |c: &Column| OutputColumn { column: c.clone(), source: ColumnSource::Computed };
            columns.iter().map(output).collect()
        };
        let id = item.key.name.clone();
        self.add_stream(id.clone(), owner, 0, computed(plan.columns()), disorder);
        for (n, (side, columns)) in plan.side_streams().iter().enumerate() {
            self.add_stream(format!("{id}.{side}"), owner, n + 1, computed(columns), disorder);
        }
        let port = self.streams.len() - first;
        self.add_stream(format!("{id}.errors"), owner, port, error_columns(true), disorder);
        let outputs = (first..self.streams.len()).collect();
        self.spouts.push(CheckedSpout { id, kind, plan, disorder, idle, tasks, outputs });
    }
}

/// Fields of a schema that the spout does not declare itself.
fn add_fields(merged: &mut Table, key: crate::component::Key, node: &Node) {
    let NodeValue::Table(fields) = &node.value else {
        merged.entries.push((key, node.clone()));
        return;
    };
    let own = merged.entries.iter_mut().find(|(k, _)| k.name == "fields");
    match own {
        Some((_, Node { value: NodeValue::Table(own), .. })) => {
            let missing = fields.entries.iter().filter(|(k, _)| own.get(&k.name).is_none());
            let missing: Vec<_> = missing.cloned().collect();
            own.entries.splice(0..0, missing);
        }
        Some(_) => {}
        None => merged.entries.push((key, node.clone())),
    }
}

/// The name of a kind, and those that it has elsewhere.
type Names = (&'static str, &'static [&'static str]);

/// The kind of a component, with a problem if it is missing or unknown.
pub(super) fn kind<'a>(options: &Options<'a>, known: impl Iterator<Item = Names> + Clone) -> Option<&'a str> {
    let kinds = known.clone().map(|(kind, _)| kind);
    if !options.has("kind") {
        let list = kinds.collect::<Vec<_>>().join(", ");
        options.problem(
            Problem::error(format!("`{}` has no `kind`", options.component))
                .at(options.span)
                .hint(format!("the kinds are {list}")),
        );
        return None;
    }
    let kind = options.text("kind")?;
    if kinds.clone().any(|k| k == kind) {
        return Some(kind);
    }
    let span = options.node("kind")?.span;
    let mut problem = Problem::error(format!("there is no kind `{kind}` of {}", family(options.component))).at(span);
    let lower = kind.to_lowercase();
    if let Some((here, _)) = known.clone().find(|(_, elsewhere)| elsewhere.contains(&&*lower)) {
        problem = problem.label(format!("here it is `{here}`: `sferic reference {here}`"));
    } else if let Some(near) = Registry::nearest(kind, kinds.clone()) {
        problem = problem.label(format!("did you mean `{near}`?"));
    }
    options.problem(problem.hint(format!("the kinds are {}", kinds.collect::<Vec<_>>().join(", "))));
    None
}

fn family(component: &str) -> &'static str {
    if component.starts_with("spouts") { "spout" } else { "bolt" }
}
