//! Kinds for tests: a spout that is fed by hand, and bolts that keep a log of all that they see.

use super::world::{Event, Row, What, World};
use sferic::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, Flow, Intake, Keyed, OptionSpec,
    OutputColumn, OutputStream, Polled, Registry, Reject, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan, Step,
};
use sferic::tuple::{Column, DataType, Frame, Slot};
use std::collections::{BTreeSet, VecDeque};

/// Sferic's kinds and those of these tests.
pub fn registry(world: &World) -> Registry {
    let mut registry = sferic::registry().spout(Hand(world.clone()));
    for kind in ["log", "pass", "state", "rows", "timer"] {
        registry = registry.bolt(Logged { kind, world: world.clone() });
    }
    registry
}

/// A spout whose rows come from the test. `timed = false`: event time is the time of arrival.
struct Hand(World);

impl SpoutFactory for Hand {
    fn kind(&self) -> &'static str {
        "hand"
    }

    fn doc(&self) -> &'static str {
        "rows from the test"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::optional("timed", "whether rows have event time"),
            OptionSpec::optional("finite", "whether splits come to an end"),
        ];
        OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let columns = vec![
            Column::new("key", DataType::Bigint).not_null(),
            Column::new("seq", DataType::Bigint).not_null(),
            Column::new("ts", DataType::Timestamp).not_null(),
            Column::new("v", DataType::Bigint),
            Column::new("word", DataType::Text).not_null(),
        ];
        let timed = check.options.boolean("timed").unwrap_or(true);
        let finite = check.options.boolean("finite").unwrap_or(false);
        Some(Box::new(HandPlan { world: self.0.clone(), name: check.name.to_owned(), columns, timed, finite }))
    }
}

struct HandPlan {
    world: World,
    name: String,
    columns: Vec<Column>,
    timed: bool,
    finite: bool,
}

impl SpoutPlan for HandPlan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        self.timed.then_some(2)
    }

    fn finite(&self) -> bool {
        self.finite
    }

    fn splits(&self) -> Result<Vec<String>, ComponentError> {
        Ok(self.world.splits(&self.name))
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(HandSplit {
            world: self.world.clone(),
            feed: (self.name.clone(), build.split.to_owned()),
            split: build.split_id,
            slots: build.columns.to_vec(),
            timed: self.timed,
            read: 0,
        }))
    }
}

struct HandSplit {
    world: World,
    feed: (String, String),
    split: u32,
    slots: Vec<Slot>,
    timed: bool,
    read: u64,
}

impl Spout for HandSplit {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        let Some(rows) = self.world.take(&self.feed) else { return Ok(Polled::End) };
        if rows.is_empty() {
            return Ok(Polled::Nothing(None));
        }
        for Row { key, seq, ts, v, word } in rows {
            self.read += 1;
            if word == "broken" {
                let text = format!("row {seq} is broken");
                let (stream, reason, position) = ("errors", "bad_value", self.read - 1);
                intake.rejects.push(Reject { stream, reason, position, text, record: word, raw: Default::default() });
                continue;
            }
            let (frame, arena) = intake.run.push();
            frame.set_due(intake.now);
            frame.set_time(if self.timed { ts } else { intake.wall });
            frame.set_origin(self.split, self.read - 1);
            frame.set(self.slots[0], key as u64);
            frame.set(self.slots[1], seq as u64);
            frame.set(self.slots[2], ts as u64);
            frame.put(self.slots[3], v.map(|v| v as u64));
            frame.set(self.slots[4], arena.store(&word).0);
        }
        Ok(Polled::Some)
    }

    fn position(&self) -> u64 {
        self.read
    }
}

/// Bolts that log. `log`: a sink. `pass`: all columns go on. `state`: the same, with state. `rows`: `rows` (default: the
/// column `v`) rows for each tuple, numbered in `n`, with times and paths of their own. `timer`: a timer `v`
/// microseconds after each tuple, which fires one row, or `rows` rows.
struct Logged {
    kind: &'static str,
    world: World,
}

impl BoltFactory for Logged {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn doc(&self) -> &'static str {
        "logs what it sees"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::optional("rows", "rows for each tuple or timer")];
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let columns = check.inputs[0].columns.clone();
        let pass = |(n, c): (usize, &Column)| OutputColumn { column: c.clone(), source: ColumnSource::Input(n) };
        let computed = |column: Column| OutputColumn { column, source: ColumnSource::Computed };
        let columns_out: Vec<OutputColumn> = match self.kind {
            "log" => Vec::new(),
            "pass" | "state" => columns.iter().enumerate().map(pass).collect(),
            "rows" => {
                let others = columns.iter().enumerate().filter(|(_, c)| !c.is("n")).map(pass);
                others.chain([computed(Column::new("n", DataType::Bigint))]).collect()
            }
            _ => {
                let names = ["key", "seq", "n"];
                names.iter().map(|n| computed(Column::new(*n, DataType::Bigint).not_null())).collect()
            }
        };
        let streams = vec![OutputStream::new("", columns_out)];
        Some(Box::new(LoggedPlan {
            kind: self.kind,
            world: self.world.clone(),
            columns,
            streams: if self.kind == "log" { Vec::new() } else { streams },
            rows: check.options.integer("rows", 0),
        }))
    }
}

