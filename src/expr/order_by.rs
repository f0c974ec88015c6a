//! `order_by`: an order of rows, as bytes that compare like the rows.
//!
//! The bytes of a row are those of its terms, one behind the other, none of which begins another of the same term: so
//! comparing bytes compares the first term that differs. NULLs stand last, with `desc` first, as in PostgreSQL.

use super::entries::EntryNames;
use super::number::order_key;
use super::resolve::Resolver;
use super::source::{Source, problem};
use super::text::str_of;
use super::{Checked, Compiled, EvalError, Expr, ExprError, Scope};
use crate::tuple::{Arena, DataType, Frame, Slot};
use sqlparser::ast;

/// A checked list of terms.
#[derive(Clone, Debug)]
pub struct OrderBy {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    expr: Expr,
    descending: bool,
    nulls_first: bool,
}

/// Checks a list such as `failures desc, source`.
///
/// # Errors
/// All problems found.
pub fn check_order(text: &str, scope: &Scope<'_>) -> Result<Checked<OrderBy>, Vec<ExprError>> {
    let (source, list) = Source::parse_order(text).map_err(|error| vec![error])?;
    let mut names = EntryNames::new(scope, &[], Vec::new());
    let mut resolver = Resolver::new(&source, &mut names, scope.environment, 0);
    let mut terms = Vec::with_capacity(list.len());
    for item in &list {
        let Ok(node) = resolver.whole(&item.expr) else { continue };
        if node.as_constant().is_some() {
            let range = source.range(&item.expr);
            let mut error = problem(range, "a constant orders nothing");
            error.hint = Some("name a column, or write an expression of some".to_owned());
            resolver.errors.push(error);
        }
        let descending = match &item.options.sort {
            Some(ast::OrderBySort::Using(_)) => {
                let error = problem(source.range(&item.expr), "`using` is not part of the expression language");
                resolver.errors.push(ExprError { hint: Some("write `asc` or `desc`".to_owned()), ..error });
                false
            }
            sort => *sort == Some(ast::OrderBySort::Desc),
        };
        let nulls_first = item.options.nulls_first.unwrap_or(descending);
        terms.push(Term { expr: Expr::from_node(node), descending, nulls_first });
    }
    let (warnings, mut errors): (Vec<_>, Vec<_>) = resolver.errors.into_iter().partition(|error| error.warning);
    if errors.is_empty() && terms.len() == list.len() {
        return Ok(Checked { value: OrderBy { terms }, warnings: warnings.into_iter().map(|w| (0, w)).collect() });
    }
    errors.sort_by_key(|error| error.range.start);
    Err(errors)
}

impl OrderBy {
    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.terms.iter().flat_map(|term| term.expr.columns().iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Compiles it for frames where column `n` stands in `slots(n)`.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> CompiledOrder {
        let term = |term: &Term| LiveTerm {
            expr: term.expr.compile(slots),
            ty: term.expr.data_type(),
            descending: term.descending,
            nulls_first: term.nulls_first,
        };
        CompiledOrder { terms: self.terms.iter().map(term).collect() }
    }
}

struct LiveTerm {
    expr: Compiled,
    ty: DataType,
    descending: bool,
    nulls_first: bool,
}

/// An order ready to run. Owned by one executor.
pub struct CompiledOrder {
    terms: Vec<LiveTerm>,
}

impl CompiledOrder {
    /// Appends the bytes of a row.
    ///
    /// # Errors
    /// A term fails on this tuple.
    pub fn write(&self, frame: &Frame, arena: &Arena, out: &mut Vec<u8>) -> Result<(), EvalError> {
        for term in &self.terms {
            let Some(word) = term.expr.eval(frame, arena)? else {
                out.push(if term.nulls_first { 0 } else { 2 });
                continue;
            };
            out.push(1);
            let from = out.len();
            match term.ty {
                DataType::Text => text(str_of(word).as_bytes(), out),
                DataType::Double => whole(order_key(f64::from_bits(word)), out),
                _ => whole(word as i64, out),
            }
            if term.descending {
                out[from..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        Ok(())
    }
}

/// A number in the order of its bytes.
fn whole(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number as u64 ^ 1 << 63).to_be_bytes());
}

/// A text that no other begins with: it ends with a byte that is below all that can stand there in a longer one.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(1);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::tests::{columns, environment, row, scope_columns};
    use crate::tuple::{Layout, Run, Value};
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn checked(text: &str) -> Result<Checked<OrderBy>, Vec<ExprError>> {
        let (columns, environment) = (columns(), environment());
        check_order(text, &Scope { columns: &scope_columns(&columns, "in"), environment: &environment })
    }

