//! `define`: what each variable of the pattern is.

use super::exprs::ExprSet;
use super::scope::{Meaning, Named, RowScope};
use crate::component::{BoltCheck, Key, Node, OptionSpec, Options};
use crate::expr::{AggregateFunction, Entries, Over, check_row_entries};
use crate::pattern::Pattern;
use crate::problem::{Problem, nearest};
use crate::tuple::DataType;

/// The keys of a definition that is a table.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("from", "the stream that its rows come from; needed where the bolt reads several"),
    OptionSpec::optional("where", "the condition; without one every row of its stream"),
    OptionSpec::optional(
        "until",
        "stop condition: a row for which it is true is none, and once the variable has rows, none comes behind it",
    ),
    OptionSpec::optional("gap", "the longest time since the matched row before it: \"30s\""),
];

/// Most rows that `prev` looks back.
const PREVIOUS_MAX: u64 = 1000;

/// A variable, checked.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its condition; none: every row of its input.
    pub condition: Option<ExprSet>,
    /// Its stop condition.
    pub until: Option<ExprSet>,
    /// The longest time since the row before; `i64::MAX`: none.
    pub gap: i64,
}

/// Reads the definitions of a pattern's variables: names with their inputs, and the rest. None if there are problems,
/// which have been recorded.
pub fn check(check: &BoltCheck<'_>, pattern: &Pattern) -> Option<(Vec<Named>, Vec<Definition>)> {
    let table = check.options.table("define")?;
    let find = |name: &str| table.entries.iter().find(|(key, _)| key.name.eq_ignore_ascii_case(name));
    unused(check, pattern, &table.entries);
    // The inputs of all variables come first: conditions may name each other's columns.
    let mut named = Vec::new();
    let mut good = table.entries.iter().fold(true, |good, (key, node)| self::name(check, key, node) && good);
    for variable in &pattern.variables {
        let (key, node) = find(&variable.name)?;
        match input(check, key, node) {
            Some(input) => named.push(Named { name: variable.name.clone(), input }),
            None => good = false,
        }
    }
    if !good {
        return None;
    }
    let mut definitions = Vec::new();
    for (at, variable) in pattern.variables.iter().enumerate() {
        let (key, node) = find(&variable.name)?;
        definitions.push(definition(check, &named, at, key, node));
    }
    Some((named, definitions.into_iter().collect::<Option<Vec<_>>>()?))
}

fn unused(check: &BoltCheck<'_>, pattern: &Pattern, entries: &[(Key, Node)]) {
    let names: Vec<&str> = entries.iter().map(|(key, _)| &*key.name).collect();
    for at in pattern.unused(&names) {
        let problem = Problem::warning(format!("`{}` is defined and not used", names[at])).at(entries[at].0.span);
        check.options.problem(problem.label("not in the pattern").hint("use it in `pattern`, or take it out"));
    }
}

/// Whether a variable can be called so, and its keys are known.
fn name(check: &BoltCheck<'_>, key: &Key, node: &Node) -> bool {
    let mut bytes = key.name.bytes();
    let mut good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !good {
        let problem = Problem::error(format!("`{}` is no name for a variable", key.name)).at(key.span);
        check.options.problem(problem.label("must be a letter, then letters, digits and `_`"));
    }
    if let Some(input) = check.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(&key.name)) {
        let problem = Problem::error(format!("`{}` is an input, so no variable can be called so", input.name));
        check.options.problem(problem.at(key.span).hint(format!("`{}.x` would have two meanings", input.name)));
        good = false;
    }
    let keys: Vec<&str> = OPTIONS.iter().map(|spec| spec.name).collect();
    for (wrong, _) in node.as_table().into_iter().flat_map(|table| &table.entries) {
        if keys.contains(&&*wrong.name) {
            continue;
        }
        let mut problem = Problem::error(format!("unknown key `{}` in a definition", wrong.name)).at(wrong.span);
        problem = match nearest(&wrong.name, keys.iter().copied()) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("unknown key"),
        };
        check.options.problem(problem.hint("a definition has `from`, `where`, `until`, `gap`"));
        good = false;
    }
    good
}

/// The getters of a definition that is a table.
fn options<'a>(check: &BoltCheck<'a>, component: &'a str, key: &Key, node: &'a Node) -> Option<Options<'a>> {
    let table = node.as_table()?;
    Some(Options { component, span: key.span, table, problems: check.options.problems })
}

/// The input of a variable.
fn input(check: &BoltCheck<'_>, key: &Key, node: &Node) -> Option<usize> {
    let component = format!("{}.define.{}", check.options.component, key.name);
    let names = || check.inputs.iter().map(|input| &*input.name);
    let list = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let options = options(check, &component, key, node);
    if options.is_none() && node.as_text().is_none() {
        let wanted = "a condition in a string, or a table such as { where = \"amount > 500\", gap = \"30s\" }";
        check.options.wrong(&format!("define.{}", key.name), node, wanted);
        return None;
    }
    match options.filter(|options| options.has("from")) {
        Some(options) => {
            let text = options.text("from")?;
            let found = names().position(|name| name == text);
            if found.is_none() {
                let problem = Problem::error(format!("`{text}` is a stream which the bolt does not read"));
                let mut problem = problem.at(options.node("from")?.span);
                if let Some(near) = nearest(text, names()) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                options.problem(problem.hint(format!("it reads {}", list())));
            }
            found
        }
        None if check.inputs.len() == 1 => Some(0),
        None => {
            let problem = Problem::error(format!("`{}` does not say which stream its rows come from", key.name));
            let problem = problem.at(key.span).label("of which stream?");
            check.options.problem(problem.hint(format!(
                "the bolt reads {}: define.{} = {{ from = \"{}\", where = \"...\" }}",
                list(),
                key.name,
                check.inputs.first().map_or("", |input| &input.name)
            )));
            None
        }
    }
}

