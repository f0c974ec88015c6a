//! `sferic log list`.

use super::{Failure, timestamp};
use crate::bolts::{Align, TextTable};
use crate::log::{Log, PartitionStats};
use serde_json::json;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topic; all of them by default.
    topic: Option<String>,
    /// text for people, json (one object a line) for machines.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// Prints what there is.
pub fn run(log: &Log, arguments: &Arguments) -> Result<(), Failure> {
    let names = match &arguments.topic {
        Some(name) => vec![name.clone()],
        None => log.topics()?,
    };
    let mut rows = Vec::new();
    for name in names {
        let topic = log.topic(&name)?;
        for partition in 0..topic.options().partitions {
            rows.push((name.clone(), partition, topic.stats(partition)?));
        }
    }
    if arguments.format == "json" {
        let lines = rows.iter().map(|(name, partition, stats)| format!("{}\n", as_json(name, *partition, stats)));
        return super::print(&lines.collect::<String>());
    }
    if rows.is_empty() {
        return super::print(&format!("no topics in {}\n", log.folder().display()));
    }
    super::print(&as_table(&rows))
}

fn as_json(name: &str, partition: u32, stats: &PartitionStats) -> serde_json::Value {
    json!({
        "topic": name,
        "partition": partition,
        "first": stats.first,
        "end": stats.end,
        "records": stats.end.saturating_sub(stats.first),
        "bytes": stats.bytes,
        "segments": stats.segments,
        "first_time": stats.first_time.map(timestamp),
        "last_time": stats.last_time.map(timestamp),
    })
}

fn as_table(rows: &[(String, u32, PartitionStats)]) -> String {
    let left = ["topic"].map(|name| (name, Align::Left));
    let right = ["partition", "first", "end", "bytes", "segments"].map(|name| (name, Align::Right));
    let times = ["first time", "last time"].map(|name| (name, Align::Left));
    let mut table = TextTable::new(left.into_iter().chain(right).chain(times));
    for (name, partition, stats) in rows {
        let numbers = [u64::from(*partition), stats.first, stats.end, stats.bytes, stats.segments as u64];
        let times = [stats.first_time, stats.last_time].map(|time| time.map_or_else(|| "-".to_owned(), timestamp));
        table.row([name.clone()].into_iter().chain(numbers.map(|n| n.to_string())).chain(times));
    }
    table.render()
}
