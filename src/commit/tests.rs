use super::*;
use crate::store::{
    Batch, Closed, ClosedSplit, FaultyStore, MemoryStore, Outlet, Space, SplitFacts, StoreError, Weather,
};
use crate::time::ManualClock;
use proptest::prelude::*;
use std::sync::{Arc, Mutex, mpsc};

const PACE: Pace = Pace { interval_ns: 100, changed_bytes_max: 1000 };

fn orders(now: u64, moved: u64, durable: u64) -> Orders {
    Orders { now, moved, durable, undurable_bytes: 0, ended: false }
}

#[test]
fn an_epoch_ends_when_its_time_has_come_and_something_has_happened() {
    let mut coordinator = Coordinator::new(PACE, 7, 0);
    assert_eq!(coordinator.step(&orders(1000, 0, 7)), None);
    assert_eq!(coordinator.step(&orders(50, 1, 7)), None);
    assert_eq!(coordinator.step(&orders(100, 1, 7)), Some(8));
}

#[test]
fn an_epoch_does_not_end_before_the_one_before_is_durable() {
    let mut coordinator = Coordinator::new(PACE, 0, 0);
    assert_eq!(coordinator.step(&orders(100, 1, 0)), Some(1));
    assert_eq!(coordinator.step(&orders(900, 2, 0)), None);
    assert_eq!(coordinator.step(&orders(900, 2, 1)), Some(2));
}

#[test]
fn much_change_ends_an_epoch_early_and_holds_the_splits_while_one_flows() {
    let mut coordinator = Coordinator::new(PACE, 0, 0);
    assert_eq!(coordinator.step(&Orders { undurable_bytes: 1001, ..orders(1, 1, 0) }), Some(1));
    assert!(!coordinator.hold);
    coordinator.step(&Orders { undurable_bytes: 2001, ..orders(2, 2, 0) });
    assert!(coordinator.hold);
    coordinator.step(&Orders { undurable_bytes: 1500, ..orders(3, 2, 0) });
    assert!(!coordinator.hold);
}

#[test]
fn a_large_epoch_that_took_long_makes_the_next_ones_longer_but_not_too_long() {
    const MS: u64 = 1_000_000;
    let pace = Pace { interval_ns: 100 * MS, changed_bytes_max: 64 << 20 };
    let mut coordinator = Coordinator::new(pace, 0, 0);
    let mut step = |at: u64, durable, megabytes: u64| {
        coordinator.step(&Orders { undurable_bytes: megabytes << 20, ..orders(at * MS, at, durable) })
    };
    assert_eq!(step(100, 0, 0), Some(1));
    assert_eq!(step(150, 0, 8), None);
    assert_eq!(step(300, 1, 0), None);
    assert_eq!(step(899, 1, 0), None);
    assert_eq!(step(900, 1, 0), Some(2));
    assert_eq!(step(1000, 1, 8), None);
    // 700 ms: four times as long would be too long.
    assert_eq!(step(1600, 2, 0), None);
    assert_eq!(step(1800, 2, 0), Some(3));
    // A small one, or one that was quick, brings the interval back.
    assert_eq!(step(1850, 2, 1), None);
    assert_eq!(step(2000, 3, 0), Some(4));
}

#[test]
fn at_the_end_what_is_left_is_committed_and_then_it_is_over() {
    let mut coordinator = Coordinator::new(PACE, 0, 0);
    let ended = |moved, durable| Orders { ended: true, ..orders(1, moved, durable) };
    assert_eq!(coordinator.step(&ended(5, 0)), Some(1));
    assert_eq!(coordinator.step(&ended(5, 0)), None);
    assert!(!coordinator.finished);
    assert_eq!(coordinator.step(&ended(5, 1)), None);
    assert!(coordinator.finished);
}

