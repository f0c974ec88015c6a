//! The bytes of a plain file, and, where it is followed, of those that take its place.
//!
//! At the end of a followed file, each time it is asked:
//! 1. A file that is shorter than what was read of it is read from its start: it was cut to be written anew. What stood
//!    in it between the last look and the cut is lost, which is told.
//! 2. Another file under the name, with something in it, means a rotation: whoever writes has gone over to it. Then the
//!    old one is asked once more, since it may have grown before that, and is left when it has nothing.
//! 3. An empty file under the name may still lie beside a writer of the old one, and no file means that there will be
//!    one: both are waited for.

use super::source::{is_packed, read_up_to};
use crate::component::ComponentError;
use crate::decoder::{Read, Source};
use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A plain file that is being read.
pub(super) struct Plain {
    path: PathBuf,
    file: File,
    position: u64,
    follow: bool,
    loss: Option<String>,
}

impl Plain {
    /// From the start of an open file.
    pub(super) fn new(path: &Path, file: File, follow: bool) -> Plain {
        Plain { path: path.to_owned(), file, position: 0, follow, loss: None }
    }

    fn failed(&self, error: io::Error) -> ComponentError {
        ComponentError::io(format!("cannot be read on at byte {}: {error}", self.position), error)
    }

    fn len(&self) -> Result<u64, ComponentError> {
        self.file.metadata().map(|m| m.len()).map_err(|e| self.failed(e))
    }

    /// Bytes that are there; none at the end of what is there.
    fn more(&mut self, into: &mut [u8]) -> Result<Option<usize>, ComponentError> {
        loop {
            match self.file.read(into) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    self.position += n as u64;
                    return Ok(Some(n));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// The file that has taken the place of this one, if whoever writes has gone over to it.
    fn successor(&self) -> Result<Option<File>, ComponentError> {
        let own = self.file.metadata().map_err(|e| self.failed(e))?;
        let is_next =
            |m: &std::fs::Metadata| (m.dev(), m.ino()) != (own.dev(), own.ino()) && m.is_file() && m.len() > 0;
        let next = match std::fs::metadata(&self.path) {
            Ok(next) if is_next(&next) => File::open(&self.path),
            Ok(_) => return Ok(None),
            Err(error) => Err(error),
        };
        match next {
            Ok(next) => Ok(Some(next)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What comes behind the end of a followed file.
    fn behind(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        let len = self.len()?;
        if len < self.position {
            let read = self.position;
            self.loss = Some(format!(
                "the file shrank to {len} bytes after {read} had been read; it is read from its start, what was written \
                 in between is lost"
            ));
            self.file.seek(SeekFrom::Start(0)).map_err(|e| self.failed(e))?;
            self.position = 0;
            return Ok(Read::Next);
        }
        let Some(mut next) = self.successor()? else { return Ok(Read::Wait) };
        if let Some(n) = self.more(into)? {
            return Ok(Read::Bytes(n));
        }
        let mut magic = [0; 4];
        let known = read_up_to(&mut next, &mut magic).map_err(|e| self.failed(e))?;
        if matches!(magic[..known], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(is_packed(&self.path));
        }
        next.seek(SeekFrom::Start(0)).map_err(|e| self.failed(e))?;
        self.file = next;
        self.position = 0;
        Ok(Read::Next)
    }
}

impl Source for Plain {
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        match self.more(into)? {
            Some(n) => Ok(Read::Bytes(n)),
            None if self.follow => self.behind(into),
            None => Ok(Read::End),
        }
    }

    fn skip_to(&mut self, position: u64) -> Result<bool, ComponentError> {
        let len = self.len()?;
        if position > len {
            return Err(ComponentError::new(format!(
                "{} has only {len} bytes, but was read up to byte {position} before: it was replaced or cut",
                self.path.display()
            )));
        }
        self.file.seek(SeekFrom::Start(position)).map_err(|e| self.failed(e))?;
        self.position = position;
        Ok(true)
    }

    fn loss(&mut self) -> Option<String> {
        self.loss.take()
    }
}
