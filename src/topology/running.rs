//! Running: threads around executors, orders from outside, reports.
//!
//! The calling thread is the housekeeping thread: it passes on orders (drain, abort), asks for short reports, reloads
//! reference tables that changed, and puts the report together. It never touches a tuple.

use super::durable::{Commits, Durable};
use super::plan::{Entry, Plan};
use super::report::{self, Before, Facts};
use super::state_report;
use super::{BudgetError, CoreBudget, Parts, assemble, plan};
use crate::component::{ComponentError, Sections, Teller};
use crate::config::{Checked, Wait as WaitChoice};
use crate::executor::{Control, Executor, Snapshot, Wait};
use crate::latency::{self, Interim, Report};
use crate::store::StoreError;
use crate::time::{Clock, SystemClock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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

/// Fills the reference tables from their files.
///
/// # Errors
/// A file is missing or broken.
pub fn load_tables(checked: &Checked) -> Result<(), ComponentError> {
    for (table, plan) in &checked.tables {
        table.replace(plan.load()?);
    }
    Ok(())
}

/// Runs a topology to its end on the calling thread and its executors'.
///
/// # Errors
/// It cannot be started. What goes wrong later is in [`Ran::error`].
pub fn run(checked: &Checked, options: &RunOptions<'_>) -> Result<Ran, RunError> {
    let budget = CoreBudget::new(&checked.runtime, &allowed_cores())?;
    load_tables(checked)?;
    let entries = entries(checked)?;
    let plan = plan(checked, &entries, &budget);
    let clock = Arc::new(SystemClock::new());
    keep_off(&plan);
    let durable = Durable::open(checked, options.reset)?;
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
        before: Before::default(),
        commits,
    };
    let (results, stopped) = keeper.keep(threads);
    let elapsed_ns = clock.nanos() - start;
    let committed = keeper.commits.take().map(Commits::end);
    let (mut snapshots, mut told, mut error) = (Vec::new(), Vec::new(), None);
    for (snapshot, own, result) in results {
        snapshots.push(snapshot);
        told.extend(own.tellers.into_iter().zip(own.sections));
        if let Err(failure) = result {
            error.get_or_insert(failure);
        }
    }
    // As the file has them, whichever executor ended first; spouts before bolts.
    told.sort_by_key(|(teller, _)| match teller {
        Teller::Spout(number) => (0, *number),
        Teller::Bolt(number) => (1, checked.bolts[*number].place),
    });
    let ended = match (&error, stopped) {
        (Some(error), _) => format!("failed: {error}"),
        (None, 0) => "end of input".to_owned(),
        (None, 1) => "stopped, everything in flight was finished".to_owned(),
        (None, _) => "stopped at once, tuples in flight were dropped".to_owned(),
    };
    let mut report =
        report::report(&keeper.facts(&snapshots, elapsed_ns), ended, told.into_iter().map(|(_, section)| section));
    report.jitter = jitter;
    report.sections.extend(state_report::timers(&snapshots));
    if let Some(committed) = &committed {
        report.sections.push(state_report::state(&snapshots, committed, checked.runtime.state_memory_bytes));
    }
    Ok(Ran { report, error })
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

type Result3 = (Snapshot, Sections, Result<(), ComponentError>);

/// Stops the other executors when this one panics: they would wait for its tuples for ever.
struct StopOthers(Arc<Control>);

impl Drop for StopOthers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abort.store(true, Ordering::Relaxed);
        }
    }
}

/// The threads of the executors.
struct Threads {
    handles: Vec<std::thread::JoinHandle<Result3>>,
}

impl Threads {
    fn start(executors: Vec<Executor>, plan: &Plan, control: &Arc<Control>) -> Result<Threads, RunError> {
        let (told, hear) = mpsc::channel();
        let go = Arc::new(Mutex::new(()));
        // No executor steps before all are pinned: a refusal ends the run before anything was read.
        let held = go.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handles = Vec::new();
        for mut executor in executors {
            let (core, told, go, control) = (plan.cores[executor.index], told.clone(), go.clone(), control.clone());
            let body = move || {
                let pinned = core.is_none_or(|id| core_affinity::set_for_current(core_affinity::CoreId { id }));
                // The receiver waits for exactly one message of each executor.
                let _ = told.send((executor.index, core, pinned));
                drop(go.lock());
                let _stops_others = StopOthers(control.clone());
                let mut sections = Sections::default();
                let result = if control.abort.load(Ordering::Relaxed) { Ok(()) } else { executor.run(&mut sections) };
                (executor.snapshot(), sections, result)
            };
            let name = format!("sferic-{}", handles.len());
            let handle = std::thread::Builder::new().name(name).spawn(body);
            handles.push(handle.map_err(|e| ComponentError::io("a thread for an executor cannot be started", e))?);
        }
        for _ in 0..handles.len() {
            if let Ok((index, Some(core), false)) = hear.recv() {
                control.abort.store(true, Ordering::Relaxed);
                let why = std::io::Error::last_os_error().to_string();
                return Err(RunError::Pin { index, core, why });
            }
        }
        drop(held);
        Ok(Threads { handles })
    }
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

    /// Keeps house until all executors have ended; their results, and how the run was stopped.
    fn keep(&mut self, threads: Threads) -> (Vec<Result3>, usize) {
        let mut stopped = 0;
        let mut last_report = self.clock.nanos();
        let mut last_look = last_report;
        let mut asked = false;
        while !threads.handles.iter().all(|h| h.is_finished()) {
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
        let failed = || {
            let error = ComponentError::new("an executor panicked; this is a bug of Sferic or of a component");
            (Snapshot::default(), Sections::default(), Err(error))
        };
        let results = threads.handles.into_iter().map(|h| h.join().unwrap_or_else(|_| failed())).collect();
        (results, stopped)
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
        let interim = report::interim(&self.facts(&snapshots, now - self.start), &mut before);
        self.before = before;
        (self.options.interim)(&interim);
        true
    }

    /// Reads reference tables whose files have changed; a broken one keeps the last good rows.
    fn reload(&mut self) {
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
