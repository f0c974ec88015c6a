use super::*;
use crate::tuple::{Arena, DataType, Layout, Run, Value};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, mpsc};

#[derive(Clone, Debug)]
enum Action {
    /// A key is changed, so much later.
    Change(Vec<u8>, i64),
    /// A key is looked at.
    Look(Vec<u8>),
    /// A run begins whose tuples will ask for these keys, perhaps.
    Run(Vec<Vec<u8>>),
    /// A key is removed.
    Remove(Vec<u8>),
    /// Expired keys are looked for.
    Sweep(usize),
    /// An epoch ends, or so much of one that has ended is handed over.
    Epoch(usize),
    /// The process dies.
    Crash,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || {
        prop_oneof![
            (0u8..20).prop_map(|k| vec![k]),
            (0u64..20).prop_map(|k| k.to_le_bytes().to_vec()),
            (10u8..30).prop_map(|k| vec![k; usize::from(k)]),
            Just(Vec::new()),
        ]
    };
    let action = prop_oneof![
        12 => (key(), 0i64..20).prop_map(|(key, ahead)| Action::Change(key, ahead)),
        4 => key().prop_map(Action::Look),
        2 => prop::collection::vec(key(), 0..8).prop_map(Action::Run),
        2 => key().prop_map(Action::Remove),
        1 => (0usize..30).prop_map(Action::Sweep),
        4 => (0usize..8).prop_map(Action::Epoch),
        1 => Just(Action::Crash),
    ];
    prop::collection::vec(action, 0..400)
}

/// A handle over a store, and the committer's part of its life.
struct Living {
    backend: Arc<MemoryStore>,
    space: Arc<Space>,
    hand_overs: mpsc::Receiver<Message>,
    keyed: Keyed<VecDeque<i64>>,
    /// The epoch that is on its way.
    closing: Option<u64>,
}

impl Living {
    fn open(backend: Arc<MemoryStore>, ttl: i64, memory_bytes: usize) -> Living {
        let (sender, hand_overs) = mpsc::channel();
        let space = Arc::new(Space::open(backend.clone(), memory_bytes, sender).unwrap());
        let place = space.handle("bolt", "values", "numbers", &[]).unwrap();
        let life = Life::new(space.clone(), LifeSpec { place, ttl, keep: 0 });
        Living { backend, space, hand_overs, keyed: Keyed::new(ttl, Some(Box::new(life))), closing: None }
    }

    /// Ends an epoch, or goes on with one; true when it has become durable.
    fn epoch(&mut self, budget: usize) -> bool {
        match self.closing {
            None => {
                let epoch = self.space.durable() + 1;
                self.keyed.barrier(epoch);
                self.closing = Some(epoch);
                false
            }
            Some(epoch) => {
                self.keyed.hand_over(budget);
                let Ok(Message::State(HandOver { epoch: of, batch, .. })) = self.hand_overs.try_recv() else {
                    return false;
                };
                assert_eq!(of, epoch);
                let mut last = Batch::default();
                self.space.put_epoch(&mut last, &EpochFacts { epoch, ..EpochFacts::none() });
                self.backend.write(&[batch, last]).unwrap();
                self.space.settled(epoch, 0);
                self.closing = None;
                true
            }
        }
    }
}

