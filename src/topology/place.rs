//! Placement: how many tasks a component has, and which executor each runs on. Pure.
//!
//! With one executor everything is one task there. With several: a spout has one task unless `tasks` says otherwise; a
//! keyed bolt has one on each executor; a bolt that keeps state without a key, and a sink, has one; a stateless bolt
//! has one wherever its input is, so that it costs no hop.

use super::plan::{Entry, TaskId};
use crate::component::Keyed;
use crate::config::{Checked, CheckedBolt, Grouping, Owner};

/// The executor of every task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Of entries, by task.
    pub entries: Vec<Vec<usize>>,
    /// Of bolts, by task.
    pub bolts: Vec<Vec<usize>>,
}

impl Placement {
    /// The executor of a task.
    pub fn executor(&self, task: TaskId) -> usize {
        match task {
            TaskId::Entry(e, k) => self.entries[e][k],
            TaskId::Bolt(b, k) => self.bolts[b][k],
        }
    }
}

/// Places all tasks on `executors` executors.
pub fn place(checked: &Checked, entries: &[Entry], executors: usize) -> Placement {
    let mut load = vec![0usize; executors];
    let mut placement = Placement::default();
    for entry in entries {
        let tasks = entry.tasks.unwrap_or(1).clamp(1, entry.splits.len().max(1));
        placement.entries.push((0..tasks).map(|_| least(&mut load)).collect());
    }
    for bolt in &checked.bolts {
        let upstream = upstream(checked, entries, &placement, bolt);
        placement.bolts.push(place_bolt(bolt, &upstream, &mut load));
    }
    placement
}

/// The executor with the least load, which it is added to.
fn least(load: &mut [usize]) -> usize {
    let at = (0..load.len()).min_by_key(|n| load[*n]).unwrap_or(0);
    load[at] += 1;
    at
}

fn place_bolt(bolt: &CheckedBolt, upstream: &[usize], load: &mut [usize]) -> Vec<usize> {
    let executors = load.len();
    let keyed = bolt.key.iter().any(|k| !k.is_empty());
    let sink = bolt.plan.outputs().is_empty();
    // State belongs to the task that owns its shard: where all tuples go to one task, there is one.
    let global = bolt.edges.iter().all(|edge| matches!(edge.grouping, Some(Grouping::Global)));
    let single = bolt.keyed == Keyed::Global || bolt.plan.stateful() && (!keyed || global);
    match bolt.tasks {
        Some(_) if global && keyed && bolt.plan.stateful() => vec![least(load)],
        Some(tasks) if tasks >= executors => (0..tasks).map(|k| k % executors).collect(),
        Some(tasks) => (0..tasks).map(|_| least(load)).collect(),
        // A sink or a global bolt sees little: it stays with the first task of its input.
        None if sink || single => vec![upstream.first().copied().unwrap_or(0)],
        None if keyed => (0..executors).collect(),
        None if upstream.is_empty() => vec![0],
        None => upstream.to_vec(),
    }
}

/// The executors on which tuples of a bolt's inputs are made, ascending.
fn upstream(checked: &Checked, entries: &[Entry], placement: &Placement, bolt: &CheckedBolt) -> Vec<usize> {
    let mut found = Vec::new();
    for edge in &bolt.edges {
        if let Owner::Bolt(b) = checked.streams[edge.stream].owner {
            found.extend(placement.bolts.get(b).into_iter().flatten());
        }
        for (e, entry) in entries.iter().enumerate() {
            if entry.stream == edge.stream || checked.streams[edge.stream].owner == spout_of(entry) {
                found.extend(&placement.entries[e]);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn spout_of(entry: &Entry) -> Owner {
    Owner::Spout(entry.spout.unwrap_or(usize::MAX))
}
