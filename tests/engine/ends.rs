//! How far time is for a bolt, and what the end of a source cuts off, is a matter of the sources that its rows can come
//! from, whatever others are read beside them.

use super::{Rig, Row, TIGHT, World, bolt, open, spout};
use sferic::store::MemoryStore;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A short source beside a long one: rules and windows of its own, and a window of both.
fn text(world: &World) -> String {
    let held = "keep = [\"seq\"]\nttl = \"1s\"\nkey = \"key\"\nrules.long = { when = \"v > 0\", for = \"20us\" }";
    let tens = "key = \"key\"\nwindow = { tumbling = \"10us\" }\nadd.n = \"count(*)\"\nadd.seq = \"max(seq)\"";
    TIGHT.to_owned()
        + &spout(world, "long", 2, "")
        + &spout(world, "short", 2, "")
        + &bolt("held", "rules", "\"short\"", held)
        + &bolt("told", "log", "\"held\"", "")
        + &bolt("tens", "aggregate", "\"short\"", tens)
        + &bolt("counted", "log", "\"tens\"", "")
        + &bolt("brief", "select", "\"tens\"", "keep = [\"key\", \"seq\"]")
        + &bolt("plain", "select", "\"long\"", "keep = [\"key\", \"seq\"]")
        + &bolt("all", "aggregate", "[\"brief\", \"plain\"]", tens)
        + &bolt("summed", "log", "\"all\"", "")
        + &bolt("late", "log", "\"all.late\"", "")
}

fn rows(times: std::ops::Range<i64>) -> Vec<Row> {
    times.map(|at| Row::new(at % 2, at, at).v(i64::from(at > 3))).collect()
}

#[test]
fn a_source_that_goes_on_does_not_move_time_where_another_has_ended() {
    let mut found = Vec::new();
    for (executors, seed) in (1..=4).flat_map(|executors| (0..10).map(move |seed| (executors, seed))) {
        let world = World::default();
        let mut rig = Rig::new(&text(&world), &world, executors, seed);
        for split in ["0", "1"] {
            world.feed("short", split, rows(0..22));
            world.close("short", split);
        }
        world.feed("long", "0", rows(0..40));
        rig.settle();
        let ended = world.seen("counted").len();
        world.feed("long", "0", rows(40..200));
        world.feed("long", "1", rows(0..200));
        world.close_all();
        rig.finish();
        rig.balanced();
        assert_eq!(ended, 6, "its windows leave when it has ended, {executors} executors");
        let of = |bolt: &str| {
            let mut seen: Vec<_> = world.seen(bolt).into_iter().map(|e| (e.time, e.key, e.seq, e.path)).collect();
            seen.sort_unstable();
            seen
        };
        found.push([of("told"), of("counted"), of("summed"), of("late")]);
    }
    assert_eq!(found[0].each_ref().map(Vec::len), [0, 6, 40, 0], "nobody knows what would have come at 24");
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "threads change what the end cuts off");
}

#[test]
fn a_source_holds_back_only_what_its_rows_can_reach() {
    for executors in 1..=3 {
        let world = World::default();
        let tens = "key = \"key\"\nwindow = { tumbling = \"10us\" }\nadd.n = \"count(*)\"";
        let text = TIGHT.to_owned()
            + &spout(&world, "busy", 1, "")
            + &spout(&world, "silent", 1, "")
            + &bolt("own", "aggregate", "\"busy\"", tens)
            + &bolt("closed", "log", "\"own\"", "")
            + &bolt("both", "aggregate", "[\"busy\", \"silent\"]", tens)
            + &bolt("waiting", "log", "\"both\"", "");
        let mut rig = Rig::new(&text, &world, executors, 1);
        world.feed("busy", "0", rows(0..100));
        rig.settle();
        let counts = (world.seen("closed").len(), world.seen("waiting").len());
        assert_eq!(counts, (18, 0), "{executors} executors");
        world.feed("silent", "0", rows(50..51));
        rig.settle();
        assert_eq!(world.seen("waiting").len(), 10, "{executors} executors");
        world.close_all();
        rig.finish();
        rig.balanced();
        assert_eq!((world.seen("closed").len(), world.seen("waiting").len()), (20, 20), "{executors} executors");
    }
}

#[test]
fn what_a_source_needs_that_was_told_to_stop_before_its_first_record_is_not_forgotten() {
    for executors in [1, 2] {
        let backend = Arc::new(MemoryStore::default());
        let world = World::default();
        let finite = "finite = true\ntasks = 2";
        let text = spout(&world, "early", 1, finite)
            + &spout(&world, "late", 1, finite)
            + &bolt("seen", "log", "[\"early\", \"late\"]", "");
        let mut rig = Rig::over(&text, &world, executors, 1, Some(&backend));
        world.feed("early", "0", rows(0..100));
        rig.settle();
        rig.control.drain.store(true, Ordering::Relaxed);
        rig.finish();
        rig.commit();
        assert_eq!(open(&backend).0.opened().frontier, i64::MIN, "{executors} executors");
    }
}

#[test]
fn a_source_that_had_ended_and_has_grown_is_as_early_as_it_was() {
    for executors in [1, 2] {
        let backend = Arc::new(MemoryStore::default());
        let world = World::default();
        let mut rig = Rig::over(&text(&world), &world, executors, 1, Some(&backend));
        for split in ["0", "1"] {
            world.feed("short", split, rows(0..22));
            world.feed("long", split, rows(0..200));
        }
        world.close_all();
        rig.finish();
        rig.commit();
        let facts = open(&backend).0.opened().clone();
        assert!(facts.watermark_of("held", 0, 1) <= 22, "{executors} executors: {facts:?}");
        assert!(facts.watermark_of("all", 0, 1) > 190, "{executors} executors: {facts:?}");
    }
}

#[test]
fn what_a_source_had_promised_is_known_again_before_it_says_anything() {
    // Either may be read where the bolt is, and the other one reach it over a channel.
    for (threads, quick, slow) in [(1, "a", "b"), (2, "a", "b"), (2, "b", "a"), (3, "a", "b"), (3, "b", "a")] {
        let backend = Arc::new(MemoryStore::default());
        let text = |world: &World| {
            TIGHT.to_owned()
                + &spout(world, "a", 1, "")
                + &spout(world, "b", 1, "")
                + &bolt("both", "timer", "[\"a\", \"b\"]", "key = \"key\"")
                + &bolt("fired", "log", "\"both\"", "")
        };
        let world = World::default();
        let mut rig = Rig::over(&text(&world), &world, threads, 1, Some(&backend));
        world.feed(quick, "0", rows(0..100));
        world.feed(slow, "0", rows(0..10));
        rig.settle();
        rig.commit();

        // Only the slow one speaks: how far the other one was decides with it what is due.
        let world = World::default();
        let mut rig = Rig::over(&text(&world), &world, threads, 1, Some(&backend));
        world.feed(slow, "0", [Row::new(0, 1, 20).v(25), Row::new(0, 2, 60).v(200)]);
        rig.settle();
        assert_eq!(world.seen("fired").len(), 1, "{threads} executors, {slow} speaks");
    }
}
