//! Kind `file`: records of files, plain or packed with gzip or zstd; each file is one split.
//!
//! A position is a byte of the unpacked content. A packed file is unpacked by a thread of its own, ahead of the executor.
//! With `follow` a plain file is read on as it grows. One that is replaced under its name (by a rotation) is read to its
//! end and then the new one from its start; one that shrank is read from its start, which is counted as an error
//! (`truncated`). Positions then count on, so that they stay unique.

mod identity;
mod paths;
mod plain;
mod source;
#[cfg(test)]
mod tests;

pub(super) use paths::Patterns;
pub(super) use source::{describe_io, open_source, read_all};

use super::joined;
use super::records::{Origin, Records, check_pace};
use crate::component::{
    ComponentError, Intake, OptionSpec, Polled, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory, SpoutPlan,
};
use crate::decoder::{Decoder, DecoderCheck, DecoderPlan, Feed, Pace, RECORD_OPTIONS};
use crate::tuple::codec::CsvSplitter;
use crate::tuple::{Layout, Run, Slot};
use std::path::Path;

const OWN: [OptionSpec; 4] = [
    OptionSpec::required(
        "path",
        "a file, a pattern such as \"data/*.csv.gz\", or a list of them; each file is a split",
    ),
    OptionSpec::optional(
        "pace",
        "\"max\" (default), a rate such as \"10000/s\", or a multiple of event time such as \"60x\"",
    ),
    OptionSpec::optional("follow", "true: wait for what is appended instead of ending at the end of the file"),
    OptionSpec::optional("limit", "read at most so many rows of each file"),
];
static OPTIONS: [OptionSpec; 21] = joined(&OWN, &RECORD_OPTIONS);

/// How many bytes of a file a check looks at to learn its header.
const HEADER_BYTES: usize = 64 * 1024;

/// The kind `file`.
pub struct FileFactory;

impl SpoutFactory for FileFactory {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn doc(&self) -> &'static str {
        "reads records from files, plain or packed with gzip or zstd"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns of the stream are `fields`, in their order, then `add`. Records that cannot be read leave on `.errors` (component, reason, split, position, text, record); lines that no expression of `regex` matches leave on `.unmatched` (line).".to_owned(),
            "In `add` and `where` of the spout there are also the columns of the record that no field declares (as text), `_source` (path of the file), `_offset` (position of the record) and `_received` (time of arrival).".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind   = "file"
path   = "payments.csv"            # id,ts,card,amount
format = "csv"
time   = "ts"
fields.id     = "bigint not null"
fields.ts     = "timestamp not null"
fields.card   = "text not null"
fields.amount = "double"

[bolts.out]
kind  = "console"
from  = "payments"
limit = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let patterns = Patterns::of(options, "path", check.folder);
        let pace = Pace::of(options);
        let follow = options.boolean("follow").unwrap_or(false);
        let limit = options.integer("limit", 1).map(|n| n as u64);
        let header = |delimiter: u8| header_of(patterns.as_ref()?, delimiter);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &header };
        let decoder = DecoderPlan::check(&decoder);
        let (patterns, decoder) = (patterns?, decoder?);
        patterns.warn(options);
        check_pace(options, &pace, decoder.time());
        Some(Box::new(Records { origin: Files { patterns, follow }, decoder, pace, limit }))
    }
}

/// The header of the first file, if it is there: what the file cannot tell now is found when it is opened.
fn header_of(patterns: &Patterns, delimiter: u8) -> Option<Vec<String>> {
    let first = patterns.files().ok()?.into_iter().next()?;
    let mut source = open_source(Path::new(&first), false).ok()?;
    let mut bytes = vec![0; HEADER_BYTES];
    let mut len = 0;
    let mut last = false;
    while len < bytes.len() && !last {
        match source.read(&mut bytes[len..]).ok()? {
            crate::decoder::Read::Bytes(n) => len += n,
            _ => last = true,
        }
    }
    let bytes = &bytes[..len];
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.is_empty() {
        return None;
    }
    CsvSplitter::header(delimiter, bytes, last).map(|(names, _)| names).filter(|names| !names.is_empty())
}

/// Files that match patterns.
struct Files {
    patterns: Patterns,
    follow: bool,
}

impl Origin for Files {
    fn finite(&self) -> bool {
        !self.follow
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        self.patterns.files()
    }

    fn open(&self, plan: &Records<Files>, build: &SpoutBuild<'_>) -> Result<Feed, ComponentError> {
        let mut feed = self.feed(plan, build.split, build.columns, build.split_id, plan.pace.clone())?;
        let position = build.position;
        if !self.follow {
            // A followed file may be another one by now: it was rotated.
            feed.identify(identity::same(Path::new(build.split), build.name, build.identity)?);
        }
        if let Some(limit) = plan.limit {
            let before = if position > 0 { self.rows_before(plan, build.split, position)? } else { 0 };
            feed.limit(limit.saturating_sub(before));
        }
        let started = feed.begin()?;
        if position > feed.position() {
            if !started {
                return Err(ComponentError::new(format!(
                    "{} was read up to byte {position} before, but is empty now",
                    build.split
                )));
            }
            let record = match plan.decoder.has_elements() {
                true => source::line_start(Path::new(build.split), position)?,
                false => position,
            };
            feed.resume(record, position)?;
        }
        feed.detach()?;
        Ok(feed)
    }

    fn decoder(&self, plan: &Records<Files>, build: &SpoutBuild<'_>) -> Result<Decoder, ComponentError> {
        let mut feed = self.feed(plan, build.split, build.columns, build.split_id, Pace::Max)?;
        match feed.begin()? {
            true => Ok(feed.into_decoder()),
            false => Err(ComponentError::new(format!("{} has no header to read the record by", build.split))),
        }
    }
}

impl Files {
    fn feed(
        &self,
        plan: &Records<Files>,
        split: &str,
        slots: &[Slot],
        split_id: u32,
        pace: Pace,
    ) -> Result<Feed, ComponentError> {
        let source = open_source(Path::new(split), self.follow)?;
        Ok(Feed::new(split, source, 0, plan.decoder.decoder(slots, split, split_id), pace))
    }

    /// How many rows lie before a position: what a `limit` has left after a restart. Reads the file again.
    fn rows_before(&self, plan: &Records<Files>, split: &str, position: u64) -> Result<u64, ComponentError> {
        let layout = Layout::new(plan.decoder.columns().len());
        let slots: Vec<Slot> = (0..layout.slots()).map(|n| layout.slot(n)).collect();
        let mut feed = self.feed(plan, split, &slots, 0, Pace::Max)?;
        let mut run = Run::new(layout);
        let mut rejects = Vec::new();
        let mut rows = 0;
        while feed.position() < position {
            let mut intake = Intake { run: &mut run, rejects: &mut rejects, now: 0, wall: 0 };
            match feed.poll(&mut intake)? {
                Polled::End | Polled::Nothing(None) => break,
                _ => rows += (0..run.len()).filter(|&n| run.frame(n).position() < position).count() as u64,
            }
            run.clear();
            rejects.clear();
        }
        Ok(rows)
    }
}
