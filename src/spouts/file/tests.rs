use super::*;
use crate::decoder::fixture::{All, run, slots, table};
use crate::expr::Environment;
use crate::problem::{Problem, Problems, Span};
use crate::tuple::Value;
use std::io::Write;
use std::path::PathBuf;

/// A folder of its own that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sferic-file-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(folder: &Folder, text: &str) -> (Option<Box<dyn SpoutPlan>>, Vec<Problem>) {
    let (table, problems) = (table(text), Problems::new());
    let environment = Environment::default();
    let options =
        crate::component::Options { component: "spouts.s", span: Span::default(), table: &table, problems: &problems };
    let plan = FileFactory.check(&SpoutCheck {
        name: "s",
        options,
        environment: &environment,
        folder: &folder.0,
        data_dir: None,
    });
    (plan, problems.into_sorted())
}

fn open(plan: &dyn SpoutPlan, split: &str, position: u64) -> Result<Box<dyn Spout>, ComponentError> {
    let (_, slots) = slots(plan.columns());
    plan.open(&SpoutBuild { name: "s", split, split_id: 0, position, identity: "", columns: &slots, space: None })
}

fn read(plan: &dyn SpoutPlan, split: &str, position: u64) -> All {
    run(&mut *open(plan, split, position).unwrap(), plan.columns(), 2)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn numbers(range: std::ops::Range<i64>) -> Vec<u8> {
    let mut bytes = b"n\n".to_vec();
    range.for_each(|n| bytes.extend(format!("{n}\n").bytes()));
    bytes
}

const NUMBERS: &str = "format = \"csv\"\nfields.n = \"bigint not null\"\n";

fn values(all: &All) -> Vec<i64> {
    all.rows.iter().map(|r| if let Value::Bigint(n) = r[0] { n } else { panic!("{r:?}") }).collect()
}

#[test]
fn plain_and_packed_files_are_read_and_resumed_alike() {
    let folder = Folder::new("packed");
    let bytes = numbers(0..100_000);
    folder.write("a.csv", &bytes);
    // Two members of gzip, as made by appending one packed file to another.
    let half = bytes.len() / 2;
    folder.write("b.csv", &[gzip(&bytes[..half]), gzip(&bytes[half..])].concat());
    folder.write("c.csv", &zstd::encode_all(&bytes[..], 1).unwrap());
    let (plan, problems) = check(&folder, &format!("path = [\"*.csv\", \"b.csv\"]\n{NUMBERS}"));
    assert_eq!(problems, []);
    let plan = plan.unwrap();
    let splits = plan.splits().unwrap();
    assert_eq!(splits.len(), 3);
    for split in &splits {
        let all = read(&*plan, split, 0);
        assert_eq!(values(&all), (0..100_000).collect::<Vec<_>>(), "{split}");
        let (position, before) = all.stops[all.stops.len() / 2];
        assert_eq!(values(&read(&*plan, split, position)), (before as i64..100_000).collect::<Vec<_>>(), "{split}");
        let end = all.stops.last().unwrap().0;
        assert_eq!(end, bytes.len() as u64);
        assert!(read(&*plan, split, end).rows.is_empty());
        assert!(open(&*plan, split, end + 1).is_err(), "{split}");
    }
}

#[test]
fn a_packed_file_that_is_cut_short_is_an_error_after_its_rows() {
    let folder = Folder::new("cut");
    let bytes = numbers(0..200_000);
    for (name, packed) in [("a", gzip(&bytes)), ("b", zstd::encode_all(&bytes[..], 1).unwrap())] {
        let path = folder.write(name, &packed[..packed.len() / 2]);
        let (plan, _) = check(&folder, &format!("path = \"{name}\"\n{NUMBERS}"));
        let all = read(&*plan.unwrap(), path.to_str().unwrap(), 0);
        let read = values(&all);
        assert!(read.len() > 1000 && read == (0..read.len() as i64).collect::<Vec<_>>());
        let message = all.failure.unwrap();
        assert!(message.contains(path.to_str().unwrap()) && message.contains("is cut short after "), "{message}");
    }
}

#[test]
fn files_that_are_not_there_are_said_so() {
    let folder = Folder::new("missing");
    std::fs::create_dir(folder.0.join("sub")).unwrap();
    for (path, expected) in [("no.csv", "there is no file"), ("no*.csv", "no file matches"), ("sub", "is a folder")] {
        let (plan, problems) = check(&folder, &format!("path = \"{path}\"\n{NUMBERS}"));
        assert!(problems[0].message.contains(expected), "{problems:?}");
        assert!(plan.unwrap().splits().unwrap_err().message.contains(expected));
    }
    let (plan, problems) = check(&folder, &format!("path = \"a[\"\n{NUMBERS}"));
    assert!(plan.is_none() && problems[0].message.contains("is no pattern"), "{problems:?}");
}

#[test]
fn the_header_of_a_file_is_checked_before_the_start() {
    let folder = Folder::new("header");
    folder.write("a.csv", b"amount,id\n1,x\n");
    let options = "path = \"a.csv\"\nformat = \"csv\"\nfields.amuont = \"double not null\"\nfields.note = \"text\"";
    let (_, problems) = check(&folder, options);
    assert!(problems[0].hints[0].starts_with("did you mean \"amount\"?"), "{problems:?}");
    assert_eq!(problems[1].severity, crate::problem::Severity::Warning);
}

#[test]
fn a_limit_counts_rows_also_after_a_restart() {
    let folder = Folder::new("limit");
    folder.write("a.csv", &numbers(0..1000));
    let (plan, _) = check(&folder, &format!("path = \"a.csv\"\nlimit = 100\n{NUMBERS}"));
    let plan = plan.unwrap();
    let split = &plan.splits().unwrap()[0];
    let all = read(&*plan, split, 0);
    assert_eq!(values(&all), (0..100).collect::<Vec<_>>());
    let (position, before) = all.stops[0];
    assert_eq!(values(&read(&*plan, split, position)), (before as i64..100).collect::<Vec<_>>());
}

#[test]
fn a_followed_file_goes_on_where_it_ended_and_from_its_start_when_it_shrank() {
    let folder = Folder::new("follow");
    let path = folder.write("a.csv", b"n\n1\n2");
    let (plan, _) = check(&folder, &format!("path = \"a.csv\"\nfollow = true\n{NUMBERS}"));
    let plan = plan.unwrap();
    assert!(!plan.finite());
    let mut spout = open(&*plan, path.to_str().unwrap(), 0).unwrap();
    assert_eq!(values(&run(&mut *spout, plan.columns(), 2)), [1], "the second line is not whole");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"3\n4\n").unwrap();
    assert_eq!(values(&run(&mut *spout, plan.columns(), 2)), [23, 4]);
    std::fs::write(&path, b"n\n5\n").unwrap();
    let all = run(&mut *spout, plan.columns(), 2);
    assert_eq!((values(&all), all.failure), (vec![5], None));
    let told: Vec<_> = all.rejects.iter().map(|r| (r.stream, r.reason, r.position)).collect();
    assert_eq!(told, [("errors", "truncated", 9)]);
    assert!(all.rejects[0].text.contains("shrank to 4 bytes after 9 had been read"), "{:?}", all.rejects);
    folder.write("a.csv", &gzip(b"n\n1\n"));
    assert!(open(&*plan, path.to_str().unwrap(), 0).is_err_and(|e| e.message.contains("is packed")));
}

