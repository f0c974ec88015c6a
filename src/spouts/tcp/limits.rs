//! How many files the process may have open, which connections are.

use std::io;

/// Open files that are left to everything else: the store, topics, sinks.
const OTHERS: u64 = 512;
/// Connections where the user names no number and the system allows as many.
const CONNECTIONS: u64 = 10_000;

/// Raises the process's limit of open files as far as connections need it; how many connections there can be.
///
/// # Errors
/// The user's number is more than the system allows: in words.
pub(super) fn connections(wanted: Option<u64>) -> Result<usize, String> {
    let (soft, hard) = open_files().map_err(|e| format!("the limit of open files cannot be read: {e}"))?;
    let possible = hard.saturating_sub(OTHERS).max(1);
    let connections = match wanted {
        Some(wanted) if wanted > possible => {
            return Err(format!(
                "`max_connections` is {wanted}, but the system allows this process {hard} open files, of which {OTHERS} \
                 are for other things: at most {possible} connections; raise the limit (`ulimit -Hn`) or lower \
                 `max_connections`"
            ));
        }
        Some(wanted) => wanted,
        None => CONNECTIONS.min(possible),
    };
    let needed = (connections + OTHERS).min(hard);
    if soft < needed {
        raise(needed, hard).map_err(|e| format!("the limit of open files cannot be raised to {needed}: {e}"))?;
    }
    Ok(usize::try_from(connections).unwrap_or(usize::MAX))
}

/// What the process may have open now, and up to where it may raise that itself.
fn open_files() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live value of the type that the call fills.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => Ok((limit.rlim_cur, limit.rlim_max)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn raise(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the pointer is to a live value, which the call only reads.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_system_allows_is_refused_with_what_it_allows() {
        let (_, hard) = open_files().unwrap();
        assert_eq!(connections(Some(10)), Ok(10));
        assert!(connections(None).unwrap() >= 1);
        if let Some(wanted) = hard.checked_add(1) {
            let said = connections(Some(wanted)).unwrap_err();
            assert!(said.contains(&format!("allows this process {hard} open files")), "{said}");
        }
    }
}
