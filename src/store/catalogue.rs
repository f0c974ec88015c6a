//! The store of a topology as its last epoch left it, for those who only read: commands, other processes.
//!
//! Never writes, and knows nothing of the definition of the topology: what it needs is in the store. Invariant: all
//! that one catalogue says is of one epoch, as far as the backend stands still ([`super::Rocks::open_read_only`] does).

use super::KeyRef;
use super::backend::{Backend, StoreError};
use super::facts::{EpochFacts, HandleFacts, Place, SplitFacts};
use super::layout::{self, Expiry};
use super::records;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a store holds.
pub struct Catalogue {
    backend: Arc<dyn Backend>,
    epoch: EpochFacts,
    handles: BTreeMap<String, HandleFacts>,
    splits: BTreeMap<String, SplitFacts>,
}

/// An entry of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Canonical key.
    pub key: &'a [u8],
    /// The last event time at which it counts; `i64::MAX`: it always does.
    pub expires: i64,
    /// What its owner wrote.
    pub content: &'a [u8],
    /// Bytes of key and value together.
    pub bytes: usize,
}

impl Catalogue {
    /// Reads what a store says of itself.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or was written by a newer version of the program.
    pub fn open(backend: Arc<dyn Backend>) -> Result<Catalogue, StoreError> {
        records::known_format(&*backend)?;
        Ok(Catalogue {
            epoch: records::last_epoch(&*backend)?,
            handles: records::read_all(&*backend, "handle/")?,
            splits: records::read_all(&*backend, "split/")?,
            backend,
        })
    }

    /// The last epoch; number 0 if there was none yet.
    pub fn epoch(&self) -> &EpochFacts {
        &self.epoch
    }

    /// All handles, by `component/handle`.
    pub fn handles(&self) -> &BTreeMap<String, HandleFacts> {
        &self.handles
    }

    /// What is known of a handle of a component.
    pub fn handle(&self, component: &str, handle: &str) -> Option<&HandleFacts> {
        self.handles.get(&format!("{component}/{handle}"))
    }

    /// How far each split has been read, by `component/split`.
    pub fn splits(&self) -> &BTreeMap<String, SplitFacts> {
        &self.splits
    }

    /// Whether an entry no longer counts at the time of the last epoch.
    pub fn is_expired(&self, expires: i64) -> bool {
        expires < self.epoch.frontier
    }

    /// Gives the entry of a key to `read`, expired or not; none if there is none.
    ///
    /// # Errors
    /// The store cannot be read, or the value is damaged.
    pub fn entry<T>(
        &self,
        place: Place,
        key: KeyRef<'_>,
        read: impl FnOnce(Stored<'_>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let mut full = Vec::with_capacity(layout::KEY_HEAD + key.bytes.len());
        layout::state_key(key.shard(), place, &mut full);
        full.extend_from_slice(key.bytes);
        let Some(value) = self.backend.get(&full)? else { return Ok(None) };
        Ok(Some(read(stored(&full, &value)?)))
    }

    /// Gives all entries of a handle, expired or not, in the order of shards, until `each` says false.
    ///
    /// # Errors
    /// The store cannot be read, or a value is damaged.
    pub fn scan(&self, place: Place, each: &mut dyn FnMut(Stored<'_>) -> bool) -> Result<(), StoreError> {
        let (mut failed, mut on) = (None, true);
        for shard in 0..=u8::MAX {
            let (from, to) = layout::state_range(shard, place);
            self.backend.scan(&from, &to, &mut |key, value| {
                on = match stored(key, value) {
                    Ok(stored) => each(stored),
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                };
                on
            })?;
            if !on {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl HandleFacts {
    /// Where its entries are.
    pub fn place(&self) -> Place {
        Place { component: self.component, handle: self.handle }
    }
}

fn stored<'a>(key: &'a [u8], value: &'a [u8]) -> Result<Stored<'a>, StoreError> {
    let content = layout::content(value, || "the value of a key".to_owned())?;
    let expires = match layout::expiry(key, value) {
        Expiry::Never => i64::MAX,
        Expiry::At(time) => time,
    };
    Ok(Stored { key: &key[layout::KEY_HEAD..], expires, content, bytes: key.len() + value.len() })
}
