//! `keep` and `add`: the columns of a match.

use super::define;
use super::exprs::ExprSet;
use super::scope::{Named, RowScope};
use crate::component::{BoltCheck, Node};
use crate::expr::{Scope, check_row_entries};
use crate::problem::{Problem, nearest};
use crate::tuple::Column;

/// Where a kept column comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The last row of a variable.
    Last(usize, usize),
    /// The newest row of the match: for each input the column there.
    Newest(Vec<usize>),
}

/// A kept column.
#[derive(Clone, Debug)]
pub struct KeptColumn {
    /// Name and type.
    pub column: Column,
    /// Where it comes from.
    pub source: Source,
}

/// The columns of a match.
pub struct Columns {
    /// Kept ones.
    pub kept: Vec<KeptColumn>,
    /// Names of added ones.
    pub names: Vec<String>,
    /// Their expressions.
    pub added: Option<ExprSet>,
}

/// Reads `keep` and `add`; `certain` says which variables have a row in every match. None if there are problems, which
/// have been recorded.
pub fn check(check: &BoltCheck<'_>, named: &[Named], certain: &dyn Fn(usize) -> bool) -> Option<Columns> {
    let kept = kept(check, named, certain);
    let added = added(check, named);
    let (mut kept, (names, added)) = (kept?, added?);
    kept.retain(|kept| !names.iter().any(|name| kept.column.is(name)));
    if let Some(twice) = kept
        .iter()
        .enumerate()
        .find_map(|(at, kept_column)| kept[..at].iter().find(|before| before.column.is(&kept_column.column.name)))
    {
        let name = &twice.column.name;
        let problem = Problem::error(format!("`keep` names two columns called `{name}`"));
        let problem = problem.at(check.options.node("keep").map_or(check.options.span, |node| node.span));
        check.options.problem(problem.hint(format!("give one of them another name: add.other_{name} = \"x.{name}\"")));
        return None;
    }
    if kept.is_empty() && names.is_empty() {
        let problem = Problem::error(format!("the rows of `{}` have no columns", check.options.component));
        check.options.problem(problem.at(check.options.span).hint("say which: keep = [\"x.*\"] is the last row of x"));
        return None;
    }
    Some(Columns { kept, names, added })
}

/// The columns of the key, of the newest row.
fn key_columns(check: &BoltCheck<'_>) -> Vec<KeptColumn> {
    let Some(first) = check.key.first() else { return Vec::new() };
    let column = |at: usize| {
        let mut column = check.inputs[0].columns[first[at]].clone();
        // A row whose key is NULL is in no match.
        column.nullable = false;
        KeptColumn { column, source: Source::Newest(check.key.iter().map(|key| key[at]).collect()) }
    };
    (0..first.len()).map(column).collect()
}

fn kept(check: &BoltCheck<'_>, named: &[Named], certain: &dyn Fn(usize) -> bool) -> Option<Vec<KeptColumn>> {
    if !check.options.has("keep") {
        return Some(key_columns(check));
    }
    let (mut kept, mut good) = (Vec::new(), true);
    for (name, node) in check.options.texts("keep")? {
        match one(check, named, certain, name) {
            Some(columns) => {
                let new = |column: &KeptColumn| !kept.iter().any(|k: &KeptColumn| k.source == column.source);
                let new: Vec<KeptColumn> = columns.into_iter().filter(new).collect();
                kept.extend(new);
            }
            None => {
                unknown(check, named, name, node);
                good = false;
            }
        }
    }
    good.then_some(kept)
}

/// The columns that a name of `keep` stands for.
fn one(check: &BoltCheck<'_>, named: &[Named], certain: &dyn Fn(usize) -> bool, name: &str) -> Option<Vec<KeptColumn>> {
    if let Some((variable, rest)) = name.rsplit_once('.')
        && let Some(at) = named.iter().position(|known| known.name.eq_ignore_ascii_case(variable))
    {
        let columns = &check.inputs[named[at].input].columns;
        let column = |number: usize| {
            let nullable = columns[number].nullable || !certain(at);
            KeptColumn { column: Column { nullable, ..columns[number].clone() }, source: Source::Last(at, number) }
        };
        if rest == "*" {
            return Some((0..columns.len()).map(column).collect());
        }
        return columns.iter().position(|c| c.is(rest)).map(|number| vec![column(number)]);
    }
    if let [input] = check.inputs {
        let bare = match name.rsplit_once('.') {
            Some((stream, rest)) if stream.eq_ignore_ascii_case(&input.name) => rest,
            Some(_) => return None,
            None => name,
        };
        let column = |at: usize| KeptColumn { column: input.columns[at].clone(), source: Source::Newest(vec![at]) };
        if bare == "*" {
            return Some((0..input.columns.len()).map(column).collect());
        }
        return input.columns.iter().position(|c| c.is(bare)).map(|at| vec![column(at)]);
    }
    key_columns(check).into_iter().find(|key| key.column.is(name)).map(|key| vec![key])
}

fn unknown(check: &BoltCheck<'_>, named: &[Named], name: &str, node: &Node) {
    let list = named.iter().map(|variable| format!("`{}`", variable.name)).collect::<Vec<_>>().join(", ");
    let hint = format!("`x.*` and `x.c` are of the last row of a variable; variables are {list}");
    let mut problem = Problem::error(format!("`keep` names `{name}`, which is no column of a match")).at(node.span);
    let columns_of = |input: usize| check.inputs[input].columns.iter().map(|c| &*c.name);
    let near = match name.rsplit_once('.') {
        Some((of, rest)) => match named.iter().find(|variable| variable.name.eq_ignore_ascii_case(of)) {
            Some(variable) => nearest(rest, columns_of(variable.input)).map(|near| format!("{of}.{near}")),
            None => nearest(of, named.iter().map(|v| &*v.name)).map(|near| format!("{near}.{rest}")),
        },
        None if check.inputs.len() == 1 => nearest(name, columns_of(0)).map(str::to_owned),
        None => None,
    };
    problem = match near {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.label("no such column"),
    };
    check.options.problem(problem.hint(hint));
}

/// The added columns: names and expressions.
fn added(check: &BoltCheck<'_>, named: &[Named]) -> Option<(Vec<String>, Option<ExprSet>)> {
    let options = &check.options;
    if !options.has("add") {
        return Some((Vec::new(), None));
    }
    let (mut names, mut nodes) = (Vec::new(), Vec::new());
    let table = options.table("add")?;
    for (key, node) in &table.entries {
        match node.as_text() {
            Some(_) => {
                names.push(key.name.clone());
                nodes.push(node);
            }
            None => options.wrong(&format!("add.{}", key.name), node, "an expression in a string"),
        }
    }
    if names.len() < table.entries.len() {
        return None;
    }
    let scope = RowScope::new(check.inputs, named, (check.inputs.len() == 1).then_some(0), true);
    let columns = scope.columns();
    let texts: Vec<(&str, &str)> =
        names.iter().zip(&nodes).map(|(name, node)| (&**name, node.as_text().unwrap_or(""))).collect();
    let checked = check_row_entries(&texts, &Scope { columns: &columns, environment: check.environment }, scope.bare());
    let entries = match checked {
        Ok(checked) => {
            checked.warnings.into_iter().for_each(|(entry, warning)| options.expr_problems(nodes[entry], [warning]));
            checked.value
        }
        Err(errors) => {
            errors.into_iter().for_each(|(entry, error)| options.expr_problems(nodes[entry], [error]));
            return None;
        }
    };
    let number = 2 * named.len();
    let set = define::set(check, named, &scope, number, entries, &nodes, false)?;
    Some((names, Some(set)))
}
