//! Topics as Markdown, as plain text for a terminal, as JSON. Pure.

use super::{Call, Topic};
use crate::component::OptionSpec;
use serde_json::{Value, json};

/// Topics as Markdown, the first heading of level one.
pub fn markdown(topics: &[Topic], title: &str) -> String {
    let mut out = format!("# {title}\n");
    for topic in topics {
        out.push_str(&format!("\n## {}\n", heading(&topic.title)));
        if !topic.doc.is_empty() {
            out.push_str(&format!("\n{}\n", topic.doc));
        }
        for note in &topic.notes {
            out.push_str(&format!("\n{note}\n"));
        }
        for (heading, options) in &topic.options {
            out.push_str(&format!("\n| {} | | |\n|---|---|---|\n", cell(heading)));
            for option in options {
                let needed = if option.required { "needed" } else { "" };
                out.push_str(&format!("| `{}` | {needed} | {} |\n", option.name, cell(option.doc)));
            }
        }
        for (heading, calls) in &topic.calls {
            out.push_str(&format!("\n| {} | |\n|---|---|\n", cell(heading)));
            for call in calls {
                let example =
                    if call.example.is_empty() { String::new() } else { format!(" `{}`", cell(&call.example)) };
                out.push_str(&format!("| `{}` | {}{example} |\n", cell(&call.form), cell(&call.doc)));
            }
        }
        if !topic.example.is_empty() {
            out.push_str(&format!("\n```toml\n{}```\n", topic.example));
        }
    }
    out
}

/// A text inside a cell of a Markdown table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A heading: a name such as `||` or `*` must not become markup.
fn heading(title: &str) -> String {
    match title.strip_prefix("operator ") {
        Some(name) => format!("operator `{name}`"),
        None => title.to_owned(),
    }
}

/// Topics as plain text, at most so many columns wide where words allow it.
pub fn plain(topics: &[Topic], width: usize) -> String {
    let mut out = String::new();
    for (n, topic) in topics.iter().enumerate() {
        if n > 0 {
            out.push_str("\n\n");
        }
        out.push_str(&topic.title.to_uppercase());
        out.push('\n');
        for text in std::iter::once(&topic.doc).filter(|d| !d.is_empty()).chain(&topic.notes) {
            out.push('\n');
            wrapped(&mut out, &bare(text), 0, width);
        }
        for (heading, options) in &topic.options {
            out.push_str(&format!("\n{heading}\n"));
            plain_options(&mut out, options, width);
        }
        for (heading, calls) in &topic.calls {
            out.push('\n');
            if !heading.is_empty() {
                out.push_str(&format!("{heading}\n"));
            }
            plain_calls(&mut out, calls, width);
        }
        if !topic.example.is_empty() {
            out.push_str("\nExample\n\n");
            for line in topic.example.lines() {
                out.push_str(format!("  {line}").trim_end());
                out.push('\n');
            }
        }
    }
    out
}

/// Without the backquotes of names, which are of no use on a terminal.
fn bare(text: &str) -> String {
    text.replace('`', "")
}

fn plain_options(out: &mut String, options: &[OptionSpec], width: usize) {
    let names = options.iter().map(|o| o.name.len()).max().unwrap_or(0);
    let indent = names + 4;
    for option in options {
        out.push_str(&format!("  {:names$}  ", option.name));
        let needed = if option.required { " (needed)" } else { "" };
        continued(out, &format!("{}{needed}", bare(option.doc)), indent, width);
    }
}

fn plain_calls(out: &mut String, calls: &[Call], width: usize) {
    for call in calls {
        out.push_str(&format!("  {}\n", call.form));
        wrapped(out, &bare(&call.doc), 6, width);
        if !call.example.is_empty() {
            wrapped(out, &call.example, 6, width);
        }
    }
}

/// One line for each topic: its first name, and what it is.
pub fn overview(topics: &[Topic], width: usize) -> String {
    let mut out = String::new();
    let names = topics.iter().map(|t| t.names[0].len()).max().unwrap_or(0);
    for topic in topics {
        out.push_str(&format!("  {:names$}  ", topic.names[0]));
        continued(&mut out, &bare(&topic.doc), names + 4, width);
    }
    out
}

fn wrapped(out: &mut String, text: &str, indent: usize, width: usize) {
    out.push_str(&" ".repeat(indent));
    continued(out, text, indent, width);
}

/// Writes words at the end of a line that is `indent` wide, and breaks before those that would go beyond `width`.
fn continued(out: &mut String, text: &str, indent: usize, width: usize) {
    let mut at = indent;
    for (n, word) in text.split_whitespace().enumerate() {
        let len = word.chars().count();
        if n > 0 && at + 1 + len > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            at = indent;
        } else if n > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += len;
    }
    out.push('\n');
}

/// Topics for machines: an array of objects with `topic`, `title`, `doc`, `notes`, `options`, `calls` and `example`.
pub fn json(topics: &[Topic]) -> Value {
    let option = |o: &OptionSpec| json!({ "name": o.name, "required": o.required, "doc": o.doc });
    let call = |c: &Call| json!({ "form": c.form, "doc": c.doc, "example": c.example });
    let one = |topic: &Topic| {
        let options: Vec<Value> = (topic.options.iter())
            .map(|(heading, options)| {
                json!({ "heading": heading, "options": options.iter().map(option).collect::<Vec<_>>() })
            })
            .collect();
        let calls: Vec<Value> = (topic.calls.iter())
            .map(|(heading, calls)| json!({ "heading": heading, "calls": calls.iter().map(call).collect::<Vec<_>>() }))
            .collect();
        json!({
            "topic": topic.names[0],
            "title": topic.title,
            "doc": topic.doc,
            "notes": topic.notes,
            "options": options,
            "calls": calls,
            "example": topic.example,
        })
    };
    Value::Array(topics.iter().map(one).collect())
}
