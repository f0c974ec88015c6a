//! Operators: arithmetic, comparisons, logic, concatenation, patterns.

use super::{Reported, Resolved, Resolver, Typed, fold, never_zero};
use crate::expr::cast;
use crate::expr::like::LikePattern;
use crate::expr::node::{ArithOp, CompareOp, Kind, LikeSource, Node};
use crate::expr::pattern::{self, Flags, RegexCall, RegexPattern};
use crate::tuple::{DataType, Value};
use sqlparser::ast::{self, BinaryOperator as Op};
use std::ops::Range;
use std::sync::Arc;

use DataType::{Bigint, Boolean, Double, Interval, Text, Timestamp};

/// The comparison that an operator means.
fn compare_op(op: &Op) -> Option<CompareOp> {
    Some(match op {
        Op::Eq => CompareOp::Eq,
        Op::NotEq => CompareOp::Ne,
        Op::Lt => CompareOp::Lt,
        Op::LtEq => CompareOp::Le,
        Op::Gt => CompareOp::Gt,
        Op::GtEq => CompareOp::Ge,
        _ => return None,
    })
}

fn arith_op(op: &Op) -> Option<ArithOp> {
    Some(match op {
        Op::Plus => ArithOp::Add,
        Op::Minus => ArithOp::Sub,
        Op::Multiply => ArithOp::Mul,
        Op::Divide => ArithOp::Div,
        Op::Modulo => ArithOp::Mod,
        Op::PGExp => ArithOp::Pow,
        _ => return None,
    })
}

