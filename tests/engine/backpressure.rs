//! A receiver that stands still stops the sender after a bounded number of tuples; nothing is lost.

use super::{Rig, Row, World, bolt, spout};
use sferic::executor::Progress;
use sferic::tuple::RUN_TUPLES;

const ROWS: i64 = 20_000;

/// A spout on one executor whose rows all go to a task on another; the executor of the spout.
fn rig(world: &World, capacity: usize, middle: &str) -> (Rig, usize) {
    let source = if middle.is_empty() { "s" } else { "m" };
    let text = format!("[runtime]\nring_capacity = {capacity}\n")
        + &spout(world, "s", 1, "")
        + middle
        + &bolt("b", "log", &format!("{{ {source} = {{ grouping = \"direct\", task = \"1\" }} }}"), "tasks = 2");
    world.feed("s", "0", (0..ROWS).map(|n| Row::new(n, n, n).v(100)));
    world.close_all();
    let rig = Rig::new(&text, world, 2, 5);
    let from = rig.plan.placement.entries[0][0];
    assert_ne!(rig.plan.placement.bolts.last().unwrap()[1], from);
    (rig, from)
}

fn step_until_stopped(rig: &mut Rig, executor: usize) {
    for _ in 0..ROWS {
        if rig.step(executor) != Progress::Some {
            return;
        }
    }
    panic!("the sender never stops");
}

#[test]
fn a_sender_stops_after_the_ring_and_one_run_and_goes_on_later() {
    for capacity in [1, 100, 1024] {
        let world = World::default();
        let (mut rig, from) = rig(&world, capacity, "");
        step_until_stopped(&mut rig, from);
        let taken = world.taken();
        // The ring counts words: rows without texts are smaller than what it has room for.
        assert!(taken <= 4 * capacity + 2 * RUN_TUPLES, "{taken} rows were taken for a ring of {capacity}");
        step_until_stopped(&mut rig, from);
        assert_eq!(world.taken(), taken, "a stopped sender takes nothing");
        // One step of the receiver lets the sender go on.
        rig.step(1 - from);
        rig.step(1 - from);
        step_until_stopped(&mut rig, from);
        let more = world.taken();
        assert!(capacity == 1 || more > taken, "{more} after {taken}");
        assert!(more <= taken + 4 * capacity + 3 * RUN_TUPLES);
        rig.finish();
        assert!(world.seen("b").iter().map(|e| e.seq).eq(0..ROWS), "all rows arrive once, in order");
        let report = rig.balanced();
        assert_eq!(report.channels.iter().map(|c| c.tuples).sum::<u64>(), ROWS as u64);
        assert!(report.channels.iter().any(|c| c.full > 0), "a full ring is counted");
    }
}

#[test]
fn many_rows_of_each_tuple_wait_in_their_bolt_and_not_in_the_channel() {
    let world = World::default();
    let (mut rig, from) = rig(&world, 1, &bolt("m", "rows", "\"s\"", ""));
    step_until_stopped(&mut rig, from);
    assert!(world.taken() <= RUN_TUPLES);
    // 4,096 words may wait, and a row takes more than ten.
    assert!(world.seen("m").len() < 10, "{} tuples were taken up", world.seen("m").len());
    rig.finish();
    assert!(world.seen("b").iter().map(|e| (e.seq, e.n)).eq((0..ROWS).flat_map(|s| (0..100).map(move |n| (s, n)))));
}

#[test]
fn timers_that_fire_together_are_stopped_by_a_full_channel() {
    let world = World::default();
    let text = spout(&world, "s", 1, "")
        + &bolt("t", "timer", "\"s\"", "")
        + &bolt("b", "log", "{ t = { grouping = \"direct\", task = \"1\" } }", "tasks = 2");
    let text = format!("{}{text}", super::TIGHT);
    world.feed("s", "0", (0..ROWS).map(|n| Row::new(n, n, 0).v(1 + n)));
    world.feed("s", "0", [Row::new(0, ROWS, 1_000_000)]);
    let mut rig = Rig::new(&text, &world, 2, 5);
    let from = rig.plan.placement.entries[0][0];
    step_until_stopped(&mut rig, from);
    let fired = world.events().iter().filter(|e| e.what != super::What::Step).count();
    assert!((1..2_000).contains(&fired), "{fired} timers fired into a channel that nobody reads");
    world.close_all();
    rig.finish();
    assert!(world.seen("b").iter().map(|e| e.seq).eq(0..ROWS));
    assert_eq!(world.seen("t").len() as i64, ROWS + 1);
}

#[test]
fn an_input_that_always_has_rows_does_not_keep_items_of_another_waiting() {
    let world = World::default();
    let text = "[runtime]\nring_capacity = 100\n".to_owned()
        + &spout(&world, "busy", 1, "")
        + &spout(&world, "other", 1, "")
        + &bolt("t", "timer", "[\"busy\", \"other\"]", "key = \"key\"\ntasks = 2");
    let mut rig = Rig::new(&text, &world, 2, 1);
    let (here, there) = (rig.plan.placement.entries[0][0], rig.plan.placement.entries[1][0]);
    assert_ne!(here, there);
    world.feed("other", "0", (0..500).map(|n| Row::new(n, ROWS + n, n)));
    world.feed("busy", "0", (0..ROWS).map(|n| Row::new(n, n, 0)));
    // `busy` is never without rows while all of `other` has to come through.
    for _ in 0..200 {
        rig.steps(here, 1);
        rig.steps(there, 4);
    }
    let seen = world.seen("t");
    assert!(seen.iter().filter(|e| e.seq < ROWS).count() < ROWS as usize, "`busy` is not busy enough");
    assert_eq!(seen.iter().filter(|e| e.seq >= ROWS).count(), 500);
}
