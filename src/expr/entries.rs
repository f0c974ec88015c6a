//! The entries of an `add` table, checked together: who uses whom, in which order they can be computed, which aggregate
//! calls stand inside them.
//!
//! An entry is resolved when it is first used, so that its type is known; one that is met again while it is being
//! resolved is a cycle, unless a `lag` lies between: `lag` reads an earlier row, so there the entry's type is guessed
//! and the entry resolved again until the guess is right.

use super::aggregate::{AggregateCall, AggregateFunction, Entries, EntryStep};
use super::node::Node;
use super::resolve::{ColumnUse, Missing, Names, Resolver};
use super::set::SetExpr;
use super::source::{Source, problem};
use super::{Checked, Expr, ExprError, Scope, ScopeColumn};
use crate::problem::nearest;
use crate::tuple::{DataType, Value};
use sqlparser::ast;
use std::rc::Rc;

/// How often a type is guessed: NULL first, then what came out, which must then come out again.
const GUESSES: usize = 3;

/// Checks the entries of an `add` table (name, text) together: they may use each other in any order (a cycle is an
/// error); inside its own expression a name means the input's column. With `aggregates`, calls of aggregate functions
/// and `lag` are allowed and taken out into [`Entries::calls`].
///
/// # Errors
/// All problems found, each with the index of its entry.
pub fn check_entries(
    entries: &[(&str, &str)],
    scope: &Scope<'_>,
    aggregates: bool,
) -> Result<Checked<Entries>, Vec<(usize, ExprError)>> {
    checked(entries, scope, aggregates, None)
}

/// The same for expressions over the rows of a match: only the first `bare` columns of the scope may be named without
/// a stream, `first(x, n)` and `last(x, n)` count rows from an end, and `prev(x)` is a `lag`. A column whose name ends
/// with `()` is called like a function.
///
/// # Errors
/// All problems found, each with the index of its entry.
pub fn check_row_entries(
    entries: &[(&str, &str)],
    scope: &Scope<'_>,
    bare: usize,
) -> Result<Checked<Entries>, Vec<(usize, ExprError)>> {
    checked(entries, scope, true, Some(bare))
}

fn checked(
    entries: &[(&str, &str)],
    scope: &Scope<'_>,
    aggregates: bool,
    bare: Option<usize>,
) -> Result<Checked<Entries>, Vec<(usize, ExprError)>> {
    let mut errors = Vec::new();
    let mut parsed = Vec::with_capacity(entries.len());
    for (index, (_, text)) in entries.iter().enumerate() {
        parsed.push(match Source::parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                errors.push((index, error));
                None
            }
        });
    }
    let mut names = EntryNames { aggregates, bare, errors, ..EntryNames::new(scope, entries, parsed) };
    for index in 0..entries.len() {
        if matches!(names.states[index], State::Waiting) {
            names.resolve(index, false);
        }
    }
    names.finish()
}

/// Checks a call that gives several rows, without aggregates.
///
/// # Errors
/// All problems found.
pub fn check_set(text: &str, scope: &Scope<'_>) -> Result<Checked<SetExpr>, Vec<ExprError>> {
    let (source, expr) = Source::parse(text).map_err(|error| vec![error])?;
    let mut names = EntryNames::new(scope, &[], Vec::new());
    let mut resolver = Resolver::new(&source, &mut names, scope.environment, 0);
    let set = resolver.set(&expr);
    let (warnings, mut errors): (Vec<_>, Vec<_>) = resolver.errors.into_iter().partition(|error| error.warning);
    match set {
        Ok(value) if errors.is_empty() => {
            Ok(Checked { value, warnings: warnings.into_iter().map(|warning| (0, warning)).collect() })
        }
        _ => {
            errors.sort_by_key(|error| error.range.start);
            Err(errors)
        }
    }
}

#[derive(Clone)]
enum State {
    /// Not looked at.
    Waiting,
    /// Being resolved.
    Open,
    /// Resolved; whether it comes from aggregates.
    Done { node: Node, aggregate: bool },
    /// Broken; reported.
    Broken,
}

pub(super) type Parsed<'a> = Option<(Source<'a>, ast::Expr)>;

