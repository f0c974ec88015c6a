//! A directory belongs to one process at a time.

use super::backend::StoreError;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// A directory that is held by this process until the value is dropped; the system lets it go when the process dies.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes a directory, which is made if it is not there.
    ///
    /// # Errors
    /// Another process holds it, which is named; or the directory cannot be written.
    pub fn take(directory: &Path) -> Result<DirLock, StoreError> {
        let path = directory.join("lock");
        let outside = |why: std::io::Error| StoreError::Outside {
            what: format!("{} cannot be written", path.display()),
            why: why.to_string(),
            cure: "give a directory that can be written with `data_dir` or --data-dir",
        };
        std::fs::create_dir_all(directory).map_err(outside)?;
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(outside)?;
        // SAFETY: locks a file that is open.
        let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
        if !locked {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
            return Err(StoreError::Refused(format!(
                "{} is in use by {holder}; stop that process, or use another `data_dir`",
                directory.display()
            )));
        }
        file.set_len(0).map_err(outside)?;
        file.rewind().map_err(outside)?;
        writeln!(file, "{}", std::process::id()).map_err(outside)?;
        Ok(DirLock { _file: file })
    }
}
