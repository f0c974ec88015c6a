//! Keys that are not in memory: read back one by one as tuples ask for them, or together for a run of tuples.

use super::{Content, Life};
use crate::store::backend::StoreError;
use crate::store::stamp::Stamp;
use crate::store::{Index, KeyRef, layout};

/// What the store has beyond the entries in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Nobody has asked yet.
    Unasked,
    /// Nothing: a key that is not in memory has no entry, and the store need not be asked for it.
    Nothing,
    /// Perhaps something.
    Some,
}

impl Life {
    /// The entry of a key that is not in memory and is used at event time `time`: read back, or new and empty. `true` if
    /// it is new, or has expired.
    #[inline(never)]
    pub fn admit(&mut self, key: KeyRef<'_>, time: i64, index: &mut Index, content: &mut impl Content) -> (u32, bool) {
        let start = self.clock.raw();
        let value = match self.read(key) {
            Ok(value) => value,
            Err(error) => {
                self.space.fail(error);
                None
            }
        };
        let entry = index.insert(key);
        content.reset(entry);
        self.stamps.reach(entry);
        *self.stamps.get_mut(entry) = Stamp::USED;
        let expired = |value: &Vec<u8>| layout::expires(value).is_some_and(|at| at < time);
        let Some(value) = value.filter(|value| !expired(value)) else {
            self.meter.absent += 1;
            return (entry, true);
        };
        if let Err(error) = self.decode(entry, &value, content) {
            self.space.fail(error);
            content.reset(entry);
            return (entry, true);
        }
        self.meter.loads += 1;
        self.meter.load_ns += self.clock.delta_as_nanos(start, self.clock.raw());
        (entry, false)
    }

    fn decode(&mut self, entry: u32, value: &[u8], content: &mut impl Content) -> Result<(), StoreError> {
        let bytes = layout::content(value, || "the value of a key".to_owned())?;
        content.decode(entry, bytes, &self.space)
    }

    fn read(&mut self, key: KeyRef<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        if self.has_nothing_beyond() || self.is_removed(key.bytes) {
            return Ok(None);
        }
        self.bytes.clear();
        layout::state_key(key.shard(), self.spec.place, &mut self.bytes);
        self.bytes.extend_from_slice(key.bytes);
        if let Some(value) = self.fetched.take(&self.bytes) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        self.space.backend().get(&self.bytes)
    }

    /// A run of tuples begins: what was fetched for the last one is of no use any more.
    #[inline]
    pub fn begin_run(&mut self) {
        if self.fetched.len() > 0 {
            self.fetched.clear();
        }
    }

    /// A tuple of the run will ask for this key, which is not in memory. One that was removed is not read: what the store
    /// has of it is of no account, and may be gone when the tuple comes.
    pub fn want(&mut self, key: KeyRef<'_>) {
        if self.has_nothing_beyond() || self.is_removed(key.bytes) {
            return;
        }
        let place = self.spec.place;
        self.fetched.want(|out| {
            layout::state_key(key.shard(), place, out);
            out.extend_from_slice(key.bytes);
        });
    }

    /// Reads what is wanted with one call to the store, if that is more than one key.
    #[inline]
    pub fn fetch(&mut self) {
        match self.fetched.len() {
            0 => {}
            1 => self.fetched.clear(),
            _ => self.fetch_all(),
        }
    }

    #[inline(never)]
    fn fetch_all(&mut self) {
        let start = self.clock.raw();
        if let Err(error) = self.fetched.read(self.space.backend()) {
            self.space.fail(error);
        }
        self.meter.load_ns += self.clock.delta_as_nanos(start, self.clock.raw());
    }

    /// Whether a key that is not in memory is not in the store either. Asked for before the first entry: nothing of this
    /// life is on its way then.
    #[inline]
    fn has_nothing_beyond(&mut self) -> bool {
        if self.beyond == Beyond::Unasked {
            self.ask();
        }
        self.beyond == Beyond::Nothing
    }

    #[cold]
    fn ask(&mut self) {
        let mut found = false;
        let mut asked = Ok(());
        for shard in self.shards.clone() {
            let (from, to) = layout::state_range(shard as u8, self.spec.place);
            asked = self.space.backend().scan(&from, &to, &mut |_, _| {
                found = true;
                false
            });
            if found || asked.is_err() {
                break;
            }
        }
        // Who is asked for a key will be told what is wrong.
        self.beyond = if found || asked.is_err() { Beyond::Some } else { Beyond::Nothing };
    }

    fn is_removed(&mut self, key: &[u8]) -> bool {
        if !self.removed_before.is_empty() && !self.open && self.space.durable() + 1 >= self.epoch {
            self.removed_before.clear();
        }
        self.removed.contains(key) || self.removed_before.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{Backend, Weather};
    use crate::store::{
        Batch, EpochFacts, FaultyStore, HandOver, KeyRef, Keyed, Life, LifeSpec, Message, Space, State,
    };
    use std::sync::{Arc, mpsc};

    #[test]
    fn a_store_is_asked_for_new_keys_only_since_an_entry_has_left() {
        let disk = Arc::new(FaultyStore::new(1));
        let (sender, hand_overs) = mpsc::channel();
        let space = Arc::new(Space::open(disk.clone(), 0, sender).unwrap());
        let place = space.handle("bolt", "values", "numbers", &[]).unwrap();
        let life = Life::new(space.clone(), LifeSpec { place, ttl: i64::MAX, keep: 0 });
        let mut keyed: Keyed<u64> = Keyed::new(i64::MAX, Some(Box::new(life)));
        let unreadable = Weather { unreadable_one_in: 1, ..Weather::default() };

        *keyed.at(KeyRef::new(&[0]), 0) = 1;
        disk.restart(false, unreadable);
        assert_eq!(keyed.get(KeyRef::new(&[9]), 0), None);
        for key in 1..4u8 {
            keyed.begin_run();
            keyed.want(KeyRef::new(&[key]));
            keyed.want(KeyRef::new(&[9]));
            keyed.fetch();
            assert_eq!(*keyed.at(KeyRef::new(&[key]), 0), 0);
        }
        assert_eq!((disk.troubles(), space.failure()), (0, None), "nothing was asked for");

        disk.restart(false, Weather::default());
        keyed.barrier(1);
        while keyed.hand_over(10) {}
        let Ok(Message::State(HandOver { batch, .. })) = hand_overs.try_recv() else {
            panic!("nothing is handed over")
        };
        let mut last = Batch::default();
        space.put_epoch(&mut last, &EpochFacts { epoch: 1, ..EpochFacts::none() });
        disk.write(&[batch, last]).unwrap();
        space.settled(1, 0);
        assert_eq!(*keyed.at(KeyRef::new(&[5]), 0), 0);
        assert_eq!(*keyed.at(KeyRef::new(&[6]), 0), 0);
        assert!(keyed.len() < 6, "some have left");
        assert_eq!(*keyed.at(KeyRef::new(&[0]), 0), 1, "it comes back");
        disk.restart(false, unreadable);
        keyed.at(KeyRef::new(&[7]), 0);
        assert!(space.failure().is_some(), "the store was asked");
    }
}