fn hand_over(outlet: &Outlet, epoch: u64, name: &str, order: &Arc<Mutex<Vec<String>>>) {
    let mut batch = Batch::default();
    Space::put_note(&mut batch, name, &epoch);
    let (order, name) = (order.clone(), name.to_owned());
    outlet.hand_over(
        epoch,
        batch,
        Some(Box::new(move || {
            order.lock().unwrap().push(name);
            Ok(())
        })),
    );
}

proptest! {
    /// Whatever the order in which pipelines and handles speak: an epoch is durable exactly when the last has spoken.
    #[test]
    fn an_epoch_is_durable_when_all_have_spoken(order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle()) {
        let (sender, receiver) = mpsc::channel();
        let backend = Arc::new(MemoryStore::new());
        let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
        let outlets: Vec<Outlet> = (0..2).map(|_| Outlet::new(space.clone())).collect();
        let mut committer = Committer::new(space.clone(), receiver, 3, Arc::new(ManualClock::default()));
        let prepared = Arc::new(Mutex::new(Vec::new()));
        for epoch in 1..3 {
            for (n, who) in order.iter().enumerate() {
                if *who < 2 {
                    hand_over(&outlets[*who], epoch, &who.to_string(), &prepared);
                } else {
                    let splits = vec![split(*who as i64, false, true)];
                    space.close(Closed { epoch, pipeline: who - 2, splits, times: Vec::new(), least: i64::MAX });
                }
                let heard = committer.step();
                prop_assert_eq!(heard, if n == 4 { Heard::Durable(epoch) } else { Heard::Something });
                prop_assert_eq!(prepared.lock().unwrap().len(), if n == 4 { 2 * epoch as usize } else { 2 * epoch as usize - 2 });
            }
            let (sender, _receiver) = mpsc::channel();
            let again = Space::open(backend.clone(), 0, sender).unwrap();
            prop_assert_eq!((again.opened().epoch, again.opened().frontier), (epoch, 2));
            prop_assert_eq!(again.note::<u64>("1").unwrap(), Some(epoch));
        }
    }
}

#[test]
fn an_epoch_that_cannot_be_prepared_is_not_committed_and_none_after_it() {
    let (sender, receiver) = mpsc::channel();
    let backend = Arc::new(MemoryStore::new());
    let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
    let outlet = Outlet::new(space.clone());
    let mut committer = Committer::new(space.clone(), receiver, 0, Arc::new(ManualClock::default()));
    let refuse = StoreError::Refused("the disk is full".to_owned());
    let error = refuse.clone();
    outlet.hand_over(1, Batch::default(), Some(Box::new(move || Err(error))));
    assert_eq!(committer.step(), Heard::Something);
    assert_eq!(space.failure(), Some(refuse));
    outlet.hand_over(2, Batch::default(), None);
    assert_eq!(committer.step(), Heard::Something);
    let (sender, _receiver) = mpsc::channel();
    assert_eq!(Space::open(backend, 0, sender).unwrap().opened().epoch, 0);
}

fn split(promise: i64, silent: bool, finite: bool) -> ClosedSplit {
    ClosedSplit { name: "s/0".to_owned(), facts: SplitFacts::default(), promise, silent, finite }
}

#[test]
fn the_end_of_input_does_not_end_time_so_that_state_outlives_it() {
    let (sender, receiver) = mpsc::channel();
    let backend = Arc::new(MemoryStore::new());
    let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
    let mut committer = Committer::new(space.clone(), receiver, 1, Arc::new(ManualClock::default()));
    let mut epoch = 0;
    let mut frontier_over = |splits: &[ClosedSplit], least: i64| {
        epoch += 1;
        space.close(Closed { epoch, pipeline: 0, splits: splits.to_vec(), times: Vec::new(), least });
        assert_eq!(committer.step(), Heard::Durable(epoch));
        let (sender, _receiver) = mpsc::channel();
        Space::open(backend.clone(), 0, sender).unwrap().opened().frontier
    };
    const FINITE: bool = true;
    // Those behind a match that waits are not as far as its source: what their timers need is kept.
    assert_eq!(frontier_over(&[split(6, false, FINITE)], 4), 4);
    let mut frontier = |splits: &[ClosedSplit]| frontier_over(splits, i64::MAX);
    // One that has not said anything yet may say anything.
    assert_eq!(frontier(&[split(i64::MIN, false, FINITE), split(5, false, FINITE)]), 4);
    // A file that has ended may have grown at the next start; an empty one has nothing to say.
    assert_eq!(frontier(&[split(7, true, FINITE), split(9, false, FINITE), split(i64::MIN, true, FINITE)]), 7);
    assert_eq!(frontier(&[split(8, true, FINITE), split(70, true, FINITE)]), 8);
    // It never goes back.
    assert_eq!(frontier(&[split(6, true, FINITE)]), 8);
    // Beside a source without an end it does not hold time back, and neither does one that is silent.
    assert_eq!(frontier(&[split(8, true, FINITE), split(60, false, !FINITE), split(9, true, !FINITE)]), 60);
}

