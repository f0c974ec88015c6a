//! Which columns of a stream are read downstream: what a channel must carry.

use crate::component::ColumnSource;
use crate::config::{Checked, CheckedBolt, StreamId};

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
