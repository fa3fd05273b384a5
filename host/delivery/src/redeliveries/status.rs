//! How an order is, in numbers. They are its own: those of its delivery stream know nothing of it.

use serde::Serialize;
use wasm::ContentHash;

use super::entry::{Entry, OrderedLane};
use super::row::Redelivery;
use crate::counts::Counts;

/// An order to deliver once more what is retained, as it is at the moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedeliveryStatus {
    /// What its owner calls it.
    pub id: String,
    /// `WORKING`, `DONE` or `CANCELLED`.
    pub state: &'static str,
    /// When it was made, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<u64>,
    /// What stands before names of its objects.
    pub prefix: String,
    /// The same of those of failed records.
    pub error_prefix: String,
    /// The hash of the version that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the configuration that it was made of.
    pub version_id: u64,
    /// Records of the logs that it is about. An aggregate is one of them.
    pub records: u64,
    /// Those of these that it is done with.
    pub done: u64,
    /// Records in delivered objects. Those of an aggregate count each.
    pub delivered: u64,
    /// Records that the transform left out.
    pub dropped: u64,
    /// Records in objects of failed records.
    pub failed: u64,
    /// Records that were taken by retention, or went with their stream, before it came to them.
    pub lost: u64,
    /// Records that it was cancelled before, where it was.
    pub left: u64,
    /// Objects of delivered records.
    pub objects: u64,
    /// Objects of failed records.
    pub failed_objects: u64,
    /// Bytes of delivered records before they were packed.
    pub bytes_delivered: u64,
    /// Deliveries that failed and were tried again, since the start.
    pub retries: u64,
    /// Why it does not get on, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What it is about, shard by shard.
    pub shards: Vec<RedeliveredShard>,
}

/// What an order is about of one shard.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedeliveredShard {
    /// The shard.
    pub shard: String,
    /// Records of its log.
    pub records: u64,
    /// Those of these that it is done with, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// The name of the object that was put last, since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_object: Option<String>,
}

impl RedeliveryStatus {
    pub(super) fn of(entry: &Entry) -> Self {
        let redelivery = entry.redelivery();
        let is_at_work = redelivery.is_at_work();
        let shown: Vec<_> = entry.lanes.iter().map(|lane| lane.state.shown()).collect();
        let counts = if is_at_work {
            entry.counts_so_far()
        } else {
            redelivery.counts
        };
        let shards = shards(&redelivery, entry);
        let records: u64 = shards.iter().map(|it| it.records).sum();
        let trouble = shown.iter().find_map(|lane| lane.trouble.clone());
        Self {
            retries: shown.iter().map(|lane| lane.retries).sum(),
            trouble: trouble.filter(|_| is_at_work),
            records,
            done: if is_at_work {
                shards.iter().filter_map(|it| it.done).sum()
            } else {
                records.saturating_sub(redelivery.left)
            },
            shards,
            ..Self::by(&redelivery, counts)
        }
    }

    /// What its row says, with these counts.
    fn by(redelivery: &Redelivery, counts: Counts) -> Self {
        let error_prefix = redelivery.destination.error_output_prefix.clone();
        Self {
            id: redelivery.id.clone(),
            state: redelivery.state.as_str(),
            made_at_ms: redelivery.made_at_ms,
            ended_at_ms: redelivery.ended_at_ms,
            prefix: redelivery.asked.prefix.clone(),
            error_prefix: error_prefix.unwrap_or_default(),
            version: redelivery
                .asked
                .version()
                .map(|it: ContentHash| it.to_string()),
            version_id: redelivery.version_id,
            records: 0,
            done: 0,
            delivered: counts.delivered,
            dropped: counts.dropped,
            failed: counts.failed,
            lost: counts.lost,
            left: redelivery.left,
            objects: counts.objects,
            failed_objects: counts.failed_objects,
            bytes_delivered: counts.bytes_delivered,
            retries: 0,
            trouble: None,
            shards: Vec::new(),
        }
    }
}

fn shards(redelivery: &Redelivery, entry: &Entry) -> Vec<RedeliveredShard> {
    let stretches = redelivery.stretches.iter().enumerate();
    let shards = stretches.map(|(place, stretch)| {
        let records = stretch.to().0.saturating_sub(stretch.from().0);
        let lane = entry.lanes.get(place);
        RedeliveredShard {
            shard: stretch.numbering().shard().to_string(),
            records,
            done: lane.map(OrderedLane::done),
            last_object: lane.and_then(|lane| lane.state.shown().last_object),
        }
    });
    shards.collect()
}
