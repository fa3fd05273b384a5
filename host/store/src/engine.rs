//! The boundary between what must be kept and how it is kept.

mod error;
mod life;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use types::Timestamp;

use crate::keys::{KeyId, KeyRing};

pub use error::{CommitError, StoreError};
pub use life::{LogChange, LogEnd};

/// A log, named by the number that its creator chose for it. A number is used once: the log of a
/// deleted stream never comes back under another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub u64);

/// A table. Tables need not be created; an absent table is an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u64);

/// A record's place in its log: how many records were appended before it. A frame is named by the
/// position of its first record, and its records have the positions that follow. A log's tip is
/// the number of records that it ever took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// The place of a log's first record, and the horizon of a log that was never trimmed.
    pub const FIRST: Self = Self(0);

    /// The place that comes `records` after this one. No log has as many records as there are
    /// positions: frames that say otherwise are refused where they are decoded.
    pub fn after(self, records: u16) -> Self {
        Self(self.0.saturating_add(u64::from(records)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a table's row was last written: greater than that of every earlier write to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// The key of a row.
pub type Key = Bytes;

/// The least key after `key`: where a scan goes on whose last row had it.
pub fn key_after(key: &Key) -> Key {
    Bytes::from([&key[..], &[0]].concat())
}

/// Records that are kept, read and checked together: the unit of a log. The body is laid out by
/// [`crate::BodyBuilder`]; an engine looks at it only to checksum it.
#[derive(Clone, Debug)]
pub struct NewFrame {
    /// How many records the body holds, 1 to 65,535.
    pub count: u16,
    /// When they arrived. A frame never reads as older than the one before it in its log: the
    /// engine raises a time that runs backwards.
    pub arrival: Timestamp,
    /// The records, at most [`Capabilities::frame_bytes_max`] bytes.
    pub body: Bytes,
    /// What the body is sealed with before it leaves memory; `None`: nothing.
    pub key: Option<KeyId>,
}

/// A frame as it was kept.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The place of its first record.
    pub position: Position,
    /// When its records arrived.
    pub arrival: Timestamp,
    /// How many records it holds.
    pub count: u16,
    /// The records, shared with every other reader.
    pub body: Bytes,
    /// What they are sealed with where they are kept.
    pub key: Option<KeyId>,
}

impl Frame {
    /// The place of what comes after its last record.
    pub fn end(&self) -> Position {
        self.position.after(self.count)
    }
}

/// Changes that become durable together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Frames to append. Two frames for one log are appended in this order.
    pub appends: Vec<Append>,
    /// Rows to write. A row appears at most once.
    pub writes: Vec<TableWrite>,
    /// What other rows must be for the transaction to go through: those that it was made of and
    /// does not write. A transaction of nothing else is refused or comes to nothing.
    pub checks: Vec<RowCheck>,
    /// Steps in the lives of logs, taken after the appends, in this order. [`LogChange::Create`] of
    /// a log that is there and [`LogChange::Delete`] of one that is not change nothing; a log to
    /// be sealed must exist.
    pub changes: Vec<LogChange>,
    /// Logs that are deleted, each with the row that keeps where it ended. One that does not exist
    /// writes nothing.
    pub ends: Vec<LogEnd>,
}

impl Transaction {
    /// Whether it changes nothing and checks nothing.
    pub fn is_empty(&self) -> bool {
        self.appends.is_empty()
            && self.writes.is_empty()
            && self.checks.is_empty()
            && self.changes.is_empty()
            && self.ends.is_empty()
    }
}

/// What a transaction is for, which matters while the disk is short of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To keep something: refused as [`CommitError::DiskFull`].
    #[default]
    Keep,
    /// To give room back: its rows stand in the place of others that are as large, and lead to a
    /// deletion. It goes through as long as the disk takes its bytes.
    MakeRoom,
}

/// One frame for one log.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to.
    pub log: LogId,
    /// What.
    pub frame: NewFrame,
}

/// One row of one table.
#[derive(Clone, Debug)]
pub struct TableWrite {
    /// Which table.
    pub table: TableId,
    /// Which row, 1 to 1,024 bytes.
    pub key: Key,
    /// The new value, at most 1 MiB; `None` removes the row.
    pub value: Option<Bytes>,
    /// What the row must be for the transaction to go through.
    pub expect: Expect,
}

