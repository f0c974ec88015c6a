//! `sferic reference`.

use super::WRONG;
use crate::component::Registry;
use crate::reference::{self, Topic, render};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// A kind (aggregate), a section (runtime), a function (lag), an operator, or all.
    topic: Option<String>,
    /// The form: text for a terminal, markdown, or json [default: text on a terminal, else markdown].
    #[arg(long, value_name = "FORM", value_parser = ["text", "markdown", "json"], hide_possible_values = true)]
    format: Option<String>,
}

/// Widest text: longer lines are hard to read.
const WIDTH_MAX: usize = 100;

/// Prints the reference, or a topic of it.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let terminal = std::io::stdout().is_terminal();
    let format = arguments.format.as_deref().unwrap_or(if terminal { "text" } else { "markdown" });
    let all = reference::topics(registry);
    let wanted = arguments.topic.as_deref().map(str::trim);
    let (topics, title) = match wanted {
        None if format == "text" => {
            super::print(&format!(
                "Topics of `sferic reference TOPIC`; functions and operators are topics too:\n\n{}\n\
                 `sferic reference all` prints everything.\n",
                render::overview(&all, width())
            ));
            return ExitCode::SUCCESS;
        }
        None | Some("all") => (all, "The reference of Sferic".to_owned()),
        Some(name) => match reference::find(&all, name) {
            Ok(found) => (found, format!("sferic reference {name}")),
            Err(near) => {
                unknown(name, near.as_deref(), &all);
                return ExitCode::from(WRONG);
            }
        },
    };
    match format {
        "text" => super::print(&render::plain(&topics, width())),
        "json" => super::print(&format!("{:#}\n", render::json(&topics))),
        _ => super::print(&render::markdown(&topics, &title)),
    }
    ExitCode::SUCCESS
}

fn unknown(name: &str, near: Option<&str>, topics: &[Topic]) {
    eprintln!("error: there is no topic `{name}`");
    match near {
        Some(near) => eprintln!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = topics.iter().map(|t| t.names[0].as_str()).collect();
            eprintln!("the topics are {}, and every function and operator", names.join(", "));
        }
    }
}

/// Columns of the terminal; 80 where they are not known.
fn width() -> usize {
    // SAFETY: all zeros is a valid winsize, and the call writes nothing but the struct that it is given.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        let done = libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size);
        (done == 0).then_some(size)
    };
    let columns = size.map(|s| usize::from(s.ws_col)).filter(|c| *c > 0);
    columns.unwrap_or(80).clamp(40, WIDTH_MAX)
}
