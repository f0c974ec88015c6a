use super::*;
use std::path::PathBuf;

/// A folder of its own on the disk that goes when the test ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn everywhere(test: impl Fn(&dyn Files, &Path)) {
    let folder = Folder(std::env::temp_dir().join(format!("sferic-files-{}", std::process::id())));
    let _ = std::fs::remove_dir_all(&folder.0);
    test(&DiskFiles, &folder.0.join("a/b"));
    test(&MemoryFiles::new(), Path::new("a/b"));
}

#[test]
fn disk_and_memory_are_alike() {
    everywhere(|files, folder| {
        assert_eq!(files.list(folder).unwrap_err().kind(), io::ErrorKind::NotFound);
        files.create_dir(folder).unwrap();
        files.create_dir(folder).unwrap();
        let (x, y) = (folder.join("x"), folder.join("y"));
        assert_eq!(files.open(&x, Access::Write).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = files.create(&x).unwrap();
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello ", 0).unwrap();
        let mut bytes = [0; 20];
        assert_eq!((file.read_at(&mut bytes, 1).unwrap(), &bytes[..10]), (10, &b"ello world"[..]));
        assert_eq!(file.read_at(&mut bytes, 11).unwrap(), 0);
        assert_eq!(file.read_at(&mut bytes, 100).unwrap(), 0);
        file.truncate(5).unwrap();
        file.sync().unwrap();
        assert_eq!((file.len().unwrap(), file.is_empty().unwrap()), (5, false));
        assert!(files.open(&x, Access::Read).unwrap().write_at(b"x", 0).is_err());
        files.rename(&x, &y).unwrap();
        files.sync_dir(folder).unwrap();
        assert_eq!(read(files, &y).unwrap(), b"hello");
        replace(files, &y, b"new").unwrap();
        assert_eq!(read(files, &y).unwrap(), b"new");
        assert_eq!(files.list(folder).unwrap(), ["y"]);
        let (held, lock) = (files.lock(&folder.join("lock")).unwrap(), folder.join("lock"));
        let id = std::process::id();
        assert!(matches!(files.lock(&lock), Err(LockError::Held(Some(held))) if held == id));
        drop(held);
        drop(files.lock(&lock).unwrap());
        files.remove(&y).unwrap();
        assert_eq!(files.remove(&y).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(files.create(&y).unwrap().len().unwrap(), 0);
    });
}

#[test]
fn a_crash_keeps_what_was_synced_and_any_part_of_the_rest() {
    let mut contents = std::collections::BTreeSet::new();
    for seed in 0..200u64 {
        let files = MemoryFiles::new();
        let path = Path::new("f");
        let file = files.create(path).unwrap();
        file.write_at(b"abc", 0).unwrap();
        file.sync().unwrap();
        files.sync_dir(Path::new("")).unwrap();
        file.write_at(b"def", 3).unwrap();
        file.write_at(b"ghi", 6).unwrap();
        files.create(Path::new("unsynced")).unwrap();
        let mut state = seed;
        files.crash(&mut |n| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        });
        assert!(file.read_at(&mut [0], 0).is_err(), "the handle is of another life");
        let kept = read(&files, path).unwrap();
        assert!(kept.starts_with(b"abc") && kept.len() <= 9);
        contents.insert((kept, files.list(Path::new("")).unwrap().len()));
    }
    let has = |bytes: &[u8]| contents.iter().any(|(kept, _)| kept == bytes);
    assert!(has(b"abc") && has(b"abcdefghi") && has(b"abcd") && has(b"abc\0\0\0ghi"), "{contents:?}");
    assert!(contents.iter().any(|(_, names)| *names == 1) && contents.iter().any(|(_, names)| *names == 2));
}

#[test]
fn a_sync_fails_when_told_and_a_full_disk_takes_what_fits() {
    let files = MemoryFiles::new();
    let file = files.create(Path::new("f")).unwrap();
    files.sync_dir(Path::new("")).unwrap();
    files.fail_sync(1);
    file.sync().unwrap();
    file.write_at(b"lost", 0).unwrap();
    assert!(file.sync().is_err());
    // The second one succeeds and has nothing to do: who believes it loses data.
    file.write_at(b"x", 4).unwrap();
    files.set_capacity(Some(7));
    assert_eq!(file.write_at(b"12345", 5).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((file.len().unwrap(), files.used()), (7, 7));
    files.set_capacity(None);
    file.write_at(b"12345", 5).unwrap();
    assert_eq!(read(&files, Path::new("f")).unwrap(), b"lostx12345");
}
