//! Running: threads around executors, orders from outside, reports.
//!
//! The calling thread is the housekeeping thread: it passes on orders (drain, abort), asks for short reports, reloads
//! reference tables that changed, and puts the report together. It never touches a tuple.

use super::durable::{Commits, Committed, Durable};
use super::panics::{self, History};
use super::plan::{Entry, Plan};
use super::replay::Replay;
use super::report::{self, Before, Facts};
use super::state_report;
use super::threads::{Ended, Threads};
use super::{BudgetError, CoreBudget, Letterbox, Parts, assemble, plan};
use crate::component::{ComponentError, TableChange, TableChanges, TableFollower, Teller};
use crate::config::{Checked, Wait as WaitChoice};
use crate::executor::{Control, Snapshot, Wait};
use crate::expr::ReferenceTable;
use crate::latency::{self, Interim, Report};
use crate::store::StoreError;
use crate::time::{Clock, SystemClock};
use crate::tuple::Value;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// Why a topology could not run, or did not end well.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cores asked for cannot be had.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// A component cannot start.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The state cannot be had.
    #[error(transparent)]
    State(#[from] StoreError),
    /// A thread cannot be started or pinned.
    #[error("executor {index} cannot be pinned to core {core}: {why}; set `pin = false` in [runtime] to run without")]
    Pin {
        /// The executor.
        index: usize,
        /// The core.
        core: usize,
        /// What the system said.
        why: String,
    },
}

/// How a topology is run.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Time between short reports.
    pub every: Option<Duration>,
    /// Where short reports go.
    pub interim: &'a dyn Fn(&Interim),
    /// Whether to stop: 0 no, 1 drain, more: at once. Asked some hundred times a second.
    pub stop: &'a dyn Fn() -> usize,
    /// Whether to measure the machine's own stalls before the start, for this long.
    pub jitter: Option<Duration>,
    /// Where warnings go (a reference table that cannot be reloaded).
    pub warn: &'a dyn Fn(&str),
    /// Components whose state is dropped before the start.
    pub reset: &'a [String],
}

/// What came of a run.
pub struct Ran {
    /// The report, whatever happened.
    pub report: Report,
    /// What went wrong, if anything did: what could be processed has been.
    pub error: Option<ComponentError>,
}

const HOUSEKEEPING: Duration = Duration::from_millis(5);
const RELOAD_LOOK: Duration = Duration::from_millis(500);

/// The spouts of a topology as entries of a plan, with their splits looked up.
///
/// # Errors
/// A spout's splits cannot be looked up.
pub fn entries(checked: &Checked) -> Result<Vec<Entry>, ComponentError> {
    let entry = |(n, spout): (usize, &crate::config::CheckedSpout)| {
        Ok(Entry {
            id: spout.id.clone(),
            stream: spout.outputs[0],
            plan: spout.plan.clone(),
            splits: spout.plan.splits()?,
            tasks: spout.tasks,
            disorder: spout.disorder,
            idle: spout.idle,
            spout: Some(n),
            replay: None,
        })
    };
    checked.spouts.iter().enumerate().map(entry).collect()
}

/// The cores that this process may use, ascending. Reads the calling thread's set: call it before any pinning.
pub fn allowed_cores() -> Vec<usize> {
    let mut cores: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().iter().map(|c| c.id).collect();
    cores.sort_unstable();
    cores
}

/// Fills the reference tables. Gives what follows those that change while the topology runs, by their index.
///
/// # Errors
/// A file or topic is missing or broken.
pub fn load_tables(checked: &Checked, warn: &dyn Fn(&str)) -> Result<Vec<TableTail>, ComponentError> {
    let mut tails = Vec::new();
    for (table, plan) in &checked.tables {
        table.replace(plan.load()?);
        if let Some(follower) = plan.follow()? {
            let mut tail = TableTail { table: table.clone(), key: plan.key().to_vec(), follower };
            while tail.look(warn)? {}
            tails.push(tail);
        }
    }
    Ok(tails)
}

/// A reference table that changes while the topology runs.
pub struct TableTail {
    table: Arc<ReferenceTable>,
    key: Vec<usize>,
    follower: Box<dyn TableFollower>,
}

