//! Tasks that let rows out behind time, and what stands behind them.
//!
//! A task that waits before it lets a row out with the time of an earlier one ([`crate::component::Bolt::holds_back`])
//! holds time back for all that its rows can reach: other tasks see it only so far, their timers wait, channels promise
//! no more. A hold ends between two tuples, and what it has kept waiting fires before the next.
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
    /// While the time of some ends: how far it is for all others.
    ending: Option<(Reach, i64)>,
    /// Whether a hold is over, or nearer to its end.
    over: bool,
}

impl Holds {
    /// Nothing is held back from so many tasks.
    pub(super) fn new(tasks: usize) -> Holds {
        let held = vec![Held { time: i64::MAX, holds: false }; tasks].into();
        Holds { holders: Vec::new(), held, ending: None, over: false }
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
            self.holds.held[holder.task as usize].holds = true;
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

    /// From now on the time of a reach ends, and for all others it stays at `time`.
    pub fn begin_end(&mut self, reach: Reach, time: i64) {
        self.holds.ending = Some((reach, time));
        self.apply();
    }

    /// The time of the reach has ended; that of the others goes on.
    pub fn finish_end(&mut self) {
        self.holds.ending = None;
        self.end_holds();
    }

    /// Tells everyone behind how far time is held back.
    fn apply(&mut self) {
        let Holds { holders, ending, held, .. } = &mut self.holds;
        let least = |reaches: &dyn Fn(&Ways) -> bool, ends: &dyn Fn(&Reach) -> bool| {
            let holders = holders.iter().filter(|holder| reaches(&holder.ways)).map(|holder| holder.time);
            let stays = ending.iter().filter(|(reach, _)| !ends(reach)).map(|(_, time)| *time);
            holders.chain(stays).min().unwrap_or(i64::MAX)
        };
        for (task, held) in (0u16..).zip(held) {
            held.time = least(&|ways| ways.tasks.contains(&task), &|reach| reach.tasks.contains(&task));
        }
        for (sender, place) in (0u16..).zip(&mut self.senders) {
            place.hold(least(&|ways| ways.senders.contains(&sender), &|reach| reach.senders.contains(&sender)));
        }
        self.deadline = self.earliest();
    }
}
