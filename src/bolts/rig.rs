//! Drives one bolt in tests as the runtime would: check, build, step, waiting rows, finish.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, ERRORS, Flow, InputStream, Key,
    Node, NodeValue, Options, OutputStream, Sections, Step, Table, TextNode,
};
use crate::expr::{Environment, Param};
use crate::problem::{FileId, Problem, Problems, Span};
use crate::store::{Backend, Batch, Catalogue, EpochFacts, HandOver, MemoryStore, Message, Space};
use crate::tuple::{Cell, Column, DataType, Frame, Layout, Run, Slot, Value};
use std::sync::{Arc, mpsc};
use toml::de::{DeTable, DeValue};

/// The table of a component from TOML.
pub fn table(toml: &str) -> Table {
    let parsed = DeTable::parse(toml).expect("tests write valid TOML");
    let Node { value: NodeValue::Table(table), .. } = node(0..0, &DeValue::Table(parsed.into_inner())) else {
        unreachable!("a table becomes a table")
    };
    table
}

fn node(range: std::ops::Range<usize>, value: &DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => NodeValue::Text(TextNode { text: text.to_string(), start: None }),
        DeValue::Integer(i) => NodeValue::Integer(i.as_str().parse().unwrap()),
        DeValue::Float(f) => NodeValue::Float(f.as_str().parse().unwrap()),
        DeValue::Boolean(b) => NodeValue::Boolean(*b),
        DeValue::Datetime(d) => NodeValue::Datetime(d.to_string()),
        DeValue::Array(items) => NodeValue::Array(items.iter().map(|i| node(i.span(), i.get_ref())).collect()),
        DeValue::Table(entries) => {
            let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                let key = Key { name: key.get_ref().to_string(), span: Span::new(FileId(0), key.span()) };
                (key, node(value.span(), value.get_ref()))
            };
            NodeValue::Table(Table { entries: entries.iter().map(entry).collect() })
        }
    };
    Node { span: Span::new(FileId(0), range), value }
}

/// Problems as lines: message, label, hints.
pub fn texts(problems: Problems) -> Vec<String> {
    let text = |p: Problem| [vec![p.message, p.label], p.hints].concat().join(" | ");
    problems.into_sorted().into_iter().map(text).collect()
}

/// What a check gives: the plan, the key of each input, the problems.
type Outcome = (Option<Box<dyn BoltPlan>>, Vec<Vec<usize>>, Problems);

/// The inputs of a bolt and what its expressions may name.
pub struct Rig {
    inputs: Vec<InputStream>,
    environment: Environment,
    space: Option<Arc<Space>>,
}

/// A store in memory, and the committer's part of the life of a task over it.
pub struct Shelf {
    backend: Arc<MemoryStore>,
    /// The store, as a task sees it.
    pub space: Arc<Space>,
    hand_overs: mpsc::Receiver<Message>,
}

impl Shelf {
    /// Opens a store, with so much memory for entries.
    pub fn open(backend: &Arc<MemoryStore>, memory_bytes: usize) -> Shelf {
        let (sender, hand_overs) = mpsc::channel();
        let space = Arc::new(Space::open(backend.clone(), memory_bytes, sender).expect("it is whole"));
        Shelf { backend: backend.clone(), space, hand_overs }
    }

    /// Ends an epoch of the only task at event time `frontier` and makes it durable.
    pub fn commit(&self, driver: &mut Driver, frontier: i64) {
        let epoch = self.space.durable() + 1;
        driver.bolt.barrier(epoch);
        driver.bolt.states(&mut |state| state.barrier(epoch));
        let mut more = true;
        while more {
            more = false;
            driver.bolt.states(&mut |state| more |= state.hand_over(3));
        }
        let mut batches = Vec::new();
        while let Ok(Message::State(HandOver { batch, .. })) = self.hand_overs.try_recv() {
            batches.push(batch);
        }
        assert_eq!(batches.len(), self.space.tasks(), "each handle hands over once");
        let mut last = Batch::default();
        self.space.put_epoch(&mut last, &EpochFacts { epoch, frontier, ..EpochFacts::none() });
        batches.push(last);
        self.backend.write(&batches).expect("memory is enough");
        self.space.settled(epoch, 0);
        driver.bolt.committed(epoch).expect("nothing is held back");
    }

    /// What others see of it.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::open(self.backend.clone()).expect("it is whole")
    }
}

impl Rig {
    /// With a store below.
    pub fn on(mut self, shelf: &Shelf) -> Rig {
        self.space = Some(shelf.space.clone());
        self
    }

