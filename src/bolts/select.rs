//! `select`: keeps columns and adds computed ones.
//!
//! Nothing but `keep` and `add` ([`super::adds`]), which other kinds have too.

use super::adds::{Adds, Computing};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, OptionSpec, OutputStream, Step,
};
use crate::tuple::Frame;

/// The kind `select`.
pub struct Select;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("keep", "columns that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression\"; they may use each other in any order"),
    OptionSpec::optional("having", "condition on the output row"),
];

impl BoltFactory for Select {
    fn kind(&self) -> &'static str {
        "select"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["map", "project", "transform", "union"]
    }

    fn doc(&self) -> &'static str {
        "keeps columns and adds computed ones, one row for each row"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "With several streams in `from` it unites them to one, by column name: `from = [\"a\", \"b\"]` alone is a union. `fill = \"null\"` makes a column that one of them lacks NULL there; another type in one of them is an error.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.cents]
kind = "select"
from = "payments"
keep = ["id", "card"]
add.cents  = "round(amount * 100)::bigint"
add.abroad = "country <> home"
having     = "cents > 0"           # a condition on the output row

[bolts.out]
kind  = "console"
from  = "cents"
limit = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let adds = Adds::check(check, &[])?;
        Some(Box::new(Plan { outputs: [OutputStream::new("", adds.columns.clone())], adds }))
    }
}

struct Plan {
    outputs: [OutputStream; 1],
    adds: Adds,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(self.adds.reads())
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(Task(self.adds.compile(&build.inputs[0], &[], &build.outputs[0]))))
    }
}

struct Task(Computing);

impl Bolt for Task {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        if self.0.run(frame, step) { Flow::Next } else { Flow::Error }
    }
}

#[cfg(test)]
mod tests;
