//! `order = "time"`: a bolt that takes rows by event time, at equal times in the order of its inputs.
//!
//! Owns the rows that wait, never what the bolt does with them. A row waits until no earlier one can come: until the
//! watermark has passed its time, or, of the first input, has reached it and none of that time waits. Waiting rows of a
//! key stand under it, durable like any state, with a timer at the time of the first. The bolt inside sees a world in
//! order: rows never go back, and its own timers fire between the rows that they stand between.

use super::{FOREVER, cells};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltPlan, ComponentError, Flow, OptionSpec, OutputStream, Sections, Step,
};
use crate::store::{Codec, KeyReader, KeyRef, Keyed, State, Timers};
use crate::tuple::{Arena, DataType, Frame, RUN_TUPLES, Run, Slot};
use std::collections::VecDeque;

/// The option of bolts that can take rows in order.
pub const ORDER: OptionSpec = OptionSpec::optional(
    "order",
    "\"time\": rows are taken by event time, at equal times in the order of `from`, each when no earlier one can come; else as they arrive",
);

/// What is written of it: none where rows are taken as they arrive, else the types of the columns of each input.
pub fn ordered(check: &BoltCheck<'_>) -> Option<Vec<Vec<DataType>>> {
    check.options.choice("order", &["time"])?;
    Some(check.inputs.iter().map(|input| input.columns.iter().map(|column| column.ty).collect()).collect())
}

/// A plan, perhaps in order.
pub struct InOrder<P> {
    plan: P,
    /// Types of the columns of each input; none: rows are taken as they arrive.
    types: Option<Vec<Vec<DataType>>>,
}

impl<P: BoltPlan> InOrder<P> {
    /// The plan of a bolt that takes rows in order if `types` says what the columns of its inputs are.
    pub fn plan(plan: P, types: Option<Vec<Vec<DataType>>>) -> InOrder<P> {
        InOrder { plan, types }
    }
}

impl<P: BoltPlan> BoltPlan for InOrder<P> {
    fn outputs(&self) -> &[OutputStream] {
        self.plan.outputs()
    }

    fn stateful(&self) -> bool {
        self.plan.stateful()
    }

    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        // A row that waits is kept whole.
        if self.types.is_some() { None } else { self.plan.reads(input) }
    }

    fn committed_file(&self) -> Option<&str> {
        self.plan.committed_file()
    }

    fn scratch(&self) -> usize {
        self.plan.scratch()
    }

    fn describe(&self) -> Vec<String> {
        let mut lines = self.plan.describe();
        lines.extend(self.types.is_some().then(|| {
            "takes rows by event time: a row of the first input waits for the watermark to reach its time, of others to pass it"
                .to_owned()
        }));
        lines
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let inner = self.plan.build(build)?;
        let Some(types) = &self.types else { return Ok(inner) };
        let columns = |(slots, types): (&Vec<Slot>, &Vec<DataType>)| {
            slots.iter().copied().zip(types.iter().copied()).collect::<Vec<_>>()
        };
        let key = |input: usize| KeyReader::new(build.key.get(input).map_or(&[], |key| key));
        let timers = Timers::new(build.life("times", "when waiting rows are taken", FOREVER, 0)?);
        Ok(Box::new(Task {
            inner_deadline: inner.deadline(),
            inner,
            keys: (0..build.inputs.len()).map(key).collect(),
            columns: build.inputs.iter().zip(types).map(columns).collect(),
            waiting: Keyed::new(FOREVER, build.life("waiting", &format!("rows of {types:?}"), FOREVER, 0)?),
            timers,
            key: Vec::new(),
            now: i64::MIN,
        }))
    }
}

/// A row that waits.
#[derive(Debug, Default)]
struct Waiting {
    time: i64,
    input: u32,
    split: u32,
    position: u64,
    path: u64,
    /// Its columns.
    cells: Vec<u8>,
}

impl Codec for Waiting {
    fn write(&self, out: &mut Vec<u8>) {
        ((self.time, self.position), (self.path, (self.input, self.split))).write(out);
        (self.cells.len() as u32).write(out);
        out.extend_from_slice(&self.cells);
    }

    fn read(from: &mut &[u8]) -> Option<Waiting> {
        let ((time, position), (path, (input, split))) = Codec::read(from)?;
        let cells = Box::<[u8]>::read(from)?.into_vec();
        Some(Waiting { time, input, split, position, path, cells })
    }

    fn heap_bytes(&self) -> usize {
        self.cells.capacity()
    }
}

impl Waiting {
    fn new(input: usize, frame: &Frame, columns: &[(Slot, DataType)]) -> Waiting {
        let mut packed = Vec::new();
        cells::pack(frame, columns, &mut packed);
        let (split, position, path) = (frame.split(), frame.position(), frame.path());
        Waiting { time: frame.time(), input: input as u32, split, position, path, cells: packed }
    }

