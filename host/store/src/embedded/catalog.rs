//! What must be known of logs and segments without reading them, kept in redb beside the tables'
//! rows and changed in the same transactions.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::{Buf, BufMut};
use redb::backends::InMemoryBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use types::Timestamp;

use crate::disk::Disk;
use crate::embedded::logs::{LogState, NextFrame, Segment};
use crate::embedded::redb_file::{CATALOG_FILE, ReadMark, failed, open_database};
use crate::embedded::segment_names::segment_path;
use crate::engine::{LogId, Position, StoreError};

/// What the file is made as, before it gets its name.
const CATALOG_FILE_NEW: &str = "tables.redb.new";
/// The version of everything in the data directory, as FORMAT.md describes it.
const FORMAT: u64 = 3;
/// The one before it, in which no frame is sealed. A start makes it the one above, so that no build
/// that takes sealed frames for damage opens the directory after it.
const FORMAT_UNSEALED: u64 = 2;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const LOGS: TableDefinition<u64, &[u8]> = TableDefinition::new("logs");
const SEGMENTS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("segments");
const GARBAGE: TableDefinition<&str, ()> = TableDefinition::new("garbage");
const ROW_VERSION: u8 = 1;

/// The open catalog.
pub struct LogCatalog {
    disk: Arc<dyn Disk>,
    cache_bytes: usize,
    mark: ReadMark,
    /// `None` when closed. Never two of one file: a database writes when it is dropped.
    database: RwLock<Option<Database>>,
    in_doubt: AtomicBool,
}

/// What every start needs.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The data directory's own number.
    pub store: u64,
    /// How many times it was opened.
    pub epoch: u64,
    /// The last block of which everything is in segments and redb.
    pub flushed_block: u64,
}

/// A log as the catalog knows it.
pub struct KnownLog {
    /// Its number.
    pub id: LogId,
    /// Its state as of the last flush.
    pub state: LogState,
}

impl LogCatalog {
    /// Opens the catalog; `None` if there is none.
    pub fn open(disk: Arc<dyn Disk>, cache_bytes: usize) -> Result<Option<Self>, StoreError> {
        let opening = |source| StoreError::io(format!("open {CATALOG_FILE}"), source);
        let file = match disk.open(CATALOG_FILE.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(opening)?,
        };
        let mark = ReadMark::default();
        let database = open_database(file, &mark, cache_bytes)?;
        Ok(Some(Self::new(disk, cache_bytes, database, mark)))
    }

    /// An empty catalog that is kept nowhere.
    pub fn in_memory(disk: Arc<dyn Disk>, cache_bytes: usize) -> Result<Self, StoreError> {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .map_err(failed("make a database in memory"))?;
        Ok(Self::new(disk, cache_bytes, database, ReadMark::default()))
    }

    fn new(disk: Arc<dyn Disk>, cache_bytes: usize, database: Database, mark: ReadMark) -> Self {
        Self {
            disk,
            cache_bytes,
            mark,
            database: RwLock::new(Some(database)),
            in_doubt: AtomicBool::new(false),
        }
    }

