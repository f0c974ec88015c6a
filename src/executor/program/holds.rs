//! Tasks that let rows out behind time, and what stands behind them.
//!
//! A task that waits before it lets a row out with the time of an earlier one ([`crate::component::Bolt::holds_back`])
//! holds time back for all that its rows can reach: other tasks see it only so far, their timers wait, channels promise
//! no more. A hold ends between two tuples, and what it has kept waiting fires before the next.
//!
//! Invariant: nobody's time goes back, since a hold begins at a row that was not late, and ends later than it began.

use super::{Program, Target};
use crate::executor::route::Destination;

/// A task that may hold time back.
struct Holder {
    task: u16,
    /// How far; `i64::MAX`: it does not now.
    time: i64,
    /// What its rows can reach.
    tasks: Vec<u16>,
    senders: Vec<u16>,
}

/// What is known of a task.
#[derive(Clone, Copy)]
struct Held {
    /// How far its time is held back; `i64::MAX`: it is not.
    time: i64,
    /// Whether it may itself hold time back.
    holds: bool,
}

/// What is held back.
pub(super) struct Holds {
    holders: Vec<Holder>,
    /// By task.
    held: Box<[Held]>,
    /// Whether a hold is over, or nearer to its end.
    over: bool,
}

impl Holds {
    /// Nothing is held back from so many tasks.
    pub(super) fn new(tasks: usize) -> Holds {
        Holds { holders: Vec::new(), held: vec![Held { time: i64::MAX, holds: false }; tasks].into(), over: false }
    }

    /// How far the time of a task is held back.
    #[inline(always)]
    pub(super) fn of(&self, task: u16) -> i64 {
        self.held[task as usize].time
    }

    /// The same of all tasks, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = i64> {
        self.held.iter().map(|held| held.time)
    }

    /// Whether a task may hold time back.
    #[inline(always)]
    pub(super) fn by(&self, task: u16) -> bool {
        self.held[task as usize].holds
    }
}

impl Program {
    /// Finds the tasks that may hold time back, and what is behind them; to be called when the program is complete.
    pub fn find_holders(&mut self) {
        let holders = (0..self.tasks.len() as u16).filter(|task| self.time_of(*task).is_some());
        let holders = holders.map(|task| {
            let (mut holder, mut ways) = (Holder { task, time: i64::MAX, tasks: vec![], senders: vec![] }, vec![task]);
            while let Some(task) = ways.pop() {
                for next in self.behind(task, &mut holder.senders) {
                    if !holder.tasks.contains(&next) {
                        holder.tasks.push(next);
                        ways.push(next);
                    }
                }
            }
            holder
        });
        self.holds.holders = holders.collect();
        for holder in &self.holds.holders {
            self.holds.held[holder.task as usize].holds = true;
        }
        self.end_holds();
    }

    /// The tasks right behind a task; the senders are added to those that are known.
    fn behind(&self, task: u16, senders: &mut Vec<u16>) -> Vec<u16> {
        let mut nodes = Vec::new();
        let mut targets: Vec<u32> = self.tasks[task as usize].outputs.iter().cloned().flatten().collect();
        while let Some(target) = targets.pop() {
            match &self.targets[target as usize] {
                Target::Node(node) | Target::Copy(_, node) => nodes.push(*node),
                Target::Dispatch(dispatch) => nodes.extend(self.dispatches[*dispatch as usize].nodes()),
                Target::Route(router) => {
                    for destination in &self.routers[*router as usize].destinations {
                        match *destination {
                            Destination::Target(target) => targets.push(target),
                            Destination::Sender(sender) if senders.contains(&sender) => {}
                            Destination::Sender(sender) => senders.push(sender),
                        }
                    }
                }
            }
        }
        nodes.into_iter().map(|node| self.nodes[node as usize].task).collect()
    }

    fn time_of(&self, task: u16) -> Option<i64> {
        self.tasks[task as usize].bolt.holds_back()
    }

    /// A task has done something: what it holds back from now on is held at once, what it lets go at the end of the tuple.
    pub(super) fn hold(&mut self, task: u16) {
        let Some(at) = self.holds.holders.iter().position(|holder| holder.task == task) else { return };
        let time = self.time_of(task).unwrap_or(i64::MAX);
        let before = self.holds.holders[at].time;
        self.holds.over |= time > before;
        if time < before {
            self.holds.holders[at].time = time;
            self.apply();
        }
    }

    /// Holds that are over end; whether there were any. Timers that they have kept waiting are then due.
    #[inline(always)]
    pub fn lift(&mut self) -> bool {
        self.holds.over && {
            self.end_holds();
            true
        }
    }

    #[inline(never)]
    fn end_holds(&mut self) {
        self.holds.over = false;
        for at in 0..self.holds.holders.len() {
            self.holds.holders[at].time = self.time_of(self.holds.holders[at].task).unwrap_or(i64::MAX);
        }
        self.apply();
    }

    /// Tells everyone behind how far time is held back.
    fn apply(&mut self) {
        let holders = &self.holds.holders;
        let least = |of: &dyn Fn(&Holder) -> bool| {
            holders.iter().filter(|holder| of(holder)).map(|holder| holder.time).min().unwrap_or(i64::MAX)
        };
        for (task, held) in self.holds.held.iter_mut().enumerate() {
            held.time = least(&|holder| holder.tasks.contains(&(task as u16)));
        }
        for (sender, place) in self.senders.iter_mut().enumerate() {
            place.hold(least(&|holder| holder.senders.contains(&(sender as u16))));
        }
        self.deadline = self.earliest();
    }
}
