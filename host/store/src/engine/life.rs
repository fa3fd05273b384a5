//! What can become of a log as a whole.

use bytes::Bytes;

use super::{Key, LogId, Position, TableId};

/// A step in a log's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChange {
    /// It exists from here on.
    Create(LogId),
    /// Nothing is appended from here on.
    Seal(LogId),
    /// Frames before the position are forgotten, as `Engine::trim` does it.
    Trim(LogId, Position),
    /// It and its frames are forgotten.
    Delete(LogId),
}

/// A log that is deleted, and the row that keeps where it ended.
#[derive(Clone, Debug)]
pub struct LogEnd {
    /// Which log.
    pub log: LogId,
    /// The table of the row.
    pub table: TableId,
    /// Which row, 1 to 1,024 bytes. [`LogEnd::parse`] reads its value.
    pub key: Key,
}

impl LogEnd {
    /// Bytes of the row's value.
    pub(crate) const VALUE_BYTES: usize = 8;

    /// The value of the row: the tip, 8 bytes, little-endian.
    pub(crate) fn value(tip: Position) -> Bytes {
        Bytes::copy_from_slice(&tip.0.to_le_bytes())
    }

    /// The tip that the value of such a row says; `None` if it is none.
    pub fn parse(value: &[u8]) -> Option<Position> {
        let tip = value.try_into().ok()?;
        Some(Position(u64::from_le_bytes(tip)))
    }
}