/// A condition on a row that a transaction does not write.
#[derive(Clone, Debug)]
pub struct RowCheck {
    /// Which table.
    pub table: TableId,
    /// Which row, 1 to 1,024 bytes.
    pub key: Key,
    /// What the row must be; [`Expect::Any`] checks nothing.
    pub expect: Expect,
}

impl TableWrite {
    /// Whether a transaction with this write went through whose outcome was unknown, by what the
    /// row is `now`. A row that is written again with the value that it had says so by its version
    /// alone, so that the write must have expected one, or must change the value.
    pub fn is_kept(&self, now: Option<&Versioned>) -> bool {
        match (&self.value, now) {
            (None, None) => true,
            (Some(value), Some(row)) if *value == row.value => match self.expect {
                Expect::Version(before) => row.version != before,
                Expect::Any | Expect::Absent => true,
            },
            (None | Some(_), _) => false,
        }
    }
}

/// A condition on a row, checked at the moment of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// There is no such row.
    Absent,
    /// The row was last written by the transaction that got this version.
    Version(Version),
}

/// What a transaction became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The place of each frame's first record, in the order of [`Transaction::appends`].
    pub positions: Vec<Position>,
    /// When each frame reads as having arrived, in the same order: not before what is kept already
    /// in its log.
    pub arrivals: Vec<Timestamp>,
    /// The version of every row that was written.
    pub version: Version,
}

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub value: Bytes,
    /// Its version, for [`Expect::Version`].
    pub version: Version,
}

/// A stretch of a log.
#[derive(Clone, Debug)]
pub struct ReadBatch {
    /// Frames in order of position. The first holds the position asked for, or begins later; it
    /// may have records before that position.
    pub frames: Vec<Frame>,
    /// Where to read on: after the last frame; without one, the position asked for, or where the
    /// log now begins if that is later.
    pub next: Position,
    /// The position of the next record to be appended: `next == tip` is the end.
    pub tip: Position,
    /// No frame will ever be appended: at `next == tip` the log is read to its end.
    pub sealed: bool,
}

/// What a log promises of the records that are not in it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// They have this position or a later one.
    pub from: Position,
    /// None of them reads as having arrived before this.
    pub at: Timestamp,
    /// There will be none.
    pub sealed: bool,
}

/// How sure an engine is of what it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On this machine's disk, flushed past the operating system's cache.
    LocalDisk,
    /// On a quorum of machines.
    Replicated,
}

/// What the engine at hand offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What an acknowledgement means.
    pub durability: Durability,
    /// Bytes that a frame's body may have.
    pub frame_bytes_max: usize,
    /// Bytes of all frames, rows and checks that one transaction may have.
    pub transaction_bytes_max: usize,
}

