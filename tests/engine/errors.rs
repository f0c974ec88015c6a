//! What fails leaves on `.errors`, or is counted; the books balance.

use super::{Rig, Row, World, bolt, spout};

fn topology(world: &World, readers: bool) -> String {
    let mut text = spout(world, "s", 2, "tasks = 2")
        + &bolt("half", "pass", "\"s\"", "where = \"100 / cast(word as bigint) > 20\"")
        + &bolt("sink", "log", "\"half\"", "");
    if readers {
        text += &bolt("failed", "log", "\"half.errors\"", "");
        text += &bolt("broken", "log", "\"s.errors\"", "");
    }
    for n in 0..100 {
        let mut row = Row::new(n, n, n);
        row.word = match n % 20 {
            0 | 10 => "junk".to_owned(),
            1 => "broken".to_owned(),
            n => (n % 10).to_string(),
        };
        world.feed("s", &(n % 2).to_string(), [row]);
    }
    world.close_all();
    text
}

#[test]
fn a_failing_expression_leaves_on_errors_with_reason_and_origin() {
    for executors in 1..=3 {
        let world = World::default();
        let text = topology(&world, true);
        let mut rig = Rig::new(&text, &world, executors, executors as u64);
        rig.finish();
        // "junk" is no number: rows 0, 10, ... of split 0, at every fifth position.
        let mut failed: Vec<_> = world.seen("failed").iter().map(|e| (e.origin, e.word.clone())).collect();
        failed.sort();
        assert_eq!(failed.len(), 10);
        for (n, (origin, text)) in failed.iter().enumerate() {
            assert_eq!(*origin, (0, n as u64 * 5));
            assert!(text.starts_with("bad_cast: ") && text.contains("junk"), "{text}");
        }
        let mut broken: Vec<_> = world.seen("broken").iter().map(|e| (e.origin, e.word.clone())).collect();
        broken.sort();
        let wanted = (0..5).map(|n| ((1, n * 10), format!("bad_value: row {} is broken", n * 20 + 1)));
        assert!(broken.into_iter().eq(wanted));
        // 100 / n > 20 for n = 1, 2, 3, 4; of n = 1 every second row is broken.
        assert_eq!(world.seen("sink").len(), 35);
        check_report(&rig);
    }
}

fn check_report(rig: &Rig) {
    let report = rig.balanced();
    let half = &report.components[0];
    assert_eq!((half.tuples_in, half.filtered, half.tuples_out()), (95, 50, 35));
    assert_eq!(half.errors, [("bad_cast".to_owned(), 10)]);
    let spout = &report.spouts[0];
    assert_eq!((spout.records, spout.tuples), (100, 95));
    assert_eq!(spout.errors, [("bad_value".to_owned(), 5)]);
}

#[test]
fn errors_that_nobody_reads_are_counted() {
    for executors in 1..=3 {
        let world = World::default();
        let text = topology(&world, false);
        let mut rig = Rig::new(&text, &world, executors, executors as u64);
        rig.finish();
        assert_eq!(world.seen("sink").len(), 35);
        check_report(&rig);
    }
}

#[test]
fn columns_of_errors_name_component_split_and_position() {
    for executors in [1, 2] {
        let world = World::default();
        let text = topology(&world, false)
            + &bolt("where_from", "filter", "\"half.errors\"", "where = \"component = 'half' and split = 0\"")
            + &bolt("as_rows", "select", "\"where_from\"", "add.key = \"position\"\nadd.seq = \"split\"")
            + &bolt("u", "log", "\"as_rows\"", "tasks = 2");
        let mut rig = Rig::new(&text, &world, executors, 1);
        rig.finish();
        let mut seen: Vec<(i64, i64)> = world.seen("u").iter().map(|e| (e.key, e.seq)).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..10).map(|n| (n * 5, 0))));
        rig.balanced();
    }
}

#[test]
fn rejects_before_any_tuple_have_a_time_and_take_no_memory() {
    let world = World::default();
    let text = spout(&world, "s", 1, "") + &bolt("broken", "log", "\"s.errors\"", "");
    let bad = |n: i64| Row { word: "broken".to_owned(), ..Row::new(n, n, n) };
    world.feed("s", "0", (0..20_000).map(bad));
    let mut rig = Rig::new(&text, &world, 1, 1);
    rig.settle();
    let seen = world.seen("broken");
    assert_eq!(seen.len(), 20_000);
    let arrived = seen[0].time;
    assert!(arrived > i64::MIN && seen.iter().all(|e| e.time == arrived), "{arrived}");
    let bytes: usize = rig.executors[0].pipelines.iter().map(|p| p.arena_bytes()).sum();
    assert!(bytes < 200_000, "{bytes}");
    // From the first tuple on they are where their split is.
    world.feed("s", "0", [Row::new(0, 0, 77)]);
    rig.settle();
    world.feed("s", "0", [bad(1)]);
    world.close_all();
    rig.finish();
    assert_eq!(world.seen("broken").last().map(|e| e.time), Some(77));
}
