//! The engine on one machine's disk: a write-ahead log shared by all logs and tables, synced
//! before every acknowledgement; segments per log, written later; tables in redb.
//!
//! One commit: [`Embedded::commit`] checks sizes and queues; `writer` gathers a block, writes and
//! syncs it, makes it visible and answers; `flush` moves it to segments and redb and frees the
//! write-ahead files. `recovery` reads what a crash left. FORMAT.md describes the bytes.

mod answers;
mod block;
mod cache;
mod catalog;
mod file_use;
mod flush;
mod flush_control;
pub mod format;
mod frame_file;
mod given_back;
mod headers;
mod health;
mod linger;
mod logs;
mod opening;
mod options;
mod panics;
mod publication;
mod queue;
mod reader;
mod recovery;
mod redb_file;
mod room;
mod seal;
mod segment;
mod segment_index;
mod segment_names;
mod segment_writer;
mod segments;
mod shared;
mod supervise;
mod tables;
mod touched;
mod wal;
mod wal_copy;
mod writer;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::oneshot;
use types::Timestamp;

use crate::disk::Disk;
use crate::embedded::format::{
    FRAME_HEADER_BYTES, ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX, RowEntry,
};
pub use crate::embedded::options::Options;
use crate::embedded::options::{FRAME_BYTES_MAX, TRANSACTION_BYTES_MAX};
use crate::embedded::queue::{QueuedCommit, ResolvedAppend};
use crate::embedded::segment_names::LOGS_DIR;
use crate::embedded::shared::Shared;
use crate::embedded::supervise::Role;
use crate::embedded::tables::RowRange;
use crate::embedded::wal::WAL_DIR;
use crate::embedded::writer::Writer;
use crate::engine::{
    Capabilities, Coming, CommitError, Committed, Durability, Engine, Key, LogChange, LogEnd,
    LogId, Position, Purpose, ReadBatch, RowCheck, StoreError, TableId, TableWrite, Transaction,
    Versioned,
};
use crate::keys::KeyRing;

/// Log changes that go into one request: creating thousands of logs takes a few blocks.
const CHANGES_PER_REQUEST: usize = 4096;

/// An open data directory.
pub struct Embedded {
    shared: Arc<Shared>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    flusher: Option<JoinHandle<()>>,
    preparer: Option<JoinHandle<()>>,
    /// Keeps every other process out.
    lock: Option<Box<dyn Send + Sync>>,
}

