mod crash;

use super::*;
use crate::files::{Files, MemoryFiles};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const T: &str = "t";

fn journal() -> WriterOptions {
    WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Never }
}

fn committed() -> WriterOptions {
    WriterOptions { owner: Owner::Committed("fraud.alerts".to_owned()), sync: SyncPolicy::Never }
}

fn log(files: &MemoryFiles) -> Log {
    Log::with_files(Arc::new(files.clone()), PathBuf::from("data/log"))
}

fn topic(files: &MemoryFiles, segment_bytes: u64) -> Topic {
    log(files).create(T, &TopicOptions { segment_bytes, ..TopicOptions::default() }).unwrap()
}

fn segment_file(base: u64) -> PathBuf {
    PathBuf::from(format!("data/log/t/0/{base:020}.seg"))
}

/// Offset and value of all visible records from a start on.
fn read(topic: &Topic, start: Start) -> Vec<(u64, String)> {
    let mut reader = topic.reader(0, start).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        found.push((record.offset, String::from_utf8(record.value.to_vec()).unwrap()));
    }
    found
}

fn fill(writer: &mut Writer, range: std::ops::Range<u64>) {
    for n in range {
        assert_eq!(writer.append(None, format!("record {n}").as_bytes(), n as i64).unwrap(), n);
    }
}

fn expected(range: std::ops::Range<u64>) -> Vec<(u64, String)> {
    range.map(|n| (n, format!("record {n}"))).collect()
}

#[test]
fn readers_see_what_was_flushed_with_keys_and_times() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, journal()).unwrap();
    let mut reader = topic.reader(0, Start::Earliest).unwrap();
    assert_eq!(reader.next_record().unwrap(), None);
    writer.append(Some(b"k"), b"one", 5).unwrap();
    writer.append(Some(b""), b"", 3).unwrap();
    assert_eq!(reader.next_record().unwrap(), None, "not flushed yet");
    writer.flush().unwrap();
    let one = Record { offset: 0, time: 5, key: Some(b"k"), value: b"one" };
    assert_eq!(reader.next_record().unwrap(), Some(one));
    let two = Record { offset: 1, time: 5, key: Some(b""), value: b"" };
    assert_eq!(reader.next_record().unwrap(), Some(two), "a clock that goes back stands still");
    assert_eq!(reader.next_record().unwrap(), None);
    writer.append(None, b"three", 9).unwrap();
    writer.flush().unwrap();
    let three = Record { offset: 2, time: 9, key: None, value: b"three" };
    assert_eq!(reader.next_record().unwrap(), Some(three));
    drop(writer);
    // Without a writer in the process the file says where the end is.
    assert_eq!(reader.next_record().unwrap(), None);
    assert_eq!((reader.end().unwrap(), reader.offset()), (3, 3));
}

#[test]
fn records_of_a_block_stand_still_until_the_next_is_read() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, journal()).unwrap();
    fill(&mut writer, 0..1000);
    writer.flush().unwrap();
    let mut reader = topic.reader(0, Start::Earliest).unwrap();
    assert!(reader.fill().unwrap());
    let mut places = Vec::new();
    while let Some(record) = reader.buffered().unwrap() {
        places.push((record.value.as_ptr(), record.value.len(), record.offset));
    }
    assert_eq!(places.len(), 1000);
    for (at, len, offset) in places {
        // SAFETY: the reader and its block live, and `fill` has not been called since.
        let value = unsafe { std::slice::from_raw_parts(at, len) };
        assert_eq!(value, format!("record {offset}").as_bytes());
    }
}

#[test]
fn a_record_as_long_as_allowed_is_kept_and_a_longer_one_refused() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, journal()).unwrap();
    let long = vec![7; MAX_RECORD_BYTES];
    writer.append(None, b"before", 0).unwrap();
    writer.append(None, &long, 0).unwrap();
    assert!(matches!(writer.append(Some(b"k"), &long, 0), Err(LogError::TooLong { .. })));
    writer.append(None, b"behind", 0).unwrap();
    writer.flush().unwrap();
    let mut reader = topic.reader(0, Start::Earliest).unwrap();
    let mut lengths = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        lengths.push(record.value.len());
    }
    assert_eq!(lengths, [6, MAX_RECORD_BYTES, 6]);
}

