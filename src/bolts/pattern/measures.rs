//! What a match is turned into: its rows, each with the kept and the added columns.

use super::super::failure_text;
use super::conditions::Variable;
use super::live::{Field, LiveSet, Rows};
use super::scope::WORDS;
use super::stored::Stored;
use crate::expr::EvalError;
use crate::pattern::{Emission, EmissionKind, Path};
use crate::tuple::{Arena, Frame, Slot};
use xxhash_rust::xxh3::xxh3_64;

/// A kept column: for each variable or input that it may come from, how it is brought there.
pub enum LiveKept {
    /// The last row of a variable.
    Last(usize, Field),
    /// The newest row, by its input.
    Newest(Vec<Field>),
}

/// What a match is turned into.
pub struct Measures {
    /// Kept columns.
    pub kept: Vec<LiveKept>,
    /// Added ones.
    pub added: Option<LiveSet>,
    /// Names of added columns, for messages.
    pub names: Vec<String>,
    /// Slots of all columns.
    pub outputs: Vec<Slot>,
    /// Whether a row leaves for each row of a match.
    pub all_rows: bool,
}

/// A row that waits to leave.
pub enum Waiting {
    /// A row of a stream: where its words start.
    Row { port: u8, time: i64, path: u64, words: usize },
    /// A failure: reason and text.
    Failed(&'static str, String),
    /// What follows stems from time, at this event time, whether a timer or a row has told of it; none: from the tuple.
    ByTime(Option<i64>),
}

/// Rows that wait, and their words.
pub type Rest<'a> = (&'a mut Vec<Waiting>, &'a mut Vec<Option<u64>>);

impl Measures {
    /// Appends the rows of a match.
    pub fn rows(
        &mut self,
        emission: &Emission,
        path: Path<'_, Stored>,
        variables: &[Variable],
        frame: &mut Frame,
        arena: &Arena,
        rest: &mut Rest<'_>,
    ) {
        let (port, number) = match emission.kind {
            EmissionKind::Match(number) => (0, number),
            EmissionKind::TimedOut => (1, 0),
        };
        let (id, all_rows) = (path.id(), self.all_rows);
        let mut leaves = |ordinal: usize, path: Path<'_, Stored>| {
            let words = rest.1.len();
            rest.0.push(match self.row(path, id, number, variables, frame, arena) {
                Err((entry, error)) => {
                    Waiting::Failed(error.reason, failure_text(&format!("add.{}", self.names[entry]), &error))
                }
                Ok(()) => {
                    rest.1.extend(self.outputs.iter().map(|slot| frame.get(*slot)));
                    Waiting::Row { port, time: emission.time, path: extended(id, ordinal as u64), words }
                }
            });
        };
        if all_rows {
            let paths: Vec<Path<'_, Stored>> = path.heads().collect();
            paths.into_iter().rev().enumerate().for_each(|(ordinal, path)| leaves(ordinal, path));
        } else {
            leaves(0, path);
        }
    }

    /// Writes the columns of one row.
    fn row(
        &mut self,
        path: Path<'_, Stored>,
        id: u64,
        number: u64,
        variables: &[Variable],
        frame: &mut Frame,
        arena: &Arena,
    ) -> Result<(), (usize, EvalError)> {
        for kept in &self.kept {
            match kept {
                LiveKept::Last(variable, field) => match path.backwards().find(|(v, _)| v == variable) {
                    Some((_, row)) => field.load(&row.data, frame, arena),
                    None => field.clear(frame),
                },
                LiveKept::Newest(fields) => {
                    if let Some((variable, row)) = path.newest() {
                        fields[variables[variable].input.min(fields.len() - 1)].load(&row.data, frame, arena);
                    }
                }
            }
        }
        let Some(added) = &mut self.added else { return Ok(()) };
        let newest = path.newest().map_or("", |(variable, _)| &*variables[variable].name);
        for (at, slot) in added.words.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let word = match WORDS[at].0 {
                "classifier()" => arena.store(newest).0,
                "match_number()" => number,
                _ => arena.format(format_args!("{id:016x}")).0,
            };
            frame.set(*slot, word);
        }
        added.run(Rows { path, tested: None, previous: &[] }, frame, arena)
    }
}

/// The path of one of the rows of a match.
fn extended(id: u64, ordinal: u64) -> u64 {
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes[8..].copy_from_slice(&ordinal.to_le_bytes());
    xxh3_64(&bytes)
}
