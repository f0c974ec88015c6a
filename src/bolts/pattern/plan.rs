//! What the user wrote, checked, and what a task needs of it.

use super::define::{self, Definition};
use super::exprs::{ExprSet, Kept};
use super::keep::{self, Columns, Source};
use super::scope::{Meaning, Named, Need, Needs};
use super::{TTL, ttl};
use crate::bolts::Gather;
use crate::component::{BoltCheck, ColumnSource, Node, Options, OutputColumn, OutputStream};
use crate::expr::AggregateFunction;
use crate::pattern::{Automaton, Node as Part, Overflow, Pattern, PatternError, Settings, Skip, parse};
use crate::problem::{Problem, nearest};
use crate::tuple::{Column, DataType};

/// Partial matches of a key, where nothing is said.
const PARTIALS_MAX: i64 = 1000;

/// A checked pattern.
pub struct Plan {
    pub outputs: Vec<OutputStream>,
    pub pattern: Pattern,
    pub automaton: Automaton,
    pub settings: Settings,
    pub variables: Vec<Named>,
    pub definitions: Vec<Definition>,
    pub columns: Columns,
    /// Whether a row leaves for each row of a match.
    pub all_rows: bool,
    pub needs: Needs,
    pub kept: Kept,
    /// Types of the columns of each input.
    pub types: Vec<Vec<DataType>>,
    /// Whether what is known of a key outlives its partial matches.
    pub lasting: bool,
    pub ttl: i64,
    /// What the state means.
    pub fingerprint: String,
    pub gather: Gather<super::task::Counts>,
}

/// Checks everything; none if there are problems, which have been recorded.
pub fn plan(check: &BoltCheck<'_>) -> Option<Plan> {
    let options = &check.options;
    let pattern = pattern(check);
    let within = optional(options, "within", || options.duration("within"));
    let all_rows = optional(options, "rows", || options.choice("rows", &["one", "all"]));
    let overflow =
        optional(options, "overflow", || options.choice("overflow", &["drop oldest", "drop newest", "error"]));
    let partials_max = optional(options, "max_partial", || options.integer("max_partial", 1));
    let timed_out = optional(options, "timed_out", || options.boolean("timed_out"));
    let own_ttl = optional(options, "ttl", || ttl(options));
    let pattern = pattern?;
    let defined = define::check(check, &pattern);
    let skip = optional(options, "skip", || skip(options, &pattern));
    let (variables, definitions) = defined?;
    let certain = |variable: usize| certain(&pattern.root, variable);
    let columns = keep::check(check, &variables, &certain);
    let skip = skip?.unwrap_or(Skip::PastLast);
    let node = options.node("pattern")?;
    let automaton = match Automaton::new(&pattern, skip == Skip::None) {
        Ok(automaton) => automaton,
        Err(error) => {
            report(options, node, error);
            return None;
        }
    };
    let within = within?;
    bounded(options, node, &pattern, within, &definitions, partials_max?.is_some())?;
    let settings = Settings {
        within: within.unwrap_or(i64::MAX),
        gaps: definitions.iter().map(|definition| definition.gap).collect(),
        until: set_of(&definitions, |definition| definition.until.is_some()),
        own: set_of(&definitions, |d| d.condition.iter().chain(&d.until).all(ExprSet::is_own)),
        skip,
        partials_max: partials_max?.unwrap_or(PARTIALS_MAX) as usize,
        overflow: match overflow? {
            Some("drop newest") => Overflow::DropNewest,
            Some("error") => Overflow::Error,
            _ => Overflow::DropOldest,
        },
        timed_out: timed_out?.unwrap_or(false),
    };
    let columns = columns?;
    let inputs: Vec<usize> = variables.iter().map(|variable| variable.input).collect();
    let needs = needs(&definitions, &columns, &inputs);
    let kept = kept(check, &needs, &definitions, &columns, &inputs);
    let lasting = numbered(&columns) || kept.previous.iter().any(|rows| *rows > 0);
    let ttl = own_ttl?.map_or_else(|| usual_ttl(settings.within, lasting), |ttl| ttl.max(settings.within));
    let types = check.inputs.iter().map(|input| input.columns.iter().map(|c| c.ty).collect()).collect();
    let mut plan = Plan {
        outputs: outputs(&columns, settings.timed_out),
        fingerprint: String::new(),
        pattern,
        automaton,
        settings,
        variables,
        definitions,
        columns,
        all_rows: all_rows? == Some("all"),
        needs,
        kept,
        types,
        lasting,
        ttl,
        gather: Gather::default(),
    };
    plan.fingerprint = fingerprint(check, &plan);
    Some(plan)
}

