//! What a life knows of an entry, in one byte: it is looked at with every tuple, and so all of them stay in the cache.

const RECENT: u8 = 1;
const CHANGED: u8 = 2;
const PENDING: u8 = 4;
const EPOCH_SHIFT: u32 = 3;

/// What is known of an entry: whether it has changed since it came into memory, in which epoch last (modulo 32), whether
/// that is still to be handed over, and whether it was used since the hand of eviction passed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(u8);

impl Stamp {
    /// An entry that has been used and not changed.
    pub const USED: Stamp = Stamp(RECENT);

    /// An entry that has been changed in this epoch.
    pub const fn changed_in(epoch: u64) -> Stamp {
        Stamp(RECENT | CHANGED | PENDING | (epoch as u8) << EPOCH_SHIFT)
    }

    /// The entry has been used.
    #[inline(always)]
    pub fn touch(&mut self) {
        self.0 |= RECENT;
    }

    /// Whether it has been used since this was last asked.
    pub fn take_recent(&mut self) -> bool {
        let was_recent = self.0 & RECENT != 0;
        self.0 &= !RECENT;
        was_recent
    }

    /// Whether it has changed since it came into memory.
    pub fn has_changed(self) -> bool {
        self.0 & CHANGED != 0
    }

    /// Whether its last change is still to be handed over.
    #[inline(always)]
    pub fn is_pending(self) -> bool {
        self.0 & PENDING != 0
    }

    /// Its last change has been handed over.
    pub fn hand_over(&mut self) {
        self.0 &= !PENDING;
    }

    /// Whether its last change was in this epoch: surely if it is pending, since that is one of the last two; else perhaps,
    /// since it may have been a multiple of 32 epochs before.
    #[inline(always)]
    pub fn is_of(self, epoch: u64) -> bool {
        self.has_changed() && self.0 >> EPOCH_SHIFT == (epoch as u8) << EPOCH_SHIFT >> EPOCH_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_what_was_said() {
        for epoch in [1, 2, 31, 32, 33, 255, 256, 1 << 40] {
            let mut stamp = Stamp::USED;
            assert!(!stamp.has_changed() && !stamp.is_pending() && !stamp.is_of(epoch) && !stamp.is_of(0));
            stamp = Stamp::changed_in(epoch);
            assert!(stamp.has_changed() && stamp.is_pending() && stamp.is_of(epoch));
            assert!(!stamp.is_of(epoch + 1) && !stamp.is_of(epoch - 1) && stamp.is_of(epoch + 32));
            assert!(stamp.take_recent() && !stamp.take_recent());
            assert_ne!(stamp, Stamp::changed_in(epoch));
            stamp.touch();
            assert_eq!(stamp, Stamp::changed_in(epoch));
            stamp.hand_over();
            assert!(stamp.has_changed() && !stamp.is_pending() && stamp.is_of(epoch));
            assert_ne!(stamp, Stamp::changed_in(epoch));
        }
    }
}
