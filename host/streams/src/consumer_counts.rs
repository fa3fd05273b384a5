//! What is counted of one registered consumer, under CloudWatch's names. The counts live in what is
//! kept of the consumer, and go with it.

use crate::counts::{Gauge, Measured, Value, last, total};
use crate::metrics::Counter;

/// Subscriptions of one consumer, and what was pushed to it.
#[derive(Debug, Default)]
pub struct ConsumerCounts {
    /// Calls that were refused, since the consumer had subscribed to the shard a moment before.
    pub(crate) exceeded: Counter,
    /// Calls that were answered with a subscription.
    pub(crate) subscribed: Counter,
    events: Counter,
    event_bytes: Counter,
    event_records: Counter,
    event_behind_ms: Gauge,
}

/// A metric of consumers: CloudWatch's name, and where it is read.
pub type ConsumerMetric = (&'static str, fn(&ConsumerCounts) -> Value);

/// All metrics of a consumer, by their names in CloudWatch, whose dimensions are the stream and the
/// consumer (developer guide, "Enhanced fan-out metrics").
pub const CONSUMER_METRICS: [ConsumerMetric; 6] = [
    ("SubscribeToShard.RateExceeded", |c| total(&c.exceeded)),
    ("SubscribeToShard.Success", |c| total(&c.subscribed)),
    ("SubscribeToShardEvent.Bytes", |c| total(&c.event_bytes)),
    ("SubscribeToShardEvent.MillisBehindLatest", |c| {
        last(&c.event_behind_ms)
    }),
    ("SubscribeToShardEvent.Records", |c| total(&c.event_records)),
    ("SubscribeToShardEvent.Success", |c| total(&c.events)),
];

impl ConsumerCounts {
    /// An event was pushed, which is so far behind.
    pub(crate) fn pushed(&self, (records, bytes): (u64, u64), behind_ms: u64) {
        self.events.add(1);
        self.event_records.add(records);
        self.event_bytes.add(bytes);
        self.event_behind_ms.set(behind_ms);
    }
}

impl Measured {
    /// The names of its consumers, and what is counted of each.
    pub fn consumers(&self) -> impl Iterator<Item = (&str, &ConsumerCounts)> {
        let consumers = self.stream().consumers.values();
        consumers.map(|consumer| (consumer.name.as_str(), &*consumer.counts))
    }
}
