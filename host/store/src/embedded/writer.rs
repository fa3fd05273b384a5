//! The one thread that writes the write-ahead log: takes what waits, gives every frame its place,
//! writes one block, syncs it, makes it visible, answers.
//!
//! There is no timer: while one block is synced the next one gathers.

use std::collections::{HashMap, HashSet};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::disk::{DiskFile, is_full};
use crate::embedded::answers::{Answer, Answers};
use crate::embedded::block::{Block, row_version};
use crate::embedded::cache::TailCache;
use crate::embedded::format::{BLOCK_HEADER_BYTES, BlockHeader, RowEntry};
use crate::embedded::health::Topic;
use crate::embedded::linger::{Linger, Wait};
use crate::embedded::logs::{Log, LogState};
use crate::embedded::options::GROUP_BYTES;
use crate::embedded::queue::QueuedCommit;
use crate::embedded::shared::Shared;
use crate::embedded::wal::write_all;
use crate::engine::{
    CommitError, Committed, Expect, Key, LogChange, LogEnd, LogId, Purpose, StoreError, TableId,
    TableWrite, Version,
};

/// Where the next block goes.
pub struct NextBlock {
    /// The number of the next block.
    pub number: u64,
    /// The header checksum of the last block.
    pub previous: u32,
    /// The last use of a slot that was begun.
    pub file_use: u64,
}

struct Slot {
    number: u32,
    file: Arc<dyn DiskFile>,
    offset: u64,
}

/// The writer's own state.
pub struct Writer {
    shared: Arc<Shared>,
    cursor: NextBlock,
    slot: Option<Slot>,
    cache: TailCache,
    answers: Answers,
    block: Block,
    /// The last block could not be made durable: one more such failure ends writing.
    failed_before: bool,
}

/// What the block under way changes that the rest of its requests depend on.
#[derive(Default)]
struct Staged {
    rows: HashMap<(TableId, Key), Option<Version>>,
    deleted: HashSet<LogId>,
}

/// Why a block was not made durable.
enum WriteFailure {
    /// Nothing of it can ever be read: refuse with this.
    Refused(CommitError),
    /// It may be on the disk or not.
    Unknown(String),
}

impl Writer {
    /// A writer that goes on at `cursor`.
    pub fn new(shared: Arc<Shared>, cursor: NextBlock) -> Self {
        let cache = TailCache::new(shared.options.tail_cache_bytes);
        Self {
            shared,
            cursor,
            slot: None,
            cache,
            answers: Answers::new(),
            block: Block::default(),
            failed_before: false,
        }
    }

    /// Writes until the queue is closed and empty.
    pub fn run(mut self) {
        let mut group = Vec::new();
        let (mut linger, mut wait) = (Linger::default(), Wait::default());
        while let Some(lingered) = self.shared.queue.take(&mut group, GROUP_BYTES, wait) {
            let bytes = group.iter().map(|request| request.bytes).sum();
            let answered = group.len();
            let begun = Instant::now();
            self.commit_group(&mut group);
            let waiting = self.shared.queue.release(bytes);
            wait = linger.next(lingered, begun.elapsed(), answered + waiting);
        }
    }

    fn commit_group(&mut self, group: &mut Vec<QueuedCommit>) {
        let is_full = self.shared.room.is_too_little(&self.shared.health);
        let mut staged = Staged::default();
        let mut answers = Vec::with_capacity(group.len());
        for request in group.drain(..) {
            let admitted = if is_full && adds_data(&request) {
                Err(CommitError::DiskFull)
            } else {
                self.admit(&request, &staged)
            };
            answers.push(match admitted {
                Ok(()) => self.place(request, &mut staged),
                Err(error) => (request.reply, Err(error)),
            });
        }
        if !self.block.is_empty() {
            match self.write_block() {
                Ok(()) => {
                    self.shared.room.taken(&self.shared.health);
                    self.publish();
                }
                Err(failure) => {
                    self.take_back();
                    let error = self.fail(failure);
                    for (_, outcome) in answers.iter_mut().filter(|(_, outcome)| outcome.is_ok()) {
                        *outcome = Err(error.clone());
                    }
                }
            }
            self.block.clear();
        }
        self.answers.give(answers);
        self.cache.shrink();
    }

