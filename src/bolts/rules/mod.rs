//! `rules`: a row for each rule that fires.
//!
//! Every rule looks at one of the bolt's streams; it fires when its condition is true, with `for` when it has been true
//! long enough for the key. A row is what `keep` names, then `rule`, `score` and `reason`; rules in shadow have a
//! stream of their own. The rules of a tuple are independent: what fails in one leaves on `.errors` with its name, and
//! the others go on.
//!
//! The state behind `for` is a few bytes for each key and rule, and, while a condition waits for its time, the last row at
//! which it held: a rule whose condition has held for 30 seconds fires though no further row comes. A key that was not
//! seen for `ttl` of event time (30 days by default) is forgotten, and its conditions start to hold anew.

mod hold;
mod report;
mod rule;
mod task;
#[cfg(test)]
mod tests;
mod waiting;

use super::columns::{self, CommonColumn};
use super::in_order::{InOrder, ORDER, ordered};
use super::kept_row::KeptRow;
use super::{Gather, ttl};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, InputStream, Inputs, Keyed,
    NestedOptions, OptionSpec, OutputColumn, OutputStream,
};
use crate::expr::{Condition, Conditions};
use crate::problem::Problem;
use crate::store::{KeyReader, Timers};
use crate::tuple::{Column, DataType, Slot};
use hold::{AllStreaks, Hold};
use report::{Counts, Report};
use rule::{Mode, Rule, Score};
use task::{Added, Live, LiveScore, Side, Task};

/// The kind `rules`.
pub struct Rules;

/// How long a key's streaks are remembered by default: 30 days.
const TTL: i64 = 30 * 86_400_000_000;

/// The columns after those of `keep`.
const ADDED: [(&str, DataType); 3] =
    [("rule", DataType::Text), ("score", DataType::Double), ("reason", DataType::Text)];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("keep", "columns of the rows: names that every input has, or `stream.*`"),
    OptionSpec::required("rules", "the rules: rules.NAME = { from, when, for, score, reason, mode }"),
    OptionSpec::optional("ttl", "with `for`: how long a key is remembered after its last row; \"30d\" by default"),
    ORDER,
];

impl BoltFactory for Rules {
    fn kind(&self) -> &'static str {
        "rules"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["alert", "alerts"]
    }

    fn doc(&self) -> &'static str {
        "emits a row for each rule that fires: kept columns, rule, score, reason"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns: `keep`, then `rule` (text), `score` (double), `reason` (text). Rules in shadow leave on `.shadow` with the same columns.".to_owned(),
            "`for` with a duration: the row is that of the last row at which the condition held, its time is that at which it had held so long. It leaves when a later row of the key comes or time passes, which the events of all keys move, whichever is first. A deadline after the last row of all does not count when the sources have ended.".to_owned(),
            "Comparisons of columns with constants are indexed: of a thousand rules with a part like `card = 7` or `amount between 10 and 20` only those are evaluated whose part is true. It must stand before parts that may fail, such as divisions. `sferic explain` says which rules are found how.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.card]
kind    = "aggregate"
from    = "payments"
key     = "card"
add.n   = "count(*) over '60s'"
add.sum = "sum(amount) over '60s'"

[bolts.hits]
kind = "rules"
from = "card"
key  = "card"                      # `for` counts by card
keep = ["id", "card", "ts", "amount"]

[bolts.hits.rules.velocity]
when   = "n >= 6 and sum > 500"
score  = 0.9
reason = "{n} payments of {round(sum, 2)} in a minute"

[bolts.hits.rules.abroad]
when   = "country <> home"
for    = "3 rows"
reason = "three payments abroad, the last of {amount}"
mode   = "shadow"

[bolts.out]
kind  = "console"
from  = ["hits", "hits.shadow"]
limit = 3

