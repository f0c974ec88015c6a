//! A checked topology: what the graph and the plan are made from.

use crate::component::{BoltPlan, OutputColumn, SpoutPlan, TablePlan};
use crate::dead;
use crate::expr::{Environment, Expr, ReferenceTable};
use crate::log::Retention;
use std::sync::Arc;

/// A topology without errors. Components stand in an order in which each comes after what it reads.
#[derive(Clone)]
pub struct Checked {
    /// `name` of the root file, else the file's stem.
    pub name: String,
    /// `[runtime]`.
    pub runtime: Runtime,
    /// Parameters and (still empty) reference tables.
    pub environment: Arc<Environment>,
    /// Reference tables and where their rows come from; the same `Arc`s as in the environment.
    pub tables: Vec<(Arc<ReferenceTable>, Arc<dyn TablePlan>)>,
    /// Spouts.
    pub spouts: Vec<CheckedSpout>,
    /// Bolts.
    pub bolts: Vec<CheckedBolt>,
    /// All streams; a [`StreamId`] is an index.
    pub streams: Vec<Stream>,
    /// `[latency]`: sink and objective.
    pub objectives: Vec<Objective>,
    /// `[[tests]]`.
    pub tests: Vec<super::TestModel>,
}

impl Checked {
    /// The streams that nobody reads and whose tuples are not to be lost: `errors` and `late`.
    pub fn unread(&self) -> impl Iterator<Item = &Stream> {
        let read = |id: StreamId| self.bolts.iter().flat_map(|bolt| &bolt.edges).any(|edge| edge.stream == id);
        let kept = |name: &str| matches!(name.rsplit_once('.'), Some((_, "errors" | dead::LATE)));
        self.streams.iter().enumerate().filter(move |(id, s)| kept(&s.name) && !read(*id)).map(|(_, stream)| stream)
    }
}

/// `[runtime]`, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    /// Executors; none: cores - 1, at least 1.
    pub threads: Option<usize>,
    /// The cores to pin to, in the order of executors; none: chosen from the process's set.
    pub cores: Option<Vec<usize>>,
    /// Whether executors are pinned (true by default).
    pub pin: bool,
    /// How an executor waits when there is nothing to do.
    pub wait: Wait,
    /// Length of an epoch, microseconds.
    pub commit: i64,
    /// Where state, tables and topics are kept; none: state lives in memory only.
    pub data_dir: Option<std::path::PathBuf>,
    /// The topic of dead letters; none: what fails and nobody reads is counted only. Without a data directory it has no
    /// meaning.
    pub dead_letters: Option<DeadLetters>,
    /// Memory for keyed state of all tasks together, bytes.
    pub state_memory_bytes: u64,
    /// Tuples a channel holds (1024 by default).
    pub ring_capacity_tuples: usize,
    /// Of how many tuples one has its service and wait times measured (128 by default).
    pub sample: u32,
}

/// What becomes of errors and late rows that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// The topic.
    pub topic: String,
    /// How long, and how much of it, is kept: when the topic is made.
    pub retention: Retention,
}

/// How an executor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Spins.
    Spin,
    /// Yields to the scheduler.
    Yield,
    /// Parks until woken.
    Park,
    /// Spins, then yields, then parks.
    Adaptive,
}

/// Index of a stream in [`Checked::streams`].
pub type StreamId = usize;

/// A stream: the output of one component.
#[derive(Clone, Debug)]
pub struct Stream {
    /// `id` or `id.side`.
    pub name: String,
    /// Who emits it.
    pub owner: Owner,
    /// Index among the owner's outputs; the bolt's or spout's declared outputs first, then `errors`.
    pub port: usize,
    /// Its columns. Columns of spouts and of `errors` are computed.
    pub columns: Vec<OutputColumn>,
    /// How far event times may go back, microseconds.
    pub disorder: i64,
}

/// Who emits a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Index in [`Checked::spouts`].
    Spout(usize),
    /// Index in [`Checked::bolts`].
    Bolt(usize),
}

/// A checked spout.
#[derive(Clone)]
pub struct CheckedSpout {
    /// The user's id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What its factory made of it.
    pub plan: Arc<dyn SpoutPlan>,
    /// How far event times may go back, microseconds.
    pub disorder: i64,
    /// After what silence it no longer holds time back, microseconds.
    pub idle: Option<i64>,
    /// `tasks`, if given.
    pub tasks: Option<usize>,
    /// Its streams: main, side streams in the plan's order, `errors`.
    pub outputs: Vec<StreamId>,
}

/// A checked bolt.
#[derive(Clone)]
pub struct CheckedBolt {
    /// The user's id.
    pub id: String,
    /// Its place among the bolts of the file; a bolt that reads another comes behind it in [`Checked::bolts`].
    pub place: usize,
    /// Its kind.
    pub kind: String,
    /// What its factory made of it.
    pub plan: Arc<dyn BoltPlan>,
    /// What it reads, in the order of `from`.
    pub edges: Vec<Edge>,
    /// Whether several edges are united to one input; else input n is edge n.
    pub united: bool,
    /// Columns of each input, one input if united: what key, where and the plan's inputs count in.
    pub inputs: Vec<crate::component::InputStream>,
    /// For each input the columns of its key; empty vectors without a key.
    pub key: Vec<Vec<usize>>,
    /// `where` for each input (columns of that input).
    pub filter: Vec<Option<Expr>>,
    /// `having` (columns of the main output).
    pub having: Option<Expr>,
    /// What the kind says of keys.
    pub keyed: crate::component::Keyed,
    /// `tasks`, if given.
    pub tasks: Option<usize>,
    /// Its streams: the plan's outputs in order, then `errors`. Of a sink only `errors`.
    pub outputs: Vec<StreamId>,
}

/// A stream that a bolt reads.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The stream.
    pub stream: StreamId,
    /// The grouping asked for; none: by key where there is one, else local.
    pub grouping: Option<Grouping>,
    /// For each column of the bolt's input the column of the stream, none where it is filled with NULL.
    pub columns: Vec<Option<usize>>,
}

/// Storm's eight groupings.
#[derive(Clone, Debug)]
pub enum Grouping {
    /// Tasks in turn.
    Shuffle,
    /// By the hash of the key.
    Fields,
    /// By the hash of the key, to the less loaded of two candidates.
    PartialKey,
    /// To every task.
    All,
    /// To the first task.
    Global,
    /// Any task: the one at hand.
    None,
    /// A task on the same executor where there is one, else in turn.
    LocalOrShuffle,
    /// To the task whose number the expression gives (columns of the stream).
    Direct(Expr),
}

/// An objective of `[latency]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The sink (index in [`Checked::bolts`]).
    pub bolt: usize,
    /// The percentile, 0 to 100; 100 is the maximum.
    pub percentile: f64,
    /// The limit, nanoseconds.
    pub limit_ns: u64,
    /// As the user wrote it.
    pub text: String,
}
