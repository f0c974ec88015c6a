//! `sferic explain`.

use super::{FAILED, WRONG, load};
use crate::component::Registry;
use crate::topology::{self, CoreBudget};
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topology file.
    file: PathBuf,
    #[command(flatten)]
    load: load::Arguments,
    #[command(flatten)]
    runtime: load::Runtime,
}

/// Prints the plan.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let Some(mut checked) = load::load(registry, &arguments.file, &arguments.load, arguments.runtime.data_dir()) else {
        return ExitCode::from(WRONG);
    };
    arguments.runtime.apply(&mut checked);
    let budget = match CoreBudget::new(&checked.runtime, &topology::allowed_cores()) {
        Ok(budget) => budget,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(WRONG);
        }
    };
    match topology::entries(&checked) {
        Ok(entries) => {
            let plan = topology::plan(&checked, &entries, &budget);
            super::print(&topology::explain(&checked, &entries, &plan));
            ExitCode::SUCCESS
        }
        Err(error) => {
            load::print_error(&error);
            ExitCode::from(FAILED)
        }
    }
}
