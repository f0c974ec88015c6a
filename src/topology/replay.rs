//! Replaying dead letters: a run of the topology whose spouts read nothing but its letters.
//!
//! 1. The topic is read once, up to where it ends then, and its letters are sorted by component, reason and stream into
//!    **groups**. What is added later is not read, so what fails again is not read again.
//! 2. Each group is a split: of a spout, whose records are decoded again as the spout now does it, or of a feed into one
//!    bolt, by the edge that the row came on, so that no other reader of that stream sees it twice. Its position is the
//!    offset of the next letter: it is in the epoch with all that follows from the letters before it.
//! 3. The run ends as a drain does: windows, matches and deadlines that are open stay open. Its tuples move no time.
//!
//! Never writes the topic: what fails again does so as everything that fails.

mod spout;

use super::plan::{Entry, ReplayEntry};
use crate::component::ComponentError;
use crate::config::{Checked, Owner};
use crate::dead::{Letter, Replayed};
use crate::executor::split_key;
use crate::log::{Log, LogError, Start};
use crate::store::{Space, SplitFacts};
use spout::{ReplayPlan, To};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Name of the split of a spout that has no letters, and the start of the names of the others.
const SPLIT: &str = "dead letters";

/// Which letters are replayed.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those of this spout or bolt only.
    pub component: Option<String>,
    /// Those with this reason only.
    pub reason: Option<String>,
    /// From this offset on, whether they were replayed before or not.
    pub from: Option<u64>,
}

/// A number of letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// Spout or bolt.
    pub component: String,
    /// Why they are dead letters.
    pub reason: String,
    /// Why they cannot be replayed, if they cannot.
    pub obstacle: Option<String>,
    /// How many.
    pub letters: u64,
}

/// Letters that go the same way.
struct Group {
    component: String,
    reason: String,
    /// The stream that rows came on; none for records.
    from: Option<String>,
    offsets: Vec<u64>,
}

impl Group {
    fn split(&self) -> String {
        match &self.from {
            Some(stream) => format!("{SPLIT}: {} from {stream}", self.reason),
            None => format!("{SPLIT}: {}", self.reason),
        }
    }

    fn key(&self) -> String {
        split_key(&self.component, &self.split())
    }
}

/// What the splits of a replay share.
struct Shared {
    log: Log,
    topic: String,
    groups: Vec<Group>,
    /// `--from`, in the first life of the run: a later one goes on where that was.
    from: Mutex<Option<u64>>,
    /// Splits that are not at their end.
    left: AtomicUsize,
    /// Letters that became no tuple and no letter either.
    obstacles: Mutex<BTreeMap<(String, String, String), u64>>,
}

/// A replay of the letters of a topology.
pub struct Replay {
    shared: Arc<Shared>,
    selection: Selection,
    lives: AtomicUsize,
    /// Where the topic ended.
    end: u64,
}

impl Replay {
    /// Looks through the letters of a topology.
    ///
    /// # Errors
    /// None are kept, or the topic cannot be read.
    pub fn open(checked: &Checked, selection: Selection) -> Result<Replay, ComponentError> {
        let Some(data_dir) = &checked.runtime.data_dir else {
            return Err(ComponentError::new(
                "there is no data directory, and so there are no dead letters; give it with `data_dir` in [runtime] or \
                 --data-dir",
            ));
        };
        let Some(dead) = &checked.runtime.dead_letters else {
            return Err(ComponentError::new("`dead_letters` in [runtime] is false: no dead letters are kept"));
        };
        let shared = Shared {
            log: Log::in_dir(data_dir),
            topic: dead.topic.clone(),
            groups: Vec::new(),
            from: Mutex::default(),
            left: AtomicUsize::new(0),
            obstacles: Mutex::default(),
        };
        let mut replay = Replay { shared: Arc::new(shared), selection, lives: AtomicUsize::new(0), end: 0 };
        replay.look(checked).map_err(|error| {
            ComponentError::new(format!("the topic `{}` of dead letters cannot be read: {error}", dead.topic))
        })?;
        Ok(replay)
    }

