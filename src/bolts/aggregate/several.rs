//! Aggregates over several inputs: `at`, and which rows a call looks at.

use super::Added;
use super::program::call_stream;
use super::windows::Chosen;
use crate::component::{BoltCheck, Node};
use crate::expr::AggregateCall;
use crate::problem::{Problem, nearest};
use crate::window::{Length, WindowSpec};

/// The input for each row of which a row leaves; none if there are problems, which have been recorded.
pub fn at(check: &BoltCheck<'_>) -> Option<usize> {
    let options = &check.options;
    if !options.has("at") {
        return Some(0);
    }
    let name = options.text("at")?;
    let found = check.inputs.iter().position(|input| input.name.eq_ignore_ascii_case(name));
    if found.is_none() {
        let node = options.node("at")?;
        let mut problem = Problem::error(format!("`at` of `{}` names `{name}`, which is no input", options.component));
        problem = match nearest(name, check.inputs.iter().map(|input| &*input.name)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("no such input"),
        };
        let names = check.inputs.iter().map(|input| format!("`{}`", input.name)).collect::<Vec<_>>().join(", ");
        options.problem(problem.at(node.span).hint(format!("inputs are {names}")));
    }
    found
}

/// Windows by rows of another input than that of `at` hold so many rows of it, since the current row is none of them.
pub fn choose(added: &Added, windows: &mut Chosen) {
    for (call, at) in added.entries.calls.iter().zip(&mut windows.of_call) {
        let of_other = call_stream(added, call).is_some_and(|input| input != added.at);
        if of_other && matches!(windows.specs[*at].length, Length::Rows(_)) {
            let spec = WindowSpec { exclude_current: true, ..windows.specs[*at] };
            *at = windows.specs.iter().position(|known| *known == spec).unwrap_or_else(|| {
                windows.specs.push(spec);
                windows.specs.len() - 1
            });
        }
    }
}

/// Whether each part looks at rows of one input only, and what leaves at those of `at`; none if there are problems, which
/// have been recorded.
pub fn check(check: &BoltCheck<'_>, added: &Added, windows: &Chosen, names: &[(&str, &Node)]) -> Option<()> {
    if added.inputs.len() < 2 {
        return Some(());
    }
    let options = &check.options;
    let mut good = true;
    let at = &check.inputs[added.at].name;
    let mut report = |problem: Problem, call: &AggregateCall| {
        options.problem(problem.at(names[call.entry].1.inside(call.range.clone())));
        good = false;
    };
    for (call, window) in added.entries.calls.iter().zip(&windows.of_call) {
        let parts = call.argument.iter().chain(&call.second).chain(&call.filter);
        let columns: Vec<usize> = parts.flat_map(|expr| expr.columns().iter().copied()).collect();
        let inputs: Vec<usize> = columns.iter().filter_map(|column| added.input_of(*column)).collect();
        let first = inputs.first().copied().unwrap_or(added.at);
        let by_value = matches!(windows.specs[*window].length, Length::Run(_) | Length::Latest(_));
        if inputs.iter().any(|input| *input != first) {
            let problem =
                Problem::error(format!("an aggregate of `{}` looks at two inputs at once", options.component));
            report(problem.hint("argument and filter are columns of one input"), call);
        } else if first != added.at && columns.iter().any(|column| *column >= added.columns) {
            let name = &check.inputs[first].name;
            let problem = Problem::error(format!("an aggregate over `{name}` uses an added column"));
            report(problem.hint(format!("added columns are there for rows of `{at}` only")), call);
        } else if by_value {
            let problem = Problem::error(format!("`{}` looks at values of rows of several inputs", options.component));
            let hint = "with `at`, windows go by time or by rows, such as `over '10m'`; compute this in a bolt before";
            report(problem.label("of which input?").hint(hint), call);
        }
    }
    for (expr, (name, node)) in added.entries.expressions.iter().zip(names) {
        let foreign = |column: &&usize| added.input_of(**column).is_some_and(|input| input != added.at);
        let Some(column) = expr.columns().iter().find(foreign) else { continue };
        let input = added.input_of(*column)?;
        let of = &check.inputs[input];
        let column = &of.columns[column - added.inputs[input].first].name;
        let problem =
            Problem::error(format!("`add.{name}` uses `{}.{column}`, and a row leaves for each of `{at}`", of.name));
        let problem = problem.at(node.span).label("of which row?");
        options.problem(problem.hint(format!("take the newest: last({}.{column}) over '1h'", of.name)));
        good = false;
    }
    good.then_some(())
}