    /// Whether everything that the request depends on is as it must be.
    fn admit(&self, request: &QueuedCommit, staged: &Staged) -> Result<(), CommitError> {
        for append in &request.appends {
            let state = append.log.state();
            if state.deleted || staged.deleted.contains(&append.log.id) {
                return Err(CommitError::NoLog(append.log.id));
            }
            if state.assigned.sealed {
                return Err(CommitError::Sealed(append.log.id));
            }
        }
        for change in &request.changes {
            if let LogChange::Seal(id) = *change
                && (staged.deleted.contains(&id) || self.shared.logs.find(id).is_err())
            {
                return Err(CommitError::NoLog(id));
            }
        }
        let writes = request.writes.iter();
        let writes = writes.map(|write| (write.table, &write.key, write.expect));
        let checks = request.checks.iter();
        let checks = checks.map(|check| (check.table, &check.key, check.expect));
        for (table, key, expect) in writes.chain(checks) {
            let expected = match expect {
                Expect::Any => continue,
                Expect::Absent => None,
                Expect::Version(version) => Some(version),
            };
            let now = match staged.rows.get(&(table, key.clone())) {
                Some(version) => *version,
                None => self.version(table, key).map_err(CommitError::Store)?,
            };
            if now != expected {
                let key = key.clone();
                return Err(CommitError::Conflict { table, key });
            }
        }
        Ok(())
    }

    fn version(&self, table: TableId, key: &Key) -> Result<Option<Version>, StoreError> {
        let row = self.shared.tables.get(table, key)?;
        Ok(row.map(|row| row.version))
    }

    /// Makes the request part of the block.
    fn place(&mut self, request: QueuedCommit, staged: &mut Staged) -> Answer {
        let version = row_version(self.cursor.number, self.block.rows.len());
        let writes = request.writes.len() + request.ends.len();
        let parts = request.appends.len() + writes + request.changes.len();
        self.block.is_compound |= parts > 1;
        let epoch = self.shared.epoch;
        let appended = request.appends.into_iter();
        let appended = appended.map(|append| self.block.append(append, epoch));
        let (positions, arrivals) = appended.unzip();
        for TableWrite {
            table, key, value, ..
        } in request.writes
        {
            let row = (table, key.clone());
            staged.rows.insert(row, value.is_some().then_some(version));
            self.block.write(RowEntry {
                table,
                version,
                key,
                value,
            });
        }
        for LogEnd { log, table, key } in request.ends {
            // One that was deleted before ended before.
            let Ok(log) = self.shared.logs.find(log) else {
                continue;
            };
            let tip = log.state().assigned.next;
            staged.rows.insert((table, key.clone()), Some(version));
            self.block.write(RowEntry {
                table,
                version,
                key,
                value: Some(LogEnd::value(tip)),
            });
        }
        for change in request.changes {
            match change {
                LogChange::Seal(id) => {
                    if let Ok(log) = self.shared.logs.find(id) {
                        log.state().assigned.sealed = true;
                    }
                }
                LogChange::Delete(id) => {
                    staged.deleted.insert(id);
                }
                LogChange::Create(_) | LogChange::Trim(..) => {}
            }
            self.block.change(change);
        }
        let committed = Committed {
            positions,
            arrivals,
            version,
        };
        (request.reply, Ok(committed))
    }

    fn write_block(&mut self) -> Result<(), WriteFailure> {
        let bytes = self.block.padded_bytes();
        let file_bytes = self.shared.options.wal_file_bytes;
        let fits = |slot: &Slot| slot.offset == 0 || slot.offset + bytes <= file_bytes;
        if !self.slot.as_ref().is_some_and(fits) || self.shared.wal.has_better_slot() {
            self.begin_slot()?;
        }
        let Some(slot) = &mut self.slot else {
            return Err(WriteFailure::Refused(CommitError::Busy));
        };
        let header = self.block.header(BlockHeader {
            store: self.shared.store,
            epoch: self.shared.epoch,
            file: self.cursor.file_use,
            number: self.cursor.number,
            previous: self.cursor.previous,
            entries: 0,
            length: 0,
            entries_crc: 0,
        });
        let header = header.map_err(WriteFailure::Refused)?;
        let (header, crc) = header.encode();
        let mut slices = self.block.slices(&header);
        match write_all(slot.file.as_ref(), &mut slices, slot.offset) {
            Ok(()) => {}
            Err(error) if is_full(&error) => return Err(void(slot)),
            Err(error) => return Err(WriteFailure::Unknown(format!("write: {error}"))),
        }
        if let Err(error) = slot.file.sync() {
            return Err(WriteFailure::Unknown(format!("sync: {error}")));
        }
        slot.offset += bytes;
        self.shared.wal.wrote(self.cursor.number, slot.offset);
        self.cursor.previous = crc;
        Ok(())
    }

