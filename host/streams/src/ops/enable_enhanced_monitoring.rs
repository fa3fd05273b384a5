//! EnableEnhancedMonitoring.

use serde::Deserialize;
use wire::members::{List, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::enhanced_monitoring::{METRICS, change, parse};
use super::shapes::StreamMembers;
use crate::Streams;
use crate::edit::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    shard_level_metrics: Option<List<Text<'a>>>,
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
        check.required("ShardLevelMetrics", &self.shard_level_metrics, METRICS);
        self.stream().check(check);
    }
}

/// Publishes metrics of each shard of a stream, beside those that it publishes already.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let metrics = parse(&input.shard_level_metrics)?;
    let desired = change(streams, &stream, Edit::Monitor(metrics)).await?;
    call.answer(&desired)
}
