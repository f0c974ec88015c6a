use super::*;
use crate::bolts::rig::{Rig, Shelf};
use crate::tuple::{Arena, Column, Layout, Run};
use proptest::prelude::*;
use serde_json::json;

const KV: &[(&str, DataType)] = &[("k", DataType::Text), ("v", DataType::Bigint), ("d", DataType::Double)];

fn row(k: &str, v: i64) -> [Value; 3] {
    [Value::Text(k.to_owned()), Value::Bigint(v), Value::Null]
}

#[test]
fn the_newest_row_of_each_key_in_order_of_insertion() {
    let mut driver = Rig::new(&[("s", KV)]).driver(&Table, "key = 'k'\nprint = 2");
    for (k, v) in [("b", 1), ("a", 2), ("b", 30), ("c", 4)] {
        driver.feed(0, 0, &row(k, v));
    }
    let lines = driver.feed(0, 0, &[Value::Null, Value::Null, Value::Null]);
    assert_eq!(lines, ["error null_key: a column of the key is NULL"]);
    let (title, text, value) = driver.finish().unwrap().remove(0);
    assert_eq!(title, "table b");
    assert_eq!(text, "k   v  d\nb  30\na   2\n2 of 3 rows\n");
    let shown = json!([{ "k": "b", "v": 30, "d": null }, { "k": "a", "v": 2, "d": null }]);
    assert_eq!(value, json!({ "rows": 3, "shown": shown }));
}

/// The rows of a task that live in memory only, fed without a bolt around them.
struct Rows {
    rows: Stored,
    inserted: u64,
    newest: i64,
    ttl: i64,
}

impl Rows {
    fn new(ttl: i64) -> Rows {
        Rows { rows: Stored::new(ttl, None), inserted: 0, newest: i64::MIN, ttl }
    }

    fn put(&mut self, k: &str, time: i64) {
        self.newest = self.newest.max(time);
        with_frame(k, time, |key, frame, columns| {
            upsert(&mut self.rows, &mut self.inserted, self.newest, key, frame, columns);
        });
        self.rows.sweep(self.newest, SWEEP);
    }

    fn delete(&mut self, k: &str, time: i64) {
        self.newest = self.newest.max(time);
        with_frame(k, time, |key, _, _| self.rows.remove(key));
        self.rows.sweep(self.newest, SWEEP);
    }

    fn keys(&self) -> Vec<Value> {
        let schema = Schema { columns: vec![Column::new("k", DataType::Text)], key: vec![0] };
        let rows = listing::in_memory(&self.rows, self.newest, self.ttl, &schema, "t").unwrap();
        rows.into_iter().flatten().collect()
    }
}

#[test]
fn a_row_that_expired_is_gone_or_starts_again() {
    let mut rows = Rows::new(10);
    for (k, time) in [("a", 0), ("b", 5), ("a", 10), ("b", 16), ("c", 20)] {
        rows.put(k, time);
    }
    // `b` had expired at 16 and stands behind `a`, which lives at 20.
    assert_eq!(rows.keys(), ["a", "b", "c"].map(|k| Value::Text(k.to_owned())));
}

#[test]
fn memory_follows_the_living_rows() {
    let mut rows = Rows::new(100);
    let mut most = 0;
    for n in 0..100_000 {
        rows.put(&n.to_string(), n);
        most = most.max(rows.rows.len());
    }
    assert!(most < 1000, "{most}");
    assert_eq!(rows.keys().len(), 101);
}

