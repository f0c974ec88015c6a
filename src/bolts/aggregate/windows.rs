//! What the user wrote about windows, and which call looks at which.

use crate::bolts;
use crate::component::{BoltCheck, Node, OptionSpec, Options};
use crate::expr::{AggregateCall, AggregateFunction, Over};
use crate::problem::{Problem, nearest};
use crate::time;
use crate::window::{Length, WindowSpec};

/// The keys of a window.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("rolling", "how long it is: a duration such as \"10m\", or rows such as \"20 rows\""),
    OptionSpec::optional("exclude", "\"current\": the row itself is not in it"),
];

/// The windows of a bolt.
pub struct Declared<'a> {
    own: WindowSpec,
    named: Vec<(&'a str, WindowSpec)>,
}

/// The windows that calls use, each once, and the one of each call.
pub struct Chosen {
    pub specs: Vec<WindowSpec>,
    pub of_call: Vec<usize>,
}

/// Reads `window` and `windows`; none if there are problems, which have been recorded.
pub fn declared<'a>(options: &Options<'a>) -> Option<Declared<'a>> {
    let all = WindowSpec { length: Length::All, exclude_current: false };
    let own =
        if options.has("window") { options.node("window").and_then(|n| spec(options, "window", n)) } else { Some(all) };
    let mut named = Vec::new();
    let mut good = true;
    if options.has("windows") {
        for (key, node) in &options.table("windows")?.entries {
            match spec(options, &format!("windows.{}", key.name), node) {
                Some(window) => named.push((&*key.name, window)),
                None => good = false,
            }
        }
    }
    Some(Declared { own: own.filter(|_| good)?, named })
}

fn spec(options: &Options<'_>, name: &str, node: &Node) -> Option<WindowSpec> {
    let Some(table) = node.as_table() else {
        options.wrong(name, node, "a table such as { rolling = \"10m\" }");
        return None;
    };
    let mut length = None;
    let mut exclude_current = false;
    let mut good = true;
    for (key, value) in &table.entries {
        match &*key.name {
            "rolling" => length = rolling(options, name, value),
            "exclude" if value.as_text() == Some("current") => exclude_current = true,
            "exclude" => {
                options.wrong(&format!("{name}.exclude"), value, "\"current\"");
                good = false;
            }
            "tumbling" | "hopping" | "every" | "session" | "run" | "latest" => {
                let problem = Problem::error(format!("windows of kind `{}` are not available yet", key.name));
                options.problem(problem.at(key.span).label("not available yet; available is rolling"));
                return None;
            }
            other => {
                let mut problem = Problem::error(format!("`{name}` of `{}` has no key `{other}`", options.component));
                if let Some(near) = nearest(other, ["rolling", "exclude"]) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                options.problem(problem.at(key.span).hint("keys are `rolling` and `exclude`"));
                good = false;
            }
        }
    }
    if table.get("rolling").is_none() {
        let problem = Problem::error(format!("`{name}` of `{}` does not say how long it is", options.component));
        options.problem(problem.at(node.span).hint("write { rolling = \"10m\" } or { rolling = \"20 rows\" }"));
    }
    good.then_some(WindowSpec { length: length?, exclude_current })
}

/// A duration or a number of rows.
fn rolling(options: &Options<'_>, name: &str, node: &Node) -> Option<Length> {
    let text = node.as_text().map(|text| text.trim().to_ascii_lowercase());
    let rows = text.as_deref().and_then(|t| t.strip_suffix("rows").or_else(|| t.strip_suffix("row")));
    let length = match (rows, &text) {
        (Some(rows), _) => rows.trim().parse().ok().filter(|rows| *rows > 0).map(Length::Rows),
        (None, Some(text)) => time::parse_interval(text).ok().filter(|micros| *micros > 0).map(Length::Time),
        _ => None,
    };
    if length.is_none() {
        options.wrong(
            &format!("{name}.rolling"),
            node,
            "a duration such as \"10m\" or a number of rows such as \"20 rows\"",
        );
    }
    length
}

/// Finds the window of each call; none if there are problems, which have been recorded.
pub fn choose(
    options: &Options<'_>,
    names: &[(&str, &Node)],
    calls: &[AggregateCall],
    declared: Declared<'_>,
) -> Option<Chosen> {
    let mut chosen = Chosen { specs: Vec::new(), of_call: Vec::new() };
    let mut good = true;
    for call in calls {
        let spec = match &call.over {
            _ if call.function == AggregateFunction::Lag => {
                WindowSpec { length: Length::Rows(call.offset), exclude_current: true }
            }
            Over::Own => declared.own,
            Over::Rolling(micros) => WindowSpec { length: Length::Time(*micros), exclude_current: false },
            Over::Rows(rows) => WindowSpec { length: Length::Rows(*rows), exclude_current: false },
            Over::Named(name) => match declared.named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, spec)) => *spec,
                None => {
                    let mut problem = Problem::error(format!("`{}` has no window `{name}`", options.component));
                    if let Some(near) = nearest(name, declared.named.iter().map(|(known, _)| *known)) {
                        problem = problem.label(format!("did you mean `{near}`?"));
                    }
                    let hint = format!("declare it: windows.{name} = {{ rolling = \"10m\" }}");
                    options.problem(problem.at(names[call.entry].1.inside(call.range.clone())).hint(hint));
                    good = false;
                    continue;
                }
            },
        };
        let at = chosen.specs.iter().position(|known| *known == spec).unwrap_or_else(|| {
            chosen.specs.push(spec);
            chosen.specs.len() - 1
        });
        chosen.of_call.push(at);
    }
    good.then_some(chosen)
}

/// How long the state of a key is kept; none if there are problems, which have been recorded.
pub fn ttl(
    check: &BoltCheck<'_>,
    names: &[(&str, &Node)],
    calls: &[AggregateCall],
    windows: &Chosen,
    lateness: i64,
) -> Option<i64> {
    let options = &check.options;
    let lengths =
        windows.specs.iter().filter_map(|w| if let Length::Time(micros) = w.length { Some(micros) } else { None });
    let needed = lengths.max().map(|longest| longest.saturating_add(lateness));
    if let Some(node) = options.node("ttl") {
        let ttl = bolts::ttl(options)?;
        if needed.is_some_and(|needed| ttl < needed) {
            let problem =
                Problem::error(format!("`ttl` of `{}` is shorter than its longest window", options.component));
            options.problem(problem.at(node.span).hint("a key's rows must be kept for the window and the lateness"));
            return None;
        }
        return Some(ttl);
    }
    let keyed = check.key.iter().any(|key| !key.is_empty());
    let endless = calls.iter().zip(&windows.of_call).find(|(call, window)| {
        call.function == AggregateFunction::Lag || windows.specs[**window].length == Length::All
    });
    if let (true, Some((call, _))) = (keyed, endless) {
        let what = if call.function == AggregateFunction::Lag { "looks back without end" } else { "has no window" };
        let problem = Problem::error(format!("`{}` keeps state of every key and has no `ttl`", options.component))
            .at(names[call.entry].1.inside(call.range.clone()))
            .label(what)
            .hint("say how long a key is kept after its last row: ttl = \"90d\", or \"never\"");
        options.problem(problem);
        return None;
    }
    let by_rows = windows.specs.iter().any(|w| !matches!(w.length, Length::Time(_)));
    Some(if keyed && !by_rows { needed.unwrap_or(bolts::FOREVER) } else { bolts::FOREVER })
}
