//! Rows that leave behind time are not late behind the bolt that held them.

use super::{Random, Rig, Row, TIGHT, World, bolt, spout};

/// A greedy loop, whose matches wait until no more rows follow, and windows that close behind it.
fn windows_behind_matches(world: &World) -> String {
    let runs = "key = \"key\"\npattern = \"up+\"\nwithin = \"30us\"\ndefine.up = \"v > 0\"\n\
        keep = [\"up.key\"]\nadd.n = \"count(up.*)\"";
    let tens = "window = { tumbling = \"10us\" }\nadd.n = \"sum(n)\"\nadd.key = \"count(*)\"";
    TIGHT.to_owned()
        + &spout(world, "s", 1, "disorder = \"3us\"")
        + &bolt("runs", "pattern", "\"s\"", runs)
        + &bolt("seen", "log", "\"runs\"", "")
        + &bolt("tens", "aggregate", "\"runs\"", tens)
        + &bolt("closed", "log", "\"tens\"", "")
        + &bolt("late", "log", "\"tens.late\"", "")
}

#[test]
fn a_closing_window_waits_for_matches_that_leave_late() {
    let mut times = Vec::new();
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut now = 0;
        let rows: Vec<Row> = (0..300)
            .map(|n| {
                now += random.below(6) as i64;
                Row::new(random.below(4) as i64, n, now - random.below(3) as i64).v(random.below(4) as i64)
            })
            .collect();
        let mut found = Vec::new();
        for executors in 1..=3 {
            let world = World::default();
            let mut rig = Rig::new(&windows_behind_matches(&world), &world, executors, seed);
            world.feed("s", "0", rows.clone());
            rig.settle();
            // What has been said of time is kept, whatever is still to come.
            let before = world.seen("closed").len();
            world.close_all();
            rig.finish();
            assert!(before > 0, "windows close while rows come, seed {seed}");
            assert_eq!(world.seen("late").len(), 0, "seed {seed}, {executors} executors");
            let mut closed = world.seen("closed");
            assert!(closed.windows(2).all(|pair| pair[0].time < pair[1].time), "seed {seed}");
            let (rows, counted) = closed.iter().fold((0, 0), |(rows, of), e| (rows + e.n, of + e.key));
            let seen = world.seen("seen");
            assert_eq!((rows, counted), (seen.iter().map(|e| e.n).sum(), seen.len() as i64), "seed {seed}");
            times.extend(seen.windows(2).map(|pair| pair[1].time - pair[0].time));
            closed.iter_mut().for_each(|event| event.task = 0);
            found.push(closed.into_iter().map(|e| (e.time, e.n, e.key)).collect::<Vec<_>>());
        }
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "threads change what windows hold, seed {seed}");
    }
    assert!(times.iter().any(|step| *step < -10), "no match ever left behind one of a later window");
}
