//! The planner: a checked topology and a core budget become executors, pipelines and channels. Pure.
//!
//! 1. Every component gets tasks and every task an executor ([`super::place`]).
//! 2. Every edge becomes, for each sending task, a way to choose among receiving tasks ([`Way`]); a stream that is
//!    divided by the receiver's key already goes straight on.
//! 3. Every task starts as a pipeline of its own; an edge between tasks of one executor fuses their pipelines unless
//!    that would make the graph of pipelines cyclic (there would then be a way out of the pipeline and back into it).
//! 4. What is not fused becomes a channel: one for each edge, sending pipeline and receiving task.
//! 5. An executor visits its pipelines in reverse topological order.

use super::budget::CoreBudget;
use super::columns;
use super::partition;
use super::place::{self, Placement};
use crate::component::SpoutPlan;
use crate::config::{Checked, Grouping, Owner, StreamId};
use std::collections::HashMap;
use std::sync::Arc;

/// Something that puts tuples into a stream from outside: a spout, or a test's feed.
#[derive(Clone)]
pub struct Entry {
    /// The name in reports.
    pub id: String,
    /// The stream.
    pub stream: StreamId,
    /// What is read.
    pub plan: Arc<dyn SpoutPlan>,
    /// Names of its splits.
    pub splits: Vec<String>,
    /// Number of tasks asked for.
    pub tasks: Option<usize>,
    /// How far event times may go back, microseconds.
    pub disorder: i64,
    /// After what silence it no longer holds time back, microseconds.
    pub idle: Option<i64>,
    /// Index of the spout, for its side streams; none for a feed.
    pub spout: Option<usize>,
    /// What is different about it where it replays dead letters.
    pub replay: Option<ReplayEntry>,
}

/// An entry that replays dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    /// The one bolt that reads it, and by which of its edges; none: all readers of the stream.
    pub only: Option<(usize, usize)>,
    /// What it promises about time, from the start to the end: its tuples are those that time has left behind.
    pub since: i64,
}

/// A task: of an entry or of a bolt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskId {
    /// Entry, task.
    Entry(usize, usize),
    /// Bolt, task.
    Bolt(usize, usize),
}

/// How a sending task chooses among receiving tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The only one.
    One,
    /// By the shard of the key.
    Hash,
    /// By the key, the less loaded of two.
    TwoChoice,
    /// In turn.
    Rotate,
    /// To all.
    All,
    /// By expression.
    Direct,
}

/// From one sending task along one edge.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The sender.
    pub from: TaskId,
    /// The receiving bolt.
    pub bolt: usize,
    /// Which of its edges.
    pub edge: usize,
    /// How the receiver is chosen.
    pub way: Way,
    /// Receiving tasks, in order.
    pub to: Vec<usize>,
}

/// A pipeline.
#[derive(Clone, Debug, Default)]
pub struct PipelinePlan {
    /// Its executor.
    pub executor: usize,
    /// Its tasks, in topological order.
    pub tasks: Vec<TaskId>,
}

/// A channel.
#[derive(Clone, Debug)]
pub struct ChannelPlan {
    /// The sending pipeline.
    pub from: usize,
    /// The receiving pipeline.
    pub to: usize,
    /// The stream.
    pub stream: StreamId,
    /// The receiving bolt, its edge and task.
    pub bolt: usize,
    /// Which of the bolt's edges.
    pub edge: usize,
    /// Which of the bolt's tasks.
    pub task: usize,
    /// The columns of the stream that it carries.
    pub columns: Vec<usize>,
}

/// A plan.
pub struct Plan {
    /// Executors: the core each is pinned to, if any.
    pub cores: Vec<Option<usize>>,
    /// Whether executors have a core each; if not they may not spin.
    pub cores_shared: bool,
    /// Where tasks are.
    pub placement: Placement,
    /// What tuples do along edges.
    pub hops: Vec<Hop>,
    /// Pipelines, in topological order.
    pub pipelines: Vec<PipelinePlan>,
    /// The pipeline of each task.
    pub pipeline_of: HashMap<TaskId, usize>,
    /// Channels.
    pub channels: Vec<ChannelPlan>,
    /// For each stream, which columns are read downstream.
    pub needed: Vec<Vec<bool>>,
}

