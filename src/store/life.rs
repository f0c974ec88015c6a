//! The life of keyed state beyond memory: what has changed goes to the store at the end of its epoch, what was
//! forgotten comes back on a miss, what has not been used leaves memory.
//!
//! One [`Life`] belongs to one handle of one task, beside its [`Index`] and the content of its entries, which stay the
//! owner's and are reached through [`Content`].
//! 1. Before an entry is changed for the first time in an epoch it goes on the list of dirty entries
//!    ([`Life::change`]).
//! 2. At the barrier the list is put aside ([`Life::barrier`]): nothing is copied, so the pause does not grow with it.
//! 3. Then entries of the list are encoded a few at a time ([`Life::hand_over`]), in no order: each when what it looks at
//!    has come near ([`Ahead`]); and one that is about to be changed before its turn, just before that. What was
//!    encoded is the state at the barrier, therefore.
//! 4. When the list is done, one [`HandOver`] goes to the committer.
//!
//! Invariants: an entry leaves memory only when the epoch of its last change is durable; an entry that is not in memory
//! is wholly in the store, unless it was removed, which is remembered until that is durable. As long as all keys that the
//! store knows are in memory, which is so from an empty store to the first entry that leaves, it is not asked for new
//! ones: a million new keys cost a second of looking in vain.

use super::ahead::{Ahead, Approach, Came};
use super::backend::{Batch, StoreError};
use super::facts::{Message, Place, shards_of};
use super::fetch::Fetched;
use super::layout;
use super::lists::{Lists, Written};
use super::space::Space;
use super::spare::PIECE_BYTES;
use super::stamp::Stamp;
use super::timers::Line;
use super::{Index, Slab};
use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, mpsc};

mod misses;

use misses::Beyond;

/// What the entries of a handle hold, to be written and read.
pub trait Content {
    /// Appends the content of an entry.
    fn encode(&mut self, entry: u32, life: &mut ListsOf<'_>, out: &mut Vec<u8>);

    /// Fills an entry, which is empty, with what was written.
    ///
    /// # Errors
    /// The bytes are not what was written, or a part of a list cannot be read.
    fn decode(&mut self, entry: u32, bytes: &[u8], space: &Space) -> Result<(), StoreError>;

    /// Makes an entry empty, making room for it first if it is a new one.
    fn reset(&mut self, entry: u32);

    /// The event time that an entry was last used at, from which its time to live counts.
    fn touched(&self, entry: u32) -> i64;

    /// Asks for what [`Content::encode`] will look at, one step of the way; purely a hint.
    fn approach(&self, entry: u32, at: Approach) -> Approach {
        let _ = (entry, at);
        Approach::Near
    }

    /// Memory that so many entries take, with all that belongs to them, bytes.
    fn used_bytes(&self, entries: usize) -> usize;
}

/// The lists of a handle while entries are written.
pub struct ListsOf<'a> {
    /// Its chunks.
    pub lists: &'a mut Lists,
    /// The store.
    pub space: &'a Space,
}

/// Something that must have happened before an epoch is durable: a file is synced, ...
pub type Prepare = Box<dyn FnOnce() -> Result<(), StoreError> + Send>;

/// What a task hands to the committer for one epoch.
pub struct HandOver {
    /// Number of the handle among all of the topology.
    pub task: u32,
    /// The epoch.
    pub epoch: u64,
    /// Changes of state, or a part of them.
    pub batch: Batch,
    /// Whether it is the last part of what the task has for the epoch.
    pub last: bool,
    /// Chunks of event lists.
    pub chunks: Option<Written>,
    /// Rough size of the changes, as it was given to [`Space::changed`].
    pub changed_bytes: u64,
    /// What must have happened before the batch is written.
    pub prepare: Option<Prepare>,
}

/// The way of a component's own records into an epoch, beside its keyed state: the end of what it has written, rows on
/// their way to the outside. It owes the committer exactly one hand-over for every epoch.
pub struct Outlet {
    space: Arc<Space>,
    task: u32,
    sender: mpsc::Sender<Message>,
    /// What [`Outlet::changed`] has counted since the last hand-over.
    changed: Cell<u64>,
}

impl Outlet {
    /// An outlet of this space.
    pub fn new(space: Arc<Space>) -> Outlet {
        let (task, sender) = space.join();
        Outlet { space, task, sender, changed: Cell::new(0) }
    }

