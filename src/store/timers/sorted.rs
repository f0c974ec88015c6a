//! Timers in order: a list of short sorted pieces.
//!
//! Most timers come behind all others and go in front of all others: both touch the end of one piece. Anything else is
//! two binary searches and the moving of part of a piece.

use super::{Mark, Timer};
use std::collections::VecDeque;

/// Timers of a piece, at most.
const PIECE: usize = 128;

type Piece = VecDeque<(Timer, Mark)>;

/// Timers in order, each once.
#[derive(Debug, Default)]
pub struct Sorted {
    /// None of them empty.
    pieces: VecDeque<Piece>,
    /// Memory of a piece that was used up.
    spare: Piece,
    len: usize,
}

impl Sorted {
    /// Number of timers.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first.
    #[inline]
    pub fn first(&self) -> Option<&Timer> {
        Some(&self.pieces.front()?.front()?.0)
    }

    /// Takes the first.
    #[inline]
    pub fn pop_first(&mut self) -> Option<(Timer, Mark)> {
        let piece = self.pieces.front_mut()?;
        let first = piece.pop_front()?;
        self.len -= 1;
        if piece.is_empty() {
            self.drop_piece(0);
        }
        Some(first)
    }

    /// Puts a timer in its place, to be marked; none if it is there already.
    #[inline]
    pub fn insert(&mut self, timer: Timer) -> Option<&mut (Timer, Mark)> {
        let behind_all = self.pieces.back().and_then(Piece::back).is_none_or(|(last, _)| *last < timer);
        if !behind_all {
            return self.insert_among(timer);
        }
        if self.pieces.back().is_none_or(|piece| piece.len() >= PIECE) {
            let mut piece = std::mem::take(&mut self.spare);
            piece.reserve(PIECE);
            self.pieces.push_back(piece);
        }
        let piece = self.pieces.back_mut()?;
        piece.push_back((timer, Mark::default()));
        self.len += 1;
        piece.back_mut()
    }

    fn insert_among(&mut self, timer: Timer) -> Option<&mut (Timer, Mark)> {
        let mut at = self.piece(&timer);
        let mut place = self.pieces[at].binary_search_by(|(known, _)| known.cmp(&timer)).err()?;
        if self.pieces[at].len() >= PIECE {
            let upper = self.pieces[at].split_off(PIECE / 2);
            self.pieces.insert(at + 1, upper);
            if place > PIECE / 2 {
                (at, place) = (at + 1, place - PIECE / 2);
            }
        }
        self.len += 1;
        self.pieces[at].insert(place, (timer, Mark::default()));
        self.pieces[at].get_mut(place)
    }

    /// The first piece that does not end before a timer.
    fn piece(&self, timer: &Timer) -> usize {
        self.pieces.partition_point(|piece| piece.back().is_some_and(|(last, _)| last < timer))
    }

    fn find(&self, timer: &Timer) -> Option<(usize, usize)> {
        let at = self.piece(timer);
        let place = self.pieces.get(at)?.binary_search_by(|(known, _)| known.cmp(timer)).ok()?;
        Some((at, place))
    }

    /// The mark of a timer.
    pub fn get_mut(&mut self, timer: &Timer) -> Option<&mut Mark> {
        let (at, place) = self.find(timer)?;
        Some(&mut self.pieces[at].get_mut(place)?.1)
    }

    /// Takes a timer out.
    pub fn remove(&mut self, timer: &Timer) -> Option<Mark> {
        let (at, place) = self.find(timer)?;
        let (_, mark) = self.pieces[at].remove(place)?;
        self.len -= 1;
        if self.pieces[at].is_empty() {
            self.drop_piece(at);
        }
        Some(mark)
    }

    /// The last timer before another one, or of all.
    pub fn last_before(&self, bound: Option<&Timer>) -> Option<&(Timer, Mark)> {
        let Some(bound) = bound else { return self.pieces.back()?.back() };
        let at = self.piece(bound);
        let within = self.pieces.get(at).map_or(0, |piece| piece.partition_point(|(timer, _)| timer < bound));
        match within.checked_sub(1) {
            Some(place) => self.pieces[at].get(place),
            None => self.pieces.get(at.checked_sub(1)?)?.back(),
        }
    }

    fn drop_piece(&mut self, at: usize) {
        let piece = if at == 0 { self.pieces.pop_front() } else { self.pieces.remove(at) };
        self.spare = piece.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::timers::Bytes;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn timer(n: i64) -> Timer {
        Timer { deadline: n / 3, key: Bytes::new(&[(n % 3) as u8]) }
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_order(
            steps in prop::collection::vec((0u8..8, 0i64..2000), 0..1500),
            ahead in any::<bool>(),
        ) {
            let (mut sorted, mut set) = (Sorted::default(), BTreeSet::new());
            let number = |timer: &Timer| timer.deadline * 3 + i64::from(timer.key.get()[0]);
            for (at, (what, n)) in steps.into_iter().enumerate() {
                let n = if ahead { n / 20 + at as i64 } else { n };
                match what {
                    0..5 => prop_assert_eq!(sorted.insert(timer(n)).map(|t| number(&t.0)), set.insert(n).then_some(n)),
                    5 => prop_assert_eq!(sorted.remove(&timer(n)).is_some(), set.remove(&n)),
                    6 => prop_assert_eq!(sorted.pop_first().map(|t| number(&t.0)), set.pop_first()),
                    _ => {
                        let before = sorted.last_before(Some(&timer(n))).map(|t| number(&t.0));
                        prop_assert_eq!(before, set.range(..n).next_back().copied());
                        prop_assert_eq!(sorted.get_mut(&timer(n)).is_some(), set.contains(&n));
                    }
                }
                prop_assert_eq!(sorted.len(), set.len());
                prop_assert_eq!(sorted.last_before(None).map(|t| number(&t.0)), set.last().copied());
            }
            while let Some((timer, _)) = sorted.pop_first() {
                prop_assert_eq!(Some(number(&timer)), set.pop_first());
            }
            prop_assert!(set.is_empty());
        }
    }
}
