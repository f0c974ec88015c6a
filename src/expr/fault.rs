//! Failing on a tuple: a small code in the evaluation's context, the words for people made only when it is read.
//!
//! Both compiled forms go on after a failure with harmless values (none, zero, the empty text); the first failure
//! counts. This keeps results in two registers and the hot path free of error types.

use crate::tuple::{Arena, Frame, TextWord};
use std::cell::Cell;

/// Why an evaluation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// It did not.
    None,
    /// A division by zero, of whole numbers and doubles alike.
    DivisionByZero,
    /// A number, time or length outside of its type.
    Overflow,
    /// A text that is not one of the wanted type.
    BadCast,
    /// An argument that a function is not defined for.
    InvalidArgument,
    /// A text longer than [`crate::expr::text::TEXT_MAX`].
    TooLong,
}

impl Fault {
    /// The word for counters and error rows.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Fault::None => "none",
            Fault::DivisionByZero => "division_by_zero",
            Fault::Overflow => "overflow",
            Fault::BadCast => "bad_cast",
            Fault::InvalidArgument => "invalid_argument",
            Fault::TooLong => "too_long",
        }
    }
}

/// What one evaluation reads, and whether it has failed.
pub(crate) struct Cx<'a> {
    /// The tuple.
    pub(crate) frame: &'a Frame,
    /// Where texts are made.
    pub(crate) arena: &'a Arena,
    fault: Cell<Fault>,
    detail: Cell<TextWord>,
}

impl<'a> Cx<'a> {
    /// A fresh evaluation.
    #[inline(always)]
    pub(crate) fn new(frame: &'a Frame, arena: &'a Arena) -> Cx<'a> {
        Cx { frame, arena, fault: Cell::new(Fault::None), detail: Cell::new(TextWord::EMPTY) }
    }

    /// Whether it has failed.
    #[inline(always)]
    pub(crate) fn failed(&self) -> bool {
        self.fault.get() != Fault::None
    }

    /// Fails, unless it has already.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&self, fault: Fault) {
        if !self.failed() {
            self.fault.set(fault);
        }
    }

    /// Fails with words for people, unless it has already.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail_with(&self, fault: Fault, detail: &str) {
        if !self.failed() {
            self.fault.set(fault);
            self.detail.set(self.arena.store(detail));
        }
    }

    /// Fails, and gives the NULL that the caller goes on with.
    #[cold]
    #[inline(never)]
    pub(crate) fn none(&self, fault: Fault, detail: &str) -> Option<u64> {
        self.fail_with(fault, detail);
        None
    }

    /// The failure as the public error.
    #[cold]
    #[inline(never)]
    pub(crate) fn error(&self) -> super::EvalError {
        super::EvalError { reason: self.fault.get().reason(), detail: self.detail.get().as_str().into() }
    }
}
