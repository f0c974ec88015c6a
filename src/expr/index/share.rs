//! Equal parts of many conditions are computed once for a tuple.
//!
//! A part is worth it where computing it costs more than looking whether it is known. Nothing is computed ahead: the
//! first condition that needs a part does it, so what short circuits leave out is left out.

use crate::expr::compile::Memo;
use crate::expr::node::{Kind, Node};
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// From what weight on a part is worth it.
const WEIGHT_MIN: u32 = 3;

type Counts = HashMap<String, usize, foldhash::fast::FixedState>;

/// What was found to be equal.
pub(super) struct Shared {
    /// The number of the tuple, which is to be counted up before each one.
    pub(super) now: Arc<AtomicU64>,
    /// How many parts several conditions have.
    pub(super) parts: usize,
}

/// Lets equal parts of these conditions share their values; none where there are none.
pub(super) fn share(nodes: &mut [Node]) -> Option<Shared> {
    let mut counts = Counts::default();
    for node in nodes.iter() {
        count(node, &mut counts);
    }
    counts.retain(|_, count| *count > 1);
    if counts.is_empty() {
        return None;
    }
    let now = Arc::new(AtomicU64::new(0));
    let mut memos = HashMap::default();
    let mut sharing = Sharing { counts: &counts, memos: &mut memos, now: &now };
    nodes.iter_mut().for_each(|node| sharing.visit(node, 1));
    let parts = memos.len();
    Some(Shared { now, parts })
}

/// What a part prints as debug text says all that distinguishes it.
fn identity(node: &Node) -> String {
    format!("{node:?}")
}

/// Counts the parts that are worth it, and gives the weight.
fn count(node: &Node, counts: &mut Counts) -> u32 {
    let parts: u32 = node.children().into_iter().map(|child| count(child, counts)).sum();
    let weight = parts + own(&node.kind);
    if weight >= WEIGHT_MIN && own(&node.kind) > 0 {
        *counts.entry(identity(node)).or_default() += 1;
    }
    weight
}

/// What a node costs beside its parts; comparisons and logic cost nothing, so that they are never looked up themselves.
fn own(kind: &Kind) -> u32 {
    match kind {
        Kind::Lookup { .. } | Kind::Exists { .. } | Kind::Regex { .. } => 8,
        Kind::Call { .. } | Kind::Variadic { .. } | Kind::Like { .. } => 4,
        Kind::Part { .. } | Kind::Truncate { .. } => 3,
        Kind::Arith { .. } | Kind::Negate(_) | Kind::Cast(_) | Kind::Case { .. } => 1,
        Kind::Coalesce(_) | Kind::NullIf { .. } | Kind::Extreme { .. } => 1,
        _ => 0,
    }
}

struct Sharing<'a> {
    counts: &'a Counts,
    memos: &'a mut HashMap<String, Arc<Memo>, foldhash::fast::FixedState>,
    now: &'a Arc<AtomicU64>,
}

impl Sharing<'_> {
    /// Wraps what stands in several places; `around` says in how many that stands which it is a part of.
    fn visit(&mut self, node: &mut Node, around: usize) {
        let identity = if own(&node.kind) > 0 { identity(node) } else { String::new() };
        let count = self.counts.get(&identity).copied().unwrap_or(0);
        node.each_part(&mut |part| self.visit(part, around.max(count)));
        if count > around {
            let memo = self.memos.entry(identity).or_insert_with(|| Arc::new(Memo::new(self.now))).clone();
            let shared = Node::new(node.ty, Kind::Shared { memo, node: Box::new(node.clone()) });
            *node = shared;
        }
    }
}
