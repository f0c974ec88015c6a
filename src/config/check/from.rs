//! `from`: which streams a bolt reads, and how their tuples are divided among its tasks.

use super::super::checked::Grouping;
use super::super::model::Item;
use crate::component::{Node, NodeValue, OptionSpec, Options};
use crate::expr::{Environment, Scope, ScopeColumn};
use crate::problem::{Problem, Span, nearest};
use crate::tuple::{Column, DataType};

/// The groupings: how the tuples of a stream are divided among the tasks of a bolt.
pub const GROUPINGS: &[OptionSpec] = &[
    OptionSpec::optional("shuffle", "to each task in turn"),
    OptionSpec::optional("fields", "by `key`: equal keys always to the same task; the default of a bolt with a key"),
    OptionSpec::optional("partial_key", "by `key`, to the less busy of two tasks; not for bolts that keep state"),
    OptionSpec::optional("all", "every tuple to every task"),
    OptionSpec::optional("global", "everything to the first task"),
    OptionSpec::optional("none", "it does not matter"),
    OptionSpec::optional("local_or_shuffle", "to a task on the same executor where there is one, else in turn"),
    OptionSpec::optional(
        "direct",
        "to the task whose number an expression gives: stream = { grouping = \"direct\", task = \"id % 4\" }",
    ),
];

/// One stream of `from` as written.
#[derive(Clone, Debug)]
pub struct From<'a> {
    /// The stream's name.
    pub stream: String,
    /// Its place.
    pub span: Span,
    /// The grouping asked for.
    pub grouping: Option<&'a Node>,
}

/// What a bolt reads; a problem and none where it cannot be understood.
pub fn parse<'a>(item: &'a Item, options: &Options<'a>) -> Option<Vec<From<'a>>> {
    let Some(node) = item.table.get("from") else {
        options.problem(
            Problem::error(format!("`{}` has no `from`", options.component)).at(item.key.span).hint(
                "`from` names the stream that the bolt reads, a list of streams, or a table stream = \"grouping\"",
            ),
        );
        return None;
    };
    let found: Vec<From<'a>> = match &node.value {
        NodeValue::Table(table) => {
            let from = |(key, node): &'a (crate::component::Key, Node)| From {
                stream: key.name.clone(),
                span: key.span,
                grouping: Some(node),
            };
            table.entries.iter().map(from).collect()
        }
        _ => options
            .texts("from")?
            .into_iter()
            .map(|(stream, node)| From { stream: stream.to_owned(), span: node.span, grouping: None })
            .collect(),
    };
    if found.is_empty() {
        options.wrong("from", node, "the name of a stream, or a list of at least one");
        return None;
    }
    for (n, from) in found.iter().enumerate() {
        if let Some(first) = found[..n].iter().find(|f| f.stream == from.stream) {
            options.problem(
                Problem::error(format!("`from` of `{}` names `{}` twice", options.component, from.stream))
                    .at(from.span)
                    .also(first.span, "the first time"),
            );
            return None;
        }
    }
    Some(found)
}

/// The grouping of one stream: a name, or `{ grouping = "direct", task = "expression" }`.
pub fn grouping(
    from: &From<'_>,
    columns: &[Column],
    options: &Options<'_>,
    environment: &Environment,
) -> Option<Grouping> {
    let node = from.grouping?;
    let (name, task) = match &node.value {
        NodeValue::Text(text) => (text.text.as_str(), None),
        NodeValue::Table(table) => match table.get("grouping").and_then(Node::as_text) {
            Some(name) => (name, table.get("task")),
            None => {
                options.wrong("from", node, "a grouping, or { grouping = \"direct\", task = \"...\" }");
                return None;
            }
        },
        _ => {
            options.wrong("from", node, "the name of a grouping");
            return None;
        }
    };
    Some(match name {
        "shuffle" => Grouping::Shuffle,
        "fields" => Grouping::Fields,
        "partial_key" => Grouping::PartialKey,
        "all" => Grouping::All,
        "global" => Grouping::Global,
        "none" => Grouping::None,
        "local_or_shuffle" => Grouping::LocalOrShuffle,
        "direct" => return direct(from, node, task, columns, options, environment),
        other => {
            let mut problem = Problem::error(format!("there is no grouping `{other}`")).at(node.span);
            if let Some(near) = nearest(other, GROUPINGS.iter().map(|g| g.name)) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            let names = GROUPINGS.iter().map(|g| g.name).collect::<Vec<_>>().join(", ");
            options.problem(problem.hint(format!("the groupings are {names}")));
            return None;
        }
    })
}

fn direct(
    from: &From<'_>,
    node: &Node,
    task: Option<&Node>,
    columns: &[Column],
    options: &Options<'_>,
    environment: &Environment,
) -> Option<Grouping> {
    let Some(task) = task.filter(|t| t.as_text().is_some()) else {
        options.problem(
            Problem::error("the grouping `direct` needs `task`, an expression for the number of the task")
                .at(node.span)
                .hint(format!("{} = {{ grouping = \"direct\", task = \"column % 4\" }}", from.stream)),
        );
        return None;
    };
    let scope: Vec<ScopeColumn<'_>> =
        columns.iter().map(|column| ScopeColumn { stream: &from.stream, column }).collect();
    let expr = options.expr_of(task, &Scope { columns: &scope, environment })?;
    if expr.data_type() != DataType::Bigint {
        options.problem(
            Problem::error(format!("`task` must be a bigint, found a {}", expr.data_type()))
                .at(task.span)
                .hint("tasks are numbered from 0"),
        );
        return None;
    }
    Some(Grouping::Direct(expr))
}
