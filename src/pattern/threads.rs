//! A list of partial matches that is short nearly always: the first few stand in place.

use super::partials::Thread;
use std::ops::{Deref, DerefMut};

/// So many stand in place.
const FEW: usize = 2;

/// Partial matches in order. Invariant: up to [`FEW`] stand in `few`, more of them all in `many`.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Threads {
    count: u32,
    few: [Thread; FEW],
    many: Vec<Thread>,
}

impl Deref for Threads {
    type Target = [Thread];

    #[inline(always)]
    fn deref(&self) -> &[Thread] {
        match self.few.get(..self.count as usize) {
            Some(few) => few,
            None => &self.many,
        }
    }
}

impl DerefMut for Threads {
    fn deref_mut(&mut self) -> &mut [Thread] {
        match self.few.get_mut(..self.count as usize) {
            Some(few) => few,
            None => &mut self.many,
        }
    }
}

impl Threads {
    /// These take the place of all.
    #[inline]
    pub(crate) fn fill(&mut self, threads: impl ExactSizeIterator<Item = Thread>) {
        self.count = threads.len() as u32;
        if threads.len() <= FEW {
            self.few.iter_mut().zip(threads).for_each(|(place, thread)| *place = thread);
            self.give_back();
        } else {
            self.many.clear();
            self.many.extend(threads);
        }
    }

    /// None is left.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.give_back();
    }

    /// One more behind all.
    pub(crate) fn push(&mut self, thread: Thread) {
        let count = self.len();
        if count < FEW {
            self.few[count] = thread;
        } else {
            if count == FEW {
                self.many.clear();
                self.many.extend(self.few);
            }
            self.many.push(thread);
        }
        self.count += 1;
    }

    /// Keeps those for which `keep` is true.
    #[inline]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Thread) -> bool) {
        if self.len() > FEW {
            self.many.retain(keep);
            self.count = self.many.len() as u32;
            if self.many.len() <= FEW {
                self.few[..self.many.len()].copy_from_slice(&self.many);
                self.give_back();
            }
            return;
        }
        let mut kept = 0;
        for at in 0..self.len() {
            if keep(&self.few[at]) {
                self.few[kept] = self.few[at];
                kept += 1;
            }
        }
        self.count = kept as u32;
        self.give_back();
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, at: usize) {
        let mut number = 0;
        self.retain(|_| {
            number += 1;
            number - 1 != at
        });
    }

    /// Memory for many goes when none is left: their number goes up and down while a loop runs.
    #[inline(always)]
    fn give_back(&mut self) {
        if self.count == 0 && self.many.capacity() > 0 {
            self.many = Vec::new();
        }
    }

    /// Memory beside its own size, bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.many.capacity() * size_of::<Thread>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_one_list() {
        let thread = |start| Thread { start, ..Thread::default() };
        let starts = |threads: &Threads| threads.iter().map(|thread| thread.start).collect::<Vec<_>>();
        for length in 0..6u64 {
            let all: Vec<u64> = (0..length).collect();
            let (mut filled, mut pushed) = (Threads::default(), Threads::default());
            filled.fill((0..length).map(thread).collect::<Vec<_>>().into_iter());
            (0..length).for_each(|start| pushed.push(thread(start)));
            assert_eq!((starts(&filled), starts(&pushed)), (all.clone(), all.clone()));
            for mask in 0..1 << length {
                let kept = |start: &u64| mask >> start & 1 == 1;
                let mut some = filled.clone();
                some.retain(|thread| kept(&thread.start));
                assert_eq!(starts(&some), all.iter().copied().filter(kept).collect::<Vec<_>>());
                some.push(thread(9));
                assert_eq!(
                    (some.last().map(|t| t.start), some.len()),
                    (Some(9), (mask as u64).count_ones() as usize + 1)
                );
            }
            for at in 0..length as usize {
                let mut less = filled.clone();
                less.remove(at);
                let mut left = all.clone();
                left.remove(at);
                assert_eq!(starts(&less), left);
            }
        }
    }
}
