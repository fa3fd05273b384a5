//! The counts of a version, for its page and for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::fault::Fault;
use crate::slab::Slab;

/// Upper ends of the buckets of a batch's time, in microseconds. One more takes the rest.
pub const BATCH_TIME_BUCKETS_US: [u64; 10] = [
    50, 100, 250, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 10_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, by: u64) {
        // No other value is read because of a count, so nothing needs to be ordered by it.
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of one version since it was loaded.
#[derive(Debug, Default)]
pub struct Counters {
    /// Batches that were handed to it.
    pub calls: Count,
    /// Records in them; those of a batch that is tried again count again.
    pub records: Count,
    /// Batches that took longer than their time.
    pub deadlines: Count,
    /// Batches on which it trapped.
    pub traps: Count,
    /// Batches whose answer broke the rules or that it refused as a whole.
    pub refused: Count,
    /// Instances that did not come to life.
    pub starts_failed: Count,
    /// Records whose outcome is known: delivered, left out or failed. Those of a delivery that is
    /// done again count again.
    pub ended: Count,
    /// Those of them that failed.
    pub failed: Count,
    /// Microseconds of all batches together.
    pub batch_time_us: Count,
    /// Batches by their time, as [`BATCH_TIME_BUCKETS_US`] and one more.
    pub by_batch_time: [Count; BATCH_TIME_BUCKETS_US.len() + 1],
}

impl Counters {
    /// Counts one call for a batch, with what came of it and how long it took.
    pub(crate) fn called(&self, batch: &Slab, fault: Option<&Fault>, took: Duration) {
        self.calls.add(1);
        self.records.add(batch.len() as u64);
        match fault {
            None | Some(Fault::Stopped | Fault::Unavailable(_)) => {}
            Some(Fault::Deadline(_)) => self.deadlines.add(1),
            Some(
                Fault::Panicked(_) | Fault::Trap(_) | Fault::NotReady(_) | Fault::NoInstance(_),
            ) => self.traps.add(1),
            Some(
                Fault::Answer(_) | Fault::Doubled(_) | Fault::Retryable(_) | Fault::Permanent(_),
            ) => self.refused.add(1),
        }
        let us = took.as_secs() * 1_000_000 + u64::from(took.subsec_micros());
        self.batch_time_us.add(us);
        // There is one bucket more than there are ends.
        let bucket = BATCH_TIME_BUCKETS_US.partition_point(|end| *end < us);
        self.by_batch_time[bucket].add(1);
    }
}
