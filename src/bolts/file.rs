//! `file`: writes rows to a file.
//!
//! One task writes, so that the file has one writer. A failed write ends the topology: its input stops at once, the rows
//! that are still in flight leave on `.errors` (reason `write_failed`), and the error says how many rows the file lacks.

mod committed;

use super::row_file::{FileFormat, RowFile, RowFileSpec};
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ComponentError, Flow, Keyed, OptionSpec, OutputStream, Sections,
    Step,
};
use crate::problem::Problem;
use crate::tuple::{Cell, Column, DataType, Frame, Slot};
use committed::Committed;
use serde_json::json;
use std::time::{Duration, Instant};

/// The kind `file`.
pub struct File;

/// How often idle moments write at most: a system call for every row would cost more than the row.
const PAUSE: Duration = Duration::from_millis(1);

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::required("path", "where, relative to the working directory; `.gz` and `.zst` are compressed"),
    OptionSpec::optional(
        "format",
        "\"ndjson\", \"json\" (one array), \"csv\" or \"text\"; by default as the path ends",
    ),
    OptionSpec::optional("header", "whether CSV starts with the names of the columns; true by default"),
    OptionSpec::optional("append", "whether what is in the file stays; false by default"),
    OptionSpec::optional(
        "deliver",
        "\"now\" (default): a row is written at once, and again after a crash that came before its epoch was durable; \"committed\": when its epoch is durable, exactly once, which needs a data directory",
    ),
];

impl BoltFactory for File {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn doc(&self) -> &'static str {
        "writes rows to a file"
    }

    fn notes(&self) -> Vec<String> {
        vec!["It is a sink with one task, so one file; rows of several streams stand in it as they come.".to_owned()]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.out]
kind  = "file"
from  = "payments"
where = "amount > 500"
path  = "large.csv.gz"
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
    }

    fn keyed(&self) -> Keyed {
        Keyed::Global
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let path = options.text("path");
        let format = options.choice("format", &FileFormat::NAMES).and_then(FileFormat::of_name);
        let format = format.unwrap_or_else(|| FileFormat::of_path(path.unwrap_or_default()));
        let append = options.boolean("append").unwrap_or(false);
        let header = options.boolean("header").unwrap_or(true);
        if let (Some(node), true) = (options.node("append"), append && format == FileFormat::Json) {
            let problem = Problem::error("nothing can be appended to a JSON array").at(node.span);
            options
                .problem(problem.label("not with `json`").hint("use format = \"ndjson\": a JSON object on each line"));
        }
        if let (Some(node), true) = (options.node("header"), format != FileFormat::Csv) {
            options.problem(Problem::warning("only CSV has a header").at(node.span).label("has no effect"));
        }
        let committed = options.choice("deliver", &["now", "committed"]) == Some("committed");
        if let (Some(node), true) = (options.node("deliver"), committed && format == FileFormat::Json) {
            let problem = Problem::error("a JSON array cannot be continued after a restart").at(node.span);
            options
                .problem(problem.label("not with `json`").hint("use format = \"ndjson\": a JSON object on each line"));
        }
        let spec = RowFileSpec { path: path?.to_owned(), format, header, append };
        Some(Box::new(Plan { spec, committed, columns: check.inputs.first()?.columns.clone() }))
    }
}

struct Plan {
    spec: RowFileSpec,
    /// Whether rows wait until their epoch is durable.
    committed: bool,
    columns: Vec<Column>,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &[]
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("writes {:?} to `{}`", self.spec.format, self.spec.path).to_lowercase()]
    }

    fn committed_file(&self) -> Option<&str> {
        self.committed.then_some(&*self.spec.path)
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        if self.committed {
            return Ok(Box::new(Committed::new(&self.spec, &self.columns, build)?));
        }
        let columns = build.inputs[0].iter().copied().zip(self.columns.iter().map(|c| c.ty)).collect();
        // What was written before a restart stays.
        let resumes = build.space.is_some_and(|space| space.opened().epoch > 0);
        if resumes && self.spec.format == FileFormat::Json {
            return Err(ComponentError::new(format!(
                "{}: a JSON array cannot be continued after a restart; use format = \"ndjson\" where there is a data \
                 directory",
                self.spec.path
            )));
        }
        let spec = RowFileSpec { append: self.spec.append || resumes, ..self.spec.clone() };
        let file = RowFile::create(&spec, &self.columns)?;
        Ok(Box::new(Writing { name: build.name.to_owned(), columns, file, written: Instant::now() }))
    }
}

struct Writing {
    name: String,
    columns: Vec<(Slot, DataType)>,
    file: RowFile,
    written: Instant,
}

impl Bolt for Writing {
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let cells = self.columns.iter().map(|(slot, ty)| Cell::of_slot(frame, *slot, *ty));
        match self.file.row(cells) {
            Ok(()) => Flow::Skip,
            Err(error) => step.broken("write_failed", error.message),
        }
    }

    fn barrier(&mut self, _epoch: u64) {
        // A failure is kept by the file and reported by the next row or idle moment.
        let _ = self.file.flush();
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        if self.file.is_dirty() && self.written.elapsed() < PAUSE {
            return Ok(());
        }
        if self.file.is_dirty() {
            self.written = Instant::now();
        }
        self.file.flush()
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let closed = self.file.close();
        let (path, bytes, lost) = (self.file.path(), self.file.bytes(), self.file.lost());
        let rows = self.file.rows() - lost;
        let mut text = format!("{rows} rows, {bytes} bytes in {path}\n");
        if lost > 0 {
            text.push_str(&format!("{lost} rows are lost: the file could not be written\n"));
        }
        let value = json!({ "path": path, "rows": rows, "bytes": bytes, "lost": lost });
        sections.sections.push((format!("file {}", self.name), text, value));
        closed
    }
}

#[cfg(test)]
mod tests;
