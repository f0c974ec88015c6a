//! The bytes of the fresh items of a trail, in place as long as they are few.

use crate::store::slab::prefetch_value;

/// Bytes that lie in the trail itself, so that it takes two lines.
const SHORT: usize = 71;

/// Bytes of an item that is copied in one go, at most.
pub const SHORT_ITEM: usize = 32;

/// An item of few bytes, with room behind them, so that it is copied whatever its length without a call.
#[derive(Clone, Copy, Debug)]
pub struct ShortItem {
    /// Its bytes, and others.
    pub bytes: [u8; SHORT_ITEM],
    /// How many of them are its own.
    pub length: usize,
}

impl ShortItem {
    #[inline(always)]
    fn get(&self) -> &[u8] {
        &self.bytes[..self.length.min(SHORT_ITEM)]
    }
}

/// Bytes of items, in place as long as they are few.
#[derive(Debug)]
pub(super) struct Bytes {
    // One word where there is none, so that a trail without many items takes two lines.
    #[allow(clippy::box_collection)]
    long: Option<Box<Vec<u8>>>,
    length: u8,
    short: [u8; SHORT],
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes { long: None, length: 0, short: [0; SHORT] }
    }
}

impl Bytes {
    #[inline(always)]
    pub(super) fn get(&self) -> &[u8] {
        match &self.long {
            None => &self.short[..usize::from(self.length)],
            Some(long) => long,
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, item: &[u8]) {
        let start = usize::from(self.length);
        match self.short.get_mut(start..start + item.len()) {
            Some(place) if self.long.is_none() => {
                place.copy_from_slice(item);
                self.length += item.len() as u8;
            }
            _ => self.push_long(item),
        }
    }

    #[inline(always)]
    pub(super) fn push_short(&mut self, item: &ShortItem) {
        let start = usize::from(self.length);
        match self.short.get_mut(start..start + SHORT_ITEM) {
            Some(place) if self.long.is_none() => {
                // What is not the item's lies behind it, where nothing is yet.
                place.copy_from_slice(&item.bytes);
                self.length += item.get().len() as u8;
            }
            _ => self.push(item.get()),
        }
    }

    #[inline(never)]
    fn push_long(&mut self, item: &[u8]) {
        let long = self.long.get_or_insert_with(|| {
            let mut long = Vec::with_capacity(2 * SHORT + item.len());
            long.extend_from_slice(&self.short[..usize::from(self.length)]);
            Box::new(long)
        });
        long.extend_from_slice(item);
    }

    /// What they take beside their own size.
    pub(super) fn heap_bytes(&self) -> usize {
        self.long.as_ref().map_or(0, |long| size_of::<Vec<u8>>() + long.capacity())
    }

    /// Asks for those that are not in place; purely a hint.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        if let Some(long) = &self.long {
            prefetch_value(&**long);
        }
    }

    /// Asks for the place of the next item, when what says where that is is near; purely a hint.
    #[inline(always)]
    pub(super) fn prefetch_end(&self) {
        if let Some(end) = self.long.as_ref().and_then(|long| long.last()) {
            prefetch_value(end);
        }
    }

    /// No bytes; those of a list that was long for once give their memory back.
    pub(super) fn clear(&mut self) {
        self.length = 0;
        match &mut self.long {
            Some(long) if long.len() > SHORT => long.clear(),
            _ => self.long = None,
        }
    }
}
