//! The engine through its public face: topologies of test kinds, planned and assembled for some executors, which the
//! test itself steps in an order drawn from a seed. No threads, no real time.

mod accounts;
mod backpressure;
mod barriers;
mod drain;
mod ends;
mod errors;
mod groupings;
mod holds;
mod kinds;
mod order;
mod plans;
mod rows;
mod splits;
mod timers;
mod world;

use sferic::commit::{Committer, Heard};
use sferic::config::{self, Checked};
use sferic::executor::{Control, Executor, Progress, Wait};
use sferic::latency::Report;
use sferic::problem::{Problems, Sources};
use sferic::store::{MemoryStore, Message, Space};
use sferic::time::ManualClock;
use sferic::topology::{self, CoreBudget, Entry, Facts, Parts, Plan};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use world::{Row, What, World};

/// Steps after which a topology is taken to run for ever.
const STEPS_MAX: usize = 2_000_000;

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A topology, assembled.
struct Rig {
    checked: Checked,
    entries: Vec<Entry>,
    plan: Plan,
    executors: Vec<Executor>,
    control: Arc<Control>,
    clock: ManualClock,
    random: Random,
    /// Over a store: what makes its epochs durable.
    committer: Option<Committer>,
}

/// What is durable, and where hand-overs arrive.
fn open(backend: &Arc<MemoryStore>) -> (Arc<Space>, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel();
    (Arc::new(Space::open(backend.clone(), 1 << 20, sender).unwrap()), receiver)
}

/// A checked topology; panics with its problems.
fn checked(text: &str, world: &World) -> Checked {
    let (mut sources, problems) = (Sources::default(), Problems::new());
    let model = config::load_text("test.toml", text, &mut sources, &problems);
    let checked = config::check(&model, &kinds::registry(world), &problems);
    checked.unwrap_or_else(|| panic!("{text}\n{:#?}", problems.into_sorted()))
}

impl Rig {
    /// Assembles a topology for so many executors. The world must have the splits.
    fn new(text: &str, world: &World, executors: usize, seed: u64) -> Rig {
        Rig::over(text, world, executors, seed, None)
    }

    /// The same over a store.
    fn over(text: &str, world: &World, executors: usize, seed: u64, backend: Option<&Arc<MemoryStore>>) -> Rig {
        let checked = checked(text, world);
        let entries = topology::entries(&checked).unwrap();
        let plan = topology::plan(&checked, &entries, &CoreBudget::unpinned(executors));
        let (clock, control) = (ManualClock::at(1_000_000), Arc::new(Control::default()));
        let (space, receiver) = backend.map(open).unzip();
        let parts = Parts {
            checked: &checked,
            entries: &entries,
            clock: Arc::new(clock.clone()),
            control: control.clone(),
            wait: Wait::Yield,
            ring_capacity_tuples: checked.runtime.ring_capacity_tuples,
            sample: 3,
            space: space.clone(),
            letters: None,
        };
        let executors = topology::assemble(&plan, &parts).unwrap();
        let committer = space
            .zip(receiver)
            .map(|(space, receiver)| Committer::new(space, receiver, plan.pipelines.len(), Arc::new(clock.clone())));
        Rig { entries, plan, executors, control, clock, random: Random(seed), committer, checked }
    }

    /// The next epoch ends and becomes durable.
    fn commit(&mut self) {
        let epoch = 1 + self.control.barrier.fetch_add(1, Ordering::Relaxed);
        self.settle();
        let committer = self.committer.as_mut().expect("the rig has a store");
        while committer.step() != Heard::Durable(epoch) {}
    }

    fn step(&mut self, executor: usize) -> Progress {
        self.executors[executor].step().unwrap()
    }

    fn steps(&mut self, executor: usize, count: usize) {
        (0..count).for_each(|_| _ = self.step(executor));
    }

    /// Steps executors in random order until none can do anything; whether all have ended.
    fn settle(&mut self) -> bool {
        let count = self.executors.len();
        for _ in 0..STEPS_MAX {
            for _ in 0..3 * count {
                let executor = self.random.below(count);
                for _ in 0..=self.random.below(6) {
                    self.step(executor);
                }
            }
            let all: Vec<Progress> = (0..count).map(|n| self.step(n)).collect();
            let again: Vec<Progress> = (0..count).map(|n| self.step(n)).collect();
            if all.iter().chain(&again).all(|p| *p != Progress::Some) {
                return again.iter().all(|p| *p == Progress::Ended);
            }
        }
        panic!("the topology does not come to rest");
    }

    /// Steps until all has ended.
    fn finish(&mut self) {
        assert!(self.settle(), "the topology has locked up:\n{}", self.picture());
    }

    /// Pipelines and channels, for messages.
    fn picture(&self) -> String {
        let pipelines = self.plan.pipelines.iter().enumerate().map(|(n, p)| format!("{n}: {p:?}\n"));
        let channels = self.plan.channels.iter().map(|c| format!("{} -> {} ({}.{})\n", c.from, c.to, c.bolt, c.task));
        pipelines.chain(channels).collect()
    }

    fn report(&self) -> Report {
        let snapshots: Vec<_> = self.executors.iter().map(Executor::snapshot).collect();
        let facts = Facts {
            checked: &self.checked,
            entries: &self.entries,
            plan: &self.plan,
            wait: "yield".to_owned(),
            elapsed_ns: 1,
            snapshots: &snapshots,
        };
        topology::report(&facts, "end".to_owned(), [])
    }

    /// The report, whose books must balance.
    fn balanced(&self) -> Report {
        let report = self.report();
        for component in &report.components {
            assert!(component.balances(), "{component:#?}");
        }
        report
    }
}

/// A spout `id` with `splits` splits and these keys beside its kind.
fn spout(world: &World, id: &str, splits: usize, keys: &str) -> String {
    (0..splits).for_each(|n| world.split(id, &n.to_string()));
    format!("[spouts.{id}]\nkind = \"hand\"\n{keys}\n")
}

/// A bolt.
fn bolt(id: &str, kind: &str, from: &str, keys: &str) -> String {
    format!("[bolts.{id}]\nkind = \"{kind}\"\nfrom = {from}\n{keys}\n")
}

const TIGHT: &str = "[runtime]\nring_capacity = 1\n";
