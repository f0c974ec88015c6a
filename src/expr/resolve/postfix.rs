//! IS, BETWEEN, IN, CASE, CAST.

use super::operators::logic;
use super::{Reported, Resolved, Resolver, Typed, fold};
use crate::expr::cast;
use crate::expr::environment::Param;
use crate::expr::node::{CompareOp, ConstantSet, Kind, Node};
use crate::expr::number::canonical_bits;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::ops::Range;
use std::sync::Arc;

use DataType::Boolean;

/// From how many constants on a list is looked up rather than compared one by one.
const SET_MIN: usize = 6;

impl Resolver<'_> {
    /// IS [NOT] NULL, of values and of whole rows of reference tables.
    pub(crate) fn is_null(&mut self, operand: &ast::Expr, negated: bool, range: Range<usize>) -> Resolved {
        if let Some(exists) = self.row_exists(operand, negated, &range) {
            return exists;
        }
        let typed = self.expr(operand)?;
        let node = self.coerce(typed, None)?;
        Ok(self.typed(Boolean, Kind::IsNull { node: Box::new(node), negated }, range))
    }

    /// IS [NOT] TRUE and FALSE.
    pub(crate) fn is_truth(&mut self, operand: &ast::Expr, value: bool, negated: bool) -> Resolved {
        let range = self.source.range(operand);
        let node = self.boolean(operand)?;
        Ok(self.typed(Boolean, Kind::IsTruth { node: Box::new(node), value, negated }, range))
    }

    /// IS [NOT] UNKNOWN.
    pub(crate) fn is_unknown(&mut self, operand: &ast::Expr, negated: bool) -> Resolved {
        let range = self.source.range(operand);
        let node = self.boolean(operand)?;
        Ok(self.typed(Boolean, Kind::IsNull { node: Box::new(node), negated }, range))
    }

    /// IS [NOT] DISTINCT FROM.
    pub(crate) fn distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        negated: bool,
        range: Range<usize>,
    ) -> Resolved {
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = self.comparable(left?, right?)?;
        Ok(self.typed(Boolean, Kind::Distinct { left: Box::new(left), right: Box::new(right), negated }, range))
    }

    /// [NOT] BETWEEN [SYMMETRIC], as the comparisons it stands for.
    pub(crate) fn between(
        &mut self,
        operand: &ast::Expr,
        negated: bool,
        low: &ast::Expr,
        high: &ast::Expr,
        range: Range<usize>,
    ) -> Resolved {
        let symmetric = self.source.is_symmetric(operand, low);
        let parts = (self.expr(operand), self.expr(low), self.expr(high));
        let (operand, low, high) = (parts.0?, parts.1?, parts.2?);
        let mut node = self.inside(&operand, low.clone(), high.clone(), negated)?;
        if symmetric {
            let swapped = self.inside(&operand, high, low, negated)?;
            node = logic(vec![node, swapped], negated);
        }
        Ok(Typed { node, unknown: false, range })
    }

    fn inside(&mut self, operand: &Typed, low: Typed, high: Typed, negated: bool) -> Result<Node, Reported> {
        let (low_op, high_op) = if negated { (CompareOp::Lt, CompareOp::Gt) } else { (CompareOp::Ge, CompareOp::Le) };
        let above = self.compare(low_op, operand.clone(), low);
        let below = self.compare(high_op, operand.clone(), high);
        Ok(logic(vec![above?, below?], !negated))
    }

    /// [NOT] IN a list of expressions and list parameters.
    pub(crate) fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        range: Range<usize>,
    ) -> Resolved {
        let typed = self.expr(operand);
        let mut items = Vec::new();
        for item in list {
            items.push(self.list_items(item));
        }
        let typed = typed?;
        let items: Vec<Typed> = items.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        if items.is_empty() {
            return Err(self.error(&range, "the list of `in` is empty"));
        }
        let mut parts = vec![typed];
        parts.extend(items);
        let (ty, mut nodes) = self.unify(parts, "the values of `in`")?;
        let node = nodes.remove(0);
        // Constants are compared first, as PostgreSQL does: they are looked up where there are many.
        let (constants, others): (Vec<Node>, Vec<Node>) =
            nodes.into_iter().partition(|item| item.as_constant().is_some());
        let op = if negated { CompareOp::Ne } else { CompareOp::Eq };
        let test =
            |item| fold(Node::new(Boolean, Kind::Compare { op, left: Box::new(node.clone()), right: Box::new(item) }));
        let mut tests = if constants.len() >= SET_MIN {
            vec![self.in_set(node.clone(), ty, &constants, negated, range.clone()).node]
        } else {
            constants.into_iter().map(test).collect()
        };
        tests.extend(others.into_iter().map(test));
        Ok(Typed { node: logic(tests, negated), unknown: false, range })
    }

    fn list_items(&mut self, item: &ast::Expr) -> Result<Vec<Typed>, Reported> {
        if let ast::Expr::Value(value) = item
            && let ast::Value::Placeholder(name) = &value.value
        {
            let range = self.source.bytes(value.span);
            if let Param::List(values) = self.find_parameter(name, &range)? {
                let typed = |value: Value| Typed {
                    unknown: matches!(value, Value::Null | Value::Text(_)),
                    node: Node::constant(value.data_type().unwrap_or(DataType::Text), value),
                    range: range.clone(),
                };
                return Ok(values.into_iter().map(typed).collect());
            }
        }
        Ok(vec![self.expr(item)?])
    }

    fn in_set(&mut self, node: Node, ty: DataType, items: &[Node], negated: bool, range: Range<usize>) -> Typed {
        let has_null = items.iter().any(|item| item.as_constant() == Some(&Value::Null));
        let values = items.iter().filter_map(Node::as_constant);
        let set = if ty == DataType::Text {
            ConstantSet::Texts(
                values
                    .filter_map(|v| if let Value::Text(text) = v { Some(text.as_str().into()) } else { None })
                    .collect(),
            )
        } else {
            ConstantSet::Words(
                values
                    .filter_map(|value| match value {
                        Value::Boolean(b) => Some(u64::from(*b)),
                        Value::Bigint(i) | Value::Timestamp(i) | Value::Interval(i) => Some(*i as u64),
                        Value::Double(d) => Some(canonical_bits(*d)),
                        Value::Text(_) | Value::Null => None,
                    })
                    .collect(),
            )
        };
        self.typed(Boolean, Kind::InSet { node: Box::new(node), set: Arc::new(set), has_null, negated }, range)
    }

    /// CASE with conditions, or with a value that is compared.
    pub(crate) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        whens: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        range: Range<usize>,
    ) -> Resolved {
        let operand = operand.map(|operand| self.expr(operand));
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        for when in whens {
            conditions.push(match &operand {
                None => self.boolean(&when.condition),
                Some(operand) => self.expr(&when.condition).and_then(|value| {
                    let operand = operand.clone()?;
                    self.compare(CompareOp::Eq, operand, value)
                }),
            });
            self.guarded += 1;
            results.push(self.expr(&when.result));
            self.guarded -= 1;
        }
        let has_else = otherwise.is_some();
        self.guarded += 1;
        results.extend(otherwise.map(|otherwise| self.expr(otherwise)));
        self.guarded -= 1;
        let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>();
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (ty, mut results) = self.unify(results, "the results of `case`")?;
        let otherwise = if has_else { results.pop().map(Box::new) } else { None };
        let mut branches: Vec<(Node, Node)> = Vec::new();
        let mut last = otherwise;
        for (condition, result) in conditions?.into_iter().zip(results) {
            match condition.as_constant() {
                Some(Value::Boolean(true)) => {
                    last = Some(Box::new(result));
                    break;
                }
                Some(_) => {}
                None => branches.push((condition, result)),
            }
        }
        if branches.is_empty() {
            let node = last.map_or_else(|| Node::constant(ty, Value::Null), |node| *node);
            return Ok(Typed { node, unknown: false, range });
        }
        Ok(self.typed(ty, Kind::Case { branches, otherwise: last }, range))
    }

    /// CAST and `::`.
    pub(crate) fn cast(&mut self, operand: &ast::Expr, ty: &ast::DataType, range: Range<usize>) -> Resolved {
        let typed = self.expr(operand);
        let to = self.data_type(ty, &range);
        let (typed, to) = (typed?, to?);
        if typed.unknown {
            let node = self.coerce(typed, Some(to))?;
            return Ok(Typed { node, unknown: false, range });
        }
        let from = typed.node.ty;
        if from == to {
            return Ok(Typed { range, ..typed });
        }
        if !cast::allowed(from, to) {
            let message = format!("{from} cannot be converted to {to}");
            return Err(self.mismatch(&typed.range, message, to, from));
        }
        Ok(self.typed(to, Kind::Cast(Box::new(typed.node)), range))
    }
}
