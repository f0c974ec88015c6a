//! The automaton of a pattern: what may come after each of its steps, in order of preference.
//!
//! Every step of the pattern, repetitions with counts written out, is a position (Glushkov's automaton). The list of a
//! position names what may come after it; where the pattern may end there, the list ends, since nothing behind that
//! would be preferred (unless all matches are wanted). Steps to build it, from the last part of the pattern to the
//! first, each with the list of what comes behind it:
//! 1. A step gets that list, and its own is only itself.
//! 2. A link makes each entry of the list behind it looser.
//! 3. The list of a repetition without limit refers to itself: a reference stands for it until all is known. A
//!    repetition takes at least one row, so a reference that comes back to its own list without one is dropped.

use super::PatternError;
use super::ast::{Link, LinkKind, Node, Pattern, Tail};

/// Most positions: counts are written out.
const POSITIONS_MAX: usize = 10_000;

/// Most entries of all lists together.
const ENTRIES_MAX: usize = 400_000;

/// Most different links behind one position.
const LINKS_MAX: usize = 32;

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A row at this position.
    Take(u16),
    /// Nothing that is forbidden, until the time is over.
    Absent,
}

/// One thing that may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) target: Target,
    /// The variable of the position; of no meaning for an absence.
    pub(crate) variable: u8,
    /// Index among the links of its list.
    pub(crate) link: u8,
}

/// A link as sets of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLink {
    pub(crate) kind: LinkKind,
    /// The variables that are forbidden.
    pub(crate) not: u64,
}

/// What may come after a position, best first.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) entries: Box<[Entry]>,
    pub(crate) links: Box<[ListLink]>,
    /// Whether the pattern may end here, which is liked less than all entries.
    pub(crate) accepts: bool,
    /// All links as a set.
    pub(crate) all: u32,
    /// The variables that may come next.
    pub(crate) variables: u64,
    /// The links that outlive a row that is passed over, and those among them that end when one of them takes a row.
    pub(crate) waiting: u32,
    pub(crate) followed: u32,
}

/// The automaton of a pattern.
#[derive(Clone, Debug)]
pub struct Automaton {
    /// What may be the first row; only targets and variables count.
    pub(crate) start: List,
    /// What may come after each position.
    pub(crate) after: Vec<List>,
    /// The variable of each position.
    pub(crate) variables: Vec<u8>,
    /// Whether ways of less preference than an end are kept, too.
    pub(crate) all: bool,
    /// Whether a match can end with an absence.
    pub(crate) absences: bool,
}

/// An entry while lists are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Draft {
    Take(usize, u16),
    Absent(u16),
    Accept,
    /// The list of a repetition, behind a link.
    Loop(usize, u16),
}

struct Builder {
    links: Vec<Link>,
    variables: Vec<u8>,
    after: Vec<Vec<Draft>>,
    loops: Vec<Vec<Draft>>,
    entries: usize,
}

