use super::*;
use proptest::prelude::*;

proptest! {
    /// Whatever the capacity and the sizes of records, all arrive whole and in order, whoever is ahead.
    #[test]
    fn records_arrive_whole_and_in_order(
        capacity in 1usize..40,
        sizes in prop::collection::vec(0usize..60, 1..60),
        turns in prop::collection::vec(0u8..6, 1..300),
    ) {
        let (mut producer, mut consumer) = ring(capacity);
        let (mut sent, mut got) = (0usize, 0usize);
        // Whatever was drawn, sending, publishing and reading come up again and again.
        let mut turns = turns.into_iter().chain([0, 2, 5]).cycle();
        while got < sizes.len() {
            match turns.next().unwrap_or(0) {
                0 | 1 if sent < sizes.len() => {
                    let body: Vec<u64> = (0..sizes[sent]).map(|i| (sent * 1000 + i) as u64).collect();
                    producer.push(sent as u32, &body);
                    sent += 1;
                }
                2 | 3 => { producer.flush(); }
                n => {
                    let most = n as usize;
                    let mut seen = 0;
                    let words = consumer.read(|tag, body| {
                        assert_eq!(tag as usize, got);
                        assert_eq!(body.len(), sizes[got]);
                        assert!(body.iter().enumerate().all(|(i, w)| *w == (got * 1000 + i) as u64));
                        got += 1;
                        seen += 1;
                        seen < most
                    });
                    consumer.release(words);
                    producer.flush();
                    if sent < sizes.len() {
                        let body: Vec<u64> = (0..sizes[sent]).map(|i| (sent * 1000 + i) as u64).collect();
                        producer.push(sent as u32, &body);
                        sent += 1;
                    }
                }
            }
        }
        prop_assert!(!producer.pending() && consumer.is_empty());
    }
}

#[test]
fn unread_records_by_address_are_freed() {
    let (mut producer, consumer) = ring(4);
    producer.push(1, &[7; 100]);
    assert_eq!(producer.flush(), 1);
    drop(consumer);
    assert!(producer.is_abandoned());
}

#[test]
fn large_records_that_were_read_and_not_released_are_freed_once_when_the_reader_goes() {
    let (mut producer, mut consumer) = ring(8);
    for n in 0..2 {
        producer.push(n, &[7; 20]);
    }
    assert_eq!(producer.flush(), 2);
    let mut tags = Vec::new();
    consumer.read(|tag, _| {
        tags.push(tag);
        false
    });
    consumer.read(|tag, body| {
        assert_eq!(body, [7; 20]);
        tags.push(tag);
        true
    });
    assert_eq!(tags, [0, 1], "a record is given once, released or not");
    drop(consumer);
}
