//! How a tuple leaves a task: on the main stream, on a side stream, as one of many rows, or as a failure.

use super::{Around, At, Level, Program, Targets, step};
use crate::component::{ERRORS, Flow};
use crate::tuple::{Frame, TextWord};

impl Program {
    /// What a task answered becomes the targets of a stream.
    #[inline(always)]
    pub(super) fn leave(&mut self, task: u16, flow: Flow, frame: &mut Frame, around: &Around<'_>) -> Targets {
        match flow {
            Flow::Next if self.tasks[task as usize].sink.is_none() => self.out_main(task, frame, around),
            Flow::Next | Flow::Skip => {
                self.tasks[task as usize].meter.skipped += 1;
                0..0
            }
            Flow::Port(0) => self.out_main(task, frame, around),
            Flow::Port(port) => self.out_side(task, port, frame),
            Flow::Many => {
                self.tasks[task as usize].meter.expanded += 1;
                self.stack.push(Level::Rows { at: self.at, time: frame.time(), path: frame.path() });
                0..0
            }
            Flow::Error => self.failed(task, frame, around),
            Flow::Broken => {
                self.broken = true;
                self.failed(task, frame, around)
            }
        }
    }

    #[inline(always)]
    pub(super) fn out_main(&mut self, task: u16, frame: &mut Frame, around: &Around<'_>) -> Targets {
        let owner = &mut self.tasks[task as usize];
        if let Some(having) = &owner.having {
            match having.test(frame, around.arena) {
                Ok(true) => {}
                Ok(false) => {
                    owner.meter.refused_rows += 1;
                    return 0..0;
                }
                Err(error) => return self.fail(task, error.reason, &error.text("having"), frame, around),
            }
        }
        self.out(task, 0)
    }

    #[inline(always)]
    pub(super) fn out(&mut self, task: u16, port: u8) -> Targets {
        let owner = &mut self.tasks[task as usize];
        match owner.outputs.get(port as usize) {
            Some(targets) => {
                owner.meter.tuples_out[port as usize] += 1;
                targets.clone()
            }
            // A sink has no main stream.
            None => 0..0,
        }
    }

    /// The same for a side stream: late rows that nobody reads are dead letters.
    #[inline(always)]
    pub(super) fn out_side(&mut self, task: u16, port: u8, frame: &Frame) -> Targets {
        if self.tasks[task as usize].late == Some(port) {
            self.too_late(task, frame);
        }
        self.out(task, port)
    }

    #[cold]
    fn too_late(&mut self, task: u16, frame: &Frame) {
        if let Some(letters) = &mut self.letters {
            letters.late(&self.tasks[task as usize].name, self.at.node(), frame);
        }
    }

    /// The next waiting row of a task.
    pub(super) fn next_row(&mut self, at: At, frame: &mut Frame, around: &Around<'_>) -> Targets {
        let task = at.task;
        self.at = at;
        let (time, path) = (frame.time(), frame.path());
        let owner = &mut self.tasks[task as usize];
        let held = self.holds.of(task);
        let mut step = step(around, (owner.floor, held), &mut self.failure, &mut owner.deadline);
        let row = owner.bolt.next_row(frame, &mut step);
        if owner.deadline < held {
            self.deadline = self.deadline.min(owner.deadline);
        }
        match row {
            None => {
                if self.holds.by(task) {
                    self.hold(task);
                }
                frame.set_time(time);
                frame.set_path(path);
                0..0
            }
            Some(port) => {
                owner.meter.rows += 1;
                self.stack.push(Level::Rows { at, time, path });
                match port {
                    0 => self.out_main(task, frame, around),
                    ERRORS => self.failed(task, frame, around),
                    port => self.out_side(task, port, frame),
                }
            }
        }
    }

    #[cold]
    pub(super) fn failed(&mut self, task: u16, frame: &mut Frame, around: &Around<'_>) -> Targets {
        let (reason, text) = self.failure.take().unwrap_or(("unknown", String::new()));
        self.fail(task, reason, &text, frame, around)
    }

    #[cold]
    pub(super) fn fail(
        &mut self,
        task: u16,
        reason: &'static str,
        text: &str,
        frame: &mut Frame,
        around: &Around<'_>,
    ) -> Targets {
        let owner = &mut self.tasks[task as usize];
        owner.meter.error(reason, text);
        if let Some(slots) = &owner.errors {
            let literal = |text: &'static str| {
                // SAFETY: a static text lives for ever.
                unsafe { TextWord::borrow(text, around.arena) }.0
            };
            // SAFETY: the task owns its name, and outlives every run.
            let own = unsafe { TextWord::borrow(&owner.name, around.arena) }.0;
            frame.set(slots.component, own);
            frame.set(slots.reason, literal(reason));
            frame.set(slots.split, frame.split() as u64);
            frame.set(slots.position, frame.position());
            frame.set(slots.text, around.arena.store(text).0);
        } else if let Some(letters) = &mut self.letters {
            letters.failed(&owner.name, self.at.node(), reason, text, frame);
        }
        let port = owner.outputs.len() - 1;
        self.out(task, port as u8)
    }
}
