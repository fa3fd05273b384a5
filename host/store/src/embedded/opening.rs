//! Reading what a data directory holds: the catalog, then the write-ahead log; and making the
//! catalog anew from the log where its file is damaged or gone.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::disk::{Disk, is_full};
use crate::embedded::catalog::{self, LogCatalog, Meta};
use crate::embedded::flush::{self, BALLAST_FILE};
use crate::embedded::flush_control::FlushControl;
use crate::embedded::health::{Health, Topic};
use crate::embedded::logs::{Log, Logs};
use crate::embedded::options::{
    CHUNK_BYTES, LOGS_FLUSHED_BY_START_MAX, Options, SCATTERED_FILES_MAX,
};
use crate::embedded::publication::Publication;
use crate::embedded::queue::Queue;
use crate::embedded::recovery::{self, Wanted};
use crate::embedded::redb_file::CATALOG_FILE;
use crate::embedded::room::Room;
use crate::embedded::segments::Segments;
use crate::embedded::shared::Shared;
use crate::embedded::tables::Tables;
use crate::embedded::wal::{Wal, read_onto, write_past_cache};
use crate::embedded::writer;
use crate::engine::StoreError;
use crate::keys::KeyRing;

/// Where a damaged catalog is kept after it was made anew, for whoever wants to look at it.
const DAMAGED_FILE: &str = "tables.redb.damaged";

/// Reads catalog and write-ahead log.
pub fn recover(
    disk: Arc<dyn Disk>,
    options: Options,
) -> Result<(Shared, writer::NextBlock), StoreError> {
    let Known {
        catalog,
        meta,
        logs,
    } = open_with_room(&disk, options.table_cache_bytes)?;
    let tables = Tables::new(catalog.clone());
    let wanted = Wanted {
        store: meta.store,
        flushed_block: meta.flushed_block,
        is_trial: false,
    };
    let found = recovery::recover(&disk, wanted, &logs, &tables)?;
    let keys = Arc::new(KeyRing::default());
    let shared = Shared {
        store: meta.store,
        epoch: meta.epoch,
        logs,
        keys: keys.clone(),
        queue: Queue::new(options.queue_bytes_max),
        wal: Wal::new(disk.clone(), &options, found.files, found.live, &found.free),
        segments: Segments::new(disk.clone(), keys),
        catalog,
        tables,
        flush: FlushControl::default(),
        health: Health::default(),
        room: Room::new(disk.clone(), options.free_bytes_min),
        publication: Publication::default(),
        wal_damage: found.damage,
        durable_block: AtomicU64::new(found.cursor.number - 1),
        flushed_block: AtomicU64::new(meta.flushed_block),
        disk,
        options,
    };
    for log in found.dirty {
        shared.flush.note_dirty(log);
    }
    for error in &found.unsound {
        shared.health.note_unreadable(error);
    }
    if let Some(damage) = &shared.wal_damage {
        let reason = format!("the write-ahead log is damaged: {damage}");
        shared.queue.close(&reason);
        shared.health.set(Topic::ReadOnly, reason);
    }
    hold_ballast(&shared);
    Ok((shared, found.cursor))
}

/// Brings what an earlier run left in order before anything is written: write-ahead files that hold
/// next to nothing are flushed, and files without a use are removed. Every start begins a
/// write-ahead file, so a process that is killed again and again would else leave as many as there
/// may be.
pub fn tidy(shared: &Shared) -> Result<(), StoreError> {
    if shared.wal_damage.is_none() {
        let is_quick = shared.flush.dirty() <= LOGS_FLUSHED_BY_START_MAX;
        let few = if is_quick { 1 } else { SCATTERED_FILES_MAX };
        if shared.wal.is_scattered(few)
            && let Err(error) = flush::flush(shared)
        {
            // Later flushes do it. Until then the store serves what it can.
            tracing::warn!(%error, "what the write-ahead files hold stays there");
        }
        shared.wal.remove_surplus();
    }
    match flush::remove_garbage(shared) {
        Err(StoreError::Io { doing, source }) if is_full(&source) => {
            tracing::warn!(%doing, error = %source, "files of deleted logs stay");
            shared.catalog.reopen()
        }
        other => other,
    }
}

