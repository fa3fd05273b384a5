//! What the operations say, as far as the commands use it. Names are the API's.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wire::members::Time;

/// An input that is the name of a stream.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfStream<'a> {
    pub(crate) stream_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateStream<'a> {
    pub(crate) stream_name: &'a str,
    pub(crate) shard_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeEncryption<'a> {
    pub(crate) stream_name: &'a str,
    pub(crate) encryption_type: &'static str,
    pub(crate) key_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListShards<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Shards {
    pub(crate) shards: Vec<Shard>,
    pub(crate) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Shard {
    pub(crate) shard_id: String,
    pub(crate) parent_shard_id: Option<String>,
    pub(crate) adjacent_parent_shard_id: Option<String>,
    pub(crate) hash_key_range: HashKeyRange,
    pub(crate) sequence_number_range: SequenceNumberRange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HashKeyRange {
    pub(crate) starting_hash_key: String,
    pub(crate) ending_hash_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SequenceNumberRange {
    pub(crate) ending_sequence_number: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewRecord<'a> {
    /// Base64.
    pub(crate) data: String,
    pub(crate) partition_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRecord<'a> {
    pub(crate) stream_name: &'a str,
    #[serde(flatten)]
    pub(crate) record: NewRecord<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRecords<'a> {
    pub(crate) stream_name: &'a str,
    pub(crate) records: Vec<NewRecord<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutRecordsAnswer {
    pub(crate) records: Vec<Placement>,
}

/// Where a record landed, or why it did not.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Placement {
    Landed(Landed),
    Refused(RefusedRecord),
}

/// Where a record landed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Landed {
    pub(crate) shard_id: String,
    pub(crate) sequence_number: String,
}

/// Why a record did not land.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RefusedRecord {
    pub(crate) error_code: String,
    #[serde(default)]
    pub(crate) error_message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetShardIterator<'a> {
    pub(crate) stream_name: &'a str,
    pub(crate) shard_id: &'a str,
    pub(crate) shard_iterator_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) starting_sequence_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ShardIterator {
    pub(crate) shard_iterator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetRecords<'a> {
    pub(crate) shard_iterator: &'a str,
    pub(crate) limit: usize,
}

/// Thousands of records at once: their texts are those of the answer, where nothing is escaped.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Records<'a> {
    #[serde(borrow)]
    pub(crate) records: Vec<Record<'a>>,
    /// Absent at the end of a closed shard.
    pub(crate) next_shard_iterator: Option<String>,
    /// 0 once everything was read.
    pub(crate) millis_behind_latest: Option<u64>,
    /// Those that a closed shard was split or merged into, at its end.
    #[serde(default)]
    pub(crate) child_shards: Vec<ChildShard>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChildShard {
    pub(crate) shard_id: String,
    pub(crate) parent_shards: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) sequence_number: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) partition_key: Cow<'a, str>,
    /// Base64.
    #[serde(borrow)]
    pub(crate) data: Cow<'a, str>,
    pub(crate) approximate_arrival_timestamp: Time,
}
