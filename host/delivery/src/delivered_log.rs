//! What a delivery stream has delivered lately, object by object and request by request. It is in
//! memory, and begins anew with each process.

use std::sync::Arc;

use types::{Clock, LogBounds, LogFrom, LogPart, LogRing};

use crate::counts::Counts;

/// What is kept of a delivery stream. There may be ten thousand of them, and each that delivers has
/// its log full, so that it is less than of what goes wrong.
const BOUNDS: LogBounds = LogBounds {
    entries_max: 32,
    bytes_max: 4 * 1024,
};

/// An object that was put, or a request that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The lane that it came from.
    pub lane: String,
    /// The name of the object, or what the request is called.
    pub name: String,
    /// Records that end in it and are delivered. Of a backup none is counted.
    pub delivered: u64,
    /// The same of records that failed.
    pub failed: u64,
    /// Bytes of what is delivered, before it was packed.
    pub bytes: u64,
}

/// The last of them of one delivery stream.
pub struct DeliveredLog(LogRing<Delivered>);

impl DeliveredLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(LogRing::new(clock, BOUNDS))
    }

    /// Notes that something is there which holds these records.
    pub(crate) fn note(&self, lane: String, name: &str, holds: Counts) {
        let bytes = name.len() + lane.len();
        let delivered = Delivered {
            lane,
            name: name.to_owned(),
            delivered: holds.delivered,
            failed: holds.failed,
            bytes: holds.bytes_delivered,
        };
        self.0.push(delivered, bytes);
    }

    /// What was delivered from there on, the oldest first, at most so many.
    pub(crate) fn read(&self, from: &LogFrom, entries_max: usize) -> LogPart<Delivered> {
        self.0.read(from, entries_max, |_| true)
    }
}
