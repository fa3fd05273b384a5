//! A commit block as it is put together: headers in one buffer, bodies where they are.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use types::Timestamp;

use crate::embedded::format::{
    BLOCK_HEADER_BYTES, BlockHeader, FrameHeader, Packing, RowEntry, padded_block_bytes,
};
use crate::embedded::logs::{Log, WalFrame};
use crate::embedded::queue::ResolvedAppend;
use crate::embedded::seal::SealedBody;
use crate::engine::{CommitError, Frame, LogChange, Position, Version};

static PADDING: [u8; crate::embedded::format::BLOCK_ALIGNMENT] =
    [0; crate::embedded::format::BLOCK_ALIGNMENT];

/// A frame that was given its place.
pub struct PlacedFrame {
    pub log: Arc<Log>,
    pub frame: Frame,
    /// What is written in the place of its body, if that is sealed.
    ciphertext: Option<Bytes>,
    /// The header's checksum.
    pub chain: u32,
    /// Bytes of header and body.
    length: u32,
    /// From the start of the block's entries.
    offset: u64,
}

impl PlacedFrame {
    /// What is written after the header, without the seal.
    fn stored_body(&self) -> &Bytes {
        self.ciphertext.as_ref().unwrap_or(&self.frame.body)
    }

    /// Where the frame is once the block stands at `block_offset` of `slot`.
    pub fn in_wal(&self, slot: u32, block_offset: u64) -> WalFrame {
        WalFrame {
            position: self.frame.position,
            end: self.frame.end(),
            arrival: self.frame.arrival,
            slot,
            offset: block_offset + BLOCK_HEADER_BYTES as u64 + self.offset,
            length: self.length,
        }
    }
}

/// One block under way.
#[derive(Default)]
pub struct Block {
    pub frames: Vec<PlacedFrame>,
    pub rows: Vec<RowEntry>,
    pub changes: Vec<LogChange>,
    /// A transaction in it has several parts, which must become visible together.
    pub is_compound: bool,
    /// Headers, seals, rows and changes; bodies lie between them.
    meta: Vec<u8>,
    /// The end of the part of `meta` that comes before the body of each frame.
    meta_ends: Vec<usize>,
    entries: u32,
    length: usize,
    crc: u32,
}

impl Block {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Gives a frame the next places in its log and adds it. Returns the first of them, and when
    /// the frame reads as having arrived.
    pub fn append(&mut self, append: ResolvedAppend, epoch: u64) -> (Position, Timestamp) {
        let ResolvedAppend {
            log,
            frame,
            length,
            body_crc,
            sealed,
        } = append;
        let mut state = log.state();
        let promised = state.arrivals_from;
        let assigned = &mut state.assigned;
        let position = assigned.next;
        let arrival = frame.arrival.max(assigned.arrival).max(promised);
        let plain = Packing::plain(length);
        let mut header = FrameHeader {
            log: log.id,
            position,
            epoch,
            arrival,
            count: frame.count,
            length,
            packing: sealed.as_ref().map_or(plain, SealedBody::packing),
            body_crc,
            previous: assigned.chain,
        };
        let seal = sealed.as_ref().map(|sealed| sealed.at(&header));
        if let Some(seal) = &seal {
            header.body_crc = crc32c::crc32c_append(body_crc, seal);
        }
        let (bytes, chain) = header.encode();
        (assigned.next, assigned.chain, assigned.arrival) = (header.end(), chain, arrival);
        drop(state);
        let offset = self.length as u64;
        self.meta_grew(&bytes);
        self.meta_ends.push(self.meta.len());
        // Behind the body, whose part it is.
        self.meta
            .extend_from_slice(seal.as_ref().map_or(&[], |seal| &seal[..]));
        self.length += length as usize;
        let frame = Frame {
            position,
            arrival,
            count: frame.count,
            body: frame.body,
            key: frame.key,
        };
        self.frames.push(PlacedFrame {
            log,
            frame,
            ciphertext: sealed.map(|sealed| sealed.ciphertext().clone()),
            chain,
            length: header.frame_length(),
            offset,
        });
        (position, arrival)
    }

    /// Adds a row.
    pub fn write(&mut self, row: RowEntry) {
        let start = self.meta.len();
        row.encode_onto(&mut self.meta);
        self.count_meta(start);
        self.rows.push(row);
    }

    /// Adds a step in a log's life.
    pub fn change(&mut self, change: LogChange) {
        let start = self.meta.len();
        change.encode_onto(&mut self.meta);
        self.count_meta(start);
        self.changes.push(change);
    }

    fn meta_grew(&mut self, bytes: &[u8]) {
        let start = self.meta.len();
        self.meta.extend_from_slice(bytes);
        self.count_meta(start);
    }

    fn count_meta(&mut self, start: usize) {
        let added = &self.meta[start..];
        self.crc = crc32c::crc32c_append(self.crc, added);
        self.length += added.len();
        self.entries += 1;
    }

    /// Bytes that the block takes in its file.
    pub fn padded_bytes(&self) -> u64 {
        padded_block_bytes(self.length) as u64
    }

    /// Fills in what the header says of the entries.
    pub fn header(&self, identity: BlockHeader) -> Result<BlockHeader, CommitError> {
        let length = u32::try_from(self.length)
            .map_err(|_| CommitError::TooLarge(format!("a block has {} bytes", self.length)))?;
        Ok(BlockHeader {
            entries: self.entries,
            length,
            entries_crc: self.crc,
            ..identity
        })
    }

    /// The block's bytes in order, without copying a body.
    pub fn slices<'a>(&'a self, header: &'a [u8; BLOCK_HEADER_BYTES]) -> Vec<IoSlice<'a>> {
        let mut slices = Vec::with_capacity(self.frames.len() * 2 + 3);
        slices.push(IoSlice::new(header));
        let mut start = 0;
        for (frame, end) in self.frames.iter().zip(&self.meta_ends) {
            slices.push(IoSlice::new(&self.meta[start..*end]));
            slices.push(IoSlice::new(frame.stored_body()));
            start = *end;
        }
        slices.push(IoSlice::new(&self.meta[start..]));
        let padding = padded_block_bytes(self.length) - BLOCK_HEADER_BYTES - self.length;
        slices.push(IoSlice::new(&PADDING[..padding]));
        slices
    }

    /// Empties the block, keeping its memory.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.rows.clear();
        self.changes.clear();
        self.meta.clear();
        self.meta_ends.clear();
        self.is_compound = false;
        (self.entries, self.length, self.crc) = (0, 0, 0);
    }
}

/// The version of the rows that a transaction writes: greater with every block, and within a
/// block with every transaction.
pub fn row_version(block: u64, transaction: usize) -> Version {
    const TRANSACTION_BITS: u32 = 20;
    let transaction = (transaction as u64).min((1 << TRANSACTION_BITS) - 1);
    Version(block << TRANSACTION_BITS | transaction)
}
