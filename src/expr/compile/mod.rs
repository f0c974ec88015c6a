//! From the typed tree to closures, twice: [`fast`] for frames in which no used column is NULL, [`general`] with
//! three-valued logic. Both give the same value and fail with the same fault; a property test proves it.

mod fast;
mod fuse;
mod general;
mod memo;
mod parts;

use super::EvalError;
use super::fault::Cx;
use super::node::Node;
use crate::tuple::{Arena, Frame, Slot, TextWord, Value};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use fast::Fast;
pub(crate) use memo::Memo;

/// A value or NULL, as a word.
pub(crate) type General = Box<dyn Fn(&Cx<'_>) -> Option<u64> + Send>;

/// Where columns stand.
pub(crate) type Slots<'a> = &'a dyn Fn(usize) -> Slot;

/// An expression ready to run. Owned by one executor.
pub struct Compiled {
    /// The first word of NULL bits and which of them concern it; the mask is 0 for a constant.
    null_word: usize,
    null_mask: u64,
    /// Further words, for frames of more than 64 slots.
    more_nulls: Box<[(usize, u64)]>,
    fast: Option<Fast>,
    general: General,
}

impl Compiled {
    /// Compiles a tree.
    pub(crate) fn new(node: &Node, slots: Slots<'_>) -> Compiled {
        let mut nulls: Vec<(usize, u64)> = Vec::new();
        node.each_column(&mut |column| {
            let slot = slots(column);
            match nulls.iter_mut().find(|(word, _)| *word == slot.null_word()) {
                Some((_, mask)) => *mask |= slot.null_mask(),
                None => nulls.push((slot.null_word(), slot.null_mask())),
            }
        });
        let (null_word, null_mask) = if nulls.is_empty() { (0, 0) } else { nulls.remove(0) };
        let fast = (!node.makes_null).then(|| fast::compile(node, slots));
        let general = general::compile(node, slots);
        Compiled { null_word, null_mask, more_nulls: nulls.into_boxed_slice(), fast, general }
    }

    /// The value as a word of a slot, none for NULL. Text lives until the run is over.
    ///
    /// # Errors
    /// The expression fails on this tuple.
    #[inline]
    pub fn eval(&self, frame: &Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let cx = Cx::new(frame, arena);
        let value = match &self.fast {
            Some(fast) if self.complete(frame) => Some(fast.word(&cx)),
            _ => (self.general)(&cx),
        };
        if cx.failed() { Err(cx.error()) } else { Ok(value) }
    }

    /// Whether a boolean expression is true (neither false nor NULL).
    ///
    /// # Errors
    /// The expression fails on this tuple.
    #[inline]
    pub fn test(&self, frame: &Frame, arena: &Arena) -> Result<bool, EvalError> {
        let cx = Cx::new(frame, arena);
        let value = match &self.fast {
            Some(Fast::Bool(fast)) if self.complete(frame) => fast(&cx),
            _ => (self.general)(&cx) == Some(1),
        };
        if cx.failed() { Err(cx.error()) } else { Ok(value) }
    }

    /// Whether no column that is read is NULL.
    #[inline(always)]
    fn complete(&self, frame: &Frame) -> bool {
        let words = frame.words();
        words[self.null_word] & self.null_mask == 0
            && self.more_nulls.iter().all(|(word, mask)| words[*word] & mask == 0)
    }

    /// Evaluates in the general form, whatever is NULL.
    #[cfg(test)]
    pub(crate) fn eval_general(&self, frame: &Frame, arena: &Arena) -> Result<Option<u64>, EvalError> {
        let cx = Cx::new(frame, arena);
        let value = (self.general)(&cx);
        if cx.failed() { Err(cx.error()) } else { Ok(value) }
    }
}

/// The value of a node without columns; none if it fails.
pub(crate) fn constant(node: &Node) -> Option<Value> {
    let layout = crate::tuple::Layout::new(1);
    let words = vec![0; layout.words()];
    let arena = Arena::new();
    let cx = Cx::new(Frame::from_words(&words), &arena);
    // The code owns the constants that a text may point into.
    let code = general::compile(node, &|_| layout.slot(0));
    let value = code(&cx);
    if cx.failed() {
        return None;
    }
    Some(value.map_or(Value::Null, |word| Value::from_word(word, node.ty)))
}

/// The words of a constant: the text that it points to must be kept as long as the word.
pub(crate) fn constant_word(value: &Value) -> ConstantWord {
    match value {
        Value::Text(text) => {
            let text: Box<str> = text.as_str().into();
            let arena = Arena::new();
            // SAFETY: the text and the arena stand still in boxes and live as long as the word: `ConstantWord` owns
            // them and is owned by the compiled expression, which outlives every run it is used in.
            let word = unsafe { TextWord::borrow(&text, &arena) };
            ConstantWord { word: Some(word.0), _text: Some((text, arena)) }
        }
        other => ConstantWord { word: other.to_word(&Arena::new()), _text: None },
    }
}

/// A constant as a word, and what it points to.
pub(crate) struct ConstantWord {
    /// The word, none for NULL.
    pub(crate) word: Option<u64>,
    _text: Option<(Box<str>, Arena)>,
}
