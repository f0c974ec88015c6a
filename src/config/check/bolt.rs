//! Bolts: their inputs, keys, conditions and streams.

use super::super::checked::{CheckedBolt, Edge, Grouping, Owner, StreamId};
use super::super::model::Item;
use super::from::{self, From};
use super::spout::kind;
use super::{Checker, error_columns, known_keys};
use crate::component::{
    BoltCheck, BoltFactory, BoltPlan, ColumnSource, InputStream, Inputs, Keyed, Node, NodeValue, Options, OutputColumn,
};
use crate::expr::{Expr, Scope, ScopeColumn};
use crate::problem::{Problem, nearest};
use crate::tuple::Column;
use std::sync::Arc;

/// Keys that every bolt may have, and what they say.
pub const KEYS: &[(&str, &str)] = &[
    ("kind", "the kind of bolt; needed"),
    ("from", "the stream it reads, a list of streams, or a table { stream = \"grouping\" }; needed"),
    ("fill", "\"null\": a column that one of several streams lacks is NULL there"),
    ("where", "condition on the rows of its input; only those for which it is true are looked at"),
    ("key", "the column, or list of columns, by which tuples are divided among tasks and state is kept"),
    ("having", "condition on the rows that leave; for kinds with `add`"),
    ("tasks", "number of tasks; by default one on each executor with a key, one for sinks"),
    ("doc", "what it is for"),
];

/// A bolt's inputs while it is checked.
struct Read {
    edges: Vec<Edge>,
    united: bool,
    inputs: Vec<InputStream>,
}

impl<'m> Checker<'m> {
    /// Checks all bolts in the order of their inputs and adds their streams.
    pub(super) fn all_bolts(&mut self) {
        for item in self.in_order() {
            if !self.lacks(item) && self.in_doubt(item) {
                self.check_in_doubt(item);
            } else if self.lacks(item) || self.bolt(item).is_none() {
                self.guess(item);
            }
        }
    }