    /// So many bytes wait in the component, until the next hand-over, for an outside that refuses them: enough of them
    /// stop the input.
    pub fn changed(&self, bytes: usize) {
        self.space.changed(bytes as u64);
        self.changed.set(self.changed.get() + bytes as u64);
    }

    /// Gives what belongs to epoch `epoch`.
    pub fn hand_over(&self, epoch: u64, batch: Batch, prepare: Option<Prepare>) {
        let size = batch.size_bytes() as u64;
        self.space.changed(size);
        let changed_bytes = size + self.changed.take();
        let hand_over = HandOver { task: self.task, epoch, batch, last: true, chunks: None, changed_bytes, prepare };
        // A committer that is gone has failed, and said so.
        let _ = self.sender.send(Message::State(hand_over));
    }

    /// The store.
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }
}

/// Counts of a handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifeMeter {
    /// Changes of entries, the first after each read from the store included.
    pub uses: u64,
    /// Entries read back from the store.
    pub loads: u64,
    /// Keys that the store had not.
    pub absent: u64,
    /// Entries that left memory to make room.
    pub evictions: u64,
    /// Entries handed over.
    pub written: u64,
    /// Time spent with reading entries back, nanoseconds.
    pub load_ns: u64,
    /// Bytes of memory in use.
    pub used_bytes: u64,
    /// Entries in memory.
    pub entries: u64,
}

/// How a handle lives.
#[derive(Clone, Debug)]
pub struct LifeSpec {
    /// Component and handle.
    pub place: Place,
    /// Microseconds of event time after which an entry is as if it had never been; `i64::MAX`: never.
    pub ttl: i64,
    /// How long after its event time an item of its lists may be read, microseconds.
    pub keep: i64,
}

/// The life of one handle of one task.
pub struct Life {
    space: Arc<Space>,
    spec: LifeSpec,
    shards: Range<u16>,
    task: u32,
    sender: mpsc::Sender<Message>,
    /// The epoch that changes belong to, and the stamp of what changes in it.
    epoch: u64,
    now: Stamp,
    stamps: Slab<Stamp>,
    dirty: Vec<u32>,
    /// Dirty entries of the epoch that is being handed over, and how far that is.
    handing: Vec<u32>,
    handed: usize,
    ahead: Ahead,
    open: bool,
    batch: Batch,
    /// Removals of the current epoch.
    removals: Batch,
    removed: HashSet<Box<[u8]>>,
    removed_before: HashSet<Box<[u8]>>,
    lists: Lists,
    changed: u64,
    changed_before: u64,
    told: u64,
    bytes: Vec<u8>,
    fetched: Fetched,
    beyond: Beyond,
    meter: LifeMeter,
    clock: quanta::Clock,
}

/// Changes are told to the coordinator after so many first changes.
const TELL_EVERY: u64 = 64;
/// Bytes that a changed entry takes on its way, beside its memory.
const CHANGE_BYTES: u64 = 64;
/// Changes are sent in parts of so many bytes, roughly.
const PART_BYTES: usize = PIECE_BYTES / 5 * 4;
/// Steps towards entries for each that may be encoded: one with a long list takes many.
const STEPS: usize = 16;
/// Entries looked at when room is to be made.
const LOOKED_AT: usize = 16;

impl Life {
    /// The life of a handle in this space.
    pub fn new(space: Arc<Space>, spec: LifeSpec) -> Life {
        let (task, sender) = space.join_with_entries();
        Life {
            epoch: space.durable() + 1,
            now: Stamp::changed_in(space.durable() + 1),
            lists: Lists::new(spec.place, spec.keep),
            space,
            spec,
            shards: 0..256,
            task,
            sender,
            stamps: Slab::new(),
            dirty: Vec::new(),
            handing: Vec::new(),
            handed: 0,
            ahead: Ahead::new(),
            open: false,
            batch: Batch::default(),
            removals: Batch::default(),
            removed: HashSet::new(),
            removed_before: HashSet::new(),
            changed: 0,
            changed_before: 0,
            told: 0,
            bytes: Vec::new(),
            fetched: Fetched::default(),
            beyond: Beyond::Unasked,
            meter: LifeMeter::default(),
            clock: quanta::Clock::new(),
        }
    }

    /// The life in task `task` of `tasks`, to which only the keys of its shards come.
    pub fn of_task(mut self, task: usize, tasks: usize) -> Life {
        self.shards = shards_of(task, tasks);
        self
    }

