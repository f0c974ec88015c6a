//! The rows that the partial matches of all keys of a task have taken, each stored once.
//!
//! A step is a row as a variable, and the step before it; a partial match is the number of its last step, so that
//! partial matches with a common beginning share it. Steps and rows count who refers to them and are free when nobody
//! does; the one that was freed last is used first, memory of what is kept of a row included, so that in the steady
//! state nothing is allocated and what is written to is near. Invariant: the references to a row are the steps that took
//! it, those to a step are its followers and the partial matches that end with it.

/// No step.
pub(crate) const NONE: u32 = u32::MAX;

/// Most free rows whose memory is kept for the next ones.
const SPARE_ROWS: usize = 4096;

/// A row that a partial match has taken.
#[derive(Clone, Debug, Default)]
pub struct Row<R> {
    /// Its number among the rows of its key.
    pub seq: u64,
    /// Its event time.
    pub time: i64,
    /// What it is identified by, the same after a replay.
    pub id: u64,
    /// What is kept of it.
    pub data: R,
    pub(crate) refs: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) row: u32,
    /// The step before; of a free one the next free one.
    pub(crate) before: u32,
    pub(crate) refs: u32,
    pub(crate) variable: u8,
    /// No other step had or will have it.
    pub(crate) stamp: u64,
}

/// Rows and steps.
#[derive(Clone, Debug)]
pub struct Buffer<R> {
    pub(crate) rows: Vec<Row<R>>,
    pub(crate) steps: Vec<Step>,
    free_row: u32,
    free_step: u32,
    live_rows: u32,
    live_steps: u32,
    /// The stamp of the last step.
    stamp: u64,
}

impl<R> Default for Buffer<R> {
    fn default() -> Buffer<R> {
        Buffer {
            rows: Vec::new(),
            steps: Vec::new(),
            free_row: NONE,
            free_step: NONE,
            live_rows: 0,
            live_steps: 0,
            stamp: 0,
        }
    }
}

impl<R: Default> Buffer<R> {
    /// Room for a row, to which nobody refers yet; what is kept of it is anything, and to be written.
    pub(crate) fn row(&mut self, seq: u64, time: i64, id: u64) -> u32 {
        self.live_rows += 1;
        if self.free_row == NONE {
            assert!(self.rows.len() < NONE as usize, "a task keeps at most 2^32 - 1 rows");
            self.rows.push(Row { seq, time, id, data: R::default(), refs: 0 });
            return self.rows.len() as u32 - 1;
        }
        let at = self.free_row;
        let row = &mut self.rows[at as usize];
        self.free_row = row.seq as u32;
        (row.seq, row.time, row.id, row.refs) = (seq, time, id, 0);
        at
    }

    /// A step behind `before`, to which the caller refers.
    pub(crate) fn step(&mut self, row: u32, variable: u8, before: u32) -> u32 {
        self.rows[row as usize].refs += 1;
        if before != NONE {
            self.steps[before as usize].refs += 1;
        }
        self.stamp += 1;
        let step = Step { row, before, refs: 1, variable, stamp: self.stamp };
        self.live_steps += 1;
        if self.free_step == NONE {
            assert!(self.steps.len() < NONE as usize, "a task keeps at most 2^32 - 1 steps");
            self.steps.push(step);
            return self.steps.len() as u32 - 1;
        }
        let at = self.free_step;
        self.free_step = self.steps[at as usize].before;
        self.steps[at as usize] = step;
        at
    }

    /// One more refers to a step.
    pub(crate) fn keep(&mut self, step: u32) {
        self.steps[step as usize].refs += 1;
    }

