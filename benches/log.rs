//! The embedded log on the disk of the machine: how fast a writer appends in groups, how fast a reader goes through what
//! is there, and how long a record takes from `append` to a reader at the tail. Files are in the temporary folder of the
//! system, or in `SFERIC_BENCH_DIR`; nothing is synced unless a part says so, the page cache is part of what is measured.
//! `SFERIC_BENCH=tiny` makes everything small and judges no figure; each part checks its own result.

use sferic::log::{Log, Owner, Start, SyncPolicy, Topic, TopicOptions, Writer, WriterOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VALUE: [u8; 100] = [b'x'; 100];
const ROUNDS: usize = 5;

/// A folder that goes when the bench does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let above = std::env::var_os("SFERIC_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = Folder(above.join(format!("sferic-bench-log-{}", std::process::id())));
        let _ = std::fs::remove_dir_all(&folder.0);
        folder
    }

    fn topic(&self, name: &str) -> Topic {
        Log::in_dir(&self.0).create(name, &TopicOptions::default()).expect("a topic can be made")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn writer(topic: &Topic, sync: SyncPolicy) -> Writer {
    topic.writer(0, WriterOptions { owner: Owner::Journal, sync }).expect("a writer can be opened")
}

/// Appends `records` in groups; records a second.
fn append(topic: &Topic, records: u64, group: u64, sync: SyncPolicy) -> f64 {
    let mut writer = writer(topic, sync);
    let before = writer.next_offset();
    let start = Instant::now();
    for n in 0..records {
        writer.append(None, &VALUE, n as i64).expect("appended");
        if (n + 1) % group == 0 {
            writer.flush().expect("flushed");
        }
    }
    writer.flush().expect("flushed");
    let rate = records as f64 / start.elapsed().as_secs_f64();
    assert_eq!(writer.visible_end() - before, records);
    rate
}

/// Reads everything; records a second.
fn read(topic: &Topic) -> f64 {
    let mut reader = topic.reader(0, Start::Earliest).expect("a reader can be opened");
    let start = Instant::now();
    let (mut records, mut bytes) = (0u64, 0u64);
    while let Some(record) = reader.next_record().expect("a good record") {
        assert_eq!(record.offset, records);
        records += 1;
        bytes += record.value.len() as u64;
    }
    let rate = records as f64 / start.elapsed().as_secs_f64();
    assert_eq!((records, bytes), (reader.end().expect("an end"), records * VALUE.len() as u64));
    rate
}

/// From `append` and `flush` to a reader on another thread that follows the tail: nanoseconds, ascending.
fn follow(topic: &Topic, records: u64, distance: Duration) -> Vec<u64> {
    let mut writer = writer(topic, SyncPolicy::Never);
    let mut reader = topic.reader(0, Start::Latest).expect("a reader can be opened");
    let (start, ready, seen) = (Instant::now(), AtomicBool::new(false), AtomicU64::new(0));
    let mut ages = std::thread::scope(|scope| {
        let following = scope.spawn(|| {
            let mut ages = Vec::with_capacity(records as usize);
            ready.store(true, Ordering::Release);
            while (ages.len() as u64) < records {
                if let Some(record) = reader.next_record().expect("a good record") {
                    let sent = u64::from_le_bytes(record.value[..8].try_into().expect("eight bytes"));
                    ages.push(start.elapsed().as_nanos() as u64 - sent);
                    seen.store(ages.len() as u64, Ordering::Release);
                }
            }
            ages
        });
        while !ready.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let mut value = VALUE;
        let mut due = start.elapsed();
        for n in 0..records {
            due = (due + distance).max(start.elapsed());
            // One at a time, so that an age is a way and not a queue.
            while start.elapsed() < due || seen.load(Ordering::Acquire) < n {
                std::hint::spin_loop();
            }
            value[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_le_bytes());
            writer.append(None, &value, n as i64).expect("appended");
            writer.flush().expect("flushed");
        }
        following.join().expect("the reader ends")
    });
    assert_eq!(ages.len() as u64, records);
    ages.sort_unstable();
    ages
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn row(what: &str, figure: f64, unit: &str, goal: &str, met: bool, tiny: bool) {
    let judged = if tiny || goal.is_empty() {
        ""
    } else if met {
        "  met"
    } else {
        "  MISSED"
    };
    println!("{what:<48} {figure:>10.2} {unit:<12} {goal}{judged}");
}

fn main() {
    let tiny = std::env::var("SFERIC_BENCH").is_ok_and(|v| v == "tiny");
    let records: u64 = if tiny { 20_000 } else { 3_000_000 };
    let folder = Folder::new();
    println!("records of {} bytes, medians of {ROUNDS} rounds, not pinned; {}", VALUE.len(), folder.0.display());
    let (mut appends, mut reads, mut small) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Appending and reading alternate: both see the same machine.
        let topic = folder.topic(&format!("round-{round}"));
        appends.push(append(&topic, records, 64, SyncPolicy::Never) / 1e6);
        reads.push(read(&topic) / 1e6);
        small.push(append(&folder.topic(&format!("alone-{round}")), records / 10, 1, SyncPolicy::Never) / 1e6);
    }
    let (append_rate, read_rate) = (median(appends), median(reads));
    row("append, groups of 64", append_rate, "M records/s", "at least 1", append_rate >= 1.0, tiny);
    row("read from the start", read_rate, "M records/s", "at least 3", read_rate >= 3.0, tiny);
    row("append, each flushed", median(small), "M records/s", "", true, tiny);
    let synced = append(&folder.topic("synced"), if tiny { 50 } else { 2_000 }, 1, SyncPolicy::Always);
    row("append, each synced", synced, "records/s", "", true, tiny);
    let ages = follow(&folder.topic("tail"), if tiny { 200 } else { 100_000 }, Duration::from_micros(10));
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    row("from append to a reader at the tail, p50", at(0.5), "us", "under 20", at(0.5) < 20.0, tiny);
    row("  p99", at(0.99), "us", "", true, tiny);
}
