//! `sferic log read` and `sferic log tail`.

use super::{Failure, since, timestamp, written};
use crate::log::{Log, LogError, Reader, Record, Start, Topic};
use serde_json::json;
use std::io::{self, Write};
use std::time::Duration;

/// How long `tail` rests when there is nothing new.
const REST: Duration = Duration::from_millis(20);

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topic.
    topic: String,
    /// Read this partition; by default all, one after the other.
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    /// Begin at this offset; by default at the first there is.
    #[arg(long, value_name = "N")]
    offset: Option<u64>,
    /// Begin at what was appended since this timestamp, or so long ago (10m).
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "offset")]
    since: Option<i64>,
    /// Print at most so many records.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// text: the values, a line each; json: objects with partition, offset, time, key and value.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// Flags of `tail`.
#[derive(clap::Args)]
pub struct TailArguments {
    /// The topic.
    topic: String,
    /// Follow this partition; by default all.
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    /// Begin with so many of the last records of each partition.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Stop after so many records; by default never.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// text: the values, a line each; json: objects with partition, offset, time, key and value.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// Prints records up to the end that there is now.
pub fn run(log: &Log, arguments: &Arguments) -> Result<(), Failure> {
    let topic = log.topic(&arguments.topic)?;
    let start = match (arguments.offset, arguments.since) {
        (Some(offset), _) => Start::Offset(offset),
        (None, Some(time)) => Start::Time(time),
        (None, None) => Start::Earliest,
    };
    let mut printer = Printer::new(&arguments.format, arguments.limit);
    for partition in super::partitions(&topic, arguments.partition) {
        let mut reader = match topic.reader(partition, start) {
            // Partitions end at different offsets: asked of all, one that ends before has nothing to print.
            Err(LogError::Beyond { .. }) if arguments.partition.is_none() && topic.options().partitions > 1 => continue,
            reader => reader?,
        };
        let end = reader.end()?;
        while reader.offset() < end && printer.records(partition, &mut reader, end)? {}
    }
    printer.flush()
}

/// Prints the last records, and then what comes.
pub fn tail(log: &Log, arguments: &TailArguments) -> Result<(), Failure> {
    let topic = log.topic(&arguments.topic)?;
    let mut printer = Printer::new(&arguments.format, arguments.limit);
    let wanted = super::partitions(&topic, arguments.partition);
    let open = |p| last(&topic, p, arguments.lines).map(|reader| (p, reader));
    let mut readers: Vec<(u32, Reader)> = wanted.map(open).collect::<Result<_, _>>()?;
    loop {
        let mut any = false;
        for (partition, reader) in &mut readers {
            any |= printer.records(*partition, reader, u64::MAX)?;
        }
        if printer.is_done() {
            return printer.flush();
        }
        if !any {
            printer.flush()?;
            std::thread::sleep(REST);
        }
    }
}

/// A reader that has the last `lines` records before it.
fn last(topic: &Topic, partition: u32, lines: u64) -> Result<Reader, LogError> {
    let stats = topic.stats(partition)?;
    let from = stats.end.saturating_sub(lines).max(stats.first);
    topic.reader(partition, Start::Offset(from))
}

/// Records on standard output.
struct Printer {
    out: io::BufWriter<io::Stdout>,
    json: bool,
    left: u64,
}

impl Printer {
    fn new(format: &str, limit: Option<u64>) -> Printer {
        let out = io::BufWriter::with_capacity(64 * 1024, io::stdout());
        Printer { out, json: format == "json", left: limit.unwrap_or(u64::MAX) }
    }

    fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Prints what a reader has before `end`; whether that was anything.
    fn records(&mut self, partition: u32, reader: &mut Reader, end: u64) -> Result<bool, Failure> {
        let mut any = false;
        while self.left > 0 && reader.offset() < end {
            let Some(record) = reader.next_record()? else { break };
            written(self.record(partition, &record))?;
            self.left -= 1;
            any = true;
        }
        Ok(any)
    }

    fn record(&mut self, partition: u32, record: &Record<'_>) -> io::Result<()> {
        if !self.json {
            self.out.write_all(record.value)?;
            return self.out.write_all(b"\n");
        }
        let line = json!({
            "partition": partition,
            "offset": record.offset,
            "time": timestamp(record.time),
            "key": record.key.map(String::from_utf8_lossy),
            "value": String::from_utf8_lossy(record.value),
        });
        writeln!(self.out, "{line}")
    }

    fn flush(&mut self) -> Result<(), Failure> {
        written(self.out.flush())
    }
}
