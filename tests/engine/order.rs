//! Order per key holds along fields and fused edges.

use super::{Rig, Row, TIGHT, World, bolt, spout};
use std::collections::BTreeMap;

/// Asserts that a bolt saw all of `count` numbers, and those of each key ascending.
fn ascending(world: &World, bolt: &str, count: usize, seed: u64) {
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    let seen = world.seen(bolt);
    for event in &seen {
        if let Some(before) = last.insert(event.key, event.seq) {
            assert!(before < event.seq, "{bolt}: {} after {before} of key {}, seed {seed}", event.seq, event.key);
        }
    }
    assert_eq!(seen.len(), count, "{bolt}, seed {seed}");
}

#[test]
fn numbers_of_a_key_ascend_through_fields_and_fused_edges() {
    for seed in 0..40 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 4, "tasks = 2")
            + &bolt("fused", "pass", "\"s\"", "")
            + &bolt("first", "state", "\"fused\"", "key = \"key\"")
            + &bolt("second", "state", "\"first\"", "key = \"key\"\ntasks = 2")
            + &bolt("again", "pass", "\"second\"", "")
            + &bolt("sink", "log", "\"again\"", "");
        // A key's rows stand in one split.
        for n in 0..400 {
            world.feed("s", &(n % 12 % 4).to_string(), [Row::new(n % 12, n, n)]);
        }
        world.close_all();
        let mut rig = Rig::new(&text, &world, 1 + seed as usize % 3, seed);
        rig.finish();
        ["fused", "first", "second", "again", "sink"].iter().for_each(|b| ascending(&world, b, 400, seed));
    }
}

#[test]
fn rows_of_all_keys_keep_the_order_of_their_split_on_one_channel() {
    for seed in 0..20 {
        let world = World::default();
        let text = TIGHT.to_owned()
            + &spout(&world, "s", 1, "")
            + &spout(&world, "other", 1, "")
            + &bolt("far", "log", "\"s\"", "tasks = 2");
        world.feed("s", "0", (0..300).map(|n| Row::new(1, n, n)));
        world.close_all();
        let mut rig = Rig::new(&(text.replace("\"s\"\n", "{ s = \"global\" }\n")), &world, 2, seed);
        rig.finish();
        ascending(&world, "far", 300, seed);
        let words: Vec<usize> = world.seen("far").iter().map(|e| e.word.len()).collect();
        assert!(words.iter().enumerate().all(|(n, len)| *len == [0, 5, 40, 150][n % 4]), "texts arrive whole");
    }
}
