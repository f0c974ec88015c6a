//! `[runtime]`.

use super::super::checked::{DeadLetters, Runtime, Wait};
use super::super::model::Model;
use super::known_keys;
use crate::component::{NodeValue, OptionSpec, Options, Table};
use crate::dead;
use crate::log::Retention;
use crate::problem::{Problems, Span};
use std::path::PathBuf;

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
    OptionSpec::optional(
        "data_dir",
        "folder that state, tables and topics are kept in; without, state lives in memory only",
    ),
    OptionSpec::optional(
        "dead_letters",
        "whether errors and late rows that nobody reads are kept in a topic, where there is a data directory: true, \
         false (they are only counted), or the topic's name (true: NAME.dead, NAME being the topology's)",
    ),
    OptionSpec::optional(
        "dead_letters_retention",
        "when the topic of dead letters is made: how long they are kept (\"30d\")",
    ),
    OptionSpec::optional(
        "dead_letters_size",
        "when the topic of dead letters is made: about how much of them is kept (\"1GiB\")",
    ),
    OptionSpec::optional("state_memory", "memory for keyed state (\"512MiB\"); a quarter of the machine's by default"),
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
    let data_dir = options.text("data_dir").map(PathBuf::from);
    Runtime {
        threads: options.integer("threads", 1).map(|n| n as usize),
        cores,
        pin: options.boolean("pin").unwrap_or(true),
        wait,
        commit: options.duration("commit").unwrap_or(100_000),
        data_dir: model.data_dir.clone().or(data_dir),
        dead_letters: dead_letters(&options, &model.name),
        state_memory_bytes: options.size("state_memory").unwrap_or_else(quarter_of_memory),
        ring_capacity_tuples: options.integer("ring_capacity", 1).map_or(1024, |n| n as usize),
        sample: options.integer("sample", 0).map_or(128, |n| n.min(i64::from(u32::MAX)) as u32),
    }
}

fn dead_letters(options: &Options<'_>, topology: &str) -> Option<DeadLetters> {
    let age = options.duration("dead_letters_retention").unwrap_or(dead::AGE);
    let bytes = options.size("dead_letters_size").unwrap_or(dead::BYTES);
    let topic = match options.node("dead_letters") {
        None => dead::topic_name(topology),
        Some(node) => match &node.value {
            NodeValue::Boolean(false) => return None,
            NodeValue::Boolean(true) => dead::topic_name(topology),
            NodeValue::Text(name) => name.text.clone(),
            _ => {
                options.wrong("dead_letters", node, "true, false or the name of a topic");
                return None;
            }
        },
    };
    Some(DeadLetters { topic, retention: Retention { age: Some(age), bytes: Some(bytes) } })
}

/// A quarter of the machine's memory, or of what the process may use if that is less, bytes.
fn quarter_of_memory() -> u64 {
    // SAFETY: asks the system for two numbers.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let machine = u64::try_from(pages).unwrap_or(0).saturating_mul(u64::try_from(page).unwrap_or(0));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let known = [Some(machine).filter(|bytes| *bytes > 0), group].into_iter().flatten().min();
    known.unwrap_or(4 << 30) / 4
}
