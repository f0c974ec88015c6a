//! Panics: what is known of them, in a small file beside the store, and whether a topology may go on after one.
//!
//! A panic is noted outside the epochs, since its own never becomes durable: component, split and position, what it
//! said. The next life of the topology, in the same process or another, leaves that tuple out of that component. A
//! note is forgotten when an epoch that is durable lies behind its position.

use super::plan::Entry;
use crate::component::{ComponentError, Teller};
use crate::config::Checked;
use crate::executor::{Culprit, split_key};
use crate::files::{self, DiskFiles};
use crate::store::{Space, SplitFacts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// So many panics without an epoch between them stop the topology.
const PANICS_MAX: usize = 3;
/// What a panic says is kept up to this length: in characters.
const TEXT_MAX: usize = 500;

/// A panic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// `spouts.NAME`, `bolts.NAME`, or empty if no component is known.
    pub component: String,
    /// The split (`spout/split`) that was read or that the tuple came from; empty if there was none.
    pub split: String,
    /// The split's number.
    pub split_id: u32,
    /// The record's position in it.
    pub position: u64,
    /// Whether it was a tuple in a bolt, which the bolt can leave out.
    pub tuple: bool,
    /// What it said.
    pub text: String,
    /// The epoch that was durable then.
    pub epoch: u64,
}

impl Panic {
    /// What an executor has to say of its end.
    fn of(culprit: Option<Culprit>, said: &str, checked: &Checked, place: &Place<'_>) -> Panic {
        let component = match culprit.and_then(|culprit| culprit.component) {
            Some(Teller::Bolt(bolt)) => checked.bolts.get(bolt).map(|bolt| format!("bolts.{}", bolt.id)),
            Some(Teller::Spout(entry)) => place.entries.get(entry).map(|id| format!("spouts.{id}")),
            None => None,
        };
        let (split_id, position) = culprit.and_then(|culprit| culprit.origin).unwrap_or((u32::MAX, 0));
        Panic {
            component: component.unwrap_or_default(),
            split: (place.split_name)(split_id).unwrap_or_default(),
            split_id,
            position,
            tuple: culprit.is_some_and(|culprit| culprit.tuple),
            text: said.chars().take(TEXT_MAX).collect(),
            epoch: place.epoch,
        }
    }

    /// Whether it was a tuple in the bolt of this name.
    pub(super) fn is_tuple_of(&self, bolt: &str) -> bool {
        self.tuple && self.is_of(bolt)
    }

    /// Whether it was in the bolt of this name.
    pub(super) fn is_of(&self, bolt: &str) -> bool {
        self.component.strip_prefix("bolts.") == Some(bolt)
    }

    /// What happened, where, in one sentence.
    pub(super) fn told(&self) -> String {
        let component = if self.component.is_empty() { "an executor" } else { &self.component };
        let place = match (self.split.is_empty(), self.tuple) {
            (true, _) => String::new(),
            (false, true) => format!(" on the record at position {} of {}", self.position, self.split),
            (false, false) => format!(" reading {} at or behind position {}", self.split, self.position),
        };
        format!("{component} panicked{place}: {}", self.text)
    }

    /// What is said of it where the topology goes on.
    pub(super) fn gone_around(&self) -> String {
        format!("{}; the topology goes on from its last epoch", self.told())
    }

    /// The same as an error that ends the run.
    pub(super) fn ends(&self, why: &str) -> ComponentError {
        ComponentError::new(format!("{}; {why}", self.told()))
    }
}

/// Where a panic happened.
struct Place<'a> {
    /// Names of the entries, by number.
    entries: &'a [String],
    /// The name of a split by its number.
    split_name: &'a dyn Fn(u32) -> Option<String>,
    /// The epoch that is durable.
    epoch: u64,
}

/// The panics of a topology that are not behind it.
pub(super) struct Known {
    path: PathBuf,
    pub(super) panics: Vec<Panic>,
}

impl Known {
    /// Reads the notes in a topology's folder; those that its epochs have left behind are dropped.
    ///
    /// # Errors
    /// They are there and cannot be read.
    pub(super) fn open(folder: &Path, space: &Space) -> Result<Known, ComponentError> {
        let path = folder.join("panics.json");
        let mut panics: Vec<Panic> = match files::read(&DiskFiles, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(ComponentError::io(format!("{} cannot be read", path.display()), error)),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                ComponentError::new(format!(
                    "{} is damaged: {error}; remove it: the next panic then stops the topology once more",
                    path.display()
                ))
            })?,
        };
        panics.retain(|panic| space.split(&panic.split).is_none_or(|split| split.position <= panic.position));
        Ok(Known { path, panics })
    }

    /// Notes panics, durably.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn note(&mut self, panics: &[Panic]) -> Result<(), ComponentError> {
        let of = |panic: &Panic| (panic.component.clone(), panic.split_id, panic.position);
        self.panics.retain(|known| !panics.iter().any(|panic| of(panic) == of(known)));
        self.panics.extend_from_slice(panics);
        let bytes = serde_json::to_vec_pretty(&self.panics).unwrap_or_default();
        files::replace(&DiskFiles, &self.path, &bytes)
            .map_err(|error| ComponentError::io(format!("{} cannot be written", self.path.display()), error))
    }
}

/// The panics of this process.
#[derive(Default)]
pub(super) struct History {
    /// How many there were at the epoch that was durable then.
    last: Option<(u64, usize)>,
    /// All of them.
    pub(super) count: u64,
}

impl History {
    /// One more; whether the topology may go on.
    pub(super) fn add(&mut self, epoch: u64) -> bool {
        self.count += 1;
        let before = self.last.filter(|(at, _)| *at == epoch).map_or(0, |(_, count)| count);
        self.last = Some((epoch, before + 1));
        before + 1 < PANICS_MAX
    }
}

/// Panics in a form that outlives the run.
pub(super) fn told(
    panics: &[(Option<Culprit>, String)],
    checked: &Checked,
    entries: &[Entry],
    epoch: Option<u64>,
    splits: &BTreeMap<String, SplitFacts>,
) -> Vec<Panic> {
    let names: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    // Where nothing is kept, splits are numbered in their order.
    let all = entries.iter().flat_map(|e| e.splits.iter().map(|split| split_key(&e.id, split)));
    let split_name = |id: u32| match epoch {
        Some(_) => splits.iter().find(|(_, facts)| facts.id == id).map(|(name, _)| name.clone()),
        None => all.clone().nth(id as usize),
    };
    let place = Place { entries: &names, split_name: &split_name, epoch: epoch.unwrap_or(0) };
    panics.iter().map(|(culprit, said)| Panic::of(*culprit, said, checked, &place)).collect()
}

/// After panics: none if the topology is to begin anew, else the error that it ends with.
pub(super) fn after(
    panics: &[Panic],
    known: Option<&mut Known>,
    history: &mut History,
    stopped: usize,
) -> Option<ComponentError> {
    let first = panics.first()?;
    let Some(known) = known else {
        return Some(first.ends("with a data directory (`data_dir` in [runtime], or --data-dir) it would be left out"));
    };
    if let Err(error) = known.note(panics) {
        return Some(error);
    }
    let mut goes_on = true;
    for panic in panics {
        goes_on &= history.add(panic.epoch);
    }
    match goes_on {
        _ if stopped > 1 => Some(first.ends("the topology was stopped at once")),
        true => None,
        false => Some(first.ends(
            "three panics without a durable epoch between them: correct or remove the component (or the record), and \
             start again; nothing that was committed is lost",
        )),
    }
}