    fn begin_slot(&mut self) -> Result<(), WriteFailure> {
        self.shared.flush.wake();
        match self.shared.wal.begin_slot() {
            Ok(Some((number, file))) => {
                self.cursor.file_use += 1;
                self.slot = Some(Slot {
                    number,
                    file,
                    offset: 0,
                });
                Ok(())
            }
            Ok(None) => Err(WriteFailure::Refused(CommitError::Busy)),
            Err(StoreError::Io { source, .. }) if is_full(&source) => {
                Err(WriteFailure::Refused(CommitError::DiskFull))
            }
            Err(error) => Err(WriteFailure::Refused(CommitError::Store(error))),
        }
    }

    /// Makes the block visible: it is durable.
    fn publish(&mut self) {
        let Some(slot) = &self.slot else { return };
        let block_offset = slot.offset - self.block.padded_bytes();
        let publishing = self
            .block
            .is_compound
            .then(|| self.shared.publication.begin());
        self.shared.tables.publish(self.block.rows.drain(..));
        for placed in self.block.frames.drain(..) {
            let in_wal = placed.in_wal(slot.number, block_offset);
            let mut state = placed.log.state();
            state.durable.next = placed.frame.end();
            state.durable.chain = placed.chain;
            state.durable.arrival = placed.frame.arrival;
            state.unflushed.push_back(in_wal);
            let (position, bytes) = (placed.frame.position, placed.frame.body.len());
            state.cached.push_back(placed.frame);
            let dirty = std::mem::replace(&mut state.dirty, true);
            placed.log.publish(state);
            self.cache.added(&placed.log, position, bytes);
            if !dirty {
                self.shared.flush.note_dirty(placed.log);
            }
        }
        for change in self.block.changes.drain(..) {
            self.shared.apply(change);
        }
        drop(publishing);
        self.shared
            .durable_block
            .store(self.cursor.number, Ordering::Release);
        self.cursor.number += 1;
        self.failed_before = false;
    }

    /// Gives back the places of a block that did not become durable.
    fn take_back(&mut self) {
        let back = |log: &Log| {
            let mut state = log.state();
            let LogState {
                assigned, durable, ..
            } = &mut *state;
            *assigned = *durable;
        };
        for placed in &self.block.frames {
            back(&placed.log);
        }
        for change in &self.block.changes {
            if let LogChange::Seal(id) = change
                && let Ok(log) = self.shared.logs.find(*id)
            {
                back(&log);
            }
        }
    }

    /// What to answer those whose block failed. The file that a write or sync failed on is never
    /// written again: what the system keeps of it in memory may not be what is on the disk. The
    /// next block takes this one's number in another file, which makes this one void.
    fn fail(&mut self, failure: WriteFailure) -> CommitError {
        let why = match failure {
            WriteFailure::Refused(error) => {
                if matches!(error, CommitError::DiskFull) {
                    self.shared.room.refused(&self.shared.health);
                }
                tracing::warn!(%error, "a block was refused");
                return error;
            }
            WriteFailure::Unknown(why) => why,
        };
        self.shared.wal.abandon();
        self.slot = None;
        self.shared.flush.request_all();
        let twice = std::mem::replace(&mut self.failed_before, true);
        if twice {
            let reason = format!("the disk failed twice to keep what was written: {why}");
            self.shared.queue.close(&reason);
            self.shared.health.set(Topic::ReadOnly, reason);
        }
        tracing::error!(%why, "the disk failed to keep a block; going on in another file");
        CommitError::Unknown(why)
    }
}

/// Zeros the header of a partly written block, so that recovery does not take the block for a
/// complete one.
fn void(slot: &Slot) -> WriteFailure {
    match overwrite_header(slot) {
        Ok(()) => WriteFailure::Refused(CommitError::DiskFull),
        Err(error) => WriteFailure::Unknown(format!("take back a block: {error}")),
    }
}

/// Zeros the block's header as far as the file has it: a full disk has no room for more.
fn overwrite_header(slot: &Slot) -> io::Result<()> {
    let written = slot.file.length()?.saturating_sub(slot.offset);
    let written = usize::try_from(written).unwrap_or(usize::MAX);
    if written == 0 {
        return Ok(());
    }
    let zeros = [0; BLOCK_HEADER_BYTES];
    let zeros = &zeros[..written.min(BLOCK_HEADER_BYTES)];
    write_all(slot.file.as_ref(), &mut [IoSlice::new(zeros)], slot.offset)?;
    slot.file.sync()
}

fn adds_data(request: &QueuedCommit) -> bool {
    !request.appends.is_empty()
        || request.purpose == Purpose::Keep
            && request.writes.iter().any(|write| write.value.is_some())
}
