//! Kind `generate`: made-up payments or car readings at a fixed rate, for trials, tests and load.
//!
//! Tuple i is a pure function of the seed and i, so the position is a counter and a restart goes on anywhere. With a
//! rate the schedule is open: tuple i is due at i / rate after the start however late the topology is, and its latency
//! counts from then.

mod digits;
mod obd;
mod payments;
mod random;
mod schedule;
mod spout;

#[cfg(test)]
mod tests;

use crate::component::{
    ComponentError, NodeValue, OptionSpec, Options, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan,
};
use crate::problem::Problem;
use crate::time::{MAX_TIMESTAMP, parse_timestamp};
use crate::tuple::{Column, DataType};
use schedule::Rate;
use spout::{Generator, Slice};

/// 2024-01-01 00:00 UTC.
const START: i64 = 1_704_067_200_000_000;
/// Advance of the event time where neither it nor a rate is given, nanoseconds.
const STEP_NS: u64 = 10_000;
const MAX_KEYS: i64 = 1_000_000_000;
const MAX_SPLITS: i64 = 1024;

const PAYMENTS: &str = "payments";
const OBD: &str = "obd";

/// The factory of kind `generate`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generate;

impl SpoutFactory for Generate {
    fn kind(&self) -> &'static str {
        "generate"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["datagen", "generator"]
    }

    fn doc(&self) -> &'static str {
        "makes up card payments or car readings at a fixed rate or as fast as possible"
    }

    fn notes(&self) -> Vec<String> {
        let listed = |columns: Vec<Column>| {
            columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect::<Vec<_>>().join(", ")
        };
        vec![
            format!("Columns of \"payments\": {}.", listed(payments::columns(DataType::Bigint))),
            format!("Columns of \"obd\": {}.", listed(obd::columns(DataType::Bigint))),
            "No column is ever NULL; event time is `ts`. The same options give the same tuples.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
rate  = "100000/s"                 # each has a due time, from which its latency counts
count = 20000

[bolts.out]
kind = "null"
from = "payments"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::required("what", "what is generated: \"payments\" (cards) or \"obd\" (cars)"),
            OptionSpec::optional(
                "rate",
                "how many tuples are due in what time, such as \"100000/s\"; absent: as fast as possible",
            ),
            OptionSpec::optional("count", "how many tuples there are in all; absent: they never end"),
            OptionSpec::optional("seed", "another seed gives other tuples (0)"),
            OptionSpec::optional("event_step", "how far event time advances with each tuple (1 / rate, or \"10us\")"),
            OptionSpec::optional("start", "event time of the first tuple (2024-01-01 00:00:00)"),
            OptionSpec::optional("cards", "payments: how many cards there are (1000000)"),
            OptionSpec::optional("skew", "payments: exponent of Zipf's law for the cards, 0 for all alike (1.0)"),
            OptionSpec::optional(
                "cards_as",
                "payments: type of `card`, \"bigint\" or \"text\" of 16 digits (\"bigint\")",
            ),
            OptionSpec::optional("cars", "cars: how many there are (1000)"),
            OptionSpec::optional("cars_as", "cars: type of `car`, \"bigint\" or \"text\" (\"bigint\")"),
            OptionSpec::optional("splits", "into how many splits the tuples are dealt, for reading in parallel (1)"),
        ];
        OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let what = options.choice("what", &[PAYMENTS, OBD]);
        let source = match what? {
            PAYMENTS => payments(options),
            _ => cars(options),
        };
        let columns = match source.kind {
            Kind::Payments { .. } => payments::columns(source.key_type),
            Kind::Obd { .. } => obd::columns(source.key_type),
        };
        let rate = rate(options);
        let step = match options.duration("event_step") {
            Some(micros) => Rate { tuples: 1, period_ns: (micros as u64).saturating_mul(1000) },
            None => rate.unwrap_or(Rate { tuples: 1, period_ns: STEP_NS }),
        };
        let count = options.integer("count", 0).map(|n| n as u64);
        let start = start(options);
        let last = u128::from(count.unwrap_or(0)) * u128::from(step.period_ns) / u128::from(step.tuples) / 1000;
        if i128::try_from(last).is_ok_and(|last| i128::from(start) + last > i128::from(MAX_TIMESTAMP)) {
            options.problem(
                Problem::error("the event times of all tuples do not fit into the years up to 9999")
                    .at(options.span)
                    .hint("choose a smaller `event_step` or `count`"),
            );
        }
        let seed = options.integer("seed", i64::MIN).unwrap_or(0) as u64;
        let splits = bounded(options, "splits", MAX_SPLITS).unwrap_or(1);
        Some(Box::new(Plan { columns, source, rate, step, count, start, seed, splits }))
    }
}

/// A whole number from 1 to `max`.
fn bounded(options: &Options<'_>, name: &str, max: i64) -> Option<u64> {
    let number = options.integer(name, 1)?;
    if number > max {
        options.wrong(name, options.node(name)?, &format!("a whole number of at most {max}"));
        return None;
    }
    Some(number as u64)
}

