//! Comparisons of the fast form, fused with the columns and constants beside them: the leaves of most rules.

use super::fast::{BoolFn, compile_double, compile_text, compile_whole};
use super::{Slots, constant_word};
use crate::expr::fault::Cx;
use crate::expr::node::{CompareOp, Kind, Node};
use crate::expr::number;
use crate::tuple::{DataType, Slot, TextWord, Value};

/// A comparison known to the compiler.
trait Compare: 'static {
    /// Of doubles.
    fn double(a: f64, b: f64) -> bool;

    /// Of a double with one that is not NaN.
    fn double_constant(a: f64, b: f64) -> bool;

    /// Of words that are whole numbers.
    fn whole(a: i64, b: i64) -> bool;

    /// Of texts.
    fn text(a: &[u8], b: &[u8]) -> bool;
}

macro_rules! compare {
    ($name:ident, ($a:ident, $b:ident), $double:expr, $constant:expr, $op:tt) => {
        struct $name;

        impl Compare for $name {
            #[inline(always)]
            fn double($a: f64, $b: f64) -> bool {
                $double
            }

            // A negated comparison is true for NaN, which is greater than every number.
            #[allow(clippy::neg_cmp_op_on_partial_ord, clippy::nonminimal_bool)]
            #[inline(always)]
            fn double_constant($a: f64, $b: f64) -> bool {
                $constant
            }

            #[inline(always)]
            fn whole(a: i64, b: i64) -> bool {
                a $op b
            }

            #[inline(always)]
            fn text(a: &[u8], b: &[u8]) -> bool {
                a $op b
            }
        }
    };
}

compare!(Eq, (a, b), number::equal(a, b), a == b, ==);
compare!(Ne, (a, b), !number::equal(a, b), a != b, !=);
compare!(Lt, (a, b), number::less(a, b), a < b, <);
compare!(Le, (a, b), !number::less(b, a), a <= b, <=);
compare!(Gt, (a, b), number::less(b, a), !(a <= b), >);
compare!(Ge, (a, b), !number::less(a, b), !(a < b), >=);

/// A side of a comparison.
enum Side {
    Column(Slot),
    Constant(Value),
    Other,
}

fn side(node: &Node, slots: Slots<'_>) -> Side {
    match &node.kind {
        Kind::Column(column) => Side::Column(slots(*column)),
        Kind::Constant(value) => Side::Constant(value.clone()),
        _ => Side::Other,
    }
}

/// Compiles a comparison; both sides never make a NULL.
pub(super) fn compare(op: CompareOp, left: &Node, right: &Node, slots: Slots<'_>) -> BoolFn {
    // Constants stand on the right.
    if left.as_constant().is_some() && right.as_constant().is_none() {
        return compare(op.flipped(), right, left, slots);
    }
    match op {
        CompareOp::Eq => typed::<Eq>(left, right, slots),
        CompareOp::Ne => typed::<Ne>(left, right, slots),
        CompareOp::Lt => typed::<Lt>(left, right, slots),
        CompareOp::Le => typed::<Le>(left, right, slots),
        CompareOp::Gt => typed::<Gt>(left, right, slots),
        CompareOp::Ge => typed::<Ge>(left, right, slots),
    }
}

fn typed<C: Compare>(left: &Node, right: &Node, slots: Slots<'_>) -> BoolFn {
    match left.ty {
        DataType::Double => doubles::<C>(left, right, slots),
        DataType::Text => texts::<C>(left, right, slots),
        _ => wholes::<C>(left, right, slots),
    }
}

#[inline(always)]
fn double_at(cx: &Cx<'_>, slot: Slot) -> f64 {
    f64::from_bits(cx.frame.word(slot))
}

#[inline(always)]
fn whole_at(cx: &Cx<'_>, slot: Slot) -> i64 {
    cx.frame.word(slot) as i64
}

fn doubles<C: Compare>(left: &Node, right: &Node, slots: Slots<'_>) -> BoolFn {
    match (side(left, slots), side(right, slots)) {
        (Side::Column(a), Side::Constant(Value::Double(b))) if !b.is_nan() => {
            Box::new(move |cx| C::double_constant(double_at(cx, a), b))
        }
        (_, Side::Constant(Value::Double(b))) if !b.is_nan() => {
            let a = compile_double(left, slots);
            Box::new(move |cx| C::double_constant(a(cx), b))
        }
        (Side::Column(a), Side::Column(b)) => Box::new(move |cx| C::double(double_at(cx, a), double_at(cx, b))),
        (Side::Column(a), _) => {
            let b = compile_double(right, slots);
            Box::new(move |cx| C::double(double_at(cx, a), b(cx)))
        }
        _ => {
            let (a, b) = (compile_double(left, slots), compile_double(right, slots));
            Box::new(move |cx| C::double(a(cx), b(cx)))
        }
    }
}

