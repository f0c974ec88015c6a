//! `quality`: precision and recall of rules against labelled truth.
//!
//! Reads the streams of `from`, whose rows are alerts, and one more, the truth, whose rows say of each id whether it is
//! a positive. The two sides meet by id at the end, whichever came first. An id that one rule alerted several times
//! counts once for that rule, and once for all together. Where the truth says NULL, or nothing, nobody is judged.
//!
//! What is known of the ids is in [`ids`] where state lives in memory only, small and whole, and in [`kept`] where there
//! is a store: then the next run goes on with it, and the report is about all runs.

mod ids;
mod kept;
mod report;
#[cfg(test)]
mod tests;

use super::{columns, failure_text};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, InputStream, Inputs, Keyed, NestedOptions,
    NodeValue, OptionSpec, Options, OutputStream, Sections, Step,
};
use crate::expr::{Compiled, Expr, Scope};
use crate::problem::{Problem, Span, nearest};
use crate::store::{KeyReader, State};
use crate::tuple::{Cell, DataType, Frame, Slot};
use hashbrown::HashMap;
use ids::{Ids, Label};
use kept::Kept;
use report::Report;

/// The kind `quality`.
pub struct Quality;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("truth", "the labels: { from = \"payments\", positive = \"is_fraud\" }"),
    OptionSpec::required("on", "the column by which alerts and truth meet; in all streams"),
    OptionSpec::optional(
        "by",
        "the column of the alerts that names the rule; without it only all together are counted",
    ),
    OptionSpec::optional("amount", "a column of the truth that is summed up for true and false alerts"),
];

const NESTED: &[NestedOptions] = &[NestedOptions {
    table: "truth",
    options: &[
        OptionSpec::required("from", "the stream whose rows carry the labels"),
        OptionSpec::required(
            "positive",
            "condition on that stream: true is a positive, false a negative, NULL is not judged",
        ),
    ],
}];

/// Why a row counts for nothing.
const NULL_KEY: &str = "the column of `on` is NULL";

/// The keys of `truth`.
const TRUTH: [&str; 2] = [NESTED[0].options[0].name, NESTED[0].options[1].name];

impl BoltFactory for Quality {
    fn kind(&self) -> &'static str {
        "quality"
    }

    fn doc(&self) -> &'static str {
        "judges alerts against labels: precision and recall by rule and of all together"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "It is a sink; what it found is a section of the report. The labels may come before or after the alerts."
                .to_owned(),
            "With a data directory what is known of each id is durable, and the report is about all runs.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.hits]
kind = "rules"
from = "payments"
keep = ["id"]
rules.large  = { when = "amount > 500" }
rules.abroad = { when = "country <> home and amount > 100" }

[bolts.judge]
kind  = "quality"
from  = "hits"
truth = { from = "payments", positive = "is_fraud" }
on    = "id"
by    = "rule"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn nested(&self) -> &'static [NestedOptions] {
        NESTED
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn keyed(&self) -> Keyed {
        Keyed::Global
    }

    fn extra_inputs(&self, options: &Options<'_>) -> Vec<(String, Span)> {
        let from = options.node("truth").and_then(|t| t.as_table()).and_then(|t| t.get("from"));
        from.and_then(|node| Some((node.as_text()?.to_owned(), node.span))).into_iter().collect()
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let positive = truth(check);
        let on = options.text("on");
        let by = options.text("by");
        let amount = options.text("amount");
        if self.extra_inputs(options).is_empty() {
            return None;
        }
        let (truth, alerts) = check.inputs.split_last()?;
        let on = on.map(|name| {
            let places: Vec<_> = check.inputs.iter().map(|input| column(options, "on", name, input)).collect();
            same_type(options, &places, check.inputs);
            places
        });
        let by = by.map(|name| alerts.iter().map(|input| column(options, "by", name, input)).collect::<Vec<_>>());
        let amount_at = amount.map(|name| column(options, "amount", name, truth));
        if let (Some(Some(at)), Some(node)) = (amount_at, options.node("amount"))
            && !matches!(truth.columns[at].ty, DataType::Bigint | DataType::Double)
        {
            let message =
                format!("`amount` must be a number, `{}` is a {}", truth.columns[at].name, truth.columns[at].ty);
            options.problem(Problem::error(message).at(node.span).label("cannot be summed up"));
        }
        Some(Box::new(Plan {
            positive: positive?,
            on: places(on?, check.inputs)?,
            by: by.map(|by| places(by, alerts)).map_or(Some(None), |by| by.map(Some))?,
            amount: amount_at
                .map(|at| places(vec![at], std::slice::from_ref(truth)))
                .map_or(Some(None), |a| a.map(Some))?
                .map(|a| a[0]),
            names: [options.text("by"), amount].map(|name| name.map(str::to_owned)),
            meaning: meaning(options),
        }))
    }
}