    /// What is left of a life for a handle that keeps no entries.
    pub(super) fn into_line(self) -> Line {
        Line { space: self.space, place: self.spec.place, task: self.task, sender: self.sender, shards: self.shards }
    }

    /// An entry is about to be changed.
    #[inline(always)]
    pub fn change(&mut self, entry: u32, index: &Index, content: &mut impl Content) {
        self.meter.uses += 1;
        let stamp = self.stamps.get_mut(entry);
        stamp.touch();
        if *stamp != self.now {
            self.first_change(entry, index, content);
        }
    }

    #[inline(never)]
    fn first_change(&mut self, entry: u32, index: &Index, content: &mut impl Content) {
        if self.stamps.get(entry).is_pending() {
            self.encode(entry, index, content);
        }
        *self.stamps.get_mut(entry) = self.now;
        self.dirty.push(entry);
        self.changed += CHANGE_BYTES;
        if (self.dirty.len() as u64).is_multiple_of(TELL_EVERY) {
            self.tell();
        }
    }

    /// Tells how much has changed since the last time.
    fn tell(&mut self) {
        self.space.changed(self.changed - self.told);
        self.told = self.changed;
    }

    /// An entry has been used without being changed.
    #[inline(always)]
    pub fn used(&mut self, entry: u32) {
        self.stamps.get_mut(entry).touch();
    }

    /// Asks for what is known of an entry; purely a hint.
    #[inline(always)]
    pub fn prefetch(&self, entry: u32) {
        if self.stamps.has(entry) {
            super::slab::prefetch_value(self.stamps.get(entry));
        }
    }

    /// The entry's key is to have no state any more: it is removed from memory, and from the store with this epoch.
    pub fn remove(&mut self, entry: u32, index: &mut Index, content: &mut impl Content) {
        if self.is_due(entry) {
            self.encode(entry, index, content);
        }
        let mut key = Vec::new();
        let hash = index.key(entry, &mut key);
        self.bytes.clear();
        layout::state_key((hash >> 56) as u8, self.spec.place, &mut self.bytes);
        self.bytes.extend_from_slice(&key);
        self.removals.delete(&self.bytes);
        self.removed.insert(key.into());
        self.changed += CHANGE_BYTES;
        *self.stamps.get_mut(entry) = Stamp::default();
        index.remove(entry);
        content.reset(entry);
    }

    /// Whether an entry may leave memory: its last change is durable, as that of all epochs is but of the last one that
    /// is over.
    #[inline]
    pub fn may_leave(&self, entry: u32) -> bool {
        let (stamp, over) = (self.stamps.get(entry), self.epoch - 1);
        !stamp.is_pending() && (!stamp.is_of(over) || self.space.durable() >= over)
    }

    /// Takes an entry for which [`Life::may_leave`] holds out of memory.
    pub fn leave(&mut self, entry: u32, index: &mut Index, content: &mut impl Content) {
        debug_assert!(self.may_leave(entry));
        if self.stamps.get(entry).has_changed() {
            self.beyond = Beyond::Some;
        }
        *self.stamps.get_mut(entry) = Stamp::default();
        index.remove(entry);
        content.reset(entry);
    }

    /// Makes room where memory is over its budget: looks at some entries in turn and takes out those that were not
    /// used since the last turn. Tells `gone` of each.
    pub fn make_room(&mut self, index: &mut Index, content: &mut impl Content, mut gone: impl FnMut(u32)) {
        let budget = self.space.budget_bytes();
        if content.used_bytes(index.len()) <= budget {
            return;
        }
        for _ in 0..LOOKED_AT {
            let Some(entry) = index.turn() else { continue };
            if self.stamps.get_mut(entry).take_recent() || !self.may_leave(entry) {
                continue;
            }
            self.leave(entry, index, content);
            self.meter.evictions += 1;
            gone(entry);
            if content.used_bytes(index.len()) <= budget {
                return;
            }
        }
    }

    /// Epoch `epoch` is over: what has changed is to be handed over.
    pub fn barrier(&mut self, epoch: u64) {
        debug_assert!(!self.open, "an epoch ends only after the one before is durable");
        self.tell();
        std::mem::swap(&mut self.dirty, &mut self.handing);
        self.batch = std::mem::take(&mut self.removals);
        self.removed_before = std::mem::take(&mut self.removed);
        self.changed_before = std::mem::take(&mut self.changed);
        (self.handed, self.told) = (0, 0);
        self.open = true;
        (self.epoch, self.now) = (epoch + 1, Stamp::changed_in(epoch + 1));
    }

