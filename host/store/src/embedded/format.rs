//! The bytes of commit blocks and frames, as FORMAT.md describes them. Pure: no disk, no clock.

use bytes::{Buf, Bytes};
use types::Timestamp;

use crate::engine::{LogChange, LogId, Position, TableId, Version};

/// Blocks start on, and are padded to, multiples of this: a write never shares a page with an
/// earlier one.
pub const BLOCK_ALIGNMENT: usize = 4096;
/// Bytes of a block's header.
pub const BLOCK_HEADER_BYTES: usize = 64;
/// Bytes of a frame's header.
pub const FRAME_HEADER_BYTES: usize = FRAME_HEADER_LENGTH as usize;
/// The same, as lengths are noted.
const FRAME_HEADER_LENGTH: u32 = 72;
/// The entries of one block, at most. A block holds whole transactions.
pub const BLOCK_BYTES_MAX: usize = 32 * 1024 * 1024;

const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"MRBL");
/// The first bytes of a frame's header.
pub const FRAME_START: [u8; 4] = FRAME_MAGIC.to_le_bytes();
const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"MRFR");
const ROW_MAGIC: u32 = u32::from_le_bytes(*b"MRRW");
const CHANGE_MAGIC: u32 = u32::from_le_bytes(*b"MRLC");
const BLOCK_VERSION: u16 = 1;
/// A body that lies as it is.
pub const CIPHER_NONE: u8 = 0;
/// A body that is sealed: see `seal`.
pub const CIPHER_AES_256_GCM: u8 = 1;
/// Key length that a row entry may have.
pub const ROW_KEY_BYTES_MAX: usize = 1024;
/// Value length that a row entry may have.
pub const ROW_VALUE_BYTES_MAX: usize = 1024 * 1024;
const ROW_HEADER_BYTES: usize = 32;
const CHANGE_BYTES: usize = 32;
const REMOVED: u32 = u32::MAX;

/// What makes a block this block and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The data directory's own number: a block of another one is no block here.
    pub store: u64,
    /// The start of the server that wrote it.
    pub epoch: u64,
    /// The file that it was written to: a block left in a recycled file is no block there.
    pub file: u64,
    /// One more than the block before.
    pub number: u64,
    /// The header checksum of the block before.
    pub previous: u32,
    /// How many entries follow.
    pub entries: u32,
    /// How many bytes they have.
    pub length: u32,
    /// CRC-32C of all entries but the bodies of frames, which have their own.
    pub entries_crc: u32,
}

