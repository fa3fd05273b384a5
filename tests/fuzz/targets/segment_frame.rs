//! The frame at the front of bytes read from a segment: a header, and records behind it.

use bytes::Bytes;
use store::Records;
use store::embedded::format::{FRAME_HEADER_BYTES, FrameHeader, decode_frame};

/// Bytes of a record's lengths, the least that a record takes.
const RECORD_BYTES_MIN: usize = 6;

/// Any bytes are a sound frame or none, also once their checksums are made to fit.
pub fn segment_frame(data: &[u8]) {
    read(Bytes::copy_from_slice(data));
    read(with_checksums(data).into());
}

fn read(bytes: Bytes) {
    let Some((header, body)) = decode_frame(&bytes) else {
        return;
    };
    assert_eq!(header.frame_bytes(), FRAME_HEADER_BYTES + body.len());
    assert!(header.frame_bytes() <= bytes.len());
    let (encoded, crc) = header.encode();
    assert_eq!(FrameHeader::decode(&encoded), Some((header, crc)));
    let mut record_bytes = 0;
    for record in Records::new(&body) {
        record_bytes += RECORD_BYTES_MIN + record.partition_key.len() + record.data.len();
    }
    assert!(record_bytes <= body.len());
}

/// The bytes as a frame whose length and checksums are right, so that what lies behind them is
/// reached.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if let Some((header, body)) = bytes.split_at_mut_checked(FRAME_HEADER_BYTES) {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        header[8..12].copy_from_slice(&length);
        header[12..16].copy_from_slice(&length);
        header[20..24].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        let crc = crc32c::crc32c(&header[8..]);
        header[4..8].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}
