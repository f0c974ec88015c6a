//! Assembling: a plan becomes executors, with everything allocated and every split opened; nothing runs yet.

mod inputs;
mod letters;

pub use letters::Letterbox;

use super::plan::{ChannelPlan, Entry, Hop, Plan, TaskId, Way};
use super::shared;
use super::slots::Slots;
use crate::component::{BoltBuild, ComponentError, OutputStream};
use crate::config::{Checked, Grouping, StreamId};
use crate::dead::LATE;
use crate::executor::{
    Columns, Control, Destination, Dispatch, ErrorSlots, Executor, Input, Mechanism, Node, Parker, Pipeline, Program,
    Receiver, Router, Sender, Source, Target, Targets, Task, TaskMeter, Wait, record_words,
};
use crate::ring;
use crate::store::{KeyReader, Space};
use crate::time::Clock;
use std::collections::HashMap;
use std::sync::Arc;

/// What assembling needs beside the plan.
pub struct Parts<'a> {
    /// The topology.
    pub checked: &'a Checked,
    /// Where tuples come from.
    pub entries: &'a [Entry],
    /// The clock of all executors.
    pub clock: Arc<dyn Clock>,
    /// Orders from outside.
    pub control: Arc<Control>,
    /// How executors wait.
    pub wait: Wait,
    /// Tuples a channel holds.
    pub ring_capacity_tuples: usize,
    /// Of how many tuples one has its service times measured.
    pub sample: u32,
    /// The topology's store; none if state lives in memory only.
    pub space: Option<Arc<Space>>,
    /// What becomes of errors and late rows that nobody reads, and what is known to make components panic; none: they
    /// are counted, and nothing is.
    pub letters: Option<Letterbox>,
}

/// Makes the executors of a plan.
///
/// # Errors
/// A split cannot be opened, or a sink cannot be created.
pub fn assemble(plan: &Plan, parts: &Parts<'_>) -> Result<Vec<Executor>, ComponentError> {
    let slots: Vec<Slots> =
        (0..plan.pipelines.len()).map(|p| Slots::of_pipeline(plan, parts.checked, parts.entries, p)).collect();
    let mut senders: HashMap<usize, Sender> = HashMap::new();
    let mut receivers: HashMap<usize, Receiver> = HashMap::new();
    for (id, channel) in plan.channels.iter().enumerate() {
        let (producer, consumer) = ring::ring(ring_words(parts, channel));
        let columns = |p: usize| carried(parts.checked, &slots[p], channel);
        senders.insert(id, Sender::new(producer, columns(channel.from)));
        receivers.insert(id, Receiver::new(consumer, columns(channel.to)));
    }
    let mut executors: Vec<Vec<(Pipeline, Vec<usize>)>> = plan.cores.iter().map(|_| Vec::new()).collect();
    for (p, pipeline) in plan.pipelines.iter().enumerate() {
        let assembly = Assembly { plan, parts, slots: &slots[p], pipeline: p, split_ids: split_ids(parts.entries) };
        let built = assembly.build(&mut senders, &mut receivers)?;
        executors[pipeline.executor].push(built);
    }
    let parkers: Vec<Arc<Parker>> = executors.iter().map(|_| Arc::default()).collect();
    let mut built = Vec::new();
    for (index, mut pipelines) in executors.into_iter().enumerate() {
        // Topological order, turned around: the deepest can always move.
        pipelines.reverse();
        let (pipelines, ids): (Vec<_>, Vec<_>) = pipelines.into_iter().unzip();
        let mut executor = Executor::new(index, pipelines, parts.wait, parts.control.clone(), parts.clock.clone());
        executor.sender_ids = ids;
        executor.space = parts.space.clone();
        executor.parker = parkers[index].clone();
        // Who spins or yields is never asleep.
        let sleep = !matches!(parts.wait, Wait::Spin | Wait::Yield);
        let parkers = if sleep { &parkers[..] } else { &[] };
        executor.others = parkers.iter().enumerate().filter(|(n, _)| *n != index).map(|(_, p)| p.clone()).collect();
        built.push(executor);
    }
    Ok(built)
}

/// Number of the first split of each entry.
fn split_ids(entries: &[Entry]) -> Vec<u32> {
    let counts = entries.iter().map(|e| e.splits.len() as u32);
    counts
        .scan(0, |next, count| {
            let first = *next;
            *next += count;
            Some(first)
        })
        .collect()
}

/// Room for so many tuples; texts count with four words each.
fn ring_words(parts: &Parts<'_>, channel: &ChannelPlan) -> usize {
    let columns = &parts.checked.streams[channel.stream].columns;
    let texts = channel.columns.iter().filter(|c| columns[**c].column.ty == crate::tuple::DataType::Text).count();
    (record_words(channel.columns.len()) + 4 * texts) * parts.ring_capacity_tuples.max(1)
}

