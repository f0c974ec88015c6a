//! `sferic run`.

use super::{FAILED, WRONG, load};
use crate::component::Registry;
use crate::latency::Interim;
use crate::time;
use crate::topology::{self, RunError, RunOptions};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topology file.
    file: PathBuf,
    /// Print a short report this often meanwhile, such as 5s; to standard error, as JSON to standard output.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    every: Option<Duration>,
    /// The form of reports: text, or json with one object a line.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    format: String,
    /// Write the final report into this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How long to measure the machine's own stalls before the start; 0s not at all.
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = duration)]
    jitter: Duration,
    /// Drop the state of this component before the start; may be given several times.
    #[arg(long = "reset-state", value_name = "COMPONENT")]
    reset_state: Vec<String>,
    #[command(flatten)]
    load: load::Arguments,
    #[command(flatten)]
    runtime: load::Runtime,
}

/// A duration as people write it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let micros = time::parse_interval(text)?;
    u64::try_from(micros).map(Duration::from_micros).map_err(|_| "a duration cannot be negative".to_owned())
}

/// Width of a text report where the terminal's is not known.
const WIDTH: usize = 110;

/// How long executors have to stop at once: one may be held in a system call, such as a write that nobody reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends the process when a second signal has not ended the run.
#[derive(Default)]
struct Patience {
    since: Cell<Option<Instant>>,
}

impl Patience {
    fn watch(&self, signals: usize) {
        if signals < 2 {
            return;
        }
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        if since.elapsed() >= PATIENCE {
            eprintln!("error: stopped at once, without a report: an executor is held up by its input or output");
            std::process::exit(i32::from(FAILED));
        }
    }
}

/// Counts the signals that ask the process to stop.
pub fn count_signals(signals: &Arc<AtomicUsize>) {
    for signal in [SIGINT, SIGTERM] {
        let count = signals.clone();
        // SAFETY: the handler does nothing but an atomic addition, which is async-signal-safe.
        let set = unsafe {
            signal_hook::low_level::register(signal, move || {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        if let Err(error) = set {
            eprintln!("warning: signal {signal} cannot be handled: {error}");
        }
    }
}

/// Runs a topology and prints its report.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let Some(mut checked) = load::load(registry, &arguments.file, &arguments.load, arguments.runtime.data_dir()) else {
        return ExitCode::from(WRONG);
    };
    arguments.runtime.apply(&mut checked);
    let signals = Arc::new(AtomicUsize::new(0));
    count_signals(&signals);
    let patience = Patience::default();
    let json = arguments.format == "json";
    let interim = |interim: &Interim| {
        if json {
            super::print(&format!("{}\n", serde_json::json!({ "interim": interim })));
        } else {
            eprintln!("{}", interim.render(WIDTH));
        }
    };
    let options = RunOptions {
        every: arguments.every.filter(|d| !d.is_zero()),
        interim: &interim,
        stop: &|| {
            let signals = signals.load(Ordering::Relaxed);
            patience.watch(signals);
            signals
        },
        jitter: Some(arguments.jitter).filter(|d| !d.is_zero()),
        warn: &|text| eprintln!("warning: {text}"),
        reset: &arguments.reset_state,
    };
    let ran = match topology::run(&checked, &options) {
        Ok(ran) => ran,
        Err(error) => {
            load::print_error(&error);
            return ExitCode::from(if matches!(error, RunError::Budget(_)) { WRONG } else { FAILED });
        }
    };
    let text = if json { format!("{}\n", ran.report.to_json()) } else { ran.report.render(WIDTH) };
    match &arguments.report {
        Some(path) => {
            if let Err(error) = std::fs::write(path, text) {
                eprintln!("error: the report cannot be written to {}: {error}", path.display());
                return ExitCode::from(FAILED);
            }
        }
        None => super::print(&text),
    }
    match ran.error {
        Some(error) => {
            load::print_error(&error);
            ExitCode::from(FAILED)
        }
        None => ExitCode::SUCCESS,
    }
}
