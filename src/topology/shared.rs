//! Which readers of a stream have their conditions tested together.
//!
//! Pure: the plan is assembled and explained from the same answer. A reader can share where it stands in the pipeline of
//! the stream, reads it as it is, has `where`, and nobody reads what it refuses.

use super::plan::{Hop, Plan, TaskId, Way};
use crate::config::{Checked, StreamId};
use crate::expr::{Condition, Conditions};
use std::ops::Range;

/// Readers that are tested together: their places among the hops, and their conditions.
pub(super) type Group = (Range<usize>, Conditions);

/// The hops of a stream from one sending task, in the order in which its tuples follow them.
pub(super) fn hops_of<'a>(checked: &Checked, plan: &'a Plan, from: TaskId, stream: StreamId) -> Vec<&'a Hop> {
    let reads = |h: &&Hop| h.from == from && checked.bolts[h.bolt].edges[h.edge].stream == stream;
    plan.hops.iter().filter(reads).collect()
}

/// The groups among these hops. Readers of a group stand one behind the other, so that nothing changes its turn.
pub(super) fn groups(checked: &Checked, plan: &Plan, hops: &[&Hop]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    let can: Vec<bool> = hops.iter().map(|hop| can_share(checked, plan, hop)).collect();
    for run in can.chunk_by(|a, b| a == b) {
        let range = start..start + run.len();
        start = range.end;
        if run[0] {
            let filter = |hop: &&Hop| checked.bolts[hop.bolt].filter[input(checked, hop)].clone();
            let list = hops[range.clone()].iter().map(|hop| Condition { expr: filter(hop), every: false });
            let conditions = Conditions::new(list);
            if conditions.has_index() {
                groups.push((range, conditions));
            }
        }
    }
    groups
}

fn input(checked: &Checked, hop: &Hop) -> usize {
    if checked.bolts[hop.bolt].united { 0 } else { hop.edge }
}

fn can_share(checked: &Checked, plan: &Plan, hop: &Hop) -> bool {
    let bolt = &checked.bolts[hop.bolt];
    let local =
        hop.way == Way::One && plan.pipeline_of[&TaskId::Bolt(hop.bolt, hop.to[0])] == plan.pipeline_of[&hop.from];
    // United inputs have slots of their own, which are filled on the way in.
    let as_it_is = !bolt.united || bolt.edges.len() < 2;
    local && as_it_is && bolt.filter[input(checked, hop)].is_some() && !rejected_is_read(checked, hop.bolt)
}

/// Whether somebody reads what a bolt refuses.
fn rejected_is_read(checked: &Checked, bolt: usize) -> bool {
    let outputs = checked.bolts[bolt].plan.outputs();
    let Some(port) = outputs.iter().position(|o| o.suffix == "rejected") else { return false };
    let stream = checked.bolts[bolt].outputs[port];
    checked.bolts.iter().any(|reader| reader.edges.iter().any(|edge| edge.stream == stream))
}
