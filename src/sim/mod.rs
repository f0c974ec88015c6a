//! The simulator: whole topologies over a simulated clock and a failing store, in an order that one seed decides.
//!
//! A simulation leads a process through several lives. In each, executors, coordinator and committer step in turns that
//! the seed draws, some executors are held up, time leaps, records come in bursts; then the process is killed between
//! any two steps or inside a commit, or the store fails, or it is asked to stop; and the next life begins with what is
//! durable, on another number of executors. Memory for state is nothing or little: entries leave it at every chance.
//! Disks run full and have room again, writes and syncs fail, a service outside refuses and repeats (`ground`).
//! At the end all is compared with an undisturbed run: state and rows exactly where one order of reading is possible
//! (`topology::breaks`), rows of ledgers wherever the data alone decides them.
//!
//! Of three seeds one is about a topology that is written down (`cases`), the others draw one from parts (`drawn`):
//! windows that close, patterns, timers, joins, and what stands between them. What the killed have left half done is
//! counted (`found`).
//!
//! The promises, checked whenever a life begins: what is found is one whole epoch, never an older one than was told;
//! each record before the positions of that epoch is counted once and no other; rows have ids of their own; the order
//! per key is that of the split. At the end of a life without a fault the books balance. A topic has neither gaps nor
//! repeats (`topic`), dead letters are there once each with their records (`letters`), and what goes outside comes there
//! once and in order, or at least once (`service`). A write that may be tried again ends no process.
//!
//! Owns the order of steps and the weather; the code that is driven is that which runs. Invariant: a seed gives the same
//! simulation every time.

mod cases;
mod check;
mod contents;
mod drawn;
mod found;
mod ground;
mod ledger;
mod letters;
mod process;
mod random;
mod records;
mod service;
#[cfg(test)]
mod tests;
mod topic;

pub use contents::{Contents, Handle, contents, difference};
pub use found::Found;
pub use random::Random;

use crate::bolts;
use crate::commit::Pace;
use crate::config::{self, Checked};
use crate::files::Files;
use crate::problem::{Problems, Sources};
use crate::spouts;
use crate::store::{FaultyStore, Space};
use crate::time::ManualClock;
use crate::topology::{self, Entry};
use cases::{Case, RECORDS_MAX, case, drawn};
use check::{Witness, same_end};
use ground::{Ground, Storm};
use ledger::Ledger;
use letters::Letters;
use process::{End, Habits, Process};
use records::{Records, Supply};
use service::ServiceFactory;
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};

/// Lives that are disturbed, at most: then one is left in peace.
const DISTURBED_MAX: usize = 12;
/// When simulations begin, microseconds since 1970 UTC.
const MORNING: i64 = 1_760_000_000_000_000;

/// A simulation that went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// What it was about.
    pub case: &'static str,
    /// Lives that ended by being killed, by a failure of the store, by being asked to stop.
    pub killed: usize,
    /// See `killed`.
    pub failed: usize,
    /// See `killed`.
    pub drained: usize,
    /// Lives in which writes were refused, and nothing else.
    pub refused: usize,
    /// What lives that were killed or failed left half done, for the next one to find.
    pub found: Found,
    /// Dead letters.
    pub letters: usize,
    /// Epochs that became durable.
    pub epochs: u64,
    /// Entries of state that were compared exactly; others by counts and invariants.
    pub compared: usize,
    /// Components that could not be compared exactly, since more than the data decides about them.
    pub undecided: BTreeSet<String>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} ({case}): {what}{}", lives.iter().map(|life| format!("\n  {life}")).collect::<String>())]
pub struct Failure {
    /// The seed, which replays it.
    pub seed: u64,
    /// What it was about.
    pub case: &'static str,
    /// Which promise, and what differs.
    pub what: String,
    /// The lives up to then.
    pub lives: Vec<String>,
}

/// Of so many seeds all but one are about a case that is drawn.
const WRITTEN_ONE_IN: u64 = 3;

/// Leads the simulation of a seed: of a topology that is drawn, or of one that is written down.
///
/// # Errors
/// A promise is broken.
pub fn simulate(seed: u64) -> Result<Story, Box<Failure>> {
    if seed.is_multiple_of(WRITTEN_ONE_IN) { of_written(seed) } else { of_drawn(seed) }
}

/// Leads a simulation of one of the topologies that are written down.
fn of_written(seed: u64) -> Result<Story, Box<Failure>> {
    let mut random = Random::new(seed);
    let early = |what: String| Box::new(Failure { seed, case: "start", what, lives: Vec::new() });
    let case = case(&mut random).map_err(|error| early(format!("the records cannot be written: {error}")))?;
    of_case(seed, case, random)
}

