//! What lies under keyed state: an ordered map with atomic, durable batches, and segments of bytes that only grow.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Why the store could not do what it was asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// The outside refuses: a full disk, an I/O error. What was asked for has not happened, or cannot be relied on.
    #[error("{what}: {why}; {cure}")]
    Outside {
        /// What was tried, with the path.
        what: String,
        /// What the system said.
        why: String,
        /// What is safe to do.
        cure: &'static str,
    },
    /// The outside refuses a write. Nothing of it counts as done, and the same write may be tried again.
    #[error("{what}: {why}; make room on the disk or repair it")]
    Unwritten {
        /// What was to be written, with the path.
        what: String,
        /// What the system said.
        why: String,
    },
    /// What was read is not what was written.
    #[error(
        "{what} is damaged: {why}; restore the data directory from a copy, or remove it to begin anew from the sources"
    )]
    Damaged {
        /// The thing, with its path or key.
        what: String,
        /// What does not fit.
        why: String,
    },
    /// The state belongs to another definition, another program, or is in use.
    #[error("{0}")]
    Refused(String),
}

/// Changes of the map that become durable together, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Operations, one after the other: `[kind u8 | key length u32 | value length u32 | key | value]`.
    bytes: Vec<u8>,
    operations: usize,
}

const PUT: u8 = 1;
const DELETE: u8 = 0;
const OPERATION: usize = 9;

/// A change of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The key has this value.
    Put(&'a [u8], &'a [u8]),
    /// The key has none.
    Delete(&'a [u8]),
}

impl Batch {
    /// No operations yet, in memory that was used before.
    pub fn within(mut memory: Vec<u8>) -> Batch {
        memory.clear();
        Batch { bytes: memory, operations: 0 }
    }

    /// Its memory, to be used again.
    pub fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// The key has this value.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.put_with(|out| out.extend_from_slice(key), |out| out.extend_from_slice(value));
    }

    /// A key and its value, each appended by a closure: nothing is copied twice.
    #[inline]
    pub fn put_with(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; OPERATION]);
        key(&mut self.bytes);
        let middle = self.bytes.len();
        value(&mut self.bytes);
        let lengths = [middle - start - OPERATION, self.bytes.len() - middle].map(|n| (n as u32).to_le_bytes());
        self.bytes[start] = PUT;
        self.bytes[start + 1..start + 5].copy_from_slice(&lengths[0]);
        self.bytes[start + 5..start + 9].copy_from_slice(&lengths[1]);
        self.operations += 1;
    }

    /// The key has no value any more.
    pub fn delete(&mut self, key: &[u8]) {
        self.bytes.push(DELETE);
        self.bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(key);
        self.operations += 1;
    }

    /// The operations, in their order.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (operation, end) = self.operation_at(next)?;
            next = end;
            Some(operation)
        })
    }

    /// The operation that begins at a place, the first at 0, and the place of the next; none at the end.
    #[inline]
    pub fn operation_at(&self, at: usize) -> Option<(Operation<'_>, usize)> {
        let (head, body) = self.bytes.get(at..)?.split_first_chunk::<OPERATION>()?;
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (key, rest) = body.split_at_checked(length(1))?;
        let value = rest.get(..length(5))?;
        let end = at + OPERATION + key.len() + value.len();
        Some((if head[0] == PUT { Operation::Put(key, value) } else { Operation::Delete(key) }, end))
    }

    /// Makes room for so many bytes of operations.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// Bytes that they take.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// No operations; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations = 0;
    }
}

/// What a store says of itself, for the report; zero where it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StoreStats {
    /// Bytes that its files take.
    pub disk_bytes: u64,
    /// Bytes handed to it in batches and segments since it was opened.
    pub given_bytes: u64,
    /// Bytes that it has written for them, compaction included.
    pub written_bytes: u64,
    /// Time for which writers were held up by it, nanoseconds.
    pub stall_ns: u64,
    /// Memory that it holds (tables not yet flushed, cached blocks, indexes and filters), bytes.
    pub memory_bytes: u64,
}

