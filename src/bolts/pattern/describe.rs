//! What `explain` says of a pattern: its automaton, when it fires, what it costs.

use super::FOREVER;
use super::plan::Plan;
use crate::pattern::{Overflow, Skip};

impl Plan {
    /// Words for `explain`.
    pub fn describe(&self) -> Vec<String> {
        let text = |micros: i64| {
            let mut text = String::new();
            crate::time::format_interval(micros, &mut text);
            text
        };
        let names: Vec<&str> = self.variables.iter().map(|variable| &*variable.name).collect();
        let mut lines = vec![format!("pattern {}", self.pattern)];
        let undecided = self.automaton.undecided();
        let held: Vec<&str> = (0..names.len()).filter(|v| undecided >> v & 1 == 1).map(|v| names[v]).collect();
        lines.push(match held.as_slice() {
            [] if self.pattern.root.ends_absent() => "fires when it is certain that nothing forbidden comes".to_owned(),
            [] => "fires at once, with the last row of a match".to_owned(),
            held => format!(
                "fires when it is certain that no more rows follow {}: with the row that ends it, or when the time is over",
                held.join(", ")
            ),
        });
        if !matches!(self.settings.skip, Skip::None | Skip::ToNext)
            && self.settings.own.count_ones() < names.len() as u32
        {
            lines.push("a match waits for partial matches that began before it".to_owned());
        }
        let automaton = self.automaton.describe(&names);
        let more = automaton.len().saturating_sub(LINES_MAX);
        lines.extend(automaton.into_iter().take(LINES_MAX));
        if more > 0 {
            lines.push(format!("and {more} steps more"));
        }
        let row: usize =
            self.kept.columns.iter().map(|columns| 8 * columns.len() + columns.len().div_ceil(8)).max().unwrap_or(0);
        lines.push(format!(
            "at most {} partial matches a key ({}), {PARTIAL_BYTES} bytes each; a row that one of them holds is kept once: {} bytes and its texts, and {STEP_BYTES} for each partial match that takes it",
            self.settings.partials_max,
            match self.settings.overflow {
                Overflow::DropOldest => "the oldest go",
                Overflow::DropNewest => "the newest go",
                Overflow::Error => "the row fails",
            },
            row + ROW_BYTES
        ));
        let kept = match (self.lasting, self.ttl) {
            (false, _) => format!(
                "a key without partial matches takes nothing; others are freed {} after their last row",
                text(self.ttl)
            ),
            (true, FOREVER) => "what is known of a key is kept for ever".to_owned(),
            (true, ttl) => format!("what is known of a key is freed {} after its last row", text(ttl)),
        };
        lines.push(kept);
        lines
    }
}

/// Lines of the automaton that are shown.
const LINES_MAX: usize = 24;

const PARTIAL_BYTES: usize = 72;
const ROW_BYTES: usize = 48;
const STEP_BYTES: usize = 24;