    /// Encodes up to `budget` entries of the epoch that is over; whether more are left.
    pub fn hand_over(&mut self, budget: usize, index: &Index, content: &mut impl Content) -> bool {
        if !self.open {
            return false;
        }
        let (mut encoded, mut steps) = (0, budget * STEPS);
        loop {
            if encoded == budget || steps == 0 {
                return true;
            }
            steps -= 1;
            match self.nearer(index, content) {
                Came::Near(entry) => {
                    if self.is_due(entry) {
                        self.encode(entry, index, content);
                        encoded += 1;
                    }
                }
                Came::Nearer => {}
                Came::Over => break,
            }
        }
        self.handing.clear();
        self.open = false;
        self.send(true);
        false
    }

    /// Whether an entry has changed in the epoch that is over and was not encoded since.
    #[inline(always)]
    fn is_due(&self, entry: u32) -> bool {
        let stamp = self.stamps.get(entry);
        stamp.is_pending() && !stamp.is_of(self.epoch)
    }

    /// A step towards an entry that is to be encoded.
    #[inline]
    fn nearer(&mut self, index: &Index, content: &impl Content) -> Came {
        let (handing, handed, stamps) = (&self.handing, &mut self.handed, &self.stamps);
        let next = || {
            let entry = handing.get(*handed).copied();
            *handed += usize::from(entry.is_some());
            entry
        };
        self.ahead.step(next, |entry, at| {
            if at == Approach::Far {
                super::slab::prefetch_value(stamps.get(entry));
                index.prefetch_key(entry);
                content.approach(entry, at);
                return Approach::Words;
            }
            // What was encoded meanwhile, because it was to change again, need not come any nearer.
            if stamps.get(entry).is_pending() { content.approach(entry, at) } else { Approach::Near }
        })
    }

    /// Sends what has been encoded: a large epoch goes in parts, so that no piece of memory has to grow and be copied.
    fn send(&mut self, last: bool) {
        self.meter.written += self.batch.len() as u64;
        let batch = std::mem::take(&mut self.batch);
        let chunks = self.lists.take();
        if chunks.is_some() {
            self.lists.write_in(self.space.spares().take());
        }
        let (task, epoch) = (self.task, self.epoch - 1);
        let changed_bytes = if last { self.changed_before } else { 0 };
        let hand_over = HandOver { task, epoch, batch, last, chunks, changed_bytes, prepare: None };
        // A committer that is gone has failed, and said so.
        let _ = self.sender.send(Message::State(hand_over));
    }

    /// Puts the content of an entry into the batch of the epoch that is over.
    fn encode(&mut self, entry: u32, index: &Index, content: &mut impl Content) {
        debug_assert!(self.open, "an entry of an older epoch waits only while that is handed over");
        self.stamps.get_mut(entry).hand_over();
        let mut key = std::mem::take(&mut self.bytes);
        key.clear();
        key.resize(layout::KEY_HEAD, 0);
        let hash = index.key(entry, &mut key);
        let expires = content.touched(entry).saturating_add(self.spec.ttl);
        let expires = if self.spec.ttl == i64::MAX { i64::MAX } else { expires };
        let (lists, space) = (&mut self.lists, &*self.space);
        self.batch.put_with(
            |out| {
                layout::state_key((hash >> 56) as u8, self.spec.place, out);
                out.extend_from_slice(&key[layout::KEY_HEAD..]);
            },
            |out| {
                layout::value_head(expires, out);
                content.encode(entry, &mut ListsOf { lists, space }, out);
            },
        );
        self.bytes = key;
        if self.batch.size_bytes() + self.lists.pending_bytes() >= PART_BYTES {
            self.send(false);
            self.batch = Batch::within(self.space.spares().take());
        }
    }

    /// Its lists, to write a chunk before the epoch ends: nothing refers to it before the value does.
    pub fn lists(&mut self) -> ListsOf<'_> {
        ListsOf { lists: &mut self.lists, space: &self.space }
    }

    /// Component and handle.
    pub fn place(&self) -> Place {
        self.spec.place
    }

    /// The store.
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// Its counts.
    pub fn meter(&self, index: &Index, content: &impl Content) -> LifeMeter {
        let used_bytes = content.used_bytes(index.len()) as u64;
        LifeMeter { used_bytes, entries: index.len() as u64, ..self.meter }
    }
}