impl TableTail {
    /// Brings the table up to date, some changes at a time; whether there are more.
    fn look(&mut self, warn: &dyn Fn(&str)) -> Result<bool, ComponentError> {
        let TableChanges { changes, warning, more } = self.follower.look()?;
        if !changes.is_empty() {
            let key_of = |row: &[Value]| self.key.iter().map(|at| row[*at].clone()).collect();
            self.table.change(changes.into_iter().map(|change| match change {
                TableChange::Put(row) => (key_of(&row), Some(row)),
                TableChange::Remove(key) => (key, None),
            }));
        }
        if let Some(warning) = warning {
            warn(&format!("table {}: {warning}", self.table.name));
        }
        Ok(more)
    }
}

/// Runs a topology to its end on the calling thread and its executors'.
///
/// # Errors
/// It cannot be started. What goes wrong later is in [`Ran::error`].
pub fn run(checked: &Checked, options: &RunOptions<'_>) -> Result<Ran, RunError> {
    again_and_again(checked, options, None)
}

/// Runs a topology over its dead letters, with nothing else to read; see [`Replay`].
///
/// # Errors
/// It cannot be started. What goes wrong later is in [`Ran::error`].
pub fn replay(checked: &Checked, options: &RunOptions<'_>, replay: &Replay) -> Result<Ran, RunError> {
    let stop = || if replay.is_done() { 1 } else { 0 };
    let stop = || (options.stop)().max(stop());
    again_and_again(checked, &RunOptions { stop: &stop, ..*options }, Some(replay))
}

/// Runs a topology until it ends other than by a panic that can be gone around: everything is made anew from the last
/// durable epoch, in this process, so that whoever watches it sees a pause and no end.
fn again_and_again(checked: &Checked, options: &RunOptions<'_>, replay: Option<&Replay>) -> Result<Ran, RunError> {
    let mut history = History::default();
    let mut options = *options;
    loop {
        match life(checked, &options, replay, &mut history)? {
            Some(ran) => return Ok(ran),
            None => (options.reset, options.jitter) = (&[], None),
        }
    }
}

/// Runs a topology to its end, or to a panic after which it is to begin anew.
fn life(
    checked: &Checked,
    options: &RunOptions<'_>,
    replay: Option<&Replay>,
    history: &mut History,
) -> Result<Option<Ran>, RunError> {
    let budget = CoreBudget::new(&checked.runtime, &allowed_cores())?;
    let tails = load_tables(checked, options.warn)?;
    let mut entries = match replay {
        None => entries(checked)?,
        Some(replay) => replay.entries(checked),
    };
    let plan = plan(checked, &entries, &budget);
    let clock = Arc::new(SystemClock::new());
    keep_off(&plan);
    let durable = Durable::open(checked, options.reset)?;
    let mut known = durable.as_ref().map(|durable| durable.panics(checked)).transpose()?;
    let replayed = match (&durable, replay) {
        (Some(durable), Some(replay)) => replay.begin(checked, &mut entries, &durable.space)?,
        _ => Vec::new(),
    };
    let desk = durable.as_ref().and_then(|durable| durable.desk(checked, replayed, clock.wall_micros()).transpose());
    let desk = desk.transpose()?.map(Arc::new);
    let letters =
        Letterbox { desk: desk.clone(), panics: known.as_ref().map(|known| known.panics.clone()).unwrap_or_default() };
    let control = Arc::new(Control::default());
    let jitter = options.jitter.map(|length| measure_jitter(&plan, &clock, length));
    let wait = wait_of(checked.runtime.wait, plan.cores_shared);
    let parts = Parts {
        checked,
        entries: &entries,
        clock: clock.clone(),
        control: control.clone(),
        wait,
        ring_capacity_tuples: checked.runtime.ring_capacity_tuples,
        sample: checked.runtime.sample,
        space: durable.as_ref().map(|durable| durable.space.clone()),
        letters: Some(letters),
    };
    let executors = assemble(&plan, &parts)?;
    *control.snapshots.lock().unwrap_or_else(PoisonError::into_inner) = executors.iter().map(|_| None).collect();
    let shared: Arc<dyn Clock> = clock.clone();
    let commits = durable.map(|durable| durable.start(checked, &plan, &control, &shared)).transpose()?;
    control.join(&executors);
    let start = clock.nanos();
    let threads = Threads::start(executors, &plan, &control)?;
    let mut keeper = Keeper {
        checked,
        entries: &entries,
        plan: &plan,
        options,
        control: &control,
        clock: &*clock,
        start,
        wait: format!("{wait:?}").to_lowercase(),
        changed: watched(checked),
        tails,
        before: Before::default(),
        commits,
    };
    let (mut ended, stopped) = keeper.keep(threads);
    let elapsed_ns = clock.nanos() - start;
    let committed = keeper.commits.take().map(Commits::end);
    let panics: Vec<_> = ended.iter_mut().filter_map(|executor| executor.panic.take()).collect();
    let mut error = ended.iter_mut().find_map(|executor| executor.error.take());
    if !panics.is_empty() {
        let epoch = committed.as_ref().map(|committed| committed.epoch);
        let splits = parts.space.as_ref().map(|space| space.splits()).unwrap_or_default();
        let panics = panics::told(&panics, checked, &entries, epoch, &splits);
        match panics::after(&panics, known.as_mut(), history, stopped) {
            None => {
                panics.iter().for_each(|panic| (options.warn)(&panic.gone_around()));
                return Ok(None);
            }
            Some(failure) => error = Some(failure),
        }
    }
    let mut report = keeper.report(ended, how(error.as_ref(), stopped), elapsed_ns, committed.as_ref());
    report.jitter = jitter;
    if let (Some(desk), at) = (&desk, report.sections.len() - usize::from(committed.is_some())) {
        report.sections.splice(at..at, state_report::dead_letters(desk));
    }
    Ok(Some(Ran { report, error }))
}