/// Whether matches are counted.
fn numbered(columns: &Columns) -> bool {
    let number = |set: &ExprSet| set.direct().any(|meaning| meaning == Meaning::Word(1));
    columns.added.as_ref().is_some_and(number)
}

/// How long a key is remembered where nothing is said: partial matches may need it until their time is over, what lasts
/// is kept for a month.
fn usual_ttl(within: i64, lasting: bool) -> i64 {
    match within {
        i64::MAX => TTL,
        _ if lasting => within.saturating_mul(2).max(TTL),
        _ => within.saturating_mul(2),
    }
}

/// A key that may be absent (`Some(None)`); `None` if it is there and wrong.
fn optional<T>(options: &Options<'_>, key: &str, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if options.has(key) { read().map(Some) } else { Some(None) }
}

fn set_of(definitions: &[Definition], of: impl Fn(&Definition) -> bool) -> u64 {
    definitions.iter().enumerate().filter(|(_, definition)| of(definition)).fold(0, |set, (at, _)| set | 1 << at)
}

/// Records a problem of the pattern's text.
fn report(options: &Options<'_>, node: &Node, error: PatternError) {
    let problem = if error.warning { Problem::warning(error.message) } else { Problem::error(error.message) };
    let mut problem = problem.at(node.inside(error.range)).label(error.label);
    problem.hints.extend(error.hint);
    options.problem(problem);
}

/// The pattern, all its variables being defined.
fn pattern(check: &BoltCheck<'_>) -> Option<Pattern> {
    let options = &check.options;
    let (text, node) = (options.text("pattern")?, options.node("pattern")?);
    let pattern = match parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            report(options, node, error);
            return None;
        }
    };
    let table = options.table("define")?;
    let defined: Vec<&str> = table.entries.iter().map(|(key, _)| &*key.name).collect();
    let near = |name: &str| nearest(name, defined.iter().copied()).map(str::to_owned);
    let errors = pattern.check(&defined, &near);
    let good = errors.iter().all(|error| error.warning);
    errors.into_iter().for_each(|error| report(options, node, error));
    good.then_some(pattern)
}

fn skip(options: &Options<'_>, pattern: &Pattern) -> Option<Skip> {
    let (text, node) = (options.text("skip")?, options.node("skip")?);
    let words: Vec<&str> = text.split_whitespace().collect();
    let variable = |name: &str| {
        let found = pattern.variables.iter().position(|v| v.name.eq_ignore_ascii_case(name) && v.taken);
        if found.is_none() {
            let problem =
                Problem::error(format!("`skip` names `{name}`, which is no step of the pattern")).at(node.span);
            let taken = pattern.variables.iter().filter(|v| v.taken).map(|v| &*v.name);
            options.problem(match nearest(name, taken) {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None => problem.label("no such step"),
            });
        }
        found
    };
    match words.as_slice() {
        ["past", "last"] => Some(Skip::PastLast),
        ["to", "next"] => Some(Skip::ToNext),
        ["to", "first", name] => variable(name).map(Skip::ToFirst),
        ["to", "last", name] => variable(name).map(Skip::ToLast),
        ["none"] => Some(Skip::None),
        _ => {
            options.wrong("skip", node, "\"past last\", \"to next\", \"to first x\", \"to last x\" or \"none\"");
            None
        }
    }
}

/// Refuses what could wait, or grow, without end.
fn bounded(
    options: &Options<'_>,
    node: &Node,
    pattern: &Pattern,
    within: Option<i64>,
    definitions: &[Definition],
    capped: bool,
) -> Option<()> {
    if within.is_some() || !pattern.unbounded() {
        return Some(());
    }
    let gaps = definitions
        .iter()
        .zip(&pattern.variables)
        .all(|(d, v)| d.gap != i64::MAX || !v.taken && !pattern.root.ends_absent());
    if gaps && pattern.root.rows_max().is_some() {
        return Some(());
    }
    // So many partial matches of so many rows: the key's memory has a bound, and the key itself its time to live.
    let few = pattern.root.rows_max().is_some() && !pattern.root.ends_absent();
    if few && capped {
        return Some(());
    }
    let what = match pattern.waits() {
        true => "the pattern may wait for ever",
        false => "the pattern may take rows without end",
    };
    let problem = Problem::error(format!("{what}, so `{}` needs `within`", options.component)).at(node.span);
    let mut hint = "within = \"10m\": all rows of a match lie within ten minutes of its first".to_owned();
    if few {
        hint.push_str("; or max_partial = 10: a key has so many partial matches, and the oldest go first");
    }
    options.problem(problem.label("without a bound").hint(hint));
    None
}

