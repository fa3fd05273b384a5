//! Streams of bytes and of bits in runs (ORC specification v1, "Boolean Run Length Encoding").

use super::byte_runs;
use super::packer::Packer;
use super::stream::Stream;

/// Bytes that are encoded together.
const BYTES_MAX: usize = 512;
/// Bits of a byte.
const BITS: u8 = 8;

/// A stream of bytes, of which some wait to be encoded together.
#[derive(Debug, Default)]
pub struct Bytes {
    waiting: Vec<u8>,
    stream: Stream,
}

impl Bytes {
    /// Adds a byte.
    pub fn push(&mut self, value: u8, packer: &mut Packer) {
        self.waiting.push(value);
        if self.waiting.len() == BYTES_MAX {
            self.encode(packer);
        }
    }

    fn encode(&mut self, packer: &mut Packer) {
        let mut bytes = packer.take_spare();
        byte_runs::encode(&self.waiting, &mut bytes);
        self.waiting.clear();
        self.stream.write(&bytes, packer);
        packer.give_back(bytes);
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.waiting.capacity() + self.stream.memory_bytes()
    }

    /// Takes out what there is, encoded and packed.
    pub fn take(&mut self, packer: &mut Packer) -> Vec<Vec<u8>> {
        self.encode(packer);
        self.waiting = Vec::new();
        self.stream.take(packer)
    }
}

/// A stream of bits, the first of each eight the highest of a byte.
#[derive(Debug, Default)]
pub struct Bits {
    open: u8,
    count: u8,
    bytes: Bytes,
}

impl Bits {
    /// Adds a bit.
    pub fn push(&mut self, is_set: bool, packer: &mut Packer) {
        self.open = (self.open << 1) | u8::from(is_set);
        self.count += 1;
        if self.count == BITS {
            self.bytes.push(self.open, packer);
            (self.open, self.count) = (0, 0);
        }
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.memory_bytes()
    }

    /// Takes out what there is; the last byte is filled up.
    pub fn take(&mut self, packer: &mut Packer) -> Vec<Vec<u8>> {
        while self.count > 0 {
            self.push(false, packer);
        }
        self.bytes.take(packer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OrcCodec;

    /// The example of the specification: a true and seven falses, behind eight trues.
    #[test]
    fn bits_are_bytes_from_the_highest_to_the_lowest_in_runs() {
        let mut packer = Packer::new(OrcCodec::Uncompressed);
        let mut bits = Bits::default();
        for is_set in [true; 9] {
            bits.push(is_set, &mut packer);
        }
        assert_eq!(bits.take(&mut packer).concat(), [0xfe, 0xff, 0x80]);
        assert!(bits.take(&mut packer).concat().is_empty());
        for _ in 0..8 * 600 {
            bits.push(true, &mut packer);
        }
        let taken = bits.take(&mut packer).concat();
        assert_eq!(taken[..2], [0x7f, 0xff]);
        assert_eq!(taken.len(), 10, "{taken:?}");
    }
}
