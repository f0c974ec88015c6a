//! The fast form: no column that is read is NULL, and the root never makes a NULL of its own. Parts below COALESCE, IS
//! NULL and the like that do make NULLs are compiled in the general form.

use super::{Slots, general};
use crate::expr::fault::Cx;
use crate::expr::node::Node;
use crate::tuple::{DataType, TextWord};

/// A condition.
pub(crate) type BoolFn = Box<dyn Fn(&Cx<'_>) -> bool + Send>;
/// A bigint, timestamp or interval.
pub(crate) type WholeFn = Box<dyn Fn(&Cx<'_>) -> i64 + Send>;
/// A double.
pub(crate) type DoubleFn = Box<dyn Fn(&Cx<'_>) -> f64 + Send>;
/// A text.
pub(crate) type TextFn = Box<dyn Fn(&Cx<'_>) -> TextWord + Send>;

/// A compiled node by the kind of its value.
pub(crate) enum Fast {
    /// boolean
    Bool(BoolFn),
    /// bigint, timestamp, interval
    Whole(WholeFn),
    /// double
    Double(DoubleFn),
    /// text
    Text(TextFn),
}

impl Fast {
    /// The value as a word.
    #[inline(always)]
    pub(crate) fn word(&self, cx: &Cx<'_>) -> u64 {
        match self {
            Fast::Bool(f) => u64::from(f(cx)),
            Fast::Whole(f) => f(cx) as u64,
            Fast::Double(f) => f(cx).to_bits(),
            Fast::Text(f) => f(cx).0,
        }
    }
}

/// Compiles a node that never makes a NULL.
pub(crate) fn compile(node: &Node, slots: Slots<'_>) -> Fast {
    let general = general::compile(node, slots);
    match node.ty {
        DataType::Boolean => Fast::Bool(Box::new(move |cx| general(cx) == Some(1))),
        DataType::Double => Fast::Double(Box::new(move |cx| f64::from_bits(general(cx).unwrap_or(0)))),
        DataType::Text => Fast::Text(Box::new(move |cx| general(cx).map_or(TextWord::EMPTY, TextWord))),
        _ => Fast::Whole(Box::new(move |cx| general(cx).unwrap_or(0) as i64)),
    }
}
