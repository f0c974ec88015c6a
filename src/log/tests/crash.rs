//! Whatever happens: what was synced is there, in order, without a gap, and nothing is there that was not written.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Flush,
    Sync,
    /// A commit: sync, then the end is remembered as durable, then published.
    Commit,
    Trim,
    /// The writer is closed and opened again.
    Reopen,
    /// The machine stops.
    Crash(u64),
    /// The sync after so many others fails.
    FailSync(u64),
    /// The disk has so many bytes left.
    Full(u64),
    Room,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0usize..200).prop_map(Step::Append),
        1 => (1000usize..3000).prop_map(Step::Append),
        4 => Just(Step::Flush),
        3 => Just(Step::Sync),
        3 => Just(Step::Commit),
        1 => Just(Step::Trim),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => (0u64..3).prop_map(Step::FailSync),
        1 => (0u64..500).prop_map(Step::Full),
        1 => Just(Step::Room),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What should be there.
#[derive(Default)]
struct Model {
    /// All records by offset, those that were trimmed too.
    records: Vec<Vec<u8>>,
    first: u64,
    synced: u64,
    committed: u64,
    made: u64,
}

struct Bench {
    files: MemoryFiles,
    topic: Topic,
    options: WriterOptions,
    writer: Option<Writer>,
    model: Model,
}

impl Bench {
    fn new(options: WriterOptions) -> Bench {
        let files = MemoryFiles::new();
        let topic = topic(&files, 1024);
        let writer = topic.writer(0, options.clone()).unwrap();
        Bench { files, topic, options, writer: Some(writer), model: Model::default() }
    }

    fn commits(&self) -> bool {
        self.options.owner != Owner::Journal
    }

    /// Opens the writer anew and compares with the model.
    fn reopen(&mut self) {
        self.files.set_capacity(None);
        self.writer = None;
        let mut writer = self.topic.writer(0, self.options.clone()).unwrap();
        let model = &mut self.model;
        assert!(writer.next_offset() >= model.synced, "{} of {} synced", writer.next_offset(), model.synced);
        if self.options.owner != Owner::Journal {
            writer.truncate_to(model.committed).unwrap();
        }
        let end = writer.next_offset();
        assert!(end <= model.records.len() as u64, "more than was appended");
        assert_eq!(writer.visible_end(), end);
        assert!(writer.first_offset() >= model.first);
        model.first = writer.first_offset();
        model.records.truncate(end as usize);
        (model.synced, model.committed) = (writer.synced_end(), model.committed.min(end));
        self.writer = Some(writer);
        self.compare(end);
    }

    /// What readers see is the model up to `end`.
    fn compare(&self, end: u64) {
        let first = self.writer.as_ref().unwrap().first_offset();
        let mut reader = self.topic.reader(0, Start::Earliest).unwrap();
        for (offset, value) in self.model.records[..end as usize].iter().enumerate().skip(first as usize) {
            let record = reader.next_record().unwrap().expect("a record is missing");
            assert_eq!((record.offset, record.value), (offset as u64, &value[..]));
        }
        assert_eq!(reader.next_record().unwrap(), None);
    }

    fn step(&mut self, step: &Step) {
        let commits = self.commits();
        let Some(writer) = &mut self.writer else { return };
        let result = match step {
            Step::Append(size) => {
                self.model.made += 1;
                let mut value = self.model.made.to_le_bytes().to_vec();
                value.resize(8 + size, self.model.made as u8);
                writer.append(None, &value, self.model.made as i64).map(|offset| {
                    assert_eq!(offset, self.model.records.len() as u64);
                    self.model.records.push(value);
                })
            }
            Step::Flush => writer.flush(),
            Step::Sync => writer.sync(),
            Step::Commit => writer.sync().and_then(|()| {
                self.model.committed = writer.next_offset();
                writer.publish(writer.next_offset())
            }),
            Step::Trim => writer.trim(Trim::Offset(writer.next_offset() / 2)).map(|_| ()),
            Step::Full(left) => {
                self.files.set_capacity(Some(self.files.used() + left));
                Ok(())
            }
            Step::Room => {
                self.files.set_capacity(None);
                Ok(())
            }
            Step::FailSync(others) => {
                self.files.fail_sync(*others);
                Ok(())
            }
            Step::Reopen => {
                self.writer = None;
                // What is only in the group is lost without a flush, as in a crash.
                self.reopen_or_crash();
                return;
            }
            Step::Crash(seed) => return self.crash(*seed),
        };
        let synced = writer.synced_end();
        self.model.synced = self.model.synced.max(synced);
        if result.is_ok() && matches!(step, Step::Trim) {
            // One that failed may come undone.
            self.model.first = writer.first_offset();
        }
        match result {
            Err(LogError::Poisoned { .. }) => self.crash(1),
            _ if !commits || matches!(step, Step::Commit) => {
                let end = writer.visible_end();
                self.compare(end);
            }
            _ => {}
        }
    }

    /// A sync that is to fail may strike the start of a writer as well.
    fn reopen_or_crash(&mut self) {
        match self.topic.writer(0, self.options.clone()) {
            Ok(writer) => {
                drop(writer);
                self.reopen_sure();
            }
            Err(_) => self.crash(2),
        }
    }

    fn reopen_sure(&mut self) {
        // No further failure is waiting: a crash that loses nothing clears it.
        let mut keep = |n: u64| n - 1;
        self.files.crash(&mut keep);
        self.reopen();
    }

    fn crash(&mut self, seed: u64) {
        let mut state = seed;
        self.files.crash(&mut |n| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        });
        self.reopen();
    }
}

fn run(steps: &[Step], options: WriterOptions) {
    let mut bench = Bench::new(options);
    for step in steps {
        bench.step(step);
    }
    bench.crash(3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_loses_nothing_that_was_synced(steps in steps()) {
        run(&steps, journal());
    }

    #[test]
    fn a_journal_that_syncs_always_loses_nothing_that_was_seen(steps in steps()) {
        run(&steps, WriterOptions { sync: SyncPolicy::Always, ..journal() });
    }

    #[test]
    fn a_committed_log_is_what_its_commits_say(steps in steps()) {
        run(&steps, committed());
    }
}