/// Leads a simulation of a topology that is drawn.
fn of_drawn(seed: u64) -> Result<Story, Box<Failure>> {
    let mut random = Random::new(seed);
    let case = drawn(&mut random);
    of_case(seed, case, random)
}

/// The topology file that a seed is about, for people.
pub fn topology_of(seed: u64) -> String {
    let mut random = Random::new(seed);
    if seed.is_multiple_of(WRITTEN_ONE_IN) {
        return case(&mut random).map_or_else(|error| error.to_string(), |case| case.text);
    }
    drawn(&mut random).text
}

fn of_case(seed: u64, case: Case, mut random: Random) -> Result<Story, Box<Failure>> {
    let (name, numbers) = (case.name, random.number());
    let count = 1 + random.below(RECORDS_MAX) as u64;
    // Now and then all ends, and then there is more.
    let first = if case.resumes && random.one_in(3) { count / 2 } else { count };
    let supply = Supply::new(numbers, first, random.number(), case.endless);
    let wrong = |what: String| Box::new(Failure { seed, case: name, what, lives: Vec::new() });
    let ground = Ground::new(random.number());
    let (checked, entries) = prepared(&case, &supply, &ground).map_err(wrong)?;
    let mut simulation = Simulation {
        story: Story { seed, case: name, ..Story::default() },
        lives: Vec::new(),
        ground,
        clock: ManualClock::at(MORNING),
        witness: Witness::new(&case, &checked),
        case,
        checked,
        entries,
        supply,
        random,
    };
    match simulation.lead(count) {
        Ok(()) => Ok(simulation.story),
        Err(what) => Err(Box::new(Failure { seed, case: name, what, lives: simulation.lives })),
    }
}

/// The topology of a case over a ground.
fn prepared(case: &Case, supply: &Supply, ground: &Ground) -> Result<(Checked, Vec<Entry>), String> {
    if let Some(partitions) = case.partitions {
        topic::make(&ground.files, partitions).map_err(|error| error.to_string())?;
    }
    let files: Arc<dyn Files> = Arc::new(ground.files.clone());
    let registry = crate::registry().spout(Records(supply.clone())).bolt(Ledger);
    let registry = registry.bolt(ServiceFactory(ground.service.clone()));
    let registry = registry.bolt(bolts::Log { files: files.clone() }).spout(spouts::LogFactory { files });
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let model = config::load_text("sim.toml", &case.text, &mut sources, &problems);
    let checked = config::check(&model, &registry, &problems);
    let checked = checked.ok_or_else(|| sources.render(&problems.into_sorted(), false))?;
    let entries = topology::entries(&checked).map_err(|error| error.to_string())?;
    Ok((checked, entries))
}

struct Simulation {
    case: Case,
    checked: Checked,
    entries: Vec<Entry>,
    supply: Supply,
    ground: Ground,
    clock: ManualClock,
    random: Random,
    witness: Witness,
    story: Story,
    /// The lives so far, in words.
    lives: Vec<String>,
}

impl Simulation {
    /// Leads the process through its lives, until each split has been read to its end at `count`.
    fn lead(&mut self, count: u64) -> Result<(), String> {
        let disturbed = self.random.below(DISTURBED_MAX + 1);
        let mut lived = 0;
        for _ in 0..2 {
            loop {
                lived += 1;
                if self.life(lived <= disturbed)? == End::Finished {
                    break;
                }
            }
            let grown = self.supply.grow(count);
            if self.case.unsure || grown && self.case.shuffles {
                self.story.undecided.extend(self.checked.bolts.iter().map(|bolt| bolt.id.clone()));
            }
        }
        self.ground.restart(false, &Storm::none(), &mut self.random);
        let found = open(&self.ground.store)?;
        self.witness.look(&self.case, &self.checked, &found, &self.ground, true)?;
        self.story.epochs = found.opened().epoch;
        let (wanted, letters) = self.undisturbed(&found)?;
        self.story.compared = same_end(&self.case, &found, &wanted, &self.story.undecided)?;
        if let Some(certain) = &self.case.letters {
            let (here, there) = (self.witness.letters.certain(certain), letters.certain(certain));
            self.story.letters = here.len();
            if let Some(at) = (0..here.len().max(there.len())).find(|at| here.get(*at) != there.get(*at)) {
                return Err(format!("dead letters: {:?} instead of {:?}", here.get(at), there.get(at)));
            }
        }
        Ok(())
    }

