//! Event lists: what a key's windows hold goes append-only into segments, in chunks.
//!
//! A chunk is the newest part of one list: `[crc u32 | newest i64 | previous chunk: segment, place, length u32 each |
//! items u32 | replaced u32 | payload]`. A list is read from its newest chunk backwards, as far as anybody needs it. An
//! item that had to go in front of others that were written already is written again with all that come after it, and
//! the chunk says how many of the older items it **replaces**. So nothing that was written is ever changed, and a
//! segment is dropped whole when nothing in it can be needed.

use super::Place;
use super::backend::StoreError;
use super::space::Space;

/// Bytes of a segment, roughly: the next epoch after begins a new one.
const SEGMENT_BYTES: usize = 64 << 20;
/// Bytes of a chunk before its payload.
const HEAD: usize = 4 + 8 + 12 + 8;

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    segment: u32,
    at: u32,
    length: u32,
}

impl Pointer {
    /// No chunk.
    pub const NONE: Pointer = Pointer { segment: u32::MAX, at: 0, length: 0 };

    /// Appends its twelve bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        for number in [self.segment, self.at, self.length] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// What [`Pointer::write`] wrote, taken from the front.
    pub fn read(from: &mut &[u8]) -> Option<Pointer> {
        let mut next = || {
            let (bytes, rest) = from.split_first_chunk::<4>()?;
            *from = rest;
            Some(u32::from_le_bytes(*bytes))
        };
        Some(Pointer { segment: next()?, at: next()?, length: next()? })
    }
}

impl Default for Pointer {
    fn default() -> Pointer {
        Pointer::NONE
    }
}

/// A part of a list, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The part before it.
    pub previous: Pointer,
    /// Number of items in the payload.
    pub items: u32,
    /// How many of the newest items before it it replaces.
    pub replaced: u32,
    /// Event time of its newest item.
    pub newest: i64,
    /// The items.
    pub payload: Vec<u8>,
}

/// Bytes for the end of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The segment.
    pub segment: u32,
    /// Where they begin.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Latest event time in the segment.
    pub newest: i64,
    /// How long after its newest event time the segment may still be read, microseconds.
    pub keep: i64,
    /// The component.
    pub component: u32,
    /// Whether nothing more comes for the segment.
    pub complete: bool,
}

/// The chunks that one handle of one task writes.
pub struct Lists {
    component: u32,
    keep: i64,
    segment: Option<u32>,
    /// Bytes of the segment before those of this epoch.
    at: usize,
    bytes: Vec<u8>,
    newest: i64,
}

impl Lists {
    /// No chunks yet; an item may be read for so many microseconds after its event time.
    pub fn new(place: Place, keep: i64) -> Lists {
        Lists { component: place.component, keep, segment: None, at: 0, bytes: Vec::new(), newest: i64::MIN }
    }

    /// Writes a chunk; where it is.
    pub fn append(&mut self, space: &Space, chunk: &ChunkHead, payload: impl FnOnce(&mut Vec<u8>)) -> Pointer {
        self.append_with(space, |out| {
            payload(out);
            *chunk
        })
    }

    /// Writes a chunk whose items are appended by `payload`, which then says what stands before them; where it is.
    pub fn append_with(&mut self, space: &Space, payload: impl FnOnce(&mut Vec<u8>) -> ChunkHead) -> Pointer {
        let segment = *self.segment.get_or_insert_with(|| space.new_segment());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD]);
        let chunk = payload(&mut self.bytes);
        let head = &mut self.bytes[start..start + HEAD];
        head[4..12].copy_from_slice(&chunk.newest.to_le_bytes());
        let Pointer { segment: previous, at, length } = chunk.previous;
        for (place, word) in head[12..].chunks_exact_mut(4).zip([previous, at, length, chunk.items, chunk.replaced]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc32fast::hash(&self.bytes[start + 4..]);
        self.bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        self.newest = self.newest.max(chunk.newest);
        Pointer { segment, at: (self.at + start) as u32, length: (self.bytes.len() - start) as u32 }
    }

    /// Bytes that were written since the last call of [`Lists::take`].
    pub fn pending_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What comes next is written in this memory; nothing was since [`Lists::take`].
    pub fn write_in(&mut self, memory: Vec<u8>) {
        debug_assert!(self.bytes.is_empty(), "nothing is thrown away");
        self.bytes = memory;
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Option<Written> {
        let segment = self.segment?;
        if self.bytes.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let written = Written {
            segment,
            at: self.at as u64,
            newest: self.newest,
            keep: self.keep,
            component: self.component,
            complete: self.at + bytes.len() >= SEGMENT_BYTES,
            bytes,
        };
        self.at += written.bytes.len();
        if written.complete {
            (self.segment, self.at, self.newest) = (None, 0, i64::MIN);
        }
        Some(written)
    }
}

