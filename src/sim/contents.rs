//! What a store holds, to be compared with what another one holds.

use crate::store::{Space, StoreError};
use std::collections::{BTreeMap, HashMap};

/// The entries of one handle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handle {
    /// Canonical key and content.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether event lists belong to them: their contents then name places of chunks, which no two runs have alike.
    pub has_lists: bool,
}

/// Where a row of a table has its place in the order of insertion, which tells in which epoch the process was that
/// inserted it: it is left out.
const TABLE_ORDER: std::ops::Range<usize> = 8..16;

/// The entries of all handles, by `component/handle`.
pub type Contents = BTreeMap<String, Handle>;

/// What a store holds, without what has expired when no tuple before event time `now` comes any more.
///
/// # Errors
/// The store cannot be read.
pub fn contents(space: &Space, now: i64) -> Result<Contents, StoreError> {
    let (mut all, mut names) = (Contents::new(), HashMap::new());
    for (name, facts) in space.handles() {
        // Those of windows may all be past, and still be named; rows of matches lie in the order of their coming and going.
        let has_lists = name.ends_with("/windows") || name.ends_with("/matches") || space.has_lists(facts.component);
        all.insert(name.clone(), Handle { has_lists, ..Handle::default() });
        names.insert((facts.component, facts.handle), name);
    }
    space.scan_living(now, |place, key, content| {
        let Some(name) = names.get(&(place.component, place.handle)) else { return };
        let mut content = content.to_vec();
        if name.ends_with("/rows") {
            content.drain(TABLE_ORDER.start.min(content.len())..TABLE_ORDER.end.min(content.len()));
        }
        if let Some(handle) = all.get_mut(name) {
            handle.entries.insert(key.to_vec(), content);
        }
    })?;
    Ok(all)
}

/// Differences shown of one handle.
const SHOWN: usize = 3;

/// How two handles differ, in words; none: they do not. Of entries with event lists the keys alone are compared.
pub fn difference(name: &str, found: &Handle, wanted: &Handle) -> Option<String> {
    let lists = found.has_lists || wanted.has_lists;
    let same =
        |key: &Vec<u8>, content: &Vec<u8>| wanted.entries.get(key).is_some_and(|known| lists || known == content);
    let mut differ: Vec<String> = Vec::new();
    for (key, content) in found.entries.iter().filter(|(key, content)| !same(key, content)) {
        differ.push(match wanted.entries.get(key) {
            Some(known) => format!("key {}: {} instead of {}", hex(key), hex(content), hex(known)),
            None => format!("key {} should not be there", hex(key)),
        });
    }
    let missing = wanted.entries.keys().filter(|key| !found.entries.contains_key(*key));
    differ.extend(missing.map(|key| format!("key {} is missing", hex(key))));
    if differ.is_empty() {
        return None;
    }
    let (count, of) = (differ.len(), wanted.entries.len());
    differ.truncate(SHOWN);
    Some(format!("{name}: {count} of {of} entries differ, such as\n    {}", differ.join("\n    ")))
}

/// Longest key or content shown, bytes.
const HEX_BYTES: usize = 96;

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(HEX_BYTES)];
    let mut text: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    if shown.len() < bytes.len() {
        text.push_str("...");
    }
    text
}
