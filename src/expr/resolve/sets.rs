//! Calls that give several rows.

use super::{Reported, Resolver, Typed};
use crate::expr::node::Node;
use crate::expr::pattern::Flags;
use crate::expr::set::{SETS, SetExpr, SetKind};
use crate::problem::nearest;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::ops::Range;

use DataType::{Bigint, Interval, Text, Timestamp};

const HINT: &str = "write for example `generate_series(1, n)` or `string_to_table(tags, ',')`";

impl Resolver<'_> {
    /// A whole expression that is a call of a function of sets.
    pub(crate) fn set(&mut self, expr: &ast::Expr) -> Result<SetExpr, Reported> {
        let range = self.source.range(expr);
        match expr {
            ast::Expr::Nested(inner) => self.set(inner),
            ast::Expr::Function(call) => match name_of(call) {
                Some((name, place)) => {
                    let place = self.source.bytes(place);
                    self.set_call(&name, call, place, range)
                }
                None => Err(self.no_set(&range, &call.name.to_string())),
            },
            _ => Err(self.error_hint(&range, "this gives one value, not a set of rows".to_owned(), HINT)),
        }
    }

    fn no_set(&mut self, place: &Range<usize>, name: &str) -> Reported {
        let names = || SETS.iter().map(|set| set.name);
        let message = format!("`{name}` does not give a set of rows");
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let mut list: Vec<&str> = names().collect();
                list.dedup();
                format!("functions that do are {}", list.join(", "))
            }
        };
        self.error_hint(place, message, hint)
    }

    fn set_call(
        &mut self,
        name: &str,
        call: &ast::Function,
        place: Range<usize>,
        range: Range<usize>,
    ) -> Result<SetExpr, Reported> {
        if !SETS.iter().any(|set| set.name == name) {
            return Err(self.no_set(&place, name));
        }
        let args = self.set_arguments(name, call, &range)?;
        if name == "unnest" {
            return self.unnest(&args, range);
        }
        let args = self.all(args)?;
        match (name, args.len()) {
            ("generate_series", 2 | 3) => self.series(args, range),
            ("regexp_split_to_table", 2 | 3) => self.split_at_matches(args),
            ("string_to_table", 2 | 3) => self.split_at_delimiters(args),
            _ => Err(self.wrong_count(name, args.len(), &range)),
        }
    }

    fn wrong_count(&mut self, name: &str, count: usize, range: &Range<usize>) -> Reported {
        let forms: Vec<&str> = SETS.iter().filter(|set| set.name == name).map(|set| set.signature).collect();
        let message = format!("`{name}` does not take {count} arguments");
        self.error_hint(range, message, format!("it is called {}", forms.join(", or ")))
    }

    fn set_arguments<'e>(
        &mut self,
        name: &str,
        call: &'e ast::Function,
        range: &Range<usize>,
    ) -> Result<Vec<&'e ast::Expr>, Reported> {
        let ast::FunctionArguments::List(list) = &call.args else {
            return Err(self.wrong_count(name, 0, range));
        };
        let clauses = call.filter.is_some() || call.over.is_some() || !call.within_group.is_empty();
        if clauses || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(self.error(range, format!("`{name}` is not an aggregate")));
        }
        let mut exprs = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            match arg {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => exprs.push(expr),
                _ => return Err(self.error(range, format!("`{name}` takes its arguments by position"))),
            }
        }
        Ok(exprs)
    }

    fn series(&mut self, mut args: Vec<Typed>, range: Range<usize>) -> Result<SetExpr, Reported> {
        let times = args.iter().any(|arg| !arg.unknown && matches!(arg.node.ty, Timestamp | Interval));
        if times && args.len() == 2 {
            return Err(self.error_hint(
                &range,
                "a series of times needs a step".to_owned(),
                "write `generate_series(from, to, interval '1 hour')`",
            ));
        }
        if args.len() == 2 {
            let node = Node::constant(Bigint, Value::Bigint(1));
            args.push(Typed { node, unknown: false, range });
        }
        let wanted = if times { [Timestamp, Timestamp, Interval] } else { [Bigint; 3] };
        let step = args[2].range.clone();
        let nodes: Vec<_> = args.into_iter().zip(wanted).map(|(arg, ty)| self.coerce(arg, Some(ty))).collect();
        let nodes = nodes.into_iter().collect::<Result<Vec<Node>, _>>()?;
        let Ok(nodes) = <[Node; 3]>::try_from(nodes) else { return Err(Reported) };
        if matches!(nodes[2].as_constant(), Some(Value::Bigint(0) | Value::Interval(0))) {
            return Err(self.error(&step, "the step of a series must not be zero"));
        }
        Ok(SetExpr::new(SetKind::Series(nodes), wanted[0]))
    }

    fn split_at_matches(&mut self, args: Vec<Typed>) -> Result<SetExpr, Reported> {
        let mut args = args.into_iter();
        let (Some(text), Some(pattern)) = (args.next(), args.next()) else { return Err(Reported) };
        let flags = match args.next() {
            None => Flags::default(),
            Some(given) => {
                let read = match given.node.as_constant() {
                    Some(Value::Text(letters)) => Flags::parse(letters),
                    _ => None,
                };
                match read.filter(|flags| !flags.all) {
                    Some(flags) => flags,
                    None => {
                        let message = "these are no flags".to_owned();
                        return Err(self.error_hint(&given.range, message, "flags are constant letters of `incmsx`"));
                    }
                }
            }
        };
        let text = self.text(text, "the text");
        let pattern = self.regex_pattern(pattern, flags)?;
        Ok(SetExpr::new(SetKind::Regex { text: text?, pattern }, Text))
    }

    fn split_at_delimiters(&mut self, args: Vec<Typed>) -> Result<SetExpr, Reported> {
        let words = ["the text", "the delimiter", "the text that stands for NULL"];
        let nodes: Vec<_> = args.into_iter().zip(words).map(|(arg, what)| self.nullable_text(arg, what)).collect();
        let mut nodes = nodes.into_iter().collect::<Result<Vec<Node>, _>>()?.into_iter();
        let (Some(text), Some(delimiter)) = (nodes.next(), nodes.next()) else { return Err(Reported) };
        Ok(SetExpr::new(SetKind::Split { text, delimiter, null: nodes.next() }, Text))
    }

    /// A part that must be text, or a bare NULL.
    fn nullable_text(&mut self, typed: Typed, what: &str) -> Result<Node, Reported> {
        if typed.unknown { self.coerce(typed, Some(Text)) } else { self.text(typed, what) }
    }

    /// `unnest` of the two arrays that can be written.
    fn unnest(&mut self, args: &[&ast::Expr], range: Range<usize>) -> Result<SetExpr, Reported> {
        let [arg] = args else { return Err(self.wrong_count("unnest", args.len(), &range)) };
        let place = self.source.range(arg);
        match arg {
            ast::Expr::Array(array) if array.elem.is_empty() => Err(self.error(&place, "the array is empty")),
            ast::Expr::Array(array) => {
                let parts = self.all(&array.elem)?;
                let (ty, nodes) = self.unify(parts, "the values of an array")?;
                Ok(SetExpr::new(SetKind::List(nodes), ty))
            }
            ast::Expr::Function(call) if name_of(call).is_some_and(|(name, _)| name == "string_to_array") => {
                let args = self.set_arguments("string_to_array", call, &place)?;
                let args = self.all(args)?;
                if !(2..=3).contains(&args.len()) {
                    return Err(self.error_hint(
                        &place,
                        format!("`string_to_array` does not take {} arguments", args.len()),
                        "it is called string_to_array(x text, delimiter text [, null text])",
                    ));
                }
                self.split_at_delimiters(args)
            }
            _ => Err(self.error_hint(
                &place,
                "there is no type of arrays: `unnest` knows two forms".to_owned(),
                "write `unnest(array[a, b])` or `unnest(string_to_array(text, ','))`",
            )),
        }
    }
}

/// The name of a called function in lower case, and where it stands.
fn name_of(call: &ast::Function) -> Option<(String, sqlparser::tokenizer::Span)> {
    match call.name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(name)] => Some((name.value.to_ascii_lowercase(), name.span)),
        _ => None,
    }
}