#[test]
fn an_epoch_is_not_committed_after_state_could_not_be_read() {
    let (sender, receiver) = mpsc::channel();
    let backend = Arc::new(MemoryStore::new());
    let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
    let mut committer = Committer::new(space.clone(), receiver, 1, Arc::new(ManualClock::default()));
    space.fail(StoreError::Refused("it cannot be read".to_owned()));
    space.close(Closed { epoch: 1, pipeline: 0, splits: Vec::new(), times: Vec::new(), least: i64::MAX });
    assert_eq!(committer.step(), Heard::Something);
    let (sender, _receiver) = mpsc::channel();
    assert_eq!(Space::open(backend, 0, sender).unwrap().opened().epoch, 0);
}

#[test]
fn a_write_that_the_disk_refuses_is_tried_again_after_pauses_that_grow() {
    let (sender, receiver) = mpsc::channel();
    let backend = Arc::new(FaultyStore::new(1));
    let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
    backend.restart(false, Weather { full_after: Some(0), room_after: Some(3), ..Weather::default() });
    let clock = ManualClock::at(0);
    let mut committer = Committer::new(space.clone(), receiver, 1, Arc::new(clock.clone()));
    space.close(Closed { epoch: 1, pipeline: 0, splits: Vec::new(), times: Vec::new(), least: i64::MAX });
    assert_eq!(committer.step(), Heard::Something);
    assert_eq!((space.durable(), space.failure()), (0, None));
    assert_eq!(
        space.refusals(),
        ["a batch cannot be written: no space left on device; make room on the disk or repair it"]
    );
    let (mut tries, mut end) = (Vec::new(), None);
    for millis in 1..=100 {
        clock.set(millis * 1000);
        match committer.step() {
            Heard::Nothing => {}
            Heard::Something => tries.push(millis),
            Heard::Durable(1) => end = Some(millis),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((tries, end, backend.refused()), (vec![10, 30], Some(70), 3));
    assert_eq!((space.durable(), space.refusals()), (1, Vec::new()));
    let (sender, _receiver) = mpsc::channel();
    assert_eq!(Space::open(backend, 0, sender).unwrap().opened().epoch, 1);
}

#[test]
fn a_sync_that_failed_is_not_tried_again_whatever_it_says() {
    let (sender, receiver) = mpsc::channel();
    let backend = Arc::new(MemoryStore::new());
    let space = Arc::new(Space::open(backend.clone(), 0, sender).unwrap());
    let outlet = Outlet::new(space.clone());
    let clock = ManualClock::at(0);
    let mut committer = Committer::new(space.clone(), receiver, 0, Arc::new(clock.clone()));
    let error = StoreError::Unwritten { what: "x".to_owned(), why: "full".to_owned() };
    let refuse = error.clone();
    outlet.hand_over(1, Batch::default(), Some(Box::new(move || Err(refuse))));
    assert_eq!((committer.step(), space.failure()), (Heard::Something, Some(error)));
    clock.set(100_000_000);
    assert_eq!((committer.step(), space.is_refused(), space.durable()), (Heard::Nothing, false, 0));
}