impl Automaton {
    /// The automaton of a pattern; `all`: every way through it counts, not only the preferred one of each row.
    ///
    /// # Errors
    /// The pattern is too large.
    pub fn new(pattern: &Pattern, all: bool) -> Result<Automaton, PatternError> {
        let too_large = |what: String| {
            PatternError::new(0..pattern.length, what).hint("smaller counts, or fewer parts that may come in any order")
        };
        let links = vec![Link::default()];
        let mut builder = Builder { links, variables: Vec::new(), after: Vec::new(), loops: Vec::new(), entries: 0 };
        let start = builder.node(&pattern.root, &[Draft::Accept]);
        if builder.variables.len() > POSITIONS_MAX || builder.entries > ENTRIES_MAX {
            return Err(too_large(format!(
                "the pattern has more than {POSITIONS_MAX} steps when its counts are written out"
            )));
        }
        let drafts = std::mem::take(&mut builder.after);
        let start: Vec<Draft> =
            builder.flat(&start, all).into_iter().filter(|d| !matches!(d, Draft::Absent(_))).collect();
        let start: Vec<Draft> = start
            .into_iter()
            .map(|draft| if let Draft::Take(at, _) = draft { Draft::Take(at, 0) } else { draft })
            .collect();
        let start = builder.list(&unique(start));
        let mut entries = 0;
        let mut after = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            let flat = builder.flat(draft, all);
            entries += flat.len();
            if entries > ENTRIES_MAX {
                return Err(too_large("too much may come next after too many steps of the pattern".to_owned()));
            }
            after.push(
                builder.list(&flat).ok_or_else(|| {
                    too_large(format!("more than {LINKS_MAX} different arrows lead on from one step"))
                })?,
            );
        }
        let Some(start) = start else { return Err(too_large("the pattern can begin in too many ways".to_owned())) };
        let absences = pattern.root.ends_absent();
        Ok(Automaton { start, after, variables: builder.variables, all, absences })
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.after.len()
    }

    /// Whether no row at all is preferred to every match: nothing is ever found.
    pub fn never(&self) -> bool {
        self.start.entries.is_empty()
    }

    /// Whether the pattern can be satisfied by no rows, which is no match.
    pub fn may_be_empty(&self) -> bool {
        self.start.accepts
    }

    /// Whether a match can be preferred to one that is already there, so that it must be waited for; the variables of
    /// the steps where that is so.
    pub fn undecided(&self) -> u64 {
        let lists = self.after.iter().zip(&self.variables);
        let waiting = lists.filter(|(list, _)| list.accepts && !list.entries.is_empty() && !self.all);
        waiting.fold(0, |set, (_, variable)| set | 1 << variable)
    }

    /// The automaton in words, a line for each position, with the names of the variables.
    pub fn describe(&self, names: &[&str]) -> Vec<String> {
        // They were made from the last to the first.
        let position = |at: usize| format!("{}{}", names[self.variables[at] as usize], self.after.len() - at);
        let list = |list: &List| {
            let mut parts: Vec<String> = Vec::new();
            for entry in &list.entries {
                let link = list.links[entry.link as usize];
                let not: String =
                    (0..64).filter(|v| link.not >> v & 1 == 1).map(|v: usize| format!("!{} ", names[v])).collect();
                let arrow = match link.kind {
                    LinkKind::Next => "",
                    LinkKind::Followed => "-> ",
                    LinkKind::Any => "->> ",
                };
                parts.push(match entry.target {
                    Target::Take(at) => format!("{not}{arrow}{}", position(at as usize)),
                    Target::Absent => format!("{not}{arrow}until the time is over"),
                });
            }
            if list.accepts {
                parts.push("match".to_owned());
            }
            parts.join(", else ")
        };
        let first = format!("first row: {}", list(&self.start));
        let after = self.after.iter().enumerate().rev();
        std::iter::once(first).chain(after.map(|(at, l)| format!("after {}: {}", position(at), list(l)))).collect()
    }
}

fn unique(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut seen = std::collections::HashSet::new();
    drafts.into_iter().filter(|draft| seen.insert(draft.clone())).collect()
}

impl Builder {
    fn link(&mut self, link: Link) -> u16 {
        let at = self.links.iter().position(|known| *known == link).unwrap_or_else(|| {
            self.links.push(link);
            self.links.len() - 1
        });
        at as u16
    }

    /// The list behind a link.
    fn behind(&mut self, link: &Link, list: &[Draft]) -> Vec<Draft> {
        let mut composed = |at: u16| {
            let then = link.then(&self.links[at as usize].clone());
            self.link(then)
        };
        let drafts = list.iter().map(|draft| match *draft {
            Draft::Take(at, l) => Draft::Take(at, composed(l)),
            Draft::Absent(l) => Draft::Absent(composed(l)),
            Draft::Loop(id, l) => Draft::Loop(id, composed(l)),
            Draft::Accept => Draft::Accept,
        });
        drafts.collect()
    }

    fn full(&self) -> bool {
        self.variables.len() > POSITIONS_MAX || self.entries > ENTRIES_MAX
    }

