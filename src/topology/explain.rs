//! Explaining: a plan in words.

use super::plan::{ChannelPlan, Entry, Hop, Plan, TaskId, Way};
use super::shared;
use crate::config::{Checked, Owner};
use std::fmt::Write;

/// The plan as text: executors, cores, pipelines, what is fused, channels and their columns, where order per key is
/// lost, whether the topology is deterministic.
pub fn explain(checked: &Checked, entries: &[Entry], plan: &Plan) -> String {
    let words = Words { checked, entries, plan };
    let mut out = String::new();
    let tasks: usize = plan.pipelines.iter().map(|p| p.tasks.len()).sum();
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "topology {}: {}, {}, {}, {}",
        checked.name,
        count(plan.cores.len(), "executor"),
        count(plan.pipelines.len(), "pipeline"),
        count(tasks, "task"),
        count(plan.channels.len(), "channel"),
    );
    for executor in 0..plan.cores.len() {
        words.executor(&mut out, executor);
    }
    if !plan.channels.is_empty() {
        out.push_str("\nchannels\n");
        plan.channels.iter().for_each(|c| words.channel(&mut out, c));
    }
    words.computed(&mut out);
    words.shared(&mut out);
    words.dead_letters(&mut out);
    out.push_str("\norder per key\n");
    lines(&mut out, &words.order_lost(), "kept along every edge");
    out.push_str("\ndeterministic\n");
    let breaks: Vec<String> =
        words.breaks().iter().map(|(id, reason)| format!("no: {id} keeps state, and {reason}")).collect();
    let yes = "yes: every stateful task sees its tuples in an order that only the data decides";
    lines(&mut out, &breaks, yes);
    out
}

/// The components with state for which more than the data decides in which order tuples come, by id, and why; none: the
/// topology is deterministic.
pub fn breaks(checked: &Checked, entries: &[Entry], plan: &Plan) -> Vec<(String, String)> {
    Words { checked, entries, plan }.breaks()
}

fn lines(out: &mut String, found: &[String], none: &str) {
    match found {
        [] => out.push_str(&format!("  {none}\n")),
        found => found.iter().for_each(|line| out.push_str(&format!("  {line}\n"))),
    }
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

struct Words<'a> {
    checked: &'a Checked,
    entries: &'a [Entry],
    plan: &'a Plan,
}

