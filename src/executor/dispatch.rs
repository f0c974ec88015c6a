//! Many nodes on one stream: only those whose `where` may be true are entered.
//!
//! Their conditions are tested together ([`CompiledConditions`]); a tuple goes into the nodes for which one is true, and
//! fails at those where one fails, in the order of the nodes. The others are counted by what is left: so a tuple that
//! concerns few of a thousand bolts costs little more than those few.

use crate::expr::{CompiledConditions, EvalError};
use crate::tuple::{Arena, Frame};

/// The nodes of a stream that are found together.
pub struct Dispatch {
    /// Their conditions, by their places among `nodes`.
    conditions: CompiledConditions,
    nodes: Box<[u16]>,
    /// Tuples that came.
    seen: u64,
    /// How many of them each node was entered with, or failed on.
    entered: Box<[u64]>,
    /// Where the current tuple goes: places among `nodes`, and what failed there.
    hits: Vec<(usize, Option<EvalError>)>,
    next: usize,
}

impl Dispatch {
    /// Over nodes with these conditions, one for each.
    pub fn new(conditions: CompiledConditions, nodes: Vec<u16>) -> Dispatch {
        let (entered, hits) = (vec![0; nodes.len()].into(), Vec::with_capacity(nodes.len()));
        Dispatch { conditions, nodes: nodes.into(), seen: 0, entered, hits, next: 0 }
    }

    /// Finds where a tuple goes; whether anywhere.
    #[inline]
    pub(super) fn find(&mut self, frame: &Frame, arena: &Arena) -> bool {
        let Dispatch { conditions, hits, entered, .. } = self;
        hits.clear();
        conditions.test(frame, arena, |place, result| {
            entered[place] += 1;
            hits.push((place, result.err()));
            true
        });
        (self.seen, self.next) = (self.seen + 1, 0);
        !self.hits.is_empty()
    }

    /// The next node for the tuple, and what failed there.
    #[inline]
    pub(super) fn next_hit(&mut self) -> Option<(u16, Option<EvalError>)> {
        let (place, failure) = self.hits.get_mut(self.next)?;
        self.next += 1;
        Some((self.nodes[*place], failure.take()))
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = u16> {
        self.nodes.iter().copied()
    }

    /// How many tuples each node has refused without having seen them.
    pub(super) fn missed(&self) -> impl Iterator<Item = (u16, u64)> {
        self.nodes.iter().zip(&self.entered).map(|(node, entered)| (*node, self.seen - entered))
    }
}
