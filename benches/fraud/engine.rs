//! Topologies as the program runs them: loaded and checked from a text, planned, assembled, stepped.

use super::feed::{Gate, Memory, Payments};
use sferic::executor::{Control, Executor, Progress, Source, Wait};
use sferic::latency::Recorder;
use sferic::problem::{Problems, Sources};
use sferic::time::{Clock, SystemClock};
use sferic::topology::{self, CoreBudget, Parts};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Pins the calling thread, where the machine has such a core.
pub fn pin(core: usize) {
    core_affinity::set_for_current(core_affinity::CoreId { id: core });
}

/// An assembled topology.
pub struct Engine {
    pub executors: Vec<Executor>,
    pub gate: Arc<Gate>,
    clock: Arc<SystemClock>,
    out: usize,
}

impl Engine {
    /// Assembles a topology of spouts of the kind `memory` whose sink is `out`, on so many threads.
    pub fn new(text: &str, payments: &Arc<Payments>, threads: usize) -> Engine {
        let gate = Arc::<Gate>::default();
        let registry = sferic::registry().spout(Memory { payments: payments.clone(), gate: gate.clone() });
        let (mut sources, problems) = (Sources::new(), Problems::new());
        let model = sferic::config::load_text("bench.toml", text, &mut sources, &problems);
        let checked = sferic::config::check(&model, &registry, &problems);
        let checked = checked.unwrap_or_else(|| panic!("{}", sources.render(&problems.into_sorted(), false)));
        let entries = topology::entries(&checked).expect("the splits are known");
        let budget = CoreBudget { cores: (0..threads).map(Some).collect(), shared: false };
        let plan = topology::plan(&checked, &entries, &budget);
        let clock = Arc::new(SystemClock::new());
        let parts = Parts {
            checked: &checked,
            entries: &entries,
            clock: clock.clone(),
            control: Arc::new(Control::default()),
            wait: Wait::Spin,
            ring_capacity_tuples: checked.runtime.ring_capacity_tuples,
            sample: checked.runtime.sample,
            space: None,
            letters: None,
        };
        let executors = topology::assemble(&plan, &parts).expect("the topology can be assembled");
        assert_eq!(executors.len(), threads);
        let out = checked.bolts.iter().position(|b| b.id == "out").expect("a sink `out`");
        Engine { executors, gate, clock, out }
    }

    /// Lets the spout read up to payment `to`, one each `period` nanoseconds (zero: as fast as possible), and steps all
    /// executors, the first on this thread, until everything is done.
    pub fn run(&mut self, to: u64, period: u64) {
        let from = self.gate.position.load(Ordering::Relaxed);
        self.gate.period.store(period, Ordering::Relaxed);
        self.gate.first.store(from, Ordering::Relaxed);
        self.gate.start.store(self.clock.nanos() + 1_000_000, Ordering::Relaxed);
        self.gate.limit.store(to, Ordering::Release);
        let gate = &*self.gate;
        let alone = self.executors.len() == 1;
        std::thread::scope(|scope| {
            let (last, others) = self.executors.split_last_mut().expect("an executor");
            for executor in others {
                scope.spawn(move || {
                    pin(executor.index);
                    drive(executor, gate, to);
                });
            }
            pin(if alone { 1 } else { last.index });
            drive(last, gate, to);
        });
    }

    /// Reads up to payment `to` on this thread in runs of one tuple, as at a low rate, but without the waiting between.
    pub fn run_singly(&mut self, to: u64) {
        let from = self.gate.position.load(Ordering::Relaxed);
        self.gate.period.store(0, Ordering::Relaxed);
        for limit in from + 1..=to {
            self.gate.limit.store(limit, Ordering::Release);
            let progress = self.executors[0].step().expect("a step");
            assert_eq!(progress, Progress::Some);
        }
        assert_eq!(self.gate.position.load(Ordering::Relaxed), to);
    }

    /// So many steps on this thread while the next payment is not due.
    pub fn idle(&mut self, steps: u64) {
        let position = self.gate.position.load(Ordering::Relaxed);
        self.gate.period.store(1_000_000_000, Ordering::Relaxed);
        self.gate.first.store(position, Ordering::Relaxed);
        self.gate.start.store(self.clock.nanos() + 3_600_000_000_000, Ordering::Relaxed);
        self.gate.limit.store(position + 1, Ordering::Release);
        for _ in 0..steps {
            let progress = self.executors[0].step().expect("a step");
            assert!(matches!(progress, Progress::None(Some(_))));
        }
        // What is due in an hour is not waited for by what comes next.
        for pipeline in &mut self.executors[0].pipelines {
            for input in &mut pipeline.inputs {
                if let Source::Split(split) = &mut input.source {
                    split.due_ns = 0;
                }
            }
        }
    }

    /// Rows that reached the sink.
    pub fn hits(&self) -> u64 {
        let tasks = self.executors.iter().flat_map(|e| e.snapshot().tasks);
        tasks.filter(|(component, _)| *component == self.out).map(|(_, meter)| meter.tuples_in).sum()
    }

    /// Forgets the ages seen so far.
    pub fn forget_ages(&mut self) {
        for pipeline in self.executors.iter_mut().flat_map(|e| &mut e.pipelines) {
            pipeline.decided = Recorder::default();
            pipeline.sinks.iter_mut().for_each(|(_, ages)| *ages = Recorder::default());
        }
    }

    /// Ages of tuples where their processing ended.
    pub fn ages(&self) -> &Recorder {
        &self.executors.last().expect("an executor").pipelines.last().expect("a pipeline").decided
    }
}

/// The loop of [`Executor::run`] for a topology that does not end: until all payments below `to` have gone through.
fn drive(executor: &mut Executor, gate: &Gate, to: u64) {
    let reads =
        |e: &Executor| e.pipelines.iter().flat_map(|p| &p.inputs).any(|input| matches!(input.source, Source::Split(_)));
    let reads = reads(executor);
    loop {
        if let Progress::Some = executor.step().expect("a step") {
            executor.others.iter().for_each(|other| other.wake());
            continue;
        }
        let passed = || executor.pipelines.iter().flat_map(|p| &p.program.tasks).map(|t| t.meter.tuples_in).max();
        let waits = || executor.pipelines.iter().flat_map(|p| &p.program.senders).any(|s| s.pending());
        let done = if reads { gate.position.load(Ordering::Relaxed) >= to } else { passed() >= Some(to) };
        if done && !waits() {
            return;
        }
        std::hint::spin_loop();
    }
}
