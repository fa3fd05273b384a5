//! DescribeStreamSummary.

use serde::{Deserialize, Serialize};
use wire::members::{Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe::{EnhancedMetrics, StreamModeDetails, WarmThroughput};
use super::shapes::StreamMembers;
use super::{calls, encryption, error, record_size};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::directory::owner;
use crate::stream::Stream;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
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
        self.stream().check(check);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    stream_description_summary: Summary<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    stream_name: &'a str,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: StreamModeDetails,
    retention_period_hours: u32,
    stream_creation_timestamp: Time,
    enhanced_monitoring: [EnhancedMetrics; 1],
    encryption_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    open_shard_count: usize,
    consumer_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_throughput: Option<WarmThroughput>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_distribution_strategy: Option<&'static str>,
}

/// Describes a stream without its shards.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::DescribeStreamSummary, &call.caller)?;
    let stream = input.stream().find(streams, &call.caller)?;
    let on_demand = stream.mode.on_demand();
    let (encryption_type, key_id) = encryption::described(&stream);
    call.answer(&Output {
        stream_description_summary: Summary {
            stream_name: stream.arn.name.as_str(),
            stream_arn: stream.arn.to_string(),
            stream_status: stream.status.as_str(),
            stream_mode_details: StreamModeDetails::of(&stream),
            retention_period_hours: stream.retention_hours,
            stream_creation_timestamp: Time(stream.created_at),
            enhanced_monitoring: [EnhancedMetrics::of(&stream)],
            encryption_type,
            key_id,
            open_shard_count: stream.shards.open_count(),
            consumer_count: stream.consumers.len(),
            warm_throughput: warm_throughput(streams, &stream).await?,
            max_record_size: record_size::in_kib(stream.record_bytes_max),
            record_distribution_strategy: on_demand.map(|set| set.distribution.as_str()),
        },
    })
}

/// Only of streams whose account has committed itself.
async fn warm_throughput(
    streams: &Streams,
    stream: &Stream,
) -> Result<Option<WarmThroughput>, ApiError> {
    let Some(set) = stream.mode.on_demand() else {
        return Ok(None);
    };
    let committed = streams.is_committed(&owner(&stream.arn)).await;
    let committed =
        committed.map_err(|error| error::internal("read an account's settings", &error))?;
    Ok(committed.then(|| WarmThroughput::of(stream, set.warm_mibps)))
}
