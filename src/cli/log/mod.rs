//! `sferic log`: the topics of the embedded log, one file for each verb.

mod append;
mod list;
mod read;
mod trim;
mod verify;

use super::{FAILED, WRONG, load};
use crate::log::{Log, LogError, Topic};
use crate::time;
use clap::Subcommand;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds state, tables and topics.
    #[arg(long, value_name = "DIR", env = "SFERIC_DATA_DIR", default_value = "sferic-data", global = true)]
    data_dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List topics and their partitions: first offset, end, bytes, times.
    List(list::Arguments),
    /// Append the lines of files, or of standard input, to a topic; make the topic if it is not there.
    Append(append::Arguments),
    /// Print the records of a topic from a place on.
    Read(read::Arguments),
    /// Print the last records of a topic, and then what is appended.
    Tail(read::TailArguments),
    /// Drop the oldest records of a topic, as far as whole segments allow.
    Trim(trim::Arguments),
    /// Check every record of topics: exit code 1 if one is damaged.
    Verify(verify::Arguments),
}

/// Why a verb failed.
enum Failure {
    Log(LogError),
    /// Input or output, with what was being done.
    Io(String, io::Error),
    /// The flags or the input cannot be.
    Wrong(String),
    /// It has been said already.
    Said,
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Failure {
        Failure::Log(error)
    }
}

/// Runs a verb.
pub fn run(arguments: &Arguments) -> ExitCode {
    let log = Log::in_dir(&arguments.data_dir);
    let done = match &arguments.verb {
        Verb::List(arguments) => list::run(&log, arguments),
        Verb::Append(arguments) => append::run(&log, arguments),
        Verb::Read(arguments) => read::run(&log, arguments),
        Verb::Tail(arguments) => read::tail(&log, arguments),
        Verb::Trim(arguments) => trim::run(&log, arguments),
        Verb::Verify(arguments) => verify::run(&log, arguments),
    };
    match done {
        Ok(()) => return ExitCode::SUCCESS,
        // Nobody reads any more: no failure of ours.
        Err(Failure::Io(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Log(error)) => {
            load::print_error(&error);
            if matches!(error, LogError::Refused(_) | LogError::NoTopic { .. } | LogError::NoPartition { .. }) {
                return ExitCode::from(WRONG);
            }
        }
        Err(Failure::Io(doing, error)) => eprintln!("error: {doing}: {error}"),
        Err(Failure::Wrong(text)) => {
            eprintln!("error: {text}");
            return ExitCode::from(WRONG);
        }
        Err(Failure::Said) => {}
    }
    ExitCode::from(FAILED)
}

/// The partitions that a flag means: one, or all.
fn partitions(topic: &Topic, wanted: Option<u32>) -> Range<u32> {
    wanted.map_or(0..topic.options().partitions, |one| one..one.saturating_add(1))
}

/// Prints; a reader that has gone is told by the error.
fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|e| Failure::Io("cannot write to standard output".to_owned(), e))
}

fn duration(text: &str) -> Result<i64, String> {
    match time::parse_interval(text)? {
        micros if micros >= 0 => Ok(micros),
        _ => Err("a duration cannot be negative".to_owned()),
    }
}

fn size(text: &str) -> Result<u64, String> {
    crate::component::parse_size(text).ok_or_else(|| "write a size such as 64MiB or \"2 GB\"".to_owned())
}

/// A timestamp, or a duration that lies back.
fn since(text: &str) -> Result<i64, String> {
    match time::parse_timestamp(text) {
        Ok(time) => Ok(time),
        Err(_) => match duration(text) {
            Ok(back) => Ok(now().saturating_sub(back)),
            Err(_) => Err("write a timestamp such as 2024-01-31T12:00:00Z, or how long ago, such as 10m".to_owned()),
        },
    }
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| d.as_micros() as i64)
}

/// A time as it is printed.
fn timestamp(micros: i64) -> String {
    let mut text = String::new();
    crate::tuple::format_rfc3339(micros, &mut text);
    text
}