    /// The bolts, each after those that it reads; the ones on a cycle are reported and left out.
    fn in_order(&mut self) -> Vec<&'m Item> {
        let mut left: Vec<&'m Item> =
            self.model.bolts.iter().filter(|item| !self.broken.contains(&item.key.name)).collect();
        let mut ordered: Vec<&'m Item> = Vec::new();
        loop {
            let waits =
                |item: &Item| self.owners_read(item).iter().any(|owner| left.iter().any(|l| l.key.name == *owner));
            let (later, now): (Vec<&Item>, Vec<&Item>) = left.iter().copied().partition(|i| waits(i));
            if now.is_empty() {
                break;
            }
            ordered.extend(now);
            left = later;
        }
        if !left.is_empty() {
            self.cycle(&left);
            self.broken.extend(left.iter().map(|i| i.key.name.clone()));
        }
        ordered
    }

    /// The components whose streams a bolt reads, as far as they can be known without problems.
    pub(super) fn owners_read(&self, item: &Item) -> Vec<String> {
        let silent = crate::problem::Problems::new();
        let options = Options { component: "", span: item.key.span, table: &item.table, problems: &silent };
        let mut streams: Vec<String> =
            from::parse(item, &options).unwrap_or_default().into_iter().map(|f| f.stream).collect();
        let kind = item.table.get("kind").and_then(Node::as_text);
        if let Some(factory) = kind.and_then(|k| self.registry.bolt_of(k)) {
            streams.extend(factory.extra_inputs(&options).into_iter().map(|(stream, _)| stream));
        }
        streams.iter().map(|s| s.split('.').next().unwrap_or(s).to_owned()).collect()
    }

    fn cycle(&self, left: &[&Item]) {
        // Following inputs within what is left must come back to where it was.
        let mut way: Vec<&Item> = Vec::new();
        let mut at = left[0];
        while !way.iter().any(|w| w.key.name == at.key.name) {
            way.push(at);
            let owners = self.owners_read(at);
            match left.iter().find(|l| owners.contains(&l.key.name)) {
                Some(next) => at = next,
                None => break,
            }
        }
        let start = way.iter().position(|w| w.key.name == at.key.name).unwrap_or(0);
        let mut names: Vec<&str> = way[start..].iter().map(|w| w.key.name.as_str()).collect();
        names[1..].reverse();
        let list = format!("{} -> {}", names.join(" -> "), names[0]);
        let mut problem = Problem::error(format!("these bolts read each other in a circle: {list}"))
            .at(way[start].key.span)
            .hint("a topology has no cycles; a table or a log between two topologies can feed results back");
        for other in &way[start + 1..] {
            problem = problem.also(other.key.span, "on the circle");
        }
        self.problems.push(problem);
    }

    pub(super) fn bolt(&mut self, item: &Item) -> Option<()> {
        let component = format!("bolts.{}", item.key.name);
        let options =
            Options { component: &component, span: item.key.span, table: &item.table, problems: self.problems };
        let registry = self.registry;
        let kind = kind(&options, registry.bolts().map(|f| (f.kind(), f.elsewhere())));
        let froms = from::parse(item, &options);
        let factory = registry.bolt_of(kind?)?;
        let specs = factory.options();
        let has_add = specs.iter().any(|s| s.name == "add");
        let common: Vec<&str> = KEYS.iter().map(|(name, _)| *name).filter(|n| has_add || *n != "having").collect();
        let complete = known_keys(&options, specs, &common);
        let read = self.read(&froms?, factory, &options)?;
        let key = self.key(&read, factory, &options);
        let filter = self.filter(&read, &options);
        // A key with a problem of its own is no reason for others: the kind sees some key, and its plan is not used.
        let stand_in: Vec<Vec<usize>> =
            read.inputs.iter().map(|i| if i.columns.is_empty() { Vec::new() } else { vec![0] }).collect();
        let environment = self.environment.clone();
        let check = BoltCheck {
            name: &item.key.name,
            options,
            inputs: &read.inputs,
            key: key.as_deref().unwrap_or(&stand_in),
            environment: &environment,
            folder: &item.folder,
            data_dir: self.data_dir.as_deref(),
            topology: &self.model.name,
        };
        let key_ok = key.is_some();
        let plan: Arc<dyn BoltPlan> = factory.check(&check).filter(|_| complete && key_ok)?.into();
        let key = key?;
        self.groupings(&read, &key, factory, plan.stateful(), &options);
        let outputs = self.add_streams(item, &read, &*plan);
        let having = self.having(&options, &outputs, &*plan);
        self.bolts.push(CheckedBolt {
            id: item.key.name.clone(),
            place: self.model.bolts.iter().position(|b| b.key.name == item.key.name).unwrap_or(usize::MAX),
            kind: factory.kind().to_owned(),
            plan,
            edges: read.edges,
            united: read.united,
            inputs: read.inputs,
            key,
            filter,
            having,
            keyed: factory.keyed(),
            tasks: options.integer("tasks", 1).map(|n| n as usize),
            outputs,
        });
        Some(())
    }

    /// The streams that a bolt reads, as its inputs.
    fn read(&self, froms: &[From<'_>], factory: &dyn BoltFactory, options: &Options<'_>) -> Option<Read> {
        let extra = factory.extra_inputs(options);
        let mut streams: Vec<Option<StreamId>> =
            froms.iter().map(|f| self.stream(&f.stream, f.span, options.component)).collect();
        streams.extend(extra.iter().map(|(name, span)| self.stream(name, *span, options.component)));
        let streams: Vec<StreamId> = streams.into_iter().collect::<Option<_>>()?;
        let columns =
            |s: &StreamId| -> Vec<Column> { self.streams[*s].columns.iter().map(|c| c.column.clone()).collect() };
        let grouping = |n: usize| {
            let from = froms.get(n)?;
            from::grouping(from, &columns(&streams[n]), options, &self.environment)
        };
        let input = |s: &StreamId| InputStream {
            name: self.streams[*s].name.clone(),
            columns: columns(s),
            disorder: self.streams[*s].disorder,
        };
        let fill = options.choice("fill", &["null"]).is_some();
        let inputs = factory.inputs_of(options);
        if inputs == Inputs::Separate || streams.len() == 1 {
            let edge = |(n, stream): (usize, &StreamId)| Edge {
                stream: *stream,
                grouping: grouping(n),
                columns: (0..self.streams[*stream].columns.len()).map(Some).collect(),
            };
            return Some(Read {
                edges: streams.iter().enumerate().map(edge).collect(),
                united: inputs == Inputs::United,
                inputs: streams.iter().map(input).collect(),
            });
        }
        let united = self.unite(&streams, fill, froms, options)?;
        let edges = streams.iter().enumerate().map(|(n, stream)| {
            let own = columns(stream);
            let columns = united.iter().map(|u| own.iter().position(|c| c.is(&u.name))).collect();
            Edge { stream: *stream, grouping: grouping(n), columns }
        });
        let edges = edges.collect();
        let disorder = streams.iter().map(|s| self.streams[*s].disorder).max().unwrap_or(0);
        let name = options.component.trim_start_matches("bolts.").to_owned();
        Some(Read { edges, united: true, inputs: vec![InputStream { name, columns: united, disorder }] })
    }

    /// The columns of several streams as one: by name; types must agree, and a missing column is NULL only if asked for.
    fn unite(
        &self,
        streams: &[StreamId],
        fill: bool,
        froms: &[From<'_>],
        options: &Options<'_>,
    ) -> Option<Vec<Column>> {
        let mut united: Vec<Column> = Vec::new();
        let mut first_in: Vec<&str> = Vec::new();
        let mut good = true;
        for (n, stream) in streams.iter().enumerate() {
            let stream = &self.streams[*stream];
            for column in stream.columns.iter().map(|c| &c.column) {
                match united.iter().position(|u| u.is(&column.name)) {
                    None => {
                        united.push(column.clone());
                        first_in.push(&stream.name);
                    }
                    Some(at) if united[at].ty == column.ty => united[at].nullable |= column.nullable,
                    Some(at) => {
                        good = false;
                        options.problem(
                            Problem::error(format!(
                                "column `{}` is a {} in `{}` and a {} in `{}`",
                                column.name, united[at].ty, first_in[at], column.ty, stream.name
                            ))
                            .at(froms[n].span)
                            .hint(
                                "streams that are read together match by column name; rename or cast one in a select",
                            ),
                        );
                    }
                }
            }
        }
        for column in &mut united {
            let lacks = |s: &&StreamId| !self.streams[**s].columns.iter().any(|c| c.column.is(&column.name));
            let Some(stream) = streams.iter().find(lacks) else { continue };
            column.nullable = true;
            if !fill {
                good = false;
                let at = streams.iter().position(|s| s == stream).unwrap_or(0);
                options.problem(
                    Problem::error(format!("`{}` has no column `{}`", self.streams[*stream].name, column.name))
                        .at(froms[at].span)
                        .label(format!("`{}` is read together with streams that have it", column.name))
                        .hint("add the column in a select, or set fill = \"null\""),
                );
            }
        }
        good.then_some(united)
    }

    /// The columns of the key for each input; none after a problem.
    fn key(&self, read: &Read, factory: &dyn BoltFactory, options: &Options<'_>) -> Option<Vec<Vec<usize>>> {
        let inputs = &read.inputs;
        let Some(node) = options.node("key") else {
            if factory.keyed() == Keyed::Required {
                options.problem(
                    Problem::error(format!("`{}` needs `key`", options.component))
                        .at(options.span)
                        .hint("the column, or the list of columns, by which its state is kept"),
                );
                return None;
            }
            return Some(vec![Vec::new(); inputs.len()]);
        };
        let own = factory.options().iter().any(|o| o.name == "key");
        if matches!(factory.keyed(), Keyed::Never | Keyed::Global) && !own {
            options.problem(
                Problem::error(format!("a bolt of kind `{}` has no `key`", factory.kind()))
                    .at(node.span)
                    .hint("remove it: this kind keeps nothing by key"),
            );
            return None;
        }
        let mut keys = Vec::new();
        for input in inputs {
            let node = match &node.value {
                NodeValue::Table(table) => match table.get(&input.name) {
                    Some(node) => node,
                    None => {
                        options.problem(
                            Problem::error(format!(
                                "`key` of `{}` says nothing of `{}`",
                                options.component, input.name
                            ))
                            .at(node.span)
                            .hint(format!("key.{} = the column, or columns, of that stream", input.name)),
                        );
                        return None;
                    }
                },
                _ => node,
            };
            keys.push(key_columns(node, input, options)?);
        }
        let types = |n: usize| keys[n].iter().map(|c: &usize| inputs[n].columns[*c].ty).collect::<Vec<_>>();
        for n in 1..inputs.len() {
            if types(n) != types(0) {
                options.problem(
                    Problem::error(format!(
                        "the key of `{}` has other types than the key of `{}`",
                        inputs[n].name, inputs[0].name
                    ))
                    .at(node.span)
                    .hint("keys of several streams must agree in number and types of columns"),
                );
                return None;
            }
        }
        Some(keys)
    }

    /// `where`, for each input.
    fn filter(&self, read: &Read, options: &Options<'_>) -> Vec<Option<Expr>> {
        let mut found = Vec::new();
        for input in &read.inputs {
            let columns = scope_columns(input);
            let scope = Scope { columns: &columns, environment: &self.environment };
            let condition = options.has("where").then(|| options.condition("where", &scope)).flatten();
            if options.has("where") && condition.is_none() {
                // The same problem would be found for every input.
                found.resize(read.inputs.len(), None);
                break;
            }
            found.push(condition);
        }
        found
    }

    fn having(&self, options: &Options<'_>, outputs: &[StreamId], plan: &dyn BoltPlan) -> Option<Expr> {
        if !options.has("having") || plan.outputs().is_empty() {
            return None;
        }
        let main = &self.streams[outputs[0]];
        let columns: Vec<_> =
            main.columns.iter().map(|c| ScopeColumn { stream: &main.name, column: &c.column }).collect();
        options.condition("having", &Scope { columns: &columns, environment: &self.environment })
    }

    /// Groupings that cannot work are refused with the reason.
    fn groupings(
        &self,
        read: &Read,
        key: &[Vec<usize>],
        factory: &dyn BoltFactory,
        stateful: bool,
        options: &Options<'_>,
    ) {
        let keyed = key.iter().any(|k| !k.is_empty());
        let Some(node) = options.node("from") else { return };
        for edge in &read.edges {
            let Some(grouping) = &edge.grouping else { continue };
            let stream = &self.streams[edge.stream].name;
            let refuse = |why: &str, hint: &str| {
                options.problem(
                    Problem::error(format!("this grouping of `{stream}` cannot work: {why}")).at(node.span).hint(hint),
                );
            };
            match grouping {
                Grouping::Fields if !keyed => {
                    refuse("`fields` divides by the key, and there is none", "give the bolt a `key`");
                }
                Grouping::PartialKey if !keyed => {
                    refuse("`partial_key` divides by the key, and there is none", "give the bolt a `key`");
                }
                Grouping::PartialKey if stateful => refuse(
                    "it gives one key to two tasks, and nothing merges what they keep",
                    "use `fields`; partial_key is for bolts whose results a later keyed bolt merges",
                ),
                Grouping::Fields | Grouping::PartialKey | Grouping::Global => {}
                _ if keyed && stateful => refuse(
                    "the bolt keeps state by key, so each key must always go to the same task",
                    "use `fields` (the default) or `global`",
                ),
                _ if factory.keyed() == Keyed::Global => {
                    refuse("all tuples must meet in one task of this kind", "use `global`, or leave the grouping out")
                }
                _ => {}
            }
        }
    }

    /// The streams of a bolt.
    fn add_streams(&mut self, item: &Item, read: &Read, plan: &dyn BoltPlan) -> Vec<StreamId> {
        let owner = Owner::Bolt(self.bolts.len());
        let first = self.streams.len();
        let disorder = read.inputs.iter().map(|i| i.disorder).max().unwrap_or(0);
        let id = &item.key.name;
        for (port, output) in plan.outputs().iter().enumerate() {
            let name = if output.suffix.is_empty() { id.clone() } else { format!("{id}.{}", output.suffix) };
            let single = read.inputs.len() == 1;
            let columns: Vec<OutputColumn> = output.columns.clone();
            debug_assert!(single || !columns.iter().any(|c| matches!(c.source, ColumnSource::Input(_))));
            self.add_stream(name, owner, port, columns, disorder);
        }
        let port = self.streams.len() - first;
        self.add_stream(format!("{id}.errors"), owner, port, error_columns(false), disorder);
        (first..self.streams.len()).collect()
    }
}

fn scope_columns(input: &InputStream) -> Vec<ScopeColumn<'_>> {
    input.columns.iter().map(|column| ScopeColumn { stream: &input.name, column }).collect()
}

fn key_columns(node: &Node, input: &InputStream, options: &Options<'_>) -> Option<Vec<usize>> {
    let nodes: Vec<&Node> = match &node.value {
        NodeValue::Array(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut columns = Vec::new();
    for node in nodes {
        let Some(name) = node.as_text() else {
            options.wrong("key", node, "a column, a list of columns, or a table of them by stream");
            return None;
        };
        let Some(at) = input.columns.iter().position(|c| c.is(name)) else {
            let names = input.columns.iter().map(|c| c.name.as_str());
            let mut problem = Problem::error(format!("`{}` has no column `{name}`", input.name)).at(node.span);
            if let Some(near) = nearest(name, names.clone()) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            options.problem(problem.hint(format!("its columns are {}", names.collect::<Vec<_>>().join(", "))));
            return None;
        };
        columns.push(at);
    }
    if columns.is_empty() {
        options.wrong("key", node, "at least one column");
        return None;
    }
    Some(columns)
}
