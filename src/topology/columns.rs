//! Which columns of a stream are read downstream: what a channel must carry.

use super::plan::{Entry, Plan, TaskId};
use crate::component::ColumnSource;
use crate::config::{Checked, CheckedBolt, StreamId};
use std::collections::HashMap;

/// For each stream, for each column, whether anything downstream reads it.
pub fn needed(checked: &Checked) -> Vec<Vec<bool>> {
    let mut needed: Vec<Vec<bool>> = checked.streams.iter().map(|s| vec![false; s.columns.len()]).collect();
    for bolt in checked.bolts.iter().rev() {
        let inputs = read_by(checked, bolt, &mut needed);
        for (edge, from) in bolt.edges.iter().enumerate() {
            let input = if bolt.united { 0 } else { edge };
            for (column, read) in inputs[input].iter().enumerate() {
                if let (true, Some(Some(column))) = (*read, from.columns.get(column)) {
                    needed[from.stream][*column] = true;
                }
            }
            if let Some(crate::config::Grouping::Direct(task)) = &from.grouping {
                task.columns().iter().for_each(|c| needed[from.stream][*c] = true);
            }
        }
    }
    needed
}

/// For each stream that is emitted or read in a pipeline, for each column, whether it is there: a channel carries only
/// what is needed.
pub fn there(plan: &Plan, checked: &Checked, entries: &[Entry], pipeline: usize) -> HashMap<StreamId, Vec<bool>> {
    let mut there: HashMap<StreamId, Vec<bool>> = HashMap::new();
    let both = |there: &mut HashMap<StreamId, Vec<bool>>, stream: StreamId, own: Vec<bool>| match there.get_mut(&stream)
    {
        Some(known) => known.iter_mut().zip(own).for_each(|(known, own)| *known &= own),
        None => _ = there.insert(stream, own),
    };
    for channel in plan.channels.iter().filter(|c| c.to == pipeline) {
        let carried = (0..checked.streams[channel.stream].columns.len()).map(|c| channel.columns.contains(&c));
        both(&mut there, channel.stream, carried.collect());
    }
    // Tasks stand in topological order: what a bolt reads is known before what it emits.
    let mut done: Vec<usize> = Vec::new();
    for task in &plan.pipelines[pipeline].tasks {
        match *task {
            TaskId::Entry(entry, _) => {
                let sides = entries[entry].spout.map_or(&[][..], |s| &checked.spouts[s].outputs);
                for stream in sides.iter().filter(|s| **s != entries[entry].stream).chain([&entries[entry].stream]) {
                    both(&mut there, *stream, vec![true; checked.streams[*stream].columns.len()]);
                }
            }
            TaskId::Bolt(bolt, _) if !done.contains(&bolt) => {
                done.push(bolt);
                for (stream, own) in emitted(checked, &checked.bolts[bolt], &there) {
                    both(&mut there, stream, own);
                }
            }
            TaskId::Bolt(..) => {}
        }
    }
    there
}

/// For each output of a bolt, which of its columns are there.
fn emitted(checked: &Checked, bolt: &CheckedBolt, there: &HashMap<StreamId, Vec<bool>>) -> Vec<(StreamId, Vec<bool>)> {
    let of_stream = |stream: StreamId, column: usize| there.get(&stream).is_some_and(|columns| columns[column]);
    let of_input = |n: usize| {
        // What is copied into one slot from several streams is there if it is in all of them.
        bolt.edges.iter().all(|edge| edge.columns.get(n).copied().flatten().is_none_or(|c| of_stream(edge.stream, c)))
    };
    let own = |source: ColumnSource| match source {
        ColumnSource::Input(n) => of_input(n),
        ColumnSource::Computed | ColumnSource::Main(_) => true,
    };
    let main: Vec<bool> = checked.streams[bolt.outputs[0]].columns.iter().map(|c| own(c.source)).collect();
    let outputs = bolt.outputs.iter().map(|stream| {
        let columns = checked.streams[*stream].columns.iter().map(|c| match c.source {
            ColumnSource::Main(n) => main[n],
            source => own(source),
        });
        (*stream, columns.collect())
    });
    outputs.collect()
}

/// For each input of a bolt, which columns it needs, given what is needed of its outputs.
fn read_by(checked: &Checked, bolt: &CheckedBolt, needed: &mut [Vec<bool>]) -> Vec<Vec<bool>> {
    let mut inputs: Vec<Vec<bool>> = bolt.inputs.iter().map(|i| vec![false; i.columns.len()]).collect();
    if let (Some(having), Some(main)) = (&bolt.having, bolt.outputs.first()) {
        having.columns().iter().for_each(|c| needed[*main][*c] = true);
    }
    for (n, columns) in inputs.iter_mut().enumerate() {
        match bolt.plan.reads(n) {
            None => columns.fill(true),
            Some(read) => read.iter().for_each(|c| columns[*c] = true),
        }
        bolt.key.get(n).into_iter().flatten().for_each(|c| columns[*c] = true);
        let filter = bolt.filter.get(n).and_then(Option::as_ref);
        filter.into_iter().flat_map(|f| f.columns()).for_each(|c| columns[*c] = true);
    }
    for stream in bolt.outputs.iter().rev() {
        for column in 0..needed[*stream].len() {
            if needed[*stream][column] {
                mark(checked, bolt, *stream, column, needed, &mut inputs);
            }
        }
    }
    inputs
}

/// An output column is needed: so is where it comes from.
fn mark(
    checked: &Checked,
    bolt: &CheckedBolt,
    stream: StreamId,
    column: usize,
    needed: &mut [Vec<bool>],
    inputs: &mut [Vec<bool>],
) {
    match checked.streams[stream].columns[column].source {
        ColumnSource::Computed => {}
        ColumnSource::Input(input) => inputs[0][input] = true,
        ColumnSource::Main(main) => {
            let stream = bolt.outputs[0];
            needed[stream][main] = true;
            mark(checked, bolt, stream, main, needed, inputs);
        }
    }
}
