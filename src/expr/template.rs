//! Templates: text with `{expression}` in it.

use super::compile::Compiled;
use super::source::problem;
use super::{Checked, EvalError, Expr, ExprError, Scope, cast};
use crate::tuple::{Arena, DataType, Frame, Slot, TextWord};
use std::cell::RefCell;

/// Text with `{expression}` in it (a rule's `reason`); `{{` and `}}` are braces.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part<Expr>>,
    columns: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Part<E> {
    Text(String),
    Value(E, DataType),
}

impl Template {
    /// Checks a template.
    ///
    /// # Errors
    /// All problems found; ranges are bytes of the template.
    pub fn check(text: &str, scope: &Scope<'_>) -> Result<Checked<Template>, Vec<ExprError>> {
        let (mut parts, mut errors, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            literal.push_str(&text[at..brace]);
            let doubled = text.as_bytes().get(brace + 1) == text.as_bytes().get(brace);
            if doubled {
                literal.push_str(&text[brace..=brace]);
                at = brace + 2;
                continue;
            }
            if text.as_bytes()[brace] == b'}' {
                errors.push(advice(brace..brace + 1, "this `}` closes nothing", "write `}}` for a brace"));
                at = brace + 1;
                continue;
            }
            let Some(end) = closing(text, brace + 1) else {
                errors.push(advice(brace..text.len(), "this `{` is not closed", "write `{{` for a brace"));
                at = text.len();
                break;
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            let shift = |mut error: ExprError| {
                error.range = error.range.start + brace + 1..error.range.end + brace + 1;
                error
            };
            match super::check(&text[brace + 1..end], scope) {
                Ok(checked) => {
                    warnings.extend(checked.warnings.into_iter().map(|(index, warning)| (index, shift(warning))));
                    let ty = checked.value.data_type();
                    parts.push(Part::Value(checked.value, ty));
                }
                Err(found) => errors.extend(found.into_iter().map(shift)),
            }
            at = end + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let values = parts.iter().filter_map(|part| if let Part::Value(expr, _) = part { Some(expr) } else { None });
        let mut columns: Vec<usize> = values.flat_map(|expr| expr.columns().iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        Ok(Checked { value: Template { parts, columns }, warnings })
    }

    /// The numbers of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The same template over other column numbers.
    pub fn renumber(&self, number: &dyn Fn(usize) -> usize) -> Template {
        let part = |part: &Part<Expr>| match part {
            Part::Text(text) => Part::Text(text.clone()),
            Part::Value(expr, ty) => Part::Value(expr.renumber(number), *ty),
        };
        let mut columns: Vec<usize> = self.columns.iter().map(|column| number(*column)).collect();
        columns.sort_unstable();
        Template { parts: self.parts.iter().map(part).collect(), columns }
    }

    /// Compiles it.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> CompiledTemplate {
        let part = |part: &Part<Expr>| match part {
            Part::Text(text) => Part::Text(text.clone()),
            Part::Value(expr, ty) => Part::Value(expr.compile(slots), *ty),
        };
        CompiledTemplate { parts: self.parts.iter().map(part).collect(), buffer: RefCell::new(String::new()) }
    }
}

fn advice(range: std::ops::Range<usize>, message: &str, hint: &str) -> ExprError {
    ExprError { hint: Some(hint.to_owned()), ..problem(range, message) }
}

/// The brace that closes an expression: the first one outside of quotes.
fn closing(text: &str, from: usize) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// A template ready to run. Owned by one executor.
pub struct CompiledTemplate {
    parts: Vec<Part<Compiled>>,
    buffer: RefCell<String>,
}

impl CompiledTemplate {
    /// The text, in `arena`. A NULL inside prints as nothing.
    ///
    /// # Errors
    /// An expression in it fails on this tuple.
    pub fn render(&self, frame: &Frame, arena: &Arena) -> Result<TextWord, EvalError> {
        let mut buffer = self.buffer.borrow_mut();
        buffer.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => buffer.push_str(text),
                Part::Value(expr, ty) => {
                    if let Some(word) = expr.eval(frame, arena)? {
                        cast::print(word, *ty, &mut buffer);
                    }
                }
            }
        }
        Ok(arena.store(&buffer))
    }
}