#[test]
fn a_followed_file_that_is_rotated_is_finished_and_the_new_one_read_from_its_start() {
    let folder = Folder::new("rotate");
    let path = folder.write("a.csv", b"n\n1\n");
    let (plan, _) = check(&folder, &format!("path = \"a.csv\"\nfollow = true\n{NUMBERS}"));
    let plan = plan.unwrap();
    let mut spout = open(&*plan, path.to_str().unwrap(), 0).unwrap();
    let mut next = || run(&mut *spout, plan.columns(), 2);
    assert_eq!(values(&next()), [1]);
    let append = |path: &std::path::Path, bytes: &[u8]| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    };
    for generation in 0..3 {
        let old = folder.0.join(format!("a.csv.{generation}"));
        std::fs::rename(&path, &old).unwrap();
        append(&old, b"2\n");
        assert_eq!(values(&next()), [2], "no new file yet");
        append(&path, b"");
        append(&old, b"3\n");
        assert_eq!(values(&next()), [3], "the writer is still with the old one");
        // The last line of the old one has no end.
        append(&old, b"4");
        append(&path, b"n\n5\n");
        let all = next();
        assert_eq!((values(&all), all.rejects.len()), (vec![4, 5], 0));
        assert!(all.positions[0] < all.positions[1], "{:?}", all.positions);
        append(&path, b"6\n");
        assert_eq!(values(&next()), [6]);
    }
}

#[test]
fn a_file_that_was_replaced_since_it_was_read_is_refused() {
    let folder = Folder::new("replaced");
    let path = folder.write("numbers.csv", &numbers(0..100));
    let split = path.to_str().unwrap();
    let (plan, _) = check(&folder, "path = \"numbers.csv\"\nformat = \"csv\"\nfields.n = \"bigint\"");
    let plan = plan.unwrap();
    let (_, slots) = slots(plan.columns());
    let open = |position, identity: &str| {
        plan.open(&SpoutBuild { name: "s", split, split_id: 0, position, identity, columns: &slots, space: None })
    };
    let identity = open(0, "").unwrap().identity();
    // It has grown.
    std::fs::write(&path, numbers(0..5000)).unwrap();
    assert_ne!(open(20, &identity).unwrap().identity(), identity);
    for (replaced, why) in [(numbers(7..200), "begins differently"), (numbers(0..3), "is shorter")] {
        std::fs::write(&path, replaced).unwrap();
        let message = open(4, &identity).err().unwrap().to_string();
        assert!(message.contains(why) && message.contains("--reset-state s"), "{message}");
    }
}
