//! `sferic sim`: leads simulations of the engine itself.

use super::FAILED;
use crate::sim::{self, Found, Story};
use std::num::{NonZeroU64, NonZeroUsize};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Flags.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many simulations.
    #[arg(long, value_name = "N", default_value = "1000")]
    seeds: NonZeroU64,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 0)]
    from: u64,
    /// This seed alone, and what it was like.
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many at a time; by default one for each core.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Failures printed with the lives before them.
const SHOWN: usize = 5;

#[derive(Default)]
struct Sum {
    stories: Vec<Story>,
    failures: usize,
}

/// Leads simulations on all cores; each failure is printed with the seed that replays it.
pub fn run(arguments: &Arguments) -> ExitCode {
    let (first, end) = match arguments.seed {
        Some(seed) => (seed, seed.saturating_add(1)),
        None => (arguments.from, arguments.from.saturating_add(arguments.seeds.get())),
    };
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum::default()));
    let threads =
        arguments.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()), |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    // Relaxed: a number that each takes once; results go through the mutex.
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    one(seed, &sum, arguments.seed.is_some());
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary(&sum);
    if sum.failures > 0 { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

fn one(seed: u64, sum: &Mutex<Sum>, tell: bool) {
    let led = std::panic::catch_unwind(|| sim::simulate(seed));
    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
    let words = match led {
        Ok(Ok(story)) => {
            if tell {
                super::print(&format!("{}\n{story:#?}\n", sim::topology_of(seed)));
            }
            sum.stories.push(story);
            return;
        }
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => format!("seed {seed}: a panic, see above"),
    };
    if tell {
        super::print(&format!("{}\n", sim::topology_of(seed)));
    }
    sum.failures += 1;
    let shown = if sum.failures <= SHOWN { &words } else { words.lines().next().unwrap_or_default() };
    super::print(&format!("{shown}\n  replay it with: sferic sim --seed {seed}\n"));
}

fn summary(sum: &Sum) {
    let of = |count: fn(&Story) -> usize| sum.stories.iter().map(count).sum::<usize>();
    let mut found = Found::default();
    sum.stories.iter().for_each(|story| found += story.found);
    super::print(&format!(
        "{} simulations hold ({} entries compared exactly, the others by counts and invariants), {} fail\n\
         {} processes killed, {} ended by a failing store, {} drained, {} held up by writes that were refused; {} epochs, {} dead letters\n\
         of those killed or ended {found}\n",
        sum.stories.len(),
        of(|story| story.compared),
        sum.failures,
        of(|story| story.killed),
        of(|story| story.failed),
        of(|story| story.drained),
        of(|story| story.refused),
        sum.stories.iter().map(|story| story.epochs).sum::<u64>(),
        of(|story| story.letters),
    ));
}