    /// Whether a commit has failed that may be there nonetheless.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Acquire)
    }

    /// Notes that what a failed commit may have left was written over.
    pub fn is_sure(&self) {
        self.in_doubt.store(false, Ordering::Release);
    }

    /// Opens the file anew after an error: redb refuses to go on with the old one. What the commit
    /// that failed was to change may be there or not.
    pub fn reopen(&self) -> Result<(), StoreError> {
        self.in_doubt.store(true, Ordering::Release);
        let opening = |source| StoreError::io(format!("open {CATALOG_FILE}"), source);
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let file = self.disk.open(CATALOG_FILE.as_ref()).map_err(opening)?;
        self.end(database.take());
        *database = Some(open_database(file, &self.mark, self.cache_bytes)?);
        Ok(())
    }

    /// Ends all use of the file.
    pub fn close(&self) {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.end(database.take());
    }

    fn end(&self, database: Option<Database>) {
        let ended = self.mark.guard(|| {
            drop(database);
            Ok(())
        });
        if let Err(error) = ended {
            tracing::warn!(%error, "the tables' file was not closed cleanly");
        }
    }

    /// Does what needs redb, whose panics become errors.
    pub fn guard<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.mark.guard(work)
    }

    /// A consistent view of all that is committed.
    pub fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(closed)?;
        database.begin_read().map_err(failed("begin to read"))
    }

    /// Changes what `change` changes, durably and all at once.
    pub fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(closed)?;
        self.guard(|| {
            let mut writing = database.begin_write().map_err(failed("begin to write"))?;
            // A damaged page is then told from a commit that a crash has cut off.
            writing.set_quick_repair(true);
            let changed = change(&writing)?;
            writing.commit().map_err(failed("commit"))?;
            Ok(changed)
        })
    }

    /// Counts one more start, durably, and says what every start needs.
    pub fn begin_epoch(&self) -> Result<Meta, StoreError> {
        self.write(|writing| {
            let mut meta = writing.open_table(META).map_err(failed("open meta"))?;
            let read = |key| -> Result<u64, StoreError> {
                let value = meta.get(key).map_err(failed("read meta"))?;
                let value = value.ok_or_else(|| {
                    StoreError::corrupt(CATALOG_FILE, 0, format!("{key} is missing"))
                })?;
                Ok(value.value())
            };
            let format = read("format")?;
            if ![FORMAT_UNSEALED, FORMAT].contains(&format) {
                let what = format!("it has format {format}; this version reads format {FORMAT}");
                let unsupported = io::Error::new(io::ErrorKind::Unsupported, what);
                return Err(StoreError::io("open the data directory", unsupported));
            }
            let (store, epoch) = (read("store")?, read("epoch")? + 1);
            let flushed_block = read("flushed_block")?;
            meta.insert("format", FORMAT)
                .map_err(failed("write meta"))?;
            meta.insert("epoch", epoch).map_err(failed("write meta"))?;
            Ok(Meta {
                store,
                epoch,
                flushed_block,
            })
        })
    }

    /// Every log with its segments.
    pub fn logs(&self) -> Result<Vec<KnownLog>, StoreError> {
        self.guard(|| self.read_logs())
    }

    fn read_logs(&self) -> Result<Vec<KnownLog>, StoreError> {
        let reading = self.begin_read()?;
        let rows = reading.open_table(LOGS).map_err(failed("open the logs"))?;
        let segments = reading
            .open_table(SEGMENTS)
            .map_err(failed("open the segments"))?;
        let mut segments = segments.iter().map_err(failed("read segments"))?.peekable();
        let mut logs = Vec::new();
        for row in rows.iter().map_err(failed("read logs"))? {
            let (id, value) = row.map_err(failed("read logs"))?;
            let id = id.value();
            let mut state = decode_log(value.value())
                .ok_or_else(|| corrupt(format!("the row of log {id} cannot be read")))?;
            while let Some(next) = segments.peek() {
                let Ok((key, value)) = next else { break };
                let (log, base) = key.value();
                if id < log {
                    break;
                }
                if log == id {
                    let segment = decode_segment(Position(base), value.value());
                    let what = || corrupt(format!("segment {base} of log {id} cannot be read"));
                    state.segments.push(segment.ok_or_else(what)?);
                }
                segments.next();
            }
            if let Some(Err(_)) = segments.peek() {
                segments
                    .next()
                    .transpose()
                    .map_err(failed("read segments"))?;
            }
            logs.push(KnownLog {
                id: LogId(id),
                state,
            });
        }
        Ok(logs)
    }

    /// Files and directories that may be removed: no log refers to them.
    pub fn garbage(&self) -> Result<Vec<String>, StoreError> {
        self.guard(|| self.read_garbage())
    }

    fn read_garbage(&self) -> Result<Vec<String>, StoreError> {
        let reading = self.begin_read()?;
        let rows = reading
            .open_table(GARBAGE)
            .map_err(failed("open the garbage"))?;
        let rows = rows.iter().map_err(failed("read the garbage"))?;
        let path = |row: Result<(redb::AccessGuard<'_, &str>, _), redb::StorageError>| {
            row.map(|(path, ())| path.value().to_owned())
                .map_err(failed("read the garbage"))
        };
        rows.map(|row| path(row.map(|(key, _)| (key, ()))))
            .collect()
    }
}

fn corrupt(what: String) -> StoreError {
    StoreError::corrupt(CATALOG_FILE, 0, what)
}

/// Notes that all blocks up to `block` are flushed.
pub fn put_flushed_block(writing: &WriteTransaction, block: u64) -> Result<(), StoreError> {
    let mut meta = writing.open_table(META).map_err(failed("open meta"))?;
    meta.insert("flushed_block", block)
        .map_err(failed("write meta"))?;
    Ok(())
}

