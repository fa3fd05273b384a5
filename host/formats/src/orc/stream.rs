//! The bytes of one stream of one column, until the stripe ends.

use super::packer::{BLOCK_BYTES, Packer};

/// Blocks that are packed, and one that is open.
#[derive(Debug, Default)]
pub struct Stream {
    packed: Vec<Vec<u8>>,
    packed_bytes: usize,
    open: Vec<u8>,
}

impl Stream {
    /// Adds bytes.
    pub fn write(&mut self, mut bytes: &[u8], packer: &mut Packer) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.open.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.open.extend_from_slice(now);
            if self.open.len() == BLOCK_BYTES {
                self.close(packer);
            }
            bytes = later;
        }
    }

    fn close(&mut self, packer: &mut Packer) {
        if !self.open.is_empty() {
            let block = packer.pack(&self.open);
            self.packed_bytes += block.len();
            self.packed.push(block);
            self.open.clear();
        }
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let blocks = self.packed.capacity() * size_of::<Vec<u8>>();
        blocks + self.packed_bytes + self.open.capacity()
    }

    /// Takes out what there is, packed.
    pub fn take(&mut self, packer: &mut Packer) -> Vec<Vec<u8>> {
        self.close(packer);
        self.open = Vec::new();
        self.packed_bytes = 0;
        std::mem::take(&mut self.packed)
    }
}
