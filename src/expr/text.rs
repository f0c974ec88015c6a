//! Texts: how doubles print, and the kernels of the string functions. Positions count characters from 1.

use super::fault::{Cx, Fault};
use crate::tuple::TextWord;
use std::cell::RefCell;

/// Longest text that a function makes, in bytes.
pub const TEXT_MAX: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Builds a text in a reused buffer and copies it into the arena.
pub(crate) fn build(cx: &Cx<'_>, make: impl FnOnce(&mut String)) -> u64 {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        make(scratch);
        if scratch.len() > TEXT_MAX {
            cx.fail_with(Fault::TooLong, "the text would be longer than 1 MiB");
            scratch.clear();
        }
        let word = cx.arena.store(scratch);
        if scratch.capacity() > TEXT_MAX / 4 {
            *scratch = String::new();
        }
        word.0
    })
}

/// The text of a word.
#[inline(always)]
pub(crate) fn str_of<'a>(word: u64) -> &'a str {
    TextWord(word).as_str()
}

/// A word for a piece of a text that lives as long as the run.
#[inline]
pub(crate) fn piece(cx: &Cx<'_>, text: &str) -> u64 {
    if text.is_empty() {
        return TextWord::EMPTY.0;
    }
    // SAFETY: callers pass slices of texts that were read from words, which live until the run is over.
    unsafe { TextWord::borrow(text, cx.arena) }.0
}

/// Number of characters.
pub(crate) fn length(text: &str) -> i64 {
    text.chars().count() as i64
}

/// The byte at which character `n` (from 0) begins; the text's length where there are not so many.
fn byte_of(text: &str, n: i64) -> usize {
    let Ok(n) = usize::try_from(n) else { return 0 };
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// `substring(text from start [for count])`; positions before the first character count as if there were some.
pub(crate) fn substring<'a>(cx: &Cx<'_>, text: &'a str, start: i64, count: Option<i64>) -> &'a str {
    let from = start.saturating_sub(1).max(0);
    let to = match count {
        None => i64::MAX,
        Some(count) if count < 0 => {
            cx.fail_with(Fault::InvalidArgument, "a substring cannot have a negative length");
            return "";
        }
        Some(count) => start.saturating_sub(1).saturating_add(count),
    };
    if to <= from {
        return "";
    }
    let begin = byte_of(text, from);
    let rest = &text[begin..];
    &rest[..byte_of(rest, to - from)]
}

/// `left(text, n)`: the first n characters, all but the last -n where n is negative.
pub(crate) fn left(text: &str, n: i64) -> &str {
    let n = if n >= 0 { n } else { length(text).saturating_add(n).max(0) };
    &text[..byte_of(text, n)]
}

/// `right(text, n)`: the last n characters, all but the first -n where n is negative.
pub(crate) fn right(text: &str, n: i64) -> &str {
    let skip = if n >= 0 { length(text).saturating_sub(n).max(0) } else { n.saturating_neg() };
    &text[byte_of(text, skip)..]
}

/// `lpad` and `rpad`.
pub(crate) fn pad(cx: &Cx<'_>, text: &str, width: i64, fill: &str, at_left: bool) -> u64 {
    let missing = width.saturating_sub(length(text));
    if missing <= 0 || fill.is_empty() {
        return piece(cx, left(text, width.max(0)));
    }
    if missing > TEXT_MAX as i64 {
        cx.fail_with(Fault::TooLong, "the text would be longer than 1 MiB");
        return TextWord::EMPTY.0;
    }
    build(cx, |out| {
        let padding = fill.chars().cycle().take(missing as usize);
        if at_left {
            out.extend(padding);
            out.push_str(text);
        } else {
            out.push_str(text);
            out.extend(padding);
        }
    })
}

/// `split_part(text, delimiter, n)`; a negative n counts from the end.
pub(crate) fn split_part<'a>(cx: &Cx<'_>, text: &'a str, delimiter: &str, n: i64) -> &'a str {
    if n == 0 {
        cx.fail_with(Fault::InvalidArgument, "the field position of split_part must not be zero");
        return "";
    }
    if delimiter.is_empty() {
        return if n == 1 || n == -1 { text } else { "" };
    }
    let Ok(index) = usize::try_from(n.unsigned_abs() - 1) else { return "" };
    let part = if n > 0 {
        text.split(delimiter).nth(index)
    } else {
        let parts = text.split(delimiter).count();
        parts.checked_sub(index + 1).and_then(|index| text.split(delimiter).nth(index))
    };
    part.unwrap_or("")
}

/// `position(needle in text)`: from 1, 0 where it does not occur.
pub(crate) fn position(text: &str, needle: &str) -> i64 {
    match text.find(needle) {
        None => 0,
        Some(at) => length(&text[..at]) + 1,
    }
}

/// `initcap`: the first letter of each word in upper case, the rest in lower case.
pub(crate) fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(single(c, c.to_lowercase()));
        } else {
            out.extend(single(c, c.to_uppercase()));
        }
        inside = c.is_alphanumeric();
    }
}

