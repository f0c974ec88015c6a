//! `throttle` and `dedupe`: let through so many rows of a key in a time.
//!
//! Both keep event times only. A row that comes exactly `per` after another no longer counts it. Time does not go back
//! within a key: a row that is older than the newest that counts is measured by its distance, which is then negative.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, Flow, Keyed, OptionSpec,
    OutputColumn, OutputStream, Step,
};
use crate::problem::Problem;
use crate::store::{self, KeyReader, State};
use crate::tuple::Frame;
use std::collections::VecDeque;

/// Expired keys are looked for at so many places a tuple.
const SWEEP: usize = 2;

/// The kind `throttle`.
pub struct Throttle;

/// The kind `dedupe`.
pub struct Dedupe;

impl BoltFactory for Throttle {
    fn kind(&self) -> &'static str {
        "throttle"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["rate_limit", "suppress"]
    }

    fn doc(&self) -> &'static str {
        "passes at most `limit` rows of a key in `per`; the others leave on `.rejected`"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "A row passes when fewer than `limit` rows of its key have passed in the last `per` of event time; one that comes exactly `per` later passes. Rows that do not pass leave on `.rejected`, with all columns of the input.".to_owned(),
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
where = "amount > 100"

[bolts.alerts]                     # at most two alerts for a card in ten minutes
kind  = "throttle"
from  = "large"
key   = "card"
limit = 2
per   = "10m"

[bolts.out]
kind = "null"
from = ["alerts", "alerts.rejected"]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::required("limit", "how many rows of a key may pass in `per`"),
            OptionSpec::required("per", "in what span of event time, such as \"1h\""),
        ];
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let limit = check.options.integer("limit", 1);
        let per = per(check);
        plan(check, usize::try_from(limit?).unwrap_or(usize::MAX), per?, false)
    }
}

impl BoltFactory for Dedupe {
    fn kind(&self) -> &'static str {
        "dedupe"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["deduplicate", "distinct", "unique"]
    }

    fn doc(&self) -> &'static str {
        "passes a row when none of its key came in the last `per`; the others leave on `.rejected`"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Rows that did not pass count as well: of rows that keep coming, only the first passes. Rows that do not pass leave on `.rejected`, with all columns of the input.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.once]                       # a card that has been silent for a minute
kind = "dedupe"
from = "payments"
key  = "card"
per  = "60s"

[bolts.out]
kind = "null"
from = "once"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] =
            &[OptionSpec::required("per", "for how long none of its key must have come, such as \"10m\"")];
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Optional
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        plan(check, 1, per(check)?, true)
    }
}

fn per(check: &BoltCheck<'_>) -> Option<i64> {
    let per = check.options.duration("per")?;
    if per > 0 {
        return Some(per);
    }
    let problem = Problem::error(format!("`per` of `{}` must be longer than zero", check.options.component));
    check.options.problem(problem.at(check.options.node("per")?.span).label("must be longer than zero"));
    None
}

fn plan(check: &BoltCheck<'_>, limit: usize, per: i64, every: bool) -> Option<Box<dyn BoltPlan>> {
    let columns = check.inputs.first()?.columns.iter().enumerate();
    let columns = columns.map(|(at, c)| OutputColumn { column: c.clone(), source: ColumnSource::Input(at) });
    let columns: Vec<OutputColumn> = columns.collect();
    let outputs = ["", "rejected"].map(|suffix| OutputStream::new(suffix, columns.clone()));
    Some(Box::new(Plan { outputs, limit, per, every }))
}

struct Plan {
    outputs: [OutputStream; 2],
    limit: usize,
    per: i64,
    /// Whether rows that do not pass count too.
    every: bool,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn stateful(&self) -> bool {
        true
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        Some(Vec::new())
    }

    fn describe(&self) -> Vec<String> {
        let what = if self.every { "rows" } else { "rows that passed" };
        let mut per = String::new();
        crate::time::format_interval(self.per, &mut per);
        vec![format!("passes fewer than {} {what} of a key in {per}; keeps their times, freed after that", self.limit)]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let key = KeyReader::new(build.key.first().map_or(&[], |key| key));
        // A key whose newest time is `per` ago no longer matters.
        let fingerprint = format!("times of the last {} rows in {} us", self.limit, self.per);
        let state = store::Keyed::new(self.per, build.life("times", &fingerprint, self.per, 0)?);
        Ok(Box::new(Task { key, state, limit: self.limit, per: self.per, every: self.every }))
    }
}

struct Task {
    key: KeyReader,
    /// Times of the rows that count, in order of arrival, at most `limit`.
    state: store::Keyed<VecDeque<i64>>,
    limit: usize,
    per: i64,
    every: bool,
}

impl Bolt for Task {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let time = frame.time();
        self.state.sweep(step.watermark, SWEEP);
        let Some(key) = self.key.read(frame) else {
            return step.error("null_key", "a column of the key is NULL");
        };
        let times = self.state.at(key, time);
        while times.front().is_some_and(|first| time.saturating_sub(*first) >= self.per) {
            times.pop_front();
        }
        let passes = times.len() < self.limit;
        if self.every && !passes {
            // The newest alone matters.
            if let Some(newest) = times.back_mut() {
                *newest = time.max(*newest);
            }
        }
        if passes {
            // In order of time: the row that leaves first stands first.
            let at = times.partition_point(|known| *known <= time);
            times.insert(at, time);
        }
        if passes { Flow::Next } else { Flow::Port(1) }
    }

    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::Rig;
    use crate::tuple::{DataType, Value};

    fn passes(factory: &dyn BoltFactory, toml: &str, times: &[i64]) -> Vec<bool> {
        let mut driver = Rig::new(&[("s", &[("k", DataType::Text)])]).driver(factory, toml);
        let mut feed = |time: &i64| driver.feed(0, *time, &[Value::Text("a".to_owned())]) == ["main: a"];
        times.iter().map(&mut feed).collect()
    }

    #[test]
    fn a_throttle_counts_the_rows_that_passed() {
        let times = [0, 1, 2, 10, 11, 12];
        let got = passes(&Throttle, "key = 'k'\nlimit = 2\nper = '10us'", &times);
        assert_eq!(got, [true, true, false, true, true, false]);
    }

    #[test]
    fn dedupe_counts_every_row() {
        let got = passes(&Dedupe, "key = 'k'\nper = '10us'", &[0, 9, 18, 17, 28, 29]);
        assert_eq!(got, [true, false, false, false, true, false]);
    }
}