#[test]
fn a_partition_has_one_writer_and_one_owner() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, journal()).unwrap();
    let refused = topic.writer(0, journal()).unwrap_err().to_string();
    let process = format!("is in use by process {}; stop it first", std::process::id());
    assert!(refused.contains(&process) && refused.contains("data/log/t/0/lock"), "{refused}");
    drop(writer);
    // Nobody has written yet: it may still become somebody else's.
    writer = topic.writer(0, committed()).unwrap();
    writer.append(None, b"x", 0).unwrap();
    writer.flush().unwrap();
    drop(writer);
    let refused = topic.writer(0, journal()).unwrap_err().to_string();
    assert!(refused.contains("is written by the commits of fraud.alerts"), "{refused}");
    assert!(topic.writer(0, committed()).is_ok());
    assert!(matches!(topic.writer(1, journal()), Err(LogError::NoPartition { partitions: 1, .. })));
}

#[test]
fn a_torn_tail_is_cut_off_and_counted() {
    for cut in 1..29 {
        let files = MemoryFiles::new();
        let topic = topic(&files, 1 << 20);
        let mut writer = topic.writer(0, journal()).unwrap();
        fill(&mut writer, 0..3);
        writer.sync().unwrap();
        fill(&mut writer, 3..4);
        writer.flush().unwrap();
        drop(writer);
        files.damage(&segment_file(0), |bytes| bytes.truncate(bytes.len() - cut));
        let mut writer = topic.writer(0, journal()).unwrap();
        assert_eq!((writer.cut_bytes(), writer.next_offset()), (28 - cut as u64, 3));
        fill(&mut writer, 3..5);
        writer.flush().unwrap();
        assert_eq!(read(&topic, Start::Earliest), expected(0..5));
    }
}

#[test]
fn damage_where_all_was_durable_is_an_error_that_names_the_place() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1024);
    let mut writer = topic.writer(0, journal()).unwrap();
    fill(&mut writer, 0..200);
    writer.sync().unwrap();
    writer.idle(0).unwrap();
    fill(&mut writer, 200..201);
    writer.flush().unwrap();
    let last = writer.base;
    drop(writer);
    let second = segment::bases(&files, Path::new("data/log/t/0")).unwrap()[1];
    for base in [second, last] {
        let path = segment_file(base);
        let kept = crate::files::read(&files, &path).unwrap();
        // The second record of the segment.
        files.damage(&path, |bytes| bytes[70] ^= 1);
        let size = kept.len() as u64 / 30;
        let mut reader = topic.reader(0, Start::Offset(base)).unwrap();
        reader.next_record().unwrap();
        reader.next_record().unwrap();
        let mut failure = reader.next_record().unwrap_err().to_string();
        assert!(failure.contains(path.to_str().unwrap()) && failure.contains("the checksum"), "{failure}");
        assert!(failure.contains(&format!("(offset {})", base + 2)), "{size} {failure}");
        let found = topic.verify(0, &mut |_, _| {}).unwrap();
        assert_eq!(
            (found.records, found.damage.map(|d| (d.file, d.offset))),
            (base + 2, Some((path.clone(), base + 2)))
        );
        // A full segment's index says what it holds; without it the segment is read again.
        files.remove(&path.with_extension("idx")).ok();
        failure = topic.writer(0, journal()).unwrap_err().to_string();
        assert!(failure.contains(&format!("records before offset {} can be read", base + 2)), "{failure}");
        files.damage(&path, |bytes| *bytes = kept);
    }
    assert_eq!(topic.writer(0, journal()).unwrap().next_offset(), 201);
    files.remove(&segment_file(second)).unwrap();
    assert!(topic.writer(0, journal()).unwrap_err().to_string().contains("its records end"));
}