    /// One life, and what is found after it.
    fn life(&mut self, disturbed: bool) -> Result<End, String> {
        let habits = self.habits(disturbed);
        let storm = if disturbed { Storm::draw(&mut self.random) } else { Storm::none() };
        self.ground.restart(false, &storm, &mut self.random);
        self.lives.push(format!("{habits:?}, {storm:?}"));
        self.supply.begin();
        let started = Process::start(&self.checked, &self.entries, &self.ground, &self.clock, &habits, &[]);
        let end = match started {
            Err(error) if self.ground.failures() == 0 => return Err(format!("a process does not start: {error}")),
            Err(_) if self.ground.store.is_dead() => End::Killed,
            Err(error) => End::Failed(error),
            Ok(mut process) => {
                self.story.undecided.extend(process.undecided());
                let end = process.live(&habits, &storm, &self.supply, &mut self.random);
                self.story.refused += usize::from(self.ground.store.refused() > 0 && self.ground.troubles() == 0);
                self.witness.durable = process.durable;
                self.witness.asked = process.asked;
                end?
            }
        };
        if let Some(life) = self.lives.last_mut() {
            life.push_str(&format!(": {end:?} in epoch {} of {}", self.witness.durable, self.witness.asked));
        }
        let power_off = match end {
            End::Killed => {
                self.story.killed += 1;
                self.random.one_in(2)
            }
            End::Failed(_) => {
                self.story.failed += 1;
                self.random.one_in(2)
            }
            End::Drained => {
                self.story.drained += 1;
                false
            }
            End::Finished => false,
        };
        self.ground.restart(power_off, &Storm::none(), &mut self.random);
        let found = open(&self.ground.store)?;
        let found = self.witness.look(&self.case, &self.checked, &found, &self.ground, false)?;
        if matches!(end, End::Killed | End::Failed(_)) {
            self.story.found += found.any();
        }
        Ok(end)
    }

    fn splits(&self) -> usize {
        self.entries.iter().map(|entry| entry.splits.len()).sum()
    }

    fn habits(&mut self, disturbed: bool) -> Habits {
        let all_splits = self.supply.is_endless().then_some(self.splits());
        let random = &mut self.random;
        let pace = Pace {
            interval_ns: *random.choice(&[0, 100_000, 1_000_000, 10_000_000]),
            changed_bytes_max: *random.choice(&[0, 200, 2_000, 64 << 20]),
        };
        Habits {
            threads: 1 + random.below(self.case.threads_max),
            memory_bytes: *random.choice(&[0, 0, 100, 2_000, 1 << 30]),
            pace,
            killed_at: (disturbed && random.one_in(2)).then(|| random.below(4_000)),
            drained_at: (disturbed && random.one_in(5)).then(|| random.below(4_000)),
            all_splits,
        }
    }

    /// The store and letters of a run that nothing disturbs, with the numbers that splits have in `like`.
    fn undisturbed(&mut self, like: &Space) -> Result<(Arc<Space>, Letters), String> {
        let mut names: Vec<(u32, String)> = like.splits().into_iter().map(|(name, facts)| (facts.id, name)).collect();
        names.sort_unstable();
        let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
        let habits = Habits {
            threads: 1 + self.random.below(self.case.threads_max),
            memory_bytes: 1 << 30,
            pace: Pace { interval_ns: 1 << 60, changed_bytes_max: 64 << 20 },
            killed_at: None,
            drained_at: None,
            all_splits: self.supply.is_endless().then_some(self.splits()),
        };
        let ground = Ground::new(0);
        let (checked, entries) = prepared(&self.case, &self.supply, &ground)?;
        let clock = ManualClock::at(MORNING);
        self.supply.begin();
        let mut process = Process::start(&checked, &entries, &ground, &clock, &habits, &names)?;
        self.story.undecided.extend(process.undecided());
        let end = process
            .live(&habits, &Storm::none(), &self.supply, &mut self.random)
            .map_err(|what| format!("undisturbed: {what}"))?;
        if end != End::Finished {
            return Err(format!("an undisturbed run ended so: {end:?}"));
        }
        drop(process);
        let (space, mut letters) = (open(&ground.store)?, Letters::default());
        if self.case.letters.is_some() {
            letters.look(&checked, &ground.files, &space, true).map_err(|what| format!("undisturbed: {what}"))?;
        }
        Ok((space, letters))
    }
}

fn open(store: &Arc<FaultyStore>) -> Result<Arc<Space>, String> {
    let (sender, _) = mpsc::channel();
    Space::open(store.clone(), 0, sender).map(Arc::new).map_err(|error| format!("the store cannot be opened: {error}"))
}
