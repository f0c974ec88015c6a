//! The inputs of a pipeline: splits where the last epoch left them, and channels.

use super::{Assembly, Growing};
use crate::component::{ComponentError, SpoutBuild};
use crate::executor::{Channel, Input, Order, Receiver, RejectColumn, Side, Source, Split, TaskMeter, split_key};
use crate::store::SplitFacts;
use crate::topology::plan::{ChannelPlan, Entry, TaskId};
use crate::tuple::RUN_TUPLES;

impl Assembly<'_> {
    pub(super) fn splits(
        &self,
        growing: &mut Growing,
        entry_number: usize,
        task: usize,
        inputs: &mut Vec<Input>,
    ) -> Result<(), ComponentError> {
        let entry = &self.parts.entries[entry_number];
        let from = TaskId::Entry(entry_number, task);
        let tasks = self.plan.placement.entries[entry_number].len();
        let targets = self.targets(growing, from, entry.stream);
        let sides = self.sides(growing, from, entry);
        for (n, split) in entry.splits.iter().enumerate().filter(|(n, _)| n % tasks == task) {
            let columns = self.slots.stream(entry.stream);
            let SplitFacts { id, position, time, identity } = self.found(entry, split, entry_number, n)?;
            let space = self.parts.space.as_ref();
            let name = &entry.id;
            let build = SpoutBuild { name, split, split_id: id, position, identity: &identity, columns, space };
            let spout = entry.plan.open(&build)?;
            let source = Source::Split(Box::new(Split {
                closed_at: spout.position(),
                spout,
                component: entry_number,
                component_name: entry.id.clone(),
                name: split.clone(),
                id,
                finite: entry.plan.finite(),
                timed: entry.plan.time().is_some(),
                rejects: Vec::new(),
                sides: sides.clone(),
                meter: TaskMeter { tuples_out: vec![0; sides.len() + 1], ..TaskMeter::default() },
                due_ns: 0,
                given_back: u64::MAX,
                panics: self.panics_of(id, position),
            }));
            let mut input = Input::new(source, targets.clone(), self.slots.layout());
            input.disorder = entry.disorder;
            match (entry.replay, time) {
                (Some(replay), _) => input.watermark = replay.since,
                (None, Some(time)) => {
                    input.saw(time);
                    // Others hear of it before the first tuple, which may be long in coming.
                    input.moved_silently = true;
                }
                (None, None) => {}
            }
            input.idle_ns = entry.idle.map(|micros| micros as u64 * 1000);
            inputs.push(input);
        }
        Ok(())
    }

    /// Where the last epoch left a split.
    fn found(&self, entry: &Entry, split: &str, number: usize, n: usize) -> Result<SplitFacts, ComponentError> {
        let fresh = SplitFacts { id: self.split_ids[number] + n as u32, ..SplitFacts::default() };
        let Some(space) = &self.parts.space else { return Ok(fresh) };
        let key = split_key(&entry.id, split);
        space.split_id(&key).map_err(|error| ComponentError::new(error.to_string()))?;
        Ok(space.split(&key).unwrap_or(fresh))
    }

    fn sides(&self, growing: &mut Growing, from: TaskId, entry: &Entry) -> Vec<Side> {
        let Some(spout) = entry.spout else { return Vec::new() };
        let outputs = &self.parts.checked.spouts[spout].outputs;
        let names = entry.plan.side_streams().iter().map(|(name, _)| *name).chain(["errors"]);
        let mut sides = Vec::new();
        for (stream, name) in outputs[1..].iter().zip(names) {
            let targets = self.targets(growing, from, *stream);
            let slots = self.slots.stream(*stream);
            let columns = self.parts.checked.streams[*stream].columns.iter().zip(slots);
            let columns = columns.filter_map(|(c, slot)| Some((RejectColumn::of(&c.column.name)?, *slot))).collect();
            sides.push(Side { stream: name, targets, columns });
        }
        sides
    }

    pub(super) fn channel_input(
        &self,
        growing: &mut Growing,
        id: usize,
        channel: &ChannelPlan,
        receiver: Receiver,
    ) -> Input {
        let target = self.local_target(growing, channel.bolt, channel.edge, channel.task);
        let start = growing.targets.len() as u32;
        growing.targets.push(target);
        let channel = Channel {
            receiver,
            item: None,
            watermarks: Vec::with_capacity(RUN_TUPLES),
            wait: Default::default(),
            tuples: 0,
            id,
        };
        Input::new(Source::Channel(Box::new(channel)), start..start + 1, self.slots.layout())
    }

    pub(super) fn order(&self, inputs: &[Input]) -> Order {
        let split = |i: &Input| match &i.source {
            Source::Split(s) => Some(self.parts.entries[s.component].plan.clone()),
            Source::Channel(_) => None,
        };
        let plans: Vec<_> = inputs.iter().map(split).collect();
        let finite = plans.iter().all(|p| p.as_ref().is_some_and(|p| p.finite()));
        let timed = plans.iter().flatten().all(|p| p.time().is_some());
        match (inputs.len(), finite, timed) {
            (0 | 1, ..) | (_, false, _) => Order::Turn,
            (_, true, true) => Order::Time,
            (_, true, false) => Order::Sequence,
        }
    }
}
