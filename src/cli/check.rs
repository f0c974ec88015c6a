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
        match load::load(registry, file, &arguments.load) {
            Some(checked) => super::print(&format!(
                "{}: ok ({} spouts, {} bolts, {} tests)\n",
                file.display(),
                checked.spouts.len(),
                checked.bolts.len(),
                checked.tests.len()
            )),
            None => wrong = true,
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}
