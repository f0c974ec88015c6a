//! `sferic log trim`.

use super::{Failure, duration, now, size};
use crate::log::{Log, Trim};

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topic.
    topic: String,
    /// Trim this partition; by default all.
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    #[command(flatten)]
    what: What,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Drop records before this offset; the end drops all.
    #[arg(long, value_name = "N")]
    offset: Option<u64>,
    /// Drop records that are older, such as 7d.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    age: Option<i64>,
    /// Keep at least so much of each partition, such as 1GiB, and drop what is older.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<u64>,
}

/// Trims, and says what was dropped.
pub fn run(log: &Log, arguments: &Arguments) -> Result<(), Failure> {
    let topic = log.topic(&arguments.topic)?;
    let trim = match arguments.what {
        What { offset: Some(offset), .. } => Trim::Offset(offset),
        What { age: Some(age), .. } => Trim::Time(now().saturating_sub(age)),
        What { size: Some(bytes), .. } => Trim::Bytes(bytes),
        // The group of flags asks for one of them.
        What { .. } => return Err(Failure::Wrong("say what to drop: --offset, --age or --size".to_owned())),
    };
    for partition in super::partitions(&topic, arguments.partition) {
        let dropped = topic.trim(partition, trim)?;
        let first = topic.stats(partition)?.first;
        let (records, bytes) = (dropped.records, dropped.bytes);
        let plural = if records == 1 { "" } else { "s" };
        let name = topic.name();
        super::print(&format!(
            "{name}/{partition}: {records} record{plural} dropped ({bytes} bytes), first {first}\n"
        ))?;
    }
    Ok(())
}