proptest! {
    #[test]
    fn values_are_those_of_a_map_through_evictions_and_crashes(
        actions in actions(),
        ttl in prop_oneof![0i64..60, Just(i64::MAX)],
        memory_bytes in prop_oneof![Just(0usize), Just(1000), Just(1 << 30)],
    ) {
        type Model = HashMap<Vec<u8>, (VecDeque<i64>, i64)>;
        let mut living = Living::open(Arc::default(), ttl, memory_bytes);
        let mut memory: Keyed<VecDeque<i64>> = Keyed::new(ttl, None);
        let (mut model, mut closed, mut durable): (Model, Model, Model) = Default::default();
        let (mut now, mut crashed) = (0i64, false);
        for action in actions {
            match action {
                Action::Change(key, ahead) => {
                    now += ahead / 4;
                    let time = now + ahead;
                    let (values, touched) = model.entry(key.clone()).or_insert((VecDeque::new(), time));
                    if time.saturating_sub(*touched) > ttl {
                        values.clear();
                    }
                    values.push_back(time);
                    *touched = time.max(*touched);
                    let got = living.keyed.at(KeyRef::new(&key), time);
                    got.push_back(time);
                    prop_assert_eq!(&*got, &*values);
                    let got = memory.at(KeyRef::new(&key), time);
                    got.push_back(time);
                    if !crashed {
                        prop_assert_eq!(&*got, &*values);
                    }
                }
                Action::Look(key) => {
                    let known = model.get(&key).filter(|(_, touched)| now.saturating_sub(*touched) <= ttl);
                    prop_assert_eq!(living.keyed.get(KeyRef::new(&key), now), known.map(|(values, _)| values));
                }
                Action::Run(keys) => {
                    living.keyed.begin_run();
                    keys.iter().for_each(|key| living.keyed.want(KeyRef::new(key)));
                    living.keyed.fetch();
                }
                Action::Remove(key) => {
                    model.remove(&key);
                    living.keyed.remove(KeyRef::new(&key));
                    memory.remove(KeyRef::new(&key));
                }
                Action::Sweep(budget) => {
                    living.keyed.sweep(now, budget);
                    memory.sweep(now, budget);
                    // What a sweep may have freed, no row of this test asks for: time has passed it.
                    model.retain(|_, (_, touched)| ttl == i64::MAX || now.saturating_sub(*touched) <= ttl);
                }
                Action::Epoch(budget) => {
                    if living.closing.is_none() {
                        closed = model.clone();
                    }
                    if living.epoch(budget) {
                        durable = closed.clone();
                    }
                }
                Action::Crash => {
                    living = Living::open(living.backend.clone(), ttl, memory_bytes);
                    model = durable.clone();
                    crashed = true;
                }
            }
        }
        for (key, (values, touched)) in &model {
            prop_assert_eq!(living.keyed.get(KeyRef::new(key), *touched), Some(values));
        }
    }
}

#[test]
fn an_entry_leaves_memory_only_when_its_change_is_durable() {
    let mut living = Living::open(Arc::default(), i64::MAX, 0);
    let change = |living: &mut Living, k: u64| {
        living.keyed.at(KeyRef::new(&k.to_le_bytes()), 0).push_back(0);
        living.keyed.len()
    };
    for k in 0..100 {
        assert_eq!(change(&mut living, k), k as usize + 1);
    }
    while !living.epoch(100) {}
    for k in 100..200 {
        change(&mut living, k);
    }
    assert!(living.keyed.len() <= 120, "{} entries are in memory", living.keyed.len());
    assert!(living.keyed.meter().unwrap().evictions >= 80);
}

#[test]
fn state_of_another_meaning_is_refused_until_it_is_reset() {
    let living = Living::open(Arc::default(), i64::MAX, 0);
    let refused = living.space.handle("bolt", "values", "words", &[]).unwrap_err().to_string();
    assert!(refused.contains("--reset-state bolt") && refused.contains("numbers") && refused.contains("words"));
    let other = living.space.handle("other", "values", "words", &[]).unwrap();
    assert_ne!(other.component, living.keyed.life().unwrap().place().component);
    assert!(reset(&*living.backend, "bolt").unwrap());
    let space = Space::open(living.backend, 0, mpsc::channel().0).unwrap();
    space.handle("bolt", "values", "words", &[]).unwrap();
}

#[test]
fn many_keys_keep_their_entries_while_tables_grow() {
    let mut index = Index::new(false);
    for k in 0u64..50_000 {
        assert_eq!(index.insert(KeyRef::new(&k.to_le_bytes())), k as u32);
    }
    for k in 0u64..50_000 {
        assert_eq!(index.find(KeyRef::new(&k.to_le_bytes())), Some(k as u32));
    }
}

