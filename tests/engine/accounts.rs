//! What an executor says of its own steps: a step that did something lasts until the next begins, others do not count.

use super::{Progress, Rig, Row, World, bolt, spout};

#[test]
fn the_longest_step_is_one_that_did_something_and_waiting_is_none() {
    let world = World::default();
    let text = "name = \"t\"\n".to_owned() + &spout(&world, "s", 1, "") + &bolt("sink", "log", "\"s\"", "");
    world.feed("s", "0", (0..10).map(|n| Row::new(n, n, n).v(1)));
    let mut rig = Rig::new(&text, &world, 1, 1);
    assert_eq!(rig.step(0), Progress::Some);
    rig.clock.set(1_000_300);
    assert_ne!(rig.step(0), Progress::Some, "all rows fit into one run");
    rig.clock.set(9_000_000);
    assert_ne!(rig.step(0), Progress::Some);
    let meter = &rig.executors[0].meter;
    assert_eq!((meter.steps, meter.longest_step_ns, meter.busy_ns, meter.stalls), (1, 300_000, 300_000, 0));
    world.feed("s", "0", [Row::new(11, 11, 11).v(1)]);
    assert_eq!(rig.step(0), Progress::Some);
    rig.clock.set(9_002_000);
    rig.step(0);
    let meter = &rig.executors[0].meter;
    assert_eq!((meter.steps, meter.longest_step_ns, meter.stalls), (2, 2_000_000, 1));
}
