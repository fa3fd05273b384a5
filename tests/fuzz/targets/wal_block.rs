//! The block at the front of bytes read from a write-ahead file, as recovery reads it.

use bytes::Bytes;
use store::embedded::format::{
    BLOCK_BYTES_MAX, BLOCK_HEADER_BYTES, BlockCheck, BlockHeader, Entries, Entry,
    ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX, decode_block,
};

/// Any bytes are a sound block, a damaged one or none, also once the header's checksum is made
/// to fit; and any bytes are entries up to the first that is none.
pub fn wal_block(data: &[u8]) {
    read(data);
    read(&with_checksum(data));
    let mut entries = Entries::new(Bytes::copy_from_slice(data));
    for entry in entries.by_ref() {
        keeps_its_limits(&entry);
    }
    assert!(entries.consumed() <= data.len());
}

fn read(bytes: &[u8]) {
    let Some((header, check)) = decode_block(bytes) else {
        return;
    };
    let length = usize::try_from(header.length).unwrap_or(usize::MAX);
    assert!(length <= BLOCK_BYTES_MAX);
    assert!(BLOCK_HEADER_BYTES + length <= bytes.len());
    let (encoded, crc) = header.encode();
    assert_eq!(BlockHeader::decode(&encoded), Some((header, crc)));
    match check {
        BlockCheck::Sound(entries) => {
            assert_eq!(u32::try_from(entries.len()), Ok(header.entries));
            entries.iter().for_each(keeps_its_limits);
        }
        BlockCheck::Damaged(entries) => entries.iter().for_each(keeps_its_limits),
    }
}

fn keeps_its_limits(entry: &Entry) {
    match entry {
        Entry::Frame { header, body, .. } => {
            assert_eq!(u32::try_from(body.len()), Ok(header.length));
        }
        Entry::Row(row) => {
            assert!(row.key.len() <= ROW_KEY_BYTES_MAX);
            assert!(
                row.value
                    .as_ref()
                    .is_none_or(|value| value.len() <= ROW_VALUE_BYTES_MAX)
            );
        }
        Entry::Change(_) => {}
    }
}

/// The bytes as a block whose length and header checksum are right.
fn with_checksum(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if let Some((header, entries)) = bytes.split_at_mut_checked(BLOCK_HEADER_BYTES) {
        let length = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        header[48..52].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&header[..60]);
        header[60..64].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}
