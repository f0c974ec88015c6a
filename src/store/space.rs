//! The store of a topology, as its tasks share it: the catalogue of names, the numbers of splits and segments, and the
//! last epoch.
//!
//! Owns names and numbers; never the content of state. The catalogue only grows: a component that is gone from the file
//! keeps its number and its state until it is reset.

use super::backend::{Backend, Batch, StoreError};
use super::facts::{Closed, EpochFacts, Format, HandleFacts, Message, Place, SegmentFacts, SplitFacts};
use super::layout::{
    Expiry, FORMAT, KEY_HEAD, all_state, content, expiry, meta, outbox_key, place_of, state_key, state_range,
};
use super::records::{damaged, known_format, last_epoch, put, read, read_all};
use super::spare::Spares;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};

/// The store of one topology, as its tasks share it.
pub struct Space {
    backend: Arc<dyn Backend>,
    handles: Mutex<BTreeMap<String, HandleFacts>>,
    splits: Mutex<BTreeMap<String, SplitFacts>>,
    segments: RwLock<HashMap<u32, SegmentFacts>>,
    /// Segments that more may be written to: they stay, however old what they hold is.
    growing: Mutex<HashSet<u32>>,
    opened: EpochFacts,
    next_segment: AtomicU32,
    /// No tuple was expected before this time when segments were last dropped.
    frontier: AtomicI64,
    /// The last durable epoch.
    durable: AtomicU64,
    /// Bytes of changes that are not durable yet, roughly.
    undurable: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<StoreError>>,
    refusing: AtomicBool,
    /// Writes that the outside refuses now and that are tried again, by who tries.
    refusals: Mutex<BTreeMap<String, String>>,
    /// Handles of tasks that owe a hand-over for every epoch.
    tasks: AtomicU32,
    /// Those of them that have entries.
    lives: AtomicU32,
    memory_bytes: usize,
    sender: mpsc::Sender<Message>,
    spares: Spares,
}

impl Space {
    /// Opens the store of a topology: reads its catalogue and removes segments that no epoch knows. Hand-overs of
    /// tasks go into `sender`; entries of all tasks together have `memory_bytes` of memory.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or was written by a newer version of the program.
    pub fn open(
        backend: Arc<dyn Backend>,
        memory_bytes: usize,
        sender: mpsc::Sender<Message>,
    ) -> Result<Space, StoreError> {
        if !known_format(&*backend)? {
            let mut batch = Batch::default();
            put(&mut batch, "format", &Format { format: FORMAT, program: env!("CARGO_PKG_VERSION").to_owned() });
            backend.write(&[batch])?;
        }
        let segments: BTreeMap<String, SegmentFacts> = read_all(&*backend, "segment/")?;
        let number = |(name, facts): (String, SegmentFacts)| {
            name.parse().map(|id| (id, facts)).map_err(|error| damaged(&name, error))
        };
        let segments: HashMap<u32, SegmentFacts> = segments.into_iter().map(number).collect::<Result<_, _>>()?;
        // Also one that is gone by now: entries may still name it, and must not find another in its place.
        let mut last_segment: Option<u32> = read(&*backend, "last_segment")?;
        for id in backend.segments()? {
            // Nor is one given again that a sync has failed for: what it holds then cannot be relied on.
            last_segment = last_segment.max(Some(id));
            if !segments.contains_key(&id) {
                backend.segment_remove(id)?;
            }
        }
        let opened = last_epoch(&*backend)?;
        backend.forget_before(opened.frontier);
        Ok(Space {
            handles: Mutex::new(read_all(&*backend, "handle/")?),
            splits: Mutex::new(read_all(&*backend, "split/")?),
            next_segment: AtomicU32::new(segments.keys().copied().max().max(last_segment).map_or(0, |id| id + 1)),
            segments: RwLock::new(segments),
            growing: Mutex::default(),
            frontier: AtomicI64::new(opened.frontier),
            durable: AtomicU64::new(opened.epoch),
            opened,
            undurable: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            refusing: AtomicBool::new(false),
            refusals: Mutex::default(),
            tasks: AtomicU32::new(0),
            lives: AtomicU32::new(0),
            memory_bytes,
            sender,
            backend,
            spares: Spares::default(),
        })
    }

