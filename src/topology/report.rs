//! Reports: the numbers of all executors become what people and machines read.

use super::plan::{Entry, Plan};
use crate::config::Checked;
use crate::executor::{Snapshot, TaskMeter};
use crate::latency::{
    ChannelReport, ComponentReport, ExecutorReport, Histogram, Interim, InterimSink, LatencyReport, Machine, Objective,
    Recorder, Report, SectionReport, SinkReport, Spent, SpoutReport,
};
use std::collections::BTreeMap;

/// What a report is made from.
pub struct Facts<'a> {
    /// The topology.
    pub checked: &'a Checked,
    /// What was read.
    pub entries: &'a [Entry],
    /// The plan that ran.
    pub plan: &'a Plan,
    /// How executors waited.
    pub wait: String,
    /// How long it ran, nanoseconds.
    pub elapsed_ns: u64,
    /// The numbers of each executor.
    pub snapshots: &'a [Snapshot],
}

/// The whole report, without the control of the machine and with what bolts have to show.
pub fn report(
    facts: &Facts<'_>,
    ended: String,
    sections: impl IntoIterator<Item = (String, String, serde_json::Value)>,
) -> Report {
    let mut decided = Recorder::default();
    facts.snapshots.iter().for_each(|s| decided.merge(&s.decided));
    let components = components(facts);
    let channels = channels(facts);
    Report {
        topology: facts.checked.name.clone(),
        ended,
        elapsed_ns: facts.elapsed_ns,
        machine: Machine::here("tsc"),
        spouts: spouts(facts),
        sinks: sinks(facts, &components, &channels),
        components,
        decided: LatencyReport::from(&decided),
        channels,
        executors: executors(facts),
        jitter: None,
        sections: sections.into_iter().map(|(title, text, value)| SectionReport { title, text, value }).collect(),
    }
}

fn bolts(facts: &Facts<'_>) -> BTreeMap<usize, TaskMeter> {
    let mut merged: BTreeMap<usize, TaskMeter> = BTreeMap::new();
    for (component, meter) in facts.snapshots.iter().flat_map(|s| &s.tasks) {
        merged.entry(*component).or_default().merge(meter);
    }
    for (component, reason, count) in facts.snapshots.iter().flat_map(|s| &s.unrouted) {
        let meter = merged.entry(*component).or_default();
        meter.tuples_in += count;
        let text = format!("`task` of its grouping: {}", reason.replace('_', " "));
        (0..*count).for_each(|_| meter.error(reason, &text));
    }
    merged
}

fn reasons(meter: &TaskMeter) -> Vec<(String, u64)> {
    let mut reasons: Vec<_> = meter.errors.iter().map(|(r, n, _)| ((*r).to_owned(), *n)).collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    reasons
}

fn components(facts: &Facts<'_>) -> Vec<ComponentReport> {
    let meters = bolts(facts);
    let empty = TaskMeter::default();
    let reports = facts.checked.bolts.iter().enumerate().map(|(n, bolt)| {
        let meter = meters.get(&n).unwrap_or(&empty);
        let declared = bolt.plan.outputs();
        let name = |suffix: &str| if suffix.is_empty() { bolt.id.clone() } else { format!("{}.{suffix}", bolt.id) };
        let out = declared.iter().zip(&meter.tuples_out).map(|(o, n)| (name(&o.suffix), *n)).collect();
        ComponentReport {
            id: bolt.id.clone(),
            kind: bolt.kind.clone(),
            tasks: facts.plan.placement.bolts[n].len(),
            tuples_in: meter.tuples_in,
            rows: meter.rows,
            filtered: meter.refused,
            skipped: meter.skipped,
            expanded: meter.expanded,
            refused: meter.refused_rows,
            errors: reasons(meter),
            out,
            service: meter.service.as_ref().map(|s| s.summary()).unwrap_or_default(),
        }
    });
    reports.collect()
}

fn spouts(facts: &Facts<'_>) -> Vec<SpoutReport> {
    let reports = facts.entries.iter().enumerate().map(|(n, entry)| {
        let mut meter = TaskMeter::default();
        let own = facts.snapshots.iter().flat_map(|s| &s.splits).filter(|(e, _)| *e == n);
        own.for_each(|(_, m)| meter.merge(m));
        let errors = reasons(&meter);
        SpoutReport {
            id: entry.id.clone(),
            kind: entry.spout.map_or(String::new(), |s| facts.checked.spouts[s].kind.clone()),
            splits: entry.splits.len(),
            records: meter.tuples_in + meter.refused + errors.iter().map(|(_, n)| n).sum::<u64>(),
            tuples: meter.tuples_in,
            filtered: meter.refused,
            errors,
            service: meter.service.as_ref().map(|s| s.summary()).unwrap_or_default(),
        }
    });
    reports.collect()
}

