//! Snappy as Hadoop's `SnappyCodec` reads it: blocks, each the length of its content and then of
//! what that is packed into, both in four bytes, the highest first, and the packed bytes
//! (`BlockCompressorStream`). There is no checksum and no end.

use std::io::{self, Write};

use super::broken;

/// Bytes of a block's content: readers have room for 256 KiB (`io.compression.codec.snappy.
/// buffersize`).
const BLOCK_BYTES: usize = 64 * 1024;
const HEAD_BYTES: usize = 8;
/// Bytes of a block that is read; a longer one is none of ours.
const READ_BLOCK_BYTES_MAX: usize = 512 * 1024;

/// Writes blocks.
pub struct HadoopWriter<W: Write> {
    to: W,
    content: Vec<u8>,
    packed: Vec<u8>,
    snappy: snap::raw::Encoder,
}

impl<W: Write> HadoopWriter<W> {
    /// Begins with the first block.
    pub fn new(to: W) -> Self {
        Self {
            to,
            content: Vec::with_capacity(BLOCK_BYTES),
            packed: vec![0; snap::raw::max_compress_len(BLOCK_BYTES)],
            snappy: snap::raw::Encoder::new(),
        }
    }

    /// What blocks are written to.
    pub fn get_ref(&self) -> &W {
        &self.to
    }

    /// Ends the last block.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_block()?;
        Ok(self.to)
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        let packed_bytes = self.snappy.compress(&self.content, &mut self.packed)?;
        for length in [self.content.len(), packed_bytes] {
            let length = u32::try_from(length).map_err(|_| broken("a block that is too long"))?;
            self.to.write_all(&length.to_be_bytes())?;
        }
        let packed = self.packed.get(..packed_bytes);
        self.to
            .write_all(packed.ok_or_else(|| broken("more bytes than there are"))?)?;
        self.content.clear();
        Ok(())
    }
}

impl<W: Write> Write for HadoopWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.content.len() == BLOCK_BYTES {
            self.end_block()?;
        }
        let room = BLOCK_BYTES - self.content.len();
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads blocks.
#[derive(Default)]
pub struct HadoopReader {
    waiting: Vec<u8>,
}

impl HadoopReader {
    /// Takes the bytes that come next and writes what they hold.
    ///
    /// # Errors
    /// Those of the writer, and when they are no blocks.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Write) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some((length, packed)) = block(super::from(&self.waiting, taken)?)? {
            if snap::raw::decompress_len(packed)? != length {
                return Err(broken("a block of Snappy of another length than it says"));
            }
            to.write_all(&snap::raw::Decoder::new().decompress_vec(packed)?)?;
            taken += HEAD_BYTES + packed.len();
        }
        self.waiting.drain(..taken);
        Ok(())
    }

    /// Whether the last block is whole.
    pub fn has_ended(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The first block: how long its content is, and what that is packed into; `None` if it is not
/// whole.
fn block(bytes: &[u8]) -> io::Result<Option<(usize, &[u8])>> {
    let number = |at: usize| {
        let four = bytes.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*four)).ok()
    };
    let (Some(length), Some(packed_bytes)) = (number(0), number(HEAD_BYTES / 2)) else {
        return Ok(None);
    };
    if length.max(packed_bytes) > READ_BLOCK_BYTES_MAX {
        return Err(broken("a block of Snappy that is longer than ours are"));
    }
    let packed = bytes.get(HEAD_BYTES..HEAD_BYTES + packed_bytes);
    Ok(packed.map(|packed| (length, packed)))
}
