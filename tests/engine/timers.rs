//! Watermarks and timers.

use super::{Rig, Row, TIGHT, What, World, bolt, spout};
use sferic::store::MemoryStore;
use sferic::time::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the bolts of these names saw and fired, in order: (bolt, time, whether it fired).
fn story(world: &World, bolts: &[&str]) -> Vec<(String, i64, bool)> {
    let events = world.events().into_iter().filter(|e| bolts.contains(&e.bolt.as_str()));
    let told = events.filter_map(|e| match e.what {
        What::Step => Some((e.bolt, e.time, false)),
        What::Fire { deadline, .. } => Some((e.bolt, deadline, true)),
        What::Barrier(_) => None,
    });
    told.collect()
}

fn rows(times: &[(i64, i64)]) -> Vec<Row> {
    times.iter().enumerate().map(|(n, (ts, v))| Row::new(n as i64 % 3, n as i64, *ts).v(*v)).collect()
}

fn owned(story: &[(&str, i64, bool)]) -> Vec<(String, i64, bool)> {
    story.iter().map(|(bolt, time, fired)| ((*bolt).to_owned(), *time, *fired)).collect()
}

#[test]
fn timers_fire_by_deadline_then_component_before_the_tuple_that_moves_time() {
    let world = World::default();
    let text = spout(&world, "s", 1, "") + &bolt("a", "timer", "\"s\"", "") + &bolt("b", "timer", "\"s\"", "");
    world.feed("s", "0", rows(&[(0, 50), (10, 20), (20, 10), (30, 1), (31, 500), (100, 500)]));
    let mut rig = Rig::new(&text, &world, 1, 1);
    rig.settle();
    let mut wanted = Vec::new();
    // Timers at 50, 30, 30, 31; a deadline equal to the watermark is not passed.
    let both = |time, fired| [("a", time, fired), ("b", time, fired)];
    for time in [0, 10, 20, 30] {
        wanted.extend(both(time, false));
    }
    // All timers of one deadline fire bolt by bolt: two of `a`, then two of `b`.
    wanted.extend([("a", 30, true), ("a", 30, true), ("b", 30, true), ("b", 30, true)]);
    wanted.extend(both(31, false));
    wanted.extend(both(31, true).into_iter().chain(both(50, true)).chain(both(100, false)));
    assert_eq!(story(&world, &["a", "b"]), owned(&wanted));
}

#[test]
fn rows_of_timers_and_tuples_come_in_the_order_of_time_behind_one_channel_and_two() {
    for seed in 0..20 {
        let mut stories = Vec::new();
        for executors in [1, 2] {
            let world = World::default();
            // With two executors, rows go from `s` to the other one, and from there back to `u`.
            let text = TIGHT.to_owned()
                + &spout(&world, "s", 1, "disorder = \"5us\"")
                + &bolt("t", "timer", "{ s = { grouping = \"direct\", task = \"1\" } }", "tasks = 2")
                + &bolt("u", "log", "\"t\"", "");
            let mut random = super::Random(seed);
            let mut now = 0;
            let times: Vec<(i64, i64)> = (0..200)
                .map(|_| {
                    now += random.below(7) as i64;
                    (now - random.below(6) as i64, 6 + random.below(40) as i64)
                })
                .collect();
            world.feed("s", "0", rows(&times));
            world.close_all();
            let mut rig = Rig::new(&text, &world, executors, seed);
            rig.finish();
            assert_eq!(world.seen("u").len(), 200);
            assert!(world.seen("u").windows(2).all(|w| w[0].time <= w[1].time), "seed {seed}");
            stories.push(story(&world, &["t"]));
        }
        assert_eq!(stories[0], stories[1], "a channel changes when timers fire, seed {seed}");
    }
}

#[test]
fn disorder_is_subtracted_here_and_behind_a_channel() {
    for executors in [1, 2] {
        let world = World::default();
        let text = spout(&world, "s", 1, "disorder = \"10us\"")
            + &bolt("t", "timer", "{ s = { grouping = \"direct\", task = \"1\" } }", "tasks = 2");
        world.feed("s", "0", rows(&[(100, 5), (111, 900), (115, 900), (107, 900), (116, 900)]));
        let mut rig = Rig::new(&text, &world, executors, 3);
        rig.settle();
        let seen: Vec<(i64, bool)> = story(&world, &["t"]).into_iter().map(|(_, t, f)| (t, f)).collect();
        // The timer at 105 fires when time has reached 106, with the tuple at 116.
        let wanted = [(100, false), (111, false), (115, false), (107, false), (105, true), (116, false)];
        assert_eq!(seen, wanted, "{executors} executors");
    }
}

