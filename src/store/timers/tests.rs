use super::*;
use crate::store::{Backend, Batch, EpochFacts, HandOver, LifeSpec, MemoryStore, Message, Space};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::mpsc;

/// The tasks of one component over a store, and the committer's part of their lives.
struct Living {
    backend: Arc<MemoryStore>,
    space: Arc<Space>,
    hand_overs: mpsc::Receiver<Message>,
    tasks: Vec<Timers>,
    /// The epoch that is on its way, its batches, and how many tasks have given all.
    closing: Option<(u64, Vec<Batch>, usize)>,
    written: usize,
}

impl Living {
    fn open(backend: Arc<MemoryStore>, tasks: usize, memory_bytes: usize) -> Living {
        let (sender, hand_overs) = mpsc::channel();
        let space = Arc::new(Space::open(backend.clone(), memory_bytes, sender).unwrap());
        let place = space.handle("bolt", "timers", "deadlines", &[]).unwrap();
        let spec = LifeSpec { place, ttl: i64::MAX, keep: 0 };
        let life = |task| Box::new(Life::new(space.clone(), spec.clone()).of_task(task, tasks));
        let tasks = (0..tasks).map(|task| Timers::new(Some(life(task)))).collect();
        Living { backend, space, hand_overs, tasks, closing: None, written: 0 }
    }

    fn of(&mut self, key: &[u8]) -> &mut Timers {
        let count = self.tasks.len();
        &mut self.tasks[usize::from(KeyRef::new(key).shard()) * count / 256]
    }

    /// Ends an epoch, or goes on with one; true when it has become durable.
    fn epoch(&mut self, budget: usize) -> bool {
        let Some((epoch, batches, given)) = &mut self.closing else {
            let epoch = self.space.durable() + 1;
            self.tasks.iter_mut().for_each(|timers| timers.barrier(epoch));
            self.closing = Some((epoch, Vec::new(), 0));
            return false;
        };
        for timers in &mut self.tasks {
            timers.hand_over(budget);
        }
        while let Ok(Message::State(HandOver { epoch: of, batch, last, .. })) = self.hand_overs.try_recv() {
            assert_eq!(of, *epoch);
            self.written += batch.len();
            batches.push(batch);
            *given += usize::from(last);
        }
        if *given < self.tasks.len() {
            return false;
        }
        let mut last = Batch::default();
        self.space.put_epoch(&mut last, &EpochFacts { epoch: *epoch, ..EpochFacts::none() });
        batches.push(last);
        self.backend.write(batches).unwrap();
        self.space.settled(*epoch, 0);
        self.closing = None;
        true
    }

    fn commit(&mut self) {
        while !self.epoch(1000) {}
    }
}

#[derive(Clone, Debug)]
enum Action {
    Set(Vec<u8>, i64),
    Cancel(Vec<u8>, i64),
    /// Time moves on, and so many timers fire.
    Fire(i64, usize),
    Epoch(usize),
    /// The process dies; the next has so many tasks.
    Crash(usize),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || {
        prop_oneof![
            4 => (0u8..12).prop_map(|k| vec![k]),
            1 => (20usize..26).prop_map(|length| vec![7; length]),
            1 => Just(Vec::new()),
        ]
    };
    let deadline = || prop_oneof![4 => 0i64..60, 1 => -5i64..5, 1 => 1000i64..1100];
    let action = prop_oneof![
        12 => (key(), deadline()).prop_map(|(key, deadline)| Action::Set(key, deadline)),
        5 => (key(), deadline()).prop_map(|(key, deadline)| Action::Cancel(key, deadline)),
        3 => (0i64..9, 0usize..20).prop_map(|(ahead, count)| Action::Fire(ahead, count)),
        4 => (0usize..6).prop_map(Action::Epoch),
        1 => (1usize..4).prop_map(Action::Crash),
    ];
    prop::collection::vec(action, 0..300)
}

type Model = BTreeSet<(i64, Vec<u8>)>;

