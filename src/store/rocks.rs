//! RocksDB, and a folder of segment files beside it: `rocks/` and `segments/` in the directory of a topology.
//!
//! One column family; the key's first byte tells what a pair is ([`super::space`]). Expired state is dropped while
//! RocksDB compacts, so nothing has to look for it.

use super::backend::{Backend, Batch, Operation, StoreError, StoreStats};
use super::layout::{self, Expiry};
use rocksdb::statistics::Ticker;
use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, Options, ReadOptions, WriteBatch, WriteOptions};
use rocksdb::{CompactionDecision, ErrorKind};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory for cached blocks, bytes: what is hot lives in the tasks themselves.
const CACHE_BYTES: usize = 64 << 20;
/// A table of changes that have not been sorted into files yet, bytes, and how many there may be. Not larger than a
/// cache that the cores share: what is written looks up its place in it.
const TABLE_BYTES: usize = 32 << 20;
const TABLES: i32 = 4;
/// The part of such a table that is its bloom filter: some sixteen bits for each key, few enough to stay in a cache.
const MEMTABLE_BLOOM: f64 = 0.02;
/// Such a table begins its search for the place of a key where the last one of the same shard went, which is near, since
/// keys come in their order. There is no call for it.
const HINT: &str = "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.2";
/// Bits of the bloom filters a key: one absent key in a hundred is looked for in vain.
const BLOOM_BITS: f64 = 10.0;

/// A store on disk.
pub struct Rocks {
    db: DB,
    options: Options,
    folder: PathBuf,
    segments: Mutex<HashMap<u32, Arc<File>>>,
    /// Memory for the order of operations.
    order: Mutex<Vec<Found>>,
    forget: Arc<AtomicI64>,
    given: AtomicU64,
    read_only: bool,
}

fn outside(what: String, error: &impl ToString, cure: &'static str) -> StoreError {
    StoreError::Outside { what, why: error.to_string(), cure }
}

fn unwritten(what: String, error: &impl ToString) -> StoreError {
    StoreError::Unwritten { what, why: error.to_string() }
}

/// Whether RocksDB takes the same batch again after this answer to it. A disk without room it watches by itself: when
/// as much is free again as a table of changes takes, it writes its tables, leaves the log that could not be continued
/// behind, and takes batches again; until then it refuses each with the first answer. After every other failure, that of
/// a sync above all, it stays closed until it is opened anew.
fn is_full(error: &rocksdb::Error) -> bool {
    let text = error.to_string();
    let synced = ["While fdatasync", "While fsync", "While sync_file_range"].iter().any(|call| text.contains(call));
    error.kind() == ErrorKind::IOError && text.contains("No space left on device") && !synced
}

const FREE: &str = "make room on the disk or repair it, then start again: the last committed epoch is whole";

impl Rocks {
    /// Opens the store in a directory, which is made if it is not there. Background threads of RocksDB run on the
    /// cores of the calling thread.
    ///
    /// # Errors
    /// The directory cannot be written, or what is in it is damaged.
    pub fn open(directory: &Path) -> Result<Rocks, StoreError> {
        keep_memory();
        let folder = directory.join("segments");
        fs::create_dir_all(&folder).map_err(|error| {
            let what = format!("the data directory {} cannot be made", directory.display());
            outside(what, &error, "give a directory that can be written with `data_dir` or --data-dir")
        })?;
        let forget = Arc::new(AtomicI64::new(i64::MIN));
        let options = options(&forget);
        let path = directory.join("rocks");
        let db = DB::open(&options, &path).map_err(|error| refusal(&path, &error))?;
        Ok(Rocks::with(db, options, folder, forget, false))
    }

    /// Opens the store as it stands, for reading: what is committed later is not seen. Works while another process
    /// writes it.
    ///
    /// # Errors
    /// There is none, or what is there is damaged.
    pub fn open_read_only(directory: &Path) -> Result<Rocks, StoreError> {
        let path = directory.join("rocks");
        let forget = Arc::new(AtomicI64::new(i64::MIN));
        let mut options = options(&forget);
        options.create_if_missing(false);
        let db = DB::open_for_read_only(&options, &path, false).map_err(|error| refusal(&path, &error))?;
        Ok(Rocks::with(db, options, directory.join("segments"), forget, true))
    }

    fn with(db: DB, options: Options, folder: PathBuf, forget: Arc<AtomicI64>, read_only: bool) -> Rocks {
        let (segments, order, given) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Rocks { db, options, folder, segments, order, forget, given, read_only }
    }

    fn path(&self, segment: u32) -> PathBuf {
        self.folder.join(format!("{segment:010}.seg"))
    }

