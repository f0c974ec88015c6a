//! The tree of a pattern.

use std::ops::Range;

/// A parsed pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The variables in the order of their first appearance; nodes name them by index.
    pub variables: Vec<Variable>,
    /// The tree.
    pub root: Node,
    /// Length of the text in bytes, for problems that concern all of it.
    pub length: usize,
}

/// Trees and names are compared, not places in the text.
impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        let names = |p: &Pattern| p.variables.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
        self.root == other.root && names(self) == names(other)
    }
}

/// A variable of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name in lower case.
    pub name: String,
    /// Where it stands first.
    pub range: Range<usize>,
    /// Whether it stands where a row can be taken, not only behind `!`.
    pub taken: bool,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// One row that is this variable.
    Step(usize),
    /// Parts one after the other.
    Sequence {
        /// The parts, at least one.
        items: Vec<Node>,
        /// What lies between neighbours: one less than there are parts.
        links: Vec<Link>,
        /// What stands behind the last part.
        tail: Option<Tail>,
    },
    /// One of several, earlier ones preferred; at least two.
    Choice(Vec<Node>),
    /// So many times.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// How often at least.
        min: u32,
        /// How often at most; none: without limit.
        max: Option<u32>,
        /// Whether more repetitions are preferred.
        greedy: bool,
    },
    /// All of them in any order; the order as written is preferred, then the next in lexical order.
    Permute(Vec<Node>),
}

/// How many rows may lie between two neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// None: the next row of the key (`A B`).
    #[default]
    Next,
    /// Those that nothing that may come next can take (`A -> B`).
    Followed,
    /// Any (`A ->> B`).
    Any,
}

/// What lies between two neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Link {
    /// Which rows may lie between them.
    pub kind: LinkKind,
    /// Variables that no row may be, from the first row after the left neighbour to the row that the right one takes.
    pub not: Vec<usize>,
}

impl Link {
    /// This link and another right behind it: the looser kind, all that is forbidden.
    pub fn then(&self, other: &Link) -> Link {
        let mut not = self.not.clone();
        not.extend(other.not.iter().copied().filter(|variable| !self.not.contains(variable)));
        Link { kind: self.kind.max(other.kind), not }
    }
}

/// What stands behind the last part of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// An arrow, which joins the repetitions of the group and the last of them to what follows.
    Join(Link),
    /// A negation, at the end of a pattern: none of its variables comes until the time is over; with
    /// [`LinkKind::Next`] only the next row counts.
    Absent(Link),
}

impl Node {
    /// The arrow that joins it to what follows, if it is a group that ends with one.
    pub fn joins(&self) -> Option<LinkKind> {
        match self {
            Node::Sequence { tail: Some(Tail::Join(link)), .. } => Some(link.kind),
            Node::Repeat { node, .. } => node.joins(),
            _ => None,
        }
    }

    /// The fewest rows that it takes.
    pub fn rows_min(&self) -> u64 {
        match self {
            Node::Step(_) => 1,
            Node::Sequence { items, .. } | Node::Permute(items) => {
                items.iter().fold(0, |sum, item| sum.saturating_add(item.rows_min()))
            }
            Node::Choice(parts) => parts.iter().map(Node::rows_min).min().unwrap_or(0),
            Node::Repeat { node, min, .. } => node.rows_min().saturating_mul(u64::from(*min)),
        }
    }

    /// The most rows that it takes; none: there is no limit.
    pub fn rows_max(&self) -> Option<u64> {
        match self {
            Node::Step(_) => Some(1),
            Node::Sequence { items, .. } | Node::Permute(items) => {
                items.iter().try_fold(0u64, |sum, item| Some(sum.saturating_add(item.rows_max()?)))
            }
            Node::Choice(parts) => parts.iter().try_fold(0u64, |most, part| Some(most.max(part.rows_max()?))),
            Node::Repeat { node, max, .. } => Some(node.rows_max()?.saturating_mul(u64::from((*max)?))),
        }
    }

    /// Gives every link of the tree, tails included.
    pub fn each_link(&self, each: &mut dyn FnMut(&Link)) {
        match self {
            Node::Step(_) => {}
            Node::Sequence { items, links, tail } => {
                items.iter().for_each(|item| item.each_link(each));
                links.iter().for_each(&mut *each);
                match tail {
                    Some(Tail::Join(link) | Tail::Absent(link)) => each(link),
                    None => {}
                }
            }
            Node::Choice(parts) | Node::Permute(parts) => parts.iter().for_each(|part| part.each_link(each)),
            Node::Repeat { node, .. } => node.each_link(each),
        }
    }

    /// Whether a match may end with an absence.
    pub fn ends_absent(&self) -> bool {
        match self {
            Node::Sequence { tail: Some(Tail::Absent(_)), .. } => true,
            Node::Choice(parts) => parts.iter().any(Node::ends_absent),
            _ => false,
        }
    }
}