    /// Sorts the letters into groups.
    fn look(&mut self, checked: &Checked) -> Result<(), LogError> {
        let Some(shared) = Arc::get_mut(&mut self.shared) else { return Ok(()) };
        let topic = match shared.log.topic(&shared.topic) {
            Err(LogError::NoTopic { .. }) => return Ok(()),
            topic => topic?,
        };
        let start = self.selection.from.map_or(Start::Earliest, Start::Offset);
        let mut reader = topic.reader(0, start)?;
        self.end = reader.end()?;
        let mut groups: BTreeMap<(String, String, Option<String>), Vec<u64>> = BTreeMap::new();
        let mut obstacles = shared.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        while reader.offset() < self.end {
            let Some(record) = reader.next_record()? else { break };
            let offset = record.offset;
            let Some(letter) = Letter::parse(record.value) else {
                let unknown = (String::new(), String::new(), "it is no dead letter".to_owned());
                *obstacles.entry(unknown).or_default() += 1;
                continue;
            };
            let wanted = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
            if !wanted(&self.selection.component, &letter.component) || !wanted(&self.selection.reason, &letter.reason)
            {
                continue;
            }
            match way(checked, &letter) {
                Ok(from) => groups.entry((letter.component, letter.reason, from)).or_default().push(offset),
                Err(why) => *obstacles.entry((letter.component, letter.reason, why)).or_default() += 1,
            }
        }
        drop(obstacles);
        let group = |((component, reason, from), offsets)| Group { component, reason, from, offsets };
        shared.groups = groups.into_iter().map(group).collect();
        Ok(())
    }

    /// Letters that are to be replayed where the splits are at these positions, and those that cannot be.
    pub fn counted(&self, splits: &BTreeMap<String, SplitFacts>, checked: &Checked) -> Vec<Counted> {
        let mut found: BTreeMap<(String, String, Option<String>), u64> = BTreeMap::new();
        for group in &self.shared.groups {
            let position = splits.get(&group.key()).map_or(0, |facts| facts.position);
            let start = self.selection.from.unwrap_or(position >> shift(checked, &group.component));
            let letters = group.offsets.iter().filter(|offset| **offset >= start).count() as u64;
            *found.entry((group.component.clone(), group.reason.clone(), None)).or_default() += letters;
        }
        for (component, reason, why, letters) in self.obstacles() {
            *found.entry((component, reason, Some(why))).or_default() += letters;
        }
        let counted = |((component, reason, obstacle), letters)| Counted { component, reason, obstacle, letters };
        found.into_iter().map(counted).filter(|counted| counted.letters > 0).collect()
    }

    /// Letters that could not be replayed: component, reason, why, how many.
    pub fn obstacles(&self) -> Vec<(String, String, String, u64)> {
        let obstacles = self.shared.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        obstacles.iter().map(|((c, r, why), n)| (c.clone(), r.clone(), why.clone(), *n)).collect()
    }

    /// Whether all letters have been followed.
    pub fn is_done(&self) -> bool {
        // Relaxed: the drain that follows waits for what is in flight.
        self.lives.load(Ordering::Relaxed) > 0 && self.shared.left.load(Ordering::Relaxed) == 0
    }

