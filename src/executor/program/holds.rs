//! How far time may be in each task, beside what the pipeline says of it: where another task holds it back, and where
//! the inputs that reach the task are behind others.
//!
//! A task that waits before it lets a row out with the time of an earlier one ([`crate::component::Bolt::holds_back`])
//! holds time back for all that its rows can reach: other tasks see it only so far, their timers wait, channels promise
//! no more. A hold ends between two tuples, and what it has kept waiting fires before the next. Where not all inputs reach
//! all tasks, time has a limit of its own in each [`Reach`].
//!
//! Invariant: nobody's time goes back, since a hold begins at a row that was not late, and ends later than it began.

use super::Program;
use super::reach::{Reach, Ways};

/// A task that may hold time back.
struct Holder {
    task: u16,
    /// How far; `i64::MAX`: it does not now.
    time: i64,
    /// What its rows can reach.
    ways: Ways,
}

/// What is known of a task, or of a channel.
#[derive(Clone, Copy)]
struct Held {
    /// How far its time may be; `i64::MAX`: as far as it is said to be.
    time: i64,
    /// The same by those that hold it back alone.
    by_holders: i64,
    /// Its reach.
    reach: u16,
    /// Whether it may itself hold time back.
    holds: bool,
}

impl Held {
    const FREE: Held = Held { time: i64::MAX, by_holders: i64::MAX, reach: 0, holds: false };
}

/// What is held back.
pub(super) struct Holds {
    holders: Vec<Holder>,
    /// By task, and by channel.
    tasks: Box<[Held]>,
    senders: Box<[Held]>,
    /// By reach.
    limits: Box<[i64]>,
    /// Whether a hold is over, or nearer to its end.
    over: bool,
}

impl Holds {
    /// Nothing is held back from so many tasks and channels.
    pub(super) fn new(tasks: usize, senders: usize) -> Holds {
        let free = |count| vec![Held::FREE; count].into_boxed_slice();
        let limits = [i64::MAX].into();
        Holds { holders: Vec::new(), tasks: free(tasks), senders: free(senders), limits, over: false }
    }

    /// Who belongs to which reach.
    pub(super) fn set_reaches(&mut self, reaches: &[Reach]) {
        for (at, reach) in (0u16..).zip(reaches) {
            reach.tasks.iter().for_each(|task| self.tasks[*task as usize].reach = at);
            reach.senders.iter().for_each(|sender| self.senders[*sender as usize].reach = at);
        }
        self.limits = vec![i64::MAX; reaches.len()].into();
    }

    /// How far the time of a task may be.
    #[inline(always)]
    pub(super) fn of(&self, task: u16) -> i64 {
        self.tasks[task as usize].time
    }

    /// The same of all tasks, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = i64> {
        self.tasks.iter().map(|held| held.time)
    }

    /// Whether a task may hold time back.
    #[inline(always)]
    pub(super) fn by(&self, task: u16) -> bool {
        self.tasks[task as usize].holds
    }
}

impl Program {
    /// How far its tasks hold time back for others; `i64::MAX`: none does.
    pub fn holds_back(&self) -> i64 {
        self.holds.holders.iter().map(|holder| holder.time).min().unwrap_or(i64::MAX)
    }

    /// Finds the tasks that may hold time back, and what is behind them; to be called when the program is complete.
    pub fn find_holders(&mut self) {
        let holders = (0..self.tasks.len() as u16).filter(|task| self.time_of(*task).is_some());
        let holders = holders.map(|task| {
            let ways = self.ways(self.tasks[task as usize].outputs.iter().cloned());
            Holder { task, time: i64::MAX, ways }
        });
        self.holds.holders = holders.collect();
        for holder in &self.holds.holders {
            self.holds.tasks[holder.task as usize].holds = true;
        }
        self.end_holds();
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

    /// Time is no further in each reach than this; by reach.
    pub fn limit(&mut self, times: &[i64]) {
        self.holds.limits.copy_from_slice(times);
        self.settle();
    }

    /// Finds out for everyone how far those in front of it hold time back.
    fn apply(&mut self) {
        let Holds { holders, tasks, senders, .. } = &mut self.holds;
        let least = |behind: &dyn Fn(&Ways) -> bool| {
            let holders = holders.iter().filter(|holder| behind(&holder.ways));
            holders.map(|holder| holder.time).min().unwrap_or(i64::MAX)
        };
        for (task, held) in (0u16..).zip(tasks) {
            held.by_holders = least(&|ways| ways.tasks.contains(&task));
        }
        for (sender, held) in (0u16..).zip(senders) {
            held.by_holders = least(&|ways| ways.senders.contains(&sender));
        }
        self.settle();
    }

    /// Tells everyone how far its time may be.
    fn settle(&mut self) {
        let Holds { tasks, senders, limits, .. } = &mut self.holds;
        for held in tasks.iter_mut().chain(senders.iter_mut()) {
            held.time = held.by_holders.min(limits[held.reach as usize]);
        }
        for (sender, held) in self.senders.iter_mut().zip(senders) {
            sender.hold(held.time);
        }
        self.deadline = self.earliest();
    }
}
