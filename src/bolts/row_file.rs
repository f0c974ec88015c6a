//! Files of rows: which format a path means, writing, compressing, and what to say when the disk refuses.
//!
//! Rows gather in a buffer of 64 KiB; a write happens when it is full or when it is asked for. After the first failed
//! write nothing is written any more and every call answers the error, with the rows that are lost so far: a file never
//! has a hole, and no row is lost silently.

use crate::component::ComponentError;
use crate::tuple::{Cell, Column, Encoder, Format};
use flate2::write::GzEncoder;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

const BUFFER_BYTES: usize = 64 * 1024;

/// How rows stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// A JSON object on each line.
    Ndjson,
    /// One JSON array of objects, closed at the end.
    Json,
    /// Comma separated values.
    Csv,
    /// `name=value` on each line.
    Text,
}

impl FileFormat {
    /// The words of `format`.
    pub const NAMES: [&'static str; 4] = ["ndjson", "json", "csv", "text"];

    /// The format of a word of [`FileFormat::NAMES`].
    pub fn of_name(name: &str) -> Option<FileFormat> {
        Some(match name {
            "ndjson" => FileFormat::Ndjson,
            "json" => FileFormat::Json,
            "csv" => FileFormat::Csv,
            "text" => FileFormat::Text,
            _ => return None,
        })
    }

    /// What a path means by its extension, `.gz` and `.zst` left aside: `.csv`, `.json`, `.txt` and `.log`; else
    /// a line of JSON for each row.
    pub fn of_path(path: &str) -> FileFormat {
        let path = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".zst")).unwrap_or(path);
        match Path::new(path).extension().and_then(|e| e.to_str()) {
            Some("csv") => FileFormat::Csv,
            Some("json") => FileFormat::Json,
            Some("txt" | "log") => FileFormat::Text,
            _ => FileFormat::Ndjson,
        }
    }

    /// Whether a file of it may start with the names of the columns.
    pub fn has_header(self) -> bool {
        self == FileFormat::Csv
    }

    /// Writes rows of these columns.
    pub fn encoder(self, columns: &[Column]) -> Encoder {
        let format = match self {
            FileFormat::Ndjson | FileFormat::Json => Format::Json,
            FileFormat::Csv => Format::Csv,
            FileFormat::Text => Format::Text,
        };
        Encoder::new(format, columns)
    }
}

/// How a file of rows is begun.
#[derive(Clone, Debug)]
pub struct RowFileSpec {
    /// Where it is, relative to the working directory.
    pub path: String,
    /// How rows stand in it.
    pub format: FileFormat,
    /// Whether CSV starts with the names of the columns; left out where rows are appended to a file that has some.
    pub header: bool,
    /// Whether what is there stays.
    pub append: bool,
}

/// A file of rows that is being written.
pub struct RowFile {
    path: String,
    format: FileFormat,
    encoder: Encoder,
    buffer: String,
    target: Target,
    /// Where each row of the buffer ends.
    ends: Vec<usize>,
    rows: u64,
    /// Rows that were handed over whole.
    written: u64,
    bytes: u64,
    failed: Option<(io::ErrorKind, Option<i32>)>,
}

enum Target {
    Plain(File),
    Gzip(GzEncoder<File>),
    Zstd(zstd::Encoder<'static, File>),
}

impl RowFile {
    /// Opens (and, unless it appends, empties) the file.
    ///
    /// # Errors
    /// It cannot be created: which, and why.
    pub fn create(spec: &RowFileSpec, columns: &[Column]) -> Result<RowFile, ComponentError> {
        let path = Path::new(&spec.path);
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(spec.append).truncate(!spec.append);
        let file = options.open(path).map_err(|e| refused(path, e))?;
        let begun = spec.append && file.metadata().is_ok_and(|m| m.len() > 0);
        let target = if spec.path.ends_with(".gz") {
            Target::Gzip(GzEncoder::new(file, flate2::Compression::default()))
        } else if spec.path.ends_with(".zst") {
            Target::Zstd(zstd::Encoder::new(file, 0).map_err(|e| refused(path, e))?)
        } else {
            Target::Plain(file)
        };
        let encoder = spec.format.encoder(columns);
        let mut buffer = String::with_capacity(BUFFER_BYTES + 4096);
        match spec.format {
            FileFormat::Csv if spec.header && !begun => {
                encoder.header(&mut buffer);
                buffer.push('\n');
            }
            FileFormat::Json => buffer.push('['),
            _ => {}
        }
        let (path, format) = (spec.path.clone(), spec.format);
        Ok(RowFile {
            path,
            format,
            encoder,
            buffer,
            target,
            ends: Vec::new(),
            rows: 0,
            written: 0,
            bytes: 0,
            failed: None,
        })
    }

