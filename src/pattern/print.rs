//! From the tree of a pattern back to its text, so that reading it again gives the same tree.

use super::ast::{Link, LinkKind, Node, Pattern, Tail};
use std::fmt::{self, Display, Formatter, Write};

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.node(&self.root, Place::Top, f)
    }
}

/// Where a part stands: what of it needs brackets.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Alone.
    Top,
    /// As an alternative.
    Choice,
    /// As a part of a sequence.
    Sequence,
    /// Before a quantifier.
    Repeat,
}

impl Pattern {
    fn node(&self, node: &Node, place: Place, f: &mut Formatter<'_>) -> fmt::Result {
        let brackets = match node {
            Node::Step(_) | Node::Permute(_) => false,
            Node::Choice(_) => place != Place::Top,
            Node::Sequence { .. } => matches!(place, Place::Sequence | Place::Repeat),
            Node::Repeat { .. } => place == Place::Repeat,
        };
        if brackets {
            f.write_char('(')?;
        }
        match node {
            Node::Step(variable) => f.write_str(self.name(*variable))?,
            Node::Sequence { items, links, tail } => {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.link(&links[at - 1], f)?;
                    }
                    self.node(item, Place::Sequence, f)?;
                }
                match tail {
                    None => {}
                    Some(Tail::Join(link)) => {
                        self.nots(link, f)?;
                        f.write_str(arrow(link.kind).trim_end())?;
                    }
                    Some(Tail::Absent(link)) => self.nots(link, f)?,
                }
            }
            Node::Choice(parts) => self.list(parts, " | ", Place::Choice, f)?,
            Node::Permute(parts) => {
                f.write_str("permute(")?;
                self.list(parts, ", ", Place::Top, f)?;
                f.write_char(')')?;
            }
            Node::Repeat { node, min, max, greedy } => {
                self.node(node, Place::Repeat, f)?;
                match (*min, *max) {
                    (0, Some(1)) => f.write_char('?')?,
                    (0, None) => f.write_char('*')?,
                    (1, None) => f.write_char('+')?,
                    (min, Some(max)) if min == max => write!(f, "{{{min}}}")?,
                    (min, None) => write!(f, "{{{min},}}")?,
                    (0, Some(max)) => write!(f, "{{,{max}}}")?,
                    (min, Some(max)) => write!(f, "{{{min},{max}}}")?,
                }
                if !greedy {
                    f.write_char('?')?;
                }
            }
        }
        if brackets {
            f.write_char(')')?;
        }
        Ok(())
    }

    fn list(&self, parts: &[Node], between: &str, place: Place, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                f.write_str(between)?;
            }
            self.node(part, place, f)?;
        }
        Ok(())
    }

    fn name(&self, variable: usize) -> &str {
        &self.variables[variable].name
    }

    /// The negations of a link, without what closes them.
    fn nots(&self, link: &Link, f: &mut Formatter<'_>) -> fmt::Result {
        for not in &link.not {
            write!(f, "{}!{}", arrow(link.kind), self.name(*not))?;
        }
        Ok(())
    }

    fn link(&self, link: &Link, f: &mut Formatter<'_>) -> fmt::Result {
        self.nots(link, f)?;
        f.write_str(arrow(link.kind))
    }
}

/// A link as it is written.
fn arrow(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Next => " ",
        LinkKind::Followed => " -> ",
        LinkKind::Any => " ->> ",
    }
}
