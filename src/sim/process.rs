//! One life of a process: executors, committer and coordinator over a store and a clock, stepped in an order that a
//! seed decides, until all is done or something ends it.

use super::ground::{Ground, Storm};
use super::letters;
use super::random::Random;
use super::records::Supply;
use crate::commit::{Committer, Coordinator, Heard, Orders, Pace};
use crate::config::Checked;
use crate::executor::{Control, Executor, Progress, Wait};
use crate::store::Space;
use crate::time::{Clock, ManualClock};
use crate::topology::{self, CoreBudget, Entry, Facts, Letterbox, Parts, Plan};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

/// Room for files on a disk that is nearly full, bytes.
const ROOM_BYTES: usize = 400;
/// Steps after which a topology is taken to run for ever.
const STEPS_MAX: usize = 50_000_000;

/// How a life is led.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Number of executors.
    pub threads: usize,
    /// Memory for entries, bytes.
    pub memory_bytes: usize,
    /// When epochs end.
    pub pace: Pace,
    /// The step at which the process is killed.
    pub killed_at: Option<usize>,
    /// The step at which it is asked to stop.
    pub drained_at: Option<usize>,
    /// It is asked to stop, too, when all records of so many splits have been followed: that is the end.
    pub all_splits: Option<usize>,
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All that there was is durable.
    Finished,
    /// It was asked to stop, finished what it had read, and all that is durable.
    Drained,
    /// It was killed.
    Killed,
    /// The store failed, and it ended with this error.
    Failed(String),
}

/// A process that lives.
pub struct Process<'a> {
    checked: &'a Checked,
    entries: &'a [Entry],
    plan: Plan,
    executors: Vec<Executor>,
    committer: Committer,
    coordinator: Coordinator,
    /// Its view of the store.
    pub space: Arc<Space>,
    ground: &'a Ground,
    control: Arc<Control>,
    clock: ManualClock,
    /// Executors that have come to their end.
    ended: Vec<bool>,
    /// Until which step each executor is held up.
    stalled: Vec<usize>,
    /// The last epoch that was asked for.
    pub asked: u64,
    /// The last epoch that it knows to be durable.
    pub durable: u64,
}

