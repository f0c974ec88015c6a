//! The command line: one file for each command.
//!
//! Never decides anything about a topology: it loads, calls, prints, and turns the result into an exit code: 0 all is
//! well, 1 the topology or its tests failed, 2 the files or flags are wrong.

mod check;
mod completions;
mod crashtest;
mod explain;
mod load;
mod log;
mod reference;
mod replay_dead;
mod run;
mod schema;
mod sim;
mod state;
mod stored;
mod table;
mod test;

use crate::component::Registry;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

const AFTER_HELP: &str = "\
To begin: `sferic reference tests` prints a topology to start from, `sferic check FILE` says what is wrong with yours.

Exit codes: 0 all is well, 1 the topology or a test failed, 2 the files or flags are wrong.";

/// Decides on every event within microseconds: topologies of spouts and bolts, declared in one TOML file.
#[derive(Parser)]
#[command(name = "sferic", version, about, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a topology to the end of its input, or until it is stopped, and report.
    Run(run::Arguments),
    /// Check topology files and print every problem.
    Check(check::Arguments),
    /// Run the tests in topology files, on a virtual clock.
    Test(test::Arguments),
    /// Kill a topology again and again, and compare what it keeps with an undisturbed run.
    #[command(
        after_help = "The topology runs as a child of this process, with a data directory of its own in the folder for \
                            temporary files, which is also its working directory: files that sinks write by relative \
                            paths stay there. Sinks that reach further than that do so in each run."
    )]
    Crashtest(crashtest::Arguments),
    /// Feed the dead letters of a topology to it again, once each; the topology must not be running.
    #[command(
        name = "replay-dead",
        after_help = "Records that a spout rejected are decoded again, as the file now says; rows that failed in a bolt, or \
                            came too late for it, enter that bolt again. What fails again is a dead letter again, with one \
                            attempt more. How far it has come is remembered, by component and reason."
    )]
    ReplayDead(replay_dead::Arguments),
    /// Print the plan of a topology: executors, pipelines, channels.
    Explain(explain::Arguments),
    /// List, fill, read, trim and check the topics of the embedded log.
    Log(log::Arguments),
    /// Read the tables of a topology that has a data directory, also while it runs.
    #[command(
        after_help = "Rows are those of the last committed epoch; on standard error, or in the JSON, it says which that \
                            is, its event time, and how far each input had been read."
    )]
    Table(table::Arguments),
    /// Show what a topology keeps in its data directory, by component, or the state of one key.
    State(state::Arguments),
    /// Print the reference: what a topology file may say, by topic.
    Reference(reference::Arguments),
    /// Print the JSON Schema of topology files, for editors.
    #[command(
        after_help = "Write it beside your topologies, `sferic schema > sferic.schema.json`, and begin each with the \
                            line `#:schema ./sferic.schema.json`: editors with a TOML plug-in then complete and check \
                            its keys."
    )]
    Schema,
    /// Simulate whole topologies over failing stores: a check of Sferic itself.
    #[command(hide = true)]
    Sim(sim::Arguments),
    /// Print a completion script for a shell.
    #[command(after_help = "bash: source <(sferic completions bash), in ~/.bashrc to keep it
zsh:  sferic completions zsh > \"${fpath[1]}/_sferic\"
fish: sferic completions fish > ~/.config/fish/completions/sferic.fish")]
    Completions(completions::Arguments),
}

/// Exit code of wrong files or flags.
const WRONG: u8 = 2;
/// Exit code of a topology or test that failed.
const FAILED: u8 = 1;

/// Runs the command line with these kinds of components.
///
/// ```no_run
/// std::process::ExitCode::from(sferic::cli::main(&sferic::registry()));
/// ```
pub fn main(registry: &Registry) -> ExitCode {
    let code = command(registry);
    if OUTPUT_LOST.load(Ordering::Relaxed) { ExitCode::from(FAILED) } else { code }
}

fn command(registry: &Registry) -> ExitCode {
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(registry, &arguments),
        Command::Check(arguments) => check::run(registry, &arguments),
        Command::Test(arguments) => test::run(registry, &arguments),
        Command::Crashtest(arguments) => crashtest::run(registry, &arguments),
        Command::ReplayDead(arguments) => replay_dead::run(registry, &arguments),
        Command::Explain(arguments) => explain::run(registry, &arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Table(arguments) => table::run(&arguments),
        Command::State(arguments) => state::run(registry, &arguments),
        Command::Reference(arguments) => reference::run(registry, &arguments),
        Command::Schema => schema::run(registry),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Whether something could not be printed, which a command then does not call a success.
static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Prints to standard output; that nobody reads it any more is no error of ours, a full disk is one.
fn print(text: &str) {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !OUTPUT_LOST.swap(true, Ordering::Relaxed) => {
            eprintln!("error: cannot write to standard output: {error}");
        }
        _ => {}
    }
}
