//! The promises that are checked: whenever a process begins, and at the end.

use super::cases::{Case, Complete};
use super::contents::{Contents, contents, difference};
use super::drawn::Order;
use super::found::Found;
use super::ground::Ground;
use super::ledger::{Seen, rows};
use super::letters::Letters;
use super::topic::Told;
use crate::config::Checked;
use crate::dead::Letter;
use crate::store::{Space, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What has been promised so far: it may never be taken back.
#[derive(Default)]
pub struct Witness {
    /// The last epoch that a process knew to be durable.
    pub durable: u64,
    /// The last epoch that was asked for.
    pub asked: u64,
    frontier: Option<i64>,
    positions: BTreeMap<String, u64>,
    /// Ledgers to which rows of a key come in the order of their split.
    ordered: Vec<String>,
    /// What readers of the topic have seen.
    told: Told,
    /// The dead letters so far.
    pub letters: Letters,
}

impl Witness {
    /// A witness of a topology.
    pub fn new(case: &Case, checked: &Checked) -> Witness {
        // Two streams may overtake each other.
        let one = checked.bolts.iter().filter(|bolt| case.ordered && bolt.edges.len() == 1);
        Witness { ordered: one.map(|bolt| bolt.id.clone()).collect(), ..Witness::default() }
    }

    /// What a new process finds is one whole epoch, and no older one than was promised. `ended`: nothing more comes. What
    /// is half done in it.
    ///
    /// # Errors
    /// A promise is broken, in words.
    pub fn look(
        &mut self,
        case: &Case,
        checked: &Checked,
        space: &Arc<Space>,
        ground: &Ground,
        ended: bool,
    ) -> Result<Found, String> {
        let opened = space.opened();
        if opened.epoch < self.durable || opened.epoch > self.asked {
            return Err(format!(
                "epoch {} is found, when {} was durable and {} asked for",
                opened.epoch, self.durable, self.asked
            ));
        }
        (self.durable, self.asked) = (opened.epoch, opened.epoch);
        if self.frontier.is_some_and(|known| opened.frontier < known) {
            return Err(format!("the frontier has gone back from {:?} to {}", self.frontier, opened.frontier));
        }
        self.frontier = Some(opened.frontier);
        for (name, facts) in space.splits() {
            let known = self.positions.insert(name.clone(), facts.position);
            if known.is_some_and(|known| facts.position < known) {
                return Err(format!("split {name} has gone back from {known:?} to {}", facts.position));
            }
        }
        let all = contents(space, i64::MIN).map_err(unreadable)?;
        let ledgers = ledgers(&all)?;
        // What windows say of themselves before they close may be joined or matched twice.
        let open = |name: &String| case.certain.iter().any(|(known, order)| known == name && *order == Order::Open);
        ledgers.iter().filter(|(name, _)| !open(name)).try_for_each(|(name, ledger)| unique(name, ledger))?;
        let in_order = ledgers.iter().filter(|(name, _)| self.ordered.contains(name));
        in_order.into_iter().try_for_each(|(name, ledger)| ordered(name, ledger))?;
        let letters: &[Letter] = match &case.letters {
            Some(_) => self.letters.look(checked, &ground.files, space, ended)?,
            None => &[],
        };
        case.complete.iter().try_for_each(|group| whole(group, &ledgers, letters, space))?;
        let of = |name: &str| ledgers.get(name).into_iter().flat_map(BTreeMap::values).flatten().copied().collect();
        let passed: Vec<Seen> = of("passed");
        if case.name == "outbox" {
            ground.service.look(space, &passed, ended)?;
        }
        if case.partitions.is_some() {
            let read: Vec<Seen> = of("read");
            self.told.look(&ground.files, space, &passed, &read, ended)?;
        }
        Ok(Found::of(checked, &all))
    }
}

fn unreadable(error: StoreError) -> String {
    format!("the store cannot be read in fair weather: {error}")
}

/// Rows of each key.
type Rows = BTreeMap<Vec<u8>, Vec<Seen>>;

/// The ledgers by component.
fn ledgers(all: &Contents) -> Result<BTreeMap<String, Rows>, String> {
    let mut found = BTreeMap::new();
    for (name, handle) in all {
        let Some(component) = name.strip_suffix("/seen") else { continue };
        let mut ledger = Rows::new();
        for (key, content) in &handle.entries {
            let rows = rows(content).ok_or_else(|| format!("an entry of {name} cannot be read"))?;
            ledger.insert(key.clone(), rows);
        }
        found.insert(component.to_owned(), ledger);
    }
    Ok(found)
}

/// Whether the row stems from a record, not from a timer: these have no split.
fn of_record(row: &&Seen) -> bool {
    row.split != u32::MAX
}

/// No row came twice.
fn unique(name: &str, ledger: &Rows) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for row in ledger.values().flatten().filter(of_record) {
        if !ids.insert((row.split, row.position, row.path)) {
            return Err(format!("`{name}` has a row twice: {row:?}"));
        }
    }
    Ok(())
}