    /// The store below.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Memory of what was written.
    pub fn spares(&self) -> &Spares {
        &self.spares
    }

    /// The epoch that the state was found at.
    pub fn opened(&self) -> &EpochFacts {
        &self.opened
    }

    /// The last epoch that is durable.
    #[inline]
    pub fn durable(&self) -> u64 {
        // Acquire: partner of the release in `settled`; who sees the epoch sees its segments in the catalogue.
        self.durable.load(Ordering::Acquire)
    }

    /// Epoch `epoch` has become durable, `bytes` of changes with it.
    pub fn settled(&self, epoch: u64, bytes: u64) {
        // Release: partner of the acquire in `durable`.
        self.durable.store(epoch, Ordering::Release);
        // Relaxed, as in `changed`: a hint to the coordinator, no data hangs on it.
        let _ =
            self.undurable.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_sub(bytes)));
    }

    /// So many bytes of state were changed, roughly.
    pub fn changed(&self, bytes: u64) {
        self.undurable.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes of changes that are not durable, roughly.
    pub fn undurable_bytes(&self) -> u64 {
        self.undurable.load(Ordering::Relaxed)
    }

    /// Something failed that makes going on pointless: the next epoch is not committed, and the topology ends with
    /// the first such error.
    #[cold]
    pub fn fail(&self, error: StoreError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        // Relaxed: the mutex carries the error.
        self.failed.store(true, Ordering::Relaxed);
    }

    /// What failed, if anything did.
    #[inline]
    pub fn failure(&self) -> Option<StoreError> {
        if !self.failed.load(Ordering::Relaxed) {
            return None;
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The outside refuses a write of `who`, who keeps it and tries again: until then no epoch becomes durable, and input
    /// stops when enough waits.
    #[cold]
    pub fn refused(&self, who: &str, error: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.entry(who.to_owned()).or_insert_with(|| error.to_owned());
        // Relaxed: the mutex carries the words.
        self.refusing.store(true, Ordering::Relaxed);
    }

    /// The write of `who` has been taken.
    #[cold]
    pub fn accepted(&self, who: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.remove(who);
        self.refusing.store(!refusals.is_empty(), Ordering::Relaxed);
    }

    /// Whether the outside refuses writes now.
    #[inline]
    pub fn is_refused(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    /// What the outside refuses now, in words.
    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A pipeline has ended an epoch.
    pub fn close(&self, closed: Closed) {
        // A committer that is gone has failed, and said so.
        let _ = self.sender.send(Message::Closed(closed));
    }

    /// The committer may go.
    pub fn stop(&self) {
        let _ = self.sender.send(Message::Stop);
    }

    /// A number for a handle of a task: the committer waits for a hand-over of each in every epoch.
    pub(super) fn join(&self) -> (u32, mpsc::Sender<Message>) {
        (self.tasks.fetch_add(1, Ordering::Relaxed), self.sender.clone())
    }

    /// The same for a handle with entries, which takes its part of the memory.
    pub(super) fn join_with_entries(&self) -> (u32, mpsc::Sender<Message>) {
        // Relaxed, as in `join`: tasks are built before anything runs.
        self.lives.fetch_add(1, Ordering::Relaxed);
        self.join()
    }

    /// How many handles of tasks there are.
    pub fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Relaxed) as usize
    }

    /// Memory for the entries of one handle of one task, bytes.
    #[inline]
    pub fn budget_bytes(&self) -> usize {
        self.memory_bytes / (self.lives.load(Ordering::Relaxed) as usize).max(1)
    }

    /// The number of a handle, a new one if it has none yet; it becomes durable at once.
    ///
    /// # Errors
    /// Its content means something else than what was written; or the store cannot be written.
    pub fn handle(
        &self,
        component: &str,
        handle: &str,
        fingerprint: &str,
        key: &[String],
    ) -> Result<Place, StoreError> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{component}/{handle}");
        if let Some(facts) = handles.get(&name) {
            if facts.fingerprint == fingerprint && facts.key == key {
                return Ok(Place { component: facts.component, handle: facts.handle });
            }
            return Err(StoreError::Refused(format!(
                "the state of `{component}` was written by another definition of it:\n  written by {}\n  defined as {}\n\
                 go back to the old definition, or start once with `--reset-state {component}`, which drops this state",
                describe(&facts.fingerprint, &facts.key),
                describe(fingerprint, key),
            )));
        }
        let of_component = handles.iter().filter(|(known, _)| known.rsplit_once('/').is_some_and(|k| k.0 == component));
        let next = handles.values().map(|facts| facts.component + 1).max().unwrap_or(0);
        let (mut number, mut count) = (next, 0u8);
        for (_, facts) in of_component {
            (number, count) = (facts.component, count.max(facts.handle + 1));
        }
        let facts =
            HandleFacts { component: number, handle: count, fingerprint: fingerprint.to_owned(), key: key.to_vec() };
        let mut batch = Batch::default();
        put(&mut batch, &format!("handle/{name}"), &facts);
        self.backend.write(&[batch])?;
        let place = Place { component: facts.component, handle: facts.handle };
        handles.insert(name, facts);
        Ok(place)
    }

    /// All handles, by `component/handle`.
    pub fn handles(&self) -> BTreeMap<String, HandleFacts> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the raw pairs of a handle in one shard.
    fn scan_shard(
        &self,
        shard: u8,
        place: Place,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let (from, to) = state_range(shard, place);
        self.backend.scan(&from, &to, each)
    }

    /// Gives canonical key and content of all entries of a handle, in the order of shards, until `each` says false.
    ///
    /// # Errors
    /// The store cannot be read, or a value is damaged.
    pub fn scan(&self, place: Place, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let (mut failed, mut on) = (None, true);
        for shard in 0..=u8::MAX {
            self.scan_shard(shard, place, &mut |key, value| {
                on = match content(value, || format!("a value of shard {shard}")) {
                    Ok(content) => each(&key[KEY_HEAD..], content),
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

    /// Gives place, canonical key and content of the entries of all handles, without those that have expired when no
    /// tuple before event time `now` comes any more.
    ///
    /// # Errors
    /// The store cannot be read, or a value is damaged.
    pub fn scan_living(&self, now: i64, mut each: impl FnMut(Place, &[u8], &[u8])) -> Result<(), StoreError> {
        let mut failed = None;
        let (from, to) = all_state();
        self.backend.scan(&from, &to, &mut |key, value| {
            let Some(place) = place_of(key) else { return true };
            if matches!(expiry(key, value), Expiry::At(time) if time < now) {
                return true;
            }
            match content(value, || "a value of state".to_owned()) {
                Ok(content) => each(place, &key[KEY_HEAD..], content),
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Whether a component has written event lists that may still be read.
    pub fn has_lists(&self, component: u32) -> bool {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.values().any(|facts| facts.component == component)
    }

    /// Content of the entry of a key.
    ///
    /// # Errors
    /// The store cannot be read, or the value is damaged.
    pub fn entry(&self, place: Place, key: super::KeyRef<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        let mut full = Vec::with_capacity(KEY_HEAD + key.bytes.len());
        state_key(key.shard(), place, &mut full);
        full.extend_from_slice(key.bytes);
        let Some(value) = self.backend.get(&full)? else { return Ok(None) };
        Ok(Some(content(&value, || "the value of a key".to_owned())?.to_vec()))
    }

    /// What the last epoch knows of a split, by `component/split`.
    pub fn split(&self, name: &str) -> Option<SplitFacts> {
        self.splits.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The number of a split, which it keeps for ever; it becomes durable at once.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn split_id(&self, name: &str) -> Result<u32, StoreError> {
        let mut splits = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = splits.get(name) {
            return Ok(facts.id);
        }
        let id = splits.values().map(|facts| facts.id + 1).max().unwrap_or(0);
        let facts = SplitFacts { id, ..SplitFacts::default() };
        let mut batch = Batch::default();
        put(&mut batch, &format!("split/{name}"), &facts);
        self.backend.write(&[batch])?;
        splits.insert(name.to_owned(), facts);
        Ok(id)
    }

    /// All splits, by `component/split`.
    pub fn splits(&self) -> BTreeMap<String, SplitFacts> {
        self.splits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes in a batch how far a split has been read.
    pub fn put_split(&self, batch: &mut Batch, name: &str, facts: &SplitFacts) {
        let mut splits = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        if splits.get(name) != Some(facts) {
            put(batch, &format!("split/{name}"), facts);
            splits.insert(name.to_owned(), facts.clone());
        }
    }

    /// Notes in a batch that an epoch is complete.
    pub fn put_epoch(&self, batch: &mut Batch, facts: &EpochFacts) {
        put(batch, "epoch", facts);
    }

    /// A record of a component's own, such as the end of what it has produced.
    ///
    /// # Errors
    /// The store cannot be read, or the record is damaged.
    pub fn note<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        read(&*self.backend, &format!("note/{name}"))
    }

    /// Notes a record of a component's own in a batch.
    pub fn put_note(batch: &mut Batch, name: &str, facts: &impl Serialize) {
        put(batch, &format!("note/{name}"), facts);
    }

    /// Puts rows on their way to the outside into a batch: those of a component in an epoch.
    pub fn put_outbox(batch: &mut Batch, component: &str, epoch: u64, rows: &[u8]) {
        batch.put(&outbox_key(component, epoch), rows);
    }

    /// Drops, in a batch, rows that have come to the outside.
    pub fn drop_outbox(batch: &mut Batch, component: &str, epoch: u64) {
        batch.delete(&outbox_key(component, epoch));
    }

    /// Rows of a component that were on their way to the outside, by epoch.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn outbox(&self, component: &str) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut found = Vec::new();
        self.backend.scan(&outbox_key(component, 0), &outbox_key(component, u64::MAX), &mut |key, rows| {
            let epoch = key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            found.push((epoch, rows.to_vec()));
            true
        })?;
        Ok(found)
    }

    /// A number that no segment has had, of a segment that grows until [`Space::complete_segment`].
    pub(super) fn new_segment(&self) -> u32 {
        let id = self.next_segment.fetch_add(1, Ordering::Relaxed);
        self.growing.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        id
    }

    /// All that was written to a segment is in the catalogue, and no more will be.
    pub fn complete_segment(&self, id: u32) {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Notes in a batch what a segment holds now.
    pub fn put_segment(&self, batch: &mut Batch, id: u32, facts: SegmentFacts) {
        put(batch, &format!("segment/{id:010}"), &facts);
        // A number is given once, and the newest segments of an epoch need not come in the order of their numbers.
        put(batch, "last_segment", &(self.next_segment.load(Ordering::Relaxed).max(id + 1) - 1));
        self.segments.write().unwrap_or_else(PoisonError::into_inner).insert(id, facts);
    }

    /// Committed bytes of a segment; none if there is none, or not any more.
    pub fn segment_bytes(&self, id: u32) -> Option<u64> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(|facts| facts.bytes)
    }

    /// No tuple was expected before this time when segments were last dropped.
    pub fn frontier(&self) -> i64 {
        self.frontier.load(Ordering::Relaxed)
    }

    /// Removes from the catalogue, in a batch, the complete segments that nothing can read when no tuple comes before
    /// `frontier`; their numbers, for [`Backend::segment_remove`] once the batch is durable.
    pub fn retire_segments(&self, batch: &mut Batch, frontier: i64) -> Vec<u32> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock is the partner: who finds a segment gone sees the time that it went for.
        self.frontier.store(frontier, Ordering::Relaxed);
        let past = |facts: &SegmentFacts| facts.newest.saturating_add(facts.keep) < frontier;
        let gone = segments.iter().filter(|(id, facts)| past(facts) && !growing.contains(id));
        let ids: Vec<u32> = gone.map(|(id, _)| *id).collect();
        for id in &ids {
            segments.remove(id);
            batch.delete(&meta(&format!("segment/{id:010}")));
        }
        ids
    }
}

fn describe(fingerprint: &str, key: &[String]) -> String {
    if key.is_empty() { fingerprint.to_owned() } else { format!("{fingerprint}, key {}", key.join(", ")) }
}