fn with_frame(k: &str, time: i64, act: impl FnOnce(KeyRef<'_>, &Frame, &[(Slot, DataType)])) {
    let layout = Layout::new(1);
    let columns = [(layout.slot(0), DataType::Text)];
    let (mut run, arena) = (Run::new(layout), Arena::new());
    let (frame, _) = run.push();
    frame.set_time(time);
    frame.set(columns[0].0, arena.store(k).0);
    act(KeyReader::new(&columns).read(frame).unwrap(), frame, &columns);
}

proptest! {
    /// Against a list that is searched and filtered whole.
    #[test]
    fn rows_equal_a_naive_table(ops in prop::collection::vec((0u8..5, 0i64..40, any::<bool>()), 0..60), ttl in 0i64..20) {
        let mut rows = Rows::new(ttl);
        let mut naive: Vec<(String, i64)> = Vec::new();
        let mut newest = i64::MIN;
        for (k, time, delete) in ops {
            let k = k.to_string();
            newest = newest.max(time);
            naive.retain(|(_, t)| newest - t <= ttl);
            let at = naive.iter().position(|(key, _)| *key == k);
            match (delete, at) {
                (true, Some(at)) => drop(naive.remove(at)),
                (true, None) => {}
                (false, Some(at)) => naive[at].1 = naive[at].1.max(time),
                (false, None) => naive.push((k.clone(), time)),
            }
            match delete {
                true => rows.delete(&k, time),
                false => rows.put(&k, time),
            }
        }
        naive.retain(|(_, t)| newest - t <= ttl);
        prop_assert_eq!(rows.keys(), naive.into_iter().map(|(k, _)| Value::Text(k)).collect::<Vec<_>>());
    }

    /// Whenever epochs end, whatever leaves memory, however often the process starts anew: the same table.
    #[test]
    fn a_durable_table_is_the_table_of_one_run(
        ops in prop::collection::vec((0u8..12, 0i64..40, -2i64..9, 0u8..12), 0..120),
        ttl in prop_oneof![Just("30us"), Just("never")],
        memory_bytes in prop_oneof![Just(0usize), Just(1 << 30)],
    ) {
        let toml = format!("key = 'k'\nprint = 5\ndelete = 'v < 0'\nttl = '{ttl}'");
        let backend = Arc::default();
        let mut memory = Rig::new(&[("s", KV)]).driver(&Table, &toml);
        let mut shelf = Shelf::open(&backend, memory_bytes);
        let mut durable = Rig::new(&[("s", KV)]).on(&shelf).driver(&Table, &toml);
        let (mut now, mut newest) = (0, i64::MIN);
        for (k, ahead, v, then) in ops {
            now += ahead / 4;
            let time = now + ahead;
            newest = newest.max(time);
            for driver in [&mut memory, &mut durable] {
                driver.feed(0, time, &row(&k.to_string(), v));
            }
            if then < 3 {
                shelf.commit(&mut durable, newest);
            }
            if then == 0 {
                drop(durable);
                shelf = Shelf::open(&backend, memory_bytes);
                durable = Rig::new(&[("s", KV)]).on(&shelf).driver(&Table, &toml);
            }
        }
        shelf.commit(&mut durable, newest);
        let of_memory = memory.finish().unwrap();
        // Readers see the same rows, and find each by its key.
        let catalogue = shelf.catalogue();
        let reader = TableReader::open(&catalogue, "b").unwrap();
        let mut rows = 0;
        reader.scan(&mut |row| {
            let Value::Text(key) = &row[0] else { panic!("a key is never NULL") };
            assert_eq!(reader.get(std::slice::from_ref(key)), Ok(Some(row.clone())));
            rows += 1;
            true
        }).unwrap();
        prop_assert_eq!(&of_memory[0].2["rows"], rows);
        prop_assert_eq!(durable.finish().unwrap(), of_memory);
    }
}

#[test]
fn rows_that_were_not_in_memory_are_exported_in_their_order() {
    let path = std::env::temp_dir().join(format!("sferic-{}-durable.csv", std::process::id()));
    let toml = format!("key = 'k'\nprint = 1\nexport = '{}'", path.display());
    let backend = Arc::default();
    for run in 0..3 {
        let shelf = Shelf::open(&backend, 0);
        let mut driver = Rig::new(&[("s", KV)]).on(&shelf).driver(&Table, &toml);
        // Each run replaces the first row of the first and adds three of its own.
        driver.feed(0, 0, &row("r0", run));
        for n in 0..3 {
            driver.feed(0, 0, &row(&format!("r{run}{n}"), n));
        }
        shelf.commit(&mut driver, 0);
        let (_, text, value) = driver.finish().unwrap().remove(0);
        assert!(text.contains(&format!("1 of {} rows\n", 3 * run + 4)), "{text}");
        assert_eq!(value["shown"], json!([{ "k": "r0", "v": run, "d": null }]));
    }
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let keys: Vec<&str> = written.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(keys, ["r0", "r00", "r01", "r02", "r10", "r11", "r12", "r20", "r21", "r22"]);
}

#[test]
fn a_table_whose_columns_changed_is_refused_until_it_is_reset() {
    let backend = Arc::default();
    let shelf = Shelf::open(&backend, 0);
    Rig::new(&[("s", KV)]).on(&shelf).driver(&Table, "key = 'k'");
    let shelf = Shelf::open(&backend, 0);
    let other = || Rig::new(&[("s", &[("k", DataType::Text), ("v", DataType::Double)])]).on(&shelf);
    let Err(error) = other().try_driver(&Table, "key = 'k'") else { panic!("the columns are others") };
    assert_eq!(
        error.message,
        "the rows of table `b` have other columns: column `v` was a bigint and is a double now; column `d` is gone; \
         go back to the old definition, or start once with `--reset-state b`, which drops the rows"
    );
    assert!(crate::store::reset(&*backend, "b").unwrap());
    let shelf = Shelf::open(&backend, 0);
    let other = || Rig::new(&[("s", &[("k", DataType::Text), ("v", DataType::Double)])]).on(&shelf);
    other().driver(&Table, "key = 'k'");
    // How long rows live may change.
    other().driver(&Table, "key = 'k'\nttl = '1h'");
}

#[test]
fn delete_removes_and_export_writes_all_rows() {
    let path = std::env::temp_dir().join(format!("sferic-{}-table.csv", std::process::id()));
    let toml = format!("key = 'k'\nprint = 0\ndelete = 'v < 0'\nexport = '{}'", path.display());
    let mut driver = Rig::new(&[("s", KV)]).driver(&Table, &toml);
    for (k, v) in [("a", 1), ("b", 2), ("a", -1), ("c", 3)] {
        driver.feed(0, 0, &row(k, v));
    }
    let (_, text, value) = driver.finish().unwrap().remove(0);
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(written, "k,v,d\nb,2,\nc,3,\n");
    assert!(text.starts_with("0 of 2 rows\nwritten to "), "{text}");
    assert_eq!(value["rows"], 2);
}

#[test]
fn wrong_options_are_problems() {
    let rig = Rig::new(&[("s", KV)]);
    assert_eq!(rig.problems(&Table, "key = 'k'\nttl = 'never'"), Vec::<String>::new());
    let problems = rig.problems(&Table, "key = 'k'\nttl = 'soon'\nprint = -1\ndelete = 'v'\nexport = 7");
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("must be a condition")), "{problems:?}");
}

#[test]
fn an_export_is_tried_at_the_start_and_leaves_nothing_behind() {
    let rig = Rig::new(&[("s", KV)]);
    let path = std::env::temp_dir().join(format!("sferic-{}-tried.csv", std::process::id()));
    let toml = |path: &std::path::Path| format!("key = 'k'\nexport = '{}'", path.display());
    rig.driver(&Table, &toml(&path));
    assert!(!path.exists());
    std::fs::write(&path, "of the last run").unwrap();
    rig.driver(&Table, &toml(&path));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "of the last run");
    let Err(error) = rig.try_driver(&Table, &toml(&path.join("below"))) else { panic!("a file is no folder") };
    assert!(error.message.contains("does not exist"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(rig.try_driver(&Table, &toml(&std::env::temp_dir())).is_err(), "a folder is no file");
}
