//! What the user wrote about windows, and which call looks at which.

use super::length::{self, Extent, Kinds};
use crate::bolts;
use crate::component::{BoltCheck, Key, Node, OptionSpec, Options, Table};
use crate::expr::{AggregateCall, AggregateFunction, Expr, Over, Scope};
use crate::problem::{Problem, nearest};
use crate::window::closing::{ClosingSpec, Shape};
use crate::window::{Grid, Length, Unit, WindowSpec};
use jiff::tz::TimeZone;
use std::cell::RefCell;

/// The keys of a window.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional(
        "rolling",
        "at every row, the latest ones: so long back (\"10m\"), or so many (\"20 rows\"); the row itself is in it",
    ),
    OptionSpec::optional(
        "run",
        "at every row, those since a value, or one of a list, last changed, in order of arrival: \"state\"; NULL is a value",
    ),
    OptionSpec::optional(
        "latest",
        "at every row, the newest one of each value of a column within the key: what is true now",
    ),
    OptionSpec::optional("exclude", "\"current\": the row itself is not in it (rolling, run, latest)"),
    OptionSpec::optional(
        "tumbling",
        "closes: one after the other, so long (\"1m\", \"1 day\", \"1 month\") or so many rows (\"100 rows\")",
    ),
    OptionSpec::optional("hopping", "closes: so long, or so many rows, beginning `every` so much: they overlap"),
    OptionSpec::optional("every", "how much later the next one begins (hopping), at most its length"),
    OptionSpec::optional("session", "closes: rows less than so long apart (\"5m\")"),
    OptionSpec::optional(
        "zone",
        "time zone in which days, weeks and months begin, such as \"Europe/Berlin\" (\"UTC\"; tumbling, hopping)",
    ),
    OptionSpec::optional("lateness", "how long after a window has closed late rows still correct it (\"0s\")"),
    OptionSpec::optional("emit_every", "open windows leave too, every so long, where rows came (tumbling, session)"),
    OptionSpec::optional("empty", "true: windows without rows leave too, for `ttl` after a key's last row (tumbling)"),
];

const KINDS: [&str; 6] = ["rolling", "tumbling", "hopping", "session", "run", "latest"];

/// What a window is.
#[derive(Clone, Debug, PartialEq)]
pub enum Declared {
    /// One that is looked at at every row.
    Open(WindowSpec),
    /// One that closes.
    Closing(ClosingSpec),
}

/// The windows of a bolt.
pub struct AllDeclared<'a> {
    /// The bolt's own.
    pub own: Declared,
    /// Others by name, with their places.
    pub named: Vec<(&'a Key, WindowSpec)>,
    /// What windows of kind `run` and `latest` look at.
    pub values: Values,
}

/// What windows of kind `run` and `latest` look at, by their number.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// The expressions of each.
    pub exprs: Vec<Vec<Expr>>,
    /// The same as they were written.
    pub texts: Vec<String>,
}

/// The windows that calls use, each once, and the one of each call.
pub struct Chosen {
    pub specs: Vec<WindowSpec>,
    pub of_call: Vec<usize>,
}

/// Reads `window` and `windows`; none if there are problems, which have been recorded.
pub fn declared<'a>(check: &BoltCheck<'a>) -> Option<AllDeclared<'a>> {
    let options = &check.options;
    let all = WindowSpec { length: Length::All, exclude_current: false };
    let values = RefCell::default();
    let own = match options.node("window") {
        Some(node) => window(check, "window", node, &values),
        None => Some(Declared::Open(all)),
    };
    let mut named = Vec::new();
    let mut good = true;
    if options.has("windows") {
        for (key, node) in &options.table("windows")?.entries {
            match window(check, &format!("windows.{}", key.name), node, &values) {
                Some(Declared::Open(window)) => named.push((key, window)),
                Some(Declared::Closing(_)) => {
                    let problem = Problem::error(format!("`windows.{}` of `{}` closes", key.name, options.component));
                    let problem = problem.at(key.span).label("stands alone in its bolt");
                    options.problem(problem.hint("write it as `window`, in a bolt without other windows"));
                    good = false;
                }
                None => good = false,
            }
        }
    }
    Some(AllDeclared { own: own.filter(|_| good)?, named, values: values.into_inner() })
}

/// One window's table.
struct Reader<'a> {
    check: &'a BoltCheck<'a>,
    name: &'a str,
    node: &'a Node,
    table: &'a Table,
    values: &'a RefCell<Values>,
}

