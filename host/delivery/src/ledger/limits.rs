//! What cuts at work may hold.

use types::Invalid;

use super::SLOW_PART;
use crate::content::FAILED_OBJECT_BYTES_MAX;

/// Memory for cuts at work: their records, what came of them, and objects that are not put yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    bytes_max: u64,
    stream_bytes_max: u64,
    skipped_object_bytes_max: u64,
}

impl WorkLimits {
    /// Bytes over all delivery streams, and of one of them: half of it all at most, so that what
    /// slow parties may have together is enough for each. A cut that does not fit in waits.
    pub fn new(bytes_max: u64, stream_bytes_max: u64) -> Result<Self, Invalid> {
        if stream_bytes_max > bytes_max / SLOW_PART as u64 {
            return Err(Invalid(
                "one delivery stream may have half of the memory for deliveries at most".to_owned(),
            ));
        }
        Ok(Self {
            bytes_max,
            stream_bytes_max,
            skipped_object_bytes_max: FAILED_OBJECT_BYTES_MAX as u64,
        })
    }

    /// The same with objects of skipped records that end at so many bytes.
    pub fn with_skipped_objects_of(self, bytes: u64) -> Self {
        Self {
            skipped_object_bytes_max: bytes,
            ..self
        }
    }

    /// Bytes over all delivery streams.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes of one delivery stream.
    pub fn stream_bytes_max(&self) -> u64 {
        self.stream_bytes_max
    }

    /// Bytes of an object of skipped records at which another begins, for cuts that are skipped
    /// from now on.
    pub fn skipped_object_bytes_max(&self) -> u64 {
        self.skipped_object_bytes_max
    }
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            bytes_max: 512 * 1024 * 1024,
            stream_bytes_max: 256 * 1024 * 1024,
            skipped_object_bytes_max: FAILED_OBJECT_BYTES_MAX as u64,
        }
    }
}
