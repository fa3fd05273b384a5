//! What can go wrong with what the engine is asked for.

use std::fmt;
use std::sync::Arc;

use super::{Key, LogId, TableId};
use crate::keys::{KeyId, KeyRefusal};

/// Why a transaction did not go through. Except for [`CommitError::Unknown`], nothing of it is or
/// will be visible.
#[derive(Clone, Debug)]
pub enum CommitError {
    /// A log to append to is sealed.
    Sealed(LogId),
    /// A log to append to, or to seal, does not exist.
    NoLog(LogId),
    /// A row was not as expected.
    Conflict {
        /// The table of the row.
        table: TableId,
        /// The row.
        key: Key,
    },
    /// More waits to be written than memory allows; try again in a moment.
    Busy,
    /// The disk has no room that may be used for new data; try again when there is.
    DiskFull,
    /// A frame, key, value or the transaction is larger than the engine takes, or has no records.
    TooLarge(String),
    /// The engine accepts no writes any more: it is closing, or its disk failed twice.
    ReadOnly(String),
    /// The key that a frame is to be sealed with is not to be had.
    Key {
        /// Which key.
        key: KeyId,
        /// Why not.
        why: KeyRefusal,
    },
    /// The disk failed while the transaction was being made durable. It may or may not be
    /// there: resolve by reading.
    Unknown(String),
    /// The engine could not look at what the transaction depends on.
    Store(StoreError),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(log) => write!(f, "log {} is sealed", log.0),
            Self::NoLog(log) => write!(f, "log {} does not exist", log.0),
            Self::Conflict { table, .. } => {
                write!(f, "a row of table {} is not as expected", table.0)
            }
            Self::Busy => f.write_str("too many bytes wait to be written"),
            Self::DiskFull => f.write_str("the disk is full"),
            Self::TooLarge(what) => f.write_str(what),
            Self::ReadOnly(why) => write!(f, "the store takes no writes: {why}"),
            Self::Key { key, why } => write!(f, "{key} is not to be had: {why}"),
            Self::Unknown(why) => write!(f, "the outcome of a commit is unknown: {why}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

/// Why something kept could not be read or changed.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// There is no such log.
    NoLog(LogId),
    /// Bytes on disk are not what was written, or the disk does not give them back. The file's name
    /// and the offset say where.
    Corrupt {
        /// The file, relative to the data directory.
        file: String,
        /// Bytes from its start.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A row or a frame came whole from the disk, and is not what this build writes: another build
    /// wrote it.
    Unreadable {
        /// The file that it lies in, relative to the data directory.
        file: String,
        /// Which row or frame it is, and what is not as it should be.
        what: String,
    },
    /// The key that a frame is sealed with is not to be had. The frame is well, and is read as soon
    /// as the key is there.
    Key {
        /// Which key.
        key: KeyId,
        /// Why not.
        why: KeyRefusal,
    },
    /// Another process has the data directory open.
    Locked(String),
    /// The operating system refused, for a reason that may pass.
    Io {
        /// What was being done, to which thing.
        doing: String,
        /// What it said.
        source: Arc<std::io::Error>,
    },
    /// A change to a log's life (create, seal, trim, delete) did not go through.
    Commit(Box<CommitError>),
}

impl StoreError {
    /// Whether records are kept and cannot be read now, and those behind them may be: bytes are
    /// damaged, or a key is not to be had. A disk that is put right or a key that comes back gives
    /// them again.
    pub fn hides_records(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Key { .. })
    }

    /// The operating system refused `doing`.
    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io {
            doing: doing.into(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn corrupt(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt {
            file: file.into(),
            offset,
            what: what.into(),
        }
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        Self::Commit(Box::new(error))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog(log) => write!(f, "log {} does not exist", log.0),
            Self::Corrupt { file, offset, what } => write!(f, "{file} at byte {offset}: {what}"),
            Self::Unreadable { file, what } => write!(f, "{file}: {what}"),
            Self::Key { key, why } => write!(f, "{key} is not to be had: {why}"),
            Self::Locked(what) => f.write_str(what),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}