fn rate(options: &Options<'_>) -> Option<Rate> {
    let text = options.text("rate")?;
    match Rate::parse(text) {
        Ok(rate) => Some(rate),
        Err(reason) => {
            let span = options.node("rate")?.span;
            options.problem(Problem::error(reason).at(span).label("not a rate"));
            None
        }
    }
}

fn start(options: &Options<'_>) -> i64 {
    let Some(node) = options.node("start") else {
        return START;
    };
    let text = match &node.value {
        NodeValue::Datetime(text) => text,
        NodeValue::Text(text) => &text.text,
        _ => "",
    };
    parse_timestamp(text).unwrap_or_else(|_| {
        options.wrong("start", node, "a timestamp such as \"2024-01-01 00:00:00\"");
        START
    })
}

fn key_type(options: &Options<'_>, name: &str) -> DataType {
    match options.choice(name, &["bigint", "text"]) {
        Some("text") => DataType::Text,
        _ => DataType::Bigint,
    }
}

fn payments(options: &Options<'_>) -> Made {
    refuse(options, PAYMENTS, &["cars", "cars_as"]);
    let cards = bounded(options, "cards", MAX_KEYS).unwrap_or(1_000_000);
    let mut skew = options.number("skew").unwrap_or(1.0);
    if !(0.0..=5.0).contains(&skew) {
        if let Some(node) = options.node("skew") {
            options.wrong("skew", node, "a number from 0 to 5");
        }
        skew = 1.0;
    }
    Made { kind: Kind::Payments { cards, skew }, key_type: key_type(options, "cards_as") }
}

fn cars(options: &Options<'_>) -> Made {
    refuse(options, OBD, &["cards", "skew", "cards_as"]);
    let cars = bounded(options, "cars", MAX_KEYS).unwrap_or(1000);
    Made { kind: Kind::Obd { cars }, key_type: key_type(options, "cars_as") }
}

/// Options that have no meaning for what is generated.
fn refuse(options: &Options<'_>, what: &str, names: &[&str]) {
    for name in names {
        if let Some(node) = options.node(name) {
            let message = format!("`{name}` has no meaning for what = \"{what}\"");
            options.problem(Problem::error(message).at(node.span).label("leave it out"));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Payments { cards: u64, skew: f64 },
    Obd { cars: u64 },
}

/// What is generated.
#[derive(Clone, Copy, Debug)]
struct Made {
    kind: Kind,
    key_type: DataType,
}

struct Plan {
    columns: Vec<Column>,
    source: Made,
    rate: Option<Rate>,
    step: Rate,
    count: Option<u64>,
    start: i64,
    seed: u64,
    splits: u64,
}

impl Plan {
    fn slice(&self, build: &SpoutBuild<'_>) -> Result<Slice, ComponentError> {
        let number = build.split.parse::<u64>().ok().filter(|n| *n < self.splits).ok_or_else(|| {
            ComponentError::new(format!(
                "spout `{}` has {} splits and no split `{}`; it was read with other `splits`",
                build.name, self.splits, build.split
            ))
        })?;
        // Split s has the tuples s, s + n, s + 2 n, ...
        let end = match self.count {
            Some(count) => count.saturating_sub(number).div_ceil(self.splits),
            None => u64::MAX / self.splits,
        };
        if build.position > end {
            return Err(ComponentError::new(format!(
                "position {} of spout `{}` lies behind its end, which is {end}; was `count` made smaller?",
                build.position, build.name
            )));
        }
        Ok(Slice {
            split_id: build.split_id,
            number,
            of: self.splits,
            position: build.position,
            end,
            rate: self.rate,
            step: self.step,
            start: self.start,
        })
    }
}

impl SpoutPlan for Plan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.is("ts"))
    }

    fn finite(&self) -> bool {
        self.count.is_some()
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        // As many digits as the last has: the order of names is that of numbers.
        let digits = (self.splits - 1).to_string().len();
        Ok((0..self.splits).map(|n| format!("{n:0digits$}")).collect())
    }

    fn describe(&self) -> Vec<String> {
        let what = match self.source.kind {
            Kind::Payments { cards, skew } => format!("payments of {cards} cards, Zipf with exponent {skew}"),
            Kind::Obd { cars } => format!("OBD-II readings of {cars} cars in turn"),
        };
        let rate = match self.rate {
            Some(rate) => format!("{}/s, due on schedule", rate.tuples as f64 * 1e9 / rate.period_ns as f64),
            None => "as fast as possible".to_owned(),
        };
        vec![what, rate]
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        let slice = self.slice(build)?;
        let text = self.source.key_type == DataType::Text;
        Ok(match self.source.kind {
            Kind::Payments { cards, skew } => {
                let tables = payments::Tables::new(cards, skew);
                let source = payments::Payments::new(self.seed, cards, text, tables);
                Box::new(Generator::new(source, build.columns, slice))
            }
            Kind::Obd { cars } => {
                let source = obd::Obd { seed: self.seed, cars, car_text: text, tables: obd::Tables::new() };
                Box::new(Generator::new(source, build.columns, slice))
            }
        })
    }
}
