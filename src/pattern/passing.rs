//! What happens to partial matches by time alone: absences become matches, the rest is over.

use super::automaton::{Entry, Members, Target};
use super::buffer::Buffer;
use super::matcher::{Matcher, Next};
use super::partials::{Emission, Partials, Phase, Thread};

impl Matcher {
    /// Ends what can take no row any more at times of `now` or later.
    #[inline]
    pub fn expire<R: Default>(
        &mut self,
        buffer: &mut Buffer<R>,
        partials: &mut Partials,
        now: i64,
        out: &mut Vec<Emission>,
    ) {
        loop {
            let ends = self.deadline(buffer, partials);
            if ends >= now || ends == i64::MAX {
                return;
            }
            self.expire_at(buffer, partials, ends);
            self.resolve(buffer, partials, out);
        }
    }

    /// The latest event time at which nothing happens by time alone; `i64::MAX`: at no time.
    #[inline]
    pub fn deadline<R: Default>(&self, buffer: &Buffer<R>, partials: &Partials) -> i64 {
        let waiting = partials.threads.iter().filter(|thread| thread.phase == Phase::Waiting);
        waiting.map(|thread| self.ends_at(buffer, thread)).min().unwrap_or(i64::MAX)
    }

    /// The latest event time at which nothing is reported by time alone; `i64::MAX`: at no time. Earlier than
    /// [`Matcher::deadline`] never, later where partial matches only go.
    #[inline]
    pub fn alarm<R: Default>(&self, buffer: &Buffer<R>, partials: &Partials) -> i64 {
        let held = partials.threads.iter().any(|thread| thread.phase != Phase::Waiting);
        if held || self.settings.timed_out {
            return self.deadline(buffer, partials);
        }
        if !self.automaton.absences {
            return i64::MAX;
        }
        let waits = |thread: &&Thread| self.ends_of(buffer, thread).any(|(_, entry, _)| entry.target == Target::Absent);
        partials.threads.iter().filter(waits).map(|thread| self.ends_at(buffer, thread)).min().unwrap_or(i64::MAX)
    }

    /// No row comes any more: what waits for one goes, what has been found is reported. Nothing becomes a match by being
    /// absent.
    pub fn finish<R: Default>(&mut self, buffer: &mut Buffer<R>, partials: &mut Partials, out: &mut Vec<Emission>) {
        partials.drop_threads(buffer, |thread| thread.phase == Phase::Waiting);
        self.resolve(buffer, partials, out);
    }

    /// When something happens to a partial match by time alone.
    #[inline]
    fn ends_at<R: Default>(&self, buffer: &Buffer<R>, thread: &Thread) -> i64 {
        if !self.gaps {
            return thread.deadline;
        }
        let (mut all, mut absent) = (i64::MIN, i64::MAX);
        for (_, entry, ends) in self.ends_of(buffer, thread) {
            all = all.max(ends);
            if entry.target == Target::Absent {
                absent = absent.min(ends);
            }
        }
        all.min(absent)
    }

    /// What may come after a partial match, and until when.
    fn ends_of<'a, R: Default>(
        &'a self,
        buffer: &Buffer<R>,
        thread: &'a Thread,
    ) -> impl Iterator<Item = (usize, &'a Entry, i64)> {
        let last = Partials::last_time(buffer, thread);
        let list = &self.automaton.after[thread.at as usize];
        let entries = list.entries[..thread.limit as usize].iter().enumerate();
        let open = entries.filter(|(_, entry)| thread.alive >> entry.link & 1 == 1);
        open.filter_map(move |(index, entry)| {
            let gap = match entry.target {
                Target::Take(_) if thread.closed >> entry.variable & 1 == 1 => return None,
                Target::Take(_) => self.settings.gaps[entry.variable as usize],
                Target::Absent if thread.spent >> entry.link & 1 == 1 => return None,
                Target::Absent => {
                    let not = list.links[entry.link as usize].not;
                    Members(not).map(|v| self.settings.gaps[v]).max().unwrap_or(i64::MAX)
                }
            };
            Some((index, entry, thread.deadline.min(last.saturating_add(gap))))
        })
    }

    /// Time has passed `ends`.
    fn expire_at<R: Default>(&mut self, buffer: &mut Buffer<R>, partials: &mut Partials, ends: i64) {
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        let mut at = 0;
        while let Some(first) = partials.threads.get(at) {
            let (start, from) = (first.start, next.len());
            let (mut decided, mut over) = (false, None);
            while let Some(thread) = partials.threads.get(at).filter(|thread| thread.start == start) {
                at += 1;
                if decided {
                    continue;
                }
                if thread.phase != Phase::Waiting {
                    next.push(Next { thread: *thread, takes: None });
                    continue;
                }
                let (rest, accepted) = self.aged(buffer, thread, ends);
                next.extend(rest.map(|thread| Next { thread, takes: None }));
                next.extend(accepted.map(|thread| Next { thread, takes: None }));
                if rest.is_none() && accepted.is_none() {
                    let timed_out = Thread { phase: Phase::TimedOut(ends), ..*thread };
                    if self.automaton.all && self.settings.timed_out {
                        next.push(Next { thread: timed_out, takes: None });
                    }
                    over = over.or(Some(timed_out));
                }
                decided = accepted.is_some() && !self.automaton.all;
            }
            if let Some(thread) = over.filter(|_| next.len() == from && self.settings.timed_out) {
                next.push(Next { thread, takes: None });
            }
        }
        next.iter().for_each(|next| buffer.keep(next.thread.path));
        partials.replace(buffer, next.drain(..).map(|next| next.thread));
        self.next = next;
    }

    /// What is left of a partial match when time has passed `ends`, and what has become a match.
    fn aged<R: Default>(&self, buffer: &Buffer<R>, thread: &Thread, ends: i64) -> (Option<Thread>, Option<Thread>) {
        let (mut rest, mut accepted, mut left) = (*thread, None, false);
        for (index, entry, until) in self.ends_of(buffer, thread) {
            if until > ends {
                left = true;
            } else if entry.target == Target::Absent && accepted.is_some() {
                // The next one, when it is asked again.
                left = true;
            } else if entry.target == Target::Absent {
                accepted = Some(Thread { phase: Phase::Accepted(until), ..*thread });
                if self.automaton.all {
                    rest.spent |= 1 << entry.link;
                } else {
                    rest.limit = index as u32;
                    break;
                }
            }
        }
        (left.then_some(rest), accepted)
    }
}
