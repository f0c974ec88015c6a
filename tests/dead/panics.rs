//! A component that panics: the tuple is left out there and becomes a dead letter, everything else goes on.

use crate::program::Folder;
use serde_json::Value;
use sferic::component::*;
use sferic::config::{self, Checked};
use sferic::log::{Log, Start};
use sferic::problem::{Problems, Sources};
use sferic::topology::{self, Ran, RunOptions};
use sferic::tuple::{Column, DataType, Frame, Slot};
use std::cell::Cell;
use std::fmt::Write;

/// A bolt that lets everything pass and panics on every `every`-th number, or at every barrier.
struct Bomb;

struct BombPlan {
    every: Option<i64>,
    barrier: bool,
    outputs: Vec<OutputStream>,
}

struct BombTask {
    every: Option<i64>,
    barrier: bool,
    slot: Slot,
}

impl BoltFactory for Bomb {
    fn kind(&self) -> &'static str {
        "bomb"
    }

    fn doc(&self) -> &'static str {
        "panics"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] =
            &[OptionSpec::optional("every", "on which numbers"), OptionSpec::optional("barrier", "at barriers")];
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let columns = check.inputs[0].columns.iter().enumerate();
        let columns = columns.map(|(n, c)| OutputColumn { column: c.clone(), source: ColumnSource::Input(n) });
        let outputs = vec![OutputStream { suffix: "".into(), columns: columns.collect() }];
        let every = check.options.integer("every", 1);
        let barrier = check.options.boolean("barrier").unwrap_or(false);
        Some(Box::new(BombPlan { every, barrier, outputs }))
    }
}

impl BoltPlan for BombPlan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(BombTask { every: self.every, barrier: self.barrier, slot: build.inputs[0][0] }))
    }
}

impl Bolt for BombTask {
    fn step(&mut self, _input: usize, frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        let n = frame.word(self.slot) as i64;
        assert!(self.every.is_none_or(|every| n % every != every - 1), "cannot bear {n}");
        Flow::Next
    }

    fn barrier(&mut self, epoch: u64) {
        assert!(!self.barrier, "cannot end epoch {epoch}");
    }
}

/// A spout that panics at its third record.
struct Stumbling;

struct StumblingPlan(Vec<Column>);

struct StumblingSpout {
    next: u64,
    slot: Slot,
    split: u32,
}

impl SpoutFactory for Stumbling {
    fn kind(&self) -> &'static str {
        "stumbling"
    }

    fn doc(&self) -> &'static str {
        "panics"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn check(&self, _check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        Some(Box::new(StumblingPlan(vec![Column::new("n", DataType::Bigint).not_null()])))
    }
}

impl SpoutPlan for StumblingPlan {
    fn columns(&self) -> &[Column] {
        &self.0
    }

    fn time(&self) -> Option<usize> {
        None
    }

    fn finite(&self) -> bool {
        true
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec!["all".to_owned()])
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(StumblingSpout { next: build.position, slot: build.columns[0], split: build.split_id }))
    }
}

impl Spout for StumblingSpout {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        assert!(self.next < 2, "the third record is not to be read");
        let (frame, _) = intake.run.push();
        frame.set_due(intake.now);
        frame.set_time(intake.wall);
        frame.set_origin(self.split, self.next);
        frame.set(self.slot, self.next);
        self.next += 1;
        Ok(Polled::Some)
    }

    fn position(&self) -> u64 {
        self.next
    }
}

const TOPOLOGY: &str = r#"
name = "t"
[runtime]
pin      = false
commit   = "1ms"
threads  = THREADS
data_dir = "FOLDER/data"
[spouts.numbers]
kind   = "file"
path   = "FOLDER/numbers.csv"
format = "csv"
fields.n    = "bigint not null"
fields.word = "text not null"
[bolts.risky]
kind  = "bomb"
from  = "numbers"
every = 10
[bolts.counted]
kind   = "aggregate"
from   = "numbers"
key    = "word"
ttl    = "never"
keep   = ["word"]
add.n  = "count(*)"
[bolts.risky_out]
kind    = "file"
from    = "risky"
path    = "FOLDER/risky.csv"
deliver = "committed"
[bolts.counted_out]
kind    = "file"
from    = "counted"
path    = "FOLDER/counted.csv"
deliver = "committed"
"#;

fn checked(text: &str) -> Checked {
    let registry = sferic::registry().bolt(Bomb).spout(Stumbling);
    let (mut sources, problems) = (Sources::new(), Problems::new());
    let model = config::load_text("t.toml", text, &mut sources, &problems);
    let checked = config::check(&model, &registry, &problems);
    checked.unwrap_or_else(|| panic!("{}", sources.render(&problems.into_sorted(), false)))
}

