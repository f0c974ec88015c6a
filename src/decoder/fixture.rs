//! For tests: options from TOML, and spouts run to their end.

use super::{DecoderCheck, DecoderPlan, Feed, Pace, Read, Source};
use crate::component::{ComponentError, Intake, Key, Node, NodeValue, Options, Polled, Reject, Spout, Table, TextNode};
use crate::expr::Environment;
use crate::problem::{Problem, Problems, Span};
use crate::tuple::{Column, Layout, Run, Slot, Value};

/// A component's table from TOML.
pub(crate) fn table(text: &str) -> Table {
    let parsed: toml::Table = text.parse().unwrap();
    as_table(parsed)
}

fn as_table(table: toml::Table) -> Table {
    let entries = table.into_iter().map(|(name, value)| (Key { name, span: Span::default() }, node(value)));
    Table { entries: entries.collect() }
}

fn node(value: toml::Value) -> Node {
    let value = match value {
        toml::Value::String(text) => NodeValue::Text(TextNode { text, start: None }),
        toml::Value::Integer(i) => NodeValue::Integer(i),
        toml::Value::Float(f) => NodeValue::Float(f),
        toml::Value::Boolean(b) => NodeValue::Boolean(b),
        toml::Value::Datetime(d) => NodeValue::Datetime(d.to_string()),
        toml::Value::Array(a) => NodeValue::Array(a.into_iter().map(node).collect()),
        toml::Value::Table(t) => NodeValue::Table(as_table(t)),
    };
    Node { span: Span::default(), value }
}

/// Runs a check over options from TOML; what it gives, and the problems.
pub(crate) fn checked<T>(text: &str, check: impl FnOnce(Options<'_>, &Environment) -> T) -> (T, Vec<Problem>) {
    let (table, problems) = (table(text), Problems::new());
    let options = Options { component: "spouts.s", span: Span::default(), table: &table, problems: &problems };
    let made = check(options, &Environment::default());
    (made, problems.into_sorted())
}

/// The decoder's plan, or the problems where there is an error.
pub(crate) fn plan(text: &str) -> Result<DecoderPlan, Vec<Problem>> {
    let (plan, problems) = checked(text, |options, environment| {
        DecoderPlan::check(&DecoderCheck { name: "s", options, environment, header: &|_| None })
    });
    let wrong = problems.iter().any(|p| p.severity == crate::problem::Severity::Error);
    plan.filter(|_| !wrong).ok_or(problems)
}

/// Slots of columns that stand alone in a layout.
pub(crate) fn slots(columns: &[Column]) -> (Layout, Vec<Slot>) {
    let layout = Layout::new(columns.len());
    (layout, (0..columns.len()).map(|n| layout.slot(n)).collect())
}

/// Bytes that come in pieces.
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Vec<u8>>,
}

impl Source for Pieces {
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        let Some(piece) = self.pieces.first_mut() else { return Ok(Read::End) };
        let n = piece.len().min(into.len());
        into[..n].copy_from_slice(&piece[..n]);
        piece.drain(..n);
        if piece.is_empty() {
            self.pieces.remove(0);
        }
        Ok(if n == 0 { Read::Wait } else { Read::Bytes(n) })
    }
}

/// `bytes` cut at the given places.
pub(crate) fn cut(bytes: &[u8], places: &[usize]) -> Box<Pieces> {
    let mut places: Vec<usize> = places.iter().map(|p| p % (bytes.len() + 1)).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut from = 0;
    let pieces = places.into_iter().map(|to| bytes[std::mem::replace(&mut from, to)..to].to_vec());
    Box::new(Pieces { pieces: pieces.collect() })
}

/// All that a spout gave.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct All {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) positions: Vec<u64>,
    pub(crate) times: Vec<i64>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) failure: Option<String>,
    /// Position after each poll, and rows until then.
    pub(crate) stops: Vec<(u64, usize)>,
}

/// Polls a spout until it ends, or `waits` times in a row without anything.
pub(crate) fn run(spout: &mut dyn Spout, columns: &[Column], waits: usize) -> All {
    let (layout, slots) = slots(columns);
    let mut run = Run::new(layout);
    let mut all = All::default();
    let mut waited = 0;
    while waited <= waits {
        run.clear();
        let rejects = all.rejects.len();
        let mut intake = Intake { run: &mut run, rejects: &mut all.rejects, now: 0, wall: 7 };
        let polled = spout.poll(&mut intake);
        for frame in (0..run.len()).map(|n| run.frame(n)) {
            all.rows.push(slots.iter().zip(columns).map(|(s, c)| Value::from_slot(frame, *s, c.ty)).collect());
            all.positions.push(frame.position());
            all.times.push(frame.time());
        }
        assert!(all.rejects.len() - rejects <= crate::tuple::RUN_TUPLES);
        match polled {
            Ok(Polled::Some) => waited = 0,
            // It says itself that there will be more.
            Ok(Polled::Nothing(Some(_))) => std::thread::yield_now(),
            Ok(Polled::Nothing(None)) => waited += 1,
            Ok(Polled::End) => return all,
            Err(failure) => {
                all.failure = Some(failure.message);
                return all;
            }
        }
        all.stops.push((spout.position(), all.rows.len()));
    }
    all
}

/// Decodes bytes that come in pieces.
pub(crate) fn decode(plan: &DecoderPlan, bytes: &[u8], places: &[usize]) -> All {
    let decoder = plan.decoder(&slots(plan.columns()).1, "in", 3);
    let mut feed = Feed::new("in", cut(bytes, places), 0, decoder, Pace::Max);
    run(&mut feed, plan.columns(), places.len() + 2)
}