fn channels(facts: &Facts<'_>) -> Vec<ChannelReport> {
    let reports = facts.plan.channels.iter().enumerate().map(|(id, channel)| {
        let mut wait = Recorder::default();
        let (mut tuples, mut full) = (0, 0);
        for snapshot in facts.snapshots {
            snapshot.channels.iter().filter(|c| c.0 == id).for_each(|c| wait.merge(&c.2));
            for (_, sent, times) in snapshot.sent.iter().filter(|s| s.0 == id) {
                tuples += sent;
                full += times;
            }
        }
        let at = |pipeline: usize| facts.plan.pipelines[pipeline].executor;
        ChannelReport {
            from: format!("{} @{}", facts.checked.streams[channel.stream].name, at(channel.from)),
            to: format!("{} @{}", facts.checked.bolts[channel.bolt].id, at(channel.to)),
            capacity: facts.checked.runtime.ring_capacity_tuples,
            tuples,
            wait: wait.summary(),
            full,
        }
    });
    reports.collect()
}

fn sink_recorder(facts: &Facts<'_>, bolt: usize) -> Recorder {
    let mut merged = Recorder::default();
    let own = facts.snapshots.iter().flat_map(|s| &s.sinks).filter(|(b, _)| *b == bolt);
    own.for_each(|(_, recorder)| merged.merge(recorder));
    merged
}

fn sinks(facts: &Facts<'_>, components: &[ComponentReport], channels: &[ChannelReport]) -> Vec<SinkReport> {
    let mut spent: Vec<Spent> = components.iter().map(|c| Spent { place: c.id.clone(), time: c.service }).collect();
    spent.extend(channels.iter().map(|c| Spent { place: format!("the channel {} -> {}", c.from, c.to), time: c.wait }));
    let mut sinks = Vec::new();
    for (n, bolt) in facts.checked.bolts.iter().enumerate().filter(|(_, b)| b.plan.outputs().is_empty()) {
        let recorder = sink_recorder(facts, n);
        let ages: Histogram = recorder.ages();
        let own = facts.checked.objectives.iter().filter(|o| o.bolt == n);
        let verdicts = own.filter_map(|o| Objective::parse(&o.text).ok()).map(|o| o.verdict(&ages, &spent)).collect();
        sinks.push(SinkReport {
            id: bolt.id.clone(),
            rows: components[n].tuples_in,
            latency: LatencyReport::from(&recorder),
            verdicts,
        });
    }
    sinks
}

fn executors(facts: &Facts<'_>) -> Vec<ExecutorReport> {
    let reports = facts.snapshots.iter().enumerate().map(|(index, snapshot)| ExecutorReport {
        index,
        core: facts.plan.cores.get(index).copied().flatten(),
        wait: facts.wait.clone(),
        steps: snapshot.executor.steps,
        longest_step_ns: snapshot.executor.longest_step_ns,
        stalls: snapshot.executor.stalls,
        busy_share: snapshot.executor.busy_ns as f64 / facts.elapsed_ns.max(1) as f64,
    });
    reports.collect()
}

/// What the short reports compare with.
#[derive(Default)]
pub struct Before {
    elapsed_ns: u64,
    records: u64,
    decided: Histogram,
    sinks: Vec<Histogram>,
}

/// The short report since the last one.
pub fn interim(facts: &Facts<'_>, before: &mut Before) -> Interim {
    let records = spouts(facts).iter().map(|s| s.records).sum::<u64>();
    let components = components(facts);
    let spout_errors: u64 = spouts(facts).iter().flat_map(|s| &s.errors).map(|(_, n)| n).sum();
    let mut decided = Recorder::default();
    facts.snapshots.iter().for_each(|s| decided.merge(&s.decided));
    let ages = decided.ages();
    let (mut sinks, mut sink_ages) = (Vec::new(), Vec::new());
    for (n, bolt) in facts.checked.bolts.iter().enumerate().filter(|(_, b)| b.plan.outputs().is_empty()) {
        let ages = sink_recorder(facts, n).ages();
        let latency = match before.sinks.get(sinks.len()) {
            Some(earlier) => ages.since(earlier),
            None => ages.clone(),
        };
        sinks.push(InterimSink { id: bolt.id.clone(), rows: components[n].tuples_in, latency: latency.summary() });
        sink_ages.push(ages);
    }
    let interim = Interim {
        elapsed_ns: facts.elapsed_ns,
        since_ns: facts.elapsed_ns - before.elapsed_ns,
        records,
        records_since: records.saturating_sub(before.records),
        errors: spout_errors + components.iter().map(ComponentReport::failed).sum::<u64>(),
        decided: ages.since(&before.decided).summary(),
        sinks,
        refusals: Vec::new(),
    };
    *before = Before { elapsed_ns: facts.elapsed_ns, records, decided: ages, sinks: sink_ages };
    interim
}
