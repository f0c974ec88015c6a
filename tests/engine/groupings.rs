//! Each of the eight groupings puts tuples where it says.

use super::{Rig, Row, World, bolt, spout};
use std::collections::BTreeMap;

const ROWS: i64 = 300;

/// Runs 300 rows of 20 keys into a bolt with three tasks; the tasks that saw each row, by `seq`, and the rig.
fn tasks(from: &str, kind: &str, keys: &str, executors: usize) -> (BTreeMap<i64, Vec<usize>>, Rig) {
    let world = World::default();
    let text = spout(&world, "s", 1, "") + &bolt("b", kind, from, keys);
    world.feed("s", "0", (0..ROWS).map(|n| Row::new(n * 7 % 20, n, n).v(n % 4)));
    world.close_all();
    let mut rig = Rig::new(&text, &world, executors, 1);
    rig.finish();
    let mut found: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for event in world.seen("b") {
        found.entry(event.seq).or_default().push(event.task);
    }
    found.values_mut().for_each(|tasks| tasks.sort_unstable());
    (found, rig)
}

/// Rows of each of the three tasks; every row was seen once.
fn counts(found: &BTreeMap<i64, Vec<usize>>) -> [i64; 3] {
    assert_eq!(found.len() as i64, ROWS);
    let mut counts = [0; 3];
    for tasks in found.values() {
        assert_eq!(tasks.len(), 1, "each row goes to one task");
        counts[tasks[0]] += 1;
    }
    counts
}

#[test]
fn shuffle_takes_tasks_in_turn() {
    for executors in [1, 3] {
        let (found, _) = tasks("{ s = \"shuffle\" }", "log", "tasks = 3", executors);
        assert_eq!(counts(&found), [100, 100, 100]);
        assert!(found.iter().all(|(seq, tasks)| tasks[0] as i64 == seq % 3));
    }
}

#[test]
fn fields_sends_a_key_to_one_task_and_uses_all_tasks() {
    for (executors, from) in [(1, "\"s\""), (3, "\"s\""), (1, "{ s = \"fields\" }"), (3, "{ s = \"fields\" }")] {
        let (found, _) = tasks(from, "state", "key = \"key\"\ntasks = 3", executors);
        assert!(counts(&found).iter().all(|n| *n > 0));
        let mut of_key: BTreeMap<i64, usize> = BTreeMap::new();
        for (seq, tasks) in &found {
            assert_eq!(*of_key.entry(seq * 7 % 20).or_insert(tasks[0]), tasks[0], "key {}", seq * 7 % 20);
        }
    }
}

#[test]
fn fields_chooses_the_same_task_whatever_the_executors() {
    let one = tasks("\"s\"", "state", "key = \"key\"\ntasks = 3", 1).0;
    let three = tasks("\"s\"", "state", "key = \"key\"\ntasks = 3", 3).0;
    assert_eq!(one, three);
}

#[test]
fn partial_key_gives_a_key_to_two_tasks_at_most_and_evens_them_out() {
    for executors in [1, 3] {
        let (found, _) = tasks("{ s = \"partial_key\" }", "pass", "key = \"key\"\ntasks = 3", executors);
        counts(&found);
        let mut of_key: BTreeMap<i64, BTreeMap<usize, i64>> = BTreeMap::new();
        for (seq, tasks) in &found {
            *of_key.entry(seq * 7 % 20).or_default().entry(tasks[0]).or_default() += 1;
        }
        assert!(of_key.values().all(|tasks| tasks.len() <= 2));
        assert!(of_key.values().any(|tasks| tasks.len() == 2), "no key is divided: {of_key:?}");
    }
}

#[test]
fn all_reaches_every_task() {
    for executors in [1, 3] {
        let (found, _) = tasks("{ s = \"all\" }", "log", "tasks = 3", executors);
        assert_eq!(found.len() as i64, ROWS);
        assert!(found.values().all(|tasks| *tasks == [0, 1, 2]));
    }
}

#[test]
fn global_reaches_the_first_task_only() {
    for executors in [1, 3] {
        let (found, _) = tasks("{ s = \"global\" }", "log", "tasks = 3", executors);
        assert_eq!(counts(&found), [ROWS, 0, 0]);
    }
}

#[test]
fn none_and_local_or_shuffle_stay_on_the_executor_where_they_can() {
    for grouping in ["none", "local_or_shuffle"] {
        let from = format!("{{ s = \"{grouping}\" }}");
        let (found, rig) = tasks(&from, "log", "tasks = 3", 3);
        let here = rig.plan.placement.entries[0][0];
        assert!(found.values().all(|tasks| rig.plan.placement.bolts[0][tasks[0]] == here));
        assert!(rig.plan.channels.is_empty());
        // Where all tasks are at hand, they are taken in turn.
        assert_eq!(counts(&tasks(&from, "log", "tasks = 3", 1).0), [100, 100, 100]);
    }
}

#[test]
fn local_or_shuffle_takes_tasks_in_turn_where_none_is_at_hand() {
    let world = World::default();
    let text = spout(&world, "s", 1, "")
        + &spout(&world, "t", 1, "")
        + &bolt("b", "log", "\"t\"", "tasks = 1")
        + &bolt("c", "log", "{ s = \"local_or_shuffle\" }", "tasks = 2");
    world.feed("s", "0", (0..100).map(|n| Row::new(n, n, n)));
    world.close_all();
    // Two spouts and `b` take the first places, the two tasks of `c` the next: none is where `s` is.
    let mut rig = Rig::new(&text, &world, 5, 1);
    let here = rig.plan.placement.entries[0][0];
    assert!(rig.plan.placement.bolts[1].iter().all(|e| *e != here), "{:?}", rig.plan.placement);
    rig.finish();
    let first = world.seen("c").iter().filter(|e| e.task == 0).count();
    assert_eq!((first, world.seen("c").len()), (50, 100));
}

#[test]
fn direct_sends_to_the_task_that_the_expression_names_and_counts_the_rest() {
    for executors in [1, 3] {
        // v is 0, 1, 2 or 3: three tasks, and one that is not there.
        let from = "{ s = { grouping = \"direct\", task = \"v\" } }";
        let (found, rig) = tasks(from, "log", "tasks = 3", executors);
        assert_eq!(found.len() as i64, ROWS / 4 * 3);
        assert!(found.iter().all(|(seq, tasks)| *tasks == [(seq % 4) as usize]));
        let report = rig.balanced();
        assert_eq!(report.components[0].errors, [("no_such_task".to_owned(), 75)]);
    }
}

#[test]
fn direct_counts_null_negative_and_failing_expressions() {
    for executors in [1, 3] {
        let from = "{ s = { grouping = \"direct\", task = \"case v when 0 then null when 1 then -1 \
                    when 2 then 1 / (v - 2) else 1 end\" } }";
        let (found, rig) = tasks(from, "log", "tasks = 3", executors);
        assert_eq!(found.len() as i64, ROWS / 4);
        assert!(found.iter().all(|(seq, tasks)| seq % 4 == 3 && *tasks == [1]));
        let mut errors = rig.balanced().components[0].errors.clone();
        errors.sort();
        let wanted = ["division_by_zero", "no_such_task", "null_task"].map(|r| (r.to_owned(), 75));
        assert_eq!(errors, wanted);
    }
}
