//! `filter`: passes the rows for which `where` is true.
//!
//! `where` is applied by the runtime, as for every bolt; what makes this kind a filter is its second stream, to which
//! the runtime sends what `where` refuses.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, Flow, OptionSpec, OutputColumn,
    OutputStream, Step,
};
use crate::problem::Problem;
use crate::tuple::Frame;

/// The kind `filter`.
pub struct Filter;

impl BoltFactory for Filter {
    fn kind(&self) -> &'static str {
        "filter"
    }

    fn doc(&self) -> &'static str {
        "passes the rows for which `where` is true; the others leave on `.rejected`"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "It needs `where`. A row for which the condition is false or NULL leaves on `.rejected`, unchanged."
                .to_owned(),
            "Many filters on one stream cost little more than few where they compare a column with constants and nobody reads their `.rejected`: `sferic explain` says which are found by an index."
                .to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.large]
kind  = "filter"
from  = "payments"
where = "amount > 500 and country <> home"

[bolts.out]
kind  = "console"
from  = "large"
limit = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        if !check.options.has("where") {
            let problem = Problem::error(format!("`{}` is a filter without `where`", check.options.component));
            check.options.problem(
                problem
                    .at(check.options.span)
                    .label("needs a condition")
                    .hint("say which rows pass: where = \"amount > 500\""),
            );
        }
        let columns: Vec<OutputColumn> = check.inputs.first()?.columns.iter().enumerate().map(passed).collect();
        let outputs = ["", "rejected"].map(|suffix| OutputStream::new(suffix, columns.clone()));
        Some(Box::new(FilterPlan { outputs }))
    }
}

fn passed((index, column): (usize, &crate::tuple::Column)) -> OutputColumn {
    OutputColumn { column: column.clone(), source: ColumnSource::Input(index) }
}

struct FilterPlan {
    outputs: [OutputStream; 2],
}

impl BoltPlan for FilterPlan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(Vec::new())
    }

    fn build(&self, _build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(Pass))
    }
}

struct Pass;

impl Bolt for Pass {
    fn step(&mut self, _input: usize, _frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        Flow::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::Rig;
    use crate::tuple::{DataType, Value};

    #[test]
    fn a_filter_needs_a_condition_and_copies_nothing() {
        let rig = Rig::new(&[("s", &[("id", DataType::Text)])]);
        let problems = rig.problems(&Filter, "");
        assert!(problems.len() == 1 && problems[0].contains("without `where`"), "{problems:?}");
        let mut driver = rig.driver(&Filter, "where = 'id is not null'");
        assert_eq!(
            driver.outputs(),
            [("".to_owned(), "id text".to_owned()), ("rejected".to_owned(), "id text".to_owned())]
        );
        assert_eq!(driver.feed(0, 0, &[Value::Text("a".to_owned())]), ["main: a"]);
    }
}
