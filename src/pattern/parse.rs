//! From the text of a pattern to its tree.
//!
//! ```text
//! choice   = sequence { "|" sequence }
//! sequence = item { link item } [ tail ]
//! link     = [ arrow ] | gap ;  gap = arrow "!" not arrow { "!" not arrow } | "!" not { "!" not }
//! tail     = arrow | gap | [ arrow ] "!" not
//! item     = ( name | "(" choice ")" | "PERMUTE" "(" choice { "," choice } ")" ) [ quantifier ]
//! not      = name | "(" name { "|" name } ")"
//! ```

use super::ast::{Link, LinkKind, Node, Pattern, Tail, Variable};
use super::lexer::{Token, words};
use super::{PatternError, VARIABLES_MAX};
use std::ops::Range;

/// Deepest nesting of groups.
const DEPTH_MAX: usize = 50;

/// Most parts of a PERMUTE: their orders are written out.
const PERMUTE_MAX: usize = 6;

/// The largest count of a quantifier.
const COUNT_MAX: u32 = 1000;

/// Reads a pattern.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str) -> Result<Pattern, PatternError> {
    let words = words(text)?;
    let mut parser = Parser { words, at: 0, length: text.len(), variables: Vec::new(), depth: 0 };
    if parser.words.is_empty() {
        let error = PatternError::new(0..text.len(), "the pattern is empty");
        return Err(error.hint("name the variables that rows must be, one after the other: `small small large`"));
    }
    let root = parser.choice()?;
    if let Some((token, range)) = parser.words.get(parser.at).cloned() {
        return Err(match token {
            Token::Sign(')') => PatternError::new(range, "this bracket closes nothing"),
            Token::Sign(',') => {
                PatternError::new(range, "a comma stands only in PERMUTE").hint("write a blank for the next row")
            }
            _ => PatternError::new(range, "the pattern cannot go on like this"),
        });
    }
    trailing(&root, text.len())?;
    Ok(Pattern { variables: parser.variables, root, length: text.len() })
}

/// An arrow at the very end joins nothing.
fn trailing(root: &Node, length: usize) -> Result<(), PatternError> {
    match root {
        Node::Sequence { tail: Some(Tail::Join(link)), .. } => {
            let error = PatternError::new(0..length, "the pattern ends with an arrow");
            Err(match link.not.is_empty() {
                true => error.hint("say what must follow, or leave the arrow out"),
                false => error.hint("leave the last arrow out: `A -> !B` says that no B comes within `within`"),
            })
        }
        Node::Choice(parts) => parts.iter().try_for_each(|part| trailing(part, length)),
        _ => Ok(()),
    }
}