impl Resolver<'_> {
    /// A binary operator.
    pub(crate) fn binary(&mut self, expr: &ast::Expr, left: &ast::Expr, op: &Op, right: &ast::Expr) -> Resolved {
        let range = self.source.range(expr);
        if matches!(op, Op::And | Op::Or) {
            return self.logic(expr, op, range);
        }
        if let Some(op) = compare_op(op) {
            return self.comparison(op, left, right, range);
        }
        if let Some(arith) = arith_op(op) {
            let (left, right) = (self.expr(left), self.expr(right));
            return self.arithmetic(arith, left?, right?, range);
        }
        match op {
            Op::StringConcat => self.concatenation(left, right, range),
            Op::PGRegexMatch => self.regex(left, right, false, false, range),
            Op::PGRegexIMatch => self.regex(left, right, true, false, range),
            Op::PGRegexNotMatch => self.regex(left, right, false, true, range),
            Op::PGRegexNotIMatch => self.regex(left, right, true, true, range),
            Op::PGLikeMatch => self.like(left, right, None, false, false, range),
            Op::PGILikeMatch => self.like(left, right, None, true, false, range),
            Op::PGNotLikeMatch => self.like(left, right, None, false, true, range),
            Op::PGNotILikeMatch => self.like(left, right, None, true, true, range),
            _ => {
                let message = format!("the operator `{op}` is not part of the expression language");
                Err(self.error(&range, message))
            }
        }
    }

    /// A chain of AND or OR, flattened: such chains are long, and trees of them deep.
    fn logic(&mut self, expr: &ast::Expr, op: &Op, range: Range<usize>) -> Resolved {
        let mut operands = Vec::new();
        let mut rest = expr;
        while let ast::Expr::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            operands.push(right.as_ref());
            rest = left;
        }
        operands.push(rest);
        let resolved: Vec<Result<Node, Reported>> =
            operands.into_iter().rev().map(|operand| self.boolean(operand)).collect();
        let nodes = resolved.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Typed { node: logic(nodes, *op == Op::And), unknown: false, range })
    }

    /// A part that must be boolean.
    pub(crate) fn boolean(&mut self, expr: &ast::Expr) -> Result<Node, Reported> {
        let typed = self.expr(expr)?;
        if !typed.unknown && typed.node.ty != Boolean {
            let message = format!("a condition is needed, this is {}", typed.node.ty);
            return Err(self.mismatch(&typed.range, message, Boolean, typed.node.ty));
        }
        self.coerce(typed, Some(Boolean))
    }

    /// Unary plus, minus and NOT.
    pub(crate) fn unary(&mut self, op: ast::UnaryOperator, operand: &ast::Expr, range: Range<usize>) -> Resolved {
        match op {
            ast::UnaryOperator::Not => {
                let node = self.boolean(operand)?;
                Ok(self.typed(Boolean, Kind::Not(Box::new(node)), range))
            }
            ast::UnaryOperator::Minus => self.minus(operand, range),
            ast::UnaryOperator::Plus => {
                let typed = self.expr(operand)?;
                if !typed.unknown && !matches!(typed.node.ty, Bigint | Double) {
                    let message = format!("`+` wants a number, this is {}", typed.node.ty);
                    return Err(self.mismatch(&typed.range, message, Double, typed.node.ty));
                }
                let wanted = if typed.unknown { Double } else { typed.node.ty };
                let node = self.coerce(typed, Some(wanted))?;
                Ok(Typed { node, unknown: false, range })
            }
            _ => Err(self.error(&range, format!("the operator `{op}` is not part of the expression language"))),
        }
    }

    /// Unary minus binds closer than `^` in PostgreSQL, in the parser it does not.
    fn minus(&mut self, operand: &ast::Expr, range: Range<usize>) -> Resolved {
        if let ast::Expr::BinaryOp { left, op: Op::PGExp, right } = operand {
            let (left, right) = (self.minus(left, range.clone()), self.expr(right));
            return self.arithmetic(ArithOp::Pow, left?, right?, range);
        }
        if let ast::Expr::Value(value) = operand
            && let ast::Value::Number(digits, _) = &value.value
            && digits == "9223372036854775808"
        {
            return Ok(self.typed(Bigint, Kind::Constant(Value::Bigint(i64::MIN)), range));
        }
        let typed = self.expr(operand)?;
        let ty = if typed.unknown { Double } else { typed.node.ty };
        if !matches!(ty, Bigint | Double | Interval) {
            let message = format!("`-` wants a number or an interval, this is {ty}");
            return Err(self.mismatch(&typed.range, message, Double, ty));
        }
        let node = self.coerce(typed, Some(ty))?;
        Ok(self.typed(ty, Kind::Negate(Box::new(node)), range))
    }

    /// Arithmetic with PostgreSQL's typing.
    pub(crate) fn arithmetic(&mut self, op: ArithOp, left: Typed, right: Typed, range: Range<usize>) -> Resolved {
        let (left_type, right_type) = self.operand_types(op, &left, &right);
        let Some((want_left, want_right, ty)) = signature(op, left_type, right_type) else {
            return Err(self.no_operator(op, &left, &right, range));
        };
        if matches!(op, ArithOp::Div | ArithOp::Mod) {
            self.warn_division(op, &left, &right, ty, &range);
        }
        let (left, right) = (self.coerce(left, Some(want_left)), self.coerce(right, Some(want_right)));
        Ok(self.typed(ty, Kind::Arith { op, left: Box::new(left?), right: Box::new(right?) }, range))
    }

    /// The types of both sides; what is open takes the type that fits the other side and, for times, the text.
    fn operand_types(&self, op: ArithOp, left: &Typed, right: &Typed) -> (DataType, DataType) {
        let open = |typed: &Typed, other: DataType| -> DataType {
            let reads_as = |ty| match typed.node.as_constant() {
                Some(Value::Text(text)) => cast::read(text, ty).is_ok(),
                _ => false,
            };
            match (other, op) {
                (Timestamp, ArithOp::Sub) if reads_as(Timestamp) => Timestamp,
                (Timestamp, _) => Interval,
                (Interval, ArithOp::Mul | ArithOp::Div) => Double,
                (Interval, _) if reads_as(Timestamp) && !reads_as(Interval) => Timestamp,
                (other, _) => other,
            }
        };
        match (left.unknown, right.unknown) {
            (true, true) => (Double, Double),
            (true, false) => (open(left, right.node.ty), right.node.ty),
            (false, true) => (left.node.ty, open(right, left.node.ty)),
            (false, false) => (left.node.ty, right.node.ty),
        }
    }

    fn no_operator(&mut self, op: ArithOp, left: &Typed, right: &Typed, range: Range<usize>) -> Reported {
        let symbol = symbol(op);
        let (l, r) = (left.node.ty, right.node.ty);
        let message = format!("there is no {l} {symbol} {r}");
        let written = |typed: &Typed| self.source.slice(typed.range.clone()).to_owned();
        let number = |ty| matches!(ty, Bigint | Double);
        if op == ArithOp::Add && (l == Text || r == Text) {
            return self.error_hint(&range, message, "texts are joined with `||`");
        }
        if l == Timestamp && number(r) {
            let hint = format!("write `{} * interval '1 second'` if it counts seconds", written(right));
            return self.error_hint(&range, message, hint);
        }
        if l == Interval && r == Interval && op == ArithOp::Div {
            let hint =
                format!("write `extract(epoch from {}) / extract(epoch from {})`", written(left), written(right));
            return self.error_hint(&range, message, hint);
        }
        let wrong = if number(l) || l == Interval || l == Timestamp { right } else { left };
        let other = if std::ptr::eq(wrong, left) { r } else { l };
        self.mismatch(&wrong.range.clone(), message, if number(other) { other } else { Double }, wrong.node.ty)
    }

    /// Warns of quotients that are rarely meant: whole ones of aggregates, and those by a column or an aggregate that
    /// can be zero, where no `case` stands around.
    fn warn_division(&mut self, op: ArithOp, left: &Typed, right: &Typed, ty: DataType, range: &Range<usize>) {
        let aggregates = self.names.is_aggregate(&left.node) && self.names.is_aggregate(&right.node);
        let (l, r) = (self.source.slice(left.range.clone()), self.source.slice(right.range.clone()));
        if aggregates && ty == Bigint && op == ArithOp::Div {
            let hint = format!(
                "write `{l}::double / {}`",
                if never_zero(&right.node) { r.to_owned() } else { format!("nullif({r}, 0)") }
            );
            self.warn(range, "bigint / bigint cuts off the fraction", hint);
        } else if self.guarded == 0 && is_column(&right.node) {
            self.warn(
                range,
                format!("`{r}` can be zero; such a row leaves on the errors stream"),
                format!("write `{l} {} nullif({r}, 0)`", symbol(op)),
            );
        }
    }

    fn comparison(&mut self, op: CompareOp, left: &ast::Expr, right: &ast::Expr, range: Range<usize>) -> Resolved {
        let chained = |side: &ast::Expr| matches!(side, ast::Expr::BinaryOp { op, .. } if compare_op(op).is_some());
        if chained(left) {
            return Err(self.error_hint(
                &range,
                "comparisons do not chain".to_owned(),
                "join them with `and`, or use parentheses",
            ));
        }
        let (left, right) = (self.expr(left), self.expr(right));
        let node = self.compare(op, left?, right?)?;
        Ok(Typed { node, unknown: false, range })
    }

    /// A comparison of two resolved parts.
    pub(crate) fn compare(&mut self, op: CompareOp, left: Typed, right: Typed) -> Result<Node, Reported> {
        let (left, right) = self.comparable(left, right)?;
        Ok(fold(Node::new(Boolean, Kind::Compare { op, left: Box::new(left), right: Box::new(right) })))
    }

    /// Two parts with the type in which they are compared.
    pub(crate) fn comparable(&mut self, left: Typed, right: Typed) -> Result<(Node, Node), Reported> {
        let (l, r) = (left.node.ty, right.node.ty);
        let ty = match (left.unknown, right.unknown) {
            (true, true) => Text,
            (true, false) => r,
            (false, true) => l,
            _ if l == r => l,
            _ if matches!((l, r), (Bigint, Double) | (Double, Bigint)) => Double,
            _ => {
                let message = format!("{l} cannot be compared with {r}");
                let (wrong, to) =
                    if l == Text || right.node.as_constant().is_some() { (&left, r) } else { (&right, l) };
                return Err(self.mismatch(&wrong.range.clone(), message, to, wrong.node.ty));
            }
        };
        let (left, right) = (self.coerce(left, Some(ty)), self.coerce(right, Some(ty)));
        Ok((left?, right?))
    }

    fn concatenation(&mut self, left: &ast::Expr, right: &ast::Expr, range: Range<usize>) -> Resolved {
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = (left?, right?);
        if left.node.ty != Text && right.node.ty != Text {
            let message = format!("there is no {} || {}", left.node.ty, right.node.ty);
            return Err(self.mismatch(&left.range, message, Text, left.node.ty));
        }
        // Strict, unlike concat(): NULL if one side is.
        let args = vec![self.to_text(left), self.to_text(right)];
        let Some(function) = super::calls::overload("||", &[Text, Text]) else { return Err(Reported) };
        Ok(self.typed(Text, Kind::Call { function, args }, range))
    }

    /// The part as text, as a cast gives it.
    pub(crate) fn to_text(&self, typed: Typed) -> Node {
        match typed.node.ty {
            Text => typed.node,
            _ => fold(Node::new(Text, Kind::Cast(Box::new(typed.node)))),
        }
    }

    /// `~` and its like.
    fn regex(
        &mut self,
        text: &ast::Expr,
        pattern: &ast::Expr,
        insensitive: bool,
        negated: bool,
        range: Range<usize>,
    ) -> Resolved {
        let (text, pattern) = (self.expr(text), self.expr(pattern));
        let text = self.text(text?, "the left side of `~`")?;
        let flags = Flags { insensitive, ..Flags::default() };
        let pattern = self.regex_pattern(pattern?, flags)?;
        let call = if negated { RegexCall::NoMatch } else { RegexCall::Match };
        Ok(self.typed(Boolean, Kind::Regex { call, pattern, args: vec![text] }, range))
    }

    /// A pattern, compiled if it is constant.
    pub(crate) fn regex_pattern(&mut self, pattern: Typed, flags: Flags) -> Result<RegexPattern, Reported> {
        let range = pattern.range.clone();
        let node = self.text(pattern, "a regular expression")?;
        match node.as_constant() {
            Some(Value::Text(text)) => match pattern::compile(text, flags) {
                Ok(regex) => Ok(RegexPattern::Constant(regex, flags)),
                Err(message) => Err(self.error(&range, format!("the regular expression is wrong: {message}"))),
            },
            _ => Ok(RegexPattern::Dynamic(Box::new(node), flags)),
        }
    }

    /// A part that must be text.
    pub(crate) fn text(&mut self, typed: Typed, what: &str) -> Result<Node, Reported> {
        if typed.node.ty != Text {
            let message = format!("{what} must be text, this is {}", typed.node.ty);
            return Err(self.mismatch(&typed.range, message, Text, typed.node.ty));
        }
        self.coerce(typed, Some(Text))
    }

    /// LIKE and ILIKE.
    pub(crate) fn like(
        &mut self,
        text: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        insensitive: bool,
        negated: bool,
        range: Range<usize>,
    ) -> Resolved {
        let (text, pattern) = (self.expr(text), self.expr(pattern));
        let escape = match escape {
            None => Some('\\'),
            Some(escape) => self.escape(escape)?,
        };
        let (text, pattern) = (text?, pattern?);
        let place = pattern.range.clone();
        let text = self.text(text, "the left side of `like`")?;
        let pattern = self.text(pattern, "the pattern of `like`")?;
        let pattern = match pattern.as_constant() {
            Some(Value::Text(literal)) => match LikePattern::new(literal, escape, insensitive) {
                Ok(compiled) => LikeSource::Constant(Arc::new(compiled)),
                Err(message) => return Err(self.error(&place, message)),
            },
            _ => LikeSource::Dynamic(Box::new(pattern), escape),
        };
        Ok(self.typed(Boolean, Kind::Like { text: Box::new(text), pattern, insensitive, negated }, range))
    }

    fn escape(&mut self, escape: &ast::Expr) -> Result<Option<char>, Reported> {
        let typed = self.expr(escape)?;
        if let Some(Value::Text(text)) = typed.node.as_constant() {
            let mut chars = text.chars();
            let first = chars.next();
            if chars.next().is_none() {
                return Ok(first);
            }
        }
        Err(self.error(&typed.range, "an escape is one character, or '' for none"))
    }
}

