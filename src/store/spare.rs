//! Memory of what was written, for what comes next: large pieces go round between executors and the committer, since to
//! give one back to the system means that all threads that share the address space stand still for a moment, and to
//! touch a new one that the executor waits for its pages. All pieces are of one size: one that has to grow is copied.

use std::sync::{Mutex, PoisonError};

/// Most bytes that are kept.
const KEPT_BYTES: usize = 64 << 20;
/// Bytes of a piece, at least: a part of an epoch, and what its last change may have beyond.
pub(super) const PIECE_BYTES: usize = 320 << 10;

/// Pieces of memory that nobody uses now.
#[derive(Debug, Default)]
pub struct Spares {
    pieces: Mutex<Pieces>,
}

#[derive(Debug, Default)]
struct Pieces {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spares {
    /// An empty piece, one that was used before if there is one. Never waits.
    pub fn take(&self) -> Vec<u8> {
        self.used().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES))
    }

    fn used(&self) -> Option<Vec<u8>> {
        let mut pieces = self.pieces.try_lock().ok()?;
        let piece = pieces.pieces.pop()?;
        pieces.bytes -= piece.capacity();
        Some(piece)
    }

    /// Gives a piece back.
    pub fn give(&self, mut piece: Vec<u8>) {
        if piece.capacity() < PIECE_BYTES {
            return;
        }
        piece.clear();
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if pieces.bytes + piece.capacity() <= KEPT_BYTES {
            pieces.bytes += piece.capacity();
            pieces.pieces.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_comes_back_empty_and_what_is_kept_is_bounded() {
        let spares = Spares::default();
        assert!(spares.used().is_none());
        assert!(spares.take().capacity() >= PIECE_BYTES);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        piece.push(1u8);
        spares.give(piece);
        spares.give(Vec::with_capacity(PIECE_BYTES - 1));
        assert_eq!(spares.used(), Some(Vec::new()));
        assert!(spares.used().is_none());
        for _ in 0..9 {
            spares.give(Vec::with_capacity(KEPT_BYTES / 8));
        }
        assert_eq!((0..9).filter_map(|_| spares.used()).count(), 8);
    }
}
