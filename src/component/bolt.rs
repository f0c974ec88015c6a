//! Bolts: what reads tuples.

use super::{ComponentError, NestedOptions, OptionSpec, Options};
use crate::expr::Environment;
use crate::problem::Span;
use crate::store::{Life, LifeSpec, Space, State};
use crate::tuple::{Arena, Column, DataType, Frame, Run, Slot};
use std::borrow::Cow;
use std::sync::Arc;

/// How a bolt with several inputs sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// As one stream: columns are united by name before the bolt is checked; it has exactly one input.
    United,
    /// Each as it is, in the order of `from`.
    Separate,
}

/// Whether a bolt has a `key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// A key makes no sense.
    Never,
    /// With a key, tuples are routed by it and state is kept by it; without, one task sees all.
    Optional,
    /// A key must be given.
    Required,
    /// All tuples must meet in one task. No key, unless the kind lists `key` among its options and says what it means.
    Global,
}

/// A kind of bolt.
pub trait BoltFactory: Send + Sync {
    /// The name in `kind = "..."`.
    fn kind(&self) -> &'static str;

    /// What other systems call it, in lower case: who writes that is told the name here.
    fn elsewhere(&self) -> &'static [&'static str] {
        &[]
    }

    /// One sentence for the reference.
    fn doc(&self) -> &'static str;

    /// The keys it understands beside those of every bolt (`kind`, `from`, `fill`, `where`, `key`, `tasks`, `doc`).
    /// A kind that lists `add` may also have `having`, which the runtime applies.
    fn options(&self) -> &'static [OptionSpec];

    /// The keys of tables inside it, for the reference and the editor's schema.
    fn nested(&self) -> &'static [NestedOptions] {
        &[]
    }

    /// What a user must know beside the options, a paragraph each: columns, side streams, limits.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// A whole topology that shows it in use, for the reference; it is run by the tests. Empty: there is none.
    fn example(&self) -> &'static str {
        ""
    }

    /// How it sees several inputs.
    fn inputs(&self) -> Inputs {
        Inputs::United
    }

    /// How it sees several inputs, where that depends on what the user wrote.
    fn inputs_of(&self, options: &Options<'_>) -> Inputs {
        let _ = options;
        self.inputs()
    }

    /// Whether it has a key.
    fn keyed(&self) -> Keyed {
        Keyed::Never
    }

    /// Streams that it reads beside those of `from`, with the places where they are named, as far as they can be read
    /// without problems (the check reports those). They follow those of `from` among the inputs, in this order; only
    /// for a bolt with [`Inputs::Separate`].
    fn extra_inputs(&self, options: &Options<'_>) -> Vec<(String, Span)> {
        let _ = options;
        Vec::new()
    }

    /// Checks what the user wrote against its inputs. Records every problem in `check.options` and returns none if it
    /// cannot say what its streams look like.
    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>>;
}

/// An input stream as a bolt sees it while it is checked.
#[derive(Clone, Debug)]
pub struct InputStream {
    /// `id` or `id.side` as in `from`; the bolt's own name if inputs are united and more than one.
    pub name: String,
    /// Its columns; a column's index is its number in expressions over this input.
    pub columns: Vec<Column>,
    /// How far event times of this stream may go back, in microseconds (the largest `disorder` of its sources).
    pub disorder: i64,
}

/// What a bolt's factory sees.
pub struct BoltCheck<'a> {
    /// The user's id of the bolt.
    pub name: &'a str,
    /// What the user wrote.
    pub options: Options<'a>,
    /// The inputs, one if united.
    pub inputs: &'a [InputStream],
    /// For each input the columns of its key; empty without a key.
    pub key: &'a [Vec<usize>],
    /// Parameters and reference tables.
    pub environment: &'a Environment,
    /// Folder of the topology file, which relative paths of sinks do **not** refer to (they refer to the working
    /// directory), for files that belong to the topology.
    pub folder: &'a std::path::Path,
    /// Where state, tables and topics are kept, relative to the working directory; none: nothing is kept.
    pub data_dir: Option<&'a std::path::Path>,
    /// The topology's name.
    pub topology: &'a str,
}

/// A checked bolt.
pub trait BoltPlan: Send + Sync {
    /// Its output streams; the first is the main one. A sink has none. The stream `errors` is added by the runtime.
    fn outputs(&self) -> &[OutputStream];

    /// Whether it keeps state between tuples (for `explain` and for determinism).
    fn stateful(&self) -> bool {
        false
    }

    /// The columns of an input that its tasks read themselves (key, `where` and columns that only pass through are the
    /// runtime's business); none: all of them.
    fn reads(&self, input: usize) -> Option<Vec<usize>> {
        let _ = input;
        None
    }