[[tests]]
name  = "six payments in a minute"
given = [ { at = "0s", every = "5s", times = 6, payments = { card = 7, amount = 100.0, country = 1, home = 1 } } ]
expect = [ { at = "25s", hits = { rule = "velocity", score = 0.9, reason = "6 payments of 600 in a minute" } } ]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn nested(&self) -> &'static [NestedOptions] {
        &[NestedOptions { table: "rules.NAME", options: rule::OPTIONS }]
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let ordered = ordered(check);
        let fill = options.node("fill").and_then(|node| node.as_text()) == Some("null");
        let kept = columns::keep_common(options, check.inputs, fill);
        let ttl = ttl(options).unwrap_or(TTL);
        let table = options.table("rules")?;
        let rules: Vec<Rule> =
            table.entries.iter().filter_map(|(key, node)| rule::check(check, key, node, ttl)).collect();
        if table.entries.is_empty() {
            let problem = Problem::error(format!("`{}` has no rules", options.component)).at(options.span);
            options
                .problem(problem.hint("write one: rules.large = { when = \"amount > 500\", reason = \"{amount}\" }"));
        }
        if rules.len() == table.entries.len() {
            unread(check, &rules);
        }
        let kept = kept?;
        if let (Some((name, _)), Some(node)) =
            (ADDED.iter().find(|(name, _)| kept.iter().any(|k| k.column.is(name))), options.node("keep"))
        {
            let problem = Problem::error(format!("`keep` names `{name}`, which the bolt adds itself")).at(node.span);
            options.problem(problem.hint(format!("give the other `{name}` a name of its own in a `select` before")));
            return None;
        }
        let plan = Plan {
            outputs: outputs(&kept, check.inputs.len()),
            kept,
            rules,
            columns: check.inputs.iter().map(|input| input.columns.clone()).collect(),
            ttl,
            inputs: check.inputs.iter().map(named).collect(),
            gather: Gather::default(),
        };
        Some(Box::new(InOrder::plan(plan, ordered)))
    }
}

fn named(input: &InputStream) -> (String, Vec<String>) {
    (input.name.clone(), input.columns.iter().map(|column| column.name.clone()).collect())
}

/// Warns of inputs that no rule looks at.
fn unread(check: &BoltCheck<'_>, rules: &[Rule]) {
    for (at, input) in check.inputs.iter().enumerate() {
        if !rules.iter().any(|rule| rule.input == at) {
            let problem =
                Problem::warning(format!("no rule of `{}` looks at `{}`", check.options.component, input.name));
            check.options.problem(problem.at(check.options.span));
        }
    }
}

/// The main stream, and the same columns again for `.shadow`.
fn outputs(kept: &[CommonColumn], inputs: usize) -> [OutputStream; 2] {
    let kept = kept.iter().map(|common| match common.from[..] {
        [Some(at)] if inputs == 1 => OutputColumn { column: common.column.clone(), source: ColumnSource::Input(at) },
        _ => OutputColumn { column: common.column.clone(), source: ColumnSource::Computed },
    });
    let added = ADDED.iter().enumerate().map(|(at, (name, ty))| {
        let column = Column::new(*name, *ty);
        // Every row has a rule; score and reason may be absent.
        OutputColumn { column: if at == 0 { column.not_null() } else { column }, source: ColumnSource::Computed }
    });
    let main: Vec<OutputColumn> = kept.chain(added).collect();
    let shadow = main.iter().enumerate().map(|(at, output)| OutputColumn {
        column: output.column.clone(),
        source: match output.source {
            ColumnSource::Input(input) => ColumnSource::Input(input),
            _ => ColumnSource::Main(at),
        },
    });
    let shadow = shadow.collect();
    [OutputStream::new("", main), OutputStream::new("shadow", shadow)]
}

struct Plan {
    outputs: [OutputStream; 2],
    kept: Vec<CommonColumn>,
    rules: Vec<Rule>,
    /// Columns of the inputs.
    columns: Vec<Vec<Column>>,
    ttl: i64,
    /// Names of the inputs and of their columns.
    inputs: Vec<(String, Vec<String>)>,
    gather: Gather<Counts>,
}