    /// Puts the row back into a frame; whether it is one of these columns.
    fn put(&self, frame: &mut Frame, columns: &[(Slot, DataType)], arena: &Arena) -> bool {
        frame.set_time(self.time);
        frame.set_origin(self.split, self.position);
        frame.set_path(self.path);
        cells::put(&self.cells, frame, columns, arena)
    }
}

struct Task {
    inner: Box<dyn Bolt>,
    /// The earliest deadline of the bolt inside.
    inner_deadline: i64,
    keys: Vec<KeyReader>,
    columns: Vec<Vec<(Slot, DataType)>>,
    /// By time, then input, then arrival.
    waiting: Keyed<VecDeque<Waiting>>,
    /// For each key one at the time of its first row.
    timers: Timers,
    key: Vec<u8>,
    /// The time that the bolt inside is at: that of its last row or timer.
    now: i64,
}

impl Task {
    /// What the bolt inside sees.
    fn inside<'a>(deadline: &'a mut i64, step: &'a mut Step<'_>, watermark: i64, index: usize) -> Step<'a> {
        Step { index, watermark, arena: step.arena, failure: step.failure, deadline }
    }

    /// A row is taken by the bolt inside.
    fn take(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>, watermark: i64, index: usize) -> Flow {
        self.now = watermark;
        let mut inside = Task::inside(&mut self.inner_deadline, step, watermark, index);
        let flow = self.inner.step(input, frame, &mut inside);
        step.wake_after(self.inner_deadline);
        flow
    }

    /// Takes the first waiting row of the key in `self.key` into the frame: its input, none if it cannot be read.
    fn next_waiting(&mut self, time: i64, frame: &mut Frame, arena: &Arena) -> Option<Option<usize>> {
        let key = KeyRef::new(&self.key);
        let rows = self.waiting.at(key, time);
        let row = rows.pop_front()?;
        match rows.front() {
            Some(next) => self.timers.set(key, next.time),
            None => self.waiting.remove(key),
        }
        let input = row.input as usize;
        let columns = self.columns.get(input);
        Some(columns.is_some_and(|columns| row.put(frame, columns, arena)).then_some(input))
    }
}

impl Bolt for Task {
    fn resolve(&mut self, input: usize, run: &Run) {
        self.inner.resolve(input, run);
    }

    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        // At the watermark, rows of the first input come before all others, but for those that already wait.
        let first = input == 0 && time == step.watermark && self.timers.earliest() > time;
        let passed = time < step.watermark || first;
        if passed {
            let (watermark, index) = (step.watermark, step.index);
            return self.take(input, frame, step, watermark, index);
        }
        let Some(key) = self.keys[input].read(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        let row = Waiting::new(input, frame, &self.columns[input]);
        let rows = self.waiting.at(key, time);
        let at = rows.partition_point(|known| (known.time, known.input) <= (time, input as u32));
        rows.insert(at, row);
        if at == 0 {
            if let Some(second) = rows.get(1).map(|row| row.time).filter(|second| *second != time) {
                self.timers.cancel(key, second);
            }
            self.timers.set(key, time);
            step.wake_after(time);
        }
        Flow::Skip
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let now = self.now;
        let index = step.index;
        let mut inside = Task::inside(&mut self.inner_deadline, step, now, index);
        let row = self.inner.next_row(frame, &mut inside);
        step.wake_after(self.inner_deadline);
        row
    }

    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let first = self.timers.earliest();
        let bound = first.min(step.watermark);
        if self.inner_deadline < bound {
            let early = self.inner_deadline < self.inner.deadline();
            self.inner_deadline = if early { self.inner.deadline() } else { i64::MAX };
            let flow = if early {
                None
            } else {
                self.now = bound;
                // Only the end of the input is the end of time.
                let mut inside = Task::inside(&mut self.inner_deadline, step, bound, RUN_TUPLES);
                self.inner.fire(frame, &mut inside)
            };
            step.wake_after(self.inner_deadline.min(first));
            return Some(flow.unwrap_or(Flow::Skip));
        }
        let due = self.timers.due(step.watermark, &mut self.key);
        let flow = due.map(|time| match self.next_waiting(time, frame, step.arena) {
            None => Flow::Skip,
            Some(Some(input)) => self.take(input, frame, step, time, RUN_TUPLES),
            Some(None) => step.error("damaged", "a stored row cannot be read"),
        });
        step.wake_after(self.timers.earliest().min(self.inner_deadline));
        flow
    }

    fn deadline(&self) -> i64 {
        self.inner_deadline.min(self.timers.earliest())
    }

    fn holds_back(&self) -> Option<i64> {
        self.inner.holds_back()
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        self.inner.states(each);
        each(&mut self.waiting);
        each(&mut self.timers);
    }

    fn barrier(&mut self, epoch: u64) {
        self.inner.barrier(epoch);
    }

    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        self.inner.committed(epoch)
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        self.inner.idle()
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.inner.finish(sections)
    }
}

#[cfg(test)]
mod tests;