fn window(check: &BoltCheck<'_>, name: &str, node: &Node, values: &RefCell<Values>) -> Option<Declared> {
    let options = &check.options;
    let Some(table) = node.as_table() else {
        options.wrong(name, node, "a table such as { rolling = \"10m\" }");
        return None;
    };
    let reader = Reader { check, name, node, table, values };
    let kind = reader.kind()?;
    match kind {
        "rolling" => reader.rolling(),
        "session" => reader.session(),
        "run" | "latest" => reader.by_value(kind),
        _ => reader.in_steps(kind),
    }
}

impl Reader<'_> {
    fn options(&self) -> Options<'_> {
        self.check.options
    }

    fn problem(&self, key: &str, text: String, label: &str, hint: &str) {
        let span = self.table.entry(key).map_or(self.node.span, |(key, _)| key.span);
        let mut problem = Problem::error(text).at(span).label(label);
        if !hint.is_empty() {
            problem = problem.hint(hint);
        }
        self.options().problem(problem);
    }

    /// The one kind that is named, all other keys being known and fitting it.
    fn kind(&self) -> Option<&'static str> {
        let component = self.options().component;
        let named: Vec<&'static str> = KINDS.into_iter().filter(|kind| self.table.get(kind).is_some()).collect();
        let mut good = true;
        for (key, _) in &self.table.entries {
            if OPTIONS.iter().any(|option| option.name == key.name) {
                continue;
            }
            let mut problem = Problem::error(format!("`{}` of `{component}` has no key `{}`", self.name, key.name));
            if let Some(near) = nearest(&key.name, OPTIONS.iter().map(|option| option.name)) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            let keys = OPTIONS.iter().map(|option| format!("`{}`", option.name)).collect::<Vec<_>>().join(", ");
            self.options().problem(problem.at(key.span).hint(format!("keys are {keys}")));
            good = false;
        }
        let kind = match named.as_slice() {
            [kind] => *kind,
            [] if !good => return None,
            [] => {
                let text = format!("`{}` of `{component}` does not say how long it is", self.name);
                let hint = "write { rolling = \"10m\" }, { rolling = \"20 rows\" }, { run = \"state\" }, { latest = \"id\" }, { tumbling = \"1m\" }, \
                     { hopping = \"10m\", every = \"1m\" } or { session = \"5m\" }";
                self.problem("", text, "", hint);
                return None;
            }
            [_, second, ..] => {
                let text = format!("`{}` of `{component}` is of two kinds", self.name);
                self.problem(second, text, "of which kind?", "other windows go to `windows.NAME`, or to other bolts");
                return None;
            }
        };
        let fitting: &[&str] = match kind {
            "rolling" | "run" | "latest" => &["exclude"],
            "session" => &["lateness", "emit_every"],
            "tumbling" => &["zone", "lateness", "emit_every", "empty"],
            _ => &["every", "zone", "lateness"],
        };
        for (key, _) in self.table.entries.iter().filter(|(key, _)| OPTIONS.iter().any(|o| o.name == key.name)) {
            if key.name != kind && !fitting.contains(&&*key.name) {
                let text = format!("`{}` of `{component}` is {kind} and has no `{}`", self.name, key.name);
                let list = fitting.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                self.problem(&key.name, text, "does not fit", &format!("beside `{kind}` it may have {list}"));
                good = false;
            }
        }
        good.then_some(kind)
    }

    fn extent(&self, key: &str, kinds: Kinds) -> Option<Extent> {
        length::extent(&self.options(), &format!("{}.{key}", self.name), self.table.get(key)?, kinds)
    }

    /// The duration of a key, or none of it: nothing if it is wrong.
    fn duration(&self, key: &str) -> Option<Option<i64>> {
        match self.table.get(key) {
            None => Some(None),
            Some(node) => length::duration(&self.options(), &format!("{}.{key}", self.name), node).map(Some),
        }
    }

    fn exclude_current(&self) -> Option<bool> {
        match self.table.get("exclude") {
            None => Some(false),
            Some(node) if node.as_text() == Some("current") => Some(true),
            Some(node) => {
                self.options().wrong(&format!("{}.exclude", self.name), node, "\"current\"");
                None
            }
        }
    }

    /// Windows that look at values of rows.
    fn by_value(&self, kind: &str) -> Option<Declared> {
        let exclude_current = self.exclude_current()?;
        let table = Options { table: self.table, ..self.options() };
        let texts = table.texts(kind)?;
        let input = self.check.inputs.first()?;
        let columns = bolts::columns::scope_columns(input);
        let scope = Scope { columns: &columns, environment: self.check.environment };
        let one = kind == "run" || texts.len() == 1;
        if texts.is_empty() || texts.len() > 32 || !one {
            let wanted = if kind == "run" { "an expression, or a list of up to 32" } else { "one expression" };
            table.wrong(&format!("{}.{kind}", self.name), self.table.get(kind)?, wanted);
            return None;
        }
        let exprs: Vec<Option<Expr>> = texts.iter().map(|(_, node)| table.expr_of(node, &scope)).collect();
        let exprs = exprs.into_iter().collect::<Option<Vec<Expr>>>()?;
        let mut values = self.values.borrow_mut();
        values.exprs.push(exprs);
        values.texts.push(texts.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(", "));
        let number = values.exprs.len() - 1;
        let length = if kind == "run" { Length::Run(number) } else { Length::Latest(number) };
        Some(Declared::Open(WindowSpec { length, exclude_current }))
    }

    fn rolling(&self) -> Option<Declared> {
        let exclude_current = self.exclude_current()?;
        let length = match self.extent("rolling", Kinds::Rows)? {
            Extent::Rows(rows) => Length::Rows(rows),
            Extent::Time(micros) | Extent::Months(micros) => Length::Time(micros),
        };
        Some(Declared::Open(WindowSpec { length, exclude_current }))
    }

    fn session(&self) -> Option<Declared> {
        let Extent::Time(gap) = self.extent("session", Kinds::Time)? else { return None };
        self.closing(Shape::Session(gap))
    }

    /// Tumbling and hopping windows.
    fn in_steps(&self, kind: &str) -> Option<Declared> {
        let length = self.extent(kind, Kinds::Calendar)?;
        let zone = match self.table.get("zone") {
            None => None,
            Some(node) => Some(length::zone(&self.options(), &format!("{}.zone", self.name), node)?),
        };
        let every = match kind {
            "tumbling" => length,
            _ if self.table.get("every").is_none() => {
                let text =
                    format!("`{}` of `{}` does not say when the next one begins", self.name, self.options().component);
                self.problem("hopping", text, "every how much?", "write { hopping = \"10m\", every = \"1m\" }");
                return None;
            }
            _ => self.extent("every", Kinds::Calendar)?,
        };
        let shape = self.shape(length, every, zone)?;
        self.closing(shape)
    }

    fn shape(&self, length: Extent, every: Extent, zone: Option<TimeZone>) -> Option<Shape> {
        let wrong = |key: &str, text: &str, hint: &str| {
            self.problem(key, format!("`{}` of `{}` {text}", self.name, self.options().component), "", hint);
            None
        };
        let too_far = "begins later than the one before ends: the rows between would be in none";
        if let (Extent::Rows(length), Extent::Rows(every)) = (length, every) {
            if zone.is_some() || self.table.get("lateness").is_some() {
                let key = if zone.is_some() { "zone" } else { "lateness" };
                return wrong(key, "counts rows: times do not matter to it", "leave it out");
            }
            return if every > length { wrong("every", too_far, "") } else { Some(Shape::Rows { length, every }) };
        }
        let calendar = zone.is_some() || matches!(length, Extent::Months(_)) || matches!(every, Extent::Months(_));
        if !calendar {
            let (Extent::Time(length), Extent::Time(every)) = (length, every) else {
                return wrong("every", "is measured in two ways", "give both as durations, or both as rows");
            };
            if every > length {
                return wrong("every", too_far, "");
            }
            let pane = length::divisor(length, every);
            return Some(Shape::Panes { grid: Grid::Fixed(pane), count: length / pane, hop: every / pane });
        }
        let (Some((unit, length)), Some((of_every, every))) = (length::units(length), length::units(every)) else {
            return wrong(
                "zone",
                "is not whole days, weeks or months",
                "a zone matters to days, weeks and months only",
            );
        };
        if unit != of_every || length % every != 0 {
            return wrong(
                "every",
                "is no multiple of `every`",
                "such as { hopping = \"3 months\", every = \"1 month\" }",
            );
        }
        let grid = match (unit, zone) {
            (Unit::Day, Some(zone)) if zone != TimeZone::UTC => Grid::Calendar(unit, every, zone),
            (Unit::Day, _) => Grid::Fixed(every * crate::time::civil::DAY),
            (Unit::Month, zone) => Grid::Calendar(unit, every, zone.unwrap_or(TimeZone::UTC)),
        };
        Some(Shape::Panes { grid, count: length / every, hop: 1 })
    }

    fn closing(&self, shape: Shape) -> Option<Declared> {
        let options = self.options();
        let early = self.duration("emit_every")?;
        if early == Some(0) || early.is_some() && matches!(shape, Shape::Rows { .. }) {
            let text = format!("`emit_every` of `{}` has no length", options.component);
            let hint = "it is a duration above zero, and for windows of time";
            self.problem("emit_every", text, "", hint);
            return None;
        }
        let lateness = match self.duration("lateness")? {
            Some(lateness) => lateness,
            None if options.has("lateness") => options.duration("lateness")?,
            None => 0,
        };
        let empty = match self.table.get("empty") {
            None => None,
            Some(node) => match node.value {
                crate::component::NodeValue::Boolean(empty) => empty.then_some(()),
                _ => {
                    options.wrong(&format!("{}.empty", self.name), node, "true or false");
                    return None;
                }
            },
        };
        let empty = match empty {
            None => None,
            Some(()) => Some(self.silent_for(&shape)?),
        };
        if options.has("ttl") && empty.is_none() {
            let problem = Problem::error(format!("`{}` has a `ttl`, and its window closes", options.component));
            let span = options.node("ttl").map_or(options.span, |node| node.span);
            options.problem(problem.at(span).hint("a key is kept as long as it has windows; leave `ttl` out"));
            return None;
        }
        Some(Declared::Closing(ClosingSpec { shape, lateness, empty, early }))
    }

    /// For how long after a key's last row windows without rows leave.
    fn silent_for(&self, shape: &Shape) -> Option<i64> {
        let options = self.options();
        if matches!(shape, Shape::Rows { .. }) {
            let text = format!("a window of rows of `{}` cannot be empty", options.component);
            self.problem("empty", text, "", "leave `empty` out, or give the length as a duration");
            return None;
        }
        if options.has("ttl") {
            return bolts::ttl(&options);
        }
        if self.check.key.iter().any(|key| !key.is_empty()) {
            let text = format!("`{}` has windows without rows, and no `ttl`", options.component);
            let hint = "say for how long after its last row a key has them: ttl = \"1d\", or \"never\"";
            self.problem("empty", text, "for how long?", hint);
            return None;
        }
        Some(bolts::FOREVER)
    }
}

