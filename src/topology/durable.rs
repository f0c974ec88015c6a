//! A running topology whose state outlives it: the store is opened, the committer has a thread, the coordinator is
//! asked by the housekeeping thread.

use super::panics::Known;
use super::plan::Plan;
use super::running::RunError;
use crate::commit::{CommitMeter, Committer, Coordinator, Heard, Orders, Pace};
use crate::component::ComponentError;
use crate::config::{Checked, DeadLetters};
use crate::dead::{Desk, DeskSpec, Replayed};
use crate::executor::Control;
use crate::log::Log;
use crate::store::{self, Backend, Catalogue, DirLock, Message, Rocks, Space, StoreError, StoreStats};
use crate::time::Clock;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

/// An epoch ends before its time when so many bytes have changed: what it takes until it is durable, some three times as
/// much, comes on top of the memory of state. Where that is small it ends earlier still, but not before it is worth its
/// while: what has changed cannot leave memory.
const CHANGED_BYTES: u64 = 40 << 20;
const CHANGED_BYTES_MIN: u64 = 4 << 20;
/// The part of the memory of state that one epoch's changes come to at most.
const CHANGED_PART: u64 = 8;

/// The folder of a topology in a data directory.
pub fn state_folder(data_dir: &Path, topology: &str) -> PathBuf {
    data_dir.join(topology)
}

/// The state of a topology on disk.
pub struct Durable {
    /// The store, as its tasks share it.
    pub space: Arc<Space>,
    /// The store below.
    pub backend: Arc<Rocks>,
    receiver: mpsc::Receiver<Message>,
    lock: DirLock,
}

impl Durable {
    /// Opens the state of a topology, if it has a data directory; first drops that of the components in `reset`.
    ///
    /// # Errors
    /// It is in use, damaged, or cannot be written; or a component to be reset has no state.
    pub fn open(checked: &Checked, reset: &[String]) -> Result<Option<Durable>, StoreError> {
        let Some(data_dir) = &checked.runtime.data_dir else {
            return match reset.first() {
                None => Ok(None),
                Some(_) => Err(StoreError::Refused(
                    "there is no state to reset: give the data directory with `data_dir` or --data-dir".to_owned(),
                )),
            };
        };
        if checked.name == crate::log::FOLDER {
            return Err(StoreError::Refused(format!(
                "a topology whose state is kept cannot be called `{}`: the topics of the data directory are in that \
                 folder; give it another `name`",
                checked.name
            )));
        }
        let folder = state_folder(data_dir, &checked.name);
        let lock = DirLock::take(&folder)?;
        let backend = Arc::new(Rocks::open(&folder)?);
        for component in reset {
            if !store::reset(&*backend, component)? {
                return Err(StoreError::Refused(format!(
                    "--reset-state {component}: there is no state of that name; there is state of: {}",
                    known_components(backend)?
                )));
            }
        }
        let (sender, receiver) = mpsc::channel();
        let memory = usize::try_from(checked.runtime.state_memory_bytes).unwrap_or(usize::MAX);
        let space = Arc::new(Space::open(backend.clone(), memory, sender)?);
        Ok(Some(Durable { space, backend, receiver, lock }))
    }

    /// The panics that are not behind the topology.
    ///
    /// # Errors
    /// Their notes cannot be read.
    pub(super) fn panics(&self, checked: &Checked) -> Result<Known, ComponentError> {
        let data_dir = checked.runtime.data_dir.as_deref().unwrap_or(Path::new("."));
        Known::open(&state_folder(data_dir, &checked.name), &self.space)
    }

    /// Where dead letters go, if they are kept; tuples of the splits in `replayed` are letters themselves.
    ///
    /// # Errors
    /// The topic cannot be written.
    pub(super) fn desk(
        &self,
        checked: &Checked,
        replayed: Vec<Replayed>,
        now: i64,
    ) -> Result<Option<Desk>, ComponentError> {
        let (Some(data_dir), Some(dead)) = (&checked.runtime.data_dir, &checked.runtime.dead_letters) else {
            return Ok(None);
        };
        if checked.unread().next().is_none() {
            return Ok(None);
        }
        let DeadLetters { topic, retention } = dead.clone();
        let spec = DeskSpec { topology: checked.name.clone(), topic, retention };
        let topic = spec.topic.clone();
        let desk = Desk::open(Log::in_dir(data_dir), spec, self.space.clone(), now);
        let mut desk = desk.map_err(|error| {
            ComponentError::new(format!("the topic `{topic}` of dead letters cannot be opened: {error}"))
        })?;
        desk.replaying(replayed);
        Ok(Some(desk))
    }

