//! Spouts: where tuples come from.

use super::{ComponentError, NestedOptions, OptionSpec, Options, Sections};
use crate::expr::Environment;
use crate::store::Space;
use crate::tuple::{Column, Run, Slot};
use std::os::fd::RawFd;
use std::sync::Arc;

/// A kind of spout.
pub trait SpoutFactory: Send + Sync {
    /// The name in `kind = "..."`.
    fn kind(&self) -> &'static str;

    /// What other systems call it, in lower case: who writes that is told the name here.
    fn elsewhere(&self) -> &'static [&'static str] {
        &[]
    }

    /// One sentence for the reference.
    fn doc(&self) -> &'static str;

    /// The keys it understands beside those of every spout (`kind`, `tasks`, `doc`, `disorder`, `idle`).
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

    /// Checks what the user wrote. Records every problem and returns none if it cannot say what its stream looks like.
    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>>;
}

/// What a spout's factory sees.
pub struct SpoutCheck<'a> {
    /// The user's id of the spout.
    pub name: &'a str,
    /// What the user wrote; `schema = "NAME"` has been replaced by the schema's `fields` and `time`.
    pub options: Options<'a>,
    /// Parameters and reference tables.
    pub environment: &'a Environment,
    /// Folder of the file that names the spout, which relative paths refer to.
    pub folder: &'a std::path::Path,
    /// Where state, tables and topics are kept, relative to the working directory; none: nothing is kept.
    pub data_dir: Option<&'a std::path::Path>,
}

/// The name of a split, stable over restarts: a file's path, a partition's number.
pub type SplitName = String;

/// A checked spout.
pub trait SpoutPlan: Send + Sync {
    /// The columns of its stream.
    fn columns(&self) -> &[Column];

    /// Side streams beside `errors`, such as `unmatched`: name and columns. Their rows come as [`Reject`]s.
    fn side_streams(&self) -> &[(&'static str, Vec<Column>)] {
        &[]
    }

    /// The column that holds event time; none if it is the time of arrival.
    fn time(&self) -> Option<usize>;

    /// Whether its splits come to an end. Splits of finite spouts of a pipeline are read in step by event time.
    fn finite(&self) -> bool;

    /// Its splits, in order of name; at least one.
    ///
    /// # Errors
    /// The outside cannot be looked at (a pattern that matches no file, ...).
    fn splits(&self) -> Result<Vec<SplitName>, ComponentError>;

    /// Words for `explain`.
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }

    /// Starts to read a split.
    ///
    /// # Errors
    /// It cannot be opened, or the position lies outside.
    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError>;

    /// Whether [`SpoutPlan::again`] decodes single records, and then by how many bits the number of one is shifted to be
    /// the position of its first row (below it is the byte of an element); none if the kind cannot.
    fn again_shift(&self) -> Option<u32> {
        None
    }

    /// What decodes records of `build.split` that were rejected before, one by one.
    ///
    /// # Errors
    /// The kind cannot, or what the records mean cannot be found out any more (the file with the header is gone, ...).
    fn again(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Again>, ComponentError> {
        Err(ComponentError::new(format!("spouts.{} cannot decode single records", build.name)))
    }
}

/// Decodes records that come one by one, each with a number.
pub trait Again: Send {
    /// Decodes a record into a run that has room, only its element at this byte if there is one; whether that was all of
    /// it: if not, it is to be given again.
    ///
    /// # Safety
    /// The bytes must live and stand still until the run is over: texts of its tuples may point into them.
    unsafe fn take(&mut self, record: &[u8], element: Option<u64>, number: u64, intake: &mut Intake<'_>) -> bool;

    /// The position of the next unread row, where the next record has this number.
    fn position(&self, next: u64) -> u64;

    /// Before the first record: rows before `position` have been read.
    fn resume_at(&mut self, position: u64);
}

/// What a spout's plan sees when a split is opened.
pub struct SpoutBuild<'a> {
    /// The user's id of the spout.
    pub name: &'a str,
    /// The split.
    pub split: &'a str,
    /// Number of the split in the topology: goes into the origin of tuples.
    pub split_id: u32,
    /// Position of the next unread record; zero at the start.
    pub position: u64,
    /// What [`Spout::identity`] said of the source up to this position; empty at the start.
    pub identity: &'a str,
    /// Slots of the columns of the stream.
    pub columns: &'a [Slot],
    /// The topology's store; none if nothing is kept.
    pub space: Option<&'a Arc<Space>>,
}

/// What [`Spout::poll`] achieved.
#[derive(Debug)]
pub enum Polled {
    /// At least one tuple or reject was added; there may be more at once.
    Some,
    /// Nothing now; a tuple is due at this time (nanoseconds of the process's clock), or, with none, it is not known.
    Nothing(Option<u64>),
    /// The split has come to its end; nothing was added.
    End,
}

/// A record that did not become a tuple of the main stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Reject {
    /// `errors` or a side stream.
    pub stream: &'static str,
    /// A word of a small fixed set: `bad_value`, `not_null`, `columns`, `utf8`, `too_long`, `unmatched`, ...
    pub reason: &'static str,
    /// Position of the record in its split.
    pub position: u64,
    /// What was wrong, for people: column, text, what it should be.
    pub text: String,
    /// The record for people: on `errors` cut after 1 KiB, on a stream of its own whole.
    pub record: String,
    /// What `record` does not say of it.
    pub raw: Raw,
}

