use super::*;
use crate::bolts::rig::{Rig, chain};
use crate::tuple::Value;
use std::io::Read;

fn rig() -> Rig {
    Rig::new(&[("s", &[("id", DataType::Text), ("n", DataType::Double)])])
}

/// A path of its own in the folder for temporary files, removed when it goes.
struct Path(std::path::PathBuf);

impl Path {
    fn new(name: &str) -> Path {
        Path(std::env::temp_dir().join(format!("sferic-{}-{name}", std::process::id())))
    }

    fn toml(&self, more: &str) -> String {
        format!("path = '{}'\n{more}", self.0.display())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write(toml: &str, rows: &[(&str, f64)]) -> Vec<(String, String, serde_json::Value)> {
    let mut driver = rig().driver(&File, toml);
    for (id, n) in rows {
        assert_eq!(driver.feed(0, 0, &[Value::Text((*id).to_owned()), Value::Double(*n)]), Vec::<String>::new());
    }
    driver.finish().unwrap()
}

#[test]
fn the_extension_chooses_the_format_and_the_array_is_closed() {
    for (name, text) in [
        ("a.csv", "id,n\n\"x,y\",1\nz,0.5\n"),
        ("a.ndjson", "{\"id\":\"x,y\",\"n\":1}\n{\"id\":\"z\",\"n\":0.5}\n"),
        ("a.json", "[\n{\"id\":\"x,y\",\"n\":1},\n{\"id\":\"z\",\"n\":0.5}\n]\n"),
        ("a.txt", "id=x,y n=1\nid=z n=0.5\n"),
    ] {
        let path = Path::new(name);
        let sections = write(&path.toml(""), &[("x,y", 1.0), ("z", 0.5)]);
        assert_eq!(path.text(), text);
        assert_eq!(sections[0].2["rows"], 2);
        assert_eq!(sections[0].2["bytes"], text.len());
    }
}

#[test]
fn an_empty_array_is_one() {
    let path = Path::new("empty.json");
    write(&path.toml(""), &[]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&path.text()).unwrap(), json!([]));
}

#[test]
fn appending_writes_the_header_once() {
    let path = Path::new("append.csv");
    for _ in 0..2 {
        write(&path.toml("append = true"), &[("a", 1.0)]);
    }
    assert_eq!(path.text(), "id,n\na,1\na,1\n");
    write(&path.toml("header = false"), &[("b", 2.0)]);
    assert_eq!(path.text(), "b,2\n");
}

#[test]
fn compressed_files_read_back() {
    let rows: Vec<(&str, f64)> = (0..20_000).map(|i| ("a text that repeats", f64::from(i))).collect();
    let plain = Path::new("all.csv");
    write(&plain.toml(""), &rows);
    for name in ["all.csv.gz", "all.csv.zst"] {
        let path = Path::new(name);
        write(&path.toml(""), &rows);
        let (file, mut text) = (std::fs::File::open(&path.0).unwrap(), String::new());
        match name.ends_with("gz") {
            true => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
            false => zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
        };
        assert!(text == plain.text(), "{name}");
    }
}

#[test]
fn idle_moments_write_what_waits() {
    let path = Path::new("idle.csv");
    let mut driver = rig().driver(&File, &path.toml(""));
    driver.feed(0, 0, &[Value::Null, Value::Double(1.0)]);
    // At most one write in a while: one of many idle moments writes.
    while path.text().is_empty() {
        driver.idle().unwrap();
    }
    assert_eq!(path.text(), "id,n\n,1\n");
}

#[test]
fn a_full_disk_is_an_error_that_names_file_and_place() {
    let mut driver = rig().driver(&File, "path = '/dev/full'\nformat = 'csv'");
    let long = "x".repeat(100_000);
    let lines = driver.feed(0, 0, &[Value::Text(long), Value::Null]);
    assert!(
        lines[0].starts_with("error write_failed: cannot write `/dev/full` any further after 0 bytes"),
        "{lines:?}"
    );
    for _ in 0..2 {
        let error = driver.idle().unwrap_err();
        assert!(chain(&error).contains("make room"), "{error}");
        assert_eq!(error.source.unwrap().kind(), std::io::ErrorKind::StorageFull);
    }
    assert!(driver.finish().is_err());
}

#[test]
fn a_missing_folder_is_named() {
    let Err(error) = rig().try_driver(&File, "path = '/nowhere/at/all.csv'") else { panic!("created") };
    assert!(error.message.contains("the folder `/nowhere/at` does not exist"), "{error}");
}

#[test]
fn wrong_options_are_problems() {
    let problems = rig().problems(&File, "path = 'a.json'\nappend = true\nheader = true");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("JSON array") && p.contains("ndjson")), "{problems:?}");
    assert!(rig().problems(&File, "path = 'a'\nformat = 'cvs'")[0].contains("did you mean \"csv\"?"));
    assert!(rig().problems(&File, "")[0].contains("missing key `path`"));
}
