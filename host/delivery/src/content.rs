//! The content of an object while it comes to be: chunks of one size, so that growing copies
//! nothing and takes no more memory than there are bytes.

use std::io::{self, Write};

use bytes::Bytes;
use object_store::PutPayload;

/// Bytes of a chunk.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes of an object of failed records at which another begins.
pub const FAILED_OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Packed bytes of an object of records as they came in at which another begins.
pub const BACKUP_OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that are written one after the other.
#[derive(Debug, Default)]
pub struct Chunks {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Chunks {
    /// Adds bytes.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.open.capacity() == 0 {
                self.open = Vec::with_capacity(CHUNK_BYTES);
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.open.len()));
            self.open.extend_from_slice(now);
            if self.open.len() == CHUNK_BYTES {
                self.full.push(Bytes::from(std::mem::take(&mut self.open)));
            }
            bytes = later;
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.full.len() * CHUNK_BYTES + self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that they take.
    pub fn held_bytes(&self) -> usize {
        self.full.len() * CHUNK_BYTES + self.open.capacity()
    }

    /// All of them.
    pub fn finish(mut self) -> PutPayload {
        if !self.open.is_empty() {
            self.full.push(Bytes::from(self.open));
        }
        self.full.into_iter().collect()
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Chunks::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_any_pieces_comes_out_whole() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * CHUNK_BYTES + 5).collect();
        for piece in [CHUNK_BYTES / 2 + 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7] {
            let mut chunks = Chunks::default();
            for piece in bytes.chunks(piece) {
                chunks.write(piece);
            }
            assert_eq!(
                (chunks.len(), chunks.held_bytes()),
                (bytes.len(), 4 * CHUNK_BYTES)
            );
            assert_eq!(Bytes::from(chunks.finish()), bytes);
        }
        assert!(Bytes::from(Chunks::default().finish()).is_empty());
    }
}
