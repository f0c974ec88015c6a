//! Bytes that a thread of its own makes, because reading them may wait or takes long: standard input, packed files.
//!
//! The thread fills blocks ahead of the executor; a bounded channel makes it wait when the topology does, and used
//! blocks go back to it. Invariant: the executor never waits for the thread, an end is only what the thread says is one,
//! and a failure comes behind the bytes that were read before it.

use super::file::describe_io;
use crate::component::ComponentError;
use crate::decoder::{Read, Source};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

/// Bytes of a block: small enough that handing one over is short work.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks that may lie ready.
const BLOCKS: usize = 8;

/// Where blocks come from, seen from the executor.
pub(super) struct Blocks {
    /// An empty block is the end.
    full: Receiver<io::Result<Vec<u8>>>,
    used: SyncSender<Vec<u8>>,
    block: Vec<u8>,
    taken: usize,
    position: u64,
    /// The bytes are there and only have to be made: [`Read::Soon`] instead of [`Read::Wait`].
    soon: bool,
}

impl Blocks {
    /// Starts a thread that reads until the end, an error, or nobody wants the blocks any more. `position` is that of
    /// the reader's next byte; `soon` says that it never waits for anybody outside.
    pub(super) fn spawn(
        name: &str,
        reader: impl io::Read + Send + 'static,
        position: u64,
        soon: bool,
    ) -> Result<Blocks, ComponentError> {
        let (sender, full) = sync_channel(BLOCKS);
        let (used, empty) = sync_channel(BLOCKS + 1);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || fill_blocks(reader, &sender, &empty))
            .map_err(|e| ComponentError::io(format!("no thread can be started to read {name}"), e))?;
        Ok(Blocks { full, used, block: Vec::new(), taken: 0, position, soon })
    }

    fn failed(&self, error: io::Error) -> ComponentError {
        describe_io(error, self.position)
    }
}

fn fill_blocks(mut reader: impl io::Read, sender: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.resize(BLOCK_BYTES, 0);
        let read = match reader.read(&mut block) {
            Ok(n) => {
                block.truncate(n);
                Ok(block)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = read.as_ref().map_or(true, Vec::is_empty);
        if sender.send(read).is_err() || last {
            return;
        }
    }
}

impl Source for Blocks {
    fn read(&mut self, into: &mut [u8]) -> Result<Read, ComponentError> {
        if self.taken == self.block.len() {
            match self.full.try_recv() {
                Ok(read) => {
                    let block = read.map_err(|e| self.failed(e))?;
                    let old = std::mem::replace(&mut self.block, block);
                    self.taken = 0;
                    // A block that finds no place, or whose thread is gone, is not needed any more.
                    if let Err(TrySendError::Full(old) | TrySendError::Disconnected(old)) = self.used.try_send(old) {
                        drop(old);
                    }
                }
                Err(TryRecvError::Empty) => return Ok(if self.soon { Read::Soon } else { Read::Wait }),
                Err(TryRecvError::Disconnected) => {
                    return Err(self.failed(io::Error::other("the thread that reads it has stopped")));
                }
            }
        }
        let rest = &self.block[self.taken..];
        if rest.is_empty() {
            return Ok(Read::End);
        }
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        self.position += n as u64;
        Ok(Read::Bytes(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut blocks: Blocks) -> (Vec<u8>, Option<String>) {
        let (mut bytes, mut into) = (Vec::new(), [0; 1000]);
        loop {
            match blocks.read(&mut into) {
                Ok(Read::Bytes(n)) => bytes.extend_from_slice(&into[..n]),
                Ok(Read::Next | Read::End) => return (bytes, None),
                Ok(Read::Wait | Read::Soon) => std::thread::yield_now(),
                Err(error) => return (bytes, Some(error.message)),
            }
        }
    }

    #[test]
    fn blocks_give_all_bytes_of_the_reader() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let blocks = Blocks::spawn("x", io::Cursor::new(bytes.clone()), 0, true).unwrap();
        assert_eq!(all(blocks), (bytes, None));
    }

    #[test]
    fn a_failure_and_a_panic_of_the_reader_are_errors_behind_its_bytes() {
        struct Fails(usize, bool);
        impl io::Read for Fails {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    assert!(!self.1, "a reader that panics");
                    return Err(io::Error::other("broken"));
                }
                let n = self.0.min(into.len());
                self.0 -= n;
                Ok(n)
            }
        }
        for (panics, expected) in [(false, "broken"), (true, "has stopped")] {
            let (bytes, failure) = all(Blocks::spawn("x", Fails(100_000, panics), 7, false).unwrap());
            let failure = failure.unwrap();
            assert_eq!(bytes.len(), 100_000);
            assert!(failure.contains(expected) && failure.contains("100007"), "{failure}");
        }
    }
}
