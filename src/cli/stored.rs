//! The store of a topology, for commands that look at it, and how they print what they found.

use crate::store::{Catalogue, Rocks, StoreError};
use crate::tuple::format_rfc3339;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

/// A writing process may replace files while they are opened one by one: then they are opened anew.
const TRIES: usize = 5;

/// The folders in `data_dir` that hold the state of a topology, by name.
pub fn topologies(data_dir: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(data_dir).into_iter().flatten().flatten();
    let with_state = folders.filter(|folder| folder.path().join("rocks").join("CURRENT").is_file());
    let mut names: Vec<String> = with_state.filter_map(|folder| folder.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The name of the topology that `text` means: itself, or a path of its file.
///
/// # Errors
/// Never: a file that cannot be read is known by its own name, as it is where it runs.
pub fn topology(text: &str) -> Result<String, Infallible> {
    let path = Path::new(text);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Ok(text.to_owned());
    }
    let table = std::fs::read_to_string(path).ok().and_then(|file| file.parse::<toml::Table>().ok());
    let name = table.as_ref().and_then(|table| table.get("name")?.as_str());
    let stem = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(name.map(str::to_owned).or_else(stem).unwrap_or_default())
}

/// The state of a topology as its last epoch left it, for reading; the topology may be running.
///
/// # Errors
/// There is none, or it cannot be read: in words.
pub fn open(data_dir: &Path, topology: &str) -> Result<Catalogue, String> {
    let known = topologies(data_dir);
    if !known.iter().any(|name| name == topology) {
        let there = match known.as_slice() {
            [] => "nor of any other; give the data directory with --data-dir".to_owned(),
            names => format!("there is state of: {}", names.join(", ")),
        };
        return Err(format!("there is no state of a topology `{topology}` in {}, {there}", data_dir.display()));
    }
    let folder = data_dir.join(topology);
    let mut tries = 0;
    loop {
        tries += 1;
        match Rocks::open_read_only(&folder).and_then(|rocks| Catalogue::open(Arc::new(rocks))) {
            Err(StoreError::Outside { .. } | StoreError::Damaged { .. }) if tries < TRIES => {}
            opened => return opened.map_err(|error| error.to_string()),
        }
    }
}

/// An event time or a time of the clock for people; none where it is not known.
fn time(micros: i64) -> Option<String> {
    (micros > i64::MIN).then(|| {
        let mut text = String::new();
        format_rfc3339(micros, &mut text);
        text
    })
}

/// As of when the answers from a catalogue are, in one line.
pub fn as_of(catalogue: &Catalogue) -> String {
    let epoch = catalogue.epoch();
    if epoch.epoch == 0 {
        return "no epoch has been committed yet".to_owned();
    }
    let committed = time(epoch.wall).unwrap_or_default();
    let event_time = time(epoch.frontier).unwrap_or_else(|| "unknown".to_owned());
    let mut text = format!("as of epoch {}, committed {committed}, event time {event_time}", epoch.epoch);
    for (n, (name, split)) in catalogue.splits().iter().enumerate() {
        text.push_str(if n == 0 { "; read " } else { ", " });
        text.push_str(&format!("{name} to {}", split.position));
    }
    text
}

/// The same for machines.
pub fn as_of_json(catalogue: &Catalogue) -> Value {
    let epoch = catalogue.epoch();
    let splits = catalogue.splits().iter().map(|(name, split)| (name.clone(), json!(split.position)));
    json!({
        "epoch": epoch.epoch,
        "committed": (epoch.epoch > 0).then(|| time(epoch.wall)).flatten(),
        "event_time": time(epoch.frontier),
        "positions": Value::Object(splits.collect()),
    })
}