fn carried(checked: &Checked, slots: &Slots, channel: &ChannelPlan) -> Columns {
    let types = &checked.streams[channel.stream].columns;
    let stream = slots.stream(channel.stream);
    channel.columns.iter().map(|c| (stream[*c], types[*c].column.ty)).collect()
}

/// One pipeline being assembled.
struct Assembly<'a> {
    plan: &'a Plan,
    parts: &'a Parts<'a>,
    slots: &'a Slots,
    pipeline: usize,
    split_ids: Vec<u32>,
}

/// The growing program.
#[derive(Default)]
struct Growing {
    targets: Vec<Target>,
    nodes: Vec<Node>,
    routers: Vec<Router>,
    dispatches: Vec<Dispatch>,
    /// Channels in the order of senders.
    senders: Vec<usize>,
    /// Task numbers in the program.
    task_numbers: HashMap<(usize, usize), u16>,
    /// Nodes by bolt, edge and task.
    node_numbers: HashMap<(usize, usize, usize), u16>,
}

impl Assembly<'_> {
    fn build(
        &self,
        senders: &mut HashMap<usize, Sender>,
        receivers: &mut HashMap<usize, Receiver>,
    ) -> Result<(Pipeline, Vec<usize>), ComponentError> {
        let tasks = &self.plan.pipelines[self.pipeline].tasks;
        let mut growing = Growing::default();
        for (number, (bolt, task)) in bolts_of(tasks).enumerate() {
            growing.task_numbers.insert((bolt, task), number as u16);
            for edge in 0..self.parts.checked.bolts[bolt].edges.len() {
                self.add_node(&mut growing, bolt, edge, task, number as u16);
            }
        }
        let mut built = Vec::new();
        let mut sinks = Vec::new();
        for (bolt, task) in bolts_of(tasks) {
            built.push(self.task(&mut growing, bolt, task, &mut sinks)?);
        }
        let mut inputs = Vec::new();
        for task in tasks {
            if let TaskId::Entry(entry, task) = task {
                self.splits(&mut growing, *entry, *task, &mut inputs)?;
            }
        }
        for (id, channel) in self.plan.channels.iter().enumerate().filter(|(_, c)| c.to == self.pipeline) {
            let receiver = receivers.remove(&id).expect("each channel has one receiving pipeline");
            inputs.push(self.channel_input(&mut growing, id, channel, receiver));
        }
        let order = self.order(&inputs);
        let layout = self.slots.layout();
        self.resolvable(&growing, &mut inputs);
        let sender_ids = std::mem::take(&mut growing.senders);
        let own = sender_ids.iter().map(|id| senders.remove(id).expect("each channel has one sending pipeline"));
        let own: Vec<Sender> = own.collect();
        let words = sender_ids.iter().map(|id| ring_words(self.parts, &self.plan.channels[*id])).max().unwrap_or(0);
        let letters = self.letters(&growing);
        let Growing { targets, nodes, routers, dispatches, .. } = growing;
        let mut program = Program::new(targets, nodes, built, routers, own, words.max(4096));
        program.dispatches = dispatches;
        program.letters = letters;
        program.find_holders();
        let mut pipeline = Pipeline::new(self.pipeline, layout, inputs, program, order, self.parts.clock.clone());
        pipeline.sample = self.parts.sample;
        pipeline.space = self.parts.space.clone();
        pipeline.sinks = sinks.into_iter().map(|component| (component, Default::default())).collect();
        Ok((pipeline, sender_ids))
    }

    fn add_node(&self, growing: &mut Growing, bolt: usize, edge: usize, task: usize, number: u16) {
        let checked = &self.parts.checked.bolts[bolt];
        let input = if checked.united { 0 } else { edge };
        let slots = self.slots.input(bolt, input);
        let filter = checked.filter.get(input).and_then(Option::as_ref).map(|f| f.compile(&|c| slots[c]));
        let outputs = checked.plan.outputs();
        let rejected = (checked.kind == "filter")
            .then(|| outputs.iter().position(|o| o.suffix == "rejected").map(|p| p as u8))
            .flatten();
        growing.node_numbers.insert((bolt, edge, task), growing.nodes.len() as u16);
        growing.nodes.push(Node { task: number, input: input as u16, filter, rejected });
    }

    fn task(
        &self,
        growing: &mut Growing,
        bolt: usize,
        task: usize,
        sinks: &mut Vec<usize>,
    ) -> Result<Task, ComponentError> {
        let checked = &self.parts.checked.bolts[bolt];
        let outputs: Vec<_> = checked.outputs.iter().map(|s| self.slots.stream(*s).to_vec()).collect();
        let inputs: Vec<_> = (0..checked.inputs.len()).map(|n| self.slots.input(bolt, n).to_vec()).collect();
        let typed = |n: usize, key: &Vec<usize>| {
            key.iter().map(|c| (inputs[n][*c], checked.inputs[n].columns[*c].ty)).collect::<Vec<_>>()
        };
        let key: Vec<_> = checked.key.iter().enumerate().map(|(n, key)| typed(n, key)).collect();
        let declared = checked.plan.outputs().len();
        let tasks = self.plan.placement.bolts[bolt].len();
        let space = self.parts.space.as_ref();
        let built = checked.plan.build(&BoltBuild {
            name: &checked.id,
            inputs: &inputs,
            outputs: &outputs[..declared],
            scratch: self.slots.scratch(bolt),
            key: &key,
            task,
            tasks,
            space,
        })?;
        let targets: Vec<Targets> =
            checked.outputs.iter().map(|s| self.targets(growing, TaskId::Bolt(bolt, task), *s)).collect();
        let errors_stream = *checked.outputs.last().expect("every bolt has a stream of errors");
        let has_readers = targets.last().is_some_and(|t| !t.is_empty());
        let having = checked.having.as_ref().map(|h| h.compile(&|c| outputs[0][c]));
        let sink = checked.plan.outputs().is_empty().then(|| {
            sinks.push(bolt);
            sinks.len() as u16 - 1
        });
        let late = outputs_late(checked.plan.outputs());
        let late = late.filter(|port| self.desk().is_some() && targets[*port].is_empty());
        Ok(Task {
            deadline: built.deadline(),
            bolt: self.careful(built, bolt),
            component: bolt,
            name: checked.id.as_str().into(),
            number: (task, tasks),
            stateful: checked.plan.stateful(),
            floor: space.map_or(i64::MIN, |space| space.opened().watermark_of(&checked.id, task, tasks)),
            late: late.map(|port| port as u8),
            having,
            meter: TaskMeter { tuples_out: vec![0; targets.len()], ..TaskMeter::default() },
            outputs: targets,
            errors: has_readers.then(|| self.error_slots(errors_stream)),
            sink,
        })
    }

    fn error_slots(&self, stream: StreamId) -> ErrorSlots {
        let columns = &self.parts.checked.streams[stream].columns;
        let slots = self.slots.stream(stream);
        let slot = |name: &str| {
            let at = columns.iter().position(|c| c.column.is(name)).expect("every stream of errors has these columns");
            slots[at]
        };
        ErrorSlots {
            component: slot("component"),
            reason: slot("reason"),
            split: slot("split"),
            position: slot("position"),
            text: slot("text"),
        }
    }

    /// The targets of a stream for one sending task.
    fn targets(&self, growing: &mut Growing, from: TaskId, stream: StreamId) -> Targets {
        let hops = shared::hops_of(self.parts.checked, self.plan, from, stream);
        let mut groups = shared::groups(self.parts.checked, self.plan, &hops).into_iter().peekable();
        let mut own = Vec::new();
        for (at, hop) in hops.iter().enumerate() {
            if let Some((range, conditions)) = groups.peek().filter(|(range, _)| range.contains(&at)) {
                if range.start == at {
                    let node = |hop: &&Hop| growing.node_numbers[&(hop.bolt, hop.edge, hop.to[0])];
                    let nodes = hops[range.clone()].iter().map(node).collect();
                    let slots = self.slots.stream(stream);
                    growing.dispatches.push(Dispatch::new(conditions.compile(&|column| slots[column]), nodes));
                    own.push(Target::Dispatch(growing.dispatches.len() as u16 - 1));
                }
                if range.end == at + 1 {
                    groups.next();
                }
                continue;
            }
            let local = |task: usize| self.plan.pipeline_of[&TaskId::Bolt(hop.bolt, task)] == self.pipeline;
            if hop.way == Way::One && local(hop.to[0]) {
                own.push(self.local_target(growing, hop.bolt, hop.edge, hop.to[0]));
                continue;
            }
            let mut destinations = Vec::new();
            for task in &hop.to {
                destinations.push(if local(*task) {
                    let target = self.local_target(growing, hop.bolt, hop.edge, *task);
                    growing.targets.push(target);
                    Destination::Target(growing.targets.len() as u32 - 1)
                } else {
                    Destination::Sender(self.sender(growing, hop, *task))
                });
            }
            let mechanism = self.mechanism(hop);
            growing.routers.push(Router { mechanism, destinations, component: hop.bolt, failed: Vec::new() });
            own.push(Target::Route(growing.routers.len() as u16 - 1));
        }
        let start = growing.targets.len() as u32;
        growing.targets.extend(own);
        start..growing.targets.len() as u32
    }

    fn local_target(&self, growing: &Growing, bolt: usize, edge: usize, task: usize) -> Target {
        let node = growing.node_numbers[&(bolt, edge, task)];
        match self.slots.moves(self.parts.checked, bolt, edge) {
            Some(moves) => Target::Copy(moves.into_boxed_slice(), node),
            None => Target::Node(node),
        }
    }

    fn sender(&self, growing: &mut Growing, hop: &Hop, task: usize) -> u16 {
        let wanted = (self.pipeline, hop.bolt, hop.edge, task);
        let same = |c: &ChannelPlan| (c.from, c.bolt, c.edge, c.task) == wanted;
        let id = self.plan.channels.iter().position(same).expect("tasks of two pipelines have a channel");
        let known = growing.senders.iter().position(|s| *s == id);
        known.unwrap_or_else(|| {
            growing.senders.push(id);
            growing.senders.len() - 1
        }) as u16
    }

    fn mechanism(&self, hop: &Hop) -> Mechanism {
        let bolt = &self.parts.checked.bolts[hop.bolt];
        let edge = &bolt.edges[hop.edge];
        let stream = self.slots.stream(edge.stream);
        let input = if bolt.united { 0 } else { hop.edge };
        let key = || {
            let columns = bolt.key.get(input).into_iter().flatten().filter_map(|c| {
                let ty = bolt.inputs[input].columns[*c].ty;
                edge.columns[*c].map(|c| (stream[c], ty))
            });
            KeyReader::new(&columns.collect::<Vec<_>>())
        };
        match hop.way {
            Way::One | Way::Rotate => Mechanism::Rotate(0),
            Way::Hash => Mechanism::Hash(key()),
            Way::TwoChoice => Mechanism::TwoChoice(key(), vec![0; hop.to.len()]),
            Way::All => Mechanism::All,
            Way::Direct => match &edge.grouping {
                Some(Grouping::Direct(task)) => Mechanism::Direct(task.compile(&|c| stream[c])),
                _ => unreachable!("only the direct grouping is planned as direct"),
            },
        }
    }

    /// Finds for each input the nodes whose key columns stand in the input's own slots and that its tuples reach without
    /// a router or a copy: their keys are looked up when a run arrives.
    fn resolvable(&self, growing: &Growing, inputs: &mut [Input]) {
        for input in inputs {
            let stream = match &input.source {
                Source::Split(split) => self.parts.entries[split.component].stream,
                Source::Channel(channel) => self.plan.channels[channel.id].stream,
            };
            let own = self.slots.stream(stream);
            let mut reached: Vec<u16> = Vec::new();
            let mut ways = vec![input.targets.clone()];
            while let Some(targets) = ways.pop() {
                for target in &growing.targets[targets.start as usize..targets.end as usize] {
                    let Target::Node(node) = target else { continue };
                    if !reached.contains(node) {
                        reached.push(*node);
                        ways.extend(self.targets_behind(growing, *node));
                    }
                }
            }
            for node in reached {
                let Node { task, input: at, .. } = growing.nodes[node as usize];
                let ((bolt, _), _) = growing.task_numbers.iter().find(|(_, n)| **n == task).expect("a node has a task");
                let checked = &self.parts.checked.bolts[*bolt];
                let slots = self.slots.input(*bolt, at as usize);
                let key = &checked.key[at as usize];
                if !key.is_empty() && key.iter().all(|c| own.contains(&slots[*c])) {
                    input.resolve.push((task, at));
                }
            }
        }
    }

    /// Direct local targets of all streams of a node's task.
    fn targets_behind(&self, growing: &Growing, node: u16) -> Vec<Targets> {
        let task = growing.nodes[node as usize].task;
        let ((bolt, number), _) = growing.task_numbers.iter().find(|(_, n)| **n == task).expect("a node has a task");
        let from = TaskId::Bolt(*bolt, *number);
        let mut found = Vec::new();
        for hop in self.plan.hops.iter().filter(|h| h.from == from && h.way == Way::One) {
            if let Some(next) = growing.node_numbers.get(&(hop.bolt, hop.edge, hop.to[0])) {
                let at = growing.targets.iter().position(|t| matches!(t, Target::Node(n) if n == next));
                found.extend(at.map(|at| at as u32..at as u32 + 1));
            }
        }
        found
    }
}

/// The port of late rows.
fn outputs_late(outputs: &[OutputStream]) -> Option<usize> {
    outputs.iter().position(|output| output.suffix == LATE)
}

fn bolts_of(tasks: &[TaskId]) -> impl Iterator<Item = (usize, usize)> {
    tasks.iter().filter_map(|t| match t {
        TaskId::Bolt(bolt, task) => Some((*bolt, *task)),
        TaskId::Entry(..) => None,
    })
}
