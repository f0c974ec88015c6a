//! One rule as the user wrote it, checked.

use super::super::columns;
use super::hold::Hold;
use crate::component::{BoltCheck, InputStream, Key, Node, NodeValue, OptionSpec, Options};
use crate::expr::{Expr, Scope, Template};
use crate::problem::{Problem, nearest};
use crate::time::parse_interval;
use crate::tuple::DataType;

/// The keys of a rule.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("from", "the stream it looks at; needed where the bolt reads several"),
    OptionSpec::optional("when", "the condition under which it fires; without one every row of its stream fires"),
    OptionSpec::optional(
        "for",
        "how long `when` must have held for the bolt's `key`: \"30s\" (no further row need come) or \"10 rows\"; it then \
         fires once, and again only after `when` was not true; \"1 row\" fires when it becomes true",
    ),
    OptionSpec::optional("score", "a number, or an expression in a string; NULL without it"),
    OptionSpec::optional(
        "reason",
        "text for people, with expressions in braces: \"{n} payments of {round(spent, 2)}\"; NULL without it",
    ),
    OptionSpec::optional(
        "mode",
        "\"active\" (the default), \"shadow\": rows leave on `.shadow` instead, or \"off\": checked, not evaluated",
    ),
];

const KEYS: [&str; 6] = {
    let mut names = [""; 6];
    let mut at = 0;
    while at < names.len() {
        names[at] = OPTIONS[at].name;
        at += 1;
    }
    names
};

const MODES: [&str; 3] = ["active", "shadow", "off"];

/// What a rule that fires does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its rows leave on the main stream.
    Active,
    /// Its rows leave on `.shadow`.
    Shadow,
    /// It is checked, not evaluated.
    Off,
}

impl Mode {
    /// The word of the file.
    pub fn name(self) -> &'static str {
        MODES[self as usize]
    }
}

/// Where a score comes from.
#[derive(Clone, Debug)]
pub enum Score {
    /// There is none: NULL.
    None,
    /// Written as a number.
    Constant(f64),
    /// Computed; double or bigint.
    Computed(Expr),
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Index of the input that it looks at.
    pub input: usize,
    /// The condition; none: every row fires.
    pub when: Option<Expr>,
    /// For how long the condition must hold.
    pub hold: Option<Hold>,
    /// The score.
    pub score: Score,
    /// The text; none: NULL.
    pub reason: Option<Template>,
    /// What it does when it fires.
    pub mode: Mode,
}

/// Checks the table `rules.NAME`; none if there are problems, which have been recorded.
pub fn check(check: &BoltCheck<'_>, key: &Key, node: &Node, ttl: i64) -> Option<Rule> {
    let component = format!("{}.rules.{}", check.options.component, key.name);
    let Some(table) = node.as_table() else {
        check.options.wrong(&format!("rules.{}", key.name), node, "a table such as { when = \"amount > 500\" }");
        return None;
    };
    let options = Options { component: &component, span: key.span, table, problems: check.options.problems };
    let named = name(&options, key);
    let known = keys(&options);
    let input = input(&options, check.inputs)?;
    let scope_columns = columns::scope_columns(&check.inputs[input]);
    let scope = Scope { columns: &scope_columns, environment: check.environment };
    // All getters run before any `?`, so that all problems of a rule are reported at once.
    let when = optional(&options, "when", || options.condition("when", &scope));
    let hold = optional(&options, "for", || hold(&options, &check.key[input], ttl));
    let score = score(&options, &scope);
    let reason = optional(&options, "reason", || reason(&options, &scope));
    let mode = optional(&options, "mode", || options.choice("mode", &MODES));
    let mode = match mode? {
        Some("shadow") => Mode::Shadow,
        Some("off") => Mode::Off,
        _ => Mode::Active,
    };
    let rule = Rule { name: key.name.clone(), input, when: when?, hold: hold?, score: score?, reason: reason?, mode };
    (named && known).then_some(rule)
}

/// A key that may be absent (`Some(None)`); `None` if it is there and wrong.
fn optional<T>(options: &Options<'_>, key: &str, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if options.has(key) { read().map(Some) } else { Some(None) }
}

/// Whether the rule's name is an id.
fn name(options: &Options<'_>, key: &Key) -> bool {
    let mut bytes = key.name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !good {
        let problem = Problem::error(format!("`{}` is no name for a rule", key.name)).at(key.span);
        options.problem(problem.label("must be like `above_usual`: a small letter, then letters, digits and `_`"));
    }
    good
}