/// AND or OR of conditions, without the constants that change nothing.
pub(crate) fn logic(nodes: Vec<Node>, and: bool) -> Node {
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node.kind {
            Kind::Constant(Value::Boolean(value)) if value == and => continue,
            Kind::And(inner) if and => kept.extend(inner),
            Kind::Or(inner) if !and => kept.extend(inner),
            Kind::Constant(Value::Boolean(_)) => {
                // What follows is never evaluated.
                kept.push(node);
                break;
            }
            _ => kept.push(node),
        }
    }
    match kept.len() {
        0 => Node::constant(Boolean, Value::Boolean(and)),
        1 => kept.remove(0),
        _ => fold(Node::new(Boolean, if and { Kind::And(kept) } else { Kind::Or(kept) })),
    }
}

/// The operator as written.
pub(crate) fn symbol(op: ArithOp) -> char {
    match op {
        ArithOp::Add => '+',
        ArithOp::Sub => '-',
        ArithOp::Mul => '*',
        ArithOp::Div => '/',
        ArithOp::Mod => '%',
        ArithOp::Pow => '^',
    }
}

/// The types in which the operands are computed with, and that of the result.
fn signature(op: ArithOp, left: DataType, right: DataType) -> Option<(DataType, DataType, DataType)> {
    Some(match (left, op, right) {
        (Bigint | Double, ArithOp::Pow, Bigint | Double) => (Double, Double, Double),
        (Bigint, _, Bigint) => (Bigint, Bigint, Bigint),
        (Bigint | Double, _, Bigint | Double) => (Double, Double, Double),
        (Timestamp, ArithOp::Add | ArithOp::Sub, Interval) => (Timestamp, Interval, Timestamp),
        (Interval, ArithOp::Add, Timestamp) => (Interval, Timestamp, Timestamp),
        (Timestamp, ArithOp::Sub, Timestamp) => (Timestamp, Timestamp, Interval),
        (Interval, ArithOp::Add | ArithOp::Sub, Interval) => (Interval, Interval, Interval),
        (Interval, ArithOp::Mul | ArithOp::Div, Bigint | Double) => (Interval, Double, Interval),
        (Bigint | Double, ArithOp::Mul, Interval) => (Double, Interval, Interval),
        _ => return None,
    })
}

/// Whether a part is a column (or an aggregate, for which one stands), whatever it is cast to.
fn is_column(node: &Node) -> bool {
    match &node.kind {
        Kind::Column(_) => true,
        Kind::Cast(inner) => is_column(inner),
        _ => false,
    }
}
