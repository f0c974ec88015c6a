//! Dropping what the store holds of one component, before anything is opened.
//!
//! A reset takes several batches, since state may be large. The first marks the component's handles: whoever stops in
//! the middle finds state that no definition fits, and has to ask for the reset again.

use super::backend::{Backend, Batch, StoreError};
use super::facts::{EpochFacts, HandleFacts, Place, SegmentFacts, SplitFacts};
use super::layout::{OUTBOX, meta, state_range};
use super::records::{last_epoch, put, read_all};

/// What a handle means while its state is being dropped.
const BEING_RESET: &str = "a reset that was not completed";
/// Keys that are dropped in one batch.
const AT_ONCE: usize = 10_000;

/// Drops the state of a component, whatever it means, of a spout how far it was read, of a sink what was on its way to
/// the outside; whether there was any.
///
/// # Errors
/// The store cannot be read or written.
pub fn reset(backend: &dyn Backend, component: &str) -> Result<bool, StoreError> {
    let mut handles = read_all::<HandleFacts>(backend, "handle/")?;
    handles.retain(|name, _| name.rsplit_once('/').is_some_and(|(known, _)| known == component));
    mark(backend, &handles)?;
    for facts in handles.values() {
        let place = Place { component: facts.component, handle: facts.handle };
        for shard in 0..=u8::MAX {
            drop_range(backend, &state_range(shard, place))?;
        }
    }
    let mut batch = Batch::default();
    for name in handles.keys() {
        batch.delete(&meta(&format!("handle/{name}")));
    }
    // Their files go when the store is opened the next time, as those of all segments that no epoch knows.
    for (name, facts) in read_all::<SegmentFacts>(backend, "segment/")? {
        if handles.values().any(|own| own.component == facts.component) {
            batch.delete(&meta(&format!("segment/{name}")));
        }
    }
    let rewound = rewind(backend, component, &mut batch)?;
    let before = batch.len();
    drop_prefix(backend, &[&[OUTBOX], component.as_bytes(), b"/"].concat(), &mut batch)?;
    drop_prefix(backend, &meta(&format!("note/delivered/{component}/")), &mut batch)?;
    let produced = meta(&format!("note/log/{component}"));
    if backend.get(&produced)?.is_some() {
        batch.delete(&produced);
    }
    let any = rewound || batch.len() > before || !handles.is_empty();
    backend.write(&[batch])?;
    Ok(any)
}

fn mark(backend: &dyn Backend, handles: &std::collections::BTreeMap<String, HandleFacts>) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for (name, facts) in handles {
        let facts = HandleFacts { fingerprint: BEING_RESET.to_owned(), ..facts.clone() };
        put(&mut batch, &format!("handle/{name}"), &facts);
    }
    if batch.is_empty() { Ok(()) } else { backend.write(&[batch]) }
}

/// Forgets how far the splits of a spout were read, and with it the time that the topology had come to: what is read
/// again would otherwise have expired before it came. Their numbers stay.
fn rewind(backend: &dyn Backend, component: &str, batch: &mut Batch) -> Result<bool, StoreError> {
    let mut any = false;
    for (name, facts) in read_all::<SplitFacts>(backend, "split/")? {
        if name.split_once('/').is_some_and(|(known, _)| known == component) {
            put(batch, &format!("split/{name}"), &SplitFacts { id: facts.id, ..SplitFacts::default() });
            any = true;
        }
    }
    if any {
        let last = last_epoch(backend)?;
        put(batch, "epoch", &EpochFacts { epoch: last.epoch, wall: last.wall, ..EpochFacts::none() });
    }
    Ok(any)
}

/// Drops, in a batch, all that begins with these bytes.
fn drop_prefix(backend: &dyn Backend, prefix: &[u8], batch: &mut Batch) -> Result<(), StoreError> {
    let mut end = prefix.to_vec();
    end.push(u8::MAX);
    backend.scan(prefix, &end, &mut |key, _| {
        batch.delete(key);
        true
    })
}

fn drop_range(backend: &dyn Backend, (from, to): &(Vec<u8>, Vec<u8>)) -> Result<(), StoreError> {
    loop {
        let mut batch = Batch::default();
        backend.scan(from, to, &mut |key, _| {
            batch.delete(key);
            batch.len() < AT_ONCE
        })?;
        let last = batch.len() < AT_ONCE;
        if !batch.is_empty() {
            backend.write(&[batch])?;
        }
        if last {
            return Ok(());
        }
    }
}
