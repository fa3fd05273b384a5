//! What is counted of one stream and of one of its shards, under CloudWatch's names.
//!
//! The counts live in what is kept of the stream and the shard anyway, and go with them. Counting
//! takes no lock and no memory. Those of shards count while the stream publishes metrics of shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use types::{AccountId, StreamArn};

use crate::Streams;
use crate::metrics::Counter;
use crate::monitoring::ShardLevelMetrics;
use crate::shard::Shard;
use crate::stream::Stream;

/// A number of which the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    /// It is this now.
    pub(crate) fn set(&self, value: u64) {
        // Nothing is read because of it, so nothing needs to be ordered by it.
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it was last.
    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Calls of one operation that came as far as to their stream.
#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    calls: Counter,
    succeeded: Counter,
    latency_us: Counter,
    /// Bytes of data and partition keys that they put or got.
    pub(crate) bytes: Counter,
    /// Records that they put or got.
    pub(crate) records: Counter,
}

impl CallCounts {
    /// A call has put so much; it has succeeded if that is anything.
    pub(crate) fn put(&self, took: Duration, records: u64, bytes: u64) {
        self.records.add(records);
        self.bytes.add(bytes);
        self.ended(took, records > 0);
    }

    /// A call has ended.
    pub(crate) fn ended(&self, took: Duration, has_succeeded: bool) {
        self.calls.add(1);
        self.succeeded.add(u64::from(has_succeeded));
        // 584,000 years fit.
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.add(took_us);
    }

    fn latency(&self) -> Value {
        Value::Latency {
            sum_us: self.latency_us.value(),
            count: self.calls.value(),
        }
    }
}

/// Of one stream. Shared by all that is known of it.
#[derive(Debug, Default)]
pub struct StreamCounts {
    /// Bytes of data and partition keys that were kept.
    pub(crate) incoming_bytes: Counter,
    /// Records that were kept.
    pub(crate) incoming_records: Counter,
    /// PutRecord.
    pub(crate) put_record: CallCounts,
    /// PutRecords.
    pub(crate) put_records: CallCounts,
    /// Records that came with PutRecords, and those of them that were not kept.
    pub(crate) put_records_total: Counter,
    pub(crate) put_records_failed: Counter,
    pub(crate) put_records_throttled: Counter,
    /// GetRecords.
    pub(crate) get_records: CallCounts,
    /// How old the last record was that GetRecords gave.
    pub(crate) iterator_age_ms: Gauge,
    /// Calls and records over the rates of shards.
    pub(crate) read_exceeded: Counter,
    pub(crate) write_exceeded: Counter,
    /// Subscriptions that began, and that could not because there was one.
    pub(crate) subscribed: Counter,
    pub(crate) subscribe_exceeded: Counter,
    /// Events that were pushed to consumers, and what was in them.
    pub(crate) events: Counter,
    pub(crate) event_bytes: Counter,
    pub(crate) event_records: Counter,
    /// How far behind the last event was.
    pub(crate) event_behind_ms: Gauge,
}

/// Of one shard.
#[derive(Debug, Default)]
pub struct ShardCounts {
    pub(crate) incoming_bytes: Counter,
    pub(crate) incoming_records: Counter,
    pub(crate) outgoing_bytes: Counter,
    pub(crate) outgoing_records: Counter,
    pub(crate) write_exceeded: Counter,
    pub(crate) read_exceeded: Counter,
    pub(crate) iterator_age_ms: Gauge,
}

/// What became of the records of one call, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Those that are durable.
    pub(crate) landed: u64,
    /// Bytes of their data and partition keys.
    pub(crate) landed_bytes: u64,
    /// Those over the rate of their shard.
    pub(crate) over_rate: u64,
    /// Those that were not kept, or of which that is not known.
    pub(crate) failed: u64,
}

/// What a metric says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// How often or how much since the server started, or the stream or shard was made.
    Total(u64),
    /// How much it was last.
    Last(u64),
    /// How long calls took together, and how many there were.
    Latency {
        /// In microseconds.
        sum_us: u64,
        /// Calls.
        count: u64,
    },
}

