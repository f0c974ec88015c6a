//! Patterns for tests: all small ones, larger ones at random. Variables are `a`, `b`, `c`.

use super::super::ast::{Link, LinkKind, Node, Pattern, Tail, Variable};

/// A small generator of numbers; the same seed gives the same numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const QUANTIFIERS: [(u32, Option<u32>, bool); 10] = [
    (0, Some(1), true),
    (0, Some(1), false),
    (0, None, true),
    (0, None, false),
    (1, None, true),
    (1, None, false),
    (2, Some(2), true),
    (1, Some(2), true),
    (1, Some(3), false),
    (2, None, true),
];

pub struct Patterns;

fn link(kind: LinkKind, not: &[usize]) -> Link {
    Link { kind, not: not.to_vec() }
}

fn links() -> [Link; 6] {
    use LinkKind::{Any, Followed, Next};
    [link(Next, &[]), link(Followed, &[]), link(Any, &[]), link(Next, &[2]), link(Followed, &[2]), link(Any, &[2])]
}

pub fn sequence(left: Node, link: Link, right: Node) -> Node {
    Node::Sequence { items: vec![left, right], links: vec![link], tail: None }
}

fn repeat(node: Node, (min, max, greedy): (u32, Option<u32>, bool)) -> Option<Node> {
    let unlimited = matches!(node, Node::Repeat { max: None, .. });
    (!(unlimited && max.is_none())).then(|| Node::Repeat { node: Box::new(node), min, max, greedy })
}

/// A part with something behind it.
fn tailed(node: Node, tail: Tail) -> Node {
    match node {
        Node::Sequence { items, links, tail: None } => Node::Sequence { items, links, tail: Some(tail) },
        node => Node::Sequence { items: vec![node], links: Vec::new(), tail: Some(tail) },
    }
}

impl Patterns {
    pub fn pattern(root: Node) -> Pattern {
        let variable = |name: &str| Variable { name: name.to_owned(), range: 0..0, taken: true };
        Pattern { variables: ["a", "b", "c"].map(variable).to_vec(), root, length: 0 }
    }

    /// All patterns of up to `size` parts, quantifiers counting as parts.
    pub fn up_to(size: usize) -> Vec<Pattern> {
        let mut by_size: Vec<Vec<Node>> = vec![Vec::new(), vec![Node::Step(0), Node::Step(1)]];
        for n in 2..=size {
            let mut nodes = Vec::new();
            for inner in &by_size[n - 1] {
                for quantifier in QUANTIFIERS {
                    nodes.extend(repeat(inner.clone(), quantifier));
                    for link in &links()[1..3] {
                        nodes.extend(repeat(tailed(inner.clone(), Tail::Join(link.clone())), quantifier));
                    }
                }
            }
            for left in 1..n {
                for (a, b) in by_size[left].iter().flat_map(|a| by_size[n - left].iter().map(move |b| (a, b))) {
                    nodes.extend(links().map(|link| sequence(a.clone(), link, b.clone())));
                    nodes.push(Node::Choice(vec![a.clone(), b.clone()]));
                    nodes.push(Node::Permute(vec![a.clone(), b.clone()]));
                }
            }
            by_size.push(nodes);
        }
        let mut all = Vec::new();
        for node in by_size.concat() {
            let ends = if size == 2 || all.len() % 7 == 0 { &links()[3..] } else { &[] };
            all.extend(ends.iter().map(|link| tailed(node.clone(), Tail::Absent(link.clone()))));
            all.push(node);
        }
        all.into_iter().map(Patterns::pattern).collect()
    }

    /// A pattern of about `size` parts.
    pub fn random(random: &mut Random, size: usize) -> Pattern {
        let mut node = Patterns::node(random, size);
        if random.below(5) == 0 {
            node = tailed(node, Tail::Absent(links()[3 + random.below(3)].clone()));
        }
        Patterns::pattern(node)
    }

    fn node(random: &mut Random, size: usize) -> Node {
        if size <= 1 {
            return Node::Step(random.below(3));
        }
        let left = 1 + random.below(size - 1);
        match random.below(8) {
            0 | 1 => {
                let mut node = Patterns::node(random, size - 1);
                if random.below(2) == 0 {
                    node = tailed(node, Tail::Join(links()[[1, 2, 4, 5][random.below(4)]].clone()));
                }
                let plain = node.clone();
                repeat(node, QUANTIFIERS[random.below(QUANTIFIERS.len())]).unwrap_or(plain)
            }
            2 => Node::Choice(vec![Patterns::node(random, left), Patterns::node(random, size - left)]),
            3 if size < 5 => Node::Permute(vec![Patterns::node(random, left), Patterns::node(random, size - left)]),
            _ => {
                let link = links()[random.below(6)].clone();
                sequence(Patterns::node(random, left), link, Patterns::node(random, size - left))
            }
        }
    }
}
