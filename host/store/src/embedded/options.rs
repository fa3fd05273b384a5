//! What can be set about the embedded engine, and the limits that cannot.

use std::time::Duration;

use crate::embedded::format::FRAME_HEADER_BYTES;
use crate::keys::SEAL_BYTES;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Bytes of one transaction's frames and rows. A PutRecords call has at most 10 MiB.
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one frame's records: so many that a transaction holds them sealed. A larger frame is
/// refused, sealed or not.
pub const FRAME_BYTES_MAX: usize = TRANSACTION_BYTES_MAX - FRAME_HEADER_BYTES - SEAL_BYTES;
/// Bytes that the writer gathers for one block before it writes. What came later waits for the
/// next block; one transaction alone may be larger.
pub const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Bytes between two entries of a segment's index.
pub const INDEX_EVERY_BYTES: u64 = 64 * KIB;
/// Bytes that a read takes from a file at once, and a flush writes to one at most.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// Logs that are flushed together: the write-ahead log is read once for all of them.
pub const FLUSHED_TOGETHER_MAX: usize = 64;
/// Bytes that a flush gathers of the logs that are flushed together.
pub const FLUSH_BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// Logs whose records a start moves out of write-ahead files that hold next to nothing. With more
/// it would make a file and a directory for each before it serves anything, for seconds: then they
/// wait for a flush beside the service, until such files are more than [`SCATTERED_FILES_MAX`].
pub const LOGS_FLUSHED_BY_START_MAX: usize = 256;
/// Write-ahead files that hold next to nothing and that a start leaves for the sake of many logs.
pub const SCATTERED_FILES_MAX: usize = 8;
/// Fewer bytes are not flushed for their number alone. More are kept waiting only while that makes
/// the writes to segments larger: they take room on the disk and in the system's cache.
pub const FLUSH_BYTES_MIN: u64 = 128 * MIB;
/// Segments that are kept open, with their indexes in memory. The one used longest ago is closed.
pub const SEGMENTS_OPEN_MAX: usize = 256;

/// Sizes, ages and budgets. The defaults suit a server; tests make everything small.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of one write-ahead file.
    pub wal_file_bytes: u64,
    /// Write-ahead files at most. When all wait to be flushed, commits wait and then are refused
    /// as busy.
    pub wal_files_max: usize,
    /// Write-ahead files that are made ready before the writer needs them. With none, it writes to
    /// files that grow, which are slower to sync.
    pub wal_files_ahead: usize,
    /// Flush when this many bytes of the write-ahead log are in no segment yet; from 128 MiB on as
    /// soon as there is a mebibyte for each log on average.
    pub flush_bytes: u64,
    /// Flush what is older than this.
    pub flush_age: Duration,
    /// Flush when rows of tables that wait to be materialised have this many bytes.
    pub flush_row_bytes: usize,
    /// A segment is closed when it has this many bytes.
    pub segment_bytes_max: u64,
    /// A segment is closed when its records span this much time, so that retention can forget
    /// old ones.
    pub segment_age_max: Duration,
    /// Bytes of recent frames that are kept in memory for readers, all logs together. The oldest
    /// are dropped from memory and read from disk.
    pub tail_cache_bytes: usize,
    /// Bytes that may wait to be written. Past it a commit is refused as busy.
    pub queue_bytes_max: usize,
    /// Bytes of the tables' page cache.
    pub table_cache_bytes: usize,
    /// New data is refused while the disk has less than this free, or less than a tenth of it if
    /// that is smaller.
    pub free_bytes_min: u64,
    /// Bytes held back on the disk, given up when even a flush finds it full.
    pub ballast_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wal_file_bytes: 64 * MIB,
            wal_files_max: 64,
            wal_files_ahead: 2,
            flush_bytes: 512 * MIB,
            flush_age: Duration::from_secs(30),
            flush_row_bytes: 16 * 1024 * 1024,
            segment_bytes_max: 256 * MIB,
            segment_age_max: Duration::from_secs(3600),
            tail_cache_bytes: 32 * 1024 * 1024,
            queue_bytes_max: 64 * 1024 * 1024,
            table_cache_bytes: 8 * 1024 * 1024,
            free_bytes_min: 2 * 1024 * MIB,
            ballast_bytes: 256 * MIB,
        }
    }
}