    /// Starts the committer.
    ///
    /// # Errors
    /// Its thread cannot be started.
    pub fn start(
        self,
        checked: &Checked,
        plan: &Plan,
        control: &Arc<Control>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Commits, RunError> {
        let Durable { space, backend, receiver, lock } = self;
        let mut committer = Committer::new(space.clone(), receiver, plan.pipelines.len(), clock.clone());
        let meter = committer.meter();
        control.commits.store(true, Ordering::Relaxed);
        let keeper = std::thread::current();
        let (known, asked) = (space.clone(), control.clone());
        let body = move || {
            loop {
                match committer.step() {
                    Heard::Stop => return,
                    Heard::Durable(_) => keeper.unpark(),
                    Heard::Something => {}
                    // Relaxed: who asks for an epoch or for the end unparks this thread after that.
                    Heard::Nothing => match committer.pause(asked.barrier.load(Ordering::Relaxed) > known.durable()) {
                        Some(pause) => std::thread::park_timeout(pause),
                        None => std::thread::park(),
                    },
                }
            }
        };
        let thread = std::thread::Builder::new().name("sferic-commit".to_owned()).spawn(body);
        let thread = thread.map_err(|e| ComponentError::io("a thread for commits cannot be started", e))?;
        let pace = Pace {
            interval_ns: u64::try_from(checked.runtime.commit).unwrap_or(0).saturating_mul(1000),
            changed_bytes_max: (checked.runtime.state_memory_bytes / CHANGED_PART)
                .clamp(CHANGED_BYTES_MIN, CHANGED_BYTES),
        };
        let coordinator = Coordinator::new(pace, space.durable(), clock.nanos());
        Ok(Commits { coordinator, space, backend, meter, thread, refusals: Vec::new(), _lock: lock })
    }
}

/// The components that there is state of, spouts with how far they were read included.
fn known_components(backend: Arc<dyn Backend>) -> Result<String, StoreError> {
    let catalogue = Catalogue::open(backend)?;
    let of =
        |name: &String, parts: Option<(&str, &str)>| parts.map_or(name.clone(), |(component, _)| component.to_owned());
    let handles = catalogue.handles().keys().map(|name| of(name, name.rsplit_once('/')));
    let splits = catalogue.splits().keys().map(|name| of(name, name.split_once('/')));
    let known: BTreeSet<String> = handles.chain(splits).collect();
    Ok(known.into_iter().collect::<Vec<_>>().join(", "))
}

/// Epochs while a topology runs.
pub struct Commits {
    coordinator: Coordinator,
    space: Arc<Space>,
    backend: Arc<Rocks>,
    meter: Arc<Mutex<CommitMeter>>,
    thread: JoinHandle<()>,
    /// What the outside refused when it was last asked.
    refusals: Vec<String>,
    _lock: DirLock,
}

impl Commits {
    /// Asks the coordinator and passes on what it says.
    pub fn keep(&mut self, control: &Control, now: u64) {
        if self.thread.is_finished() {
            // It ends when it is told to, which is later: it has panicked, and no epoch would ever be durable again.
            self.space.fail(StoreError::Refused(
                "the thread for commits has ended by itself; this is a bug of Sferic; nothing of the last epoch is lost, \
                 start again to go on from there"
                    .to_owned(),
            ));
            control.wake_all();
        }
        let durable = self.space.durable();
        // First: what an executor did before its end is in the sum that is asked for after it.
        let ended = control.have_ended(durable);
        let (moved, undurable_bytes) = (control.moved_sum(), self.space.undurable_bytes());
        let orders = Orders { now, moved, durable, undurable_bytes, ended };
        let asked = self.coordinator.step(&orders);
        control.hold.store(self.coordinator.hold, Ordering::Relaxed);
        if let Some(epoch) = asked {
            control.barrier.store(epoch, Ordering::Relaxed);
            self.thread.thread().unpark();
            control.wake_all();
        }
        if self.coordinator.finished && !control.finish.swap(true, Ordering::Relaxed) {
            control.wake_all();
        }
    }

    /// What the outside refuses now, and holds up commits with.
    pub fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// What there is to say of writes that the outside refuses: when one is, and when all are taken again.
    pub fn news(&mut self) -> Vec<String> {
        if !self.space.is_refused() && self.refusals.is_empty() {
            return Vec::new();
        }
        let known = std::mem::replace(&mut self.refusals, self.space.refusals());
        let new = self.refusals.iter().filter(|refusal| !known.contains(refusal));
        let mut news: Vec<String> = new
            .map(|refusal| {
                format!(
                    "commits wait: {refusal}; it is tried again until it succeeds, input stops when much waits, and nothing \
                     is lost, also if the process is stopped"
                )
            })
            .collect();
        if self.refusals.is_empty() {
            news.push("commits go on: what was refused has been written".to_owned());
        }
        news
    }

    /// Ends the committer; what there is to say of it.
    pub fn end(self) -> Committed {
        self.space.stop();
        self.thread.thread().unpark();
        let _ = self.thread.join();
        let meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Committed {
            meter,
            store: self.backend.stats(),
            epoch: self.space.durable(),
            undurable_bytes: self.space.undurable_bytes(),
        }
    }
}

/// What there is to say of epochs.
pub struct Committed {
    /// Counts of commits.
    pub meter: CommitMeter,
    /// What the store says of itself.
    pub store: StoreStats,
    /// The last durable epoch.
    pub epoch: u64,
    /// Bytes of changes that are not durable.
    pub undurable_bytes: u64,
}
