//! Where things are in the store of a topology: areas of keys, the catalogue of names, and the record of the last
//! epoch.
//!
//! A key's first byte is its area. State: `[1 | shard | component u32 | handle u8 | canonical key]`, numbers big-endian,
//! so that moving a shard is moving one range. A value of state: `[version u8 | expires i64 | content]`. Everything
//! else is small: `[0 | name]`, values in JSON, readable by people.
//!
//! Owns names and numbers; never the content of state. The catalogue only grows: a component that is gone from the file
//! keeps its number and its state until it is reset.

use super::backend::{Backend, Batch, StoreError};
use super::life::HandOver;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};

/// Names and small records.
const META: u8 = 0;
/// Keyed state.
const STATE: u8 = 1;

/// Rows on their way to the outside.
const OUTBOX: u8 = 2;

/// Version of what is written: another one is refused.
const FORMAT: u32 = 1;
/// Version of a value of state.
const VALUE_VERSION: u8 = 1;
/// Bytes before the content of a value of state: version, expiry.
pub(super) const VALUE_HEAD: usize = 9;
/// Bytes before the canonical key in a key of state.
pub(super) const KEY_HEAD: usize = 7;

/// When a pair may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never, or it is not for time to decide.
    Never,
    /// When no tuple before this event time can come any more.
    At(i64),
}

/// When a pair of the store may be forgotten.
pub fn expiry(key: &[u8], value: &[u8]) -> Expiry {
    match (key.first(), value.split_first_chunk::<VALUE_HEAD>()) {
        (Some(&STATE), Some((head, _))) if head[0] == VALUE_VERSION => match i64_at(head, 1) {
            i64::MAX => Expiry::Never,
            time => Expiry::At(time),
        },
        _ => Expiry::Never,
    }
}

/// The event time at which a value of state expires; none if it is too short to say.
pub(super) fn expires(value: &[u8]) -> Option<i64> {
    value.split_first_chunk::<VALUE_HEAD>().map(|(head, _)| i64_at(head, 1))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes[at..].first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

/// Appends what stands before the content of a value.
pub(super) fn value_head(expires: i64, out: &mut Vec<u8>) {
    out.push(VALUE_VERSION);
    out.extend_from_slice(&expires.to_le_bytes());
}

/// The content of a value of state.
///
/// # Errors
/// It was written by a newer version, or is damaged.
pub(super) fn content(value: &[u8], what: impl Fn() -> String) -> Result<&[u8], StoreError> {
    match value.split_first_chunk::<VALUE_HEAD>() {
        Some((head, content)) if head[0] == VALUE_VERSION => Ok(content),
        Some((head, _)) => Err(StoreError::Refused(format!(
            "{} was written in form {}, and this program knows form {VALUE_VERSION}; use the newer program",
            what(),
            head[0]
        ))),
        None => Err(StoreError::Damaged { what: what(), why: "it is too short".to_owned() }),
    }
}

/// `[2 | component | 0 | epoch u64]`.
fn outbox_key(component: &str, epoch: u64) -> Vec<u8> {
    [&[OUTBOX], component.as_bytes(), &[0], &epoch.to_be_bytes()].concat()
}

/// Appends the key of a state.
#[inline]
pub(super) fn state_key(shard: u8, place: Place, out: &mut Vec<u8>) {
    out.extend_from_slice(&[STATE, shard]);
    out.extend_from_slice(&place.component.to_be_bytes());
    out.push(place.handle);
}

/// What the catalogue knows of a handle of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleFacts {
    /// Number of the component.
    pub component: u32,
    /// Number of the handle within the component.
    pub handle: u8,
    /// What its content means: a change of it makes the content unreadable.
    pub fingerprint: String,
    /// Types of the columns of the key, by their SQL names.
    pub key: Vec<String>,
}

/// Component and handle as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the component.
    pub component: u32,
    /// Number of the handle within the component.
    pub handle: u8,
}