    /// What the run reads: for each spout its letters (or nothing, so that every bolt has its inputs), and for each edge
    /// of a bolt those of its rows.
    pub(super) fn entries(&self, checked: &Checked) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (number, spout) in checked.spouts.iter().enumerate() {
            let own = |group: &&Group| group.component == spout.id && group.from.is_none();
            let mut splits: Vec<String> = self.shared.groups.iter().filter(own).map(Group::split).collect();
            if splits.is_empty() {
                splits.push(SPLIT.to_owned());
            }
            let to = To::Spout(spout.plan.clone());
            let replay = ReplayEntry { only: None, since: i64::MIN };
            entries.push(Entry {
                spout: Some(number),
                ..self.entry(checked, &spout.id, spout.outputs[0], to, splits, replay)
            });
        }
        for (number, bolt) in checked.bolts.iter().enumerate() {
            for (edge, from) in bolt.edges.iter().enumerate() {
                let stream = &checked.streams[from.stream].name;
                let own = |group: &&Group| group.component == bolt.id && group.from.as_ref() == Some(stream);
                let splits: Vec<String> = self.shared.groups.iter().filter(own).map(Group::split).collect();
                if !splits.is_empty() {
                    let replay = ReplayEntry { only: Some((number, edge)), since: i64::MIN };
                    entries.push(self.entry(checked, &bolt.id, from.stream, To::Bolt, splits, replay));
                }
            }
        }
        let splits: usize = entries.iter().map(|entry| entry.splits.len()).sum();
        self.shared.left.store(splits, Ordering::Relaxed);
        self.lives.fetch_add(1, Ordering::Relaxed);
        entries
    }

    fn entry(
        &self,
        checked: &Checked,
        id: &str,
        stream: usize,
        to: To,
        splits: Vec<String>,
        replay: ReplayEntry,
    ) -> Entry {
        let columns = checked.streams[stream].columns.iter().map(|c| c.column.clone()).collect();
        let plan = ReplayPlan { shared: self.shared.clone(), columns, to, splits: splits.clone(), end: self.end };
        Entry {
            id: id.to_owned(),
            stream,
            plan: Arc::new(plan),
            splits,
            tasks: None,
            // Their tuples say nothing about time.
            disorder: i64::MAX,
            idle: None,
            spout: None,
            replay: Some(replay),
        }
    }

    /// Before a life of the run: what its entries promise about time, and the splits that letters are known by.
    pub(super) fn begin(
        &self,
        checked: &Checked,
        entries: &mut [Entry],
        space: &Space,
    ) -> Result<Vec<Replayed>, ComponentError> {
        let first = self.lives.load(Ordering::Relaxed) == 1;
        *self.shared.from.lock().unwrap_or_else(PoisonError::into_inner) = self.selection.from.filter(|_| first);
        let stored = space.splits();
        let mut replayed = Vec::new();
        for entry in entries {
            let since = promise(checked, entry.stream, &stored);
            entry.replay = entry.replay.map(|replay| ReplayEntry { since, ..replay });
            let shift = shift(checked, &entry.id);
            for split in &entry.splits {
                let id = space.split_id(&split_key(&entry.id, split));
                let split = id.map_err(|error| ComponentError::new(error.to_string()))?;
                replayed.push(Replayed { split, shift });
            }
        }
        Ok(replayed)
    }
}

/// By how many bits offsets are shifted to be positions of a component's letters.
fn shift(checked: &Checked, component: &str) -> u32 {
    let spout = checked.spouts.iter().find(|spout| spout.id == component);
    spout.and_then(|spout| spout.plan.again_shift()).unwrap_or(0)
}

/// What the splits behind a stream promised of time at the last epoch.
fn promise(checked: &Checked, stream: usize, stored: &BTreeMap<String, SplitFacts>) -> i64 {
    match checked.streams[stream].owner {
        Owner::Spout(spout) => {
            let spout = &checked.spouts[spout];
            let own = stored.iter().filter_map(|(name, facts)| {
                let split = name.strip_prefix(spout.id.as_str())?.strip_prefix('/')?;
                (!split.starts_with(SPLIT)).then_some(facts)
            });
            let promises = own.map(|facts| facts.time.map_or(i64::MIN, |time| time.saturating_sub(spout.disorder)));
            promises.min().unwrap_or(i64::MIN)
        }
        Owner::Bolt(bolt) => {
            let behind = checked.bolts[bolt].edges.iter().map(|edge| promise(checked, edge.stream, stored));
            behind.min().unwrap_or(i64::MIN)
        }
    }
}

/// The stream that a letter's row goes on (none for a record), or why it cannot be replayed.
fn way(checked: &Checked, letter: &Letter) -> Result<Option<String>, String> {
    if let Some(spout) = checked.spouts.iter().find(|spout| spout.id == letter.component) {
        return match (letter.bytes(), spout.plan.again_shift()) {
            (_, None) => Err(format!("a spout of kind `{}` cannot decode single records", spout.kind)),
            (None, _) => Err("the letter does not have the whole record".to_owned()),
            (Some(_), Some(_)) => Ok(None),
        };
    }
    let Some(bolt) = checked.bolts.iter().find(|bolt| bolt.id == letter.component) else {
        return Err("the topology has no such component".to_owned());
    };
    let (Some(from), Some(_)) = (&letter.from, &letter.row) else {
        return Err("the letter does not have the row".to_owned());
    };
    match bolt.edges.iter().any(|edge| checked.streams[edge.stream].name == *from) {
        true => Ok(Some(from.clone())),
        false => Err(format!("the bolt does not read `{from}` any more")),
    }
}
