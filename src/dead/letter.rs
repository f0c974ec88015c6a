//! One dead letter: a JSON object, one record of the topic.

use super::row::Row;
use crate::tuple::{format_rfc3339, json_string};
use serde::Deserialize;
use std::fmt::Write;

/// What a letter keeps of what failed.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A record of a spout, as it was read; the byte at which the element starts that was rejected, if it is one of
    /// several.
    Record(&'a [u8], Option<u64>),
    /// The start of a record whose rest is lost.
    Cut(&'a str),
    /// The row that entered a bolt, as a JSON object, and the stream that it came on.
    Row(&'a str, &'a str),
    /// Nothing: there was no row (a timer fired).
    Nothing,
}

/// A letter that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Why.
    pub reason: &'a str,
    /// Spout or bolt.
    pub component: &'a str,
    /// Event time, microseconds since 1970 UTC.
    pub time: i64,
    /// What was wrong, for people.
    pub text: &'a str,
    /// What failed.
    pub content: Content<'a>,
}

/// A letter as it was read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Letter {
    /// Why.
    pub reason: String,
    /// Spout or bolt.
    pub component: String,
    /// The split (`spout/split`) that the record or tuple came from; none for what a timer made.
    #[serde(default)]
    pub split: Option<String>,
    /// The position in it.
    #[serde(default)]
    pub position: Option<u64>,
    /// Event time (RFC 3339).
    pub time: String,
    /// What was wrong, for people.
    pub text: String,
    /// How often it has failed.
    pub attempts: u32,
    /// The record, where it is UTF-8.
    #[serde(default)]
    pub record: Option<String>,
    /// The record in hexadecimal digits, where it is not.
    #[serde(default)]
    pub record_hex: Option<String>,
    /// Where the element starts that was rejected.
    #[serde(default)]
    pub element: Option<u64>,
    /// Whether `record` is only the start of it, or the row was too long to be kept.
    #[serde(default)]
    pub cut: bool,
    /// The stream that the row came on.
    #[serde(default)]
    pub from: Option<String>,
    /// The row.
    #[serde(default)]
    pub row: Option<Row>,
}

impl Letter {
    /// Reads a record of the topic; none if it is no letter.
    pub fn parse(record: &[u8]) -> Option<Letter> {
        sonic_rs::from_slice(record).ok()
    }

    /// The record as it was read, if the letter has all of it.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.record, &self.record_hex) {
            _ if self.cut => None,
            (Some(record), _) => Some(record.as_bytes().to_vec()),
            (None, Some(hex)) => from_hex(hex),
            (None, None) => None,
        }
    }
}

/// Where a letter comes from, and how often it has failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) split: Option<String>,
    pub(super) position: u64,
    pub(super) attempts: u32,
}

/// Appends a letter.
pub(super) fn write(draft: &Draft<'_>, source: &Source, out: &mut String) {
    field("{\"reason\":", draft.reason, out);
    field(",\"component\":", draft.component, out);
    if let Some(split) = &source.split {
        field(",\"split\":", split, out);
        number(",\"position\":", source.position, out);
    }
    out.push_str(",\"time\":\"");
    format_rfc3339(draft.time, out);
    out.push('"');
    field(",\"text\":", draft.text, out);
    number(",\"attempts\":", u64::from(source.attempts), out);
    match draft.content {
        Content::Record(bytes, element) => {
            match std::str::from_utf8(bytes) {
                Ok(text) => field(",\"record\":", text, out),
                Err(_) => field(",\"record_hex\":", &hex(bytes), out),
            }
            if let Some(element) = element {
                number(",\"element\":", element, out);
            }
        }
        Content::Cut(shown) => {
            field(",\"record\":", shown, out);
            out.push_str(",\"cut\":true");
        }
        Content::Row(stream, row) => {
            field(",\"from\":", stream, out);
            out.push_str(",\"row\":");
            out.push_str(row);
        }
        Content::Nothing => {}
    }
    out.push('}');
}

fn field(name: &str, text: &str, out: &mut String) {
    out.push_str(name);
    json_string(text, out);
}

fn number(name: &str, number: u64, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{name}{number}");
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
