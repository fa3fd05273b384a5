//! The content of an object while it comes to be: chunks of one size, so that growing copies
//! nothing and takes no more memory than there are bytes.

use std::collections::VecDeque;
use std::io::{self, Write};

use bytes::Bytes;
use object_store::PutPayload;

/// Bytes of a chunk.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes of an object of failed records at which another begins.
pub const FAILED_OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Packed bytes of an object of records as they came in at which another begins.
pub const BACKUP_OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of the first chunk of content of which there may be very much at a time.
const SMALL_CHUNK_BYTES: usize = 256;

/// Bytes that are written one after the other.
#[derive(Debug, Default)]
pub struct Chunks {
    full: VecDeque<Bytes>,
    open: Vec<u8>,
    /// The chunk that is open begins small, and is copied as it grows.
    grows: bool,
}

impl Chunks {
    /// Content that takes little more memory than there is of it, however little that is.
    pub fn growing() -> Self {
        Self {
            grows: true,
            ..Self::default()
        }
    }

    /// Adds bytes.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.make_room(bytes.len());
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.open.len()));
            self.open.extend_from_slice(now);
            if self.open.len() == CHUNK_BYTES {
                self.full
                    .push_back(Bytes::from(std::mem::take(&mut self.open)));
            }
            bytes = later;
        }
    }

    /// Makes the open chunk large enough for what it takes of so many more bytes.
    fn make_room(&mut self, more: usize) {
        if !self.grows {
            if self.open.capacity() == 0 {
                self.open = Vec::with_capacity(CHUNK_BYTES);
            }
            return;
        }
        let wanted = (self.open.len() + more).min(CHUNK_BYTES);
        if self.open.capacity() < wanted {
            let capacity = wanted.max(SMALL_CHUNK_BYTES).next_power_of_two();
            self.open.reserve_exact(capacity - self.open.len());
        }
    }

    /// Takes the first chunk, if there is one.
    pub fn take_first(&mut self) -> Option<Bytes> {
        let first = self.full.pop_front();
        first.or_else(|| {
            let last = std::mem::take(&mut self.open);
            (!last.is_empty()).then(|| Bytes::from(last))
        })
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.full.len() * CHUNK_BYTES + self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that they take. Of growing ones that follows from how many bytes they are,
    /// whatever memory there was for them.
    pub fn held_bytes(&self) -> usize {
        let open = match self.open.len() {
            0 if self.grows => 0,
            bytes if self.grows => bytes.max(SMALL_CHUNK_BYTES).next_power_of_two(),
            _ => self.open.capacity(),
        };
        self.full.len() * CHUNK_BYTES + open
    }

    /// All of them.
    pub fn finish(mut self) -> PutPayload {
        if self.grows {
            self.open.shrink_to_fit();
        }
        if !self.open.is_empty() {
            self.full.push_back(Bytes::from(self.open));
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

    #[test]
    fn little_content_takes_little_memory_and_is_the_same() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(2 * CHUNK_BYTES + 5).collect();
        for end in [1, 255, 256, 257, 70_000, CHUNK_BYTES, bytes.len()] {
            let written = &bytes[..end];
            for piece in [1, 100, CHUNK_BYTES + 1] {
                let mut chunks = Chunks::growing();
                written.chunks(piece).for_each(|piece| chunks.write(piece));
                assert_eq!(chunks.len(), end);
                let most = (2 * end).max(SMALL_CHUNK_BYTES);
                assert!(chunks.held_bytes() <= most, "{}", chunks.held_bytes());
                let mut taken = Vec::new();
                while let Some(chunk) = chunks.take_first() {
                    taken.extend_from_slice(&chunk);
                }
                assert!(taken == written && chunks.is_empty());
            }
        }
        let mut chunks = Chunks::growing();
        chunks.write(b"whole");
        assert_eq!(Bytes::from(chunks.finish()), "whole");
    }
}
