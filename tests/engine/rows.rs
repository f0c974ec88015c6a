//! Bolts that answer one tuple with many rows.

use super::{Rig, Row, TIGHT, World, bolt, spout};

#[test]
fn ten_thousand_rows_of_one_tuple_pass_a_channel_for_one() {
    for seed in 0..5 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 1, "")
            + &bolt("m", "rows", "\"s\"", "rows = 10_000")
            + &bolt("far", "log", "{ m = { grouping = \"direct\", task = \"1\" } }", "tasks = 2");
        world.feed("s", "0", (0..3).map(|n| Row::new(n, n, n * 100_000)));
        world.close_all();
        let mut rig = Rig::new(&text, &world, 2, seed);
        let from = rig.plan.placement.entries[0][0];
        while rig.step(from) == sferic::executor::Progress::Some {}
        assert_eq!(world.seen("m").len(), 1, "it is suspended in the first tuple");
        rig.finish();
        let wanted = (0..3).flat_map(|s| (0..10_000).map(move |n| (s, n, s * 100_000 + n)));
        assert!(world.seen("far").iter().map(|e| (e.seq, e.n, e.time)).eq(wanted), "seed {seed}");
        assert_eq!(rig.balanced().components[0].rows, 30_000);
    }
}

#[test]
fn siblings_of_a_bolt_with_many_rows_see_the_header_of_the_original() {
    for executors in [1, 2] {
        let world = World::default();
        // The branches before and after `m` read the same stream; `inner` makes rows of rows.
        let text = spout(&world, "s", 1, "")
            + &bolt("before", "log", "\"s\"", "")
            + &bolt("m", "rows", "\"s\"", "rows = 3")
            + &bolt("inner", "rows", "\"m\"", "rows = 2")
            + &bolt("beside", "log", "\"m\"", "")
            + &bolt("deep", "log", "\"inner\"", "")
            + &bolt("after", "log", "\"s\"", "")
            + &bolt("far", "log", "{ s = { grouping = \"direct\", task = \"1\" } }", "tasks = 2");
        world.feed("s", "0", (0..100).map(|n| Row::new(n, n, n * 10)));
        world.close_all();
        let mut rig = Rig::new(&text, &world, executors, 1);
        rig.finish();
        for bolt in ["before", "after", "far"] {
            let seen = world.seen(bolt);
            assert!(seen.iter().map(|e| (e.seq, e.time, e.path)).eq((0..100).map(|n| (n, n * 10, 0))), "{bolt}");
            assert!(seen.iter().all(|e| e.origin.1 == e.seq as u64));
        }
        let of_m = (0..100).flat_map(|s| (0..3).map(move |n| (s, n, s * 10 + n, n as u64 + 1)));
        assert!(world.seen("beside").iter().map(|e| (e.seq, e.n, e.time, e.path)).eq(of_m));
        let of_inner = (0..100).flat_map(|s| (0..6).map(move |n| (s, n / 2, n % 2)));
        let of_inner = of_inner.map(|(s, m, n)| (s, n, s * 10 + m + n, (m as u64 + 1) * 31 + n as u64 + 1));
        assert!(world.seen("deep").iter().map(|e| (e.seq, e.n, e.time, e.path)).eq(of_inner));
    }
}

#[test]
fn a_bolt_with_rows_waiting_is_not_given_the_same_tuple_by_another_branch() {
    for executors in [1, 2] {
        for seed in 0..5 {
            let world = World::default();
            let text = TIGHT.to_owned()
                + &spout(&world, "s", 1, "")
                + &bolt("p", "pass", "\"s\"", "")
                + &bolt("m", "rows", "[\"s\", \"p\"]", "rows = 3\nkey = \"key\"")
                + &bolt("u", "log", "\"m\"", "");
            world.feed("s", "0", (0..100).map(|n| Row::new(n, n, n)));
            world.close_all();
            let mut rig = Rig::new(&text, &world, executors, seed);
            rig.finish();
            assert_eq!(world.seen("m").len(), 200);
            let mut seen: Vec<(i64, i64)> = world.seen("u").iter().map(|e| (e.seq, e.n)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq((0..100).flat_map(|s| (0..6).map(move |n| (s, n / 2)))));
        }
    }
}
