//! What a run has to report, as plain data that the runtime fills.

use super::histogram::Summary;
use super::jitter::Jitter;
use super::objective::Verdict;
use super::recorder::{Recorder, Windows};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The report of a run. [`Report::render`] is for people, [`Report::to_json`] for machines.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Name of the topology.
    pub topology: String,
    /// Why the run ended, in words: `end of input`, `stopped`, or what went wrong.
    pub ended: String,
    /// How long it ran, nanoseconds.
    pub elapsed_ns: u64,
    /// What it ran on.
    pub machine: Machine,
    /// Spouts in the order of the file.
    pub spouts: Vec<SpoutReport>,
    /// Bolts in the order of the file, sinks included.
    pub components: Vec<ComponentReport>,
    /// Sinks in the order of the file.
    pub sinks: Vec<SinkReport>,
    /// Latency of every tuple, from its due time to the end of its way through a pipeline.
    pub decided: LatencyReport,
    /// Channels between executors.
    pub channels: Vec<ChannelReport>,
    /// Executors.
    pub executors: Vec<ExecutorReport>,
    /// The machine's own stalls, where they were measured.
    pub jitter: Option<Jitter>,
    /// What bolts have to show.
    pub sections: Vec<SectionReport>,
}

/// The machine, as far as it matters for a latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// Model of the processor; empty if unknown.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Where the time comes from: `tsc`, ...
    pub clock: String,
}

impl Machine {
    /// This machine, read from the operating system.
    pub fn here(clock: impl Into<String>) -> Machine {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let cpu = model.trim_start_matches(|c: char| c.is_whitespace() || c == ':').trim_end().to_owned();
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        Machine { cpu, cores, clock: clock.into() }
    }
}

/// Latency of the whole run and of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencyReport {
    /// Of all tuples.
    pub all: Summary,
    /// Of windows of 50 ms.
    pub windows: Windows,
}

impl From<&Recorder> for LatencyReport {
    fn from(recorder: &Recorder) -> LatencyReport {
        LatencyReport { all: recorder.summary(), windows: recorder.windows() }
    }
}

/// One executor.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExecutorReport {
    /// Its number.
    pub index: usize,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// How it waits.
    pub wait: String,
    /// Steps that did something.
    pub steps: u64,
    /// The longest step, nanoseconds.
    pub longest_step_ns: u64,
    /// Steps of more than a millisecond.
    pub stalls: u64,
    /// Share of the time in which it worked, 0 to 1.
    pub busy_share: f64,
}

/// One spout, all its splits together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpoutReport {
    /// The user's id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Splits read.
    pub splits: usize,
    /// Records read.
    pub records: u64,
    /// Tuples made of them.
    pub tuples: u64,
    /// Records that the spout's `where` refused.
    pub filtered: u64,
    /// Records that became no tuple, by reason.
    #[serde(serialize_with = "as_map")]
    pub errors: Vec<(String, u64)>,
    /// Time to read and decode, for each tuple, by samples.
    pub service: Summary,
}

/// One bolt, all its tasks together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ComponentReport {
    /// The user's id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Number of tasks.
    pub tasks: usize,
    /// Tuples that came in.
    pub tuples_in: u64,
    /// Rows it made of its own accord: answers of many rows, timers.
    pub rows: u64,
    /// Tuples that `where` refused.
    pub filtered: u64,
    /// Tuples that ended here as its work demands: what a filter refused, an aggregate only counted, a sink took.
    pub skipped: u64,
    /// Tuples that were answered with rows of their own.
    pub expanded: u64,
    /// Output rows that `having` refused.
    pub refused: u64,
    /// Tuples and rows that failed, by reason.
    #[serde(serialize_with = "as_map")]
    pub errors: Vec<(String, u64)>,
    /// Tuples that left, by stream; without `errors`.
    #[serde(serialize_with = "as_map")]
    pub out: Vec<(String, u64)>,
    /// Time it took for a tuple, by samples.
    pub service: Summary,
}

impl ComponentReport {
    /// Tuples that failed.
    pub fn failed(&self) -> u64 {
        total(&self.errors)
    }

    /// Tuples that left on all streams but `errors`.
    pub fn tuples_out(&self) -> u64 {
        total(&self.out)
    }

    /// What came in or was made here, and what is accounted for. They are equal when the books balance.
    pub fn books(&self) -> (u64, u64) {
        let accounted = self.filtered + self.skipped + self.expanded + self.refused + self.failed() + self.tuples_out();
        (self.tuples_in + self.rows, accounted)
    }

    /// Whether every tuple is accounted for.
    pub fn balances(&self) -> bool {
        let (came, accounted) = self.books();
        came == accounted
    }
}

/// One channel between two executors.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChannelReport {
    /// Who writes: a component, with its executor where that tells them apart.
    pub from: String,
    /// Who reads.
    pub to: String,
    /// Tuples it holds at most.
    pub capacity: usize,
    /// Tuples that went through.
    pub tuples: u64,
    /// Time in the channel, by samples.
    pub wait: Summary,
    /// How often it was full, so that its writer had to wait.
    pub full: u64,
}

/// One sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SinkReport {
    /// The user's id.
    pub id: String,
    /// Rows that reached it.
    pub rows: u64,
    /// Their latency, from the due time of the tuple that caused them.
    pub latency: LatencyReport,
    /// Its objectives.
    pub verdicts: Vec<Verdict>,
}

/// What a bolt has to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SectionReport {
    /// Its title.
    pub title: String,
    /// For people; printed as it is.
    #[serde(skip)]
    pub text: String,
    /// The same for machines.
    pub value: serde_json::Value,
}

impl Report {
    /// The report for machines: all of it, and `balanced`, `objectives_missed`, `errors`, `records`.
    pub fn to_json(&self) -> serde_json::Value {
        // Strings, numbers and lists only: nothing in it that JSON could not express.
        let mut json = serde_json::to_value(self).expect("a report is plain data");
        json["balanced"] = self.components.iter().all(ComponentReport::balances).into();
        json["objectives_missed"] = self.missed().count().into();
        json["errors"] = self.errors().into();
        json["records"] = self.records().into();
        json
    }

    /// Records read by all spouts.
    pub fn records(&self) -> u64 {
        self.spouts.iter().map(|s| s.records).sum()
    }

    /// Records and tuples that failed, everywhere.
    pub fn errors(&self) -> u64 {
        let spouts: u64 = self.spouts.iter().map(|s| total(&s.errors)).sum();
        spouts + self.components.iter().map(ComponentReport::failed).sum::<u64>()
    }

    /// The objectives that were missed, with their sinks.
    pub fn missed(&self) -> impl Iterator<Item = (&SinkReport, &Verdict)> {
        self.sinks.iter().flat_map(|s| s.verdicts.iter().filter(|v| !v.met).map(move |v| (s, v)))
    }
}

/// The sum of counts.
pub(super) fn total(counts: &[(String, u64)]) -> u64 {
    counts.iter().map(|(_, n)| n).sum()
}

fn as_map<S: Serializer>(counts: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(counts.len()))?;
    for (name, count) in counts {
        map.serialize_entry(name, count)?;
    }
    map.end()
}
