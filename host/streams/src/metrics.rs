//! What the service counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, from the server's start.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `by` more.
    pub fn add(&self, by: u64) {
        // Nothing is read because of a counter, so nothing needs to be ordered by it.
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one server over all its streams, named as CloudWatch names a shard's.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Bytes of data and partition keys that were acknowledged.
    pub incoming_bytes: Counter,
    /// Records that were acknowledged.
    pub incoming_records: Counter,
    /// Bytes of data and partition keys that GetRecords gave out.
    pub outgoing_bytes: Counter,
    /// Records that GetRecords gave out.
    pub outgoing_records: Counter,
    /// Bytes of data and partition keys that were pushed to consumers.
    pub pushed_bytes: Counter,
    /// Records that were pushed to consumers.
    pub pushed_records: Counter,
    /// Records refused because their shard had taken all that a second allows.
    pub write_provisioned_throughput_exceeded: Counter,
    /// Calls of GetRecords and GetShardIterator refused for the same reason.
    pub read_provisioned_throughput_exceeded: Counter,
    /// Iterators that came back after their 300 seconds.
    pub expired_iterators: Counter,
    /// How often retention forgot records of a shard, however many they were.
    pub trims: Counter,
}

impl Metrics {
    /// Every counter with the name that it is published under.
    pub fn counters(&self) -> [(&'static str, u64); 10] {
        [
            ("IncomingBytes", self.incoming_bytes.value()),
            ("IncomingRecords", self.incoming_records.value()),
            ("OutgoingBytes", self.outgoing_bytes.value()),
            ("OutgoingRecords", self.outgoing_records.value()),
            ("SubscribeToShardEventBytes", self.pushed_bytes.value()),
            ("SubscribeToShardEventRecords", self.pushed_records.value()),
            (
                "WriteProvisionedThroughputExceeded",
                self.write_provisioned_throughput_exceeded.value(),
            ),
            (
                "ReadProvisionedThroughputExceeded",
                self.read_provisioned_throughput_exceeded.value(),
            ),
            ("ExpiredIterators", self.expired_iterators.value()),
            ("RetentionTrims", self.trims.value()),
        ]
    }
}
