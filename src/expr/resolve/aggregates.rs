//! Calls of aggregate functions: taken out of the expression, a column stands for each.

use super::{ColumnUse, Reported, Resolved, Resolver, Typed};
use crate::expr::aggregate::{AggregateCall, AggregateFunction as F, Over};
use crate::expr::{Expr, node::Node};
use crate::time;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::ops::Range;

use DataType::{Bigint, Boolean, Double, Interval};

/// The arguments of a call, resolved.
struct Arguments {
    parts: Vec<Typed>,
    stream: Option<String>,
}

impl Resolver<'_> {
    /// An aggregate call.
    pub(crate) fn aggregate(
        &mut self,
        function: F,
        name: &str,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        range: Range<usize>,
    ) -> Resolved {
        if !self.names.aggregates() {
            return Err(self.error_hint(
                &range,
                format!("`{name}` is an aggregate, which cannot be computed here"),
                "compute it in `add` of a bolt of kind `aggregate` and use the column here",
            ));
        }
        if self.inside_aggregate {
            return Err(self.error_hint(
                &range,
                "aggregates cannot be nested".to_owned(),
                "give the inner one a name of its own in `add` and use that name here",
            ));
        }
        let outer = (self.wanted, std::mem::replace(&mut self.inside_aggregate, true));
        let arguments = self.arguments(function, name, list, &range);
        self.wanted = outer.0;
        let filter = call.filter.as_deref().map(|filter| self.boolean(filter)).transpose();
        self.inside_aggregate = outer.1;
        let over = self.over(call, &range);
        let (arguments, filter, over) = (arguments?, filter?, over?);
        if !call.within_group.is_empty() || call.null_treatment.is_some() || !list.clauses.is_empty() {
            return Err(self.error_hint(
                &range,
                format!("`{name}` takes no clause but `filter` and `over`"),
                "the bolt's `order` says in which order rows are taken",
            ));
        }
        let distinct = matches!(list.duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
        self.check_clauses(function, name, distinct, filter.is_some(), &over, &range)?;
        if let (F::Lag, [open]) = (function, arguments.parts.as_slice())
            && open.node.as_constant() == Some(&Value::Null)
        {
            // NULL in every row; also an entry whose type is not known yet, which must stay open.
            return Ok(Typed { range, ..open.clone() });
        }
        let mut call = self.finish(function, name, arguments, &range)?;
        call.filter = filter.map(Expr::from_node);
        call.distinct = distinct;
        call.over = over;
        call.range = range.clone();
        if call.stream.is_none() {
            let read = |expr: &Option<Expr>| expr.as_ref().map(|e| e.columns().to_vec()).unwrap_or_default();
            let columns = [read(&call.argument), read(&call.filter)].concat();
            call.stream = self.names.stream_of(&columns);
        }
        Ok(Typed { node: self.names.call(call), unknown: false, range })
    }

    fn arguments(
        &mut self,
        function: F,
        name: &str,
        list: &ast::FunctionArgumentList,
        range: &Range<usize>,
    ) -> Result<Arguments, Reported> {
        let mut arguments = Arguments { parts: Vec::new(), stream: None };
        for (index, arg) in list.args.iter().enumerate() {
            let ast::FunctionArg::Unnamed(arg) = arg else {
                return Err(self.error(range, format!("`{name}` takes its arguments by position")));
            };
            self.wanted = if function == F::Lag && index == 0 { ColumnUse::Earlier } else { ColumnUse::Now };
            match arg {
                ast::FunctionArgExpr::Expr(expr) => arguments.parts.push(self.expr(expr)?),
                ast::FunctionArgExpr::Wildcard if function == F::Count => {}
                ast::FunctionArgExpr::QualifiedWildcard(stream) if function == F::Count => {
                    let written = stream.to_string();
                    match self.names.stream(&written) {
                        Ok(stream) => arguments.stream = Some(stream),
                        Err(near) => {
                            let message = format!("there is no input `{written}`");
                            return Err(match near {
                                Some(near) => self.error_hint(range, message, format!("did you mean `{near}`?")),
                                None => self.error(range, message),
                            });
                        }
                    }
                }
                _ => return Err(self.error(range, format!("`{name}` wants an expression; only `count` takes `*`"))),
            }
        }
        if list.args.is_empty() {
            let hint = if function == F::Count { "write `count(*)` for the number of rows" } else { "say of what" };
            return Err(self.error_hint(range, format!("`{name}` wants an argument"), hint));
        }
        Ok(arguments)
    }

    fn over(&mut self, call: &ast::Function, range: &Range<usize>) -> Result<Over, Reported> {
        let name = match &call.over {
            None => return Ok(Over::Own),
            Some(ast::WindowType::NamedWindow(name)) => name,
            Some(ast::WindowType::WindowSpec(_)) => {
                return Err(self.error_hint(
                    range,
                    "this `over` is not part of the expression language".to_owned(),
                    "the bolt's `key` says what belongs together and its `order` in which order; \
                     write `over '10m'`, `over '20 rows'` or `over name`",
                ));
            }
        };
        if name.quote_style != Some('\'') {
            return Ok(Over::Named(name.value.clone()));
        }
        let place = self.source.bytes(name.span);
        let text = name.value.trim();
        let lower = text.to_ascii_lowercase();
        if let Some(count) = lower.strip_suffix("rows").or_else(|| lower.strip_suffix("row")) {
            return match count.trim().parse::<u64>() {
                Ok(count) if count > 0 => Ok(Over::Rows(count)),
                _ => Err(self.error(&place, format!("`{text}` is not a number of rows"))),
            };
        }
        match time::parse_interval(text) {
            Ok(micros) if micros > 0 => Ok(Over::Rolling(micros)),
            Ok(_) => Err(self.error(&place, "a window must be longer than zero")),
            Err(message) => {
                Err(self.error_hint(&place, message, "a window is a duration ('10m') or a count ('20 rows')"))
            }
        }
    }

    fn check_clauses(
        &mut self,
        function: F,
        name: &str,
        distinct: bool,
        filter: bool,
        over: &Over,
        range: &Range<usize>,
    ) -> Result<(), Reported> {
        if distinct && matches!(function, F::Lag | F::First | F::Last | F::Share) {
            return Err(self.error(range, format!("`{name}` takes no `distinct`")));
        }
        if function == F::Lag && (filter || *over != Over::Own) {
            return Err(self.error_hint(
                range,
                format!("`{name}` takes neither `filter` nor `over`"),
                "it looks at the previous row of the key, whatever the windows",
            ));
        }
        Ok(())
    }

    fn finish(
        &mut self,
        function: F,
        name: &str,
        arguments: Arguments,
        range: &Range<usize>,
    ) -> Result<AggregateCall, Reported> {
        let entry = self.entry;
        let mut call = AggregateCall {
            function,
            distinct: false,
            argument: None,
            offset: 1,
            default: None,
            filter: None,
            over: Over::Own,
            ty: Bigint,
            nullable: true,
            entry,
            range: range.clone(),
            stream: arguments.stream,
        };
        let mut parts = arguments.parts.into_iter();
        let Some(first) = parts.next() else {
            call.nullable = false;
            return Ok(call);
        };
        let counts = self.names.rows() && matches!(function, F::First | F::Last);
        let most = if function == F::Lag { 2 } else { usize::from(counts) };
        if parts.len() > most {
            return Err(self.error(range, format!("`{name}` takes fewer arguments")));
        }
        let place = first.range.clone();
        let mut argument = self.coerce(first, None)?;
        call.ty = self.result_type(function, name, argument.ty, &place)?;
        if function == F::Count {
            call.nullable = false;
        }
        if counts {
            call.offset = parts.next().map_or(Ok(0), |offset| self.offset(&offset, 0))?;
        }
        if function == F::Lag {
            call.nullable = true;
            if let Some(offset) = parts.next() {
                call.offset = self.offset(&offset, 1)?;
            }
            if let Some(default) = parts.next() {
                (argument, call.default, call.ty) = self.default(argument, &place, default)?;
                call.nullable = argument.nullable || call.default.as_ref().is_none_or(Expr::nullable);
            }
        }
        call.argument = Some(Expr::from_node(argument));
        Ok(call)
    }

    fn offset(&mut self, offset: &Typed, min: i64) -> Result<u64, Reported> {
        match offset.node.as_constant() {
            Some(Value::Bigint(n)) if *n >= min => Ok(n.unsigned_abs()),
            _ if min > 0 => Err(self.error(&offset.range, "how many rows back must be a constant of at least 1")),
            _ => Err(self.error(&offset.range, "which row, counted from 0, must be a constant")),
        }
    }

    fn default(
        &mut self,
        argument: Node,
        place: &Range<usize>,
        default: Typed,
    ) -> Result<(Node, Option<Expr>, DataType), Reported> {
        let argument = Typed { node: argument, unknown: false, range: place.clone() };
        let (ty, mut nodes) = self.unify(vec![argument, default], "value and default of `lag`")?;
        let default = nodes.pop().map(Expr::from_node);
        let Some(argument) = nodes.pop() else { return Err(Reported) };
        Ok((argument, default, ty))
    }

    fn result_type(
        &mut self,
        function: F,
        name: &str,
        ty: DataType,
        place: &Range<usize>,
    ) -> Result<DataType, Reported> {
        let number = matches!(ty, Bigint | Double);
        let result = match function {
            F::Count => Some(Bigint),
            F::Sum => (number || ty == Interval).then_some(ty),
            F::Avg if ty == Interval => Some(Interval),
            F::Avg | F::StddevSamp | F::StddevPop | F::VarSamp | F::VarPop => number.then_some(Double),
            F::Min | F::Max | F::First | F::Last | F::Lag => Some(ty),
            F::BoolAnd | F::BoolOr => (ty == Boolean).then_some(Boolean),
            F::Share => (ty == Boolean).then_some(Double),
        };
        if let Some(result) = result {
            return Ok(result);
        }
        if matches!(function, F::BoolAnd | F::BoolOr | F::Share) {
            return Err(self.mismatch(place, format!("`{name}` wants a condition, this is {ty}"), Boolean, ty));
        }
        if ty == Boolean {
            let message = format!("`{name}` wants a number, this is boolean");
            return Err(self.error_hint(
                place,
                message,
                "`share(condition)` is the share of rows where it is true, `count(*) filter (where ...)` their number",
            ));
        }
        Err(self.mismatch(place, format!("`{name}` wants a number, this is {ty}"), Double, ty))
    }
}