    /// The open file of a segment; none if there is no such segment.
    fn file(&self, segment: u32, create: bool) -> Result<Option<Arc<File>>, StoreError> {
        let mut open = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment) {
            return Ok(Some(file.clone()));
        }
        let path = self.path(segment);
        match OpenOptions::new().read(true).write(!self.read_only).create(create).truncate(false).open(&path) {
            Ok(file) => {
                let file = Arc::new(file);
                if create {
                    // The name itself must outlive a crash.
                    File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|error| {
                        outside(format!("{} cannot be synced", self.folder.display()), &error, FREE)
                    })?;
                }
                open.insert(segment, file.clone());
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
            Err(error) if create => Err(unwritten(format!("{} cannot be made", path.display()), &error)),
            Err(error) => Err(outside(format!("{} cannot be opened", path.display()), &error, FREE)),
        }
    }
}

fn options(forget: &Arc<AtomicI64>) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    blocks.set_bloom_filter(BLOOM_BITS, false);
    blocks.set_whole_key_filtering(true);
    let mut options = Options::default().get_options_from_string(HINT).unwrap_or_default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(TABLE_BYTES);
    options.set_max_write_buffer_number(TABLES);
    options.set_max_background_jobs(2);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_bytes_per_sync(1 << 20);
    // One thread writes, in the order of keys.
    options.set_allow_concurrent_memtable_write(false);
    options.set_memtable_whole_key_filtering(true);
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM);
    options.set_keep_log_file_num(2);
    options.enable_statistics();
    options.set_statistics_level(rocksdb::statistics::StatsLevel::ExceptTimers);
    let forget = forget.clone();
    options.set_compaction_filter("expired", move |_, key, value| {
        // Relaxed: an old answer keeps a value a little longer.
        match layout::expiry(key, value) {
            Expiry::At(time) if time < forget.load(Ordering::Relaxed) => CompactionDecision::Remove,
            _ => CompactionDecision::Keep,
        }
    });
    options
}

/// Where an operation is, by the first bytes of its key.
type Found = ([u64; 2], u64);
/// Bits of it for the place within a batch; the rest is the number of the batch.
const PLACE_BITS: u32 = 40;

/// Finds all operations in the order of their keys, those of one key as they came: a sorted table of changes finds the
/// place of each beside that of the one before.
fn sort(batches: &[Batch], found: &mut Vec<Found>) {
    found.clear();
    for (batch, number) in batches.iter().zip(0u64..) {
        let mut at = 0;
        while let Some((Operation::Put(key, _) | Operation::Delete(key), end)) = batch.operation_at(at) {
            let mut bytes = [0; 16];
            let length = key.len().min(16);
            bytes[..length].copy_from_slice(&key[..length]);
            let prefix = u128::from_be_bytes(bytes);
            found.push(([(prefix >> 64) as u64, prefix as u64], number << PLACE_BITS | at as u64));
            at = end;
        }
    }
    // Place last: no two are the same.
    found.sort_unstable();
}

/// The operation at a place that was found.
fn operation(batches: &[Batch], place: u64) -> Option<Operation<'_>> {
    let (batch, at) = (place >> PLACE_BITS, place & ((1 << PLACE_BITS) - 1));
    Some(batches.get(batch as usize)?.operation_at(at as usize)?.0)
}