impl Plan {
    /// The rules with `for` that are not off, each with its streaks.
    fn holding(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.hold.is_some() && rule.mode != Mode::Off)
    }

    /// The rules of an input that wait for a time.
    fn waiting(&self, input: usize) -> impl Iterator<Item = &Rule> {
        self.holding().filter(move |rule| rule.input == input && matches!(rule.hold, Some(Hold::Micros(_))))
    }

    /// The columns of an input that are kept of a row while a rule waits: what its row will be made of.
    fn kept_while_waiting(&self, input: usize) -> Vec<usize> {
        let mut kept: Vec<usize> = Vec::new();
        for rule in self.waiting(input) {
            kept.extend(self.kept.iter().filter_map(|common| common.from[input]));
            if let Score::Computed(score) = &rule.score {
                kept.extend(score.columns());
            }
            kept.extend(rule.reason.iter().flat_map(|reason| reason.columns()));
        }
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// The conditions of the rules of an input that are not off. One that must hold for long is told of every tuple.
    fn conditions(&self, input: usize) -> Conditions {
        let own = self.rules.iter().filter(|rule| rule.input == input && rule.mode != Mode::Off);
        Conditions::new(own.map(|rule| Condition { expr: rule.when.clone(), every: rule.hold.is_some() }))
    }

    /// Makes a rule ready to run.
    fn live(&self, number: usize, slots: &dyn Fn(usize) -> Slot) -> Live {
        let rule = &self.rules[number];
        Live {
            number,
            name: rule.name.clone(),
            hold: rule.hold.map(|hold| (hold::rule_id(&rule.name), hold)),
            score: match &rule.score {
                Score::None => LiveScore::Constant(None),
                Score::Constant(score) => LiveScore::Constant(Some(score.to_bits())),
                Score::Computed(expr) if expr.data_type() == DataType::Bigint => LiveScore::Bigint(expr.compile(slots)),
                Score::Computed(expr) => LiveScore::Double(expr.compile(slots)),
            },
            reason: rule.reason.as_ref().map(|reason| reason.compile(slots)),
            port: u8::from(rule.mode == Mode::Shadow),
        }
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        self.holding().next().is_some()
    }

    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        let mut read: Vec<usize> = Vec::new();
        for rule in self.rules.iter().filter(|r| r.input == input && r.mode != Mode::Off) {
            read.extend(rule.when.iter().flat_map(|e| e.columns()));
            if let Score::Computed(score) = &rule.score {
                read.extend(score.columns());
            }
            read.extend(rule.reason.iter().flat_map(|t| t.columns()));
        }
        if self.kept.iter().any(|common| common.from.len() > 1) {
            read.extend(self.kept.iter().filter_map(|common| common.from[input]));
        }
        read.extend(self.kept_while_waiting(input));
        Some(read)
    }

    fn describe(&self) -> Vec<String> {
        let mut words = vec![format!("{} rules", self.rules.len())];
        for mode in [Mode::Shadow, Mode::Off] {
            let names: Vec<&str> = self.rules.iter().filter(|r| r.mode == mode).map(|r| &*r.name).collect();
            if !names.is_empty() {
                words.push(format!("{}: {}", mode.name(), names.join(", ")));
            }
        }
        for (input, (stream, columns)) in self.inputs.iter().enumerate() {
            let column = |at: usize| match self.inputs.len() {
                1 => columns[at].clone(),
                _ => format!("{stream}.{}", columns[at]),
            };
            words.extend(self.conditions(input).describe(&column));
        }
        let holding: Vec<&str> = self.holding().map(|rule| &*rule.name).collect();
        if !holding.is_empty() {
            words.push(format!("32 bytes for each key and rule with `for` ({})", holding.join(", ")));
        }
        let waiting: usize =
            (0..self.columns.len()).map(|input| self.kept_while_waiting(input).len()).max().unwrap_or(0);
        if waiting > 0 {
            words.push(format!("and {waiting} columns of its last row while a condition waits for its time"));
        }
        words
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let outputs = &build.outputs[0];
        let mut sides: Vec<Side> = Vec::new();
        for (input, slots) in build.inputs.iter().enumerate() {
            let mut side = Side::default();
            for (number, rule) in self.rules.iter().enumerate() {
                if rule.input != input || rule.mode == Mode::Off {
                    continue;
                }
                side.rules.push(self.live(number, &|n| slots[n]));
            }
            side.conditions = self.conditions(input).compile(&|n| slots[n]);
            if side.rules.iter().any(|rule| rule.hold.is_some()) {
                side.key = Some(KeyReader::new(&build.key[input]));
            }
            let kept = self.kept_while_waiting(input).into_iter();
            side.row = KeptRow::new(kept.map(|at| {
                let column = &self.columns[input][at];
                (&*column.name, column.ty, slots[at])
            }));
            if build.inputs.len() > 1 {
                let from = self.kept.iter().map(|common| common.from[input].map(|at| slots[at]));
                side.kept = from.zip(outputs.iter().copied()).collect();
            }
            sides.push(side);
        }
        let at = self.kept.len();
        let added = Added { rule: outputs[at], score: outputs[at + 1], reason: outputs[at + 2] };
        // Without a rule that holds there is nothing to keep.
        let life = match self.holding().next() {
            Some(_) => build.life("streaks", "for how long the conditions of rules hold", self.ttl, 0)?,
            None => None,
        };
        let timers = match (0..build.inputs.len()).any(|input| self.waiting(input).next().is_some()) {
            true => build.life("timers", "when the conditions of rules will have held long enough", i64::MAX, 0)?,
            false => None,
        };
        let states = (AllStreaks::new(self.ttl, life), Timers::new(timers));
        let share = self.gather.join(build.task, build.tasks);
        Ok(Box::new(Task::new(build.name, sides, added, states, Report::new(&self.rules), share)))
    }
}