/// Plans a topology.
pub fn plan(checked: &Checked, entries: &[Entry], budget: &CoreBudget) -> Plan {
    let placement = place::place(checked, entries, budget.executors());
    let hops = hops(checked, entries, &placement);
    let pipeline_of = fuse(checked, entries, &placement, &hops);
    let (pipelines, pipeline_of) = order(checked, &placement, &hops, pipeline_of);
    let needed = columns::needed(checked);
    let channels = channels(checked, &hops, &pipeline_of, &needed);
    Plan {
        cores: budget.cores.clone(),
        cores_shared: budget.shared,
        placement,
        hops,
        pipelines,
        pipeline_of,
        channels,
        needed,
    }
}

/// The tasks that put tuples into a stream.
pub fn senders(checked: &Checked, entries: &[Entry], placement: &Placement, stream: StreamId) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    for (e, entry) in entries.iter().enumerate() {
        let own = entry.spout.is_some_and(|s| checked.spouts[s].outputs.contains(&stream));
        if entry.stream == stream || own {
            tasks.extend((0..placement.entries[e].len()).map(|k| TaskId::Entry(e, k)));
        }
    }
    if let Owner::Bolt(b) = checked.streams[stream].owner {
        tasks.extend((0..placement.bolts[b].len()).map(|k| TaskId::Bolt(b, k)));
    }
    tasks
}

fn hops(checked: &Checked, entries: &[Entry], placement: &Placement) -> Vec<Hop> {
    let mut hops = Vec::new();
    let partitions = partition::partitions(checked, placement);
    for (b, bolt) in checked.bolts.iter().enumerate() {
        let executors = &placement.bolts[b];
        let all: Vec<usize> = (0..executors.len()).collect();
        for (e, edge) in bolt.edges.iter().enumerate() {
            let keyed = bolt.key.iter().any(|k| !k.is_empty());
            let input = if bolt.united { 0 } else { e };
            let key: Option<Vec<usize>> = bolt.key[input].iter().map(|c| edge.columns[*c]).collect();
            let divided = partitions[edge.stream].as_ref();
            let divided = divided.is_some_and(|p| Some(&p.columns) == key.as_ref() && p.executors == *executors);
            for from in senders(checked, entries, placement, edge.stream) {
                if let TaskId::Entry(entry, _) = from
                    && entries[entry].replay.and_then(|replay| replay.only).is_some_and(|only| only != (b, e))
                {
                    continue;
                }
                let here = placement.executor(from);
                let local: Vec<usize> = all.iter().copied().filter(|t| executors[*t] == here).collect();
                let near = if local.is_empty() { all.clone() } else { local };
                let (way, to) = match &edge.grouping {
                    Some(Grouping::All) => (Way::All, all.clone()),
                    Some(Grouping::Global) => (Way::One, vec![0]),
                    Some(Grouping::Shuffle) => (Way::Rotate, all.clone()),
                    Some(Grouping::Direct(_)) => (Way::Direct, all.clone()),
                    Some(Grouping::PartialKey) => (Way::TwoChoice, all.clone()),
                    Some(Grouping::Fields) | None if keyed && divided => match from {
                        TaskId::Bolt(_, task) => (Way::One, vec![task]),
                        TaskId::Entry(..) => (Way::Hash, all.clone()),
                    },
                    Some(Grouping::Fields) => (Way::Hash, all.clone()),
                    Some(Grouping::None | Grouping::LocalOrShuffle) => (Way::Rotate, near),
                    None if keyed => (Way::Hash, all.clone()),
                    None => (Way::Rotate, near),
                };
                let way = if to.len() == 1 && way != Way::Direct { Way::One } else { way };
                hops.push(Hop { from, bolt: b, edge: e, way, to });
            }
        }
    }
    hops
}

