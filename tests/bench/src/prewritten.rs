//! A file as a log's files are once they are used again: at its full length, written before, and
//! written past the system's cache, each write durable when it returns.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::{ReadWriteFlags, pwritev2};

use crate::Failure;

const MIB: usize = 1024 * 1024;
/// Bytes of the file.
const FILE_BYTES: usize = 64 * MIB;
/// What direct writes must be aligned to: no disk has larger blocks.
const ALIGNMENT: usize = 4096;

/// The file, written round and round.
pub struct Prewritten {
    file: File,
    offset: usize,
    flags: ReadWriteFlags,
}

impl Prewritten {
    /// A new file at `path`.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path)?;
        let zeros = vec![0; MIB];
        for offset in (0..FILE_BYTES).step_by(MIB) {
            file.write_all_at(&zeros, offset as u64)?;
        }
        file.sync_all()?;
        let direct = OFlags::DIRECT.bits().cast_signed();
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(direct)
            .open(path)?;
        Ok(Self {
            file,
            offset: 0,
            flags: ReadWriteFlags::DSYNC,
        })
    }

    /// Writes a block, and returns when it is durable.
    pub fn write(&mut self, block: &Block) -> Result<(), Failure> {
        let bytes = block.padded();
        if FILE_BYTES - self.offset < bytes.len() {
            self.offset = 0;
        }
        let slices = [IoSlice::new(bytes)];
        let written = pwritev2(&self.file, &slices, self.offset as u64, self.flags)?;
        if written != bytes.len() {
            return Err("a short write".into());
        }
        self.offset += written;
        Ok(())
    }
}

/// Bytes that may be written directly.
pub struct Block {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Block {
    /// An empty block with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let memory = vec![0; bytes.next_multiple_of(ALIGNMENT) + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self {
            memory,
            start,
            length: 0,
        }
    }

    /// Copies bytes onto the end, as far as there is room.
    pub fn push(&mut self, bytes: &[u8]) {
        let at = self.start + self.length;
        let room = &mut self.memory[at..];
        let bytes = &bytes[..bytes.len().min(room.len())];
        room[..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// What was pushed.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    fn padded(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length.next_multiple_of(ALIGNMENT)]
    }
}
