//! What a segment is called: by its path, and by the first bytes of its file.

use crate::embedded::frame_file::SEGMENT_HEADER_BYTES;
use crate::engine::{LogId, Position};

/// The directory of all logs' directories.
pub const LOGS_DIR: &str = "logs";
const SEGMENT_MAGIC: &[u8; 8] = b"MRSEG\0\0\x01";

/// The directory of a log's segments.
pub fn log_dir(log: LogId) -> String {
    format!("{LOGS_DIR}/{:016x}", log.0)
}

/// The file of the log's segment that begins at `base`.
pub fn segment_path(log: LogId, base: Position) -> String {
    format!("{}/{:020}.seg", log_dir(log), base.0)
}

/// The first bytes of a segment's file.
pub fn encode_header(log: LogId, base: Position) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut out = [0; SEGMENT_HEADER_BYTES];
    out[0..8].copy_from_slice(SEGMENT_MAGIC);
    out[8..16].copy_from_slice(&log.0.to_le_bytes());
    out[16..24].copy_from_slice(&base.0.to_le_bytes());
    let crc = crc32c::crc32c(&out[..60]);
    out[60..].copy_from_slice(&crc.to_le_bytes());
    out
}