    /// The list of a part, with what comes behind it.
    fn node(&mut self, node: &Node, next: &[Draft]) -> Vec<Draft> {
        self.entries += next.len();
        if self.full() {
            return Vec::new();
        }
        match node {
            Node::Step(variable) => {
                self.variables.push(*variable as u8);
                self.after.push(next.to_vec());
                vec![Draft::Take(self.after.len() - 1, 0)]
            }
            Node::Sequence { items, links, tail } => {
                let mut list = match tail {
                    None => next.to_vec(),
                    Some(Tail::Join(link)) => self.behind(link, next),
                    Some(Tail::Absent(link)) => vec![Draft::Absent(self.link(link.clone()))],
                };
                for (at, item) in items.iter().enumerate().rev() {
                    list = self.node(item, &list);
                    if at > 0 {
                        list = self.behind(&links[at - 1], &list);
                    }
                }
                list
            }
            Node::Choice(parts) => unique(parts.iter().flat_map(|part| self.node(part, next)).collect()),
            Node::Permute(parts) => {
                let mut list = Vec::new();
                orders(parts.len(), &mut Vec::new(), &mut |order| {
                    let mut tail = next.to_vec();
                    for part in order.iter().rev() {
                        tail = self.node(&parts[*part], &tail);
                    }
                    list.extend(tail);
                });
                unique(list)
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy, next),
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool, next: &[Draft]) -> Vec<Draft> {
        let mut list = next.to_vec();
        let mut copies = min;
        match max {
            Some(max) => {
                for _ in min..max {
                    if self.full() {
                        return Vec::new();
                    }
                    list = self.more(node, greedy, next, Some(list)).0;
                }
            }
            None => {
                let (star, body) = self.more(node, greedy, next, None);
                (list, copies) = if min > 0 { (body, min - 1) } else { (star, 0) };
            }
        }
        for _ in 0..copies {
            if self.full() {
                return Vec::new();
            }
            list = self.node(node, &list);
        }
        list
    }

    /// One more repetition or what comes next, and the repetition alone; behind it stands `then`, or the same again.
    fn more(
        &mut self,
        node: &Node,
        greedy: bool,
        next: &[Draft],
        then: Option<Vec<Draft>>,
    ) -> (Vec<Draft>, Vec<Draft>) {
        let id = self.loops.len();
        self.loops.push(then.clone().unwrap_or_default());
        let body = self.node(node, &[Draft::Loop(id, 0)]);
        let body = self.expanded(&body, Some(id), true);
        let taken: Vec<Draft> =
            body.iter().filter(|draft| !matches!(draft, Draft::Loop(i, _) if *i == id)).cloned().collect();
        let list = unique(if greedy { [&taken, next].concat() } else { [next, &taken].concat() });
        if then.is_none() {
            self.loops[id] = list.clone();
        }
        (list, body)
    }

    /// A list without references, each entry once, up to the end of the pattern unless all ways count.
    fn flat(&mut self, list: &[Draft], all: bool) -> Vec<Draft> {
        self.expanded(list, None, all)
    }

    /// The same, but for the references to one list.
    fn expanded(&mut self, list: &[Draft], but: Option<usize>, all: bool) -> Vec<Draft> {
        let mut flat = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut open: Vec<Draft> = list.iter().rev().cloned().collect();
        let mut followed = std::collections::HashSet::new();
        while let Some(draft) = open.pop() {
            if let Draft::Loop(id, link) = draft
                && Some(id) != but
            {
                if followed.insert((id, link)) {
                    let (inner, link) = (self.loops[id].clone(), self.links[link as usize].clone());
                    open.extend(self.behind(&link, &inner).into_iter().rev());
                }
                continue;
            }
            if seen.insert(draft.clone()) {
                let end = draft == Draft::Accept;
                flat.push(draft);
                if end && !all {
                    break;
                }
            }
        }
        flat
    }

    /// A list as it is used; none if it has too many links.
    fn list(&self, flat: &[Draft]) -> Option<List> {
        let mut list = List::default();
        let (mut entries, mut links) = (Vec::new(), Vec::<ListLink>::new());
        for draft in flat {
            let (target, variable, link) = match *draft {
                Draft::Take(at, link) => (Target::Take(at as u16), self.variables[at], link),
                Draft::Absent(link) => (Target::Absent, 0, link),
                Draft::Accept => {
                    list.accepts = true;
                    continue;
                }
                // There are none in a flat list.
                Draft::Loop(..) => continue,
            };
            let link = &self.links[link as usize];
            let link = ListLink { kind: link.kind, not: link.not.iter().fold(0, |set, not| set | 1 << not) };
            let at = links.iter().position(|known| *known == link).unwrap_or_else(|| {
                links.push(link);
                links.len() - 1
            });
            if at >= LINKS_MAX {
                return None;
            }
            if matches!(target, Target::Take(_)) {
                list.variables |= 1 << variable;
            }
            entries.push(Entry { target, variable, link: at as u8 });
        }
        for (at, link) in links.iter().enumerate() {
            list.all |= 1 << at;
            list.waiting |= u32::from(link.kind != LinkKind::Next) << at;
            list.followed |= u32::from(link.kind == LinkKind::Followed) << at;
        }
        (list.entries, list.links) = (entries.into(), links.into());
        Some(list)
    }
}

/// Every order of `n` things, in lexical order.
pub(crate) fn orders(n: usize, order: &mut Vec<usize>, each: &mut dyn FnMut(&[usize])) {
    if order.len() == n {
        return each(order);
    }
    for next in 0..n {
        if !order.contains(&next) {
            order.push(next);
            orders(n, order, each);
            order.pop();
        }
    }
}

/// The members of a set, ascending.
pub(crate) struct Members(pub(crate) u64);

impl Iterator for Members {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let at = self.0.trailing_zeros();
        (at < 64).then(|| {
            self.0 &= self.0 - 1;
            at as usize
        })
    }
}
