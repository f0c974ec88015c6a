//! Names, literals, reference tables, and the conversion of parts to the type that is wanted.

use super::{Missing, Reported, Resolved, Resolver, Typed, fold};
use crate::expr::cast;
use crate::expr::environment::Param;
use crate::expr::node::{Kind, Node};
use crate::problem::nearest;
use crate::time;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use sqlparser::ast::Spanned;
use std::ops::Range;
use std::sync::Arc;

/// How many columns are listed where a name is none of them.
const LISTED_MAX: usize = 12;

/// The columns there are, in words; none if there are none.
fn listed(names: &[&str]) -> Option<String> {
    let shown = names.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count if count > LISTED_MAX => Some(format!("the columns are {shown} and {} more", count - LISTED_MAX)),
        _ => Some(format!("the columns are {shown}")),
    }
}

impl Resolver<'_> {
    /// A column, or `_time`.
    pub(crate) fn column(&mut self, stream: Option<&ast::Ident>, name: &ast::Ident) -> Resolved {
        let span = stream.map_or(name.span, |stream| stream.span.union(&name.span));
        let range = self.source.bytes(span);
        let stream = stream.map(|s| s.value.as_str());
        let missing = match self.names.column(stream, &name.value, self.wanted) {
            // An earlier row of an entry whose type is not known yet stands as NULL.
            Ok(node) => return Ok(Typed { unknown: node.as_constant() == Some(&Value::Null), node, range }),
            Err(missing) => missing,
        };
        match missing {
            Missing::Broken => Err(Reported),
            Missing::Other(message, None) => Err(self.error(&range, message)),
            Missing::Other(message, Some(hint)) => Err(self.error_hint(&range, message, hint)),
            Missing::Ambiguous(streams) => {
                let all: Vec<String> = streams.iter().map(|s| format!("`{s}.{}`", name.value)).collect();
                let message = format!("`{}` is a column of several streams", name.value);
                Err(self.error_hint(&range, message, format!("write {}", all.join(" or "))))
            }
            Missing::Unknown(_) if stream.is_none() && name.value.eq_ignore_ascii_case("_time") => {
                Ok(Typed { node: Node::new(DataType::Timestamp, Kind::Time), unknown: false, range })
            }
            Missing::Unknown(near) => Err(self.unknown_column(&range, stream, &name.value, near)),
        }
    }

    fn unknown_column(
        &mut self,
        range: &Range<usize>,
        stream: Option<&str>,
        name: &str,
        near: Option<String>,
    ) -> Reported {
        let message = match stream {
            None => format!("there is no column `{name}`"),
            Some(stream) => format!("there is no column `{stream}.{name}`"),
        };
        let is_table = |wanted: &str| self.environment.tables.iter().any(|t| t.name.eq_ignore_ascii_case(wanted));
        let is_param = |wanted: &str| self.environment.params.iter().any(|(n, _)| n == wanted);
        if let Some(near) = near {
            self.error_hint(range, message, format!("did you mean `{near}`?"))
        } else if is_table(stream.unwrap_or(name)) {
            let table = stream.unwrap_or(name);
            self.error_hint(range, message, format!("a row of the table is read with `{table}[key].column`"))
        } else if stream.is_none() && is_param(name) {
            self.error_hint(range, message, format!("the parameter is written `${name}`"))
        } else if matches!(
            name.to_ascii_lowercase().as_str(),
            "now" | "current_timestamp" | "current_date" | "localtimestamp"
        ) {
            self.error_hint(range, message, "expressions read no clock; `_time` is the time of the tuple")
        } else {
            match listed(&self.names.columns(stream)) {
                Some(list) => self.error_hint(range, message, list),
                None => self.error(range, message),
            }
        }
    }

    /// `stream.column`.
    pub(crate) fn compound(&mut self, names: &[ast::Ident]) -> Resolved {
        match names {
            [name] => self.column(None, name),
            [stream, name] => self.column(Some(stream), name),
            // A side stream's name has a point: `hits.shadow.rule`.
            [stream, side, name] => {
                let mut joined = stream.clone();
                joined.value = format!("{}.{}", stream.value, side.value);
                joined.span = stream.span.union(&side.span);
                self.column(Some(&joined), name)
            }
            _ => {
                let range = names.first().map_or(0..0, |n| self.source.bytes(n.span));
                Err(self.error(&range, "a column is written `column` or `stream.column`"))
            }
        }
    }

    /// A literal or parameter.
    pub(crate) fn literal(&mut self, value: &ast::ValueWithSpan) -> Resolved {
        use ast::Value as V;
        let range = self.source.bytes(value.span);
        let (ty, constant, unknown) = match &value.value {
            V::Number(digits, _) => return self.number(digits, range),
            V::Boolean(b) => (DataType::Boolean, Value::Boolean(*b), false),
            V::Null => (DataType::Text, Value::Null, true),
            V::SingleQuotedString(s) | V::EscapedStringLiteral(s) | V::UnicodeStringLiteral(s) => {
                (DataType::Text, Value::Text(s.clone()), true)
            }
            V::DollarQuotedString(s) => (DataType::Text, Value::Text(s.value.clone()), true),
            V::Placeholder(name) => return self.parameter(name, range),
            _ => return Err(self.error(&range, "this kind of literal is not part of the expression language")),
        };
        Ok(Typed { node: Node::constant(ty, constant), unknown, range })
    }

    fn number(&mut self, digits: &str, range: Range<usize>) -> Resolved {
        let digits = digits.replace('_', "");
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            return match digits.parse::<i64>() {
                Ok(value) => Ok(self.typed(DataType::Bigint, Kind::Constant(Value::Bigint(value)), range)),
                Err(_) => Err(self.error_hint(
                    &range,
                    format!("`{digits}` is out of the range of bigint"),
                    format!("write `{digits}.0` for a double"),
                )),
            };
        }
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                Ok(self.typed(DataType::Double, Kind::Constant(Value::Double(value)), range))
            }
            _ => Err(self.error(&range, format!("`{digits}` is not a number that a double can hold"))),
        }
    }

    fn parameter(&mut self, name: &str, range: Range<usize>) -> Resolved {
        match self.find_parameter(name, &range)? {
            Param::Value(value) => {
                let unknown = matches!(value, Value::Null | Value::Text(_));
                let ty = value.data_type().unwrap_or(DataType::Text);
                Ok(Typed { node: Node::constant(ty, value), unknown, range })
            }
            Param::List(_) => {
                Err(self.error_hint(&range, format!("`{name}` is a list"), format!("a list serves `x in ({name})`")))
            }
        }
    }

    /// The parameter `$name`.
    pub(crate) fn find_parameter(&mut self, name: &str, range: &Range<usize>) -> Result<Param, Reported> {
        let Some(bare) = name.strip_prefix('$') else {
            return Err(self.error(range, format!("`{name}` is no parameter; they are written `$name`")));
        };
        if let Some((_, param)) = self.environment.params.iter().find(|(known, _)| known == bare) {
            return Ok(param.clone());
        }
        let near = nearest(bare, self.environment.params.iter().map(|(known, _)| known.as_str()));
        let hint = match near {
            Some(near) => format!("did you mean `${near}`?"),
            None => format!("parameters stand in the section [params]: {bare} = ..."),
        };
        Err(self.error_hint(range, format!("there is no parameter `{name}`"), hint))
    }

    /// `timestamp '...'` and other types before a string.
    pub(crate) fn typed_string(&mut self, typed: &ast::TypedString) -> Resolved {
        let range = self.source.bytes(typed.value.span());
        let ty = self.data_type(&typed.data_type, &range)?;
        let Some(text) = typed.value.value.clone().into_string() else {
            return Err(self.error(&range, "a string is expected after the type"));
        };
        let node = Node::constant(DataType::Text, Value::Text(text));
        let node = self.coerce(Typed { node, unknown: true, range: range.clone() }, Some(ty))?;
        Ok(Typed { node, unknown: false, range })
    }

    /// `interval '5 minutes'`, `interval '5' minute`.
    pub(crate) fn interval(&mut self, interval: &ast::Interval, range: Range<usize>) -> Resolved {
        let text = match interval.value.as_ref() {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::Number(digits, _) => Some(digits.clone()),
                other => other.clone().into_string(),
            },
            _ => None,
        };
        let Some(mut text) = text else {
            return Err(self.error_hint(
                &range,
                "an interval is written as a string".to_owned(),
                "multiply where it depends on a column: minutes * interval '1 minute'",
            ));
        };
        if let Some(field) = &interval.leading_field {
            text = format!("{text} {}", field.to_string().to_lowercase());
        }
        match time::parse_interval(&text) {
            Ok(micros) => Ok(self.typed(DataType::Interval, Kind::Constant(Value::Interval(micros)), range)),
            Err(message) => Err(self.error(&range, message)),
        }
    }

    /// The type of this name.
    pub(crate) fn data_type(&mut self, ty: &ast::DataType, range: &Range<usize>) -> Result<DataType, Reported> {
        let written = ty.to_string().to_lowercase();
        let known = match written.as_str() {
            "timestamp without time zone" | "timestamp with time zone" | "datetime" => Some(DataType::Timestamp),
            "character varying" | "char varying" => Some(DataType::Text),
            other => other.parse().ok(),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let hint = match written.split(['(', ' ']).next().unwrap_or("") {
            "numeric" | "decimal" | "dec" => {
                "there is no decimal type: use double, or bigint in the smallest unit".to_owned()
            }
            "date" => "there is no type date: use date_trunc('day', x), a timestamp".to_owned(),
            "varchar" | "char" | "character" | "bpchar" => "use text; left(x, n) cuts it".to_owned(),
            "time" => "there is no type time: use an interval, or extract(hour from x)".to_owned(),
            _ => format!("types are {}", DataType::ALL.map(DataType::name).join(", ")),
        };
        Err(self.error_hint(range, format!("there is no type `{written}`"), hint))
    }

    /// `table[key].column`.
    pub(crate) fn lookup(&mut self, expr: &ast::Expr, root: &ast::Expr, chain: &[ast::AccessExpr]) -> Resolved {
        let range = self.source.range(expr);
        if let [ast::AccessExpr::Subscript(_), ast::AccessExpr::Dot(ast::Expr::Identifier(column))] = chain {
            let (table, key) = self.row(root, &chain[0], &range)?;
            let found = table.columns.iter().position(|c| c.is(&column.value));
            let Some(index) = found else {
                let place = self.source.bytes(column.span);
                let message = format!("the table `{}` has no column `{}`", table.name, column.value);
                let names = table.columns.iter().map(|c| c.name.as_str());
                return Err(match nearest(&column.value, names.clone()) {
                    Some(near) => self.error_hint(&place, message, format!("did you mean `{near}`?")),
                    None => self.error_hint(
                        &place,
                        message,
                        format!("its columns are {}", names.collect::<Vec<_>>().join(", ")),
                    ),
                });
            };
            let ty = table.columns[index].ty;
            return Ok(self.typed(ty, Kind::Lookup { table, column: index, key }, range));
        }
        if let [ast::AccessExpr::Subscript(_)] = chain {
            let (table, _) = self.row(root, &chain[0], &range)?;
            let written = self.source.slice(range.clone());
            let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            return Err(self.error_hint(
                &range,
                format!("`{written}` is a whole row of the table"),
                format!("name a column, `{written}.{}`, or ask for `is not null`", columns.last().unwrap_or(&"column")),
            ));
        }
        Err(self.error_hint(
            &range,
            "this access is not part of the expression language".to_owned(),
            "a row of a reference table is read with `table[key].column` or `table[(a, b)].column`",
        ))
    }

    /// `table[key] is [not] null`; none if `expr` is something else.
    pub(crate) fn row_exists(&mut self, expr: &ast::Expr, negated: bool, range: &Range<usize>) -> Option<Resolved> {
        let ast::Expr::CompoundFieldAccess { root, access_chain } = expr else { return None };
        let [subscript @ ast::AccessExpr::Subscript(_)] = access_chain.as_slice() else { return None };
        Some(self.row(root, subscript, range).map(|(table, key)| {
            let exists = Node::new(DataType::Boolean, Kind::Exists { table, key });
            let node = if negated { exists } else { Node::new(DataType::Boolean, Kind::Not(Box::new(exists))) };
            Typed { node, unknown: false, range: range.clone() }
        }))
    }

    fn row(
        &mut self,
        root: &ast::Expr,
        subscript: &ast::AccessExpr,
        range: &Range<usize>,
    ) -> Result<(Arc<crate::expr::ReferenceTable>, Vec<Node>), Reported> {
        let ast::Expr::Identifier(name) = root else {
            return Err(self.error(range, "only reference tables are read with `[key]`"));
        };
        let place = self.source.bytes(name.span);
        let Some(table) = self.environment.tables.iter().find(|t| t.name.eq_ignore_ascii_case(&name.value)).cloned()
        else {
            let near = nearest(&name.value, self.environment.tables.iter().map(|t| t.name.as_str()));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("reference tables are declared as [tables.{}]", name.value),
            };
            return Err(self.error_hint(&place, format!("there is no reference table `{}`", name.value), hint));
        };
        let ast::AccessExpr::Subscript(ast::Subscript::Index { index }) = subscript else {
            return Err(self.error(range, "a row is read by its key: `table[key]`"));
        };
        let parts: Vec<&ast::Expr> = match index {
            ast::Expr::Tuple(parts) => parts.iter().collect(),
            one => vec![one],
        };
        let typed = self.all(parts.iter().copied())?;
        if typed.len() != table.key.len() {
            let key: Vec<&str> = table.key.iter().map(|k| table.columns[*k].name.as_str()).collect();
            let written = if key.len() == 1 { key[0].to_owned() } else { format!("({})", key.join(", ")) };
            let message = format!("the key of `{}` has {} columns, here are {}", table.name, key.len(), typed.len());
            return Err(self.error_hint(range, message, format!("write `{}[{written}]`", table.name)));
        }
        let mut key = Vec::with_capacity(typed.len());
        for (part, column) in typed.into_iter().zip(&table.key) {
            let column = &table.columns[*column];
            if !part.unknown
                && part.node.ty != column.ty
                && (part.node.ty, column.ty) != (DataType::Bigint, DataType::Double)
            {
                let message =
                    format!("the key `{}` of `{}` is {}, this is {}", column.name, table.name, column.ty, part.node.ty);
                let written = self.source.slice(part.range.clone()).to_owned();
                return Err(self.error_hint(&part.range, message, format!("write `({written})::{}`", column.ty)));
            }
            key.push(self.coerce(part, Some(column.ty))?);
        }
        Ok((table, key))
    }

    /// The part as a node of the wanted type: literals become it, bigint becomes double. Without a wanted type what is
    /// open is text.
    pub(crate) fn coerce(&mut self, typed: Typed, wanted: Option<DataType>) -> Result<Node, Reported> {
        let wanted = wanted.unwrap_or(typed.node.ty);
        if typed.unknown {
            return match typed.node.as_constant() {
                Some(Value::Text(text)) if wanted != DataType::Text => match cast::read(text, wanted) {
                    Ok(word) => Ok(Node::constant(wanted, Value::from_word(word, wanted))),
                    Err((_, message)) => Err(self.error(&typed.range, message)),
                },
                Some(Value::Null) => Ok(Node::constant(wanted, Value::Null)),
                _ => Ok(typed.node),
            };
        }
        match (typed.node.ty, wanted) {
            (from, to) if from == to => Ok(typed.node),
            (DataType::Bigint, DataType::Double) => Ok(fold(Node::new(wanted, Kind::Cast(Box::new(typed.node))))),
            (from, to) => {
                let message = format!("this is {from}, {to} is needed");
                Err(self.mismatch(&typed.range, message, to, from))
            }
        }
    }

    /// Reports a wrong type, with the cast that would help if there is one.
    pub(crate) fn mismatch(&mut self, range: &Range<usize>, message: String, to: DataType, from: DataType) -> Reported {
        let written = self.source.slice(range.clone());
        let simple = written.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'));
        let operand = if simple { written.to_owned() } else { format!("({written})") };
        if from == DataType::Timestamp && matches!(to, DataType::Bigint | DataType::Double) {
            return self.error_hint(range, message, format!("write `extract(epoch from {written})` for its seconds"));
        }
        if to == DataType::Timestamp && matches!(from, DataType::Bigint | DataType::Double) {
            return self.error_hint(range, message, format!("write `to_timestamp({written})` if it counts seconds"));
        }
        if to == DataType::Interval && matches!(from, DataType::Bigint | DataType::Double) {
            return self.error_hint(
                range,
                message,
                format!("write `{operand} * interval '1 second'` if it counts seconds"),
            );
        }
        if from == DataType::Interval && matches!(to, DataType::Bigint | DataType::Double) {
            return self.error_hint(range, message, format!("write `extract(epoch from {written})` for its seconds"));
        }
        if to == DataType::Boolean && matches!(from, DataType::Bigint | DataType::Double) {
            return self.error_hint(range, message, format!("write `{operand} <> 0`"));
        }
        if cast::allowed(from, to) {
            return self.error_hint(range, message, format!("write `{operand}::{to}`"));
        }
        self.error(range, message)
    }

    /// The one type of several parts, as PostgreSQL finds it for CASE, COALESCE, IN and the like.
    pub(crate) fn unify(&mut self, parts: Vec<Typed>, what: &str) -> Result<(DataType, Vec<Node>), Reported> {
        let mut ty: Option<DataType> = None;
        for part in parts.iter().filter(|part| !part.unknown) {
            ty = Some(match (ty, part.node.ty) {
                (None, found) => found,
                (Some(known), found) if known == found => known,
                (Some(DataType::Bigint), DataType::Double) | (Some(DataType::Double), DataType::Bigint) => {
                    DataType::Double
                }
                (Some(known), found) => {
                    let message = format!("{what} must be of one type: this is {found}, others are {known}");
                    return Err(self.mismatch(&part.range, message, known, found));
                }
            });
        }
        let ty = ty.unwrap_or(DataType::Text);
        let nodes: Vec<Result<Node, Reported>> = parts.into_iter().map(|part| self.coerce(part, Some(ty))).collect();
        Ok((ty, nodes.into_iter().collect::<Result<_, _>>()?))
    }
}