    /// The file, as the user wrote it, to which each row comes exactly once, also through a crash; none if it writes no
    /// such file.
    fn committed_file(&self) -> Option<&str> {
        None
    }

    /// How many private slots a task needs in the frame, beside those of its output columns.
    fn scratch(&self) -> usize {
        0
    }

    /// Words for `explain`: what it computes, what its state costs.
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes one task.
    ///
    /// # Errors
    /// Something outside refuses (a file cannot be created, ...).
    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError>;
}

/// An output stream of a bolt.
#[derive(Clone, Debug)]
pub struct OutputStream {
    /// Empty for the main stream, else the word after the dot: `late`, `rejected`, `shadow`, or a name of the user's.
    pub suffix: Cow<'static, str>,
    /// Its columns.
    pub columns: Vec<OutputColumn>,
}

impl OutputStream {
    /// A stream; an empty suffix for the main one.
    pub fn new(suffix: impl Into<Cow<'static, str>>, columns: Vec<OutputColumn>) -> OutputStream {
        OutputStream { suffix: suffix.into(), columns }
    }
}

/// A column of an output stream.
#[derive(Clone, Debug)]
pub struct OutputColumn {
    /// Name, type, nullability.
    pub column: Column,
    /// Where its slot comes from.
    pub source: ColumnSource,
}

/// Where the slot of an output column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// It is the slot of this column of the input; nothing is copied. Only for a bolt with one input.
    Input(usize),
    /// A new slot of this output column, which the bolt writes before it lets a tuple leave on the stream.
    Computed,
    /// The same slot as that column of the main output (stream 0): for side streams that share computed columns.
    Main(usize),
}

/// What a bolt's plan sees when it makes a task.
pub struct BoltBuild<'a> {
    /// The user's id of the bolt.
    pub name: &'a str,
    /// Slots of the columns of each input.
    pub inputs: &'a [Vec<Slot>],
    /// Slots of the columns of each output stream.
    pub outputs: &'a [Vec<Slot>],
    /// The private slots that [`BoltPlan::scratch`] asked for.
    pub scratch: &'a [Slot],
    /// For each input the slots of the key and their types; empty without a key.
    pub key: &'a [Vec<(Slot, DataType)>],
    /// Number of this task.
    pub task: usize,
    /// Number of tasks of the component.
    pub tasks: usize,
    /// The topology's store; none if state lives in memory only.
    pub space: Option<&'a Arc<Space>>,
}

impl BoltBuild<'_> {
    /// The life of the state behind a handle: none if state lives in memory only. `fingerprint` says what the content
    /// means, in words for people too: a change of it makes the content unreadable. Entries are as if they had never
    /// been after `ttl` microseconds without use; items of lists are read for `keep` microseconds after their time.
    ///
    /// # Errors
    /// The store holds state of another meaning, or cannot be written.
    pub fn life(
        &self,
        handle: &str,
        fingerprint: &str,
        ttl: i64,
        keep: i64,
    ) -> Result<Option<Box<Life>>, ComponentError> {
        let Some(space) = self.space else { return Ok(None) };
        let types = self.key.first().into_iter().flatten().map(|(_, ty)| ty.to_string());
        let place = space
            .handle(self.name, handle, fingerprint, &types.collect::<Vec<_>>())
            .map_err(|error| ComponentError::new(error.to_string()))?;
        let life = Life::new(space.clone(), LifeSpec { place, ttl, keep });
        Ok(Some(Box::new(life.of_task(self.task, self.tasks))))
    }
}

/// What [`Bolt::next_row`] answers when the waiting row is a failure: the bolt has filled [`Step::failure`] (as
/// [`Step::error`] does) and the tuple leaves on its `errors` stream. Other rows may still wait.
pub const ERRORS: u8 = 255;

/// What became of a tuple in a bolt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on along the main stream.
    Next,
    /// It ends here, as the bolt's work demands (a filter said no).
    Skip,
    /// It goes on along the output stream with this index.
    Port(u8),
    /// Rows wait in the bolt: [`Bolt::next_row`] gives them one at a time.
    Many,
    /// It ends on the bolt's `errors` stream; returned by [`Step::error`].
    Error,
    /// The same, and the outside refuses the bolt for good; returned by [`Step::broken`].
    Broken,
}

