//! `[runtime]`.

use super::super::checked::{Runtime, Wait};
use super::super::model::Model;
use super::known_keys;
use crate::component::{NodeValue, OptionSpec, Options, Table};
use crate::problem::{Problems, Span};

/// The keys of `[runtime]`.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("threads", "number of executors; by default all cores of the process but one"),
    OptionSpec::optional(
        "cores",
        "list of the cores that executors are pinned to, in order: [2, 3]; by default those the process may use",
    ),
    OptionSpec::optional("pin", "whether executors are pinned to cores: true or false (true)"),
    OptionSpec::optional(
        "wait",
        "how an idle executor waits: \"spin\" is fastest and takes its whole core, \"yield\", \"park\" sleeps, \"adaptive\" spins, then yields, then parks (\"adaptive\")",
    ),
    OptionSpec::optional("commit", "length of an epoch (\"100ms\")"),
    OptionSpec::optional("ring_capacity", "tuples that a channel between executors holds (1024)"),
    OptionSpec::optional("sample", "of how many tuples one has its time in each bolt measured (128); 0 measures none"),
];

/// The runtime a model asks for; what is wrong is a problem, and has its default.
pub fn runtime(model: &Model, problems: &Problems) -> Runtime {
    let empty = Table::default();
    let (span, table) = model.runtime.as_ref().map_or((Span::default(), &empty), |(span, table)| (*span, table));
    let options = Options { component: "runtime", span, table, problems };
    known_keys(&options, OPTIONS, &[]);
    let wait = match options.choice("wait", &["spin", "yield", "park", "adaptive"]) {
        Some("spin") => Wait::Spin,
        Some("yield") => Wait::Yield,
        Some("park") => Wait::Park,
        _ => Wait::Adaptive,
    };
    let cores = options.node("cores").and_then(|node| {
        let core = |n: &crate::component::Node| match n.value {
            NodeValue::Integer(i) => usize::try_from(i).ok(),
            _ => None,
        };
        let cores = match &node.value {
            NodeValue::Array(items) if !items.is_empty() => items.iter().map(core).collect(),
            _ => None,
        };
        if cores.is_none() {
            options.wrong("cores", node, "a list of core numbers such as [1, 2]");
        }
        cores
    });
    Runtime {
        threads: options.integer("threads", 1).map(|n| n as usize),
        cores,
        pin: options.boolean("pin").unwrap_or(true),
        wait,
        commit: options.duration("commit").unwrap_or(100_000),
        ring_capacity_tuples: options.integer("ring_capacity", 1).map_or(1024, |n| n as usize),
        sample: options.integer("sample", 0).map_or(128, |n| n.min(i64::from(u32::MAX)) as u32),
    }
}
