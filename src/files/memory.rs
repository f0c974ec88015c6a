//! Files in memory that fail like real ones.
//!
//! 1. What was written is *live* at once; a sync makes the live content *durable*. Names have a live and a durable map
//!    in the same way.
//! 2. [`MemoryFiles::crash`] decides for every write, cut and name since the last sync whether it has reached the disk:
//!    wholly, in part, or not at all, each for itself, as the blocks of a real disk do. Then only that is there.
//! 3. Handles and locks from before a crash are dead: every call fails.
//! 4. [`MemoryFiles::fail_sync`], [`MemoryFiles::set_capacity`]: syncs that fail and lose, a disk that is full.

use super::{Access, File, Files, Lock, LockError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A tree of files in memory; clones see the same files.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    tree: Arc<Mutex<Tree>>,
}

#[derive(Debug, Default)]
struct Tree {
    /// Counts crashes.
    life: u64,
    live: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    durable: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    folders: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    capacity: Option<u64>,
    /// Syncs until one fails.
    fail_sync: Option<u64>,
    /// Syncs that have failed.
    failed_syncs: u64,
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

/// A panic elsewhere leaves what the lock protects whole: each change is one call.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryFiles {
    /// Nothing but the root.
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }

    /// The machine stops and starts again. `draw(n)` answers a number below `n` (at least 1) and decides what of the
    /// unsynced has been lost.
    pub fn crash(&self, draw: &mut dyn FnMut(u64) -> u64) {
        let mut tree = hold(&self.tree);
        tree.life += 1;
        tree.locks.clear();
        tree.fail_sync = None;
        let changed: BTreeSet<PathBuf> = tree.live.keys().chain(tree.durable.keys()).cloned().collect();
        for path in changed {
            let (live, durable) = (tree.live.get(&path).cloned(), tree.durable.get(&path).cloned());
            let same = match (&live, &durable) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (a, b) => a.is_none() && b.is_none(),
            };
            if same || draw(2) == 0 {
                continue;
            }
            match live {
                Some(content) => tree.durable.insert(path, content),
                None => tree.durable.remove(&path),
            };
        }
        tree.live = tree.durable.clone();
        let mut seen: Vec<*const Mutex<Content>> = Vec::new();
        for content in tree.live.values() {
            if seen.contains(&Arc::as_ptr(content)) {
                continue;
            }
            seen.push(Arc::as_ptr(content));
            hold(content).crash(draw);
        }
    }

    /// The sync after `others` further ones fails, and what it should have made durable is not.
    pub fn fail_sync(&self, others: u64) {
        hold(&self.tree).fail_sync = Some(others);
    }

    /// At most so many bytes of content; none: no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        hold(&self.tree).capacity = bytes;
    }

    /// No failure waits any more, there is room, and none has been counted.
    pub fn calm(&self) {
        let mut tree = hold(&self.tree);
        (tree.fail_sync, tree.capacity, tree.failed_syncs) = (None, None, 0);
    }

    /// How many syncs have failed since the last [`MemoryFiles::calm`].
    pub fn failed_syncs(&self) -> u64 {
        hold(&self.tree).failed_syncs
    }

    /// Bytes of content.
    pub fn used(&self) -> u64 {
        hold(&self.tree).used()
    }

    /// Changes content behind everybody's back, as a failing disk does.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let content = hold(&self.tree).live.get(path).cloned();
        if let Some(content) = content {
            let mut content = hold(&content);
            change(&mut content.live);
            content.durable = content.live.clone();
            content.pending.clear();
        }
    }

    fn handle(&self, tree: &Tree, content: &Arc<Mutex<Content>>, access: Access) -> Arc<dyn File> {
        Arc::new(InMemory { tree: self.tree.clone(), life: tree.life, content: content.clone(), access })
    }
}

impl Tree {
    fn used(&self) -> u64 {
        self.live.values().map(|c| hold(c).live.len() as u64).sum()
    }