impl Embedded {
    /// Opens the data directory on `disk`, or makes one, and recovers what a crash left. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open; [`StoreError::Corrupt`] if the
    /// catalog cannot be read. Damage to logs is no error here: it is reported by
    /// [`Engine::health`] and by reads.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Self>, StoreError> {
        let lock = disk.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                StoreError::Locked("another process has the data directory open".to_owned())
            }
            _ => StoreError::io("lock the data directory", error),
        })?;
        for dir in [WAL_DIR, LOGS_DIR] {
            let failed = |source| StoreError::io(format!("make the directory {dir}"), source);
            disk.create_dir(dir.as_ref()).map_err(failed)?;
        }
        let failed = |source| StoreError::io("sync the data directory", source);
        disk.sync_dir(Path::new("")).map_err(failed)?;
        let (shared, cursor) = opening::recover(disk, options)?;
        opening::tidy(&shared)?;
        let shared = Arc::new(shared);
        let (flushing, preparing) = (shared.clone(), shared.clone());
        let writing = Writer::new(shared.clone(), cursor);
        let write = move || writing.run();
        let flush = move || flush::run(&flushing);
        let prepare = move || preparing.wal.prepare_until_stopped();
        let threads = Threads {
            writer: Some(supervise::spawn(Role::Writer, shared.clone(), write)?),
            flusher: Some(supervise::spawn(Role::Flusher, shared.clone(), flush)?),
            preparer: Some(supervise::spawn(Role::Preparer, shared.clone(), prepare)?),
            lock: Some(lock),
        };
        Ok(Arc::new(Self {
            shared,
            threads: Mutex::new(threads),
        }))
    }

    /// Moves all that is durable to segments and redb, and returns when it is there.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let stopped = |_| StoreError::io("flush", io::Error::other("the engine is closed"));
        self.shared.flush.request().await.map_err(stopped)?
    }

    async fn push(&self, request: Parts) -> Result<Committed, CommitError> {
        let (reply, answer) = oneshot::channel();
        let Parts {
            appends,
            writes,
            checks,
            changes,
            ends,
            purpose,
            bytes,
        } = request;
        self.shared.queue.push(QueuedCommit {
            appends,
            writes,
            checks,
            changes,
            ends,
            purpose,
            bytes,
            reply,
        })?;
        let ended = |_| CommitError::Unknown("the writer ended".to_owned());
        answer.await.map_err(ended)?
    }

    async fn change(&self, changes: Vec<LogChange>) -> Result<(), StoreError> {
        for changes in changes.chunks(CHANGES_PER_REQUEST) {
            let bytes = changes.len() * LogChange::ENCODED_BYTES;
            let changes = changes.to_vec();
            self.push(Parts {
                changes,
                bytes,
                ..Parts::default()
            })
            .await?;
        }
        Ok(())
    }

    fn resolve(&self, transaction: Transaction) -> Result<Parts, CommitError> {
        let mut parts = Parts::default();
        for append in transaction.appends {
            let log = self.shared.logs.find(append.log);
            let log = log.map_err(|_| CommitError::NoLog(append.log))?;
            let append = ResolvedAppend::of(log, append.frame, &self.shared.keys)?;
            parts.bytes += FRAME_HEADER_BYTES + append.length as usize;
            parts.appends.push(append);
        }
        for write in transaction.writes {
            let (key, value) = (write.key.len(), write.value.as_ref().map_or(0, |v| v.len()));
            check_row(key, value)?;
            parts.bytes += RowEntry::encoded_bytes(key, value);
            parts.writes.push(write);
        }
        for check in transaction.checks {
            check_row(check.key.len(), 0)?;
            parts.bytes += RowEntry::encoded_bytes(check.key.len(), 0);
            parts.checks.push(check);
        }
        for change in transaction.changes {
            parts.bytes += LogChange::ENCODED_BYTES;
            parts.changes.push(self.resolve_change(change)?);
        }
        for end in transaction.ends {
            check_row(end.key.len(), LogEnd::VALUE_BYTES)?;
            parts.changes.push(LogChange::Delete(end.log));
            parts.bytes += LogChange::ENCODED_BYTES;
            parts.bytes += RowEntry::encoded_bytes(end.key.len(), LogEnd::VALUE_BYTES);
            parts.ends.push(end);
        }
        if parts.bytes > TRANSACTION_BYTES_MAX {
            let what = format!("a transaction has {} bytes", parts.bytes);
            return Err(CommitError::TooLarge(what));
        }
        Ok(parts)
    }

    /// The step as it is written: what it says must mean the same place when it is read again
    /// beside later frames.
    fn resolve_change(&self, change: LogChange) -> Result<LogChange, CommitError> {
        match change {
            LogChange::Trim(log, before) => {
                let trimmed = self.shared.logs.find(log);
                let trimmed = trimmed.map_err(|_| CommitError::NoLog(log))?;
                Ok(LogChange::Trim(log, before.min(trimmed.tip())))
            }
            LogChange::Create(_) | LogChange::Seal(_) | LogChange::Delete(_) => Ok(change),
        }
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the writer after what it has accepted, and the preparer, which nobody needs then.
    fn end_writing(&self) -> [Option<JoinHandle<()>>; 2] {
        self.shared.queue.close("the store is closed");
        self.shared.wal.stop_preparing();
        let mut threads = self.threads();
        [threads.writer.take(), threads.preparer.take()]
    }

    /// Ends the flusher after its turn.
    fn end_flusher(&self) -> Option<JoinHandle<()>> {
        self.shared.flush.stop();
        self.threads().flusher.take()
    }
}

fn check_row(key_bytes: usize, value_bytes: usize) -> Result<(), CommitError> {
    if (1..=ROW_KEY_BYTES_MAX).contains(&key_bytes) && value_bytes <= ROW_VALUE_BYTES_MAX {
        return Ok(());
    }
    let what = format!("a row has a key of {key_bytes} and a value of {value_bytes} bytes");
    Err(CommitError::TooLarge(what))
}

/// What a request consists of, before somebody waits for it.
#[derive(Default)]
struct Parts {
    appends: Vec<ResolvedAppend>,
    writes: Vec<TableWrite>,
    checks: Vec<RowCheck>,
    changes: Vec<LogChange>,
    ends: Vec<LogEnd>,
    purpose: Purpose,
    bytes: usize,
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let writing = self.end_writing();
        for thread in writing.into_iter().chain([self.end_flusher()]).flatten() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        // Before the lock goes, whoever else still holds the rest.
        self.shared.catalog.close();
    }
}

impl Embedded {
    async fn scan_rows(
        &self,
        table: TableId,
        range: RowRange,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        self.shared.publication.settled();
        let shared = self.shared.clone();
        reader::run_blocking(move || shared.tables.scan(table, &range, limit)).await
    }
}