#[test]
fn a_committed_writer_shows_what_it_publishes_and_goes_back_to_its_commit() {
    for segment_bytes in [1024, 1 << 20] {
        let files = MemoryFiles::new();
        let topic = topic(&files, segment_bytes);
        let mut writer = topic.writer(0, committed()).unwrap();
        let mut reader = topic.reader(0, Start::Earliest).unwrap();
        fill(&mut writer, 0..100);
        assert!(matches!(writer.publish(100), Err(LogError::Beyond { .. })) || segment_bytes == 1024);
        writer.flush().unwrap();
        assert_eq!(reader.next_record().unwrap(), None, "written is not visible");
        writer.publish(40).unwrap();
        writer.publish(30).unwrap();
        let mut seen = 0;
        while reader.next_record().unwrap().is_some() {
            seen += 1;
        }
        assert_eq!((seen, topic.stats(0).unwrap().end), (40, 40));
        fill(&mut writer, 100..130);
        drop(writer);
        assert_eq!(read(&topic, Start::Offset(35)), expected(35..40));
        let mut writer = topic.writer(0, committed()).unwrap();
        assert_eq!(writer.visible_end(), 40);
        assert!(matches!(writer.truncate_to(500), Err(LogError::Beyond { committed: true, .. })));
        writer.truncate_to(60).unwrap();
        assert_eq!((writer.next_offset(), writer.visible_end()), (60, 60));
        assert_eq!(read(&topic, Start::Latest), []);
        fill(&mut writer, 60..90);
        writer.flush().unwrap();
        writer.publish(90).unwrap();
        assert_eq!(read(&topic, Start::Earliest), expected(0..90));
        writer.truncate_to(0).unwrap();
        assert_eq!(read(&topic, Start::Earliest), []);
        assert!(matches!(topic.reader(0, Start::Offset(1)), Err(LogError::Beyond { end: 0, .. })));
        assert!(reader.next_record().is_err(), "what it has read is not there any more");
        fill(&mut writer, 0..7);
        writer.truncate_to(0).unwrap();
        fill(&mut writer, 0..3);
        writer.flush().unwrap();
        writer.publish(3).unwrap();
        assert_eq!(read(&topic, Start::Earliest), expected(0..3));
    }
}

#[test]
fn retention_and_trims_drop_whole_segments_and_readers_hear_of_it() {
    let files = MemoryFiles::new();
    let retention = Retention { age: None, bytes: Some(4000) };
    let options = TopicOptions { segment_bytes: 1024, retention, ..TopicOptions::default() };
    let topic = log(&files).create(T, &options).unwrap();
    let mut writer = topic.writer(0, journal()).unwrap();
    fill(&mut writer, 0..1);
    writer.flush().unwrap();
    let mut behind = topic.reader(0, Start::Earliest).unwrap();
    fill(&mut writer, 1..1000);
    writer.flush().unwrap();
    let stats = topic.stats(0).unwrap();
    assert!((4000..6100).contains(&stats.bytes), "{stats:?}");
    assert_eq!((stats.first_time, stats.last_time), (Some(stats.first as i64), Some(999)));
    assert_eq!(read(&topic, Start::Earliest), expected(stats.first..1000));
    let failure = behind.next_record().unwrap_err();
    assert!(matches!(failure, LogError::Gone { wanted: 0, first, .. } if first == stats.first), "{failure}");
    assert!(matches!(topic.reader(0, Start::Offset(3)), Err(LogError::Gone { .. })));
    // By time: the first segment there then is holds a record that may stay.
    writer.trim(Trim::Time(950)).unwrap();
    let first = writer.first_offset();
    assert!(first > stats.first && first <= 950);
    writer.trim(Trim::Offset(first + 1)).unwrap();
    assert_eq!(writer.first_offset(), first, "only whole segments go");
    let dropped = writer.trim(Trim::Offset(1000)).unwrap();
    assert_eq!((dropped.records, read(&topic, Start::Earliest)), (1000 - first, vec![]));
    fill(&mut writer, 1000..1001);
    writer.flush().unwrap();
    drop(writer);
    assert_eq!(read(&topic, Start::Earliest), expected(1000..1001));
    assert_eq!(topic.writer(0, journal()).unwrap().next_offset(), 1001);
}

