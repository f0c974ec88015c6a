use super::*;
use crate::bolts::rig::Rig;
use crate::store::KeyRef;
use crate::tuple::{Arena, Layout, Run};
use proptest::prelude::*;

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

#[test]
fn a_row_that_expired_is_gone_or_starts_again() {
    let ttl = 10;
    let mut rows = Rows::new(ttl);
    let put = |rows: &mut Rows, k: &str, time: i64| {
        with_frame(k, time, |key, frame, columns| rows.upsert(key, frame, columns))
    };
    put(&mut rows, "a", 0);
    put(&mut rows, "b", 5);
    put(&mut rows, "a", 10);
    put(&mut rows, "b", 16);
    put(&mut rows, "c", 20);
    let keys: Vec<Value> = rows.into_values(&[DataType::Text]).into_iter().flatten().collect();
    // `b` had expired at 16 and stands behind `a`, which lives at 20.
    assert_eq!(keys, ["a", "b", "c"].map(|k| Value::Text(k.to_owned())));
}

#[test]
fn memory_follows_the_living_rows() {
    let mut rows = Rows::new(100);
    for n in 0..100_000 {
        with_frame(&n.to_string(), n, |key, frame, columns| rows.upsert(key, frame, columns));
    }
    assert!(rows.places() < 1000, "{}", rows.places());
    assert_eq!(rows.into_values(&[DataType::Text]).len(), 101);
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
            with_frame(&k, time, |key, frame, columns| match delete {
                true => rows.delete(key, time),
                false => rows.upsert(key, frame, columns),
            });
        }
        naive.retain(|(_, t)| newest - t <= ttl);
        let keys: Vec<Value> = rows.into_values(&[DataType::Text]).into_iter().flatten().collect();
        prop_assert_eq!(keys, naive.into_iter().map(|(k, _)| Value::Text(k)).collect::<Vec<_>>());
    }
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