/// Large pieces of memory stay with the process: RocksDB asks for them and gives them back with every epoch, and what
/// goes back to the system makes all threads that share the address space stand still. One arena: another one could not
/// hold the largest pieces, and each keeps what it has.
fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` sets numbers of the allocator of C, and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn refusal(path: &Path, error: &rocksdb::Error) -> StoreError {
    let what = path.display().to_string();
    match error.kind() {
        ErrorKind::Corruption => StoreError::Damaged { what, why: error.to_string() },
        ErrorKind::IOError if error.to_string().contains("lock") => StoreError::Refused(format!(
            "{what} is in use by another process; stop it, or give this one another `data_dir`"
        )),
        _ => outside(
            format!("the state in {what} cannot be opened"),
            error,
            "see that the directory exists, can be read and written, and is on a disk with room",
        ),
    }
}

impl Backend for Rocks {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get(key).map_err(|error| refusal(self.db.path(), &error))
    }

    fn multi_get(&self, keys: &[&[u8]], each: &mut dyn FnMut(usize, &[u8])) -> Result<(), StoreError> {
        // With one column family the plain call is the one that goes through the tables with all keys at once.
        for (index, value) in self.db.multi_get(keys).into_iter().enumerate() {
            if let Some(value) = value.map_err(|error| refusal(self.db.path(), &error))? {
                each(index, &value);
            }
        }
        Ok(())
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        let mut iterator = self.db.raw_iterator_opt(options);
        iterator.seek_to_first();
        while let Some((key, value)) = iterator.item() {
            if !each(key, value) {
                break;
            }
            iterator.next();
        }
        iterator.status().map_err(|error| refusal(self.db.path(), &error))
    }

    fn write(&self, batches: &[Batch]) -> Result<(), StoreError> {
        let bytes: usize = batches.iter().map(Batch::size_bytes).sum();
        let mut all = WriteBatch::with_capacity_bytes(bytes + 64);
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        sort(batches, &mut order);
        for (_, place) in &*order {
            match operation(batches, *place) {
                Some(Operation::Put(key, value)) => all.put(key, value),
                Some(Operation::Delete(key)) => all.delete(key),
                None => {}
            }
        }
        drop(order);
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.given.fetch_add(bytes as u64, Ordering::Relaxed);
        self.db.write_opt(all, &options).map_err(|error| {
            let what = format!("an epoch cannot be written to {}", self.db.path().display());
            if is_full(&error) { unwritten(what, &error) } else { outside(what, &error, FREE) }
        })
    }

    fn segment_write(&self, segment: u32, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let failed =
            |error: &io::Error| unwritten(format!("{} cannot be written", self.path(segment).display()), error);
        let file = self.file(segment, true)?.ok_or_else(|| failed(&io::ErrorKind::NotFound.into()))?;
        self.given.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        file.write_all_at(bytes, at).map_err(|error| failed(&error))
    }

    fn segment_sync(&self, segment: u32) -> Result<(), StoreError> {
        let Some(file) = self.file(segment, false)? else { return Ok(()) };
        file.sync_data()
            .map_err(|error| outside(format!("{} cannot be synced", self.path(segment).display()), &error, FREE))
    }

    fn segment_read(&self, segment: u32, at: u64, into: &mut [u8]) -> Result<bool, StoreError> {
        let Some(file) = self.file(segment, false)? else { return Ok(false) };
        match file.read_exact_at(into, at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(outside(format!("{} cannot be read", self.path(segment).display()), &error, FREE)),
        }
    }

    fn segment_remove(&self, segment: u32) -> Result<(), StoreError> {
        if self.read_only {
            // Another process may be writing it.
            return Ok(());
        }
        self.segments.lock().unwrap_or_else(PoisonError::into_inner).remove(&segment);
        match fs::remove_file(self.path(segment)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(outside(format!("{} cannot be removed", self.path(segment).display()), &error, FREE))
            }
            _ => Ok(()),
        }
    }

    fn segments(&self) -> Result<Vec<u32>, StoreError> {
        let failed = |error: &io::Error| outside(format!("{} cannot be listed", self.folder.display()), error, FREE);
        let mut found = Vec::new();
        for file in fs::read_dir(&self.folder).map_err(|error| failed(&error))? {
            let name = file.map_err(|error| failed(&error))?.file_name();
            found.extend(name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse::<u32>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn stats(&self) -> StoreStats {
        let property = |name: &str| self.db.property_int_value(name).ok().flatten().unwrap_or(0);
        let ticker = |ticker| self.options.get_ticker_count(ticker);
        let given_bytes = self.given.load(Ordering::Relaxed);
        let flushed = ticker(Ticker::FlushWriteBytes) + ticker(Ticker::CompactWriteBytes);
        StoreStats {
            disk_bytes: property("rocksdb.total-sst-files-size"),
            given_bytes,
            // The log in front of the tables takes what is given once.
            written_bytes: flushed + given_bytes,
            stall_ns: ticker(Ticker::StallMicros) * 1000,
            memory_bytes: property("rocksdb.cur-size-all-mem-tables")
                + property("rocksdb.block-cache-usage")
                + property("rocksdb.estimate-table-readers-mem"),
        }
    }

    fn forget_before(&self, time: i64) {
        self.forget.store(time, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_read_together_have_the_values_that_they_have_alone() {
        let folder = std::env::temp_dir().join(format!("sferic-multi-get-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for reopened in [false, true] {
            let store = Rocks::open(&folder).unwrap();
            if !reopened {
                let mut batch = Batch::default();
                (0..100u8).step_by(3).for_each(|key| batch.put(&[1, key], &[key; 5]));
                store.write(&[batch]).unwrap();
            }
            let keys: Vec<[u8; 2]> = (0..100).map(|key| [1, key]).collect();
            let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
            let mut together = vec![None; keys.len()];
            store.multi_get(&keys, &mut |index, value| together[index] = Some(value.to_vec())).unwrap();
            let alone: Vec<_> = keys.iter().map(|key| store.get(key).unwrap()).collect();
            assert_eq!(together, alone);
            assert_eq!(together.iter().flatten().count(), 34);
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_hint_is_known() {
        assert_eq!(Options::default().get_options_from_string(HINT).map(|_| ()), Ok(()));
    }

    #[test]
    fn operations_are_in_the_order_of_keys_and_those_of_one_key_as_they_came() {
        let mut batches = [Batch::default(), Batch::default()];
        batches[0].put(b"b", b"1");
        batches[0].delete(b"a");
        batches[0].put(b"a", b"2");
        batches[1].put(b"a", b"3");
        batches[1].delete(b"b");
        let mut found = Vec::new();
        sort(&batches, &mut found);
        let operations: Vec<_> = found.iter().map(|(_, place)| operation(&batches, *place).unwrap()).collect();
        use Operation::{Delete, Put};
        let expected = [Delete(b"a"), Put(b"a", b"2"), Put(b"a", b"3"), Put(b"b", b"1"), Delete(b"b")];
        assert_eq!(operations, expected);
    }
}
