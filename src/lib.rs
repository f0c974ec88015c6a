//! Sferic decides on every event within microseconds: a record-at-a-time event processor in one binary.
//!
//! A topology of spouts and bolts is declared in one TOML file, runs on pinned threads joined by lock-free rings, and
//! reports the latency of every tuple. This page is the architecture document.
//!
//! # The life of a tuple
//!
//! 1. [`config::load_file`] reads the file and what it includes into a [`config::Model`]; [`config::check`] asks the
//!    factories of a [`component::Registry`] about each component and gives a [`config::Checked`], or every problem at
//!    once. Nothing has been started.
//! 2. [`topology::plan`] is pure: a checked topology and a [`topology::CoreBudget`] become executors, pipelines and
//!    channels. [`topology::explain`] prints it.
//! 3. [`topology::assemble`] allocates everything, opens every split and makes the [`executor::Executor`]s;
//!    [`topology::run`] puts threads around them, pins them, and keeps house (signals, reloads, short reports).
//! 4. A [`component::Spout`] decodes records of its split straight into [`tuple::Frame`]s of its pipeline: one word for
//!    each column, one NULL bit, text as an address and a length in one word. Each is stamped with its due time.
//! 5. [`executor::Pipeline`] takes a run of up to 64 frames. Keys of stateful bolts are looked up for the whole run and
//!    their state is prefetched ([`component::Bolt::resolve`]); then each tuple goes through the
//!    [`executor::Program`]: `where`, the bolt's [`component::Bolt::step`], `having`, and the targets of the stream that
//!    it leaves on. Bolts read the slots of their inputs and write slots of their own, so nothing is copied and branches
//!    do not disturb each other.
//! 6. Where a tuple must go to another executor, its header and the columns that are read there are packed into the
//!    [`ring`] of that edge; the reader's frames point into the ring until their run is over.
//! 7. Where its way ends, its age is recorded ([`latency::Recorder`]), once for the pipeline and once for each sink that
//!    it reached. [`latency::Report`] is what a person reads in the end.
//!
//! # The code
//!
//! Imports run downwards only; a test holds that.
//!
//! | layer | modules |
//! | --- | --- |
//! | 0 | [`tuple`](mod@tuple): values, frames, codecs · [`time`]: intervals, timestamps, clocks · [`ring`] · [`latency`]: histograms, reports · [`problem`]: what is wrong in a file, and where · [`files`]: the disk, and a faulty one |
//! | 1 | [`expr`]: SQL expressions · [`window`]: windows and what is computed over them, pure · [`pattern`]: row patterns, pure · [`store`]: keys, their entries and deadlines, and the store beneath them · [`log`]: topics of records, append-only |
//! | 2 | [`component`]: the traits of spouts and bolts, factories, options, the registry · [`decoder`]: bytes of records to tuples · [`dead`]: letters of what failed, their topic |
//! | 3 | [`spouts`], [`bolts`]: one module each, and one list of factories |
//! | 4 | [`executor`]: pipelines, programs, channels, steps, waiting · [`commit`]: when an epoch ends, how it becomes durable |
//! | 5 | [`config`]: what a file may say |
//! | 6 | [`topology`]: plan, assemble, run, explain, report: the only place where config meets executor |
//! | 7 | [`filetest`]: tests in topology files, on a virtual clock · [`reference`](mod@reference): what a user may write, from what the code declares |
//! | 7 | [`sim`]: whole topologies over failing disks and services, in an order that a seed decides |
//! | 8 | [`cli`]: one file for each command |
//!
//! # The life of an epoch
//!
//! With a data directory, state, positions, tables and produced records become durable together, an epoch at a time.
//!
//! 1. The [`commit::Coordinator`] asks for epoch N when its interval has passed, something has changed, and N - 1 is
//!    durable. An idle topology commits nothing.
//! 2. Every [`executor::Pipeline`] closes it once: at once where it reads splits, behind the tuples that were followed;
//!    else when all its channels have delivered the barrier or have ended. Tasks close in program order, the barrier goes
//!    to every channel, and the pipeline reports how far its splits have been followed.
//! 3. Closing copies nothing: a task's [`store::Life`] puts its list of changed entries aside. They are encoded a few with
//!    every run, and an entry that is about to change again before its turn just before that; so what is encoded is the
//!    state at the barrier. Long lists of rows go append-only into segments ([`store::lists`], [`store::Trail`]).
//! 4. The [`commit::Committer`] gathers what all tasks and pipelines hand over, syncs what the batch refers to (segments,
//!    topics, delivered files), writes **one** batch, which is the commit point, and then says that N is durable.
//! 5. Executors pass that on ([`component::Bolt::committed`]): sinks deliver what they held back
//!    ([`component::Outbox`]), topics show their new records, and entries that were changed in N may leave memory.
//! 6. After a crash, or a plain restart with other parallelism, everything opens at the last durable epoch: splits at its
//!    positions, keys as they are asked for. Nothing is restored at the start.
//!
//! What the disk refuses (a full one, a failed write) stays where it is and is tried again, by the committer, the sink or
//! the tray of dead letters that owes its part of the epoch: nothing becomes durable meanwhile, so no further epoch is
//! asked for, and splits are held when enough waits ([`commit::Coordinator`]). A sync that fails is never tried again:
//! the topology ends, and the next start goes on from the last epoch. RocksDB watches a full disk itself and takes batches
//! again some seconds after there is room; after other failures it stays closed, and the topology ends.
//!
//! Dead letters are part of it: a pipeline keeps what failed and nobody reads until its barrier ([`dead::Tray`]), so the
//! topic holds the letters of the epochs that are durable and no others. A **panic** ends all executors; it is noted
//! outside the epochs, everything is dropped and made anew from the last one, in the same process, and the component
//! leaves that tuple out ([`executor::Careful`]). In the same process, since nothing survives but the note: what a panic
//! left behind is not looked at again, and whoever watches the process sees a pause instead of an end. A replay of dead
//! letters ([`topology::Replay`]) is a run of the same topology whose splits are offsets of their topic.
//!
//! Why this is exactly once inside: state and the positions that it came from are in one batch. The simulator
//! ([`sim`]) kills real executors, coordinator and committer between any two steps, over a store that loses what was not
//! synced, and compares with an undisturbed run.
//!
//! # What is never there
//!
//! - On the way of a tuple: no lock, no system call, no allocation in the steady state, no comparison of names, and one
//!   read of the clock, at its end.
//! - [`expr`], [`window`] and [`pattern`] never read a clock, a file or a thread; rows of long windows that are on disk
//!   come back to [`window`] through the [`store`], a chunk at a time.
//! - [`executor::Executor::step`] never sleeps, spins or parks, and time reaches it through a [`time::Clock`]. The
//!   thread around it decides how to wait, and may sleep until a socket can be read ([`component::Spout::wait_on`]);
//!   tests and file tests step it themselves.
//! - A full channel never waits inside a call: what does not fit stays with the sender, and the pipeline reads nothing
//!   new before it has gone. A task with many rows is suspended between two of them.
//! - A channel is one ring for one edge between two pipelines, never shared, and the graph of pipelines has no cycle: so
//!   the deepest pipeline can always move.
//! - No record is lost silently: what cannot be decoded or computed leaves on a stream of errors, counted by reason, and
//!   the report shows that the books balance.
//! - Nothing depends on whether a timer has already fired: an operator compares times first, a timer only emits.
//!
//! # Where this differs from the design it was built from
//!
//! - The memory of text: a text is one word (48 bits of address, 16 of length), so that a column is always one slot.
//! - A program is a graph of nodes and targets walked with a stack of its own, not a flat list with jumps: the same
//!   price for a chain, and united inputs, several tasks in one pipeline and suspended rows need no second mechanism.
//! - A sender keeps what does not fit in a buffer of its own and publishes once a run: one copy more, no waiting at all.
//! - A rolling window by time answers a late tuple with the tuple's *own* window; windows by rows and `lag` go by
//!   arrival. (The other reading, judging a late row at the key's latest time, would count rows that lie in its future.)
//! - State is durable where a data directory is given; without one it lives in memory only, and nothing else changes.
//! - What has expired is not removed from the store by anyone: a value says when it expires, and RocksDB forgets it while
//!   it compacts.
//! - The running results of a window are stored with its rows, so that what is read back is the same to the last bit.
//! - When the rows of windows take much memory (256 MiB, or half of that for state), of a long window only the newest and
//!   those at its far end stay there, the others are in segments: a cursor is a block of the list that is read back when
//!   somebody walks there, so nothing else knows what is on disk. Before that, reading back would only cost.
//! - Rows of a window that move to segments are chunks in a chain from the newest to the oldest, merged in tiers, with
//!   the few newest rows in the value itself: RocksDB sees one small value for each changed key and epoch.
//! - How far time is for a task is said by the sources that its rows can come from, not by all that its pipeline reads
//!   ([`executor::Program::reaches`]): else windows would close at other times on other numbers of threads. When these
//!   sources have ended, time moves behind the last event and then beyond all: windows close and joins complete, and what
//!   only the absence of events would bring about can tell that nothing is known of it.
//! - Timers are pairs in the store, read in the order of their deadlines as time comes near: millions of them cost nothing
//!   at the start.
//! - Time moves with events. While a feed is silent it goes on with the clock: at once where records have the time of their
//!   arrival, else after `idle`, that long behind. So silence is noticed without an event, and what comes later than its
//!   feed's own silence allows is late.
//! - Each epoch knows how far time was in every task with state. Where a source was idle that is further than what the
//!   sources promise at the next start, and what has closed stays closed.
//! - A bolt that lets a row out with an earlier time than it is (a match that had to wait) holds time back for what is
//!   behind it ([`component::Bolt::holds_back`]), as far as that row, so that it is late nowhere.
//! - In a pattern a row that a next step behind the same arrow can take is not passed over.
//! - Positions of splits name records, and rejected records are followed in the order of their positions among the
//!   tuples: so an epoch may end between any two records, also in the middle of a run.
//!
//! # Your own kinds
//!
//! A binary with kinds of its own registers them beside Sferic's, and its users write `kind = "mine"` in the same files.
//!
//! ```
//! use sferic::component::*;
//! use sferic::tuple::{Column, DataType, Frame, Slot};
//!
//! /// A spout that counts: `kind = "counter"`, `upto = 5`.
//! struct Counter;
//! struct CounterPlan { upto: u64, columns: Vec<Column> }
//! struct CounterSpout { next: u64, upto: u64, slot: Slot, split: u32 }
//!
//! impl SpoutFactory for Counter {
//!     fn kind(&self) -> &'static str { "counter" }
//!     fn doc(&self) -> &'static str { "counts" }
//!     fn options(&self) -> &'static [OptionSpec] {
//!         const OPTIONS: &[OptionSpec] = &[OptionSpec::required("upto", "the last number")];
//!         OPTIONS
//!     }
//!     fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
//!         // A wrong value has been reported by the getter.
//!         let upto = check.options.integer("upto", 0)? as u64;
//!         Some(Box::new(CounterPlan { upto, columns: vec![Column::new("n", DataType::Bigint).not_null()] }))
//!     }
//! }
//!
//! impl SpoutPlan for CounterPlan {
//!     fn columns(&self) -> &[Column] { &self.columns }
//!     fn time(&self) -> Option<usize> { None }
//!     fn finite(&self) -> bool { true }
//!     fn splits(&self) -> Result<Vec<SplitName>, ComponentError> { Ok(vec!["all".to_owned()]) }
//!     fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
//!         Ok(Box::new(CounterSpout { next: build.position, upto: self.upto, slot: build.columns[0], split: build.split_id }))
//!     }
//! }
//!
//! impl Spout for CounterSpout {
//!     fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
//!         if self.next >= self.upto {
//!             return Ok(Polled::End);
//!         }
//!         while self.next < self.upto && !intake.run.is_full() {
//!             let (frame, _) = intake.run.push();
//!             frame.set_due(intake.now);
//!             frame.set_time(intake.wall);
//!             frame.set_origin(self.split, self.next);
//!             self.next += 1;
//!             frame.set(self.slot, self.next);
//!         }
//!         Ok(Polled::Some)
//!     }
//!     fn position(&self) -> u64 { self.next }
//! }
//!
//! /// A bolt that doubles: `kind = "double"`, `column = "n"`.
//! struct Double;
//! struct DoublePlan { at: usize, outputs: Vec<OutputStream> }
//! struct DoubleTask { from: Slot, to: Slot }
//!
//! impl BoltFactory for Double {
//!     fn kind(&self) -> &'static str { "double" }
//!     fn doc(&self) -> &'static str { "doubles a column" }
//!     fn options(&self) -> &'static [OptionSpec] {
//!         const OPTIONS: &[OptionSpec] = &[OptionSpec::required("column", "the column")];
//!         OPTIONS
//!     }
//!     fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
//!         let name = check.options.text("column")?;
//!         let input = &check.inputs[0];
//!         let Some(at) = input.columns.iter().position(|c| c.is(name)) else {
//!             let node = check.options.node("column")?;
//!             check.options.wrong("column", node, "a column of its input");
//!             return None;
//!         };
//!         // All columns of the input stay where they are; one new slot is ours.
//!         let mut columns: Vec<_> = input.columns.iter().enumerate()
//!             .map(|(n, c)| OutputColumn { column: c.clone(), source: ColumnSource::Input(n) })
//!             .collect();
//!         columns.push(OutputColumn { column: Column::new("doubled", DataType::Bigint), source: ColumnSource::Computed });
//!         Some(Box::new(DoublePlan { at, outputs: vec![OutputStream::new("", columns)] }))
//!     }
//! }
//!
//! impl BoltPlan for DoublePlan {
//!     fn outputs(&self) -> &[OutputStream] { &self.outputs }
//!     fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
//!         let to = *build.outputs[0].last().expect("the new column is the last");
//!         Ok(Box::new(DoubleTask { from: build.inputs[0][self.at], to }))
//!     }
//! }
//!
//! impl Bolt for DoubleTask {
//!     fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
//!         let doubled = match frame.get(self.from).map(|word| (word as i64).checked_mul(2)) {
//!             Some(None) => return step.error("overflow", "the doubled number is out of range"),
//!             Some(Some(number)) => Some(number as u64),
//!             None => None,
//!         };
//!         frame.put(self.to, doubled);
//!         Flow::Next
//!     }
//! }
//!
//! let registry = sferic::registry().spout(Counter).bolt(Double);
//! // A program of your own would now say: sferic::cli::main(&registry)
//! let file = r#"
//!     [spouts.numbers]
//!     kind = "counter"
//!     upto = 5
//!
//!     [bolts.twice]
//!     kind = "double"
//!     from = "numbers"
//!     column = "n"
//!     where = "n <> 3"
//!
//!     [[tests]]
//!     name = "twice two is four, and three is left out"
//!     given  = [ { at = "0s", numbers = { n = 2 } }, { at = "1s", numbers = { n = 3 } } ]
//!     expect = [ { at = "0s", twice = { n = 2, doubled = 4 } } ]
//! "#;
//! let (mut sources, problems) = (sferic::problem::Sources::new(), sferic::problem::Problems::new());
//! let model = sferic::config::load_text("numbers.toml", file, &mut sources, &problems);
//! let checked = sferic::config::check(&model, &registry, &problems);
//! let found = sources.render(&problems.into_sorted(), false);
//! let checked = checked.unwrap_or_else(|| panic!("{found}"));
//! let outcome = sferic::filetest::run(&checked, &checked.tests[0])?;
//! assert_eq!(outcome.differences, Vec::<String>::new());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]

pub mod bolts;
pub mod cli;
pub mod commit;
pub mod component;
pub mod config;
pub mod dead;
pub mod decoder;
pub mod executor;
pub mod expr;
pub mod files;
pub mod filetest;
pub mod latency;
pub mod log;
pub mod pattern;
pub mod problem;
pub mod reference;
pub mod ring;
pub mod sim;
pub mod spouts;
pub mod store;
pub mod time;
pub mod topology;
pub mod tuple;
pub mod window;

/// Sferic's own kinds of spouts and bolts. Add your own with [`component::Registry::spout`] and
/// [`component::Registry::bolt`], and hand the registry to [`cli::main`].
pub fn registry() -> component::Registry {
    bolts::register(spouts::register(component::Registry::empty()))
}
