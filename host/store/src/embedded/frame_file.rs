//! The bytes of a segment's file, counted from its first frame.

use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::embedded::wal::read_onto;
use crate::engine::{LogId, StoreError};

/// Bytes before the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 64;

/// An open file of frames.
pub struct FrameFile {
    /// The log that they are of.
    pub log: LogId,
    pub path: String,
    pub file: Arc<dyn DiskFile>,
}

impl FrameFile {
    /// Reads at most `bytes` from `offset` on, fewer at the end of the file.
    pub fn read_at(&self, offset: u64, bytes: usize) -> Result<Bytes, StoreError> {
        let mut chunk = Vec::new();
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        read_onto(self.file.as_ref(), &mut chunk, bytes, at)
            .map_err(|source| StoreError::io(format!("read {}", self.path), source))?;
        Ok(Bytes::from(chunk))
    }

    /// Something else is at `offset` than was written.
    pub fn corrupt(&self, offset: u64, what: &str) -> StoreError {
        StoreError::corrupt(
            self.path.clone(),
            SEGMENT_HEADER_BYTES as u64 + offset,
            what,
        )
    }
}
