//! Regular expressions: `~` and the functions that take a pattern. Patterns are those of the `regex` crate, which
//! agree with PostgreSQL's advanced ones for everyday use (no back references inside a pattern).

use super::fault::{Cx, Fault};
use super::node::Node;
use super::text::{build, piece, str_of};
use regex::{Captures, Regex, RegexBuilder};
use std::cell::RefCell;
use std::collections::HashMap;

/// What is done with a regular expression. The first argument is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegexCall {
    /// `text ~ pattern`.
    Match,
    /// `text !~ pattern`.
    NoMatch,
    /// `substring(text from pattern)`: the first group, the whole match without groups.
    Substring,
    /// `regexp_substr(text, pattern)`: the whole match.
    Whole,
    /// `regexp_count(text, pattern)`.
    Count,
    /// `regexp_replace(text, pattern, replacement)`: of the first match, or of all.
    Replace { all: bool },
}

impl RegexCall {
    /// Whether it gives NULL of arguments that are not.
    pub(crate) fn nullable(self) -> bool {
        matches!(self, RegexCall::Substring | RegexCall::Whole)
    }
}

/// Where the pattern comes from.
#[derive(Clone)]
pub(crate) enum RegexPattern {
    /// A constant, compiled, and its flags, which a compiled one does not show.
    Constant(Regex, Flags),
    /// The tuple; the letters are flags (only `i` changes anything here).
    Dynamic(Box<Node>, Flags),
}

impl std::fmt::Debug for RegexPattern {
    /// All that distinguishes it, flags included.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RegexPattern::Constant(regex, flags) => write!(f, "Constant({:?}, {flags:?})", regex.as_str()),
            RegexPattern::Dynamic(node, flags) => write!(f, "Dynamic({node:?}, {flags:?})"),
        }
    }
}

/// Flags of a pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flags {
    /// `i`: without regard to case.
    pub(crate) insensitive: bool,
    /// `n`: `.` does not match a new line, `^` and `$` match at lines.
    pub(crate) lines: bool,
    /// `x`: white space in the pattern is ignored.
    pub(crate) expanded: bool,
    /// `g`: replace all.
    pub(crate) all: bool,
}

impl Flags {
    /// Reads PostgreSQL's flag letters.
    pub(crate) fn parse(text: &str) -> Option<Flags> {
        let mut flags = Flags::default();
        for c in text.chars() {
            match c {
                'i' => flags.insensitive = true,
                'c' => flags.insensitive = false,
                'n' | 'm' => flags.lines = true,
                's' => flags.lines = false,
                'x' => flags.expanded = true,
                't' => flags.expanded = false,
                'g' => flags.all = true,
                _ => return None,
            }
        }
        Some(flags)
    }
}

/// Compiles a pattern. `\y`, `\m`, `\M` (word borders) are translated.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn compile(pattern: &str, flags: Flags) -> Result<Regex, String> {
    RegexBuilder::new(&translate(pattern))
        .case_insensitive(flags.insensitive)
        .dot_matches_new_line(!flags.lines)
        .multi_line(flags.lines)
        .ignore_whitespace(flags.expanded)
        .size_limit(4 << 20)
        .build()
        .map_err(|error| match &error {
            // The message draws the pattern; its last line says what is wrong.
            regex::Error::Syntax(message) => {
                message.lines().last().unwrap_or("syntax error").trim_start_matches("error: ").to_owned()
            }
            other => other.to_string(),
        })
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '\\' {
            match chars.next() {
                Some('y') => out.push('b'),
                Some('Y') => out.push('B'),
                Some('m') => out.push_str("b{start}"),
                Some('M') => out.push_str("b{end}"),
                Some('Z') => out.push('z'),
                Some(other) => out.push(other),
                None => {}
            }
        }
    }
    out
}

/// Patterns of tuples that were compiled by this thread; the limit only bounds memory.
const CACHED_PATTERNS: usize = 64;

thread_local! {
    static CACHE: RefCell<HashMap<(String, Flags), Regex>> = RefCell::new(HashMap::new());
}

/// Runs `call` with a pattern of the tuple.
pub(crate) fn run_dynamic(cx: &Cx<'_>, call: RegexCall, pattern: &str, flags: Flags, args: &[u64]) -> Option<u64> {
    CACHE.with_borrow_mut(|cache| {
        // Only a miss needs an owned key, but a map cannot be asked with a borrowed pair.
        let key = (pattern.to_owned(), flags);
        if let Some(regex) = cache.get(&key) {
            return run(cx, call, regex, args);
        }
        match compile(pattern, flags) {
            Err(message) => cx.none(Fault::InvalidArgument, &message),
            Ok(regex) => {
                if cache.len() >= CACHED_PATTERNS {
                    cache.clear();
                }
                let regex = cache.entry(key).or_insert(regex);
                run(cx, call, regex, args)
            }
        }
    })
}

/// Runs `call` with a compiled pattern.
#[inline]
pub(crate) fn run(cx: &Cx<'_>, call: RegexCall, regex: &Regex, args: &[u64]) -> Option<u64> {
    let text = str_of(args[0]);
    Some(match call {
        RegexCall::Match => u64::from(regex.is_match(text)),
        RegexCall::NoMatch => u64::from(!regex.is_match(text)),
        RegexCall::Whole => piece(cx, regex.find(text)?.as_str()),
        RegexCall::Count => regex.find_iter(text).count() as u64,
        RegexCall::Substring if regex.captures_len() == 1 => piece(cx, regex.find(text)?.as_str()),
        RegexCall::Substring => piece(cx, regex.captures(text)?.get(1)?.as_str()),
        RegexCall::Replace { all } => {
            let replacement = str_of(args[1]);
            build(cx, |out| replace(regex, text, replacement, all, out))
        }
    })
}

fn replace(regex: &Regex, text: &str, replacement: &str, all: bool, out: &mut String) {
    let mut last = 0;
    for captures in regex.captures_iter(text).take(if all { usize::MAX } else { 1 }) {
        // Group 0 is the match and always there.
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        expand(&captures, replacement, out);
        last = whole.end();
        if out.len() > super::text::TEXT_MAX {
            return;
        }
    }
    out.push_str(&text[last..]);
}

/// `\1` to `\9` are groups, `\&` the match, `\\` a backslash.
fn expand(captures: &Captures<'_>, replacement: &str, out: &mut String) {
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let mut group = |n: usize| out.push_str(captures.get(n).map_or("", |m| m.as_str()));
        match chars.next() {
            Some('&') => group(0),
            Some(digit @ '1'..='9') => group(digit as usize - '0' as usize),
            Some('\\') | None => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}