#[test]
fn records_that_nobody_sees_yet_are_not_dropped() {
    let files = MemoryFiles::new();
    let retention = Retention { age: Some(1), bytes: Some(1) };
    let options = TopicOptions { segment_bytes: 1024, retention, ..TopicOptions::default() };
    let topic = log(&files).create(T, &options).unwrap();
    let mut writer = topic.writer(0, committed()).unwrap();
    fill(&mut writer, 0..500);
    writer.sync().unwrap();
    assert_eq!((writer.first_offset(), writer.trim(Trim::Offset(500)).unwrap().records), (0, 0));
    writer.publish(500).unwrap();
    assert!(writer.retain(1000).unwrap().records > 400);
}

#[test]
fn a_failed_sync_ends_the_writer_and_a_full_disk_only_stops_it() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Always }).unwrap();
    fill(&mut writer, 0..2);
    files.set_capacity(Some(files.used() + 40));
    let failure = writer.flush().unwrap_err();
    assert!(failure.may_be_retried() && failure.to_string().contains("make room and try again"), "{failure}");
    assert_eq!(read(&topic, Start::Earliest), []);
    files.set_capacity(None);
    fill(&mut writer, 2..3);
    writer.flush().unwrap();
    assert_eq!(read(&topic, Start::Earliest), expected(0..3));
    fill(&mut writer, 3..4);
    files.fail_sync(0);
    assert!(writer.flush().is_err());
    assert_eq!(read(&topic, Start::Earliest), expected(0..3), "nobody sees what may be lost");
    for refused in [writer.flush(), writer.sync(), writer.idle(0), writer.append(None, b"x", 0).map(|_| ())] {
        assert!(matches!(refused, Err(LogError::Poisoned { .. })));
    }
}

#[test]
fn a_topic_whose_making_failed_halfway_keeps_what_is_written_to_it() {
    for failing in 0..3 {
        let files = MemoryFiles::new();
        files.fail_sync(failing);
        // The next process finds what there is of it.
        let options = TopicOptions::default();
        let topic = log(&files).create(T, &options).or_else(|_| log(&files).create(T, &options)).unwrap();
        files.calm();
        let mut writer = topic.writer(0, journal()).unwrap();
        fill(&mut writer, 0..3);
        writer.sync().unwrap();
        // Nothing that was not synced survives.
        files.crash(&mut |_| 0);
        let topic = log(&files).topic(T).unwrap();
        assert_eq!(read(&topic, Start::Earliest), expected(0..3), "sync {failing} failed");
    }
}

#[test]
fn the_policy_says_when_records_are_durable() {
    let files = MemoryFiles::new();
    let topic = topic(&files, 1 << 20);
    let mut writer = topic.writer(0, WriterOptions { owner: Owner::Journal, sync: SyncPolicy::Every(100) }).unwrap();
    for (time, synced) in [(0, 0), (99, 0), (100, 3), (150, 3)] {
        writer.append(None, b"x", time).unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.synced_end(), synced, "at {time}");
    }
    writer.idle(199).unwrap();
    assert_eq!(writer.synced_end(), 3);
    writer.idle(200).unwrap();
    assert_eq!(writer.synced_end(), 4);
}