#[test]
fn a_keyed_value_starts_anew_after_its_ttl() {
    let mut counts: Keyed<u32> = Keyed::new(10, None);
    let mut count = |time| {
        let value = counts.at(KeyRef::new(b"k"), time);
        *value += 1;
        *value
    };
    assert_eq!([count(0), count(10), count(21), count(20)], [1, 2, 1, 2]);
    counts.sweep(32, 1);
    assert!(counts.is_empty());
}

proptest! {
    #[test]
    fn an_index_of_words_is_a_map(actions in prop::collection::vec((0u64..60, any::<bool>()), 0..400)) {
        let mut index = Index::new(true);
        let mut model: HashMap<u64, u32> = HashMap::new();
        for (word, insert) in actions {
            let bytes = word.to_le_bytes();
            let key = KeyRef::new(&bytes);
            prop_assert_eq!(index.find(key), model.get(&word).copied());
            match (model.get(&word).copied(), insert) {
                (None, true) => {
                    let entry = index.insert(key);
                    prop_assert!(model.values().all(|known| *known != entry) && index.holds(entry, &bytes));
                    model.insert(word, entry);
                }
                (Some(entry), false) => {
                    index.remove(entry);
                    prop_assert!(!index.holds(entry, &bytes));
                    model.remove(&word);
                }
                _ => {}
            }
            let turned: Vec<u32> = (0..index.used()).filter_map(|_| index.turn()).collect();
            prop_assert_eq!(turned.len(), model.len());
        }
    }
}

#[test]
fn words_stand_still_and_are_zero_at_first() {
    for stride in [1, 3, 8, 9] {
        let mut words = Words::new(stride);
        let far = (40 << 20) / (words.stride() as u32 * 8);
        words.reach(0);
        words.get_mut(0).fill(7);
        let at = words.get(0).as_ptr();
        words.reach(far);
        assert!(words.has(far) && words.get(far).iter().all(|w| *w == 0));
        words.get_mut(far).fill(9);
        assert_eq!((words.get(0).as_ptr(), words.get(0)[0], words.get(1)[0]), (at, 7, 0));
        assert_eq!(words.get(0).as_ptr() as usize % 64, 0);
    }
}

proptest! {
    #[test]
    fn a_table_holds_what_a_set_of_pairs_holds(
        steps in prop::collection::vec((any::<bool>(), 0u64..6, 0u64..4, 0u32..40), 1..400),
    ) {
        let (mut table, mut set) = (table::Table::default(), BTreeSet::new());
        let hash = |high: u64, low: u64| (high << 40) | low.wrapping_sub(2) & 0xFFFF_FFFF;
        for (add, high, low, entry) in steps {
            // Few different hashes, next to each other and at both ends: long chains that wrap around.
            let hash = hash(high, low);
            if add && set.insert((hash, entry)) {
                table.insert(hash, entry);
            } else if !add {
                table.remove(hash, entry);
                set.remove(&(hash, entry));
            }
        }
        for high in 0..6 {
            for low in 0..4 {
                let hash = hash(high, low);
                for entry in 0..40 {
                    let found = table.find(hash, |found| found == entry).is_some();
                    prop_assert_eq!(found, set.contains(&(hash, entry)));
                }
            }
        }
    }
}

