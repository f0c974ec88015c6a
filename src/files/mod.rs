//! Files as what is durable needs them: few calls, each of which a faulty disk can be put under.
//!
//! Owns [`Files`] and [`File`], the operating system's ([`DiskFiles`]) and one in memory that loses what was not synced,
//! fails when it is told to, and runs full ([`MemoryFiles`]). Never buffers, never retries, knows no format.
//!
//! What a caller may rely on after a crash, and nothing else:
//! - bytes written before a [`File::sync`] that succeeded are there;
//! - names made, moved or removed before a [`Files::sync_dir`] of their folder that succeeded are so;
//! - of everything later any part may be there, in any order, also half of a write.

mod disk;
mod memory;

pub use disk::DiskFiles;
pub use memory::MemoryFiles;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading; the file may belong to somebody else.
    Read,
    /// Reading and writing.
    Write,
}

/// A tree of files.
pub trait Files: Send + Sync + Debug {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// It is not there ([`io::ErrorKind::NotFound`]), or not ours.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;

    /// Makes an empty file, for reading and writing; one that is there is emptied.
    ///
    /// # Errors
    /// Its folder is not there, the disk is full, ...
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name in the same folder, over one that has it: at any moment one of the two is there, whole.
    ///
    /// # Errors
    /// It is not there, or not ours.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open reads on.
    ///
    /// # Errors
    /// It is not there, or not ours.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, files and folders alike, sorted.
    ///
    /// # Errors
    /// It is not there, or not ours.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and those above it, durably; that it is there already is no error.
    ///
    /// # Errors
    /// A file is in the way, or the folder above is not ours.
    fn create_dir(&self, folder: &Path) -> io::Result<()>;

    /// Makes what happened to the names in a folder durable.
    ///
    /// # Errors
    /// The disk refuses; what is durable is then not known.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;

    /// Locks a file for as long as the answer lives, against other processes and this one; makes it if need be.
    ///
    /// # Errors
    /// It is held ([`LockError::Held`]), or cannot be made.
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError>;

    /// Tells one tree from another within the process: equal for values that see the same files.
    fn identity(&self) -> usize;
}

/// An open file. All calls may be made from several threads.
pub trait File: Send + Sync + Debug {
    /// Reads bytes from `at` on: as many as there are, at most as fit; less only at the end of the file.
    ///
    /// # Errors
    /// The disk refuses.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all bytes at `at`. After an error any part of them may have been written.
    ///
    /// # Errors
    /// The disk is full or refuses; the same write may be tried again.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// The disk refuses: what was written may be lost, and a second call that succeeds says nothing about it.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// The disk refuses.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// The disk refuses.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds nothing.
    ///
    /// # Errors
    /// The disk refuses.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// A lock that is held; dropping it lets go.
pub trait Lock: Send + Sync + Debug {}

/// Why a lock was not given.
#[derive(Debug)]
pub enum LockError {
    /// Somebody holds it: the process with this id, if it is known.
    Held(Option<u32>),
    /// The lock's file cannot be used.
    Io(io::Error),
}

/// The whole content of a small file.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read(files: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path, Access::Read)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::other("the file is too large"))?;
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Puts `bytes` in the place of a small file, durably: after a crash the old content or the new one is there, whole.
///
/// # Errors
/// The disk is full or refuses; the old content is still there.
pub fn replace(files: &dyn Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = files.create(&beside)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    files.rename(&beside, path)?;
    match path.parent() {
        Some(folder) => files.sync_dir(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
