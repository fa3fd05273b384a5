//! DescribeStream.

use serde::{Deserialize, Serialize};
use types::limits::DESCRIBE_STREAM_SHARDS_MAX;
use wire::members::{Integer, Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe::{EnhancedMetrics, ShardView, StreamModeDetails, listed, start_after};
use super::shapes::{LIST_LIMIT, SHARD_ID, StreamMembers};
use super::{calls, encryption, page_size};
use crate::Streams;
use crate::calls::AccountCalls;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    limit: Option<Integer>,
    #[serde(borrow)]
    exclusive_start_shard_id: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &self.stream_name,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIST_LIMIT);
        check.optional(
            "ExclusiveStartShardId",
            &self.exclusive_start_shard_id,
            SHARD_ID,
        );
        self.stream().check(check);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    stream_description: Description<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    stream_name: &'a str,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: StreamModeDetails,
    shards: Vec<ShardView<'a>>,
    has_more_shards: bool,
    retention_period_hours: u32,
    stream_creation_timestamp: Time,
    enhanced_monitoring: [EnhancedMetrics; 1],
    encryption_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
}

/// Describes a stream with a page of its shards, in order of their names.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::DescribeStream, &call.caller)?;
    let stream = input.stream().find(streams, &call.caller)?;
    let after = start_after(&stream.arn, input.exclusive_start_shard_id.as_ref())?;
    let limit = page_size(input.limit, DESCRIBE_STREAM_SHARDS_MAX);
    let mut left = listed(&stream, streams.retention_time())
        .filter(|shard| after.is_none_or(|after| after < shard.facts().id));
    let shards = left.by_ref().take(limit).map(ShardView::of).collect();
    let (encryption_type, key_id) = encryption::described(&stream);
    call.answer(&Output {
        stream_description: Description {
            stream_name: stream.arn.name.as_str(),
            stream_arn: stream.arn.to_string(),
            stream_status: stream.status.as_str(),
            stream_mode_details: StreamModeDetails::of(&stream),
            shards,
            has_more_shards: left.next().is_some(),
            retention_period_hours: stream.retention_hours,
            stream_creation_timestamp: Time(stream.created_at),
            enhanced_monitoring: [EnhancedMetrics::of(&stream)],
            encryption_type,
            key_id,
        },
    })
}