/// Finds the window of each call; none if there are problems, which have been recorded.
pub fn choose(
    options: &Options<'_>,
    names: &[(&str, &Node)],
    calls: &[AggregateCall],
    own: WindowSpec,
    named: &[(&Key, WindowSpec)],
) -> Option<Chosen> {
    let mut chosen = Chosen { specs: Vec::new(), of_call: Vec::new() };
    let mut good = true;
    for call in calls {
        let spec = match &call.over {
            _ if call.function == AggregateFunction::Lag => {
                WindowSpec { length: Length::Rows(call.offset), exclude_current: true }
            }
            Over::Own => own,
            Over::Rolling(micros) => WindowSpec { length: Length::Time(*micros), exclude_current: false },
            Over::Rows(rows) => WindowSpec { length: Length::Rows(*rows), exclude_current: false },
            Over::Named(name) => match named.iter().find(|(known, _)| known.name.eq_ignore_ascii_case(name)) {
                Some((_, spec)) => *spec,
                None => {
                    let mut problem = Problem::error(format!("`{}` has no window `{name}`", options.component));
                    if let Some(near) = nearest(name, named.iter().map(|(known, _)| &*known.name)) {
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
        let ends = matches!(windows.specs[**window].length, Length::Time(_) | Length::Rows(_));
        call.function == AggregateFunction::Lag || !ends
    });
    if let (true, Some((call, _))) = (keyed, endless) {
        let by_value = calls
            .iter()
            .zip(&windows.of_call)
            .any(|(other, window)| std::ptr::eq(other, call) && windows.specs[*window].length != Length::All);
        let what = if call.function == AggregateFunction::Lag || by_value {
            "looks back without end"
        } else {
            "has no window"
        };
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