/// A metric of streams: CloudWatch's name, and where it is read.
pub type StreamMetric = (&'static str, fn(&StreamCounts) -> Value);

/// A metric of shards.
pub type ShardMetric = (&'static str, fn(&ShardCounts) -> Value);

/// All metrics of a stream, by their names in CloudWatch (developer guide, "Basic stream-level
/// metrics").
pub const STREAM_METRICS: [StreamMetric; 26] = [
    ("IncomingBytes", |c| total(&c.incoming_bytes)),
    ("IncomingRecords", |c| total(&c.incoming_records)),
    ("PutRecord.Bytes", |c| total(&c.put_record.bytes)),
    ("PutRecord.Latency", |c| c.put_record.latency()),
    ("PutRecord.Success", |c| total(&c.put_record.succeeded)),
    ("PutRecords.Bytes", |c| total(&c.put_records.bytes)),
    ("PutRecords.Latency", |c| c.put_records.latency()),
    ("PutRecords.Records", |c| total(&c.put_records.records)),
    ("PutRecords.Success", |c| total(&c.put_records.succeeded)),
    ("PutRecords.TotalRecords", |c| total(&c.put_records_total)),
    ("PutRecords.SuccessfulRecords", |c| {
        total(&c.put_records.records)
    }),
    ("PutRecords.FailedRecords", |c| total(&c.put_records_failed)),
    ("PutRecords.ThrottledRecords", |c| {
        total(&c.put_records_throttled)
    }),
    ("GetRecords.Bytes", |c| total(&c.get_records.bytes)),
    ("GetRecords.IteratorAgeMilliseconds", |c| {
        last(&c.iterator_age_ms)
    }),
    ("GetRecords.Latency", |c| c.get_records.latency()),
    ("GetRecords.Records", |c| total(&c.get_records.records)),
    ("GetRecords.Success", |c| total(&c.get_records.succeeded)),
    ("ReadProvisionedThroughputExceeded", |c| {
        total(&c.read_exceeded)
    }),
    ("WriteProvisionedThroughputExceeded", |c| {
        total(&c.write_exceeded)
    }),
    ("SubscribeToShard.RateExceeded", |c| {
        total(&c.subscribe_exceeded)
    }),
    ("SubscribeToShard.Success", |c| total(&c.subscribed)),
    ("SubscribeToShardEvent.Bytes", |c| total(&c.event_bytes)),
    ("SubscribeToShardEvent.MillisBehindLatest", |c| {
        last(&c.event_behind_ms)
    }),
    ("SubscribeToShardEvent.Records", |c| total(&c.event_records)),
    ("SubscribeToShardEvent.Success", |c| total(&c.events)),
];

/// All metrics of a shard, in the order of [`ShardLevelMetrics`].
pub const SHARD_METRICS: [ShardMetric; 7] = [
    ("IncomingBytes", |c| total(&c.incoming_bytes)),
    ("IncomingRecords", |c| total(&c.incoming_records)),
    ("OutgoingBytes", |c| total(&c.outgoing_bytes)),
    ("OutgoingRecords", |c| total(&c.outgoing_records)),
    ("WriteProvisionedThroughputExceeded", |c| {
        total(&c.write_exceeded)
    }),
    ("ReadProvisionedThroughputExceeded", |c| {
        total(&c.read_exceeded)
    }),
    ("IteratorAgeMilliseconds", |c| last(&c.iterator_age_ms)),
];

pub(crate) fn total(counter: &Counter) -> Value {
    Value::Total(counter.value())
}

pub(crate) fn last(gauge: &Gauge) -> Value {
    Value::Last(gauge.value())
}

/// A stream whose metrics are asked for.
pub struct Measured(Arc<Stream>);

impl Measured {
    /// Whose metrics they are.
    pub fn arn(&self) -> &StreamArn {
        &self.0.arn
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.0
    }

    /// What is counted of it.
    pub fn counts(&self) -> &StreamCounts {
        &self.0.counts
    }

    /// Whether it publishes a metric of its shards, by the place in [`SHARD_METRICS`].
    pub fn publishes(&self, place: usize) -> bool {
        self.0.monitored.has(place)
    }

    /// The names of its shards, and what is counted of each.
    pub fn shards(&self) -> impl Iterator<Item = (&str, &ShardCounts)> {
        let shards = self.0.shards.all().iter();
        shards.map(|shard| (shard.id_text(), shard.counts()))
    }
}

impl Streams {
    /// All streams that are there, or those of an account in all regions.
    pub fn measured(&self, of: Option<AccountId>) -> Vec<Measured> {
        let all = self.directory.all().into_iter();
        let all = all.filter(|stream| of.is_none_or(|account| stream.arn.account == account));
        all.map(Measured).collect()
    }

    /// A read of a shard is refused because of its rate.
    pub(crate) fn count_read_exceeded(&self, stream: &Stream, shard: &Shard) {
        self.metrics().read_provisioned_throughput_exceeded.add(1);
        stream.counts.read_exceeded.add(1);
        if let Some(counts) = published(stream, shard) {
            counts.read_exceeded.add(1);
        }
    }

    /// GetRecords has given records of a shard, the last of which is so old.
    pub(crate) fn count_read(
        &self,
        (stream, shard): (&Stream, &Shard),
        (records, bytes): (u64, u64),
        age: Duration,
    ) {
        let metrics = self.metrics();
        metrics.outgoing_records.add(records);
        metrics.outgoing_bytes.add(bytes);
        // 584 million years fit.
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        stream.counts.get_records.records.add(records);
        stream.counts.get_records.bytes.add(bytes);
        stream.counts.iterator_age_ms.set(age_ms);
        if let Some(counts) = published(stream, shard) {
            counts.outgoing_records.add(records);
            counts.outgoing_bytes.add(bytes);
            counts.iterator_age_ms.set(age_ms);
        }
    }
}

/// The counts of a shard, if its stream publishes any of them.
pub(crate) fn published<'a>(stream: &Stream, shard: &'a Shard) -> Option<&'a ShardCounts> {
    (stream.monitored != ShardLevelMetrics::NONE).then(|| shard.counts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_shards_stand_in_the_order_of_the_set_that_publishes_them() {
        let names: Vec<_> = SHARD_METRICS.iter().map(|(name, _)| *name).collect();
        assert_eq!(ShardLevelMetrics::ALL.names(), names);
    }

    #[test]
    fn no_metric_of_a_stream_has_the_name_of_another() {
        let names: std::collections::BTreeSet<_> =
            STREAM_METRICS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), STREAM_METRICS.len());
    }
}