struct LoggedPlan {
    kind: &'static str,
    world: World,
    columns: Vec<Column>,
    streams: Vec<OutputStream>,
    rows: Option<i64>,
}

impl BoltPlan for LoggedPlan {
    fn outputs(&self) -> &[OutputStream] {
        &self.streams
    }

    fn stateful(&self) -> bool {
        matches!(self.kind, "state" | "timer")
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let at = |name: &str| self.columns.iter().position(|c| c.is(name)).map(|c| build.inputs[0][c]);
        Ok(Box::new(LoggedTask {
            kind: self.kind,
            world: self.world.clone(),
            name: build.name.to_owned(),
            task: build.task,
            key: at("key"),
            seq: at("seq"),
            v: at("v"),
            n: at("n"),
            word: at("word"),
            text: at("text").zip(at("reason")),
            out: build.outputs.first().cloned().unwrap_or_default(),
            rows: self.rows,
            waiting: VecDeque::new(),
            timers: BTreeSet::new(),
        }))
    }
}

struct LoggedTask {
    kind: &'static str,
    world: World,
    name: String,
    task: usize,
    key: Option<Slot>,
    seq: Option<Slot>,
    v: Option<Slot>,
    n: Option<Slot>,
    word: Option<Slot>,
    text: Option<(Slot, Slot)>,
    out: Vec<Slot>,
    rows: Option<i64>,
    /// Rows of `rows` and of timers: key, seq, n.
    waiting: VecDeque<(i64, i64, i64)>,
    timers: BTreeSet<(i64, i64, i64)>,
}

impl LoggedTask {
    fn log(&self, what: What, frame: Option<&Frame>) {
        let get = |slot: Option<Slot>| slot.and_then(|s| frame?.get(s)).map(|w| w as i64);
        let text = |slot: Slot| frame.filter(|f| !f.is_null(slot)).map(|f| f.text(slot).to_owned());
        let word = match self.text {
            Some((message, reason)) => text(reason).zip(text(message)).map(|(r, t)| format!("{r}: {t}")),
            None => self.word.and_then(text),
        };
        self.world.log(Event {
            bolt: self.name.clone(),
            task: self.task,
            what,
            key: get(self.key).unwrap_or(-1),
            seq: get(self.seq).unwrap_or(-1),
            n: get(self.n).unwrap_or(-1),
            time: frame.map_or(0, Frame::time),
            path: frame.map_or(0, Frame::path),
            origin: frame.map_or((0, 0), |f| (f.split(), f.position())),
            word: word.unwrap_or_default(),
        });
    }
}

impl Bolt for LoggedTask {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        self.log(What::Step, Some(frame));
        let get = |slot: Option<Slot>| slot.and_then(|s| frame.get(s)).map(|w| w as i64);
        let (key, seq, v) = (get(self.key).unwrap_or(0), get(self.seq).unwrap_or(0), get(self.v));
        match self.kind {
            "log" => Flow::Skip,
            "pass" | "state" => Flow::Next,
            "rows" => {
                assert!(self.waiting.is_empty(), "{}: a tuple came between the rows of another", self.name);
                self.waiting = (0..self.rows.or(v).unwrap_or(0)).map(|n| (key, seq, n)).collect();
                Flow::Many
            }
            _ => {
                if let Some(v) = v {
                    self.timers.insert((frame.time() + v, key, seq));
                    step.wake_after(frame.time() + v);
                }
                Flow::Skip
            }
        }
    }

    fn next_row(&mut self, frame: &mut Frame, _step: &mut Step<'_>) -> Option<u8> {
        let (key, seq, n) = self.waiting.pop_front()?;
        if self.kind == "timer" {
            frame.set(self.out[0], key as u64);
            frame.set(self.out[1], seq as u64);
        } else {
            frame.set_time(frame.time() + n);
            frame.set_path(frame.path() * 31 + n as u64 + 1);
        }
        frame.set(*self.out.last().expect("these kinds write `n`"), n as u64);
        Some(0)
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let due = self.timers.first().is_some_and(|(deadline, ..)| *deadline < step.watermark);
        let fired = if due { self.timers.pop_first() } else { None };
        if let Some((next, ..)) = self.timers.first() {
            step.wake_after(*next);
        }
        let (deadline, key, seq) = fired?;
        frame.set_time(deadline);
        frame.set(self.out[0], key as u64);
        frame.set(self.out[1], seq as u64);
        frame.set(self.out[2], 0);
        self.log(What::Fire { deadline, key, seq }, None);
        match self.rows {
            None => Some(Flow::Next),
            Some(rows) => {
                assert!(self.waiting.is_empty(), "{}: a timer fired between the rows of another", self.name);
                self.waiting = (0..rows).map(|n| (key, seq, n)).collect();
                Some(Flow::Many)
            }
        }
    }

    fn deadline(&self) -> i64 {
        self.timers.first().map_or(i64::MAX, |(deadline, ..)| *deadline)
    }

    fn barrier(&mut self, epoch: u64) {
        assert!(self.waiting.is_empty(), "{}: a barrier came between the rows of a tuple", self.name);
        self.log(What::Barrier(epoch), None);
    }
}