/// How far a split has been read, as the last epoch knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// Its number, as in the origin of tuples.
    pub id: u32,
    /// Position of the next unread record.
    pub position: u64,
    /// Its largest event time; none before the first.
    pub time: Option<i64>,
    /// What told the source from another one under the same name; empty if nothing did.
    #[serde(default)]
    pub identity: String,
}

/// A pipeline has ended an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The epoch.
    pub epoch: u64,
    /// Number of the pipeline.
    pub pipeline: usize,
    /// How far its splits have been followed.
    pub splits: Vec<ClosedSplit>,
}

/// How far a split has been followed at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSplit {
    /// `component/split`.
    pub name: String,
    /// What the next start will know of it.
    pub facts: SplitFacts,
    /// No later tuple of it has an event time below it; `i64::MIN` before the first.
    pub promise: i64,
    /// Whether it holds nobody's time back now: it is silent, or at its end.
    pub silent: bool,
    /// Whether it comes to an end by itself; the next start may find more.
    pub finite: bool,
}

/// What executors tell the committer.
pub enum Message {
    /// All changes of a handle in an epoch.
    State(HandOver),
    /// A pipeline has ended an epoch.
    Closed(Closed),
    /// Nothing more will come.
    Stop,
}

/// The last epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochFacts {
    /// Its number.
    pub epoch: u64,
    /// When it was committed, microseconds since 1970 UTC.
    pub wall: i64,
    /// No tuple before this event time can come any more.
    pub frontier: i64,
}

/// A segment of chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFacts {
    /// Number of the component.
    pub component: u32,
    /// Bytes that are committed.
    pub bytes: u64,
    /// Latest event time in it.
    pub newest: i64,
    /// How long after its newest event time it may still be read, microseconds.
    pub keep: i64,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
    program: String,
}

/// The store of one topology, as its tasks share it.
pub struct Space {
    backend: Arc<dyn Backend>,
    handles: Mutex<BTreeMap<String, HandleFacts>>,
    splits: Mutex<BTreeMap<String, SplitFacts>>,
    segments: RwLock<HashMap<u32, SegmentFacts>>,
    opened: EpochFacts,
    next_segment: AtomicU32,
    /// The last durable epoch.
    durable: AtomicU64,
    /// Bytes of changes that are not durable yet, roughly.
    undurable: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<StoreError>>,
    refusing: AtomicBool,
    /// Writes that the outside refuses now and that are tried again, by who tries.
    refusals: Mutex<BTreeMap<String, String>>,
    tasks: AtomicU32,
    memory_bytes: usize,
    sender: mpsc::Sender<Message>,
}

fn meta(name: &str) -> Vec<u8> {
    [&[META], name.as_bytes()].concat()
}

fn damaged(name: &str, error: impl ToString) -> StoreError {
    StoreError::Damaged { what: format!("the record `{name}` of the store"), why: error.to_string() }
}

fn read<T: DeserializeOwned>(backend: &dyn Backend, name: &str) -> Result<Option<T>, StoreError> {
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
    Ok(read(backend, "epoch")?.unwrap_or(EpochFacts { epoch: 0, wall: 0, frontier: i64::MIN }))
}