#[test]
fn topics_are_made_once_and_checked() {
    let files = MemoryFiles::new();
    let log = log(&files);
    assert_eq!(log.topics().unwrap(), Vec::<String>::new());
    assert!(matches!(log.topic("x"), Err(LogError::NoTopic { .. })));
    let options = TopicOptions { partitions: 3, ..TopicOptions::default() };
    for wrong in ["", "../x", ".x", "a/b", "a b", "ä", &"x".repeat(201)] {
        assert!(matches!(log.create(wrong, &options), Err(LogError::Refused(_))), "{wrong}");
        assert!(log.topic(wrong).is_err());
    }
    assert!(log.create("x", &TopicOptions { partitions: 0, ..TopicOptions::default() }).is_err());
    assert_eq!(log.create("x", &options).unwrap().options(), &options);
    assert_eq!(log.create("x", &options).unwrap().options(), &options);
    assert!(log.create("x", &TopicOptions::default()).unwrap_err().to_string().contains("has 3 partitions, not 1"));
    assert_eq!(log.topics().unwrap(), ["x"]);
    let keys: std::collections::BTreeSet<u32> =
        (0..100u32).map(|n| log.topic("x").unwrap().partition_of(&n.to_le_bytes())).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    let path = Path::new("data/log/x/topic");
    let kept = crate::files::read(&files, path).unwrap();
    files.damage(path, |bytes| bytes[40] ^= 1);
    assert!(log.topic("x").unwrap_err().to_string().contains("its checksum is wrong"));
    files.damage(path, |bytes| *bytes = String::from_utf8(kept).unwrap().replace("topic 1 ", "topic 2 ").into_bytes());
    assert!(log.topic("x").unwrap_err().to_string().contains("has format 2, this version reads up to 1"));
    files.damage(path, |bytes| bytes.truncate(3));
    assert!(log.topic("x").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_start_finds_the_record_a_naive_search_finds(
        gaps in proptest::collection::vec((0i64..3, 0usize..300), 1..400),
        segment in prop_oneof![Just(1024u64), Just(20_000), Just(1 << 20)],
        flushes in 1usize..50,
    ) {
        let files = MemoryFiles::new();
        let topic = topic(&files, segment);
        let mut writer = topic.writer(0, journal()).unwrap();
        let mut times = Vec::new();
        for (n, (gap, size)) in gaps.iter().enumerate() {
            let time = times.last().copied().unwrap_or(0) + gap;
            writer.append(None, &vec![b'x'; *size], time).unwrap();
            times.push(time);
            if n % flushes == 0 {
                writer.flush().unwrap();
            }
        }
        writer.flush().unwrap();
        for time in 0..times.last().unwrap() + 2 {
            let wanted = times.iter().position(|t| *t >= time).unwrap_or(times.len());
            let mut reader = topic.reader(0, Start::Time(time)).unwrap();
            prop_assert_eq!(reader.offset(), wanted as u64);
            let next = reader.next_record().unwrap().map(|r| (r.time, r.value.len()));
            prop_assert_eq!(next, times.get(wanted).map(|t| (*t, gaps[wanted].1)));
        }
        for offset in (0..=times.len()).step_by(7) {
            let mut reader = topic.reader(0, Start::Offset(offset as u64)).unwrap();
            let next = reader.next_record().unwrap().map(|r| (r.offset, r.value.len()));
            prop_assert_eq!(next, gaps.get(offset).map(|g| (offset as u64, g.1)));
        }
    }

    #[test]
    fn no_content_of_a_segment_makes_anything_panic(
        at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 1..64), cut in any::<bool>(),
    ) {
        let files = MemoryFiles::new();
        let topic = topic(&files, 1 << 20);
        let mut writer = topic.writer(0, journal()).unwrap();
        fill(&mut writer, 0..20);
        writer.flush().unwrap();
        drop(writer);
        files.damage(&segment_file(0), |content| {
            let end = (at + bytes.len()).min(content.len());
            let start = at.min(end);
            content[start..end].copy_from_slice(&bytes[..end - start]);
            if cut {
                content.truncate(end);
            }
        });
        let mut reader = topic.reader(0, Start::Earliest).unwrap();
        while let Ok(Some(_)) = reader.next_record() {}
        let before = reader.offset();
        prop_assert_eq!(topic.verify(0, &mut |_, _| {}).unwrap().records, before);
        // Nothing was synced after the start: what is broken counts as torn.
        let writer = topic.writer(0, journal()).unwrap();
        prop_assert_eq!(writer.next_offset(), before);
        drop(writer);
        prop_assert_eq!(read(&topic, Start::Earliest), expected(0..before));
    }
}
