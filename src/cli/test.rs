//! `sferic test`.

use super::{FAILED, WRONG, load};
use crate::component::Registry;
use crate::filetest;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// Topology files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Run only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    #[command(flatten)]
    load: load::Arguments,
}

/// Runs the tests of files.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let (mut passed, mut failed, mut wrong) = (0, 0, false);
    for file in &arguments.files {
        let Some(checked) = load::load(registry, file, &arguments.load, None) else {
            wrong = true;
            continue;
        };
        let chosen = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
        for test in checked.tests.iter().filter(|t| chosen(&t.name)) {
            let differences = match filetest::run(&checked, test) {
                Ok(outcome) => outcome.differences,
                Err(error) => vec![error.to_string()],
            };
            if differences.is_empty() {
                passed += 1;
                super::print(&format!("ok      {}\n", test.name));
            } else {
                failed += 1;
                super::print(&format!("FAILED  {} ({})\n", test.name, file.display()));
                differences.iter().for_each(|d| super::print(&format!("  - {d}\n")));
            }
        }
    }
    if !wrong || passed + failed > 0 {
        super::print(&format!("{passed} passed, {failed} failed\n"));
    }
    match (wrong, failed) {
        (true, _) => ExitCode::from(WRONG),
        (false, 0) => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}
