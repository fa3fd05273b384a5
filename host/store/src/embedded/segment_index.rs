//! Where frames lie in a segment: the first one after every so many bytes. It is made from the
//! frames, or taken from the file's footer.

use bytes::{Buf, BufMut};
use types::Timestamp;

use crate::embedded::options::INDEX_EVERY_BYTES;
use crate::engine::Position;

const FOOTER_MAGIC: &[u8; 8] = b"MRIDX\0\0\x01";
const FOOTER_TAIL_BYTES: usize = 16;
const ENTRY_BYTES: usize = 24;

/// A frame that can be found without reading those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub position: Position,
    pub arrival: Timestamp,
    /// From the start of the first frame.
    pub offset: u64,
}

/// The entries of a segment.
#[derive(Debug, Default)]
pub struct Index {
    pub entries: Vec<IndexEntry>,
    /// Bytes of frames that the entries speak of.
    pub covered: u64,
    /// What lies before `covered` is damaged, so that only an entry there leads past it.
    is_behind_damage: bool,
}

impl Index {
    /// Goes on with the frame that follows what is covered.
    pub fn add(&mut self, position: Position, arrival: Timestamp, bytes: u64) {
        let offset = self.covered;
        let last = self.entries.last();
        let is_far = last.is_none_or(|last| last.offset + INDEX_EVERY_BYTES <= offset);
        if std::mem::take(&mut self.is_behind_damage) || is_far {
            self.entries.push(IndexEntry {
                position,
                arrival,
                offset,
            });
        }
        self.covered += bytes;
    }

    /// Goes on at `offset`, behind frames that cannot be told.
    pub fn pass_damage(&mut self, offset: u64) {
        self.covered = offset;
        self.is_behind_damage = true;
    }

    /// The index of `covered` bytes of frames as a file's footer has it; `None` if there is none to
    /// be relied on.
    pub fn of_footer(footer: &[u8], covered: u64) -> Option<Self> {
        let (entries, mut tail) =
            footer.split_at_checked(footer.len().checked_sub(FOOTER_TAIL_BYTES)?)?;
        let (count, crc) = (tail.get_u32_le() as usize, tail.get_u32_le());
        let whole = entries.len() == count * ENTRY_BYTES && tail == FOOTER_MAGIC;
        if !whole || crc32c::crc32c(entries) != crc {
            return None;
        }
        let entries = entries
            .chunks_exact(ENTRY_BYTES)
            .map(|mut entry| IndexEntry {
                position: Position(entry.get_u64_le()),
                arrival: Timestamp(entry.get_u64_le()),
                offset: entry.get_u64_le(),
            });
        Some(Self {
            entries: entries.collect(),
            covered,
            is_behind_damage: false,
        })
    }

    /// The bytes of the footer; `None` if there are more entries than it can count.
    pub fn footer(&self) -> Option<Vec<u8>> {
        let count = u32::try_from(self.entries.len()).ok()?;
        let mut out = Vec::with_capacity(self.entries.len() * ENTRY_BYTES + FOOTER_TAIL_BYTES);
        for entry in &self.entries {
            out.put_u64_le(entry.position.0);
            out.put_u64_le(entry.arrival.0);
            out.put_u64_le(entry.offset);
        }
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(count);
        out.put_u32_le(crc);
        out.put_slice(FOOTER_MAGIC);
        Some(out)
    }
}