    fn bytes(order: &OrderBy, row: &[Value]) -> Vec<u8> {
        let layout = Layout::new(row.len());
        let mut run = Run::new(layout);
        let (frame, arena) = run.push();
        row.iter().enumerate().for_each(|(at, value)| value.put(frame, layout.slot(at), arena));
        let mut out = Vec::new();
        order.compile(&|column| layout.slot(column)).write(run.frame(0), &Arena::new(), &mut out).unwrap();
        out
    }

    #[test]
    fn what_orders_nothing_is_said() {
        assert_eq!(checked("i desc, 2").unwrap_err()[0].message, "a constant orders nothing");
        assert_eq!(checked("k, m").unwrap_err().len(), 2);
        assert!(checked("i desc s").unwrap_err()[0].message.contains("unexpected `s`"));
        assert_eq!(checked("i desc, lower(s) nulls first").unwrap().value.columns(), [1, 5]);
    }

    /// A value or NULL of one term, compared as PostgreSQL does.
    fn term<T>(a: &Option<T>, b: &Option<T>, desc: bool, nulls_first: bool, cmp: fn(&T, &T) -> Ordering) -> Ordering {
        let nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
        match (a, b) {
            (None, None) => Ordering::Equal,
            (None, _) => nulls,
            (_, None) => nulls.reverse(),
            (Some(a), Some(b)) if desc => cmp(b, a),
            (Some(a), Some(b)) => cmp(a, b),
        }
    }

    proptest! {
        #[test]
        fn bytes_compare_like_rows(
            rows in prop::collection::vec((
                prop::option::of("[a\u{0}\u{1}\u{ff}b]{0,4}"),
                prop::option::of(prop::sample::select(vec![-2.0, -0.0, 0.0, 1e-9, 3.5, f64::NAN, f64::INFINITY])),
                prop::option::of(-2i64..3),
            ), 2),
            desc: [bool; 3],
            nulls in prop::option::of(any::<bool>()),
        ) {
            let nulls_text = nulls.map_or("", |first| if first { " nulls first" } else { " nulls last" });
            let item = |name: &str, desc: bool| format!("{name}{}{nulls_text}", if desc { " desc" } else { "" });
            let list = [item("s", desc[0]), item("x", desc[1]), item("i", desc[2])].join(", ");
            let order = checked(&list).unwrap().value;
            let made: Vec<Vec<u8>> = rows.iter().map(|(s, x, i)| {
                let mut values = row();
                values[5] = s.clone().map_or(Value::Null, Value::Text);
                values[3] = x.map_or(Value::Null, Value::Double);
                values[1] = i.map_or(Value::Null, Value::Bigint);
                bytes(&order, &values)
            }).collect();
            let ((s, x, i), (t, y, j)) = (&rows[0], &rows[1]);
            let first = |desc: bool| nulls.unwrap_or(desc);
            let wanted = term(s, t, desc[0], first(desc[0]), |a, b| a.as_bytes().cmp(b.as_bytes()))
                .then(term(x, y, desc[1], first(desc[1]), |a, b| crate::expr::number::order(*a, *b)))
                .then(term(i, j, desc[2], first(desc[2]), i64::cmp));
            prop_assert_eq!(made[0].cmp(&made[1]), wanted);
        }
    }
}
