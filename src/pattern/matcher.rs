//! Takes the partial matches of a key from row to row.
//!
//! 1. [`Matcher::expire`] ends what can take no row at the time that has come: absences become matches, the rest times
//!    out.
//! 2. [`Matcher::row`] first asks all conditions and notes what becomes of each partial match; only then it changes
//!    anything, so that a condition that fails leaves no trace.
//! 3. Partial matches of one first row stand in order of preference. Where one becomes a match, those behind it are
//!    dropped; it is reported when none is before it, and no row before its first one is still undecided.
//! 4. What is reported decides, by [`Skip`], which rows may begin the next match; partial matches of the others go.
use super::automaton::{Automaton, Entry, List, Members, Target};
use super::buffer::{Buffer, NONE, Path};
use super::partials::{Emission, Partials, Phase, Thread};
use super::settings::{Conditions, Overflow, RowError, Settings};

/// What becomes of a partial match, before anything is changed.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub(super) thread: Thread,
    /// Whether it takes the row behind its path, and as what.
    pub(super) takes: Option<u8>,
}

/// What was asked about the row.
#[derive(Default)]
struct Known {
    asked: u64,
    holds: u64,
    asked_until: u64,
    ends: u64,
}

/// The matcher of a pattern; one serves all keys.
pub struct Matcher {
    pub(super) automaton: Automaton,
    pub(super) settings: Settings,
    /// Whether the future of a partial match does not depend on its rows.
    memoryless: bool,
    pub(super) gaps: bool,
    pub(super) next: Vec<Next>,
    known: Known,
    /// Whether what is known is about the row that comes next.
    looked: bool,
    dropped: u64,
}

impl Matcher {
    /// A matcher; the automaton must have been made for all matches if [`super::Skip::None`] is wanted.
    pub fn new(automaton: Automaton, settings: Settings) -> Matcher {
        let variables = settings.gaps.len();
        let every = if variables >= 64 { u64::MAX } else { (1 << variables) - 1 };
        let memoryless = settings.own & every == every;
        let gaps = settings.gaps.iter().any(|gap| *gap != i64::MAX);
        Matcher {
            automaton,
            settings,
            memoryless,
            gaps,
            next: Vec::new(),
            known: Known::default(),
            looked: false,
            dropped: 0,
        }
    }

