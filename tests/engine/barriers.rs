//! Barriers: every task closes epoch N after exactly the tuples before the barrier.

use super::{Random, Rig, Row, TIGHT, What, World, bolt, spout};
use sferic::executor::Pipeline;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

/// The epoch in which each task of a bolt saw each `seq` (and row), one entry for each time.
fn epochs(world: &World, bolt: &str) -> BTreeMap<(i64, i64), BTreeSet<u64>> {
    let mut at: BTreeMap<usize, u64> = BTreeMap::new();
    let mut found: BTreeMap<(i64, i64), BTreeSet<u64>> = BTreeMap::new();
    for event in world.events().into_iter().filter(|e| e.bolt == bolt) {
        let epoch = at.entry(event.task).or_default();
        match event.what {
            What::Step => drop(found.entry((event.seq, event.n.max(0))).or_default().insert(*epoch)),
            What::Barrier(n) => {
                assert_eq!(n, *epoch + 1, "{bolt}.{} leaves an epoch out", event.task);
                *epoch = n;
            }
            What::Fire { .. } => {}
        }
    }
    found
}

/// Runs a topology with barriers in between (the next when the last has passed through all pipelines) and asserts that
/// all bolts saw each tuple in one and the same epoch.
fn run(text: &str, world: &World, bolts: &[&str], executors: usize, seed: u64) {
    let mut rig = Rig::new(text, world, executors, seed);
    let mut asked = 0;
    let mut random = Random(seed);
    let mut wait = random.below(6);
    for n in 0..200_000 {
        let executor = random.below(executors);
        rig.step(executor);
        if n % 500 == 0 && seed.is_multiple_of(3) {
            // Splits end one after the other.
            world.close("s", &(n / 500 % 4).to_string());
        }
        wait = wait.saturating_sub(1);
        // Also a pipeline whose inputs have all ended closes every epoch.
        let passed = |p: &Pipeline| p.barrier() == asked;
        if wait == 0 && asked < 12 && rig.executors.iter().flat_map(|e| &e.pipelines).all(passed) {
            asked += 1;
            rig.control.barrier.store(asked, Relaxed);
            wait = random.below(6);
        }
    }
    world.close_all();
    rig.finish();
    let wanted = epochs(world, bolts[0]);
    assert!(wanted.values().all(|e| e.len() == 1), "a tuple is in two epochs, seed {seed}");
    assert!(asked < 3 || wanted.values().flatten().collect::<BTreeSet<_>>().len() > 1, "no barrier came between");
    for bolt in &bolts[1..] {
        for ((seq, n), epochs) in epochs(world, bolt) {
            assert_eq!(epochs, wanted[&(seq, 0)], "row {seq}.{n} at {bolt}, {executors} executors, seed {seed}");
        }
    }
    rig.balanced();
}

fn feed(world: &World, splits: i64, rows: i64) {
    for split in 0..splits {
        world.feed("s", &split.to_string(), (0..rows).map(|n| Row::new(n % 13, split * 10_000 + n, n)));
    }
}

#[test]
fn every_task_sees_the_barrier_between_the_same_tuples() {
    for seed in 0..30 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 4, "tasks = 2")
            + &bolt("first", "pass", "\"s\"", "")
            + &bolt("keyed", "state", "\"first\"", "key = \"key\"\ntasks = 3")
            + &bolt("both", "state", "[\"keyed\", \"s\"]", "key = \"key\"\ntasks = 2")
            + &bolt("sink", "log", "[\"both\", \"first\"]", "");
        feed(&world, 4, 300);
        run(&text, &world, &["first", "keyed", "both", "sink"], 1 + seed as usize % 3, seed);
    }
}

#[test]
fn rows_of_one_tuple_stay_in_its_epoch() {
    for seed in 0..20 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 4, "tasks = 2")
            + &bolt("first", "pass", "\"s\"", "")
            + &bolt("many", "rows", "\"first\"", "rows = 600")
            + &bolt("keyed", "state", "\"many\"", "key = \"n\"\ntasks = 3")
            + &bolt("sink", "log", "\"keyed\"", "");
        feed(&world, 4, 8);
        run(&text, &world, &["first", "keyed", "sink"], 2 + seed as usize % 2, seed);
    }
}

#[test]
fn an_input_that_ends_while_others_wait_at_a_barrier_counts_as_aligned() {
    for seed in 0..30 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 1, "")
            + &spout(&world, "ends", 1, "")
            + &bolt("keyed", "state", "[\"s\", \"ends\"]", "key = \"key\"\ntasks = 3")
            + &bolt("sink", "log", "\"keyed\"", "");
        world.feed("s", "0", (0..50).map(|n| Row::new(n, n, n)));
        world.feed("ends", "0", (0..5).map(|n| Row::new(n, 1000 + n, n)));
        let mut rig = Rig::new(&text, &world, 2 + seed as usize % 2, seed);
        let executors = rig.executors.len();
        let (here, there) = (rig.plan.placement.entries[0][0], rig.plan.placement.entries[1][0]);
        assert_ne!(here, there);
        // `s` sends the barrier, the other executor has not looked yet, and its split comes to an end.
        rig.steps(there, 20);
        world.close("ends", "0");
        rig.control.barrier.store(1, Relaxed);
        let some = rig.random.below(20);
        rig.steps(here, some);
        rig.settle();
        for pipeline in rig.executors.iter().flat_map(|e| &e.pipelines) {
            let ended = pipeline.inputs.iter().all(|i| i.ended);
            assert!(ended || pipeline.barrier() == 1, "{executors} executors, seed {seed}");
        }
        world.feed("s", "0", (50..60).map(|n| Row::new(n, n, n)));
        world.close_all();
        rig.finish();
        assert_eq!(world.seen("sink").len(), 65);
        let late = epochs(&world, "sink").into_iter().filter(|((seq, _), _)| (50..60).contains(seq));
        assert!(late.into_iter().all(|(_, e)| e == BTreeSet::from([1])), "seed {seed}");
    }
}

#[test]
fn a_split_that_ends_by_itself_after_a_channel_has_delivered_the_barrier_does_not_hold_it_up() {
    let world = World::default();
    let text = spout(&world, "s", 1, "")
        + &spout(&world, "ends", 1, "")
        + &bolt("keyed", "state", "[\"s\", \"ends\"]", "key = \"key\"\ntasks = 2");
    let mut rig = Rig::new(&text, &world, 2, 1);
    let (here, there) = (rig.plan.placement.entries[0][0], rig.plan.placement.entries[1][0]);
    world.feed("s", "0", (0..50).map(|n| Row::new(n, n, n)));
    rig.steps(here, 5);
    world.close("ends", "0");
    rig.steps(there, 5);
    rig.control.barrier.store(1, Relaxed);
    rig.settle();
    world.feed("s", "0", (50..100).map(|n| Row::new(n, n, n)));
    world.close_all();
    rig.finish();
    assert_eq!(world.seen("keyed").len(), 100);
    assert!(epochs(&world, "keyed").into_iter().all(|((seq, _), e)| e == BTreeSet::from([u64::from(seq >= 50)])));
}
