//! What a lane is doing, for whoever asks. The lane writes it; nobody decides anything by it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use store::Position;
use types::Timestamp;

use crate::counts::{Counts, VersionCounts};
use crate::cut::Gathering;

/// A lane as it is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// What became of the records of all cuts that are done.
    pub counts: Counts,
    /// The same by version of the transform.
    pub by_version: Vec<VersionCounts>,
    /// Records that are known to wait or to be on their way.
    pub waiting_records: u64,
    /// Bytes of their frames.
    pub waiting_bytes: u64,
    /// When the oldest of them arrived.
    pub waiting_since: Option<Timestamp>,
    /// Why the lane does not get on, if it does not.
    pub trouble: Option<String>,
    /// Deliveries that failed and were tried again, since the start.
    pub retries: u64,
    /// The name of the object that was put last, since the start.
    pub last_object: Option<String>,
}

/// The place where a lane writes how it is.
#[derive(Debug, Default)]
pub(crate) struct LaneState {
    status: Mutex<LaneStatus>,
    /// `None` until the lane has looked where it was.
    position: Mutex<Option<Position>>,
}

impl LaneState {
    pub(crate) fn status(&self) -> LaneStatus {
        self.lock().clone()
    }

    /// Everything before this is delivered and durable; `None` while that is not known.
    pub(crate) fn position(&self) -> Option<Position> {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stands_at(&self, position: Position) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    pub(crate) fn waits(&self, gathering: &Gathering) {
        let mut status = self.lock();
        status.waiting_records = gathering.records;
        status.waiting_bytes = gathering.bytes;
        status.waiting_since = gathering.oldest;
    }

    pub(crate) fn done(&self, counts: Counts, by_version: Vec<VersionCounts>) {
        let mut status = self.lock();
        status.counts = counts;
        status.by_version = by_version;
        status.waiting_records = 0;
        status.waiting_bytes = 0;
        status.waiting_since = None;
        status.trouble = None;
    }

    pub(crate) fn put(&self, object: String) {
        self.lock().last_object = Some(object);
    }

    pub(crate) fn has_trouble(&self, why: Option<String>) {
        self.lock().trouble = why;
    }

    pub(crate) fn retries(&self) {
        self.lock().retries += 1;
    }

    fn lock(&self) -> MutexGuard<'_, LaneStatus> {
        // Each statement under the lock leaves the status whole.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
