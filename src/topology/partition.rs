//! Which streams are already divided by a key: a bolt with the same key behind them needs no exchange.

use super::place::Placement;
use crate::component::ColumnSource;
use crate::config::{Checked, CheckedBolt, Grouping};

/// How the tuples of a stream are divided among the tasks that emit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The key, as columns of the stream, in order.
    pub columns: Vec<usize>,
    /// The executor of each task.
    pub executors: Vec<usize>,
}

/// The partition of every stream, where it has one.
pub fn partitions(checked: &Checked, placement: &Placement) -> Vec<Option<Partition>> {
    let mut found: Vec<Option<Partition>> = vec![None; checked.streams.len()];
    for (b, bolt) in checked.bolts.iter().enumerate() {
        let executors = &placement.bolts[b];
        // Columns of an input are shared with the output by bolts with one input only.
        let ([input], [edge]) = (&bolt.inputs[..], &bolt.edges[..]) else { continue };
        let key = bolt.key.first().filter(|k| !k.is_empty());
        let by_key = matches!(edge.grouping, None | Some(Grouping::Fields));
        let columns = match (key, &found[edge.stream]) {
            (Some(key), _) if by_key => key.clone(),
            // A bolt without a key that stays where its input is hands the division on.
            (None, Some(partition)) if edge.grouping.is_none() && partition.executors == *executors => {
                let position = |c: &usize| edge.columns.iter().position(|from| *from == Some(*c));
                match partition.columns.iter().map(position).collect() {
                    Some(columns) => columns,
                    None => continue,
                }
            }
            _ => continue,
        };
        debug_assert!(columns.iter().all(|c| *c < input.columns.len()));
        for stream in &bolt.outputs {
            let own: Option<Vec<usize>> = columns.iter().map(|c| output_of(checked, bolt, *stream, *c)).collect();
            found[*stream] = own.map(|columns| Partition { columns, executors: executors.clone() });
        }
    }
    found
}

/// The column of a stream that is this column of the bolt's input, if there is one.
fn output_of(checked: &Checked, bolt: &CheckedBolt, stream: usize, input: usize) -> Option<usize> {
    let main = &checked.streams[bolt.outputs[0]].columns;
    checked.streams[stream].columns.iter().position(|column| match column.source {
        ColumnSource::Input(from) => from == input,
        ColumnSource::Main(at) => main.get(at).is_some_and(|c| c.source == ColumnSource::Input(input)),
        ColumnSource::Computed => false,
    })
}