/// Notes a log's state, and which of its segments changed or are gone.
pub fn put_log(
    writing: &WriteTransaction,
    log: LogId,
    state: &LogRow,
    changed: &[Segment],
    gone: &[Position],
) -> Result<(), StoreError> {
    let mut logs = writing.open_table(LOGS).map_err(failed("open the logs"))?;
    logs.insert(log.0, &encode_log(state)[..])
        .map_err(failed("write a log"))?;
    let mut segments = writing
        .open_table(SEGMENTS)
        .map_err(failed("open the segments"))?;
    for segment in changed {
        let key = (log.0, segment.base.0);
        segments
            .insert(key, &encode_segment(segment)[..])
            .map_err(failed("write a segment"))?;
    }
    for base in gone {
        segments
            .remove((log.0, base.0))
            .map_err(failed("remove a segment"))?;
    }
    Ok(())
}

/// Forgets the segments of a log that are not among those `known`: a commit that failed may have
/// noted them. Their files are garbage.
pub fn forget_other_segments(
    writing: &WriteTransaction,
    log: LogId,
    known: &HashSet<Position>,
) -> Result<(), StoreError> {
    let mut segments = writing
        .open_table(SEGMENTS)
        .map_err(failed("open the segments"))?;
    let mut others = Vec::new();
    segments
        .retain_in((log.0, 0)..=(log.0, u64::MAX), |(_, base), _| {
            let base = Position(base);
            let is_known = known.contains(&base);
            if !is_known {
                others.push(base);
            }
            is_known
        })
        .map_err(failed("remove segments"))?;
    others
        .iter()
        .try_for_each(|base| put_garbage(writing, &segment_path(log, *base)))
}

/// Forgets a log and its segments.
pub fn remove_log(writing: &WriteTransaction, log: LogId) -> Result<(), StoreError> {
    let mut logs = writing.open_table(LOGS).map_err(failed("open the logs"))?;
    logs.remove(log.0).map_err(failed("remove a log"))?;
    let mut segments = writing
        .open_table(SEGMENTS)
        .map_err(failed("open the segments"))?;
    segments
        .retain_in((log.0, 0)..=(log.0, u64::MAX), |_, _| false)
        .map_err(failed("remove segments"))?;
    Ok(())
}

/// Notes a file or directory that is to be removed.
pub fn put_garbage(writing: &WriteTransaction, path: &str) -> Result<(), StoreError> {
    let mut garbage = writing
        .open_table(GARBAGE)
        .map_err(failed("open the garbage"))?;
    garbage.insert(path, ()).map_err(failed("write garbage"))?;
    Ok(())
}

/// Forgets files and directories that were removed.
pub fn forget_garbage(writing: &WriteTransaction, paths: &[String]) -> Result<(), StoreError> {
    let mut garbage = writing
        .open_table(GARBAGE)
        .map_err(failed("open the garbage"))?;
    for path in paths {
        garbage
            .remove(path.as_str())
            .map_err(failed("forget garbage"))?;
    }
    Ok(())
}

/// Makes a catalog without logs, in place of any that is there: for the directory whose number is
/// `store`, which was opened `epoch` times.
pub fn make(
    disk: &Arc<dyn Disk>,
    cache_bytes: usize,
    (store, epoch): (u64, u64),
) -> Result<(), StoreError> {
    let making = |source| StoreError::io(format!("make {CATALOG_FILE}"), source);
    let file = disk.create(CATALOG_FILE_NEW.as_ref()).map_err(making)?;
    let database = open_database(file, &ReadMark::default(), cache_bytes)?;
    let writing = database.begin_write().map_err(failed("begin to write"))?;
    {
        let mut meta = writing.open_table(META).map_err(failed("open meta"))?;
        for (key, value) in [
            ("format", FORMAT),
            ("store", store),
            ("epoch", epoch),
            ("flushed_block", 0),
        ] {
            meta.insert(key, value).map_err(failed("write meta"))?;
        }
        writing.open_table(LOGS).map_err(failed("open the logs"))?;
        writing
            .open_table(SEGMENTS)
            .map_err(failed("open the segments"))?;
        writing
            .open_table(GARBAGE)
            .map_err(failed("open the garbage"))?;
    }
    writing.commit().map_err(failed("commit"))?;
    drop(database);
    disk.rename(CATALOG_FILE_NEW.as_ref(), CATALOG_FILE.as_ref())
        .map_err(making)?;
    disk.sync_dir(Path::new("")).map_err(making)
}

fn closed() -> StoreError {
    StoreError::io(
        format!("use {CATALOG_FILE}"),
        io::Error::other("the store is closed"),
    )
}

/// A log's row: what cannot be read from its segments.
#[derive(Clone, Copy, Debug)]
pub struct LogRow {
    pub horizon: Position,
    pub flushed: NextFrame,
    pub sealed: bool,
}