    /// Inputs by name, with nullable columns.
    pub fn new(inputs: &[(&str, &[(&str, DataType)])]) -> Rig {
        let columns = |columns: &[(&str, DataType)]| columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
        let input = |(name, cs): &(&str, &[(&str, DataType)])| InputStream {
            name: (*name).to_owned(),
            columns: columns(cs),
            disorder: 0,
        };
        Rig { inputs: inputs.iter().map(input).collect(), environment: Environment::default(), space: None }
    }

    /// With a parameter.
    pub fn param(mut self, name: &str, value: Value) -> Rig {
        self.environment.params.push((name.to_owned(), Param::Value(value)));
        self
    }

    fn check(&self, factory: &dyn BoltFactory, toml: &str) -> Outcome {
        let table = table(toml);
        let problems = Problems::new();
        let options = Options { component: "bolts.b", span: Span::default(), table: &table, problems: &problems };
        for (key, _) in &table.entries {
            let common = ["kind", "from", "fill", "where", "key", "tasks", "doc"].contains(&&*key.name);
            if !common && !factory.options().iter().any(|o| o.name == key.name) {
                options.problem(Problem::error(format!("unknown key `{}`", key.name)).at(key.span));
            }
        }
        for spec in factory.options().iter().filter(|o| o.required && !options.has(o.name)) {
            options.problem(Problem::error(format!("missing key `{}`", spec.name)));
        }
        let names = if options.has("key") { options.texts("key").unwrap() } else { Vec::new() };
        let place = |i: &InputStream, name: &str| i.columns.iter().position(|c| c.is(name)).unwrap();
        let key_of = |i: &InputStream| names.iter().map(|(name, _)| place(i, name)).collect();
        let key: Vec<Vec<usize>> = self.inputs.iter().map(key_of).collect();
        let plan = factory.check(&BoltCheck {
            name: "b",
            options,
            inputs: &self.inputs,
            key: &key,
            environment: &self.environment,
            folder: std::path::Path::new("."),
            data_dir: None,
            topology: "t",
        });
        assert!(plan.is_some() || !problems.is_empty(), "no plan and no problem");
        (plan, key, problems)
    }

    /// The problems of a bolt, warnings included.
    pub fn problems(&self, factory: &dyn BoltFactory, toml: &str) -> Vec<String> {
        texts(self.check(factory, toml).2)
    }

    /// What a bolt without errors says of itself.
    pub fn describe(&self, factory: &dyn BoltFactory, toml: &str) -> Vec<String> {
        let (plan, _, problems) = self.check(factory, toml);
        assert!(!problems.has_errors(), "{:?}", texts(problems));
        plan.unwrap().describe()
    }

    /// One task of a bolt without errors.
    pub fn driver(&self, factory: &dyn BoltFactory, toml: &str) -> Driver {
        self.try_driver(factory, toml).unwrap_or_else(|e| panic!("{}", chain(&e)))
    }

    /// One task of a bolt without errors that may fail to start.
    pub fn try_driver(&self, factory: &dyn BoltFactory, toml: &str) -> Result<Driver, ComponentError> {
        let (plan, key, problems) = self.check(factory, toml);
        assert!(!problems.has_errors(), "{:?}", texts(problems));
        let plan = plan.unwrap();
        let mut count = 0;
        let mut next = || {
            count += 1;
            count - 1
        };
        // Inputs, then the computed columns of the outputs, spread over more than one NULL word.
        let inputs: Vec<Vec<usize>> = self.inputs.iter().map(|i| i.columns.iter().map(|_| next()).collect()).collect();
        let mut outputs: Vec<Vec<usize>> = Vec::new();
        for stream in plan.outputs() {
            let slots = stream.columns.iter().map(|column| match column.source {
                ColumnSource::Input(at) => {
                    assert_eq!(inputs.len(), 1, "columns of an input are shared by bolts with one input only");
                    inputs[0][at]
                }
                ColumnSource::Computed => next(),
                ColumnSource::Main(at) => outputs[0][at],
            });
            let slots = slots.collect();
            outputs.push(slots);
        }
        let scratch: Vec<usize> = (0..plan.scratch()).map(|_| next()).collect();
        let layout = Layout::new(next() * 7 + 1);
        let slots = |all: &[Vec<usize>]| -> Vec<Vec<Slot>> {
            all.iter().map(|indexes| indexes.iter().map(|i| layout.slot(i * 7)).collect()).collect()
        };
        let scratch = slots(&[scratch]).remove(0);
        let (inputs, outputs) = (slots(&inputs), slots(&outputs));
        let keys =
            key.iter().zip(&self.inputs).zip(&inputs).map(|((key, input), slots)| {
                key.iter().map(|at| (slots[*at], input.columns[*at].ty)).collect::<Vec<_>>()
            });
        let keys: Vec<_> = keys.collect();
        let build = BoltBuild {
            name: "b",
            inputs: &inputs,
            outputs: &outputs,
            scratch: &scratch,
            key: &keys,
            task: 0,
            tasks: 1,
            space: self.space.as_ref(),
        };
        let bolt = plan.build(&build)?;
        let (watermark, deadline) = (i64::MIN, bolt.deadline());
        Ok(Driver { plan, bolt, run: Run::new(layout), inputs, outputs, watermark, deadline, paths: Vec::new() })
    }
}