proptest! {
    /// Against what the tasks read from tuples.
    #[test]
    fn keys_of_values_are_those_of_tuples_and_can_be_read_back(
        row in prop::collection::vec(prop_oneof![
            any::<i64>().prop_map(Value::Bigint),
            any::<bool>().prop_map(Value::Boolean),
            any::<i32>().prop_map(|n| Value::Double(f64::from(n) / 4.0)),
            ".{0,9}".prop_map(Value::Text),
            any::<i64>().prop_map(Value::Timestamp),
        ], 1..4),
    ) {
        let layout = Layout::new(row.len());
        let types: Vec<DataType> = row.iter().map(|value| value.data_type().unwrap()).collect();
        let columns: Vec<_> = types.iter().enumerate().map(|(n, ty)| (layout.slot(n), *ty)).collect();
        let (mut run, arena) = (Run::new(layout), Arena::new());
        let (frame, _) = run.push();
        for (value, (slot, _)) in row.iter().zip(&columns) {
            value.put(frame, *slot, &arena);
        }
        let bytes = key_bytes(&row).unwrap();
        let mut reader = KeyReader::new(&columns);
        prop_assert_eq!(reader.read(frame).unwrap().bytes, &bytes[..]);
        let (mut back, ours) = (Run::new(layout), Arena::new());
        let (frame, _) = back.push();
        let writer = KeyWriter::new(&columns);
        prop_assert!(writer.write(&bytes, frame, &ours));
        for (value, (slot, ty)) in row.iter().zip(&columns) {
            prop_assert_eq!(&Value::from_slot(frame, *slot, *ty), value);
        }
        if types != [DataType::Text] {
            prop_assert!(!writer.write(&bytes[..bytes.len() - 1], frame, &ours));
        }
        prop_assert_eq!(key_values(&bytes, &types), Some(row));
        if types != [DataType::Text] {
            prop_assert_eq!(key_values(&bytes[..bytes.len() - 1], &types), None);
        }
    }
}

#[test]
fn the_number_of_a_segment_that_is_gone_is_never_given_again() {
    let backend = Arc::new(MemoryStore::new());
    let open = || Space::open(backend.clone(), 0, mpsc::channel().0).unwrap();
    let space = open();
    let id = space.new_segment();
    let mut batch = Batch::default();
    space.put_segment(&mut batch, id, SegmentFacts { component: 0, bytes: 0, newest: 10, keep: 5 });
    backend.write(&[batch]).unwrap();
    let space = open();
    let mut batch = Batch::default();
    assert_eq!(space.retire_segments(&mut batch, 100), [id]);
    backend.write(&[batch]).unwrap();
    assert_ne!(open().new_segment(), id);
}

#[test]
fn a_segment_stays_while_more_may_be_written_to_it() {
    let space = Space::open(Arc::new(MemoryStore::new()), 0, mpsc::channel().0).unwrap();
    let place = space.handle("bolt", "list", "", &[]).unwrap();
    let mut lists = lists::Lists::new(place, 5);
    let head = lists::ChunkHead { previous: lists::Pointer::NONE, items: 1, replaced: 0, newest: 10 };
    let commit = |lists: &mut lists::Lists, frontier: i64| {
        let Written { segment, at, bytes, newest, keep, component, complete } = lists.take().unwrap();
        space.backend().segment_write(segment, at, &bytes).unwrap();
        let mut batch = Batch::default();
        let facts = SegmentFacts { component, bytes: at + bytes.len() as u64, newest, keep };
        space.put_segment(&mut batch, segment, facts);
        if complete {
            space.complete_segment(segment);
        }
        space.retire_segments(&mut batch, frontier)
    };
    let first = lists.append(&space, &head, |out| out.push(7));
    let written = lists.take().unwrap();
    space.backend().segment_write(written.segment, 0, &written.bytes).unwrap();
    // Written in the middle of the next epoch, before the one that it follows is durable and time has moved on.
    let second = lists.append(&space, &head, |out| out.push(8));
    let mut batch = Batch::default();
    let facts = SegmentFacts { component: 0, bytes: written.bytes.len() as u64, newest: 10, keep: 5 };
    space.put_segment(&mut batch, written.segment, facts);
    assert_eq!(space.retire_segments(&mut batch, 100), [0u32; 0]);
    assert_eq!(commit(&mut lists, 100), [0u32; 0]);
    assert_eq!(lists::read(&space, first).unwrap().unwrap().payload, [7]);
    assert_eq!(lists::read(&space, second).unwrap().unwrap().payload, [8]);
    // A large chunk completes it: now it goes.
    lists.append(&space, &head, |out| out.resize(out.len() + (64 << 20), 9));
    assert_eq!(commit(&mut lists, 100), [written.segment]);
    assert_eq!(lists::read(&space, second).unwrap(), None);
}

