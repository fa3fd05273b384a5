//! Snappy in its own framing (`framing_format.txt` of Snappy): chunks, each with its kind, its
//! length and, where it holds content, the checksum of that.

use std::io::{self, Write};

use super::broken;

const HEAD_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;
/// Bytes of a chunk's content.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// No less than what such a content is packed into.
const CHUNK_BYTES_MAX: usize = 128 * 1024;
const PACKED: u8 = 0x00;
const PLAIN: u8 = 0x01;
/// Kinds from here on hold nothing; one of those between is none that a reader may skip.
const SKIPPED: u8 = 0x80;
const BEGINNING: u8 = 0xff;
const NAME: &[u8] = b"sNaPpY";

/// Reads chunks.
#[derive(Default)]
pub struct SnappyReader {
    waiting: Vec<u8>,
    has_begun: bool,
}

impl SnappyReader {
    /// Takes the bytes that come next and writes what they hold.
    ///
    /// # Errors
    /// Those of the writer, and when they are no chunks.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Write) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(chunk) = chunk(super::from(&self.waiting, taken)?)? {
            let (kind, content) = chunk;
            self.has_begun |= kind == BEGINNING;
            if !self.has_begun || (kind == BEGINNING && content != NAME) {
                return Err(broken("it does not begin as framed Snappy does"));
            }
            if kind < SKIPPED {
                to.write_all(&unpacked(kind, content)?)?;
            }
            taken += HEAD_BYTES + content.len();
        }
        self.waiting.drain(..taken);
        Ok(())
    }

    /// Whether the last chunk is whole.
    pub fn has_ended(&self) -> bool {
        self.has_begun && self.waiting.is_empty()
    }
}

/// The first chunk: its kind and what is in it; `None` if it is not whole.
fn chunk(bytes: &[u8]) -> io::Result<Option<(u8, &[u8])>> {
    let Some([kind, low, middle, high]) = bytes.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
    if length > CHUNK_BYTES_MAX {
        return Err(broken("a chunk of Snappy that is longer than one can be"));
    }
    let content = bytes.get(HEAD_BYTES..HEAD_BYTES + length);
    Ok(content.map(|content| (*kind, content)))
}

fn unpacked(kind: u8, content: &[u8]) -> io::Result<Vec<u8>> {
    let parts = content.split_first_chunk::<CHECKSUM_BYTES>();
    let (checksum, packed) = parts.ok_or_else(|| broken("a chunk of Snappy without a checksum"))?;
    let content = match kind {
        PACKED => {
            if snap::raw::decompress_len(packed)? > CONTENT_BYTES_MAX {
                return Err(broken("a chunk of Snappy with more than one can hold"));
            }
            snap::raw::Decoder::new().decompress_vec(packed)?
        }
        PLAIN => packed.to_vec(),
        _ => return Err(broken("a chunk of Snappy of a kind that is not known")),
    };
    // Masked, as the format has it.
    let wanted = crc32c::crc32c(&content)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8);
    if u32::from_le_bytes(*checksum) != wanted {
        return Err(broken("a chunk of Snappy with another checksum"));
    }
    Ok(content)
}
