//! Problems of a user's text: where they are, what is wrong, what to do.
//!
//! Owns the position of a piece of text ([`Span`]), a problem at it ([`Problem`]), the collection of all problems of
//! one check ([`Problems`]) and how they are printed ([`Sources::render`]). Never decides what a problem is.

mod nearest;
mod render;

pub use nearest::nearest;
pub use render::Sources;

use std::cell::RefCell;
use std::ops::Range;

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file the bytes belong to.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `range` of `file`.
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        Span { file, start: range.start as u32, end: range.end as u32 }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// Probably not what was meant; the topology starts.
    Warning,
}

/// One thing that is wrong in a user's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, no final full stop.
    pub message: String,
    /// Where it is, if it has a place.
    pub span: Option<Span>,
    /// The words printed beside the underlined text; may be empty.
    pub label: String,
    /// The component it belongs to, such as `bolts.card`; printed in the message.
    pub component: Option<String>,
    /// What to do about it, what is allowed, or the nearest valid name.
    pub hints: Vec<String>,
    /// Other places that matter, each with its words (the first definition of a duplicate).
    pub others: Vec<(Span, String)>,
}

impl Problem {
    /// An error with a message and no place yet.
    pub fn error(message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            message: message.into(),
            span: None,
            label: String::new(),
            component: None,
            hints: Vec::new(),
            others: Vec::new(),
        }
    }

    /// A warning with a message and no place yet.
    pub fn warning(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(message) }
    }

    /// At this place.
    pub fn at(mut self, span: Span) -> Problem {
        self.span = Some(span);
        self
    }

    /// With these words beside the underlined text.
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    /// With a hint; several are printed in order.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hints.push(hint.into());
        self
    }

    /// Of this component.
    pub fn of(mut self, component: impl Into<String>) -> Problem {
        self.component = Some(component.into());
        self
    }

    /// With another place that matters.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Problem {
        self.others.push((span, label.into()));
        self
    }
}

/// All problems of one check, in the order found. Shared by reference while checking, hence the cell.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// No problems yet.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds one.
    pub fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.0.borrow().iter().any(|p| p.severity == Severity::Error)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What all of these have in common, sorted by place and worded as in the first.
    pub fn common(all: impl IntoIterator<Item = Problems>) -> Vec<Problem> {
        let mut all = all.into_iter().map(Problems::into_sorted);
        let mut common = all.next().unwrap_or_default();
        for others in all {
            // Labels and hints name what else there is, which may differ.
            let same = |a: &Problem, b: &Problem| (a.severity, a.span, &a.message) == (b.severity, b.span, &b.message);
            common.retain(|problem| others.iter().any(|other| same(problem, other)));
        }
        common
    }

    /// All of them, sorted by place; those without one come last. What is found in two ways is there once.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|p| (p.span.is_none(), p.span));
        all.dedup();
        all
    }
}