/// What a reset is to drop: state with a list, and how far a spout was read.
fn with_state(backend: &Arc<dyn Backend>) -> Place {
    let space = Space::open(backend.clone(), 0, mpsc::channel().0).unwrap();
    let place = space.handle("bolt", "values", "numbers", &[]).unwrap();
    space.handle("other", "values", "numbers", &[]).unwrap();
    space.split_id("spout/all").unwrap();
    let mut batch = Batch::default();
    for k in 0u64..10 {
        let bytes = k.to_le_bytes();
        let key = KeyRef::new(&bytes);
        batch.put_with(
            |out| {
                layout::state_key(key.shard(), place, out);
                out.extend_from_slice(&bytes);
            },
            |out| layout::value_head(i64::MAX, out),
        );
    }
    space.put_segment(&mut batch, 3, SegmentFacts { component: place.component, bytes: 0, newest: 10, keep: 5 });
    space.put_split(
        &mut batch,
        "spout/all",
        &SplitFacts { id: 0, position: 9, time: Some(7), identity: String::new() },
    );
    Space::put_note(&mut batch, "log/bolt", &7u64);
    Space::put_outbox(&mut batch, "bolt/0", 1, b"rows");
    space.put_epoch(&mut batch, &EpochFacts { epoch: 4, frontier: 50, ..EpochFacts::none() });
    backend.write(&[batch]).unwrap();
    place
}

#[test]
fn a_reset_drops_all_that_belongs_to_a_component_and_nothing_else() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryStore::new());
    let place = with_state(&backend);
    assert!(reset(&*backend, "bolt").unwrap());
    assert!(!reset(&*backend, "bolt").unwrap());
    let space = Space::open(backend.clone(), 0, mpsc::channel().0).unwrap();
    let (mut left, mut handles) = (0, space.handles().into_keys());
    let scanned = space.scan(place, &mut |_, _| {
        left += 1;
        true
    });
    scanned.unwrap();
    assert_eq!((left, handles.next().as_deref(), handles.next()), (0, Some("other/values"), None));
    assert!(!space.has_lists(place.component) && space.outbox("bolt/0").unwrap().is_empty());
    assert_eq!(space.note::<u64>("log/bolt").unwrap(), None);
    assert_eq!((space.split("spout/all").unwrap().position, space.opened().frontier), (9, 50));
}

/// What is read again from the start must not have expired before it comes.
#[test]
fn the_reset_of_a_spout_sets_time_back() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryStore::new());
    with_state(&backend);
    assert!(reset(&*backend, "spout").unwrap());
    let space = Space::open(backend, 0, mpsc::channel().0).unwrap();
    assert_eq!(space.split("spout/all").unwrap(), SplitFacts::default());
    assert_eq!((space.opened().epoch, space.opened().frontier), (4, i64::MIN));
}

#[test]
fn a_reset_that_was_interrupted_has_to_be_asked_for_again() {
    for dies_after in 0..4 {
        let disk = Arc::new(FaultyStore::new(7));
        let backend: Arc<dyn Backend> = disk.clone();
        with_state(&backend);
        disk.restart(false, Weather { dies_after: Some(dies_after), ..Weather::default() });
        let finished = reset(&*backend, "bolt").is_ok();
        disk.restart(false, Weather::default());
        let space = Space::open(backend.clone(), 0, mpsc::channel().0).unwrap();
        let mut left = 0;
        let place = space.handles().get("bolt/values").map(HandleFacts::place);
        let scanned = place.map(|place| {
            space.scan(place, &mut |_, _| {
                left += 1;
                true
            })
        });
        scanned.transpose().unwrap();
        // Whoever takes the component up finds all of its state or is refused.
        let taken = space.handle("bolt", "values", "numbers", &[]);
        assert!(finished || taken.is_err() || place.is_none() || left == 10, "{dies_after}: {left} keys are left");
        drop(space);
        assert!(finished || place.is_none() || reset(&*backend, "bolt").unwrap());
        let space = Space::open(backend, 0, mpsc::channel().0).unwrap();
        space.handle("bolt", "values", "words", &[]).unwrap();
    }
}
