//! The pieces of a text between matches and between delimiters, one at a time.

use regex::Regex;

/// How far a text has been split at the matches of a regular expression. As PostgreSQL does it, an empty match at the
/// start, at the end or just behind another match does not count.
#[derive(Clone, Copy, Default)]
pub(super) struct Matches {
    /// Where the next piece begins.
    from: usize,
    /// Where the next match is looked for.
    search: usize,
    /// Where the match before ended, counted or not.
    previous: usize,
    over: bool,
}

impl Matches {
    /// The next piece; the last one is what is behind the last match.
    pub(super) fn next<'t>(&mut self, regex: &Regex, text: &'t str) -> Option<&'t str> {
        if self.over {
            return None;
        }
        while self.search <= text.len()
            && let Some(found) = regex.find_at(text, self.search)
        {
            let counts = found.start() < text.len() && found.end() > self.previous;
            self.previous = found.end();
            // The same empty match is not to be found again.
            let beyond = text[found.end()..].chars().next().map_or(1, char::len_utf8);
            self.search = found.end() + if found.is_empty() { beyond } else { 0 };
            if counts {
                let piece = &text[self.from..found.start()];
                self.from = found.end();
                return Some(piece);
            }
        }
        self.over = true;
        Some(&text[self.from..])
    }
}

/// How far a text has been split at a delimiter.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    from: usize,
    over: bool,
}

impl Parts {
    /// The next part. Without a delimiter each character is one, an empty delimiter is never found, and an empty text has
    /// no parts.
    pub(super) fn next<'t>(&mut self, delimiter: Option<&str>, text: &'t str) -> Option<&'t str> {
        if self.over || text.is_empty() {
            return None;
        }
        let rest = &text[self.from..];
        let (part, beyond) = match delimiter {
            None => match rest.chars().next() {
                Some(c) => (&rest[..c.len_utf8()], 0),
                None => return None,
            },
            Some("") => (rest, 0),
            Some(delimiter) => match rest.find(delimiter) {
                Some(at) => (&rest[..at], delimiter.len()),
                None => (rest, 0),
            },
        };
        // A delimiter at the very end has an empty part behind it.
        self.over = beyond == 0 && delimiter.is_some();
        self.from += part.len() + beyond;
        Some(part)
    }
}
