//! How streams and shards look in the answers of several operations.

use serde::Serialize;
use types::{ShardId, StreamArn};
use wire::ApiError;
use wire::members::Text;

use super::error;
use crate::retention_clock::RetentionTime;
use crate::shard::Shard;
use crate::stream::{Status, Stream};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamModeDetails {
    stream_mode: &'static str,
}

impl StreamModeDetails {
    pub fn of(stream: &Stream) -> Self {
        Self {
            stream_mode: stream.mode.as_str(),
        }
    }
}

/// Which metrics a stream publishes for each of its shards.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EnhancedMetrics {
    shard_level_metrics: Vec<&'static str>,
}

impl EnhancedMetrics {
    pub fn of(stream: &Stream) -> Self {
        Self {
            shard_level_metrics: stream.monitored.names(),
        }
    }
}

/// What a stream shall be able to take in a second, and what it can.
#[derive(Serialize)]
pub struct WarmThroughput {
    #[serde(rename = "TargetMiBps", skip_serializing_if = "Option::is_none")]
    target: Option<u32>,
    #[serde(rename = "CurrentMiBps")]
    current: usize,
}

impl WarmThroughput {
    /// A shard takes a MiB in a second.
    pub fn of(stream: &Stream, target: Option<u32>) -> Self {
        Self {
            target,
            current: stream.shards.open_count(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ShardView<'a> {
    shard_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjacent_parent_shard_id: Option<String>,
    hash_key_range: HashKeyRangeView,
    sequence_number_range: SequenceNumberRange,
}

/// A shard that goes on where another one ended.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChildShard<'a> {
    shard_id: &'a str,
    parent_shards: Vec<String>,
    hash_key_range: HashKeyRangeView,
}

impl<'a> ChildShard<'a> {
    /// Those of a shard.
    pub fn all(stream: &'a Stream, of: &Shard) -> Vec<Self> {
        let all = stream.shards.all().iter();
        all.filter(|child| child.is_child_of(of.facts().id))
            .map(|child| {
                let facts = child.facts();
                let parents = facts.parent.into_iter().chain(facts.adjacent_parent);
                Self {
                    shard_id: child.id_text(),
                    parent_shards: parents.map(|id| id.to_string()).collect(),
                    hash_key_range: HashKeyRangeView::of(child),
                }
            })
            .collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HashKeyRangeView {
    starting_hash_key: String,
    ending_hash_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumberRange {
    starting_sequence_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending_sequence_number: Option<String>,
}

impl<'a> ShardView<'a> {
    pub fn of(shard: &'a Shard) -> Self {
        let facts = shard.facts();
        Self {
            shard_id: shard.id_text(),
            parent_shard_id: facts.parent.map(|id| id.to_string()),
            adjacent_parent_shard_id: facts.adjacent_parent.map(|id| id.to_string()),
            hash_key_range: HashKeyRangeView::of(shard),
            sequence_number_range: SequenceNumberRange {
                starting_sequence_number: shard.starting_number().to_string(),
                ending_sequence_number: shard.ending_number().map(|n| n.to_string()),
            },
        }
    }
}

impl HashKeyRangeView {
    pub fn of(shard: &Shard) -> Self {
        let range = shard.facts().range;
        Self {
            starting_hash_key: range.first.to_string(),
            ending_hash_key: range.last.to_string(),
        }
    }
}

/// The shard that a list goes on after.
pub fn start_after(
    stream: &StreamArn,
    exclusive_start: Option<&Text<'_>>,
) -> Result<Option<ShardId>, ApiError> {
    let Some(text) = exclusive_start else {
        return Ok(None);
    };
    let id = ShardId::parse(text).map_err(|_| error::no_shard_named(stream, text))?;
    Ok(Some(id))
}

/// The shards that are shown: none while a stream is being created, and no closed one whose
/// records have all expired.
pub fn listed(stream: &Stream, now: RetentionTime) -> impl Iterator<Item = &Shard> {
    let cutoff = stream.cutoff(now);
    let shown = stream.status != Status::Creating;
    let shards = stream.shards.all().iter().map(|shard| &**shard);
    shards.filter(move |shard| {
        shown
            && shard
                .facts()
                .closed_at
                .is_none_or(|closed_at| cutoff <= closed_at)
    })
}