#[test]
fn time_is_the_least_of_several_inputs() {
    for executors in 1..=3 {
        for seed in 0..10 {
            let world = World::default();
            let text = spout(&world, "fast", 2, "tasks = 2")
                + &spout(&world, "slow", 1, "")
                + &bolt("t", "timer", "[\"fast\", \"slow\"]", "key = \"key\"\ntasks = 3")
                + &bolt("u", "log", "\"t\"", "");
            let mut rig = Rig::new(&text, &world, executors, seed);
            world.feed("fast", "0", (0..200).map(|n| Row::new(n % 17, n, n).v(10)));
            world.feed("fast", "1", (0..200).map(|n| Row::new(n % 17, 1000 + n, n).v(10)));
            rig.settle();
            assert_eq!(story(&world, &["t"]).len(), 400, "a timer fired though `slow` may still be at any time");
            world.feed("slow", "0", [Row::new(1, 5000, 51).v(1000)]);
            rig.settle();
            let fired = |world: &World| {
                let fired = story(world, &["t"]).into_iter().filter(|e| e.2).map(|e| e.1);
                fired.fold(BTreeMap::<i64, usize>::new(), |mut all, t| {
                    *all.entry(t).or_default() += 1;
                    all
                })
            };
            // Deadlines 10 to 50 of both splits; 51 is reached, not passed.
            assert!(fired(&world).into_iter().eq((10..=50).map(|t| (t, 2))), "{:?} seed {seed}", fired(&world));
            world.feed("fast", "1", [Row::new(1, 6000, 9_000)]);
            rig.settle();
            assert_eq!(fired(&world).len(), 41, "one input alone moved time");
            world.close_all();
            rig.finish();
            assert_eq!(world.seen("u").len(), 401);
        }
    }
}

#[test]
fn an_idle_split_no_longer_holds_time_back_and_does_again_when_it_speaks() {
    for executors in 1..=3 {
        for seed in 0..10 {
            let world = World::default();
            let text = spout(&world, "busy", 1, "")
                + &spout(&world, "quiet", 1, "idle = \"5s\"")
                + &bolt("t", "timer", "[\"busy\", \"quiet\"]", "key = \"key\"\ntasks = 3")
                + &bolt("u", "log", "\"t\"", "");
            let mut rig = Rig::new(&text, &world, executors, seed);
            let fired = |world: &World| story(world, &["t"]).iter().filter(|e| e.2).count();
            world.feed("quiet", "0", [Row::new(0, 900, 0)]);
            world.feed("busy", "0", (0..100).map(|n| Row::new(n % 17, n, n).v(5)));
            rig.settle();
            assert_eq!(fired(&world), 0, "{executors} executors, seed {seed}");
            rig.clock.set(4_000_000);
            rig.settle();
            assert_eq!(fired(&world), 0, "too early: three seconds of silence");
            rig.clock.set(7_000_000);
            rig.settle();
            // The watermark is 99: deadlines 5 to 98.
            assert_eq!(fired(&world), 94, "{executors} executors, seed {seed}");
            // It speaks again, a second later than what it was idle for, and time waits for it.
            world.feed("quiet", "0", [Row::new(0, 901, 1_000_120)]);
            rig.settle();
            world.feed("busy", "0", [Row::new(0, 902, 1_000_500)]);
            rig.settle();
            assert_eq!(fired(&world), 100, "{executors} executors, seed {seed}");
            world.feed("busy", "0", [Row::new(3, 903, 1_000_501).v(1), Row::new(3, 904, 1_000_600)]);
            rig.settle();
            assert_eq!(fired(&world), 100, "{executors} executors, seed {seed}");
            world.close_all();
            rig.finish();
            assert_eq!(fired(&world), 101);
        }
    }
}

#[test]
fn many_rows_of_a_timer_that_wait_for_a_channel_come_before_the_tuple_that_moved_time() {
    for seed in 0..10 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 1, "")
            + &bolt("t", "timer", "\"s\"", "rows = 2000")
            + &bolt("also", "rows", "\"s\"", "rows = 1")
            + &bolt("u", "log", "{ t = { grouping = \"direct\", task = \"1\" } }", "tasks = 2")
            + &bolt("w", "log", "{ also = { grouping = \"direct\", task = \"1\" } }", "tasks = 2");
        world.feed("s", "0", rows(&[(0, 5), (1, 6), (2, 900), (50, 900), (60, 1)]));
        world.close_all();
        let mut rig = Rig::new(&text, &world, 2, seed);
        rig.finish();
        let times: Vec<(i64, i64)> = world.seen("u").iter().map(|e| (e.seq, e.n)).collect();
        let order = [0, 1, 4, 2, 3];
        assert!(times.into_iter().eq(order.into_iter().flat_map(|s| (0..2000).map(move |n| (s, n)))), "seed {seed}");
        let story: Vec<i64> = world.seen("t").iter().map(|e| e.seq).collect();
        assert_eq!(story, [0, 1, 2, 3, 4]);
        assert!(world.seen("w").iter().map(|e| e.seq).eq(0..5));
        rig.balanced();
    }
}