/// An error with its cause.
pub fn chain(error: &ComponentError) -> String {
    match &error.source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A task of a bolt and the frames it works on.
pub struct Driver {
    plan: Box<dyn BoltPlan>,
    bolt: Box<dyn Bolt>,
    run: Run,
    inputs: Vec<Vec<Slot>>,
    outputs: Vec<Vec<Slot>>,
    /// How far time has come, where the test moves it with [`Driver::advance`].
    pub watermark: i64,
    /// What the bolt wants to be woken at.
    deadline: i64,
    /// The paths of the rows that the last tuple led to.
    pub paths: Vec<u64>,
}

impl Driver {
    /// How far the bolt holds time back.
    pub fn holds_back(&self) -> Option<i64> {
        self.bolt.holds_back()
    }

    /// Suffix and columns of the output streams.
    pub fn outputs(&self) -> Vec<(String, String)> {
        let columns = |stream: &crate::component::OutputStream| {
            let column = |c: &crate::component::OutputColumn| format!("{} {}", c.column.name, c.column.ty);
            stream.columns.iter().map(column).collect::<Vec<_>>().join(", ")
        };
        self.plan.outputs().iter().map(|o| (o.suffix.to_string(), columns(o))).collect()
    }

    /// Where the columns of the main stream come from.
    pub fn sources(&self) -> Vec<ColumnSource> {
        self.plan.outputs()[0].columns.iter().map(|c| c.source).collect()
    }

    /// Processes one tuple: what it led to, a line each: `main: a 1`, `shadow: ...`, `error reason: text`.
    pub fn feed(&mut self, input: usize, time: i64, values: &[Value]) -> Vec<String> {
        self.run.clear();
        self.paths.clear();
        let (frame, arena) = self.run.push();
        frame.set_time(time);
        frame.set_path(99);
        for (slot, value) in self.inputs[input].iter().zip(values) {
            value.put(frame, *slot, arena);
        }
        self.bolt.resolve(input, &self.run);
        let arena = crate::tuple::Arena::new();
        let (mut failure, mut deadline) = (None, i64::MAX);
        let frame = self.run.frame_mut(0);
        let mut step =
            Step { index: 0, watermark: time, arena: &arena, failure: &mut failure, deadline: &mut deadline };
        let mut ports = Vec::new();
        let mut lines = Vec::new();
        let (outputs, slots) = (self.plan.outputs(), &self.outputs);
        let show = |port: u8, frame: &Frame, failure: &mut _| line(outputs, slots, port, frame, failure);
        match self.bolt.step(input, frame, &mut step) {
            Flow::Next => ports.push(0),
            Flow::Port(port) => ports.push(port),
            Flow::Error | Flow::Broken => ports.push(ERRORS),
            Flow::Skip => {}
            Flow::Many => {
                while let Some(port) = self.bolt.next_row(frame, &mut step) {
                    lines.push(show(port, frame, step.failure));
                    self.paths.push(frame.path());
                }
            }
        }
        for port in ports {
            lines.push(show(port, frame, &mut failure));
            self.paths.push(frame.path());
        }
        assert_eq!(frame.path(), 99, "what follows on other branches sees the tuple as it was");
        lines
    }

    /// One tuple of a source in order comes: timers that its time passes, then what it led to, a line each as of
    /// [`Driver::feed`], with `@TIME ` before rows whose time is not that of the tuple.
    pub fn come(&mut self, input: usize, time: i64, values: &[Value]) -> Vec<String> {
        let mut lines = self.advance(time);
        lines.extend(self.come_late(input, time, values));
        lines
    }

    /// The same for one that moves no time.
    pub fn come_late(&mut self, input: usize, time: i64, values: &[Value]) -> Vec<String> {
        self.run.clear();
        self.paths.clear();
        let (frame, arena) = self.run.push();
        frame.set_time(time);
        frame.set_path(99);
        frame.set_origin(7, 70);
        for (slot, value) in self.inputs[input].iter().zip(values) {
            value.put(frame, *slot, arena);
        }
        let before = frame.words().to_vec();
        self.bolt.resolve(input, &self.run);
        let lines = self.go(Some(input), time);
        let frame = self.run.frame(0);
        assert_eq!((frame.path(), frame.time(), frame.split()), (99, time, 7), "other branches see it as it was");
        for slot in &self.inputs[input] {
            assert_eq!(frame.get(*slot), Frame::from_words(&before).get(*slot), "other branches see it as it was");
        }
        lines
    }

    /// Time comes as far as this: what timers led to, with `@TIME ` before each row.
    pub fn advance(&mut self, watermark: i64) -> Vec<String> {
        self.watermark = self.watermark.max(watermark);
        let mut lines = Vec::new();
        while self.deadline < self.watermark {
            self.deadline = i64::MAX;
            self.run.clear();
            let (frame, _) = self.run.push();
            frame.set_time(i64::MIN);
            lines.extend(self.go(None, i64::MIN));
        }
        lines
    }

    /// Follows the tuple in the frame into an input, or a timer.
    fn go(&mut self, input: Option<usize>, time: i64) -> Vec<String> {
        let arena = crate::tuple::Arena::new();
        let mut failure = None;
        let frame = self.run.frame_mut(0);
        let (watermark, deadline) = (self.watermark, &mut self.deadline);
        let mut step = Step { index: 0, watermark, arena: &arena, failure: &mut failure, deadline };
        let (outputs, slots) = (self.plan.outputs(), &self.outputs);
        let show = |port: u8, frame: &Frame, failure: &mut _| {
            let line = line(outputs, slots, port, frame, failure);
            if frame.time() == time { line } else { format!("@{} {line}", frame.time()) }
        };
        let flow = match input {
            Some(input) => self.bolt.step(input, frame, &mut step),
            None => self.bolt.fire(frame, &mut step).unwrap_or(Flow::Skip),
        };
        let mut lines = Vec::new();
        let port = match flow {
            Flow::Next => 0,
            Flow::Port(port) => port,
            Flow::Error | Flow::Broken => ERRORS,
            Flow::Skip => return lines,
            Flow::Many => {
                let (time, path) = (frame.time(), frame.path());
                while let Some(port) = self.bolt.next_row(frame, &mut step) {
                    lines.push(show(port, frame, step.failure));
                    self.paths.push(frame.path());
                    frame.set_time(time);
                    frame.set_path(path);
                }
                return lines;
            }
        };
        lines.push(show(port, frame, step.failure));
        self.paths.push(frame.path());
        lines
    }

    /// The deadline that it was built with.
    pub fn deadline(&self) -> i64 {
        self.bolt.deadline()
    }

    /// Time passes: what its timers led to, a line each as of [`Driver::feed`], behind the event time of the row.
    pub fn pass(&mut self, watermark: i64) -> Vec<String> {
        let arena = crate::tuple::Arena::new();
        let (mut lines, mut failure, mut deadline) = (Vec::new(), None, i64::MAX);
        loop {
            self.run.clear();
            let (frame, _) = self.run.push();
            let index = crate::tuple::RUN_TUPLES;
            let mut step = Step { index, watermark, arena: &arena, failure: &mut failure, deadline: &mut deadline };
            match self.bolt.fire(frame, &mut step) {
                None => return lines,
                Some(Flow::Many) => {
                    while let Some(port) = self.bolt.next_row(frame, &mut step) {
                        let (outputs, slots) = (&self.plan.outputs(), &self.outputs);
                        lines.push(format!("{} {}", frame.time(), line(outputs, slots, port, frame, step.failure)));
                    }
                }
                Some(Flow::Skip) => {}
                Some(flow) => panic!("{flow:?} is not what a timer of these bolts answers"),
            }
        }
    }

    /// Nothing is waiting.
    pub fn idle(&mut self) -> Result<(), ComponentError> {
        self.bolt.idle()
    }

    /// Ends the task: its sections.
    pub fn finish(&mut self) -> Result<Vec<(String, String, serde_json::Value)>, ComponentError> {
        let mut sections = Sections::default();
        self.bolt.finish(&mut sections)?;
        Ok(sections.sections)
    }
}

/// What leaves on a stream.
fn line(
    outputs: &[OutputStream],
    slots: &[Vec<Slot>],
    port: u8,
    frame: &Frame,
    failure: &mut Option<(&'static str, String)>,
) -> String {
    if port == ERRORS {
        let (reason, text) = failure.take().expect("an error has a reason");
        return format!("error {reason}: {text}");
    }
    let stream = &outputs[port as usize];
    let mut line = format!("{}:", if stream.suffix.is_empty() { "main" } else { &stream.suffix });
    for (slot, column) in slots[port as usize].iter().zip(&stream.columns) {
        line.push(' ');
        match Cell::of_slot(frame, *slot, column.column.ty) {
            Cell::Null => line.push_str("null"),
            cell => cell.write(&mut line),
        }
    }
    line
}
