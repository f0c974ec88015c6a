//! One task of an as-of join: a left row leaves at once, with the latest right row at or before it.
//!
//! Of each key the right rows are kept that a left row in time can still ask for: those after the watermark and the last
//! one before. A left row sees the right rows that have come; what is behind time leaves on `.late`.

use super::output::{LATE, Output};
use super::sides::{List, Row, Side};
use super::task::origin;
use crate::component::{Bolt, ERRORS, Flow, Step};
use crate::store::{KeyReader, KeyRef, Keyed, State};
use crate::tuple::Frame;

/// Expired keys looked for with each tuple.
const SWEEP: usize = 2;

/// One task of an as-of join.
pub struct Latest {
    pub(super) output: Output,
    /// How old a right row may be, microseconds.
    pub(super) limit: i64,
    /// Whether left rows without a partner leave on the main stream.
    pub(super) outer: bool,
    pub(super) keys: [KeyReader; 2],
    pub(super) state: Keyed<List>,
    /// Whether the current row is still to leave on the stream of those without a partner.
    pub(super) unmatched: bool,
    /// Whether it is still to leave on the main stream.
    pub(super) main: bool,
}

/// The right row that a left row at `time` belongs to.
fn partner(state: &mut Keyed<List>, key: KeyRef<'_>, time: i64, limit: i64) -> Option<Row> {
    let rows = &state.get(key, time)?.0;
    let at = rows.partition_point(|row| row.time <= time).checked_sub(1)?;
    let row = rows.get(at)?;
    (time.saturating_sub(row.time) <= limit).then(|| row.clone())
}

impl Bolt for Latest {
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let (side, time) = (Side::BOTH[input], frame.time());
        if time < step.watermark {
            self.output.late(side, step.watermark, frame, step.arena);
            return Flow::Port(LATE);
        }
        self.state.sweep(step.watermark, SWEEP);
        let Some(key) = self.keys[input].read(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        if side == Side::Right {
            let rows = self.state.at_now(key, step.watermark, time);
            rows.insert(Row { time, origin: origin(frame), taken: false, body: self.output.pack(side, frame) });
            while rows.0.get(1).is_some_and(|second| second.time <= step.watermark) {
                rows.0.pop_front();
            }
            return Flow::Skip;
        }
        let partner = partner(&mut self.state, key, time, self.limit);
        self.output.take(side, frame);
        match &partner {
            None => self.output.nothing(Side::Right, frame),
            Some(partner) => self.output.give(Side::Right, &partner.body, frame, step.arena),
        }
        self.unmatched = partner.is_none();
        self.main = partner.is_some() || self.outer;
        Flow::Many
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        if std::mem::take(&mut self.main) {
            return Some(match self.output.compute(frame, step.arena) {
                Ok(()) => 0,
                Err((reason, text)) => {
                    step.error(reason, text);
                    ERRORS
                }
            });
        }
        std::mem::take(&mut self.unmatched).then(|| Output::unmatched(Side::Left))
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.state);
    }
}
