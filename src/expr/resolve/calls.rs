//! Calls of functions: overloads, those with a syntax or treatment of their own. Aggregates are in [`super::aggregates`].

use super::{Reported, Resolved, Resolver, Typed};
use crate::expr::AggregateFunction;
use crate::expr::functions::{FUNCTIONS, Function, Variadic};
use crate::expr::node::{CompareOp, Kind, Node};
use crate::expr::pattern::{Flags, RegexCall};
use crate::expr::{special, timestamp};
use crate::problem::nearest;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::ops::Range;

use DataType::{Bigint, Boolean, Double, Interval, Text, Timestamp};

/// How a column is used: of this row, or of an earlier one (inside `lag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnUse {
    /// Of this row.
    Now,
    /// Of an earlier row.
    Earlier,
}

/// The overload with exactly these types.
pub(crate) fn overload(name: &str, args: &[DataType]) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name && f.args == args)
}

/// How far an argument is from a parameter's type; none if it does not fit.
fn distance(arg: &Typed, wanted: DataType) -> Option<u32> {
    match (arg.unknown, arg.node.ty, wanted) {
        (true, _, Text) => Some(0),
        (true, _, _) => Some(1),
        (false, from, to) if from == to => Some(0),
        (false, Bigint, Double) => Some(1),
        _ => None,
    }
}

