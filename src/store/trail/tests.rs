use super::*;
use crate::store::{Batch, MemoryStore, SegmentFacts, Written};
use proptest::prelude::*;
use std::sync::{Arc, mpsc};

proptest! {
    /// What is asked for ahead is what encoding looks at, and the list that is read is the one that was written.
    #[test]
    fn a_list_asks_for_as_many_items_as_it_said(steps in prop::collection::vec((0u32..40, 0u32..6, any::<bool>()), 0..60)) {
        let space = Space::open(Arc::new(MemoryStore::new()), 0, mpsc::channel().0).unwrap();
        let place = space.handle("bolt", "list", "", &[]).unwrap();
        let (mut lists, mut trail, mut items) = (lists::Lists::new(place, 5), Trail::default(), Vec::<u8>::new());
        for (inserted, behind, encoded) in steps {
            for number in 0..inserted {
                let after = if number == 0 { behind.min(items.len() as u32) } else { 0 };
                items.insert(items.len() - after as usize, number as u8);
                trail.insert(after, |_| std::slice::from_ref(&items[items.len() - 1]));
            }
            if encoded {
                let wanted = trail.rows_wanted();
                let (mut asked, mut value) = (0, Vec::new());
                trail.encode(&mut ListsOf { lists: &mut lists, space: &space }, End { newest: 0, place: 0, bound: i64::MIN }, &mut value, &mut |count, out| {
                    asked = count.max(asked);
                    out.extend_from_slice(&items[items.len() - count as usize..]);
                    (count, 0)
                });
                prop_assert_eq!(asked, wanted);
                if let Some(Written { segment, at, bytes, newest, keep, component, .. }) = lists.take() {
                    space.backend().segment_write(segment, at, &bytes).unwrap();
                    let facts = SegmentFacts { component, bytes: at + bytes.len() as u64, newest, keep };
                    space.put_segment(&mut Batch::default(), segment, facts);
                }
                let mut block = |count: u32, from: &mut &[u8]| -> Option<Vec<u8>> {
                    let (items, rest) = from.split_at_checked(count as usize)?;
                    *from = rest;
                    Some(items.to_vec())
                };
                let read = Trail::decode(&mut &value[..], &space, (i64::MIN, usize::MAX), &mut block).unwrap();
                prop_assert_eq!((&read.items, read.is_whole, read.away.len()), (&items, true, 0));
                let part = Trail::decode(&mut &value[..], &space, (i64::MIN, 20), &mut block).unwrap();
                let away = part.away.last().map_or(0, |chunk| chunk.upto as usize);
                prop_assert_eq!(&part.items, &items[away..]);
                prop_assert_eq!(part.trail.total(), items.len() as u64);
                for chunk in part.away {
                    let payload = lists::read(&space, chunk.pointer).unwrap().unwrap().payload;
                    let place = chunk.from() as usize..chunk.upto as usize;
                    prop_assert_eq!(&payload[..chunk.items as usize], &items[place]);
                }
            }
        }
    }
}

#[test]
fn a_list_has_few_chunks_however_often_it_was_written() {
    let space = Space::open(Arc::new(MemoryStore::new()), 0, mpsc::channel().0).unwrap();
    let place = space.handle("bolt", "list", "", &[]).unwrap();
    let (mut lists, mut trail, mut items) = (lists::Lists::new(place, 5), Trail::default(), 0u32);
    for _ in 0..400 {
        for _ in 0..5 {
            items += 1;
            trail.insert(0, |_| &[7]);
        }
        let end = End { newest: 0, place: 0, bound: i64::MIN };
        let mut write = |count: u32, out: &mut Vec<u8>| {
            out.resize(out.len() + count as usize, 7);
            (count, 0)
        };
        trail.encode(&mut ListsOf { lists: &mut lists, space: &space }, end, &mut Vec::new(), &mut write);
    }
    assert_eq!(trail.total(), u64::from(items));
    assert!(trail.levels.len() < 50, "{} chunks of {items} items", trail.levels.len());
}
