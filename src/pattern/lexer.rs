//! The words of a pattern.

use super::PatternError;
use std::ops::Range;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A variable, or PERMUTE.
    Name(&'a str),
    /// A count.
    Number(u32),
    /// `->`.
    Arrow,
    /// `->>`.
    AnyArrow,
    /// One of `( ) { } | , ? * + !`.
    Sign(char),
}

/// The words of a text with their places.
///
/// # Errors
/// The first sign that belongs to no word.
pub fn words(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, PatternError> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '-' if rest.starts_with("->>") => (Token::AnyArrow, 3),
            '-' if rest.starts_with("->") => (Token::Arrow, 2),
            '(' | ')' | '{' | '}' | '|' | ',' | '?' | '*' | '+' | '!' => (Token::Sign(first), 1),
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Token::Name(&rest[..length]), length)
            }
            _ if first.is_ascii_digit() => {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let count = rest[..length].parse();
                let count = count.map_err(|_| PatternError::new(at..at + length, "this count is too large"))?;
                (Token::Number(count), length)
            }
            _ => return Err(unknown(first, at)),
        };
        words.push((token, at..at + length));
        at += length;
    }
    Ok(words)
}

fn unknown(sign: char, at: usize) -> PatternError {
    let hint = match sign {
        '-' | '>' | '~' => "arrows are `->` (followed by) and `->>` (followed by any)",
        '^' | '$' => "a pattern may begin and end at every row; say in a condition what the first or last row must be",
        '[' | ']' => "groups are written in round brackets",
        ';' | '.' | '&' => "write variables with blanks between them for rows that follow each other directly",
        _ => "a pattern consists of variables, `->`, `->>`, `|`, `!`, brackets, PERMUTE and `? * + {n,m}`",
    };
    PatternError::new(at..at + sign.len_utf8(), format!("`{sign}` is not part of a pattern")).hint(hint)
}