fn definition(check: &BoltCheck<'_>, named: &[Named], at: usize, key: &Key, node: &Node) -> Option<Definition> {
    let scope = RowScope::new(check.inputs, named, Some(named[at].input), false);
    if node.as_text().is_some() {
        let condition = condition(check, named, &scope, 2 * at, &format!("define.{}", key.name), node)?;
        return Some(Definition { condition: condition.0, until: None, gap: i64::MAX });
    }
    let component = format!("{}.define.{}", check.options.component, key.name);
    let options = options(check, &component, key, node)?;
    let part = |name: &str, number: usize| match options.node(name) {
        None => Some(None),
        Some(node) if node.as_text().is_none() => {
            options.wrong(name, node, "a condition in a string");
            None
        }
        Some(node) => self::condition(check, named, &scope, number, name, node).map(|found| found.0),
    };
    let (condition, until) = (part("where", 2 * at), part("until", 2 * at + 1));
    let gap = match options.has("gap") {
        true => options.duration("gap"),
        false => Some(i64::MAX),
    };
    Some(Definition { condition: condition?, until: until?, gap: gap? })
}

/// A condition on a row; none inside where it is always true.
fn condition(
    check: &BoltCheck<'_>,
    named: &[Named],
    scope: &RowScope,
    number: usize,
    what: &str,
    node: &Node,
) -> Option<(Option<ExprSet>,)> {
    let columns = scope.columns();
    let text = node.as_text()?;
    let checked = crate::expr::Scope { columns: &columns, environment: check.environment };
    let entries = match check_row_entries(&[("", text)], &checked, scope.bare()) {
        Ok(checked) => {
            check.options.expr_problems(node, checked.warnings.into_iter().map(|(_, warning)| warning));
            checked.value
        }
        Err(errors) => {
            check.options.expr_problems(node, errors.into_iter().map(|(_, error)| error));
            return None;
        }
    };
    let expr = entries.expressions.first()?;
    if expr.data_type() != DataType::Boolean {
        let problem =
            format!("`{what}` of `{}` must be a condition, found a {}", check.options.component, expr.data_type());
        check.options.problem(Problem::error(problem).at(node.span).label("must be of type boolean"));
        return None;
    }
    if expr.constant() == Some(&crate::tuple::Value::Boolean(true)) {
        return Some((None,));
    }
    Some((Some(set(check, named, scope, number, entries, &[node], true)?),))
}

/// A set of expressions over rows; `tested`: of a row that is looked at, not of matches.
pub fn set(
    check: &BoltCheck<'_>,
    named: &[Named],
    scope: &RowScope,
    number: usize,
    entries: Entries,
    nodes: &[&Node],
    tested: bool,
) -> Option<ExprSet> {
    let mut set = ExprSet { number, of_call: Vec::new(), scope: scope.clone(), entries };
    let mut good = true;
    for at in 0..set.entries.calls.len() {
        let call = &set.entries.calls[at];
        let node = nodes[call.entry];
        let variable = call
            .stream
            .as_ref()
            .and_then(|stream| named.iter().position(|variable| variable.name.eq_ignore_ascii_case(stream)));
        if let Some((message, hint)) = wrong(&set, at, variable, check.inputs.len(), tested) {
            let problem = Problem::error(message).at(node.inside(call.range.clone())).hint(hint);
            check.options.problem(problem);
            good = false;
        }
        set.of_call.push(variable);
    }
    good.then_some(set)
}

/// What is wrong with a call, and what to do.
fn wrong(set: &ExprSet, at: usize, variable: Option<usize>, inputs: usize, tested: bool) -> Option<(String, String)> {
    let call = &set.entries.calls[at];
    let read = call.argument.iter().chain(&call.filter).flat_map(|expr| expr.columns());
    let read: Vec<Meaning> = read.map(|number| set.meaning(*number)).collect();
    let found = |message: &str, hint: &str| Some((message.to_owned(), hint.to_owned()));
    if call.over != Over::Own {
        return found(
            "a pattern has no windows",
            "aggregates look at the rows of the match; `filter` takes some of them",
        );
    }
    if read.iter().any(|meaning| !matches!(meaning, Meaning::Bare(_) | Meaning::Last(..))) {
        return found("an aggregate of a pattern looks at columns of its rows", "write the column itself");
    }
    if call.function == AggregateFunction::Lag {
        if !tested {
            return found(
                "`prev` is for conditions: it looks at the row before the one that is tested",
                "`last(x.c, 1)` is the row before the last one of x, `first(x.c)` its first one",
            );
        }
        if read.iter().any(|meaning| matches!(meaning, Meaning::Last(..))) {
            return found(
                "`prev` looks at the row before the one that is tested",
                "write `prev(c)`, or `last(x.c, 1)`",
            );
        }
        if call.offset > PREVIOUS_MAX {
            return found("`prev` looks too far back", &format!("the most is {PREVIOUS_MAX} rows"));
        }
        return None;
    }
    let bare = read.iter().any(|meaning| matches!(meaning, Meaning::Bare(_)));
    let last = read.iter().find_map(|meaning| if let Meaning::Last(v, _) = meaning { Some(*v) } else { None });
    let mixed = read.iter().any(|meaning| matches!(meaning, Meaning::Last(v, _) if Some(*v) != last));
    if mixed || (bare && last.is_some()) || (last.is_some() && variable != last) {
        return found("an aggregate looks at the rows of one variable", "compute the rest in another one");
    }
    if bare && inputs > 1 {
        return found(
            "which rows? the pattern has rows of several streams",
            "name the variable: `avg(x.speed)` looks at the rows of x",
        );
    }
    None
}
