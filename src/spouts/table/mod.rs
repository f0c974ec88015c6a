//! Reference tables: whole in memory, from a file or a topic.

mod file;
mod topic;

use super::file::Patterns;
use super::log::check_csv;
use crate::component::{OptionSpec, Options, SpoutCheck, TableFactory, TablePlan};
use crate::decoder::{DecoderCheck, DecoderPlan, RECORD_OPTIONS};
use crate::problem::{Problem, nearest};
use crate::tuple::Column;
use file::FileTable;
use std::path::PathBuf;
use std::sync::Arc;
use topic::TopicTable;

static OPTIONS: [OptionSpec; 14] = [
    OptionSpec::optional("path", "the file, plain or packed with gzip or zstd; or else `topic`"),
    OptionSpec::optional(
        "topic",
        "a topic of the embedded log: the latest record of a key counts, new ones are followed while the topology runs",
    ),
    OptionSpec::required(
        "key",
        "the column, or list of columns, by which expressions find a row: name[column].other, name[(a, b)].other",
    ),
    OptionSpec::optional("reload", "\"on change\" of the file, or \"never\" (default)"),
    RECORD_OPTIONS[0],
    RECORD_OPTIONS[1],
    RECORD_OPTIONS[2],
    RECORD_OPTIONS[4],
    RECORD_OPTIONS[5],
    RECORD_OPTIONS[6],
    RECORD_OPTIONS[7],
    RECORD_OPTIONS[8],
    RECORD_OPTIONS[11],
    RECORD_OPTIONS[12],
];

/// Reads reference tables from files and topics.
pub struct ReferenceTables;

impl TableFactory for ReferenceTables {
    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[tables.blocked]
path   = "blocked.csv"             # card,reason
format = "csv"
key    = "card"
reload = "on change"
fields.card   = "bigint not null"
fields.reason = "text"

[bolts.hits]
kind  = "select"
from  = "payments"
where = "blocked[card] is not null"
keep  = ["id", "card"]
add.reason = "blocked[card].reason"

[bolts.out]
kind = "console"
from = "hits"
limit = 3
"#
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn TablePlan>> {
        let options = &check.options;
        match (options.node("path"), options.node("topic")) {
            (None, None) => {
                let problem = Problem::error(format!("`{}` needs `path` or `topic`", options.component));
                options.problem(
                    problem.at(options.span).hint("a file, path = \"limits.csv\", or a topic of the embedded log"),
                );
                None
            }
            (Some(_), Some(topic)) => {
                let problem = Problem::error(format!("`{}` has both `path` and `topic`", options.component));
                options.problem(problem.at(topic.span).hint("rows come from a file or from a topic"));
                None
            }
            (Some(_), None) => from_file(check),
            (None, Some(_)) => from_topic(check),
        }
    }
}

fn decoder(check: &SpoutCheck<'_>) -> Option<DecoderPlan> {
    let (options, environment) = (check.options, check.environment);
    DecoderPlan::check(&DecoderCheck { name: check.name, options, environment, header: &|_| None })
}

fn from_file(check: &SpoutCheck<'_>) -> Option<Box<dyn TablePlan>> {
    let options = &check.options;
    let path = options.text("path").map(|path| check.folder.join(path));
    let patterns = options.text("path").and_then(|_| Patterns::of(options, "path", check.folder));
    let reload = options.choice("reload", &["on change", "never"]) == Some("on change");
    let decoder = decoder(check)?;
    let key = key(options, decoder.columns())?;
    patterns?.warn(options);
    Some(Box::new(FileTable { path: path?, decoder, key, reload }))
}

fn from_topic(check: &SpoutCheck<'_>) -> Option<Box<dyn TablePlan>> {
    let options = &check.options;
    let topic = options.text("topic").map(str::to_owned);
    if let Some(node) = options.node("reload") {
        let problem = Problem::error("`reload` has no meaning for a topic, which is always followed").at(node.span);
        options.problem(problem.label("leave it out"));
        return None;
    }
    let sound = check_csv(options);
    let decoder = decoder(check)?;
    let key = key(options, decoder.columns())?;
    let data_dir = check.data_dir.map(PathBuf::from);
    let name = check.name.trim_start_matches("tables.").to_owned();
    let topic = TopicTable { name, data_dir, topic: topic?, decoder: Arc::new(decoder), key };
    sound.then(|| Box::new(topic) as Box<dyn TablePlan>)
}

fn key(options: &Options<'_>, columns: &[Column]) -> Option<Vec<usize>> {
    let texts = options.texts("key")?;
    let mut key = Vec::new();
    for (name, node) in &texts {
        match columns.iter().position(|c| c.is(name)) {
            Some(column) => key.push(column),
            None => {
                let mut problem = Problem::error(format!("`{}` has no column `{name}` for its key", options.component));
                if let Some(near) = nearest(name, columns.iter().map(|c| c.name.as_str())) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                options.problem(problem.at(node.span));
            }
        }
    }
    if texts.is_empty()
        && let Some(node) = options.node("key")
    {
        options.wrong("key", node, "a column or a list of columns");
    }
    (!key.is_empty() && key.len() == texts.len()).then_some(key)
}
