//! Loading a topology for a command: problems go to standard error.

use crate::component::Registry;
use crate::config::{self, Checked};
use crate::problem::{Problems, Severity, Sources};
use std::error::Error;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Flags of all commands that load a topology.
#[derive(clap::Args)]
pub struct Arguments {
    /// Set a parameter of [params]: --set large=800 (a TOML value, else a string).
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
}

/// Flags of commands that plan a topology.
#[derive(clap::Args)]
pub struct Runtime {
    /// Number of executors, instead of `threads` in [runtime].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Keep state, tables and topics in this folder, instead of `data_dir` in [runtime].
    #[arg(long, value_name = "DIR", env = "SFERIC_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// End an epoch this often, instead of `commit` in [runtime].
    #[arg(long, value_name = "DURATION", value_parser = super::run::duration)]
    commit: Option<Duration>,
}

impl Runtime {
    /// The folder that is to be used, if it was given.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Puts the flags in the place of what the file says.
    pub fn apply(&self, checked: &mut Checked) {
        if self.threads.is_some() {
            checked.runtime.threads = self.threads.map(NonZeroUsize::get);
        }
        if let Some(commit) = self.commit {
            checked.runtime.commit = i64::try_from(commit.as_micros()).unwrap_or(i64::MAX);
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as name=value".to_owned()),
    }
}

/// Loads and checks a file; prints its problems and gives none if any is an error. `data_dir` wins over what the file
/// says.
pub fn load(registry: &Registry, file: &Path, arguments: &Arguments, data_dir: Option<&Path>) -> Option<Checked> {
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let mut model = config::load_file(file, &arguments.set, &mut sources, &problems);
    model.data_dir = data_dir.map(Path::to_owned);
    let checked = config::check(&model, registry, &problems);
    let found = problems.into_sorted();
    if !found.is_empty() {
        eprint!("{}", sources.render(&found, std::io::stderr().is_terminal()));
        let errors = found.iter().filter(|p| p.severity == Severity::Error).count();
        if errors > 0 {
            let plural = if errors == 1 { "" } else { "s" };
            eprintln!("{}: {errors} error{plural}; nothing was started", file.display());
        }
    }
    checked
}

/// Prints an error with what caused it.
pub fn print_error(error: &dyn Error) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        // Libraries repeat their cause in their own words.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    eprintln!("{text}");
}
