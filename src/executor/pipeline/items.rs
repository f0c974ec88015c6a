//! Control items: those that stand behind the tuples of channels are taken, and those of this pipeline are handed on.
//!
//! Invariant: an item is taken only when all tuples before it are done, and none is handed on while one is suspended.

use super::{Ending, Pipeline};
use crate::executor::channel::Item;
use crate::executor::input::{Input, Source};
use crate::executor::program::Program;

impl Pipeline {
    /// Sources stop: splits are at their end, what was read is still followed; with splits in step only as far as none
    /// can have an earlier tuple, so that the next start goes on between the same two.
    pub fn drain(&mut self) {
        self.draining = true;
        for input in &mut self.inputs {
            if let Source::Split(split) = &mut input.source
                && !input.ended
            {
                input.ended = !split.spout.drain();
                input.cut = input.ended;
            }
        }
    }

    /// Takes the control items that stand behind the tuples of channels; whether there were any.
    pub(super) fn take_items(&mut self) -> bool {
        let mut taken = false;
        for n in 0..self.inputs.len() {
            let input = &mut self.inputs[n];
            if self.suspended.is_some() {
                break;
            }
            if input.has_tuples() {
                continue;
            }
            let Source::Channel(channel) = &mut input.source else { continue };
            match channel.item {
                None => continue,
                Some(Item::Watermark(watermark) | Item::Idle(watermark)) => {
                    input.watermark = input.watermark.max(watermark);
                    input.idle = matches!(channel.item, Some(Item::Idle(_)));
                    channel.item = None;
                    self.move_time(None);
                }
                Some(Item::End(complete)) => {
                    channel.item = None;
                    input.ended = true;
                    input.cut = !complete;
                    self.draining |= !complete;
                }
                Some(Item::Barrier(epoch)) => {
                    if input.aligned {
                        continue;
                    }
                    input.aligned = true;
                    self.align(epoch);
                }
            }
            taken = true;
        }
        taken
    }

    /// Watermark and end go to the outputs.
    pub(super) fn hand_on(&mut self) {
        if self.suspended.is_some() {
            return;
        }
        let ended = self.inputs.iter().all(|i| i.ended && !i.has_tuples());
        let silently = |input: &mut Input| std::mem::take(&mut input.moved_silently);
        let silent = self.inputs.iter_mut().fold(false, |moved, input| moved | silently(input));
        if !ended && (silent || self.inputs.iter().any(|i| i.ended || i.idle)) {
            self.move_time(None);
            if self.suspended.is_some() {
                return;
            }
        }
        if ended && self.ending == Ending::Running {
            for sender in &mut self.program.senders {
                sender.end(!self.draining);
            }
            self.ending = Ending::Announced;
        } else if !ended {
            let Program { reaches, senders, .. } = &mut self.program;
            for (reach, time) in reaches.iter().zip(&self.times) {
                let mut inputs = reach.inputs.iter().map(|input| &self.inputs[*input]);
                let idle = inputs.all(|i| (i.let_go || i.idle) && !i.has_tuples());
                for sender in &reach.senders {
                    let sender = &mut senders[*sender as usize];
                    if idle { sender.idle(*time) } else { sender.watermark(*time) }
                }
            }
        }
    }
}
