//! How keys and values of the store of a topology are laid out.
//!
//! A key's first byte is its area. State: `[1 | shard | component u32 | handle u8 | canonical key]`, numbers big-endian,
//! so that moving a shard is moving one range. A value of state: `[version u8 | expires i64 | content]`. Everything
//! else is small: `[0 | name]`, values in JSON, readable by people; `[2 | component | 0 | epoch u64]`, rows on their way
//! to the outside.

use super::backend::StoreError;
use super::facts::Place;

/// Names and small records.
const META: u8 = 0;
/// Keyed state.
const STATE: u8 = 1;

/// Rows on their way to the outside.
pub(super) const OUTBOX: u8 = 2;

/// Version of what is written: another one is refused.
pub(super) const FORMAT: u32 = 1;
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
pub(super) fn outbox_key(component: &str, epoch: u64) -> Vec<u8> {
    [&[OUTBOX], component.as_bytes(), &[0], &epoch.to_be_bytes()].concat()
}

/// Appends the key of a state.
#[inline]
pub(super) fn state_key(shard: u8, place: Place, out: &mut Vec<u8>) {
    out.extend_from_slice(&[STATE, shard]);
    out.extend_from_slice(&place.component.to_be_bytes());
    out.push(place.handle);
}

/// The key of a small record.
pub(super) fn meta(name: &str) -> Vec<u8> {
    [&[META], name.as_bytes()].concat()
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

/// The first key of state, and the first after all of it.
pub(super) fn all_state() -> (Vec<u8>, Vec<u8>) {
    (vec![STATE], vec![STATE + 1])
}

/// Whose state a key is; none if it is none.
pub(super) fn place_of(key: &[u8]) -> Option<Place> {
    let (head, _) = key.split_first_chunk::<KEY_HEAD>()?;
    let [STATE, _, a, b, c, d, handle] = *head else { return None };
    Some(Place { component: u32::from_be_bytes([a, b, c, d]), handle })
}