/// The case mapping of one character where that is one character, as PostgreSQL's C library maps it.
pub(crate) fn single(c: char, mapped: impl Iterator<Item = char> + Clone) -> impl Iterator<Item = char> {
    let keep = mapped.clone().count() != 1;
    std::iter::once(c).filter(move |_| keep).chain(mapped.filter(move |_| !keep))
}

/// `replace(text, from, to)`.
pub(crate) fn replace(cx: &Cx<'_>, text: &str, from: &str, to: &str) -> u64 {
    if from.is_empty() || !text.contains(from) {
        return piece(cx, text);
    }
    build(cx, |out| {
        for (n, part) in text.split(from).enumerate() {
            out.push_str(if n > 0 { to } else { "" });
            out.push_str(part);
            if out.len() > TEXT_MAX {
                return;
            }
        }
    })
}

/// `translate(text, from, to)`.
pub(crate) fn translate(text: &str, from: &str, to: &str, out: &mut String) {
    for c in text.chars() {
        match from.chars().position(|f| f == c) {
            None => out.push(c),
            Some(index) => out.extend(to.chars().nth(index)),
        }
    }
}

/// `chr(code)`.
pub(crate) fn chr(cx: &Cx<'_>, code: i64) -> Option<u64> {
    match u32::try_from(code).ok().filter(|c| *c != 0).and_then(char::from_u32) {
        Some(c) => Some(build(cx, |out| out.push(c))),
        None => cx.none(Fault::InvalidArgument, "chr wants the code of a character"),
    }
}

/// `repeat(text, n)`.
pub(crate) fn repeat(cx: &Cx<'_>, text: &str, n: i64) -> Option<u64> {
    let times = n.max(0) as usize;
    if text.len().saturating_mul(times) > TEXT_MAX {
        return cx.none(Fault::TooLong, "the text would be longer than 1 MiB");
    }
    Some(build(cx, |out| out.extend(std::iter::repeat_n(text, if text.is_empty() { 0 } else { times }))))
}

/// `format(pattern, ...)` with `%s`, `%n$s`, `%-10s`, `%%`, `%L`; a NULL argument prints as nothing (as NULL by
/// `%L`).
///
/// # Errors
/// What is wrong with the pattern.
pub(crate) fn format(pattern: &str, args: &[Option<u64>], out: &mut String) -> Result<(), &'static str> {
    let mut rest = pattern.chars().peekable();
    let mut next = 0usize;
    let mut piece = String::new();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if rest.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut left = false;
        let mut width = digits(&mut rest);
        if width.is_some() && rest.next_if_eq(&'$').is_some() {
            next = match width.take() {
                Some(n) if n > 0 => n - 1,
                _ => return Err("the arguments of format count from 1"),
            };
        }
        while rest.next_if_eq(&'-').is_some() {
            left = true;
        }
        if width.is_none() {
            width = digits(&mut rest);
        }
        let Some(kind) = rest.next() else { return Err("a `%` of format wants s, L or %") };
        let Some(argument) = args.get(next) else { return Err("format has too few arguments") };
        next += 1;
        piece.clear();
        match (kind, argument.map(str_of)) {
            ('s', text) => piece.push_str(text.unwrap_or("")),
            ('L', None) => piece.push_str("NULL"),
            ('L', Some(text)) => quote(text, &mut piece),
            _ => return Err("a `%` of format wants s, L or %"),
        }
        let padding = width.unwrap_or(0).min(TEXT_MAX + 1).saturating_sub(piece.chars().count());
        if !left {
            out.extend(std::iter::repeat_n(' ', padding));
        }
        out.push_str(&piece);
        if left {
            out.extend(std::iter::repeat_n(' ', padding));
        }
        if out.len() > TEXT_MAX {
            return Err("the text would be longer than 1 MiB");
        }
    }
    Ok(())
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut value = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        value = Some(value.unwrap_or(0usize).saturating_mul(10).saturating_add(digit as usize));
    }
    value
}

/// The text as an SQL literal.
fn quote(text: &str, out: &mut String) {
    let escaped = text.contains('\\');
    out.push_str(if escaped { "E'" } else { "'" });
    for c in text.chars() {
        if c == '\'' || c == '\\' {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}