pub(super) struct EntryNames<'a> {
    scope: &'a Scope<'a>,
    entries: &'a [(&'a str, &'a str)],
    parsed: Rc<Vec<Parsed<'a>>>,
    aggregates: bool,
    /// Over the rows of a match: how many columns may be named without a stream.
    bare: Option<usize>,
    states: Vec<State>,
    /// The type that an open entry is believed to have.
    guesses: Vec<Option<DataType>>,
    /// Whether somebody relied on it.
    guessed: Vec<bool>,
    /// The open entries, and whether each was reached through `lag`.
    stack: Vec<(usize, bool)>,
    calls: Vec<AggregateCall>,
    errors: Vec<(usize, ExprError)>,
}

impl<'a> EntryNames<'a> {
    /// The names of these entries over a scope; without aggregates.
    pub(super) fn new(
        scope: &'a Scope<'a>,
        entries: &'a [(&'a str, &'a str)],
        parsed: Vec<Parsed<'a>>,
    ) -> EntryNames<'a> {
        EntryNames {
            scope,
            entries,
            parsed: Rc::new(parsed),
            aggregates: false,
            bare: None,
            states: vec![State::Waiting; entries.len()],
            guesses: vec![None; entries.len()],
            guessed: vec![false; entries.len()],
            stack: Vec::new(),
            calls: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn base(&self) -> usize {
        self.scope.columns.len()
    }

    fn resolve(&mut self, index: usize, through_lag: bool) {
        let parsed = self.parsed.clone();
        let Some((source, expr)) = &parsed[index] else {
            self.states[index] = State::Broken;
            return;
        };
        for attempt in 0..GUESSES {
            let before = (self.states.clone(), self.calls.len(), self.errors.len());
            self.states[index] = State::Open;
            self.guessed[index] = false;
            self.stack.push((index, through_lag));
            let environment = self.scope.environment;
            let mut resolver = Resolver::new(source, self, environment, index);
            let resolved = resolver.whole(expr);
            let found = std::mem::take(&mut resolver.errors);
            self.stack.pop();
            let broken = found.iter().any(|error| !error.warning);
            self.errors.extend(found.into_iter().map(|error| (index, error)));
            let Ok(node) = resolved else {
                self.states[index] = State::Broken;
                return;
            };
            if broken {
                self.states[index] = State::Broken;
                return;
            }
            if !self.guessed[index] || self.guesses[index] == Some(node.ty) {
                let aggregate = self.is_aggregate(&node);
                self.states[index] = State::Done { node, aggregate };
                return;
            }
            self.states = before.0;
            self.calls.truncate(before.1);
            self.errors.truncate(before.2);
            if attempt + 1 < GUESSES {
                self.guesses[index] = Some(node.ty);
            }
        }
        let name = self.entries[index].0;
        let mut error = problem(0..self.entries[index].1.len(), format!("the type of `{name}` depends on itself"));
        error.hint = Some(format!("say which it is, for example `lag({name})::double`"));
        self.errors.push((index, error));
        self.states[index] = State::Broken;
    }

    /// What another entry's name means.
    fn entry(&mut self, index: usize, wanted: ColumnUse) -> Result<Node, Missing> {
        if matches!(self.states[index], State::Waiting) {
            self.resolve(index, wanted == ColumnUse::Earlier);
        }
        match &self.states[index] {
            State::Done { node, .. } => Ok(Node::column(self.base() + index, node.ty, node.nullable)),
            State::Open => self.open(index, wanted),
            State::Broken | State::Waiting => Err(Missing::Broken),
        }
    }

    /// An entry that is being resolved: a cycle, or an earlier row of it.
    fn open(&mut self, index: usize, wanted: ColumnUse) -> Result<Node, Missing> {
        let at = self.stack.iter().position(|(open, _)| *open == index).unwrap_or(0);
        let earlier = wanted == ColumnUse::Earlier || self.stack[at + 1..].iter().any(|(_, through_lag)| *through_lag);
        if earlier {
            self.guessed[index] = true;
            return Ok(match self.guesses[index] {
                Some(ty) => Node::column(self.base() + index, ty, true),
                None => Node::constant(DataType::Text, Value::Null),
            });
        }
        let path: Vec<usize> = self.stack[at..].iter().map(|(open, _)| *open).collect();
        let (message, hint) = self.cycle(&path);
        Err(Missing::Other(message, Some(hint)))
    }

    fn cycle(&self, path: &[usize]) -> (String, String) {
        let name = |index: &usize| self.entries[*index].0;
        let first = path.first().map_or("", name);
        let hint = format!("`lag({first})` is its value in the previous row of the key");
        match path {
            [_] => (format!("there is no column `{first}` in the input, and `{first}` cannot use itself"), hint),
            _ => {
                let names: Vec<&str> = path.iter().chain(path.first()).map(name).collect();
                (format!("these use each other in a circle: {}", names.join(" -> ")), hint)
            }
        }
    }

    /// The columns that a name without a stream may mean.
    fn bare(&self) -> &[ScopeColumn<'_>] {
        &self.scope.columns[..self.bare.unwrap_or(self.base())]
    }

    fn scope_column(&self, stream: Option<&str>, name: &str) -> Result<Node, Missing> {
        let among = if stream.is_some() { self.scope.columns } else { self.bare() };
        let columns = among.iter().enumerate();
        let found: Vec<usize> = columns
            .filter(|(_, c)| c.column.is(name) && stream.is_none_or(|stream| c.stream.eq_ignore_ascii_case(stream)))
            .map(|(index, _)| index)
            .collect();
        match found.as_slice() {
            [] => Err(Missing::Unknown(self.near(stream, name))),
            [one] => {
                let column = self.scope.columns[*one].column;
                Ok(Node::column(*one, column.ty, column.nullable))
            }
            several => {
                Err(Missing::Ambiguous(several.iter().map(|i| self.scope.columns[*i].stream.to_owned()).collect()))
            }
        }
    }

    fn near(&self, stream: Option<&str>, name: &str) -> Option<String> {
        let columns = self.scope.columns;
        if let Some(stream) = stream {
            let of_stream =
                columns.iter().filter(|c| c.stream.eq_ignore_ascii_case(stream)).map(|c| c.column.name.as_str());
            if let Some(near) = nearest(name, of_stream) {
                return Some(format!("{stream}.{near}"));
            }
            let streams = columns.iter().filter(|c| c.column.is(name)).map(|c| c.stream);
            return nearest(stream, streams).map(|stream| format!("{stream}.{name}"));
        }
        let entries = self.entries.iter().map(|(entry, _)| *entry).filter(|entry| !entry.is_empty());
        nearest(name, self.bare().iter().map(|c| c.column.name.as_str()).chain(entries)).map(str::to_owned)
    }

    fn finish(mut self) -> Result<Checked<Entries>, Vec<(usize, ExprError)>> {
        let mut expressions = Vec::with_capacity(self.entries.len());
        for state in &self.states {
            if let State::Done { node, .. } = state {
                expressions.push(Expr::from_node(node.clone()));
            }
        }
        let mut order = Vec::new();
        if expressions.len() == self.entries.len() {
            let mut sorter = Sorter { names: &self, expressions: &expressions, order: &mut order, open: Vec::new() };
            let sorted = (0..expressions.len()).try_for_each(|index| sorter.visit(EntryStep::Expression(index)));
            if let Err((index, error)) = sorted {
                self.errors.push((index, error));
            }
        }
        if self.errors.iter().any(|(_, error)| !error.warning) {
            self.errors.retain(|(_, error)| !error.warning);
            self.errors.sort_by_key(|(index, error)| (*index, error.range.start));
            return Err(self.errors);
        }
        Ok(Checked { value: Entries { expressions, calls: self.calls, order }, warnings: self.errors })
    }
}

/// Puts steps after what they use.
struct Sorter<'a> {
    names: &'a EntryNames<'a>,
    expressions: &'a [Expr],
    order: &'a mut Vec<EntryStep>,
    open: Vec<EntryStep>,
}