/// Rows of a key came in the order of their split.
fn ordered(name: &str, ledger: &Rows) -> Result<(), String> {
    for rows in ledger.values() {
        let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
        for row in rows {
            let known = newest.insert(row.split, row.position);
            if known.is_some_and(|known| row.position < known) {
                return Err(format!("`{name}` saw position {known:?} before {row:?}"));
            }
        }
    }
    Ok(())
}

/// All records before the positions of the epoch, and no others, lie in the ledgers of a group, each once.
fn whole(group: &Complete, ledgers: &BTreeMap<String, Rows>, letters: &[Letter], space: &Space) -> Result<(), String> {
    let mut found: BTreeMap<u32, BTreeMap<u64, usize>> = BTreeMap::new();
    let Complete { spout, ledgers: group, letters: has_letters } = group;
    let ids: BTreeMap<String, u32> = space.splits().into_iter().map(|(name, facts)| (name, facts.id)).collect();
    for letter in letters.iter().filter(|letter| *has_letters && Some(&letter.component) == spout.as_ref()) {
        let id = letter.split.as_ref().and_then(|name| ids.get(name)).ok_or("a dead letter is of no split")?;
        *found.entry(*id).or_default().entry(letter.position.unwrap_or(u64::MAX)).or_default() += 1;
    }
    for row in group.iter().filter_map(|name| ledgers.get(name)).flat_map(|ledger| ledger.values().flatten()) {
        *found.entry(row.split).or_default().entry(row.position).or_default() += 1;
    }
    let own = |name: &str| spout.as_ref().is_none_or(|spout| name.split_once('/').is_some_and(|(of, _)| of == spout));
    for (name, facts) in space.splits().into_iter().filter(|(name, _)| own(name)) {
        let of_split = found.remove(&facts.id).unwrap_or_default();
        let wrong = (0..facts.position).find(|position| of_split.get(position) != Some(&1));
        if let Some(position) = wrong {
            let times = of_split.get(&position).copied().unwrap_or(0);
            return Err(format!(
                "{group:?}: record {position} of split {name} came {times} times, and the split has been read up to {}",
                facts.position
            ));
        }
        if let Some((position, _)) = of_split.range(facts.position..).next() {
            return Err(format!(
                "{group:?}: record {position} of split {name} came, and the split has been read up to {} only",
                facts.position
            ));
        }
    }
    Ok(())
}