impl BlockHeader {
    /// The header's bytes and its checksum.
    pub fn encode(&self) -> ([u8; BLOCK_HEADER_BYTES], u32) {
        let mut out = [0; BLOCK_HEADER_BYTES];
        out[0..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
        out[4..6].copy_from_slice(&BLOCK_VERSION.to_le_bytes());
        out[8..16].copy_from_slice(&self.store.to_le_bytes());
        out[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        out[24..32].copy_from_slice(&self.file.to_le_bytes());
        out[32..40].copy_from_slice(&self.number.to_le_bytes());
        out[40..44].copy_from_slice(&self.previous.to_le_bytes());
        out[44..48].copy_from_slice(&self.entries.to_le_bytes());
        out[48..52].copy_from_slice(&self.length.to_le_bytes());
        out[52..56].copy_from_slice(&self.entries_crc.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    /// The header and its checksum; `None` for bytes that are not a block's header.
    pub fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let header = bytes.first_chunk::<BLOCK_HEADER_BYTES>()?;
        let mut fields = &header[..60];
        let crc = crc32c::crc32c(fields);
        let stored = (&header[60..]).get_u32_le();
        if fields.get_u32_le() != BLOCK_MAGIC || fields.get_u16_le() != BLOCK_VERSION {
            return None;
        }
        fields.advance(2);
        let header = Self {
            store: fields.get_u64_le(),
            epoch: fields.get_u64_le(),
            file: fields.get_u64_le(),
            number: fields.get_u64_le(),
            previous: fields.get_u32_le(),
            entries: fields.get_u32_le(),
            length: fields.get_u32_le(),
            entries_crc: fields.get_u32_le(),
        };
        let fits = usize::try_from(header.length).is_ok_and(|n| n <= BLOCK_BYTES_MAX);
        (crc == stored && fits).then_some((header, crc))
    }
}

/// Bytes that a block with `entries` bytes of entries takes in its file.
pub fn padded_block_bytes(entries: usize) -> usize {
    (BLOCK_HEADER_BYTES + entries).next_multiple_of(BLOCK_ALIGNMENT)
}

/// How a frame's body lies. Values that this build does not know are no damage: the frame counts,
/// and who wants to read it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Bytes of the records.
    pub raw_length: u32,
    /// What they are compressed by; 0: nothing.
    pub codec: u8,
    /// What they are sealed with; [`CIPHER_NONE`]: nothing.
    pub cipher: u8,
}

impl Packing {
    /// Records that lie as they are.
    pub fn plain(length: u32) -> Self {
        Self {
            raw_length: length,
            codec: 0,
            cipher: CIPHER_NONE,
        }
    }
}

/// What a frame's header says of the body that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The log that the frame belongs to.
    pub log: LogId,
    /// The place of its first record there.
    pub position: Position,
    /// The start of the server that wrote it.
    pub epoch: u64,
    /// When its records arrived.
    pub arrival: Timestamp,
    /// How many records the body holds, one at least.
    pub count: u16,
    /// Bytes of the body as it lies there.
    pub length: u32,
    /// How it lies there.
    pub packing: Packing,
    /// CRC-32C of the body as it lies there.
    pub body_crc: u32,
    /// The header checksum of the log's frame before; 0 for the first.
    pub previous: u32,
}

impl FrameHeader {
    /// The header's bytes and its checksum.
    pub fn encode(&self) -> ([u8; FRAME_HEADER_BYTES], u32) {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[0..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..16].copy_from_slice(&self.packing.raw_length.to_le_bytes());
        out[16..18].copy_from_slice(&self.count.to_le_bytes());
        out[18] = self.packing.codec;
        out[19] = self.packing.cipher;
        out[20..24].copy_from_slice(&self.body_crc.to_le_bytes());
        out[24..32].copy_from_slice(&self.log.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.position.0.to_le_bytes());
        out[40..48].copy_from_slice(&self.epoch.to_le_bytes());
        out[48..56].copy_from_slice(&self.arrival.0.to_le_bytes());
        out[56..64].copy_from_slice(&self.arrival.0.to_le_bytes());
        out[64..68].copy_from_slice(&self.previous.to_le_bytes());
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    /// The header and its checksum; `None` for bytes that are not a frame's header.
    pub fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let header = bytes.split_first_chunk::<FRAME_HEADER_BYTES>()?.0;
        let mut fields = &header[..];
        let (magic, stored) = (fields.get_u32_le(), fields.get_u32_le());
        let crc = crc32c::crc32c(fields);
        if magic != FRAME_MAGIC || crc != stored {
            return None;
        }
        let length = fields.get_u32_le();
        // A frame is shorter than this: one that says otherwise is none.
        length.checked_add(FRAME_HEADER_LENGTH)?;
        let raw_length = fields.get_u32_le();
        let count = fields.get_u16_le();
        let packing = Packing {
            raw_length,
            codec: fields.get_u8(),
            cipher: fields.get_u8(),
        };
        let is_plain = (packing.codec, packing.cipher) == (0, CIPHER_NONE);
        if count == 0 || is_plain && raw_length != length {
            return None;
        }
        let body_crc = fields.get_u32_le();
        let log = LogId(fields.get_u64_le());
        let position = Position(fields.get_u64_le());
        // No log comes to its last position: a frame that says so is none.
        position.0.checked_add(u64::from(count))?;
        let epoch = fields.get_u64_le();
        let arrival = Timestamp(fields.get_u64_le());
        fields.advance(8);
        let previous = fields.get_u32_le();
        Some((
            Self {
                log,
                position,
                epoch,
                arrival,
                count,
                length,
                packing,
                body_crc,
                previous,
            },
            crc,
        ))
    }