    /// Partial matches that went because a key had too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the row may be the first of a match. Changes nothing and allocates nothing; what was asked is known to
    /// [`Matcher::row`], if that comes next.
    ///
    /// # Errors
    /// A condition fails.
    #[inline]
    pub fn begins<C: Conditions>(&mut self, buffer: &Buffer<C::Row>, cx: &mut C) -> Result<bool, C::Error> {
        (self.known, self.looked) = (Known::default(), true);
        for at in 0..self.automaton.start.entries.len() {
            let variable = self.automaton.start.entries[at].variable as usize;
            if self.takes(variable, cx, Path::new(buffer, NONE))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the row may be a variable, its stop condition not being true.
    #[inline]
    fn takes<C: Conditions>(&mut self, variable: usize, cx: &mut C, path: Path<'_, C::Row>) -> Result<bool, C::Error> {
        Ok(self.holds(variable, cx, path)?
            && (self.settings.until >> variable & 1 == 0 || !self.ends(variable, cx, path)?))
    }

    #[inline]
    fn holds<C: Conditions>(&mut self, variable: usize, cx: &mut C, path: Path<'_, C::Row>) -> Result<bool, C::Error> {
        let bit = 1 << variable;
        if self.settings.own & bit == 0 {
            return cx.test(variable, path);
        }
        if self.known.asked & bit == 0 {
            if cx.test(variable, path)? {
                self.known.holds |= bit;
            }
            self.known.asked |= bit;
        }
        Ok(self.known.holds & bit != 0)
    }

    fn ends<C: Conditions>(&mut self, variable: usize, cx: &mut C, path: Path<'_, C::Row>) -> Result<bool, C::Error> {
        let bit = 1 << variable;
        if self.settings.own & bit == 0 {
            return cx.until(variable, path);
        }
        if self.known.asked_until & bit == 0 {
            if cx.until(variable, path)? {
                self.known.ends |= bit;
            }
            self.known.asked_until |= bit;
        }
        Ok(self.known.ends & bit != 0)
    }

    /// A row of the key has come. What is over at its time must have been ended with [`Matcher::expire`].
    ///
    /// # Errors
    /// A condition failed, or there are too many partial matches; nothing has changed then.
    pub fn row<C: Conditions>(
        &mut self,
        buffer: &mut Buffer<C::Row>,
        partials: &mut Partials,
        time: i64,
        cx: &mut C,
        out: &mut Vec<Emission>,
    ) -> Result<(), RowError<C::Error>> {
        if !std::mem::take(&mut self.looked) {
            self.known = Known::default();
        }
        self.next.clear();
        let mut changed = self.advance(buffer, partials, time, cx).map_err(RowError::Condition)?;
        changed |= self.begin(buffer, partials, time, cx).map_err(RowError::Condition)?;
        self.bound()?;
        if changed {
            self.apply(buffer, partials, time, cx);
            self.resolve(buffer, partials, out);
        }
        partials.rows += 1;
        Ok(())
    }

    /// What becomes of all partial matches; whether anything.
    fn advance<C: Conditions>(
        &mut self,
        buffer: &Buffer<C::Row>,
        partials: &Partials,
        time: i64,
        cx: &mut C,
    ) -> Result<bool, C::Error> {
        let (mut changed, mut at) = (false, 0);
        while let Some(first) = partials.threads.get(at) {
            let (start, from) = (first.start, self.next.len());
            let mut decided = false;
            while let Some(thread) = partials.threads.get(at).filter(|thread| thread.start == start) {
                if decided {
                    changed = true;
                } else if thread.phase == Phase::Waiting {
                    let length = self.next.len();
                    decided = self.thread(buffer, thread, from, time, cx)?;
                    let kept = self.next.get(length).filter(|next| {
                        let new = &next.thread;
                        next.takes.is_none()
                            && new.phase == Phase::Waiting
                            && new.alive == thread.alive
                            && new.closed == thread.closed
                    });
                    changed |= kept.is_none() || self.next.len() != length + 1;
                } else {
                    self.next.push(Next { thread: *thread, takes: None });
                }
                at += 1;
            }
        }
        Ok(changed)
    }

    /// What becomes of one partial match; whether it is a match, so that those behind it do not count.
    fn thread<C: Conditions>(
        &mut self,
        buffer: &Buffer<C::Row>,
        thread: &Thread,
        from: usize,
        time: i64,
        cx: &mut C,
    ) -> Result<bool, C::Error> {
        let path = Path::new(buffer, thread.path);
        let since = if self.gaps { time.saturating_sub(Partials::last_time(buffer, thread)) } else { 0 };
        let at = thread.at as usize;
        let list = &self.automaton.after[at];
        let (waiting, followed, candidates) = (list.waiting, list.followed, list.variables);
        let mut alive = thread.alive;
        for link in Members(u64::from(thread.alive)) {
            let not = self.automaton.after[at].links[link].not;
            if not != 0 && self.forbidden(not, since, cx, path)? {
                alive &= !(1 << link);
            }
        }
        let mut new = Thread { alive, ..*thread };
        let stops = match self.settings.until & candidates & thread.bound & !thread.closed {
            0 => 0,
            stops => stops & self.open(thread, since),
        };
        for variable in Members(stops) {
            if self.ends(variable, cx, path)? {
                new.closed |= 1 << variable;
            }
        }
        let (mut took, mut absent) = (false, false);
        for index in 0..thread.limit as usize {
            let Entry { target, variable, link } = self.automaton.after[at].entries[index];
            if new.alive >> link & 1 == 0 {
                continue;
            }
            let followed = followed >> link & 1 == 1;
            match target {
                Target::Take(position) => {
                    let variable = variable as usize;
                    let open = new.closed >> variable & 1 == 0 && since <= self.settings.gaps[variable];
                    if open && self.takes(variable, cx, path)? {
                        took |= followed;
                        if self.child(&new, position, time, from, buffer) {
                            return Ok(true);
                        }
                    }
                }
                Target::Absent if (waiting | thread.spent) >> link & 1 == 0 => {
                    absent = true;
                    if !self.automaton.all {
                        new.limit = index as u32;
                        break;
                    }
                }
                Target::Absent => {}
            }
        }
        let rest = Thread { alive: new.alive & waiting & if took { !followed } else { u32::MAX }, ..new };
        if self.hopeful(&rest) {
            self.push(Next { thread: rest, takes: None }, from, buffer);
        }
        if absent {
            self.next.push(Next { thread: Thread { phase: Phase::Accepted(time), ..new }, takes: None });
        }
        Ok(absent && !self.automaton.all)
    }

    /// The variables that may still come after a partial match.
    fn open(&self, thread: &Thread, since: i64) -> u64 {
        let list = &self.automaton.after[thread.at as usize];
        let entries = list.entries[..thread.limit as usize].iter();
        let open = entries.filter(|entry| {
            matches!(entry.target, Target::Take(_))
                && thread.alive >> entry.link & 1 == 1
                && since <= self.settings.gaps[entry.variable as usize]
        });
        open.fold(0, |set, entry| set | 1 << entry.variable)
    }

    /// Whether the row is one of the variables `not`.
    fn forbidden<C: Conditions>(
        &mut self,
        not: u64,
        since: i64,
        cx: &mut C,
        path: Path<'_, C::Row>,
    ) -> Result<bool, C::Error> {
        for variable in Members(not) {
            if since <= self.settings.gaps[variable] && self.holds(variable, cx, path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether something may still come after a partial match.
    fn hopeful(&self, thread: &Thread) -> bool {
        let list = &self.automaton.after[thread.at as usize];
        let open = |entry: &Entry| {
            thread.alive >> entry.link & 1 == 1
                && match entry.target {
                    Target::Take(_) => thread.closed >> entry.variable & 1 == 0,
                    Target::Absent => thread.spent >> entry.link & 1 == 0,
                }
        };
        thread.alive != 0 && list.entries[..thread.limit as usize].iter().any(open)
    }

    /// The row is taken at a position; whether the pattern may end there, so that nothing behind counts.
    fn child<R: Default>(
        &mut self,
        parent: &Thread,
        position: u16,
        time: i64,
        from: usize,
        buffer: &Buffer<R>,
    ) -> bool {
        let list: &List = &self.automaton.after[position as usize];
        let variable = self.automaton.variables[position as usize];
        let thread = Thread {
            at: position,
            alive: list.all,
            limit: list.entries.len() as u32,
            bound: parent.bound | 1 << variable,
            spent: 0,
            ..*parent
        };
        let accepts = list.accepts;
        if self.hopeful(&thread) {
            self.push(Next { thread, takes: Some(variable) }, from, buffer);
        }
        if accepts {
            let phase = Phase::Accepted(time);
            self.next.push(Next { thread: Thread { phase, ..thread }, takes: Some(variable) });
        }
        accepts && !self.automaton.all
    }

    /// Notes a partial match, unless one that is preferred to it has the same future.
    fn push<R: Default>(&mut self, next: Next, from: usize, buffer: &Buffer<R>) {
        let new = &next.thread;
        let row = |next: &Next| next.takes.is_none().then(|| buffer.row_of(next.thread.path).seq);
        let same = |known: &Next| {
            let thread = &known.thread;
            thread.at == new.at
                && (thread.alive, thread.closed, thread.limit) == (new.alive, new.closed, new.limit)
                && thread.phase == Phase::Waiting
                && (!self.gaps || row(known) == row(&next))
                // What is closed depends on which variables have begun.
                && (self.settings.until == 0 || thread.bound == new.bound)
        };
        if self.memoryless && !self.automaton.all && self.next[from..].iter().any(same) {
            return;
        }
        self.next.push(next);
    }

    /// The row begins a match, perhaps.
    fn begin<C: Conditions>(
        &mut self,
        buffer: &Buffer<C::Row>,
        partials: &Partials,
        time: i64,
        cx: &mut C,
    ) -> Result<bool, C::Error> {
        let from = self.next.len();
        let parent = Thread {
            start: partials.rows,
            deadline: time.saturating_add(self.settings.within),
            phase: Phase::Waiting,
            path: NONE,
            at: 0,
            limit: 0,
            alive: 0,
            closed: 0,
            bound: 0,
            spent: 0,
        };
        for at in 0..self.automaton.start.entries.len() {
            let Entry { target: Target::Take(position), variable, .. } = self.automaton.start.entries[at] else {
                continue;
            };
            if self.takes(variable as usize, cx, Path::new(buffer, NONE))?
                && self.child(&parent, position, time, from, buffer)
            {
                break;
            }
        }
        Ok(self.next.len() > from)
    }

    /// Keeps the number of partial matches within bounds.
    fn bound<E>(&mut self) -> Result<(), RowError<E>> {
        let waiting = |next: &Next| next.thread.phase == Phase::Waiting;
        let most = self.settings.partials_max;
        if self.next.len() <= most {
            return Ok(());
        }
        let mut count = self.next.iter().filter(|next| waiting(next)).count();
        if count <= most {
            return Ok(());
        }
        if self.settings.overflow == Overflow::Error {
            return Err(RowError::Overflow);
        }
        let before = count;
        while count > most {
            let starts = (self.next.first().map(|n| n.thread.start), self.next.last().map(|n| n.thread.start));
            let gone = if self.settings.overflow == Overflow::DropOldest { starts.0 } else { starts.1 };
            if starts.0 == starts.1 {
                // Of one row: those that are liked least.
                let Some(last) = self.next.iter().rposition(waiting) else { break };
                self.next.remove(last);
            } else {
                self.next.retain(|next| Some(next.thread.start) != gone);
            }
            count = self.next.iter().filter(|next| waiting(next)).count();
        }
        self.dropped += (before - count) as u64;
        Ok(())
    }

    /// Makes true what was noted.
    fn apply<C: Conditions>(&mut self, buffer: &mut Buffer<C::Row>, partials: &mut Partials, time: i64, cx: &mut C) {
        let (mut row, mut last) = (NONE, (NONE, NONE, 0));
        for next in &mut self.next {
            let path = next.thread.path;
            let Some(variable) = next.takes else {
                buffer.keep(path);
                continue;
            };
            if row == NONE {
                row = buffer.row(partials.rows, time, cx.id());
                cx.store(&mut buffer.rows[row as usize].data);
            }
            if (path, variable) == (last.1, last.2) && last.0 != NONE {
                buffer.keep(last.0);
            } else {
                last = (buffer.step(row, variable, path), path, variable);
            }
            next.thread.path = last.0;
        }
        partials.replace(buffer, self.next.drain(..).map(|next| next.thread));
    }
}