/// Durable, ordered logs, tables, and transactions over both.
///
/// What every engine promises, and the contract suite checks:
///
/// 1. A commit that was answered `Ok` survives any crash. A commit that was refused, other than
///    with [`CommitError::Unknown`], never becomes visible.
/// 2. Nothing is readable before it is durable, and what was once read is read again until it is
///    trimmed or its log deleted.
/// 3. A log's frames keep one order for ever; no position is used twice, not even after a crash.
/// 4. All of a transaction is visible, or nothing of it, also after a crash.
/// 5. Bytes that a disk has changed are reported, never returned.
/// 6. A frame with a key leaves memory sealed only, and is read by nobody while its key is not to
///    be had. Everything else (positions, arrivals, trims, flushes, the start) needs no key.
///
/// Positions count records: a log's frames follow each other without a gap, each begins where the
/// one before ends, and what retention took before a reader came is a plain difference.
///
/// Dropping a future of a change loses the answer, not the change. Nothing here assumes one
/// process, one disk or that a log's data is local.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What this engine offers.
    fn capabilities(&self) -> Capabilities;

    /// The keys that frames are sealed with. Empty after a start: who gives frames a key gives the
    /// key before.
    fn keys(&self) -> &KeyRing;

    /// What tells this opening of the store from all that there were before, if only one process
    /// can have it open at a time: whoever worked with another one is gone.
    fn opening(&self) -> Option<u64>;

    /// Makes empty logs; one that exists already is left as it is.
    async fn create_logs(&self, logs: &[LogId]) -> Result<(), StoreError>;

    /// Makes a transaction durable, then visible, then answers.
    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        self.commit_for(Purpose::Keep, transaction).await
    }

    /// The same for a transaction that may be there to make room.
    async fn commit_for(
        &self,
        purpose: Purpose,
        transaction: Transaction,
    ) -> Result<Committed, CommitError>;

    /// Reads frames from the one that holds the record at `from` on, whole, wherever in the frame
    /// that record is; from the oldest that is kept if `from` lies before the horizon. At least one
    /// frame if there is any, and no more once their bodies reach `bytes_max`. Never waits for an
    /// append. The frames of one answer keep some twice their bytes in memory at most.
    async fn read(
        &self,
        log: LogId,
        from: Position,
        bytes_max: usize,
    ) -> Result<ReadBatch, StoreError>;

    /// What [`Engine::read`] would answer; `None` if that is not in memory.
    fn read_from_memory(
        &self,
        log: LogId,
        from: Position,
        bytes_max: usize,
    ) -> Result<Option<ReadBatch>, StoreError>;

    /// The oldest record that may still be read.
    fn horizon(&self, log: LogId) -> Result<Position, StoreError>;

    /// The position of the next record to be appended: how many there ever were.
    fn tip(&self, log: LogId) -> Result<Position, StoreError>;

    /// Returns when the log's tip is beyond `position`, or the log is sealed or deleted.
    async fn wait_beyond(&self, log: LogId, position: Position) -> Result<(), StoreError>;

    /// Where a reader can go on for whom [`Engine::read`] found damage, or a key that is not to be
    /// had: the first position at or after `from` whose record can be read, or the tip if there is
    /// none. What lies between the two cannot be read by anybody now.
    async fn readable_from(&self, log: LogId, from: Position) -> Result<Position, StoreError>;

    /// The position of the first frame that arrived at or after `at`; the tip if there is none.
    /// Where damage hides whether it is the one, the position of the damage.
    async fn seek_time(&self, log: LogId, at: Timestamp) -> Result<Position, StoreError>;

    /// When the newest frame of all logs arrived; `None` if no log ever had one. Of logs that were
    /// deleted nothing is known.
    fn newest_arrival(&self) -> Option<Timestamp>;

    /// When the newest frame of a log arrived; `None` if it never had one.
    fn last_arrival(&self, log: LogId) -> Result<Option<Timestamp>, StoreError>;

    /// Lets no record that is not in the log yet read as having arrived before `at`, and says from
    /// which position on that holds: who has read all before it knows what comes. A frame whose
    /// time is earlier is raised, as one is whose time runs backwards. A moment that was promised
    /// holds until the engine is opened anew, and an earlier one changes nothing.
    fn arrivals_from(&self, log: LogId, at: Timestamp) -> Result<Coming, StoreError>;

    /// Ends a log: no append to it will ever go through again. Returns its tip. Sealing a sealed
    /// log changes nothing.
    async fn seal(&self, log: LogId) -> Result<Position, StoreError>;

    /// Forgets all records before `before`, durably. Reads then begin there, with the whole frame
    /// that holds it; the space may come back later. A position past the tip means the tip; one
    /// before the horizon changes nothing.
    async fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError>;

    /// Forgets logs and all that is in them. One that does not exist is left so.
    async fn delete_logs(&self, logs: &[LogId]) -> Result<(), StoreError>;

    /// The same, and keeps where they ended: with each log that exists its row is written, in the
    /// same moment and durable with it. Nothing is appended after what the row says. A log that
    /// does not exist writes nothing, so that doing it again changes nothing.
    async fn end_logs(&self, ends: &[LogEnd]) -> Result<(), StoreError>;

    /// One row; `None` if there is none.
    async fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Versioned>, StoreError>;

    /// Rows in order of their keys, from the first whose key is at or after `from` and before
    /// `to` (`None`: to the end), at most `limit`.
    async fn scan(
        &self,
        table: TableId,
        from: Key,
        to: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError>;

    /// The same rows against the order of their keys: the last of the range first.
    async fn scan_back(
        &self,
        table: TableId,
        from: Key,
        to: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError>;

    /// What an operator must know: `Ok` while all is well, else why the engine is in a poorer
    /// state (read-only, disk full, a corrupt file).
    fn health(&self) -> Result<(), String>;

    /// Places on the disk that reads found damaged, each a file, an offset and what is wrong there.
    /// The engine is well otherwise: only the records there cannot be read.
    fn unreadable(&self) -> Vec<String>;

    /// Finishes what is under way, refuses what comes after, and releases the disk.
    async fn close(&self) -> Result<(), StoreError>;
}