/// Gives every task the number of its pipeline (not yet in order).
fn fuse(checked: &Checked, entries: &[Entry], placement: &Placement, hops: &[Hop]) -> HashMap<TaskId, usize> {
    let mut tasks: Vec<TaskId> = Vec::new();
    for e in 0..entries.len() {
        tasks.extend((0..placement.entries[e].len()).map(|k| TaskId::Entry(e, k)));
    }
    for b in 0..checked.bolts.len() {
        tasks.extend((0..placement.bolts[b].len()).map(|k| TaskId::Bolt(b, k)));
    }
    let mut of: HashMap<TaskId, usize> = tasks.iter().enumerate().map(|(n, t)| (*t, n)).collect();
    for hop in hops {
        for to in &hop.to {
            let to = TaskId::Bolt(hop.bolt, *to);
            if placement.executor(hop.from) != placement.executor(to) {
                continue;
            }
            let (a, b) = (of[&hop.from], of[&to]);
            if a != b && !has_detour(hops, &of, a, b) {
                of.values_mut().filter(|p| **p == b).for_each(|p| *p = a);
            }
        }
    }
    of
}

/// Whether there is a way from pipeline `a` to pipeline `b` through a third.
fn has_detour(hops: &[Hop], of: &HashMap<TaskId, usize>, a: usize, b: usize) -> bool {
    let mut edges: HashMap<usize, Vec<usize>> = HashMap::new();
    for hop in hops {
        let from = of[&hop.from];
        for to in &hop.to {
            let to = of[&TaskId::Bolt(hop.bolt, *to)];
            if from != to {
                edges.entry(from).or_default().push(to);
            }
        }
    }
    let mut seen = vec![];
    let mut next: Vec<usize> = edges.get(&a).into_iter().flatten().copied().filter(|p| *p != b).collect();
    while let Some(at) = next.pop() {
        if at == b {
            return true;
        }
        if !seen.contains(&at) {
            seen.push(at);
            next.extend(edges.get(&at).into_iter().flatten());
        }
    }
    false
}

/// Numbers the pipelines in topological order and lists their tasks.
fn order(
    checked: &Checked,
    placement: &Placement,
    hops: &[Hop],
    of: HashMap<TaskId, usize>,
) -> (Vec<PipelinePlan>, HashMap<TaskId, usize>) {
    let mut old: Vec<usize> = of.values().copied().collect();
    old.sort_unstable();
    old.dedup();
    let mut depth: HashMap<usize, usize> = old.iter().map(|p| (*p, 0)).collect();
    // The graph is acyclic: after as many rounds as there are pipelines nothing changes any more.
    for _ in 0..old.len() {
        for hop in hops {
            for to in &hop.to {
                let (a, b) = (of[&hop.from], of[&TaskId::Bolt(hop.bolt, *to)]);
                if a != b {
                    let deeper = depth[&a] + 1;
                    let at = depth.entry(b).or_default();
                    *at = (*at).max(deeper);
                }
            }
        }
    }
    old.sort_by_key(|p| (depth[p], *p));
    let number: HashMap<usize, usize> = old.iter().enumerate().map(|(n, p)| (*p, n)).collect();
    let of: HashMap<TaskId, usize> = of.into_iter().map(|(t, p)| (t, number[&p])).collect();
    let mut pipelines = vec![PipelinePlan::default(); old.len()];
    let mut tasks: Vec<TaskId> = of.keys().copied().collect();
    // Entries come first and bolts are numbered in topological order.
    tasks.sort_unstable();
    debug_assert!(checked.bolts.len() >= placement.bolts.len());
    for task in tasks {
        let pipeline = &mut pipelines[of[&task]];
        pipeline.executor = placement.executor(task);
        pipeline.tasks.push(task);
    }
    (pipelines, of)
}

fn channels(
    checked: &Checked,
    hops: &[Hop],
    pipeline_of: &HashMap<TaskId, usize>,
    needed: &[Vec<bool>],
) -> Vec<ChannelPlan> {
    let mut channels: Vec<ChannelPlan> = Vec::new();
    for hop in hops {
        let from = pipeline_of[&hop.from];
        let stream = checked.bolts[hop.bolt].edges[hop.edge].stream;
        for task in &hop.to {
            let to = pipeline_of[&TaskId::Bolt(hop.bolt, *task)];
            let same = |c: &ChannelPlan| (c.from, c.bolt, c.edge, c.task) == (from, hop.bolt, hop.edge, *task);
            if from == to || channels.iter().any(same) {
                continue;
            }
            let columns = (0..needed[stream].len()).filter(|c| needed[stream][*c]).collect();
            channels.push(ChannelPlan { from, to, stream, bolt: hop.bolt, edge: hop.edge, task: *task, columns });
        }
    }
    channels
}
