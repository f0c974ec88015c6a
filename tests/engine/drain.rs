//! Draining: sources stop, what was read is finished, and time does not move to infinity. Aborting: at once.

use super::{Rig, Row, TIGHT, What, World, bolt, spout};
use sferic::component::Sections;
use std::sync::atomic::Ordering::Relaxed;

fn text(world: &World) -> String {
    TIGHT.to_owned()
        + &spout(world, "s", 3, "tasks = 2")
        + &bolt("t", "timer", "\"s\"", "key = \"key\"\ntasks = 2")
        + &bolt("many", "rows", "\"s\"", "rows = 7")
        + &bolt("keyed", "state", "\"many\"", "key = \"key\"\ntasks = 2")
        + &bolt("sink", "log", "\"keyed\"", "")
        + &bolt("fired", "log", "\"t\"", "")
}

fn feed(world: &World, rows: i64) {
    for split in 0..3 {
        world.feed("s", &split.to_string(), (0..rows).map(|n| Row::new(n % 11, split * 100_000 + n, n).v(1_000_000)));
    }
}

fn fired(world: &World) -> usize {
    world.events().iter().filter(|e| matches!(e.what, What::Fire { .. })).count()
}

#[test]
fn a_drain_midway_finishes_what_was_read_and_fires_no_timer() {
    for seed in 0..20 {
        let world = World::default();
        let text = text(&world);
        feed(&world, 10_000);
        let mut rig = Rig::new(&text, &world, 1 + seed as usize % 3, seed);
        for _ in 0..seed * 13 {
            let executor = rig.random.below(rig.executors.len());
            rig.step(executor);
        }
        rig.control.drain.store(true, Relaxed);
        // The splits are open, and still the end arrives everywhere.
        rig.finish();
        let taken = world.taken();
        assert!(taken < 30_000, "the drain came too late to be one");
        assert_eq!(world.seen("many").len(), taken, "seed {seed}");
        assert_eq!(world.seen("t").len(), taken, "seed {seed}");
        assert_eq!(world.seen("sink").len(), 7 * taken, "seed {seed}");
        assert_eq!(fired(&world), 0, "a timer fired after a drain, seed {seed}");
        rig.balanced();
    }
}

#[test]
fn at_the_end_of_input_all_timers_fire() {
    for seed in 0..6 {
        let world = World::default();
        let text = text(&world);
        feed(&world, 500);
        world.close_all();
        let mut rig = Rig::new(&text, &world, 1 + seed as usize % 3, seed);
        rig.finish();
        assert_eq!((fired(&world), world.seen("fired").len()), (1500, 1500), "seed {seed}");
    }
}

#[test]
fn an_executor_that_is_told_to_abort_stops_at_once() {
    let world = World::default();
    let text = text(&world);
    feed(&world, 500);
    let mut rig = Rig::new(&text, &world, 2, 1);
    rig.control.abort.store(true, Relaxed);
    for executor in &mut rig.executors {
        executor.run(&mut Sections::default()).unwrap();
    }
    assert_eq!((world.taken(), world.events().len()), (0, 0));
}