/// What stands before the items of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ChunkHead {
    /// The part before it.
    pub previous: Pointer,
    /// Number of items.
    pub items: u32,
    /// How many of the newest items before it it replaces.
    pub replaced: u32,
    /// Event time of its newest item.
    pub newest: i64,
}

/// Whether a chunk can be read: it is durable, and its segment was not dropped.
pub fn is_readable(space: &Space, pointer: Pointer) -> bool {
    let end = u64::from(pointer.at) + u64::from(pointer.length);
    space.segment_bytes(pointer.segment).is_some_and(|known| end <= known)
}

/// Reads a chunk; none if its segment was dropped because nothing in it was needed any more.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn read(space: &Space, pointer: Pointer) -> Result<Option<Chunk>, StoreError> {
    let mut bytes = Vec::new();
    Ok(match read_into(space, pointer, pointer.length as usize, &mut bytes)? {
        true => Some(Chunk { payload: bytes.split_off(HEAD), ..head(&bytes) }),
        false => None,
    })
}

/// Reads what stands before the items of a chunk, which are left out; none if its segment was dropped. What is wrong with
/// the chunk is found when all of it is read.
///
/// # Errors
/// It cannot be read.
pub fn read_head(space: &Space, pointer: Pointer) -> Result<Option<Chunk>, StoreError> {
    let mut bytes = Vec::new();
    Ok(read_into(space, pointer, HEAD, &mut bytes)?.then(|| head(&bytes)))
}

/// Reads the items of a chunk into memory that is used again; `false` if its segment was dropped.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub fn read_items(space: &Space, pointer: Pointer, into: &mut Vec<u8>) -> Result<bool, StoreError> {
    let found = read_into(space, pointer, pointer.length as usize, into)?;
    if found {
        into.drain(..HEAD);
    }
    Ok(found)
}

fn read_into(space: &Space, pointer: Pointer, length: usize, bytes: &mut Vec<u8>) -> Result<bool, StoreError> {
    if pointer == Pointer::NONE {
        return Ok(false);
    }
    let Some(known) = space.segment_bytes(pointer.segment) else { return Ok(false) };
    let damaged = |why: &str| StoreError::Damaged {
        what: format!("segment {:010}, byte {}", pointer.segment, pointer.at),
        why: why.to_owned(),
    };
    if u64::from(pointer.at) + u64::from(pointer.length) > known || (pointer.length as usize) < HEAD {
        return Err(damaged("a chunk lies outside of what is committed"));
    }
    bytes.clear();
    bytes.resize(length, 0);
    if !space.backend().segment_read(pointer.segment, u64::from(pointer.at), bytes)? {
        if space.segment_bytes(pointer.segment).is_none() {
            // It was dropped just now.
            return Ok(false);
        }
        return Err(damaged("the file is missing or too short"));
    }
    let crc = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if length == pointer.length as usize && crc != crc32fast::hash(&bytes[4..]) {
        return Err(damaged("the checksum of a chunk is wrong"));
    }
    Ok(true)
}

/// What stands at the beginning of a chunk.
fn head(bytes: &[u8]) -> Chunk {
    let mut head = &bytes[4..HEAD];
    let mut word = || {
        let (word, rest) = head.split_first_chunk::<4>()?;
        head = rest;
        Some(u32::from_le_bytes(*word))
    };
    let mut next = || word().unwrap_or(0);
    let newest = (u64::from(next()) | u64::from(next()) << 32) as i64;
    let previous = Pointer { segment: next(), at: next(), length: next() };
    let (items, replaced) = (next(), next());
    Chunk { previous, items, replaced, newest, payload: Vec::new() }
}
