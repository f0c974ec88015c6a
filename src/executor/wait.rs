//! Waiting: what the thread around an executor's steps does when a step found nothing to do.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// How an executor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Spins: the fastest, and burns its core.
    Spin,
    /// Yields to the scheduler after each empty step.
    Yield,
    /// Parks at once.
    Park,
    /// Spins for some microseconds, then yields, then parks.
    Adaptive,
}

/// Empty steps after which `Adaptive` yields, and after which it parks.
const SPINS: u32 = 2_000;
const YIELDS: u32 = 2_200;

/// The shortest sleep that waits for sockets: the system counts it in milliseconds.
const SOCKETS: Duration = Duration::from_millis(1);

/// Where an executor sleeps, and how others wake it.
#[derive(Debug, Default)]
pub struct Parker {
    sleeping: AtomicBool,
    thread: Mutex<Option<Thread>>,
    /// Written to by those who wake it, read by itself; only where it has waited for sockets.
    bell: OnceLock<Option<(UnixStream, UnixStream)>>,
}

impl Parker {
    /// The calling thread is the one that will sleep here.
    pub fn register(&self) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current());
    }

    /// Wakes the executor if it sleeps; to be called after something was published for it.
    #[inline]
    pub fn wake(&self) {
        // The fence partners with the one in `park`: either the sleeper's last look sees what was published before
        // this fence, or this load sees that it is about to sleep.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    #[cold]
    fn unpark(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
        if let Some(Some((_, bell))) = self.bell.get() {
            // Where it is full, it has been rung.
            let _ = (&*bell).write(&[1]);
        }
    }

    /// Sleeps until woken, until one of `sockets` can be read, or for `limit`, unless `ready` says that something has come
    /// meanwhile.
    pub fn park(&self, limit: Duration, sockets: &[RawFd], ready: impl FnOnce() -> bool) {
        let bell = match sockets {
            [] => None,
            _ => self.bell.get_or_init(bell).as_ref(),
        };
        self.sleeping.store(true, Ordering::Relaxed);
        // See `wake`.
        fence(Ordering::SeqCst);
        if !ready() {
            match bell {
                Some((bell, _)) if limit >= SOCKETS => wait_for(bell, sockets, limit),
                _ => std::thread::park_timeout(limit),
            }
        }
        // Relaxed: a stale true costs the waker one needless call.
        self.sleeping.store(false, Ordering::Relaxed);
    }
}

/// A bell; none where the system has no more descriptors.
fn bell() -> Option<(UnixStream, UnixStream)> {
    let (read, write) = UnixStream::pair().ok()?;
    read.set_nonblocking(true).and_then(|()| write.set_nonblocking(true)).ok()?;
    Some((read, write))
}

/// Sleeps until the bell or one of the sockets can be read.
fn wait_for(bell: &UnixStream, sockets: &[RawFd], limit: Duration) {
    let all = std::iter::once(bell.as_raw_fd()).chain(sockets.iter().copied());
    let mut waits: Vec<libc::pollfd> = all.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the array is as long as is said. Whatever comes back, the next step looks at everything.
    unsafe { libc::poll(waits.as_mut_ptr(), waits.len() as libc::nfds_t, millis) };
    let mut rung = [0; 64];
    while (&*bell).read(&mut rung).is_ok_and(|count| count == rung.len()) {}
}

/// What to do after so many empty steps in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// `spin_loop`.
    Spin,
    /// `yield_now`.
    Yield,
    /// Park.
    Park,
}

impl Wait {
    /// What to do after `empty` empty steps in a row (at least one).
    pub fn pause(self, empty: u32) -> Pause {
        match self {
            Wait::Spin => Pause::Spin,
            Wait::Yield => Pause::Yield,
            Wait::Park => Pause::Park,
            Wait::Adaptive if empty < SPINS => Pause::Spin,
            Wait::Adaptive if empty < YIELDS => Pause::Yield,
            Wait::Adaptive => Pause::Park,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// So long that a test in which nothing wakes it never ends.
    const LONG: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn a_socket_that_can_be_read_ends_the_sleep() {
        let (socket, mut other) = UnixStream::pair().unwrap();
        let parker = Parker::default();
        parker.register();
        other.write_all(b"x").unwrap();
        parker.park(LONG, &[socket.as_raw_fd()], || false);
    }

    #[test]
    fn who_waits_for_sockets_is_woken_by_others_too() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let parker = Arc::new(Parker::default());
        parker.register();
        for _ in 0..20 {
            let waker = parker.clone();
            // It is woken once it is about to sleep.
            let woken = std::thread::spawn(move || {
                while !waker.sleeping.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                waker.wake();
            });
            parker.park(LONG, &[socket.as_raw_fd()], || false);
            woken.join().unwrap();
        }
        // Nobody has slept through a call, and none is left over: what is ready is not waited for.
        parker.park(LONG, &[socket.as_raw_fd()], || true);
    }
}