impl<'a> Process<'a> {
    /// Starts a process over what the store holds.
    ///
    /// # Errors
    /// The store fails, or refuses.
    pub fn start(
        checked: &'a Checked,
        entries: &'a [Entry],
        ground: &'a Ground,
        clock: &ManualClock,
        habits: &Habits,
        split_names: &[String],
    ) -> Result<Process<'a>, String> {
        let (sender, receiver) = mpsc::channel();
        let space =
            Space::open(ground.store.clone(), habits.memory_bytes, sender).map_err(|error| error.to_string())?;
        let space = Arc::new(space);
        for name in split_names {
            space.split_id(name).map_err(|error| error.to_string())?;
        }
        let now = clock.wall_micros();
        let desk = letters::desk(checked, &ground.files, space.clone(), now).map_err(|error| error.to_string())?;
        let plan = topology::plan(checked, entries, &CoreBudget::unpinned(habits.threads));
        let control = Arc::new(Control::default());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let parts = Parts {
            checked,
            entries,
            clock: shared.clone(),
            control: control.clone(),
            wait: Wait::Yield,
            ring_capacity_tuples: checked.runtime.ring_capacity_tuples,
            sample: checked.runtime.sample,
            space: Some(space.clone()),
            letters: Some(Letterbox { desk: desk.map(Arc::new), panics: Vec::new() }),
        };
        let executors = topology::assemble(&plan, &parts).map_err(|error| error.to_string())?;
        let committer = Committer::new(space.clone(), receiver, plan.pipelines.len(), shared);
        control.commits.store(true, Ordering::Relaxed);
        control.join(&executors);
        let durable = space.durable();
        Ok(Process {
            checked,
            entries,
            ended: vec![false; executors.len()],
            stalled: vec![0; executors.len()],
            coordinator: Coordinator::new(habits.pace, durable, clock.nanos()),
            plan,
            executors,
            committer,
            space,
            ground,
            control,
            clock: clock.clone(),
            asked: durable,
            durable,
        })
    }

    /// The components whose state depends on more than the data in this life.
    pub fn undecided(&self) -> impl Iterator<Item = String> {
        topology::breaks(self.checked, self.entries, &self.plan).into_iter().map(|(component, _)| component)
    }

    /// Lives until something ends it.
    ///
    /// # Errors
    /// It fails though nothing has but writes that may be tried again, or never comes to an end.
    pub fn live(
        &mut self,
        habits: &Habits,
        storm: &Storm,
        supply: &Supply,
        random: &mut Random,
    ) -> Result<End, String> {
        for step in 0..STEPS_MAX {
            if habits.killed_at == Some(step) || self.ground.store.is_dead() {
                return Ok(End::Killed);
            }
            if let Some(full) = storm.full.as_ref().filter(|full| !full.is_empty()) {
                if full.start == step {
                    let room = random.below(ROOM_BYTES) as u64;
                    self.ground.files.set_capacity(Some(self.ground.files.used() + room));
                } else if full.end == step {
                    self.ground.files.set_capacity(None);
                }
            }
            let all = habits.all_splits.is_some_and(|splits| supply.followed_splits() == splits);
            if habits.drained_at == Some(step) || all {
                self.control.drain.store(true, Ordering::Relaxed);
            }
            if let Err(error) = self.step(step, random) {
                return match self.ground.troubles() {
                    _ if self.ground.store.is_dead() => Ok(End::Killed),
                    0 => Err(format!("the process failed, and nothing else but writes that are tried again: {error}")),
                    _ => Ok(End::Failed(error)),
                };
            }
            if self.coordinator.finished {
                self.balanced()?;
                let drained = self.control.drain.load(Ordering::Relaxed);
                return Ok(if drained && !all { End::Drained } else { End::Finished });
            }
        }
        Err(format!("the topology does not come to an end: {}", self.picture()))
    }

    fn step(&mut self, step: usize, random: &mut Random) -> Result<(), String> {
        match random.below(24) {
            0..=2 => self.coordinate(),
            3..=6 => self.commit(),
            7 | 8 => self.pass(random),
            9 => {
                let executor = random.below(self.executors.len());
                self.stalled[executor] = step + random.below(400);
                Ok(())
            }
            _ => {
                let executor = random.below(self.executors.len());
                if self.stalled[executor] > step {
                    return Ok(());
                }
                for _ in 0..=random.below(4) {
                    self.execute(executor)?;
                }
                Ok(())
            }
        }
    }

    fn execute(&mut self, executor: usize) -> Result<(), String> {
        let progress = self.executors[executor].step().map_err(|error| error.to_string())?;
        self.ended[executor] |= progress == Progress::Ended;
        self.control.ended.store(self.ended.iter().filter(|ended| **ended).count(), Ordering::Relaxed);
        Ok(())
    }

    /// Time passes, now and then a lot of it.
    fn pass(&self, random: &mut Random) -> Result<(), String> {
        let micros = if random.one_in(40) { 100_000_000 } else { 2_000 };
        self.clock.set(self.clock.wall_micros() + random.below(micros) as i64);
        Ok(())
    }

    fn coordinate(&mut self) -> Result<(), String> {
        let durable = self.space.durable();
        let ended = !self.space.is_refused() && self.control.have_ended(durable);
        let (moved, undurable_bytes) = (self.control.moved_sum(), self.space.undurable_bytes());
        let orders = Orders { now: self.clock.nanos(), moved, durable, undurable_bytes, ended };
        let asked = self.coordinator.step(&orders);
        self.control.hold.store(self.coordinator.hold, Ordering::Relaxed);
        if let Some(epoch) = asked {
            if epoch != self.asked + 1 {
                return Err(format!("epoch {epoch} was asked for after epoch {}", self.asked));
            }
            self.asked = epoch;
            self.control.barrier.store(epoch, Ordering::Relaxed);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        if let Heard::Durable(epoch) = self.committer.step() {
            if epoch != self.durable + 1 || epoch > self.asked {
                return Err(format!("epoch {epoch} became durable after epoch {}", self.durable));
            }
            self.durable = epoch;
        }
        Ok(())
    }

    /// At the end every tuple is accounted for.
    fn balanced(&self) -> Result<(), String> {
        let snapshots: Vec<_> = self.executors.iter().map(Executor::snapshot).collect();
        let facts = Facts {
            checked: self.checked,
            entries: self.entries,
            plan: &self.plan,
            wait: "yield".to_owned(),
            elapsed_ns: 1,
            snapshots: &snapshots,
        };
        let report = topology::report(&facts, "end".to_owned(), []);
        match report.components.iter().find(|component| !component.balances()) {
            Some(component) => Err(format!("the books of `{}` do not balance: {component:?}", component.id)),
            None => Ok(()),
        }
    }

    /// Where it stands, for messages.
    fn picture(&self) -> String {
        let pipelines = self.executors.iter().flat_map(|executor| &executor.pipelines);
        let barriers: Vec<String> = pipelines.map(|p| format!("pipeline {}: {}", p.id, p.picture())).collect();
        let refusals = self.space.refusals().join("; ");
        format!("epoch {} asked for, {} durable; {refusals}\n  {}", self.asked, self.durable, barriers.join("\n  "))
    }
}