/// The first key of a handle in a shard, and the first after all of them.
pub(super) fn state_range(shard: u8, place: Place) -> (Vec<u8>, Vec<u8>) {
    let mut from = Vec::with_capacity(KEY_HEAD);
    state_key(shard, place, &mut from);
    let mut to = from.clone();
    // The handle's number is the last byte: the next number is the end of the range.
    match to.last_mut() {
        Some(last) if *last < u8::MAX => *last += 1,
        _ => to.push(u8::MAX),
    }
    (from, to)
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

fn put(batch: &mut Batch, name: &str, facts: &impl Serialize) {
    let value = serde_json::to_vec(facts).expect("facts have only names, numbers and texts");
    batch.put(&meta(name), &value);
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
            durable: AtomicU64::new(opened.epoch),
            opened,
            undurable: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            refusing: AtomicBool::new(false),
            refusals: Mutex::default(),
            tasks: AtomicU32::new(0),
            memory_bytes,
            sender,
            backend,
        })
    }

    /// The store below.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
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

    /// How many handles of tasks there are.
    pub fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Relaxed) as usize
    }

    /// Memory for the entries of one handle of one task, bytes.
    #[inline]
    pub fn budget_bytes(&self) -> usize {
        self.memory_bytes / self.tasks().max(1)
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

    /// Drops the state of a component, whatever it means, of a spout how far it was read, of a sink what was on its way
    /// to the outside; whether there was any.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn reset(&self, component: &str) -> Result<bool, StoreError> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |name: &str| name.rsplit_once('/').is_some_and(|(known, _)| known == component);
        let names: Vec<String> = handles.keys().filter(|name| own(name)).cloned().collect();
        for name in &names {
            let facts = &handles[name];
            let place = Place { component: facts.component, handle: facts.handle };
            for shard in 0..=u8::MAX {
                self.drop_range(shard, place)?;
            }
        }
        let mut batch = Batch::default();
        for name in &names {
            batch.delete(&meta(&format!("handle/{name}")));
            handles.remove(name);
        }
        // Of a spout, how far its splits were read; their numbers stay.
        let mut splits = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |name: &str| name.split_once('/').is_some_and(|(known, _)| known == component);
        let mut any = !names.is_empty();
        for (name, facts) in splits.iter_mut().filter(|(name, _)| own(name)) {
            *facts = SplitFacts { id: facts.id, ..SplitFacts::default() };
            put(&mut batch, &format!("split/{name}"), facts);
            any = true;
        }
        any |= self.drop_prefix(&[&[OUTBOX], component.as_bytes(), b"/"].concat(), &mut batch)?;
        any |= self.drop_prefix(&meta(&format!("note/delivered/{component}/")), &mut batch)?;
        self.backend.write(&[batch])?;
        Ok(any)
    }

    /// Drops, in a batch, all that begins with these bytes; whether there was any.
    fn drop_prefix(&self, prefix: &[u8], batch: &mut Batch) -> Result<bool, StoreError> {
        let mut end = prefix.to_vec();
        end.push(u8::MAX);
        let before = batch.len();
        self.backend.scan(prefix, &end, &mut |key, _| {
            batch.delete(key);
            true
        })?;
        Ok(batch.len() > before)
    }

    fn drop_range(&self, shard: u8, place: Place) -> Result<(), StoreError> {
        const AT_ONCE: usize = 10_000;
        loop {
            let mut batch = Batch::default();
            self.scan_shard(shard, place, &mut |key, _| {
                batch.delete(key);
                batch.len() < AT_ONCE
            })?;
            let last = batch.len() < AT_ONCE;
            if !batch.is_empty() {
                self.backend.write(&[batch])?;
            }
            if last {
                return Ok(());
            }
        }
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
        self.scan_if(place, |_, _| true, each)
    }

    fn scan_if(
        &self,
        place: Place,
        wanted: impl Fn(&[u8], &[u8]) -> bool,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let (mut failed, mut on) = (None, true);
        for shard in 0..=u8::MAX {
            self.scan_shard(shard, place, &mut |key, value| {
                if !wanted(key, value) {
                    return true;
                }
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

    /// The same, without the entries that have expired when no tuple before event time `now` comes any more.
    ///
    /// # Errors
    /// The store cannot be read, or a value is damaged.
    pub fn scan_living(
        &self,
        place: Place,
        now: i64,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.scan_if(place, |key, value| !matches!(expiry(key, value), Expiry::At(time) if time < now), each)
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

    /// A number that no segment has had.
    pub(super) fn new_segment(&self) -> u32 {
        self.next_segment.fetch_add(1, Ordering::Relaxed)
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

    /// Removes from the catalogue, in a batch, the segments that nothing can read when no tuple comes before
    /// `frontier`; their numbers, for [`Backend::segment_remove`] once the batch is durable.
    pub fn retire_segments(&self, batch: &mut Batch, frontier: i64) -> Vec<u32> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let past = |facts: &SegmentFacts| facts.newest.saturating_add(facts.keep) < frontier;
        let ids: Vec<u32> = segments.iter().filter(|(_, facts)| past(facts)).map(|(id, _)| *id).collect();
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
