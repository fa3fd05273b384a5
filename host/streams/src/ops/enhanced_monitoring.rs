//! What EnableEnhancedMonitoring and DisableEnhancedMonitoring share.

use serde::Serialize;
use wire::ApiError;
use wire::members::{List, Text};
use wire::shape::{ListRule, TextRule};

use super::{error, required};
use crate::Streams;
use crate::edit::Edit;
use crate::monitoring::ShardLevelMetrics;
use crate::stream::Stream;

pub const METRICS: ListRule<TextRule> = ListRule::of(
    1,
    7,
    TextRule::one_of(&[
        "IncomingBytes",
        "IncomingRecords",
        "OutgoingBytes",
        "OutgoingRecords",
        "WriteProvisionedThroughputExceeded",
        "ReadProvisionedThroughputExceeded",
        "IteratorAgeMilliseconds",
        "ALL",
    ]),
);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    stream_name: String,
    current_shard_level_metrics: Vec<&'static str>,
    desired_shard_level_metrics: Vec<&'static str>,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
}

/// The metrics that are named.
pub fn parse(names: &Option<List<Text<'_>>>) -> Result<ShardLevelMetrics, ApiError> {
    let names = required("ShardLevelMetrics", names)?;
    let metrics = ShardLevelMetrics::named(names.iter().map(Text::as_str));
    metrics.ok_or_else(|| error::internal("read checked metrics", &"one has an unknown name"))
}

/// Changes what a stream publishes. The answer names the metrics before and after the change.
pub async fn change(streams: &Streams, stream: &Stream, edit: Edit) -> Result<Output, ApiError> {
    let refused = |refused| error::change(refused, &stream.arn);
    let desired = edit.clone().apply(stream, stream.expired_before);
    let desired = desired.map_err(|error| refused(error.into()))?.monitored;
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(refused)?;
    Ok(Output {
        stream_name: stream.arn.name.as_str().to_owned(),
        current_shard_level_metrics: stream.monitored.names(),
        desired_shard_level_metrics: desired.names(),
        stream_arn: stream.arn.to_string(),
    })
}
