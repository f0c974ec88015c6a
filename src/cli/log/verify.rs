//! `sferic log verify`.

use super::Failure;
use crate::log::Log;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topic; all of them by default.
    topic: Option<String>,
    /// text for people, json (one object a line) for machines.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// Checks every record; a damaged one is a failure.
pub fn run(log: &Log, arguments: &Arguments) -> Result<(), Failure> {
    let names = match &arguments.topic {
        Some(name) => vec![name.clone()],
        None => log.topics()?,
    };
    let mut sound = true;
    for name in names {
        let topic = log.topic(&name)?;
        for partition in 0..topic.options().partitions {
            let bar = bar(&format!("{name}/{partition}"));
            let mut progress = |done: u64, total: u64| {
                bar.set_length(total);
                bar.set_position(done);
            };
            let found = topic.verify(partition, &mut progress)?;
            bar.finish_and_clear();
            sound &= found.damage.is_none();
            let (records, bytes) = (found.records, found.bytes);
            let text = if arguments.format == "json" {
                let damage = found.damage.map(|d| {
                    json!({ "file": d.file.display().to_string(), "byte": d.byte, "offset": d.offset, "what": d.what })
                });
                let line = json!({
                    "topic": name, "partition": partition, "good_records": records, "good_bytes": bytes, "damage": damage,
                });
                format!("{line}\n")
            } else {
                let plural = if records == 1 { "" } else { "s" };
                let good = format!("{name}/{partition}: {records} good record{plural} ({bytes} bytes)");
                match found.damage {
                    None => format!("{good}\n"),
                    Some(d) => {
                        let file = d.file.display();
                        format!("{good}, DAMAGED at offset {} ({file}, byte {}): {}\n", d.offset, d.byte, d.what)
                    }
                }
            };
            super::print(&text)?;
        }
    }
    if sound { Ok(()) } else { Err(Failure::Said) }
}

/// A bar on a terminal, nothing elsewhere.
fn bar(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix} [{bar:40}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name.to_owned());
    bar
}
