//! What is wrong with a pattern that can be read: names without a definition, definitions without use, patterns that
//! never match.

use super::{Automaton, LinkKind, Pattern, PatternError};

impl Pattern {
    /// Problems of the pattern with these definitions; `nearest` finds the nearest of them to a wrong name.
    pub fn check(&self, defined: &[&str], nearest: &dyn Fn(&str) -> Option<String>) -> Vec<PatternError> {
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let mut errors = Vec::new();
        for variable in &self.variables {
            if defined.iter().any(|name| is(name, &variable.name)) {
                continue;
            }
            let error = PatternError::new(variable.range.clone(), format!("`{}` is not defined", variable.name));
            let error = match nearest(&variable.name) {
                Some(near) => error.label(format!("did you mean `{near}`?")),
                None => error.label("what is it?"),
            };
            errors.push(error.hint(format!(
                "every variable has a condition: define.{} = \"...\" (\"true\": every row)",
                variable.name
            )));
        }
        errors.extend(self.empty());
        errors
    }

    /// The definitions that the pattern does not use, by index.
    pub fn unused(&self, defined: &[&str]) -> Vec<usize> {
        let used = |name: &str| self.variables.iter().any(|variable| variable.name.eq_ignore_ascii_case(name));
        defined.iter().enumerate().filter(|(_, name)| !used(name)).map(|(at, _)| at).collect()
    }

    fn empty(&self) -> Option<PatternError> {
        let automaton = Automaton::new(self, false).ok()?;
        if automaton.never() {
            let error =
                PatternError::new(0..self.length, "the pattern prefers no rows to any rows, so it never matches");
            return Some(error.hint("a reluctant `?` or `*` takes nothing where nothing is enough; leave its `?` out"));
        }
        if automaton.may_be_empty() {
            let error = PatternError::new(0..self.length, "the pattern may also match nothing, which is no match");
            let error = error.hint("write `+` for `*` where at least one row must come");
            return Some(PatternError { warning: true, ..error });
        }
        None
    }

    /// Whether rows may be passed over, so that a partial match can wait for any number of rows.
    pub fn waits(&self) -> bool {
        let mut waits = self.root.ends_absent();
        self.root.each_link(&mut |link| waits |= link.kind != LinkKind::Next);
        waits
    }

    /// Whether a partial match may go on for any number of rows, waiting for them or taking them.
    pub fn unbounded(&self) -> bool {
        self.waits() || self.root.rows_max().is_none()
    }
}
