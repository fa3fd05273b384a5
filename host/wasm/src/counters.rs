//! The counts of a version, for its page and for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::fault::Fault;
use crate::fault_kind::{FAULT_KINDS, FaultKind};

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

/// The largest of all numbers that were seen.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    pub(crate) fn see(&self, number: u64) {
        self.0.fetch_max(number, Ordering::Relaxed);
    }

    /// The largest so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of records, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Records that came out, or that a consumer worked on.
    pub ok: u64,
    /// Records that were left out on purpose.
    pub dropped: u64,
    /// Records that failed.
    pub failed: u64,
}

impl Outcomes {
    /// All of them.
    pub fn records(&self) -> u64 {
        self.ok + self.dropped + self.failed
    }
}

/// Counts of one version since it was loaded, or of all versions that are not shown by themselves.
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
    /// Those of them that were left out on purpose.
    pub dropped: Count,
    /// Those of them that failed.
    pub failed: Count,
    /// Those of them that came out well.
    pub ok: Count,
    /// Microseconds of all batches together.
    pub batch_time_us: Count,
    /// Batches by their time, as [`BATCH_TIME_BUCKETS_US`] and one more.
    pub by_batch_time: [Count; BATCH_TIME_BUCKETS_US.len() + 1],
    /// Nanoseconds that threads had a processor within calls into it, by the clocks of the threads:
    /// every call, also those that begin an instance or ask for its state.
    pub processor_ns: Count,
    /// Bytes of all memories of the instance that had most.
    pub memory_peak_bytes: Peak,
    /// Calls of any sort that failed, as [`FAULT_KINDS`].
    faults: [Count; FAULT_KINDS.len()],
}

impl Counters {
    /// Counts one call for a batch of so many records, with what came of it and how long it took.
    pub(crate) fn called(&self, records: u64, fault: Option<&Fault>, took: Duration) {
        self.calls.add(1);
        self.records.add(records);
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

    /// Counts a call that failed.
    pub(crate) fn failed_with(&self, kind: FaultKind) {
        self.faults[kind.place()].add(1);
    }

    /// Counts what a call took, and how much memory its instance had after it.
    pub(crate) fn spent(&self, processor: Duration, memory_bytes: usize) {
        let ns = processor.as_secs() * 1_000_000_000 + u64::from(processor.subsec_nanos());
        self.processor_ns.add(ns);
        self.memory_peak_bytes.see(memory_bytes as u64);
    }

    /// Counts what became of records.
    pub(crate) fn ended(&self, outcomes: Outcomes) {
        self.ok.add(outcomes.ok);
        self.dropped.add(outcomes.dropped);
        self.failed.add(outcomes.failed);
        self.ended.add(outcomes.records());
    }

    /// Every kind of fault with how often it came.
    pub fn faults(&self) -> impl Iterator<Item = (FaultKind, u64)> {
        let counts = self.faults.iter().map(Count::value);
        FAULT_KINDS.into_iter().zip(counts)
    }
}