fn encode_log(row: &LogRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    out.put_u8(ROW_VERSION);
    out.put_u64_le(row.horizon.0);
    out.put_u64_le(row.flushed.next.0);
    out.put_u32_le(row.flushed.chain);
    out.put_u64_le(row.flushed.arrival.0);
    out.put_u8(u8::from(row.sealed));
    out.put_u8(0); // Without a meaning, and not looked at.
    out
}

fn decode_log(mut row: &[u8]) -> Option<LogState> {
    let version = row.try_get_u8().ok()?;
    let horizon = Position(row.try_get_u64_le().ok()?);
    let flushed = NextFrame {
        next: Position(row.try_get_u64_le().ok()?),
        chain: row.try_get_u32_le().ok()?,
        arrival: Timestamp(row.try_get_u64_le().ok()?),
        sealed: false,
    };
    let sealed = row.try_get_u8().ok()? != 0;
    let _ = row.try_get_u8().ok()?;
    let now = NextFrame { sealed, ..flushed };
    let state = LogState {
        horizon,
        flushed,
        durable: now,
        assigned: now,
        ..LogState::default()
    };
    (version == ROW_VERSION).then_some(state)
}

fn encode_segment(segment: &Segment) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.put_u8(ROW_VERSION);
    out.put_u64_le(segment.end.0);
    out.put_u64_le(segment.bytes);
    out.put_u64_le(segment.first_arrival.0);
    out.put_u64_le(segment.last_arrival.0);
    out.put_u8(u8::from(segment.closed));
    out
}

fn decode_segment(base: Position, mut row: &[u8]) -> Option<Segment> {
    let version = row.try_get_u8().ok()?;
    let segment = Segment {
        base,
        end: Position(row.try_get_u64_le().ok()?),
        bytes: row.try_get_u64_le().ok()?,
        first_arrival: Timestamp(row.try_get_u64_le().ok()?),
        last_arrival: Timestamp(row.try_get_u64_le().ok()?),
        closed: row.try_get_u8().ok()? != 0,
    };
    (version == ROW_VERSION).then_some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;

    const LOG: LogId = LogId(7);

    /// A catalog of that format with a log and its segment.
    fn of_format(format: u64) -> LogCatalog {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
        make(&disk, 0, (1, 4)).unwrap();
        let catalog = LogCatalog::open(disk, 0).unwrap().unwrap();
        let flushed = NextFrame {
            next: Position(12),
            chain: 99,
            arrival: Timestamp(1_000),
            sealed: false,
        };
        let row = LogRow {
            horizon: Position(3),
            flushed,
            sealed: true,
        };
        let segment = Segment {
            base: Position(3),
            end: Position(12),
            bytes: 900,
            first_arrival: Timestamp(500),
            last_arrival: Timestamp(1_000),
            closed: true,
        };
        let written = catalog.write(|writing| {
            let mut meta = writing.open_table(META).map_err(failed("open meta"))?;
            meta.insert("format", format).map_err(failed("write"))?;
            drop(meta);
            put_log(writing, LOG, &row, &[segment], &[])
        });
        written.unwrap();
        catalog
    }

    fn format_of(catalog: &LogCatalog) -> u64 {
        let reading = catalog.begin_read().unwrap();
        let meta = reading.open_table(META).unwrap();
        meta.get("format").unwrap().unwrap().value()
    }

    #[test]
    fn a_directory_of_the_format_before_becomes_one_of_this_and_keeps_its_logs() {
        for format in [FORMAT_UNSEALED, FORMAT] {
            let catalog = of_format(format);
            let meta = catalog.begin_epoch().unwrap();
            assert_eq!((meta.store, meta.epoch), (1, 5));
            assert_eq!(format_of(&catalog), 3);
            let logs = catalog.logs().unwrap();
            let [log] = &logs[..] else {
                panic!("{} logs", logs.len());
            };
            assert_eq!(log.id, LOG);
            assert_eq!(log.state.horizon, Position(3));
            assert_eq!(log.state.flushed.next, Position(12));
            assert!(log.state.durable.sealed);
            let segment = &log.state.segments[0];
            assert_eq!((segment.base, segment.end), (Position(3), Position(12)));
        }
    }

    #[test]
    fn a_directory_of_any_other_format_is_refused_by_its_number_and_left_as_it_is() {
        for format in [0, 1, 4, u64::MAX] {
            let catalog = of_format(format);
            let error = catalog.begin_epoch().unwrap_err();
            let StoreError::Io { source, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(source.kind(), io::ErrorKind::Unsupported);
            let text = source.to_string();
            assert!(text.contains(&format!("format {format};")), "{text}");
            assert_eq!(format_of(&catalog), format);
        }
    }
}