/// What fires by and by; never one that comes behind what was told.
fn fired(timers: &mut Timers, watermark: i64) -> Option<(i64, Vec<u8>)> {
    let mut key = vec![99];
    loop {
        let told = timers.earliest();
        match timers.due(watermark, &mut key) {
            Some(deadline) => {
                assert_eq!(deadline, told);
                return Some((deadline, key));
            }
            None if timers.earliest() == told => return None,
            None => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn timers_are_an_ordered_set_through_evictions_and_crashes(
        actions in actions(),
        memory_bytes in prop_oneof![Just(0usize), Just(2000), Just(1 << 30)],
    ) {
        let mut living = Living::open(Arc::default(), 1, memory_bytes);
        let mut memory = Timers::new(None);
        let (mut model, mut closed, mut durable): (Model, Model, Model) = Default::default();
        let mut time = 0;
        for action in actions {
            match action {
                Action::Set(key, deadline) => {
                    living.of(&key).set(KeyRef::new(&key), deadline);
                    memory.set(KeyRef::new(&key), deadline);
                    model.insert((deadline, key));
                }
                Action::Cancel(key, deadline) => {
                    living.of(&key).cancel(KeyRef::new(&key), deadline);
                    memory.cancel(KeyRef::new(&key), deadline);
                    model.remove(&(deadline, key));
                }
                Action::Fire(ahead, count) => {
                    time += ahead;
                    for _ in 0..count {
                        let first = model.first().filter(|(deadline, _)| *deadline < time).cloned();
                        prop_assert_eq!(memory.earliest(), model.first().map_or(i64::MAX, |(deadline, _)| *deadline));
                        prop_assert_eq!(&fired(&mut memory, time), &first);
                        let Some((deadline, key)) = first else {
                            for timers in &mut living.tasks {
                                prop_assert_eq!(fired(timers, time), None);
                            }
                            break;
                        };
                        let timers = living.of(&key);
                        prop_assert!(timers.earliest() <= deadline);
                        prop_assert_eq!(fired(timers, time), Some((deadline, key.clone())));
                        model.remove(&(deadline, key));
                    }
                }
                Action::Epoch(budget) => {
                    if living.closing.is_none() {
                        closed = model.clone();
                    }
                    if living.epoch(budget) {
                        durable = closed.clone();
                    }
                }
                Action::Crash(tasks) => {
                    living = Living::open(living.backend.clone(), tasks, memory_bytes);
                    model = durable.clone();
                    memory = Timers::new(None);
                    model.iter().for_each(|(deadline, key)| memory.set(KeyRef::new(key), *deadline));
                }
            }
        }
        let mut left: Model = BTreeSet::new();
        for timers in &mut living.tasks {
            let mut before = None;
            while let Some(timer) = fired(timers, i64::MAX) {
                prop_assert!(before < Some(timer.clone()));
                before = Some(timer.clone());
                left.insert(timer);
            }
            prop_assert_eq!(timers.earliest(), i64::MAX);
        }
        prop_assert_eq!(left, model);
    }
}

#[test]
fn what_comes_and_goes_within_an_epoch_is_not_written() {
    let mut living = Living::open(Arc::default(), 1, 1 << 30);
    for n in 0u64..100 {
        let key = n.to_le_bytes();
        living.of(&key).set(KeyRef::new(&key), n as i64);
        if n % 2 == 0 {
            living.of(&key).cancel(KeyRef::new(&key), n as i64);
        }
    }
    while fired(&mut living.tasks[0], 1000).is_some() {}
    living.commit();
    assert_eq!(living.written, 0);
    living.of(b"k").set(KeyRef::new(b"k"), 5);
    living.commit();
    assert_eq!(living.written, 1);
    living.of(b"k").set(KeyRef::new(b"k"), 5);
    living.commit();
    assert_eq!(living.written, 1);
}

#[test]
fn a_start_reads_a_few_timers_of_each_shard_and_the_rest_as_time_comes_near() {
    const COUNT: u64 = 40_000;
    let mut living = Living::open(Arc::default(), 1, 1 << 30);
    for n in 0..COUNT {
        let key = n.to_le_bytes();
        living.of(&key).set(KeyRef::new(&key), 1_000_000 + n as i64);
    }
    living.commit();
    let mut living = Living::open(living.backend.clone(), 2, 1 << 30);
    let read: usize = living.tasks.iter().map(Timers::len).sum();
    assert!(read <= 64 * 256, "{read} timers were read at the start");
    assert_eq!(living.tasks.iter().map(Timers::earliest).min(), Some(1_000_000));
    for n in 0..COUNT {
        let key = n.to_le_bytes();
        let deadline = 1_000_000 + n as i64;
        assert_eq!(fired(living.of(&key), deadline + 1), Some((deadline, key.to_vec())));
    }
    assert!(living.tasks.iter_mut().all(|timers| fired(timers, i64::MAX).is_none()));
}
