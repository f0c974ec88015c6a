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
/// A table of changes that have not been sorted into files yet, bytes, and how many there may be.
const TABLE_BYTES: usize = 64 << 20;
const TABLES: i32 = 4;
/// Bits of the bloom filters a key: one absent key in a hundred is looked for in vain.
const BLOOM_BITS: f64 = 10.0;

/// A store on disk.
pub struct Rocks {
    db: DB,
    options: Options,
    folder: PathBuf,
    segments: Mutex<HashMap<u32, Arc<File>>>,
    forget: Arc<AtomicI64>,
    given: AtomicU64,
    read_only: bool,
}

fn outside(what: String, error: &impl ToString, cure: &'static str) -> StoreError {
    StoreError::Outside { what, why: error.to_string(), cure }
}

const FREE: &str = "make room on the disk or repair it, then start again: the last committed epoch is whole";

impl Rocks {
    /// Opens the store in a directory, which is made if it is not there. Background threads of RocksDB run on the
    /// cores of the calling thread.
    ///
    /// # Errors
    /// The directory cannot be written, or what is in it is damaged.
    pub fn open(directory: &Path) -> Result<Rocks, StoreError> {
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
        Rocks { db, options, folder, segments: Mutex::default(), forget, given: AtomicU64::new(0), read_only }
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
                open.insert(segment, file.clone());
                if create {
                    // The name itself must outlive a crash.
                    File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|error| {
                        outside(format!("{} cannot be synced", self.folder.display()), &error, FREE)
                    })?;
                }
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(outside(format!("{} cannot be opened", path.display()), &error, FREE)),
        }
    }
}

fn options(forget: &Arc<AtomicI64>) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    blocks.set_bloom_filter(BLOOM_BITS, false);
    blocks.set_whole_key_filtering(true);
    let mut options = Options::default();
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
    options.set_memtable_prefix_bloom_ratio(0.05);
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

/// All operations in the order of their keys, those of one key as they came: a sorted table of changes finds the place
/// of each beside that of the one before.
fn sorted(batches: &[Batch]) -> Vec<Operation<'_>> {
    let prefix = |operation: &Operation<'_>| {
        let (Operation::Put(key, _) | Operation::Delete(key)) = operation;
        let mut bytes = [0; 16];
        let length = key.len().min(16);
        bytes[..length].copy_from_slice(&key[..length]);
        u128::from_be_bytes(bytes)
    };
    let mut all: Vec<(u128, Operation<'_>)> =
        batches.iter().flat_map(Batch::operations).map(|operation| (prefix(&operation), operation)).collect();
    all.sort_by_key(|(prefix, _)| *prefix);
    all.into_iter().map(|(_, operation)| operation).collect()
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

    fn multi_get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let values = self.db.multi_get(keys).into_iter();
        values.map(|value| value.map_err(|error| refusal(self.db.path(), &error))).collect()
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
        for operation in sorted(batches) {
            match operation {
                Operation::Put(key, value) => all.put(key, value),
                Operation::Delete(key) => all.delete(key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.given.fetch_add(bytes as u64, Ordering::Relaxed);
        self.db.write_opt(all, &options).map_err(|error| {
            outside(format!("an epoch cannot be written to {}", self.db.path().display()), &error, FREE)
        })
    }

    fn segment_write(&self, segment: u32, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let failed =
            |error: &io::Error| outside(format!("{} cannot be written", self.path(segment).display()), error, FREE);
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