    /// Whether the file could be begun later; what is there stays, and nothing new is left behind.
    ///
    /// # Errors
    /// It cannot be created: which, and why.
    pub fn probe(path: &str) -> Result<(), ComponentError> {
        let path = Path::new(path);
        let there = path.symlink_metadata().is_ok();
        if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            // A pipe would wait for its reader, and lose it again.
            return Ok(());
        }
        OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(|e| refused(path, e))?;
        if !there {
            std::fs::remove_file(path).map_err(|e| refused(path, e))?;
        }
        Ok(())
    }

    /// Adds a row, its cells in the order of the columns.
    ///
    /// # Errors
    /// A write has failed, now or before.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<(), ComponentError> {
        self.rows += 1;
        if self.failed.is_some() {
            return self.state();
        }
        if self.format == FileFormat::Json {
            self.buffer.push_str(if self.rows == 1 { "\n" } else { ",\n" });
        }
        self.encoder.row(cells, &mut self.buffer);
        if self.format != FileFormat::Json {
            self.buffer.push('\n');
        }
        self.ends.push(self.buffer.len());
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands what waits to the system (or to the compressor, which keeps some of it until the end).
    ///
    /// # Errors
    /// A write has failed, now or before.
    pub fn flush(&mut self) -> Result<(), ComponentError> {
        if self.failed.is_none() && !self.buffer.is_empty() {
            let bytes = self.buffer.as_bytes();
            let (done, result) = match &mut self.target {
                Target::Plain(file) => write_up_to(file, bytes),
                Target::Gzip(encoder) => write_up_to(encoder, bytes),
                Target::Zstd(encoder) => write_up_to(encoder, bytes),
            };
            self.bytes += done as u64;
            self.written += self.ends.partition_point(|end| *end <= done) as u64;
            self.buffer.clear();
            self.ends.clear();
            self.note(result);
        }
        self.state()
    }

    /// Whether something waits to be written.
    pub fn is_dirty(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Ends the file: closes the array, writes everything, ends the compression. Nothing may be written after it.
    ///
    /// # Errors
    /// A write has failed, now or before.
    pub fn close(&mut self) -> Result<(), ComponentError> {
        if self.format == FileFormat::Json {
            self.buffer.push_str("\n]\n");
        }
        self.flush()?;
        let ended = match &mut self.target {
            Target::Plain(_) => Ok(()),
            Target::Gzip(encoder) => encoder.try_finish(),
            Target::Zstd(encoder) => encoder.do_finish(),
        };
        self.note(ended);
        self.state()
    }

    /// Rows added so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that could not be written. A packed file may lack some more: what its compressor kept back.
    pub fn lost(&self) -> u64 {
        if self.failed.is_some() { self.rows - self.written } else { 0 }
    }

    /// Bytes handed over so far, before compression.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The path as the user wrote it.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed = Some((error.kind(), error.raw_os_error()));
        }
    }

    fn state(&self) -> Result<(), ComponentError> {
        let Some((kind, code)) = self.failed else { return Ok(()) };
        let mut doing = format!("cannot write `{}` any further after {} bytes", self.path, self.bytes);
        match self.lost() {
            0 => {}
            1 => doing.push_str(", 1 row is lost"),
            lost => doing.push_str(&format!(", {lost} rows are lost")),
        }
        if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            doing.push_str("; make room and start again");
        }
        Err(ComponentError::io(doing, code.map_or_else(|| kind.into(), io::Error::from_raw_os_error)))
    }
}

/// Writes all bytes if it can; how many it could, and why not more.
fn write_up_to(target: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match target.write(&bytes[done..]) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// Why a file could not be created.
pub fn refused(path: &Path, error: io::Error) -> ComponentError {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.is_dir());
    let doing = match folder {
        Some(folder) => format!(
            "cannot create `{}`: the folder `{}` does not exist; create it first",
            path.display(),
            folder.display()
        ),
        None => format!("cannot create `{}`", path.display()),
    };
    ComponentError::io(doing, error)
}