impl Sorter<'_> {
    fn visit(&mut self, step: EntryStep) -> Result<(), (usize, ExprError)> {
        if self.order.contains(&step) {
            return Ok(());
        }
        if let Some(at) = self.open.iter().position(|open| *open == step) {
            let path: Vec<usize> = self.open[at..]
                .iter()
                .filter_map(|open| if let EntryStep::Expression(index) = open { Some(*index) } else { None })
                .collect();
            let index = path.first().copied().unwrap_or(0);
            let (message, hint) = self.names.cycle(&path);
            let error = ExprError { hint: Some(hint), ..problem(0..self.names.entries[index].1.len(), message) };
            return Err((index, error));
        }
        self.open.push(step);
        let columns: Vec<usize> = match step {
            EntryStep::Expression(index) => self.expressions[index].columns().to_vec(),
            EntryStep::Call(index) => {
                let call = &self.names.calls[index];
                let argument = call.argument.as_ref().filter(|_| call.function != AggregateFunction::Lag);
                let parts = argument.into_iter().chain(&call.filter).chain(&call.default);
                parts.flat_map(|part| part.columns().iter().copied()).collect()
            }
        };
        let (base, entries) = (self.names.base(), self.expressions.len());
        for column in columns.into_iter().filter(|column| *column >= base) {
            let used = column - base;
            self.visit(if used < entries { EntryStep::Expression(used) } else { EntryStep::Call(used - entries) })?;
        }
        self.open.pop();
        self.order.push(step);
        Ok(())
    }
}