/// Whether a variable has a row in every match.
fn certain(part: &Part, variable: usize) -> bool {
    match part {
        Part::Step(step) => *step == variable,
        Part::Sequence { items, .. } | Part::Permute(items) => items.iter().any(|item| certain(item, variable)),
        Part::Choice(parts) => parts.iter().all(|part| certain(part, variable)),
        Part::Repeat { node, min, .. } => *min > 0 && certain(node, variable),
    }
}

fn sets<'a>(definitions: &'a [Definition], columns: &'a Columns) -> impl Iterator<Item = (&'a ExprSet, bool)> {
    let conditions = definitions.iter().flat_map(|d| d.condition.iter().chain(&d.until)).map(|set| (set, false));
    conditions.chain(columns.added.iter().map(|set| (set, true)))
}

fn needs(definitions: &[Definition], columns: &Columns, inputs: &[usize]) -> Needs {
    let mut needs = Needs::default();
    sets(definitions, columns).for_each(|(set, of_matches)| set.ask(of_matches, inputs, &mut needs));
    needs
}

/// What is kept of rows: all that somebody asks for later.
fn kept(check: &BoltCheck<'_>, needs: &Needs, definitions: &[Definition], columns: &Columns, inputs: &[usize]) -> Kept {
    let mut kept = Kept { columns: vec![Vec::new(); check.inputs.len()], previous: vec![0; check.inputs.len()] };
    for need in needs.all() {
        match *need {
            Need::Last(variable, column) => kept.columns[inputs[variable]].push(column),
            Need::Newest(column) => kept.columns[0].push(column),
            Need::Row(input, column) => kept.columns[input].push(column),
            Need::Word(_) | Need::Call(..) => {}
        }
    }
    for column in &columns.kept {
        match &column.source {
            Source::Last(variable, column) => kept.columns[inputs[*variable]].push(*column),
            Source::Newest(by_input) => {
                by_input.iter().enumerate().for_each(|(input, column)| kept.columns[input].push(*column));
            }
        }
    }
    for columns in &mut kept.columns {
        columns.sort_unstable();
        columns.dedup();
    }
    for (set, _) in sets(definitions, columns) {
        let input = set.scope.input.unwrap_or(0);
        for call in set.entries.calls.iter().filter(|call| call.function == AggregateFunction::Lag) {
            kept.previous[input] = kept.previous[input].max(call.offset as usize);
        }
    }
    kept
}

fn outputs(columns: &Columns, timed_out: bool) -> Vec<OutputStream> {
    let kept = columns.kept.iter().map(|kept| kept.column.clone());
    let expressions = columns.added.iter().flat_map(|set| &set.entries.expressions);
    let added = columns.names.iter().zip(expressions);
    let added =
        added.map(|(name, expr)| Column { name: name.clone(), ty: expr.data_type(), nullable: expr.nullable() });
    let main: Vec<OutputColumn> =
        kept.chain(added).map(|column| OutputColumn { column, source: ColumnSource::Computed }).collect();
    let side = |(at, output): (usize, &OutputColumn)| OutputColumn {
        column: Column { nullable: true, ..output.column.clone() },
        source: ColumnSource::Main(at),
    };
    let side = OutputStream::new("timed_out", main.iter().enumerate().map(side).collect());
    let mut outputs = vec![OutputStream::new("", main)];
    if timed_out {
        outputs.push(side);
    }
    outputs
}

/// What the content of the state means, in words: the pattern, and what is kept of rows. Conditions and bounds may
/// change.
fn fingerprint(check: &BoltCheck<'_>, plan: &Plan) -> String {
    let mut words = format!("{}; skip {:?}", plan.pattern, plan.settings.skip);
    for (input, columns) in check.inputs.iter().zip(&plan.kept.columns) {
        let names = columns.iter().map(|at| format!("{} {}", input.columns[*at].name, input.columns[*at].ty));
        words.push_str(&format!("; {}: {}", input.name, names.collect::<Vec<_>>().join(", ")));
    }
    for variable in &plan.variables {
        words.push_str(&format!("; {} from {}", variable.name, check.inputs[variable.input].name));
    }
    words
}