struct Parser<'a> {
    words: Vec<(Token<'a>, Range<usize>)>,
    at: usize,
    length: usize,
    variables: Vec<Variable>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.words.get(self.at).map(|(token, _)| token)
    }

    /// The place of the word that comes next.
    fn place(&self) -> Range<usize> {
        self.words.get(self.at).map_or(self.length..self.length, |(_, range)| range.clone())
    }

    /// The place of the word before.
    fn before(&self) -> Range<usize> {
        self.at.checked_sub(1).map_or(0..0, |at| self.words[at].1.clone())
    }

    fn eat(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn choice(&mut self) -> Result<Node, PatternError> {
        let start = self.place();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PatternError::new(start, "brackets are nested too deeply"));
        }
        let mut parts = vec![self.sequence()?];
        while self.eat('|') {
            parts.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Choice(parts),
        })
    }

    fn sequence(&mut self) -> Result<Node, PatternError> {
        let (mut items, mut links) = (vec![self.first_item()?], Vec::new());
        let mut tail = None;
        loop {
            let start = self.place();
            match self.gap(items.last().and_then(Node::joins))? {
                Gap::End => break,
                Gap::Link(link) if self.at_item() => {
                    links.push(link);
                    items.push(self.item()?);
                }
                Gap::Link(link) => {
                    tail = Some(Tail::Join(link));
                    break;
                }
                Gap::Open(link) => {
                    if self.at_item() {
                        let error = PatternError::new(
                            start.start..self.before().end,
                            "`!` stands between two arrows or between two blanks",
                        );
                        return Err(error
                            .hint("write `A -> !B -> C` (no B before C) or `A !B C` (the next row is a C and no B)"));
                    }
                    if self.depth > 1 {
                        let range = start.start..self.before().end;
                        let error = PatternError::new(range, "a group cannot end with `!`");
                        return Err(error.hint(
                            "write an arrow behind it, `(A -> !B ->){3} C`, or put the negation behind the group",
                        ));
                    }
                    tail = Some(Tail::Absent(link));
                    break;
                }
            }
        }
        if items.len() == 1 && tail.is_none() {
            return Ok(items.remove(0));
        }
        Ok(Node::Sequence { items, links, tail })
    }

    fn first_item(&mut self) -> Result<Node, PatternError> {
        let place = self.place();
        match self.peek() {
            Some(Token::Sign('!')) => {
                let error = PatternError::new(place, "a pattern cannot begin with `!`");
                Err(error.hint("say after what: `A -> !B -> C`, or put the condition into the first variable"))
            }
            Some(Token::Arrow | Token::AnyArrow) => {
                let error = PatternError::new(place, "there is nothing before this arrow");
                Err(error.hint("an arrow that joins the repetitions of a group stands at its end: `(A ->){2,} B`"))
            }
            _ => self.item(),
        }
    }

    fn at_item(&self) -> bool {
        matches!(self.peek(), Some(Token::Name(_) | Token::Sign('(')))
    }

    fn arrow(&mut self) -> Option<LinkKind> {
        let kind = match self.peek()? {
            Token::Arrow => LinkKind::Followed,
            Token::AnyArrow => LinkKind::Any,
            _ => return None,
        };
        self.at += 1;
        Some(kind)
    }

    /// What stands between two items, the first of which may end with an arrow of its own.
    fn gap(&mut self, joined: Option<LinkKind>) -> Result<Gap, PatternError> {
        let mut kind = self.arrow();
        let mut not = Vec::new();
        while self.eat('!') {
            let negated = self.negated()?;
            not.extend(negated.into_iter().filter(|variable| !not.contains(variable)).collect::<Vec<_>>());
            let place = self.place();
            // The arrow before `!` may be the one at the end of the group.
            kind = kind.or(joined.filter(|_| matches!(self.peek(), Some(Token::Arrow | Token::AnyArrow))));
            let Some(kind) = kind else { continue };
            match self.arrow() {
                Some(second) if second == kind => {}
                Some(_) => {
                    let error = PatternError::new(place, "the arrows on both sides of `!` are different");
                    return Err(error.hint("write the same one twice: what is forbidden holds for all the way"));
                }
                None => return Ok(Gap::Open(Link { kind, not })),
            }
        }
        if let Some(Token::Arrow | Token::AnyArrow) = self.peek() {
            let message = match kind {
                Some(_) => "one arrow is enough",
                None => "`!` stands between two arrows or between two blanks",
            };
            return Err(PatternError::new(self.place(), message).hint("write `A -> !B -> C` or `A !B C`"));
        }
        Ok(match kind {
            Some(kind) => Gap::Link(Link { kind, not }),
            None if self.at_item() => Gap::Link(Link { kind: LinkKind::Next, not }),
            None if not.is_empty() => Gap::End,
            None => Gap::Open(Link { kind: LinkKind::Next, not }),
        })
    }

    /// What stands behind `!`.
    fn negated(&mut self) -> Result<Vec<usize>, PatternError> {
        let place = self.place();
        let several = self.eat('(');
        let mut found = Vec::new();
        loop {
            let Some(Token::Name(name)) = self.peek().cloned() else {
                let error = PatternError::new(self.place(), "behind `!` stands a variable");
                return Err(error.hint("or several: `!(B | C)` forbids both"));
            };
            let range = self.place();
            self.at += 1;
            found.push(self.variable(name, range, false)?);
            if !several || !self.eat('|') {
                break;
            }
        }
        if several && !self.eat(')') {
            let error =
                PatternError::new(place.start..self.place().end, "behind `!` stands a variable, or several with `|`");
            return Err(error.hint("what must not come is one row: give it a variable of its own"));
        }
        if let Some(Token::Sign('?' | '*' | '+' | '{')) = self.peek() {
            let error = PatternError::new(self.place(), "what is forbidden cannot be repeated");
            return Err(error.hint("`A -> !B -> C` forbids every B between them"));
        }
        Ok(found)
    }

    fn variable(&mut self, name: &str, range: Range<usize>, taken: bool) -> Result<usize, PatternError> {
        let name = name.to_ascii_lowercase();
        if let Some(at) = self.variables.iter().position(|variable| variable.name == name) {
            self.variables[at].taken |= taken;
            return Ok(at);
        }
        if self.variables.len() == VARIABLES_MAX {
            let error = PatternError::new(range, format!("a pattern has at most {VARIABLES_MAX} variables"));
            return Err(error);
        }
        self.variables.push(Variable { name, range, taken });
        Ok(self.variables.len() - 1)
    }

    fn item(&mut self) -> Result<Node, PatternError> {
        let place = self.place();
        let next = self.words.get(self.at + 1).map(|(token, _)| token);
        let node = match self.peek().cloned() {
            Some(Token::Name(name)) if name.eq_ignore_ascii_case("permute") && next == Some(&Token::Sign('(')) => {
                self.at += 2;
                self.permute(place.start)?
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                Node::Step(self.variable(name, place.clone(), true)?)
            }
            Some(Token::Sign('(')) => {
                self.at += 1;
                if self.peek() == Some(&Token::Sign(')')) {
                    let error = PatternError::new(place.start..self.place().end, "these brackets are empty");
                    return Err(error.hint("`(A | B)?` is a part that may be missing"));
                }
                let node = self.choice()?;
                self.close(place.clone())?;
                node
            }
            Some(Token::Sign('?' | '*' | '+' | '{')) => {
                let error = PatternError::new(place, "there is nothing before this quantifier");
                return Err(error.hint("it stands behind what it repeats: `A+`, `(A B){2,3}`"));
            }
            _ => {
                let error = PatternError::new(place, "a variable or a group is missing here");
                return Err(error);
            }
        };
        self.quantified(node, place.start)
    }

    fn close(&mut self, open: Range<usize>) -> Result<(), PatternError> {
        if self.eat(')') {
            return Ok(());
        }
        Err(match self.peek() {
            None => PatternError::new(open, "this bracket is not closed"),
            Some(_) => PatternError::new(self.place(), "a `)` is missing before this"),
        })
    }

    fn permute(&mut self, start: usize) -> Result<Node, PatternError> {
        let mut parts = Vec::new();
        loop {
            let place = self.place();
            let part = self.choice()?;
            if let Node::Sequence { tail: Some(_), .. } = part {
                let error =
                    PatternError::new(place.start..self.before().end, "a part of PERMUTE cannot end with an arrow");
                return Err(error.hint("the parts follow each other directly, in any order"));
            }
            parts.push(part);
            if !self.eat(',') {
                break;
            }
        }
        self.close(start..start + "permute".len())?;
        let range = start..self.before().end;
        if parts.len() > PERMUTE_MAX {
            let message = format!("PERMUTE of {} parts has too many orders; the most is {PERMUTE_MAX}", parts.len());
            return Err(PatternError::new(range, message)
                .hint("`(A | B | C){3}` takes them in any order, also one of them twice"));
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Permute(parts),
        })
    }

    fn quantified(&mut self, node: Node, start: usize) -> Result<Node, PatternError> {
        let place = self.place();
        let (min, max) = match self.peek() {
            Some(Token::Sign('?')) => (0, Some(1)),
            Some(Token::Sign('*')) => (0, None),
            Some(Token::Sign('+')) => (1, None),
            Some(Token::Sign('{')) => self.counts()?,
            _ => return Ok(node),
        };
        self.at += 1;
        let range = place.start..self.before().end;
        if max.is_some_and(|max| max < min) {
            return Err(PatternError::new(range, "the second count is smaller than the first"));
        }
        if max == Some(0) {
            return Err(PatternError::new(range, "so it can never come").hint("leave it out, or forbid it with `!`"));
        }
        if min.max(max.unwrap_or(0)) > COUNT_MAX {
            return Err(PatternError::new(range, format!("a count is at most {COUNT_MAX}")));
        }
        let greedy = !self.eat('?');
        if let Some(Token::Sign('?' | '*' | '+' | '{')) = self.peek() {
            let error = PatternError::new(self.place(), "one quantifier is enough");
            return Err(error.hint("a `?` behind a quantifier makes it reluctant: as few as possible"));
        }
        if let (Node::Repeat { max: None, .. }, None) = (&node, max) {
            let error =
                PatternError::new(start..self.before().end, "a repetition without limit of a repetition without limit");
            return Err(error.hint("one of them is enough"));
        }
        Ok(Node::Repeat { node: Box::new(node), min, max, greedy })
    }

    /// The counts in curly brackets; stands at the closing one then.
    fn counts(&mut self) -> Result<(u32, Option<u32>), PatternError> {
        let open = self.place();
        self.at += 1;
        let number = |parser: &mut Parser<'a>| match parser.peek() {
            Some(Token::Number(number)) => {
                let number = *number;
                parser.at += 1;
                Some(number)
            }
            _ => None,
        };
        let min = number(self);
        let comma = self.eat(',');
        let max = if comma { number(self) } else { min };
        if self.peek() != Some(&Token::Sign('}')) || (min.is_none() && max.is_none()) {
            let error = PatternError::new(open.start..self.place().end, "these are no counts");
            return Err(error.hint("write `{3}`, `{2,}`, `{2,5}` or `{,5}`"));
        }
        Ok((min.unwrap_or(0), max))
    }
}

/// What stands between two items.
enum Gap {
    /// A link, after which an item may come.
    Link(Link),
    /// `-> !B` without an arrow behind it, or `!B` without anything.
    Open(Link),
    /// Nothing.
    End,
}