    fn sync_fails(&mut self) -> bool {
        match &mut self.fail_sync {
            Some(0) => {
                self.fail_sync = None;
                self.failed_syncs += 1;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn parent_is_there(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if !is_root(parent) && !self.folders.contains(parent) => Err(missing(parent)),
            _ => Ok(()),
        }
    }
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("/")
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

impl Content {
    fn crash(&mut self, draw: &mut dyn FnMut(u64) -> u64) {
        for change in std::mem::take(&mut self.pending) {
            match (change, draw(4)) {
                (_, 0) => {}
                (Change::Truncate(len), _) => self.durable.resize(len as usize, 0),
                (Change::Write(at, bytes), 1) => {
                    let kept = draw(bytes.len() as u64 + 1) as usize;
                    put(&mut self.durable, at, &bytes[..kept]);
                }
                (Change::Write(at, bytes), 2) => {
                    // The file is as long as it was to be, and what should stand there is not.
                    let end = (at as usize + bytes.len()).max(self.durable.len());
                    self.durable.resize(end, 0);
                }
                (Change::Write(at, bytes), _) => put(&mut self.durable, at, &bytes),
            }
        }
        self.live = self.durable.clone();
    }
}

fn put(into: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (start, end) = (at as usize, at as usize + bytes.len());
    if into.len() < end {
        into.resize(end, 0);
    }
    into[start..end].copy_from_slice(bytes);
}

impl Files for MemoryFiles {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let tree = hold(&self.tree);
        let content = tree.live.get(path).ok_or_else(|| missing(path))?;
        Ok(self.handle(&tree, content, access))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut tree = hold(&self.tree);
        tree.parent_is_there(path)?;
        if let Some(content) = tree.live.get(path) {
            let file = self.handle(&tree, content, Access::Write);
            drop(tree);
            file.truncate(0)?;
            return Ok(file);
        }
        let content = Arc::<Mutex<Content>>::default();
        tree.live.insert(path.to_owned(), content.clone());
        Ok(self.handle(&tree, &content, Access::Write))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = hold(&self.tree);
        let content = tree.live.remove(from).ok_or_else(|| missing(from))?;
        tree.live.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        hold(&self.tree).live.remove(path).map(|_| ()).ok_or_else(|| missing(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let tree = hold(&self.tree);
        if !is_root(folder) && !tree.folders.contains(folder) {
            return Err(missing(folder));
        }
        let all = tree.live.keys().chain(&tree.folders).filter(|p| p.parent() == Some(folder));
        let names: BTreeSet<String> = all.filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect();
        Ok(names.into_iter().collect())
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        let mut tree = hold(&self.tree);
        tree.folders.extend(folder.ancestors().filter(|p| !is_root(p)).map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut tree = hold(&self.tree);
        if tree.sync_fails() {
            return Err(io::Error::other("the disk refuses"));
        }
        let here = |path: &Path| path.parent() == Some(folder);
        tree.durable.retain(|path, _| !here(path));
        let names: Vec<_> = tree.live.iter().filter(|(p, _)| here(p)).map(|(p, c)| (p.clone(), c.clone())).collect();
        tree.durable.extend(names);
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, LockError> {
        let mut tree = hold(&self.tree);
        tree.parent_is_there(path).map_err(LockError::Io)?;
        if !tree.locks.insert(path.to_owned()) {
            return Err(LockError::Held(Some(std::process::id())));
        }
        Ok(Box::new(Held { tree: self.tree.clone(), life: tree.life, path: path.to_owned() }))
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.tree) as usize
    }
}

#[derive(Debug)]
struct Held {
    tree: Arc<Mutex<Tree>>,
    life: u64,
    path: PathBuf,
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut tree = hold(&self.tree);
        if tree.life == self.life {
            tree.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct InMemory {
    tree: Arc<Mutex<Tree>>,
    life: u64,
    content: Arc<Mutex<Content>>,
    access: Access,
}

impl InMemory {
    fn alive(&self) -> io::Result<MutexGuard<'_, Tree>> {
        let tree = hold(&self.tree);
        if tree.life != self.life {
            return Err(io::Error::other("the machine has stopped since this file was opened"));
        }
        Ok(tree)
    }

    fn writable(&self) -> io::Result<MutexGuard<'_, Tree>> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.alive()
    }
}

impl File for InMemory {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let _tree = self.alive()?;
        let content = hold(&self.content);
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(content.live.len());
        let n = into.len().min(content.live.len() - start);
        into[..n].copy_from_slice(&content.live[start..start + n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let tree = self.writable()?;
        let used = tree.used();
        let mut content = hold(&self.content);
        let len = content.live.len() as u64;
        let room = tree.capacity.map_or(u64::MAX, |c| len + c.saturating_sub(used));
        // A full disk takes what fits.
        let fits = bytes.len().min(usize::try_from(room.saturating_sub(at)).unwrap_or(usize::MAX));
        put(&mut content.live, at, &bytes[..fits]);
        content.pending.push(Change::Write(at, bytes[..fits].to_vec()));
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut tree = self.alive()?;
        let mut content = hold(&self.content);
        if tree.sync_fails() {
            // As the page cache does: what was dirty counts as clean from now on, and is on no disk.
            content.pending.clear();
            return Err(io::Error::other("the disk refuses"));
        }
        content.durable = content.live.clone();
        content.pending.clear();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let _tree = self.writable()?;
        let mut content = hold(&self.content);
        content.live.resize(len as usize, 0);
        content.pending.push(Change::Truncate(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let _tree = self.alive()?;
        Ok(hold(&self.content).live.len() as u64)
    }
}
