//! `sferic check`.

use super::{WRONG, load};
use crate::component::Registry;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// Topology files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    load: load::Arguments,
}

/// Checks files and prints every problem.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let mut wrong = false;
    for file in &arguments.files {
        match load::load(registry, file, &arguments.load, None) {
            Some(checked) => super::print(&format!(
                "{}: ok ({}, {}, {})\n",
                file.display(),
                count(checked.spouts.len(), "spout"),
                count(checked.bolts.len(), "bolt"),
                count(checked.tests.len(), "test")
            )),
            None => wrong = true,
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}
