//! How far time is in each task, and the timers that it has passed.
//!
//! A task's time is its pipeline's, but not further than it is held back, and not further back than it was when the last
//! run ended.

use super::{Around, At, Followed, Program, step};
use crate::component::Flow;
use crate::store::TaskTime;
use crate::tuple::Frame;

/// What asking for a timer that is due came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fired {
    /// None is due.
    None,
    /// A task was woken and made no row.
    NoRow,
    /// A row was made, and has been followed so far.
    Row(Followed),
}

impl Program {
    /// Fires the earliest timer whose deadline the watermark has passed into `frame` and takes its row along. At the end
    /// of the input `last` is where time was behind the last event: what was due by then, and was held back, is no matter
    /// of the end.
    pub fn fire(&mut self, frame: &mut Frame, around: &Around<'_>, last: i64) -> Fired {
        if self.deadline >= around.watermark {
            return Fired::None;
        }
        let can = |(n, task): &(usize, &super::Task)| task.deadline < self.holds.of(*n as u16);
        let first = self.tasks.iter().enumerate().filter(can).min_by_key(|(n, t)| (t.deadline, *n));
        let Some((task, _)) = first else { return Fired::None };
        self.at = At { task: task as u16, node: u16::MAX };
        self.origin = (frame.split(), frame.position());
        let owner = &mut self.tasks[task];
        let deadline = owner.bolt.deadline();
        if deadline > owner.deadline {
            // A timer that was taken back: those of others may come before its next.
            owner.deadline = deadline;
            self.deadline = self.earliest();
            return Fired::NoRow;
        }
        let watermark = if owner.deadline < last { last } else { around.watermark };
        owner.deadline = i64::MAX;
        let held = self.holds.of(task as u16);
        let mut step = step(around, (owner.floor, held), &mut self.failure, &mut owner.deadline);
        step.watermark = watermark.min(held).max(owner.floor);
        let flow = owner.bolt.fire(frame, &mut step);
        self.deadline = self.earliest();
        if self.holds.by(task as u16) {
            self.hold(task as u16);
        }
        match flow {
            None | Some(Flow::Skip) => Fired::NoRow,
            Some(flow) => {
                self.tasks[task].meter.rows += 1;
                if frame.split() == u32::MAX {
                    // When the task was to be woken depends on what it has done before; what it tells of does not.
                    frame.set_origin(u32::MAX, frame.time() as u64);
                }
                let targets = self.leave(task as u16, flow, frame, around);
                Fired::Row(self.run::<false>(frame, targets, around))
            }
        }
    }

    /// The earliest deadline of all tasks whose time can come there.
    pub(super) fn earliest(&self) -> i64 {
        let tasks = self.tasks.iter().zip(self.holds.all()).filter(|(task, held)| task.deadline < *held);
        tasks.map(|(task, _)| task.deadline).min().unwrap_or(i64::MAX)
    }

    /// The tasks with state and how far time is there; `watermark` tells it of each but for what is held back.
    pub fn times(&self, watermark: impl Fn(u16) -> i64) -> impl Iterator<Item = (u16, TaskTime)> {
        let tasks = (0u16..).zip(&self.tasks).zip(self.holds.all()).filter(|((_, task), _)| task.stateful);
        tasks.map(move |((number, task), held)| {
            let watermark = watermark(number).min(held).max(task.floor);
            (number, TaskTime { component: task.name.to_string(), task: task.number, watermark })
        })
    }
}