impl Names for EntryNames<'_> {
    fn column(&mut self, stream: Option<&str>, name: &str, wanted: ColumnUse) -> Result<Node, Missing> {
        if stream.is_some() {
            return self.scope_column(stream, name);
        }
        let entry = self.entries.iter().position(|(entry, _)| !entry.is_empty() && entry.eq_ignore_ascii_case(name));
        let Some(entry) = entry else { return self.scope_column(None, name) };
        // Inside its own expression a name means the input's column.
        if self.stack.last().is_some_and(|(open, _)| *open == entry) {
            match self.scope_column(None, name) {
                Err(Missing::Unknown(_)) => {}
                found => return found,
            }
        }
        self.entry(entry, wanted)
    }

    fn aggregates(&self) -> bool {
        self.aggregates
    }

    fn rows(&self) -> bool {
        self.bare.is_some()
    }

    fn call(&mut self, call: AggregateCall) -> Node {
        // What they print as debug text says all that distinguishes two calls.
        let identity = |c: &AggregateCall| {
            format!("{:?}", (c.function, c.distinct, &c.argument, c.offset, &c.default, &c.filter, &c.over, &c.stream))
        };
        let wanted = identity(&call);
        let index = match self.calls.iter().position(|known| identity(known) == wanted) {
            Some(index) => index,
            None => {
                self.calls.push(call);
                self.calls.len() - 1
            }
        };
        let call = &self.calls[index];
        Node::column(self.base() + self.entries.len() + index, call.ty, call.nullable)
    }

    fn is_aggregate(&self, node: &Node) -> bool {
        let (base, entries) = (self.base(), self.entries.len());
        let mut found = false;
        node.each_column(&mut |column| {
            found |= match column.checked_sub(base) {
                None => false,
                Some(entry) if entry < entries => matches!(self.states[entry], State::Done { aggregate: true, .. }),
                Some(call) => self.calls.get(call - entries).is_some_and(|c| c.function != AggregateFunction::Lag),
            };
        });
        found
    }

    fn stream_of(&self, columns: &[usize]) -> Option<String> {
        let mut streams = columns.iter().filter_map(|column| self.scope.columns.get(*column)).map(|c| c.stream);
        let first = streams.next()?;
        streams.all(|stream| stream == first).then(|| first.to_owned())
    }

    fn columns(&self, stream: Option<&str>) -> Vec<&str> {
        let columns = self.scope.columns.iter();
        let own = stream.map(|stream| columns.clone().filter(move |c| c.stream.eq_ignore_ascii_case(stream)));
        let own: Vec<&str> = own.into_iter().flatten().map(|c| c.column.name.as_str()).collect();
        if !own.is_empty() {
            return own;
        }
        let mut all: Vec<&str> = Vec::new();
        let entries = self.entries.iter().map(|(entry, _)| *entry).filter(|entry| !entry.is_empty());
        for name in columns.map(|c| c.column.name.as_str()).chain(entries) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    fn stream(&self, name: &str) -> Result<String, Option<String>> {
        let mut streams = self.scope.columns.iter().map(|c| c.stream);
        match streams.clone().find(|stream| stream.eq_ignore_ascii_case(name)) {
            Some(stream) => Ok(stream.to_owned()),
            None => Err(nearest(name, &mut streams).map(str::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests;
