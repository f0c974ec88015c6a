//! Finite splits of a pipeline: in step by event time, else one after the other.

use super::{Random, Rig, Row, What, World, bolt, spout};
use sferic::executor::Source;
use std::sync::atomic::Ordering::Relaxed;

#[test]
fn finite_splits_are_read_in_step_by_event_time_with_ties_by_name() {
    for seed in 0..20 {
        let world = World::default();
        let text = spout(&world, "a", 3, "finite = true")
            + &spout(&world, "b", 2, "finite = true")
            + &bolt("u", "log", "[\"b\", \"a\"]", "");
        let mut random = Random(seed);
        let mut wanted = Vec::new();
        for (rank, (spout, split)) in [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)].into_iter().enumerate() {
            let mut time = random.below(50) as i64;
            for n in 0..random.below(300) as i64 {
                time += random.below(3) as i64;
                let seq = rank as i64 * 1000 + n;
                world.feed(spout, &split.to_string(), [Row::new(n, seq, time)]);
                wanted.push((time, rank, seq));
            }
        }
        world.close_all();
        wanted.sort_unstable();
        let mut rig = Rig::new(&text, &world, 1, seed);
        rig.finish();
        let seen: Vec<i64> = world.seen("u").iter().map(|e| e.seq).collect();
        assert!(seen.iter().copied().eq(wanted.iter().map(|w| w.2)), "seed {seed}");
    }
}

#[test]
fn no_split_runs_ahead_of_one_that_is_silent_for_a_while() {
    let world = World::default();
    let text = spout(&world, "a", 2, "finite = true") + &bolt("u", "log", "\"a\"", "");
    world.feed("a", "0", (0..10).map(|n| Row::new(n, n, n)));
    let mut rig = Rig::new(&text, &world, 1, 1);
    assert!(!rig.settle());
    assert_eq!(world.seen("u").len(), 0, "split 1 may still have an earlier row");
    world.feed("a", "1", [Row::new(0, 100, 4), Row::new(0, 101, 20)]);
    rig.settle();
    let seen: Vec<i64> = world.seen("u").iter().map(|e| e.seq).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4, 100, 5, 6, 7, 8, 9]);
    world.close_all();
    rig.finish();
    assert_eq!(world.seen("u").last().map(|e| e.seq), Some(101));
}

#[test]
fn finite_splits_without_event_time_are_read_one_after_the_other() {
    let world = World::default();
    let text = spout(&world, "a", 3, "finite = true\ntimed = false") + &bolt("u", "log", "\"a\"", "");
    for split in 0..3 {
        world.feed("a", &split.to_string(), (0..200).map(|n| Row::new(n, split * 200 + n, 1000 - n)));
    }
    world.close("a", "1");
    world.close("a", "2");
    let mut rig = Rig::new(&text, &world, 1, 1);
    rig.settle();
    assert!(world.seen("u").iter().map(|e| e.seq).eq(0..200), "the first has not ended");
    world.close_all();
    rig.finish();
    assert!(world.seen("u").iter().map(|e| e.seq).eq(0..600));
}

/// The position that a split of the first pipeline would go on from.
fn position(rig: &Rig, split: usize) -> u64 {
    let input = &rig.executors[0].pipelines[0].inputs[split];
    match &input.source {
        Source::Split(split) => split.facts(input).position,
        Source::Channel(_) => unreachable!("it is a split"),
    }
}

#[test]
fn a_drain_of_splits_in_step_follows_no_row_before_which_another_may_still_come() {
    let world = World::default();
    let text = spout(&world, "a", 2, "finite = true") + &bolt("u", "log", "\"a\"", "");
    world.feed("a", "0", (0..10).map(|n| Row::new(n, n, n)));
    world.feed("a", "1", [Row::new(0, 100, 4)]);
    let mut rig = Rig::new(&text, &world, 1, 1);
    assert!(!rig.settle());
    rig.control.drain.store(true, Relaxed);
    rig.finish();
    let seen: Vec<i64> = world.seen("u").iter().map(|e| e.seq).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4, 100], "row 5 may come behind one of split 1");
    assert_eq!([position(&rig, 0), position(&rig, 1)], [5, 1], "what was given back is read again");
    rig.balanced();
}

#[test]
fn a_broken_record_of_splits_in_step_follows_the_row_before_it() {
    let world = World::default();
    let text =
        spout(&world, "a", 2, "finite = true") + &bolt("u", "log", "\"a\"", "") + &bolt("e", "log", "\"a.errors\"", "");
    let broken = Row { word: "broken".to_owned(), ..Row::new(0, 1, 0) };
    world.feed("a", "0", [Row::new(0, 0, 0), broken, Row::new(0, 2, 5)]);
    world.feed("a", "1", [Row::new(0, 100, 1), Row::new(0, 101, 6)]);
    world.close_all();
    let mut rig = Rig::new(&text, &world, 1, 1);
    rig.finish();
    let seen: Vec<(String, i64)> =
        world.events().into_iter().filter(|e| e.what == What::Step).map(|e| (e.bolt, e.time)).collect();
    let seen: Vec<(&str, i64)> = seen.iter().map(|(bolt, time)| (&**bolt, *time)).collect();
    assert_eq!(seen, [("u", 0), ("e", 0), ("u", 1), ("u", 5), ("u", 6)]);
}
