//! The fresh items of a trail: how many there are, and their bytes, in place as long as they are few.

use crate::store::slab::{prefetch_bytes, prefetch_value};

/// Bytes that lie in the trail itself, so that it takes two lines. What the first items need lies in the first of them.
const SHORT: usize = 58;
/// The length of bytes that do not lie in place.
const LONG: u8 = u8::MAX;
/// The first length at which the next item reaches into the second line.
const FIRST_LINE: u8 = 3;

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

/// Fresh items.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Fresh {
    /// The bytes, where they do not lie in place.
    long: Vec<u8>,
    /// Number of items.
    pub items: u32,
    /// How many bytes lie in place, or [`LONG`].
    length: u8,
    /// Whether the bytes have to be made anew, since an item came among others.
    pub stale: bool,
    short: [u8; SHORT],
}

impl Default for Fresh {
    fn default() -> Fresh {
        Fresh { long: Vec::new(), items: 0, length: 0, stale: false, short: [0; SHORT] }
    }
}

impl Fresh {
    /// So many items that were written so.
    pub(super) fn of(items: u32, bytes: &[u8]) -> Fresh {
        let mut fresh = Fresh { items, ..Fresh::default() };
        fresh.push(bytes);
        fresh
    }

    /// The bytes of all items, if they are not stale.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        match self.length {
            LONG => &self.long,
            length => &self.short[..usize::from(length)],
        }
    }

    /// One more item; `item` gives its bytes, told whether it is the first.
    #[inline(always)]
    pub(super) fn insert<'a>(&mut self, item: impl FnOnce(bool) -> &'a [u8]) {
        if !self.stale {
            self.push(item(self.items == 0));
        }
        self.items += 1;
    }

    /// The same for an item of few bytes.
    #[inline(always)]
    pub(super) fn insert_short(&mut self, item: impl FnOnce(bool) -> ShortItem) {
        if !self.stale {
            let item = item(self.items == 0);
            let start = usize::from(self.length);
            match self.short.get_mut(start..start + SHORT_ITEM) {
                Some(place) => {
                    // What is not the item's lies behind it, where nothing is yet.
                    place.copy_from_slice(&item.bytes);
                    self.length += item.get().len() as u8;
                }
                None => self.push(item.get()),
            }
        }
        self.items += 1;
    }

    #[inline(always)]
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        match self.short.get_mut(start..start + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length += bytes.len() as u8;
            }
            None => self.push_long(bytes),
        }
    }

    #[inline(never)]
    fn push_long(&mut self, bytes: &[u8]) {
        if self.length != LONG {
            self.long.clear();
            self.long.reserve(2 * SHORT + bytes.len());
            self.long.extend_from_slice(&self.short[..usize::from(self.length)]);
            self.length = LONG;
        }
        self.long.extend_from_slice(bytes);
    }

    /// So many items, written anew.
    pub(super) fn renew(&mut self, items: u32, bytes: &[u8]) {
        self.clear();
        self.items = items;
        self.push(bytes);
    }

    /// What they take beside their own size.
    pub(super) fn heap_bytes(&self) -> usize {
        self.long.capacity()
    }

    /// Asks for the place of the next item, when what is in the first line is near; purely a hint.
    #[inline(always)]
    pub(super) fn prefetch_end(&self) {
        if self.length == LONG {
            self.long.last().into_iter().for_each(prefetch_value);
        } else if self.length >= FIRST_LINE {
            prefetch_value(&self.short[SHORT - 1]);
        }
    }

    /// Asks for all bytes, when what is in the first line is near; purely a hint.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        if self.length == LONG {
            prefetch_bytes(&self.long);
        }
    }

    /// No items; the memory of a list that was long for once is given back.
    pub(super) fn clear(&mut self) {
        match self.length {
            LONG => self.long.clear(),
            _ => self.long = Vec::new(),
        }
        (self.items, self.length, self.stale) = (0, 0, false);
    }
}