/// What labels, amounts and rules of ids mean, in the user's words.
fn meaning(options: &Options<'_>) -> String {
    let positive = options.table("truth").and_then(|truth| truth.get("positive")).and_then(|node| node.as_text());
    let word = |key: &str| options.text(key).map_or_else(String::new, |name| format!(", {key} {name}"));
    format!("labels ({}) and rules of ids{}{}{}", positive.unwrap_or_default(), word("on"), word("by"), word("amount"))
}

/// Checks the table `truth`: what a positive is.
fn truth(check: &BoltCheck<'_>) -> Option<Expr> {
    let table = check.options.table("truth")?;
    let component = format!("{}.truth", check.options.component);
    let span = check.options.node("truth")?.span;
    let options = Options { component: &component, span, table, problems: check.options.problems };
    for (key, _) in &table.entries {
        if !TRUTH.contains(&&*key.name) {
            let mut problem = Problem::error(format!("unknown key `{}` in `truth`", key.name)).at(key.span);
            if let Some(near) = nearest(&key.name, TRUTH) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            options.problem(problem.hint("`truth` has `from` (a stream) and `positive` (a condition)"));
        }
    }
    for key in TRUTH {
        match options.node(key) {
            None => options.problem(
                Problem::error(format!("`truth` needs `{key}`")).at(span).label(format!("`{key}` is missing")),
            ),
            Some(node) if !matches!(node.value, NodeValue::Text(_)) => options.wrong(key, node, "a string"),
            Some(_) => {}
        }
    }
    options.node("from").and_then(|node| node.as_text())?;
    options.node("positive").and_then(|node| node.as_text())?;
    let input = check.inputs.last()?;
    let scope_columns = columns::scope_columns(input);
    options.condition("positive", &Scope { columns: &scope_columns, environment: check.environment })
}

/// The column `name` of an input, or a problem.
fn column(options: &Options<'_>, key: &str, name: &str, input: &InputStream) -> Option<usize> {
    let found = input.columns.iter().position(|c| c.is(name));
    if let (None, Some(node)) = (found, options.node(key)) {
        let message = format!("`{key}` names `{name}`, which is no column of `{}`", input.name);
        let mut problem = Problem::error(message).at(node.span);
        problem = match nearest(name, input.columns.iter().map(|c| &*c.name)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.label(format!("not in `{}`", input.name)),
        };
        options.problem(problem);
    }
    found
}

/// Ids of two types never meet.
fn same_type(options: &Options<'_>, places: &[Option<usize>], inputs: &[InputStream]) {
    let mut types = inputs.iter().zip(places).filter_map(|(i, at)| Some((&i.name, i.columns[(*at)?].ty)));
    let Some((first, ty)) = types.next() else { return };
    if let (Some((other, found)), Some(node)) = (types.find(|(_, t)| *t != ty), options.node("on")) {
        let message = format!("`on` is a {ty} in `{first}` and a {found} in `{other}`: they would never meet");
        options.problem(Problem::error(message).at(node.span).label("of two types"));
    }
}

/// Index and type of columns that are all there.
fn places(found: Vec<Option<usize>>, inputs: &[InputStream]) -> Option<Vec<(usize, DataType)>> {
    found.into_iter().zip(inputs).map(|(at, input)| Some((at?, input.columns[at?].ty))).collect()
}

