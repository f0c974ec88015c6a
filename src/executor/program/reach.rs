//! What the rows of an input can come to, and whose time ends with which inputs.
//!
//! Tasks and channels that the same inputs reach are a [`Reach`]. How far time is there is said by these inputs alone, and
//! when they have come to their end, nothing more comes: time ends there, while that of others goes on. So when a window
//! closes and what the end of a source cuts off is a matter of the sources that its rows come from, whatever others are
//! read in the same pipeline.
//!
//! Invariant: every task and every channel belongs to one reach; where a row can go on from one to another, the inputs of
//! the second are all those of the first, or more.

use super::{Program, Target, Targets};
use crate::executor::route::Destination;

/// What the same inputs reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The inputs.
    pub inputs: Vec<usize>,
    /// Tasks, in program order.
    pub tasks: Vec<u16>,
    /// Channels.
    pub senders: Vec<u16>,
}

/// Where rows can come to.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub tasks: Vec<u16>,
    pub senders: Vec<u16>,
}

impl Program {
    /// Sorts tasks and channels by the inputs that reach them; `inputs` are the targets of each input. What none reaches
    /// belongs to all.
    pub fn find_reaches(&mut self, inputs: &[Vec<Targets>]) {
        let ways: Vec<Ways> = inputs.iter().map(|targets| self.ways(targets.iter().cloned())).collect();
        let all = || (0..inputs.len()).collect::<Vec<_>>();
        let of = |is: &dyn Fn(&Ways) -> bool| {
            let found: Vec<usize> = all().into_iter().filter(|input| is(&ways[*input])).collect();
            if found.is_empty() { all() } else { found }
        };
        let mut reaches: Vec<Reach> = Vec::new();
        let mut reach = |inputs: Vec<usize>| match reaches.iter().position(|reach| reach.inputs == inputs) {
            Some(at) => at,
            None => {
                reaches.push(Reach { inputs, ..Reach::default() });
                reaches.len() - 1
            }
        };
        let tasks: Vec<usize> =
            (0..self.tasks.len() as u16).map(|task| reach(of(&|ways| ways.tasks.contains(&task)))).collect();
        let senders: Vec<usize> =
            (0..self.senders.len() as u16).map(|sender| reach(of(&|ways| ways.senders.contains(&sender)))).collect();
        (0u16..).zip(tasks).for_each(|(task, at)| reaches[at].tasks.push(task));
        (0u16..).zip(senders).for_each(|(sender, at)| reaches[at].senders.push(sender));
        reaches.sort_by_key(|reach| reach.inputs.len());
        self.holds.set_reaches(&reaches);
        self.reaches = reaches;
    }

    /// All that rows can come to which leave along these targets.
    pub(super) fn ways(&self, from: impl Iterator<Item = Targets>) -> Ways {
        let mut ways = Ways::default();
        let mut open: Vec<u32> = from.flatten().collect();
        while let Some(target) = open.pop() {
            let mut nodes = Vec::new();
            match &self.targets[target as usize] {
                Target::Node(node) | Target::Copy(_, node) => nodes.push(*node),
                Target::Dispatch(dispatch) => nodes.extend(self.dispatches[*dispatch as usize].nodes()),
                Target::Route(router) => {
                    for destination in &self.routers[*router as usize].destinations {
                        match *destination {
                            Destination::Target(target) => open.push(target),
                            Destination::Sender(sender) if ways.senders.contains(&sender) => {}
                            Destination::Sender(sender) => ways.senders.push(sender),
                        }
                    }
                }
            }
            for node in nodes {
                let task = self.nodes[node as usize].task;
                if !ways.tasks.contains(&task) {
                    ways.tasks.push(task);
                    open.extend(self.tasks[task as usize].outputs.iter().cloned().flatten());
                }
            }
        }
        ways
    }
}
