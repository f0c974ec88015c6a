//! `sferic schema`.

use crate::component::Registry;
use crate::config;
use std::process::ExitCode;

/// Prints the JSON Schema of topology files.
pub fn run(registry: &Registry) -> ExitCode {
    super::print(&format!("{:#}\n", config::schema(registry)));
    ExitCode::SUCCESS
}
