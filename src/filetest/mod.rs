//! Tests in topology files: rows are fed to streams on a virtual clock, and what leaves is compared.
//!
//! Each test runs the real topology (planned for one executor, without threads) in which spouts are feeds and sinks are
//! silent. Owns the feeds, the taps on the expected streams, the comparison and its words. Never touches the outside.

mod compare;
mod feed;
mod rows;
mod tap;

use crate::component::{ComponentError, InputStream, Keyed};
use crate::config::{Checked, CheckedBolt, Edge, Owner, StreamId, TestModel};
use crate::executor::{Control, Executor, Progress, Wait};
use crate::time::{Clock, ManualClock};
use crate::topology::{self, CoreBudget, Entry, Parts};
use compare::Difference;
use std::sync::Arc;

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The test's name.
    pub name: String,
    /// Differences, each in words; none: it passed.
    pub differences: Vec<String>,
}

/// Steps after which a test that never comes to rest is given up.
const STEPS_MAX: usize = 1_000_000;

/// Runs one test of a topology. Puts the test's rows into the reference tables of `checked` and leaves them there.
///
/// # Errors
/// The topology cannot be assembled.
pub fn run(checked: &Checked, test: &TestModel) -> Result<Outcome, ComponentError> {
    let mut differences = Vec::new();
    for (table, _) in &checked.tables {
        let given = test.tables.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, rows)| rows);
        table.replace(given.iter().map(|row| rows::table_row(&table.columns, row, test.start)).collect());
    }
    let (topology, taps) = with_taps(checked, test);
    let fed = fed_streams(checked, test);
    let feeds: Vec<feed::Feed> = fed.iter().map(|stream| feed::Feed::new(checked, *stream)).collect();
    let entries: Vec<Entry> = feeds.iter().map(feed::Feed::entry).collect();
    let clock = ManualClock::at(test.start);
    let mut executor = assemble(&topology, &entries, &clock)?;
    for row in &test.given {
        let now = test.start.saturating_add(row.at);
        go_on(&mut executor, &clock, now, STEPS_MAX)?;
        let Some((name, cells)) = &row.row else { continue };
        let Some(at) = fed.iter().position(|s| checked.streams[*s].name == *name) else { continue };
        match rows::given(checked, fed[at], test, cells, now) {
            Ok(values) => feeds[at].push(values, now),
            Err(message) => differences.push(message),
        }
        settle(&mut executor, STEPS_MAX)?;
    }
    let mut found = compare::compare(checked, test, &taps);
    if found.iter().any(|difference| difference.missing.is_some()) {
        find_later(&mut found, checked, test, &taps, |now| go_on(&mut executor, &clock, now, LATER_STEPS).is_ok());
    }
    differences.extend(found.into_iter().map(|difference| difference.text));
    Ok(Outcome { name: test.name.clone(), differences })
}

/// Time moves on to `now`, and what follows from that happens.
fn go_on(executor: &mut Executor, clock: &ManualClock, now: i64, steps: usize) -> Result<(), ComponentError> {
    clock.set(now);
    executor.pipelines.iter_mut().for_each(|pipeline| pipeline.advance(now));
    settle(executor, steps)
}

/// How much later than the last row of a test it is looked for rows that are missing: seconds.
const LATER: [i64; 9] = [1, 10, 60, 600, 3600, 6 * 3600, 86_400, 6 * 86_400, 31 * 86_400];
/// Steps after which it is looked for them no more: some windows emit for ever.
const LATER_STEPS: usize = 10_000;

/// A row that is missing may only wait for time to go on, as a window does that closes later: then that is said. `go_on`
/// moves time; false: the topology does not come to rest, and nothing more is known.
fn find_later(
    found: &mut [Difference],
    checked: &Checked,
    test: &TestModel,
    taps: &[(StreamId, tap::Rows)],
    mut go_on: impl FnMut(i64) -> bool,
) {
    let end = test.given.iter().map(|row| row.at).max().unwrap_or(0);
    for seconds in LATER {
        let at = end.saturating_add(seconds * 1_000_000);
        if !go_on(test.start.saturating_add(at)) {
            return;
        }
        let still: Vec<Difference> = compare::compare(checked, test, taps);
        for difference in found.iter_mut() {
            let Some(number) = difference.missing else { continue };
            if still.iter().all(|other| other.missing != Some(number)) {
                let at = compare::length(at);
                difference
                    .text
                    .push_str(&format!("\n    it leaves when time has gone on: end `given` with {{ at = \"{at}\" }}"));
                difference.missing = None;
            }
        }
    }
}

