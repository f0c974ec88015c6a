use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

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