/// What is known of a rejected record beside what is shown of it: a dead letter keeps it whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Raw {
    /// Nothing: `record` is the record.
    #[default]
    Shown,
    /// Its bytes, and at which of them the element starts that was rejected, if it is one of several.
    Bytes {
        /// The whole record, without the end of its line.
        bytes: Vec<u8>,
        /// Where the element starts.
        element: Option<u64>,
    },
    /// The rest of it is lost.
    Lost,
}

/// Where a spout puts what it reads.
pub struct Intake<'a> {
    /// Tuples: due time, event time, origin and all columns are to be set by the spout. It may be filled up to its
    /// capacity.
    pub run: &'a mut Run,
    /// Records that became no tuple; at most as many as the run has places are added in one poll.
    pub rejects: &'a mut Vec<Reject>,
    /// Now, in nanoseconds of the process's clock: due time of tuples that have no better one.
    pub now: u64,
    /// Now, microseconds since 1970 UTC: the time of arrival.
    pub wall: i64,
}

/// One split being read.
pub trait Spout: Send {
    /// Reads what is there, at most one run, without blocking.
    ///
    /// # Errors
    /// The split cannot be read on (a truncated gzip, an I/O error): the topology ends with this error after what was
    /// read has been processed.
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError>;

    /// Position of the next unread record: where a restart would go on.
    fn position(&self) -> u64;

    /// What tells the source from another one of the same name (the start of a file, ...), given back to
    /// [`SpoutBuild::identity`] at a restart; empty if nothing does.
    fn identity(&self) -> String {
        String::new()
    }

    /// Before the thread sleeps, after a poll that gave nothing and named no time: what can be read from as soon as there
    /// may be something to poll, such as an epoll of sockets; none: it is to be polled now and then. The descriptor must
    /// live until the next poll.
    fn wait_on(&mut self) -> Option<RawFd> {
        None
    }

    /// What was read up to `position` is durable downstream: it may be forgotten or acknowledged.
    ///
    /// # Errors
    /// The outside refuses; the topology stops with this error.
    fn committed(&mut self, position: u64) -> Result<(), ComponentError> {
        let _ = position;
        Ok(())
    }

    /// After a poll that gave nothing: how far the event time of what comes next may be behind the wall's clock,
    /// microseconds; none: only tuples say how far the split is. `timed`: records have a time of their own, not that of
    /// their arrival.
    fn lag(&self, timed: bool) -> Option<i64> {
        (!timed).then_some(0)
    }

    /// Rows that the spout's own `where` has refused since it was opened.
    fn filtered(&self) -> u64 {
        0
    }

    /// Epoch `epoch` ends behind what has been followed up to now. A spout whose source is only then durable hands over
    /// what makes it so, with an [`crate::store::Outlet`]: in every epoch.
    fn barrier(&mut self, epoch: u64) {
        let _ = epoch;
    }

    /// The topology is to stop: nothing new is taken in from now on. Whether there is something that was taken in and
    /// could not be had again: then it is polled on until it ends, else no more.
    fn drain(&mut self) -> bool {
        false
    }

    /// After the last poll: adds to the report what the spout has to show.
    fn finish(&mut self, sections: &mut Sections) {
        let _ = sections;
    }
}