/// What a bolt sees of the world while it processes tuples. Nothing in it blocks or allocates in the steady state.
pub struct Step<'a> {
    /// Index of the tuple in the run that was last given to [`Bolt::resolve`]; one behind all runs if it was in none.
    pub index: usize,
    /// No later tuple has an event time below it, in microseconds; `i64::MIN` while unknown. When all sources have come to
    /// their end it moves behind the last event, and then to `i64::MAX`: what an absence of events would bring about
    /// does not fire then.
    pub watermark: i64,
    /// Memory for texts that must live until the run is over.
    pub arena: &'a Arena,
    /// Filled by [`Step::error`]: reason and text.
    pub failure: &'a mut Option<(&'static str, String)>,
    /// Filled by bolts with timers: the earliest deadline they have, which the runtime compares with the watermark.
    pub deadline: &'a mut i64,
}

impl Step<'_> {
    /// The tuple fails: it leaves on the bolt's `errors` stream, counted by `reason` (a word of a small fixed set such
    /// as `null_key`, `division_by_zero`), with `text` for people.
    #[cold]
    pub fn error(&mut self, reason: &'static str, text: impl Into<String>) -> Flow {
        *self.failure = Some((reason, text.into()));
        Flow::Error
    }

    /// The tuple fails as with [`Step::error`], since the outside refuses the bolt for good (a full disk): the topology
    /// stops its input at the end of this step with the error that the bolt's [`Bolt::idle`] then gives.
    #[cold]
    pub fn broken(&mut self, reason: &'static str, text: impl Into<String>) -> Flow {
        *self.failure = Some((reason, text.into()));
        Flow::Broken
    }

    /// Asks for [`Bolt::fire`] once the watermark has passed `deadline`.
    pub fn wake_after(&mut self, deadline: i64) {
        *self.deadline = (*self.deadline).min(deadline);
    }
}

/// One task of a bolt.
pub trait Bolt: Send {
    /// Looks up and prefetches the state of the tuples of a run that is about to be stepped through; purely a hint.
    /// Called for bolts whose key is known when a run of several tuples arrives; not every one need reach `step`.
    fn resolve(&mut self, input: usize, run: &Run) {
        let _ = (input, run);
    }

    /// Processes one tuple.
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow;

    /// After [`Flow::Many`]: writes the next waiting row into the frame and says on which stream it leaves ([`ERRORS`] for
    /// one that failed); none when no more wait. The frame's slots of this bolt may be written, its inputs are as they
    /// were.
    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let _ = (frame, step);
        None
    }

    /// The watermark has passed a deadline. Fires the earliest timer only: writes event time and slots into the frame
    /// and says what becomes of it ([`Flow::Skip`] for a timer that makes no row); none when no timer is due. Either way
    /// it asks for the next deadline with [`Step::wake_after`].
    fn fire(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<Flow> {
        let _ = (frame, step);
        None
    }

    /// The earliest deadline of its timers: of those that were found in the store when it was built, and before one fires;
    /// new ones are told of with [`Step::wake_after`].
    fn deadline(&self) -> i64 {
        i64::MAX
    }

    /// The earliest event time of a row that it will or may still let out although time has passed it, rows that wait for
    /// [`Bolt::next_row`] included; `i64::MAX` while there is none; none if there never is one. What is behind it sees
    /// time only so far, so that such a row is not late there. Such a time never goes below what was the time when it
    /// came to be.
    fn holds_back(&self) -> Option<i64> {
        None
    }

    /// Gives its handles of keyed state to the runtime, which closes their epochs and asks for what has changed.
    fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        let _ = each;
    }

    /// All tuples of epoch `epoch` have been processed and none of the next has. Called before the handles of
    /// [`Bolt::states`] hear of it.
    fn barrier(&mut self, epoch: u64) {
        let _ = epoch;
    }

    /// Epoch `epoch` is durable; whether something came of it that belongs into the next one.
    ///
    /// # Errors
    /// The outside refuses what was held back until now; the topology stops with this error.
    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        let _ = epoch;
        Ok(false)
    }

    /// Nothing is waiting: the moment to flush buffers to the outside.
    ///
    /// # Errors
    /// The outside refuses; the topology stops with this error.
    fn idle(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }

    /// The last call, after the last tuple: flushes, and adds to the report what the bolt has to show.
    ///
    /// # Errors
    /// The outside refuses; the topology ends with this error, also where [`Bolt::idle`] gave one before: only now is
    /// it known what was lost.
    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let _ = sections;
        Ok(())
    }
}

/// What components show at the end of a run: texts for people, values for machines.
#[derive(Debug, Default)]
pub struct Sections {
    /// Title, text, and the same as JSON.
    pub sections: Vec<(String, String, serde_json::Value)>,
    /// Of what each section is, noted by the executor.
    pub tellers: Vec<Teller>,
}

/// Of what a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// A spout, by its number.
    Spout(usize),
    /// A bolt, by its number.
    Bolt(usize),
}