/// A run, and how many panics it went around.
fn run(text: &str) -> (Ran, u64) {
    let warned = Cell::new(0);
    let options = RunOptions {
        every: None,
        interim: &|_| {},
        stop: &|| 0,
        jitter: None,
        warn: &|_| warned.set(warned.get() + 1),
        reset: &[],
    };
    (topology::run(&checked(text), &options).expect("it can be started"), warned.get())
}

fn topology(threads: usize, rows: usize) -> (Folder, String) {
    let folder = Folder::new();
    let mut numbers = "n,word\n".to_owned();
    (0..rows).for_each(|n| writeln!(numbers, "{n},w{}", n % 3).expect("a string takes all"));
    folder.file("numbers.csv", numbers);
    let text = TOPOLOGY.replace("FOLDER", &folder.path().display().to_string());
    (folder, text.replace("THREADS", &threads.to_string()))
}

fn letters(folder: &Folder) -> Vec<Value> {
    let topic = Log::in_dir(&folder.path().join("data")).topic("t.dead").expect("there are letters");
    let mut reader = topic.reader(0, Start::Earliest).expect("it can be read");
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().expect("it is sound") {
        found.push(serde_json::from_slice(record.value).expect("a letter is JSON"));
    }
    found
}

#[test]
fn tuples_that_make_a_bolt_panic_are_left_out_there_and_nothing_else_is() {
    const ROWS: usize = 55;
    for threads in [1, 2] {
        let (folder, text) = topology(threads, ROWS);
        let (ran, panics) = run(&text);
        assert_eq!(ran.error.map(|e| e.to_string()), None);
        let wanted: Vec<usize> = (0..ROWS).filter(|n| n % 10 == 9).collect();
        assert!(panics >= wanted.len() as u64);
        let found = letters(&folder);
        let numbers: Vec<u64> = found.iter().filter_map(|letter| letter["row"]["n"].as_u64()).collect();
        assert_eq!(numbers, wanted.iter().map(|n| *n as u64).collect::<Vec<_>>(), "{found:#?}");
        for (letter, n) in found.iter().zip(&wanted) {
            assert_eq!((&letter["component"], &letter["reason"]), (&"risky".into(), &"panic".into()));
            assert_eq!(letter["text"], format!("cannot bear {n}"));
            assert_eq!(letter["row"]["word"], format!("w{}", n % 3));
        }
        let rows = |name: &str| folder.read(name).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        let passed: Vec<String> = (0..ROWS).filter(|n| n % 10 != 9).map(|n| format!("{n},w{}", n % 3)).collect();
        assert_eq!(rows("risky.csv"), passed);
        // The other bolt has seen each row once.
        let mut counts = rows("counted.csv");
        let mut all: Vec<String> = (0..ROWS).map(|n| format!("w{},{}", n % 3, n / 3 + 1)).collect();
        counts.sort();
        all.sort();
        assert_eq!(counts, all);
        // A later start knows nothing of it any more, and has nothing to do.
        let (ran, panics) = run(&text);
        assert_eq!((ran.error.map(|e| e.to_string()), panics, letters(&folder).len()), (None, 0, wanted.len()));
    }
}

#[test]
fn three_panics_without_an_epoch_stop_the_topology_and_say_where() {
    let (folder, text) = topology(1, 20);
    let (ran, panics) = run(&text.replace("every = 10", "barrier = true"));
    let error = ran.error.expect("it cannot go on").to_string();
    assert!(error.contains("bolts.risky panicked") && error.contains("cannot end epoch 1"), "{error}");
    assert!(error.contains("three panics without a durable epoch"), "{error}");
    assert_eq!(panics, 2);
    // Corrected, it goes on from where it was: nothing was committed.
    let (ran, _) = run(&text.replace("every = 10", "every = 100"));
    assert_eq!(ran.error.map(|e| e.to_string()), None);
    assert_eq!(folder.read("risky.csv").lines().count(), 21);
    let numbers = text.find("[spouts.numbers]").expect("it is there");
    let spout = format!("{}[spouts.numbers]\nkind = \"stumbling\"\n", &text[..numbers].replace("/data\"", "/other\""));
    let (ran, _) = run(&(spout + "[bolts.out]\nkind = \"null\"\nfrom = \"numbers\"\n"));
    let error = ran.error.expect("it cannot go on").to_string();
    assert!(error.contains("spouts.numbers panicked reading numbers/all at or behind position 2"), "{error}");
}

#[test]
fn without_a_data_directory_a_panic_ends_the_run_and_says_on_which_record() {
    let (_folder, text) = topology(1, 30);
    let text: String = text.lines().filter(|l| !l.starts_with("data_dir")).map(|l| format!("{l}\n")).collect();
    let (ran, panics) = run(&text.replace("deliver = \"committed\"", ""));
    let error = ran.error.expect("it ends").to_string();
    assert!(error.contains("bolts.risky panicked on the record at position 52 of numbers/"), "{error}");
    assert!(error.contains("cannot bear 9") && error.contains("--data-dir"), "{error}");
    assert_eq!(panics, 0);
}