    /// The place of what comes after its last record.
    pub fn end(&self) -> Position {
        self.position.after(self.count)
    }

    /// Bytes of header and body.
    pub fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.length as usize
    }

    /// The same, as it is noted. It always fits: headers that say otherwise are refused where they
    /// are decoded, and transactions long before where they come in.
    pub fn frame_length(&self) -> u32 {
        self.length.saturating_add(FRAME_HEADER_LENGTH)
    }
}

/// A row's new value, or its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowEntry {
    /// The table.
    pub table: TableId,
    /// The version that the row gets.
    pub version: Version,
    /// The row.
    pub key: Bytes,
    /// The value; `None` if the row is removed.
    pub value: Option<Bytes>,
}

impl RowEntry {
    /// Appends the entry's bytes. Its key and value were found to be within their limits when they
    /// were handed in to be committed.
    pub fn encode_onto(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let length = |bytes: &Bytes| match u32::try_from(bytes.len()) {
            Ok(length) if length < REMOVED => length,
            _ => unreachable!("a row of {} bytes is over its limits", bytes.len()),
        };
        out.extend_from_slice(&ROW_MAGIC.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.table.0.to_le_bytes());
        out.extend_from_slice(&self.version.0.to_le_bytes());
        out.extend_from_slice(&length(&self.key).to_le_bytes());
        out.extend_from_slice(&self.value.as_ref().map_or(REMOVED, length).to_le_bytes());
        out.extend_from_slice(&self.key);
        // A row that is removed has none, which its length says.
        out.extend_from_slice(self.value.as_deref().unwrap_or_default());
        let crc = crc32c::crc32c(&out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Bytes of the entry for a key and value of these lengths.
    pub fn encoded_bytes(key: usize, value: usize) -> usize {
        ROW_HEADER_BYTES + key + value
    }

    fn decode(bytes: &Bytes) -> Option<(Self, usize)> {
        let mut fields = bytes.get(..ROW_HEADER_BYTES)?;
        fields.advance(4);
        let stored = fields.get_u32_le();
        let table = TableId(fields.get_u64_le());
        let version = Version(fields.get_u64_le());
        let key_length = usize::try_from(fields.get_u32_le()).ok()?;
        let value_length = match fields.get_u32_le() {
            REMOVED => None,
            length => Some(usize::try_from(length).ok()?),
        };
        if key_length > ROW_KEY_BYTES_MAX || value_length > Some(ROW_VALUE_BYTES_MAX) {
            return None;
        }
        let value_at = ROW_HEADER_BYTES + key_length;
        let end = value_at + value_length.unwrap_or(0);
        if bytes.len() < end || crc32c::crc32c(&bytes[8..end]) != stored {
            return None;
        }
        let key = bytes.slice(ROW_HEADER_BYTES..value_at);
        let value = value_length.map(|_| bytes.slice(value_at..end));
        Some((
            Self {
                table,
                version,
                key,
                value,
            },
            end,
        ))
    }
}

impl LogChange {
    /// Appends the entry's bytes.
    pub fn encode_onto(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, log, position) = match *self {
            Self::Create(log) => (1u64, log, Position::FIRST),
            Self::Seal(log) => (2, log, Position::FIRST),
            Self::Trim(log, before) => (3, log, before),
            Self::Delete(log) => (4, log, Position::FIRST),
        };
        out.extend_from_slice(&CHANGE_MAGIC.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&log.0.to_le_bytes());
        out.extend_from_slice(&position.0.to_le_bytes());
        let crc = crc32c::crc32c(&out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Bytes of every such entry.
    pub const ENCODED_BYTES: usize = CHANGE_BYTES;

    fn decode(bytes: &[u8]) -> Option<Self> {
        let entry = bytes.get(..CHANGE_BYTES)?;
        let mut fields = entry;
        fields.advance(4);
        let stored = fields.get_u32_le();
        let (kind, log) = (fields.get_u64_le(), LogId(fields.get_u64_le()));
        let position = Position(fields.get_u64_le());
        if crc32c::crc32c(&entry[8..]) != stored {
            return None;
        }
        match kind {
            1 => Some(Self::Create(log)),
            2 => Some(Self::Seal(log)),
            3 => Some(Self::Trim(log, position)),
            4 => Some(Self::Delete(log)),
            _ => None,
        }
    }
}

/// One entry of a block as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A frame. Its body may be damaged: compare `body_crc` before use.
    Frame {
        /// The header, which is sound.
        header: FrameHeader,
        /// The header's checksum, for the log's chain.
        header_crc: u32,
        /// Where the header starts, in bytes from the start of the entries.
        offset: usize,
        /// The body as it was read.
        body: Bytes,
    },
    /// A row.
    Row(RowEntry),
    /// A step in a log's life.
    Change(LogChange),
}

/// The entries of a block in order, up to the first that cannot be read.
pub struct Entries {
    all: Bytes,
    at: usize,
}

impl Entries {
    /// The entries in `all`.
    pub fn new(all: Bytes) -> Self {
        Self { all, at: 0 }
    }

    /// How many bytes were read as entries.
    pub fn consumed(&self) -> usize {
        self.at
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let offset = self.at;
        let rest = self.all.slice(offset..);
        let magic = u32::from_le_bytes(*rest.first_chunk::<4>()?);
        let (entry, length) = match magic {
            FRAME_MAGIC => {
                let (header, header_crc) = FrameHeader::decode(&rest)?;
                let length = header.frame_bytes();
                if length > rest.len() {
                    return None;
                }
                let body = rest.slice(FRAME_HEADER_BYTES..length);
                (
                    Entry::Frame {
                        header,
                        header_crc,
                        offset,
                        body,
                    },
                    length,
                )
            }
            ROW_MAGIC => {
                let (row, length) = RowEntry::decode(&rest)?;
                (Entry::Row(row), length)
            }
            CHANGE_MAGIC => (Entry::Change(LogChange::decode(&rest)?), CHANGE_BYTES),
            _ => return None,
        };
        self.at += length;
        Some(entry)
    }
}

/// What stands where a block is expected.
#[derive(Debug)]
pub enum BlockCheck {
    /// A whole block.
    Sound(Vec<Entry>),
    /// A block's header, and entries some of which are damaged; those that can be told are here.
    Damaged(Vec<Entry>),
}

/// Checks the entries of the block that `header` announces. `bytes` are exactly those entries.
pub fn check_block(header: &BlockHeader, bytes: Bytes) -> BlockCheck {
    let mut reading = Entries::new(bytes.clone());
    let mut crc = 0;
    let mut sound = bytes.len() == header.length as usize;
    let mut entries = Vec::new();
    while let Some(entry) = reading.next() {
        let end = reading.consumed();
        crc = match &entry {
            Entry::Frame {
                header,
                offset,
                body,
                ..
            } => {
                sound &= crc32c::crc32c(body) == header.body_crc;
                crc32c::crc32c_append(crc, &bytes[*offset..offset + FRAME_HEADER_BYTES])
            }
            Entry::Row(row) => {
                let length = RowEntry::encoded_bytes(
                    row.key.len(),
                    row.value.as_ref().map_or(0, Bytes::len),
                );
                crc32c::crc32c_append(crc, &bytes[end - length..end])
            }
            Entry::Change(_) => crc32c::crc32c_append(crc, &bytes[end - CHANGE_BYTES..end]),
        };
        entries.push(entry);
    }
    let complete = reading.consumed() == bytes.len()
        && u32::try_from(entries.len()) == Ok(header.entries)
        && crc == header.entries_crc;
    if sound && complete {
        BlockCheck::Sound(entries)
    } else {
        BlockCheck::Damaged(entries)
    }
}

/// Reads a block from the front of `bytes` as recovery would: for fuzzing and for tests.
pub fn decode_block(bytes: &[u8]) -> Option<(BlockHeader, BlockCheck)> {
    let (header, _) = BlockHeader::decode(bytes)?;
    let end = BLOCK_HEADER_BYTES + header.length as usize;
    let entries = bytes.get(BLOCK_HEADER_BYTES..end)?;
    Some((
        header,
        check_block(&header, Bytes::copy_from_slice(entries)),
    ))
}

/// Reads the frame at the front of `bytes`: its header and body, if both are sound.
pub fn decode_frame(bytes: &Bytes) -> Option<(FrameHeader, Bytes)> {
    let (header, _) = FrameHeader::decode(bytes)?;
    if bytes.len() < header.frame_bytes() {
        return None;
    }
    let body = bytes.slice(FRAME_HEADER_BYTES..header.frame_bytes());
    (crc32c::crc32c(&body) == header.body_crc).then_some((header, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Vec<u8> {
        let body = Bytes::from_static(b"some records");
        let frame = FrameHeader {
            log: LogId(7),
            position: Position(41),
            epoch: 3,
            arrival: Timestamp(1_700_000_000_000),
            count: 2,
            length: 12,
            packing: Packing::plain(12),
            body_crc: crc32c::crc32c(&body),
            previous: 9,
        };
        let mut entries = frame.encode().0.to_vec();
        entries.extend_from_slice(&body);
        let head = entries.len();
        let value = Some(Bytes::from_static(b"value"));
        for value in [value, None] {
            let key = Bytes::from_static(b"key");
            RowEntry {
                table: TableId(1),
                version: Version(5),
                key,
                value,
            }
            .encode_onto(&mut entries);
        }
        LogChange::Trim(LogId(7), Position(40)).encode_onto(&mut entries);
        let crc = crc32c::crc32c(&entries[..FRAME_HEADER_BYTES]);
        let header = BlockHeader {
            store: 1,
            epoch: 3,
            file: 2,
            number: 10,
            previous: 4,
            entries: 4,
            length: u32::try_from(entries.len()).unwrap(),
            entries_crc: crc32c::crc32c_append(crc, &entries[head..]),
        };
        let mut out = header.encode().0.to_vec();
        out.extend_from_slice(&entries);
        out
    }

    #[test]
    fn a_block_reads_back_as_it_was_written() {
        let (header, check) = decode_block(&block()).unwrap();
        let BlockCheck::Sound(entries) = check else {
            panic!("the block is sound")
        };
        assert_eq!((header.number, header.epoch, header.file), (10, 3, 2));
        assert_eq!(entries.len(), 4);
        assert!(matches!(&entries[0], Entry::Frame { header, body, .. }
            if header.position == Position(41) && &body[..] == b"some records"));
        assert!(matches!(&entries[1], Entry::Row(row) if row.value.as_deref() == Some(b"value")));
        assert!(matches!(&entries[2], Entry::Row(row) if row.value.is_none()));
        assert_eq!(
            entries[3],
            Entry::Change(LogChange::Trim(LogId(7), Position(40)))
        );
    }

    #[test]
    fn a_block_with_any_bit_changed_is_never_taken_for_sound() {
        let block = block();
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Bytes 6 and 7 of the header are covered by its checksum like all others.
            let sound = matches!(decode_block(&flipped), Some((_, BlockCheck::Sound(_))));
            assert!(!sound, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_that_says_it_is_longer_than_a_length_can_tell_is_none() {
        let header = |length| FrameHeader {
            log: LogId(7),
            position: Position(41),
            epoch: 3,
            arrival: Timestamp(1_700_000_000_000),
            count: 2,
            length,
            packing: Packing::plain(length),
            body_crc: 0,
            previous: 9,
        };
        let longest = u32::MAX - FRAME_HEADER_LENGTH;
        for (length, is_one) in [(longest, true), (longest + 1, false), (u32::MAX, false)] {
            let (bytes, _) = header(length).encode();
            let decoded = FrameHeader::decode(&bytes);
            assert_eq!(decoded.is_some(), is_one, "{length}");
            if let Some((header, _)) = decoded {
                assert_eq!(header.frame_bytes(), header.frame_length() as usize);
            }
        }
    }

    #[test]
    fn a_block_that_is_cut_short_is_not_sound() {
        let block = block();
        for length in 0..block.len() {
            let sound = matches!(
                decode_block(&block[..length]),
                Some((_, BlockCheck::Sound(_)))
            );
            assert!(!sound, "{length} bytes");
        }
    }
}
