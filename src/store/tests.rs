use super::*;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Debug)]
enum Action {
    Touch(Vec<u8>, i64),
    Find(Vec<u8>),
    Sweep(usize),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || {
        prop_oneof![
            (0u8..40).prop_map(|k| vec![k]),
            (0u64..40).prop_map(|k| k.to_le_bytes().to_vec()),
            (10u8..40).prop_map(|k| vec![k; usize::from(k)]),
            (0u8..40).prop_map(|k| vec![k; 16]),
            Just(Vec::new()),
        ]
    };
    let action = prop_oneof![
        6 => (key(), 0i64..20).prop_map(|(key, ahead)| Action::Touch(key, ahead)),
        2 => key().prop_map(Action::Find),
        1 => (0usize..30).prop_map(Action::Sweep),
    ];
    prop::collection::vec(action, 0..300)
}

proptest! {
    #[test]
    fn keys_are_those_of_a_map(actions in actions(), ttl in prop_oneof![0i64..60, Just(i64::MAX)]) {
        let mut keys = Keys::new(ttl);
        let mut model: HashMap<Vec<u8>, (u32, i64)> = HashMap::new();
        let mut now = 0;
        for action in actions {
            match action {
                Action::Touch(key, ahead) => {
                    now += ahead / 4;
                    let time = now + ahead;
                    let (entry, fresh) = keys.entry(KeyRef::new(&key), time);
                    match model.get_mut(&key) {
                        Some((known, touched)) => {
                            prop_assert_eq!((entry, fresh), (*known, time.saturating_sub(*touched) > ttl));
                            *touched = time.max(*touched);
                        }
                        None => {
                            prop_assert!(fresh && model.values().all(|(known, _)| *known != entry));
                            model.insert(key.clone(), (entry, time));
                        }
                    }
                    prop_assert!(keys.holds(entry, &key));
                }
                Action::Find(key) => {
                    let found = keys.find(KeyRef::new(&key));
                    prop_assert_eq!(found, model.get(&key).map(|(entry, _)| *entry));
                }
                Action::Sweep(budget) => {
                    let mut freed = Vec::new();
                    keys.sweep(now, budget, |entry| freed.push(entry));
                    prop_assert!(freed.len() <= budget);
                    for entry in freed {
                        let key = model.iter().find(|(_, (e, _))| *e == entry).map(|(k, _)| k.clone()).unwrap();
                        prop_assert!(now - model[&key].1 > ttl);
                        prop_assert!(!keys.holds(entry, &key));
                        model.remove(&key);
                    }
                }
            }
            prop_assert_eq!(keys.len(), model.len());
        }
        keys.sweep(now, usize::MAX, |_| {});
        prop_assert_eq!(keys.len(), model.values().filter(|(_, touched)| now - touched <= ttl || ttl == i64::MAX).count());
    }
}

#[test]
fn many_keys_keep_their_entries_while_tables_grow() {
    let mut keys = Keys::new(i64::MAX);
    for k in 0u64..50_000 {
        assert_eq!(keys.entry(KeyRef::new(&k.to_le_bytes()), 0), (k as u32, true));
    }
    for k in 0u64..50_000 {
        assert_eq!(keys.entry(KeyRef::new(&k.to_le_bytes()), 0), (k as u32, false));
    }
}

#[test]
fn a_keyed_value_starts_anew_after_its_ttl() {
    let mut counts: Keyed<u32> = Keyed::new(10);
    let mut count = |time| {
        let value = counts.at(KeyRef::new(b"k"), time);
        *value += 1;
        *value
    };
    assert_eq!([count(0), count(10), count(21), count(20)], [1, 2, 1, 2]);
    counts.sweep(32, 1);
    assert!(counts.is_empty());
}

/// Undoes a xor with the word itself, shifted: bits above `shift` are known from the start.
fn unshift(word: u64, shift: u32, plus: u64) -> u64 {
    let mut x = word;
    for _ in 0..64 / shift + 1 {
        x = word ^ ((x >> shift).wrapping_add(plus));
    }
    x
}

/// The word whose xxh3 (no seed) this is, among words of eight bytes.
fn undone(hash: u64) -> u64 {
    const PRIME: u64 = 0x9FB2_1C65_1E98_DF25;
    let inverse = (0..6).fold(PRIME, |x, _| x.wrapping_mul(2u64.wrapping_sub(PRIME.wrapping_mul(x))));
    let mut h = unshift(hash, 28, 0).wrapping_mul(inverse);
    h = unshift(h, 35, 8).wrapping_mul(inverse);
    // x ^ rotl(x, 24) ^ rotl(x, 49) 64 times is x: over bits, its 64th power is the identity.
    for _ in 0..63 {
        h = h ^ h.rotate_left(24) ^ h.rotate_left(49);
    }
    h
}

proptest! {
    #[test]
    fn no_two_words_have_one_hash(word in any::<u64>()) {
        // The hash begins with a xor with a constant, and the halves of the word change places.
        let of = |word: u64| undone(KeyRef::new(&word.to_le_bytes()).hash);
        let constant = of(0);
        prop_assert_eq!(of(word) ^ constant, word.rotate_left(32));
    }

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
