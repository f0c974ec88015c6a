//! Files that are not there, are no files, or are broken as a whole.

use super::{Account, account, folder, rows, run};
use crate::program::Ran;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;

const ROWS: u64 = 20_000;

/// Rows that do not pack well, so that half of the packed bytes hold many of them.
fn many() -> String {
    let mut text = "id,ts,x,t\n".to_owned();
    let mut noise = 1u64;
    for n in 0..ROWS {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = writeln!(text, "{n},2024-01-01 00:00:00,{}.5,k{}", noise >> 30, noise >> 61);
    }
    text
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("memory");
    packer.finish().expect("memory")
}

fn failed(ran: &Ran, message: &str) {
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let errors: Vec<&str> = ran.err.lines().filter(|l| l.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains(message), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn a_missing_file() {
    let folder = folder("");
    failed(&run(&folder, &["--set", "path=missing.csv"]), "there is no file missing.csv");
}

#[test]
fn a_folder_in_the_place_of_a_file() {
    let folder = folder("");
    std::fs::create_dir(folder.path().join("d")).expect("a folder");
    failed(&run(&folder, &["--set", "path=d"]), "d is a folder; name files, or use a pattern such as \"d/*.csv\"");
}

#[test]
fn a_pattern_that_matches_nothing() {
    failed(&run(&folder(""), &["--set", "path=*.nope"]), "no file matches *.nope");
}

#[test]
fn packed_files_are_read_whole() {
    let folder = folder("");
    folder.file("in.csv.gz", gzip(&many())).file("in.csv.zst", zstd::encode_all(many().as_bytes(), 3).expect("memory"));
    for path in ["path=in.csv.gz", "path=in.csv.zst"] {
        assert_eq!(account(&run(&folder, &["--set", path]).good()), Account::new(ROWS, &[]), "{path}");
    }
    // Two members one after the other are one content.
    let header = many().find('\n').expect("a header") + 1;
    folder.file("in.csv.gz", [gzip(&many()), gzip(&many()[header..])].concat());
    assert_eq!(account(&run(&folder, &["--set", "path=in.csv.gz"]).good()), Account::new(2 * ROWS, &[]));
}

#[test]
fn a_packed_file_that_is_cut_short() {
    for (name, packed) in
        [("cut.csv.gz", gzip(&many())), ("cut.csv.zst", zstd::encode_all(many().as_bytes(), 3).expect("memory"))]
    {
        let folder = folder("");
        folder.file(name, &packed[..packed.len() / 2]);
        let ran = run(&folder, &["--set", &format!("path={name}")]);
        failed(&ran, &format!("{name}: the packed file is cut short after "));
        // What came before is processed, and all of it.
        let account = account(&ran.report());
        assert!(account.tuples > 0 && account.tuples < ROWS, "{account:?}");
        assert_eq!(rows(&folder, "out.ndjson").len() as u64, account.tuples);
        assert!(ran.report()["ended"].as_str().is_some_and(|e| e.starts_with("failed: ")));
    }
}

#[test]
fn a_packed_file_with_wrong_bytes() {
    let good = gzip(&many());
    let mut sum = good.clone();
    let at = sum.len() - 6;
    sum[at] ^= 0xff;
    let mut middle = good.clone();
    let at = middle.len() / 2;
    middle[at] ^= 0xff;
    for (bytes, all) in [(sum, true), (middle, false)] {
        let folder = folder("");
        folder.file("bad.csv.gz", bytes);
        let ran = run(&folder, &["--set", "path=bad.csv.gz"]);
        failed(&ran, "bad.csv.gz: ");
        let account = account(&ran.report());
        assert!(!all || account == Account::new(ROWS, &[]), "{account:?}");
    }
    let mut zstd = zstd::encode_all(many().as_bytes(), 3).expect("memory");
    let at = zstd.len() / 2;
    zstd[at..at + 8].fill(0xff);
    let folder = folder("");
    folder.file("bad.csv.zst", zstd);
    failed(&run(&folder, &["--set", "path=bad.csv.zst"]), "bad.csv.zst: ");
}

#[test]
fn an_empty_file_and_one_with_a_header_alone() {
    for input in ["", "\u{feff}", "id,ts,x,t", "id,ts,x,t\n", "id,ts,x,t\r\n"] {
        assert_eq!(account(&run(&folder(input), &[]).good()), Account::default(), "{input:?}");
    }
}

#[test]
fn an_empty_line_is_no_header() {
    failed(&run(&folder("\n1,2024-01-01,2,a\n"), &[]), "the header has no column \"id\"");
}

#[test]
fn a_header_without_a_column_is_found_before_the_start() {
    let ran = run(&folder("id,x,t\n1,2,a\n"), &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("the header of `spouts.s` has no column \"ts\""), "{}", ran.err);
}

#[test]
fn a_file_of_another_header_among_others_is_named() {
    let folder = folder("");
    folder.file("a1.csv", "id,ts,x,t\n1,2024-01-01,2,a\n").file("a2.csv", "id,x,t\n1,2,a\n");
    failed(&run(&folder, &["--set", "path=a*.csv"]), "a2.csv: ");
}

#[test]
fn every_file_of_a_pattern_is_read_once() {
    let folder = folder("");
    for n in 0..5 {
        folder.file(&format!("a{n}.csv"), format!("id,ts,x,t\n{n},2024-01-01,2,a\n{n},2024-01-01,2,b"));
    }
    for threads in ["1", "2", "3"] {
        let report = run(&folder, &["--set", "path=[\"a*.csv\", \"a0.csv\"]", "--threads", threads]).good();
        assert_eq!(account(&report), Account::new(10, &[]), "{threads} threads");
        assert_eq!(rows(&folder, "out.ndjson").len(), 10);
    }
}

#[test]
fn a_broken_reference_table_is_named_with_its_line() {
    let folder = folder("id,ts,x,t\n1,2024-01-01,2,a\n");
    let table = "[tables.names]\npath = \"names.csv\"\nformat = \"csv\"\nkey = \"k\"\nfields.k = \"bigint not null\"\n";
    folder.file("t.toml", super::TOPOLOGY.to_owned() + table).file("names.csv", "k\n1\nx\n");
    failed(&run(&folder, &[]), "names.csv, line 3: column `k`: `x` is not a bigint");
}
