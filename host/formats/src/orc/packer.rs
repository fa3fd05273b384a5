//! Blocks of streams are packed, each by itself (ORC specification v1, "Compression").

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::settings::OrcCodec;

/// Bytes of a block at most.
pub const BLOCK_BYTES: usize = 64 * 1024;
/// No less than what packs takes besides what it is given and makes: the state of Deflate, and a
/// block.
pub const PACKER_BYTES: usize = 400 * 1024;
/// The level of Deflate, as that of Parquet files.
const LEVEL: u32 = 3;
/// Bytes of what stands before a block.
const HEAD_BYTES: usize = 3;

/// Packs one block after the other.
pub struct Packer {
    how: How,
    /// What is packed so far of the block that is at work.
    packed: Vec<u8>,
    /// Memory for what is encoded at once.
    spare: Vec<u8>,
}

enum How {
    Nothing,
    Deflate(Box<Compress>),
    Snappy(Box<snap::raw::Encoder>),
}

impl Packer {
    /// By this codec.
    pub fn new(codec: OrcCodec) -> Self {
        let how = match codec {
            OrcCodec::Uncompressed => How::Nothing,
            // Without a head: that is what ORC means by ZLIB.
            OrcCodec::Zlib => How::Deflate(Box::new(Compress::new(Compression::new(LEVEL), false))),
            OrcCodec::Snappy => How::Snappy(Box::new(snap::raw::Encoder::new())),
        };
        Self {
            how,
            packed: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// A block as it stands in the file.
    pub fn pack(&mut self, block: &[u8]) -> Vec<u8> {
        let packed = match &mut self.how {
            How::Nothing => return block.to_vec(),
            How::Deflate(deflate) => {
                self.packed.resize(block.len(), 0);
                deflated(deflate, block, &mut self.packed)
            }
            How::Snappy(snappy) => {
                self.packed
                    .resize(snap::raw::max_compress_len(block.len()), 0);
                snappy.compress(block, &mut self.packed).ok()
            }
        };
        // What gets no shorter stays as it is, as the format has it.
        let packed = packed.filter(|length| *length < block.len());
        match packed.and_then(|length| self.packed.get(..length)) {
            Some(packed) => with_head(packed, false),
            None => with_head(block, true),
        }
    }

    /// A block that is not packed, as it stands in the file: what is to be found by its bytes.
    pub fn keep(&self, block: &[u8]) -> Vec<u8> {
        match &self.how {
            How::Nothing => block.to_vec(),
            How::Deflate(_) | How::Snappy(_) => with_head(block, true),
        }
    }

    /// A message as it stands in the file: in as many blocks as it takes.
    pub fn pack_all(&mut self, message: &[u8]) -> Vec<u8> {
        let blocks = message.chunks(BLOCK_BYTES);
        blocks.flat_map(|block| self.pack(block)).collect()
    }

    /// Memory with nothing in it, which is given back.
    pub fn take_spare(&mut self) -> Vec<u8> {
        let mut spare = std::mem::take(&mut self.spare);
        spare.clear();
        spare
    }

    /// Gives it back.
    pub fn give_back(&mut self, spare: Vec<u8>) {
        self.spare = spare;
    }
}

/// How many bytes a block becomes; `None` where there is no room for that.
fn deflated(deflate: &mut Compress, block: &[u8], packed: &mut [u8]) -> Option<usize> {
    deflate.reset();
    match deflate.compress(block, packed, FlushCompress::Finish) {
        Ok(Status::StreamEnd) => usize::try_from(deflate.total_out()).ok(),
        Ok(Status::Ok | Status::BufError) | Err(_) => None,
    }
}

/// Three bytes before a block say how long it is, and whether it is as it was.
fn with_head(block: &[u8], is_original: bool) -> Vec<u8> {
    let head = (block.len() << 1) | usize::from(is_original);
    let [low, middle, high, ..] = head.to_le_bytes();
    let mut whole = Vec::with_capacity(HEAD_BYTES + block.len());
    whole.extend_from_slice(&[low, middle, high]);
    whole.extend_from_slice(block);
    whole
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_block_is_packed_by_itself_and_one_that_gets_no_shorter_stays() {
        let text = b"again and again and again and again and again".repeat(9);
        let noise = [1, 7, 200, 13, 99];
        for codec in [OrcCodec::Zlib, OrcCodec::Snappy] {
            let mut packer = Packer::new(codec);
            for _ in 0..3 {
                // The example of the specification: five bytes that did not compress.
                assert_eq!(packer.pack(&noise)[..3], [0x0b, 0, 0]);
                let packed = packer.pack(&text);
                let head = u32::from_le_bytes([packed[0], packed[1], packed[2], 0]);
                assert_eq!(head % 2, 0);
                let block = &packed[3..];
                assert_eq!(block.len(), usize::try_from(head / 2).unwrap());
                assert!(block.len() < text.len());
                let mut found = Vec::new();
                match codec {
                    OrcCodec::Zlib => {
                        let mut reader = flate2::read::DeflateDecoder::new(block);
                        reader.read_to_end(&mut found).unwrap();
                    }
                    _ => found = snap::raw::Decoder::new().decompress_vec(block).unwrap(),
                }
                assert_eq!(found, text);
            }
            assert_eq!(packer.keep(&text)[3..], text);
        }
        let mut packer = Packer::new(OrcCodec::Uncompressed);
        assert_eq!(packer.pack(&text), text);
        // The other example.
        assert_eq!(with_head(&[0; 100_000], false)[..3], [0x40, 0x0d, 0x03]);
    }
}
