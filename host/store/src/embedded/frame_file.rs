//! The bytes of a segment's file, counted from its first frame.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::embedded::given_back::{is_not_given_back, not_given_back, unread};
use crate::embedded::wal::read_onto;
use crate::engine::{LogId, StoreError};

/// Bytes before the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// What the system reads of a disk at once, at least: where reading more fails, each of these is
/// read alone.
const PAGE_BYTES: usize = 4_096;

/// An open file of frames.
pub struct FrameFile {
    /// The log that they are of.
    pub log: LogId,
    pub path: String,
    pub file: Arc<dyn DiskFile>,
}

impl FrameFile {
    /// Reads at most `bytes` from `offset` on, fewer at the end of the file. Zeros stand for what
    /// the disk does not give back. They are no frame, and a frame that they are a part of fails
    /// its checksums, so that it is passed over like any damage.
    pub fn read_at(&self, offset: u64, bytes: usize) -> Result<Bytes, StoreError> {
        let mut chunk = Vec::new();
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        let read = match read_onto(self.file.as_ref(), &mut chunk, bytes, at) {
            Err(error) if is_not_given_back(&error) => {
                chunk.clear();
                self.read_by_pages(&mut chunk, bytes, at)
            }
            read => read.map(|_| ()),
        };
        read.map_err(|source| unread(&self.path, at, source))?;
        Ok(Bytes::from(chunk))
    }

    fn read_by_pages(&self, chunk: &mut Vec<u8>, bytes: usize, at: u64) -> io::Result<()> {
        let mut wanted = bytes;
        while wanted > 0 {
            let from = at + (bytes - wanted) as u64;
            let into_page = usize::try_from(from % PAGE_BYTES as u64).map_err(io::Error::other)?;
            let part = wanted.min(PAGE_BYTES - into_page);
            let start = chunk.len();
            match read_onto(self.file.as_ref(), chunk, part, from) {
                Ok(read) if read < part => return Ok(()),
                Err(error) if is_not_given_back(&error) => {
                    chunk.truncate(start);
                    chunk.resize(start + part, 0);
                }
                read => {
                    read?;
                }
            }
            wanted -= part;
        }
        Ok(())
    }

    /// Something else is at `offset` than was written, or the disk does not give all of the `bytes`
    /// there back, which is looked at once more.
    pub fn corrupt(&self, offset: u64, bytes: usize, what: &str) -> StoreError {
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        let why = match read_onto(self.file.as_ref(), &mut Vec::new(), bytes, at) {
            Err(error) if is_not_given_back(&error) => not_given_back(&error),
            _ => what.to_owned(),
        };
        StoreError::corrupt(self.path.clone(), at, why)
    }
}