#[async_trait]
impl Engine for Embedded {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::LocalDisk,
            frame_bytes_max: FRAME_BYTES_MAX,
            transaction_bytes_max: TRANSACTION_BYTES_MAX,
        }
    }

    fn keys(&self) -> &KeyRing {
        &self.shared.keys
    }

    fn opening(&self) -> Option<u64> {
        Some(self.shared.epoch)
    }

    async fn create_logs(&self, logs: &[LogId]) -> Result<(), StoreError> {
        self.change(logs.iter().map(|log| LogChange::Create(*log)).collect())
            .await
    }

    async fn commit_for(
        &self,
        purpose: Purpose,
        transaction: Transaction,
    ) -> Result<Committed, CommitError> {
        let parts = self.resolve(transaction)?;
        self.push(Parts { purpose, ..parts }).await
    }

    async fn read(
        &self,
        log: LogId,
        from: Position,
        bytes_max: usize,
    ) -> Result<ReadBatch, StoreError> {
        self.shared.publication.settled();
        reader::read(&self.shared, &self.shared.logs.find(log)?, from, bytes_max).await
    }

    fn read_from_memory(
        &self,
        log: LogId,
        from: Position,
        bytes_max: usize,
    ) -> Result<Option<ReadBatch>, StoreError> {
        self.shared.publication.settled();
        let log = self.shared.logs.find(log)?;
        reader::in_memory(&self.shared.keys, &log.state(), from, bytes_max)
    }

    fn horizon(&self, log: LogId) -> Result<Position, StoreError> {
        self.shared.publication.settled();
        Ok(self.shared.logs.find(log)?.state().horizon)
    }

    fn tip(&self, log: LogId) -> Result<Position, StoreError> {
        self.shared.publication.settled();
        Ok(self.shared.logs.find(log)?.tip())
    }

    async fn wait_beyond(&self, log: LogId, position: Position) -> Result<(), StoreError> {
        self.shared.logs.find(log)?.wait_beyond(position).await;
        Ok(())
    }

    async fn readable_from(&self, log: LogId, from: Position) -> Result<Position, StoreError> {
        self.shared.publication.settled();
        reader::readable_from(&self.shared, &self.shared.logs.find(log)?, from).await
    }

    async fn seek_time(&self, log: LogId, at: Timestamp) -> Result<Position, StoreError> {
        self.shared.publication.settled();
        reader::seek_time(&self.shared, &self.shared.logs.find(log)?, at).await
    }

    fn newest_arrival(&self) -> Option<Timestamp> {
        self.shared.logs.newest_arrival()
    }

    fn last_arrival(&self, log: LogId) -> Result<Option<Timestamp>, StoreError> {
        self.shared.publication.settled();
        let log = self.shared.logs.find(log)?;
        let durable = log.state().durable;
        Ok((durable.next > Position::FIRST).then_some(durable.arrival))
    }

    fn arrivals_from(&self, log: LogId, at: Timestamp) -> Result<Coming, StoreError> {
        Ok(self.shared.logs.find(log)?.arrivals_from(at))
    }

    async fn seal(&self, log: LogId) -> Result<Position, StoreError> {
        let sealed = self.shared.logs.find(log)?;
        self.change(vec![LogChange::Seal(log)]).await?;
        Ok(sealed.tip())
    }

    async fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        let trimmed = self.shared.logs.find(log)?;
        // What is written must mean the same place when it is read again beside later frames.
        let before = before.min(trimmed.tip());
        let horizon = trimmed.state().horizon;
        if before > horizon {
            self.change(vec![LogChange::Trim(log, before)]).await?;
        }
        Ok(())
    }

    async fn delete_logs(&self, logs: &[LogId]) -> Result<(), StoreError> {
        self.change(logs.iter().map(|log| LogChange::Delete(*log)).collect())
            .await
    }

    async fn end_logs(&self, ends: &[LogEnd]) -> Result<(), StoreError> {
        for ends in ends.chunks(CHANGES_PER_REQUEST) {
            let transaction = Transaction {
                ends: ends.to_vec(),
                ..Transaction::default()
            };
            self.push(self.resolve(transaction)?).await?;
        }
        Ok(())
    }

    async fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.shared.publication.settled();
        if let Some(found) = self.shared.tables.get_fresh(table, key) {
            return Ok(found);
        }
        let (shared, key) = (self.shared.clone(), key.to_vec());
        reader::run_blocking(move || shared.tables.get(table, &key)).await
    }

    async fn scan(
        &self,
        table: TableId,
        from: Key,
        to: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let is_backward = false;
        let range = RowRange {
            from,
            to,
            is_backward,
        };
        self.scan_rows(table, range, limit).await
    }

    async fn scan_back(
        &self,
        table: TableId,
        from: Key,
        to: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let is_backward = true;
        let range = RowRange {
            from,
            to,
            is_backward,
        };
        self.scan_rows(table, range, limit).await
    }

    fn health(&self) -> Result<(), String> {
        self.shared.health.check()
    }

    fn unreadable(&self) -> Vec<String> {
        self.shared.health.unreadable()
    }

    async fn close(&self) -> Result<(), StoreError> {
        let join = |thread: Option<JoinHandle<()>>| {
            run_joined(move || thread.map_or(Ok(()), JoinHandle::join))
        };
        for thread in self.end_writing() {
            join(thread).await?;
        }
        let is_closed = self.threads().flusher.is_none();
        let flushed = if is_closed || self.shared.wal_damage.is_some() {
            Ok(())
        } else {
            self.flush().await
        };
        join(self.end_flusher()).await?;
        let shared = self.shared.clone();
        run_joined(move || {
            shared.catalog.close();
            Ok(())
        })
        .await?;
        self.threads().lock = None;
        flushed
    }
}

async fn run_joined(
    join: impl FnOnce() -> std::thread::Result<()> + Send + 'static,
) -> Result<(), StoreError> {
    let panicked = || StoreError::io("close the store", io::Error::other("a thread panicked"));
    reader::run_blocking(move || join().map_err(|_| panicked())).await
}