fn assemble(checked: &Checked, entries: &[Entry], clock: &ManualClock) -> Result<Executor, ComponentError> {
    let plan = topology::plan(checked, entries, &CoreBudget::unpinned(1));
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let control = Arc::new(Control::default());
    let parts = Parts {
        checked,
        entries,
        clock,
        control,
        wait: Wait::Yield,
        ring_capacity_tuples: checked.runtime.ring_capacity_tuples,
        sample: 0,
        space: None,
        letters: None,
    };
    let mut executors = topology::assemble(&plan, &parts)?;
    Ok(executors.remove(0))
}

fn settle(executor: &mut Executor, steps: usize) -> Result<(), ComponentError> {
    let mut rest = 0;
    for _ in 0..steps {
        match executor.step()? {
            Progress::Some => rest = 0,
            // Two empty steps in a row: what one pipeline published in the first, another could have read by now.
            _ if rest == 1 => return Ok(()),
            _ => rest = 1,
        }
    }
    Err(ComponentError::new(format!("the test does not come to rest after {steps} steps")))
}

/// The streams that a test feeds, each once.
fn fed_streams(checked: &Checked, test: &TestModel) -> Vec<StreamId> {
    let mut fed: Vec<StreamId> = Vec::new();
    // Every spout has a feed, so that each holds time back and lets it go like the real one.
    for spout in &checked.spouts {
        fed.extend(spout.outputs.first());
    }
    for (name, _) in test.given.iter().filter_map(|g| g.row.as_ref()) {
        let stream = checked.streams.iter().position(|s| s.name == *name);
        fed.extend(stream.filter(|s| !fed.contains(s)));
    }
    fed
}

/// The topology with silent sinks and a tap on each stream that the test names.
fn with_taps(checked: &Checked, test: &TestModel) -> (Checked, Vec<(StreamId, tap::Rows)>) {
    let mut topology = checked.clone();
    for bolt in &mut topology.bolts {
        if bolt.plan.outputs().is_empty() {
            bolt.plan = Arc::new(tap::Silent);
        }
    }
    let mut taps = Vec::new();
    let names = test.expect.iter().map(|e| &e.stream).chain(test.expect_none.iter().map(|(name, _)| name));
    for name in names {
        let Some(stream) = checked.streams.iter().position(|s| s.name == *name) else { continue };
        if taps.iter().any(|(known, _)| *known == stream) {
            continue;
        }
        let rows = tap::Rows::default();
        topology.bolts.push(tap_bolt(checked, stream, topology.bolts.len(), rows.clone(), &mut topology.streams));
        taps.push((stream, rows));
    }
    (topology, taps)
}

fn tap_bolt(
    checked: &Checked,
    stream: StreamId,
    number: usize,
    rows: tap::Rows,
    streams: &mut Vec<crate::config::Stream>,
) -> CheckedBolt {
    let columns: Vec<_> = checked.streams[stream].columns.iter().map(|c| c.column.clone()).collect();
    let errors = checked.bolts.first().and_then(|b| b.outputs.last()).copied().unwrap_or(stream);
    let mut own = checked.streams[errors].clone();
    own.owner = Owner::Bolt(number);
    own.port = 0;
    streams.push(own);
    CheckedBolt {
        id: format!("tap of {}", checked.streams[stream].name),
        place: usize::MAX,
        kind: "tap".to_owned(),
        plan: Arc::new(tap::Tap::new(columns.iter().map(|c| c.ty).collect(), rows)),
        edges: vec![Edge { stream, grouping: None, columns: (0..columns.len()).map(Some).collect() }],
        united: true,
        inputs: vec![InputStream { name: checked.streams[stream].name.clone(), columns, disorder: 0 }],
        key: vec![Vec::new()],
        filter: vec![None],
        having: None,
        keyed: Keyed::Global,
        tasks: None,
        outputs: vec![streams.len() - 1],
    }
}