    /// One less refers to a step; what nobody refers to any more is free.
    pub(crate) fn release(&mut self, mut at: u32) {
        while at != NONE {
            let step = &mut self.steps[at as usize];
            step.refs -= 1;
            if step.refs > 0 {
                return;
            }
            let (row, before) = (step.row, step.before);
            step.before = self.free_step;
            self.free_step = at;
            self.live_steps -= 1;
            let stored = &mut self.rows[row as usize];
            stored.refs -= 1;
            if stored.refs == 0 {
                stored.seq = u64::from(self.free_row);
                if self.rows.len() - self.live_rows as usize >= SPARE_ROWS {
                    self.rows[row as usize].data = R::default();
                }
                self.free_row = row;
                self.live_rows -= 1;
            }
            at = before;
        }
    }
}

impl<R> Buffer<R> {
    /// The row of a step.
    pub(crate) fn row_of(&self, step: u32) -> &Row<R> {
        &self.rows[self.steps[step as usize].row as usize]
    }

    /// The last step of a partial match, to be asked for before it is needed.
    #[inline(always)]
    pub(crate) fn step_at(&self, step: u32) -> Option<&Step> {
        self.steps.get(step as usize)
    }

    /// The row of a step, likewise.
    #[inline(always)]
    pub(crate) fn row_at(&self, step: u32) -> Option<&Row<R>> {
        self.rows.get(self.steps.get(step as usize)?.row as usize)
    }

    /// Number of rows that are stored.
    pub fn rows(&self) -> usize {
        self.live_rows as usize
    }

    /// Number of steps that are stored.
    pub fn steps(&self) -> usize {
        self.live_steps as usize
    }
}

/// The rows that a match, or a partial one, has taken.
#[derive(Debug)]
pub struct Path<'a, R> {
    buffer: &'a Buffer<R>,
    head: u32,
}

impl<R> Clone for Path<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Path<'_, R> {}

impl<'a, R> Path<'a, R> {
    pub(crate) fn new(buffer: &'a Buffer<R>, head: u32) -> Path<'a, R> {
        Path { buffer, head }
    }

    /// Its rows with their variables, the newest first.
    pub fn backwards(self) -> impl Iterator<Item = (usize, &'a Row<R>)> {
        self.heads().map(|path| {
            let step = &path.buffer.steps[path.head as usize];
            (step.variable as usize, &path.buffer.rows[step.row as usize])
        })
    }

    /// The path up to each of its rows, the longest first.
    pub fn heads(self) -> impl Iterator<Item = Path<'a, R>> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            (at != NONE).then(|| {
                let path = Path { buffer: self.buffer, head: at };
                at = self.buffer.steps[at as usize].before;
                path
            })
        })
    }

    /// Its newest row and what it is.
    pub fn newest(self) -> Option<(usize, &'a Row<R>)> {
        self.backwards().next()
    }

    /// Whether it has no rows.
    pub fn is_empty(self) -> bool {
        self.head == NONE
    }

    /// Its last step: a number that is small and used again when the step is gone, and a stamp that never is. Whoever
    /// notes something of a path under the number knows by the stamp whether it is still that path.
    pub fn last_step(self) -> Option<(usize, u64)> {
        let step = self.buffer.steps.get(self.head as usize)?;
        Some((self.head as usize, step.stamp))
    }

    /// The path up to one of its steps.
    #[inline]
    pub fn up_to(self, step: usize) -> Path<'a, R> {
        Path { head: step as u32, ..self }
    }

    /// The path without its newest row.
    #[inline]
    pub fn before(self) -> Path<'a, R> {
        self.up_to(self.buffer.steps.get(self.head as usize).map_or(NONE, |step| step.before) as usize)
    }

    /// The path without any row.
    pub fn empty(self) -> Path<'a, R> {
        self.up_to(NONE as usize)
    }

    /// What the match is identified by: the same after a replay, other for other rows or variables.
    pub fn id(self) -> u64 {
        // FNV-1a over words: the ids of rows are hashes already.
        self.backwards().fold(0xcbf2_9ce4_8422_2325, |hash: u64, (variable, row)| {
            let hash = (hash ^ row.id).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
            (hash ^ variable as u64).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}
