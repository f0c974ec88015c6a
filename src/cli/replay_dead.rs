//! `sferic replay-dead`.

use super::{FAILED, WRONG, load, stored};
use crate::component::{ComponentError, Registry};
use crate::config::Checked;
use crate::topology::{self, Counted, Replay, RunError, RunOptions, Selection};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// The topology file.
    file: PathBuf,
    /// Replay the letters of this spout or bolt only.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Replay the letters with this reason only.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Replay the letters from this offset of the topic on, also those that were replayed before.
    #[arg(long, value_name = "OFFSET")]
    from: Option<u64>,
    /// Only count what would be replayed, by component and reason.
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer: text, or json with one object.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    format: String,
    #[command(flatten)]
    load: load::Arguments,
    #[command(flatten)]
    runtime: load::Runtime,
}

/// Replays dead letters, or counts them, and says what came of it.
pub fn run(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let Some(mut checked) = load::load(registry, &arguments.file, &arguments.load, arguments.runtime.data_dir()) else {
        return ExitCode::from(WRONG);
    };
    arguments.runtime.apply(&mut checked);
    let known = |name: &String| {
        checked.spouts.iter().map(|s| &s.id).chain(checked.bolts.iter().map(|b| &b.id)).any(|id| id == name)
    };
    if let Some(name) = arguments.component.as_ref().filter(|name| !known(name)) {
        eprintln!("error: the topology has no component `{name}`; `sferic explain` lists them");
        return ExitCode::from(WRONG);
    }
    let selection =
        Selection { component: arguments.component.clone(), reason: arguments.reason.clone(), from: arguments.from };
    let replay = match Replay::open(&checked, selection) {
        Ok(replay) => replay,
        Err(error) => {
            load::print_error(&error);
            return ExitCode::from(FAILED);
        }
    };
    let counted = replay.counted(&positions(&checked), &checked);
    if arguments.dry_run || counted.iter().all(|counted| counted.obstacle.is_some()) {
        answer(arguments, &counted, None);
        return ExitCode::SUCCESS;
    }
    match replayed(&checked, &replay) {
        Ok((again, error)) => {
            let obstacles = replay.obstacles().into_iter().map(|(component, reason, why, letters)| Counted {
                component,
                reason,
                obstacle: Some(why),
                letters,
            });
            let done = counted.into_iter().filter(|counted| counted.obstacle.is_none());
            answer(arguments, &done.chain(obstacles).collect::<Vec<_>>(), Some(again));
            match error {
                Some(error) => {
                    load::print_error(&error);
                    ExitCode::from(FAILED)
                }
                None => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            load::print_error(&error);
            ExitCode::from(if matches!(error, RunError::Budget(_)) { WRONG } else { FAILED })
        }
    }
}

/// How far each split had been read at the last epoch; nothing where there is none.
fn positions(checked: &Checked) -> BTreeMap<String, crate::store::SplitFacts> {
    let Some(data_dir) = &checked.runtime.data_dir else { return BTreeMap::new() };
    stored::open(data_dir, &checked.name).map(|catalogue| catalogue.splits().clone()).unwrap_or_default()
}

/// Runs the replay; how many letters there are anew, and what went wrong.
fn replayed(checked: &Checked, replay: &Replay) -> Result<(u64, Option<ComponentError>), RunError> {
    let signals = Arc::new(AtomicUsize::new(0));
    super::run::count_signals(&signals);
    let options = RunOptions {
        every: None,
        interim: &|_| {},
        stop: &|| signals.load(Ordering::Relaxed),
        jitter: None,
        warn: &|text| eprintln!("warning: {text}"),
        reset: &[],
    };
    let ran = topology::replay(checked, &options, replay)?;
    let section = ran.report.sections.iter().find(|section| section.title == "dead letters");
    let letters = section.and_then(|section| section.value["letters"].as_array());
    let again = letters.into_iter().flatten().filter_map(|counts| counts["count"].as_u64()).sum();
    Ok((again, ran.error))
}

/// Prints what was replayed (or would be), what was left, and what failed again.
fn answer(arguments: &Arguments, counted: &[Counted], again: Option<u64>) {
    if arguments.format == "json" {
        let letters = counted.iter().map(
            |c| json!({ "component": c.component, "reason": c.reason, "count": c.letters, "obstacle": c.obstacle }),
        );
        let value =
            json!({ "replayed": again.is_some(), "letters": letters.collect::<Vec<_>>(), "failed_again": again });
        return super::print(&format!("{value}\n"));
    }
    let mut text = String::new();
    for Counted { component, reason, obstacle, letters } in counted {
        let left = obstacle.as_ref().map_or(String::new(), |why| format!(" (left where it is: {why})"));
        text.push_str(&format!("{letters:>10} {component}: {reason}{left}\n"));
    }
    let total: u64 = counted.iter().filter(|c| c.obstacle.is_none()).map(|c| c.letters).sum();
    text.push_str(&match again {
        Some(again) => format!("{total} replayed, {again} dead letters anew\n"),
        None => format!("{total} to be replayed\n"),
    });
    super::print(&text);
}