/// Opens the catalog. A start notes itself there: on a disk that is full to the last byte, what
/// only holds room is given up for that, one file at a time.
fn open_with_room(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Known, StoreError> {
    loop {
        match open_catalog(disk, cache_bytes) {
            Err(StoreError::Io { source, .. }) if is_full(&source) && give_up_room(disk)? => {}
            other => return other,
        }
    }
}

/// Removes the ballast, or else a write-ahead file that was never used. Returns whether there was
/// one.
fn give_up_room(disk: &Arc<dyn Disk>) -> Result<bool, StoreError> {
    if disk.remove(BALLAST_FILE.as_ref()).is_ok() {
        tracing::warn!("the ballast was given up to start on a full disk");
        return Ok(true);
    }
    let Some(path) = recovery::unused_file(disk)? else {
        return Ok(false);
    };
    let removed = disk.remove(&path);
    removed.map_err(|source| StoreError::io(format!("remove {}", path.display()), source))?;
    tracing::warn!(path = %path.display(), "a file was given up to start on a full disk");
    Ok(true)
}

/// What a catalog says.
struct Known {
    catalog: Arc<LogCatalog>,
    meta: Meta,
    logs: Logs,
}

fn open_catalog(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Known, StoreError> {
    let damage = match read_catalog(disk, cache_bytes) {
        Ok(Some(known)) => return Ok(known),
        Ok(None) if recovery::stores(disk)?.is_empty() => {
            // Seeded by the operating system, so that no two directories share a number.
            let store = std::collections::hash_map::RandomState::new()
                .build_hasher()
                .finish();
            catalog::make(disk, cache_bytes, (store, 0))?;
            return reopened(disk, cache_bytes);
        }
        Ok(None) => StoreError::corrupt(CATALOG_FILE, 0, "the file is not there"),
        Err(error @ StoreError::Corrupt { .. }) => error,
        Err(error) => return Err(error),
    };
    make_anew(disk, cache_bytes, damage)?;
    reopened(disk, cache_bytes)
}

fn read_catalog(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Option<Known>, StoreError> {
    let Some(catalog) = LogCatalog::open(disk.clone(), cache_bytes)? else {
        return Ok(None);
    };
    let meta = catalog.begin_epoch()?;
    let logs = Logs::default();
    for known in catalog.logs()? {
        logs.add(Log::new(known.id, known.state));
    }
    Ok(Some(Known {
        catalog: Arc::new(catalog),
        meta,
        logs,
    }))
}

/// The catalog that was just made.
fn reopened(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Known, StoreError> {
    read_catalog(disk, cache_bytes)?
        .ok_or_else(|| StoreError::corrupt(CATALOG_FILE, 0, "the file is gone again"))
}

/// Makes a damaged catalog anew if the write-ahead log still holds all that was ever written: all
/// blocks from the first on, and all of them sound. Then nothing is missing in a catalog that
/// knows of no log and no flushed block. Else the damage is what there is to say.
fn make_anew(
    disk: &Arc<dyn Disk>,
    cache_bytes: usize,
    damage: StoreError,
) -> Result<(), StoreError> {
    let stores = recovery::stores(disk)?;
    let [store] = stores[..] else {
        return Err(hopeless(damage));
    };
    let logs = Logs::default();
    let catalog = LogCatalog::in_memory(disk.clone(), cache_bytes)?;
    let tables = Tables::new(Arc::new(catalog));
    let wanted = Wanted {
        store,
        flushed_block: 0,
        is_trial: true,
    };
    let found = recovery::recover(disk, wanted, &logs, &tables)?;
    if found.damage.is_some() || found.last.is_none() || !found.unsound.is_empty() {
        return Err(hopeless(damage));
    }
    tracing::warn!(
        %damage, kept_as = DAMAGED_FILE,
        "the tables' file is made anew from the write-ahead log, which holds everything"
    );
    keep_damaged(disk).map_err(|source| StoreError::io(format!("make {DAMAGED_FILE}"), source))?;
    catalog::make(disk, cache_bytes, (store, found.epoch))
}

/// The damage, and that nothing can be done about it here.
fn hopeless(damage: StoreError) -> StoreError {
    match damage {
        StoreError::Corrupt { file, offset, what } => {
            let what =
                format!("{what}; the write-ahead log no longer holds all that the file held");
            StoreError::corrupt(file, offset, what)
        }
        other => other,
    }
}

fn keep_damaged(disk: &Arc<dyn Disk>) -> io::Result<()> {
    let from = match disk.open(CATALOG_FILE.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let to = disk.create(DAMAGED_FILE.as_ref())?;
    let (mut chunk, mut at) = (Vec::new(), 0);
    loop {
        chunk.clear();
        let read = read_onto(from.as_ref(), &mut chunk, CHUNK_BYTES, at)?;
        if read == 0 {
            to.sync()?;
            return disk.sync_dir(Path::new(""));
        }
        write_past_cache(to.as_ref(), &chunk, at)?;
        at += read as u64;
    }
}

/// Takes room on the disk that a flush can fall back on. Without it all works as long as the
/// disk has space, so a failure is no error.
fn hold_ballast(shared: &Shared) {
    let ballast = shared.options.ballast_bytes;
    let room = shared.disk.space().map_or(0, |space| space.free_bytes);
    if ballast == 0 || room < ballast.saturating_add(shared.options.free_bytes_min) {
        return;
    }
    let held = match shared.disk.open(BALLAST_FILE.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => shared
            .disk
            .create(BALLAST_FILE.as_ref())
            .and_then(|file| file.reserve(ballast).and_then(|()| file.sync())),
        other => other.map(|_| ()),
    };
    if let Err(error) = held {
        tracing::warn!(%error, "no ballast is held on the disk");
    }
}