struct Plan {
    positive: Expr,
    /// For each input, the truth last.
    on: Vec<(usize, DataType)>,
    /// For each input but the truth.
    by: Option<Vec<(usize, DataType)>>,
    amount: Option<(usize, DataType)>,
    /// What the user calls `by` and `amount`.
    names: [Option<String>; 2],
    /// Tells what is kept from what another definition kept.
    meaning: String,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        let mut read = vec![self.on[input].0];
        if input + 1 == self.on.len() {
            read.extend(self.positive.columns());
            read.extend(self.amount.map(|(column, _)| column));
        } else {
            read.extend(self.by.as_ref().map(|by| by[input].0));
        }
        Some(read)
    }

    fn describe(&self) -> Vec<String> {
        vec!["keeps 25 bytes for each id of the truth and of the alerts until the end; with a data directory, all of them in it".to_owned()]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let truth = self.on.len() - 1;
        let on = self.on.iter().zip(build.inputs).map(|((at, ty), slots)| KeyReader::new(&[(slots[*at], *ty)]));
        let slots = |(at, ty): &(usize, DataType), input: usize| (build.inputs[input][*at], *ty);
        let types = self.on.iter().map(|(_, ty)| ty.name()).next().unwrap_or_default();
        let (book, rules) = match Kept::open(build, &format!("{}, a {types}", self.meaning))? {
            Some((kept, rules)) => (Book::Kept(kept), rules),
            None => (Book::Memory(Ids::new(self.amount.is_some())), HashMap::new()),
        };
        Ok(Box::new(Judging {
            name: build.name.to_owned(),
            on: on.collect(),
            by: self.by.as_ref().map(|by| by.iter().enumerate().map(|(input, at)| slots(at, input)).collect()),
            amount: self.amount.as_ref().map(|at| slots(at, truth)),
            positive: self.positive.compile(&|n| build.inputs[truth][n]),
            truth,
            book,
            rules,
            rule: String::new(),
            names: self.names.clone(),
        }))
    }
}

/// What is known of the ids.
enum Book {
    /// In memory only.
    Memory(Ids),
    /// In the store.
    Kept(Kept),
}

struct Judging {
    name: String,
    on: Vec<KeyReader>,
    by: Option<Vec<(Slot, DataType)>>,
    amount: Option<(Slot, DataType)>,
    positive: Compiled,
    /// Index of the truth among the inputs.
    truth: usize,
    book: Book,
    rules: HashMap<String, u32>,
    /// The name of a rule while it is looked up.
    rule: String,
    names: [Option<String>; 2],
}

impl Judging {
    fn rule_of(&mut self, input: usize, frame: &Frame) -> u32 {
        self.rule.clear();
        if let Some(by) = &self.by {
            match Cell::of_slot(frame, by[input].0, by[input].1) {
                Cell::Null => self.rule.push_str("(null)"),
                cell => cell.write(&mut self.rule),
            }
        }
        if let Some(number) = self.rules.get(&self.rule) {
            return *number;
        }
        let number = self.rules.len() as u32;
        self.rules.insert(self.rule.clone(), number);
        if let Book::Kept(kept) = &mut self.book {
            kept.number(&self.rule, number);
        }
        number
    }
}

impl Bolt for Judging {
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        if input != self.truth {
            if self.on[input].bytes(frame).is_none() {
                return step.error("null_key", NULL_KEY);
            }
            let rule = self.rule_of(input, frame);
            let Some(id) = self.on[input].read(frame) else { return Flow::Skip };
            match &mut self.book {
                Book::Memory(ids) => ids.alert(id.hash, rule),
                Book::Kept(kept) => kept.alert(id, rule),
            }
            return Flow::Skip;
        }
        let Some(id) = self.on[input].read(frame) else { return step.error("null_key", NULL_KEY) };
        let label = match self.positive.eval(frame, step.arena) {
            Ok(None) => Label::Unknown,
            Ok(Some(0)) => Label::Negative,
            Ok(Some(_)) => Label::Positive,
            Err(error) => return step.error(error.reason, failure_text("truth.positive", &error)),
        };
        let amount = match self.amount.map(|(slot, ty)| Cell::of_slot(frame, slot, ty)) {
            Some(Cell::Double(amount)) => amount,
            Some(Cell::Bigint(amount)) => amount as f64,
            _ => 0.0,
        };
        match &mut self.book {
            Book::Memory(ids) => ids.judge(id.hash, label, amount),
            Book::Kept(kept) => kept.judge(id, label, amount),
        }
        Flow::Skip
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        if let Book::Kept(kept) = &mut self.book {
            kept.states(each);
        }
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let mut names = vec![String::new(); self.rules.len()];
        for (name, number) in self.rules.drain() {
            if let Some(place) = names.get_mut(number as usize) {
                *place = name;
            }
        }
        if self.by.is_none() {
            names.iter_mut().for_each(|name| "all".clone_into(name));
        }
        let report = Report::new(&names, |each| match &self.book {
            Book::Memory(ids) => {
                ids.iter().for_each(each);
                Ok(())
            }
            Book::Kept(kept) => kept.each(each),
        });
        let mut report = report.map_err(|error| ComponentError::new(error.to_string()))?;
        if self.by.is_none() {
            report.rules.clear();
        }
        let [by, amount] = &self.names;
        let text = report.text(by.as_deref(), amount.as_deref());
        sections.sections.push((format!("quality {}", self.name), text, report.json(amount.is_some())));
        Ok(())
    }
}
