//! What a process that was killed left half done, as the next one finds it.

use super::contents::Contents;
use crate::bolts;
use crate::config::Checked;
use std::fmt;
use std::ops::AddAssign;

/// How many lives left something of each kind; of one process: how many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Windows that had not closed.
    pub windows: usize,
    /// Partial matches of patterns.
    pub matches: usize,
    /// Timers of patterns.
    pub absences: usize,
    /// Timers of rules.
    pub holds: usize,
    /// Rows of a join that waited for partners.
    pub partners: usize,
    /// Rows that waited for their turn in time.
    pub waiting: usize,
    /// Groups that were not ranked yet.
    pub groups: usize,
}

impl Found {
    /// What is open in these contents.
    pub fn of(checked: &Checked, contents: &Contents) -> Found {
        let mut found = Found::default();
        for (name, handle) in contents {
            let Some((component, what)) = name.rsplit_once('/') else { continue };
            let Some(bolt) = checked.bolts.iter().find(|bolt| bolt.id == component) else { continue };
            let count = handle.entries.len();
            match (bolt.kind.as_str(), what) {
                ("aggregate", "deadlines") => found.windows += count,
                ("aggregate", "waiting") => found.waiting += count,
                ("pattern", "matches") => {
                    let open = handle.entries.values().filter_map(|content| bolts::partial_matches(content));
                    found.matches += open.sum::<usize>();
                }
                ("pattern", "timers") => found.absences += count,
                ("rules", "timers") => found.holds += count,
                ("join", "timers") => found.partners += count,
                ("top", "groups") => found.groups += count,
                _ => {}
            }
        }
        found
    }

    /// One where there is any.
    pub fn any(self) -> Found {
        let Found { windows, matches, absences, holds, partners, waiting, groups } = self;
        Found {
            windows: windows.min(1),
            matches: matches.min(1),
            absences: absences.min(1),
            holds: holds.min(1),
            partners: partners.min(1),
            waiting: waiting.min(1),
            groups: groups.min(1),
        }
    }
}

impl AddAssign for Found {
    fn add_assign(&mut self, other: Found) {
        self.windows += other.windows;
        self.matches += other.matches;
        self.absences += other.absences;
        self.holds += other.holds;
        self.partners += other.partners;
        self.waiting += other.waiting;
        self.groups += other.groups;
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { windows, matches, absences, holds, partners, waiting, groups } = self;
        write!(
            f,
            "{windows} found open windows, {matches} partial matches, {absences} deadlines of patterns, {holds} of rules, \
             {partners} of joins, {waiting} rows waiting for their time, {groups} groups to be ranked"
        )
    }
}