fn wholes<C: Compare>(left: &Node, right: &Node, slots: Slots<'_>) -> BoolFn {
    let constant = right.as_constant().and_then(|value| constant_word(value).word).map(|word| word as i64);
    match (side(left, slots), side(right, slots), constant) {
        (Side::Column(a), _, Some(b)) => Box::new(move |cx| C::whole(whole_at(cx, a), b)),
        (_, _, Some(b)) => {
            let a = compile_whole(left, slots);
            Box::new(move |cx| C::whole(a(cx), b))
        }
        (Side::Column(a), Side::Column(b), None) => Box::new(move |cx| C::whole(whole_at(cx, a), whole_at(cx, b))),
        (Side::Column(a), _, None) => {
            let b = compile_whole(right, slots);
            Box::new(move |cx| C::whole(whole_at(cx, a), b(cx)))
        }
        _ => {
            let (a, b) = (compile_whole(left, slots), compile_whole(right, slots));
            Box::new(move |cx| C::whole(a(cx), b(cx)))
        }
    }
}

fn texts<C: Compare>(left: &Node, right: &Node, slots: Slots<'_>) -> BoolFn {
    match (side(left, slots), side(right, slots)) {
        (Side::Column(a), Side::Constant(Value::Text(b))) => {
            let b: Box<[u8]> = b.into_bytes().into();
            Box::new(move |cx| C::text(TextWord(cx.frame.word(a)).as_bytes(), &b))
        }
        (Side::Column(a), Side::Column(b)) => {
            Box::new(move |cx| C::text(TextWord(cx.frame.word(a)).as_bytes(), TextWord(cx.frame.word(b)).as_bytes()))
        }
        (_, Side::Constant(Value::Text(b))) => {
            let (a, b): (_, Box<[u8]>) = (compile_text(left, slots), b.into_bytes().into());
            Box::new(move |cx| C::text(a(cx).as_bytes(), &b))
        }
        _ => {
            let (a, b) = (compile_text(left, slots), compile_text(right, slots));
            Box::new(move |cx| {
                let (a, b) = (a(cx), b(cx));
                C::text(a.as_bytes(), b.as_bytes())
            })
        }
    }
}

/// AND (`known` false) or OR (`known` true): stops at the first condition that decides.
pub(super) fn logic(mut terms: Vec<BoolFn>, known: bool) -> BoolFn {
    if terms.len() > 4 {
        let terms = terms.into_boxed_slice();
        return match known {
            false => Box::new(move |cx| terms.iter().all(|term| term(cx))),
            true => Box::new(move |cx| terms.iter().any(|term| term(cx))),
        };
    }
    let (fourth, third) = (pop(&mut terms, 3), pop(&mut terms, 2));
    let (second, first) = (pop(&mut terms, 1), pop(&mut terms, 0));
    match (first, second, third, fourth, known) {
        (Some(a), Some(b), None, None, false) => Box::new(move |cx| a(cx) && b(cx)),
        (Some(a), Some(b), None, None, true) => Box::new(move |cx| a(cx) || b(cx)),
        (Some(a), Some(b), Some(c), None, false) => Box::new(move |cx| a(cx) && b(cx) && c(cx)),
        (Some(a), Some(b), Some(c), None, true) => Box::new(move |cx| a(cx) || b(cx) || c(cx)),
        (Some(a), Some(b), Some(c), Some(d), false) => Box::new(move |cx| a(cx) && b(cx) && c(cx) && d(cx)),
        (Some(a), Some(b), Some(c), Some(d), true) => Box::new(move |cx| a(cx) || b(cx) || c(cx) || d(cx)),
        (Some(one), ..) => one,
        _ => Box::new(move |_| !known),
    }
}

/// The term at `index`, if it is the last.
fn pop(terms: &mut Vec<BoolFn>, index: usize) -> Option<BoolFn> {
    if terms.len() > index { terms.pop() } else { None }
}