impl Resolver<'_> {
    /// A call, or a bare function word that is a column.
    pub(crate) fn function(&mut self, call: &ast::Function, range: Range<usize>) -> Resolved {
        let [ast::ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else {
            return Err(self.error(&range, format!("there is no function `{}`", call.name)));
        };
        let list = match &call.args {
            // A word like `user` or `current_date`, which the parser takes for a call.
            ast::FunctionArguments::None => return self.column(None, name),
            ast::FunctionArguments::Subquery(_) => {
                return Err(self.error(&range, "subqueries are not part of the expression language"));
            }
            ast::FunctionArguments::List(list) => list,
        };
        let lower = name.value.to_ascii_lowercase();
        let place = self.source.bytes(name.span);
        if self.names.rows() {
            if list.args.is_empty()
                && let Ok(node) = self.names.column(None, &format!("{lower}()"), ColumnUse::Now)
            {
                return Ok(Typed { node, unknown: false, range });
            }
            if lower == "prev" {
                return self.aggregate(AggregateFunction::Lag, &lower, call, list, range);
            }
        }
        if let Some(function) = special::aggregate(&lower) {
            return self.aggregate(function, &lower, call, list, range);
        }
        if call.over.is_some() && special::unavailable(&lower).is_none() {
            return Err(self.error(&place, format!("`{lower}` is not an aggregate and takes no `over`")));
        }
        let clauses = call.filter.is_some() || !call.within_group.is_empty() || list.duplicate_treatment.is_some();
        if clauses && special::unavailable(&lower).is_none() {
            return Err(self.error(&place, format!("`{lower}` is not an aggregate")));
        }
        let mut exprs = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            match arg {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => exprs.push(expr),
                _ if special::unavailable(&lower).is_some() => {}
                _ => return Err(self.error(&range, format!("`{lower}` takes its arguments by position"))),
            }
        }
        if !list.clauses.is_empty() && special::unavailable(&lower).is_none() {
            return Err(self.error(&range, format!("`{lower}` takes no clauses among its arguments")));
        }
        if !special::is_known(&lower) {
            // Look at the arguments as well: all problems at once.
            let _ = self.all(exprs);
            return Err(self.unknown_function(&lower, &place));
        }
        let args = self.all(exprs)?;
        self.call(&lower, args, range)
    }

    fn unknown_function(&mut self, name: &str, place: &Range<usize>) -> Reported {
        if let Some(advice) = special::unavailable(name) {
            return self.error_hint(place, format!("`{name}` is not available"), advice);
        }
        let message = format!("there is no function `{name}`");
        match nearest(name, special::names()) {
            Some(near) => self.error_hint(place, message, format!("did you mean `{near}`?")),
            None => self.error(place, message),
        }
    }

    /// A call by name with resolved arguments.
    pub(crate) fn call(&mut self, name: &str, args: Vec<Typed>, range: Range<usize>) -> Resolved {
        match (name, args.len()) {
            ("coalesce", 1..) => {
                let (ty, mut nodes) = self.unify(args, "the arguments of `coalesce`")?;
                // Nothing after a value that is never NULL counts.
                if let Some(last) = nodes.iter().position(|n| n.as_constant().is_some_and(|v| *v != Value::Null)) {
                    nodes.truncate(last + 1);
                }
                if nodes.len() == 1 && nodes[0].as_constant().is_some() {
                    return Ok(Typed { node: nodes.remove(0), unknown: false, range });
                }
                Ok(self.typed(ty, Kind::Coalesce(nodes), range))
            }
            ("greatest" | "least", 1..) => {
                let (ty, args) = self.unify(args, &format!("the arguments of `{name}`"))?;
                Ok(self.typed(ty, Kind::Extreme { greatest: name == "greatest", args }, range))
            }
            ("nullif", 2) => self.nullif(args, range),
            ("concat", 1..) => Ok(self.variadic(Variadic::Concat, args, range)),
            ("concat_ws", 2..) => self.variadic_with(Variadic::ConcatWs, "concat_ws", args, range),
            ("format", 1..) => self.variadic_with(Variadic::Format, "format", args, range),
            ("regexp_like", 2 | 3) => self.regexp(RegexCall::Match, args, 2, Boolean, range),
            ("regexp_substr", 2) => self.regexp(RegexCall::Whole, args, 2, Text, range),
            ("regexp_count", 2) => self.regexp(RegexCall::Count, args, 2, Bigint, range),
            ("regexp_replace", 3 | 4) => self.regexp(RegexCall::Replace { all: false }, args, 3, Text, range),
            ("substring", 2) if args[1].unknown || args[1].node.ty == Text => {
                self.regexp(RegexCall::Substring, args, 2, Text, range)
            }
            ("substring", 2 | 3) => self.named_call("substr", args, range),
            ("position", _) => Err(self.error_hint(
                &range,
                "`position` is called differently".to_owned(),
                "write `position(part in text)`",
            )),
            ("extract", _) => Err(self.error_hint(
                &range,
                "`extract` is called differently".to_owned(),
                "write `extract(hour from x)`",
            )),
            ("trim", 1 | 2) => self.named_call("btrim", args, range),
            ("date_trunc" | "date_part", 2) if args[0].node.as_constant().is_some() => {
                self.with_field(name, args, range)
            }
            _ => self.named_call(name, args, range),
        }
    }

    fn nullif(&mut self, mut args: Vec<Typed>, range: Range<usize>) -> Resolved {
        let value = args[0].clone();
        let other = args.remove(1);
        let equal = self.compare(CompareOp::Eq, args.remove(0), other)?;
        let ty = value.node.ty;
        let value = self.coerce(value, None)?;
        Ok(self.typed(ty, Kind::NullIf { value: Box::new(value), equal: Box::new(equal) }, range))
    }

    fn variadic(&mut self, function: Variadic, args: Vec<Typed>, range: Range<usize>) -> Typed {
        let args = args.into_iter().map(|arg| self.output(arg)).collect();
        self.typed(Text, Kind::Variadic { function, args }, range)
    }

    fn variadic_with(&mut self, function: Variadic, name: &str, args: Vec<Typed>, range: Range<usize>) -> Resolved {
        let first = &args[0];
        if first.node.ty != Text {
            let (place, ty) = (first.range.clone(), first.node.ty);
            return Err(self.mismatch(
                &place,
                format!("the first argument of `{name}` must be text, this is {ty}"),
                Text,
                ty,
            ));
        }
        Ok(self.variadic(function, args, range))
    }

    /// The argument as `concat` prints it: like a cast to text, but booleans as `t` and `f`.
    fn output(&mut self, arg: Typed) -> Node {
        if arg.node.ty != Boolean {
            return self.to_text(arg);
        }
        let text = |t: &str| Node::constant(Text, Value::Text(t.to_owned()));
        let not = Node::new(Boolean, Kind::Not(Box::new(arg.node.clone())));
        let kind = Kind::Case { branches: vec![(arg.node, text("t")), (not, text("f"))], otherwise: None };
        super::fold(Node::new(Text, kind))
    }

    /// A function with a regular expression as its second argument and flags at `flags_at`.
    fn regexp(
        &mut self,
        mut call: RegexCall,
        args: Vec<Typed>,
        flags_at: usize,
        ty: DataType,
        range: Range<usize>,
    ) -> Resolved {
        let mut flags = Flags::default();
        if let Some(given) = args.get(flags_at) {
            let read = match given.node.as_constant() {
                Some(Value::Text(letters)) => Flags::parse(letters),
                _ => None,
            };
            let place = given.range.clone();
            flags = match read {
                Some(flags) => flags,
                None => {
                    return Err(self.error_hint(
                        &place,
                        "these are no flags".to_owned(),
                        "flags are constant letters of `gincmsx`",
                    ));
                }
            };
        }
        if let RegexCall::Replace { all } = &mut call {
            *all = flags.all;
        }
        let mut args = args.into_iter();
        let (Some(text), Some(pattern)) = (args.next(), args.next()) else { return Err(Reported) };
        let mut nodes = vec![self.text(text, "the text")?];
        let pattern = self.regex_pattern(pattern, Flags { all: false, ..flags })?;
        if matches!(call, RegexCall::Replace { .. })
            && let Some(replacement) = args.next()
        {
            nodes.push(self.text(replacement, "the replacement")?);
        }
        Ok(self.typed(ty, Kind::Regex { call, pattern, args: nodes }, range))
    }

    /// `date_trunc` and `date_part` with a constant field.
    fn with_field(&mut self, name: &str, mut args: Vec<Typed>, range: Range<usize>) -> Resolved {
        let field = args.remove(0);
        let operand = args.remove(0);
        match field.node.as_constant() {
            Some(Value::Text(text)) => {
                let text = text.clone();
                self.field(name, &text, field.range, operand, range)
            }
            _ => self.named_call(name, vec![field, operand], range),
        }
    }

    /// `extract(field from operand)`.
    pub(crate) fn extract(&mut self, field: &str, operand: &ast::Expr, range: Range<usize>) -> Resolved {
        let operand = self.expr(operand)?;
        let place = range.clone();
        self.field("extract", field.trim_matches('\''), place, operand, range)
    }

    fn field(&mut self, name: &str, field: &str, place: Range<usize>, operand: Typed, range: Range<usize>) -> Resolved {
        let ty = if operand.unknown { Timestamp } else { operand.node.ty };
        if !matches!(ty, Timestamp | Interval) {
            let message = format!("`{name}` wants a timestamp or an interval, this is {ty}");
            return Err(self.mismatch(&operand.range.clone(), message, Timestamp, ty));
        }
        let truncates = name == "date_trunc";
        let Some(known) = timestamp::field(field).filter(|f| !truncates || timestamp::truncates(*f)) else {
            let names =
                timestamp::FIELDS.iter().filter(|(_, f)| !truncates || timestamp::truncates(*f)).map(|(n, _)| *n);
            let message = format!("`{}` is not a field that `{name}` knows", field.to_lowercase());
            return Err(match nearest(field, names.clone()) {
                Some(near) => self.error_hint(&place, message, format!("did you mean `{near}`?")),
                None => {
                    self.error_hint(&place, message, format!("fields are {}", names.collect::<Vec<_>>().join(", ")))
                }
            });
        };
        let node = Box::new(self.coerce(operand, Some(ty))?);
        if truncates {
            return Ok(self.typed(ty, Kind::Truncate { field: known, node }, range));
        }
        Ok(self.typed(Double, Kind::Part { field: known, node }, range))
    }

    /// A listed function: the overload that fits best.
    pub(crate) fn named_call(&mut self, name: &str, args: Vec<Typed>, range: Range<usize>) -> Resolved {
        let cost = |function: &Function| -> Option<u32> {
            args.iter().zip(function.args).map(|(arg, wanted)| distance(arg, *wanted)).sum()
        };
        let candidates = FUNCTIONS.iter().filter(|f| f.name == name && f.args.len() == args.len());
        let best = candidates.clone().filter_map(|f| Some((cost(f)?, f))).min_by_key(|(cost, _)| *cost);
        if let Some((_, function)) = best {
            let mut nodes = Vec::with_capacity(args.len());
            for (arg, wanted) in args.into_iter().zip(function.args) {
                nodes.push(self.coerce(arg, Some(*wanted))?);
            }
            return Ok(self.typed(function.ret, Kind::Call { function, args: nodes }, range));
        }
        let near = candidates
            .min_by_key(|f| args.iter().zip(f.args).filter(|(arg, wanted)| distance(arg, **wanted).is_none()).count());
        if let Some(function) = near {
            let wrong = args.iter().zip(function.args).find(|(arg, wanted)| distance(arg, **wanted).is_none());
            if let Some((arg, wanted)) = wrong {
                let message = format!("`{name}` wants {wanted} here, this is {}", arg.node.ty);
                return Err(self.mismatch(&arg.range.clone(), message, *wanted, arg.node.ty));
            }
        }
        let message = format!("`{name}` does not take {} arguments", args.len());
        match special::signature(name) {
            Some(signature) => Err(self.error_hint(&range, message, format!("it is called {signature}"))),
            None => Err(self.error(&range, message)),
        }
    }

    /// `ceil(x)` and `floor(x)`, which the parser knows as syntax.
    pub(crate) fn ceil_floor(
        &mut self,
        name: &str,
        operand: &ast::Expr,
        kind: &ast::CeilFloorKind,
        range: Range<usize>,
    ) -> Resolved {
        let operand = self.expr(operand)?;
        match kind {
            ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) => {
                self.named_call(name, vec![operand], range)
            }
            _ => Err(self.error(&range, format!("`{name}` takes one argument"))),
        }
    }

    /// `substring(x from n for m)`, `substring(x from 'pattern')`, `substring(x, n, m)`.
    pub(crate) fn substring(
        &mut self,
        text: &ast::Expr,
        from: Option<&ast::Expr>,
        count: Option<&ast::Expr>,
        range: Range<usize>,
    ) -> Resolved {
        let mut args = vec![self.expr(text)];
        match (from, count) {
            (None, Some(_)) => {
                let node = Node::constant(Bigint, Value::Bigint(1));
                args.push(Ok(Typed { node, unknown: false, range: range.clone() }));
            }
            (from, _) => args.extend(from.map(|from| self.expr(from))),
        }
        args.extend(count.map(|count| self.expr(count)));
        let args = args.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.call("substring", args, range)
    }

    /// `trim([both | leading | trailing] [characters from] x)`.
    pub(crate) fn trim(
        &mut self,
        text: &ast::Expr,
        side: Option<ast::TrimWhereField>,
        what: Option<&ast::Expr>,
        characters: Option<&[ast::Expr]>,
        range: Range<usize>,
    ) -> Resolved {
        let name = match side {
            None | Some(ast::TrimWhereField::Both) => "btrim",
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
        };
        let parts = std::iter::once(text).chain(what).chain(characters.unwrap_or_default());
        let args = self.all(parts)?;
        self.named_call(name, args, range)
    }
}