/// At the end the store holds what an undisturbed run's holds: the same rows in the groups of ledgers, and every entry
/// of all components but those in `undecided`. How many entries were compared.
///
/// # Errors
/// It does not: what differs.
pub fn same_end(case: &Case, found: &Space, wanted: &Space, undecided: &BTreeSet<String>) -> Result<usize, String> {
    // What has expired may have been forgotten in the one and not yet in the other.
    let now = found.opened().frontier.max(wanted.opened().frontier);
    let read = |space: &Space| contents(space, now).map_err(unreadable);
    let (here, there) = (read(found)?, read(wanted)?);
    let together = |name: &str| !case.apart.iter().any(|apart| name.split('/').next() == Some(apart.as_str()));
    let positions = |space: &Space| {
        let splits = space.splits().into_iter().filter(|(name, _)| together(name));
        splits.map(|(name, s)| (name, s.position)).collect::<Vec<_>>()
    };
    if positions(found) != positions(wanted) {
        return Err(format!("splits were read up to {:?} instead of {:?}", positions(found), positions(wanted)));
    }
    if here.keys().ne(there.keys()) {
        return Err(format!("there is state of {:?} instead of {:?}", here.keys(), there.keys()));
    }
    let component = |name: &String| name.rsplit_once('/').map_or(name.clone(), |(component, _)| component.to_owned());
    let decides = |name: &String| together(name) && !undecided.contains(&component(name));
    let decided: Vec<_> = here.iter().filter(|(name, _)| decides(name)).collect();
    let differ: Vec<String> = decided.iter().filter_map(|(name, h)| difference(name, h, &there[*name])).collect();
    let compared = decided.iter().map(|(_, handle)| handle.entries.len()).sum();
    let (here, there) = (ledgers(&here)?, ledgers(&there)?);
    // Those that can be read say more than their bytes.
    for (name, _) in &case.certain {
        let decided = differ.iter().any(|words| words.starts_with(&format!("{name}/")));
        certain(name, if decided { Order::Keys } else { Order::Open }, here.get(name), there.get(name))?;
    }
    if !differ.is_empty() {
        return Err(differ.join("\n  "));
    }
    case.certain.iter().try_for_each(|(name, order)| certain(name, *order, here.get(name), there.get(name)))?;
    // Rows that are no more than passed on are the same whoever passes them.
    for Complete { ledgers: group, .. } in case.complete.iter().filter(|_| case.passes_on) {
        if group.iter().any(|name| !together(name.as_str())) {
            continue;
        }
        let rows = |of: &BTreeMap<String, Rows>| {
            let ledgers = group.iter().filter_map(|name| of.get(name));
            let mut rows: Vec<Seen> = ledgers.flat_map(|ledger| ledger.values().flatten().copied()).collect();
            rows.sort_unstable();
            rows
        };
        let (here, there) = (rows(&here), rows(&there));
        if let Some(at) = (0..here.len().max(there.len())).find(|at| here.get(*at) != there.get(*at)) {
            return Err(format!("{group:?}: {:?} instead of {:?}", here.get(at), there.get(at)));
        }
    }
    Ok(compared)
}

/// What an undisturbed run has in a ledger is there, whoever else has done the work.
fn certain(name: &str, order: Order, here: Option<&Rows>, there: Option<&Rows>) -> Result<(), String> {
    if order == Order::Open {
        return Ok(());
    }
    let of = |ledger: Option<&Rows>, key: &Vec<u8>| {
        let rows = ledger.and_then(|ledger| ledger.get(key)).into_iter().flatten();
        let mut rows: Vec<Seen> = rows.copied().collect();
        if order == Order::Rows {
            rows.sort_unstable();
        }
        rows
    };
    let keys: BTreeSet<&Vec<u8>> = here.into_iter().chain(there).flat_map(BTreeMap::keys).collect();
    for key in keys {
        let (here, there) = (of(here, key), of(there, key));
        if let Some(at) = (0..here.len().max(there.len())).find(|at| here.get(*at) != there.get(*at)) {
            return Err(format!(
                "`{name}`, key {key:?}, differs from row {at} of {} and {} on:\n{}  instead of\n{}",
                here.len(),
                there.len(),
                listed(&here, at),
                listed(&there, at)
            ));
        }
    }
    Ok(())
}

/// Rows shown before and behind the first that differs.
const SHOWN: usize = 4;

fn listed(rows: &[Seen], at: usize) -> String {
    let line = |(n, row): (usize, &Seen)| {
        let Seen { split, position, path, time, sum } = row;
        let time = time - super::records::START;
        format!("    {n}: {time} us, split {} position {position}, path {path:x}, sum {sum:x}\n", *split as i32)
    };
    rows.iter().enumerate().skip(at.saturating_sub(SHOWN)).take(2 * SHOWN).map(line).collect()
}
