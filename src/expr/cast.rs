//! Conversions between types, with PostgreSQL's rules.

use super::fault::{Cx, Fault};
use super::number;
use super::text::build;
use crate::time;
use crate::tuple::format_double;
use crate::tuple::{DataType, TextWord};
use std::fmt::Write;

/// Whether a value of type `from` can be converted to `to` when asked to explicitly.
pub(crate) fn allowed(from: DataType, to: DataType) -> bool {
    use DataType::{Bigint, Boolean, Double, Text};
    from == to
        || from == Text
        || to == Text
        || matches!((from, to), (Bigint, Double) | (Double, Bigint) | (Boolean, Bigint) | (Bigint, Boolean))
}

/// Converts a word. The types are [`allowed`].
pub(crate) fn cast(cx: &Cx<'_>, word: u64, from: DataType, to: DataType) -> Option<u64> {
    use DataType::{Bigint, Boolean, Double, Text};
    Some(match (from, to) {
        (Bigint, Double) => (word as i64 as f64).to_bits(),
        (Double, Bigint) => number::to_i64(cx, f64::from_bits(word)) as u64,
        (Bigint, Boolean) => u64::from(word != 0),
        (Text, _) if to != Text => return parse(cx, TextWord(word).as_str(), to),
        (_, Text) if from != Text => build(cx, |out| print(word, from, out)),
        _ => word,
    })
}

/// Prints a word of any type as a cast to text does.
pub(crate) fn print(word: u64, ty: DataType, out: &mut String) {
    match ty {
        DataType::Boolean => out.push_str(if word != 0 { "true" } else { "false" }),
        // Writing to a String does not fail.
        DataType::Bigint => drop(write!(out, "{}", word as i64)),
        DataType::Double => format_double(f64::from_bits(word), out),
        DataType::Text => out.push_str(TextWord(word).as_str()),
        DataType::Timestamp => time::format_timestamp(word as i64, out),
        DataType::Interval => time::format_interval(word as i64, out),
    }
}

fn parse(cx: &Cx<'_>, text: &str, to: DataType) -> Option<u64> {
    match read(text, to) {
        Ok(word) => Some(word),
        Err((fault, detail)) => cx.none(fault, &detail),
    }
}

/// Reads a text as a word of `to`, which is not text.
///
/// # Errors
/// The fault, and what is wrong with the text.
pub(crate) fn read(text: &str, to: DataType) -> Result<u64, (Fault, String)> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    match to {
        DataType::Boolean => read_boolean(trimmed).map(u64::from),
        DataType::Bigint => return read_bigint(text, trimmed),
        DataType::Double => return read_double(text, trimmed),
        DataType::Timestamp => {
            return time::parse_timestamp(trimmed).map(|t| t as u64).map_err(|e| (Fault::BadCast, e));
        }
        DataType::Interval => return time::parse_interval(trimmed).map(|t| t as u64).map_err(|e| (Fault::BadCast, e)),
        DataType::Text => None,
    }
    .ok_or_else(|| (Fault::BadCast, format!("`{}` is not a {to}", shorten(text))))
}

fn read_boolean(text: &str) -> Option<bool> {
    let word = text.to_ascii_lowercase();
    match word.as_str() {
        "on" | "1" => Some(true),
        "off" | "of" | "0" => Some(false),
        "" => None,
        _ if "true".starts_with(&word) || "yes".starts_with(&word) => Some(true),
        _ if "false".starts_with(&word) || "no".starts_with(&word) => Some(false),
        _ => None,
    }
}

fn read_bigint(text: &str, trimmed: &str) -> Result<u64, (Fault, String)> {
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err((Fault::BadCast, format!("`{}` is not a bigint", shorten(text))));
    }
    match trimmed.parse::<i64>() {
        Ok(value) => Ok(value as u64),
        Err(_) => Err((Fault::Overflow, format!("`{}` is out of the range of bigint", shorten(text)))),
    }
}

fn read_double(text: &str, trimmed: &str) -> Result<u64, (Fault, String)> {
    let Ok(value) = trimmed.parse::<f64>() else {
        return Err((Fault::BadCast, format!("`{}` is not a double", shorten(text))));
    };
    let written = |b: u8| matches!(b, b'1'..=b'9');
    let mantissa = trimmed.split(['e', 'E']).next().unwrap_or("");
    let infinite = trimmed.bytes().any(|b| matches!(b, b'i' | b'I'));
    if value.is_infinite() && !infinite || value == 0.0 && mantissa.bytes().any(written) {
        return Err((Fault::Overflow, format!("`{}` is out of the range of double", shorten(text))));
    }
    Ok(value.to_bits())
}

/// The first characters of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