/// An ordered map of bytes and segments of bytes, shared by all executors. Reads may come from any thread at any time;
/// batches and segments are written by the committer alone.
pub trait Backend: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Gives the values of those of some keys that have one, with their place among the keys, which ascend and are all
    /// different.
    ///
    /// # Errors
    /// One of them cannot be read.
    fn multi_get(&self, keys: &[&[u8]], each: &mut dyn FnMut(usize, &[u8])) -> Result<(), StoreError> {
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = self.get(key)? {
                each(index, &value);
            }
        }
        Ok(())
    }

    /// Gives the pairs with keys in `[from, to)`, ascending, as one moment knew them, until `each` says false.
    ///
    /// # Errors
    /// They cannot be read.
    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError>;

    /// Makes batches durable, all or none, in this order. When it returns they are.
    ///
    /// # Errors
    /// They are not: nothing of them can be seen, now or after a restart, or it is not known whether they can. After
    /// [`StoreError::Unwritten`] the same batches may be given again, and then it is known.
    fn write(&self, batches: &[Batch]) -> Result<(), StoreError>;

    /// Writes bytes at the end of a segment, which is made if there is none; not durable before
    /// [`Backend::segment_sync`].
    ///
    /// # Errors
    /// They could not be written; after [`StoreError::Unwritten`] the same bytes may be given again.
    fn segment_write(&self, segment: u32, at: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes what was written to a segment durable.
    ///
    /// # Errors
    /// It may not be durable, and a second try would not tell: never [`StoreError::Unwritten`].
    fn segment_sync(&self, segment: u32) -> Result<(), StoreError>;

    /// Reads bytes of a segment; false if the segment is not there or shorter.
    ///
    /// # Errors
    /// They cannot be read.
    fn segment_read(&self, segment: u32, at: u64, into: &mut [u8]) -> Result<bool, StoreError>;

    /// Removes a segment, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    fn segment_remove(&self, segment: u32) -> Result<(), StoreError>;

    /// The segments there are.
    ///
    /// # Errors
    /// They cannot be listed.
    fn segments(&self) -> Result<Vec<u32>, StoreError>;

    /// What it says of itself.
    fn stats(&self) -> StoreStats {
        StoreStats::default()
    }

    /// From now on, values that say they expire before this event time may be forgotten. Only for what
    /// [`super::Life`] writes.
    fn forget_before(&self, time: i64) {
        let _ = time;
    }
}

/// Everything in memory: for tests, and as the model that the others are compared with.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    segments: BTreeMap<u32, Vec<u8>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the maps whole: each change is one call.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.inner().map.get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let pairs: Vec<_> = {
            let inner = self.inner();
            let range = inner.map.range(from.to_vec()..to.to_vec());
            range.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        // Not under the lock: `each` may read the store.
        let _ = pairs.iter().all(|(key, value)| each(key, value));
        Ok(())
    }

    fn write(&self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        for operation in batches.iter().flat_map(Batch::operations) {
            match operation {
                Operation::Put(key, value) => inner.map.insert(key.to_vec(), value.to_vec()),
                Operation::Delete(key) => inner.map.remove(key),
            };
        }
        Ok(())
    }

    fn segment_write(&self, segment: u32, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let held = inner.segments.entry(segment).or_default();
        held.resize(at as usize, 0);
        held.extend_from_slice(bytes);
        Ok(())
    }

    fn segment_sync(&self, _segment: u32) -> Result<(), StoreError> {
        Ok(())
    }

    fn segment_read(&self, segment: u32, at: u64, into: &mut [u8]) -> Result<bool, StoreError> {
        let inner = self.inner();
        let start = at as usize;
        let Some(bytes) = inner.segments.get(&segment).and_then(|held| held.get(start..start + into.len())) else {
            return Ok(false);
        };
        into.copy_from_slice(bytes);
        Ok(true)
    }

    fn segment_remove(&self, segment: u32) -> Result<(), StoreError> {
        self.inner().segments.remove(&segment);
        Ok(())
    }

    fn segments(&self) -> Result<Vec<u32>, StoreError> {
        Ok(self.inner().segments.keys().copied().collect())
    }
}