impl Words<'_> {
    fn executor(&self, out: &mut String, executor: usize) {
        let core = match self.plan.cores[executor] {
            Some(core) => format!("core {core}"),
            None => "not pinned".to_owned(),
        };
        let shared = if self.plan.cores_shared { ", shares its core: never spins" } else { "" };
        let _ = writeln!(out, "\nexecutor {executor} ({core}{shared})");
        for (n, pipeline) in self.plan.pipelines.iter().enumerate().filter(|(_, p)| p.executor == executor) {
            let _ = writeln!(out, "  pipeline {n}");
            for (id, channel) in self.plan.channels.iter().enumerate().filter(|(_, c)| c.to == n) {
                let from = self.plan.pipelines[channel.from].executor;
                let stream = &self.checked.streams[channel.stream].name;
                let _ = writeln!(out, "    reads channel {id}: {stream} from pipeline {} @{from}", channel.from);
            }
            for task in &pipeline.tasks {
                self.task(out, n, *task);
            }
        }
    }

    fn task(&self, out: &mut String, pipeline: usize, task: TaskId) {
        match task {
            TaskId::Entry(entry, number) => {
                let found = &self.entries[entry];
                let tasks = self.plan.placement.entries[entry].len();
                let splits = (0..found.splits.len()).filter(|n| n % tasks == number).count();
                let kind = found.spout.map_or("feed", |s| &self.checked.spouts[s].kind);
                let _ = writeln!(out, "    {} ({kind}){}: {}", found.id, of(number, tasks), count(splits, "split"));
            }
            TaskId::Bolt(bolt, number) => {
                let found = &self.checked.bolts[bolt];
                let tasks = self.plan.placement.bolts[bolt].len();
                let hops = self.plan.hops.iter().filter(|h| h.bolt == bolt && h.to.contains(&number));
                let mut from: Vec<String> = hops.map(|h| self.hop(h, pipeline)).collect();
                from.sort();
                from.dedup();
                let _ = writeln!(out, "    {} ({}){} <- {}", found.id, found.kind, of(number, tasks), from.join("; "));
            }
        }
    }

    /// One edge of a task, in words.
    fn hop(&self, hop: &Hop, pipeline: usize) -> String {
        let bolt = &self.checked.bolts[hop.bolt];
        let stream = &self.checked.streams[bolt.edges[hop.edge].stream].name;
        let fused = self.plan.pipeline_of[&hop.from] == pipeline;
        let how = match (fused, hop.way) {
            (true, Way::One) => "fused".to_owned(),
            (true, way) => format!("fused, {}", self.way(hop, way)),
            (false, way) => format!("through a channel, {}", self.way(hop, way)),
        };
        format!("{stream} ({how})")
    }

    fn way(&self, hop: &Hop, way: Way) -> String {
        let bolt = &self.checked.bolts[hop.bolt];
        let input = if bolt.united { 0 } else { hop.edge };
        let columns = || {
            let key = bolt.key.get(input).into_iter().flatten();
            key.map(|c| bolt.inputs[input].columns[*c].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        match way {
            Way::One => "all of it".to_owned(),
            Way::Hash => format!("by hash of {}", columns()),
            Way::TwoChoice => format!("by hash of {}, the less loaded of two", columns()),
            Way::Rotate => "in turn".to_owned(),
            Way::All => "a copy for each task".to_owned(),
            Way::Direct => "by expression".to_owned(),
        }
    }

    fn channel(&self, out: &mut String, channel: &ChannelPlan) {
        let id = self.plan.channels.iter().position(|c| std::ptr::eq(c, channel)).unwrap_or(0);
        let stream = &self.checked.streams[channel.stream];
        let at = |p: usize| self.plan.pipelines[p].executor;
        let names: Vec<_> = channel.columns.iter().map(|c| stream.columns[*c].column.name.as_str()).collect();
        let tasks = self.plan.placement.bolts[channel.bolt].len();
        let _ = writeln!(
            out,
            "  {id}: {} @{} -> {}{} @{}: {} of {} columns: {}",
            stream.name,
            at(channel.from),
            self.checked.bolts[channel.bolt].id,
            of(channel.task, tasks),
            at(channel.to),
            names.len(),
            stream.columns.len(),
            names.join(", "),
        );
    }

    /// Where errors and late rows go that nobody reads, where they are kept.
    fn dead_letters(&self, out: &mut String) {
        let runtime = &self.checked.runtime;
        let (Some(_), Some(dead)) = (&runtime.data_dir, &runtime.dead_letters) else { return };
        let unread: Vec<&str> = self.checked.unread().map(|stream| stream.name.as_str()).collect();
        if !unread.is_empty() {
            let _ = writeln!(out, "\ndead letters\n  to topic {}: {}", dead.topic, unread.join(", "));
        }
    }

    /// What spouts and bolts say of themselves.
    fn computed(&self, out: &mut String) {
        let spouts = self.checked.spouts.iter().map(|s| (&s.id, s.plan.describe()));
        let bolts = self.checked.bolts.iter().map(|b| (&b.id, b.plan.describe()));
        let found: Vec<_> = spouts.chain(bolts).filter(|(_, words)| !words.is_empty()).collect();
        if !found.is_empty() {
            out.push_str("\ncomponents\n");
        }
        for (id, words) in found {
            let _ = writeln!(out, "  {id}: {}", words.join("; "));
        }
    }

    /// Streams whose readers' conditions are tested together.
    fn shared(&self, out: &mut String) {
        let mut told = false;
        for (id, stream) in self.checked.streams.iter().enumerate() {
            let reads = |h: &&Hop| self.checked.bolts[h.bolt].edges[h.edge].stream == id;
            let Some(first) = self.plan.hops.iter().find(reads) else { continue };
            let hops = shared::hops_of(self.checked, self.plan, first.from, id);
            for (range, conditions) in shared::groups(self.checked, self.plan, &hops) {
                if !std::mem::replace(&mut told, true) {
                    out.push_str("\nconditions tested together\n");
                }
                let words = conditions.describe(&|column| stream.columns[column].column.name.clone());
                let _ = writeln!(out, "  {}: {} bolts; {}", stream.name, range.len(), words.join("; "));
            }
        }
    }

    /// Edges behind which tuples of one key may overtake each other.
    fn order_lost(&self) -> Vec<String> {
        let mut scattered = vec![false; self.checked.streams.len()];
        for (n, stream) in self.checked.streams.iter().enumerate() {
            if let Owner::Spout(spout) = stream.owner {
                let entry = self.entries.iter().position(|e| e.spout == Some(spout));
                scattered[n] = entry.is_some_and(|e| self.plan.placement.entries[e].len() > 1);
            }
        }
        let mut lost = Vec::new();
        for (b, bolt) in self.checked.bolts.iter().enumerate() {
            let mut behind = false;
            for (e, edge) in bolt.edges.iter().enumerate() {
                let hops: Vec<&Hop> = self.plan.hops.iter().filter(|h| h.bolt == b && h.edge == e).collect();
                let splits = |h: &&Hop| matches!(h.way, Way::Rotate | Way::TwoChoice | Way::Direct) && h.to.len() > 1;
                let name = &self.checked.streams[edge.stream].name;
                if let Some(hop) = hops.iter().copied().find(|h| splits(h)) {
                    behind = true;
                    lost.push(format!(
                        "lost from {name} to {}: {} over several tasks",
                        bolt.id,
                        self.way(hop, hop.way)
                    ));
                } else if scattered[edge.stream] {
                    behind = true;
                    if hops.len() > 1 && bolt.plan.stateful() {
                        lost.push(format!(
                            "lost from {name} to {}: tuples of one key come from several tasks",
                            bolt.id
                        ));
                    }
                }
            }
            bolt.outputs.iter().for_each(|s| scattered[*s] = behind);
        }
        lost
    }

    /// What makes the order of a stateful task's input depend on more than the data.
    fn breaks(&self) -> Vec<(String, String)> {
        let count = self.plan.pipelines.len();
        let mut why: Vec<Option<String>> = vec![None; count];
        for p in 0..count {
            let tasks = &self.plan.pipelines[p].tasks;
            let entries: Vec<usize> =
                tasks.iter().filter_map(|t| if let TaskId::Entry(e, _) = t { Some(*e) } else { None }).collect();
            let splits: usize = entries.iter().map(|e| self.entries[*e].splits.len()).sum();
            let finite = entries.iter().all(|e| self.entries[*e].plan.finite());
            let channels: Vec<&ChannelPlan> = self.plan.channels.iter().filter(|c| c.to == p).collect();
            why[p] = if let Some(reason) = channels.iter().find_map(|c| why[c.from].clone()) {
                Some(reason)
            } else if channels.len() + splits > 1 && (!channels.is_empty() || !finite) {
                Some(format!("pipeline {p} reads {} as they come", count_inputs(channels.len(), splits)))
            } else {
                None
            };
        }
        let mut breaks = Vec::new();
        for (b, bolt) in self.checked.bolts.iter().enumerate().filter(|(_, b)| b.plan.stateful()) {
            for task in 0..self.plan.placement.bolts[b].len() {
                if let Some(reason) = &why[self.plan.pipeline_of[&TaskId::Bolt(b, task)]] {
                    breaks.push((bolt.id.clone(), reason.clone()));
                    break;
                }
            }
        }
        breaks
    }
}

fn of(task: usize, tasks: usize) -> String {
    if tasks == 1 { String::new() } else { format!(" task {} of {tasks}", task + 1) }
}

fn count_inputs(channels: usize, splits: usize) -> String {
    match (channels, splits) {
        (0, splits) => count(splits, "split"),
        (channels, 0) => count(channels, "channel"),
        (channels, splits) => format!("{} and {}", count(channels, "channel"), count(splits, "split")),
    }
}
