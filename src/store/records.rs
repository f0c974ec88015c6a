//! Small records of the store of a topology: names, in JSON.

use super::backend::{Backend, Batch, StoreError};
use super::facts::{EpochFacts, Format};
use super::layout::{FORMAT, meta};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// A record that does not read.
pub(super) fn damaged(name: &str, error: impl ToString) -> StoreError {
    StoreError::Damaged { what: format!("the record `{name}` of the store"), why: error.to_string() }
}

/// Reads a record; none if there is none.
pub(super) fn read<T: DeserializeOwned>(backend: &dyn Backend, name: &str) -> Result<Option<T>, StoreError> {
    let value = backend.get(&meta(name))?;
    value.map(|value| serde_json::from_slice(&value).map_err(|error| damaged(name, error))).transpose()
}

/// Whether a store has been begun, in a form that this program knows.
///
/// # Errors
/// It was written by a newer program, or cannot be read.
pub(super) fn known_format(backend: &dyn Backend) -> Result<bool, StoreError> {
    match read::<Format>(backend, "format")? {
        Some(Format { format, program }) if format > FORMAT => Err(StoreError::Refused(format!(
            "the state was written by sferic {program} in form {format}, and this program knows form {FORMAT}; \
             use the newer program, or another `data_dir`"
        ))),
        found => Ok(found.is_some()),
    }
}

/// The last epoch, number 0 if there was none yet.
pub(super) fn last_epoch(backend: &dyn Backend) -> Result<EpochFacts, StoreError> {
    Ok(read(backend, "epoch")?.unwrap_or_else(EpochFacts::none))
}

/// Reads all records whose names begin with `prefix`, by the rest of their names.
pub(super) fn read_all<T: DeserializeOwned>(
    backend: &dyn Backend,
    prefix: &str,
) -> Result<BTreeMap<String, T>, StoreError> {
    let (mut found, mut failed) = (BTreeMap::new(), None);
    let from = meta(prefix);
    let mut to = from.clone();
    to.push(u8::MAX);
    backend.scan(&from, &to, &mut |key, value| {
        let name = String::from_utf8_lossy(&key[from.len()..]).into_owned();
        match serde_json::from_slice(value) {
            Ok(facts) => {
                found.insert(name, facts);
                true
            }
            Err(error) => {
                failed = Some(damaged(&format!("{prefix}{name}"), error));
                false
            }
        }
    })?;
    failed.map_or(Ok(found), Err)
}

/// Puts a record into a batch.
pub(super) fn put(batch: &mut Batch, name: &str, facts: &impl Serialize) {
    let value = serde_json::to_vec(facts).expect("facts have only names, numbers and texts");
    batch.put(&meta(name), &value);
}
