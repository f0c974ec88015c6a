//! `deliver = "committed"`: rows come to the file when their epoch is durable, and each exactly once.
//!
//! The file's length after an epoch is the mark of the outbox: at a restart the file is cut back to it and what was not
//! marked is written again. Each epoch is a member of its own in a compressed file.

use super::super::row_file::{RowFileSpec, refused};
use crate::component::{Bolt, BoltBuild, ComponentError, Flow, Mark, Outbox, Sections, Step};
use crate::store::StoreError;
use crate::tuple::{Cell, Column, DataType, Encoder, Frame, Slot};
use flate2::write::GzEncoder;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// A task that writes what is durable.
pub struct Committed {
    name: String,
    path: String,
    columns: Vec<(Slot, DataType)>,
    encoder: Encoder,
    header: bool,
    text: String,
    outbox: Outbox,
    file: File,
    length: u64,
    /// Whether a write failed that may have left a part of itself behind `length`.
    torn: bool,
    rows: u64,
}

impl Committed {
    /// Opens the file where the last mark left it.
    ///
    /// # Errors
    /// There is no store, the file cannot be opened, or it is shorter than what was written to it.
    pub fn new(spec: &RowFileSpec, columns: &[Column], build: &BoltBuild<'_>) -> Result<Committed, ComponentError> {
        let Some((mut outbox, mark)) = Outbox::open(build)? else {
            return Err(ComponentError::new(format!(
                "`deliver = \"committed\"` of `{}` needs a data directory: give one with `data_dir` in [runtime] or \
                 --data-dir, or use `deliver = \"now\"`",
                build.name
            )));
        };
        let path = Path::new(&spec.path);
        let failed = |error| refused(path, error);
        let fresh = mark.is_none() && !spec.append;
        let mut file = OpenOptions::new().create(true).write(true).truncate(fresh).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        let length = mark.map_or(found, |mark| mark.mark);
        if found < length {
            return Err(ComponentError::new(format!(
                "{} has {found} bytes, but {length} were written to it: it was cut or replaced; put it back, or start \
                 once with `--reset-state {}`, which begins a new one",
                spec.path, build.name
            )));
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        if mark.is_none() {
            outbox.starts_at(Mark { epoch: 0, mark: length });
        }
        Ok(Committed {
            name: build.name.to_owned(),
            path: spec.path.clone(),
            columns: build.inputs[0].iter().copied().zip(columns.iter().map(|c| c.ty)).collect(),
            encoder: spec.format.encoder(columns),
            header: spec.header && spec.format.has_header(),
            text: String::new(),
            outbox,
            file,
            length,
            torn: false,
            rows: 0,
        })
    }

    /// Writes the rows of an epoch.
    fn write(&mut self, rows: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        if self.header && self.length == 0 {
            let mut header = String::new();
            self.encoder.header(&mut header);
            header.push('\n');
            bytes.extend_from_slice(header.as_bytes());
        }
        bytes.extend_from_slice(rows);
        if self.path.ends_with(".gz") {
            let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(&bytes)?;
            bytes = packer.finish()?;
        } else if self.path.ends_with(".zst") {
            bytes = zstd::encode_all(&bytes[..], 0)?;
        }
        if std::mem::replace(&mut self.torn, true) {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
        }
        self.file.write_all(&bytes)?;
        self.torn = false;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes the rows of the epochs up to `durable`; what the disk refuses waits.
    fn deliver(&mut self, durable: u64) {
        while let Some((_, rows)) = self.outbox.next(durable) {
            let rows = rows.to_vec();
            if let Err(error) = self.write(&rows) {
                self.outbox.refuse(&format!("`{}` cannot be written: {error}; make room on the disk", self.path));
                return;
            }
            self.outbox.delivered(self.length);
        }
        if self.outbox.is_refused() {
            self.outbox.accept();
        }
    }
}

impl Bolt for Committed {
    fn step(&mut self, _input: usize, frame: &mut Frame, _step: &mut Step<'_>) -> Flow {
        self.text.clear();
        let cells = self.columns.iter().map(|(slot, ty)| Cell::of_slot(frame, *slot, *ty));
        self.encoder.row(cells, &mut self.text);
        self.text.push('\n');
        self.outbox.filling().extend_from_slice(self.text.as_bytes());
        self.rows += 1;
        Flow::Skip
    }

    fn barrier(&mut self, epoch: u64) {
        let (file, path) = (self.file.try_clone(), self.path.clone());
        let sync = move || {
            file.and_then(|file| file.sync_data()).map_err(|error| StoreError::Outside {
                what: format!("{path} cannot be synced"),
                why: error.to_string(),
                cure: "make room on the disk or repair it, then start again: nothing is lost",
            })
        };
        self.outbox.barrier(epoch, Some(Box::new(sync)));
    }

    fn committed(&mut self, epoch: u64) -> Result<bool, ComponentError> {
        self.deliver(epoch);
        Ok(self.outbox.has_news())
    }

    fn idle(&mut self) -> Result<(), ComponentError> {
        if self.outbox.is_refused() {
            self.deliver(self.outbox.durable());
        }
        Ok(())
    }

    fn finish(&mut self, sections: &mut Sections) -> Result<(), ComponentError> {
        let (rows, bytes, path) = (self.rows, self.length, &self.path);
        let text = format!("{rows} rows in this run; {path} has {bytes} bytes of committed epochs\n");
        let value = json!({ "path": path, "rows": rows, "bytes": bytes });
        sections.sections.push((format!("file {}", self.name), text, value));
        Ok(())
    }
}
