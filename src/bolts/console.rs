//! `console`: shows rows on standard output.
//!
//! One task writes, whole lines at a time, when nothing waits or a good deal has gathered. Where nobody reads any more
//! (`| head`), it stops writing, counts, and the topology goes on; any other failure stops its input at once and is an
//! error that says how many rows were not shown.

use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Inputs, Keyed, OptionSpec, OutputStream,
    Sections, Step,
};
use crate::problem::Problem;
use crate::tuple::{Column, Encoder, Format, Frame, Slot, format_rfc3339, json_string};
use serde_json::json;
use std::io::{self, Write};

/// The kind `console`.
pub struct Console;

const BUFFER_BYTES: usize = 32 * 1024;

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::optional("format", "\"text\" (time, stream, name=value; the default), \"json\" or \"csv\""),
    OptionSpec::optional("limit", "rows that are shown at most; the others are counted; all by default"),
];

impl BoltFactory for Console {
    fn kind(&self) -> &'static str {
        "console"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["print", "stdout"]
    }

    fn doc(&self) -> &'static str {
        "shows rows on standard output, a line each"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "It is a sink. Streams with different columns may be read together, except with `format = \"csv\"`."
                .to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.out]
kind   = "console"
from   = "payments"
where  = "amount > 500"
format = "json"
limit  = 3
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn inputs(&self) -> Inputs {
        Inputs::Separate
    }

    fn keyed(&self) -> Keyed {
        Keyed::Global
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let format = match options.choice("format", &["text", "json", "csv"]) {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            _ => Format::Text,
        };
        let limit = options.integer("limit", 0).map_or(u64::MAX, i64::unsigned_abs);
        let names = |columns: &[Column]| columns.iter().map(|c| c.name.to_ascii_lowercase()).collect::<Vec<_>>();
        let first = check.inputs.first()?;
        if let Some(other) = check.inputs.iter().find(|i| names(&i.columns) != names(&first.columns))
            && let (Format::Csv, Some(node)) = (format, options.node("format"))
        {
            let message = format!("`{}` and `{}` have other columns, CSV has one header", first.name, other.name);
            let hint = "give each stream a console of its own, or use format = \"json\"";
            options.problem(Problem::error(message).at(node.span).label("needs the same columns").hint(hint));
        }
        let streams = check.inputs.iter().map(|i| (i.name.clone(), i.columns.clone())).collect();
        Some(Box::new(Plan { format, limit, streams }))
    }
}

struct Plan {
    format: Format,
    limit: u64,
    streams: Vec<(String, Vec<Column>)>,
}

impl Plan {
    fn task<W: Write + Send>(&self, build: &BoltBuild<'_>, out: W) -> Showing<W> {
        let width = self.streams.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let several = self.streams.len() > 1;
        let stream = |((name, columns), slots): (&(String, Vec<Column>), &Vec<Slot>)| {
            let mut lead = String::new();
            match self.format {
                Format::Text => lead = format!(" {name:<width$} "),
                Format::Json if several => {
                    lead.push_str("{\"_from\":");
                    json_string(name, &mut lead);
                    lead.push_str(if columns.is_empty() { "" } else { "," });
                }
                Format::Json | Format::Csv => {}
            }
            Stream { lead, encoder: Encoder::new(self.format, columns), slots: slots.clone() }
        };
        let streams: Vec<Stream> = self.streams.iter().zip(build.inputs).map(stream).collect();
        let mut buffer = String::with_capacity(BUFFER_BYTES + 4096);
        if let (Format::Csv, Some(stream)) = (self.format, streams.first()) {
            stream.encoder.header(&mut buffer);
            buffer.push('\n');
        }
        let name = build.name.to_owned();
        Showing { name, streams, limit: self.limit, buffer, out, state: State::Open, waiting: 0, shown: 0, rows: 0 }
    }
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        Ok(Box::new(self.task(build, io::stdout())))
    }
}

/// How one stream is written.
struct Stream {
    /// What stands before the row (in JSON instead of its brace).
    lead: String,
    encoder: Encoder,
    slots: Vec<Slot>,
}

/// How standard output is doing.
enum State {
    Open,
    /// Nobody reads any more.
    Closed,
    Failed(io::ErrorKind, Option<i32>),
}

struct Showing<W> {
    name: String,
    streams: Vec<Stream>,
    limit: u64,
    buffer: String,
    out: W,
    state: State,
    /// Rows in the buffer.
    waiting: u64,
    shown: u64,
    rows: u64,
}

impl<W: Write> Showing<W> {
    fn line(&mut self, input: usize, frame: &Frame) {
        let Stream { lead, encoder, slots } = &self.streams[input];
        let out = &mut self.buffer;
        if encoder.format() == Format::Text {
            format_rfc3339(frame.time(), out);
        }
        out.push_str(lead);
        let start = out.len();
        encoder.frame(frame, slots, out);
        if encoder.format() == Format::Json && !lead.is_empty() {
            // The lead has opened the object.
            out.remove(start);
        }
        out.push('\n');
        self.waiting += 1;
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if matches!(self.state, State::Open) {
            match self.out.write_all(self.buffer.as_bytes()).and_then(|()| self.out.flush()) {
                Ok(()) => self.shown += self.waiting,
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.state = State::Closed,
                Err(e) => self.state = State::Failed(e.kind(), e.raw_os_error()),
            }
        }
        self.waiting = 0;
        self.buffer.clear();
    }

    fn result(&self) -> Result<(), ComponentError> {
        let State::Failed(kind, code) = self.state else { return Ok(()) };
        let error = code.map_or_else(|| kind.into(), io::Error::from_raw_os_error);
        let (shown, lost) = (self.shown, self.rows.min(self.limit) - self.shown);
        let doing = format!("cannot write to standard output after {shown} rows, {lost} more are lost");
        Err(ComponentError::io(doing, error))
    }
}

impl<W: Write + Send> Bolt for Showing<W> {
    fn step(&mut self, input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        self.rows += 1;
        if self.rows <= self.limit && matches!(self.state, State::Open) {
            self.line(input, frame);
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush();
            }
        }
        match self.result() {
            Ok(()) => Flow::Skip,
            Err(error) => step.broken("write_failed", error.message),
        }
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        self.flush();
        self.result()
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        self.flush();
        let closed = matches!(self.state, State::Closed);
        let mut text = format!("{} of {} rows shown\n", self.shown, self.rows);
        if closed {
            text.push_str("standard output was closed by its reader; later rows were only counted\n");
        }
        let value = json!({ "rows": self.rows, "shown": self.shown, "closed": closed });
        sections.sections.push((format!("console {}", self.name), text, value));
        self.result()
    }
}

#[cfg(test)]
mod tests;