#[test]
fn a_timer_that_is_set_in_the_past_fires_at_the_next_step() {
    let world = World::default();
    let text = spout(&world, "s", 1, "") + &bolt("a", "timer", "\"s\"", "");
    world.feed("s", "0", rows(&[(10, 500), (20, -15)]));
    let mut rig = Rig::new(&text, &world, 1, 1);
    rig.settle();
    assert_eq!(story(&world, &["a"]), owned(&[("a", 10, false), ("a", 20, false), ("a", 5, true)]));
}

#[test]
fn time_goes_on_with_the_clock_while_all_that_is_idle_is_silent() {
    for executors in 1..=3 {
        for seed in 0..10 {
            let world = World::default();
            let text = spout(&world, "s", 2, "idle = \"5s\"\ntasks = 2")
                + &bolt("t", "timer", "\"s\"", "key = \"key\"\ntasks = 3")
                + &bolt("u", "log", "\"t\"", "");
            let mut rig = Rig::new(&text, &world, executors, seed);
            let mut at = |micros: i64| {
                // In steps that are shorter than the silence, as an executor looks at its inputs.
                let from = rig.clock.wall_micros();
                (1..=micros - from).step_by(1_000_000).for_each(|gone| {
                    rig.clock.set(from + gone);
                    rig.settle();
                });
                rig.clock.set(micros);
                rig.settle();
                let fired = story(&world, &["t"]).into_iter().filter(|e| e.2);
                fired.map(|e| e.1).collect::<BTreeSet<i64>>().into_iter().collect::<Vec<_>>()
            };
            world.feed("s", "0", [Row::new(0, 1, 700).v(2_000_000), Row::new(1, 2, 1_000).v(50_000_000)]);
            world.feed("s", "1", [Row::new(2, 3, 500).v(2_000_000)]);
            assert!(at(1_000_000).is_empty());
            assert!(at(7_900_000).is_empty(), "two seconds are not over, five seconds after the last word");
            assert_eq!(at(8_100_000), [2_000_500, 2_000_700], "{executors} executors, seed {seed}");
            // It speaks: what it says tells the time again.
            world.feed("s", "1", [Row::new(3, 4, 2_500_000).v(1_000_000)]);
            assert_eq!(at(13_000_000).len(), 2);
            assert_eq!(at(14_500_000), [2_000_500, 2_000_700, 3_500_000], "{executors} executors, seed {seed}");
            world.close_all();
            rig.finish();
        }
    }
}

#[test]
fn records_without_a_time_of_their_own_move_it_by_not_arriving() {
    for executors in 1..=3 {
        let world = World::default();
        let text = spout(&world, "s", 1, "timed = false")
            + &bolt("t", "timer", "\"s\"", "key = \"key\"\ntasks = 2")
            + &bolt("u", "log", "\"t\"", "");
        let mut rig = Rig::new(&text, &world, executors, 1);
        let fired = |world: &World| story(world, &["t"]).into_iter().filter(|e| e.2).count();
        rig.clock.set(5_000_000);
        world.feed("s", "0", [Row::new(0, 1, 0).v(3_000_000)]);
        rig.settle();
        rig.clock.set(8_000_000);
        rig.settle();
        assert_eq!(fired(&world), 0, "it is reached, not passed");
        rig.clock.set(8_020_000);
        rig.settle();
        assert_eq!(fired(&world), 1, "{executors} executors");
        world.close_all();
        rig.finish();
    }
}

#[test]
fn what_has_closed_while_a_source_was_idle_stays_closed_over_a_restart() {
    let text = |world: &World| {
        spout(world, "busy", 1, "")
            + &spout(world, "quiet", 1, "idle = \"5s\"")
            + &bolt("w", "aggregate", "[\"busy\", \"quiet\"]", "key = \"key\"\nadd.n = \"count(*)\"")
            + "window = { tumbling = \"1s\" }\n"
            + &bolt("out", "null", "\"w\"", "")
            + &bolt("late", "log", "\"w.late\"", "")
    };
    for (before, after) in [(1, 1), (1, 2), (2, 2), (2, 1)] {
        let backend = Arc::new(MemoryStore::default());
        let world = World::default();
        let mut rig = Rig::over(&text(&world), &world, before, 1, Some(&backend));
        world.feed("quiet", "0", [Row::new(0, 1, 100_000)]);
        world.feed("busy", "0", [Row::new(0, 2, 500_000), Row::new(1, 3, 3_000_000)]);
        for at in [1, 4, 7] {
            rig.clock.set(at * 1_000_000);
            rig.settle();
        }
        rig.commit();

        rig.control.join(&rig.executors);
        let moved = rig.control.moved_sum();
        for at in 8..20 {
            rig.clock.set(at * 1_000_000);
            rig.settle();
        }
        assert_eq!(rig.control.moved_sum(), moved, "no epoch is asked for because time goes on");

        let world = World::default();
        let mut rig = Rig::over(&text(&world), &world, after, 1, Some(&backend));
        world.feed("quiet", "0", [Row::new(0, 4, 200_000)]);
        rig.settle();
        assert_eq!(world.seen("late").len(), 1, "its window has left: {before} executors, then {after}");
    }
}