/// How a run ended, in words.
fn how(error: Option<&ComponentError>, stopped: usize) -> String {
    match (error, stopped) {
        (Some(error), _) => format!("failed: {error}"),
        (None, 0) => "end of input".to_owned(),
        (None, 1) => "stopped, everything in flight was finished".to_owned(),
        (None, _) => "stopped at once, tuples in flight were dropped".to_owned(),
    }
}

/// Moves the calling thread to a core that no executor is pinned to, if there is one: threads that it starts from now
/// on (those of the store, above all) stay there with it.
fn keep_off(plan: &Plan) {
    let taken = |id: &usize| plan.cores.contains(&Some(*id));
    if plan.cores.iter().any(Option::is_none) {
        // Threads inherit the cores of who starts them, and some executors are not pinned.
        return;
    }
    if let Some(id) = allowed_cores().into_iter().find(|id| !taken(id)) {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
}

/// How executors wait; those that share a core may not spin, since each hop would cost a time slice.
fn wait_of(choice: WaitChoice, shared: bool) -> Wait {
    match choice {
        WaitChoice::Spin | WaitChoice::Adaptive if shared => Wait::Yield,
        WaitChoice::Spin => Wait::Spin,
        WaitChoice::Yield => Wait::Yield,
        WaitChoice::Park => Wait::Park,
        WaitChoice::Adaptive => Wait::Adaptive,
    }
}

fn measure_jitter(plan: &Plan, clock: &Arc<SystemClock>, length: Duration) -> latency::Jitter {
    let (core, clock) = (plan.cores.first().copied().flatten(), clock.clone());
    let nanos = length.as_nanos() as u64;
    let own = std::thread::spawn(move || {
        core.map(|id| core_affinity::set_for_current(core_affinity::CoreId { id }));
        latency::jitter(&*clock, nanos)
    });
    own.join().unwrap_or_default()
}

fn watched(checked: &Checked) -> Vec<Option<SystemTime>> {
    checked.tables.iter().map(|(_, plan)| plan.watched().and_then(modified)).collect()
}

fn modified(path: std::path::PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// The housekeeping thread's work while executors run.
struct Keeper<'a> {
    checked: &'a Checked,
    entries: &'a [Entry],
    plan: &'a Plan,
    options: &'a RunOptions<'a>,
    control: &'a Control,
    clock: &'a dyn Clock,
    start: u64,
    wait: String,
    changed: Vec<Option<SystemTime>>,
    /// Reference tables that are followed.
    tails: Vec<TableTail>,
    before: Before,
    commits: Option<Commits>,
}

impl Keeper<'_> {
    fn facts<'a>(&'a self, snapshots: &'a [Snapshot], elapsed_ns: u64) -> Facts<'a> {
        Facts {
            checked: self.checked,
            entries: self.entries,
            plan: self.plan,
            wait: self.wait.clone(),
            elapsed_ns,
            snapshots,
        }
    }

    /// The report of a run that has ended.
    fn report(&self, ended: Vec<Ended>, how: String, elapsed_ns: u64, committed: Option<&Committed>) -> Report {
        let (mut snapshots, mut told) = (Vec::new(), Vec::new());
        for executor in ended {
            snapshots.push(executor.snapshot);
            told.extend(executor.sections.tellers.into_iter().zip(executor.sections.sections));
        }
        // As the file has them, whichever executor ended first; spouts before bolts.
        told.sort_by_key(|(teller, _)| match teller {
            Teller::Spout(number) => (0, *number),
            Teller::Bolt(number) => (1, self.checked.bolts[*number].place),
        });
        let sections = told.into_iter().map(|(_, section)| section);
        let mut report = report::report(&self.facts(&snapshots, elapsed_ns), how, sections);
        report.sections.extend(state_report::timers(&snapshots));
        if let Some(committed) = committed {
            let memory_bytes = self.checked.runtime.state_memory_bytes;
            report.sections.push(state_report::state(&snapshots, committed, memory_bytes));
        }
        report
    }

    /// Keeps house until all executors have ended; their results, and how the run was stopped.
    fn keep(&mut self, threads: Threads) -> (Vec<Ended>, usize) {
        let mut stopped = 0;
        let mut last_report = self.clock.nanos();
        let mut last_look = last_report;
        let mut asked = false;
        while !threads.have_ended() {
            std::thread::park_timeout(HOUSEKEEPING);
            stopped = (self.options.stop)();
            if stopped > 0 {
                self.control.drain.store(true, Ordering::Relaxed);
            }
            if stopped > 1 {
                self.control.abort.store(true, Ordering::Relaxed);
            }
            let now = self.clock.nanos();
            if let Some(commits) = &mut self.commits {
                commits.keep(self.control, now);
                commits.news().iter().for_each(|text| (self.options.warn)(text));
            }
            if let Some(every) = self.options.every
                && now - last_report >= every.as_nanos() as u64
            {
                last_report = now;
                self.control.snapshot.fetch_add(1, Ordering::Relaxed);
                asked = true;
            }
            if asked && self.tell(now) {
                asked = false;
            }
            if now - last_look >= RELOAD_LOOK.as_nanos() as u64 {
                last_look = now;
                self.reload();
            }
        }
        (threads.join(), stopped)
    }

    /// Gives a short report if all executors have answered.
    fn tell(&mut self, now: u64) -> bool {
        let mut all = self.control.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(Option::is_none) {
            return false;
        }
        let snapshots: Vec<Snapshot> = all.iter_mut().filter_map(Option::take).collect();
        drop(all);
        let mut before = std::mem::take(&mut self.before);
        let mut interim = report::interim(&self.facts(&snapshots, now - self.start), &mut before);
        interim.refusals = self.commits.as_ref().map_or_else(Vec::new, |commits| commits.refusals().to_vec());
        self.before = before;
        (self.options.interim)(&interim);
        true
    }

    /// Reads reference tables whose files have changed, and what has come of those that are followed; a broken one keeps
    /// the last good rows.
    fn reload(&mut self) {
        let warn = self.options.warn;
        self.tails.retain_mut(|tail| match tail.look(warn) {
            Ok(_) => true,
            Err(error) => {
                warn(&format!("table {}: {error}; it is not followed any more, its rows stay in use", tail.table.name));
                false
            }
        });
        for (n, (table, plan)) in self.checked.tables.iter().enumerate() {
            let now = plan.watched().and_then(modified);
            if now.is_none() || now == self.changed[n] {
                continue;
            }
            self.changed[n] = now;
            match plan.load() {
                Ok(rows) => table.replace(rows),
                Err(error) => {
                    (self.options.warn)(&format!("table {}: {error}; the last good rows stay in use", table.name));
                }
            }
        }
    }
}
