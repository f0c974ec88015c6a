//! LIKE patterns: `%` any text, `_` any character, an escape character before a literal one.

/// One element of a general pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Any,
    One,
    Char(char),
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    General(Vec<Element>),
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LikePattern {
    shape: Shape,
    insensitive: bool,
}

impl LikePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It ends with the escape character.
    pub(crate) fn new(pattern: &str, escape: Option<char>, insensitive: bool) -> Result<LikePattern, &'static str> {
        let mut elements = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            elements.push(match c {
                _ if Some(c) == escape => match chars.next() {
                    Some(literal) => Element::Char(literal),
                    None => return Err("a LIKE pattern must not end with its escape character"),
                },
                '%' if elements.last() == Some(&Element::Any) => continue,
                '%' => Element::Any,
                '_' => Element::One,
                _ => Element::Char(c),
            });
        }
        if insensitive {
            for element in &mut elements {
                if let Element::Char(c) = element {
                    *c = lower(*c);
                }
            }
            return Ok(LikePattern { shape: Shape::General(elements), insensitive });
        }
        Ok(LikePattern { shape: shape(elements), insensitive })
    }

    /// Whether the whole of `text` matches.
    #[inline]
    pub(crate) fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Exact(literal) => text == literal,
            Shape::Prefix(literal) => text.starts_with(literal.as_str()),
            Shape::Suffix(literal) => text.ends_with(literal.as_str()),
            Shape::Contains(literal) => memchr::memmem::find(text.as_bytes(), literal.as_bytes()).is_some(),
            Shape::General(elements) => general(elements, text, self.insensitive),
        }
    }
}

fn lower(c: char) -> char {
    let mut lowered = c.to_lowercase();
    match (lowered.next(), lowered.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn shape(elements: Vec<Element>) -> Shape {
    let literal = |part: &[Element]| -> Option<String> {
        part.iter().map(|e| if let Element::Char(c) = e { Some(*c) } else { None }).collect()
    };
    if let Some(text) = literal(&elements) {
        return Shape::Exact(text);
    }
    let starts = elements.first() == Some(&Element::Any);
    let ends = elements.last() == Some(&Element::Any);
    let inner = &elements[usize::from(starts)..elements.len() - usize::from(ends && elements.len() > 1)];
    match (starts, ends, literal(inner)) {
        (true, true, Some(text)) => Shape::Contains(text),
        (true, false, Some(text)) => Shape::Suffix(text),
        (false, true, Some(text)) => Shape::Prefix(text),
        _ => Shape::General(elements),
    }
}

/// Greedy matching with one point to come back to: after a later `%` the earlier ones need no other choice.
fn general(elements: &[Element], text: &str, insensitive: bool) -> bool {
    let (mut at, mut rest) = (0, text.chars());
    let mut back: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let matched = match elements.get(at) {
            Some(Element::Any) => {
                at += 1;
                back = Some((at, rest.clone()));
                continue;
            }
            None => match rest.next() {
                None => return true,
                Some(_) => false,
            },
            Some(element) => match rest.next() {
                None => return false,
                Some(c) => match element {
                    Element::Char(wanted) => c == *wanted || insensitive && lower(c) == *wanted,
                    _ => true,
                },
            },
        };
        if matched {
            at += 1;
            continue;
        }
        match &mut back {
            None => return false,
            Some((after, from)) => {
                if from.next().is_none() {
                    return false;
                }
                at = *after;
                rest = from.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|n| naive(rest, &text[n..])),
            Some(('\\', rest)) => text.first() == rest.first() && naive(&rest[1..], &text[1..]),
            Some((c, rest)) => text.first().is_some_and(|t| *c == '_' || t == c) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_match_like_the_naive_matcher(pattern in "([ab%_ä]|\\\\[ab%])*", text in "[ab%ä]{0,8}") {
            let compiled = LikePattern::new(&pattern, Some('\\'), false).unwrap();
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(compiled.matches(&text), naive(&p, &t));
            let insensitive = LikePattern::new(&pattern.to_uppercase(), Some('\\'), true).unwrap();
            prop_assert_eq!(insensitive.matches(&text), naive(&p, &t));
        }
    }
}
