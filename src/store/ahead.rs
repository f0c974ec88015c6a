//! What is going to be looked at is asked for ahead of time, for many entries at once.
//!
//! An entry's way into the cache has several steps, each of which needs what the one before has asked for: its own
//! words, then its newest row, then the row before that. [`Ahead`] keeps some entries on that way and takes each of them
//! one step in turn, so that they wait for memory together; one that has arrived leaves its place to the next. However
//! long the list of an entry, a step is short.
//!
//! Owns no entry, and changes nothing: an entry that is freed meanwhile, or used for another key, costs a wasted step.
//!
//! Source: Kocberber, Falsafi and Grot, Asynchronous Memory Access Chaining, VLDB 2015.

/// How near an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// Nothing was asked for.
    Far,
    /// Its own words were.
    Words,
    /// The words that those point to were.
    Heads,
    /// An item of one of its lists was, and so many are left with it.
    Item {
        /// Which list.
        list: u8,
        /// Number of the item.
        item: u32,
        /// Items left.
        left: u32,
    },
    /// All that will be looked at was.
    Near,
}

/// Entries that are on their way together: as many as a core waits for at a time, and a little more.
const TOGETHER: usize = 24;

/// Entries on their way.
#[derive(Debug)]
pub struct Ahead {
    places: [Option<(u32, Approach)>; TOGETHER],
    taken: usize,
    turn: usize,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// An entry is nearer.
    Nearer,
    /// This one is near, and has left its place.
    Near(u32),
    /// There are no more.
    Over,
}

impl Ahead {
    /// None on their way.
    pub fn new() -> Ahead {
        Ahead { places: [None; TOGETHER], taken: 0, turn: 0 }
    }

    /// Takes the entry whose turn it is one step: `next` gives another one for a place that is free, `step` asks for
    /// what comes next and says how near the entry is then.
    #[inline]
    pub fn step(&mut self, next: impl FnOnce() -> Option<u32>, step: impl FnOnce(u32, Approach) -> Approach) -> Came {
        let at = self.turn;
        self.turn = if at + 1 == TOGETHER { 0 } else { at + 1 };
        let (entry, before) = match self.places[at] {
            Some(place) => place,
            None => match next() {
                Some(entry) => {
                    self.taken += 1;
                    (entry, Approach::Far)
                }
                None if self.taken == 0 => return Came::Over,
                None => return Came::Nearer,
            },
        };
        match step(entry, before) {
            Approach::Near => {
                self.places[at] = None;
                self.taken -= 1;
                Came::Near(entry)
            }
            nearer => {
                self.places[at] = Some((entry, nearer));
                Came::Nearer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every entry arrives once, after exactly its own steps, whatever the steps of the others.
        #[test]
        fn every_entry_arrives_once(lengths in prop::collection::vec(0u32..40, 0..200)) {
            let (mut ahead, mut next, mut arrived) = (Ahead::new(), 0, vec![0u32; lengths.len()]);
            let mut steps = vec![0u32; lengths.len()];
            loop {
                let more = || (next < lengths.len() as u32).then(|| { next += 1; next - 1 });
                let came = ahead.step(more, |entry, at| {
                    steps[entry as usize] += 1;
                    let left = match at {
                        Approach::Item { left, .. } => left - 1,
                        _ => lengths[entry as usize],
                    };
                    if left == 0 { Approach::Near } else { Approach::Item { list: 0, item: 0, left } }
                });
                match came {
                    Came::Near(entry) => arrived[entry as usize] += 1,
                    Came::Nearer => {}
                    Came::Over => break,
                }
            }
            prop_assert!(arrived.iter().all(|times| *times == 1));
            prop_assert!(steps.iter().zip(&lengths).all(|(steps, length)| *steps == length + 1));
        }
    }
}
