//! Slots: where the columns of streams and inputs stand in the frames of one pipeline.
//!
//! A stream that a bolt of the pipeline emits has a new slot for each computed column and shares those of the bolt's
//! input for the rest; a stream that comes from outside has a new slot for each column. Several streams united to one
//! input get slots of their own, which edges copy into.

use super::plan::{Entry, Plan, TaskId};
use crate::component::ColumnSource;
use crate::config::{Checked, Owner, StreamId};
use crate::tuple::{Layout, Slot};
use std::collections::HashMap;

/// The slots of one pipeline.
pub struct Slots {
    layout: Layout,
    streams: HashMap<StreamId, Vec<Slot>>,
    inputs: HashMap<(usize, usize), Vec<Slot>>,
    scratch: HashMap<usize, Vec<Slot>>,
}

/// Slot numbers while they are given out.
#[derive(Default)]
struct Numbers {
    count: usize,
    streams: HashMap<StreamId, Vec<usize>>,
    inputs: HashMap<(usize, usize), Vec<usize>>,
    scratch: HashMap<usize, Vec<usize>>,
}

impl Numbers {
    fn fresh(&mut self, n: usize) -> Vec<usize> {
        self.count += n;
        (self.count - n..self.count).collect()
    }
}

impl Slots {
    /// Gives out the slots of pipeline `number` of a plan.
    pub fn of_pipeline(plan: &Plan, checked: &Checked, entries: &[Entry], number: usize) -> Slots {
        let mut numbers = Numbers::default();
        let tasks = &plan.pipelines[number].tasks;
        let mut bolts: Vec<usize> = Vec::new();
        for task in tasks {
            match task {
                TaskId::Entry(entry, _) => {
                    let outputs = entries[*entry].spout.map_or(&[][..], |s| &checked.spouts[s].outputs);
                    for stream in outputs.iter().chain([&entries[*entry].stream]) {
                        outside(&mut numbers, checked, *stream);
                    }
                }
                TaskId::Bolt(bolt, _) if !bolts.contains(bolt) => bolts.push(*bolt),
                TaskId::Bolt(..) => {}
            }
        }
        for bolt in bolts {
            of_bolt(&mut numbers, checked, bolt);
        }
        // A sender of this pipeline names a stream that a task of it emits; a receiver, one that a bolt of it reads.
        let layout = Layout::new(numbers.count);
        let slots = |all: Vec<usize>| all.into_iter().map(|n| layout.slot(n)).collect::<Vec<_>>();
        Slots {
            layout,
            streams: numbers.streams.into_iter().map(|(k, v)| (k, slots(v))).collect(),
            inputs: numbers.inputs.into_iter().map(|(k, v)| (k, slots(v))).collect(),
            scratch: numbers.scratch.into_iter().map(|(k, v)| (k, slots(v))).collect(),
        }
    }

    /// The layout of the pipeline's frames.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Slots of a stream that is emitted or read in the pipeline.
    pub fn stream(&self, stream: StreamId) -> &[Slot] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// Slots of an input of a bolt of the pipeline.
    pub fn input(&self, bolt: usize, input: usize) -> &[Slot] {
        &self.inputs[&(bolt, input)]
    }

    /// Private slots of a bolt of the pipeline.
    pub fn scratch(&self, bolt: usize) -> &[Slot] {
        &self.scratch[&bolt]
    }

    /// What an edge into a bolt of the pipeline copies; none where the input's slots are the stream's.
    pub fn moves(&self, checked: &Checked, bolt: usize, edge: usize) -> Option<Vec<(Option<Slot>, Slot)>> {
        let checked = &checked.bolts[bolt];
        if !checked.united || checked.edges.len() < 2 {
            return None;
        }
        let stream = self.stream(checked.edges[edge].stream);
        let columns = checked.edges[edge].columns.iter().zip(self.input(bolt, 0));
        Some(columns.map(|(from, to)| (from.map(|c| stream[c]), *to)).collect())
    }
}

/// A stream that comes from outside.
fn outside(numbers: &mut Numbers, checked: &Checked, stream: StreamId) {
    if !numbers.streams.contains_key(&stream) {
        let fresh = numbers.fresh(checked.streams[stream].columns.len());
        numbers.streams.insert(stream, fresh);
    }
}

/// The inputs and outputs of a bolt; bolts come in topological order, so its inputs' streams are known or from outside.
fn of_bolt(numbers: &mut Numbers, checked: &Checked, number: usize) {
    let bolt = &checked.bolts[number];
    for edge in &bolt.edges {
        outside(numbers, checked, edge.stream);
    }
    if bolt.united && bolt.edges.len() > 1 {
        let fresh = numbers.fresh(bolt.inputs[0].columns.len());
        numbers.inputs.insert((number, 0), fresh);
    } else {
        for (n, edge) in bolt.edges.iter().enumerate() {
            let stream = &numbers.streams[&edge.stream];
            let slots = edge.columns.iter().map(|c| c.map_or(0, |c| stream[c])).collect();
            numbers.inputs.insert((number, n), slots);
        }
    }
    let scratch = numbers.fresh(bolt.plan.scratch());
    numbers.scratch.insert(number, scratch);
    for (port, stream) in bolt.outputs.iter().enumerate() {
        debug_assert!(matches!(checked.streams[*stream].owner, Owner::Bolt(b) if b == number));
        let mut slots = Vec::new();
        for column in &checked.streams[*stream].columns {
            slots.push(match column.source {
                ColumnSource::Input(n) => numbers.inputs[&(number, 0)][n],
                ColumnSource::Main(n) if port > 0 => numbers.streams[&bolt.outputs[0]][n],
                ColumnSource::Computed | ColumnSource::Main(_) => numbers.fresh(1)[0],
            });
        }
        numbers.streams.insert(*stream, slots);
    }
}