/// Whether all keys of the rule are known.
fn keys(options: &Options<'_>) -> bool {
    let mut good = true;
    for (key, _) in options.table.entries.iter().filter(|(key, _)| !KEYS.contains(&&*key.name)) {
        let mut problem = Problem::error(format!("unknown key `{}` in a rule", key.name)).at(key.span);
        problem = match nearest(&key.name, KEYS) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("unknown key"),
        };
        options.problem(problem.hint(format!("a rule has {}", KEYS.map(|k| format!("`{k}`")).join(", "))));
        good = false;
    }
    good
}

/// Which input the rule looks at.
fn input(options: &Options<'_>, inputs: &[InputStream]) -> Option<usize> {
    let streams = || inputs.iter().map(|i| format!("`{}`", i.name)).collect::<Vec<_>>().join(", ");
    let Some(node) = options.node("from") else {
        if inputs.len() == 1 {
            return Some(0);
        }
        let problem = Problem::error(format!("`{}` does not say which stream it looks at", options.component));
        options.problem(problem.at(options.span).label("needs `from`").hint(format!("one of {}", streams())));
        return None;
    };
    let name = options.text("from")?;
    let found = inputs.iter().position(|i| i.name == name);
    if found.is_none() {
        let mut problem = Problem::error(format!("`from` names `{name}`, which the bolt does not read")).at(node.span);
        problem = match nearest(name, inputs.iter().map(|i| &*i.name)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label("not in the bolt's `from`"),
        };
        options.problem(problem.hint(format!("it reads {}", streams())));
    }
    found
}

/// `for`: a number of rows or a duration; only with a key.
fn hold(options: &Options<'_>, key: &[usize], ttl: i64) -> Option<Hold> {
    let node = options.node("for")?;
    let wanted = "a number of rows or a duration, such as \"10 rows\", \"1 row\" or \"30s\"";
    let text = options.text("for")?;
    let rows = text.trim().strip_suffix("rows").or_else(|| text.trim().strip_suffix("row"));
    let hold = match rows {
        Some(rows) => rows.trim().parse().ok().filter(|n| (1..u32::MAX).contains(n)).map(Hold::Rows),
        None => parse_interval(text).ok().filter(|micros| *micros > 0).map(Hold::Micros),
    };
    if hold.is_none() {
        options.wrong("for", node, wanted);
    }
    if matches!(hold, Some(Hold::Micros(micros)) if micros > ttl) {
        let problem = Problem::error("`for` is longer than a key is remembered").at(node.span);
        options
            .problem(problem.label("longer than `ttl`").hint("give the bolt a longer `ttl`; \"30d\" is the default"));
        return None;
    }
    if key.is_empty() {
        let problem = Problem::error("`for` counts the rows of a key, and the bolt has none").at(node.span);
        options.problem(problem.label("needs `key`").hint("give the bolt a key: key = \"card\""));
        return None;
    }
    hold
}

/// `score`: a number, or an expression that gives one.
fn score(options: &Options<'_>, scope: &Scope<'_>) -> Option<Score> {
    let Some(node) = options.node("score") else { return Some(Score::None) };
    match &node.value {
        NodeValue::Integer(i) => Some(Score::Constant(*i as f64)),
        NodeValue::Float(f) => Some(Score::Constant(*f)),
        NodeValue::Text(_) => {
            let expr = options.expr_of(node, scope)?;
            if matches!(expr.data_type(), DataType::Bigint | DataType::Double) {
                return Some(Score::Computed(expr));
            }
            let problem = Problem::error(format!("`score` must be a number, found a {}", expr.data_type()));
            options.problem(problem.at(node.span).label("must be of type double or bigint"));
            None
        }
        _ => {
            options.wrong("score", node, "a number, or an expression in a string");
            None
        }
    }
}

/// `reason`: text with expressions in braces.
fn reason(options: &Options<'_>, scope: &Scope<'_>) -> Option<Template> {
    let text = options.text("reason")?;
    let node = options.node("reason")?;
    match Template::check(text, scope) {
        Ok(checked) => {
            options.expr_problems(node, checked.warnings.into_iter().map(|(_, w)| w));
            Some(checked.value)
        }
        Err(errors) => {
            options.expr_problems(node, errors);
            None
        }
    }
}
