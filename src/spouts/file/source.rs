//! The bytes of a file, unpacked. A packed file is unpacked where it is asked, and by a thread of its own once it is
//! detached.

use super::plain::Plain;
use crate::component::ComponentError;
use crate::decoder::{Read, Source};
use crate::spouts::blocks::Blocks;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek, SeekFrom};
use std::path::Path;

const PACKED_BYTES: usize = 64 * 1024;

/// Opens a file; gzip and zstd are known by their first bytes.
///
/// # Errors
/// It cannot be opened, or is packed and is to be followed.
pub(in crate::spouts) fn open_source(path: &Path, follow: bool) -> Result<Box<dyn Source>, ComponentError> {
    let failed = |e: io::Error| ComponentError::io(format!("{} cannot be read: {e}", path.display()), e);
    let mut file = File::open(path).map_err(failed)?;
    let mut magic = [0; 4];
    let known = read_up_to(&mut file, &mut magic).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let packed: Box<dyn io::Read + Send> = match magic[..known] {
        [0x1f, 0x8b, ..] => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(PACKED_BYTES, file)))
        }
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(file).map_err(failed)?),
        _ => return Ok(Box::new(Plain::new(path, file, follow))),
    };
    if follow {
        return Err(is_packed(path));
    }
    Ok(Box::new(Packed::Here { reader: packed, position: 0 }))
}

/// Only a plain file can be followed.
pub(super) fn is_packed(path: &Path) -> ComponentError {
    ComponentError::new(format!("{} is packed: only a plain file can be followed", path.display()))
}

pub(super) fn read_up_to(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < into.len() {
        match file.read(&mut into[len..])? {
            0 => break,
            n => len += n,
        }
    }
    Ok(len)
}

/// A failure in words, with the position at which it came.
pub(in crate::spouts) fn describe_io(error: io::Error, position: u64) -> ComponentError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ComponentError::io(
            format!("the packed file is cut short after {position} bytes of its content"),
            error,
        );
    }
    ComponentError::io(format!("cannot be read on at byte {position} of its content: {error}"), error)
}

/// The whole content of a file.
///
/// # Errors
/// It cannot be read.
pub(in crate::spouts) fn read_all(path: &Path) -> Result<Vec<u8>, ComponentError> {
    let mut source = open_source(path, false)?;
    let mut bytes = vec![0; PACKED_BYTES];
    let mut len = 0;
    loop {
        if len == bytes.len() {
            bytes.resize(2 * len, 0);
        }
        let read = source.read(&mut bytes[len..]);
        match read.map_err(|e| ComponentError { message: format!("{}: {}", path.display(), e.message), ..e })? {
            Read::Bytes(n) => len += n,
            Read::Wait | Read::Soon | Read::Next | Read::End => break,
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// The start of the line that holds a position.
///
/// # Errors
/// The file cannot be read, or ends before it.
pub(super) fn line_start(path: &Path, position: u64) -> Result<u64, ComponentError> {
    let mut source = open_source(path, false)?;
    let mut block = vec![0; PACKED_BYTES];
    let (mut at, mut start) = (0u64, 0u64);
    while at < position {
        let wanted = block.len().min(usize::try_from(position - at).unwrap_or(usize::MAX));
        match source.read(&mut block[..wanted])? {
            Read::Bytes(n) => {
                if let Some(end) = memchr::memrchr(b'\n', &block[..n]) {
                    start = at + end as u64 + 1;
                }
                at += n as u64;
            }
            Read::Wait | Read::Soon | Read::Next | Read::End => {
                let message =
                    format!("{} has only {at} bytes, but was read up to byte {position} before", path.display());
                return Err(ComponentError::new(message));
            }
        }
    }
    Ok(start)
}

enum Packed {
    /// Unpacked where it is asked.
    Here { reader: Box<dyn io::Read + Send>, position: u64 },
    /// Unpacked by a thread.
    Away(Blocks),
}

impl Source for Packed {
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        let (reader, position) = match self {
            Packed::Here { reader, position } => (reader, position),
            Packed::Away(blocks) => return blocks.read(into),
        };
        loop {
            return match reader.read(into) {
                Ok(0) => Ok(Read::End),
                Ok(n) => {
                    *position += n as u64;
                    Ok(Read::Bytes(n))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(describe_io(error, *position)),
            };
        }
    }

    fn detach(&mut self) -> Result<(), ComponentError> {
        if let Packed::Here { reader, position } = self {
            let reader = std::mem::replace(reader, Box::new(io::empty()));
            *self = Packed::Away(Blocks::spawn("a packed file", reader, *position, true)?);
        }
        Ok(())
    }
}
