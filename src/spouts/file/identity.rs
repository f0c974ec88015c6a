//! Whether a file is the one that was read before.

use super::source::read_up_to;
use crate::component::ComponentError;
use std::fs::File;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// A file is told by so many of its first bytes: a file that grows keeps them.
const FIRST_BYTES: usize = 4096;

/// What tells this file from another one under its name: how many of its first bytes were looked at, and their hash.
/// `before` is what was said of it when it was last read.
///
/// # Errors
/// It cannot be read, or is another one.
pub(super) fn same(path: &Path, spout: &str, before: &str) -> Result<String, ComponentError> {
    let failed = |e: std::io::Error| ComponentError::io(format!("{} cannot be read: {e}", path.display()), e);
    let mut first = [0; FIRST_BYTES];
    let length = File::open(path).and_then(|mut file| read_up_to(&mut file, &mut first)).map_err(failed)?;
    let known = before.split_once(':').and_then(|(length, _)| length.parse::<usize>().ok());
    if let Some(known) = known
        && identity(&first[..length.min(known)]) != before
    {
        let what = if length < known { "it is shorter" } else { "it begins differently" };
        return Err(ComponentError::new(format!(
            "{} is not the file that was read before: {what}; put the old file back, or start once with \
             `--reset-state {spout}`, which reads it from its start",
            path.display()
        )));
    }
    Ok(identity(&first[..length]))
}

fn identity(bytes: &[u8]) -> String {
    format!("{}:{:016x}", bytes.len(), xxh3_64(bytes))
}
